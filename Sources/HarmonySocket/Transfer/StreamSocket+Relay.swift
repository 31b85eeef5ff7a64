internal import SocketCore

extension StreamSocket {
    /// Moves what each of two sockets receives to the other one, until both peers have ended. Returns how many bytes
    /// that was, each way.
    ///
    /// A slow reader slows down its sender, and nobody else. The end of one direction is handed on (`finish`), and the
    /// other direction goes on. What was read ahead goes first; a framing does not matter. Both sockets may belong to
    /// different loops. On Linux the bytes go through a pipe of the kernel (splice(2)) and never into the program;
    /// elsewhere, and when there is no descriptor for a pipe, through 64 KiB of memory. With a reader that has stalled
    /// at most 256 KiB are held each way.
    ///
    /// Both sockets are left to you when it returns: close them. `idleTimeout` ends the relay when nothing has moved
    /// for so long; nil waits without end. `progress` is told on a loop how much was handed over: at most every 100 ms,
    /// one report at a time.
    ///
    /// ```swift
    /// try await server.serve { client in
    ///     let upstream = TCPSocket()
    ///     try await upstream.connect(to: NetAddress("127.0.0.1", port: 8080))
    ///     let counts = try await client.relay(with: upstream, idleTimeout: .seconds(600))
    ///     print(counts.forward, "bytes there,", counts.backward, "back")
    ///     await upstream.close()
    /// }
    /// ```
    ///
    /// - Throws: `RelayError`, which names the side that failed. When the connection of one side is reset, or breaks,
    ///   the other side is reset too, after what came before: its peer must not take that for the end. A side that only
    ///   takes no more does not stop what it had sent before: that is handed on, up to its end. When you close one of
    ///   the two yourself, `.aborted`, and the other is left as it is. `.timedOut` after `idleTimeout`; `.cancelled`.
    ///
    /// ## Events
    /// `drain` of either socket; `end`, and what follows from trouble: `error`, `close`.
    ///
    /// ## Cancellation
    /// A cancelled or timed-out relay leaves both sockets open. Every byte that it has counted is in the send queue of
    /// the other socket, or out; those that it has not counted are left to the next reader. Nothing is lost.
    @discardableResult
    public func relay(
        with other: any StreamSocket, idleTimeout: Duration? = nil,
        progress: (@Sendable (RelayCounts) -> Void)? = nil
    ) async throws(RelayError) -> RelayCounts {
        try await relay(with: other, idleTimeout: idleTimeout, isCopying: false, progress: progress)
    }

    /// Moves what each of two sockets receives to the other one; as the async form.
    public func relay(
        with other: any StreamSocket, idleTimeout: Duration? = nil,
        progress: (@Sendable (RelayCounts) -> Void)? = nil,
        completion: @escaping @Sendable (Result<RelayCounts, RelayError>) -> Void
    ) {
        Task(executorPreference: eventLoop) { [self] in
            let result: Result<RelayCounts, RelayError>
            do throws(RelayError) {
                result = .success(try await relay(with: other, idleTimeout: idleTimeout, progress: progress))
            } catch {
                result = .failure(error)
            }
            stream.driver.complete { completion(result) }
        }
    }

    /// `isCopying`: as on systems without splice(2).
    package func relay(
        with other: any StreamSocket, idleTimeout: Duration? = nil, isCopying: Bool,
        progress: (@Sendable (RelayCounts) -> Void)? = nil
    ) async throws(RelayError) -> RelayCounts {
        let relay = Relay(
            stream.driver, other.stream.driver, isCopying: isCopying, report: RelayCounts.adapt(progress))
        relay.claim(true)
        defer { relay.claim(false) }
        await withTaskGroup(of: Relay.Verdict.self) { group in
            // Each on the loop of whom it reads from. The listeners of the third keep both sockets open.
            group.addTask(executorPreference: eventLoop) { await relay.moveAll(from: .first) }
            group.addTask(executorPreference: other.eventLoop) { await relay.moveAll(from: .second) }
            if let idleTimeout {
                group.addTask(executorPreference: eventLoop) { await relay.watch(idleTimeout) }
            }
            group.addTask(executorPreference: eventLoop) { await relay.watchEnds() }
            var running = 2
            while running > 0, let verdict = await group.next(), verdict != .stop {
                if verdict == .over { running -= 1 }
            }
            group.cancelAll()
        }
        let counts = RelayCounts(relay.counts)
        guard let trouble = relay.trouble else { return counts }
        throw RelayError(error: error(trouble, with: other), side: trouble.side.map(RelaySide.init), counts: counts)
    }

    private func error(_ trouble: Relay.Trouble, with other: any StreamSocket) -> SocketError {
        switch trouble.side {
        case nil: SocketError(trouble.failure, .relay)
        case .first: stream.error(trouble.failure, trouble.isOfSink ? .send : .receive)
        case .second: other.stream.error(trouble.failure, trouble.isOfSink ? .send : .receive)
        }
    }
}

extension RelayCounts {
    fileprivate static func adapt(
        _ progress: (@Sendable (RelayCounts) -> Void)?
    ) -> (@Sendable (Relay.Counts) -> Void)? {
        guard let progress else { return nil }
        return { progress(RelayCounts($0)) }
    }
}

extension RelaySide {
    fileprivate init(_ side: Relay.Side) { self = side == .first ? .this : .other }
}
