import SocketCore
import Testing

@Suite struct OutboxTests {
    /// Delivers everything that is there, one after the other.
    private func deliver(_ outbox: inout Outbox) {
        while let delivery = outbox.beginDelivery() {
            delivery.perform()
            outbox.endDelivery()
        }
    }

    private func listener(
        _ number: UInt64, _ kind: EventKind, once: Bool = false, _ body: @escaping @Sendable (EngineEvent) -> Void
    ) -> Listener {
        Listener(ticket: Ticket(number: number), kind: kind, isOnce: once, body: body)
    }

    private func event(_ kind: EventKind) -> EngineEvent {
        switch kind {
        case .message: .message([1], from: .loopback(.v4))
        case .listening: .listening
        case .connect: .connect
        case .end: .end
        case .close: .close(nil)
        case .error: .error(.notConnected, nil)
        case .drain: .drain
        case .timeout: .timeout
        case .bytes: .bytes(BorrowedBytes(UnsafeRawBufferPointer(start: nil, count: 0)))
        case .urgent: .urgent(1)
        case .overload: .overload(open: 1, limit: 1, isRefused: false)
        }
    }

    @Test(arguments: EventKind.allCases)
    func event_isHeardByItsListenersOnly(_ kind: EventKind) {
        var outbox = Outbox()
        let heard = Journal<EventKind>()
        for (number, other) in EventKind.allCases.enumerated() where other != .close || kind == .close {
            outbox.add(listener(UInt64(number), other) { _ in heard.note(other) })
        }
        #expect(outbox.hasListener(kind))
        outbox.emit(event(kind))
        #expect(event(kind).kind == kind)
        deliver(&outbox)
        #expect(heard.entries == [kind])
    }

    @Test func event_withoutListener_isNotKept() {
        var outbox = Outbox()
        outbox.add(listener(1, .end) { _ in })
        outbox.emit(.drain)
        #expect(outbox.isEmpty)
        #expect(outbox.isIdle)
    }

    @Test func everything_isToldInTheOrderInWhichItHappened() {
        var outbox = Outbox()
        let heard = Journal<String>()
        outbox.add(listener(1, .message) { if case .message(let bytes, _, _) = $0 { heard.note("message \(bytes)") } })
        outbox.add(listener(2, .connect) { _ in heard.note("connect") })
        outbox.add(listener(3, .message) { _ in heard.note("second") })
        outbox.emit(.connect)
        outbox.append(.call { heard.note("connected") })
        outbox.emit(.message([1], from: .loopback(.v4)))
        outbox.append(.call { heard.note("sent") })
        outbox.emit(.message([2], from: .loopback(.v4)))
        deliver(&outbox)
        #expect(
            heard.entries == ["connect", "connected", "message [1]", "second", "sent", "message [2]", "second"])
    }

    /// A peer may cause these as fast as it likes.
    @Test(arguments: [EventKind.error, .urgent])
    func notices_thatSlowListenersHaveNotHeard_areLimited(_ kind: EventKind) {
        var outbox = Outbox()
        let heard = Journal<EventKind>()
        for (number, kind) in EventKind.allCases.enumerated() where kind != .close {
            outbox.add(listener(UInt64(number), kind) { _ in heard.note(kind) })
        }
        for _ in 0..<2 {
            let before = heard.entries.count
            for _ in 0..<1_000 { outbox.emit(event(kind)) }
            // The others are not held up.
            outbox.emit(event(kind == .error ? .urgent : .error))
            outbox.emit(.drain)
            deliver(&outbox)
            #expect(heard.entries.count - before == Int(Outbox.noticeLimit) + 2)
            #expect(heard.entries.last == .drain)
        }
    }

    @Test func delivery_isOneAtATime() {
        var outbox = Outbox()
        let heard = Journal<Int>()
        outbox.append(.call { heard.note(1) })
        outbox.append(.call { heard.note(2) })
        let first = outbox.beginDelivery()
        #expect(outbox.isDelivering)
        #expect(outbox.beginDelivery() == nil)
        #expect(!outbox.isIdle)
        first?.perform()
        outbox.endDelivery()
        #expect(!outbox.isIdle)
        deliver(&outbox)
        #expect(heard.entries == [1, 2])
        #expect(outbox.isIdle)
    }

    @Test func once_hearsOnce() {
        var outbox = Outbox()
        let heard = Journal<String>()
        outbox.add(listener(1, .drain, once: true) { _ in heard.note("once") })
        outbox.add(listener(2, .drain) { _ in heard.note("always") })
        outbox.add(listener(3, .end, once: true) { _ in heard.note("end") })
        outbox.emit(.drain)
        outbox.emit(.drain)
        deliver(&outbox)
        #expect(heard.entries == ["once", "always", "always"])
        outbox.emit(.end)
        outbox.emit(.end)
        deliver(&outbox)
        #expect(heard.entries == ["once", "always", "always", "end"])
        #expect(!outbox.hasListener(.end))
        #expect(outbox.hasListener(.drain))
    }

    @Test func off_takesEffectForTheNextDelivery() {
        var outbox = Outbox()
        let heard = Journal<String>()
        outbox.add(listener(1, .drain) { _ in heard.note("first") })
        outbox.add(listener(2, .drain) { _ in heard.note("second") })
        outbox.emit(.drain)
        outbox.emit(.drain)
        let underWay = outbox.beginDelivery()
        let before = outbox.remove { $0.ticket == Ticket(number: 2) }
        #expect(before.count == 2)
        underWay?.perform()
        outbox.endDelivery()
        deliver(&outbox)
        #expect(heard.entries == ["first", "second", "first"])
    }

    @Test func off_ofAnEvent_removesAllOfIt() {
        var outbox = Outbox()
        for number in UInt64(0)..<4 { outbox.add(listener(number, number % 2 == 0 ? .drain : .end) { _ in }) }
        _ = outbox.remove { $0.hears(.drain) }
        #expect(!outbox.hasListener(.drain))
        #expect(outbox.hasListener(.end))
        #expect(outbox.listeners.map(\.ticket.number) == [1, 3])
    }

    @Test func close_isToldLast_andDropsTheListeners() {
        final class Captured: Sendable {}
        var outbox = Outbox()
        let heard = Journal<String>()
        weak var captured: Captured?
        do {
            let made = Captured()
            captured = made
            outbox.add(
                listener(1, .drain) { _ in heard.note("drain \(ObjectIdentifier(made) == ObjectIdentifier(made))") })
            outbox.add(listener(2, .close) { _ in heard.note("close") })
        }
        outbox.emit(.drain)
        outbox.emitClose(nil)
        #expect(captured != nil)
        deliver(&outbox)
        #expect(heard.entries == ["drain true", "close"])
        #expect(outbox.listeners.isEmpty)
        #expect(captured == nil)
        #expect(!outbox.hasListener(.drain))
        outbox.emitClose(nil)
        outbox.emit(.drain)
        #expect(outbox.isIdle)
    }

    @Test func close_thatNobodyListensTo_dropsTheOthersAllTheSame() {
        var outbox = Outbox()
        outbox.add(listener(1, .message) { _ in })
        outbox.emitClose(.notConnected)
        #expect(outbox.canDeliver)
        deliver(&outbox)
        #expect(outbox.listeners.isEmpty)
    }

    @Test func completion_afterClose_isStillTold() {
        var outbox = Outbox()
        let heard = Journal<String>()
        outbox.add(listener(1, .close) { _ in heard.note("close") })
        outbox.emitClose(nil)
        outbox.append(.call { heard.note("call") })
        deliver(&outbox)
        #expect(heard.entries == ["close", "call"])
    }
}
