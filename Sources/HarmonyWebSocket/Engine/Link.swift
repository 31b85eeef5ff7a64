internal import HarmonySocket
internal import SocketCore

/// One connection of a WebSocket, from the handshake to its end. Touched on the loop only.
final class Link: @unchecked Sendable {
    // Sendable: see above.
    // Keeps the socket; what is called is its driver.
    let stream: any StreamSocket
    let driver: StreamDriver
    let isServer: Bool
    let closeTimeout: Duration

    @exclusivity(unchecked) var reader: MessageReader
    @exclusivity(unchecked) var closing: ClosingMachine
    @exclusivity(unchecked) var heartbeat: HeartbeatMachine?
    /// When a close frame of the peer, or its end, has been waited for long enough.
    @exclusivity(unchecked) var closeDeadline = Instant.never

    let deflater: Deflater?
    let compression: WebSocketCompression?
    let agreement: CompressionAgreement?

    /// What was read and is not used up, because nobody took the messages before it: at most what one read brings.
    var pending: [UInt8] = []
    var pendingStart = 0
    /// The stream has ended behind that.
    var hasStreamEnded = false

    /// The answer to the last ping, which waits for room in the send queue.
    var latePong: [UInt8]?
    /// A message is sent in fragments, and not finished.
    @exclusivity(unchecked) var isSendingFragments = false
    /// What waits for the end of that message.
    var heldBack: [@Sendable () -> Void] = []

    /// How a connection is used that was agreed on.
    struct Terms {
        var isServer: Bool
        var limits: WebSocketLimits
        var closeTimeout: Duration
        var pingInterval: Duration?
        var pongTimeout: Duration
        var compression: WebSocketCompression?
        var agreement: CompressionAgreement?
    }

    init(_ stream: any StreamSocket, _ terms: Terms) {
        self.stream = stream
        driver = stream.stream.driver
        isServer = terms.isServer
        closeTimeout = terms.closeTimeout
        closing = ClosingMachine(isServer: terms.isServer)
        compression = terms.compression
        agreement = terms.agreement
        var inflater: Inflater?
        if let agreement = terms.agreement, let compression = terms.compression {
            let ours = (
                bits: terms.isServer ? agreement.serverMaxWindowBits : agreement.clientMaxWindowBits,
                keeps: !(terms.isServer ? agreement.serverNoContextTakeover : agreement.clientNoContextTakeover)
            )
            let theirs = (
                bits: terms.isServer ? agreement.clientMaxWindowBits : agreement.serverMaxWindowBits,
                keeps: !(terms.isServer ? agreement.clientNoContextTakeover : agreement.serverNoContextTakeover)
            )
            inflater = Inflater(windowBits: theirs.bits, keepsContext: theirs.keeps)
            deflater = Deflater(
                windowBits: ours.bits, keepsContext: ours.keeps, level: compression.level,
                memoryLevel: compression.memoryLevel)
        } else {
            deflater = nil
        }
        reader = MessageReader(expectsMask: terms.isServer, limits: terms.limits, inflater: inflater)
        if let interval = terms.pingInterval {
            heartbeat = HeartbeatMachine(interval: interval, timeout: terms.pongTimeout, now: .now)
        }
    }

    /// A header with a mask, if we are the client: one that nobody can foresee (RFC 6455, section 10.3).
    func header(_ opcode: Opcode, isFinal: Bool = true, isCompressed: Bool = false, length: Int) -> FrameHeader {
        FrameHeader(
            opcode: opcode, isFinal: isFinal, isCompressed: isCompressed, length: length,
            mask: isServer ? nil : RandomCalls.next())
    }
}
