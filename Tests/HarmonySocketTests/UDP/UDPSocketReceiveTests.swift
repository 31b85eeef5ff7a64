import HarmonySocket
import Testing

@Suite(.bounded) struct UDPSocketReceiveTests {
    @Test func receive_waiting_timesOut_isCancelled_orIsAborted() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        let start = ContinuousClock.now
        let timedOut = await failure { () async throws(SocketError) in
            try await second.receive(timeout: .milliseconds(60))
        }
        #expect(ContinuousClock.now - start >= .milliseconds(60))
        #expect(timedOut?.kind == .timedOut)
        #expect(timedOut?.operation == .receive)
        let zero = await failure { () async throws(SocketError) in try await second.receive(timeout: .zero) }
        #expect(zero?.kind == .timedOut)
        let task = try await startWaiting(on: second.eventLoop) {
            await failure { () async throws(SocketError) in try await second.receive() }
        }
        task.cancel()
        #expect(try await within { try await task.value }?.kind == .cancelled)
        // None of these took anything away.
        try await first.send("kept", to: secondAddress)
        #expect(try await second.receive(timeout: .seconds(20)).text == "kept")
        let result: Result<SocketMessageInfo, SocketError> = try await answer { handler in
            second.receive(completion: handler)
            second.close { _ in }
        }
        guard case .failure(let aborted) = result else { throw WaitTimedOut(what: "an error") }
        #expect(aborted.kind == .aborted)
        await first.close()
    }

    @Test func receive_whereItDoesNotFit_isRefused() async throws {
        let socket = UDPSocket()
        let fresh = await failure { () async throws(SocketError) in try await socket.receive() }
        #expect(fresh?.kind == .invalidState)
        try await socket.bind(NetAddress("127.0.0.1"))
        socket.on(.message) {}
        let listened = await failure { () async throws(SocketError) in try await socket.receive() }
        #expect(listened?.kind == .invalidState)
        socket.off(.message)
        await socket.close()
        let closed = await failure { () async throws(SocketError) in try await socket.receive() }
        #expect(closed?.kind == .closed)
        let sent = await failure { () async throws(SocketError) in
            try await socket.send("x", to: NetAddress("127.0.0.1", port: 9))
        }
        #expect(sent?.kind == .closed)
        #expect(sent?.code == 2_301_009)
        let result: Result<Void, SocketError> = try await answer {
            socket.send("x", to: NetAddress("127.0.0.1", port: 9), completion: $0)
        }
        #expect(throws: SocketError.self) { try result.get() }
    }

    @Test func receive_zeroTimeout_takesWhatIsThere() async throws {
        let peer = try RawSocket.datagram()
        let socket = UDPSocket()
        try await socket.bind(NetAddress("127.0.0.1"))
        let port = try await socket.getLocalAddress().port
        try await blocking { try peer.send([1], to: NetAddress("127.0.0.1", port: port)) }
        #expect(try await socket.receive(timeout: .zero).message == [1])
        await socket.close()
    }

    @Test(arguments: Loopback.allCases)
    func messages_bringEachDatagram_andEndWithClose(_ loopback: Loopback) async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair(loopback)
        let log = EventLog()
        let iterating = Task {
            for try await message in second.messages {
                log.record(message.text ?? "-")
                try await second.send(message.message, to: message.remoteInfo)
            }
            log.record("ended")
        }
        for number in 0..<50 {
            try await first.send("\(number)", to: secondAddress)
            #expect(try await first.receive(timeout: .seconds(20)).text == "\(number)")
        }
        await second.close()
        try await within { try await iterating.value }
        #expect(log.events == (0..<50).map { "\($0)" } + ["ended"])
        await first.close()
    }

    // MARK: Completion handlers

    /// Served one by one, each by one datagram, whether the datagrams or the receives were first; what is larger than asked
    /// for is cut.
    @Test(arguments: [true, false])
    func completions_areServedInOrder(_ isDatagramFirst: Bool) async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        let log = EventLog()
        func receive() {
            for number in 0..<20 {
                second.receive(upTo: number == 5 ? 1 : 65_536) { result in
                    let message = try? result.get()
                    log.record("\(number) \(message?.text ?? "-")\(message?.isTruncated == true ? "…" : "")")
                }
            }
        }
        if !isDatagramFirst { receive() }
        for number in 0..<20 { try await first.send("<\(number)>", to: secondAddress) }
        if isDatagramFirst { receive() }
        try await log.wait(count: 20)
        #expect(log.events == (0..<20).map { $0 == 5 ? "5 <…" : "\($0) <\($0)>" })
        await first.close()
        await second.close()
    }

    /// Tasks and handlers wait in one queue.
    @Test func completions_andTasks_takeTurns() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        let log = EventLog()
        var tasks: [Task<Void, any Error>] = []
        for number in 0..<6 {
            if number % 2 == 0 {
                second.receive { log.record("\(number) \((try? $0.get())?.text ?? "-")") }
            } else {
                tasks.append(
                    try await startWaiting(on: second.eventLoop) {
                        let message = try await second.receive()
                        log.record("\(number) \(message.text ?? "-")")
                    })
            }
        }
        for number in 0..<6 {
            try await first.send("\(number)", to: secondAddress)
            try await log.wait(count: number + 1)
        }
        #expect(log.events == (0..<6).map { "\($0) \($0)" })
        for task in tasks { try await within { try await task.value } }
        await first.close()
        await second.close()
    }

    /// A chain of receives, each begun by the last one's handler, goes on behind other events, and where the program wants.
    @Test func completions_thatReceiveAgain_onAnExecutor_hearAll() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        second.deliver(on: .mainActor)
        let log = EventLog()
        @Sendable func receive() {
            second.receive { result in
                MainActor.assumeIsolated {}
                guard let message = try? result.get() else { return log.record("ended") }
                log.record(message.text ?? "-")
                receive()
            }
        }
        receive()
        for number in 0..<100 { try await first.send("\(number)", to: secondAddress) }
        try await log.wait(count: 100)
        await second.close()
        try await log.wait(for: "ended")
        #expect(log.events == (0..<100).map { "\($0)" } + ["ended"])
        await first.close()
    }

    /// It keeps the socket open that nobody holds any more, until it is served.
    @Test func completion_ofASocketThatNobodyHolds_isServed() async throws {
        let first = UDPSocket()
        try await first.bind(NetAddress("127.0.0.1"))
        let heard = EventLog()
        func receiveOnce() async throws -> NetAddress {
            let second = UDPSocket()
            try await second.bind(NetAddress("127.0.0.1"))
            second.receive { heard.record((try? $0.get())?.text ?? "-") }
            return try await second.getLocalAddress()
        }
        let address = try await receiveOnce()
        try await first.send("still here", to: address)
        try await heard.wait(for: "still here")
        #expect(heard.events == ["still here"])
        await first.close()
    }
}
