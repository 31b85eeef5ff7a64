extension SocketAddress {
    /// 0.0.0.0 or ::.
    package var isAny: Bool { native.high == 0 && native.low == 0 }

    /// fe80::/10: an address that means something only together with an interface.
    package var isLinkLocal: Bool { family == .v6 && native.high >> 54 == 0x3fa }

    /// 224.0.0.0/4 or ff00::/8.
    package var isMulticast: Bool {
        switch family {
        case .v4: native.low >> 28 == 0xe
        case .v6: native.high >> 56 == 0xff
        case nil: false
        }
    }

    /// The same without the interface that it belongs to.
    package var unscoped: SocketAddress {
        var address = self
        address.native.scope = 0
        return address
    }

    /// The same on an interface.
    package func scoped(to interface: UInt32) -> SocketAddress {
        var address = self
        address.native.scope = interface
        return address
    }
}
