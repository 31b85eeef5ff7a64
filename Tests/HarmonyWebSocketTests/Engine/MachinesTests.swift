import HarmonySocket
import SocketCore
import Testing

@testable import HarmonyWebSocket

@Suite struct ClosingMachineTests {
    private typealias Frame = ClosingMachine.Frame
    private let lost = WebSocketError(.pongTimedOut)

    @Test func close_thenAnswer_asServer_endsTheConnection() {
        var machine = ClosingMachine(isServer: true)
        #expect(machine.isOpen)
        #expect(
            machine.close(Frame(code: .normalClosure, reason: "x")) == .send(Frame(code: .normalClosure, reason: "x")))
        #expect(!machine.isOpen && !machine.ignoresInput)
        #expect(machine.close(Frame(code: .goingAway)) == .nothing)
        #expect(machine.receive(Frame(code: .normalClosure, reason: "y")) == .end)
        #expect(machine.ignoresInput)
        let info = machine.info(nil)
        #expect(info.code == .normalClosure && info.reason == "y" && info.wasClean && info.error == nil)
    }

    @Test func close_thenAnswer_asClient_awaitsTheEnd() {
        var machine = ClosingMachine(isServer: false)
        #expect(machine.close(Frame(code: nil)) == .send(Frame(code: nil)))
        #expect(machine.receive(Frame(code: nil)) == .awaitEnd)
        #expect(machine.expire() == .giveUp)
        #expect(
            machine.info(nil) == WebSocketCloseInfo(code: .noStatusReceived, reason: "", wasClean: true, error: nil))
    }

    @Test func receive_first_isAnsweredWithTheSameCode() {
        for code in [nil, WebSocketCloseCode.goingAway, WebSocketCloseCode(rawValue: 4000)] {
            var server = ClosingMachine(isServer: true)
            #expect(server.receive(Frame(code: code, reason: "z")) == .sendAndEnd(Frame(code: code)))
            #expect(server.info(nil).wasClean)
            var client = ClosingMachine(isServer: false)
            #expect(client.receive(Frame(code: code, reason: "z")) == .sendAndAwaitEnd(Frame(code: code)))
            #expect(client.info(nil).code == code ?? .noStatusReceived)
        }
    }

    @Test func fail_tellsThePeer_andEnds() {
        var machine = ClosingMachine(isServer: false)
        #expect(
            machine.fail(lost, .policyViolation, "why") == .sendAndEnd(Frame(code: .policyViolation, reason: "why")))
        #expect(machine.fail(lost, .protocolError, "again") == .nothing)
        #expect(machine.close(Frame(code: .normalClosure)) == .nothing)
        #expect(machine.receive(Frame(code: .normalClosure)) == .nothing)
        #expect(
            machine.info(nil) == WebSocketCloseInfo(code: .abnormalClosure, reason: "", wasClean: false, error: lost))
    }

    @Test func fail_behindOurCloseFrame_onlyEnds() {
        var machine = ClosingMachine(isServer: true)
        _ = machine.close(Frame(code: .normalClosure))
        #expect(machine.fail(lost, .protocolError, "") == .end)
    }

    @Test func expire_withoutAnAnswer_givesUp() {
        var machine = ClosingMachine(isServer: true)
        #expect(machine.expire() == .nothing)
        _ = machine.close(Frame(code: .normalClosure))
        #expect(machine.expire() == .giveUp)
        #expect(machine.expire() == .nothing)
        #expect(machine.info(nil).error?.kind == .closeTimedOut)
    }

    @Test func info_withoutACloseFrame_isAbnormal() {
        let machine = ClosingMachine(isServer: true)
        let info = machine.info(nil)
        #expect(info.code == .abnormalClosure && !info.wasClean && info.error?.kind == .connectionLost)
    }

    @Test func payload_isCodeAndReason() {
        #expect(Frame(code: nil).payload == [])
        #expect(Frame(code: .normalClosure, reason: "ab").payload == [0x03, 0xE8, 0x61, 0x62])
    }
}

@Suite struct HeartbeatMachineTests {
    private let start = Instant(nanoseconds: 0)
    private func at(_ seconds: Int) -> Instant { start.advanced(by: .seconds(seconds)) }
    private var machine: HeartbeatMachine {
        HeartbeatMachine(interval: .seconds(10), timeout: .seconds(3), now: start)
    }

    @Test func expire_ofASilentPeer_asksThenFails() {
        var machine = machine
        #expect(machine.expire(at(9), isReading: true) == .nothing)
        #expect(machine.expire(at(10), isReading: true) == .ping)
        #expect(machine.deadline == at(13))
        #expect(machine.expire(at(13), isReading: true) == .fail)
    }

    @Test func heard_afterAPing_waitsAnotherInterval() {
        var machine = machine
        #expect(machine.expire(at(10), isReading: true) == .ping)
        machine.heard(at(12))
        #expect(machine.deadline == at(22))
        #expect(machine.expire(at(13), isReading: true) == .nothing)
        #expect(machine.expire(at(22), isReading: true) == .ping)
    }

    @Test func heard_beforeThePing_isAnAnswer() {
        var machine = machine
        machine.heard(at(4))
        #expect(machine.expire(at(10), isReading: true) == .nothing)
        #expect(machine.deadline == at(20))
        #expect(machine.expire(at(20), isReading: true) == .ping)
    }

    @Test func expire_whileNobodyReads_waits() {
        var machine = machine
        #expect(machine.expire(at(10), isReading: false) == .nothing)
        #expect(machine.expire(at(20), isReading: true) == .ping)
        #expect(machine.expire(at(23), isReading: false) == .nothing)
        #expect(machine.expire(at(26), isReading: true) == .fail)
    }
}

@Suite struct ReconnectMachineTests {
    private static let policy = WebSocketReconnectPolicy(
        initialDelay: .seconds(1), maxDelay: .seconds(5), multiplier: 2, jitter: 0.5, maxAttempts: 4)

    @Test func failed_againAndAgain_waitsLongerUpToTheLimit() {
        var machine = ReconnectMachine(ReconnectMachineTests.policy)
        let delays = (0..<5).map { _ in machine.failed(random: 0) }
        #expect(delays == [.seconds(1), .seconds(2), .seconds(4), .seconds(5), nil])
        machine.succeeded()
        #expect(machine.failed(random: 0) == .seconds(1))
    }

    @Test func failed_withChance_isShortenedByAtMostTheJitter() {
        var machine = ReconnectMachine(ReconnectMachineTests.policy)
        #expect(machine.failed(random: 1) == .milliseconds(500))
        #expect(machine.failed(random: 0.5) == .milliseconds(1500))
    }

    @Test func wants_afterALoss_butNotAfterAGoodbye() {
        let machine = ReconnectMachine(ReconnectMachineTests.policy)
        func info(_ code: WebSocketCloseCode, _ error: WebSocketError? = nil) -> WebSocketCloseInfo {
            WebSocketCloseInfo(code: code, reason: "", wasClean: error == nil, error: error)
        }
        #expect(machine.wants(after: info(.abnormalClosure, WebSocketError(.connectionLost(nil)))))
        #expect(machine.wants(after: info(.abnormalClosure, WebSocketError(.pongTimedOut))))
        #expect(machine.wants(after: info(.serviceRestart)))
        #expect(!machine.wants(after: info(.normalClosure)))
        #expect(!machine.wants(after: info(.policyViolation)))
        #expect(!machine.wants(after: info(.abnormalClosure, WebSocketError(.violation(.protocolError("x"))))))
    }
}
