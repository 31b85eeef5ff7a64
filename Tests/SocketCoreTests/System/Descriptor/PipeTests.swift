import Testing

@testable import SocketCore

@Suite(.enabled(if: Pipe.make() != nil, "the system has no splice(2)")) struct PipeTests {
    @Test func bytes_goThrough_andWouldBlockSaysWhoIsWaitedFor() async throws {
        let source = try RawPair()
        let sink = try RawPair()
        let pipe = try #require(Pipe.make())
        #expect(pipe.fill(from: source.near.number) == .failure(.wouldBlock))
        try source.far.send([1, 2, 3, 4, 5])
        try source.near.wait(for: .readable)
        #expect(pipe.fill(from: source.near.number) == .success(5))
        #expect(pipe.empty(into: sink.near.number, upTo: 2) as SystemResult == .success(2))
        #expect(pipe.empty(into: sink.near.number, upTo: 9) as SystemResult == .success(3))
        #expect(try sink.far.receive() == [1, 2, 3, 4, 5])
        source.far.close()
        try source.near.wait(for: .readable)
        #expect(pipe.fill(from: source.near.number) == .success(0))
    }

    @Test func fullSocket_leavesBytesInThePipe() async throws {
        let source = try RawPair()
        let sink = try RawPair()
        let pipe = try #require(Pipe.make())
        _ = try sink.near.fill()
        try source.far.send([1, 2, 3])
        try source.near.wait(for: .readable)
        #expect(pipe.fill(from: source.near.number) == .success(3))
        let written: StreamDriver.Written = pipe.empty(into: sink.near.number, upTo: 3)
        #expect(written.count == 0 && written.total == 3 && written.error == nil)
        _ = try sink.far.drain()
        try sink.near.wait(for: .writable)
        #expect(pipe.empty(into: sink.near.number, upTo: 3) as SystemResult == .success(3))
    }
}
