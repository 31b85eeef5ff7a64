import ExampleSupport
import Synchronization

/// Prints one line about what happened, when it happens: after how many milliseconds, to whom, what, and more about it.
func note(_ who: String, _ event: String, _ payload: String = "") {
    // Listeners call this from their loops, at the same time.
    turn.withLock { _ in
        let tenths = Int((ContinuousClock.now - start) / .microseconds(100))
        let time = "\(tenths / 10).\(tenths % 10) ms"
        let line = left(time, 10) + "  " + right(who, 8) + "  " + right(event, 15) + "  " + payload
        say(String(line.reversed().drop { $0 == " " }.reversed()))
    }
}

/// Begins a chapter.
func chapter(_ title: String) { say("\n\(title)") }

/// Ends the program unless `isTrue`.
func expect(_ isTrue: Bool, _ what: String) {
    if !isTrue { fail("expected \(what)") }
}

/// Something that a listener or a completion handler reports, and that the program waits for.
struct Moment: Sendable {
    private let name: String
    private let events: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init(_ name: String) {
        self.name = name
        (events, continuation) = AsyncStream<Void>.makeStream()
    }

    /// It is here.
    func reached() { continuation.finish() }

    /// Waits for it, not longer than 2 s.
    func wait() async {
        let limit = Task {
            try await Task.sleep(for: .seconds(2))
            fail("\(name) did not happen within 2 s")
        }
        for await _ in events {}
        limit.cancel()
    }
}

private let start = ContinuousClock.now
private let turn = Mutex(())

private func left(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
}

private func right(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}
