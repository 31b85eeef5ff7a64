package import SocketCore

/// An address and a port, as OpenHarmony's NetAddress.
///
/// The address is an IPv4 or IPv6 literal (an IPv6 one may carry a zone, as `fe80::1%eth0`) or, where names are looked
/// up, a host name. `localhost` is the loopback address of the family, IPv4 unless said otherwise, without a look-up.
/// Nothing is checked here; the call that uses it says what is wrong with it, before it opens anything.
public struct NetAddress: Sendable, Hashable, Codable {
    /// An IP literal or a host name.
    public var address: String

    /// 0 to 65,535; 0 lets the system choose.
    public var port: Int

    /// The family; nil takes it from the literal, or any for a name.
    public var family: AddressFamily?

    /// Makes an address.
    ///
    /// ```swift
    /// let loopback = NetAddress("127.0.0.1", port: 7007)
    /// let named = NetAddress("example.org", port: 80, family: .ipv6)
    /// ```
    public init(_ address: String, port: Int = 0, family: AddressFamily? = nil) {
        self.address = address
        self.port = port
        self.family = family
    }

    /// All IPv4 interfaces, with a port that the system chooses.
    public static let any = NetAddress("0.0.0.0")
}

extension NetAddress: CustomStringConvertible {
    /// `127.0.0.1:80` or `[::1]:80`.
    public var description: String {
        if family == .local { return address }
        return address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
    }
}

extension AddressFamily {
    init(_ core: SocketAddress.Family?) {
        self =
            switch core {
            case .local: .local
            case .v6: .ipv6
            case .v4, nil: .ipv4
            }
    }
}

extension NetAddress {
    package init(_ core: SocketAddress) {
        self.init(core.host, port: Int(core.port), family: AddressFamily(core.family))
    }

    /// The literal as bytes. `localhost` is the loopback address of the family.
    package func literal() throws(Failure) -> SocketAddress {
        guard case .address(let address) = try target() else {
            throw .invalidArgument(.init("address", "\"\(address)\" is not an IP address"))
        }
        return address
    }

    /// The literal as bytes, or the name to look up, with who is asked for its addresses.
    func target(_ resolver: NameResolver? = nil) throws(Failure) -> ConnectTarget {
        guard let port = UInt16(exactly: port) else {
            throw .invalidArgument(.init("port", "\(port) is not between 0 and 65535"))
        }
        if family == .local { throw .invalidArgument(.init("family", "a NetAddress is of the internet")) }
        if address.isEmpty { throw .invalidArgument(.init("address", "it is empty")) }
        if let parsed = try parsed(port) { return .address(parsed) }
        guard isPlausibleName else {
            throw .invalidArgument(.init("address", "\"\(address)\" is neither an IP address nor a host name"))
        }
        let families: Set<HappyEyeballsFamily> =
            switch family {
            case .ipv4: [.ipv4]
            case .ipv6: [.ipv6]
            case .domain, .local, nil: [.ipv4, .ipv6]
            }
        return .name(address, port: port, families: families, resolver: resolver)
    }

    private func parsed(_ port: UInt16) throws(Failure) -> SocketAddress? {
        if address == "localhost", family != .domain {
            return family == .ipv6 ? SocketAddress(v6: 0, 1, port: port) : SocketAddress(v4: 0x7f00_0001, port: port)
        }
        let parsed: SocketAddress
        do throws(SocketAddress.ParseError) {
            parsed = try SocketAddress(parsing: address, port: port)
        } catch {
            switch error {
            case .malformed: return nil
            case .unknownZone: throw .invalidArgument(.init("address", "no interface has the zone of \"\(address)\""))
            }
        }
        switch (family, parsed.family) {
        case (.ipv4, .v6): throw .invalidArgument(.init("family", "\(address) is IPv6, the family says IPv4"))
        case (.ipv6, .v4): throw .invalidArgument(.init("family", "\(address) is IPv4, the family says IPv6"))
        case (.domain, _): throw .invalidArgument(.init("family", "\(address) is no host name"))
        default: return parsed
        }
    }

    /// Whether the text can be a host name: labels of at most 63 letters, digits, hyphens and underscores, 253 in all
    /// (RFC 1035), and not only numbers, which would be a mistyped IPv4 address.
    private var isPlausibleName: Bool {
        let bytes = Array(address.utf8)
        guard bytes.count <= 253 else { return false }
        let labels = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        // One dot may end a name.
        let significant = labels.last?.isEmpty == true ? labels.dropLast() : labels[...]
        let isNumeric = significant.allSatisfy { $0.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")) ~= $0 } }
        guard !significant.isEmpty, !isNumeric else { return false }
        return significant.allSatisfy { label in
            !label.isEmpty && label.count <= 63
                && label.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                        true
                    // Names in other scripts are the resolver's business.
                    default: byte >= 0x80
                    }
                }
        }
    }
}
