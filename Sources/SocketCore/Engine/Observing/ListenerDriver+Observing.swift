// What the observer of a listener is told.
extension ListenerDriver {
    func tellListening() { observed?.tell(.listening, local: localAddress) }

    func tell(_ observed: Observed, _ event: EngineEvent) {
        switch event {
        case .error(let failure, let address): observed.tell(.error(failure, address), local: localAddress)
        case .overload(let open, let limit, let isRefused):
            observed.tell(.overload(open: open, limit: limit, isRefused: isRefused), local: localAddress)
        default: break
        }
    }

    /// The listener is about to give its descriptor back.
    func tellClosed(_ observed: Observed) {
        let (ending, failure, local) = state.withLock {
            ($0.ending, $0.ending == .failed ? $0.lastError : nil, $0.local)
        }
        observed.tell(.closed(ending, failure, nil), local: local)
    }
}
