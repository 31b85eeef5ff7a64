import Foundation
import HarmonySocket
import Testing

/// A server with 64 descriptors, and 500 clients. In a process of its own, since the limit is the process's.
@Suite(.bounded) struct DescriptorLimitTests {
    @Test(
        .enabled(if: ChildProcess.findExample("tcp-echo-server") != nil, "the examples are not built"),
        arguments: ["events", "callback", "async"])
    func fiveHundredClients_underALimitOf64_areAllServed(_ style: String) async throws {
        let server = try #require(ChildProcess.findExample("tcp-echo-server"))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = [
            "-c", "ulimit -n 64; exec \"$0\" --host 127.0.0.1 --port 0 --style \(style) --loops 1", server,
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = Pipe()
        let complaints = Pipe()
        process.standardError = complaints
        try process.run()
        defer { process.terminate() }
        let line = try await blocking { try readLine(output.fileHandleForReading) }
        let port = try #require(line.split(separator: ":").last.flatMap { Int($0) }, "it said: \(line)")
        let address = NetAddress("127.0.0.1", port: port)
        // All are connected, most of them in the kernel's backlog only, before the first is done.
        let clients = (0..<500).map { _ in TCPSocket() }
        try await withThrowingTaskGroup { tasks in
            for client in clients {
                tasks.addTask { try await client.connect(to: address, timeout: .seconds(30)) }
            }
            try await tasks.waitForAll()
        }
        let served = EventRecorder<Int>()
        try await withThrowingTaskGroup { tasks in
            for (number, client) in clients.enumerated() {
                tasks.addTask {
                    try await client.send("hello \(number)")
                    let reply = try await client.receive(timeout: .seconds(30))
                    await client.close()
                    if reply?.text == "hello \(number)" { served.record(number) }
                }
            }
            try await tasks.waitForAll()
        }
        #expect(Set(served.events).count == 500)
        #expect(process.isRunning)
        process.terminate()
        // The limit was met, or this test has shown nothing.
        let said = try await blocking { try complaints.fileHandleForReading.readToEnd() ?? Data() }
        #expect(String(decoding: said, as: UTF8.self).contains("too many open files"))
    }

    @Sendable private func readLine(_ handle: FileHandle) throws -> String {
        var line = Data()
        while let byte = try handle.read(upToCount: 1), byte.first != UInt8(ascii: "\n") { line += byte }
        return String(decoding: line, as: UTF8.self)
    }
}
