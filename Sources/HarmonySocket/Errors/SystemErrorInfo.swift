internal import SocketCore

/// An error of the system: errno(3), with the call that returned it.
public struct SystemErrorInfo: Sendable, Hashable, CustomStringConvertible {
    /// The number, on this system.
    public let number: Int
    /// Its name: `ECONNREFUSED`.
    public let name: String
    /// A short text: `connection refused`.
    public let message: String
    /// The system call: `connect`.
    public let call: String

    let linuxNumber: Int
    let kind: SocketError.Kind

    init(_ error: SystemError, call: String) {
        number = Int(error.rawValue)
        name = error.name
        message = error.message
        self.call = call
        // An error that Linux does not have is an input/output error to OpenHarmony.
        linuxNumber = Int(error.linuxNumber ?? 5)
        kind = SocketError.Kind(error)
    }

    init(_ attempt: ConnectAttempt) {
        self.init(attempt.error, call: (attempt.setup?.call ?? .connect).rawValue)
    }

    /// `connection refused (ECONNREFUSED)`.
    public var description: String { "\(message) (\(name))" }
}

extension SocketError.Kind {
    init(_ error: SystemError) {
        switch error {
        case .connectionRefused: self = .connectionRefused
        case .connectionReset, .brokenPipe, .connectionAborted, .networkReset: self = .connectionReset
        case .hostUnreachable, .networkUnreachable, .networkDown, .hostDown: self = .unreachable
        case .addressInUse: self = .addressInUse
        case .addressNotAvailable: self = .addressNotAvailable
        case .permissionDenied, .notPermitted: self = .permissionDenied
        case .messageTooLong: self = .messageTooLong
        case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .tooManyReferences: self = .tooManyOpenFiles
        case .timedOut: self = .timedOut
        case .notConnected: self = .notConnected
        case .optionNotAvailable, .operationNotSupported: self = .notSupported
        default: self = .system
        }
    }
}
