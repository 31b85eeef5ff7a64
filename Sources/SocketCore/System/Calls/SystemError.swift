internal import CSocketShims

/// An error number of the running system: errno(3).
///
/// A comparison is one of integers; name and text are looked up only when somebody wants to read them.
package struct SystemError: Error, RawRepresentable, Hashable, Sendable {
    /// The number, as this system counts.
    package let rawValue: Int32

    /// Makes an error from a value of `errno`.
    package init(rawValue: Int32) { self.rawValue = rawValue }

    /// The C name, as "ECONNREFUSED"; "errno 4242" for a number that has none.
    package var name: String {
        row.map { String(cString: $0.pointee.name) } ?? "errno \(rawValue)"
    }

    /// A short English text, as "connection refused": the same on every system, unlike strerror(3).
    package var message: String {
        row.map { String(cString: $0.pointee.text) } ?? "unknown error \(rawValue)"
    }

    /// The number that Linux gives this error, on which OpenHarmony's codes are built; nil when Linux has none.
    package var linuxNumber: Int32? {
        guard let number = row?.pointee.linux_number, number != 0 else { return nil }
        return number
    }

    private var row: UnsafePointer<csocket_error_row>? { csocket_find_error(rawValue) }
}

extension SystemError: CustomStringConvertible {
    /// Name and text, as "ECONNREFUSED (connection refused)".
    package var description: String { "\(name) (\(message))" }
}

// MARK: Waiting

extension SystemError {
    /// EAGAIN: would block, try again.
    package static var wouldBlock: SystemError { SystemError(rawValue: csocket_EAGAIN) }
    /// EINTR: interrupted by a signal.
    package static var interrupted: SystemError { SystemError(rawValue: csocket_EINTR) }
    /// EINPROGRESS: in progress.
    package static var inProgress: SystemError { SystemError(rawValue: csocket_EINPROGRESS) }
    /// EALREADY: already in progress.
    package static var already: SystemError { SystemError(rawValue: csocket_EALREADY) }
    /// ECANCELED: cancelled.
    package static var cancelled: SystemError { SystemError(rawValue: csocket_ECANCELED) }
    /// ETIMEDOUT: timed out.
    package static var timedOut: SystemError { SystemError(rawValue: csocket_ETIMEDOUT) }
}

// MARK: Connections and messages

extension SystemError {
    /// ECONNREFUSED: connection refused.
    package static var connectionRefused: SystemError { SystemError(rawValue: csocket_ECONNREFUSED) }
    /// ECONNRESET: connection reset by the peer.
    package static var connectionReset: SystemError { SystemError(rawValue: csocket_ECONNRESET) }
    /// ECONNABORTED: connection aborted.
    package static var connectionAborted: SystemError { SystemError(rawValue: csocket_ECONNABORTED) }
    /// EPIPE: broken pipe.
    package static var brokenPipe: SystemError { SystemError(rawValue: csocket_EPIPE) }
    /// ENOTCONN: not connected.
    package static var notConnected: SystemError { SystemError(rawValue: csocket_ENOTCONN) }
    /// EISCONN: already connected.
    package static var isConnected: SystemError { SystemError(rawValue: csocket_EISCONN) }
    /// ESHUTDOWN: direction was shut down.
    package static var isShutDown: SystemError { SystemError(rawValue: csocket_ESHUTDOWN) }
    /// EDESTADDRREQ: destination address required.
    package static var destinationAddressRequired: SystemError { SystemError(rawValue: csocket_EDESTADDRREQ) }
    /// EMSGSIZE: message too long.
    package static var messageTooLong: SystemError { SystemError(rawValue: csocket_EMSGSIZE) }
    /// EPROTO: protocol error.
    package static var protocolError: SystemError { SystemError(rawValue: csocket_EPROTO) }
}

// MARK: Addresses, protocols and networks

