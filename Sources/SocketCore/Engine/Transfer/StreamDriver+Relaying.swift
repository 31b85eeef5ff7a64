// What a relay does to the sockets at its two ends.
extension StreamDriver {
    /// What a relay took out of a socket.
    enum Taken: Sendable {
        case bytes([UInt8])
        /// So many bytes are in the pipe.
        case piped(Pipe, Int)
        case ended
        /// Nothing yet: `waitToRead`, and try again as the next in turn.
        case wait(hasTurn: Bool)
        case failed(Failure)
    }

    /// Takes what is there without waiting: into a pipe, unless something was read ahead, or there is no pipe.
    /// `isNext`: the caller has waited, and has the turn.
    func take(isNext: Bool, isCopying: Bool) -> Taken {
        if isCopying || local?.keepsBounds == true { return copy(isNext: isNext) }
        switch admitReader(isNext: isNext, isEager: false) {
        case .direct(let number, let turn): return splice(number, turn)
        case .indirect(let number, let turn, let ahead, _) where ahead.isEmpty: return splice(number, turn)
        case .indirect:
            withState { _ = $0.descriptor.giveBack() }
            return copy(isNext: true)
        case .wait, .queued: return .wait(hasTurn: isNext)
        case .ended: return .ended
        case .failed(let failure): return .failed(failure)
        }
    }

    private func copy(isNext: Bool) -> Taken {
        var request = ReadRequest(.some(upTo: Scratch.size))
        return switch tryReceive(&request, isNext: isNext, isEager: false) {
        case .bytes(let bytes, _): .bytes(bytes)
        case .ended, .filled: .ended
        case .wait(let hasTurn): .wait(hasTurn: hasTurn)
        case .failed(let failure): .failed(failure)
        }
    }

    /// With the turn, and the number lent.
    private func splice(_ number: Int32, _ turn: ReadMachine.Turn) -> Taken {
        guard let pipe = loop.takePipe() else {
            withState { _ = $0.descriptor.giveBack() }
            return copy(isNext: true)
        }
        let result = pipe.fill(from: number)
        if case .failure(.invalidArgument) = result {
            // A kind of socket that cannot do it.
            withState { _ = $0.descriptor.giveBack() }
            loop.keepPipe(pipe)
            return copy(isNext: true)
        }
        let (didClear, mustTurn) = withState { state in
            _ = state.descriptor.giveBack()
            if case .failure(let error) = result, error != .wouldBlock { state.wasFailureReported = true }
            if case .success(1...) = result { state.counts.messagesReceived += 1 }
            // How much was moved says nothing about what is left: only `.wouldBlock` does.
            let didClear = state.finishReading(
                result, limit: 0, tick: turn.tick, keepsTurn: result == .failure(.wouldBlock))
            return (didClear, state.wantsTurnAfterReading())
        }
        if didClear { rearm(.read) }
        if mustTurn { requestTurn() }
        if case .success(let count) = result, count > 0 { return .piped(pipe, count) }
        loop.keepPipe(pipe)
        return switch result {
        case .success: .ended
        case .failure(.wouldBlock): .wait(hasTurn: true)
        case .failure(let error): .failed(.system(error, .splice))
        }
    }
}
