import HarmonySocket
import Testing

@Suite("Promises: sending", .timeLimit(.minutes(1)))
struct SendingTests {
    /// A message that says who sent it and which of his it is, so that any mixing shows.
    private static func makeMessage(_ sender: UInt8, _ number: Int, count: Int) -> [UInt8] {
        [
            sender, UInt8(number >> 8), UInt8(number & 0xff), UInt8(count >> 16), UInt8(count >> 8 & 0xff),
            UInt8(count & 0xff),
        ]
            + [UInt8](repeating: sender ^ UInt8(number & 0xff), count: count)
    }

    /// Takes the stream apart; nil when a message is not whole or not where it belongs.
    private static func parse(_ bytes: [UInt8]) -> [UInt8: [Int]]? {
        var found: [UInt8: [Int]] = [:]
        var index = 0
        while index < bytes.count {
            guard index + 6 <= bytes.count else { return nil }
            let sender = bytes[index]
            let number = Int(bytes[index + 1]) << 8 | Int(bytes[index + 2])
            let count = Int(bytes[index + 3]) << 16 | Int(bytes[index + 4]) << 8 | Int(bytes[index + 5])
            guard index + 6 + count <= bytes.count,
                Array(bytes[index..<index + 6 + count]) == makeMessage(sender, number, count: count)
            else { return nil }
            found[sender, default: []].append(number)
            index += 6 + count
        }
        return found
    }

