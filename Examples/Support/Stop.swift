/// Waits until the program is asked to stop: by Ctrl-C or SIGTERM and, if `endOfInput` counts, by the end of standard
/// input, when that is a terminal (Ctrl-D) or a pipe. Call it once.
///
/// A thread of its own watches, and sleeps until something comes. Dispatch would be shorter, but on Linux the thread
/// that it starts wakes up once a second.
public func stopRequest(endOfInput: Bool = false) async {
    let isInputWatched = endOfInput && inputIsInteractive
    let signals = catchStopSignals()
    await withCheckedContinuation { continuation in
        startThread {
            watchForStop(signals, isInputWatched)
            continuation.resume()
        }
    }
}

private func watchForStop(_ signals: Int32, _ isInputWatched: Bool) {
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
