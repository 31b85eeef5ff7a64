/// What has gone through a stream socket.
package struct StreamCounts: Sendable, Hashable {
    package var bytesReceived: UInt64 = 0
    package var bytesSent: UInt64 = 0
    /// Messages, or chunks without a framing, that listeners or receives were given.
    package var messagesReceived: UInt64 = 0
    /// Sends that were accepted.
    package var messagesSent: UInt64 = 0
    /// When the connection stood; `never` before.
    package var opened = Instant.never
    /// When the socket was closed; `never` before.
    package var closed = Instant.never
}
