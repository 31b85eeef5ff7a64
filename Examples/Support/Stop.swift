import Dispatch

/// Waits until the program is asked to stop: by Ctrl-C or SIGTERM and, if `endOfInput` counts, by the end of standard
/// input, when that is a terminal (Ctrl-D) or a pipe. Returns once; call it once.
public func stopRequest(endOfInput: Bool = false) async {
    let (requests, stop) = AsyncStream<Void>.makeStream()
    let sources = stopSignals.map { number in
        // The default action would end the program before anybody hears of the signal.
        ignoreSignal(number)
        let source = DispatchSource.makeSignalSource(signal: number)
        source.setEventHandler { stop.yield() }
        source.activate()
        return source
    }
    if endOfInput, inputIsInteractive {
        ignoreTerminalStops()
        Task {
            // Nil is not the end: there is nothing to be read, as in the background.
            var chunk = await StandardInput().read()
            while let read = chunk, !read.isEmpty { chunk = await StandardInput().read() }
            if chunk != nil { stop.yield() }
        }
    }
    for await _ in requests { break }
    for source in sources { source.cancel() }
}
