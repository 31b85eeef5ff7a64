internal import CSocketShims

/// A network interface at one moment.
package struct InterfaceRecord: Sendable, Hashable {
    /// What an interface is and does, with the kernel's bits.
    package struct Flags: OptionSet, Sendable, Hashable {
        package let rawValue: UInt32

        package init(rawValue: UInt32) { self.rawValue = rawValue & Flags.known }

        package static let up = Flags(rawValue: UInt32(CSOCKET_INTERFACE_UP))
        package static let broadcast = Flags(rawValue: UInt32(CSOCKET_INTERFACE_BROADCAST))
        package static let loopback = Flags(rawValue: UInt32(CSOCKET_INTERFACE_LOOPBACK))
        package static let pointToPoint = Flags(rawValue: UInt32(CSOCKET_INTERFACE_POINT_TO_POINT))
        package static let running = Flags(rawValue: UInt32(CSOCKET_INTERFACE_RUNNING))
        package static let multicast = Flags(rawValue: UInt32(CSOCKET_INTERFACE_MULTICAST))

        /// The others mean something to the system only, and change without anything having happened.
        private static let known = UInt32(
            CSOCKET_INTERFACE_UP | CSOCKET_INTERFACE_BROADCAST | CSOCKET_INTERFACE_LOOPBACK
                | CSOCKET_INTERFACE_POINT_TO_POINT | CSOCKET_INTERFACE_RUNNING | CSOCKET_INTERFACE_MULTICAST)
    }

    /// One of its addresses. The kernel tells addresses apart by themselves and their prefix.
    package struct Address: Sendable, Hashable {
        /// Port zero; the scope is the interface's index where the address is link-local.
        package var address: SocketAddress
        package var prefixLength: Int
        package var broadcast: SocketAddress?
        /// The other end of a point-to-point link.
        package var peer: SocketAddress?

        package init(
            _ address: SocketAddress, prefixLength: Int, broadcast: SocketAddress? = nil, peer: SocketAddress? = nil
        ) {
            self.address = address
            self.prefixLength = prefixLength
            self.broadcast = broadcast
            self.peer = peer
        }

        func isSame(as other: Address) -> Bool {
            address == other.address && prefixLength == other.prefixLength && peer == other.peer
        }
    }

    package let index: UInt32
    package var name: String
    package var flags: Flags
    /// Bytes.
    package var mtu: Int
    /// As an Ethernet address of six bytes; empty without one.
    package var hardwareAddress: [UInt8]
    package var addresses: [Address]

    package init(
        index: UInt32, name: String, flags: Flags = [], mtu: Int = 0, hardwareAddress: [UInt8] = [],
        addresses: [Address] = []
    ) {
        self.index = index
        self.name = name
        self.flags = flags
        self.mtu = mtu
        self.hardwareAddress = hardwareAddress
        self.addresses = addresses
    }
}

/// What the kernel says about interfaces, message by message.
package enum InterfaceNews: Sendable, Hashable {
    /// There is such an interface. What a message leaves out is as it was.
    case link(index: UInt32, name: String?, flags: InterfaceRecord.Flags, mtu: Int?, hardwareAddress: [UInt8]?)
    case linkGone(index: UInt32)
    case address(InterfaceRecord.Address, index: UInt32)
    case addressGone(InterfaceRecord.Address, index: UInt32)
    /// An answer is complete.
    case done
    /// A question was refused.
    case refused(SystemError)
    /// Something was lost, or changed while it was told: ask again.
    case incomplete
}
