import HarmonySocket
import Testing

@Suite(.bounded) struct DescriptorPassingTests {
    /// Whether nobody holds the writing end of a pipe any more.
    private static func isAbandoned(_ reader: Int) -> Bool { RawLocal.isAbandoned(reader) }

    @Test(arguments: LocalSocketType.available, ["async", "completion", "events"])
    func descriptors_arrive_asOpenFilesOfTheirOwn(_ type: LocalSocketType, _ style: String) async throws {
        let (first, second) = try LocalSocket.pair(type: type)
        let (reader, writer) = try RawLocal.pipe()
        second.descriptorLimit = 2
        let log = EventLog()
        if style == "events" { second.on(.message) { log.record("\($0.text ?? "-") \(second.descriptorCount)") } }
        if style == "completion" {
            _ = try await answer { first.send(Array("files".utf8), descriptors: [writer, reader], completion: $0) }
                .get()
        } else {
            try await first.send("files", descriptors: [writer, reader])
        }
        // Ours can go at once.
        Kernel.close(writer)
        if style == "events" {
            try await log.wait(for: "files 2")
        } else {
            #expect(try await second.receive(timeout: .seconds(20))?.text == "files")
        }
        let received = try #require(second.takeDescriptor())
        #expect(second.descriptorCount == 1)
        #expect(ProcessFacts.isCloseOnExec(received))
        RawLocal.write([42], to: received)
        #expect(RawLocal.read(1, from: reader) == [42])
        Kernel.close(received)
        try await eventually("nobody holds it") { DescriptorPassingTests.isAbandoned(reader) }
        let second2 = try #require(second.takeDescriptor())
        #expect(DescriptorCensus.identity(of: second2) == DescriptorCensus.identity(of: reader))
        Kernel.close(second2)
        Kernel.close(reader)
        #expect(second.takeDescriptor() == nil)
        await first.close()
        await second.close()
    }

    @Test(arguments: LocalSocketType.available)
    func descriptors_queueWithTheirBytes_inOrder(_ type: LocalSocketType) async throws {
        let (first, second) = try LocalSocket.pair(type: type)
        second.descriptorLimit = 1_000
        var readers: [Int] = []
        let outcomes = EventRecorder<Bool>()
        // Far more than the kernel holds: most of them wait in the queue, and the limit of descriptors under way is kept.
        for number in 0..<40 {
            let (reader, writer) = try RawLocal.pipe()
            readers.append(reader)
            first.send([UInt8](repeating: UInt8(number), count: 20_000), descriptors: [writer]) {
                outcomes.record((try? $0.get()) != nil)
            }
            Kernel.close(writer)
        }
        #expect(first.bufferedAmount > 0)
        #expect(try await read(40 * 20_000, from: second).count == 40 * 20_000)
        #expect(try await outcomes.wait(count: 40).allSatisfy { $0 })
        for (number, reader) in readers.enumerated() {
            let writer = try #require(second.takeDescriptor())
            RawLocal.write([UInt8(number)], to: writer)
            Kernel.close(writer)
            #expect(RawLocal.read(1, from: reader) == [UInt8(number)])
            Kernel.close(reader)
        }
        await first.close()
        await second.close()
    }

    @Test func queuedSend_thatIsWithdrawn_letsItsDescriptorsGo() async throws {
        let (first, second) = try LocalSocket.pair()
        var filled = 0
        while first.bufferedAmount == 0 {
            first.send([UInt8](repeating: 0, count: 50_000)) { _ in }
            filled += 50_000
        }
        let (reader, writer) = try RawLocal.pipe()
        let error = await failure { () async throws(SocketError) in
            try await first.send("never", descriptors: [writer], timeout: .milliseconds(10))
        }
        #expect(error?.kind == .timedOut && error?.sent == 0)
        let task = Task { try await first.send("never", descriptors: [writer]) }
        try await eventually("it waits") { first.bufferedAmount > 0 }
        task.cancel()
        await #expect(throws: SocketError.self) { try await task.value }
        Kernel.close(writer)
        try await eventually("nobody holds it") { DescriptorPassingTests.isAbandoned(reader) }
        Kernel.close(reader)
        await first.reset()
        await second.close()
    }

    // MARK: Those that nobody wants

    @Test func descriptors_thatNobodyAskedFor_areClosed() async throws {
        let (first, second) = try LocalSocket.pair()
        let (reader, writer) = try RawLocal.pipe()
        try await first.send("a", descriptors: [writer])
        Kernel.close(writer)
        #expect(try await second.receive(timeout: .seconds(20))?.text == "a")
        #expect(second.takeDescriptor() == nil && second.descriptorLimit == 0)
        try await eventually("nobody holds it") { DescriptorPassingTests.isAbandoned(reader) }
        Kernel.close(reader)
        await first.close()
        await second.close()
    }

