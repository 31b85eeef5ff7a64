/// A group, from one source or from all, on one interface.
package struct Membership: Sendable, Hashable {
    /// Port and scope are zero, as those of `source`.
    package let group: SocketAddress
    /// Nil: whoever sends.
    package let source: SocketAddress?
    /// An index; 0 is the one that the system chose when it was joined.
    package let interface: UInt32

    package init(_ group: SocketAddress, source: SocketAddress? = nil, interface: UInt32 = 0) {
        var (group, source) = (group.unscoped, source?.unscoped)
        group.port = 0
        source?.port = 0
        self.group = group
        self.source = source
        self.interface = interface
    }
}

/// Knows the groups that a socket is in, and says what cannot be before the kernel is asked.
///
/// The kernel is asked outside of the lock, so a membership is on its way meanwhile: nobody else can begin with it.
package struct MembershipMachine: Sendable {
    /// Why a membership cannot be had, or given up.
    package enum Refusal: Sendable, Hashable {
        /// It is there, or on its way.
        case joinedAlready
        /// The group is joined for whoever sends, and then not for single sources too.
        case joinedForAll
        /// The group is joined for single sources, and then not for whoever sends too.
        case joinedForSources
        case notJoined
    }

    private enum Stage: Sendable {
        case joining, joined, leaving
    }

    private var entries: [(membership: Membership, stage: Stage)] = []

    package init() {}

    /// What is joined, in the order of joining.
    package var joined: [Membership] { entries.compactMap { $0.stage == .joined ? $0.membership : nil } }

    /// Somebody wants to join. Nil: ask the kernel, and report with `endJoin`.
    package mutating func beginJoin(_ membership: Membership) -> Refusal? {
        for (other, _) in entries where other.group == membership.group && other.interface == membership.interface {
            if other == membership { return .joinedAlready }
            if other.source == nil { return .joinedForAll }
            if membership.source == nil { return .joinedForSources }
        }
        entries.append((membership, .joining))
        return nil
    }

    /// What the kernel answered to what `beginJoin` admitted.
    package mutating func endJoin(_ membership: Membership, hasJoined: Bool) { settle(membership, isIn: hasJoined) }

    /// Somebody wants to leave. Nil: ask the kernel, and report with `endLeave`.
    package mutating func beginLeave(_ membership: Membership) -> Refusal? {
        guard let index = entries.firstIndex(where: { $0.membership == membership && $0.stage == .joined }) else {
            return .notJoined
        }
        entries[index].stage = .leaving
        return nil
    }

    /// What the kernel answered to what `beginLeave` admitted.
    package mutating func endLeave(_ membership: Membership, hasLeft: Bool) { settle(membership, isIn: !hasLeft) }

    private mutating func settle(_ membership: Membership, isIn: Bool) {
        guard let index = entries.firstIndex(where: { $0.membership == membership }) else { return }
        if isIn { entries[index].stage = .joined } else { entries.remove(at: index) }
    }
}
