/// The result of a system call: a count or a descriptor, or why there is none.
package typealias SystemResult<Value: ~Copyable> = Result<Value, SystemError>

/// Names of the system calls, for errors and traces.
package enum SystemCall: String, Sendable, Hashable {
    case accept, bind, chmod, close, connect, epoll, fcntl, fstat, getsockname, getpeername, kqueue, listen, open, poll,
        read
    case getInterfaces = "getifaddrs"
    case getOption = "getsockopt"
    case netlink
    case receive = "recv"
    case receiveMessage = "recvmsg"
    case resolve = "getaddrinfo"
    case send
    case sendFile = "sendfile"
    case sendMessage = "sendmsg"
    case sendTo = "sendto"
    case setOption = "setsockopt"
    case shutdown
    case splice
    case socket
    case socketPair = "socketpair"
    case thread = "pthread_create"
    case unlink
}

/// Turns the shims' convention (a value, or minus the errno) into a result.
@inline(__always)
func outcome<Number: SignedInteger>(_ value: Number) -> SystemResult<Int> {
    value < 0 ? .failure(SystemError(rawValue: Int32(truncatingIfNeeded: -Int(value)))) : .success(Int(value))
}

/// The same, calling again as long as a signal interrupts. Not for `close` and `connect`, which must not be repeated.
@inline(__always)
func uninterrupted<Number: SignedInteger>(_ call: () -> Number) -> SystemResult<Int> {
    while true {
        let result = outcome(call())
        if case .failure(.interrupted) = result { continue }
        return result
    }
}
