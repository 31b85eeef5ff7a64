import Testing

@testable import HarmonyWebSocket

/// What a peer sends to an endpoint that echoes messages, and what has to come back: the behaviours that the published list
/// of the Autobahn test suite looks at.
struct ConformanceCase: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Each is sent on its own.
    let frames: [Frame]
    /// What comes back, before any close frame.
    let answers: [RawPeer.Frame]
    /// The code with which the endpoint closes; nil when it has to go on, and close when it is asked to.
    let closeCode: Int?
    /// The close frame of the peer, when it is not the usual one.
    let isClosing: Bool

    /// A frame that may be wrong.
    struct Frame: Sendable {
        var opcode: UInt8
        var payload: [UInt8] = []
        var isFinal = true
        var reserved: UInt8 = 0

        func bytes(isMasked: Bool) -> [UInt8] {
            Frames.make(opcode, payload, isFinal: isFinal, reserved: reserved, mask: isMasked ? [9, 250, 3, 77] : nil)
        }

        static func text(_ text: String) -> Frame { Frame(opcode: 1, payload: Array(text.utf8)) }
        static func text(_ bytes: [UInt8]) -> Frame { Frame(opcode: 1, payload: bytes) }
        static func binary(_ bytes: [UInt8]) -> Frame { Frame(opcode: 2, payload: bytes) }
        static func ping(_ text: String = "") -> Frame { Frame(opcode: 9, payload: Array(text.utf8)) }
        static func pong(_ text: String = "") -> Frame { Frame(opcode: 10, payload: Array(text.utf8)) }
        static func begin(_ text: String) -> Frame { begin(Array(text.utf8)) }
        static func begin(_ bytes: [UInt8]) -> Frame { Frame(opcode: 1, payload: bytes, isFinal: false) }
        static func more(_ text: String) -> Frame { more(Array(text.utf8)) }
        static func more(_ bytes: [UInt8]) -> Frame { Frame(opcode: 0, payload: bytes, isFinal: false) }
        static func end(_ text: String) -> Frame { end(Array(text.utf8)) }
        static func end(_ bytes: [UInt8]) -> Frame { Frame(opcode: 0, payload: bytes) }
        static func close(_ code: Int, _ reason: [UInt8] = []) -> Frame {
            Frame(opcode: 8, payload: [UInt8(code >> 8), UInt8(code & 255)] + reason)
        }
    }

    /// The endpoint goes on, and answers so.
    static func good(_ name: String, _ frames: [Frame], _ answers: [RawPeer.Frame]) -> ConformanceCase {
        ConformanceCase(testDescription: name, frames: frames, answers: answers, closeCode: nil, isClosing: false)
    }

    /// The endpoint closes with this code, after these answers.
    static func bad(
        _ name: String, _ frames: [Frame], _ code: Int, after answers: [RawPeer.Frame] = []
    ) -> ConformanceCase {
        ConformanceCase(testDescription: name, frames: frames, answers: answers, closeCode: code, isClosing: false)
    }

    /// The peer closes, and is answered with this code; nil: without any.
    static func closing(
        _ name: String, _ frames: [Frame], _ code: Int?, after answers: [RawPeer.Frame] = []
    ) -> ConformanceCase {
        ConformanceCase(testDescription: name, frames: frames, answers: answers, closeCode: code, isClosing: true)
    }
}

extension RawPeer.Frame {
    static func binary(_ bytes: [UInt8]) -> Self { Self(first: 0x82, payload: bytes) }
    static func pong(_ text: String) -> Self { Self(first: 0x8A, payload: Array(text.utf8)) }
}

private func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) } }
private func stars(_ count: Int) -> String { String(repeating: "*", count: count) }

extension ConformanceCase {
    static let framing: [ConformanceCase] =
        [0, 125, 126, 127, 128, 65_535, 65_536].flatMap { size in
            [
                good("a text of \(size) bytes is echoed", [.text(stars(size))], [.text(stars(size))]),
                good("a binary message of \(size) bytes is echoed", [.binary(bytes(size))], [.binary(bytes(size))]),
            ]
        }

