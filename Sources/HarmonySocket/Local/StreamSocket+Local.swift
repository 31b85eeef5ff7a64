internal import SocketCore

/// Who is at the other end of a local connection, as far as the kernel vouches for it.
public struct LocalPeerCredentials: Sendable, Hashable, Codable {
    /// The user, effective when the peer connected, listened or made the pair.
    public let uid: Int
    /// The group, likewise.
    public let gid: Int
    /// The process; nil where the system does not tell, or for one that this process cannot see. It may have ended since,
    /// and its number may be another's.
    public let pid: Int?
}

extension StreamSocket where Self: LocalDomainSocket {
    /// Whether bytes or messages are sent.
    public var type: LocalSocketType { stream.driver.local?.keepsBounds == true ? .seqpacket : .stream }

    /// The peer's address: nil before connect and after close, `.unnamed` for a client that did not bind.
    public var remoteAddress: LocalAddress? { stream.driver.peerAddress.map(LocalAddress.init) }

    /// The peer's address.
    ///
    /// - Throws: `.closed` after close; `.notConnected` before connect.
    public func getRemoteAddress() async throws(SocketError) -> LocalAddress {
        LocalAddress(try kernel.findPeerAddress())
    }

    /// The peer's address; the handler is called in the socket's order of events.
    public func getRemoteAddress(completion: @escaping @Sendable (Result<LocalAddress, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in LocalAddress(try kernel.findPeerAddress()) }
        stream.driver.complete { completion(result) }
    }

    // MARK: Credentials

    /// Who the peer is, as the kernel noted when the connection was made (unix(7), `SO_PEERCRED`).
    ///
    /// ```swift
    /// let peer = try await LocalSocket.pair().0.getPeerCredentials()
    /// print("user \(peer.uid)")
    /// ```
    ///
    /// - Throws: `.notConnected` before connect; `.closed` after close.
    public func getPeerCredentials() async throws(SocketError) -> LocalPeerCredentials { try readCredentials() }

    /// Who the peer is; the handler is called in the socket's order of events.
    public func getPeerCredentials(
        completion: @escaping @Sendable (Result<LocalPeerCredentials, SocketError>) -> Void
    ) {
        let result = Result { () throws(SocketError) in try readCredentials() }
        stream.driver.complete { completion(result) }
    }

    private func readCredentials() throws(SocketError) -> LocalPeerCredentials {
        _ = try kernel.findPeerAddress()
        do throws(Failure) {
            let found = try stream.driver.withOpenDescriptor(.getOption) { LocalCalls.credentials($0) }
            return LocalPeerCredentials(
                uid: Int(found.user), gid: Int(found.group), pid: found.process > 0 ? Int(found.process) : nil)
        } catch {
            throw stream.error(error, .getCredentials)
        }
    }

    // MARK: Sending descriptors

    /// Sends bytes, and with them open descriptors: files, pipes, sockets (unix(7), `SCM_RIGHTS`).
    ///
    /// The peer gets descriptors of its own for the same open files. Yours stay yours: the call duplicates them before it
    /// returns or waits, so you may close them at any time after it was called. They travel with the first of the bytes.
    ///
    /// ```swift
    /// let (ours, _) = try LocalSocket.pair()
    /// try await ours.send("here is my output", descriptors: [1])
    /// ```
    ///
    /// - Throws: As `send`; `.invalidArgument` for no bytes at all (`bytes`), since descriptors cannot travel alone, and
    ///   for more than 253 descriptors, or one that is not open (`descriptors`); `.tooManyOpenFiles`, also
    ///   while more descriptors are under way than the process may have open (`ETOOMANYREFS`). Such a send fails alone.
    ///
    /// ## Cancellation
    /// As `send`: what had not begun to go out is removed, with its descriptors.
    public func send(
        _ bytes: [UInt8], descriptors: [Int], timeout: Duration? = nil
    ) async throws(SocketError) {
        try await stream.end(stream.driver.beginSend(try accompanied(bytes, descriptors)), timeout)
    }

    /// Sends text, as UTF-8, and with it open descriptors.
    public func send(_ text: String, descriptors: [Int], timeout: Duration? = nil) async throws(SocketError) {
        try await send(Array(text.utf8), descriptors: descriptors, timeout: timeout)
    }

    /// Sends bytes and descriptors; as the async form.
    public func send(
        _ bytes: [UInt8], descriptors: [Int], timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        do throws(SocketError) {
            let source = try accompanied(bytes, descriptors)
            stream.driver.send(source, timeout: timeout, StreamHandle.sendCompletion(completion))
        } catch {
            stream.driver.complete { completion(.failure(error)) }
        }
    }

    private func accompanied(_ bytes: [UInt8], _ descriptors: [Int]) throws(SocketError) -> StreamDriver.Source {
        do throws(Failure) {
            if descriptors.isEmpty { return .array(bytes) }
            if bytes.isEmpty {
                throw .invalidArgument(.init("bytes", "there are none for the descriptors to travel with"))
            }
            let most = LocalCalls.mostDescriptors
            if descriptors.count > most {
                throw .invalidArgument(.init("descriptors", "there are \(descriptors.count), \(most) are the most"))
            }
            switch PassedDescriptors.duplicating(descriptors.map { Int32(exactly: $0) ?? -1 }) {
            case .success(let passed): return .accompanied(bytes, passed)
            case .failure(.badDescriptor): throw .invalidArgument(.init("descriptors", "one of them is not open"))
            case .failure(let error): throw .system(error, .fcntl)
            }
        } catch {
            throw stream.error(error, .send)
        }
    }

    // MARK: Receiving descriptors

    /// How many descriptors may wait to be taken; 0 by default, and then the kernel closes those that come.
    ///
    /// With any other limit the socket keeps those that come with what it reads, close-on-exec, in their order, until
    /// `takeDescriptor()` takes them. When a message is handed out, its descriptors are there already, and maybe those of
    /// later ones. Those for which there is no room are closed, and `error` tells (`.descriptorsLost`); the bytes are not
    /// lost. Set it before anything is read, for instance first of all in a `connect` listener.
    ///
    /// A peer can send what it likes: take only as many as your protocol says, and look at what you got (fstat(2))
    /// before you use it.
    public var descriptorLimit: Int {
        get { stream.driver.local?.descriptorLimit ?? 0 }
        set { stream.driver.local?.descriptorLimit = max(0, newValue) }
    }

    /// How many descriptors wait to be taken.
    public var descriptorCount: Int { stream.driver.local?.descriptorCount ?? 0 }

    /// The next descriptor that came, in the order in which they were sent; nil when none waits.
    ///
    /// It is the caller's from here on, who closes it. Those that nobody takes are closed with the socket object.
    ///
    /// ```swift
    /// let (ours, theirs) = try LocalSocket.pair()
    /// theirs.descriptorLimit = 1
    /// try await ours.send("my input", descriptors: [0])
    /// _ = try await theirs.receive()
    /// if let descriptor = theirs.takeDescriptor() { print("got \(descriptor)") }
    /// ```
    public func takeDescriptor() -> Int? { stream.driver.local?.takeDescriptor().map(Int.init) }
}
