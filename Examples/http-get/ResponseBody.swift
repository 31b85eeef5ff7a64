import HarmonySocket

/// The page itself (RFC 9112, sections 6 and 7), handed on as it comes.
struct ResponseBody {
    /// How its end is told.
    enum Length {
        /// After so many bytes.
        case bytes(Int)
        /// In chunks, each with its length before it.
        case chunked
        /// By the end of the connection.
        case untilEnd
    }

    private static let lineEnd = Array("\r\n".utf8)
    let socket: any StreamSocket
    let timeout: Duration

    /// Hands every byte to `output`. A slow output slows the server down.
    func read(_ length: Length, to output: ([UInt8]) async -> Void) async throws {
        switch length {
        case .bytes(let count):
            try await copy(count, to: output)
        case .chunked:
            while let count = try await chunkLength() {
                try await copy(count, to: output)
                guard try await socket.receive(exactly: 2, timeout: timeout) == ResponseBody.lineEnd else {
                    throw BadResponse("a chunk does not end where it should")
                }
            }
            while try await line() != "" {} // fields after the page, which nobody asked for
        case .untilEnd:
            while let bytes = try await socket.receive(upTo: 65_536, timeout: timeout) { await output(bytes) }
        }
    }

    private func copy(_ count: Int, to output: ([UInt8]) async -> Void) async throws {
        var left = count
        while left > 0 {
            guard let bytes = try await socket.receive(upTo: min(left, 65_536), timeout: timeout) else {
                throw BadResponse("the server ended \(left) bytes too early")
            }
            left -= bytes.count
            await output(bytes)
        }
    }

    /// The length of the next chunk; nil after the last.
    private func chunkLength() async throws -> Int? {
        let digits = trimmed(try await line().prefix { $0 != ";" })
        guard digits.allSatisfy(\.isHexDigit), let count = Int(digits, radix: 16) else {
            throw BadResponse("the length of a chunk is not a number")
        }
        return count == 0 ? nil : count
    }

    private func line() async throws -> String {
        guard let bytes = try await socket.receive(until: ResponseBody.lineEnd, maxLength: 8192, timeout: timeout)
        else {
            throw BadResponse("the server ended within the page")
        }
        return String(decoding: bytes.dropLast(2), as: UTF8.self)
    }
}
