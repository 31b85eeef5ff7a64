/// Empty pipes of one loop, kept for the next relay that has bytes to move.
struct PipePool {
    /// More than this many are closed rather than kept: two descriptors each.
    private static let limit = 16
    private var idle: [Pipe] = []

    /// An empty pipe; nil when the system has none to give.
    mutating func take() -> Pipe? { idle.popLast() ?? Pipe.make() }

    /// Gives a pipe back, empty.
    mutating func keep(_ pipe: Pipe) {
        if idle.count < PipePool.limit { idle.append(pipe) }
    }
}
