// How fast a WebSocket's payload is masked: the library's own source, compiled as it is there, over 1 MiB again and again.
// Prints the best rate of ten in GB/s: from one place to another, as a message is received, and where it is.

let (size, rounds) = (1 << 20, 200)

func rate(from source: UnsafeMutableRawBufferPointer, to target: UnsafeMutableRawBufferPointer) -> Double {
    var best = Duration.seconds(1000)
    for _ in 0..<10 {
        let time = ContinuousClock().measure {
            for round in 0..<rounds {
                Mask.copy(UnsafeRawBufferPointer(source), to: target, with: 0x3d21_fa37 &+ UInt32(round))
            }
        }
        best = min(best, time)
    }
    return Double(size * rounds) / (best / .nanoseconds(1))
}

let source = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
let target = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
for index in 0..<size { source[index] = UInt8(truncatingIfNeeded: index % 251) }
print(rate(from: source, to: target), rate(from: source, to: source))
