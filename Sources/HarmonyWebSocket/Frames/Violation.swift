/// What a peer did that the protocol, or a limit of ours, does not allow, and the close code that says so.
struct Violation: Error, Sendable, Hashable {
    let code: WebSocketCloseCode
    let problem: String

    static func protocolError(_ problem: String) -> Violation { Violation(code: .protocolError, problem: problem) }
    static func invalidText(_ problem: String) -> Violation {
        Violation(code: .invalidFramePayloadData, problem: problem)
    }
    static func tooBig(_ problem: String) -> Violation { Violation(code: .messageTooBig, problem: problem) }
    static func policy(_ problem: String) -> Violation { Violation(code: .policyViolation, problem: problem) }
}
