import HarmonySocket

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What a system call of a raw socket answered.
struct RawError: Error, Equatable, CustomStringConvertible {
    let call: String
    let number: Int32

    init(_ call: String) {
        self.call = call
        number = errno
    }

    var isReset: Bool { number == ECONNRESET }
    var description: String { "\(call): \(String(cString: strerror(number)))" }
}

/// A blocking socket of the C library, for peers that behave oddly and for looking at the kernel without our own code.
///
/// Every call is bounded by 60 s (SO_RCVTIMEO, SO_SNDTIMEO). The async forms run on a thread of their own.
final class RawSocket: Sendable {
    let number: Int32
    private let isOpen = TestLock(true)

    private init(adopting number: Int32) {
        self.number = number
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close() }

    // MARK: Making

    /// A stream socket that is connected to `address`.
    static func connected(to address: NetAddress, receiveBuffer: Int32? = nil) throws -> RawSocket {
        let socket = try opened(address, rawStream)
        if let receiveBuffer { socket.setOption(SOL_SOCKET, SO_RCVBUF, receiveBuffer) }
        try withRawAddress(address, rawStream) { pointer, length in
            guard connectFunction(socket.number, pointer, length) == 0 else { throw RawError("connect") }
        }
        return socket
    }

    /// A stream socket that listens on a port that the system chooses.
    static func listening(on loopback: Loopback = .ipv4, backlog: Int32 = 16) throws -> RawSocket {
        try listening(at: loopback.address(0), backlog: backlog)
    }

    /// A stream socket that listens at this address.
    static func listening(at address: NetAddress, backlog: Int32 = 16) throws -> RawSocket {
        let socket = try opened(address, rawStream)
        try socket.bind(address)
        guard listen(socket.number, backlog) == 0 else { throw RawError("listen") }
        return socket
    }

    /// A datagram socket that is bound to a port that the system chooses.
    static func datagram(on loopback: Loopback = .ipv4) throws -> RawSocket {
        let socket = try opened(loopback.address(0), rawDatagram)
        try socket.bind(loopback.address(0))
        return socket
    }

    /// A stream socket for `connect(to:)`: its descriptor is there before it is needed.
    static func unconnected(_ loopback: Loopback = .ipv4) throws -> RawSocket {
        try opened(loopback.address(0), rawStream)
    }

    func connect(to address: NetAddress) throws {
        try withRawAddress(address, rawStream) { pointer, length in
            guard connectFunction(number, pointer, length) == 0 else { throw RawError("connect") }
        }
    }

    private static func opened(_ address: NetAddress, _ type: Int32) throws -> RawSocket {
        let number = socket(address.address.contains(":") ? AF_INET6 : AF_INET, type, 0)
        guard number >= 0 else { throw RawError("socket") }
        return RawSocket(adopting: number)
    }

    private func bind(_ address: NetAddress) throws {
        try withRawAddress(address, rawStream) { pointer, length in
            guard bindFunction(number, pointer, length) == 0 else { throw RawError("bind") }
        }
    }

    /// The next connection.
    func accept() throws -> RawSocket {
        let accepted = acceptFunction(number, nil, nil)
        guard accepted >= 0 else { throw RawError("accept") }
        return RawSocket(adopting: accepted)
    }

