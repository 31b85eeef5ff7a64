import SocketCore
import Testing

@Suite struct LocalCallsTests {
    /// Numbers of ours for the same open file, which nobody closes: a socket, known by its address, as another test's file may
    /// soon have a number that was closed.
    private struct Own {
        let numbers: [Int32]
        private let address: SocketAddress

        init(_ count: Int) throws {
            let socket = try SocketCalls.open(.v4, .datagram).get()
            try SocketCalls.bind(socket.number, to: .loopback(.v4)).get()
            address = try SocketCalls.localAddress(socket.number).get()
            numbers = try PassedDescriptors.duplicating([Int32](repeating: socket.number, count: count)).get().take()
        }

        var areOpen: [Bool] { numbers.map { (try? SocketCalls.localAddress($0).get()) == address } }

        subscript(index: Int) -> Int32 { numbers[index] }

        func close(first count: Int) {
            for number in numbers[..<count] { _ = OwnedDescriptor(adopting: number) }
        }
    }

    /// One control message, whatever it says of its length.
    private static func control(
        _ numbers: [Int32], level: Int32 = 1, type: Int32 = 1, length: Int? = nil
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        withUnsafeBytes(of: length ?? 16 + 4 * numbers.count) { bytes += $0 }
        withUnsafeBytes(of: level) { bytes += $0 }
        withUnsafeBytes(of: type) { bytes += $0 }
        for number in numbers { withUnsafeBytes(of: number) { bytes += $0 } }
        while bytes.count % 8 != 0 { bytes.append(0) }
        return bytes
    }

    private static func parse(_ control: [UInt8], capacity: Int) -> (numbers: [Int32], isLost: Bool) {
        var isLost = false
        let numbers = control.withUnsafeBytes { LocalCalls.descriptors(in: $0, capacity: capacity, isLost: &isLost) }
        return (numbers, isLost)
    }

    /// The layout that is made here is that of 64-bit Linux.
    @Test(.enabled(if: SocketAddress.hasAbstractNames && Int.bitWidth == 64))
    func controlData_whateverIsInIt_isReadWithinItsBounds_andNothingIsLeftOpen() throws {
        let own = try Own(6)
        let rights = LocalCallsTests.control(own.numbers)
        // Surplus is closed.
        let (kept, isLost) = LocalCallsTests.parse(rights, capacity: 2)
        #expect(kept == Array(own.numbers[..<2]) && isLost)
        #expect(own.areOpen == [true, true, false, false, false, false])
        // Among other messages, and in several of the same kind.
        let two = LocalCallsTests.control([own[0]])
        let foreign = LocalCallsTests.control([7, 8, 9], type: 2) + LocalCallsTests.control([1], level: 41)
        let mixed = foreign + two + foreign + LocalCallsTests.control([own[1]]) + foreign
        #expect(LocalCallsTests.parse(mixed, capacity: 10).numbers == [own[0], own[1]])
        // Lengths that lie: too short for a header, beyond the end, no whole descriptor, and the greatest of all.
        for length in [0, 1, 15, 17, 19, 1_000, Int.max, -1] {
            let lie = LocalCallsTests.control([own[0]], length: length)
            #expect(LocalCallsTests.parse(lie, capacity: 10).numbers.isEmpty)
            #expect(LocalCallsTests.parse(lie + two, capacity: 10).numbers.count <= 1)
        }
        #expect(LocalCallsTests.parse([], capacity: 10).numbers.isEmpty)
        for count in 0..<rights.count {
            #expect(
                LocalCallsTests.parse(Array(mixed[..<count]), capacity: 10).numbers.allSatisfy {
                    own.numbers.contains($0)
                })
        }
        #expect(own.areOpen[..<2] == [true, true])
        own.close(first: 2)
    }

    @Test func descriptors_areClosedWithTheirObject_unlessTaken() throws {
        let own = try Own(2)
        var passed: PassedDescriptors? = PassedDescriptors(adopting: own.numbers)
        #expect(passed?.numbers == own.numbers)
        passed = nil
        #expect(own.areOpen == [false, false])
        let other = try Own(2)
        passed = PassedDescriptors(adopting: other.numbers)
        #expect(passed?.take() == other.numbers && passed?.take() == [])
        passed = nil
        #expect(other.areOpen == [true, true])
        other.close(first: 2)
    }

    @Test func localAddress_isWhole_andEqualByItsName() {
        let path = SocketAddress(local: Array("/tmp/a".utf8))
        #expect(path.family == .local && path.description == "/tmp/a" && path.host == "/tmp/a" && path.isLoopback)
        #expect(
            path == SocketAddress(local: Array("/tmp/a".utf8)) && path != SocketAddress(local: Array("/tmp/b".utf8)))
        #expect(path.path == Array("/tmp/a".utf8))
        let abstract = SocketAddress(local: Array("\0name\0".utf8))
        #expect(abstract.description == "@name\0" && abstract.path == nil)
        #expect(SocketAddress(local: []).description == "(unnamed)" && SocketAddress(local: []).name == nil)
        #expect(Set([path, abstract, SocketAddress(local: [])]).count == 3)
        #expect(SocketAddress.any(.local) == SocketAddress(local: []))
    }

    /// Not even the engine's own calls cut a name.
    @Test(arguments: [109, 200, 65_535, 70_000]) func name_thatIsTooLong_isRefusedByEveryCall(_ count: Int) throws {
        let address = SocketAddress(local: [UInt8](repeating: 0x61, count: count))
        guard case .success(let descriptor) = SocketCalls.open(.local, .stream) else {
            Issue.record("no socket")
            return
        }
        #expect(throws: SystemError.self) { try SocketCalls.bind(descriptor.number, to: address).get() }
        #expect(throws: SystemError.self) { try SocketCalls.connect(descriptor.number, to: address).get() }
        #expect(try SocketCalls.localAddress(descriptor.number).get().name == nil)
    }
}
