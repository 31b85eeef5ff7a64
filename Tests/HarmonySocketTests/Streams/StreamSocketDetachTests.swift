import HarmonySocket
import Testing

@Suite(.bounded) struct StreamSocketDetachTests {
    /// The forms of the call.
    enum Form: String, CaseIterable, Sendable {
        case async, handler

        func detach(_ socket: some StreamSocket) async throws -> DetachedStream {
            switch self {
            case .async: try await socket.detach()
            case .handler: try await answer { socket.detach(completion: $0) }.get()
            }
        }
    }

    @Test(arguments: Side.allCases, Form.allCases)
    func socket_detached_isClosedAndItsPeerNoticesNothing(_ side: Side, _ form: Form) async throws {
        let end = try await TestedEnd(side)
        let number = await end.socket.descriptor
        let identity = try #require(DescriptorCensus.identity(of: number))
        let detached = try await form.detach(end.socket)
        #expect(detached.descriptor == number && detached.unread.isEmpty)
        #expect(DescriptorCensus.isOpen(identity))
        #expect(Kernel.isCloseOnExecAndNonblocking(number))
        #expect(end.socket.state.isClose && !end.socket.state.isConnected)
        #expect(await end.socket.descriptor == -1)
        try await end.log.wait(for: "close")
        try await end.expect(["close"])
        let second = await failure { () async throws(SocketError) in try await end.socket.detach() }
        #expect(second?.kind == .closed && second?.operation == .detach)
        let later = await failure { () async throws(SocketError) in try await end.socket.send("x") }
        #expect(later?.kind == .closed)
        await end.socket.close()
        // The connection goes on with whoever has it.
        let next = try TCPSocket(adopting: detached.descriptor, unread: detached.unread)
        try await next.send("there")
        #expect(try await read(5, from: end.other) == Array("there".utf8))
        try await end.other.send("back")
        #expect(try await read(4, from: next) == Array("back".utf8))
        await next.close()
        await end.close()
    }

