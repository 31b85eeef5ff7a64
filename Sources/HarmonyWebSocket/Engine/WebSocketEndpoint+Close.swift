extension WebSocketEndpoint {
    /// Sends a close frame behind what is queued, and returns when the connection has ended.
    ///
    /// Waits for the peer's close frame, and for the end of the connection, for no longer than `closeTimeout` of the
    /// options. Messages that come meanwhile are dropped, and receives that are pending end with nil. A second close waits
    /// for the same end.
    ///
    /// ```swift
    /// try await webSocket.close(code: .normalClosure, reason: "done")
    /// ```
    ///
    /// - Throws: `.invalidArgument` for a code that cannot be sent, as 1005, 1006 and 1015, and a reason of more than 123
    ///   bytes or without a code. Then nothing has happened.
    ///
    /// ## Events
    /// `close`, after this call's completion, with the peer's code.
    ///
    /// ## Cancellation
    /// Not cancellable: it has a time limit of its own.
    public func close(code: WebSocketCloseCode?, reason: String = "") async throws(WebSocketError) {
        await driver.close(try WebSocketCloseOptions(code: code, reason: reason).frame())
    }

    /// Closes with the code 1000. Never fails; as `close(code:reason:)` otherwise.
    public func close() async { await driver.close(ClosingMachine.Frame(code: .normalClosure)) }

    /// Closes with a code and a reason, as OpenHarmony's WebSocketCloseOptions has them.
    public func close(_ options: WebSocketCloseOptions) async throws(WebSocketError) {
        await driver.close(try options.frame())
    }

    /// Closes, with the code 1000 unless said otherwise; as the async form.
    public func close(
        _ options: WebSocketCloseOptions = WebSocketCloseOptions(),
        completion: @escaping @Sendable (Result<Void, WebSocketError>) -> Void
    ) {
        do throws(WebSocketError) {
            driver.close(try options.frame()) { completion(.success(())) }
        } catch {
            driver.complete { completion(.failure(error)) }
        }
    }

    /// Ends the connection at once, without a close frame: the peer sees a reset, and what is queued is dropped.
    ///
    /// Returns before the connection has ended.
    ///
    /// ## Events
    /// `close`, with the code 1006.
    public func reset() { driver.post { [driver] in driver.reset() } }
}
