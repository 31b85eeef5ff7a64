import HarmonySocket
import Testing

/// Another implementation of WebSocket, as small programs: a server that echoes, and a client that sends messages of all
/// kinds and checks what comes back.
enum PeerProgram: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case python = "Python websockets"
    case node = "node ws"

    var testDescription: String { rawValue }

    /// Those that are installed.
    static let available = allCases.filter { $0.interpreter != nil }

    /// The interpreter that has the library; nil when none has.
    private var interpreter: String? {
        switch self {
        case .python: PeerProgram.pythonWithLibrary
        case .node: PeerProgram.nodeWithLibrary
        }
    }

    private static let pythonWithLibrary = ["python3", "/usr/bin/python3"].first {
        runs($0, ["-c", "import websockets"])
    }
    private static let nodeWithLibrary = ["node", "nodejs"].first { runs($0, ["-e", requireWS]) }

    private static func runs(_ program: String, _ arguments: [String]) -> Bool {
        guard let process = try? ChildProcess(program, arguments) else { return false }
        process.closeInput()
        return (try? process.waitForEnd()) == 0
    }

    /// Debian's libraries are not where other installations of node look for them.
    private static let requireWS =
        "let ws; try { ws = require('ws') } catch { ws = require('/usr/share/nodejs/ws') };"

    private func start(_ script: String, _ arguments: [String]) throws -> ChildProcess {
        try ChildProcess(try #require(interpreter), [self == .python ? "-c" : "-e", script] + arguments)
    }

    /// A server that echoes; it says its port.
    func startServer(isCompressing: Bool) throws -> (process: ChildProcess, port: Int) {
        let process = try start(
            self == .python ? PeerProgram.pythonServer : PeerProgram.nodeServer, [isCompressing ? "yes" : "no"])
        return (process, try #require(Int(try process.readLine())))
    }

    /// A client that talks to a server that echoes; it says "ok" at the end.
    func startClient(_ url: String, isCompressing: Bool) throws -> ChildProcess {
        try start(
            self == .python ? PeerProgram.pythonClient : PeerProgram.nodeClient, [url, isCompressing ? "yes" : "no"])
    }

    private static let pythonServer = """
        import asyncio, sys, websockets
        compression = "deflate" if sys.argv[1] == "yes" else None
        async def echo(socket, path=None):
            async for message in socket:
                await socket.send(message)
        async def main():
            server = await websockets.serve(echo, "127.0.0.1", 0, compression=compression, max_size=None)
            print(list(server.sockets)[0].getsockname()[1], flush=True)
            await asyncio.Future()
        asyncio.run(main())
        """

    private static let pythonClient = """
        import asyncio, os, sys, websockets
        compression = "deflate" if sys.argv[2] == "yes" else None
        async def main():
            async with websockets.connect(sys.argv[1], compression=compression, max_size=None) as socket:
                assert bool(socket.extensions) == (compression is not None), socket.extensions
                for size in [0, 1, 125, 126, 65535, 65536, 300000]:
                    for message in ["x\\u00e4" * size, os.urandom(size), bytes(size)]:
                        await socket.send(message)
                        assert await socket.recv() == message, size
                await socket.send(["frag", "men", "ts"])
                assert await socket.recv() == "fragments"
                await (await socket.ping(b"beat"))
                await socket.close(4001, "done")
                assert (socket.close_code, socket.close_reason) == (4001, ""), socket.close_code
            print("ok", flush=True)
        asyncio.run(main())
        """

    private static let nodeServer =
        requireWS + """
            const server = new ws.Server({
                host: '127.0.0.1', port: 0, perMessageDeflate: process.argv[1] === 'yes' ? { threshold: 0 } : false,
            }, () => console.log(server.address().port));
            server.on('connection', socket => {
                socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
            });
            """

    private static let nodeClient =
        requireWS + """
            const crypto = require('crypto');
            const isCompressing = process.argv[2] === 'yes';
            const messages = ['', 'hello', 'ä'.repeat(30000), crypto.randomBytes(126), crypto.randomBytes(70000),
                Buffer.alloc(500000), 'again '.repeat(10000)];
            const socket = new ws(process.argv[1], { perMessageDeflate: isCompressing ? { threshold: 0 } : false });
            const fail = why => { console.log('failed: ' + why); process.exit(1) };
            let next = 0;
            const send = () => next < messages.length ? socket.send(messages[next]) : socket.ping('beat');
            socket.on('open', () => {
                if (Boolean(socket.extensions) !== isCompressing) fail('extensions ' + socket.extensions);
                send();
            });
            socket.on('message', (data, isBinary) => {
                const sent = messages[next++];
                if (isBinary !== Buffer.isBuffer(sent) || !Buffer.from(sent).equals(data)) fail('message ' + next);
                send();
            });
            socket.on('pong', data => String(data) === 'beat' ? socket.close(4001, 'done') : fail('pong'));
            socket.on('error', error => fail(error));
            socket.on('close', code => { console.log(code === 4001 ? 'ok' : 'failed: ' + code) });
            """
}
