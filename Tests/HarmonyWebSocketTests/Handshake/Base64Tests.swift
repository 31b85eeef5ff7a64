import Testing

@testable import HarmonyWebSocket

@Suite struct Base64Tests {
    /// RFC 4648, section 10.
    @Test func encode_ofTheVectors_isRight() {
        let vectors = [
            "": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==", "fooba": "Zm9vYmE=",
            "foobar": "Zm9vYmFy",
        ]
        for (text, encoded) in vectors {
            #expect(Base64.encode(Array(text.utf8)) == encoded)
            #expect(Base64.decodedCount(encoded) == text.utf8.count)
        }
        #expect(Base64.encode([0xFB, 0xFF, 0xFE]) == "+//+")
    }

    @Test(arguments: ["Zg=", "Zg", "Z===", "Zm9v=", "Zh==", "Zm9=", "Z g=", "Zg==\n", "====", "Zm-v"])
    func decodedCount_ofSomethingElse_isNil(_ text: String) {
        #expect(Base64.decodedCount(text) == nil)
    }
}
