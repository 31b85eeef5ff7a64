import Dispatch

/// Standard input, chunk by chunk, as it comes. Reading blocks a thread of its own and nobody else, and nothing is read
/// before it is asked for.
///
/// ```swift
/// for await chunk in StandardInput() { try await tcp.send(chunk) }
/// ```
public struct StandardInput: AsyncSequence, AsyncIteratorProtocol, Sendable {
    private static let queue = DispatchQueue(label: "standard input")
    private let chunkSize: Int

    /// Reads at most `chunkSize` bytes at a time.
    public init(chunkSize: Int = 65_536) { self.chunkSize = chunkSize }

    /// Starts reading, or goes on: there is one standard input.
    public func makeAsyncIterator() -> StandardInput { self }

    /// The next chunk; nil at the end of input.
    public func next() async -> [UInt8]? {
        let chunk = await withCheckedContinuation { continuation in
            StandardInput.queue.async { continuation.resume(returning: readStandardInput(upTo: chunkSize)) }
        }
        guard let chunk, !chunk.isEmpty else { return nil }
        return chunk
    }
}
