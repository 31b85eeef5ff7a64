import Foundation
import HarmonySocket
import Testing

@Suite(.bounded) struct UDPExtraOptionsTests {
    private static func row<Value: Equatable & Sendable>(
        _ path: any WritableKeyPath<UDPExtraOptions, Value?> & Sendable, _ value: Value, _ option: Kernel.Option,
        _ kernel: Int, reads: Value? = nil, on loopbacks: [Loopback] = Loopback.allCases
    ) -> OptionRow<UDPExtraOptions> {
        OptionRow(UDPExtraOptions(), path, value, option, kernel, reads: reads, on: loopbacks)
    }

    static let rows = [
        row(\.broadcast, true, .broadcast, 1),
        row(\.broadcast, false, .broadcast, 0),
        row(\.reuseAddress, true, .reuseAddress, 1),
        row(\.reuseAddress, false, .reuseAddress, 0),
        row(\.typeOfService, 0xb8, .typeOfService, 0xb8),
        row(\.receiveBufferSize, 20_000, .receiveBuffer, doubled(20_000), reads: doubled(20_000)),
        row(\.sendBufferSize, 30_000, .sendBuffer, doubled(30_000), reads: doubled(30_000)),
        row(\.multicastTTL, 0, .multicastTTL, 0),
        row(\.multicastTTL, 255, .multicastTTL, 255),
        row(\.multicastLoopback, false, .multicastLoopback, 0),
        row(\.multicastLoopback, true, .multicastLoopback, 1),
        // The kernel does not tell that of IPv4: the tests in a network of their own see where datagrams go.
        row(
            \.multicastInterface, Kernel.loopbackInterface, .multicastInterface, Kernel.loopbackIndex, on: [.ipv6]),
        row(\.multicastInterface, "", .multicastInterface, 0, on: [.ipv6]),
    ]

    @Test func multicastInterface_ofIPv4_isReadAsItWasSet() async throws {
        let socket = UDPSocket()
        try await socket.bind(NetAddress("127.0.0.1"))
        #expect(try await socket.getExtraOptions().multicastInterface == nil)
        try await socket.setExtraOptions(UDPExtraOptions(multicastInterface: Kernel.loopbackInterface))
        #expect(try await socket.getExtraOptions().multicastInterface == Kernel.loopbackInterface)
        await socket.close()
    }

    @Test(arguments: rows, Loopback.allCases)
    func option_setBeforeOrAfterBind_isReadBackFromTheKernel(
        _ row: OptionRow<UDPExtraOptions>, _ loopback: Loopback
    ) async throws {
        guard row.loopbacks.contains(loopback) else { return }
        let before = UDPSocket()
        try await before.setExtraOptions(row.set)
        #expect(try await before.getExtraOptions().broadcast == row.set.broadcast)
        try await before.bind(loopback.address())
        let after = UDPSocket()
        try await after.bind(loopback.address())
        let result: Result<Void, SocketError> = try await answer { after.setExtraOptions(row.set, completion: $0) }
        try result.get()
        for socket in [before, after] {
            row.check(try await socket.getExtraOptions(), of: await socket.getSocketFd(), "bound")
            let read: Result<UDPExtraOptions, SocketError> = try await answer { socket.getExtraOptions(completion: $0) }
            #expect(row.isReadBack(try read.get()))
            await socket.close()
        }
    }

    @Test func reuseAddress_onBoth_sharesAPort() async throws {
        let sockets = [UDPSocket(), UDPSocket()]
        for socket in sockets { try await socket.setExtraOptions(UDPExtraOptions(reuseAddress: true)) }
        try await sockets[0].bind(NetAddress("127.0.0.1"))
        try await sockets[1].bind(sockets[0].getLocalAddress())
        #expect(sockets[0].localAddress == sockets[1].localAddress)
        for socket in sockets { await socket.close() }
    }

    @Test func reusePort_onBoth_sharesAPort() async throws {
        let sockets = [UDPSocket(), UDPSocket()]
        for socket in sockets { try await socket.setExtraOptions(UDPExtraOptions(reusePort: true)) }
        try await sockets[0].bind(NetAddress("127.0.0.1"))
        try await sockets[1].bind(sockets[0].getLocalAddress())
        #expect(sockets[0].localAddress == sockets[1].localAddress)
        for socket in sockets { await socket.close() }
    }

