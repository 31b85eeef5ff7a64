/// Who is there: a machine, which is told what is heard and what time it is, and answers with the lines to print.
struct Neighbours {
    /// Anybody can make up copies: so many are remembered at most.
    private static let limit = 1000
    private var lastHeard: [Greeting: ContinuousClock.Instant] = [:]
    private let patience: Duration

    /// Who is silent for as long as `patience` is gone.
    init(patience: Duration) { self.patience = patience }

    /// Somebody said hello; a line if he is new.
    mutating func hello(_ greeting: Greeting, from place: String, at now: ContinuousClock.Instant) -> String? {
        guard lastHeard[greeting] != nil || lastHeard.count < Neighbours.limit else { return nil }
        return lastHeard.updateValue(now, forKey: greeting) == nil ? "+ \(greeting.name) at \(place)" : nil
    }

    /// Somebody said goodbye; a line if he was there.
    mutating func bye(_ greeting: Greeting) -> String? {
        lastHeard.removeValue(forKey: greeting).map { _ in "- \(greeting.name)" }
    }

    /// Time has passed; a line for everybody who has gone without a word.
    mutating func tick(_ now: ContinuousClock.Instant) -> [String] {
        let silent = lastHeard.filter { $0.value + patience < now }.keys
        for greeting in silent { lastHeard[greeting] = nil }
        return silent.map { "- \($0.name)" }.sorted()
    }
}
