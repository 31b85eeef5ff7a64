/// Descriptors that were made outside of the project: what they must be to be taken over.
///
/// A check that fails leaves the descriptor to its owner, as it was.
package enum Adoption {
    /// Checks and prepares a connection, of TCP unless it `isLocal`; returns the peer, and what kind it is.
    package static func prepareConnection(
        _ number: Int32, isLocal: Bool = false
    ) throws(Failure) -> (peer: SocketAddress, kind: SocketCalls.Kind) {
        let (kind, isListening) = try inspect(number, isLocal)
        guard !isListening, let peer = try? SocketCalls.peerAddress(number).get() else {
            throw refusal("is not connected")
        }
        try prepare(number)
        return (peer, kind)
    }

    /// Checks and prepares a listening socket, of TCP unless it `isLocal`; returns what kind it is.
    package static func prepareListener(_ number: Int32, isLocal: Bool = false) throws(Failure) -> SocketCalls.Kind {
        let (kind, isListening) = try inspect(number, isLocal)
        guard isListening else { throw refusal("is not listening") }
        try prepare(number)
        return kind
    }

    /// Refuses what is not a stream socket of IPv4 or IPv6, or a local one that is connected.
    private static func inspect(
        _ number: Int32, _ isLocal: Bool
    ) throws(Failure) -> (kind: SocketCalls.Kind, isListening: Bool) {
        switch SocketCalls.inspect(number) {
        case .failure(.badDescriptor): throw refusal("is not open")
        case .failure(.notSocket): throw refusal("is not a socket")
        case .failure(let error): throw .system(error, .getOption)
        case .success(let (kind, isListening)):
            guard let kind, kind == .stream || isLocal && kind == .seqpacket else {
                throw refusal(isLocal ? "is neither a stream nor a seqpacket socket" : "is not a stream socket")
            }
            let family = (try? SocketCalls.localAddress(number).get())?.family
            guard let family, (family == .local) == isLocal else {
                throw refusal(isLocal ? "is not a local socket" : "is a socket of neither IPv4 nor IPv6")
            }
            return (kind, isListening)
        }
    }

    private static func prepare(_ number: Int32) throws(Failure) {
        if case .failure(let error) = SocketCalls.prepare(number) { throw .system(error, .fcntl) }
    }

    /// Why a descriptor is not taken over.
    package static func refusal(_ problem: String) -> Failure { .invalidArgument(.init("descriptor", problem)) }
}
