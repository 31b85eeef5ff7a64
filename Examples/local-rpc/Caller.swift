import ExampleSupport
import HarmonySocket

/// The caller's side: one request.
func call(_ request: Request, at address: LocalAddress) async throws {
    let local = LocalSocket()
    local.setFraming(try .lengthPrefixed(maxLength: Request.maxLength))
    // Room for the one file that was asked for; if more come, they are closed.
    local.descriptorLimit = request.method == .open ? 1 : 0
    try await local.connect(to: address)
    try await local.send(request.text, timeout: .seconds(5))
    guard let answer = try await local.receive(timeout: .seconds(5))?.text else { fail("the server has hung up") }
    if answer.hasPrefix("error: ") { fail(String(answer.dropFirst("error: ".count))) }
    if let descriptor = local.takeDescriptor() {
        let file = DiskFile(adopting: descriptor)
        while true {
            let bytes = try file.read(upTo: 65_536)
            if bytes.isEmpty { break }
            await StandardOutput.write(bytes)
        }
    } else {
        say(answer)
    }
    await local.close()
}
