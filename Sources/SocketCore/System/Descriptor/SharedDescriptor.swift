/// A descriptor that several threads may be using at once, kept open until the last of them is done.
///
/// A system call runs outside the lock on a number that was lent to it. `retire()` ends the lending; whoever gives
/// the number back last receives the owner, and closes it by letting it go. So no call ever runs on a number that
/// was closed and opened again by somebody else. Guarded by its user's lock.
package struct SharedDescriptor: ~Copyable, Sendable {
    private var owned: OwnedDescriptor?
    private var isRetired = false
    private var isWithheld = false
    private var lent: Int32 = 0
    /// The number, for bookkeeping only; nil without a descriptor that calls may use. A call borrows it with `lend()`.
    package private(set) var number: Int32?

    /// Starts without a descriptor.
    package init() {}

    /// Takes `descriptor` over. A socket gets its descriptor once; a second one would be closed at once.
    package mutating func adopt(_ descriptor: consuming OwnedDescriptor) {
        guard number == nil, !isRetired else { return }
        number = descriptor.number
        owned = consume descriptor
    }

    /// The number for one system call, or nil after `retire()` or before `adopt`. Every number lent is given back.
    package mutating func lend() -> Int32? {
        guard let number else { return nil }
        lent += 1
        return number
    }

    /// Ends a borrowing. Returns the owner when the descriptor is retired and this was the last user.
    package mutating func giveBack() -> OwnedDescriptor? {
        lent -= 1
        return isRetired && lent == 0 ? owned.take() : nil
    }

    /// Lends nothing any more, so that `surrender` will have the descriptor. Returns whether a call is using it now; then
    /// `isReturned` holds as soon as the last has given it back.
    package mutating func withhold() -> Bool {
        number = nil
        isWithheld = lent > 0
        return isWithheld
    }

    /// Whether a call was using the descriptor when it was withheld, and none is any more.
    package var isReturned: Bool { isWithheld && lent == 0 && !isRetired }

    /// Gives the descriptor up to somebody who may bring another with `adopt`; nil when a call is using it.
    package mutating func surrender() -> OwnedDescriptor? {
        guard lent == 0, !isRetired else { return nil }
        number = nil
        isWithheld = false
        return owned.take()
    }

    /// Lends nothing any more. Returns the owner when nobody uses the number now.
    package mutating func retire() -> OwnedDescriptor? {
        isRetired = true
        number = nil
        return lent == 0 ? owned.take() : nil
    }
}