    @Test(arguments: Form.allCases)
    func bytesReadAhead_comeAlong_inOrder(_ form: Form) async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        connection.setFraming(.lines)
        try peer.send("first\nsecond\nhalf a li")
        #expect(try await connection.receive()?.text == "first")
        // What a line took and did not use was read ahead, but what comes now waits in the kernel.
        let more = "ne\nlast\n"
        try peer.send(more)
        peer.finish()
        try await eventually("it is in the kernel") {
            Kernel.readable(await connection.descriptor) == more.utf8.count
        }
        let detached = try await form.detach(connection)
        #expect(detached.unread == Array("second\nhalf a li".utf8))
        let next = try TCPSocket(
            adopting: detached.descriptor, unread: detached.unread, group: SocketEventLoopGroup(count: 1))
        next.setFraming(.lines)
        var lines: [String?] = []
        for try await line in next.messages { lines.append(line.text) }
        #expect(lines == ["second", "half a line", "last"])
        await next.close()
    }

    @Test func bytesGivenBack_comeBeforeThoseReadAhead() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        try peer.send("abcdef")
        #expect(try await connection.peek(upTo: 6) == Array("abcdef".utf8))
        for try await byte in connection.bytes {
            #expect(byte == UInt8(ascii: "a"))
            break
        }
        let detached = try await connection.detach()
        #expect(detached.unread == Array("bcdef".utf8))
        // Every style of reading has them.
        var number = detached.descriptor
        for style in ["pull", "messages", "bytes", "into"] {
            let next = try TCPSocket(adopting: number, unread: Array(style.utf8))
            switch style {
            case "pull": #expect(try await next.receive(exactly: style.utf8.count) == Array(style.utf8))
            case "messages":
                let log = EventLog()
                recordMessages(next, in: log)
                try await log.wait(for: "message:\(style)")
            case "bytes":
                let seen = EventRecorder<Int>()
                next.on(.bytes) { seen.record($0.byteCount) }
                #expect(try await seen.wait(count: 1) == [style.utf8.count])
            default:
                var block = [UInt8](repeating: 0, count: 10)
                #expect(try await next.receive(into: &block) == style.utf8.count)
            }
            number = try await next.detach().descriptor
        }
        Kernel.close(number)
        #expect(try await blocking { try peer.receiveAll() } == [])
    }

    @Test(arguments: [true, false])
    func messageListener_detachesInItsCall_andHearsNoMore(_ isPaused: Bool) async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        connection.setFraming(.lines)
        let log = EventLog()
        let outcome = Outcome<DetachedStream>()
        connection.on(.message) { message in
            log.record(message.text ?? "-")
            if isPaused { connection.pause() }
            connection.detach { outcome.set($0.mapError { $0 }) }
        }
        try peer.send("one\ntwo\nthree\n")
        let detached = try await within { try await outcome.value }
        #expect(detached.unread == Array("two\nthree\n".utf8))
        #expect(log.events == ["one"])
        Kernel.close(detached.descriptor)
    }

    @Test func handlerOfServe_detaches_andTheServerIsRidOfIt() async throws {
        let (server, address) = try await makeServer()
        let taken = Outcome<DetachedStream>()
        let serving = Task {
            try await server.serve { client in
                _ = try await client.receive(until: "\n")
                taken.set(.success(try await client.detach()))
            }
        }
        let peer = try await blocking { try RawSocket.connected(to: address) }
        try peer.send("GET\nrest")
        let detached = try await within { try await taken.value }
        #expect(detached.unread == Array("rest".utf8))
        #expect(try await server.shutdown(timeout: .seconds(20)) == 0, "nothing is waited for, and nothing cut off")
        try await serving.value
        let next = try TCPSocket(adopting: detached.descriptor, unread: detached.unread)
        #expect(try await next.receive(exactly: 4) == Array("rest".utf8))
        await next.close()
        peer.close()
    }

    // MARK: What does not fit

    @Test func detach_beforeConnectAndAfterClose_isRefused() async throws {
        let socket = TCPSocket()
        let fresh = await failure { () async throws(SocketError) in try await socket.detach() }
        #expect(fresh?.kind == .notConnected)
        let silent = try SilentListener()
        let connecting = Task { try await socket.connect(to: silent.address, timeout: nil) }
        try await eventually("it connects") {
            ProcessFacts.hasProc ? ProcessFacts.connecting(to: silent.port) > 0 : true
        }
        let early = await failure { () async throws(SocketError) in try await socket.detach() }
        #expect(early?.kind == .notConnected)
        await socket.close()
        _ = await connecting.result
        let closed: Result<DetachedStream, SocketError> = try await answer { socket.detach(completion: $0) }
        guard case .failure(let error) = closed else { throw WaitTimedOut(what: "an error") }
        #expect(error.kind == .closed)
    }

    enum Busy: String, CaseIterable, Sendable { case send, sendFile, finish, receive, exactly, handler, relay }

    @Test(arguments: Busy.allCases)
    func detach_whileSomethingIsUnderWay_isRefused_andChangesNothing(_ busy: Busy) async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer(peerReceiveBuffer: 8192)
        let (other, otherPeer) = try await makeConnectionWithRawPeer()
        let bytes = pattern(8_000_000)
        let file = try TemporaryFile(bytes)
        let handled = Outcome<Void>()
        if busy == .exactly { try peer.send("abc") }
        let work = try await startWaiting(on: connection.eventLoop) {
            switch busy {
            case .send: try await connection.send(bytes)
            case .sendFile: try await connection.sendFile(file.path)
            case .finish:
                connection.send(bytes) { _ in }
                try await connection.finish()
            case .receive: _ = try await connection.receive()
            case .exactly: #expect(try await connection.receive(exactly: 6) == Array("abcdef".utf8))
            case .handler: connection.receive { handled.set($0.map { _ in }.mapError { $0 }) }
            case .relay: try await connection.relay(with: other)
            }
        }
        if [.send, .sendFile, .finish].contains(busy) { try await waitUntilStuck(connection) }
        let tested: [any StreamSocket] = busy == .relay ? [connection, other] : [connection]
        for socket in tested {
            let error = await failure { () async throws(SocketError) in try await socket.detach() }
            #expect(error?.kind == .invalidState)
            #expect(error?.message.contains("under way") == true)
        }
        // It goes on, and leaves the socket free.
        switch busy {
        case .send, .sendFile: #expect(try await blocking { try peer.receive(exactly: bytes.count) } == bytes)
        case .finish: #expect(try await blocking { try peer.receiveAll() } == bytes)
        case .receive, .handler: try peer.send("x")
        case .exactly: try peer.send("def")
        case .relay:
            peer.finish()
            otherPeer.finish()
        }
        try await within { try await work.value }
        if busy == .handler { try await within { try await handled.value } }
        Kernel.close(try await connection.detach().descriptor)
        await other.close()
    }
}
