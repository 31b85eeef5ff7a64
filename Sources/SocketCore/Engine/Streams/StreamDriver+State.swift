// What a stream socket says of itself, and what can be set about it.
extension StreamDriver {
    /// The state that OpenHarmony's SocketStateBase shows.
    package struct Snapshot: Sendable, Hashable {
        package var isBound: Bool
        package var isClosed: Bool
        package var isConnected: Bool
    }

    /// The state at this moment.
    package var snapshot: Snapshot {
        withState { state in
            let isClosed = state.life.isClosed
            return Snapshot(
                isBound: state.life.isBound && !isClosed, isClosed: isClosed, isConnected: state.life.isConnected)
        }
    }

    /// Whether a send would be accepted.
    package var canSend: Bool {
        withState { state in
            state.life.phase == .open && state.life.request == nil && !state.write.isFinishing
                && state.rareIfAny?.outputError == nil
        }
    }

    /// Whether there may be more to receive.
    package var canReceive: Bool {
        withState { $0.life.phase == .open && $0.life.request == nil && !$0.read.isExhausted }
    }

    /// Bytes of sends that the kernel has not taken yet.
    package var bufferedAmount: Int { withState { $0.write.queuedBytes } }

    /// What has gone through, and the bytes of sends that the kernel has not taken yet.
    package var counts: (counts: StreamCounts, queued: Int) { withState { ($0.counts, $0.write.queuedBytes) } }

    /// Whether the send queue has been full, and `drain` is still to come.
    package var needsDrain: Bool { withState { $0.write.needsDrain } }

    /// Bytes above which the send queue counts as full.
    package var highWaterMark: Int {
        get { withState { $0.write.highWaterMark } }
        set { withState { $0.write.highWaterMark = newValue } }
    }

    /// The error that ended the socket, or the last that nobody was told of.
    package var lastError: Failure? { withState { $0.rareIfAny?.lastError } }

    /// The error that ended the socket.
    var failure: Failure? { withState { $0.life.endingFailure } }

    /// The peer's address, nil without a connection.
    package var peerAddress: SocketAddress? {
        withState { $0.life.isClosed || $0.life.phase < .open } ? nil : peer
    }

    /// Our address, nil before there is one. Asked of the kernel, which keeps it anyway.
    package var localAddress: SocketAddress? {
        withDescriptor { try? SocketCalls.localAddress($0).get() } ?? nil
    }

    /// The kernel's number for the descriptor; nil before there is one and after close, also while the loop still
    /// discards input.
    package var descriptorNumber: Int32? { withState { $0.life.isClosed ? nil : $0.descriptor.number } }

    /// What can be set about the socket.
    package var settings: StreamSettings { withState { $0.shared.values } }

    /// Changes what can be set. `change` runs under the lock, so that no other change is lost.
    package func changeSettings(_ change: (inout StreamSettings) -> Void) {
        // The old value goes outside of the lock: it may hold a closure of the program.
        let (before, mustTurn) = withState { state in
            let before = state.shared
            var values = before.values
            change(&values)
            state.shared = StreamSettings.Shared(values)
            state.noteActivity()
            return (before, state.isRegistered)
        }
        if mustTurn { requestTurn() }
        withExtendedLifetime(before) {}
    }

    /// Lends the descriptor to `body`; nil without calling it when there is none.
    package func withDescriptor<Result>(_ body: (Int32) -> Result) -> Result? {
        guard let number = withState({ $0.descriptor.lend() }) else { return nil }
        defer { giveBack() }
        return body(number)
    }

    // MARK: Binding

    /// Opens a descriptor, gives it the options that were set, and binds it to `address`. `wishes`: of a local socket.
    package func bind(to address: SocketAddress, _ wishes: PathOptions = PathOptions()) throws(Failure) {
        let options = try withState { state throws(Failure) in
            try state.life.checkBind()
            return state.shared.values.kernel
        }
        let descriptor: OwnedDescriptor
        var path: BoundPath?
        let opened =
            if let local {
                SocketCalls.openLocal(local.kind, options, bindTo: address, wishes, path: &path)
            } else {
                SocketCalls.open(address.family ?? .v4, .stream, options, bindTo: address)
            }
        switch consume opened {
        case .success(let opened): descriptor = opened
        case .failure(let error): throw Failure(error)
        }
        var owned: OwnedDescriptor? = consume descriptor
        do throws(Failure) {
            try withState { state throws(Failure) in
                // Checked again: another bind, a connect or a close may have come between.
                try state.life.checkBind()
                if let descriptor = owned.take() { state.descriptor.adopt(descriptor) }
                state.rare.boundFamily = address.family
                state.life.bound()
                local?.bound(path)
            }
        } catch {
            path?.remove()
            throw error
        }
    }
}
