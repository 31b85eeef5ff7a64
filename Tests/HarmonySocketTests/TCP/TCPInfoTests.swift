import Foundation
import HarmonySocket
import Testing

@Suite(.bounded) struct TCPInfoTests {
    @Test(arguments: Loopback.allCases)
    func connection_thatCarriedBytes_isMeasured(_ loopback: Loopback) async throws {
        let pair = try await makeTCPPair(loopback)
        let sent = pattern(200_000)
        let receiving = Task {
            var count = 0
            while count < sent.count, let message = try await pair.connection.receive() {
                count += message.message.count
            }
        }
        try await pair.client.send(sent)
        try await within { try await receiving.value }
        try await pair.connection.send("ok")
        #expect(try await pair.client.receive()?.text == "ok")
        // The acknowledgement of the last bytes came with the answer, or before.
        let info = try await pair.client.getTCPInfo()
        #expect(info.state == .established)
        #expect(info.roundTripTime > .zero && info.roundTripTime < .seconds(20))
        #expect(info.roundTripVariance >= .zero)
        #expect(info.retransmissionTimeout > .zero)
        #expect(info.maximumSegmentSize > 500)
        #expect(info.congestionWindow >= info.maximumSegmentSize)
        #expect(info.retransmittedSegments >= 0)
        if isLinux {
            #expect((info.minimumRoundTripTime ?? .zero) <= info.roundTripTime * 8)
            #expect(info.bytesSent.map { $0 >= sent.count } ?? true)
            #expect(info.bytesAcknowledged.map { $0 >= sent.count } ?? true)
            #expect(info.bytesReceived.map { $0 == 2 } ?? true)
            #expect(info.bytesNotSent.map { $0 == 0 } ?? true)
            #expect(info.unacknowledgedSegments == 0)
            #expect((info.pathMTU ?? 0) >= info.maximumSegmentSize)
        }
        let other: Result<TCPInfo, SocketError> = try await answer { pair.connection.getTCPInfo(completion: $0) }
        #expect(try other.get().bytesReceived.map { $0 == sent.count } ?? true)
        #expect(info.description.hasPrefix("established, rtt "))
        #expect(!info.description.contains("seconds"), "times are rounded for people")
        #expect(try JSONDecoder().decode(TCPInfo.self, from: JSONEncoder().encode(info)) == info)
        await pair.close()
    }

    @Test func states_areTold_asDirectionsEnd() async throws {
        let pair = try await makeTCPPair()
        try await pair.client.finish()
        #expect(try await pair.connection.receive() == nil)
        #expect(try await pair.connection.getTCPInfo().state == .closeWait)
        try await eventually("the acknowledgement of our end") {
            (try? await pair.client.getTCPInfo().state) == .finWait2
        }
        await pair.close()
    }

    @Test func withoutConnection_isNotConnected_andAfterCloseClosed() async throws {
        let socket = TCPSocket()
        let fresh = await failure { () async throws(SocketError) in try await socket.getTCPInfo() }
        #expect(fresh?.kind == .notConnected)
        #expect(fresh?.operation == .getInfo)
        try await socket.bind(Loopback.ipv4.address())
        let bound: Result<TCPInfo, SocketError> = try await answer { socket.getTCPInfo(completion: $0) }
        #expect(bound.failure?.kind == .notConnected)
        await socket.close()
        let pair = try await makeTCPPair()
        await pair.close()
        for socket in [pair.client, pair.connection] as [any StreamSocket] {
            let closed = await failure { () async throws(SocketError) in try await socket.getTCPInfo() }
            #expect(closed?.kind == .closed)
        }
    }
}
