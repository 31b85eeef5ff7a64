import COpenSSL
import Guidance
import HarmonySocket

@testable import HarmonyTLS
@testable import SocketCore

extension Target {
    /// What a client may send to our server, from the first byte to the last.
    static let tlsServer = Target(name: "tls-server") { input in
        play(&input, .server)
    } seeds: {
        recordSeeds(of: .server)
    }

    /// What a server may send to our client.
    static let tlsClient = Target(name: "tls-client") { input in
        play(&input, .client)
    } seeds: {
        recordSeeds(of: .client)
    }
}

private func play(_ input: inout Input, _ role: TLSContext.Role) {
    let peer = Peers.all[input.choice(below: Peers.all.count)]
    let isFed = input.flag()
    let ends = input.flag()
    let cuts = input.cuts()
    func run(_ cuts: Cuts, isFed: Bool) -> Progress {
        guidance_restart_random_numbers()
        let end = End(peer.connection(role), role)
        end.take([], isFed: false)
        for (index, range) in cuts.ranges(of: input.bytes.count).enumerated() {
            end.take(Array(input.bytes[range]), isFed: isFed && index == 0)
            // As the engine does: who has failed is not asked again.
            if end.isOver { break }
        }
        if ends, !end.isOver { end.takeEnd() }
        end.finish()
        return end.progress
    }
    let whole = run(.none, isFed: false)
    let other = run(cuts, isFed: isFed)
    require(whole == other, "the outcome does not depend on the cuts: \(whole), \(other)")
}

/// Sessions as they are kept.
func recordSessions() -> [[UInt8]] { Peers.all.compactMap { $0.makeSession()?.data } }

/// Records what honest peers send to one another.
private func recordSeeds(of role: TLSContext.Role) -> [[UInt8]] {
    Peers.all.indices.flatMap { index -> [[UInt8]] in
        let peers = Peers.all[index]
        guidance_restart_random_numbers()
        let server = End(peers.connection(.server), .server)
        let client = End(peers.connection(.client), .client)
        var sent: [UInt8] = []
        func turn(_ from: End, _ to: End, _ isRecorded: Bool) {
            let bytes = from.output()
            if isRecorded { sent += bytes }
            to.take(bytes, isFed: false)
        }
        client.take([], isFed: false)
        for round in 0..<8 {
            turn(client, server, role == .server)
            turn(server, client, role == .client)
            if round == 3 { (role == .server ? client : server).say(Array("hello".utf8)) }
            if round == 5 { (role == .server ? client : server).finish() }
        }
        require(client.progress.isEstablished, "honest peers agree: \(client.progress)")
        require(server.progress.isEstablished, "honest peers agree: \(server.progress)")
        let index = UInt8(index)
        return [Input.make(sent, index, 0, 1, 0), Input.make(sent, index, 1, 0, 2, 100, 4)]
    }
}

/// A client and a server that get along.
private struct Peers {
    private let client: TLSContext
    private let host: TLSHost
    private let session: TLSSession?
    private let server: TLSContext
    private let authentication: TLSClientAuthentication

    static let all: [Peers] = {
        guidance_repeat_random_numbers()
        let identity = TLSSecureOptions(cert: [Identities.serverCertificate], key: Identities.serverKey)
        let trusting = TLSSecureOptions(ca: [Identities.authority])
        var peers: [Peers] = []
        func add(
            _ client: TLSSecureOptions, _ server: TLSSecureOptions, alpn: [String] = [], isValidated: Bool = true,
            resuming session: TLSSession? = nil
        ) {
            guidance_restart_random_numbers()
            do {
                peers.append(try Peers(client, server, alpn: alpn, isValidated: isValidated, session))
            } catch {
                fatalError("no contexts: \(error)")
            }
        }
        add(trusting, identity)
        var older = (client: trusting, server: identity)
        older.client.maxVersion = .tls12
        older.server.maxVersion = .tls12
        add(older.client, older.server, alpn: ["h2", "http/1.1"], isValidated: false)
        var mutual = (client: trusting, server: identity)
        mutual.client.cert = [Identities.clientCertificate]
        mutual.client.key = Identities.clientKey
        mutual.client.pins = TLSCertificate(pem: Identities.serverCertificate)?.pin.map { [$0] } ?? []
        mutual.server.ca = [Identities.authority]
        mutual.server.clientAuthentication = .required
        mutual.server.identities = [TLSIdentity(cert: identity.cert, key: Identities.serverKey)]
        add(mutual.client, mutual.server, alpn: ["chat"])
        mutual.server.clientAuthentication = .optional
        mutual.client.maxVersion = .tls12
        add(mutual.client, mutual.server)
        // With TLS 1.2, whose sessions do not change with the time.
        add(older.client, older.server, resuming: peers[1].makeSession())
        return peers
    }()

    private init(
        _ client: TLSSecureOptions, _ server: TLSSecureOptions, alpn: [String], isValidated: Bool,
        _ session: TLSSession?
    ) throws(Failure) {
        let options = TLSConnectOptions(
            address: NetAddress("localhost", port: 443), secureOptions: client, alpnProtocols: alpn,
            skipRemoteValidation: !isValidated)
        self.client = try TLSContext(options, .client)
        host = try TLSHost(options)
        self.session = session
        self.server = try TLSContext(
            TLSConnectOptions(address: .any, secureOptions: server, alpnProtocols: alpn), .server)
        authentication = server.clientAuthentication
    }

