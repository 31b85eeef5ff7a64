/// One datagram that arrived.
package struct Datagram: Sendable {
    package let bytes: [UInt8]
    package let source: SocketAddress
    /// What else is known of it; mostly nothing.
    package let details: DatagramDetails?

    package init(bytes: [UInt8], source: SocketAddress, details: DatagramDetails? = nil) {
        self.bytes = bytes
        self.source = source
        self.details = details
    }

    /// Its first `limit` bytes, flagged as what is left of it if it was longer.
    package func prefix(_ limit: Int) -> Datagram {
        guard bytes.count > limit else { return self }
        return Datagram(bytes: Array(bytes[..<limit]), source: source, details: .truncated(details))
    }
}
