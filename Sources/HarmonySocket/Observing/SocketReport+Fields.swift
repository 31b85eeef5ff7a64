extension SocketReport {
    /// What happened, as names and values: `event` and `socket` first, then what there is beside. For loggers that want
    /// such. Times are seconds, and their names end in `_s`.
    public var fields: [(name: String, value: String)] {
        var fields = [(name: "event", value: event.name), (name: "socket", value: "\(socket)")]
        func add(_ name: String, _ value: (some CustomStringConvertible)?) {
            if let value { fields.append((name, value.description)) }
        }
        switch event {
        case .connecting(let address): add("to", address)
        case .opened(.connected): add("origin", "connected")
        case .opened(.accepted(let server)):
            add("origin", "accepted")
            add("server", server)
        case .opened(.adopted): add("origin", "adopted")
        case .closed(let closing): add("reason", closing.reason.rawValue)
        default: break
        }
        add("local", localAddress)
        add("remote", remoteAddress)
        switch event {
        case .attemptFailed(let attempt):
            add("error", attempt.error)
            add("duration_s", seconds(attempt.duration))
        case .opened(.connected(let duration)): add("duration_s", seconds(duration))
        case .overload(let info):
            add("connections", info.connectionCount)
            add("limit", info.maxConnections)
            add("refused", info.isRefused)
        case .failed(let error): add("error", error)
        case .closed(let closing):
            add("error", closing.error)
            guard let statistics = closing.statistics else { break }
            add("age_s", statistics.age.map(seconds))
            add("received", statistics.bytesReceived)
            add("sent", statistics.bytesSent)
        default: break
        }
        return fields
    }

    /// To the microsecond: `0.000136`.
    private func seconds(_ duration: Duration) -> String {
        let microseconds = duration / .microseconds(1)
        let (whole, fraction) = Int(microseconds).quotientAndRemainder(dividingBy: 1_000_000)
        return "\(whole)." + String(String(1_000_000 + fraction).dropFirst())
    }
}

extension SocketReport.Event {
    /// `opened`, `attempt-failed`: a word for logs and the names of counters.
    public var name: String {
        switch self {
        case .connecting: "connecting"
        case .attemptFailed: "attempt-failed"
        case .opened: "opened"
        case .listening: "listening"
        case .refused: "refused"
        case .overload: "overload"
        case .failed: "failed"
        case .closed: "closed"
        }
    }
}

extension SocketReport: CustomStringConvertible {
    /// The fields on one line, in the form of logfmt: `event=opened socket=1 origin=adopted ...`.
    public var description: String {
        fields.map { "\($0.name)=\(SocketReport.quoted($0.value))" }.joined(separator: " ")
    }

    private static func quoted(_ value: String) -> String {
        let needsQuotes = value.isEmpty || value.utf8.contains { $0 <= 0x20 || $0 == 0x22 || $0 == 0x3D || $0 == 0x7F }
        guard needsQuotes else { return value }
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"", "\\": text += "\\\(scalar)"
            case "\n": text += "\\n"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F: text += " "
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}
