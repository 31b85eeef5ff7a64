import CSocketShims
import SocketCore
import Testing

/// A nonblocking socket without an engine around it: the peer of a test, or what a poller is shown.
///
/// Calls that must wait do so with poll(2), at most `generous`.
final class RawSocket: Sendable {
    let number: Int32
    private let owned: Lock<OwnedDescriptor?>

    init(_ descriptor: consuming OwnedDescriptor) {
        number = descriptor.number
        owned = Lock(descriptor)
    }

    // MARK: Making

    /// A listener on loopback, at a port of the system's choice.
    static func listener(_ family: SocketAddress.Family = .v4, backlog: Int = 128) throws -> RawSocket {
        let socket = try open(family)
        try SocketCalls.bind(socket.number, to: .loopback(family)).get()
        try SocketCalls.listen(socket.number, backlog: backlog).get()
        return socket
    }

    /// A socket without an address.
    static func open(_ family: SocketAddress.Family, _ kind: SocketCalls.Kind = .stream) throws -> RawSocket {
        switch SocketCalls.open(family, kind) {
        case .success(let descriptor): return RawSocket(descriptor)
        case .failure(let error): throw error
        }
    }

    /// A socket that is connected to `address`.
    static func connected(to address: SocketAddress) throws -> RawSocket {
        let socket = try open(address.family ?? .v4)
        switch SocketCalls.connect(socket.number, to: address) {
        case .success, .failure(.inProgress): break
        case .failure(let error): throw error
        }
        try socket.wait(for: .writable)
        if let error = try OptionCalls.takeError(socket.number).get() { throw error }
        return socket
    }

    /// The next connection of this listener.
    func accept() throws -> RawSocket { RawSocket(try acceptDescriptor()) }

    /// The same, without anything around it.
    func acceptDescriptor() throws -> OwnedDescriptor {
        try wait(for: .readable)
        var peer = SocketAddress(v4: 0)
        switch SocketCalls.accept(number, from: &peer) {
        case .success(let descriptor): return descriptor
        case .failure(let error): throw error
        }
    }

    // MARK: Using

    /// One nonblocking call on the descriptor, which nobody closes meanwhile; fails when it is closed already, and
    /// never meets a stranger's socket at its number.
    private func call<Value>(_ body: (Int32) -> SystemResult<Value>) -> SystemResult<Value> {
        owned.withLock { $0 == nil ? .failure(.badDescriptor) : body(number) }
    }

    var address: SocketAddress {
        get throws { try call(SocketCalls.localAddress).get() }
    }

    /// Sends all of it, waiting for room where needed.
    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let result = bytes.withUnsafeBytes { bytes in
                call { StreamCalls.send($0, UnsafeRawBufferPointer(rebasing: bytes[sent...])) }
            }
            if case .failure(.wouldBlock) = result { try wait(for: .writable) } else { sent += try result.get() }
        }
    }

    /// Sends until the kernel takes no more; returns how much it took.
    func fill() throws -> Int {
        let bytes = [UInt8](repeating: 7, count: 65_536)
        var sent = 0
        while true {
            switch bytes.withUnsafeBytes({ bytes in call { StreamCalls.send($0, bytes) } }) {
            case .success(let count): sent += count
            case .failure(.wouldBlock): return sent
            case .failure(let error): throw error
            }
        }
    }

    /// What one call brings; empty at the end of input.
    func receive(upTo limit: Int = 65_536) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: limit)
        while true {
            switch buffer.withUnsafeMutableBytes({ buffer in call { StreamCalls.receive($0, into: buffer) } }) {
            case .success(let count): return Array(buffer[..<count])
            case .failure(.wouldBlock): try wait(for: .readable)
            case .failure(let error): throw error
            }
        }
    }

    /// Everything that is there now, without waiting.
    func drain() throws -> Int {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var total = 0
        while true {
            switch buffer.withUnsafeMutableBytes({ buffer in call { StreamCalls.receive($0, into: buffer) } }) {
            case .success(0), .failure(.wouldBlock): return total
            case .success(let count): total += count
            case .failure(let error): throw error
            }
        }
    }

    /// Everything until the peer ends its direction.
    func receiveAll() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let next = try receive()
            if next.isEmpty { return bytes }
            bytes += next
        }
    }

    /// Waits until the kernel reports one of `events`, an end or an error.
    func wait(for events: PollEvents) throws {
        var entry = csocket_poll_entry(descriptor: number, events: UInt32(events.rawValue), revents: 0)
        guard csocket_poll(&entry, 1, generous.saturatedNanoseconds) > 0 else {
            throw WaitTimedOut(what: "\(events) of descriptor \(number)")
        }
        // A call follows, and says so if the descriptor was closed meanwhile.
    }

    // MARK: Ending

    /// Ends our direction.
    func finish() throws { try call(SocketCalls.finishOutput).get() }

    /// Closes with RST.
    func reset() {
        _ = call(OptionCalls.makeCloseAbortive)
        close()
    }

    func close() { owned.withLock { $0 = nil } }

    /// Gives the descriptor to somebody else.
    func takeDescriptor() throws -> OwnedDescriptor {
        guard let descriptor = owned.withLock({ $0.take() }) else { throw SystemError.badDescriptor }
        return descriptor
    }
}

/// Two connected stream sockets on loopback.
struct RawPair: Sendable {
    let near: RawSocket
    let far: RawSocket

    init(_ family: SocketAddress.Family = .v4) throws {
        let listener = try RawSocket.listener(family)
        far = try RawSocket.connected(to: listener.address)
        near = try listener.accept()
        listener.close()
    }

    func close() {
        near.close()
        far.close()
    }
}

extension SocketAddress {
    /// 127.0.0.1 or ::1.
    static func loopback(_ family: Family, port: UInt16 = 0) -> SocketAddress {
        family == .v4 ? SocketAddress(v4: 0x7f00_0001, port: port) : SocketAddress(v6: 0, 1, port: port)
    }
}

/// The descriptors of this process. Suites run side by side, so a count of all would mean nothing; but the descriptors
/// of one test can be told by the port that it uses.
enum OpenSockets {
    /// How many descriptors are open whose own or whose peer's port is one of `ports`.
    static func count(touching ports: Set<UInt16>) -> Int {
        count { local, peer in ports.contains(local) || peer.map(ports.contains) ?? false }
    }

    /// How many descriptors are open of connections between two of these ports. A port alone may be another test's by now.
    static func count(between pairs: Set<Set<UInt16>>) -> Int {
        count { local, peer in peer.map { pairs.contains([local, $0]) } ?? false }
    }

    private static func count(where isIncluded: (_ local: UInt16, _ peer: UInt16?) -> Bool) -> Int {
        (Int32(0)..<4096).count { number in
            guard let local = try? SocketCalls.localAddress(number).get() else { return false }
            return isIncluded(local.port, try? SocketCalls.peerAddress(number).get().port)
        }
    }
}
