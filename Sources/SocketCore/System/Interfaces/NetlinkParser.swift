/// Reads what the kernel says about interfaces: netlink(7) and rtnetlink(7), whose numbers are Linux's on every system.
///
/// Every length is checked: a message that does not hold what it announces ends the reading, and says so.
package struct NetlinkParser {
    private var rest: UnsafeRawBufferPointer
    /// What a message says that also said that the answer is not to be relied on.
    private var held: InterfaceNews?

    /// Reads the messages of one datagram, which stays where it is meanwhile.
    package init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    /// The next news; nil at the end. Messages about other things are passed over.
    package mutating func next() -> InterfaceNews? {
        if let news = held.take() { return news }
        while !rest.isEmpty {
            guard rest.count >= Header.size else { return giveUp() }
            let length = Int(rest.read(0, as: UInt32.self))
            guard length >= Header.size, length <= rest.count else { return giveUp() }
            let type = rest.read(4, as: UInt16.self)
            let flags = rest.read(6, as: UInt16.self)
            let body = rest[Header.size..<length]
            // The last one may lack its padding.
            rest = rest[min(padded(length), rest.count)...].rebased
            let news = NetlinkParser.news(type, body.rebased)
            if flags & Header.wasInterrupted != 0 {
                held = news
                return .incomplete
            }
            if let news { return news }
        }
        return nil
    }

    private mutating func giveUp() -> InterfaceNews {
        rest = UnsafeRawBufferPointer(start: nil, count: 0)
        return .incomplete
    }

    /// struct nlmsghdr.
    private enum Header {
        static let size = 16
        /// NLM_F_DUMP_INTR: the answer mixes what was with what is.
        static let wasInterrupted: UInt16 = 0x10
        static let error: UInt16 = 2
        static let done: UInt16 = 3
        static let overrun: UInt16 = 4
        static let newLink: UInt16 = 16
        static let removedLink: UInt16 = 17
        static let newAddress: UInt16 = 20
        static let removedAddress: UInt16 = 21
    }

    private static func news(_ type: UInt16, _ body: UnsafeRawBufferPointer) -> InterfaceNews? {
        switch type {
        case Header.done: .done
        case Header.overrun: .incomplete
        case Header.error: refusal(body)
        case Header.newLink, Header.removedLink: link(body, isGone: type == Header.removedLink)
        case Header.newAddress, Header.removedAddress: address(body, isGone: type == Header.removedAddress)
        default: nil
        }
    }

    /// struct nlmsgerr: minus an errno, zero for an acknowledgement.
    private static func refusal(_ body: UnsafeRawBufferPointer) -> InterfaceNews? {
        guard body.count >= 4 else { return .incomplete }
        let number = body.read(0, as: Int32.self)
        if number == 0 { return nil }
        return .refused(SystemError(rawValue: number == .min ? .max : -number))
    }

    /// struct ifinfomsg, and its attributes.
    private static func link(_ body: UnsafeRawBufferPointer, isGone: Bool) -> InterfaceNews? {
        guard body.count >= 16 else { return .incomplete }
        // A family means that it is about a role of the interface, as that of a bridge's port, which it may lose and live.
        guard body[0] == 0 else { return nil }
        let index = body.read(4, as: UInt32.self)
        guard index != 0 else { return .incomplete }
        if isGone { return .linkGone(index: index) }
        var name: String?
        var mtu: Int?
        var hardware: [UInt8]?
        let isWhole = forEachAttribute(body[16...].rebased) { type, value in
            switch type {
            case 1: hardware = value.count <= 32 ? [UInt8](value) : nil
            case 3: name = String(decoding: value.prefix { $0 != 0 }, as: UTF8.self)
            case 4: mtu = value.count >= 4 ? Int(value.read(0, as: UInt32.self)) : nil
            default: break
            }
        }
        guard isWhole else { return .incomplete }
        let flags = InterfaceRecord.Flags(rawValue: body.read(8, as: UInt32.self))
        return .link(index: index, name: name, flags: flags, mtu: mtu, hardwareAddress: hardware)
    }

    /// struct ifaddrmsg, and its attributes.
    private static func address(_ body: UnsafeRawBufferPointer, isGone: Bool) -> InterfaceNews? {
        guard body.count >= 8 else { return .incomplete }
        let family: SocketAddress.Family
        switch body[0] {
        case 2: family = .v4
        case 10: family = .v6
        default: return nil
        }
        let index = body.read(4, as: UInt32.self)
        let prefixLength = Int(body[1])
        guard index != 0, prefixLength <= (family == .v4 ? 32 : 128) else { return .incomplete }
        var address: SocketAddress?
        var local: SocketAddress?
        var broadcast: SocketAddress?
        let isWhole = forEachAttribute(body[8...].rebased) { type, value in
            switch type {
            case 1: address = SocketAddress(networkBytes: value, family, interface: index)
            case 2: local = SocketAddress(networkBytes: value, family, interface: index)
            case 4: broadcast = SocketAddress(networkBytes: value, family, interface: index)
            default: break
            }
        }
        // Where both are there, the other one is the far end of the link.
        guard isWhole, let own = local ?? address else { return .incomplete }
        let record = InterfaceRecord.Address(
            own, prefixLength: prefixLength, broadcast: broadcast, peer: address == own ? nil : address)
        return isGone ? .addressGone(record, index: index) : .address(record, index: index)
    }

    /// struct rtattr, one after the other. False when one does not fit.
    private static func forEachAttribute(
        _ bytes: UnsafeRawBufferPointer, _ body: (_ type: UInt16, _ value: UnsafeRawBufferPointer) -> Void
    ) -> Bool {
        var rest = bytes
        while rest.count >= 4 {
            let length = Int(rest.read(0, as: UInt16.self))
            guard length >= 4, length <= rest.count else { return false }
            // The two highest bits are flags.
            body(rest.read(2, as: UInt16.self) & 0x3fff, rest[4..<length].rebased)
            rest = rest[min(padded(length), rest.count)...].rebased
        }
        return rest.isEmpty
    }
}

/// Everything in netlink begins at a multiple of four.
private func padded(_ length: Int) -> Int { (length + 3) & ~3 }

extension UnsafeRawBufferPointer {
    /// A number in the machine's order; the caller has looked whether it is there.
    fileprivate func read<Number: FixedWidthInteger>(_ offset: Int, as type: Number.Type) -> Number {
        loadUnaligned(fromByteOffset: offset, as: type)
    }
}

extension Slice<UnsafeRawBufferPointer> {
    fileprivate var rebased: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self) }
}

extension SocketAddress {
    /// An address as it is on the wire; nil when there are not as many bytes as its family has.
    fileprivate init?(networkBytes bytes: UnsafeRawBufferPointer, _ family: Family, interface: UInt32) {
        guard bytes.count == (family == .v4 ? 4 : 16) else { return nil }
        func number(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
        switch family {
        case .v4: self.init(v4: UInt32(number(0..<4)))
        case .v6:
            self.init(v6: number(0..<8), number(8..<16))
            if isLinkLocal { native.scope = interface }
        }
    }
}
