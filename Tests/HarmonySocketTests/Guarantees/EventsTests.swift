import HarmonySocket
import Testing

@Suite("Promises: events", .timeLimit(.minutes(1)))
struct EventsTests {
    @Test("9. Listeners of one socket run one at a time and in order, whoever adds and removes others meanwhile")
    func listeners_underFire_runOneAtATime() async throws {
        let inside = TestLock(0)
        let overlaps = TestLock(0)
        let offset = TestLock(0)
        let order = TestLock([String]())
        let pattern = Pattern()
        let ended = Outcome<Void>()
        let enter: @Sendable (() -> Void) -> Void = { body in
            if inside.withLock({
                $0 += 1
                return $0
            }) != 1 {
                overlaps.withLock { $0 += 1 }
            }
            body()
            inside.withLock { $0 -= 1 }
        }
        let (connection, peer) = try await makeConnectionWithRawPeer { connection in
            connection.on(.message) { message in
                enter {
                    let at = offset.withLock { offset in
                        defer { offset += message.message.count }
                        return offset
                    }
                    if !pattern.matches(message.message, at: at) { order.withLock { $0.append("wrong at \(at)") } }
                }
            }
            connection.on(.message) { _ in enter {} }
            connection.on(.end) { enter { order.withLock { $0.append("end") } } }
            connection.on(.close) {
                enter { order.withLock { $0.append("close") } }
                ended.set(.success(()))
            }
        }
        let meddling = Task {
            while !Task.isCancelled {
                let listener = connection.on(.message) { _ in enter {} }
                // Awaited, so that what is still to be told does not grow without end.
                await withCheckedContinuation { told in
                    connection.getState { _ in
                        enter {}
                        told.resume()
                    }
                }
                connection.off(listener)
            }
        }
        try await blocking {
            for start in stride(from: 0, to: 4_000_000, by: 10_000) { try peer.send(pattern.bytes(10_000, at: start)) }
            peer.close()
        }
        try await within { try await ended.value }
        meddling.cancel()
        #expect(overlaps.withLock { $0 } == 0)
        #expect(offset.withLock { $0 } == 4_000_000)
        #expect(order.withLock { $0 } == ["end", "close"])
    }

