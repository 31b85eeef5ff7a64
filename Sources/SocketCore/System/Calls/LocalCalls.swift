internal import CSocketShims

/// What only local sockets have: names, pairs, credentials, descriptors in messages (unix(7)).
package enum LocalCalls {
    /// Who was at the other end when the connection was made.
    package struct Credentials: Sendable, Hashable {
        package let user: UInt32
        package let group: UInt32
        /// Zero where it cannot be told.
        package let process: Int32
    }

    /// How many descriptors one message can carry.
    package static let mostDescriptors = Int(CSOCKET_MOST_DESCRIPTORS)

    /// `address`, with its name if it is a local one that has one.
    static func address(_ descriptor: Int32, ofPeer: Bool, as address: SocketAddress) -> SocketAddress {
        guard address.family == .local else { return address }
        if address.native.port == 0 { return SocketAddress(local: []) }
        let name = [UInt8](unsafeUninitializedCapacity: Int(CSOCKET_NAME_CAPACITY)) { buffer, count in
            count = buffer.baseAddress.map { max(0, Int(csocket_local_name(descriptor, ofPeer ? 1 : 0, $0))) } ?? 0
        }
        return SocketAddress(local: name)
    }

    /// socketpair(2): two connected sockets.
    package static func pair(_ kind: SocketCalls.Kind) -> SystemResult<(Int32, Int32)> {
        var ends: (Int32, Int32) = (-1, -1)
        let result = withUnsafeMutableBytes(of: &ends) { bytes in
            outcome(csocket_local_pair(kind.native, bytes.assumingMemoryBound(to: Int32.self).baseAddress))
        }
        return result.map { _ in ends }
    }

    /// SO_PEERCRED, getpeereid(3).
    package static func credentials(_ descriptor: Int32) -> SystemResult<Credentials> {
        var credentials = csocket_credentials()
        return outcome(csocket_peer_credentials(descriptor, &credentials)).map { _ in
            Credentials(user: credentials.user, group: credentials.group, process: credentials.process)
        }
    }

    /// sendmsg(2) with descriptors (SCM_RIGHTS), without SIGPIPE.
    package static func send(
        _ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, with passed: PassedDescriptors
    ) -> SystemResult<Int> {
        let numbers = passed.numbers
        return uninterrupted {
            csocket_send_descriptors(descriptor, bytes.baseAddress, bytes.count, numbers, numbers.count)
        }
    }

    /// recvmsg(2): the bytes, and at most `capacity` descriptors that came with them, in `passed`; nil for none. `isLost`:
    /// there were more, which are closed. `keepsBounds`: of a socket that does; `.messageTooLong` for a message that does
    /// not fit, and empty ones are passed over.
    package static func receive(
        _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, keepsBounds: Bool, capacity: Int,
        _ passed: inout PassedDescriptors?, isLost: inout Bool
    ) -> SystemResult<Int> {
        let capacity = min(max(0, capacity), mostDescriptors)
        let receive = keepsBounds ? csocket_receive_packet : csocket_receive_descriptors
        return withUnsafeTemporaryAllocation(of: Int32.self, capacity: max(1, capacity)) { numbers in
            var count = 0
            var lost: Int32 = 0
            let result = uninterrupted {
                receive(descriptor, buffer.baseAddress, buffer.count, numbers.baseAddress, capacity, &count, &lost)
            }
            if count > 0 { passed = PassedDescriptors(adopting: Array(numbers[..<count])) }
            isLost = lost != 0
            return result
        }
    }

    /// The descriptors in control data as recvmsg(2) returns it.
    package static func descriptors(
        in control: UnsafeRawBufferPointer, capacity: Int, isLost: inout Bool
    ) -> [Int32] {
        var lost: Int32 = 0
        defer { isLost = lost != 0 }
        return [Int32](unsafeUninitializedCapacity: capacity) { numbers, count in
            csocket_parse_descriptors(
                control.baseAddress, control.count, numbers.baseAddress, capacity, &count, &lost)
        }
    }
}
