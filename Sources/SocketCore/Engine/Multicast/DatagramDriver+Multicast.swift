// Groups that a datagram socket is in.
extension DatagramDriver {
    /// The groups, in the order of joining; none after close.
    package var memberships: [Membership] {
        state.withLock { $0.phase == .closed ? [] : $0.memberships.joined }
    }

    /// Joins a group: when it returns, the kernel has done so.
    package func join(_ membership: Membership) throws(Failure) {
        let number = try begin(membership) { $0.beginJoin(membership) }
        let result = MulticastCalls.join(
            number, membership.group, source: membership.source, interface: membership.interface)
        let hasJoined = (try? result.get()) != nil
        state.withLock { state in
            _ = state.descriptor.giveBack()
            state.memberships.endJoin(membership, hasJoined: hasJoined)
        }
        if case .failure(let error) = result { throw membership.failure(error, ofJoining: true) }
    }

    /// Leaves a group: when it returns, the kernel has done so.
    package func leave(_ membership: Membership) throws(Failure) {
        let number = try begin(membership) { $0.beginLeave(membership) }
        let result = MulticastCalls.leave(
            number, membership.group, source: membership.source, interface: membership.interface)
        let hasLeft: Bool
        switch result {
        // What the kernel does not know any more is left.
        case .success, .failure(.addressNotAvailable): hasLeft = true
        case .failure: hasLeft = false
        }
        state.withLock { state in
            _ = state.descriptor.giveBack()
            state.memberships.endLeave(membership, hasLeft: hasLeft)
        }
        if case .failure(let error) = result { throw membership.failure(error, ofJoining: false) }
    }

    /// Asks the machine, and lends the descriptor.
    private func begin(
        _ membership: Membership, _ ask: (inout MembershipMachine) -> MembershipMachine.Refusal?
    ) throws(Failure) -> Int32 {
        try state.withLock { state throws(Failure) in
            guard state.phase == .bound else { throw state.phase == .fresh ? .invalidState(.notBound) : .closed }
            if membership.group.family == .v6, state.local?.family == .v4 {
                throw .invalidArgument(.init("group", "\(membership.group.host) is IPv6, the socket IPv4"))
            }
            if let refusal = ask(&state.memberships) { throw membership.failure(refusal) }
            guard let number = state.descriptor.lend() else { throw .closed }
            return number
        }
    }
}

extension Membership {
    fileprivate func failure(_ refusal: MembershipMachine.Refusal) -> Failure {
        switch refusal {
        case .joinedAlready: refused("has been joined already", .addressInUse)
        case .joinedForAll:
            .invalidArgument(.init("source", "\(group.host) has been joined for all sources"))
        case .joinedForSources:
            .invalidArgument(.init("source", "\(group.host) has been joined for single sources"))
        case .notJoined: refused("has not been joined", .addressNotAvailable)
        }
    }

    fileprivate func failure(_ error: SystemError, ofJoining isJoining: Bool) -> Failure {
        switch error {
        // Also met when the system's choice was an interface that has been named, too.
        case .addressInUse: refused("has been joined already", error)
        case .addressNotAvailable where source != nil && isJoining: refused("has been joined already", error)
        case .addressNotAvailable where !isJoining: refused("has not been joined", error)
        case .noSuchDevice:
            .membership(
                .init("interface", interface == 0 ? "none has a route to \(group.host)" : "it does not exist"), error)
        default: .system(error, .setOption)
        }
    }

    private func refused(_ problem: String, _ error: SystemError) -> Failure {
        .membership(.init("group", "\(group.host)\(source.map { " from \($0.host)" } ?? "") \(problem)"), error)
    }
}
