import HarmonySocket
import Testing

/// Local sockets that keep the bounds of messages.
@Suite(.bounded, .enabled(if: LocalSocketType.available.contains(.seqpacket))) struct SeqpacketTests {
    private static func makePair() throws -> (LocalSocket, LocalSocket) { try LocalSocket.pair(type: .seqpacket) }

    @Test func messages_keepTheirBounds_alsoWhenTheyQueue() async throws {
        let (first, second) = try SeqpacketTests.makePair()
        // Many more than the kernel holds, small ones that would be gathered and large ones among them.
        let messages = (0..<2_000).map { number in
            [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: number % 50 == 0 ? 65_536 : 1 + number % 300)
        }
        let sent = EventRecorder<Bool>()
        for message in messages { first.send(message) { sent.record((try? $0.get()) != nil) } }
        #expect(first.bufferedAmount > 0)
        for message in messages { #expect(try await second.receive(timeout: .seconds(20))?.message == message) }
        #expect(try await sent.wait(count: messages.count).allSatisfy { $0 })
        await first.close()
        #expect(try await second.receive(timeout: .seconds(20)) == nil)
        await second.close()
    }

    @Test func messages_keepTheirBounds_forListeners() async throws {
        let (first, second) = try SeqpacketTests.makePair()
        let sizes = EventRecorder<Int>()
        second.on(.message) { sizes.record($0.size) }
        for size in [1, 65_536, 2, 3] { try await first.send([UInt8](repeating: 7, count: size)) }
        try await first.send(parts: [[1, 2], [], [3]])
        #expect(try await sizes.wait(count: 5) == [1, 65_536, 2, 3, 3])
        let lent = EventRecorder<Int>()
        second.off(.message)
        second.on(.bytes) { lent.record($0.byteCount) }
        try await first.send("lent")
        #expect(try await lent.wait(count: 1) == [4])
        await first.close()
        await second.close()
    }

    @Test func message_thatIsTooLong_isNotSent_andHarmsNothing() async throws {
        let (first, second) = try SeqpacketTests.makePair()
        let long = [UInt8](repeating: 0, count: 65_537)
        let errors = [
            await failure { () async throws(SocketError) in try await first.send(long) },
            await failure { () async throws(SocketError) in try await first.send(long.span.bytes) },
            await failure { () throws(SocketError) in try first.trySend(long) },
            await failure { () async throws(SocketError) in try await first.send(long, descriptors: [0]) },
        ]
        for error in errors { #expect(error?.kind == .messageTooLong && error?.sent == 0) }
        let completed = try await answer { first.send(long, completion: $0) }
        #expect(throws: SocketError.self) { try completed.get() }
        let parts = await failure { () async throws(SocketError) in
            try await first.send(parts: [[UInt8]](repeating: [1], count: 65))
        }
        #expect(parts?.kind == .invalidArgument && parts?.field == "parts")
        // What the kernel itself finds too long.
        try await first.setExtraOptions(ExtraOptionsBase(sendBufferSize: 4_000))
        let tooLong = await failure { () async throws(SocketError) in try await first.send(Array(long[..<60_000])) }
        #expect(tooLong?.kind == .messageTooLong && tooLong?.systemError?.name == "EMSGSIZE")
        #expect(
            await failure { () throws(SocketError) in try first.trySend(Array(long[..<60_000])) }?.kind
                == .messageTooLong)
        try await first.send("fine")
        #expect(try await second.receive(timeout: .seconds(20))?.text == "fine")
        await first.close()
        await second.close()
    }

    @Test func queuedMessage_thatIsTooLongForTheKernel_failsAlone() async throws {
        let (first, second) = try SeqpacketTests.makePair()
        let outcomes = EventRecorder<String>()
        var count = 0
        while first.bufferedAmount == 0 {
            first.send([UInt8](repeating: 1, count: 1_000)) {
                outcomes.record((try? $0.get()) == nil ? "failed" : "sent")
            }
            count += 1
        }
        first.send([UInt8](repeating: 2, count: 60_000)) { result in
            if case .failure(let error) = result { outcomes.record("\(error.kind)") }
        }
        first.send("last") { outcomes.record((try? $0.get()) == nil ? "failed" : "last") }
        try await first.setExtraOptions(ExtraOptionsBase(sendBufferSize: 4_000))
        for _ in 0..<count { #expect(try await second.receive(timeout: .seconds(20))?.size == 1_000) }
        #expect(try await second.receive(timeout: .seconds(20))?.text == "last")
        try await outcomes.wait(for: "last")
        #expect(outcomes.events == [String](repeating: "sent", count: count) + ["messageTooLong", "last"])
        await first.close()
        await second.close()
    }

    @Test func foreignMessage_thatIsTooLong_endsTheConnection_andIsNotCut() async throws {
        let (first, second) = try SeqpacketTests.makePair()
        let number = await first.getSocketFd()
        #expect(RawLocal.send([UInt8](repeating: 1, count: 70_000), to: number) == 70_000)
        let error = await failure { () async throws(SocketError) in try await second.receive(timeout: .seconds(20)) }
        #expect(error?.kind == .messageTooLong)
        try await eventually("it is closed") { second.state.isClose }
        await first.close()
    }

    @Test func emptyMessages_arePassedOver_andAreNoEnd() async throws {
        let (first, second) = try SeqpacketTests.makePair()
        let number = await first.getSocketFd()
        for _ in 0..<3 { #expect(RawLocal.send([], to: number) == 0) }
        let none = await failure { () async throws(SocketError) in try await second.receive(timeout: .zero) }
        #expect(none?.kind == .timedOut)
        RawLocal.send([], to: number)
        RawLocal.send([1], to: number)
        RawLocal.send([], to: number)
        // With descriptors, which are closed.
        let (reader, writer) = try RawLocal.pipe()
        let identity = try #require(DescriptorCensus.identity(of: writer))
        #expect(RawLocal.send([], with: [Int32(writer)], to: number) == 0)
        Kernel.close(writer)
        second.descriptorLimit = 4
        try await first.send([2])
        await first.close()
        #expect(try await second.receive(timeout: .seconds(20))?.message == [1])
        #expect(try await second.receive(timeout: .seconds(20))?.message == [2])
        #expect(try await second.receive(timeout: .seconds(20)) == nil)
        #expect(second.descriptorCount == 0 && second.takeDescriptor() == nil)
        #expect(RawLocal.read(1, from: reader).isEmpty, "nobody can write to it any more")
        #expect(DescriptorCensus.identity(of: reader) != nil && identity.inode != 0)
        Kernel.close(reader)
        // An empty send of ours sends nothing.
        await second.close()
    }

    @Test func emptySend_sendsNothing() async throws {
        let (first, second) = try SeqpacketTests.makePair()
        try await first.send([UInt8]())
        try await first.send("behind")
        #expect(try await second.receive(timeout: .seconds(20))?.text == "behind")
        await first.close()
        await second.close()
    }

    @Test func callsForPartsOfAStream_areRefused() async throws {
        let (first, second) = try SeqpacketTests.makePair()
        let file = try TemporaryFile([1, 2, 3])
        try await second.send("whole")
        let errors = [
            await failure { () async throws(SocketError) in try await first.receive(upTo: 1) },
            await failure { () async throws(SocketError) in try await first.receive(exactly: 1) },
            await failure { () async throws(SocketError) in try await first.receive(until: [10]) },
            await failure { () async throws(SocketError) in try await first.peek(upTo: 1) },
            await failure { () async throws(SocketError) in
                var buffer = [UInt8](repeating: 0, count: 2)
                return try await first.receive(into: &buffer)
            },
            await failure { () async throws(SocketError) in for try await _ in first.bytes {} },
            await failure { () async throws(SocketError) in for try await _ in first.lines() {} },
            await failure { () async throws(SocketError) in try await first.sendFile(file.path) },
        ]
        for error in errors { #expect(error?.kind == .invalidState && error?.message.contains("bounds") == true) }
        let completed = try await answer { first.receive(exactly: 1, completion: $0) }
        #expect(throws: SocketError.self) { try completed.get() }
        #expect(try await first.receive(timeout: .seconds(20))?.text == "whole")
        await first.close()
        await second.close()
    }

    @Test func framing_worksOnTheBytesOfTheMessages() async throws {
        let (first, second) = try SeqpacketTests.makePair()
        second.setFraming(try .lengthPrefixed())
        try await first.send([0, 0, 0])
        try await first.send([3] + Array("ab".utf8))
        try await first.send(Array("c".utf8) + [0, 0, 0, 1, 0x64])
        #expect(try await second.receive(timeout: .seconds(20))?.text == "abc")
        #expect(try await second.receive(timeout: .seconds(20))?.text == "d")
        await first.close()
        await second.close()
    }

    @Test func relay_keepsTheBounds() async throws {
        let (a, b) = try SeqpacketTests.makePair()
        let (c, d) = try SeqpacketTests.makePair()
        let relaying = Task { try await b.relay(with: c) }
        for size in [1, 60_000, 2] { try await a.send([UInt8](repeating: 1, count: size)) }
        for size in [1, 60_000, 2] { #expect(try await d.receive(timeout: .seconds(20))?.size == size) }
        try await a.finish()
        #expect(try await d.receive(timeout: .seconds(20)) == nil)
        try await d.finish()
        #expect(try await within { try await relaying.value }.forward == 60_003)
        for socket in [a, b, c, d] { await socket.close() }
    }
}
