/// Moves what each of two sockets receives to the other one, until both have ended.
///
/// Each direction is a task on the loop of its source: it takes bytes out of one stream, and hands them to the send
/// queue of the other. Bytes that were taken go out, whatever becomes of the relay. No state of its own is between the
/// two.
package final class Relay: Sendable {
    /// One of the two.
    package enum Side: Sendable, Hashable {
        case first, second

        fileprivate var other: Side { self == .first ? .second : .first }
    }

    /// How many bytes were handed over to the other socket, by the one that they came from.
    package struct Counts: Sendable, Hashable {
        package var fromFirst = 0
        package var fromSecond = 0
    }

    /// Why the relay did not come to its end: of a socket, or of the relay itself.
    package struct Trouble: Sendable {
        package let failure: Failure
        package let side: Side?
        /// It failed while bytes were handed to that side, not taken from it.
        package let isOfSink: Bool
    }

    /// What the end of one of its tasks means to the others.
    package enum Verdict: Sendable {
        /// A direction has come to its end.
        case over
        /// Nothing: it only watched.
        case watched
        case stop
    }

    private struct Progress: ~Copyable {
        var counts = Counts()
        var lastMoved = Instant.now
        var trouble: Trouble?
        /// Those whose streams have come to their end, and have been handed on.
        var ended: Set<Side> = []
        /// The task that watches the sockets, and whether there is something for it to see.
        var watcher: Waiter?
        var mustStop = false
    }

    private let first: StreamDriver
    private let second: StreamDriver
    private let isCopying: Bool
    private let wereOpen: Bool
    private let meter: ProgressMeter<Counts>?
    private let progress = Lock(Progress())

    /// What a direction may move before others have their turn.
    private static let budget = 256 * 1024

    /// `isCopying`: through the program's memory, also where there is splice(2).
    package init(
        _ first: StreamDriver, _ second: StreamDriver, isCopying: Bool = false,
        report: (@Sendable (Counts) -> Void)? = nil
    ) {
        self.first = first
        self.second = second
        self.isCopying = isCopying
        wereOpen = !first.snapshot.isClosed && !second.snapshot.isClosed
        meter = report.map { ProgressMeter($0) }
    }

    /// Before the first of its tasks, and after the last: what the sockets have is in use.
    package func claim(_ isBegun: Bool) {
        for driver in [first, second] { driver.withState { $0.rare.relays += isBegun ? 1 : -1 } }
    }

    /// How far it has come.
    package var counts: Counts { progress.withLock { $0.counts } }

    /// What went wrong first, if something did.
    package var trouble: Trouble? { progress.withLock { $0.trouble } }

    private func driver(_ side: Side) -> StreamDriver { side == .first ? first : second }

    /// Moves what `side` receives to the other one, until its end; then ends that direction of the other one. On the
    /// loop of `side`.
    package func moveAll(from side: Side) async -> Verdict {
        let source = driver(side)
        let sink = driver(side.other)
        var isNext = false
        var moved = 0
        while true {
            let taken = source.take(isNext: isNext, isCopying: isCopying)
            isNext = false
            switch taken {
            case .wait(let hasTurn):
                if let failure = await source.waitToRead(.never, hasTurn: hasTurn) {
                    return sourceFailed(side, failure)
                }
                isNext = true
                moved = 0
                continue
            case .bytes(let bytes):
                let failure = await handOver(
                    bytes.count, sink.beginSend(.taken(bytes), isFramed: true), from: side, to: sink)
                if let failure { return sinkFailed(side.other, failure) }
                moved += bytes.count
            case .piped(let pipe, let count):
                let failure = await handOver(
                    count, sink.beginSend(.pipe(pipe, count), isFramed: true), from: side, to: sink)
                if let failure { return sinkFailed(side.other, failure) }
                source.loop.keepPipe(pipe)
                moved += count
            case .ended:
                sink.finish { _ in }
                return progress.withLock { progress in
                    progress.ended.insert(side)
                    // One that takes nothing any more was only heard to its end.
                    return progress.trouble?.side == side ? .stop : .over
                }
            case .failed(let failure): return sourceFailed(side, failure)
            }
            if moved >= Relay.budget {
                moved = 0
                await source.yieldTurn()
            }
            if Task.isCancelled { return stopped(by: .cancelled()) }
        }
    }

    /// Stops the relay when nothing has been moved for as long as `limit`. On the loop of the first socket.
    package func watch(_ limit: Duration) async -> Verdict {
        var waiting = bufferedAmount
        while !Task.isCancelled {
            let deadline = progress.withLock { $0.lastMoved }.advanced(by: limit)
            if deadline > .now {
                await first.loop.sleep(until: deadline)
                continue
            }
            // A slow reader may have taken some of what one hand-over is about.
            let now = bufferedAmount
            if now == waiting { return stopped(by: .timedOut()) }
            waiting = now
            progress.withLock { $0.lastMoved = .now }
        }
        return .watched
    }

    /// Notices the end of a socket that nobody reads from or writes to just now, because the other one has stalled.
    package func watchEnds() async -> Verdict {
        let tickets = [Side.first, .second].map { side in
            driver(side).on(.close) { [self] event in
                if case .close(let failure) = event { ended(side, failure) }
            }
        }
        // One that was closed before tells nothing any more.
        for side in [Side.first, .second] where driver(side).snapshot.isClosed { ended(side, driver(side).failure) }
        _ = await Waiter.wait { waiter in
            let isOver = progress.withLock { progress in
                if !progress.mustStop { progress.watcher = waiter }
                return progress.mustStop
            }
            if isOver { waiter.resume() }
        } onCancel: { [self] in
            progress.withLock { $0.watcher.take() }?.resume()
        }
        first.off(tickets[0])
        second.off(tickets[1])
        return progress.withLock { $0.mustStop } ? .stop : .watched
    }

    private func ended(_ side: Side, _ failure: Failure?) {
        var isOfSink = progress.withLock { $0.ended.contains(side) }
        // Its peer had ended before: what it sent is on its way to the other one.
        if case .system(_, .send, _, _)? = failure { isOfSink = true }
        let failure = failure ?? .closed
        if (isOfSink ? sinkFailed(side, failure) : sourceFailed(side, failure)) == .over { return }
        let watcher = progress.withLock { progress in
            progress.mustStop = true
            return progress.watcher.take()
        }
        watcher?.resume()
    }

    private var bufferedAmount: Int { first.bufferedAmount + second.bufferedAmount }

    /// Counts what the sink has in its queue by now, and waits until it is out.
    private func handOver(
        _ count: Int, _ outcome: StreamDriver.SendOutcome, from side: Side, to sink: StreamDriver
    ) async -> Failure? {
        if case .failed(let failure) = outcome { return failure }
        note(count, from: side)
        guard case .queued(let ticket) = outcome else { return nil }
        do throws(Failure) {
            try await sink.waitForSend(ticket, timeout: nil)
            return nil
        } catch {
            return error
        }
    }

    private func note(_ count: Int, from side: Side) {
        let counts = progress.withLock { progress in
            switch side {
            case .first: progress.counts.fromFirst += count
            case .second: progress.counts.fromSecond += count
            }
            progress.lastMoved = .now
            return progress.counts
        }
        if let meter, meter.isDue() { meter.tell(counts) }
    }

    // MARK: Trouble

    /// Nothing more comes from `side`, and that is not its end: the other one's peer must not take it for one.
    private func sourceFailed(_ side: Side, _ failure: Failure) -> Verdict {
        let cause = cause(of: failure, side)
        note(cause, of: side, isOfSink: false)
        guard cause.isOfConnection else { return .stop }
        driver(side.other).end(.reset)
        return .over
    }

    /// `side` takes nothing more. What it sent before is still to be handed on.
    private func sinkFailed(_ side: Side, _ failure: Failure) -> Verdict {
        let cause = cause(of: failure, side)
        note(cause, of: side, isOfSink: true)
        return cause.isOfConnection && !progress.withLock { $0.ended.contains(side) } ? .over : .stop
    }

    /// What ended the socket: a call on one that is closed says no more than that.
    private func cause(of failure: Failure, _ side: Side) -> Failure {
        if failure.isOfCaller { return failure }
        if let cause = driver(side).failure { return cause }
        // Whether a call found it closed or was waiting is a matter of chance.
        return failure == .closed && wereOpen ? .aborted() : failure
    }

    private func stopped(by failure: Failure) -> Verdict {
        note(failure, of: nil, isOfSink: false)
        return .stop
    }

    private func note(_ failure: Failure, of side: Side?, isOfSink: Bool) {
        let side = failure.isOfCaller ? nil : side
        progress.withLock { progress in
            if progress.trouble == nil {
                progress.trouble = Trouble(failure: failure, side: side, isOfSink: isOfSink)
            }
        }
    }
}

extension Failure {
    /// Whether the connection is broken, rather than closed by the program or no longer waited for.
    fileprivate var isOfConnection: Bool {
        switch self {
        case .system, .timedOut: true
        default: false
        }
    }

    fileprivate var isOfCaller: Bool {
        if case .cancelled = self { true } else { false }
    }
}
