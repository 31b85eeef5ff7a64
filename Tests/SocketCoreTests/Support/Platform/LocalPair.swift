import SocketCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Two connected datagram sockets of the local family, which carry larger datagrams than UDP.
struct LocalPair: ~Copyable {
    let first: OwnedDescriptor
    let second: OwnedDescriptor

    init() throws(SystemError) {
        var numbers: [Int32] = [-1, -1]
        #if os(Linux)
        let kind = Int32(SOCK_DGRAM.rawValue)
        #else
        let kind = SOCK_DGRAM
        #endif
        guard socketpair(AF_UNIX, kind, 0, &numbers) == 0 else { throw SystemError(rawValue: errno) }
        for number in numbers { _ = fcntl(number, F_SETFL, O_NONBLOCK) }
        first = OwnedDescriptor(adopting: numbers[0])
        second = OwnedDescriptor(adopting: numbers[1])
    }
}
