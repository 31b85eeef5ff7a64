// Files in a stream: a chunk of the queue like others, which the loop sends in pieces.
extension StreamDriver {
    /// Queues part of a file.
    package func beginSend(_ file: SentFile) -> SendOutcome {
        let outcome: SendOutcome = withState { state in
            if let failure = state.refusalOfSending() { return .failed(failure) }
            if state.framer != nil { return .failed(.invalidState(.framed)) }
            if state.write.keepsBounds { return .failed(.invalidState(.packets)) }
            if state.write.isFinishing { return .failed(.invalidState(.finished)) }
            if file.range.isEmpty { return .sent(mustYield: false) }
            let whole = WriteMachine.Remainder(
                .file(file), offset: file.range.lowerBound, count: file.range.count, sent: 0)
            state.counts.messagesSent += 1
            return .queued(state.enqueueSend(whole))
        }
        // On the loop only: sendfile(2) has no way to ask for no SIGPIPE, and a disk may be slow.
        if case .queued = outcome { requestTurn() }
        return outcome
    }

    /// Sends part of a file, and returns when the kernel has taken all of it.
    package func send(_ file: SentFile, timeout: Duration?) async throws(Failure) {
        let outcome: Failure?
        do throws(Failure) {
            switch beginSend(file) {
            case .sent: break
            case .failed(let failure): throw failure
            case .queued(let ticket): try await waitForSend(ticket, timeout: timeout)
            }
            outcome = nil
        } catch {
            outcome = error
        }
        if let meter = file.meter {
            // Behind the reports that are on their way.
            _ = await Waiter.wait { waiter in
                complete {
                    meter.end(outcome == nil ? file.end : nil)
                    waiter.resume()
                }
            }
        }
        if let outcome { throw outcome }
    }

    /// The completion form: `completion` is told in the socket's order of events, and after the last report.
    package func send(_ file: SentFile, timeout: Duration?, _ completion: SendCompletion) {
        let completion = SendCompletion { driver, failure in
            file.meter?.end(failure == nil ? file.end : nil)
            completion.call(driver, failure)
        }
        switch beginSend(file) {
        case .sent: complete { [self] in completion.call(self, nil) }
        case .failed(let failure): complete { [self] in completion.call(self, failure) }
        case .queued(let ticket): awaitSend(ticket, timeout: timeout, completion)
        }
    }

    /// Tells how far a file has been sent, when it is time to.
    func report(_ end: Int, of file: SentFile) {
        guard let meter = file.meter, meter.isDue() else { return }
        let progress = SentFile.Progress(sent: end - file.range.lowerBound, total: file.range.count)
        complete { meter.tell(progress) }
    }
}

extension SentFile {
    fileprivate var end: Progress { Progress(sent: range.count, total: range.count) }
}
