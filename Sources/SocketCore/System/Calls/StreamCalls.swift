internal import CSocketShims

/// Bytes in and out of a connected stream socket.
package enum StreamCalls {
    /// send(2) without SIGPIPE. Returns how many bytes the kernel took.
    @inline(__always)
    package static func send(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> SystemResult<Int> {
        uninterrupted { csocket_send(descriptor, bytes.baseAddress, bytes.count) }
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

    /// How many bytes the peer has not acknowledged yet (SIOCOUTQ).
    package static func unsentCount(_ descriptor: Int32) -> SystemResult<Int> {
        outcome(csocket_unsent_count(descriptor))
    }
}
