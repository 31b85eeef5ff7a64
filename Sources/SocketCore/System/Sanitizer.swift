internal import CSocketShims

/// What the thread sanitizer must be told, in builds that have it.
enum Sanitizer {
    /// Runs `body` unseen: for what the Swift runtime orders in ways that the sanitizer does not know.
    @inline(__always)
    static func ignoring(_ body: () -> Void) {
        guard csocket_thread_sanitizer != 0 else { return body() }
        csocket_sanitizer_ignore_begin()
        body()
        csocket_sanitizer_ignore_end()
    }
}