    /// Our port.
    var port: Int {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                getsockname(number, pointer, &length)
                return rawPort(pointer)
            }
        }
    }

    // MARK: Bytes

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let rest = bytes[sent...]
            let count = rest.withUnsafeBytes { rawSend(number, $0.baseAddress, $0.count) }
            guard count >= 0 else { throw RawError("send") }
            sent += count
        }
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// One datagram.
    func send(_ bytes: [UInt8], to address: NetAddress) throws {
        try withRawAddress(address, rawDatagram) { pointer, length in
            let count = sendto(number, bytes, bytes.count, 0, pointer, length)
            guard count == bytes.count else { throw RawError("sendto") }
        }
    }

    /// What one call brings, or one datagram; empty at the end of input.
    func receive(upTo limit: Int = 65_536) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: limit)
        let count = recv(number, &buffer, limit, 0)
        guard count >= 0 else { throw RawError("recv") }
        return Array(buffer[..<count])
    }

    /// One datagram with its sender's port.
    func receiveDatagram() throws -> (bytes: [UInt8], port: Int) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return try withUnsafeMutablePointer(to: &storage) { storage in
            try storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                let count = recvfrom(number, &buffer, buffer.count, 0, pointer, &length)
                guard count >= 0 else { throw RawError("recvfrom") }
                return (Array(buffer[..<count]), rawPort(pointer))
            }
        }
    }

    /// Exactly this many bytes; fewer only when the peer ends before.
    func receive(exactly count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let next = try receive(upTo: min(count - bytes.count, 65_536))
            if next.isEmpty { break }
            bytes += next
        }
        return bytes
    }

    /// Everything until the peer ends its direction.
    func receiveAll() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let next = try receive()
            if next.isEmpty { return bytes }
            bytes += next
        }
    }

    // MARK: Ending

    /// Ends our direction.
    func finish() { shutdown(number, Int32(SHUT_WR)) }

    /// Closes with RST.
    func reset() {
        var abortive = LingerOption(l_onoff: 1, l_linger: 0)
        setsockopt(number, SOL_SOCKET, SO_LINGER, &abortive, socklen_t(MemoryLayout<LingerOption>.size))
        close()
    }

    func close() {
        isOpen.withLock { isOpen in
            if isOpen { _ = closeFunction(number) }
            isOpen = false
        }
    }

    /// Gives the descriptor up without closing it.
    func release() -> Int {
        isOpen.withLock { $0 = false }
        return Int(number)
    }

    func setOption(_ level: Int32, _ name: Int32, _ value: Int32) {
        var value = value
        setsockopt(number, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}

/// What the kernel says of a descriptor, asked without our own code.
enum Kernel {
    enum Option: CaseIterable {
        case keepAlive, keepAliveIdle, keepAliveInterval, keepAliveCount, oobInline, noDelay, quickAck, userTimeout
        case receiveBuffer, sendBuffer, reuseAddress, reusePort, broadcast, typeOfService, ipv6Only, interface
        case fastOpenQueue, multicastTTL, multicastLoopback, multicastInterface
    }

    /// getsockopt(2); nil when it fails.
    static func option(_ option: Option, of descriptor: Int) -> Int? {
        let (level, name): (Int32, Int32) =
            switch option {
            case .keepAlive: (SOL_SOCKET, SO_KEEPALIVE)
            case .keepAliveIdle: (Int32(IPPROTO_TCP), rawKeepIdle)
            case .keepAliveInterval: (Int32(IPPROTO_TCP), TCP_KEEPINTVL)
            case .keepAliveCount: (Int32(IPPROTO_TCP), TCP_KEEPCNT)
            case .oobInline: (SOL_SOCKET, SO_OOBINLINE)
            case .noDelay: (Int32(IPPROTO_TCP), TCP_NODELAY)
            case .quickAck: (Int32(IPPROTO_TCP), rawQuickAck)
            case .userTimeout: (Int32(IPPROTO_TCP), rawUserTimeout)
            case .fastOpenQueue: (Int32(IPPROTO_TCP), TCP_FASTOPEN)
            case .receiveBuffer: (SOL_SOCKET, SO_RCVBUF)
            case .sendBuffer: (SOL_SOCKET, SO_SNDBUF)
            case .reuseAddress: (SOL_SOCKET, SO_REUSEADDR)
            case .reusePort: (SOL_SOCKET, SO_REUSEPORT)
            case .typeOfService where isIPv6(descriptor): (Int32(IPPROTO_IPV6), IPV6_TCLASS)
            case .typeOfService: (Int32(IPPROTO_IP), IP_TOS)
            case .ipv6Only: (Int32(IPPROTO_IPV6), IPV6_V6ONLY)
            case .interface: rawInterface(isIPv6: isIPv6(descriptor))
            case .broadcast: (SOL_SOCKET, SO_BROADCAST)
            case .multicastTTL where isIPv6(descriptor): (Int32(IPPROTO_IPV6), IPV6_MULTICAST_HOPS)
            case .multicastTTL: (Int32(IPPROTO_IP), IP_MULTICAST_TTL)
            case .multicastLoopback where isIPv6(descriptor): (Int32(IPPROTO_IPV6), IPV6_MULTICAST_LOOP)
            case .multicastLoopback: (Int32(IPPROTO_IP), IP_MULTICAST_LOOP)
            case .multicastInterface: (Int32(IPPROTO_IPV6), IPV6_MULTICAST_IF)
            }
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(Int32(descriptor), level, name, &value, &length) == 0 else { return nil }
        return Int(value)
    }

    private static func isIPv6(_ descriptor: Int) -> Bool {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                getsockname(Int32(descriptor), pointer, &length) == 0 && Int32(pointer.pointee.sa_family) == AF_INET6
            }
        }
    }

    /// The loopback interface, and its number.
    static let loopbackInterface = isLinux ? "lo" : "lo0"
    static var loopbackIndex: Int { Int(if_nametoindex(loopbackInterface)) }

    /// SO_LINGER; nil when it is off.
    static func linger(of descriptor: Int) -> Int? {
        var value = LingerOption()
        var length = socklen_t(MemoryLayout<LingerOption>.size)
        guard getsockopt(Int32(descriptor), SOL_SOCKET, SO_LINGER, &value, &length) == 0 else { return nil }
        return value.l_onoff == 0 ? nil : Int(value.l_linger)
    }

    /// The port that the kernel has for a descriptor.
    static func port(of descriptor: Int) -> Int? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                getsockname(Int32(descriptor), pointer, &length) == 0 ? rawPort(pointer) : nil
            }
        }
    }

    /// Closes a descriptor that nobody else will.
    static func close(_ descriptor: Int) { _ = closeFunction(Int32(descriptor)) }

    /// Whether the descriptor is close-on-exec and nonblocking.
    static func isCloseOnExecAndNonblocking(_ descriptor: Int) -> Bool {
        let flags = fcntl(Int32(descriptor), F_GETFD)
        let status = fcntl(Int32(descriptor), F_GETFL)
        return flags & FD_CLOEXEC != 0 && status & O_NONBLOCK != 0
    }
}

