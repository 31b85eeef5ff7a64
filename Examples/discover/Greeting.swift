/// What the copies say to each other: one line of text, `discover/1 hello ID NAME` or `discover/1 bye ID NAME`.
struct Greeting: Hashable, Sendable {
    /// Tells copies apart, whatever they are called and wherever they are.
    let identifier: UInt64
    let name: String

    /// One of our own; nil for a name that cannot be.
    init?(name: String) {
        guard Greeting.isName(name) else { return nil }
        identifier = .random(in: 0 ... .max)
        self.name = name
    }

    /// Reads what somebody says; nil for anything but a greeting. `isBye`: he goes.
    init?(_ text: String, isBye: inout Bool) {
        let words = text.split(separator: " ", maxSplits: 3)
        guard words.count == 4, words[0] == "discover/1", words[1] == "hello" || words[1] == "bye",
            let identifier = UInt64(words[2], radix: 16), Greeting.isName(String(words[3]))
        else { return nil }
        self.identifier = identifier
        name = String(words[3])
        isBye = words[1] == "bye"
    }

    func text(isBye: Bool) -> String {
        "discover/1 \(isBye ? "bye" : "hello") \(String(identifier, radix: 16)) \(name)"
    }

    /// What others send is shown on a terminal: no control characters, and not too much.
    private static func isName(_ text: String) -> Bool {
        (1...32).contains(text.count) && text.utf8.count <= 128
            && text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    }
}
