/// What a program can set about how a stream socket behaves, beside the kernel's options.
package struct StreamSettings: Sendable {
    /// Keep the socket open when the peer ends its direction, also with a message listener.
    package var allowsHalfOpen = false
    /// How long close() may flush, and how long it waits for the peer's end afterwards.
    package var closeTimeout: Duration = .seconds(5)
    /// How long close() waits for the kernel's queue to empty: nil not at all, zero resets.
    package var linger: Duration?
    /// Nothing sent or received for so long closes the socket.
    package var idleTimeout: Duration?
    /// Where listeners and completions run.
    package var delivery = DeliveryContext.loop
    /// Options to give each new descriptor.
    package var kernel = KernelOptions()

    /// How much input close() throws away before it gives up on the peer, in bytes.
    package var discardLimit = 16 * 1024 * 1024

    package init() {}

    /// Nil leaves the idle time-out, zero takes it away.
    package mutating func setIdleTimeout(_ timeout: Duration?) {
        if let timeout { idleTimeout = timeout == .zero ? nil : timeout }
    }

    /// Settings that many sockets share: all connections of a server do until one of them is set otherwise.
    package final class Shared: Sendable {
        package let values: StreamSettings

        package init(_ values: StreamSettings) { self.values = values }

        package static let standard = Shared(StreamSettings())
    }
}
