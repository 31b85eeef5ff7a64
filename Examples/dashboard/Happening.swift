import HarmonySocket

/// What has gone through sockets.
struct Traffic {
    private var received = 0
    private var sent = 0
    private var messagesReceived = 0
    private var messagesSent = 0
    private var queued = 0
    private var longestQueue = 0

    /// Nothing yet.
    init() {}

    /// That of one socket.
    init(_ statistics: SocketStatistics) {
        received = statistics.bytesReceived
        sent = statistics.bytesSent
        messagesReceived = statistics.messagesReceived
        messagesSent = statistics.messagesSent
        queued = statistics.bytesQueued
        longestQueue = statistics.bytesQueued
    }

    mutating func add(_ other: Traffic) {
        received += other.received
        sent += other.sent
        messagesReceived += other.messagesReceived
        messagesSent += other.messagesSent
        queued += other.queued
        longestQueue = max(longestQueue, other.longestQueue)
    }

    var json: JSON {
        .object([
            "received": .integer(received), "sent": .integer(sent), "messagesReceived": .integer(messagesReceived),
            "messagesSent": .integer(messagesSent), "queued": .integer(queued), "longestQueue": .integer(longestQueue),
        ])
    }
}

/// Something that happened to a socket, with the time since the program's start.
struct Happening {
    /// What is counted, and shown over time.
    enum Kind: Int, CaseIterable {
        case opened
        case endedByPeer
        case endedHere
        case cutOff
        case failed
        case refused

        var name: String {
            switch self {
            case .opened: "opened"
            case .endedByPeer: "ended by peer"
            case .endedHere: "ended here"
            case .cutOff: "cut off"
            case .failed: "failed"
            case .refused: "refused"
            }
        }
    }

    let number: Int
    let time: Duration
    let group: Int
    let report: SocketReport
    /// The peer, where the report does not say it.
    let peer: NetAddress?

    var kind: Kind? {
        switch report.event {
        case .opened: .opened
        case .refused: .refused
        case .failed: .failed
        case .closed(let closing):
            switch closing.reason {
            case .peer: .endedByPeer
            case .local, .detached: .endedHere
            case .reset: .cutOff
            case .failed: .failed
            }
        default: nil
        }
    }

    var json: JSON {
        var (seconds, traffic, error) = (Duration?.none, Traffic?.none, String?.none)
        switch report.event {
        case .opened(.connected(let time)): seconds = time
        case .attemptFailed(let attempt): error = attempt.error.description
        case .failed(let failure): error = failure.description
        case .closed(let closing):
            error = closing.error?.description
            seconds = closing.statistics?.age
            traffic = closing.statistics.map(Traffic.init)
        default: break
        }
        return .object([
            "number": .integer(number),
            "time": .seconds(time),
            "event": .string(kind?.name ?? report.event.name),
            "kind": kind.map { .integer($0.rawValue) } ?? .null,
            "group": .integer(group),
            "socket": .integer(report.socket),
            "peer": (report.remoteAddress ?? peer).map { .string($0.description) } ?? .null,
            "seconds": seconds.map(JSON.seconds) ?? .null,
            "traffic": traffic?.json ?? .null,
            "error": error.map(JSON.string) ?? .null,
        ])
    }
}
