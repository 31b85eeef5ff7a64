import HarmonySocket
import Synchronization

/// Keeps what an observer is told of sockets, and has the sockets that are open, to ask them.
final class Ledger: Sendable {
    /// Sockets that are counted together: the connections of a server, or those that this program has made.
    fileprivate struct Group {
        let name: String
        /// The server's number in the reports; nil of connections that this program has made.
        let server: Int?
        var address: NetAddress?
        /// What went through those that are closed.
        var past = Traffic()
        /// How often each kind of thing has happened.
        var counts = [Int](repeating: 0, count: Happening.Kind.allCases.count)
    }

    fileprivate struct Entry {
        let number: Int
        let group: Int
        var peer: NetAddress?
        /// Nil while it connects.
        var opened: ContinuousClock.Instant?
        /// Nil of one that nobody has handed in, such as a request for the page.
        var socket: (any StreamSocket)?
    }

    fileprivate struct State {
        var groups: [Group] = []
        var entries: [Int: Entry] = [:]
        var happenings: [Happening] = []
        var lastHappening = 0
    }

    /// The most of both that a picture has: what is beyond is in its sums only.
    private static let mostSockets = 1000
    private static let mostHappenings = 80

    /// Tells a page that the program was started again, and all numbers begin again.
    private let run = Int.random(in: 0..<1 << 50)
    private let start = ContinuousClock.now
    private let interval: Duration
    private let state = Mutex(State())

    /// `interval`: between two pictures.
    init(interval: Duration) { self.interval = interval }

    /// Counts the connections of a server under a name, which does not listen yet; of nil, those that this program makes.
    func addGroup(_ name: String, of server: TCPSocketServer? = nil) {
        state.withLock { $0.groups.append(Group(name: name, server: server?.reportedAs)) }
    }

    /// Hands in a socket, to be asked until it is closed.
    func add(_ socket: any StreamSocket) {
        guard let number = socket.reportedAs else { return }
        state.withLock { $0.entries[number]?.socket = socket }
    }

    // MARK: Hearing

    /// Takes a report in. Called by the observer: on any loop, and with no lock held.
    func hear(_ report: SocketReport) {
        let now = ContinuousClock.now
        // The end of a socket may be reported too, so it must not come under the lock.
        let before: Entry? = state.withLock { state in
            let before = state.entries[report.socket]
            guard let group = state.group(of: report, before) else { return before }
            switch report.event {
            case .listening: state.groups[group].address = report.localAddress
            case .connecting(let address):
                state.entries[report.socket] = Entry(number: report.socket, group: group, peer: address)
            case .opened:
                state.entries[report.socket] = Entry(
                    number: report.socket, group: group, peer: report.remoteAddress, opened: now, socket: before?.socket
                )
            case .closed(let closing):
                state.entries[report.socket] = nil
                if let statistics = closing.statistics { state.groups[group].past.add(Traffic(statistics)) }
            default: break
            }
            state.lastHappening += 1
            let happening = Happening(
                number: state.lastHappening, time: now - start, group: group, report: report, peer: before?.peer)
            state.happenings.append(happening)
            if state.happenings.count > 2 * Ledger.mostHappenings {
                state.happenings.removeFirst(Ledger.mostHappenings)
            }
            if let kind = happening.kind { state.groups[group].counts[kind.rawValue] += 1 }
            return before
        }
        withExtendedLifetime(before) {}
    }

    // MARK: Showing

    /// Everything at this moment. Each picture is whole, so that who misses some has missed nothing but them.
    func picture() -> JSON {
        let state = state.withLock { $0 }
        let now = ContinuousClock.now
        var traffic = state.groups.map(\.past)
        var open = traffic.map { _ in 0 }
        var sockets: [JSON] = []
        for entry in state.entries.values.sorted(by: { $0.number < $1.number }) {
            // A socket that has closed meanwhile answers too, so nothing is left out, and nothing counts twice.
            let own = entry.socket.map { Traffic($0.statistics) } ?? Traffic()
            traffic[entry.group].add(own)
            open[entry.group] += 1
            if sockets.count == Ledger.mostSockets { continue }
            sockets.append(
                .object([
                    "number": .integer(entry.number),
                    "group": .integer(entry.group),
                    "peer": .string(entry.peer?.description ?? ""),
                    "state": .string(entry.state),
                    "age": entry.opened.map { .seconds(now - $0) } ?? .null,
                    "traffic": own.json,
                ]))
        }
        let groups = state.groups.enumerated().map { index, group in
            JSON.object([
                "name": .string(group.name),
                "address": group.address.map { .string($0.description) } ?? .null,
                "open": .integer(open[index]),
                "traffic": traffic[index].json,
                "counts": .array(group.counts.map(JSON.integer)),
            ])
        }
        return .object([
            "run": .integer(run),
            "time": .seconds(now - start),
            "interval": .seconds(interval),
            "kinds": .array(Happening.Kind.allCases.map { .string($0.name) }),
            "groups": .array(groups),
            "sockets": .array(sockets),
            "happenings": .array(state.happenings.suffix(Ledger.mostHappenings).map(\.json)),
        ])
    }
}

extension Ledger.State {
    /// Whom a report concerns; nil of a server that nobody counts.
    fileprivate func group(of report: SocketReport, _ entry: Ledger.Entry?) -> Int? {
        if let entry { return entry.group }
        switch report.event {
        case .opened(.accepted(let server)): return groups.firstIndex { $0.server == server }
        case .connecting: return groups.firstIndex { $0.server == nil }
        default: return groups.firstIndex { $0.server == report.socket }
        }
    }
}

extension Ledger.Entry {
    /// A word for how it is.
    fileprivate var state: String {
        guard let socket, opened != nil else { return opened == nil ? "connecting" : "open" }
        if socket.state.isClose { return "closing" }
        if socket.needsDrain { return "behind" }
        return socket.canReceive ? "open" : "ending"
    }
}
