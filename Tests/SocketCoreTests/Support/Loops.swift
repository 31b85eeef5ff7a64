import SocketCore
import Testing

/// A poller that counts, around a real one.
final class CountingPoller: Poller {
    private let real: any Poller
    /// How often the loop looked at its descriptors.
    let waits = Counter()
    /// How often it was woken from another thread.
    let wakes = Counter()
    // Whether the loop is waiting, and has been told of nothing since it began to.
    private let quiet = Lock(false)
    private let whenGone: @Sendable () -> Void

    init(_ real: any Poller, whenGone: @escaping @Sendable () -> Void = {}) {
        self.real = real
        self.whenGone = whenGone
    }

    deinit { whenGone() }

    var isLevelTriggered: Bool { real.isLevelTriggered }

    func add(_ descriptor: Int32, token: PollToken) -> SystemResult<Void> { real.add(descriptor, token: token) }

    func remove(_ descriptor: Int32, token: PollToken) { real.remove(descriptor, token: token) }

    func rearm(_ token: PollToken, _ direction: Direction) { real.rearm(token, direction) }

    func wait(until deadline: Instant?, _ body: (PollToken, PollEvents) -> Void) -> SystemResult<Void> {
        waits.add()
        quiet.withLock { $0 = true }
        defer { quiet.withLock { $0 = false } }
        return real.wait(until: deadline) { token, events in
            quiet.withLock { $0 = false }
            body(token, events)
        }
    }

    /// Whether the loop is waiting, and has been told of nothing since it began to.
    var isQuiet: Bool { quiet.withLock { $0 } }

    func wake() {
        wakes.add()
        real.wake()
    }
}

/// A poller that can watch nothing, as epoll_ctl(2) does at its limit of watches.
final class RefusingPoller: Poller {
    private let real: any Poller

    init(_ real: any Poller) { self.real = real }

    /// A group of one loop with such a poller.
    static func makeGroup() -> EventLoopGroup {
        EventLoopGroup(count: 1) { RefusingPoller(PollerKind.makeDefaultOrDeferred()) }
    }

    var isLevelTriggered: Bool { real.isLevelTriggered }
    func add(_ descriptor: Int32, token: PollToken) -> SystemResult<Void> { .failure(.noSpace) }
    func remove(_ descriptor: Int32, token: PollToken) {}
    func rearm(_ token: PollToken, _ direction: Direction) {}
    func wake() { real.wake() }

    func wait(until deadline: Instant?, _ body: (PollToken, PollEvents) -> Void) -> SystemResult<Void> {
        real.wait(until: deadline, body)
    }
}

/// Loops of tests have numbers of their own, so that their threads can be told by name: a name has room for three digits.
private let loopNumbers = Counter()

func makeLoop(_ poller: (any Poller)? = nil) throws -> EventLoop {
    EventLoop(number: 100 + loopNumbers.add() % 900, poller: try poller ?? PollerKind.makeDefault().get())
}

/// Runs `body` with a loop, and waits until the loop's thread has ended: it ends when nothing is registered any more.
func withLoop<Value: Sendable>(
    _ poller: (any Poller)? = nil, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: (EventLoop) async throws -> Value
) async throws -> Value {
    let loop = try makeLoop(poller)
    let value = try await body(loop)
    try await stop(loop, sourceLocation: sourceLocation)
    return value
}

/// Stops a loop and waits for its last act.
func stop(_ loop: EventLoop, sourceLocation: SourceLocation = #_sourceLocation) async throws {
    let stopped = Mailbox<Void>()
    loop.stop { stopped.put(()) }
    try await stopped.take("the end of loop \(loop.number)", sourceLocation: sourceLocation)
}

/// Runs `body` on a loop and waits for its value.
func onLoop<Value: Sendable>(
    _ loop: EventLoop, sourceLocation: SourceLocation = #_sourceLocation, _ body: @escaping @Sendable () -> Value
) async throws -> Value {
    let mailbox = Mailbox<Value>()
    loop.execute { mailbox.put(body()) }
    return try await mailbox.take("a job on loop \(loop.number)", sourceLocation: sourceLocation)
}

/// A client of a loop that tells what happens to it.
final class RecordingClient: LoopClient {
    enum Call: Sendable, Equatable {
        case ready(PollEvents)
        case turn
        case deadline
    }

    let calls = Mailbox<Call>()
    // On the loop only.
    nonisolated(unsafe) var isLeftOver = false
    private let whenReady: @Sendable (RecordingClient) -> Void
    private let whenTurning: @Sendable (RecordingClient) -> Void
    private let whenDue: @Sendable (Instant) -> Void

    init(
        ready: @escaping @Sendable (RecordingClient) -> Void = { _ in },
        turn: @escaping @Sendable (RecordingClient) -> Void = { $0.calls.put(.turn) },
        due: @escaping @Sendable (Instant) -> Void = { _ in }
    ) {
        whenReady = ready
        whenTurning = turn
        whenDue = due
    }

    func ready(_ events: PollEvents) {
        whenReady(self)
        calls.put(.ready(events))
    }

    func turn() { whenTurning(self) }

    func deadlineReached(now: Instant) {
        whenDue(now)
        calls.put(.deadline)
    }
}

extension StreamDriver {
    /// A connection of a test, watched once its listeners are in place, and the raw socket at its other end.
    static func connected(
        on group: EventLoopGroup, _ settings: StreamSettings = StreamSettings(), sendBuffer: Int? = nil
    ) throws -> (driver: StreamDriver, peer: RawSocket) {
        let pair = try RawPair()
        if let sendBuffer { try OptionCalls.set(pair.near.number, .sendBufferSize, to: Int32(sendBuffer)).get() }
        let driver = StreamDriver(
            group: group, adopting: try pair.near.takeDescriptor(), peer: try pair.far.address,
            settings: StreamSettings.Shared(settings))
        return (driver, pair.far)
    }

    /// The next bytes, as the faces ask for them; nil at the end of input.
    func receive(timeout: Duration? = nil) async throws(Failure) -> [UInt8]? {
        let isEager = timeout.map { $0 <= .zero } ?? false
        let deadline = timeout.map { Instant.now.advanced(by: $0) } ?? .never
        var isNext = false
        while true {
            switch tryReceive(isNext: isNext, isEager: isEager) {
            case .bytes(let bytes, _): return bytes
            case .ended, .filled: return nil
            case .failed(let failure): throw failure
            case .wait(let hasTurn):
                if let failure = await waitToRead(deadline, hasTurn: hasTurn) { throw failure }
                isNext = true
            }
        }
    }

    /// Sends all of it.
    func send(_ bytes: [UInt8], timeout: Duration? = nil) async throws(Failure) {
        switch beginSend(.array(bytes)) {
        case .sent: return
        case .failed(let failure): throw failure
        case .queued(let ticket): try await waitForSend(ticket, timeout: timeout)
        }
    }
}

extension SocketAddress.Family {
    /// The families of the internet.
    static let internet: [SocketAddress.Family] = [.v4, .v6]
}
