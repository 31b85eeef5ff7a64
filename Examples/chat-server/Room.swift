import HarmonySocket
import Synchronization

/// Who is in the room, under which name, and what is said.
final class Room: Sendable {
    private struct Member {
        let client: TCPSocketConnection
        var name: String
    }

    /// As much may wait for a client that reads slowly; then it has to leave.
    private static let patience = 256 * 1024
    private let limit: Int
    private let members = Mutex<[Int: Member]>([:])

    init(limit: Int) { self.limit = limit }

    func enter(_ client: TCPSocketConnection) {
        let name = "guest\(client.clientId)"
        let isFull = members.withLock { members in
            if members.count >= limit { return true }
            members[client.clientId] = Member(client: client, name: name)
            return false
        }
        if isFull {
            client.write("* the room is full\n")
            return client.close { _ in }
        }
        tell("* welcome, \(name): /name NEW, /who, /quit", to: client)
        tellAll("* \(name) joined", except: client)
    }

    func hear(_ line: String, from client: TCPSocketConnection) {
        let words = line.split(separator: " ")
        switch words.first {
        case "/name": rename(client, to: words.dropFirst().joined(separator: " "))
        case "/who": tell("* here: \(names.joined(separator: ", "))", to: client)
        case "/quit": client.close { _ in }
        case nil: break
        case let word? where word.hasPrefix("/"): tell("* there is no \(word); try /name NEW, /who, /quit", to: client)
        default: if let name = name(of: client) { tellAll("\(name): \(line)", except: client) }
        }
    }

    /// The connection is closed, whoever closed it.
    func leave(_ client: TCPSocketConnection) {
        let member = members.withLock { $0.removeValue(forKey: client.clientId) }
        if let member { tellAll("* \(member.name) left") }
    }

    /// Ends a connection at once, dropping what still waits to be sent, and says why.
    func dismiss(_ client: TCPSocketConnection, because reason: String) {
        guard let member = members.withLock({ $0.removeValue(forKey: client.clientId) }) else { return }
        client.reset { _ in }
        tellAll("* \(member.name) \(reason) and had to leave")
    }

    func closeAll() async {
        let all = members.withLock { $0.values.map(\.client) }
        await withDiscardingTaskGroup { tasks in
            for client in all { tasks.addTask { await client.close() } }
        }
    }

    private func rename(_ client: TCPSocketConnection, to name: String) {
        guard (1...20).contains(name.count), name.allSatisfy({ $0.isLetter || $0.isNumber }) else {
            return tell("* a name has 1 to 20 letters and digits", to: client)
        }
        let before: String? = members.withLock { members in
            if members.values.contains(where: { $0.name == name }) { return nil }
            defer { members[client.clientId]?.name = name }
            return members[client.clientId]?.name
        }
        guard let before else { return tell("* somebody has that name", to: client) }
        tellAll("* \(before) is now \(name)")
    }

    private func tellAll(_ line: String, except speaker: TCPSocketConnection? = nil) {
        // Sent outside of the lock: nothing waits for anybody.
        let others = members.withLock { $0.values.filter { $0.client !== speaker } }
        for other in others { tell(line, to: other.client) }
    }

    private func tell(_ line: String, to client: TCPSocketConnection) {
        // Whatever the kernel does not take waits in memory.
        if client.bufferedAmount > Room.patience { return dismiss(client, because: "did not read") }
        client.write(line + "\n")
    }

    private var names: [String] { members.withLock { $0.values.map(\.name).sorted() } }

    private func name(of client: TCPSocketConnection) -> String? {
        members.withLock { $0[client.clientId]?.name }
    }
}
