public import HarmonySocket

/// The wish that the program stops: Ctrl-C or SIGTERM and, if `endOfInput` counts, the end of standard input, when that is a
/// terminal (Ctrl-D) or a pipe. One a program.
///
/// From when it is made such a signal no longer ends the program, and is kept for `wait`. It takes two descriptors: a server
/// makes it before it listens, since its clients may leave it none.
public struct StopRequest: Sendable {
    private let signals: Int
    private let isInputWatched: Bool

    /// Catches the signals from here on.
    public init(endOfInput: Bool = false) {
        isInputWatched = endOfInput && inputIsInteractive
        signals = catchStopSignals()
    }

    /// Returns when the program is asked to stop, or has been. Call it once.
    ///
    /// `loop` watches: a program that is built around one needs no other thread, and each call to the system is cheaper
    /// in a process that has a single one.
    public func wait(on loop: SocketEventLoop = SocketEventLoopGroup.shared.next()) async {
        unblockStopSignals()
        await withTaskGroup(of: Bool.self) { tasks in
            tasks.addTask { (try? await loop.waitUntilReadable(signals)) != nil }
            if isInputWatched { tasks.addTask { await inputEnds(on: loop) } }
            for await mustStop in tasks where mustStop { break }
            tasks.cancelAll()
        }
    }

    /// Reads standard input to its end; false when there is nothing to be read, as in the background.
    private func inputEnds(on loop: SocketEventLoop) async -> Bool {
        ignoreTerminalStops()
        while (try? await loop.waitUntilReadable(0)) != nil, let chunk = readStandardInput(upTo: 4096) {
            if chunk.isEmpty { return true }
        }
        return false
    }
}
