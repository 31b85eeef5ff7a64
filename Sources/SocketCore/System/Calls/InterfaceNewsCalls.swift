internal import CSocketShims

/// Asking the kernel about network interfaces, and being told: rtnetlink(7), getifaddrs(3), route(4).
package enum InterfaceNewsCalls {
    /// What can be asked for.
    package enum Question: Int32, Sendable, CaseIterable {
        /// RTM_GETLINK: every interface.
        case links = 18
        /// RTM_GETADDR: every address.
        case addresses = 22
    }

    /// Whether the kernel answers questions, and its news say what has happened. Where not, they only say that
    /// something has.
    package static var hasDetails: Bool { CSOCKET_HAS_NETLINK != 0 }

    /// A socket to ask with, or one that is told of changes.
    package static func open(watching: Bool) -> SystemResult<OwnedDescriptor> {
        switch uninterrupted({ csocket_interface_socket(watching ? 1 : 0) }) {
        case .success(let number): .success(OwnedDescriptor(adopting: Int32(number)))
        case .failure(let error): .failure(error)
        }
    }

    /// Asks; the answer can be received at once, up to `InterfaceNews.done`.
    package static func ask(_ descriptor: Int32, _ question: Question) -> SystemResult<Void> {
        uninterrupted { csocket_interface_ask(descriptor, question.rawValue) }.map { _ in }
    }

    /// One datagram of news, or a count of zero for one that is not from the kernel. `.noBufferSpace`: some were lost.
    package static func receive(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> SystemResult<Int> {
        uninterrupted { csocket_interface_receive(descriptor, buffer.baseAddress, buffer.count) }
    }

    /// getifaddrs(3).
    package static func listPortably() -> SystemResult<[InterfaceRecord]> {
        var records: [InterfaceRecord] = []
        return withUnsafeMutablePointer(to: &records) { records in
            outcome(
                csocket_each_interface(
                    { context, line in
                        guard let records = context?.assumingMemoryBound(to: [InterfaceRecord].self), let line else {
                            return
                        }
                        records.pointee.add(line.pointee)
                    }, records)
            ).map { _ in records.pointee }
        }
    }
}

extension [InterfaceRecord] {
    fileprivate mutating func add(_ line: csocket_interface_line) {
        let place = firstIndex { $0.index == line.index } ?? endIndex
        if place == endIndex {
            let flags = InterfaceRecord.Flags(rawValue: line.flags)
            append(
                InterfaceRecord(index: line.index, name: String(cString: line.name), flags: flags, mtu: Int(line.mtu)))
        }
        if let bytes = line.hardware {
            self[place].hardwareAddress = [UInt8](UnsafeBufferPointer(start: bytes, count: line.hardware_count))
        }
        let own = SocketAddress(native: line.address)
        guard own.family != nil else { return }
        let other = SocketAddress(native: line.other)
        // Without a broadcast address or another end there is none, or the address itself again.
        let hasOther = other.family == own.family && other != own
        let isLink = self[place].flags.contains(.pointToPoint)
        self[place].addresses.append(
            InterfaceRecord.Address(
                own, prefixLength: Int(line.prefix_length), broadcast: hasOther && !isLink ? other : nil,
                peer: hasOther && isLink ? other : nil))
    }
}