    static let pings: [ConformanceCase] = [
        good("a ping without payload is answered with an empty pong", [.ping()], [.pong("")]),
        good("a ping with a payload is answered with it", [.ping("hello")], [.pong("hello")]),
        good(
            "a ping with bytes that are not UTF-8 is answered with them",
            [Frame(opcode: 9, payload: [0, 255, 254, 253])],
            [.init(first: 0x8A, payload: [0, 255, 254, 253])]),
        good("a ping of 125 bytes is answered", [.ping(stars(125))], [.pong(stars(125))]),
        bad("a ping of 126 bytes is a protocol error", [.ping(stars(126))], 1002),
        good("a pong that nobody asked for is passed over", [.pong()], []),
        good("a pong with a payload that nobody asked for is passed over", [.pong("x")], []),
        good("a ping behind a pong that nobody asked for is answered", [.pong("x"), .ping("y")], [.pong("y")]),
        good("ten pings are answered in order", (0..<10).map { .ping("\($0)") }, (0..<10).map { .pong("\($0)") }),
    ]

    static let reservedBits: [ConformanceCase] = (1...7).flatMap { bits -> [ConformanceCase] in
        let bits = UInt8(bits)
        return [
            bad(
                "reserved bits \(bits) in a text are a protocol error",
                [Frame(opcode: 1, payload: [0x61], reserved: bits)], 1002),
            bad(
                "reserved bits \(bits) behind a good message are a protocol error",
                [.text("a"), Frame(opcode: 1, payload: [0x61], reserved: bits), .ping()], 1002, after: [.text("a")]),
            bad(
                "reserved bits \(bits) in a ping are a protocol error",
                [Frame(opcode: 9, payload: [0x61], reserved: bits)], 1002),
            bad(
                "reserved bits \(bits) in a close frame are a protocol error",
                [Frame(opcode: 8, payload: [0x03, 0xE8], reserved: bits)], 1002),
        ]
    }

    static let opcodes: [ConformanceCase] = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap { opcode -> [ConformanceCase] in
        [
            bad("opcode \(opcode) is a protocol error", [Frame(opcode: opcode)], 1002),
            bad(
                "opcode \(opcode) with a payload is a protocol error",
                [Frame(opcode: opcode, payload: Array("reserved".utf8))], 1002),
            bad(
                "opcode \(opcode) behind a good message is a protocol error",
                [.text("a"), Frame(opcode: opcode, payload: [0x61]), .ping()], 1002, after: [.text("a")]),
        ]
    }

    static let fragmentation: [ConformanceCase] = [
        bad("a ping in two fragments is a protocol error", [Frame(opcode: 9, isFinal: false), .end("x")], 1002),
        bad("a pong in two fragments is a protocol error", [Frame(opcode: 10, isFinal: false), .end("x")], 1002),
        good(
            "a text in two fragments is one message", [.begin("fragment1"), .end("fragment2")],
            [.text("fragment1fragment2")]),
        good(
            "a ping between fragments is answered before the message", [.begin("one"), .ping("p"), .end("two")],
            [.pong("p"), .text("onetwo")]),
        good(
            "several pings between fragments are answered",
            [.begin("a"), .ping("1"), .more("b"), .ping("2"), .more("c"), .ping("3"), .end("d")],
            [.pong("1"), .pong("2"), .pong("3"), .text("abcd")]),
        bad(
            "a continuation of nothing is a protocol error",
            [Frame(opcode: 0, payload: [0x61], isFinal: false), .text("b")], 1002),
        bad("a last continuation of nothing is a protocol error", [.end("a"), .text("b")], 1002),
        bad(
            "a continuation behind a whole message is a protocol error", [.text("a"), .more("b"), .end("c")], 1002,
            after: [.text("a")]),
        bad("a text within a fragmented text is a protocol error", [.begin("a"), .text("b")], 1002),
        bad("a fragmented text within another is a protocol error", [.begin("a"), .begin("b"), .end("c")], 1002),
        good(
            "two fragmented messages in a row are two", [.begin("a"), .end("b"), .begin("c"), .end("d")],
            [.text("ab"), .text("cd")]),
        good("a fragmented message of empty fragments is empty", [.begin(""), .more(""), .end("")], [.text("")]),
        good(
            "an empty fragment before the text counts nothing", [.begin(""), .more("middle"), .end("")],
            [.text("middle")]),
        good(
            "a message of 500 fragments is one message",
            [.begin("x")] + [Frame](repeating: .more("y"), count: 498) + [.end("z")],
            [.text("x" + String(repeating: "y", count: 498) + "z")]),
    ]

