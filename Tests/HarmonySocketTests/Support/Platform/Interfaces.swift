#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The network interfaces of this machine.
enum Interfaces {
    /// A link-local IPv6 address of this machine that can be bound, with its zone; nil when there is none.
    static var linkLocal: String? {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return nil }
        defer { freeifaddrs(first) }
        return sequence(state: first) { next in
            defer { next = next?.pointee.ifa_next }
            return next
        }
        .compactMap { entry in entry.pointee.ifa_addr.flatMap(linkLocal) }
        .first
    }

    private static func linkLocal(_ address: UnsafeMutablePointer<sockaddr>) -> String? {
        guard address.pointee.sa_family == sa_family_t(AF_INET6) else { return nil }
        let length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        var text = [CChar](repeating: 0, count: 128)
        guard getnameinfo(address, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else {
            return nil
        }
        let host = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard host.hasPrefix("fe80:"), host.contains("%") else { return nil }
        // One that is being checked for duplicates cannot be bound yet.
        let number = socket(AF_INET6, rawDatagram, 0)
        guard number >= 0 else { return nil }
        defer { close(number) }
        return bind(number, address, length) == 0 ? host : nil
    }
}
