internal import CSocketShims

/// Datagrams in and out.
package enum DatagramCalls {
    /// What one recvmsg(2) brought.
    package struct Received: Sendable {
        package var count: Int
        package var source: SocketAddress
        /// The datagram was larger than the buffer; the rest is gone.
        package var isTruncated: Bool
    }

    /// sendto(2) without SIGPIPE. A datagram goes whole or not at all.
    @inline(__always)
    package static func send(
        _ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, to address: SocketAddress
    ) -> SystemResult<Int> {
        withUnsafePointer(to: address.native) { native in
            uninterrupted { csocket_send_to(descriptor, bytes.baseAddress, bytes.count, native) }
        }
    }

    /// recvmsg(2). A count of zero is an empty datagram, not an end.
    @inline(__always)
    package static func receive(
        _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer
    ) -> SystemResult<Received> {
        var source = csocket_address()
        var truncated: Int32 = 0
        return uninterrupted {
            csocket_receive_from(descriptor, buffer.baseAddress, buffer.count, &source, &truncated)
        }
        .map { Received(count: $0, source: SocketAddress(native: source), isTruncated: truncated != 0) }
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
