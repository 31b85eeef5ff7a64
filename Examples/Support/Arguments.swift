/// The command line of an example: `--option VALUE` or `--option=VALUE`, flags, and words such as HOST and PORT.
///
/// The options are those that the help text names. `--help` prints it; anything unknown, missing or given twice ends the
/// program with one line on standard error and status 2, as does a value that cannot be.
public struct Arguments {
    private var values: [String: String] = [:]

    /// Reads the command line. `words` are the names of the words that must be there, `flags` the options without a value.
    public init(words: [String] = [], flags: Set<String> = [], help: String) {
        let options = Set(help.split { !$0.isLetter && $0 != "-" }.filter { $0.hasPrefix("--") })
        var rest = CommandLine.arguments.dropFirst()
        if rest.contains("--help") {
            say(help)
            leave(status: 0)
        }
        var missing = words[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("--") else {
                guard let word = missing.popFirst() else { Arguments.refuse("\"\(argument)\" is one word too many") }
                values[word] = argument
                continue
            }
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard options.contains(parts[0]) else { Arguments.refuse("there is no option \(name)") }
            guard values[name] == nil else { Arguments.refuse("\(name) is given twice") }
            if flags.contains(name), parts.count == 1 {
                values[name] = ""
                continue
            }
            guard !flags.contains(name) else { Arguments.refuse("\(name) takes no value") }
            guard let value = parts.count == 2 ? String(parts[1]) : rest.popFirst(), !value.hasPrefix("--") else {
                Arguments.refuse("\(name) needs a value")
            }
            values[name] = value
        }
        if let word = missing.first { Arguments.refuse("\(word) is missing") }
    }

    /// The text of an option or word.
    public func text(_ name: String, default preset: String = "") -> String { values[name] ?? preset }

    /// Whether an option is there.
    public func has(_ name: String) -> Bool { values[name] != nil }

    /// A whole number within `range`.
    public func number(_ name: String, in range: ClosedRange<Int>, default preset: Int = 0) -> Int {
        guard let value = values[name] else { return preset }
        guard let number = Int(value), range.contains(number) else {
            let limits = "\(range.lowerBound) and \(range.upperBound)"
            Arguments.refuse("\(name): \"\(value)\" is not a number between \(limits)")
        }
        return number
    }

    /// A time in seconds, up to a day, with or without a fraction.
    public func seconds(_ name: String, default preset: Double) -> Duration {
        guard let value = values[name] else { return .seconds(preset) }
        guard let seconds = Double(value), (0...86_400).contains(seconds) else {
            Arguments.refuse("\(name): \"\(value)\" is not a number of seconds between 0 and 86400")
        }
        return .seconds(seconds)
    }

    /// One of the cases of an enumeration, by name.
    public func choice<Choice>(_ name: String, default preset: Choice) -> Choice
    where Choice: CaseIterable & RawRepresentable<String> {
        guard let value = values[name] else { return preset }
        guard let choice = Choice(rawValue: value) else {
            let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            Arguments.refuse("\(name): \"\(value)\" is none of \(names)")
        }
        return choice
    }

    /// Whether `yes` was given, and not `no`.
    public func isYes(_ name: String, default preset: Bool = false) -> Bool {
        switch values[name] {
        case "yes": return true
        case "no": return false
        case nil: return preset
        case let value?: Arguments.refuse("\(name): \"\(value)\" is neither yes nor no")
        }
    }

    private static func refuse(_ problem: String) -> Never { fail("\(problem); --help says more", status: 2) }
}
