package import CSocketShims

/// An IPv4 or IPv6 address with its port, or the name of a local socket, as bytes. Text is made when somebody asks for it.
package struct SocketAddress: Sendable {
    /// The address families of the internet, and local sockets.
    package enum Family: UInt8, Sendable, Hashable {
        case local = 1
        case v4 = 4
        case v6 = 6
    }

    /// Plain numbers, those of local addresses too: a reference in here would make every message dearer.
    package var native: csocket_address

    package init(native: csocket_address) {
        self.native = native
    }

    /// A local address (unix(7)); empty is one without a name. A name of more than `longestName` bytes is nobody's.
    package init(local name: [UInt8]) {
        native = csocket_address()
        native.family = Family.local.rawValue
        if !name.isEmpty { native.low = LocalNames.number(of: name) }
    }

    /// Of a local address: a path, or an abstract name behind a zero; nil for a socket without a name.
    package var name: [UInt8]? {
        family == .local && native.low != 0 ? LocalNames.name(native.low) : nil
    }

    /// The source of a datagram: of a local one the name is copied, since it is there only until the next call.
    @inline(__always)
    init(received native: csocket_address) {
        guard native.family == Family.local.rawValue else {
            self.init(native: native)
            return
        }
        let start = UnsafeRawPointer(bitPattern: UInt(native.low))
        self.init(local: Array(UnsafeRawBufferPointer(start: start, count: Int(native.port))))
    }

    /// How many bytes a path may have, and an abstract name with its zero.
    package static func longestName(isAbstract: Bool) -> Int {
        isAbstract ? csocket_longest_abstract_name + 1 : csocket_longest_path
    }

    /// Whether the system has abstract names.
    package static var hasAbstractNames: Bool { CSOCKET_HAS_ABSTRACT_NAMES != 0 }

    /// The address as the kernel's calls take it.
    @inline(__always)
    func withNative<Result>(_ body: (UnsafePointer<csocket_address>) -> Result) -> Result {
        guard native.family == Family.local.rawValue else { return withUnsafePointer(to: native, body) }
        return withLocal(body)
    }

    @inline(never)
    private func withLocal<Result>(_ body: (UnsafePointer<csocket_address>) -> Result) -> Result {
        let name = name ?? []
        return name.withUnsafeBytes { bytes in
            var lent = native
            lent.low = UInt64(UInt(bitPattern: bytes.baseAddress))
            // What does not fit anywhere, so that it is never cut.
            lent.port = UInt16(clamping: bytes.count)
            return withUnsafePointer(to: lent, body)
        }
    }

    /// An IPv4 address from its 32 bits, most significant first.
    package init(v4 bits: UInt32, port: UInt16 = 0) {
        native = csocket_address(high: 0, low: UInt64(bits), scope: 0, port: port, family: Family.v4.rawValue)
    }

    /// An IPv6 address from its two halves, with the index of the interface that a link-local address belongs to.
    package init(v6 high: UInt64, _ low: UInt64, scope: UInt32 = 0, port: UInt16 = 0) {
        native = csocket_address(high: high, low: low, scope: scope, port: port, family: Family.v6.rawValue)
    }

    /// No address: of no family.
    package static var none: SocketAddress { SocketAddress(native: csocket_address()) }

    /// Why a text is no address.
    package enum ParseError: Error, Sendable {
        case malformed
        case unknownZone
    }

    /// Reads `192.0.2.1`, `2001:db8::1` or `fe80::1%eth0`, as inet_pton(3) does: no shorthand, no octal, no name.
    package init(parsing text: String, port: UInt16 = 0) throws(ParseError) {
        guard !text.utf8.contains(0) else { throw .malformed }
        var address = csocket_address()
        switch text.withCString({ outcome(csocket_address_parse($0, &address)) }) {
        case .success: break
        case .failure(.noSuchDeviceOrAddress): throw .unknownZone
        case .failure: throw .malformed
        }
        native = address
        native.port = port
    }

    /// The wildcard address of a family: every interface; no name.
    package static func any(_ family: Family, port: UInt16 = 0) -> SocketAddress {
        switch family {
        case .v4: SocketAddress(v4: 0, port: port)
        case .v6: SocketAddress(v6: 0, 0, port: port)
        case .local: SocketAddress(local: [])
        }
    }

    /// Nil for an address that was never filled.
    package var family: Family? { Family(rawValue: native.family) }

    package var port: UInt16 {
        get { native.port }
        set { native.port = newValue }
    }

    /// 127.0.0.0/8 or ::1.
    package var isLoopback: Bool {
        switch family {
        case .v4: native.low >> 24 == 127
        case .v6: native.high == 0 && native.low == 1
        case .local: true
        case nil: false
        }
    }

    /// The address without its port, with its zone: `fe80::1%eth0`; of a local socket the path, or `@` and the abstract
    /// name, and nothing without a name.
    package var host: String {
        if family == .local { return localText }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CSOCKET_ADDRESS_TEXT)) { text in
            guard let base = text.baseAddress else { return "" }
            let length = withUnsafePointer(to: native) { Int(csocket_address_format($0, base)) }
            return String(decoding: UnsafeRawBufferPointer(start: base, count: length), as: UTF8.self)
        }
    }

    private var localText: String {
        guard let name else { return "" }
        return name[0] == 0
            ? "@" + String(decoding: name.dropFirst(), as: UTF8.self) : String(decoding: name, as: UTF8.self)
    }
}

extension SocketAddress: Hashable, CustomStringConvertible {
    package static func == (left: SocketAddress, right: SocketAddress) -> Bool {
        left.native.low == right.native.low && left.native.high == right.native.high
            && left.native.port == right.native.port && left.native.family == right.native.family
            && left.native.scope == right.native.scope
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(native.low)
        hasher.combine(native.high)
        hasher.combine(native.port)
        hasher.combine(native.scope)
    }

    /// `192.0.2.1:80` or `[2001:db8::1]:80`; of a local socket its path or name.
    package var description: String {
        switch family {
        case .v6: "[\(host)]:\(port)"
        case .local: name == nil ? "(unnamed)" : host
        case .v4, nil: "\(host):\(port)"
        }
    }
}
