/// What a socket has whose connection is secure, or is to become so.
final class StreamSecurity: Sendable {
    let cipher: any StreamCipher
    // On the loop only, while the socket is not open yet.
    nonisolated(unsafe) var takeOver: TakeOver?
    nonisolated(unsafe) var handshake: Handshake?

    init(_ cipher: any StreamCipher) { self.cipher = cipher }

    /// Nobody wants the connection any more.
    func cancel() {
        takeOver.take()?.cancel()
        handshake.take()?.cancel()
    }
}

// From a connection that stands to one that is secure, and open.
extension StreamDriver {
    /// What the bytes go through, if the connection is secure.
    @inline(__always)
    var cipher: (any StreamCipher)? { security?.cipher }

    /// When the loop begins to watch a connection that has become secure.
    enum Watching: Sendable {
        case now
        /// When the program uses it.
        case whenUsed
        /// At `startWatching`.
        case later
    }

    /// What the bytes of an open connection go through; nil before, and for one that is not secure.
    package var openCipher: (any StreamCipher)? {
        withState { state in state.life.phase >= .open ? cipher : nil }
    }

    /// An accepted connection that is to be made secure before anybody gets it. `ended` hears on the loop whether it is.
    convenience init(
        group: EventLoopGroup, peer: SocketAddress, settings: StreamSettings.Shared, listener: ListenerDriver,
        ended: @escaping @Sendable (StreamDriver, Failure?) -> Void
    ) {
        self.init(group: group, listener: listener)
        fixedPeer = peer
        withState { state in
            state.shared = settings
            try? state.life.beginConnect()
            state.rare.connecting = .handler { [self] failure in ended(self, failure) }
        }
    }

    /// Begins to make it secure.
    func beginSecuring(
        _ descriptor: consuming OwnedDescriptor, through cipher: any StreamCipher, _ deadline: Instant
    ) {
        let number = descriptor.relinquish()
        loop.execute { [self] in
            secure(
                OwnedDescriptor(adopting: number), nil, StreamSecurity(cipher), deadline, watching: .later
            ) { _ in }
        }
    }

    /// Begins the handshake. When it has ended well the socket is open, and `opened` is called; otherwise it is closed. On
    /// the loop.
    func secure(
        _ descriptor: consuming OwnedDescriptor, _ token: PollToken?, _ security: StreamSecurity, _ deadline: Instant,
        watching: Watching, opened: @escaping @Sendable (Int32) -> Void
    ) {
        let number = descriptor.number
        guard withState({ $0.life.phase == .connecting && $0.life.request == nil }) else {
            if let token { loop.deregister(number, token) }
            return turn()
        }
        self.security = security
        let handshake = Handshake(security.cipher, over: descriptor, token, on: loop) { [self] outcome in
            let ended = security.handshake.take()
            switch outcome {
            case .success(let seen):
                if let descriptor = ended?.surrender(), open(descriptor, ended?.token, security, seen, watching) {
                    opened(number)
                }
            case .failure(let failure): withState { $0.life.close(.failed(failure)) }
            }
            turn()
        }
        security.handshake = handshake
        handshake.start(deadline)
    }

    /// Takes over the connection, now secure. False when the socket was closed meanwhile; then it is gone.
    private func open(
        _ descriptor: consuming OwnedDescriptor, _ token: PollToken?, _ security: StreamSecurity,
        _ seen: PollEvents, _ watching: Watching
    ) -> Bool {
        let number = descriptor.number
        var descriptor: OwnedDescriptor? = consume descriptor
        let isAccepted = watching == .later
        let (isWanted, waiter): (Bool, Waiter?) = withState { state in
            guard state.life.open() else { return (false, nil) }
            if let descriptor = descriptor.take() { state.descriptor.adopt(descriptor) }
            state.isWatched = watching == .now
            state.isWatchedWhenUsed = watching == .whenUsed
            state.isRegistered = watching == .now
            state.rare.cipher = security.cipher
            state.write.tellsEnd = true
            state.didOpen()
            // Of what the cipher has read already no event tells.
            state.read.ready(seen.union(.readable))
            if state.rare.hasLateOptions,
                case .failure(let error) = state.shared.values.kernel.changeable.apply(to: number)
            {
                state.outbox.emit(.error(Failure(error), peer))
            }
            let waiter = state.rare.connecting.take()
            if isAccepted { return (true, waiter) }
            state.outbox.emit(.connect)
            // Behind the event: whoever awaits connect() finds its listeners told.
            if let waiter { state.outbox.append(.call { waiter.resume() }) }
            return (true, nil)
        }
        if isWanted, watching == .now, let token {
            adoptRegistration(token)
        } else if let token {
            // Registered again when its first listeners or its handler are in place, so that they miss no event.
            loop.deregister(number, token)
        }
        waiter?.resume()
        return isWanted
    }

