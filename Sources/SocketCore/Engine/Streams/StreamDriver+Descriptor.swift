// Connections that come from outside, and go there.
extension StreamDriver {
    /// A descriptor that was given away.
    package struct Detached: Sendable {
        package let number: Int32
        /// What was read and is nobody's yet.
        package let unread: [UInt8]
    }

    /// A socket for a connection that was made elsewhere, where `unread` was read of it. When this throws, `number` stays
    /// the caller's.
    package convenience init(
        group: EventLoopGroup, adopting number: Int32, isLocal: Bool = false, unread: [UInt8] = []
    ) throws(Failure) {
        let (peer, kind) = try Adoption.prepareConnection(number, isLocal: isLocal)
        self.init(
            group: group, adopting: OwnedDescriptor(adopting: number), peer: peer, settings: .standard,
            local: isLocal ? LocalStream(kind) : nil)
        if !unread.isEmpty {
            let ahead = ReadAhead()
            unread.withUnsafeBytes { ahead.append($0) }
            withState { $0.put(ahead, isUntried: true) }
        }
        tellOpened(.adopted)
        startWatchingWhenUsed()
    }

    /// Gives the descriptor to the caller, who owns it from here on, and closes the socket without it.
    package func detach() async throws(Failure) -> Detached {
        if let failure = await Waiter.wait({ detach($0) }) { throw failure }
        return try takeDetached()
    }

    /// The completion form.
    package func detach(completion body: @escaping @Sendable (Result<Detached, Failure>) -> Void) {
        detach(
            .handler { [self] failure in
                let result = Result { () throws(Failure) in
                    if let failure { throw failure }
                    return try takeDetached()
                }
                complete { body(result) }
            })
    }

    /// On the loop, where nothing is being read or written but by calls of the program.
    private func detach(_ waiter: Waiter) {
        if loop.isCurrent { beginDetaching(waiter) } else { loop.execute { [self] in beginDetaching(waiter) } }
    }

    private func beginDetaching(_ waiter: Waiter) {
        let refusal: Failure? = withState { state in
            if let refusal = state.refusalOfDetaching() { return refusal }
            state.life.close(.detach)
            state.rare.detachment = .wanted(waiter)
            return nil
        }
        if let refusal { waiter.resume(refusal) } else { requestTurn() }
    }

    /// Hands over the descriptor, which nobody uses any more. On the loop.
    func surrender() {
        let waiter: Waiter? = withState { state in
            guard case .wanted(let waiter)? = state.rareIfAny?.detachment,
                let descriptor = state.descriptor.surrender()
            else {
                return nil
            }
            state.rare.detachment = .done(Detached(number: descriptor.relinquish(), unread: state.takeUnread()))
            return waiter
        }
        waiter?.resume()
    }

    private func takeDetached() throws(Failure) -> Detached {
        guard case .done(let detached)? = withState({ $0.rareIfAny?.detachment.take() }) else { throw .closed }
        return detached
    }
}

extension StreamState {
    /// Why the descriptor cannot be given away now; nil when it can.
    fileprivate mutating func refusalOfDetaching() -> Failure? {
        if life.isClosing { return .closed }
        if life.phase != .open { return .notConnected }
        let isFinishing = write.isFinishing && !write.hasFinished
        let isBusy =
            read.isReading || !readers.isEmpty || !write.isFlushed || isFinishing
            || rareIfAny.map { $0.relays > 0 } ?? false
        return isBusy ? .invalidState(.busy) : nil
    }

    fileprivate mutating func takeUnread() -> [UInt8] {
        ahead.take().map { $0.copy(0..<$0.count) } ?? []
    }
}
