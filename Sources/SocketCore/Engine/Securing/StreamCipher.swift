/// What stands between a stream socket and the kernel, and changes the bytes on their way: what TLS is to the engine.
///
/// It makes the system calls itself, with the number that it is lent for each, so that records are neither copied nor
/// kept. At most one thread reads and one writes at a time; what the two share it guards by itself. No method waits.
/// `.failure(.wouldBlock)` means what it means to recv(2) and send(2); what else an error means, `failure` may know.
package protocol StreamCipher: AnyObject, Sendable {
    /// Takes what was read of the connection before. Called once, before anything else.
    func feed(_ bytes: [UInt8])

    /// Goes on with the handshake.
    func handshake(_ descriptor: Int32) -> HandshakeProgress

    /// The bytes that have arrived. As of recv(2), a short count says that there is nothing more for now, unless
    /// `isFollowed`: then something stands behind them that no event tells of.
    func receive(
        _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, isFollowed: inout Bool
    ) -> SystemResult<Int>

    /// Whether there is input (1), its end (0) or an error, taking nothing.
    func peek(_ descriptor: Int32) -> SystemResult<Int>

    /// Sends bytes; returns how many of them the kernel has taken whole. A call that follows begins with the first byte
    /// that was not.
    func send(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> SystemResult<Int>

    /// How many bytes behind those have begun to go out, so that they must follow.
    var begunCount: Int { get }

    /// Tells the peer that nothing more will be sent. To be repeated when it would block.
    func finishOutput(_ descriptor: Int32) -> SystemResult<Void>

    /// What it knows about an error that it returned; nil for one of the system.
    func failure(_ error: SystemError, sent: Int, remaining: Int) -> Failure?
}

/// How far a handshake is.
package enum HandshakeProgress: Sendable {
    /// Somebody is asked whether to go on; the answer, nil for yes, is given once and from any thread. What is returned
    /// takes the question back.
    package typealias Question =
        @Sendable (
            _ answer: @escaping @Sendable (Failure?) -> Void
        ) -> @Sendable () -> Void

    case done
    /// Until the descriptor is ready in this direction.
    case wait(Direction)
    case ask(Question)
    case failed(Failure)
}

/// What makes the accepted connections of a server secure.
package protocol CipherSource: Sendable {
    /// A cipher for one connection.
    func makeCipher() throws(Failure) -> any StreamCipher
    /// How long a handshake may take; nil is without end.
    var timeout: Duration? { get }
}

/// Why a cipher gave up.
package struct CipherFailure: Error, Sendable, Hashable {
    /// What it was doing.
    package enum Kind: Sendable, Hashable {
        case handshake, receiving, sending
        /// The peer is not who it should be, or cannot prove it.
        case verification
        /// The connection ended without the peer having said so.
        case truncation
        /// Time ran out during the handshake.
        case timeout
        /// There is no connection to be made secure.
        case unconnected
    }

    package let kind: Kind
    /// In words.
    package let reason: String

    package init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }
}
