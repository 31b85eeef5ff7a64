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
