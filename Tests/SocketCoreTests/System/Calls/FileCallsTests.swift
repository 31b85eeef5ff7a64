import Testing

@testable import SocketCore

@Suite struct FileCallsTests {
    /// This program: a file that is there on every system.
    private static let path = CommandLine.arguments[0]

    /// The way that the system has, and the one that does without it, send the same.
    @Test func send_andCopy_sendTheSameBytes() async throws {
        let file = try FileCalls.open(FileCallsTests.path).get()
        let size = try #require(try FileCalls.size(file.number).get())
        #expect(size > 10_000)
        let number = file.number
        var sent: [[UInt8]] = []
        for call in [FileCalls.send, FileCalls.copy] {
            let pair = try RawPair()
            let near = pair.near.number
            #expect(call(number, 1234, 5000, near) == .success(5000))
            #expect(call(number, size - 10, 5000, near) == .success(10))
            #expect(call(number, size, 5000, near) == .success(0), "the file ends there")
            pair.near.close()
            sent.append(try await blocking("the bytes") { try pair.far.receiveAll() })
        }
        #expect(sent[0].count == 5010 && sent[0] == sent[1])
        withExtendedLifetime(file) {}
    }

    @Test func size_isOfRegularFilesOnly() throws {
        for path in ["/dev/null", "/"] {
            let file = try FileCalls.open(path).get()
            #expect(try FileCalls.size(file.number).get() == nil, "\(path)")
        }
        #expect(FileCalls.size(-1) == .failure(.badDescriptor))
    }

    @Test func whatIsNotThere_isAnError() {
        switch FileCalls.open("/no/such/file") {
        case .success: #expect(Bool(false))
        case .failure(let error): #expect(error == .noSuchFile)
        }
        switch FileCalls.duplicate(-1) {
        case .success: #expect(Bool(false))
        case .failure(let error): #expect(error == .badDescriptor)
        }
    }
}