    @Test("9. A listener may call anything, and is never called under a lock")
    func listener_callsEverything_worksWithoutDeadlock() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let heard = EventRecorder<String>()
        let own = TestLock<SocketListener?>(nil)
        let listener = connection.on(.message) { message in
            heard.record("first \(message.text ?? "")")
            if let listener = own.withLock({ $0 }) { connection.off(listener) }
            connection.on(.message) { heard.record("second \($0.text ?? "")") }
            connection.send("reply") { _ in heard.record("sent") }
            connection.setExtraOptions(TCPExtraOptions(tcpNoDelay: true)) { _ in heard.record("set") }
            _ = (connection.state, connection.localAddress, connection.remoteAddress, connection.bufferedAmount)
            // Another thread gets its answer while this listener runs: so no lock is held.
            let other = DispatchedCall { (connection.state.isConnected, connection.on(.drain) {}) }
            heard.record("other thread \(other.wait()?.0 == true)")
            connection.off(.drain)
        }
        own.withLock { $0 = listener }
        try peer.send("one")
        #expect(try await blocking { try peer.receive(exactly: 5) } == Array("reply".utf8))
        try await heard.wait(count: 4)
        try peer.send("two")
        try await heard.wait(for: "second two")
        #expect(heard.events.prefix(2) == ["first one", "other thread true"])
        #expect(!heard.events.contains("first two"))
        connection.on(.message) { _ in connection.close { _ in heard.record("closed by a listener") } }
        connection.on(.close) { heard.record("close") }
        try peer.send("three")
        try await heard.wait(for: "close")
        #expect(heard.events.suffix(3) == ["second three", "closed by a listener", "close"])
    }

    @Test("9. Any number of listeners in the order of adding; off removes one or all, once hears one event")
    func listeners_addedAndRemoved_hearWhatTheyShould() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let heard = EventRecorder<String>()
        for name in ["a", "b", "c"] { connection.on(.message) { heard.record("\(name)\($0.text ?? "")") } }
        let removed = connection.on(.message) { heard.record("removed\($0.text ?? "")") }
        connection.once(.message) { heard.record("once\($0.text ?? "")") }
        connection.off(removed)
        try peer.send("1")
        try await heard.wait(for: "once1")
        #expect(heard.events == ["a1", "b1", "c1", "once1"])
        try peer.send("2")
        try await heard.wait(for: "c2")
        connection.off(.message)
        connection.on(.message) { heard.record("last\($0.text ?? "")") }
        try peer.send("3")
        try await heard.wait(for: "last3")
        #expect(heard.events.dropFirst(4) == ["a2", "b2", "c2", "last3"])
        await connection.close()
    }

    @Test("10. listening and connect come before the completion and before the awaiting task goes on")
    func successEvents_beforeTheirCallsEnd_inEveryStyle() async throws {
        for round in 0..<20 {
            let heard = EventRecorder<String>()
            let server = TCPSocketServer()
            server.on(.listening) { heard.record("listening") }
            let client = TCPSocket()
            client.on(.listening) { heard.record("bound") }
            client.on(.connect) { heard.record("connect") }
            let udp = UDPSocket()
            udp.on(.listening) { heard.record("udp") }
            if round.isMultiple(of: 2) {
                try await server.listen(Loopback.ipv4.address())
                heard.record("listen returned")
                try await client.bind(Loopback.ipv4.address())
                heard.record("bind returned")
                try await client.connect(to: try await server.getLocalAddress())
                heard.record("connect returned")
                try await udp.bind(Loopback.ipv4.address())
                heard.record("udp returned")
            } else {
                try await answer { done in
                    server.listen(Loopback.ipv4.address()) {
                        heard.record("listen returned")
                        done($0)
                    }
                }.get()
                try await answer { done in
                    client.bind(Loopback.ipv4.address()) {
                        heard.record("bind returned")
                        done($0)
                    }
                }.get()
                let address = try await server.getLocalAddress()
                try await answer { done in
                    client.connect(to: address) {
                        heard.record("connect returned")
                        done($0)
                    }
                }.get()
                try await answer { done in
                    udp.bind(Loopback.ipv4.address()) {
                        heard.record("udp returned")
                        done($0)
                    }
                }.get()
            }
            #expect(
                heard.events == [
                    "listening", "listen returned", "bound", "bind returned", "connect", "connect returned", "udp",
                    "udp returned",
                ])
            await client.close()
            await server.close()
            await udp.close()
        }
    }

    @Test("10. One message a datagram, empty ones too")
    func datagrams_emptyAndNot_oneMessageEach() async throws {
        for loopback in Loopback.allCases {
            let receiver = UDPSocket()
            let heard = EventRecorder<Int>()
            receiver.on(.message) { heard.record($0.message.count) }
            try await receiver.bind(loopback.address())
            let address = try await receiver.getLocalAddress()
            let sender = UDPSocket()
            for size in [0, 1, 0, 1000, 0, 65_507] {
                try await sender.send([UInt8](repeating: 1, count: size), to: address)
            }
            #expect(try await heard.wait(count: 6) == [0, 1, 0, 1000, 0, 65_507])
            await sender.close()
            await receiver.close()
        }
    }

    /// Whatever becomes of the datagram, and wherever listeners run.
    @Test(
        "10. The first send of an unbound socket is listening first: told before the send ends",
        arguments: Loopback.allCases, [true, false])
    func listening_ofAnUnboundSend_comesBeforeItsEnd(_ loopback: Loopback, _ isHandedOver: Bool) async throws {
        let peer = try RawSocket.datagram(on: loopback)
        // One that the options do not allow to be sent.
        let refused = loopback == .ipv4 ? NetAddress("255.255.255.255", port: 9) : nil
        for destination in [loopback.address(peer.port), refused].compactMap({ $0 }) {
            let sender = UDPSocket()
            let heard = EventRecorder<String>()
            if isHandedOver { sender.deliver(on: .queue { startThread($0) }) }
            sender.on(.listening) { heard.record("listening") }
            try? await sender.send("x", to: destination)
            heard.record("sent")
            try? await sender.send("x", to: destination)
            #expect(heard.events == ["listening", "sent"])
            await sender.close()
        }
    }

    @Test(
        "10. end comes when the peer has ended and everything is read, whoever reads, or nobody",
        arguments: [0, 1, 2, 3])
    func end_afterTheLastByte_once(readers: Int) async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let heard = EventRecorder<String>()
        connection.on(.end) { heard.record("end") }
        connection.on(.close) { heard.record("close") }
        switch readers {
        case 0:
            // Nobody reads, and nothing is there to be read.
            peer.finish()
        case 1:
            // Read to nil.
            try peer.send("abc")
            peer.finish()
            #expect(try await connection.receive(timeout: .seconds(20))?.text == "abc")
            #expect(try await connection.receive(timeout: .seconds(20)) == nil)
        case 2:
            // Read to the last byte, and not asked whether more comes.
            try peer.send("abc")
            peer.finish()
            try await eventually("the end has arrived") { await Kernel.hasEnded(connection.descriptor) }
            #expect(heard.events.isEmpty)
            #expect(try await connection.receive(timeout: .seconds(20))?.text == "abc")
        default:
            connection.on(.message) { heard.record($0.text ?? "") }
            try peer.send("abc")
            peer.finish()
            try await heard.wait(for: "abc")
        }
        try await heard.wait(for: "end")
        await connection.close()
        try await heard.wait(for: "close")
        #expect(heard.events.filter { $0 == "end" }.count == 1)
        #expect(heard.events.last == "close")
    }

    @Test("10. close comes once and last, whoever closed, and says whether an error did it")
    func close_everyWay_onceAndLast() async throws {
        for way in 0..<6 {
            let (connection, peer) = try await makeConnectionWithRawPeer()
            let heard = EventRecorder<String>()
            connection.on(.message) { _ in heard.record("message") }
            connection.on(.end) { heard.record("end") }
            connection.on(.error) { heard.record("error \($0.kind)") }
            connection.on(.close) { heard.record("close \($0.hadError)") }
            let expected: [String]
            switch way {
            case 0:
                await connection.close()
                expected = ["close false"]
            case 1:
                await connection.reset()
                expected = ["close false"]
            case 2:
                peer.close()
                expected = ["end", "close false"]
            case 3:
                peer.reset()
                expected = ["error connectionReset", "close true"]
            case 4:
                try peer.send("x")
                try await heard.wait(for: "message")
                connection.close { _ in heard.record("closed") }
                expected = ["message", "closed", "close false"]
            default:
                try await connection.setExtraOptions(TCPExtraOptions(socketTimeout: .milliseconds(50)))
                connection.on(.timeout) { heard.record("timeout") }
                expected = ["timeout", "close true"]
            }
            try await heard.wait { $0.contains { $0.hasPrefix("close ") } }
            try await within {
                await withCheckedContinuation { done in connection.eventLoop.execute { done.resume() } }
            }
            #expect(heard.events == expected, "way \(way)")
            peer.close()
        }
    }

    @Test("10. A failure that a call reports is not told as error too; one that no call reports is")
    func error_onlyWhenNoCallReports() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let heard = EventRecorder<String>()
        connection.on(.error) { heard.record("error \($0.kind)") }
        connection.on(.close) { heard.record("close \($0.error.map { "\($0.kind)" } ?? "")") }
        let pending = try await startWaiting(on: connection.eventLoop) { try await connection.receive() }
        // A second, impatient one is refused its turn without disturbing the first.
        let refused = await failure { () async throws(SocketError) in try await connection.receive(timeout: .zero) }
        #expect(refused?.kind == .timedOut)
        peer.reset()
        let error = await pending.result.failure as? SocketError
        #expect(error?.kind == .connectionReset)
        try await heard.wait(for: "close connectionReset")
        #expect(heard.events.last == "close connectionReset")
        #expect(connection.lastError?.kind == .connectionReset)
    }

    @Test("12. An error that nobody listens to is kept as lastError")
    func error_nobodyListens_isKept() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        #expect(connection.lastError == nil)
        peer.reset()
        try await eventually("the reset was seen") { connection.state.isClose }
        #expect(connection.lastError?.kind == .connectionReset)

        let udp = UDPSocket()
        try await udp.send("x", to: Loopback.ipv4.address(try freeUDPPort()))
        try await eventually("the refusal was seen") { udp.lastError?.kind == .connectionRefused }
        #expect(!udp.state.isClose)
        await udp.close()
    }

    @Test("13. While a message listener exists pulling is refused; a pull that was pending before gets the next bytes")
    func pulling_withListener_takesTurns() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let heard = EventRecorder<String>()
        let pulled = EventRecorder<String>()
        connection.receive { pulled.record((try? $0.get())?.text ?? "failed") }
        let pending = try await startWaiting(on: connection.eventLoop) {
            pulled.record(try await connection.receive()?.text ?? "nil")
        }
        connection.on(.message) { heard.record($0.text ?? "") }
        let refused = await failure { () async throws(SocketError) in try await connection.receive() }
        #expect(refused?.kind == .invalidState)
        try peer.send("one")
        try await pulled.wait(for: "one")
        try peer.send("two")
        try await pulled.wait(for: "two")
        try await pending.value
        try peer.send("three")
        try await heard.wait(for: "three")
        #expect(heard.events == ["three"])
        connection.off(.message)
        try peer.send("four")
        #expect(try await connection.receive(timeout: .seconds(20))?.text == "four")
        await connection.close()
    }

    @Test("13. On UDP too a pull that was pending before the listener gets the next datagram")
    func datagramPulling_withListener_takesTurns() async throws {
        let (first, address, second, _) = try await makeUDPPair()
        let heard = EventRecorder<String>()
        let pulled = EventRecorder<String>()
        first.receive { pulled.record((try? $0.get())?.text ?? "failed") }
        first.on(.message) { heard.record($0.text ?? "") }
        try await second.send("one", to: address)
        try await pulled.wait(for: "one")
        try await second.send("two", to: address)
        try await heard.wait(for: "two")
        first.off(.message)
        try await second.send("three", to: address)
        #expect(try await first.receive(timeout: .seconds(20)).text == "three")
        await first.close()
        await second.close()
    }

    @Test("13. On a server too: a pull is refused beside a listener, and goes first when it waited before")
    func accept_besideAListener_isRefusedOrGoesFirst() async throws {
        let (server, address) = try await makeServer()
        let order = EventLog()
        server.accept { if case .success = $0 { order.record("accept") } }
        let listener = server.on(.connect) { _ in order.record("listener") }
        let refused = await failure { () async throws(SocketError) in try await server.accept(timeout: .seconds(5)) }
        #expect(refused?.kind == .invalidState)
        let clients = (0..<4).map { _ in TCPSocket() }
        for (number, client) in clients[..<3].enumerated() {
            try await client.connect(to: address)
            try await order.wait(count: number + 1)
        }
        #expect(order.events == ["accept", "listener", "listener"])
        server.off(listener)
        try await clients[3].connect(to: address)
        #expect(try await server.accept(timeout: .seconds(5)).remoteAddress == clients[3].localAddress)
        for client in clients { await client.close() }
        await server.close()
    }
}
