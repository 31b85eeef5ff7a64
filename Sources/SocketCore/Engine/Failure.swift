/// Why an operation of the engine did not do what was asked. The faces add what was tried, and on which address.
///
/// Indirect: one word in every state and result that may hold one, allocated only when something fails.
package indirect enum Failure: Error, Sendable, Hashable {
    /// The socket is closed, or being closed.
    case closed
    /// The operation was under way when the socket was closed or reset.
    case aborted(sent: Int = 0, remaining: Int = 0)
    /// The task was cancelled.
    case cancelled(sent: Int = 0, remaining: Int = 0)
    /// The time-out ran out.
    case timedOut(sent: Int = 0, remaining: Int = 0)
    /// The socket is not connected.
    case notConnected
    /// The socket is connected, or connecting, already.
    case alreadyConnected
    /// The socket is bound, or listening, already.
    case alreadyBound
    /// The call does not go with what the socket is doing now.
    case invalidState(Reason)
    /// The system said no. `sent` of a send's bytes had gone out.
    case system(SystemError, SystemCall, sent: Int = 0, remaining: Int = 0)
    /// The system refused an option.
    case option(KernelOption, SystemError)
    /// The option counts only before the socket has an address, and its value would change.
    case optionTooLate(KernelOption)
    /// A multicast group cannot be joined or left; the field that is at fault, why, and what the system says to that.
    case membership(Argument, SystemError)
    /// A value that cannot be; the field that holds it, and why.
    case invalidArgument(Argument)
    /// The send queue has no room for it.
    case queueFull(limit: Int)
    /// A message is longer than the limit.
    case tooLong(limit: Int)
    /// The peer ended within a message, of which so many bytes had come.
    case incomplete(count: Int)
    /// The file became shorter while it was sent.
    case fileCut(sent: Int = 0, remaining: Int = 0)
    /// What came is no message; says why.
    case malformed(String)
    /// Descriptors came that there was no room for; they are closed.
    case descriptorsLost
    /// The name does not exist.
    case unknownHost(String)
    /// The look-up of a name failed: the resolver's words.
    case resolver(name: String, message: String)
    /// A handler of `serve` threw something of its own.
    case handler(String)
    /// No attempt to connect succeeded. Never empty.
    case connect([ConnectAttempt])
    /// TLS says no. `sent` of a send's bytes had gone out.
    case cipher(CipherFailure, sent: Int = 0, remaining: Int = 0)
    /// Time ran out while the name was looked up; what was tried until then.
    case lookUpTimedOut(name: String, [ConnectAttempt])

    /// Why a call does not fit.
    package enum Reason: String, Sendable, Hashable {
        case messageListenerExists = "a message listener exists, so messages go to it"
        case packets = "the socket keeps the bounds of messages, so there is no stream of bytes to take a part of"
        case framed = "a framing is set, and part of a message cannot be sent"
        case finished = "our direction has been ended with finish()"
        case busy = "a send, receive, finish or relay of the socket is under way"
        case notBound = "the socket has no address yet; bind, listen or connect first"
        case taken = "connections go to the connect listener or to serve"
        case noCertificate = "no certificate was shown"
        case secure = "the connection is secure, and nobody else could go on with it"
    }

    /// A rejected value.
    package struct Argument: Sendable, Hashable {
        package let field: String
        package let problem: String

        package init(_ field: String, _ problem: String) {
            self.field = field
            self.problem = problem
        }
    }
}

extension Failure {
    /// What went wrong when a socket was made.
    init(_ error: SetupError) {
        self = error.option.map { .option($0, error.error) } ?? .system(error.error, error.call)
    }
}

extension Result where Success == Void, Failure == SocketCore.Failure {
    /// The result of an operation that ends with or without a failure.
    package init(_ failure: SocketCore.Failure?) {
        if let failure { self = .failure(failure) } else { self = .success(()) }
    }
}

/// One try to reach one address.
package struct ConnectAttempt: Error, Sendable, Hashable {
    package let address: SocketAddress
    package let error: SystemError
    package let duration: Duration
    /// What failed, when it was not connect(2) itself.
    package let setup: SetupError?

    package init(address: SocketAddress, error: SystemError, duration: Duration) {
        self.address = address
        self.error = error
        self.duration = duration
        setup = nil
    }

    /// An attempt that found no socket to connect with.
    package init(address: SocketAddress, _ setup: SetupError) {
        self.address = address
        self.setup = setup
        error = setup.error
        duration = .zero
    }
}
