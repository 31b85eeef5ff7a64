import HarmonySocket
import Testing

@Suite("Promises: closing", .timeLimit(.minutes(1)))
struct ClosingTests {
    @Test("6. close() flushes, and input that nobody read does not turn the reply into a reset")
    func close_withUnreadInput_replyArrivesWhole() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let pattern = Pattern()
        // Nobody reads any of this; close(2) with it in the kernel would send RST and destroy the reply.
        async let request: Void = blocking { try peer.send([UInt8](repeating: 7, count: 6_000_000)) }
        try await eventually("input is unread") { await Kernel.readable(connection.descriptor) > 100_000 }
        try await connection.send(pattern.bytes(300_000))
        await connection.close()
        #expect(connection.state.isClose)
        try await request
        // Late: everything of ours has long been sent and close() has completed.
        let reply = try await blocking { try peer.receiveAll() }
        #expect(reply.count == 300_000)
        #expect(pattern.matches(reply))
    }

    @Test("6. close() waits for what is queued: it ends as flushed, and so does close()")
    func close_withQueuedSends_flushesThem() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer(peerReceiveBuffer: 16_384)
        let pattern = Pattern()
        let events = EventRecorder<String>()
        connection.on(.close) { info in events.record("close event \(info.hadError)") }
        connection.send(pattern.bytes(8_000_000)) { result in events.record("sent \(result.failure == nil)") }
        connection.close { _ in events.record("closed") }
        let late = await failure { () async throws(SocketError) in try await connection.send([1]) }
        #expect(late?.kind == .closed)
        let received = try await blocking { try peer.receiveAll() }
        #expect(received.count == 8_000_000)
        #expect(pattern.matches(received))
        #expect(try await events.wait(count: 3) == ["sent true", "closed", "close event false"])
    }

    @Test("6. What cannot be flushed within the close time-out is aborted, saying how much had gone out")
    func close_peerNeverReads_abortsAtTheTimeout() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer(peerReceiveBuffer: 8192)
        connection.closeTimeout = .milliseconds(150)
        let count = 16_000_000
        let sending = Task { try await connection.send([UInt8](repeating: 1, count: count)) }
        try await waitUntilStuck(connection)
        let took = await ContinuousClock().measure { await connection.close() }
        #expect(took >= .milliseconds(150))
        #expect(took < .seconds(15))
        let error = try #require(await sending.result.failure as? SocketError)
        #expect(error.kind == .aborted)
        #expect(error.sent > 0)
        #expect(error.sent + error.remaining == count)
        let end = try await blocking { Result { try peer.receiveAll() } }
        #expect((end.failure as? RawError)?.isReset == true, "the peer learns that something is missing")
    }

    @Test("6. Receives, accepts and connects that are pending end with aborted at once")
    func close_whileWaiting_abortsTheWaits() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let receive = try await startWaiting(on: connection.eventLoop) { try await connection.receive() }
        let second = EventRecorder<SocketError?>()
        connection.receive { second.record($0.failure) }
        let silent = try SilentListener()
        let client = TCPSocket()
        let connecting = EventRecorder<SocketError?>()
        client.connect(to: silent.address, timeout: nil) { connecting.record($0.failure) }
        let server = try await makeServer().server
        let accept = try await startWaiting(on: server.eventLoop) { () -> Bool in
            for try await _ in server.connections { return false }
            return true
        }
        let served = Task { try await server.serve { _ in } }
        let udp = UDPSocket()
        try await udp.bind(Loopback.ipv4.address())
        let datagram = EventRecorder<SocketError?>()
        udp.receive { datagram.record($0.failure) }

        await connection.close()
        await client.close()
        await server.close()
        await udp.close()
        let first = try await within { await receive.result }.failure as? SocketError
        #expect(first?.kind == .aborted)
        #expect(try await second.wait(count: 1).first??.kind == .aborted)
        #expect(try await connecting.wait(count: 1).first??.kind == .aborted)
        #expect(try await datagram.wait(count: 1).first??.kind == .aborted)
        #expect(try await within { try await accept.value }, "the sequence ends")
        _ = try await within { await served.result }
        peer.close()
    }

    @Test("6. finish() ends our direction and keeps reading")
    func finish_peerReplies_replyIsRead() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        try await client.send("request")
        try await client.finish()
        #expect(try await blocking { try peer.receiveAll() } == Array("request".utf8))
        let refused = await failure { () async throws(SocketError) in try await client.send("more") }
        #expect(refused?.kind == .invalidState)
        #expect(!client.canSend)
        #expect(client.canReceive)
        let pattern = Pattern()
        async let sent: Void = blocking {
            try peer.send(pattern.bytes(500_000))
            peer.close()
        }
        var offset = 0
        for try await chunk in client.messages {
            #expect(pattern.matches(chunk.message, at: offset))
            offset += chunk.message.count
        }
        try await sent
        #expect(offset == 500_000)
        await client.close()
    }

    @Test("6. finish() goes out behind what is queued")
    func finish_withQueuedSends_endsBehindThem() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer(peerReceiveBuffer: 16_384)
        let pattern = Pattern()
        connection.send(pattern.bytes(4_000_000)) { _ in }
        async let finished: Void = connection.finish()
        let received = try await blocking { try peer.receiveAll() }
        try await finished
        #expect(received.count == 4_000_000)
        #expect(pattern.matches(received))
        await connection.close()
    }

    @Test("6. close() behind finish() completes at once, and the peer's answer meets no reset")
    func close_afterFinish_completesAtOnce() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        try await client.finish()
        client.closeTimeout = .seconds(30)
        let took = await ContinuousClock().measure { await client.close() }
        #expect(took < .seconds(15), "it waited for the close time-out")
        #expect(try await blocking { try peer.receiveAll() }.isEmpty)
        try peer.send([UInt8](repeating: 1, count: 100_000))
        peer.finish()
        #expect(try await blocking { try peer.receiveAll() }.isEmpty)
    }

    @Test("6. reset() drops what is queued and sends RST; pending sends say how far they got")
    func reset_withQueuedSends_peerSeesReset() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer(peerReceiveBuffer: 8192)
        let sending = Task { try await connection.send([UInt8](repeating: 1, count: 16_000_000)) }
        try await waitUntilStuck(connection)
        await connection.reset()
        let error = try #require(await sending.result.failure as? SocketError)
        #expect(error.kind == .aborted)
        #expect(error.sent > 0)
        #expect(error.sent + error.remaining == 16_000_000)
        let end = try await blocking { Result { try peer.receiveAll() } }
        #expect((end.failure as? RawError)?.isReset == true)
        #expect(connection.state.isClose)
    }

    @Test("6. A second close succeeds; every call after close fails with closed")
    func calls_afterClose_failWithClosed() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        let closes = EventRecorder<Bool>()
        client.on(.close) { closes.record(true) }
        await client.close()
        await client.close()
        try await #expect(answer { client.close(completion: $0) }.failure == nil)
        await client.reset()
        func kind<Value>(_ body: () async throws(SocketError) -> Value) async -> SocketError.Kind? {
            await failure(body)?.kind
        }
        #expect(await kind { () async throws(SocketError) in try await client.send("x") } == .closed)
        #expect(await kind { () async throws(SocketError) in try await client.receive() } == .closed)
        #expect(await kind { () async throws(SocketError) in try await client.finish() } == .closed)
        #expect(await kind { () async throws(SocketError) in try await client.bind(.any) } == .closed)
        #expect(
            await kind { () async throws(SocketError) in try await client.connect(to: Loopback.ipv4.address(9)) }
                == .closed)
        #expect(await kind { () async throws(SocketError) in try await client.getLocalAddress() } == .closed)
        #expect(await kind { () async throws(SocketError) in try await client.getRemoteAddress() } == .closed)
        #expect(await kind { () async throws(SocketError) in try await client.getExtraOptions() } == .closed)
        #expect(
            await kind { () async throws(SocketError) in
                try await client.setExtraOptions(TCPExtraOptions(keepAlive: true))
            } == .closed)
        #expect(await client.getSocketFd() == -1)
        try await within { await withCheckedContinuation { done in client.eventLoop.execute { done.resume() } } }
        #expect(closes.count == 1)
        peer.close()
    }

    @Test("6. After close() the descriptor is kept until the peer ends, and then given back")
    func close_peerEndsLater_descriptorIsGivenBack() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let identity = try #require(DescriptorCensus.identity(of: await connection.descriptor))
        try peer.send("unread")
        try await connection.send("reply")
        await connection.close()
        #expect(DescriptorCensus.isOpen(identity))
        #expect(try await blocking { try peer.receiveAll() } == Array("reply".utf8))
        try peer.send("even more")
        peer.close()
        try await eventually("the descriptor is given back") { !DescriptorCensus.isOpen(identity) }
    }

    @Test("6. A peer that never ends costs a descriptor no longer than the close time-out")
    func close_peerNeverEnds_descriptorIsGivenBack() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let identity = try #require(DescriptorCensus.identity(of: await connection.descriptor))
        connection.closeTimeout = .milliseconds(100)
        await connection.close()
        try await eventually("the descriptor is given back") { !DescriptorCensus.isOpen(identity) }
        peer.close()
    }

    @Test("6. A peer that floods a closed socket is cut off at a limit of bytes")
    func close_peerFloods_isCutOff() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        connection.closeTimeout = .seconds(30)
        await connection.close()
        let chunk = [UInt8](repeating: 0, count: 1 << 20)
        let sent = try await blocking {
            var count = 0
            while count < 100, (try? peer.send(chunk)) != nil { count += 1 }
            return count
        }
        #expect(sent < 100, "100 MiB were taken")
    }

    @Test("6. shutdown lets connections come to their end, and resets those that have not when time is over")
    func shutdown_letsTheQuickFinish_andResetsTheRest() async throws {
        let (server, address) = try await makeServer()
        let serving = Task {
            try await server.serve { client in
                guard let question = try await client.receive() else { return }
                try await client.send(question.message)
            }
        }
        let (quick, slow) = (TCPSocket(), TCPSocket())
        for client in [quick, slow] { try await client.connect(to: address) }
        try await eventually("both are served") { server.connectionCount == 2 }
        let shutting = Task { try await server.shutdown(timeout: .milliseconds(400)) }
        try await eventually("it no longer listens") { server.state.isClose }
        try await quick.send("still time")
        #expect(try await readAll(quick) == Array("still time".utf8))
        await quick.close()
        let error = await failure { () async throws(SocketError) in try await slow.receive(timeout: .seconds(20)) }
        #expect(error?.kind == .connectionReset)
        #expect(try await shutting.value == 1)
        try await within { try await serving.value }
    }

    @Test("7. A socket that goes without close() flushes what is queued and ends in good order")
    func release_withQueuedSends_flushes() async throws {
        let peer: RawSocket
        let pattern = Pattern()
        weak var released: TCPSocket?
        do {
            let (client, accepted) = try await makeClientWithRawPeer()
            peer = accepted
            released = client
            try peer.send("unread")
            client.send(pattern.bytes(8_000_000)) { _ in }
        }
        #expect(released == nil)
        let received = try await blocking { try peer.receiveAll() }
        #expect(received.count == 8_000_000)
        #expect(pattern.matches(received))
    }

    @Test("7. Without a reference, a listener or a call, every kind of socket gives its descriptor back")
    func release_anySocket_givesTheDescriptorBack() async throws {
        var identities: [DescriptorCensus.Identity] = []
        do {
            let bound = TCPSocket()
            try await bound.bind(Loopback.ipv4.address())
            let server = TCPSocketServer()
            try await server.listen(Loopback.ipv4.address())
            let udp = UDPSocket()
            try await udp.bind(Loopback.ipv4.address())
            let (client, peer) = try await makeClientWithRawPeer()
            for descriptor in [
                await bound.getSocketFd(), await server.getSocketFd(), await udp.getSocketFd(),
                await client.getSocketFd(),
            ] {
                identities.append(try #require(DescriptorCensus.identity(of: descriptor)))
            }
            peer.close()
        }
        for (number, identity) in identities.enumerated() {
            try await eventually("socket \(number) is closed") { !DescriptorCensus.isOpen(identity) }
        }
    }

    @Test("7. A listener keeps its socket alive until it closes; closing lets go of what listeners captured")
    func listener_withoutReference_keepsTheSocket() async throws {
        final class Captured: Sendable {}
        let heard = EventRecorder<String>()
        let peer: RawSocket
        let captured: Weak<Captured>
        do {
            let (client, accepted) = try await makeClientWithRawPeer()
            peer = accepted
            let object = Captured()
            captured = Weak(object)
            // A cycle: the socket holds the listener, which holds the socket.
            client.on(.message) { message in
                withExtendedLifetime((object, client)) { heard.record(message.text ?? "") }
            }
            client.on(.close) { withExtendedLifetime(client) { heard.record("close") } }
        }
        try peer.send("still alive")
        try await heard.wait(for: "still alive")
        #expect(captured.value != nil)
        peer.close()
        try await heard.wait(for: "close")
        try await eventually("the captures are released") { captured.value == nil }
    }

    @Test("7. A pending call keeps its socket alive")
    func pendingCall_withoutReference_keepsTheSocket() async throws {
        let peer: RawSocket
        let heard = EventRecorder<String?>()
        do {
            let (client, accepted) = try await makeClientWithRawPeer()
            peer = accepted
            client.receive { heard.record((try? $0.get())?.text) }
        }
        try peer.send("for the pending one")
        #expect(try await heard.wait(count: 1) == ["for the pending one"])
        // And nothing keeps it from here on.
        #expect(try await blocking { try peer.receiveAll() }.isEmpty)
    }

    @Test("7. An accepted connection that nobody takes is closed")
    func acceptedConnection_nobodyTakesIt_isClosed() async throws {
        let (server, address) = try await makeServer()
        server.on(.connect) { _ in }
        let ignored = try await blocking { try RawSocket.connected(to: address) }
        #expect(try await blocking { try ignored.receiveAll() }.isEmpty)
        server.off(.connect)

        let dropping = Task { for try await _ in server.connections {} }
        let dropped = try await blocking { try RawSocket.connected(to: address) }
        #expect(try await blocking { try dropped.receiveAll() }.isEmpty)
        await server.close()
        try await dropping.value
    }

    @Test("7. A connection that only sends before it is dropped gets its reply through, unread input or not")
    func acceptedConnection_sendsAndIsDropped_replyArrives() async throws {
        let (server, address) = try await makeServer()
        let pattern = Pattern()
        let peer = try await blocking { try RawSocket.connected(to: address) }
        try peer.send([UInt8](repeating: 1, count: 50_000))
        let replying = Task {
            for try await client in server.connections {
                try await eventually("there is unread input") {
                    await Kernel.readable(client.descriptor) == 50_000
                }
                try await client.send(pattern.bytes(40_000))
                break
            }
        }
        try await within { try await replying.value }
        let reply = try await blocking { try peer.receiveAll() }
        #expect(reply.count == 40_000)
        #expect(pattern.matches(reply))
        await server.close()
    }
}
