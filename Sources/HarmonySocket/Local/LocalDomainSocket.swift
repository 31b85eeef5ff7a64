internal import SocketCore

/// A socket whose peers are on this machine, and whose address is a path, an abstract name or none (unix(7)).
public protocol LocalDomainSocket: KernelSocket {}

/// What a local stream socket does with the bounds of messages.
public enum LocalSocketType: String, Sendable, Hashable, Codable, CaseIterable {
    /// Bytes, as TCP has them.
    case stream
    /// Messages of at most 65,536 bytes, each received as it was sent (`SOCK_SEQPACKET`). Not on Apple systems.
    ///
    /// A longer message is not sent (`.messageTooLong`), and one that another program sent ends the connection. Empty ones
    /// are not sent, and passed over on receipt. Calls that take part of a stream, `receive(upTo:)`, `peek`, `bytes`,
    /// `lines`, `sendFile` and the like, fail with `.invalidState`. A framing works on the bytes of the messages, one behind
    /// the other.
    case seqpacket

    var kind: SocketCalls.Kind { self == .seqpacket ? .seqpacket : .stream }
}

// MARK: Addresses

extension LocalDomainSocket {
    /// Our address; `.unnamed` when connected without bind, nil before there is a socket. A server's stays after close.
    public var localAddress: LocalAddress? { kernel.driver.localAddress.map(LocalAddress.init) }

    /// Our address; its `address` is what OpenHarmony returns.
    ///
    /// - Throws: `.closed` after close; `.invalidState` before bind, listen and connect.
    public func getLocalAddress() async throws(SocketError) -> LocalAddress {
        LocalAddress(try kernel.findLocalAddress())
    }

    /// Our address; the handler is called in the socket's order of events.
    public func getLocalAddress(completion: @escaping @Sendable (Result<LocalAddress, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in LocalAddress(try kernel.findLocalAddress()) }
        kernel.driver.complete { completion(result) }
    }
}

// MARK: Options

extension LocalDomainSocket {
    /// Sets options, at any time before close. Fields that are nil stay as they are; all values are checked before one is
    /// applied. Those of a server are for the connections that it accepts from then on.
    ///
    /// - Throws: `.invalidArgument`, whose `field` is the name; refusals of the kernel; `.closed` after close.
    public func setExtraOptions(_ options: ExtraOptionsBase) async throws(SocketError) { try apply(options) }

    /// Sets options; as the async form.
    public func setExtraOptions(
        _ options: ExtraOptionsBase, completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let result = Result { () throws(SocketError) in try apply(options) }
        kernel.driver.complete { completion(result) }
    }

    private func apply(_ options: ExtraOptionsBase) throws(SocketError) {
        do throws(Failure) {
            try kernel.driver.setOptions(options.checked(), idleTimeout: options.socketTimeout)
        } catch {
            throw kernel.error(error, .setOptions)
        }
    }

    /// The options as they are: what the kernel reports, and our own. Before there is a socket, those that were set.
    ///
    /// - Throws: `.closed` after close.
    public func getExtraOptions() async throws(SocketError) -> ExtraOptionsBase { try readOptions() }

    /// The options as they are; as the async form.
    public func getExtraOptions(completion: @escaping @Sendable (Result<ExtraOptionsBase, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try readOptions() }
        kernel.driver.complete { completion(result) }
    }

    private func readOptions() throws(SocketError) -> ExtraOptionsBase {
        do throws(Failure) {
            let (options, idleTimeout) = try kernel.driver.readBasicOptions()
            return ExtraOptionsBase(options, idleTimeout: idleTimeout)
        } catch {
            throw kernel.error(error, .getOptions)
        }
    }
}