    // "κόσμε" and others, and what is wrong.
    private static let greek = "Hello-µ@ßöäüàá-UTF-8!!"
    static let text: [ConformanceCase] =
        [
            good("text in UTF-8 is echoed", [.text(greek)], [.text(greek)]),
            good(
                "text that is split within characters is echoed",
                greek.utf8.enumerated().map { index, byte in
                    Frame(opcode: index == 0 ? 1 : 0, payload: [byte], isFinal: index == greek.utf8.count - 1)
                }, [.text(greek)]),
            bad(
                "text that is not UTF-8 in a later fragment is an error",
                [.begin("κόσμε"), .more([0xF4, 0x90, 0x80, 0x80]), .end("edited")], 1007),
            bad(
                "text is refused at the byte that is wrong",
                [.begin([0xCE, 0xBA, 0xE1, 0xBD, 0xB9, 0xCF, 0x83, 0xFF])], 1007),
        ]
        + ([
            [0xCE], [0xCE, 0xBA, 0xE1], [0xE1, 0xBD], [0x80], [0xBF], [0x80, 0xBF, 0x80], [0xC0, 0xAF],
            [0xE0, 0x80, 0xAF],
            [0xF0, 0x80, 0x80, 0xAF], [0xF8, 0x80, 0x80, 0x80, 0xAF], [0xFC, 0x80, 0x80, 0x80, 0x80, 0xAF],
            [0xC1, 0xBF],
            [0xE0, 0x9F, 0xBF], [0xF0, 0x8F, 0xBF, 0xBF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xED, 0xAD, 0xBF],
            [0xED, 0xAE, 0x80], [0xED, 0xBF, 0xBF], [0xED, 0xA0, 0x80, 0xED, 0xB0, 0x80], [0xF4, 0x90, 0x80, 0x80],
            [0xF5, 0x80, 0x80, 0x80], [0xF7, 0xBF, 0xBF, 0xBF], [0xFE], [0xFF], [0xFE, 0xFE, 0xFF, 0xFF],
            [0xC3, 0x28], [0xE2, 0x28, 0xA1], [0xF0, 0x28, 0x8C, 0xBC],
        ] as [[UInt8]]).map { bytes in
            bad("the text \(bytes) is an error", [.text([0x61] + bytes)], 1007)
        }
        + ([
            [0x00], [0x7F], [0xC2, 0x80], [0xDF, 0xBF], [0xE0, 0xA0, 0x80], [0xED, 0x9F, 0xBF], [0xEE, 0x80, 0x80],
            [0xEF, 0xBF, 0xBD], [0xEF, 0xBF, 0xBE], [0xEF, 0xBF, 0xBF], [0xF0, 0x90, 0x80, 0x80],
            [0xF0, 0x9F, 0xBF, 0xBF],
            [0xF4, 0x8F, 0xBF, 0xBF],
        ] as [[UInt8]]).map { bytes in
            good("the text \(bytes) is echoed", [.text(bytes)], [.init(first: 0x81, payload: bytes)])
        }

    static let closing: [ConformanceCase] =
        [
            closing(
                "a message before a close frame is echoed", [.text("hello"), .close(1000)], 1000,
                after: [.text("hello")]),
            closing("a second close frame is passed over", [.close(1000), .close(1001)], 1000),
            closing("a ping behind a close frame is not answered", [.close(1000), .ping()], 1000),
            closing("a text behind a close frame is not echoed", [.close(1000), .text("late")], 1000),
            closing(
                "the rest of a message behind a close frame is passed over", [.begin("a"), .close(1000), .end("b")],
                1000),
            closing("an empty close frame is answered with one", [Frame(opcode: 8)], nil),
            bad("a close frame of one byte is a protocol error", [Frame(opcode: 8, payload: [3])], 1002),
            closing("a close frame with a reason is answered with its code", [.close(1000, Array("hello".utf8))], 1000),
            closing("a close frame of 125 bytes is answered", [.close(1000, Array(stars(123).utf8))], 1000),
            bad("a close frame of 126 bytes is a protocol error", [.close(1000, Array(stars(124).utf8))], 1002),
            bad("a reason that is not UTF-8 is an error", [.close(1000, [0xCE, 0xBA, 0xED, 0xA0, 0x80])], 1007),
        ]
        + [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999].map { code in
            closing("the close code \(code) is answered with itself", [.close(code)], code)
        }
        + [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map { code in
            bad("the close code \(code) is a protocol error", [.close(code)], 1002)
        }
}