    // MARK: Bytes through the cipher

    /// One read.
    @inline(never)
    func receive(
        _ number: Int32, into buffer: UnsafeMutableRawBufferPointer, through cipher: any StreamCipher
    ) -> SystemResult<Int> {
        var isFollowed = false
        let result = cipher.receive(number, into: buffer, isFollowed: &isFollowed)
        // From here on a short read proves nothing.
        if isFollowed { withState { $0.read.readsMayBeShort = true } }
        return result
    }

    /// One write of what is to be sent, and how many bytes behind those have begun to go out.
    @inline(never)
    func sendSpecially(
        _ source: Source, _ size: Int, _ number: Int32
    ) -> (result: SystemResult<Int>, offered: Int, begun: Int) {
        guard let cipher else { return (source.send(number), source.offered(of: size), 0) }
        let result = source.send(number, through: cipher)
        return (result, size, cipher.begunCount)
    }

    /// Why such a socket does not send this; nil when it does.
    @inline(never)
    func refusal(of source: Source, _ size: Int) -> Failure? {
        if let local { return local.refusal(of: source, size) }
        if cipher != nil, case .urgent = source { return .system(.operationNotSupported, .send) }
        return nil
    }

    /// Tells the peer that nothing more will be sent. Returns whether that must wait for room.
    func mustWaitToFinish(_ number: Int32, _ cipher: any StreamCipher) -> Bool {
        guard case .failure(.wouldBlock) = cipher.finishOutput(number) else { return false }
        withState { $0.write.delayShutDown() }
        rearm(.write)
        return true
    }

    /// Why a call failed: the cipher may know more than the system.
    func failure(_ error: SystemError, _ call: SystemCall, sent: Int = 0, remaining: Int = 0) -> Failure {
        cipher?.failure(error, sent: sent, remaining: remaining)
            ?? .system(error, call, sent: sent, remaining: remaining)
    }
}

extension StreamDriver.Source {
    /// Sends it through a cipher, which takes bytes only: the rest has been refused, or is copied before.
    func send(_ number: Int32, through cipher: any StreamCipher) -> SystemResult<Int> {
        switch self {
        case .array(let array), .taken(let array): array.withUnsafeBytes { cipher.send(number, $0) }
        case .borrowed(let bytes): cipher.send(number, bytes)
        case .parts(let parts):
            StreamDriver.Source.join(parts, from: 0).withUnsafeBytes { cipher.send(number, $0) }
        case .urgent, .accompanied, .pipe: .failure(.operationNotSupported)
        }
    }
}

extension StreamState {
    /// Why a call failed: the cipher may know more than the system.
    func failure(_ error: SystemError, _ call: SystemCall, sent: Int = 0, remaining: Int = 0) -> Failure {
        rareIfAny?.cipher?.failure(error, sent: sent, remaining: remaining)
            ?? .system(error, call, sent: sent, remaining: remaining)
    }
}

extension SentFile {
    /// Sends as much of it as the socket takes, through a cipher; and says so, if the file has no such bytes.
    func send(
        _ count: Int, from offset: Int, to number: Int32, through cipher: any StreamCipher
    ) -> (SystemResult<Int>, lack: Failure?) {
        let buffer = Scratch.buffer
        var sent = 0
        while sent < count {
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(count - sent, buffer.count)])
            let there: Int
            switch read(from: offset + sent, into: part) {
            // Shorter than what has begun to go out counts as the end too: nobody could go on with that.
            case .success(let count) where count > 0 && count >= cipher.begunCount: there = count
            case .success: return (.success(sent), .fileCut())
            case .failure(let error): return (.success(sent), .system(error, .read))
            }
            switch cipher.send(number, UnsafeRawBufferPointer(rebasing: part[..<there])) {
            case .success(let taken):
                sent += taken
                if taken < there { return (.success(sent), nil) }
            case .failure(let error): return (sent > 0 ? .success(sent) : .failure(error), nil)
            }
        }
        return (.success(sent), nil)
    }
}
