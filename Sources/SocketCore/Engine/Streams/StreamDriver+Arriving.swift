// Input into arrays, and of connections that bring much at a time without copying it.
extension StreamDriver {
    /// What one read brought.
    struct Arrival {
        let result: SystemResult<Int>
        /// How many bytes it could have brought.
        let limit: Int
        let bytes: [UInt8]
    }

    /// From so many bytes at a time on, the next read goes into an array right away.
    private static let much = 4 * 1024

    /// One read of at most `most` bytes, by whoever has the turn.
    ///
    /// Little is read into the thread's buffer, and copied into an array of its size. After much, the next read goes into an
    /// array, a quarter larger than what came last: a read that fills it would not tell whether that was all.
    @inline(__always)
    func arrive(_ number: Int32, upTo most: Int) -> Arrival {
        if expected > 0 { return arriveInPlace(number, upTo: most) }
        let result = receive(number, into: UnsafeMutableRawBufferPointer(rebasing: Scratch.buffer[..<most]))
        guard case .success(let count) = result, count > 0 else {
            return Arrival(result: result, limit: most, bytes: [])
        }
        if count >= StreamDriver.much { expectMore(than: count) }
        return Arrival(result: result, limit: most, bytes: Scratch.copy(count))
    }

    @inline(never)
    private func arriveInPlace(_ number: Int32, upTo most: Int) -> Arrival {
        let limit = min(Int(expected), most)
        var result = SystemResult<Int>.success(0)
        // Written twice, because a function for both would cost most of what the first one saves.
        #if compiler(>=6.3)
        // The initializer looks its storage's type up each time: 250 instructions.
        var bytes: [UInt8] = []
        bytes.append(addingCapacity: limit) { (span: inout OutputSpan<UInt8>) in
            span.withUnsafeMutableBufferPointer { buffer, count in
                result = receive(number, into: UnsafeMutableRawBufferPointer(buffer))
                count = (try? result.get()) ?? 0
            }
        }
        #else
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            result = receive(number, into: UnsafeMutableRawBufferPointer(buffer))
            count = (try? result.get()) ?? 0
        }
        #endif
        if case .failure = result { return Arrival(result: result, limit: limit, bytes: []) }
        expectMore(than: bytes.count == limit ? 2 * limit : bytes.count)
        // Who keeps a message keeps its array: not more than twice the memory.
        let isMostlyEmpty = bytes.count < limit / 2
        return Arrival(result: result, limit: limit, bytes: isMostlyEmpty ? Array(bytes[...]) : bytes)
    }

    private func expectMore(than count: Int) {
        // Of sockets that keep bounds what does not fit would be lost.
        let isMuch = count >= StreamDriver.much && local == nil
        expected = isMuch ? UInt32(min(Scratch.size, count + count / 4)) : 0
    }
}
