// Where a datagram socket is, and to whom it speaks.
extension DatagramDriver {
    /// Opens, prepares and binds.
    package func bind(to address: SocketAddress) throws(Failure) {
        let options = try state.withLock { state throws(Failure) in
            try state.checkFresh()
            return state.options
        }
        let descriptor: OwnedDescriptor
        switch SocketCalls.open(address.family ?? .v4, .datagram, options, bindTo: address) {
        case .success(let opened): descriptor = opened
        case .failure(let error): throw Failure(error)
        }
        let maySegment = DatagramCalls.enableOffload(descriptor.number)
        let local = try? SocketCalls.localAddress(descriptor.number).get()
        var owned: OwnedDescriptor? = consume descriptor
        try state.withLock { state throws(Failure) in
            // Checked again: another bind or a close may have come between.
            try state.checkFresh()
            if let descriptor = owned.take() { state.descriptor.adopt(descriptor) }
            state.local = local
            state.maySegment = maySegment
            state.phase = .bound
            state.counts.opened = .now
            state.noteActivity()
            state.outbox.emit(.listening)
        }
        requestTurn()
    }

    /// Binds port 0 of the wildcard address of the destination's family, unless the socket is bound. Returns whether it
    /// had to.
    func bindIfNeeded(for destination: SocketAddress) throws(Failure) -> Bool {
        guard state.withLock({ $0.phase == .fresh }) else { return false }
        do throws(Failure) {
            try bind(to: .any(destination.family ?? .v4))
            return true
        } catch .alreadyBound {
            // Another thread was first, which is as good.
            return false
        }
    }

    // MARK: The peer

    /// Connects: what is sent without an address goes there, and nothing comes from anywhere else. Does not wait.
    package func connect(to destination: SocketAddress) throws(Failure) {
        _ = try bindIfNeeded(for: destination)
        let number = try beginConnecting(whenConnected: false)
        let result = SocketCalls.connect(number, to: destination)
        // As the kernel writes it, and as the sources of datagrams will say it.
        let peer = (try? SocketCalls.peerAddress(number).get()) ?? destination
        let local = try? SocketCalls.localAddress(number).get()
        try endConnecting { state throws(Failure) in
            if case .failure(let error) = result { throw .system(error, .connect) }
            state.localBeforeConnect = state.local
            state.local = local
            state.peer = peer
            state.outbox.emit(.connect)
        }
    }

    /// Undoes `connect`; the port stays. Does nothing on a socket that is not connected.
    package func disconnect() throws(Failure) {
        guard state.withLock({ $0.peer != nil || $0.phase > .bound }) else { return }
        let number = try beginConnecting(whenConnected: true)
        let (before, interface) = state.withLock { ($0.localBeforeConnect, $0.options[.interface]) }
        var result = DatagramCalls.disconnect(number)
        // Linux forgets a port that it had chosen itself, and the interface.
        if case .success = result, let before, (try? SocketCalls.localAddress(number).get())?.port == 0 {
            result = SocketCalls.bind(number, to: before)
        }
        if let interface { _ = OptionCalls.set(number, .interface, to: interface) }
        let local = try? SocketCalls.localAddress(number).get()
        try endConnecting { state throws(Failure) in
            state.peer = nil
            state.pendingError = nil
            state.local = local
            if case .failure(let error) = result { throw .system(error, .connect) }
        }
    }

    /// Lends the descriptor to the one who connects or disconnects.
    private func beginConnecting(whenConnected isConnected: Bool) throws(Failure) -> Int32 {
        try state.withLock { state throws(Failure) in
            if state.phase > .bound { throw .closed }
            if state.isConnecting || (state.peer != nil) != isConnected {
                throw isConnected ? .notConnected : .alreadyConnected
            }
            guard let number = state.descriptor.lend() else { throw .closed }
            state.isConnecting = true
            return number
        }
    }

    private func endConnecting(_ body: (inout DatagramState) throws(Failure) -> Void) throws(Failure) {
        defer { requestTurn() }
        try state.withLock { state throws(Failure) in
            _ = state.descriptor.giveBack()
            state.isConnecting = false
            try body(&state)
        }
    }
}

extension DatagramState {
    /// Whether a bind would fit.
    fileprivate mutating func checkFresh() throws(Failure) {
        switch phase {
        case .fresh: return
        case .bound: throw .alreadyBound
        case .flushing, .closed: throw .closed
        }
    }
}
