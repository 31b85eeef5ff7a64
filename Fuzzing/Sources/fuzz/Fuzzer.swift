import Guidance

/// Something that takes bytes of somebody else, and is given any.
struct Target: Sendable {
    let name: String
    /// Gives it an input, and checks what it makes of that.
    let run: @Sendable (inout Input) -> Void
    /// Inputs that get far, to begin with.
    let seeds: @Sendable () -> [[UInt8]]
}

private let targets: [Target] = [
    .tlsServer, .tlsClient, .webSocketMessages, .webSocketHandshake, .webSocketCompression, .framings,
    .certificates, .controlMessages, .texts,
]

nonisolated(unsafe) private var target = targets[0]

/// libFuzzer calls it first. `--target=NAME` chooses what is fuzzed; `--seeds=FOLDER` writes its seeds and ends; `--list` names
/// the targets.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
    _ count: UnsafePointer<CInt>, _ arguments: UnsafePointer<UnsafePointer<UnsafePointer<CChar>>>
) -> CInt {
    let words = (0..<Int(count.pointee)).map { String(cString: arguments.pointee[$0]) }
    func value(_ option: String) -> String? {
        words.first { $0.hasPrefix("--\(option)=") }.map { String($0.dropFirst(option.count + 3)) }
    }
    if words.contains("--list") {
        for target in targets { print(target.name) }
        guidance_end()
    }
    guard let chosen = targets.first(where: { $0.name == value("target") }) else {
        fatalError("--target=NAME, of \(targets.map(\.name))")
    }
    target = chosen
    if let folder = value("seeds") {
        for (index, seed) in chosen.seeds().enumerated() {
            guard guidance_write("\(folder)/seed-\(index)", seed, seed.count) else { fatalError("cannot write a seed") }
        }
        guidance_end()
    }
    return 0
}

/// libFuzzer calls it for each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = Input(UnsafeBufferPointer(start: bytes, count: count))
    target.run(&input)
    return 0
}

/// What must hold, whatever comes.
func require(_ condition: Bool, _ promise: @autoclosure () -> String) {
    if !condition { fatalError("broken promise: \(promise())") }
}