extension SystemError {
    /// EADDRINUSE: address in use.
    package static var addressInUse: SystemError { SystemError(rawValue: csocket_EADDRINUSE) }
    /// EADDRNOTAVAIL: address not available.
    package static var addressNotAvailable: SystemError { SystemError(rawValue: csocket_EADDRNOTAVAIL) }
    /// EAFNOSUPPORT: address family not supported.
    package static var addressFamilyNotSupported: SystemError { SystemError(rawValue: csocket_EAFNOSUPPORT) }
    /// EPROTONOSUPPORT: protocol not supported.
    package static var protocolNotSupported: SystemError { SystemError(rawValue: csocket_EPROTONOSUPPORT) }
    /// EPROTOTYPE: wrong protocol for this kind of socket.
    package static var wrongProtocolType: SystemError { SystemError(rawValue: csocket_EPROTOTYPE) }
    /// ENOPROTOOPT: option not available for the protocol.
    package static var optionNotAvailable: SystemError { SystemError(rawValue: csocket_ENOPROTOOPT) }
    /// EOPNOTSUPP: operation not supported.
    package static var operationNotSupported: SystemError { SystemError(rawValue: csocket_EOPNOTSUPP) }
    /// ENETDOWN: network is down.
    package static var networkDown: SystemError { SystemError(rawValue: csocket_ENETDOWN) }
    /// ENETUNREACH: network unreachable.
    package static var networkUnreachable: SystemError { SystemError(rawValue: csocket_ENETUNREACH) }
    /// ENETRESET: connection dropped by the network.
    package static var networkReset: SystemError { SystemError(rawValue: csocket_ENETRESET) }
    /// EHOSTDOWN: host is down.
    package static var hostDown: SystemError { SystemError(rawValue: csocket_EHOSTDOWN) }
    /// EHOSTUNREACH: host unreachable.
    package static var hostUnreachable: SystemError { SystemError(rawValue: csocket_EHOSTUNREACH) }
}

// MARK: Rights and arguments

extension SystemError {
    /// EACCES: permission denied.
    package static var permissionDenied: SystemError { SystemError(rawValue: csocket_EACCES) }
    /// EPERM: operation not permitted.
    package static var notPermitted: SystemError { SystemError(rawValue: csocket_EPERM) }
    /// EINVAL: invalid argument.
    package static var invalidArgument: SystemError { SystemError(rawValue: csocket_EINVAL) }
    /// EDOM: argument out of domain.
    package static var argumentOutOfDomain: SystemError { SystemError(rawValue: csocket_EDOM) }
    /// EFAULT: bad address in memory.
    package static var badAddress: SystemError { SystemError(rawValue: csocket_EFAULT) }
    /// EBADF: bad descriptor.
    package static var badDescriptor: SystemError { SystemError(rawValue: csocket_EBADF) }
    /// ENOTSOCK: not a socket.
    package static var notSocket: SystemError { SystemError(rawValue: csocket_ENOTSOCK) }
    /// ENOSYS: not implemented by the system.
    package static var notImplemented: SystemError { SystemError(rawValue: csocket_ENOSYS) }
}

// MARK: Resources

extension SystemError {
    /// EMFILE: too many open files in the process.
    package static var tooManyOpenFiles: SystemError { SystemError(rawValue: csocket_EMFILE) }
    /// ENFILE: too many open files in the system.
    package static var tooManyOpenFilesInSystem: SystemError { SystemError(rawValue: csocket_ENFILE) }
    /// ETOOMANYREFS: too many descriptors under way in messages (unix(7)).
    package static var tooManyReferences: SystemError { SystemError(rawValue: csocket_ETOOMANYREFS) }
    /// ENOBUFS: no buffer space available.
    package static var noBufferSpace: SystemError { SystemError(rawValue: csocket_ENOBUFS) }
    /// ENOMEM: out of memory.
    package static var outOfMemory: SystemError { SystemError(rawValue: csocket_ENOMEM) }
}

// MARK: Files and devices (local sockets)

extension SystemError {
    /// ENOENT: no such file or directory.
    package static var noSuchFile: SystemError { SystemError(rawValue: csocket_ENOENT) }
    /// EEXIST: file exists.
    package static var fileExists: SystemError { SystemError(rawValue: csocket_EEXIST) }
    /// ENOTDIR: not a directory.
    package static var notDirectory: SystemError { SystemError(rawValue: csocket_ENOTDIR) }
    /// ENAMETOOLONG: name too long.
    package static var nameTooLong: SystemError { SystemError(rawValue: csocket_ENAMETOOLONG) }
    /// EROFS: read-only file system.
    package static var readOnlyFileSystem: SystemError { SystemError(rawValue: csocket_EROFS) }
    /// ENOSPC: no space left on the device.
    package static var noSpace: SystemError { SystemError(rawValue: csocket_ENOSPC) }
    /// EIO: input/output error.
    package static var inputOutputError: SystemError { SystemError(rawValue: csocket_EIO) }
    /// ENODEV: no such device.
    package static var noSuchDevice: SystemError { SystemError(rawValue: csocket_ENODEV) }
    /// ENXIO: no such device or address.
    package static var noSuchDeviceOrAddress: SystemError { SystemError(rawValue: csocket_ENXIO) }
}
