import Testing

@testable import HarmonyWebSocket

@Suite struct CompressionAgreementTests {
    /// What a server makes of an offer: its answer, nil when it declines.
    @Test(
        arguments: [
            ("permessage-deflate", "permessage-deflate"),
            ("permessage-deflate; client_max_window_bits", "permessage-deflate"),
            ("permessage-deflate; client_max_window_bits=10", "permessage-deflate; client_max_window_bits=10"),
            ("permessage-deflate; client_max_window_bits=\"10\"", "permessage-deflate; client_max_window_bits=10"),
            ("permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=9"),
            ("permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover"),
            ("permessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover"),
            ("PerMessage-Deflate;Server_No_Context_Takeover", "permessage-deflate; server_no_context_takeover"),
            ("x-other, permessage-deflate", "permessage-deflate"),
            (", ,permessage-deflate , ", "permessage-deflate"),
            ("permessage-deflate; unknown, permessage-deflate", "permessage-deflate"),
            (
                "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=10",
                "permessage-deflate; server_max_window_bits=10"
            ),
            ("permessage-deflate; server_max_window_bits=16", nil),
            ("permessage-deflate; server_max_window_bits=7", nil),
            ("permessage-deflate; server_max_window_bits=010", nil),
            ("permessage-deflate; server_max_window_bits=+9", nil),
            ("permessage-deflate; server_max_window_bits", nil),
            ("permessage-deflate; server_no_context_takeover=1", nil),
            ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", nil),
            ("x-webkit-deflate-frame", nil),
            ("", nil),
        ] as [(String, String?)])
    func choose_ofAnOffer_answersOrDeclines(_ offer: String, _ answer: String?) throws {
        let offers = try #require(ExtensionParameters.parse(offer))
        #expect(CompressionAgreement.choose(from: offers, WebSocketCompression())?.answer == answer)
    }

    @Test func choose_withWishesOfTheServer_tellsThem() throws {
        let wishes = WebSocketCompression(
            serverNoContextTakeover: true, clientNoContextTakeover: true, serverMaxWindowBits: 11,
            clientMaxWindowBits: 12)
        let all = try #require(ExtensionParameters.parse("permessage-deflate; client_max_window_bits"))
        #expect(
            CompressionAgreement.choose(from: all, wishes)?.answer
                == "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
                + "server_max_window_bits=11; client_max_window_bits=12")
        // A client that did not offer it cannot be told how large its window is.
        let some = try #require(ExtensionParameters.parse("permessage-deflate; server_max_window_bits=10"))
        let chosen = try #require(CompressionAgreement.choose(from: some, wishes))
        #expect(chosen.agreement.clientMaxWindowBits == 15)
        #expect(chosen.agreement.serverMaxWindowBits == 10)
    }

    @Test(arguments: [
        "permessage-deflate;", "permessage-deflate; =1", "permessage-deflate; a=", "permessage-deflate; a=\"",
        "permessage-deflate; a=\"b c\"", "permessage-deflate; a=\"\"", "a b", "\"permessage-deflate\"", "a;b=c d",
        "a; b=\"c\"d", "a;b=\"\\\"",
    ])
    func parse_ofWhatFollowsNoGrammar_isNil(_ text: String) {
        #expect(ExtensionParameters.parse(text) == nil)
    }

    /// What a client makes of an answer to its offer of a server window of 12 and a client window of 11 bits.
    @Test(arguments: [
        ("permessage-deflate", true), ("permessage-deflate; server_max_window_bits=12", true),
        ("permessage-deflate; server_max_window_bits=9", true), ("permessage-deflate; client_max_window_bits=11", true),
        ("permessage-deflate; client_max_window_bits=9", true),
        ("permessage-deflate; server_no_context_takeover", true),
        ("permessage-deflate; client_no_context_takeover", true),
        ("permessage-deflate; server_max_window_bits=13", false),
        ("permessage-deflate; client_max_window_bits=12", false),
        ("permessage-deflate; client_max_window_bits", false), ("permessage-deflate; client_max_window_bits=8", false),
        ("permessage-deflate; unknown", false), ("permessage-deflate; server_max_window_bits=99", false),
        ("x-other", false), ("permessage-deflate; server_no_context_takeover=true", false),
    ])
    func accepted_ofAnAnswer_holdsItAgainstTheOffer(_ answer: String, _ isGood: Bool) throws {
        let wishes = WebSocketCompression(serverMaxWindowBits: 12, clientMaxWindowBits: 11)
        let parameters = try #require(ExtensionParameters.parse(answer)?.first)
        let agreement = try? CompressionAgreement.accepted(parameters, offered: wishes)
        #expect((agreement != nil) == isGood)
        if let agreement { #expect(agreement.clientMaxWindowBits <= 11) }
    }

    @Test func offer_ofWishes_namesThem() {
        #expect(CompressionAgreement.offer(WebSocketCompression()) == "permessage-deflate; client_max_window_bits")
        let wishes = WebSocketCompression(
            serverNoContextTakeover: true, clientNoContextTakeover: true, serverMaxWindowBits: 10,
            clientMaxWindowBits: 9)
        #expect(
            CompressionAgreement.offer(wishes)
                == "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
                + "server_max_window_bits=10; client_max_window_bits=9")
    }
}
