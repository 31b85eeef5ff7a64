// What the observer of a stream socket is told.
extension StreamDriver {
    /// A connection that was accepted or adopted stands.
    func tellOpened(_ event: Observation.Event) {
        guard let observed else { return }
        observed.tell(event, descriptorNumber, peer: peer)
    }

    /// The socket is about to give its descriptor back. Before a connect there is nothing to tell.
    func tellClosed(_ observed: Observed, _ number: Int32?) {
        let (ending, failure, counts) = withState { ($0.ending, $0.life.failure, $0.counts) }
        guard let ending else { return }
        observed.tell(.closed(ending, failure, counts), number, peer: peer.family == nil ? nil : peer)
    }
}
