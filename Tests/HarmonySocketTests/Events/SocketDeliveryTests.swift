import Foundation
import HarmonySocket
import Testing

@Suite(.bounded) struct SocketDeliveryTests {
    /// Where deliveries go, and how a listener can tell that it runs there.
    enum Place: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case mainActor, actor, queue

        var testDescription: String { rawValue }
    }

    private actor Counter {
        var count = 0
        func add() { count += 1 }
    }

    private func delivery(_ place: Place, _ actor: Counter, _ queue: DispatchQueue) -> SocketDelivery {
        switch place {
        case .mainActor: .mainActor
        case .actor: .actor(actor)
        case .queue: .queue { queue.async(execute: $0) }
        }
    }

    @Sendable private func assumeThere(_ place: Place, _ actor: Counter, _ queue: DispatchQueue) {
        switch place {
        case .mainActor: MainActor.assumeIsolated {}
        case .actor: actor.assumeIsolated { $0.count += 1 }
        case .queue: dispatchPrecondition(condition: .onQueue(queue))
        }
    }

    @Test(arguments: Place.allCases)
    func everything_runsThere_inOrder_oneAtATime(_ place: Place) async throws {
        let (actor, queue) = (Counter(), DispatchQueue(label: "delivery"))
        let client = TCPSocket()
        client.deliver(on: delivery(place, actor, queue))
        let log = EventLog()
        let received = EventRecorder<[UInt8]>()
        let running = TestLock(0)
        let overlaps = TestLock(0)
        @Sendable func enter(_ event: String) {
            assumeThere(place, actor, queue)
            if running.withLock({
                $0 += 1
                return $0
            }) > 1 {
                overlaps.withLock { $0 += 1 }
            }
            if !event.isEmpty { log.record(event) }
            running.withLock { $0 -= 1 }
        }
        client.on(.connect) { enter("connect") }
        client.on(.end) { enter("end") }
        client.on(.close) { enter("close") }
        client.on(.message) {
            enter("")
            received.record($0.message)
        }
        let pair = try await makeTCPPair(client: client)
        // connect() returns behind its event, wherever that was delivered.
        #expect(log.events == ["connect"])
        let bytes = pattern(500_000)
        client.send("x") { _ in enter("sent") }
        try await pair.connection.send(bytes)
        try await pair.connection.finish()
        try await log.wait(for: "close")
        #expect(received.events.flatMap { $0 } == bytes)
        #expect(log.events.filter { $0 != "sent" } == ["connect", "end", "close"])
        #expect(log.events.contains("sent"))
        #expect(overlaps.withLock { $0 } == 0)
        if place == .actor { #expect(await actor.count > 0) }
        await pair.close()
    }

    @Test func nextRead_waitsForTheDeliveryUnderWay() async throws {
        let work = EventRecorder<@Sendable () -> Void>()
        let client = TCPSocket()
        client.deliver(on: .queue { work.record($0) })
        let messages = EventRecorder<[UInt8]>()
        client.on(.message) { messages.record($0.message) }
        let connecting = Task { try await makeTCPPair(client: client) }
        // connect() returns through the place of delivery too.
        try await work.wait(count: 1)
        work.events[0]()
        let pair = try await within { try await connecting.value }
        let connection = pair.connection
        let bytes = pattern(24 << 20)
        let sent = Outcome<Void>()
        connection.send(bytes) { sent.set($0.mapError { $0 }) }
        try await work.wait(count: 2)
        // Nobody runs the delivery: nothing more is read, and the sender is held back.
        try await settle(client.eventLoop)
        #expect(work.count == 2)
        #expect(messages.count == 0)
        #expect(sent.count == 0)
        #expect(connection.bufferedAmount > 4 << 20)
        // Each delivery that is run brings the next one, never two.
        var done = 1
        while messages.events.reduce(0, { $0 + $1.count }) < bytes.count {
            let handed = try await work.wait(count: done + 1)
            #expect(handed.count == done + 1)
            handed[done]()
            done += 1
        }
        #expect(messages.events.flatMap { $0 } == bytes)
        client.reset { _ in }
        let closing = try await work.wait(count: done + 1)
        closing[done]()
        await connection.close()
        await pair.server.close()
    }

    @Test(arguments: Place.allCases)
    func server_deliversConnectionsThere_andTheyMissNothing(_ place: Place) async throws {
        let (actor, queue) = (Counter(), DispatchQueue(label: "delivery"))
        let server = TCPSocketServer()
        server.deliver(on: delivery(place, actor, queue))
        let log = EventLog()
        server.on(.listening) {
            assumeThere(place, actor, queue)
            log.record("listening")
        }
        server.on(.connect) { connection in
            assumeThere(place, actor, queue)
            recordMessages(connection, in: log)
            record(connection, in: log)
        }
        try await server.listen(NetAddress("127.0.0.1"))
        #expect(log.events == ["listening"])
        let client = TCPSocket()
        try await client.connect(to: server.getLocalAddress())
        try await client.send("hello")
        await client.close()
        try await log.wait(for: "close")
        #expect(log.events == ["listening", "message:hello", "end", "close"])
        await server.close()
    }

    @Test(arguments: Place.allCases)
    func udp_deliversThere_inOrder(_ place: Place) async throws {
        let (actor, queue) = (Counter(), DispatchQueue(label: "delivery"))
        let socket = UDPSocket()
        socket.deliver(on: delivery(place, actor, queue))
        let log = EventLog()
        socket.on(.listening) {
            assumeThere(place, actor, queue)
            log.record("listening")
        }
        socket.on(.message) {
            assumeThere(place, actor, queue)
            log.record($0.text ?? "-")
        }
        socket.on(.close) { log.record("close") }
        try await socket.bind(NetAddress("127.0.0.1"))
        #expect(log.events == ["listening"])
        let peer = UDPSocket()
        let address = try await socket.getLocalAddress()
        for number in 0..<100 { try await peer.send("\(number)", to: address) }
        try await log.wait(count: 101)
        await socket.close()
        try await log.wait(for: "close")
        #expect(log.events == ["listening"] + (0..<100).map { "\($0)" } + ["close"])
        await peer.close()
    }

    @Test func loop_isTheDefault() async throws {
        let client = TCPSocket()
        client.deliver(on: .mainActor)
        client.deliver(on: .loop)
        let loop = client.eventLoop
        let onLoop = EventRecorder<Bool>()
        client.on(.connect) { onLoop.record(loop.isCurrent) }
        let pair = try await makeTCPPair(client: client)
        #expect(onLoop.events == [true])
        await pair.close()
    }
}
