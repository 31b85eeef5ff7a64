/// The wish that the program stops: Ctrl-C or SIGTERM and, if `endOfInput` counts, the end of standard input, when that is a
/// terminal (Ctrl-D) or a pipe. One a program.
///
/// From when it is made such a signal no longer ends the program, and is kept for `wait`. It takes two descriptors: a server
/// makes it before it listens, since its clients may leave it none.
///
/// A thread of its own watches, and sleeps until something comes. Dispatch would be shorter, but on Linux the thread
/// that it starts wakes up once a second.
public struct StopRequest: Sendable {
    private let signals: Int32
    private let isInputWatched: Bool

    /// Catches the signals from here on.
    public init(endOfInput: Bool = false) {
        isInputWatched = endOfInput && inputIsInteractive
        signals = catchStopSignals()
    }

    /// Returns when the program is asked to stop, or has been. Call it once.
    public func wait() async {
        await withCheckedContinuation { continuation in
            startThread {
                watch()
                continuation.resume()
            }
        }
    }

    private func watch() {
        unblockStopSignals()
        var isInputWatched = isInputWatched
        if isInputWatched { ignoreTerminalStops() }
        while !waitForStopSignal(signals, orInput: isInputWatched) {
            if let chunk = readStandardInput(upTo: 4096) {
                if chunk.isEmpty { return }
            } else {
                // Not the end: there is nothing to be read, as in the background.
                isInputWatched = false
            }
        }
    }
}
