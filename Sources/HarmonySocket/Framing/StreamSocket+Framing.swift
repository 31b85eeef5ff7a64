internal import SocketCore

extension StreamSocket {
    /// Sets how the stream is cut into messages; nil: not at all.
    ///
    /// From then on a `message`, an element of `messages` and what `receive()` returns is one whole message, and `send`
    /// sends its bytes as one. What has arrived and was not taken yet is cut by the new framing; so it may be changed
    /// between two messages, also by a listener. The calls that ask for an amount of bytes (`receive(exactly:)` and its
    /// siblings, `bytes`, `lines`) take them as they come, whatever the framing.
    ///
    /// A message that the framing refuses fails the call that would have received it, and every later one until another
    /// framing is set. With message listeners it closes the socket, and `error` tells why.
    ///
    /// ```swift
    /// tcp.setFraming(.lines)
    /// tcp.on(.message) { line in print(line.text ?? "") }
    /// try await tcp.send("hello")
    /// ```
    public func setFraming(_ framing: (any Framing)?) {
        stream.driver.setFramer(framing.map { Framer($0.codec) })
    }
}

extension Framing {
    /// What the engine asks.
    fileprivate var codec: any MessageCodec { FramingCodec(framing: self) }
}

private struct FramingCodec<Base: Framing>: MessageCodec {
    var framing: Base

    mutating func cut(_ bytes: Span<UInt8>, hasEnded: Bool) throws(Failure) -> ReadRequest.Cut? {
        do throws(FramingError) {
            return try framing.cut(bytes, isAtEnd: hasEnded).map { ReadRequest.Cut($0.message, used: $0.length) }
        } catch {
            throw Failure(error)
        }
    }

    func append(_ message: Span<UInt8>, to output: inout [UInt8]) throws(Failure) {
        do throws(FramingError) {
            try framing.append(message, to: &output)
        } catch {
            throw Failure(error)
        }
    }
}