    /// A socket at `::` hears both families, and answers both, unless it is for IPv6 alone.
    @Test(arguments: [true, false])
    func ipv6Only_decidesAboutIPv4Peers(_ isIPv6Only: Bool) async throws {
        let socket = UDPSocket()
        try await socket.setExtraOptions(
            UDPExtraOptions(ipv6Only: isIPv6Only, receivePacketInfo: true, receiveTypeOfService: true))
        try await socket.bind(NetAddress("::"))
        let port = try await socket.getLocalAddress().port
        #expect(try await socket.getExtraOptions().ipv6Only == isIPv6Only)
        for loopback in Loopback.allCases {
            let peer = UDPSocket()
            try await peer.setExtraOptions(UDPExtraOptions(typeOfService: 2))
            try await peer.connect(to: loopback.address(port))
            try await peer.send("hello")
            if isIPv6Only, loopback == .ipv4 {
                let error = await failure { () async throws(SocketError) in
                    try await peer.receive(timeout: .seconds(20))
                }
                #expect(error?.kind == .connectionRefused)
            } else {
                let heard = try await socket.receive(timeout: .seconds(20))
                let shown = loopback == .ipv4 ? "::ffff:127.0.0.1" : "::1"
                #expect(heard.remoteInfo.address == shown)
                #expect(heard.destination == shown)
                #expect(heard.ecn == .capable0)
                try await socket.send(heard.message, to: heard.remoteInfo)
                #expect(try await peer.receive(timeout: .seconds(20)).text == "hello")
                if isLinux { try await socket.send("again", to: loopback.address(heard.remoteInfo.port)) }
            }
            await peer.close()
        }
        await socket.close()
    }

    @Test(arguments: Loopback.allCases)
    func packetInfo_whereAskedFor_tellsDestinationInterfaceAndECN(_ loopback: Loopback) async throws {
        let receiver = UDPSocket()
        try await receiver.setExtraOptions(UDPExtraOptions(receivePacketInfo: true))
        try await receiver.bind(NetAddress(loopback.wildcard))
        try await receiver.setExtraOptions(UDPExtraOptions(receiveTypeOfService: true))
        let options = try await receiver.getExtraOptions()
        #expect(options.receivePacketInfo == true && options.receiveTypeOfService == true)
        let address = loopback.address(try await receiver.getLocalAddress().port)
        let sender = UDPSocket()
        for typeOfService in [0, 1, 2, 0xb9, 3] {
            try await sender.setExtraOptions(UDPExtraOptions(typeOfService: typeOfService))
            try await sender.send("x", to: address)
            let message = try await receiver.receive(timeout: .seconds(20))
            #expect(message.typeOfService == typeOfService)
            #expect(message.ecn == SocketECN(rawValue: typeOfService & 3))
            #expect(message.destination == loopback.rawValue)
            #expect(message.interface == (isLinux ? "lo" : "lo0"))
            #expect(!message.isTruncated)
        }
        // To listeners too, and to those who take a part.
        let heard = EventRecorder<SocketMessageInfo>()
        try await sender.send("x", to: address)
        let cut = try await receiver.receive(upTo: 0, timeout: .seconds(20))
        #expect(cut.destination == loopback.rawValue && cut.isTruncated)
        receiver.on(.message) { heard.record($0) }
        try await sender.send(batch: [[1], [2]], to: address)
        try await heard.wait(count: 2)
        #expect(heard.events.allSatisfy { $0.destination == loopback.rawValue && $0.ecn == .congestionExperienced })
        await receiver.close()
        await sender.close()
    }

    @Test(arguments: Loopback.allCases)
    func timeToLive_isWhatTheKernelHas(_ loopback: Loopback) async throws {
        let socket = UDPSocket()
        try await socket.setExtraOptions(UDPExtraOptions(timeToLive: 7))
        try await socket.bind(loopback.address())
        #expect(try await socket.getExtraOptions().timeToLive == 7)
        if isLinux {
            let (level, name): (Int32, Int32) = loopback == .ipv4 ? (0, 2) : (41, 16)
            #expect(try await socket.getRawOption(level: level, name: name, count: 4) == [7, 0, 0, 0])
        }
        await socket.close()
    }

