import HarmonySocket
import Testing

@Suite("Happy Eyeballs where IPv6 is announced and lost", .timeLimit(.minutes(1)))
struct HappyEyeballsTests {
    @Test(
        "In a network that loses IPv6 we are connected over IPv4 within 400 ms",
        .enabled(
            if: !LossyNetwork.isHere && LossyNetwork.isAvailable,
            "needs unshare, ip and the right to make namespaces"))
    func lossyNetwork_connectsOverIPv4() async throws {
        let child = try LossyNetwork.rerun("HappyEyeballsTests/inside")
        let output = String(decoding: try await blocking { try child.readAll() }, as: UTF8.self)
        #expect(try await blocking { try child.waitForEnd() } == 0, "\(output)")
        #expect(output.contains("all was tried"), "\(output)")
        for line in output.split(separator: "\n") where line.contains("connected after") { print(line) }
    }

    @Test(
        "Inside of that network: by a resolver of our own, by name, and with a name server that is silent",
        .enabled(if: LossyNetwork.isHere, "the test above runs it"))
    func inside() async throws {
        let server = TCPSocketServer()
        try await server.listen(.any)
        let port = try await server.getLocalAddress().port
        // What loops and the C library open once is open after the first.
        _ = try await connect("dual.test", port, SystemResolver())
        let base = try await ProcessFacts.settledDescriptors()

        let resolvers: [any SocketResolver] = [
            ScriptedResolver([LossyNetwork.dead, LossyNetwork.own]), SystemResolver(),
        ]
        for resolver in resolvers {
            var times: [Duration] = []
            for _ in 0..<5 { times.append(try await connect("dual.test", port, resolver)) }
            times.sort()
            print("\(type(of: resolver)): connected after \(times)")
            // IPv6 was tried first, and had its 250 ms.
            #expect(times[0] >= .milliseconds(250))
            // Not by chance, and not with the machine busy with something else.
            #expect(times[1] < .milliseconds(400), "the second of \(times)")
        }

        // Over an interface that has no way to IPv6 that attempt fails at once, and IPv4 need not wait.
        let local = ScriptedResolver([LossyNetwork.dead, "127.0.0.1"])
        var bound = Duration.seconds(1)
        for _ in 0..<3 { bound = min(bound, try await connect("local.test", port, local, interface: "lo")) }
        print("over lo: connected after \(bound)")
        #expect(bound < .milliseconds(250))

        // No answer for IPv6 is waited for 50 ms. The look-up ends by itself, and nobody hears of it.
        let time = try await connect("ipv4.test", port, SystemResolver())
        print("with a silent name server: connected after \(time)")
        // Well before the look-up gives up, which takes a second.
        #expect(time >= .milliseconds(50) && time < .milliseconds(800))
        #expect(ProcessFacts.resolverThreads == 1)
        try await eventually("the look-up has ended") { ProcessFacts.resolverThreads == 0 }

        #expect(ProcessFacts.descriptors.count <= base)
        await server.close()
        print("all was tried")
    }

    /// How long a connect took. Its other attempts are gone when it has ended.
    private func connect(
        _ host: String, _ port: Int, _ resolver: any SocketResolver, interface: String? = nil
    ) async throws -> Duration {
        let socket = TCPSocket(resolver: resolver)
        try await socket.setExtraOptions(TCPExtraOptions(interface: interface))
        let start = ContinuousClock.now
        try await socket.connect(to: NetAddress(host, port: port))
        let time = ContinuousClock.now - start
        #expect(socket.remoteAddress?.family == .ipv4)
        #expect(ProcessFacts.connecting(to: port) == 0)
        await socket.reset()
        return time
    }
}
