/// Descriptors that were made outside of the project: what they must be to be taken over.
///
/// A check that fails leaves the descriptor to its owner, as it was.
package enum Adoption {
    /// Checks and prepares a connection of TCP; returns the peer.
    package static func prepareConnection(_ number: Int32) throws(Failure) -> SocketAddress {
        let isListening = try inspect(number)
        guard !isListening, let peer = try? SocketCalls.peerAddress(number).get() else {
            throw refusal("is not connected")
        }
        try prepare(number)
        return peer
    }

    /// Checks and prepares a listening socket of TCP.
    package static func prepareListener(_ number: Int32) throws(Failure) {
        guard try inspect(number) else { throw refusal("is not listening") }
        try prepare(number)
    }

    /// Refuses what is not a stream socket of IPv4 or IPv6. Returns whether it listens.
    private static func inspect(_ number: Int32) throws(Failure) -> Bool {
        switch SocketCalls.inspect(number) {
        case .failure(.badDescriptor): throw refusal("is not open")
        case .failure(.notSocket): throw refusal("is not a socket")
        case .failure(let error): throw .system(error, .getOption)
        case .success(let (kind, isListening)):
            guard kind == .stream else { throw refusal("is not a stream socket") }
            guard (try? SocketCalls.localAddress(number).get())?.family != nil else {
                throw refusal("is a socket of neither IPv4 nor IPv6")
            }
            return isListening
        }
    }

    private static func prepare(_ number: Int32) throws(Failure) {
        if case .failure(let error) = SocketCalls.prepare(number) { throw .system(error, .fcntl) }
    }

    /// Why a descriptor is not taken over.
    package static func refusal(_ problem: String) -> Failure { .invalidArgument(.init("descriptor", problem)) }
}
