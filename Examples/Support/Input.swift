import HarmonySocket

/// Standard input, chunk by chunk, as it comes. No thread waits for it, and nothing is read before it is asked for.
///
/// ```swift
/// for await chunk in StandardInput() { try await tcp.send(chunk) }
/// ```
public struct StandardInput: AsyncSequence, AsyncIteratorProtocol, Sendable {
    private let loop = SocketEventLoopGroup.shared.next()
    private let chunkSize: Int

    /// Reads at most `chunkSize` bytes at a time.
    public init(chunkSize: Int = 65_536) { self.chunkSize = chunkSize }

    /// Starts reading, or goes on: there is one standard input.
    public func makeAsyncIterator() -> StandardInput { self }

    /// The next chunk; nil at the end of input.
    public func next() async -> [UInt8]? {
        guard (try? await loop.waitUntilReadable(0)) != nil, let chunk = readStandardInput(upTo: chunkSize) else {
            return nil
        }
        return chunk.isEmpty ? nil : chunk
    }
}
