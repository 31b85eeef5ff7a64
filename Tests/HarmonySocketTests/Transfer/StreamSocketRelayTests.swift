import HarmonySocket
import Testing

@Suite(.bounded) struct StreamSocketRelayTests {
    /// The ways that bytes can go.
    enum Way: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case oneLoop = "on one loop"
        case twoLoops = "between two loops"
        case copying = "by copying"
        case copyingBetweenLoops = "by copying, between two loops"

        var testDescription: String { rawValue }
        var isCopying: Bool { self == .copying || self == .copyingBetweenLoops }
        var hasTwoLoops: Bool { self == .twoLoops || self == .copyingBetweenLoops }
    }

    /// Two connections of ours, each with a peer of the C library.
    struct Link: Sendable {
        let way: Way
        let near: TCPSocketConnection
        let nearPeer: RawSocket
        let far: TCPSocketConnection
        let farPeer: RawSocket

        init(_ way: Way, farReceiveBuffer: Int32? = nil) async throws {
            self.way = way
            let group = SocketEventLoopGroup(count: 1)
            (near, nearPeer) = try await makeConnectionWithRawPeer(group: group)
            (far, farPeer) = try await makeConnectionWithRawPeer(
                group: way.hasTwoLoops ? SocketEventLoopGroup(count: 1) : group, peerReceiveBuffer: farReceiveBuffer)
        }

        /// Relays until it ends.
        func relay(
            idleTimeout: Duration? = nil, progress: (@Sendable (RelayCounts) -> Void)? = nil
        ) async -> Result<RelayCounts, RelayError> {
            do throws(RelayError) {
                return .success(
                    try await near.relay(
                        with: far, idleTimeout: idleTimeout, isCopying: way.isCopying, progress: progress))
            } catch {
                return .failure(error)
            }
        }

        func start() -> Task<Result<RelayCounts, RelayError>, Never> { Task { await relay() } }

        func reset() async {
            await near.reset()
            await far.reset()
        }
    }

    private static let pattern = Pattern(seed: 7)

    // MARK: Whole streams

    @Test(arguments: Way.allCases)
    func bothWays_atOnce_arriveWhole(_ way: Way) async throws {
        let link = try await Link(way)
        let there = Pattern(seed: 1).bytes(9_000_001)
        let back = Pattern(seed: 2).bytes(7_000_003)
        let relay = link.start()
        async let nearSent: Void = blocking {
            try link.nearPeer.send(there)
            link.nearPeer.finish()
        }
        async let farSent: Void = blocking {
            try link.farPeer.send(back)
            link.farPeer.finish()
        }
        async let farReceived = blocking { try link.farPeer.receiveAll() }
        async let nearReceived = blocking { try link.nearPeer.receiveAll() }
        #expect(try await farReceived == there)
        #expect(try await nearReceived == back)
        _ = try await (nearSent, farSent)
        let counts = try await relay.value.get()
        #expect(counts.forward == there.count && counts.backward == back.count)
        #expect(link.near.state.isConnected && link.far.state.isConnected, "closing is the program's part")
        await link.near.close()
        await link.far.close()
    }

    @Test(arguments: Way.allCases)
    func endOfOneDirection_isHandedOn_andTheOtherGoesOn(_ way: Way) async throws {
        let link = try await Link(way)
        let relay = link.start()
        try link.nearPeer.send("question")
        link.nearPeer.finish()
        #expect(try await blocking { try link.farPeer.receiveAll() } == Array("question".utf8))
        // Behind the end of the other direction.
        for _ in 0..<3 {
            try link.farPeer.send("answer")
            #expect(try await blocking { try link.nearPeer.receive(exactly: 6) } == Array("answer".utf8))
        }
        link.farPeer.finish()
        #expect(try await blocking { try link.nearPeer.receiveAll() } == [])
        let counts = try await relay.value.get()
        #expect(counts.forward == 8 && counts.backward == 18)
        await link.near.close()
        await link.far.close()
    }

    @Test(arguments: Way.allCases)
    func smallMessages_goToAndFro(_ way: Way) async throws {
        let link = try await Link(way)
        let relay = link.start()
        try await blocking {
            for number in 0..<500 {
                let message = [UInt8](repeating: UInt8(number % 251), count: 1 + number % 97)
                try link.nearPeer.send(message)
                guard try link.farPeer.receive(exactly: message.count) == message else { throw RawError("mixed up") }
                try link.farPeer.send(message)
                guard try link.nearPeer.receive(exactly: message.count) == message else { throw RawError("mixed up") }
            }
            link.nearPeer.close()
            link.farPeer.close()
        }
        let result = await relay.value
        // A peer that has closed may answer the other one's end with a reset.
        if case .success(let counts) = result { #expect(counts.forward == counts.backward) }
        await link.reset()
    }

    @Test(arguments: Way.allCases)
    func whatWasReadAhead_goesFirst(_ way: Way) async throws {
        let link = try await Link(way)
        try link.nearPeer.send("head\nbody")
        try await eventually("all is there") { Kernel.readable(await link.near.descriptor) == 9 }
        #expect(try await link.near.receive(until: [0x0a]) == Array("head\n".utf8))
        let relay = link.start()
        #expect(try await blocking { try link.farPeer.receive(exactly: 4) } == Array("body".utf8))
        try link.nearPeer.send(" and soul")
        link.nearPeer.finish()
        link.farPeer.finish()
        #expect(try await blocking { try link.farPeer.receiveAll() } == Array(" and soul".utf8))
        #expect(try await relay.value.get().forward == 13)
        await link.near.close()
        await link.far.close()
    }

    @Test func sendsOfTheProgram_goBetween_andDoNotMixIn() async throws {
        let link = try await Link(.oneLoop, farReceiveBuffer: 8192)
        let first = StreamSocketRelayTests.pattern.bytes(12_000_000)
        link.far.send(first) { _ in }
        try await waitUntilStuck(link.far)
        let relay = link.start()
        let before = link.far.bufferedAmount
        try link.nearPeer.send("relayed")
        try await eventually("it is queued") { link.far.bufferedAmount == before + 7 }
        link.far.send("behind") { _ in }
        link.nearPeer.finish()
        link.farPeer.finish()
        let received = try await blocking { try link.farPeer.receiveAll() }
        #expect(received == first + Array("relayedbehind".utf8))
        _ = await relay.value
        await link.near.close()
        await link.far.close()
    }

    @Test func completionForm_tellsTheCounts() async throws {
        let link = try await Link(.twoLoops)
        let result: Outcome<Result<RelayCounts, RelayError>> = Outcome()
        link.near.relay(with: link.far) { result.set(.success($0)) }
        try link.nearPeer.send("abc")
        link.nearPeer.finish()
        link.farPeer.finish()
        #expect(try await result.value.get().forward == 3)
        await link.near.close()
        await link.far.close()
    }

    @Test func progress_grows_oneReportAtATime() async throws {
        let link = try await Link(.twoLoops, farReceiveBuffer: 100_000)
        let reports = EventRecorder<RelayCounts>()
        let running = TestLock(0)
        let relay = Task {
            await link.relay { counts in
                #expect(
                    running.withLock {
                        $0 += 1
                        return $0
                    } == 1)
                reports.record(counts)
                running.withLock { $0 -= 1 }
            }
        }
        let size = 6_000_000
        let bytes = StreamSocketRelayTests.pattern.bytes(size)
        async let sent: Void = blocking {
            try link.nearPeer.send(bytes)
            link.nearPeer.finish()
        }
        async let sentBack: Void = blocking {
            for _ in 0..<20 {
                try link.farPeer.send([1])
                ProcessFacts.pause(.milliseconds(20))
            }
            link.farPeer.finish()
        }
        let received = try await blocking {
            var count = 0
            for _ in 0..<3 {
                count += try link.farPeer.receive(exactly: 1_000_000).count
                ProcessFacts.pause(.milliseconds(120))
            }
            return try count + link.farPeer.receiveAll().count
        }
        _ = try await (sent, sentBack)
        #expect(received == size)
        let counts = try await relay.value.get()
        #expect(counts.forward == size && counts.backward == 20)
        #expect(reports.count >= 2)
        #expect(reports.events.map(\.forward) == reports.events.map(\.forward).sorted())
        #expect(reports.events.allSatisfy { $0.forward <= size && $0.backward <= 20 })
        await link.near.close()
        await link.far.close()
    }

    // MARK: Back-pressure

    @Test(arguments: Way.allCases)
    func readerThatHasStalled_slowsTheSenderDown_andLosesNothing(_ way: Way) async throws {
        let link = try await Link(way, farReceiveBuffer: 8192)
        let relay = link.start()
        link.nearPeer.setSendBuffer(50_000)
        var taken = 0
        let still = TestLock(0)
        for _ in 0..<500 where still.withLock({ $0 }) < 30 {
            let more = ProcessFacts.fill(link.nearPeer.number)
            taken += more
            still.withLock { $0 = more == 0 ? $0 + 1 : 0 }
            try await Task.sleep(for: .milliseconds(5))
        }
        // What the kernel's own buffers hold, and one hand-over.
        #expect(taken < 40 << 20, "\(taken) bytes were taken from the sender")
        #expect(link.far.bufferedAmount <= 256 * 1024)
        // The other direction is not concerned.
        try link.farPeer.send("hello")
        #expect(try await blocking { try link.nearPeer.receive(exactly: 5) } == Array("hello".utf8))
        link.nearPeer.finish()
        link.farPeer.finish()
        let received = try await blocking { try link.farPeer.receiveAll().count }
        #expect(received == taken)
        #expect(try await relay.value.get().forward == taken)
        await link.near.close()
        await link.far.close()
    }

    // MARK: Trouble

    @Test(arguments: Way.allCases, [RelaySide.this, .other])
    func resetOfOneSide_resetsTheOther_andIsNamed(_ way: Way, _ side: RelaySide) async throws {
        let link = try await Link(way)
        let relay = link.start()
        // Under way in both directions.
        try link.nearPeer.send("abc")
        try link.farPeer.send("de")
        _ = try await blocking { (try link.farPeer.receive(exactly: 3), try link.nearPeer.receive(exactly: 2)) }
        let (broken, other) = side == .this ? (link.nearPeer, link.farPeer) : (link.farPeer, link.nearPeer)
        broken.reset()
        guard case .failure(let error) = await relay.value else { return #expect(Bool(false)) }
        #expect(error.side == side)
        #expect(error.kind == .connectionReset)
        #expect(error.error.operation == .receive)
        #expect(error.counts.forward == 3 && error.counts.backward == 2)
        // Not mistaken for an end.
        await #expect(throws: RawError.self) { try await blocking { try other.receiveAll() } }
        try await eventually("both are closed") { link.near.state.isClose && link.far.state.isClose }
    }

    @Test(arguments: Way.allCases)
    func resetAtAnyPoint_endsTheRelay_withThatSide(_ way: Way) async throws {
        var random = SplitMix(42)
        for round in 0..<12 {
            let link = try await Link(way, farReceiveBuffer: round.isMultiple(of: 3) ? 8192 : nil)
            let relay = link.start()
            let isNear = round.isMultiple(of: 2)
            let delay = Duration.microseconds(Int.random(in: 0..<3000, using: &random))
            let (breaking, staying) = isNear ? (link.nearPeer, link.farPeer) : (link.farPeer, link.nearPeer)
            // All four ends are busy: nobody ends by itself.
            let floods = [Flood(from: breaking), Flood(from: staying)]
            async let swallowed: Void = blocking { while let bytes = try? staying.receive(), !bytes.isEmpty {} }
            try await Task.sleep(for: delay)
            // Nobody else may be using a number that is given back.
            floods[0].stop()
            breaking.reset()
            let result = await relay.value
            floods[1].stop()
            try await swallowed
            guard case .failure(let error) = result else {
                #expect(Bool(false), "round \(round): \(result)")
                continue
            }
            #expect(error.side == (isNear ? .this : .other), "round \(round): \(error)")
            #expect(error.kind == .connectionReset, "round \(round): \(error)")
            await link.reset()
        }
    }

    @Test(arguments: Way.allCases)
    func sideThatTakesNoMore_isStillHeardToItsEnd(_ way: Way) async throws {
        let link = try await Link(way)
        // All of an answer is on its way, and then its sender goes without having read.
        let answer = StreamSocketRelayTests.pattern.bytes(100_000)
        try await blocking { try link.farPeer.send(answer) }
        try await eventually("the answer is there") { Kernel.readable(await link.far.descriptor) == answer.count }
        link.farPeer.finish()
        let relay = link.start()
        #expect(try await blocking { try link.nearPeer.receiveAll() } == answer)
        link.farPeer.close()
        let flood = Flood(from: link.nearPeer)
        let result = await relay.value
        flood.stop()
        guard case .failure(let error) = result else { return #expect(Bool(false)) }
        #expect(error.side == .other && error.kind == .connectionReset && error.error.operation == .send)
        #expect(error.counts.backward == answer.count)
        await link.reset()
    }

    @Test(arguments: Way.allCases)
    func sideThatIsGone_behindItsEnd_isNoticed_whileTheOtherIsSilent(_ way: Way) async throws {
        let link = try await Link(way)
        let relay = link.start()
        try link.farPeer.send("answer")
        link.farPeer.finish()
        #expect(try await blocking { try link.nearPeer.receiveAll() } == Array("answer".utf8))
        link.farPeer.reset()
        guard case .failure(let error) = await relay.value else { return #expect(Bool(false)) }
        #expect(error.side == .other && error.kind == .connectionReset && error.error.operation == .send)
        #expect(error.counts.backward == 6)
        #expect(!link.near.state.isClose)
        await link.reset()
    }

    @Test(arguments: [RelaySide.this, .other])
    func closingOneSideOurselves_endsTheRelay_andLeavesTheOther(_ side: RelaySide) async throws {
        let link = try await Link(.twoLoops)
        let relay = link.start()
        try link.nearPeer.send("abc")
        _ = try await blocking { try link.farPeer.receive(exactly: 3) }
        let (closed, open) = side == .this ? (link.near, link.far) : (link.far, link.near)
        await closed.close()
        guard case .failure(let error) = await relay.value else { return #expect(Bool(false)) }
        #expect(error.side == side, "\(error)")
        #expect(error.kind == .aborted, "\(error)")
        #expect(open.state.isConnected)
        try await open.send("still here")
        await link.reset()
    }

    /// Nobody reads from the near side meanwhile, since the far side takes nothing.
    @Test(arguments: Way.allCases, [false, true])
    func endOfASide_whileTheOtherHasStalled_isNoticed(_ way: Way, _ isReset: Bool) async throws {
        let link = try await Link(way, farReceiveBuffer: 8192)
        link.far.send(StreamSocketRelayTests.pattern.bytes(12_000_000)) { _ in }
        try await waitUntilStuck(link.far)
        let before = link.far.bufferedAmount
        let relay = link.start()
        try link.nearPeer.send("abc")
        try await eventually("it is queued") { link.far.bufferedAmount == before + 3 }
        if isReset { link.nearPeer.reset() } else { await link.near.close() }
        guard case .failure(let error) = await relay.value else { return #expect(Bool(false)) }
        #expect(error.side == .this, "\(error)")
        #expect(error.kind == (isReset ? .connectionReset : .aborted), "\(error)")
        if isReset {
            try await eventually("the other side is reset") { link.far.state.isClose }
        } else {
            #expect(link.far.canSend)
        }
        await link.reset()
        link.nearPeer.close()
    }

    @Test func relay_ofSocketsThatCannot_saysWhich() async throws {
        let pair = try await makeTCPPair()
        let fresh = TCPSocket()
        let error = await relayError { () async throws(RelayError) in try await pair.client.relay(with: fresh) }
        #expect(error?.side == .other && error?.kind == .notConnected)
        pair.client.on(.message) { _ in }
        let listening = await relayError { () async throws(RelayError) in
            try await pair.connection.relay(with: pair.client)
        }
        #expect(listening?.side == .other && listening?.kind == .invalidState)
        #expect(pair.connection.state.isConnected)
        await pair.client.close()
        let closed = await relayError { () async throws(RelayError) in
            try await pair.connection.relay(with: pair.client)
        }
        #expect(closed?.side == .other && closed?.kind == .closed)
        await pair.close()
    }

    private func relayError(_ body: () async throws(RelayError) -> RelayCounts) async -> RelayError? {
        do throws(RelayError) {
            _ = try await body()
            return nil
        } catch {
            return error
        }
    }

    // MARK: Giving up

    @Test(arguments: Way.allCases)
    func cancelledAtAnyPoint_losesNothing(_ way: Way) async throws {
        var random = SplitMix(4711)
        let stream = StreamSocketRelayTests.pattern
        for round in 0..<15 {
            let link = try await Link(way, farReceiveBuffer: round.isMultiple(of: 2) ? 8192 : nil)
            let size = 4_000_000
            let isStalled = round.isMultiple(of: 5)
            startThread {
                try? link.nearPeer.send(stream.bytes(size))
                link.nearPeer.finish()
            }
            let gate = Gate()
            async let received = blocking { () -> [UInt8] in
                if isStalled { gate.pass() }
                return try link.farPeer.receiveAll()
            }
            let relay = link.start()
            try await Task.sleep(for: .microseconds(Int.random(in: 0..<8000, using: &random)))
            relay.cancel()
            let result = await relay.value
            gate.open()
            let counts: RelayCounts
            switch result {
            case .success(let all): counts = all
            case .failure(let error):
                #expect(error.kind == .cancelled && error.side == nil, "round \(round): \(error)")
                counts = error.counts
            }
            // The rest is there for the next reader; what was counted goes out.
            #expect((link.far.canSend || counts.forward == size) && link.near.state.isConnected)
            let rest = try await readAll(link.near)
            await link.far.close()
            let there = try await received
            #expect(there.count == counts.forward, "round \(round)")
            #expect(there.count + rest.count == size, "round \(round)")
            #expect(stream.matches(there), "round \(round)")
            #expect(stream.matches(rest, at: there.count), "round \(round)")
            await link.near.close()
        }
    }

    @Test(arguments: Way.allCases)
    func relayOnWhichNothingMoves_timesOut_andLeavesBothOpen(_ way: Way) async throws {
        let link = try await Link(way)
        try link.nearPeer.send("abc")
        let start = ContinuousClock.now
        guard case .failure(let error) = await link.relay(idleTimeout: .milliseconds(60)) else {
            return #expect(Bool(false))
        }
        #expect(error.kind == .timedOut && error.side == nil)
        #expect(error.counts.forward == 3)
        #expect(ContinuousClock.now - start >= .milliseconds(60))
        try await link.near.send("x")
        try await link.far.send("y")
        #expect(link.near.canReceive && link.far.canReceive)
        await link.reset()
    }

    @Test func relayOnWhichSomethingMoves_nowAndThen_doesNotTimeOut() async throws {
        let link = try await Link(.twoLoops)
        let relay = Task { await link.relay(idleTimeout: .milliseconds(1500)) }
        try await blocking {
            for _ in 0..<6 {
                try link.farPeer.send([1])
                _ = try link.nearPeer.receive(exactly: 1)
                ProcessFacts.pause(.milliseconds(300))
            }
            link.nearPeer.finish()
            link.farPeer.finish()
        }
        #expect(try await relay.value.get().backward == 6)
        await link.near.close()
        await link.far.close()
    }
}
