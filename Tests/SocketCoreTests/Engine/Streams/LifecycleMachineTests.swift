import SocketCore
import Testing

@Suite struct LifecycleMachineTests {
    typealias Machine = LifecycleMachine
    typealias Phase = LifecycleMachine.Phase

    enum Event: Sendable, CaseIterable, Hashable {
        case bind, connect, open, close, reset, fail, detach, handOver, withdraw, take, lingering, discarding, closed

        static let failure = Failure.system(.connectionReset, .receive)

        /// Returns whether the machine agreed.
        @discardableResult
        func apply(to machine: inout Machine) -> Bool {
            switch self {
            case .bind:
                guard (try? machine.checkBind()) != nil else { return false }
                machine.bound()
            case .connect: return (try? machine.beginConnect()) != nil
            case .open: return machine.open()
            case .close: machine.close(.flush)
            case .reset: machine.close(.reset)
            case .fail: machine.close(.failed(Event.failure))
            case .detach: machine.close(.detach)
            case .handOver: machine.close(.handOver)
            case .withdraw: return machine.withdrawHandOver()
            case .take: return machine.takeRequest() != nil
            case .lingering: machine.advance(to: .lingering)
            case .discarding: machine.advance(to: .discarding)
            case .closed: machine.advance(to: .closed)
            }
            return true
        }
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let events: [Event]
        let phase: Phase
        let failure: Failure?
        let request: Machine.CloseRequest?

        init(
            _ description: String, _ events: [Event], _ phase: Phase, failure: Failure? = nil,
            request: Machine.CloseRequest? = nil
        ) {
            testDescription = description
            (self.events, self.phase, self.failure, self.request) = (events, phase, failure, request)
        }
    }

    static let rows = [
        Row("new", [], .fresh),
        Row("bound", [.bind], .fresh),
        Row("connecting", [.connect], .connecting),
        Row("connected", [.connect, .open], .open),
        Row("accepted", [.open], .open),
        Row("to be handed over", [.open, .handOver], .open, request: .handOver),
        Row("handed over", [.open, .handOver, .take], .closed),
        Row("not handed over after all", [.open, .handOver, .withdraw], .open),
        Row("handed over, too late to withdraw", [.open, .handOver, .take, .withdraw], .closed),
        Row("closed before it was handed over", [.open, .handOver, .close], .open, request: .flush),
        Row("reset before it was handed over", [.open, .handOver, .reset, .take], .closed),
        Row(
            "broken before it was handed over", [.open, .handOver, .fail, .take], .closed, failure: Event.failure),
        Row("handed over only when nothing else was asked", [.open, .close, .handOver], .open, request: .flush),
        Row("closed in order", [.connect, .open, .close, .take, .lingering, .discarding, .closed], .closed),
        Row("closed without linger", [.open, .close, .take, .discarding], .discarding),
        Row("closed before it began", [.close, .take], .closed),
        Row("closed while connecting", [.connect, .close, .take], .closed),
        Row("the connection comes after close", [.connect, .close, .open], .connecting, request: .flush),
        Row("the connection comes after close was taken up", [.connect, .close, .take, .open], .closed),
        Row("the connect fails", [.connect, .fail, .take], .closed, failure: Event.failure),
        Row("reset", [.open, .reset, .take], .closed),
        Row("reset while flushing", [.open, .close, .take, .reset, .take], .closed),
        Row("reset while lingering", [.open, .close, .take, .lingering, .reset, .take], .closed),
        Row("reset overtakes close", [.open, .close, .reset], .open, request: .reset),
        Row("nothing overtakes reset", [.open, .reset, .close, .fail], .open, request: .reset),
        Row("a failure overtakes close", [.open, .close, .fail, .take], .closed, failure: Event.failure),
        Row(
            "close does not overtake a failure", [.open, .fail, .close, .reset, .take], .closed, failure: Event.failure),
        Row("a failure while flushing", [.open, .close, .take, .fail, .take], .closed, failure: Event.failure),
        Row("a failure while discarding", [.open, .close, .take, .discarding, .fail], .discarding),
        Row("detached", [.open, .detach, .take], .closed),
        Row("nothing overtakes a detach", [.open, .detach, .reset, .close, .fail], .open, request: .detach),
        Row("a detach does not overtake a close", [.open, .close, .detach, .take], .flushing),
        Row("a second close", [.open, .close, .close, .take, .close], .flushing),
        Row("a close while discarding", [.open, .close, .take, .discarding, .close], .discarding),
        Row("a close after the end", [.close, .take, .close, .reset, .fail], .closed),
        Row("stages are not gone back to", [.open, .close, .take, .discarding, .lingering], .discarding),
        Row("connecting twice", [.connect, .connect], .connecting),
        Row("opening twice", [.open, .open], .open),
        Row("connecting a connected one", [.open, .connect], .open),
        Row("a request is taken once", [.open, .close, .take, .take], .flushing),
    ]

