import HarmonySocket
import Testing

@Suite("Promises: ends, delivery and serving", .timeLimit(.minutes(1)))
struct DeliveryTests {
    @Test("11. At the end of input pull readers get nil, and the socket stays open for sending")
    func end_withPullReader_socketStaysOpen() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        try peer.send("request")
        peer.finish()
        var request: [UInt8] = []
        for try await chunk in connection.messages { request += chunk.message }
        #expect(request == Array("request".utf8))
        for _ in 0..<3 { #expect(try await connection.receive(timeout: .seconds(1)) == nil) }
        #expect(connection.state.isConnected)
        #expect(connection.canSend)
        #expect(!connection.canReceive)
        let pattern = Pattern()
        async let sent: Void = connection.send(pattern.bytes(2_000_000))
        let reply = try await blocking { try peer.receive(exactly: 2_000_000) }
        try await sent
        #expect(pattern.matches(reply))
        await connection.close()
        #expect(try await blocking { try peer.receiveAll() }.isEmpty)
    }

    @Test("11. With a message listener end is followed by close() with its flush; a reply in the end listener goes out")
    func end_withListener_isFollowedByClose() async throws {
        let pattern = Pattern()
        let heard = EventRecorder<String>()
        let (connection, peer) = try await makeConnectionWithRawPeer { connection in
            connection.on(.message) { _ in }
            connection.on(.end) {
                heard.record("end")
                connection.send(pattern.bytes(3_000_000)) { heard.record("sent \($0.failure == nil)") }
            }
            connection.on(.close) { heard.record("close \($0.hadError)") }
        }
        try peer.send("request")
        peer.finish()
        let reply = try await blocking { try peer.receiveAll() }
        #expect(reply.count == 3_000_000)
        #expect(pattern.matches(reply))
        try await heard.wait(count: 3)
        #expect(heard.events == ["end", "sent true", "close false"])
        #expect(connection.state.isClose)
    }

    @Test("11. A half-open socket stays open for sending when asked to, also with a message listener")
    func end_halfOpenAllowed_socketStaysOpen() async throws {
        let heard = EventRecorder<String>()
        let (connection, peer) = try await makeConnectionWithRawPeer { connection in
            connection.allowsHalfOpen = true
            connection.on(.message) { _ in }
            connection.on(.end) { heard.record("end") }
            connection.on(.close) { heard.record("close") }
        }
        peer.finish()
        try await heard.wait(for: "end")
        try await connection.send("much later")
        #expect(try await blocking { try peer.receive(exactly: 10) } == Array("much later".utf8))
        #expect(heard.events == ["end"])
        await connection.close()
        try await heard.wait(for: "close")
    }

