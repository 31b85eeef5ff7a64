import HarmonySocket

/// What a caller asks for: on the wire `METHOD ARGUMENT`.
struct Request {
    enum Method: String, CaseIterable { case echo, who, open }

    let method: Method
    let argument: String

    /// How long a request and an answer may be.
    static let maxLength = 4096

    init(method: Method, argument: String) { (self.method, self.argument) = (method, argument) }

    /// Nil for what is no request.
    init?(_ message: SocketMessageInfo) {
        let words = message.text?.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false) ?? []
        guard words.count == 2, let method = Method(rawValue: String(words[0])) else { return nil }
        self.init(method: method, argument: String(words[1]))
    }

    var text: String { "\(method.rawValue) \(argument)" }
}
