internal import CSocketShims

/// Bytes in and out of a connected stream socket.
package enum StreamCalls {
    /// send(2) without SIGPIPE. Returns how many bytes the kernel took.
    @inline(__always)
    package static func send(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> SystemResult<Int> {
        uninterrupted { csocket_send(descriptor, bytes.baseAddress, bytes.count) }
    }

    /// How many buffers one call takes.
    package static let mostParts = 64

    /// sendmsg(2) of the first `mostParts` buffers, without SIGPIPE.
    package static func send(_ descriptor: Int32, _ parts: [[UInt8]]) -> SystemResult<Int> {
        var vector: [csocket_part] = []
        return send(descriptor, parts.prefix(mostParts), &vector)
    }

    /// Each array stays in place until the call: one level deeper for each.
    private static func send(
        _ descriptor: Int32, _ parts: ArraySlice<[UInt8]>, _ vector: inout [csocket_part]
    ) -> SystemResult<Int> {
        guard let part = parts.first else {
            return uninterrupted { csocket_send_parts(descriptor, vector, vector.count) }
        }
        return part.withUnsafeBytes { bytes in
            if !bytes.isEmpty { vector.append(csocket_part(bytes: bytes.baseAddress, count: bytes.count)) }
            return send(descriptor, parts.dropFirst(), &vector)
        }
    }

    /// send(2) of one byte as urgent data (tcp(7), MSG_OOB).
    package static func sendUrgent(_ descriptor: Int32, _ byte: UInt8) -> SystemResult<Int> {
        uninterrupted { csocket_send_urgent(descriptor, byte) }
    }

    /// recv(2) of the urgent byte (tcp(7), MSG_OOB).
    package static func receiveUrgent(_ descriptor: Int32) -> SystemResult<UInt8> {
        var byte: UInt8 = 0
        return uninterrupted { csocket_receive_urgent(descriptor, &byte) }.map { _ in byte }
    }

    /// recv(2). Zero is the end of input.
    @inline(__always)
    package static func receive(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> SystemResult<Int> {
        uninterrupted { csocket_receive(descriptor, buffer.baseAddress, buffer.count) }
    }

    /// recv(2) with MSG_PEEK for one byte: whether there is input (1), its end (0) or an error, taking nothing.
    package static func peek(_ descriptor: Int32) -> SystemResult<Int> {
        var byte: UInt8 = 0
        return uninterrupted { csocket_peek(descriptor, &byte, 1) }
    }

    /// How many bytes wait to be read (FIONREAD).
    package static func unreadCount(_ descriptor: Int32) -> SystemResult<Int> {
        outcome(csocket_unread_count(descriptor))
    }

    /// How many bytes the peer has not acknowledged yet (SIOCOUTQ).
    package static func unsentCount(_ descriptor: Int32) -> SystemResult<Int> {
        outcome(csocket_unsent_count(descriptor))
    }
}
