// The C library, for the helpers in this folder.

#if canImport(Glibc)
import Glibc

let rawStream = Int32(SOCK_STREAM.rawValue)
let rawDatagram = Int32(SOCK_DGRAM.rawValue)
/// send(2) without SIGPIPE.
let rawSendFlags = Int32(MSG_NOSIGNAL)
let isLinux = true
let rawKeepIdle = TCP_KEEPIDLE
let rawQuickAck = TCP_QUICKACK
let rawUserTimeout = TCP_USER_TIMEOUT
/// SO_BINDTOIFINDEX.
func rawInterface(isIPv6: Bool) -> (Int32, Int32) { (SOL_SOCKET, 62) }
#elseif canImport(Musl)
import Musl

let rawStream = SOCK_STREAM
let rawDatagram = SOCK_DGRAM
let rawSendFlags = Int32(MSG_NOSIGNAL)
let isLinux = true
let rawKeepIdle = TCP_KEEPIDLE
let rawQuickAck = TCP_QUICKACK
let rawUserTimeout = TCP_USER_TIMEOUT
/// SO_BINDTOIFINDEX.
func rawInterface(isIPv6: Bool) -> (Int32, Int32) { (SOL_SOCKET, 62) }
#else
import Darwin

let rawStream = SOCK_STREAM
let rawDatagram = SOCK_DGRAM
let rawSendFlags: Int32 = 0
let isLinux = false
let rawKeepIdle = TCP_KEEPALIVE
// Not there.
let rawQuickAck: Int32 = -1
let rawUserTimeout: Int32 = -1
func rawInterface(isIPv6: Bool) -> (Int32, Int32) {
    isIPv6 ? (Int32(IPPROTO_IPV6), IPV6_BOUND_IF) : (Int32(IPPROTO_IP), IP_BOUND_IF)
}
#endif

/// A mutex that the thread sanitizer understands, around a value.
final class TestLock<Value>: @unchecked Sendable {
    // `value` is touched only between lock and unlock.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    init(_ value: Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}

/// Runs `body` on a thread of its own. Blocking calls belong there, never on the two or so threads of Swift's pool.
func startThread(_ body: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    let box = Unmanaged.passRetained(Box(body)).toOpaque()
    #if canImport(Darwin)
    var thread: pthread_t?
    let status = pthread_create(
        &thread, nil,
        { argument in
            Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
            return nil
        }, box)
    if let thread { pthread_detach(thread) }
    #else
    var thread = pthread_t()
    let status = pthread_create(
        &thread, nil,
        { argument in
            if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
            return nil
        }, box)
    if status == 0 { pthread_detach(thread) }
    #endif
    precondition(status == 0, "no thread to be had: \(status)")
}

/// Tells the calling thread from others.
@inline(never)
func currentThreadNumber() -> UInt {
    #if canImport(Darwin)
    UInt(bitPattern: pthread_self())
    #else
    UInt(pthread_self())
    #endif
}

/// Calls `body` when the calling thread has ended.
func whenCurrentThreadEnds(_ body: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var key = pthread_key_t()
    #if canImport(Darwin)
    pthread_key_create(&key) { Unmanaged<Box>.fromOpaque($0).takeRetainedValue().body() }
    #else
    pthread_key_create(&key) { $0.map { Unmanaged<Box>.fromOpaque($0).takeRetainedValue().body() } }
    #endif
    pthread_setspecific(key, Unmanaged.passRetained(Box(body)).toOpaque())
}

/// Moves the calling thread, and no other, into the network namespace that is open at this path (setns(2)).
func enterNetwork(_ path: String) throws {
    #if canImport(Glibc)
    // Declared for _GNU_SOURCE only, which Swift's module does not set.
    typealias SetNamespace = @convention(c) (Int32, Int32) -> Int32
    guard let symbol = dlsym(dlopen(nil, RTLD_NOW), "setns") else { throw RawError("find setns") }
    let file = open(path, O_RDONLY | O_CLOEXEC)
    defer { close(file) }
    // 0x40000000 is CLONE_NEWNET.
    guard file >= 0, unsafeBitCast(symbol, to: SetNamespace.self)(file, 0x4000_0000) == 0 else {
        throw RawError("setns \(path)")
    }
    #else
    throw RawError("there are no network namespaces")
    #endif
}
