internal import CSocketShims

/// What is known of a datagram beside its bytes and its sender, where there is something to tell.
///
/// Plain numbers: a message with a second reference, even one to nothing, costs a fifth more to hand on, that of a stream too.
package struct DatagramDetails: Sendable, Hashable {
    /// The datagram was larger than the buffer; the rest is gone.
    package var isTruncated = false
    /// The address that it was sent to, without a port.
    package var destination: SocketAddress?
    /// The index of the interface that it came in by; 0 is unknown.
    package var interface: Int32 = 0
    /// The type of service of IPv4 or the traffic class of IPv6.
    package var trafficClass: UInt8?

    /// The same of a datagram that was cut.
    package static func truncated(_ details: DatagramDetails?) -> DatagramDetails {
        var details = details ?? DatagramDetails()
        details.isTruncated = true
        return details
    }
}

/// Datagrams in and out.
package enum DatagramCalls {
    /// A datagram that came, during the call that hands it over.
    package struct Incoming {
        package let bytes: UnsafeRawBufferPointer
        package let source: SocketAddress
        package let details: DatagramDetails?
    }

    /// A datagram to send; of no address: to the peer that the socket is connected to.
    package struct Outgoing: Sendable {
        package let bytes: [UInt8]
        package let destination: SocketAddress

        package init(bytes: [UInt8], destination: SocketAddress) {
            self.bytes = bytes
            self.destination = destination
        }
    }

    /// How many receive slots a thread has, and so how many datagrams, or trains of them, one call brings.
    package static let receiveLimit = Int(CSOCKET_RECEIVE_BATCH)
    /// How many datagrams one call sends.
    package static let sendLimit = Int(CSOCKET_SEND_BATCH)

    // MARK: In

    /// recvmmsg(2): hands over each datagram that it brought, an empty one too, in order. What the kernel delivered as one
    /// (udp(7), UDP_GRO) is handed over as the several datagrams that it is. Returns whether there was nothing more.
    ///
    /// `body` makes no other call that receives.
    @inline(__always)
    package static func receive(
        _ descriptor: Int32, limit: Int, _ body: (Incoming) -> Void
    ) -> SystemResult<Bool> {
        var items: UnsafePointer<csocket_incoming>?
        var isDrained: Int32 = 0
        return uninterrupted {
            csocket_receive_batch(descriptor, Int32(truncatingIfNeeded: limit), &items, &isDrained)
        }.map { count in
            guard let items else { return true }
            for index in 0..<count { hand(items[index], body) }
            return isDrained != 0
        }
    }

    @inline(__always)
    private static func hand(_ item: csocket_incoming, _ body: (Incoming) -> Void) {
        let bytes = UnsafeRawBufferPointer(start: item.bytes, count: item.count)
        let source = SocketAddress(native: item.source)
        let details = details(item)
        guard item.segment > 0, item.segment < item.count else {
            return body(Incoming(bytes: bytes, source: source, details: details))
        }
        var start = 0
        while start < item.count {
            let end = min(start + item.segment, item.count)
            body(
                Incoming(bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<end]), source: source, details: details))
            start = end
        }
    }

    @inline(__always)
    private static func details(_ item: csocket_incoming) -> DatagramDetails? {
        guard item.is_truncated != 0 || item.interface != 0 || item.has_traffic_class != 0 else { return nil }
        return DatagramDetails(
            isTruncated: item.is_truncated != 0,
            destination: item.destination.family == CSOCKET_FAMILY_NONE ? nil : SocketAddress(native: item.destination),
            interface: Int32(truncatingIfNeeded: item.interface),
            trafficClass: item.has_traffic_class == 0 ? nil : item.traffic_class)
    }

    // MARK: Out

    /// sendto(2) without SIGPIPE. A datagram goes whole or not at all.
    @inline(__always)
    package static func send(
        _ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, to address: SocketAddress
    ) -> SystemResult<Int> {
        withUnsafePointer(to: address.native) { native in
            uninterrupted { csocket_send_to(descriptor, bytes.baseAddress, bytes.count, native) }
        }
    }

    /// sendmmsg(2) without SIGPIPE, of the first `sendLimit` datagrams; returns how many the kernel took, at least one. An
    /// error is the first one's. `maySegment`: neighbours of one size to one receiver go as one (udp(7), UDP_SEGMENT).
    package static func send(
        _ descriptor: Int32, _ datagrams: ArraySlice<Outgoing>, maySegment: Bool
    ) -> SystemResult<Int> {
        let count = min(datagrams.count, sendLimit)
        return withUnsafeTemporaryAllocation(of: csocket_outgoing.self, capacity: count) { items in
            place(datagrams.prefix(count), in: items, from: 0) {
                uninterrupted {
                    csocket_send_batch(descriptor, items.baseAddress, Int32(count), maySegment ? 1 : 0)
                }
            }
        }
    }

    /// Each array stays where it is until `call` is over: one level deeper for each.
    private static func place(
        _ datagrams: ArraySlice<Outgoing>, in items: UnsafeMutableBufferPointer<csocket_outgoing>, from index: Int,
        _ call: () -> SystemResult<Int>
    ) -> SystemResult<Int> {
        guard index < items.count else { return call() }
        let datagram = datagrams[datagrams.startIndex + index]
        return datagram.bytes.withUnsafeBytes { bytes in
            items.initializeElement(
                at: index,
                to: csocket_outgoing(
                    bytes: bytes.baseAddress, count: bytes.count, address: datagram.destination.native))
            return place(datagrams, in: items, from: index + 1, call)
        }
    }

    /// Prepares for batches (udp(7), UDP_GRO). Returns whether `send` of several may segment.
    package static func enableOffload(_ descriptor: Int32) -> Bool { csocket_enable_offload(descriptor) != 0 }

    // MARK: Peers and errors

    /// connect(2) with no address: undoes it.
    package static func disconnect(_ descriptor: Int32) -> SystemResult<Void> {
        outcome(csocket_disconnect(descriptor)).map { _ in }
    }

    /// Whether the system queues ICMP errors with the destination they concern.
    package static var hasErrorQueue: Bool { CSOCKET_HAS_ERROR_QUEUE != 0 }

    /// One ICMP error from the socket's queue (ip(7), IP_RECVERR): what happened, and the destination it concerns.
    /// `.wouldBlock` when there is none.
    package static func receiveError(_ descriptor: Int32) -> SystemResult<(SystemError, SocketAddress)> {
        var destination = csocket_address()
        var error: Int32 = 0
        return uninterrupted { csocket_receive_error(descriptor, &destination, &error) }
            .map { _ in (SystemError(rawValue: error), SocketAddress(native: destination)) }
    }
}
