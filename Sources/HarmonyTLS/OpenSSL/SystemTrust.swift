internal import COpenSSL
internal import SocketCore

/// The certificates that the system trusts. On most systems they are one file, and to read that takes OpenSSL some 20 ms, so
/// it is read once and then shared by all contexts.
enum SystemTrust {
    private static let kept = Lock<Store?>(nil)

    /// Makes a context trust them; false when they cannot be read.
    static func use(in context: OpaquePointer) -> Bool {
        if let store = kept.withLock({ $0 }) {
            SSL_CTX_set1_cert_store(context, store.pointer)
            return true
        }
        guard SSL_CTX_set_default_verify_paths(context) == 1, let read = SSL_CTX_get_cert_store(context) else {
            return false
        }
        // OpenSSL does not say that a file could not be opened. And where there is a folder instead, it reads from that as
        // it goes.
        guard copenssl_count_of_store(read) > 0, X509_STORE_up_ref(read) == 1 else { return true }
        let store = Store(read)
        kept.withLock { $0 = $0 ?? store }
        return true
    }

    /// A reference of its own to a store. OpenSSL's stores have a lock.
    private final class Store: @unchecked Sendable {
        let pointer: OpaquePointer
        init(_ pointer: OpaquePointer) { self.pointer = pointer }
        deinit { X509_STORE_free(pointer) }
    }
}
