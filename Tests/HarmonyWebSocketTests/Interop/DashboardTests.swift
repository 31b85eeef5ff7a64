import HarmonySocket
import Testing

/// The example `dashboard` in a real browser.
@Suite(
    .serialized, .bounded, .browser, .enabled(if: Browser.isInstalled, "Chromium is not installed"),
    .enabled(if: ChildProcess.findExample("dashboard") != nil, "the examples are not built"),
    .disabled(
        if: ProcessFacts.isThreadSanitized || ProcessFacts.isAddressSanitized, "takes a browser long, and finds no more"
    ))
struct DashboardTests {
    private struct Dashboard {
        let process: ChildProcess
        let echo: NetAddress
        let page: String

        /// Starts it. Blocks.
        init(pagePort: Int = 0, _ arguments: [String] = []) throws {
            process = try ChildProcess(
                try #require(ChildProcess.findExample("dashboard")),
                ["--port", "0", "--page-port", "\(pagePort)", "--interval", "0.1"] + arguments)
            let port = try #require(try process.readLine().split(separator: ":").last.flatMap { Int($0) })
            echo = NetAddress("127.0.0.1", port: port)
            page = try #require(try process.readLine().split(separator: " ").last.map(String.init))
        }

        /// Asks it to stop. Blocks.
        func stop() throws {
            process.closeInput()
            #expect(try process.waitForEnd() == 0)
        }
    }

    private func start(pagePort: Int = 0, _ arguments: [String] = []) async throws -> Dashboard {
        try await blocking { try Dashboard(pagePort: pagePort, arguments) }
    }

    @Test func page_showsWhatSocketsThereAre_andWhatHappensToThem() async throws {
        let browser = try #require(Browser.current)
        let dashboard = try await start()
        try await browser.open(dashboard.page)
        try await browser.wait(for: "document.body.dataset.link === 'live' && document.title.startsWith('0 open')")

        let clients = try await blocking {
            try (0..<3).map { _ in
                let client = try RawSocket.connected(to: dashboard.echo)
                try client.send("hello")
                #expect(try client.receive(exactly: 5) == Array("hello".utf8))
                return client
            }
        }
        try await browser.wait(for: "document.querySelectorAll('tbody tr').length === 3")
        for client in clients {
            let row =
                "[...document.querySelectorAll('tbody tr')].find(row => row.textContent.includes('127.0.0.1:\(client.port)'))"
            try await browser.wait(for: "\(row)?.textContent.includes('10 B')")
            #expect(try await browser.evaluate("\(row).children[2].textContent") == "open")
        }
        #expect(
            try await browser.evaluate("document.querySelector('#squares').getAttribute('aria-label')").hasPrefix(
                "3 connections"))
        #expect(
            try await browser.evaluate("document.querySelector('.chart svg').getAttribute('aria-label')").contains(
                "now 3"))

        // It goes on: bytes are counted, and an end is told.
        try await blocking {
            try clients[0].send([UInt8](repeating: 1, count: 5000))
            _ = try clients[0].receive(exactly: 5000)
        }
        try await browser.wait(for: "document.querySelector('tbody').textContent.includes('10.0 kB')")
        clients[1].close()
        try await browser.wait(for: "document.querySelectorAll('tbody tr').length === 2")
        try await browser.wait(for: "document.querySelector('#log').textContent.includes('ended by peer')")
        // Its own connection is a socket too. The browser keeps another one in reserve.
        _ = try await browser.evaluate("String(document.querySelector('#groups [value=\"1\"]').click())")
        try await browser.wait(for: "document.querySelector('tbody').textContent.match(/[0-9.]+ kB\\/s/)")
        #expect(await browser.problems == [])
        for client in [clients[0], clients[2]] { client.close() }
        try await blocking { try dashboard.stop() }
    }

    @Test func page_comesBackByItself_whenTheServerDoes() async throws {
        let browser = try #require(Browser.current)
        let first = try await start()
        let client = try await blocking { try RawSocket.connected(to: first.echo) }
        try await browser.open(first.page)
        try await browser.wait(for: "document.querySelectorAll('tbody tr').length === 1")
        try await blocking { try first.stop() }
        try await browser.wait(for: "document.body.dataset.link === 'down'")
        client.close()
        let port = try #require(first.page.split(separator: ":").last.flatMap { Int($0.dropLast()) })
        let second = try await start(pagePort: port)
        try await browser.wait(
            for: "document.body.dataset.link === 'live' && document.querySelectorAll('tbody tr').length === 0")
        try await blocking { try second.stop() }
    }

    @Test func page_withHundredsOfConnections_isDrawn() async throws {
        let browser = try #require(Browser.current)
        let dashboard = try await start(["--demo", "400"])
        try await browser.open(dashboard.page)
        try await browser.wait(for: "document.querySelectorAll('#squares i').length > 250")
        try await browser.wait(for: "document.querySelectorAll('#timeline path')[0].getAttribute('d')")
        #expect(try await browser.evaluate("String(document.querySelectorAll('tbody tr').length)") == "150")
        let picture = try await browser.picture(width: 1360, height: 1200)
        #expect(picture.starts(with: [0x89, 0x50, 0x4E, 0x47]) && picture.count > 50_000)
        #expect(await browser.problems == [])
        try await blocking { try dashboard.stop() }
    }
}
