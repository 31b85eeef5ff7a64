import HarmonySocket
import Testing

// What concerns the whole process runs in a child of its own, where no other test disturbs it.
@Suite("Promises: the process", .timeLimit(.minutes(2)))
struct ProcessTests {
    @Test("21. No signal handler is installed, and writing to connections that are gone raises no SIGPIPE")
    func writing_toResetConnections_raisesNoSignal() async throws {
        await #expect(processExitsWith: .success) {
            ProcessFacts.letBrokenPipeKill()
            let actions = ProcessFacts.signalActions
            for round in 0..<20 {
                let (connection, peer) = try await makeConnectionWithRawPeer()
                if round.isMultiple(of: 2) { peer.reset() } else { peer.close() }
                // Every one of them ends, also those behind the one that met the reset.
                for _ in 0..<50 {
                    do throws(SocketError) {
                        try await connection.send([UInt8](repeating: 1, count: 1000), timeout: .seconds(20))
                    } catch {
                        #expect(error.kind == .connectionReset || error.kind == .closed)
                    }
                }
                connection.send([1]) { _ in }
                await connection.close()
            }
            let udp = UDPSocket()
            try? await udp.send("x", to: Loopback.ipv4.address(try freeUDPPort()))
            await udp.close()
            #expect(ProcessFacts.signalActions == actions)
            #expect(ProcessFacts.hasDefaultAction(ProcessFacts.brokenPipe))
        }
    }

    @Test("21. sendfile and splice to connections that are gone raise no SIGPIPE either")
    func moving_toGoneConnections_raisesNoSignal() async throws {
        await #expect(processExitsWith: .success) {
            ProcessFacts.letBrokenPipeKill()
            let file = try TemporaryFile()
            try file.setSize(10_000_000)
            for round in 0..<20 {
                let group = SocketEventLoopGroup(count: 1)
                let (connection, peer) = try await makeConnectionWithRawPeer(group: group)
                let (source, sender) = try await makeConnectionWithRawPeer(group: group)
                startThread { while (try? sender.send([UInt8](repeating: 1, count: 100_000))) != nil {} }
                // Gone before, and in the middle of it.
                let pause = Duration.microseconds(round / 4 * 300)
                startThread {
                    ProcessFacts.pause(pause)
                    if round.isMultiple(of: 2) { peer.reset() } else { peer.close() }
                }
                if round % 4 < 2 {
                    let result: Result<RelayCounts, RelayError>
                    do throws(RelayError) {
                        result = .success(try await source.relay(with: connection))
                    } catch {
                        result = .failure(error)
                    }
                    guard case .failure(let error) = result else {
                        Issue.record("relayed to nobody: \(result)")
                        continue
                    }
                    #expect(error.side == .other, "\(error)")
                } else {
                    for _ in 0..<5 {
                        do throws(SocketError) {
                            try await connection.sendFile(file.path, timeout: .seconds(5))
                            Issue.record("sent to nobody")
                        } catch {
                            #expect(error.kind == .connectionReset || error.kind == .closed, "\(error)")
                        }
                    }
                }
                await source.reset()
                await connection.reset()
            }
            #expect(ProcessFacts.hasDefaultAction(ProcessFacts.brokenPipe))
        }
    }

    @Test("21. Nor do they on a thread of the program that runs the loop, which ends with the signals it had")
    func sending_onAHostingThread_raisesNoSignal() async throws {
        await #expect(processExitsWith: .success) {
            ProcessFacts.letBrokenPipeKill()
            let file = try TemporaryFile()
            try file.setSize(10_000_000)
            let path = file.path
            try await blocking {
                let group = SocketEventLoopGroup(count: 1)
                try group.next().run {
                    let (connection, peer) = try await makeConnectionWithRawPeer(group: group)
                    peer.close()
                    for _ in 0..<5 {
                        await #expect(throws: SocketError.self) {
                            try await connection.sendFile(path, timeout: .seconds(5))
                        }
                    }
                    await connection.reset()
                }
                #expect(!ProcessFacts.isBrokenPipeBlocked)
            }
        }
    }

    @Test("21. Every descriptor is close-on-exec", .enabled(if: ProcessFacts.hasProc, "lists them in /proc"))
    func descriptors_ofEveryKind_areCloseOnExec() async throws {
        await #expect(processExitsWith: .success) {
            let before = Set(ProcessFacts.descriptors)
            let (server, address) = try await makeServer()
            let accepted = EventRecorder<TCPSocketConnection>()
            server.on(.connect) { accepted.record($0) }
            let client = TCPSocket()
            try await client.connect(to: address)
            let bound = TCPSocket()
            try await bound.bind(Loopback.ipv6.address())
            let named = TCPSocket()
            try? await named.connect(to: NetAddress("localhost", port: address.port, family: .domain))
            let udp = UDPSocket()
            try await udp.bind(Loopback.ipv6.address())
            try await accepted.wait(count: 1)
            let silent = try SilentListener()
            let connecting = TCPSocket()
            connecting.connect(to: silent.address, timeout: nil) { _ in }
            try await eventually("the attempt is under way") { ProcessFacts.connecting(to: silent.port) == 1 }
            let ours = ProcessFacts.descriptors.filter { !before.contains($0) && !silent.owns($0) }
            // Five sockets, the attempt, and at least one poller.
            #expect(ours.count >= 7)
            for descriptor in ours { #expect(ProcessFacts.isCloseOnExec(descriptor), "descriptor \(descriptor)") }
            await connecting.close()
            withExtendedLifetime((server, client, bound, named, udp, accepted)) {}
        }
    }

    @Test("22. Running out of descriptors on accept is survived: told as error, and accepting goes on")
    func accept_withoutDescriptors_backsOffAndGoesOn() async throws {
        await #expect(processExitsWith: .success) {
            let (server, address) = try await makeServer()
            let errors = EventRecorder<SocketError.Kind>()
            let served = EventRecorder<Bool>()
            server.on(.error) { errors.record($0.kind) }
            server.on(.connect) { client in
                served.record(true)
                client.on(.message) { client.send($0.message) { _ in } }
            }
            // Everything that the process will need is there before the limit comes.
            let first = try await blocking { try RawSocket.connected(to: address) }
            try await served.wait(count: 1)
            let clients = try await blocking { try (0..<30).map { _ in try RawSocket.unconnected() } }
            let fillers = try await useUpDescriptors()
            try await blocking { for client in clients { try client.connect(to: address) } }
            try await errors.wait(for: .tooManyOpenFiles)
            #expect(server.lastError?.kind == .tooManyOpenFiles)
            // The runtime looks at its threads now and then, and leaves a descriptor when it has.
            #expect(served.count < 5)
            // The connections that stand are served meanwhile.
            try first.send("still")
            #expect(try await blocking { try first.receive(exactly: 5) } == Array("still".utf8))
            let seen = errors.count
            for filler in fillers { ProcessFacts.closeNothing(filler) }
            try await served.wait(count: 31)
            for client in clients {
                try client.send("x")
                #expect(try await blocking { try client.receive(exactly: 1) } == [0x78])
            }
            #expect(seen < 50, "it backed off instead of trying again and again")
            #expect(!server.state.isClose)
        }
    }

    @Test("22. So it is with calls that pull, and with a limit of connections that is reached as well")
    func pullingAccepts_withoutDescriptors_goOnToo() async throws {
        await #expect(processExitsWith: .success) {
            let (server, address) = try await makeServer()
            server.maxConnections = 11
            let errors = EventRecorder<SocketError.Kind>()
            let overloads = EventRecorder<Int>()
            let served = EventRecorder<TCPSocketConnection>()
            server.on(.error) { errors.record($0.kind) }
            server.on(.overload) { overloads.record($0.connectionCount) }
            @Sendable func serve(_ connection: TCPSocketConnection) {
                connection.on(.message) { connection.send($0.message) { _ in } }
                served.record(connection)
            }
            // Everything that the process will need is there before the limit comes.
            let first = try await blocking { try RawSocket.connected(to: address) }
            serve(try await server.accept())
            let clients = try await blocking { try (0..<30).map { _ in try RawSocket.unconnected() } }
            let fillers = try await useUpDescriptors()
            try await blocking { for client in clients { try client.connect(to: address) } }
            do throws(SocketError) {
                // The runtime looks at its threads now and then, and leaves a descriptor when it has.
                for _ in 0..<5 { serve(try await server.accept(timeout: .zero)) }
                Issue.record("there are descriptors left")
            } catch {
                #expect(error.kind == .timedOut)
            }
            let pulling = Task {
                do throws(SocketError) {
                    while true { serve(try await server.accept()) }
                } catch {
                    #expect(error.kind == .aborted || error.kind == .closed, "no accept failed before")
                }
            }
            try await errors.wait(count: 3)
            #expect(Set(errors.events) == [.tooManyOpenFiles])
            #expect(served.count < 6)
            #expect(overloads.count == 0)
            for filler in fillers { ProcessFacts.closeNothing(filler) }
            try await served.wait(count: 11)
            #expect(try await overloads.wait(count: 1) == [11])
            #expect(errors.count < 50, "it backed off instead of trying again and again")
            // Each that ends lets another one in.
            first.close()
            for client in clients {
                try client.send("x")
                let reply = try await blocking { try client.receive(exactly: 1) }
                #expect(reply == [0x78])
                client.close()
            }
            #expect(served.count == 31)
            #expect(server.connectionCount <= 11)
            #expect(overloads.count == 1)
            await server.close()
            await pulling.value
        }
    }

    @Test(
        "23. An idle process does nothing: no timer tick, no wake-up", .enabled(if: ProcessFacts.hasProc, "asks /proc"))
    func idle_withConnections_makesNoWakeUp() async throws {
        await #expect(processExitsWith: .success) {
            let (server, address) = try await makeServer()
            let events = EventRecorder<TCPSocketConnection>()
            server.on(.connect) { client in
                client.on(.message) { client.send($0.message) { _ in } }
                events.record(client)
            }
            var clients: [TCPSocket] = []
            for number in 0..<50 {
                let client = TCPSocket()
                try await client.connect(to: address)
                try await client.send("hello")
                _ = try await client.receive(timeout: .seconds(20))
                // Some are half closed, and some have input that nobody reads.
                if number.isMultiple(of: 3) { client.allowsHalfOpen = true }
                clients.append(client)
            }
            let halfClosed = try await makeConnectionWithRawPeer()
            halfClosed.peer.finish()
            try await halfClosed.connection.finish()
            let unread = try await makeConnectionWithRawPeer()
            try unread.peer.send([UInt8](repeating: 0, count: 100_000))
            let udp = UDPSocket()
            udp.on(.message) { _ in }
            try await udp.bind(Loopback.ipv4.address())
            // A time-out that is far away is no reason to wake up either.
            clients[0].receive(timeout: .seconds(600)) { _ in }
            // A loop that spins shows in the second.
            try await expectRest("every loop", for: .seconds(1)) { [ProcessFacts.loopSleeps, ProcessFacts.loopTicks] }
            withExtendedLifetime((server, clients, halfClosed, unread, udp, events)) {}
        }
    }

    @Test("23. One firehose does not starve a hundred echoes on the same loop")
    func firehose_besideEchoes_starvesNobody() async throws {
        let group = SocketEventLoopGroup(count: 1)
        let (server, address) = try await makeServer(group: group)
        let swallowed = TestLock(0)
        server.on(.connect) { client in
            client.once(.message) { first in
                // The first byte says what the client is.
                if first.message[0] == 1 {
                    client.on(.message) { message in swallowed.withLock { $0 += message.message.count } }
                } else {
                    client.send(first.message) { _ in }
                    client.on(.message) { client.send($0.message) { _ in } }
                }
            }
        }
        let firehose = try await blocking { try RawSocket.connected(to: address) }
        let isOver = TestLock(false)
        startThread {
            let chunk = [UInt8](repeating: 1, count: 1 << 20)
            while !isOver.withLock({ $0 }), (try? firehose.send(chunk)) != nil {}
        }
        let clients = try await blocking { try (0..<100).map { _ in try RawSocket.connected(to: address) } }
        let before = swallowed.withLock { $0 }
        // Each answer comes within the time limit of the raw sockets.
        try await blocking(.seconds(50)) {
            for _ in 0..<5 {
                for client in clients { try client.send([2]) }
                for client in clients { #expect(try client.receive(exactly: 1) == [2]) }
            }
        }
        #expect(swallowed.withLock { $0 } > before, "and the firehose was served too")
        isOver.withLock { $0 = true }
        firehose.close()
        await server.close()
    }

    @Test("24. No more connections are open than maxConnections says, however many peers come")
    func connections_areNeverMoreThanTheLimit() async throws {
        let (server, address) = try await makeServer()
        server.maxConnections = 5
        let (open, most, total) = (TestLock(0), TestLock(0), TestLock(0))
        let serving = Task {
            try await server.serve { connection in
                let now = open.withLock { open in
                    open += 1
                    return open
                }
                most.withLock { $0 = max($0, now) }
                total.withLock { $0 += 1 }
                for try await chunk in connection.messages { try await connection.send(chunk.message) }
                open.withLock { $0 -= 1 }
            }
        }
        try await withThrowingTaskGroup { tasks in
            for _ in 0..<60 {
                tasks.addTask {
                    let client = TCPSocket()
                    try await client.connect(to: address)
                    try await client.send("x")
                    #expect(try await read(1, from: client) == [0x78])
                    await client.close()
                }
            }
            try await tasks.waitForAll()
        }
        #expect(most.withLock { $0 } <= 5)
        #expect(total.withLock { $0 } == 60)
        #expect(try await server.shutdown() == 0)
        try await within { try await serving.value }
    }
}
