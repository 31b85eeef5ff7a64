import HarmonySocket
import Testing

// In a child process, where every descriptor is ours to count.
@Suite("Races: detach against everything", .timeLimit(.minutes(2)))
struct DetachRaceTests {
    @Test("2. 3. detach() against close, reset, receives and lent descriptors: no byte and no descriptor is lost")
    func detach_againstEverything_losesAndLeaksNothing() async throws {
        await #expect(processExitsWith: .success) {
            let text = Array("0123456789".utf8)
            let (server, address) = try await makeServer()
            let kinds = EventRecorder<SocketError.Kind?>()

            @Sendable func play(_ round: Int) async throws {
                let peer = try await blocking { try RawSocket.connected(to: address) }
                let connection = try await server.accept(timeout: .seconds(20))
                let closes = TestLock(0)
                if round.isMultiple(of: 3) { connection.on(.close) { closes.withLock { $0 += 1 } } }
                if round.isMultiple(of: 2) { try peer.send(text) }
                @Sendable func pause() async { for _ in 0..<Int.random(in: 0..<4) { await Task.yield() } }
                async let received = {
                    await pause()
                    return try? await connection.receive(upTo: 3, timeout: .milliseconds(Int.random(in: 0...2)))
                }()
                async let lent: Void = {
                    for _ in 0..<5 { _ = try? await connection.getTCPInfo() }
                }()
                async let asked: Void = {
                    for _ in 0..<5 { _ = (try? await connection.getExtraOptions(), connection.localAddress) }
                }()
                async let ended: Void = {
                    await pause()
                    switch round % 5 {
                    case 0: await connection.close()
                    case 1: await connection.reset()
                    default: break
                    }
                }()
                if !round.isMultiple(of: 2) {
                    await pause()
                    try? peer.send(text)
                }
                var detached: DetachedStream?
                do throws(SocketError) {
                    detached = try await connection.detach()
                    kinds.record(nil)
                } catch {
                    #expect([.closed, .invalidState].contains(error.kind), "\(error)")
                    kinds.record(error.kind)
                }
                let first = await received ?? []
                _ = await (lent, asked, ended)
                if let detached {
                    // The connection is whole, whatever was called meanwhile.
                    let next = try TCPSocket(adopting: detached.descriptor, unread: detached.unread)
                    let count = text.count - first.count
                    let rest = try await next.receive(exactly: count, timeout: .seconds(20)) ?? []
                    #expect(first + rest == text)
                    await next.reset()
                }
                await connection.reset()
                peer.close()
                guard round.isMultiple(of: 3) else { return }
                try await eventually("close is told") { closes.withLock { $0 } > 0 }
                #expect(closes.withLock { $0 } == 1)
            }

            // The first rounds start loops.
            for round in 0..<20 { try await play(round) }
            let base = try await ProcessFacts.settledDescriptors()
            let end = ContinuousClock.now.advanced(by: .milliseconds(1500))
            for round in 0..<2000 where round < 50 || ContinuousClock.now < end { try await play(round) }
            for kind in [nil, .closed, .invalidState] as [SocketError.Kind?] {
                #expect(kinds.events.contains(kind), "\(String(describing: kind)) was not met")
            }
            try await eventually("every descriptor is given back") { ProcessFacts.descriptors.count <= base }
            await server.close()
        }
    }
}