    @Test func packetInfo_whereNobodyAsks_isNil() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        try await first.send("x", to: secondAddress)
        let message = try await second.receive(timeout: .seconds(20))
        #expect(message.destination == nil && message.interface == nil)
        #expect(message.typeOfService == nil && message.ecn == nil)
        let options = try await second.getExtraOptions()
        #expect(options.receivePacketInfo == false && options.receiveTypeOfService == false)
        #expect(options.interface == "" && options.typeOfService == 0)
        await first.close()
        await second.close()
    }

    @Test func interface_thatDoesNotExist_isRefused() async throws {
        let socket = UDPSocket()
        let error = await failure { () async throws(SocketError) in
            try await socket.setExtraOptions(UDPExtraOptions(interface: "no-such-interface"))
        }
        #expect(error?.kind == .invalidArgument)
        #expect(error?.field == "interface")
        try await socket.bind(NetAddress("127.0.0.1"))
        let late = await failure { () async throws(SocketError) in
            try await socket.setExtraOptions(UDPExtraOptions(reusePort: true))
        }
        #expect(late?.kind == .invalidState)
        await socket.close()
    }

    @Test func defaults_areAsDocumented() async throws {
        let socket = UDPSocket()
        let fresh = try await socket.getExtraOptions()
        #expect(fresh.broadcast == nil && fresh.reuseAddress == nil && fresh.socketTimeout == .zero)
        try await socket.bind(NetAddress("127.0.0.1"))
        let bound = try await socket.getExtraOptions()
        #expect(bound.broadcast == false && bound.reuseAddress == false && bound.socketTimeout == .zero)
        #expect((bound.receiveBufferSize ?? 0) > 0 && (bound.sendBufferSize ?? 0) > 0)
        await socket.close()
    }

    @Test(arguments: [
        (UDPExtraOptions(receiveBufferSize: -1), "receiveBufferSize"),
        (UDPExtraOptions(sendBufferSize: -5), "sendBufferSize"),
        (UDPExtraOptions(sendBufferSize: .max), "sendBufferSize"),
        (UDPExtraOptions(socketTimeout: .seconds(-1)), "socketTimeout"),
        (UDPExtraOptions(multicastTTL: -1), "multicastTTL"),
        (UDPExtraOptions(multicastTTL: 256), "multicastTTL"),
        (UDPExtraOptions(multicastInterface: "no such thing"), "multicastInterface"),
        (UDPExtraOptions(typeOfService: 256), "typeOfService"),
        (UDPExtraOptions(timeToLive: 0), "timeToLive"),
    ])
    func impossibleValue_isRefused_andNothingIsApplied(_ options: UDPExtraOptions, _ field: String) async throws {
        var options = options
        options.broadcast = true
        let bound = UDPSocket()
        try await bound.bind(NetAddress("127.0.0.1"))
        for socket in [UDPSocket(), bound] {
            let error = await failure { [options] () async throws(SocketError) in
                try await socket.setExtraOptions(options)
            }
            #expect(error?.kind == .invalidArgument)
            #expect(error?.field == field)
            let result: Result<Void, SocketError> = try await answer { socket.setExtraOptions(options, completion: $0) }
            #expect(throws: SocketError.self) { try result.get() }
            #expect(try await socket.getExtraOptions().broadcast != true)
            await socket.close()
        }
    }

    @Test func afterClose_isClosed() async throws {
        let socket = UDPSocket()
        await socket.close()
        let set = await failure { () async throws(SocketError) in
            try await socket.setExtraOptions(UDPExtraOptions(broadcast: true))
        }
        #expect(set?.kind == .closed)
        let get = await failure { () async throws(SocketError) in try await socket.getExtraOptions() }
        #expect(get?.kind == .closed)
    }

    @Test func codable_roundTrip_isEqual() throws {
        let options = UDPExtraOptions(broadcast: true, receiveBufferSize: 1, socketTimeout: .milliseconds(1500))
        let data = try JSONEncoder().encode(options)
        #expect(try JSONDecoder().decode(UDPExtraOptions.self, from: data) == options)
    }
}