    @Test("1. A file goes out in call order among other sends, never interleaved, and before the end")
    func sendFile_amongOthers_keepsTheOrder() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer(peerReceiveBuffer: 8192)
        let bytes = pattern(3_000_000)
        let file = try TemporaryFile(bytes)
        async let received = blocking { try peer.receiveAll() }
        let done = EventRecorder<String>()
        connection.send("first") { _ in done.record("first") }
        connection.sendFile(file.path) { done.record("file \((try? $0.get()) ?? -1)") }
        connection.send("second") { _ in done.record("second") }
        connection.sendFile(file.path, offset: 7, count: 5) { done.record("part \((try? $0.get()) ?? -1)") }
        connection.send("third") { _ in done.record("third") }
        connection.finish { _ in done.record("finish") }
        let expected = Array("first".utf8) + bytes + Array("second".utf8) + bytes[7..<12] + Array("third".utf8)
        #expect(try await received == expected)
        try await done.wait(count: 6)
        #expect(done.events == ["first", "file 3000000", "second", "part 5", "third", "finish"])
        await connection.close()
    }

    @Test("1. Sends from many tasks and completion handlers at once arrive whole, and each caller's in order")
    func send_manyCallersAtOnce_neverInterleaved() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer(peerReceiveBuffer: 8192)
        async let received = blocking(.seconds(30)) { try peer.receiveAll() }
        let perCaller = 40
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for sender in UInt8(1)...8 {
                tasks.addTask {
                    for number in 0..<perCaller {
                        let count = (number * 977 * Int(sender)) % 30_000
                        try await connection.send(SendingTests.makeMessage(sender, number, count: count))
                    }
                }
            }
            for sender in UInt8(101)...103 {
                tasks.addTask {
                    // Not one waits for the one before: the calls' order is all that there is.
                    let done = EventRecorder<Bool>()
                    for number in 0..<perCaller {
                        let message = SendingTests.makeMessage(sender, number, count: (number * 1777) % 20_000)
                        connection.send(message) { result in done.record((try? result.get()) != nil) }
                    }
                    let results = try await done.wait(count: perCaller)
                    #expect(results == [Bool](repeating: true, count: perCaller))
                }
            }
            try await tasks.waitForAll()
        }
        await connection.close()
        let found = try #require(SendingTests.parse(try await received))
        #expect(found.count == 11)
        for (sender, numbers) in found { #expect(numbers == Array(0..<perCaller), "caller \(sender)") }
    }

    @Test("1. A cancelled send that had not begun is removed and says sent 0; one that had begun goes out whole")
    func send_cancelled_streamStaysWhole() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer(peerReceiveBuffer: 8192)
        let large = 12_000_000
        let begun = Task { try await connection.send([UInt8](repeating: 0x61, count: large)) }
        try await waitUntilStuck(connection)
        let started = EventRecorder<Bool>()
        let queued = Task {
            started.record(true)
            try await connection.send([UInt8](repeating: 0x62, count: 1000))
        }
        try await started.wait(count: 1)
        try await waitUntilStuck(connection)
        queued.cancel()
        begun.cancel()
        let queuedError = try #require(await queued.result.failure as? SocketError)
        let begunError = try #require(await begun.result.failure as? SocketError)
        #expect(queuedError.kind == .cancelled)
        #expect((queuedError.sent, queuedError.remaining) == (0, 1000))
        #expect(begunError.kind == .cancelled)
        #expect(begunError.sent > 0)
        #expect(begunError.sent + begunError.remaining == large)

        async let received = blocking(.seconds(30)) { try peer.receiveAll() }
        try await connection.send([0x63])
        await connection.close()
        let bytes = try await received
        #expect(bytes.count == large + 1)
        #expect(bytes.last == 0x63)
        #expect(!bytes.contains(0x62))
    }

    @Test("1. A timed-out send says how far it got, and the stream stays whole")
    func send_timedOut_streamStaysWhole() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer(peerReceiveBuffer: 8192)
        let large = 12_000_000
        async let first = failure { () async throws(SocketError) in
            try await connection.send([UInt8](repeating: 0x61, count: large), timeout: .milliseconds(100))
        }
        try await waitUntilStuck(connection)
        async let second = failure { () async throws(SocketError) in
            try await connection.send([UInt8](repeating: 0x62, count: 1000), timeout: .milliseconds(20))
        }
        let (begun, queued) = (try #require(await first), try #require(await second))
        #expect(begun.kind == .timedOut)
        #expect(begun.sent > 0)
        #expect(begun.sent + begun.remaining == large)
        #expect(queued.kind == .timedOut)
        #expect((queued.sent, queued.remaining) == (0, 1000))
        async let received = blocking(.seconds(30)) { try peer.receiveAll() }
        await connection.close()
        #expect(try await received == [UInt8](repeating: 0x61, count: large))
    }

    @Test("1. What a cancelled send says is what the wire shows, also in the middle of a batch")
    func send_cancelledWithinBatch_saysWhatTheWireShows() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer(
            serverOptions: TCPExtraOptions(sendBufferSize: 65_536), peerReceiveBuffer: 65_536)
        // Fills the kernel, so that the small ones queue and later go out in batches that the kernel takes in part.
        let filling = 1_000_000
        connection.send([UInt8](repeating: 0xff, count: filling)) { _ in }
        try await waitUntilStuck(connection)
        let count = 200
        let size = 2999
        var sends: [Task<Void, any Error>] = []
        let started = EventRecorder<Bool>()
        for number in 0..<count {
            sends.append(
                Task {
                    started.record(true)
                    try await connection.send([UInt8](repeating: UInt8(number), count: size))
                })
        }
        try await started.wait(count: count)
        try await waitUntilStuck(connection)
        // Some go out, some are in the middle of it, some do not begin.
        var head: [UInt8] = []
        while connection.bufferedAmount > count / 2 * size {
            head += try await blocking { try peer.receive(upTo: 10_000) }
            try #require(head.count < filling + count / 2 * size)
        }
        try await waitUntilStuck(connection)
        for send in sends { send.cancel() }
        var results: [Result<Void, any Error>] = []
        for send in sends { results.append(await send.result) }
        async let tail = blocking(.seconds(30)) { try peer.receiveAll() }
        await connection.close()
        let bytes = Array((head + (try await tail))[filling...])
        var expected: Set<UInt8> = []
        for (number, result) in results.enumerated() {
            let error = result.failure as? SocketError
            if let error { #expect(error.sent + error.remaining == size) }
            if error.map({ $0.sent > 0 }) ?? true { expected.insert(UInt8(number)) }
        }
        var found: Set<UInt8> = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            let message = Array(bytes[start..<min(start + size, bytes.count)])
            #expect(message == [UInt8](repeating: message[0], count: size), "message \(message[0]) is not whole")
            found.insert(message[0])
        }
        #expect(found == expected)
        #expect(results.contains { $0.failure != nil })
    }

    @Test("5. A send with a time-out of zero does what it can and does not wait")
    func send_timeoutZero_doesNotWait() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer(peerReceiveBuffer: 8192)
        try await connection.send([1], timeout: .zero)
        let error = try #require(
            try await within {
                await failure { () async throws(SocketError) in
                    try await connection.send([UInt8](repeating: 0, count: 12_000_000), timeout: .zero)
                }
            })
        #expect(error.kind == .timedOut)
        #expect(error.sent > 0)
        await connection.reset()
        peer.close()
    }
}

extension Result {
    var failure: Failure? {
        if case .failure(let failure) = self { failure } else { nil }
    }
}