// Inside of `RawSocket` and `Kernel` the names of these are taken by methods.
private typealias LingerOption = linger

private func bindFunction(_ number: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> Int32 {
    bind(number, address, length)
}

private func acceptFunction(
    _ number: Int32, _ address: UnsafeMutablePointer<sockaddr>?, _ length: UnsafeMutablePointer<socklen_t>?
) -> Int32 { accept(number, address, length) }

private func connectFunction(
    _ number: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t
) -> Int32 { connect(number, address, length) }

private func closeFunction(_ number: Int32) -> Int32 { close(number) }

private func rawSend(_ number: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    send(number, bytes, count, rawSendFlags)
}

private func rawPort(_ address: UnsafePointer<sockaddr>) -> Int {
    // sin_port and sin6_port are at the same place.
    address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { Int(UInt16(bigEndian: $0.pointee.sin_port)) }
}

/// The C form of an IP literal.
private func withRawAddress<Result>(
    _ address: NetAddress, _ type: Int32, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Result
) throws -> Result {
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
    hints.ai_socktype = type
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(address.address, String(address.port), &hints, &found) == 0, let found,
        let pointer = found.pointee.ai_addr
    else { throw RawError("getaddrinfo") }
    defer { freeaddrinfo(found) }
    return try body(pointer, found.pointee.ai_addrlen)
}
