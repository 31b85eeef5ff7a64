import Foundation
import HarmonySocket
import HarmonyWebSocket
import Testing

/// A Chromium without a window, in a process group and with a profile of its own. It is told what to do over its debugging
/// port: a WebSocket, and so one more peer of our client.
actor Browser {
    /// The browser of a suite with the trait `.browser`.
    @TaskLocal static var current: Browser?

    private static let program = ["chromium", "chromium-headless-shell", "google-chrome"].first {
        ChildProcess.find($0) != nil
    }
    static var isInstalled: Bool { program != nil }

    private let process: ChildProcess
    private let profile: TemporaryDirectory
    private let tools = WebSocket()
    private var session: String?
    private var lastCall = 0
    /// What pages complained about: exceptions, and what their policy forbids.
    private(set) var problems: [String] = []

    init() async throws {
        let profile = try TemporaryDirectory()
        let arguments = [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-breakpad", "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--ignore-certificate-errors", "--remote-debugging-port=0", "--user-data-dir=\(profile.path)",
            "about:blank",
        ]
        let program = try #require(Browser.program)
        let (process, url) = try await blocking {
            let process = try ChildProcess(program, arguments, isLeader: true)
            while true {
                let line = try process.readLine(ofErrors: true)
                if let place = line.range(of: "ws://") { return (process, String(line[place.lowerBound...])) }
            }
        }
        self.process = process
        self.profile = profile
        try await tools.connect(
            url, WebSocketOptions(limits: WebSocketLimits(maxFrameSize: 1 << 26, maxMessageSize: 1 << 26)))
        let target = try await call("Target.createTarget", ["url": "about:blank"])
        let attached = try await call(
            "Target.attachToTarget", ["targetId": target["targetId"] ?? "", "flatten": true])
        session = attached["sessionId"] as? String
        for domain in ["Page", "Runtime", "Log"] { _ = try await call("\(domain).enable") }
    }

    /// Ends it, with its children.
    func close() async throws {
        session = nil
        _ = try? await call("Browser.close")
        await tools.close()
        let status = try await blocking { [process] in try process.waitForEnd() }
        #expect(status == 0, "the browser did not end by itself")
    }

    /// Goes to a page. What the last one complains about, as that its server has gone, is not this one's problem.
    func open(_ url: String) async throws {
        try await show("about:blank")
        problems = []
        try await show(url)
    }

    private func show(_ url: String) async throws {
        let answer = try await call("Page.navigate", ["url": url])
        #expect(answer["errorText"] == nil)
        try await eventually("the page is there") {
            (try? await self.evaluate("String(document.readyState === 'complete' && location.href)")) == url
        }
    }

    /// The value of an expression of JavaScript, or of its promise: a text.
    func evaluate(_ script: String) async throws -> String {
        let answer = try await call(
            "Runtime.evaluate", ["expression": script, "awaitPromise": true, "returnByValue": true])
        let result = answer["result"] as? [String: Any]
        guard answer["exceptionDetails"] == nil, let value = result?["value"] as? String else {
            throw RawError("the page says \(answer)")
        }
        return value
    }

    /// Waits until an expression is true.
    func wait(for script: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await eventually(script, sourceLocation: sourceLocation) {
            (try? await self.evaluate("String(Boolean(\(script)))")) == "true"
        }
    }

    /// The page as a picture: a PNG of these many pixels.
    func picture(width: Int, height: Int) async throws -> [UInt8] {
        _ = try await call(
            "Emulation.setDeviceMetricsOverride",
            ["width": width, "height": height, "deviceScaleFactor": 1, "mobile": false])
        let answer = try await call("Page.captureScreenshot", ["format": "png"])
        return (answer["data"] as? String).flatMap { Data(base64Encoded: $0) }.map(Array.init) ?? []
    }

    /// A command of the Chrome DevTools Protocol, and its result.
    private func call(_ method: String, _ parameters: [String: Any] = [:]) async throws -> [String: Any] {
        lastCall += 1
        let number = lastCall
        var command: [String: Any] = ["id": number, "method": method, "params": parameters]
        command["sessionId"] = session
        try await tools.send(String(decoding: try JSONSerialization.data(withJSONObject: command), as: UTF8.self))
        while let message = try await tools.receive(timeout: .seconds(20)) {
            let answer = try JSONSerialization.jsonObject(with: Data(message.bytes)) as? [String: Any] ?? [:]
            if answer["id"] as? Int == number {
                if let error = answer["error"] { throw RawError("\(method): \(error)") }
                return answer["result"] as? [String: Any] ?? [:]
            }
            if ["Runtime.exceptionThrown", "Log.entryAdded"].contains(answer["method"] as? String) {
                problems.append("\(answer["params"] ?? "")")
            }
        }
        throw RawError("\(method): the browser has gone")
    }
}

/// Runs a suite with a browser, which is started before its first test and ended after its last.
struct BrowserTrait: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let browser = try await within(.seconds(40), "the browser starts") { try await Browser() }
        let result = await Result.make { try await Browser.$current.withValue(browser, operation: function) }
        try await browser.close()
        try result.get()
    }
}

extension Result where Failure == any Error, Success == Void {
    fileprivate static func make(_ body: () async throws -> Void) async -> Self {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}

extension Trait where Self == BrowserTrait {
    /// With `Browser.current`.
    static var browser: BrowserTrait { BrowserTrait() }
}
