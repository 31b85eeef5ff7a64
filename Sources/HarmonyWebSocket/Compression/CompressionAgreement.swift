/// What client and server have agreed on about compression (RFC 7692, section 7.1).
struct CompressionAgreement: Sendable, Hashable {
    var serverNoContextTakeover = false
    var clientNoContextTakeover = false
    var serverMaxWindowBits = 15
    var clientMaxWindowBits = 15

    private static let name = "permessage-deflate"
    // zlib's deflate has no window of 8 bits.
    private static let usableBits = 9...15

    // MARK: The client

    /// What a client offers.
    static func offer(_ wishes: WebSocketCompression) -> String {
        var text = name
        if wishes.serverNoContextTakeover { text += "; server_no_context_takeover" }
        if wishes.clientNoContextTakeover { text += "; client_no_context_takeover" }
        if let bits = wishes.serverMaxWindowBits { text += "; server_max_window_bits=\(bits)" }
        text += "; client_max_window_bits" + (wishes.clientMaxWindowBits.map { "=\($0)" } ?? "")
        return text
    }

    /// What the server made of the offer; throws what is wrong with an answer that does not fit it.
    static func accepted(
        _ answer: ExtensionParameters, offered wishes: WebSocketCompression
    ) throws(HandshakeProblem) -> CompressionAgreement {
        guard answer.name == name else {
            throw .init("the server chose an extension that was not offered: \(answer.name)")
        }
        guard var agreement = CompressionAgreement(answer, allowsBareWindow: false) else {
            throw .init("the server's parameters of \(name) make no sense")
        }
        if let wish = wishes.serverMaxWindowBits, answer["server_max_window_bits"] != nil,
            agreement.serverMaxWindowBits > wish
        {
            throw .init("the server wants a larger window than it was offered")
        }
        if agreement.clientMaxWindowBits > wishes.clientMaxWindowBits ?? 15, answer["client_max_window_bits"] != nil {
            throw .init("the server wants a larger window of the client than it was offered")
        }
        guard usableBits.contains(agreement.clientMaxWindowBits) else {
            throw .init("the server wants a window of 8 bits, which zlib does not have")
        }
        agreement.clientMaxWindowBits = min(agreement.clientMaxWindowBits, wishes.clientMaxWindowBits ?? 15)
        if wishes.clientNoContextTakeover { agreement.clientNoContextTakeover = true }
        return agreement
    }

    // MARK: The server

    /// The first of a client's offers that the server can accept, with the answer to it; nil when there is none.
    static func choose(
        from offers: [ExtensionParameters], _ wishes: WebSocketCompression
    ) -> (agreement: CompressionAgreement, answer: String)? {
        for offer in offers where offer.name == name {
            guard var agreement = CompressionAgreement(offer, allowsBareWindow: true),
                usableBits.contains(agreement.serverMaxWindowBits)
            else { continue }
            if wishes.serverNoContextTakeover { agreement.serverNoContextTakeover = true }
            if wishes.clientNoContextTakeover { agreement.clientNoContextTakeover = true }
            agreement.serverMaxWindowBits = min(agreement.serverMaxWindowBits, wishes.serverMaxWindowBits ?? 15)
            // Only a client that has offered it may be told how large its window is.
            let mayLimitClient = offer["client_max_window_bits"] != nil
            if mayLimitClient {
                agreement.clientMaxWindowBits = min(agreement.clientMaxWindowBits, wishes.clientMaxWindowBits ?? 15)
            }
            return (agreement, agreement.answer(mayLimitClient: mayLimitClient))
        }
        return nil
    }

    private func answer(mayLimitClient: Bool) -> String {
        var text = CompressionAgreement.name
        if serverNoContextTakeover { text += "; server_no_context_takeover" }
        if clientNoContextTakeover { text += "; client_no_context_takeover" }
        if serverMaxWindowBits < 15 { text += "; server_max_window_bits=\(serverMaxWindowBits)" }
        if mayLimitClient, clientMaxWindowBits < 15 { text += "; client_max_window_bits=\(clientMaxWindowBits)" }
        return text
    }

    // MARK: Parameters

    /// Reads parameters; nil when one is unknown, or given twice, or has a value that it may not have.
    private init?(_ parameters: ExtensionParameters, allowsBareWindow: Bool) {
        var seen: Set<String> = []
        for (name, value) in parameters.parameters {
            guard seen.insert(name).inserted else { return nil }
            switch (name, value) {
            case ("server_no_context_takeover", nil): serverNoContextTakeover = true
            case ("client_no_context_takeover", nil): clientNoContextTakeover = true
            case ("server_max_window_bits", let value?):
                guard let bits = CompressionAgreement.bits(value) else { return nil }
                serverMaxWindowBits = bits
            case ("client_max_window_bits", let value?):
                guard let bits = CompressionAgreement.bits(value) else { return nil }
                clientMaxWindowBits = bits
            case ("client_max_window_bits", nil): guard allowsBareWindow else { return nil }
            default: return nil
            }
        }
    }

    init() {}

    /// 8...15, in decimal without a leading zero.
    private static func bits(_ text: String) -> Int? {
        guard text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), !text.hasPrefix("0"), let bits = Int(text),
            (8...15).contains(bits)
        else { return nil }
        return bits
    }
}
