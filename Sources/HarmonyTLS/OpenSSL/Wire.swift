internal import COpenSSL
internal import SocketCore

/// The kernel's side of a TLS connection, as OpenSSL sees it: a BIO of our own kind, whose reads and writes are the core's
/// recv(2) and send(2). So records go between the kernel and OpenSSL's buffers without a copy, and never raise SIGPIPE.
///
/// Lives behind a pointer, which the BIO has too. Guarded by its connection's lock.
struct Wire {
    /// The number that the call under way was lent.
    private var descriptor: Int32 = -1
    /// What was read before the handshake, from `fedStart` on.
    private var fed: [UInt8] = []
    private var fedStart = 0
    /// The last recv(2) of this call brought less than there was room for, so there was nothing more.
    private(set) var isDrained = false
    /// The call has something to return, and need not ask the kernel for more when that has none.
    var mayStop = false
    /// Why a call failed, when the system refused it; and which.
    private(set) var error: (SystemError, SystemCall)?
    /// The peer has ended its direction of the connection below.
    private(set) var hasEnded = false

    /// A call begins.
    mutating func begin(_ descriptor: Int32) {
        self.descriptor = descriptor
        isDrained = false
        mayStop = false
        error = nil
    }

    /// Puts bytes before what the kernel has.
    mutating func feed(_ bytes: [UInt8]) { fed = bytes }

    /// A BIO over the wire, which must outlive it; nil without memory.
    static func makeBIO(_ wire: UnsafeMutablePointer<Wire>) -> OpaquePointer? {
        guard let method, let bio = BIO_new(method) else { return nil }
        BIO_set_data(bio, wire)
        BIO_set_init(bio, 1)
        return bio
    }

    // Made once. OpenSSL only reads it.
    nonisolated(unsafe) private static let method: OpaquePointer? = {
        guard let method = copenssl_make_bio_method("HarmonySocket") else { return nil }
        BIO_meth_set_read_ex(method) { bio, buffer, count, got in
            guard let wire = Wire.of(bio), let buffer, let got else { return -1 }
            copenssl_clear_retry(bio)
            return wire.pointee.read(bio, UnsafeMutableRawBufferPointer(start: buffer, count: count), &got.pointee)
        }
        BIO_meth_set_write_ex(method) { bio, bytes, count, taken in
            guard let wire = Wire.of(bio), let bytes, let taken else { return -1 }
            copenssl_clear_retry(bio)
            return wire.pointee.write(bio, UnsafeRawBufferPointer(start: bytes, count: count), &taken.pointee)
        }
        BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
        return method
    }()

    private static func of(_ bio: OpaquePointer?) -> UnsafeMutablePointer<Wire>? {
        BIO_get_data(bio)?.assumingMemoryBound(to: Wire.self)
    }

    private mutating func read(
        _ bio: OpaquePointer?, _ buffer: UnsafeMutableRawBufferPointer, _ got: inout Int
    ) -> Int32 {
        if fedStart < fed.count {
            got = min(fed.count - fedStart, buffer.count)
            buffer.copyBytes(from: fed[fedStart..<fedStart + got])
            fedStart += got
            if fedStart == fed.count { fed = [] }
            return 1
        }
        if isDrained, mayStop {
            copenssl_set_retry_read(bio)
            return -1
        }
        switch StreamCalls.receive(descriptor, into: buffer) {
        case .success(0):
            hasEnded = true
            return 0
        case .success(let count):
            isDrained = count < buffer.count
            got = count
            return 1
        case .failure(.wouldBlock): copenssl_set_retry_read(bio)
        case .failure(let error): self.error = (error, .receive)
        }
        return -1
    }

    private mutating func write(_ bio: OpaquePointer?, _ bytes: UnsafeRawBufferPointer, _ taken: inout Int) -> Int32 {
        switch StreamCalls.send(descriptor, bytes) {
        case .success(let count):
            taken = count
            return 1
        case .failure(.wouldBlock): copenssl_set_retry_write(bio)
        case .failure(let error): self.error = (error, .send)
        }
        return -1
    }
}
