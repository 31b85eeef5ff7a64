import HarmonySocket
import Testing

@Suite("Races: accepting against everything", .timeLimit(.minutes(2)))
struct AcceptRaceTests {
    /// Runs rounds until they are all done or 2.5 s are over, and at least ten.
    private static func rounds(_ most: Int, _ body: (Int) async throws -> Void) async throws {
        let end = ContinuousClock.now.advanced(by: .milliseconds(2500))
        for round in 0..<most {
            if round >= 10, ContinuousClock.now >= end { return }
            try await body(round)
        }
    }

    @Test("4. Listeners that come and go while peers connect take no connection with them")
    func listeners_comingAndGoing_loseNoConnection() async throws {
        let (server, address) = try await makeRacingServer()
        let taken = EventRecorder<TCPSocketConnection>()
        let count = 300
        let meddling = Task {
            while !Task.isCancelled {
                let listener = server.on(.connect) { taken.record($0) }
                if Bool.random() { await Task.yield() }
                server.off(listener)
                if let connection = try? await server.accept(timeout: .microseconds(200)) { taken.record(connection) }
                server.once(.connect) { taken.record($0) }
                if Bool.random() { await Task.yield() }
                server.off(.connect)
            }
        }
        var clients: [TCPSocket] = []
        for _ in 0..<count {
            let client = TCPSocket()
            try await client.connect(to: address)
            clients.append(client)
        }
        try await taken.wait(count: count)
        meddling.cancel()
        await meddling.value
        #expect(Set(taken.events.map { $0.remoteAddress?.port }) == Set(clients.map { $0.localAddress?.port }))
        #expect(taken.count == count)
        for client in clients { await client.reset() }
        await server.close()
    }

    @Test("3. Accepts in both styles against close, detach, cancellation and time-outs: each ends once")
    func accepts_againstEveryEnd_endOnce() async throws {
        try await AcceptRaceTests.rounds(500) { round in
            let (server, address) = try await makeRacingServer()
            let ended = EventRecorder<Int>()
            let calls = 12
            try await within(.seconds(20), "round \(round)") {
                await withTaskGroup(of: Void.self) { tasks in
                    for number in 0..<calls {
                        let timeout: Duration? = [nil, .milliseconds(1), .zero].randomElement() ?? nil
                        if number.isMultiple(of: 2) {
                            tasks.addTask {
                                _ = try? await server.accept(timeout: timeout)
                                ended.record(number)
                            }
                        } else {
                            server.accept(timeout: timeout) { _ in ended.record(number) }
                        }
                    }
                    for _ in 0..<3 {
                        tasks.addTask {
                            let client = TCPSocket()
                            try? await client.connect(to: address, timeout: .seconds(5))
                            await client.close()
                        }
                    }
                    tasks.addTask {
                        for _ in 0..<Int.random(in: 0..<5) { await Task.yield() }
                        switch round % 3 {
                        case 0: await server.close()
                        case 1: if let number = try? await server.detach() { Kernel.close(number) }
                        default: _ = try? await server.shutdown(timeout: .milliseconds(2))
                        }
                    }
                    if round.isMultiple(of: 4) { tasks.cancelAll() }
                }
                await server.close()
                try await ended.wait(count: calls)
            }
            try await settle(server.eventLoop)
            #expect(ended.events.sorted() == Array(0..<calls))
        }
    }

    @Test("3. shutdown against peers that connect: nothing is left open, in any style")
    func shutdown_againstConnects_leavesNothingOpen() async throws {
        try await AcceptRaceTests.rounds(300) { round in
            let (server, address) = try await makeRacingServer()
            if round.isMultiple(of: 3) { server.maxConnections = 2 }
            if round.isMultiple(of: 2) { server.overloadPolicy = .refuse }
            let style = round % 4
            let kept = EventRecorder<TCPSocketConnection>()
            let work = Task {
                switch style {
                case 0: server.on(.connect) { kept.record($0) }
                case 1: try? await server.serve { _ = try await $0.receive() }
                case 2: while let connection = try? await server.accept() { kept.record(connection) }
                default: for try await connection in server.connections { kept.record(connection) }
                }
            }
            try await within(.seconds(20), "round \(round)") {
                await withTaskGroup(of: Void.self) { tasks in
                    for _ in 0..<6 {
                        tasks.addTask {
                            let client = TCPSocket()
                            do {
                                try await client.connect(to: address, timeout: .seconds(5))
                                // Linux may close the listener just as the handshake ends, and tell the peer only
                                // when that says something.
                                try await client.send("x")
                                // Its end, in good order or by a reset.
                                while try await client.receive(timeout: .seconds(10)) != nil {}
                            } catch {
                                #expect((error as? SocketError)?.kind != .timedOut)
                            }
                            await client.close()
                        }
                    }
                    tasks.addTask {
                        for _ in 0..<Int.random(in: 0..<8) { await Task.yield() }
                        _ = try? await server.shutdown(timeout: .milliseconds(Int.random(in: 0...3)))
                        #expect(server.connectionCount == 0)
                    }
                }
                _ = await work.result
            }
            #expect(server.connectionCount == 0)
            for connection in kept.events { #expect(connection.state.isClose) }
        }
    }
}
