import HarmonySocket
import Testing

// In a child process, where every descriptor is ours to count.
@Suite("Races: connect against cancellation", .timeLimit(.minutes(2)))
struct ConnectRaceTests {
    private enum Target: CaseIterable {
        case listening, refused, silent, name, stuckName
    }

    @Test("3. 4. Cancelling a thousand connects at random points: each ends once, loses nothing and leaks nothing")
    func cancel_atRandomPoints_losesAndLeaksNothing() async throws {
        await #expect(processExitsWith: .success) {
            let (server, address) = try await makeServer()
            server.on(.connect) { client in client.on(.message) { client.send($0.message) { _ in } } }
            let silent = try SilentListener()
            let refused = Loopback.ipv4.address(try freePort())
            let known = ScriptedResolver(["::1", "127.0.0.1"])
            let stuck = StuckResolver()
            let ended = EventRecorder<SocketError.Kind?>()

            @Sendable func connect(_ number: Int) async throws -> Weak<TCPSocket> {
                var random = SplitMix(UInt64(number))
                let target = Target.allCases[number % Target.allCases.count]
                let socket = TCPSocket(resolver: target == .stuckName ? stuck : known)
                let closes = TestLock(0)
                socket.on(.close) { closes.withLock { $0 += 1 } }
                let peer =
                    switch target {
                    case .listening: address
                    case .refused: refused
                    case .silent: silent.address
                    case .name, .stuckName: NetAddress("host.example", port: address.port)
                    }
                let task = Task { () -> SocketError.Kind? in
                    do throws(SocketError) {
                        try await socket.connect(to: peer, timeout: nil)
                        return nil
                    } catch {
                        return error.kind
                    }
                }
                switch Int.random(in: 0..<4, using: &random) {
                case 0: break
                case 1: for _ in 0..<Int.random(in: 0..<20, using: &random) { await Task.yield() }
                case 2: try await Task.sleep(for: .microseconds(Int.random(in: 0..<400, using: &random)))
                default: try await Task.sleep(for: .milliseconds(Int.random(in: 0..<300, using: &random)))
                }
                task.cancel()
                let kind = try await within { await task.value }
                switch kind {
                case nil:
                    // Connected: nothing of the cancellation is left.
                    try await socket.send("\(number)")
                    #expect(try await read("\(number)".count, from: socket) == Array("\(number)".utf8))
                    await socket.close()
                case .cancelled, .connectionRefused: break
                default: Issue.record("\(String(describing: kind)) of \(target)")
                }
                try await eventually("close is told") { closes.withLock { $0 } > 0 }
                #expect(closes.withLock { $0 } == 1)
                #expect(socket.state.isClose)
                ended.record(kind)
                return Weak(socket)
            }

            func connectMany(_ numbers: Range<Int>) async throws -> [Weak<TCPSocket>] {
                try await withThrowingTaskGroup(of: Weak<TCPSocket>.self) { group in
                    // At most as many at once as the listeners hold.
                    for number in numbers.prefix(50) { group.addTask { try await connect(number) } }
                    var next = numbers.lowerBound + 50
                    var sockets: [Weak<TCPSocket>] = []
                    for try await socket in group {
                        sockets.append(socket)
                        if next < numbers.upperBound { group.addTask { [next] in try await connect(next) } }
                        next += 1
                    }
                    return sockets
                }
            }

            // The first hundred start loops and load what the C library loads once.
            _ = try await connectMany(0..<100)
            let base = try await ProcessFacts.settledDescriptors()
            let sockets = try await connectMany(100..<1100)
            #expect(ended.count == 1100)
            // Both outcomes were met, or the test shows nothing.
            for kind in [nil, .cancelled, .connectionRefused] as [SocketError.Kind?] {
                #expect(ended.events.count { $0 == kind } > 20, "\(String(describing: kind))")
            }
            try await eventually("every socket is gone") { sockets.allSatisfy { $0.value == nil } }
            try await eventually("every descriptor is given back") { ProcessFacts.descriptors.count <= base }
            if ProcessFacts.hasProc { #expect(ProcessFacts.connecting(to: silent.port) == 0) }
            stuck.release()
            await server.close()
        }
    }
}
