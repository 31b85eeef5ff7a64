import HarmonySocket
import Testing

/// One option: what is set, what the SDK reads back, and what the kernel says without us.
struct OptionRow<Options: Sendable>: Sendable, CustomTestStringConvertible {
    /// Where the option may be set and found again.
    enum Life: Sendable {
        /// At any time, and accepted connections inherit it.
        case any
        /// Before bind, connect or listen; accepted connections inherit it.
        case first
        /// At any time, but the kernel changes it as it likes.
        case passing
    }

    let set: Options
    let life: Life
    let loopbacks: [Loopback]
    let isReadBack: @Sendable (Options) -> Bool
    private let name: String
    private let option: Kernel.Option
    private let kernel: Int

    init<Value: Equatable & Sendable>(
        _ options: Options, _ path: any WritableKeyPath<Options, Value?> & Sendable, _ value: Value,
        _ option: Kernel.Option, _ kernel: Int, reads: Value? = nil, _ life: Life = .any,
        on loopbacks: [Loopback] = Loopback.allCases
    ) {
        var options = options
        options[keyPath: path] = value
        set = options
        self.life = life
        self.loopbacks = loopbacks
        isReadBack = { $0[keyPath: path] == reads ?? value }
        name = "\(option) \(value)"
        self.option = option
        self.kernel = kernel
    }

    /// Checks both answers of a socket that has a descriptor.
    func check(
        _ options: Options, of descriptor: Int, _ moment: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(isReadBack(options), "\(name), \(moment): \(options)", sourceLocation: sourceLocation)
        let inKernel = Kernel.option(option, of: descriptor)
        #expect(inKernel == kernel, "\(name), \(moment), in the kernel", sourceLocation: sourceLocation)
    }

    var testDescription: String { name }
}

/// What the kernel makes of a buffer size: Linux doubles it for its own bookkeeping (socket(7)).
func doubled(_ size: Int) -> Int { isLinux ? 2 * size : size }
