internal import CSocketShims

/// The names of network interfaces, as `lo` and `eth0`.
package enum InterfaceCalls {
    /// if_nametoindex(3): above zero; nil when no interface has the name.
    package static func index(of name: String) -> Int32? {
        guard !name.utf8.contains(0) else { return nil }
        let index = csocket_interface_index(name)
        return index == 0 ? nil : Int32(exactly: index)
    }

    /// if_indextoname(3); nil when no interface has the index.
    package static func name(of index: Int32) -> String? {
        guard let index = UInt32(exactly: index) else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CSOCKET_INTERFACE_NAME)) { text in
            guard let base = text.baseAddress else { return nil }
            let length = Int(csocket_interface_name(index, base))
            guard length > 0 else { return nil }
            return String(decoding: UnsafeRawBufferPointer(start: base, count: length), as: UTF8.self)
        }
    }
}
