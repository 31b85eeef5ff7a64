package import SocketCore

/// Why an operation of a socket failed: what was tried, on which address, and what the system answered.
///
/// ```swift
/// do {
///     try await tcp.connect(to: NetAddress("127.0.0.1", port: 1))
/// } catch {
///     print(error)             // connect to 127.0.0.1:1: connection refused (ECONNREFUSED)
///     print(error.kind)        // connectionRefused
///     print(error.code)        // 2301111, OpenHarmony's number
/// }
/// ```
public struct SocketError: Error, Sendable {
    /// What kind of failure this is: the part of an error that a program decides by.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The socket is closed, or being closed.
        case closed
        /// The operation was under way when the socket was closed or reset.
        case aborted
        /// The task was cancelled.
        case cancelled
        /// The time-out of the call, or the socket's idle time-out, ran out.
        case timedOut
        /// The socket is not connected.
        case notConnected
        /// The socket is connected, or connecting, already.
        case alreadyConnected
        /// The socket is bound, or listening, already.
        case alreadyBound
        /// The call does not go with what the socket is doing now.
        case invalidState
        /// A value that cannot be: `field` names it.
        case invalidArgument
        /// The host name does not exist.
        case unknownHost
        /// The look-up of a host name failed.
        case lookupFailed
        /// Nobody listens at the address.
        case connectionRefused
        /// The peer reset the connection, or it broke.
        case connectionReset
        /// The network or the host cannot be reached.
        case unreachable
        /// Another socket has the address.
        case addressInUse
        /// The address is not one of this machine's.
        case addressNotAvailable
        /// The system does not allow it.
        case permissionDenied
        /// The datagram is larger than the protocol, or the way, can carry; or the message than its framing allows.
        case messageTooLong
        /// The peer ended within a message; or a file became shorter while it was sent.
        case incomplete
        /// What came is no message of the framing.
        case malformed
        /// The send queue is as long as it may be; see `sendQueueLimit`.
        case queueFull
        /// The process or the system has no descriptor left.
        case tooManyOpenFiles
        /// Descriptors came with a message of a local socket that there was no room for; they are closed.
        case descriptorsLost
        /// A handler of `serve` threw an error of its own.
        case handlerFailed
        /// The system, or this kind of socket, does not have what was asked for; of an option, `field` is the name.
        case notSupported
        /// Any other error of the system: see `systemError`.
        case system
    }

    private final class Storage: Sendable {
        let failure: Failure
        let operation: SocketOperation
        let address: String?

        init(_ failure: Failure, _ operation: SocketOperation, _ address: String?) {
            self.failure = failure
            self.operation = operation
            self.address = address
        }
    }

    // One reference, so that throwing and returning it costs no more than any pointer.
    private let storage: Storage

    package init(_ failure: Failure, _ operation: SocketOperation, _ address: String? = nil) {
        storage = Storage(failure, operation, address)
    }

    /// A failure that an event tells of: what was tried follows from the failure, where it can.
    init(told failure: Failure, _ operation: SocketOperation, _ address: String?) {
        self.init(failure, SocketOperation(failure) ?? operation, address)
    }

    var failure: Failure { storage.failure }

    /// What was tried.
    public var operation: SocketOperation { storage.operation }

    /// The address that it concerns, as text; nil where none does.
    public var address: String? { storage.address }

    /// What kind of failure this is.
    public var kind: Kind {
        switch failure {
        case .closed: .closed
        case .aborted: .aborted
        case .cancelled: .cancelled
        case .timedOut, .lookUpTimedOut: .timedOut
        case .notConnected: .notConnected
        case .alreadyConnected: .alreadyConnected
        case .alreadyBound: .alreadyBound
        case .invalidState: .invalidState
        case .invalidArgument: .invalidArgument
        case .tooLong: .messageTooLong
        case .queueFull: .queueFull
        case .incomplete, .fileCut: .incomplete
        case .malformed: .malformed
        case .descriptorsLost: .descriptorsLost
        case .unknownHost: .unknownHost
        case .resolver: .lookupFailed
        case .handler: .handlerFailed
        case .optionTooLate: .invalidState
        case .system, .option, .membership, .connect: systemError.map(\.kind) ?? .system
        }
    }

    /// Whether our own close() or reset() ended the call: an iteration does not fail by it, but ends.
    var isOurEnd: Bool { kind == .closed || kind == .aborted }

    /// What the system answered; nil for a failure that is none of the system's. When connecting to several addresses
    /// failed, the answer of the last.
    public var systemError: SystemErrorInfo? {
        switch failure {
        case .system(let error, let call, _, _): SystemErrorInfo(error, call: call.rawValue)
        case .option(_, let error), .membership(_, let error):
            SystemErrorInfo(error, call: SystemCall.setOption.rawValue)
        case .connect(let attempts): attempts.last.map { SystemErrorInfo($0) }
        default: nil
        }
    }

    /// The name of the rejected field or parameter: of an `invalidArgument`, of joining or leaving a group, and of an option
    /// that was refused, also when that made bind, listen or connect fail.
    public var field: String? {
        switch failure {
        case .invalidArgument(let argument), .membership(let argument, _): argument.field
        case .option(let option, _), .optionTooLate(let option): option.rawValue
        case .connect(let attempts): attempts.last?.setup?.option?.rawValue
        default: nil
        }
    }

    /// How many bytes of a failed send had gone out before.
    public var sent: Int { progress.sent }

    /// How many bytes of a failed send had not gone out. After a cancelled or timed-out send of which some had
    /// (`sent` above zero) they stay queued and do go out; otherwise they never will.
    public var remaining: Int { progress.remaining }

    private var progress: (sent: Int, remaining: Int) {
        switch failure {
        case .aborted(let sent, let remaining), .cancelled(let sent, let remaining),
            .timedOut(let sent, let remaining), .fileCut(let sent, let remaining),
            .system(_, _, let sent, let remaining):
            (sent, remaining)
        default: (0, 0)
        }
    }

    /// Every address that a connect tried, in the order in which they failed; those that still ran when time was over come
    /// last. Empty for other failures, and when time was over before anything was tried.
    ///
    /// ```swift
    /// do {
    ///     try await tcp.connect(to: NetAddress("example.org", port: 7007))
    /// } catch {
    ///     for attempt in error.attempts { print(attempt) }  // 192.0.2.1:7007: timed out (ETIMEDOUT) after 5.0 s
    /// }
    /// ```
    public var attempts: [ConnectAttemptInfo] {
        switch failure {
        case .connect(let attempts), .lookUpTimedOut(_, let attempts): attempts.map(ConnectAttemptInfo.init)
        default: []
        }
    }
}

extension SocketError: Hashable {
    /// The same failure of the same operation on the same address.
    public static func == (left: SocketError, right: SocketError) -> Bool {
        left.failure == right.failure && left.operation == right.operation && left.address == right.address
    }

    /// Hashes failure, operation and address.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(failure)
        hasher.combine(operation)
        hasher.combine(address)
    }
}
