internal import SocketCore

/// What has gone through a socket so far.
public struct SocketStatistics: Sendable, Hashable, Codable {
    /// Bytes that were taken from the kernel, as Node's bytesRead.
    public let bytesReceived: Int
    /// Bytes that the kernel has taken, as Node's bytesWritten without what is still queued.
    public let bytesSent: Int
    /// Messages, or chunks where there is no framing, that listeners and receives were given; or datagrams.
    public let messagesReceived: Int
    /// Sends that were accepted, also those that are still queued.
    public let messagesSent: Int
    /// Bytes of sends that the kernel has not taken yet.
    public let bytesQueued: Int
    /// How long the connection has stood, or did stand, or the datagram socket has had its address; nil before it did.
    public let age: Duration?

    init(_ numbers: (counts: StreamCounts, queued: Int)) {
        let counts = numbers.counts
        let end = counts.closed == .never ? Instant.now : counts.closed
        bytesReceived = Int(clamping: counts.bytesReceived)
        bytesSent = Int(clamping: counts.bytesSent)
        messagesReceived = Int(clamping: counts.messagesReceived)
        messagesSent = Int(clamping: counts.messagesSent)
        bytesQueued = numbers.queued
        age = counts.opened == .never ? nil : end.duration(since: counts.opened)
    }

    /// Of a connection that has come to its end; nil when there never was one.
    init?(final counts: StreamCounts) {
        if counts.opened == .never { return nil }
        self.init((counts, queued: 0))
    }
}

extension SocketStatistics: CustomStringConvertible {
    /// `12 bytes received in 2 messages, 5 sent in 1, 0 queued, 212.6 ms old`.
    public var description: String {
        "\(bytesReceived) bytes received in \(messagesReceived) messages, \(bytesSent) sent in \(messagesSent), "
            + "\(bytesQueued) queued, \(age.map { "\($0.rounded) old" } ?? "not connected")"
    }
}

extension StreamSocket {
    /// What has gone through the socket so far, also after close. Any thread, any time; costs next to nothing.
    ///
    /// What the kernel knows beside, as round-trip time and retransmissions, `getTCPInfo()` says.
    ///
    /// ```swift
    /// let statistics = tcp.statistics
    /// print(statistics.bytesSent, "bytes sent in", statistics.age ?? .zero)
    /// ```
    public var statistics: SocketStatistics {
        SocketStatistics(stream.driver.counts)
    }

    /// The state now, and again each time it changes; ends with the closed state.
    ///
    /// Like a listener it keeps a connected socket alive while it is iterated, and is told in the order of events. A
    /// slow loop misses no state: there are four of them at most.
    ///
    /// ```swift
    /// for await state in tcp.stateChanges { print(state) }
    /// ```
    public var stateChanges: AsyncStream<SocketStateBase> {
        let driver = stream.driver
        return AsyncStream { continuation in
            let tell: @Sendable (EngineEvent) -> Void = { event in
                continuation.yield(SocketStateBase(driver.snapshot))
                if case .close = event { continuation.finish() }
            }
            let tickets = [EventKind.listening, .connect, .close].map { driver.on($0, tell) }
            continuation.onTermination = { _ in for ticket in tickets { driver.off(ticket) } }
            let state = SocketStateBase(driver.snapshot)
            continuation.yield(state)
            // The last event has been told already.
            if state.isClose { continuation.finish() }
        }
    }
}
