internal import SocketCore

/// Why a framing could not make a message of bytes, or bytes of a message.
///
/// A call of a socket that meets one throws a ``SocketError`` of the kind `.messageTooLong`, `.incomplete`, `.malformed`,
/// or `.invalidArgument` with the field `message`.
public enum FramingError: Error, Sendable, Hashable {
    /// The message has more than `limit` bytes: more than is accepted, or, of one to be sent, more than can be said.
    case tooLong(limit: Int)
    /// The peer ended within a message, of which `count` bytes had come.
    case incomplete(count: Int)
    /// What came is no message; says why.
    case malformed(String)
    /// A message to be sent that the framing has no way to say; says why.
    case inexpressible(String)
}

extension FramingError: CustomStringConvertible {
    /// One line: `the message is longer than 65536 bytes`.
    public var description: String { SocketError(self, .setFraming).message }
}

extension Failure {
    init(_ error: FramingError) {
        switch error {
        case .tooLong(let limit): self = .tooLong(limit: limit)
        case .incomplete(let count): self = .incomplete(count: count)
        case .malformed(let reason): self = .malformed(reason)
        case .inexpressible(let reason): self = .invalidArgument(.init("message", reason))
        }
    }
}

extension SocketError {
    package init(_ error: FramingError, _ operation: SocketOperation, _ address: String? = nil) {
        self.init(Failure(error), operation, address)
    }
}
