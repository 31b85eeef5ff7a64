package import CSocketShims

/// An IPv4 or IPv6 address with its port, as bytes. Text is made when somebody asks for it.
package struct SocketAddress: Sendable {
    /// The address families of the internet.
    package enum Family: UInt8, Sendable, Hashable, CaseIterable {
        case v4 = 4
        case v6 = 6
    }

    package var native: csocket_address

    package init(native: csocket_address) {
        self.native = native
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

    /// The wildcard address of a family: every local interface.
    package static func any(_ family: Family, port: UInt16 = 0) -> SocketAddress {
        family == .v4 ? SocketAddress(v4: 0, port: port) : SocketAddress(v6: 0, 0, port: port)
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
        case nil: false
        }
    }

    /// The address without its port, with its zone: `fe80::1%eth0`.
    package var host: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CSOCKET_ADDRESS_TEXT)) { text in
            guard let base = text.baseAddress else { return "" }
            let length = withUnsafePointer(to: native) { Int(csocket_address_format($0, base)) }
            return String(decoding: UnsafeRawBufferPointer(start: base, count: length), as: UTF8.self)
        }
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

    /// `192.0.2.1:80` or `[2001:db8::1]:80`.
    package var description: String {
        family == .v6 ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