    @Test("11. A reset always closes: idle, with unread input, and behind the peer's end", arguments: [0, 1, 2])
    func reset_always_closes(situation: Int) async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let heard = EventRecorder<String>()
        connection.on(.end) { heard.record("end") }
        connection.on(.close) { heard.record("close \($0.hadError)") }
        switch situation {
        case 0: peer.reset()
        case 1:
            try peer.send("unread")
            try await eventually("it has arrived") { await Kernel.readable(connection.descriptor) == 6 }
            peer.reset()
            // The bytes came before the reset: they are still to be had.
            #expect(try await connection.receive(timeout: .seconds(20))?.text == "unread")
        default:
            peer.finish()
            try await heard.wait(for: "end")
            peer.reset()
        }
        try await heard.wait(for: "close true")
        #expect(connection.state.isClose)
    }

    @Test("14. Listeners and completions run on the socket's loop")
    func delivery_byDefault_onTheLoop() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let onLoop = EventRecorder<Bool>()
        let loop = connection.eventLoop
        connection.on(.message) { _ in onLoop.record(loop.isCurrent) }
        connection.on(.close) { onLoop.record(loop.isCurrent) }
        try peer.send("x")
        try await onLoop.wait(count: 1)
        connection.send("y") { _ in onLoop.record(loop.isCurrent) }
        connection.getState { _ in onLoop.record(loop.isCurrent) }
        connection.getExtraOptions { _ in onLoop.record(loop.isCurrent) }
        connection.close { _ in onLoop.record(loop.isCurrent) }
        #expect(try await onLoop.wait(count: 6) == [Bool](repeating: true, count: 6))
        peer.close()
    }

    @Test("14. Listeners and completions run on an actor, or the main actor, when that was chosen")
    func delivery_toActors_runsThere() async throws {
        actor Counter {
            var count = 0
        }
        let counter = Counter()
        let (connection, peer) = try await makeConnectionWithRawPeer { $0.deliver(on: .actor(counter)) }
        let done = Outcome<Void>()
        connection.on(.message) { message in counter.assumeIsolated { $0.count += message.message.count } }
        connection.on(.close) {
            counter.assumeIsolated { $0.count += 1_000_000 }
            done.set(.success(()))
        }
        try await blocking {
            try peer.send([UInt8](repeating: 0, count: 500_000))
            peer.close()
        }
        try await within { try await done.value }
        #expect(await counter.count == 1_500_000)

        let (onMain, other) = try await makeConnectionWithRawPeer { $0.deliver(on: .mainActor) }
        let heard = EventRecorder<String>()
        onMain.on(.message) { message in MainActor.assumeIsolated { heard.record(message.text ?? "") } }
        onMain.on(.close) { MainActor.assumeIsolated { heard.record("close") } }
        try other.send("hello")
        try await heard.wait(for: "hello")
        onMain.close { _ in MainActor.assumeIsolated { heard.record("closed") } }
        #expect(try await heard.wait(count: 3) == ["hello", "closed", "close"])
    }

    @Test("14. Off the loop one delivery at a time is outstanding, and the next read waits for it")
    func delivery_slowQueue_holdsTheReaderBack() async throws {
        let waiting = TestLock([@Sendable () -> Void]())
        let most = TestLock(0)
        let pattern = Pattern()
        let heard = TestLock((offset: 0, isWhole: true))
        let (connection, peer) = try await makeConnectionWithRawPeer(
            serverOptions: TCPExtraOptions(receiveBufferSize: 65_536)
        ) { connection in
            connection.deliver(
                on: .queue { work in
                    let count = waiting.withLock { waiting in
                        waiting.append(work)
                        return waiting.count
                    }
                    most.withLock { $0 = max($0, count) }
                })
            connection.on(.message) { message in
                heard.withLock { heard in
                    if !pattern.matches(message.message, at: heard.offset) { heard.isWhole = false }
                    heard.offset += message.message.count
                }
            }
        }
        // Nobody takes a delivery, so nothing more is read: the peer's sending gets stuck in the kernel's buffers.
        let total = 20_000_000
        let sent = TestLock(0)
        startThread {
            for start in stride(from: 0, to: total, by: 50_000) {
                guard (try? peer.send(pattern.bytes(50_000, at: start))) != nil else { return }
                sent.withLock { $0 = start + 50_000 }
            }
            peer.finish()
        }
        try await eventually("a delivery waits") { waiting.withLock { $0.count } == 1 }
        let last = TestLock((amount: -1, times: 0))
        try await eventually("the peer is stuck") {
            let amount = sent.withLock { $0 }
            return last.withLock { last in
                last = (amount, amount == last.amount ? last.times + 1 : 0)
                return last.times > 50
            }
        }
        #expect(sent.withLock { $0 } < total)
        #expect(heard.withLock { $0.offset } == 0)
        let takeAll: @Sendable () -> Void = {
            while let work = waiting.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { work() }
        }
        try await eventually("everything is delivered and the socket closed") {
            takeAll()
            return heard.withLock { $0.offset } == total && connection.state.isClose
        }
        #expect(heard.withLock { $0.isWhole })
        #expect(most.withLock { $0 } == 1)
    }

    @Test("15. A connection is not read before its connect listeners returned: no event of it is missed")
    func connectListener_addsListenersLate_missesNothing() async throws {
        let (server, address) = try await makeServer()
        let heard = EventRecorder<String>()
        let hasSaidAll = Gate()
        server.on(.connect) { connection in
            // All that the peer has to say, its end included, is in the kernel before the first listener is added.
            hasSaidAll.pass()
            connection.on(.message) { heard.record($0.text ?? "") }
            connection.on(.end) { heard.record("end") }
            connection.on(.close) { heard.record("close") }
        }
        let peer = try await blocking { try RawSocket.connected(to: address) }
        try peer.send("early")
        peer.finish()
        hasSaidAll.open()
        try await heard.wait(for: "close")
        #expect(heard.events == ["early", "end", "close"])
        await server.close()
    }

    @Test("15. serve: a connection closes when its handler returns, with everything it sent")
    func serve_handlerReturns_closesWithFlush() async throws {
        let (server, address) = try await makeServer()
        let pattern = Pattern()
        let serving = Task { try await server.serve { client in client.send(pattern.bytes(5_000_000)) { _ in } } }
        for _ in 0..<3 {
            let peer = try await blocking { try RawSocket.connected(to: address) }
            try peer.send("never read")
            let reply = try await blocking { try peer.receiveAll() }
            #expect(reply.count == 5_000_000)
            #expect(pattern.matches(reply))
        }
        await server.close()
        try await within { try await serving.value }
    }

    @Test("15. serve: a handler that throws closes its connection and tells the server's error; the others go on")
    func serve_handlerThrows_onlyItsConnectionCloses() async throws {
        struct Broken: Error {}
        let (server, address) = try await makeServer()
        let errors = EventRecorder<SocketError>()
        server.on(.error) { errors.record($0) }
        let serving = Task {
            try await server.serve { client in
                for try await message in client.messages {
                    if message.text == "break" { throw Broken() }
                    try await client.send(message.message)
                }
            }
        }
        let (good, bad) = try await blocking {
            (try RawSocket.connected(to: address), try RawSocket.connected(to: address))
        }
        try good.send("one")
        #expect(try await blocking { try good.receive(exactly: 3) } == Array("one".utf8))
        try bad.send("break")
        #expect(try await blocking { try bad.receiveAll() }.isEmpty)
        let error = try #require(try await errors.wait(count: 1).first)
        #expect(error.kind == .handlerFailed)
        #expect(error.description.contains("Broken"))
        try good.send("two")
        #expect(try await blocking { try good.receive(exactly: 3) } == Array("two".utf8))
        await server.close()
        good.finish()
        try await within { try await serving.value }
        #expect(errors.count == 1)
    }

    @Test("15. Cancelling serve stops accepting and cancels the handlers; the server goes on listening")
    func serve_cancelled_cancelsHandlersAndListensOn() async throws {
        let (server, address) = try await makeServer()
        let handlers = EventRecorder<String>()
        let serving = Task {
            try await server.serve { client in
                handlers.record("began")
                do {
                    for try await _ in client.messages {}
                } catch {
                    handlers.record("\((error as? SocketError)?.kind == .cancelled) \(Task.isCancelled)")
                    throw error
                }
            }
        }
        let peers = try await blocking { try (0..<5).map { _ in try RawSocket.connected(to: address) } }
        try await handlers.wait(count: 5)
        serving.cancel()
        let error = try await within { await serving.result }.failure as? SocketError
        #expect(error?.kind == .cancelled)
        #expect(handlers.events.filter { $0 == "true true" }.count == 5)
        for peer in peers { #expect(try await blocking { try peer.receiveAll() }.isEmpty) }
        // Accepted by the kernel, and by nobody of ours until somebody serves again.
        let late = try await blocking { try RawSocket.connected(to: address) }
        #expect(handlers.events.filter { $0 == "began" }.count == 5)
        let again = Task { try await server.serve { client in try await client.send("served again") } }
        #expect(try await blocking { try late.receiveAll() } == Array("served again".utf8))
        await server.close()
        try await within { try await again.value }
    }
}
