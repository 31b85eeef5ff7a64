import HarmonySocket
import Testing

@Suite(.bounded) struct SocketEventLoopReadableTests {
    private let loop = SocketEventLoopGroup(count: 1).next()

    @Test func pipe_withSomething_isReadable_asOftenAsItIsAsked() async throws {
        let pipe = try RawPipe()
        for _ in 0..<20 {
            async let isThere: Void = loop.waitUntilReadable(pipe.reader)
            try pipe.write()
            try await isThere
            #expect(try pipe.read())
        }
        // What is there already counts too.
        try pipe.write()
        try await loop.waitUntilReadable(pipe.reader)
        #expect(try pipe.read())
    }

    @Test func pipe_atItsEnd_isReadable() async throws {
        let pipe = try RawPipe()
        async let isThere: Void = loop.waitUntilReadable(pipe.reader)
        pipe.closeInput()
        try await isThere
        #expect(try !pipe.read())
    }

    @Test func file_isAlwaysReadable() async throws {
        let file = try TemporaryFile([1])
        let number = try file.open()
        defer { TemporaryFile.close(number) }
        try await loop.waitUntilReadable(number)
    }

    @Test(arguments: [-1, 1 << 40, 999_999]) func noDescriptor_isRefused(_ number: Int) async throws {
        let error = await #expect(throws: SocketError.self) { try await loop.waitUntilReadable(number) }
        #expect(error?.kind == .invalidArgument)
        #expect(error?.field == "descriptor")
    }

    @Test func cancellation_endsTheWait_andTheNextOneWaitsAgain() async throws {
        let pipe = try RawPipe()
        for round in 0..<200 {
            let wait = Task { try await loop.waitUntilReadable(pipe.reader) }
            // Before it has begun, and after.
            if round.isMultiple(of: 2) { await Task.yield() }
            wait.cancel()
            guard case .failure(let error) = await wait.result else {
                Issue.record("there was nothing to read")
                continue
            }
            #expect((error as? SocketError)?.kind == .cancelled)
        }
        try pipe.write()
        try await loop.waitUntilReadable(pipe.reader)
    }

    /// A cancellation and a byte at the same time: one of them ends the wait, and the byte is still there.
    @Test func cancellation_againstInput_losesNothing() async throws {
        let pipe = try RawPipe()
        for _ in 0..<200 {
            let wait = Task { try await loop.waitUntilReadable(pipe.reader) }
            async let written: Void = pipe.write()
            wait.cancel()
            _ = await wait.result
            try await written
            try await loop.waitUntilReadable(pipe.reader)
            #expect(try pipe.read())
        }
    }
}
