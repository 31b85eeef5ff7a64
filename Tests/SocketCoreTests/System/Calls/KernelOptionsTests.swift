import SocketCore
import Testing

@Suite struct KernelOptionsTests {
    private static func options(_ change: (inout KernelOptions) -> Void) -> KernelOptions {
        var options = KernelOptions()
        change(&options)
        return options
    }

    @Test func overlaid_takesTheOthersFields_whereTheyAreSet() {
        let base = KernelOptionsTests.options {
            $0.keepAlive = true
            $0.noDelay = true
            $0.sendBuffer = 1
        }
        let over = KernelOptionsTests.options {
            $0.keepAlive = false
            $0.receiveBuffer = 2
            $0.reuseAddress = true
        }
        let expected = KernelOptionsTests.options {
            $0.keepAlive = false
            $0.noDelay = true
            $0.sendBuffer = 1
            $0.receiveBuffer = 2
            $0.reuseAddress = true
        }
        #expect(base.overlaid(with: over) == expected)
        #expect(base.overlaid(with: KernelOptions()) == base)
        #expect(KernelOptions().overlaid(with: base) == base)
    }

    private static let switches: [any WritableKeyPath<KernelOptions, Bool?> & Sendable] = [
        \.reuseAddress, \.keepAlive, \.outOfBandInline, \.noDelay,
    ]

    @Test(arguments: 0..<4, [true, false])
    func switch_isSetAndReadBack_andTheOthersAreLeft(_ index: Int, _ value: Bool) throws {
        let socket = try RawSocket.open(.v4)
        defer { socket.close() }
        let path = KernelOptionsTests.switches[index]
        let before = KernelOptions.read(from: socket.number)
        try KernelOptionsTests.options { $0[keyPath: path] = value }.apply(to: socket.number).get()
        var expected = before
        expected[keyPath: path] = value
        #expect(KernelOptions.read(from: socket.number) == expected)
    }

    @Test func buffers_areAtLeastWhatWasAskedFor() throws {
        let socket = try RawSocket.open(.v4)
        defer { socket.close() }
        let options = KernelOptionsTests.options {
            $0.receiveBuffer = 20_000
            $0.sendBuffer = 30_000
        }
        try options.apply(to: socket.number).get()
        let read = KernelOptions.read(from: socket.number)
        // Linux doubles what is asked for (socket(7)).
        #expect([20_000, 40_000].contains(read.receiveBuffer))
        #expect([30_000, 60_000].contains(read.sendBuffer))
    }

    @Test func read_leavesOut_whatTheSocketDoesNotHave() throws {
        let datagram = try RawSocket.open(.v4, .datagram)
        defer { datagram.close() }
        let options = KernelOptions.read(from: datagram.number)
        #expect(options.noDelay == nil)
        #expect(options.ipv6Only == nil)
        #expect(options.broadcast == false)
        let stream = try RawSocket.open(.v6)
        defer { stream.close() }
        #expect(KernelOptions.read(from: stream.number).ipv6Only != nil)
    }

    @Test func apply_ofWhatTheKernelRefuses_fails() throws {
        let datagram = try RawSocket.open(.v4, .datagram)
        defer { datagram.close() }
        let options = KernelOptionsTests.options { $0.noDelay = true }
        guard case .failure = options.apply(to: datagram.number) else {
            Issue.record("a datagram socket has no TCP_NODELAY")
            return
        }
        #expect(KernelOptions().apply(to: datagram.number).isSuccess)
    }

    @Test func takeError_tellsOnce() throws {
        let pair = try RawPair()
        defer { pair.close() }
        #expect(try OptionCalls.takeError(pair.near.number).get() == nil)
        pair.far.reset()
        try pair.near.wait(for: .readable)
        #expect(try OptionCalls.takeError(pair.near.number).get() == .connectionReset)
        #expect(try OptionCalls.takeError(pair.near.number).get() == nil)
    }
}

extension Result where Success == Void {
    var isSuccess: Bool { if case .success = self { true } else { false } }
}
