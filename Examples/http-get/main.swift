import ExampleSupport
import HarmonySocket

let arguments = Arguments(
    words: ["URL"],
    help: """
        http-get URL: asks a web server for a page by HTTP/1.1, prints the page to standard output, and what the server says about
        it to standard error.

          --timeout SECONDS   for connecting, and for each wait for the server (10)
          --ca FILE           for https: trust these certificates (PEM), and not those of the system

        A URL is http://HOST or https://HOST, and :PORT, /PATH and ?QUERY if there are any. Redirects are not followed. Ends with status 0
        when all of the page has come, and with 1 when it has not, or the server says that there is none (400 and above).
        """)
guard let page = PageAddress(arguments.text("URL")) else {
    fail("\"\(arguments.text("URL"))\" is no http:// or https:// address; --help says more", status: 2)
}
let timeout = arguments.seconds("--timeout", default: 10)

do {
    let trusted = arguments.has("--ca") ? [arguments.text("--ca")] : nil
    let socket = try await connect(to: page, trusting: trusted, timeout: timeout)
    let request = [
        "GET \(page.target) HTTP/1.1", "Host: \(page.authority)", "User-Agent: http-get", "Accept: */*",
        "Connection: close",
    ]
    try await socket.send(request.map { $0 + "\r\n" }.joined() + "\r\n", timeout: timeout)

    var head = try await ResponseHead(from: socket, timeout: timeout)
    // An answer before the answer, as "100 Continue".
    while head.status < 200 { head = try await ResponseHead(from: socket, timeout: timeout) }
    note(head.printable)
    try await ResponseBody(socket: socket, timeout: timeout).read(try head.bodyLength) {
        await StandardOutput.write($0)
    }
    await socket.close()
    if head.status >= 400 { fail("the server says \(head.status)") }
} catch {
    fail("\(error)")
}
