internal import SocketCore

// The program's completion handlers, as the engine keeps them: their two words, code and captures, owned by hand. They are
// used up by the call, of which there is exactly one.
extension Completion {
    /// Keeps `handler`, a struct of one closure: a closure itself would, as a generic argument, be wrapped in another.
    /// `teller` takes it out again with `handler(as:)`.
    @inline(__always)
    init<Handler: Sendable>(
        keeping handler: Handler, teller: @escaping @Sendable (Completion, Driver, Outcome) -> Void
    ) {
        precondition(MemoryLayout<Handler>.size == MemoryLayout<(UInt, UInt)>.size)
        var words: (UInt, UInt) = (0, 0)
        withUnsafeMutableBytes(of: &words) { $0.bindMemory(to: Handler.self).initializeElement(at: 0, to: handler) }
        self.init(words: words, teller: teller)
    }

    /// The handler, which the words own no longer.
    @inline(__always)
    func handler<Handler: Sendable>(as type: Handler.Type) -> Handler {
        var words = words
        return withUnsafeMutableBytes(of: &words) { $0.assumingMemoryBound(to: type).moveElement(from: 0) }
    }
}