    @Test(arguments: LocalSocketType.available)
    func descriptors_beyondTheLimit_areClosed_andTold_andTheBytesArrive(_ type: LocalSocketType) async throws {
        let (first, second) = try LocalSocket.pair(type: type)
        second.descriptorLimit = 2
        let log = EventLog()
        second.on(.error) { log.record("\($0.kind) \($0.code)") }
        var readers: [Int] = []
        // One message with too many, and one when there is no room at all.
        for count in [5, 1] {
            let pipes = try (0..<count).map { _ in try RawLocal.pipe() }
            try await first.send("x", descriptors: pipes.map(\.writer))
            for pipe in pipes { Kernel.close(pipe.writer) }
            readers += pipes.map(\.reader)
            #expect(try await second.receive(timeout: .seconds(20))?.text == "x")
        }
        try await log.wait(count: 2)
        #expect(log.events == ["descriptorsLost 2301024", "descriptorsLost 2301024"])
        #expect(second.lastError?.kind == .descriptorsLost)
        #expect(second.descriptorCount == 2)
        try await eventually("those that were not taken are closed") { [readers] in
            readers.map(DescriptorPassingTests.isAbandoned) == [false, false, true, true, true, true]
        }
        // Those that are kept go with the object.
        await first.close()
        await second.close()
        _ = consume second
        for reader in readers { Kernel.close(reader) }
    }

    @Test func descriptors_thatNobodyTook_goWithTheSocket() async throws {
        let (reader, writer) = try RawLocal.pipe()
        do {
            let (first, second) = try LocalSocket.pair()
            second.descriptorLimit = 10
            try await first.send("x", descriptors: [writer])
            _ = try await second.receive(timeout: .seconds(20))
            #expect(second.descriptorCount == 1)
            Kernel.close(writer)
            await first.close()
            await second.close()
        }
        try await eventually("closed with the object") { DescriptorPassingTests.isAbandoned(reader) }
        Kernel.close(reader)
    }

    /// What the process has no room for the kernel cuts off (MSG_CTRUNC).
    @Test func descriptors_withoutRoomInTheProcess_areTold_andNothingLeaks() async throws {
        await #expect(processExitsWith: .success) {
            let (first, second) = try LocalSocket.pair()
            second.descriptorLimit = 100
            let errors = EventRecorder<SocketError.Kind>()
            second.on(.error) { errors.record($0.kind) }
            let (reader, writer) = try RawLocal.pipe()
            let number = await first.getSocketFd()
            let fillers = try await useUpDescriptors()
            RawLocal.send([1], with: [Int32](repeating: Int32(writer), count: 50), to: number)
            #expect(try await second.receive(timeout: .seconds(20))?.message == [1])
            try await errors.wait(for: .descriptorsLost)
            #expect(second.descriptorCount < 50)
            for filler in fillers { ProcessFacts.closeNothing(filler) }
            while let descriptor = second.takeDescriptor() { Kernel.close(descriptor) }
            Kernel.close(writer)
            #expect(RawLocal.isAbandoned(reader))
            await first.close()
            await second.close()
        }
    }

    // MARK: What cannot be sent

    @Test func sends_thatCannotBe_areRefused_andHarmNothing() async throws {
        let (first, second) = try LocalSocket.pair()
        second.descriptorLimit = 300
        let empty = await failure { () async throws(SocketError) in try await first.send([], descriptors: [0]) }
        #expect(empty?.kind == .invalidArgument && empty?.field == "bytes")
        for descriptors in [[-1], [Int.max], [0, 123_456], [Int](repeating: 0, count: 254)] {
            let error = await failure { () async throws(SocketError) in
                try await first.send("x", descriptors: descriptors)
            }
            #expect(error?.kind == .invalidArgument && error?.field == "descriptors")
        }
        let completed = try await answer { first.send([1], descriptors: [-1], completion: $0) }
        #expect(throws: SocketError.self) { try completed.get() }
        try await first.send("none", descriptors: [])
        #expect(try await second.receive(timeout: .seconds(20))?.text == "none")
        // As many as one message can carry.
        let (reader, writer) = try RawLocal.pipe()
        try await first.send("many", descriptors: [Int](repeating: writer, count: 253))
        Kernel.close(writer)
        #expect(try await second.receive(timeout: .seconds(20))?.text == "many")
        #expect(second.descriptorCount == 253)
        while let descriptor = second.takeDescriptor() { Kernel.close(descriptor) }
        try await eventually("nobody holds it") { DescriptorPassingTests.isAbandoned(reader) }
        Kernel.close(reader)
        await first.close()
        await second.close()
        let closed = await failure { () async throws(SocketError) in try await first.send("x", descriptors: [0]) }
        #expect(closed?.kind == .closed)
    }

    /// A descriptor ends a read early: what is behind it is read all the same, also by those who take no descriptors.
    @Test(arguments: [0, 8]) func input_behindADescriptor_isNotLost(_ limit: Int) async throws {
        let (first, second) = try LocalSocket.pair()
        second.descriptorLimit = limit
        let number = await first.getSocketFd()
        for _ in 0..<4 {
            RawLocal.send([1, 2, 3], to: number)
            RawLocal.send([4], with: [0], to: number)
        }
        RawLocal.send([5, 6], to: number)
        #expect(try await read(18, from: second).count == 18)
        let listened = EventRecorder<Int>()
        second.on(.message) { listened.record($0.size) }
        for _ in 0..<4 {
            RawLocal.send([1, 2, 3], to: number)
            RawLocal.send([4], with: [0], to: number)
        }
        try await listened.wait { $0.reduce(0, +) == 16 }
        #expect(second.descriptorCount == limit)
        await first.close()
        await second.close()
    }
}
