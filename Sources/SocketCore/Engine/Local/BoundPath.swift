/// The file that bind(2) made for a local socket.
package struct BoundPath: Sendable, Hashable {
    package let path: [UInt8]
    private let file: PathCalls.File

    /// What is at `path` just after bind(2); nil for an abstract name.
    init?(_ address: SocketAddress) {
        guard let path = address.path, let file = try? PathCalls.find(path).get() else { return nil }
        self.path = path
        self.file = file
    }

    /// Removes the file, unless somebody else's is there by now. The socket is still open: its inode cannot be another's.
    package func remove() {
        guard case .success(let now) = PathCalls.find(path), now.device == file.device, now.inode == file.inode else {
            return
        }
        _ = PathCalls.remove(path)
    }
}

/// What a program wants of the path that a local socket is bound to.
package struct PathOptions: Sendable, Hashable {
    /// Remove a socket file that nobody listens on.
    package var replacesStale: Bool
    /// Permissions; nil leaves them to the process (umask(2)).
    package var mode: UInt32?

    package init(replacesStale: Bool = false, mode: UInt32? = nil) {
        self.replacesStale = replacesStale
        self.mode = mode
    }
}

extension SocketCalls {
    /// Opens a local socket and binds it. `path` is what it then has in the file system, to be removed at its end.
    package static func openLocal(
        _ kind: Kind, _ options: KernelOptions, bindTo address: SocketAddress, _ wishes: PathOptions,
        path: inout BoundPath?
    ) -> Result<OwnedDescriptor, SetupError> {
        if wishes.replacesStale, let error = removeStale(kind, address) { return .failure(error) }
        let descriptor: OwnedDescriptor
        switch open(.local, kind, options) {
        case .success(let opened): descriptor = opened
        case .failure(let error): return .failure(error)
        }
        if let mode = wishes.mode, address.path != nil { PathCalls.setMode(mode, ofUnbound: descriptor.number) }
        if case .failure(let error) = bind(descriptor.number, to: address) {
            return .failure(SetupError(error, .bind))
        }
        path = BoundPath(address)
        // Nobody can connect before listen(2), so nobody slips in between.
        if let mode = wishes.mode, let bound = path, case .failure(let error) = bound.setMode(mode) {
            bound.remove()
            path = nil
            return .failure(SetupError(error, .chmod))
        }
        return .success(descriptor)
    }

    /// Removes a socket file that nobody listens on. Anything else is left where it is, for bind(2) to fail on.
    private static func removeStale(_ kind: Kind, _ address: SocketAddress) -> SetupError? {
        guard let path = address.path, case .success(let file) = PathCalls.find(path), file.isSocket,
            isAbandoned(kind, address)
        else { return nil }
        // The same file still: another server may have had the same thought.
        guard PathCalls.find(path) == .success(file) else { return nil }
        if case .failure(let error) = PathCalls.remove(path), error != .noSuchFile { return SetupError(error, .unlink) }
        return nil
    }

    /// Whether nobody listens at `address`. Asked with a socket of another kind, which whoever does listen refuses
    /// otherwise, and hears nothing of (connect(2), EPROTOTYPE).
    private static func isAbandoned(_ kind: Kind, _ address: SocketAddress) -> Bool {
        switch open(.local, kind == .datagram ? .stream : .datagram) {
        case .success(let probe):
            if case .failure(.connectionRefused) = connect(probe.number, to: address) { true } else { false }
        case .failure: false
        }
    }
}

extension BoundPath {
    fileprivate func setMode(_ mode: UInt32) -> SystemResult<Void> {
        if file.mode == mode { return .success(()) }
        return PathCalls.setMode(mode, of: path)
    }
}

extension SocketAddress {
    /// The path of a local address that has one.
    package var path: [UInt8]? {
        guard let name, name[0] != 0 else { return nil }
        return name
    }
}
