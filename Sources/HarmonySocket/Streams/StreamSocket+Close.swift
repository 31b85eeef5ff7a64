internal import SocketCore

extension StreamSocket {
    /// Ends our direction after everything that is queued; the peer reads the end of input (shutdown(2)). Reading goes
    /// on.
    ///
    /// Returns when the end is with the kernel. Sends after it fail with `.invalidState`; a second finish does nothing.
    ///
    /// ```swift
    /// try await tcp.send("the whole request")
    /// try await tcp.finish()
    /// while let chunk = try await tcp.receive() { print(chunk.text ?? "") }
    /// ```
    ///
    /// - Throws: `.notConnected` before connect; `.closed` after close; `.aborted` when the socket is reset before
    ///   everything queued is out; what broke the connection.
    ///
    /// ## Cancellation
    /// Not cancellable: it ends with the send queue, or with the socket.
    public func finish() async throws(SocketError) {
        do throws(Failure) {
            try await stream.driver.finish()
        } catch {
            throw stream.error(error, .finish)
        }
    }

    /// Ends our direction after everything that is queued; as the async form.
    public func finish(completion: @escaping @Sendable (Result<Void, SocketError>) -> Void) {
        stream.driver.finish(completion: stream.completion(.finish, completion))
    }

    /// Writes what is queued, ends our direction, and completes. A second close does nothing.
    ///
    /// Receives that are pending end with `.aborted` at once. If the peer has not ended its direction yet, the loop
    /// keeps the socket in the background and throws its input away, until the peer ends or for `closeTimeout`: an
    /// unread byte would otherwise make the kernel reset the connection and destroy what was sent last. What cannot be
    /// written within `closeTimeout` ends with `.aborted`, and the connection is reset. With `socketLinger` on, this
    /// call writes and then waits until the peer has taken it all, for no longer than the linger time in all.
    ///
    /// The object is not used again: connect with a new one.
    ///
    /// ## Events
    /// `close`, after this call's completion.
    ///
    /// ## Cancellation
    /// Not cancellable: it has a time limit of its own.
    public func close() async { await stream.driver.close() }

    /// Writes what is queued, ends our direction, and completes; as the async form. Never fails.
    public func close(completion: @escaping @Sendable (Result<Void, SocketError>) -> Void) {
        stream.driver.close { completion(.success(())) }
    }

    /// Closes at once: what is queued is dropped, and the peer sees a reset (RST).
    ///
    /// Sends that are pending end with `.aborted`, which says how much had gone out; receives that are pending too.
    /// Does nothing when the socket is closed already.
    ///
    /// ## Events
    /// `close`, after this call's completion; without an error, since we asked for it.
    ///
    /// ## Cancellation
    /// Not cancellable: it does not wait for the peer.
    public func reset() async { await stream.driver.reset() }

    /// Closes at once; as the async form. Never fails.
    public func reset(completion: @escaping @Sendable (Result<Void, SocketError>) -> Void) {
        stream.driver.reset { completion(.success(())) }
    }

    /// How long close() may take to write what is queued, and then waits in the background for the peer's end; 5 s by
    /// default. Negative values count as zero.
    public var closeTimeout: Duration {
        get { stream.driver.settings.closeTimeout }
        set { stream.driver.changeSettings { $0.closeTimeout = max(.zero, newValue) } }
    }

    /// How many bytes of input close() throws away in the background before it gives up on a peer that goes on sending;
    /// 16 MiB by default.
    public var closeDiscardLimit: Int {
        get { stream.driver.settings.discardLimit }
        set { stream.driver.changeSettings { $0.discardLimit = max(0, newValue) } }
    }

    /// Keep the socket open for sending when the peer ends its direction while a message listener exists. Off by
    /// default: `end` is then followed by close(). Readers that pull always keep it open.
    public var allowsHalfOpen: Bool {
        get { stream.driver.settings.allowsHalfOpen }
        set { stream.driver.changeSettings { $0.allowsHalfOpen = newValue } }
    }
}
