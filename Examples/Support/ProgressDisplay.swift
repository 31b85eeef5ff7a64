import Synchronization

/// Shows on standard error how far a transfer is: as a bar on a terminal, else as a line for each tenth.
public final class ProgressDisplay: Sendable {
    private struct State {
        var lastTenth = 0
        var isLineOpen = false
    }

    private let total: Int
    private let start = ContinuousClock.now
    private let state = Mutex(State())

    /// Draws nothing before the first `show`.
    public init(total: Int) { self.total = total }

    /// Shows that so many bytes are done.
    public func show(_ done: Int) {
        let fraction = total == 0 ? 1 : Double(done) / Double(total)
        let text = state.withLock { state -> String? in
            if errorsGoToTerminal {
                state.isLineOpen = true
                return "\r[\(ProgressDisplay.bar(fraction))] \(pad(Int(fraction * 100))) %  \(rate(done))   "
            }
            let tenth = Int(fraction * 10)
            guard tenth > state.lastTenth else { return nil }
            state.lastTenth = tenth
            return "\(tenth * 10) %, \(rate(done))\n"
        }
        if let text { writeError(text) }
    }

    /// Leaves the bar, if there is one, on its line.
    public func end() {
        let mustBreak = state.withLock { state in
            defer { state.isLineOpen = false }
            return state.isLineOpen
        }
        if mustBreak { writeError("\n") }
    }

    private static func bar(_ fraction: Double) -> String {
        let width = 30
        let filled = min(width, Int(fraction * Double(width)))
        return String(repeating: "=", count: filled) + String(repeating: " ", count: width - filled)
    }

    private func pad(_ percent: Int) -> String { String(repeating: " ", count: 3 - "\(percent)".count) + "\(percent)" }

    private func rate(_ done: Int) -> String {
        let (seconds, attoseconds) = start.duration(to: .now).components
        let time = max(0.001, Double(seconds) + Double(attoseconds) / 1e18)
        return "\(Int(Double(done) / time / 1e6)) MB/s"
    }
}
