import HarmonySocket
import Testing

@Suite struct FramingErrorTests {
    @Test(
        arguments: [
            (.tooLong(limit: 9), .messageTooLong, 2_301_090, nil, "the message is longer than 9 bytes"),
            (
                .incomplete(count: 4), .incomplete, 2_301_061, nil,
                "the peer ended within a message, of which 4 bytes had come"
            ),
            (.malformed("no comma"), .malformed, 2_301_074, nil, "what came is no message: no comma"),
            (.inexpressible("it has a line feed"), .invalidArgument, 401, "message", "message: it has a line feed"),
        ] as [(FramingError, SocketError.Kind, Int, String?, String)])
    func aSocketSaysTheSame(
        _ error: FramingError, _ kind: SocketError.Kind, _ code: Int, _ field: String?, _ message: String
    ) {
        #expect(error.description == message)
        let socketError = SocketError(error, .receive, "127.0.0.1:7")
        #expect(socketError.kind == kind)
        #expect(socketError.code == code)
        #expect(socketError.field == field)
        #expect(socketError.systemError == nil)
        #expect(socketError.description == "receive from 127.0.0.1:7: \(message)")
    }
}
