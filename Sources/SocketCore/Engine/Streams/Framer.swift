/// Finds the messages in a stream, and makes bytes of messages: what a framing of the faces is to the engine.
package protocol MessageCodec: Sendable {
    /// The first message of what has arrived and is not used up; nil when more must come, or nothing that counts is left.
    mutating func cut(_ bytes: Span<UInt8>, hasEnded: Bool) throws(Failure) -> ReadRequest.Cut?

    /// Appends a message as it goes over the wire.
    func append(_ message: Span<UInt8>, to output: inout [UInt8]) throws(Failure)
}

/// The framing of one socket.
package final class Framer: @unchecked Sendable {
    // Sendable: only whoever has the turn to read touches what changes.
    private var reading: any MessageCodec
    /// Nobody knows where the next message begins, so every later reader is told the same.
    private var failure: Failure?
    private let writing: any MessageCodec

    package init(_ codec: any MessageCodec) {
        reading = codec
        writing = codec
    }

    func cut(_ bytes: Span<UInt8>, hasEnded: Bool) throws(Failure) -> ReadRequest.Cut? {
        if let failure { throw failure }
        do throws(Failure) {
            return try reading.cut(bytes, hasEnded: hasEnded)
        } catch {
            failure = error
            throw error
        }
    }

    /// A message as it goes over the wire. From any thread.
    func frame(_ message: Span<UInt8>) throws(Failure) -> [UInt8] {
        var framed: [UInt8] = []
        framed.reserveCapacity(message.count + 16)
        try writing.append(message, to: &framed)
        return framed
    }
}
