/// A reference that keeps nothing alive.
struct Weak<Value: AnyObject & Sendable>: Sendable {
    weak let value: Value?

    init(_ value: Value?) { self.value = value }
}