    func connection(_ role: TLSContext.Role) -> TLSConnection {
        do {
            return switch role {
            case .client: try TLSConnection(client, to: host, resuming: session)
            case .server: try TLSConnection(server, authentication)
            }
        } catch {
            fatalError("no connection: \(error)")
        }
    }

    fileprivate func makeSession() -> TLSSession? {
        let (client, server) = (End(connection(.client), .client), End(connection(.server), .server))
        client.take([], isFed: false)
        for _ in 0..<4 {
            server.take(client.output(), isFed: false)
            client.take(server.output(), isFed: false)
        }
        return client.session
    }
}

/// What came of a connection.
private struct Progress: Equatable {
    var isEstablished = false
    var received: [UInt8] = []
    var hasEnded = false
    var failure: Failure?
}

/// One end of a connection of ours over a pair of sockets; who plays the peer has the other socket.
private final class End {
    private let connection: TLSConnection
    private let side: CInt
    private let ours: OwnedDescriptor
    private let theirs: OwnedDescriptor
    private(set) var progress = Progress()

    init(_ connection: TLSConnection, _ role: TLSContext.Role) {
        self.connection = connection
        side = role == .client ? 0 : 1
        guard case .success(let pair) = LocalCalls.pair(.stream) else { fatalError("no pair of sockets") }
        ours = OwnedDescriptor(adopting: pair.0)
        theirs = OwnedDescriptor(adopting: pair.1)
        connection.read { ssl in
            SSL_set_msg_callback(ssl) { isOutput, version, kind, bytes, count, _, _ in
                // Which messages came, in which order, is what tells inputs apart.
                guard isOutput == 0, let bytes, count > 0 else { return }
                let first = kind == SSL3_RT_HEADER ? 0 : bytes.load(as: UInt8.self)
                guidance_reached(UInt32(truncatingIfNeeded: Int(version) << 16 | Int(kind & 0xff) << 8 | Int(first)))
            }
        }
    }

    var isOver: Bool { progress.failure != nil || progress.hasEnded }

    var session: TLSSession? { connection.session }

    /// The peer sends something.
    func take(_ bytes: [UInt8], isFed: Bool) {
        if isFed {
            connection.feed(bytes)
        } else if !bytes.isEmpty {
            let result = bytes.withUnsafeBytes { StreamCalls.send(theirs.number, $0) }
            guard case .success(bytes.count) = result else { fatalError("no room in a pair of sockets: \(result)") }
        }
        goOn()
    }

    /// The peer sends nothing more.
    func takeEnd() {
        _ = SocketCalls.finishOutput(theirs.number)
        goOn()
        require(isOver, "the end of the input is noticed")
    }

    /// What we have sent to the peer.
    func output() -> [UInt8] {
        var output: [UInt8] = []
        while case .success(let count) = StreamCalls.receive(theirs.number, into: Scratch.buffer), count > 0 {
            output += Scratch.buffer[..<count]
        }
        return output
    }

    func say(_ bytes: [UInt8]) {
        guidance_use_random_numbers_of(side)
        _ = bytes.withUnsafeBytes { connection.send(ours.number, $0) }
    }

    func finish() {
        guidance_use_random_numbers_of(side)
        _ = connection.finishOutput(ours.number)
        _ = connection.finishOutput(ours.number)
    }

    private func goOn() {
        guidance_use_random_numbers_of(side)
        defer { noteState() }
        if !progress.isEstablished { shakeHands() }
        if progress.isEstablished, !isOver { receive() }
    }

    private func shakeHands() {
        switch connection.handshake(ours.number) {
        case .done:
            progress.isEstablished = true
            require(!connection.read { SSL_in_init($0) != 0 }, "a handshake that is done is done")
        case .wait(let direction):
            // Whoever waits for an event of input must have taken what there was: of that no event tells.
            require(direction == .read, "a pair of sockets has room")
            require(isDrained, "who waits for input has taken what there was")
        case .ask: fatalError("broken promise: nobody asked to be asked")
        case .failed(let failure): progress.failure = failure
        }
    }

    private func receive() {
        // Of an odd size, so that records end within it and beyond it.
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 777, alignment: 1)
        defer { buffer.deallocate() }
        while true {
            let before = progress.received.count
            var isFollowed = false
            switch connection.receive(ours.number, into: buffer, isFollowed: &isFollowed) {
            case .success(0):
                progress.hasEnded = true
                return
            case .success(let count):
                require(count <= buffer.count, "a read stays within its buffer")
                progress.received += buffer[..<count]
                say(Array(buffer[..<count]))
                _ = output()
                if count == buffer.count || isFollowed { continue }
                require(isDrained, "a short read says that there is nothing more")
                if case .success = connection.peek(ours.number) { fatalError("broken promise: after a short read") }
                return
            case .failure(.wouldBlock):
                require(isDrained, "who waits for input has taken what there was")
                return
            case .failure(let error):
                require(progress.received.count == before, "an error brings no bytes")
                progress.failure = connection.failure(error, sent: 0, remaining: 0) ?? .system(error, .receive)
                return
            }
        }
    }

    /// Nothing that has come is unread.
    private var isDrained: Bool {
        switch StreamCalls.peek(ours.number) {
        case .failure(.wouldBlock), .success(0): true
        default: false
        }
    }

    /// How far OpenSSL came, and what it says.
    private func noteState() {
        let state = connection.read { SSL_get_state($0).rawValue }
        guidance_reached(1 << 28 | UInt32(truncatingIfNeeded: state))
        if let failure = progress.failure {
            var hash: UInt32 = 0
            for byte in "\(failure)".utf8 { hash = hash &* 31 &+ UInt32(byte) }
            guidance_reached(hash)
        }
    }
}
