import HarmonySocket
import Testing

@Suite("Promises: receiving and waiting", .timeLimit(.minutes(1)))
struct ReceivingTests {
    @Test("2. Bytes that arrive before anybody listens wait; a listener added late gets them all, in order")
    func bytes_beforeAnyListener_reachALateListener() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let pattern = Pattern()
        try await blocking {
            try peer.send(pattern.bytes(60_000))
            peer.finish()
        }
        try await eventually("the bytes are in the kernel") { await Kernel.readable(connection.descriptor) == 60_000 }
        let events = EventRecorder<[UInt8]?>()
        connection.allowsHalfOpen = true
        connection.on(.end) { events.record(nil) }
        connection.on(.message) { events.record($0.message) }
        let all = try await events.wait { $0.contains { $0 == nil } }
        #expect(pattern.matches(all.compactMap { $0 }.flatMap { $0 }))
        #expect(all.compactMap { $0 }.map(\.count).reduce(0, +) == 60_000)
        #expect(all.last == .some(nil), "end is behind the bytes")
        await connection.close()
    }

    @Test("2. Pulling in every style gives every byte once and in order")
    func pulling_stylesMixed_nothingLostNorDoubled() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let pattern = Pattern()
        let total = 3_000_000
        async let sent: Void = blocking {
            try peer.send(pattern.bytes(total))
            peer.finish()
        }
        var offset = 0
        var round = 0
        while true {
            round += 1
            var chunk: [UInt8]?
            switch round % 3 {
            case 0: chunk = try await connection.receive(timeout: .seconds(10))?.message
            case 1: chunk = try await answer { connection.receive(completion: $0) }.get()?.message
            default:
                for try await message in connection.messages {
                    chunk = message.message
                    break
                }
            }
            guard let chunk else { break }
            #expect(pattern.matches(chunk, at: offset))
            offset += chunk.count
        }
        try await sent
        #expect(offset == total)
        await connection.close()
    }

    @Test("3. Every pending call ends exactly once, however close, reset, time-outs and cancellation meet")
    func calls_endedByEverythingAtOnce_endExactlyOnce() async throws {
        for round in 0..<30 {
            let (connection, peer) = try await makeConnectionWithRawPeer(peerReceiveBuffer: 8192)
            var outcomes: [Outcome<Void>] = []
            func count<Value>() -> @Sendable (Result<Value, SocketError>) -> Void {
                let outcome = Outcome<Void>()
                outcomes.append(outcome)
                return { _ in outcome.set(.success(())) }
            }
            let ended = Outcome<Void>()
            connection.on(.close) { ended.set(.success(())) }
            for number in 0..<10 {
                connection.send(
                    [UInt8](repeating: 0, count: 200_000), timeout: .milliseconds(number), completion: count())
                connection.receive(timeout: .milliseconds(number), completion: count())
                connection.receive(completion: count())
                connection.getState(completion: count())
                connection.getExtraOptions(completion: count())
                connection.getRemoteAddress(completion: count())
            }
            connection.finish(completion: count())
            if round % 3 != 0 { connection.close(completion: count()) }
            peer.reset()
            connection.reset(completion: count())
            connection.close(completion: count())
            connection.send([1], completion: count())
            connection.receive(completion: count())
            connection.finish(completion: count())
            connection.setExtraOptions(TCPExtraOptions(keepAlive: true), completion: count())
            try await within(.seconds(20), "close") { try await ended.value }
            for outcome in outcomes { try await within(.seconds(20), "a completion") { try await outcome.value } }
            // Whatever the loop still had to say is said behind this.
            try await within {
                await withCheckedContinuation { done in connection.eventLoop.execute { done.resume() } }
            }
            #expect(outcomes.allSatisfy { $0.count == 1 })
        }
    }

    @Test("4. A cancelled or timed-out receive leaves the socket open and its bytes to the next reader")
    func receive_cancelledOrTimedOut_nextReaderGetsTheBytes() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let pulling = try await startWaiting(on: connection.eventLoop) { try await connection.receive() }
        let second = try await startWaiting(on: connection.eventLoop) { try await connection.receive() }
        pulling.cancel()
        #expect((await pulling.result.failure as? SocketError)?.kind == .cancelled)
        let error = await failure { () async throws(SocketError) in
            try await connection.receive(timeout: .milliseconds(30))
        }
        #expect(error?.kind == .timedOut)
        try peer.send("first")
        #expect(try await second.value?.text == "first")
        let iteration = try await startWaiting(on: connection.eventLoop) {
            for try await _ in connection.messages { break }
        }
        iteration.cancel()
        #expect((await iteration.result.failure as? SocketError)?.kind == .cancelled)
        try peer.send("second")
        #expect(try await connection.receive(timeout: .seconds(20))?.text == "second")
        #expect(connection.state.isConnected)
        await connection.close()
    }

    @Test(
        "4. A cancelled or timed-out wait for a connection leaves it to the next; the server goes on listening",
        arguments: ["connections", "accept", "accept with a time-out"])
    func accept_givenUp_nextTakesTheConnection(_ style: String) async throws {
        let (server, address) = try await makeServer()
        let waiting = Task {
            switch style {
            case "connections": for try await _ in server.connections { break }
            case "accept": _ = try await server.accept()
            default: _ = try await server.accept(timeout: .milliseconds(20))
            }
        }
        if !style.hasSuffix("time-out") { waiting.cancel() }
        let kind = (await waiting.result.failure as? SocketError)?.kind
        #expect(kind == (style.hasSuffix("time-out") ? .timedOut : .cancelled))
        let peer = try await blocking { try RawSocket.connected(to: address) }
        let next = try await server.accept(timeout: .seconds(5))
        try peer.send("hello")
        #expect(try await next.receive(timeout: .seconds(20))?.text == "hello")
        await next.close()
        await server.close()
    }

    @Test(
        "4. A cancelled connect closes its attempts at once", .enabled(if: ProcessFacts.hasProc, "counts them in /proc")
    )
    func connect_cancelled_closesItsAttempts() async throws {
        let silent = try SilentListener()
        let client = TCPSocket()
        let connecting = Task { try await client.connect(to: silent.address, timeout: nil) }
        try await eventually("the attempt is under way") { ProcessFacts.connecting(to: silent.port) == 1 }
        connecting.cancel()
        #expect((await connecting.result.failure as? SocketError)?.kind == .cancelled)
        try await eventually("the attempt is closed") { ProcessFacts.connecting(to: silent.port) == 0 }
        #expect(client.state.isClose)
    }

    @Test("5. A time-out of nil waits; one of zero takes what is there and does not wait")
    func receive_timeoutNilAndZero_waitsOrNot() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let patient = try await startWaiting(on: connection.eventLoop) { try await connection.receive(timeout: nil) }
        let error = await failure { () async throws(SocketError) in
            try await connection.receive(timeout: .milliseconds(100))
        }
        #expect(error?.kind == .timedOut)
        try peer.send("a")
        #expect(try await patient.value?.text == "a")

        let clock = ContinuousClock()
        let took = await clock.measure {
            for _ in 0..<100 {
                let error = await failure { () async throws(SocketError) in try await connection.receive(timeout: .zero)
                }
                #expect(error?.kind == .timedOut)
            }
        }
        #expect(took < .seconds(15))
        try peer.send("b")
        try await eventually("it is in the kernel") { await Kernel.readable(connection.descriptor) == 1 }
        #expect(try await connection.receive(timeout: .zero)?.text == "b")
        await connection.close()
    }

    @Test("5. A time-out neither comes early nor much too late")
    func receive_timesOut_onTime() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        defer { peer.close() }
        let clock = ContinuousClock()
        for limit in [Duration.milliseconds(5), .milliseconds(40), .milliseconds(150)] {
            let took = await clock.measure {
                _ = await failure { () async throws(SocketError) in try await connection.receive(timeout: limit) }
            }
            #expect(took >= limit)
            #expect(took < limit + .seconds(15))
        }
        await connection.close()
    }

    @Test("8. A failed connect closes the socket; a second connect changes nothing, whatever becomes of it")
    func connect_refusedOrRepeated_closesOrChangesNothing() async throws {
        let port = try freePort()
        let refused = TCPSocket()
        let closed = Outcome<SocketCloseInfo>()
        refused.on(.close) { closed.set(.success($0)) }
        let impossible = await failure { () async throws(SocketError) in
            try await refused.connect(to: Loopback.ipv4.address(70_000))
        }
        #expect(impossible?.kind == .invalidArgument)
        #expect(refused.state == TCPSocket().state, "arguments that cannot be change nothing")
        let error = await failure { () async throws(SocketError) in
            try await refused.connect(to: Loopback.ipv4.address(port))
        }
        #expect(error?.kind == .connectionRefused)
        #expect(try await within { try await closed.value }.hadError)
        #expect(refused.state.isClose)
        let again = await failure { () async throws(SocketError) in
            try await refused.connect(to: Loopback.ipv4.address(9))
        }
        #expect(again?.kind == .closed)
    }

    @Test("8. Connecting while connecting fails without side effect, also when the second call is cancelled")
    func connect_whileConnecting_firstGoesOn() async throws {
        let silent = try SilentListener()
        let client = TCPSocket()
        let first = Task { try await client.connect(to: silent.address, timeout: nil) }
        if ProcessFacts.hasProc {
            try await eventually("the attempt is under way") { ProcessFacts.connecting(to: silent.port) == 1 }
        }
        let second = await failure { () async throws(SocketError) in try await client.connect(to: silent.address) }
        #expect(second?.kind == .alreadyConnected)
        for _ in 0..<20 {
            let third = Task { try await client.connect(to: silent.address) }
            third.cancel()
            #expect((await third.result.failure as? SocketError)?.kind == .alreadyConnected)
        }
        let bound = await failure { () async throws(SocketError) in try await client.bind(Loopback.ipv4.address()) }
        #expect(bound?.kind == .alreadyConnected)
        #expect(client.state == TCPSocket().state, "still neither connected nor closed")
        // Room for the first: it connects as if nothing had been asked meanwhile.
        let accepted = try await blocking { try silent.letIn() }
        try await within { try await first.value }
        #expect(client.state.isConnected)
        let connected = await failure { () async throws(SocketError) in try await client.connect(to: silent.address) }
        #expect(connected?.kind == .alreadyConnected)
        try accepted.send("still here")
        #expect(try await client.receive(timeout: .seconds(20))?.text == "still here")
        await client.close()
    }
}
