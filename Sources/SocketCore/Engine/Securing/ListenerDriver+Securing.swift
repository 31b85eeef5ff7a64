// Accepted connections that become secure before anybody gets them.
extension ListenerDriver {
    /// What makes the connections secure that are accepted from now on. Set before it listens, and replaced at any time.
    package func setSecurity(_ security: any CipherSource) {
        let before = state.withLock { state in
            defer { state.security = security }
            return state.security
        }
        withExtendedLifetime(before) {}
    }

    package var security: (any CipherSource)? { state.withLock { $0.security } }

    /// How many handshakes may be under way at a time; further peers wait in the backlog.
    package var handshakeLimit: Int {
        get { state.withLock { $0.handshakeLimit } }
        set {
            state.withLock { $0.handshakeLimit = newValue }
            requestTurn()
        }
    }

    /// Begins the handshake of a connection. Several run side by side, so that a peer that stalls keeps nobody waiting.
    /// `note` puts it on the list of connections, and returns whether it comes too late; it is given nil when there is none.
    func secure(
        _ descriptor: consuming OwnedDescriptor, _ peer: SocketAddress, _ settings: StreamSettings.Shared,
        _ security: any CipherSource, _ note: (StreamDriver?) -> Bool
    ) {
        let cipher: any StreamCipher
        do throws(Failure) {
            cipher = try security.makeCipher()
        } catch {
            _ = note(nil)
            return report(error, peer)
        }
        let connection = StreamDriver(group: group, peer: peer, settings: settings, listener: self) {
            [self] connection, failure in handshakeEnded(connection, failure)
        }
        if let observed { connection.tellAccepted(by: observed.number, descriptor.number) }
        let isWanted = state.withLock { $0.beginHandshake(of: connection) }
        let isLate = note(connection)
        connection.beginSecuring(descriptor, through: cipher, .after(security.timeout))
        if isLate || !isWanted { connection.end(.reset) }
    }

    private func handshakeEnded(_ connection: StreamDriver, _ failure: Failure?) {
        let (isWanted, wasWanted) = state.withLock { state in
            let wasWanted = state.handshakes[ObjectIdentifier(connection)] != nil
            return (state.endHandshake(of: connection, isSecure: failure == nil), wasWanted)
        }
        if let failure {
            if wasWanted { report(failure, connection.peer) }
        } else if !isWanted {
            connection.end(.reset)
        }
        requestTurn()
    }
}