    @Test(arguments: rows)
    func machine_afterTheseEvents_isThere(_ row: Row) {
        var machine = Machine()
        for event in row.events { event.apply(to: &machine) }
        #expect(machine.phase == row.phase)
        #expect(machine.failure == row.failure)
        #expect(machine.request == row.request)
    }

    @Test(
        arguments: [
            ([], nil), ([.bind], .alreadyBound), ([.connect], .alreadyConnected), ([.open], .alreadyConnected),
            ([.close], .closed), ([.close, .take], .closed), ([.bind, .close], .closed),
        ] as [([Event], Failure?)])
    func bind_isRefused(_ events: [Event], _ failure: Failure?) {
        var machine = Machine()
        for event in events { event.apply(to: &machine) }
        do throws(Failure) {
            try machine.checkBind()
            #expect(failure == nil)
        } catch {
            #expect(error == failure)
        }
    }

    @Test(
        arguments: [
            ([], nil), ([.bind], nil), ([.connect], .alreadyConnected), ([.open], .alreadyConnected),
            ([.close], .closed), ([.reset], .closed), ([.open, .close], .closed), ([.fail, .take], .closed),
        ] as [([Event], Failure?)])
    func connect_isRefused_withoutSideEffect(_ events: [Event], _ failure: Failure?) {
        var machine = Machine()
        for event in events { event.apply(to: &machine) }
        let phase = machine.phase
        do throws(Failure) {
            try machine.beginConnect()
            #expect(failure == nil)
            #expect(machine.phase == .connecting)
        } catch {
            #expect(error == failure)
            #expect(machine.phase == phase)
        }
    }

    /// Every state that any order of events, however long, leads to; and every event in each of them.
    @Test func machine_inEveryOrder_keepsItsPromises() {
        var known: Set<String> = []
        var open = [(machine: Machine(), path: [Event]())]
        while let (machine, path) = open.popLast() {
            guard known.insert(String(describing: machine)).inserted else { continue }
            for event in Event.allCases {
                var next = machine
                let didAgree = event.apply(to: &next)
                #expect(LifecycleMachineTests.holds(machine, event, didAgree, next), "\(path + [event]): \(next)")
                open.append((next, path + [event]))
            }
        }
        #expect(known.count > 30)
    }

    private static func holds(_ before: Machine, _ event: Event, _ didAgree: Bool, _ after: Machine) -> Bool {
        // Phases only go on, and a closed one stays as it is.
        guard after.phase >= before.phase else { return false }
        if before.phase == .closed, before.request == nil, after.failure != before.failure || after.request != nil {
            return false
        }
        // Once closing, always closing, unless nobody wants the connection after all; and then nothing begins any more.
        if before.isClosing, !after.isClosing, event != .withdraw || before.request != .handOver { return false }
        if before.isClosing, event == .bind || event == .connect || event == .open, didAgree { return false }
        // What the state says agrees with the phase.
        guard after.isClosed == (after.phase == .discarding || after.phase == .closed) else { return false }
        guard after.isConnected == [.open, .flushing, .lingering].contains(after.phase) else { return false }
        // A failure is kept only when it was what ended the socket.
        if before.failure == nil, after.failure != nil {
            guard event == .take, before.request == .failed(Event.failure), after.phase == .closed else { return false }
        }
        // Once asked for, the end comes with the next take, and a flush never closes what was connected at once.
        if event == .take, let request = before.request {
            guard after.request == nil else { return false }
            return after.phase == (request == .flush && before.phase == .open ? .flushing : .closed)
        }
        return true
    }
}
