extension StreamState {
    /// What the loop does next. Plain numbers, since every event of every socket makes some of them.
    enum Step: Sendable {
        case nothing
        case end
        case register(Int32)
        case release(Int32?, isAbortive: Bool)
        /// Tell what is in the outbox: on the loop, or elsewhere.
        case deliver
        case handOver
        case flush(Int32)
        case shutDown(Int32)
        case resumeReader
        case readForHandler(Int32, tick: UInt32)
        case pullForHandler
        case readForListeners(Int32, tick: UInt32)
        case lendToListeners(Int32, tick: UInt32)
        case cutForListeners(Int32)
        case probe(Int32, tick: UInt32)
        case discard(Int32, tick: UInt32)
        case setTimer(Instant)
        /// Reading or writing has used up its turn's budget.
        case yield
    }
}
