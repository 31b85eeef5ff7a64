import Testing

@testable import SocketCore

@Suite struct SentFileTests {
    /// By sendfile(2), and by what stands in for it on other systems.
    @Test(arguments: [false, true])
    func file_goesOut_throughTheQueue(_ isCopied: Bool) async throws {
        let group = EventLoopGroup(count: 1)
        let (driver, peer) = try StreamDriver.connected(on: group, sendBuffer: 20_000)
        driver.startWatching()
        let path = CommandLine.arguments[0]
        let file = try SentFile.open(path, offset: 100, count: 3_000_000, isCopied: isCopied, progress: nil)
        async let received = blocking("the file") { try peer.receiveAll() }
        try await driver.send([1, 2, 3])
        try await driver.send(file, timeout: nil)
        try await driver.send([4])
        await driver.close()
        let bytes = try await received
        #expect(bytes.count == 3_000_004)
        #expect(bytes.prefix(3) == [1, 2, 3] && bytes.last == 4)
        let other = try RawPair()
        let number = other.near.number
        // A part of it, the other way.
        let again = try SentFile.open(path, offset: 2_999_100, count: 1000, isCopied: !isCopied, progress: nil)
        let (written, lack) = again.send(1000, from: 2_999_100, to: number)
        #expect(written.count == 1000 && lack == nil)
        other.near.close()
        #expect(try await blocking("the part") { try other.far.receiveAll() } == Array(bytes[2_999_003..<3_000_003]))
    }
}
