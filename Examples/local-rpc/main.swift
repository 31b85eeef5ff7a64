import ExampleSupport
import HarmonySocket

enum Role: String, CaseIterable { case serve, call }

let arguments = Arguments(
    words: ["ROLE", "SOCKET"],
    help: """
        local-rpc serve SOCKET: answers requests of programs on this machine.
        local-rpc call SOCKET:  makes one request, and prints the answer.

          --method NAME     call: echo, who or open (echo)
          --argument TEXT   call: what to echo, or the name of the file to open ("")
          --folder PATH     serve: where the files are that may be opened (.)
          --user NUMBER     serve: who may call, beside nobody else (the user who starts it)

        SOCKET is a path or, on Linux, @ and a name that is in no file system. A request is a name and a text, an answer a
        text, each behind four bytes with its length. What `open` answers is an open file and not its contents: the caller
        reads it itself, also one that it could not have opened.

        The server prints "listening on SOCKET" when it is ready, and ends on Ctrl-C, on SIGTERM, and at the end of
        standard input if that is a terminal or a pipe.
        """)
guard let role = Role(rawValue: arguments.text("ROLE")) else {
    fail("\"\(arguments.text("ROLE"))\" is neither serve nor call; --help says more", status: 2)
}
let socket = arguments.text("SOCKET")
let address = socket.hasPrefix("@") ? LocalAddress.abstract(String(socket.dropFirst())) : LocalAddress(socket)

do {
    switch role {
    case .serve:
        let service = Service(
            folder: arguments.text("--folder", default: "."),
            user: arguments.number("--user", in: 0...Int(UInt32.max), default: ownUser))
        try service.run(at: address)
    case .call:
        let request = Request(
            method: arguments.choice("--method", default: Request.Method.echo), argument: arguments.text("--argument"))
        try SocketEventLoopGroup.shared.next().run { try await call(request, at: address) }
    }
} catch {
    fail("\(error)")
}
