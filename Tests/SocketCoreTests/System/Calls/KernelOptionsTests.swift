import SocketCore
import Testing

@Suite struct KernelOptionsTests {
    private static func options(_ values: [KernelOption: Int32]) -> KernelOptions {
        var options = KernelOptions()
        for (option, value) in values { options[option] = value }
        return options
    }

    @Test func overlaid_takesTheOthersValues_whereTheyAreSet() {
        let base = KernelOptionsTests.options([.keepAlive: 1, .tcpNoDelay: 1, .sendBufferSize: 1])
        let over = KernelOptionsTests.options([.keepAlive: 0, .receiveBufferSize: 2, .reuseAddress: 1])
        let expected = KernelOptionsTests.options([
            .keepAlive: 0, .tcpNoDelay: 1, .sendBufferSize: 1, .receiveBufferSize: 2, .reuseAddress: 1,
        ])
        #expect(base.overlaid(with: over) == expected)
        #expect(base.overlaid(with: KernelOptions()) == base)
        #expect(KernelOptions().overlaid(with: base) == base)
    }

    @Test func changeable_leavesOut_whatMustComeFirst() {
        let options = KernelOptionsTests.options([.keepAlive: 1, .ipv6Only: 1, .reusePort: 0, .interface: 1])
        #expect(options.changeable == KernelOptionsTests.options([.keepAlive: 1]))
    }

    /// What is asked for, what the socket has, and the first that comes too late.
    @Test(
        arguments: [
            ([.keepAlive: 1], [:], nil),
            ([.ipv6Only: 1], [.ipv6Only: 1], nil),
            ([.ipv6Only: 1], [.ipv6Only: 0], .ipv6Only),
            ([.ipv6Only: 1], [:], .ipv6Only),
            ([.reusePort: 0, .interface: 2], [.reusePort: 0, .interface: 1], .interface),
            ([:], [.ipv6Only: 1], nil),
        ] as [([KernelOption: Int32], [KernelOption: Int32], KernelOption?)])
    func firstTooLate_isOneThatWouldChange(
        _ asked: [KernelOption: Int32], _ current: [KernelOption: Int32], _ late: KernelOption?
    ) {
        #expect(KernelOptionsTests.options(asked).firstTooLate { current[$0] } == late)
    }

    /// An option of a stream socket that has no peer yet, and a value that is not its default.
    static let values: [(KernelOption, Int32)] = [
        (.reuseAddress, 1), (.reusePort, 1), (.keepAlive, 1), (.keepAliveIdle, 77), (.keepAliveInterval, 7),
        (.keepAliveCount, 3), (.oobInline, 1), (.tcpNoDelay, 1), (.tcpQuickAck, 0), (.userTimeout, 1234),
        (.tcpFastOpenQueue, 5), (.typeOfService, 0x20), (.interface, 1), (.broadcast, 1),
    ]

    @Test(arguments: values.filter(\.0.isAvailable), SocketAddress.Family.internet)
    func option_isSetAndReadBack_andTheOthersAreLeft(
        _ option: (KernelOption, Int32), _ family: SocketAddress.Family
    ) throws {
        let socket = try RawSocket.open(family)
        defer { socket.close() }
        let before = KernelOptions.read(from: socket.number)
        #expect(before[option.0] != option.1)
        try KernelOptionsTests.options([option.0: option.1]).apply(to: socket.number).get()
        var expected = before
        expected[option.0] = option.1
        #expect(KernelOptions.read(from: socket.number) == expected)
    }

    @Test func ipv6Only_isThereOnIPv6Alone() throws {
        let socket = try RawSocket.open(.v6)
        defer { socket.close() }
        for value in [1, 0] as [Int32] {
            try KernelOptionsTests.options([.ipv6Only: value]).apply(to: socket.number).get()
            #expect(KernelOptions.read(from: socket.number)[.ipv6Only] == value)
        }
        let other = try RawSocket.open(.v4)
        defer { other.close() }
        #expect(KernelOptions.read(from: other.number)[.ipv6Only] == nil)
        let refusal = KernelOptionsTests.options([.keepAlive: 1, .ipv6Only: 1]).apply(to: other.number)
        #expect(refusal.error?.option == .ipv6Only)
        #expect(refusal.error?.call == .setOption)
        #expect(refusal.error?.error == .optionNotAvailable)
    }

    @Test func buffers_areAtLeastWhatWasAskedFor() throws {
        let socket = try RawSocket.open(.v4)
        defer { socket.close() }
        try KernelOptionsTests.options([.receiveBufferSize: 20_000, .sendBufferSize: 30_000])
            .apply(to: socket.number).get()
        let read = KernelOptions.read(from: socket.number)
        // Linux doubles what is asked for (socket(7)).
        #expect([20_000, 40_000].contains(read[.receiveBufferSize]))
        #expect([30_000, 60_000].contains(read[.sendBufferSize]))
    }

    @Test func read_leavesOut_whatTheSocketDoesNotHave() throws {
        let datagram = try RawSocket.open(.v4, .datagram)
        defer { datagram.close() }
        let options = KernelOptions.read(from: datagram.number)
        for option in [.tcpNoDelay, .keepAliveIdle, .userTimeout, .tcpQuickAck, .ipv6Only] as [KernelOption] {
            #expect(options[option] == nil, "\(option)")
        }
        #expect(options[.broadcast] == 0)
    }

    @Test func apply_ofWhatTheKernelRefuses_namesIt() throws {
        let datagram = try RawSocket.open(.v4, .datagram)
        defer { datagram.close() }
        let refusal = KernelOptionsTests.options([.tcpNoDelay: 1, .broadcast: 1]).apply(to: datagram.number)
        #expect(refusal.error?.option == .tcpNoDelay)
        #expect(KernelOptions().apply(to: datagram.number).error == nil)
    }

    @Test func open_thatFails_saysWhichCall() throws {
        let ipv6Only = KernelOptionsTests.options([.ipv6Only: 1])
        let elsewhere = SocketAddress(v4: 0xc000_0201)
        let expected: [(KernelOptions, SocketAddress?, SystemCall?)] = [
            (KernelOptions(), nil, nil), (KernelOptions(), .loopback(.v4), nil),
            (ipv6Only, .loopback(.v4), .setOption), (KernelOptions(), elsewhere, .bind),
        ]
        for (options, address, call) in expected {
            switch SocketCalls.open(.v4, .stream, options, bindTo: address) {
            case .success(let descriptor):
                #expect(call == nil)
                let local = try SocketCalls.localAddress(descriptor.number).get()
                #expect((local.port != 0) == (address != nil))
            case .failure(let error):
                #expect(error.call == call)
                #expect((error.option != nil) == (call == .setOption))
            }
        }
    }

    @Test func interfaces_haveNamesAndNumbers() throws {
        // Interface 1 is the loopback of every system; its name differs.
        let name = try #require(InterfaceCalls.name(of: 1))
        #expect(InterfaceCalls.index(of: name) == 1)
        for other in ["", "no-such-interface", "\(name)\0", "\(name)x", String(repeating: "x", count: 10_000)] {
            #expect(InterfaceCalls.index(of: other) == nil)
        }
        for index in [0, -1, 2_000_000_000] as [Int32] { #expect(InterfaceCalls.name(of: index) == nil) }
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
