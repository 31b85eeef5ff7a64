internal import SocketCore

/// How far a file is on its way.
public struct TransferProgress: Sendable, Hashable {
    /// Bytes that the kernel has taken.
    public let sent: Int
    /// Bytes in all.
    public let total: Int

    init(_ progress: SentFile.Progress) {
        sent = progress.sent
        total = progress.total
    }

    /// The part that is sent, from 0 to 1; 1 for nothing at all.
    public var fraction: Double { total == 0 ? 1 : Double(sent) / Double(total) }
}
