import Testing

@testable import HarmonyWebSocket

@Suite struct HTTPHeadTests {
    private static func parse(_ text: String) -> Result<HTTPHead, HandshakeProblem> {
        Result { () throws(HandshakeProblem) in try HTTPHead.parse(Array(text.utf8)) }
    }

    @Test func parse_ofAHead_hasItsFields() throws {
        let head = try HTTPHeadTests.parse(
            "GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-Space: \t b c \t\r\nX-Empty: 2\r\n\r\n"
        ).get()
        #expect(head.startLine == "GET / HTTP/1.1")
        #expect(head.headers["host"] == "a")
        #expect(head.headers["X-SPACE"] == "b c")
        #expect(head.headers.values("x-empty") == ["", "2"])
        #expect(head.headers["other"] == nil)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\n\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\tb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "GET / HTTP/1.1\r\nHost\r\n\r\n", "GET / HTTP/1.1\r\n: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHo st: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\u{7F}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\u{1}\r\n\r\n", "GET / HTTP/1.1\r\nHöst: a\r\n\r\n", "\r\n\r\n", "",
        "GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\nmore",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nSec-WebSocket-Key: a\r\nSec-WebSocket-Key: b\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
    ])
    func parse_ofWhatCanBeReadInTwoWays_fails(_ text: String) {
        #expect(throws: HandshakeProblem.self) { try HTTPHeadTests.parse(text).get() }
    }

    @Test func parse_ofTooManyFields_fails() {
        let fields = String(repeating: "A: b\r\n", count: 101)
        #expect(HTTPHeadTests.parse("GET / HTTP/1.1\r\n\(fields)\r\n").status == 431)
    }
}

extension Result where Failure == HandshakeProblem {
    /// The status of the answer to what was refused.
    var status: Int? { if case .failure(let problem) = self { problem.status } else { nil } }
}
