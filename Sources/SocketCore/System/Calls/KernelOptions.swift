/// The options that the kernel keeps for a socket. A field that is nil is left, or was not there to be read.
package struct KernelOptions: Sendable, Hashable {
    package var reuseAddress: Bool?
    package var keepAlive: Bool?
    package var outOfBandInline: Bool?
    package var noDelay: Bool?
    package var broadcast: Bool?
    package var ipv6Only: Bool?
    /// Bytes.
    package var receiveBuffer: Int?
    /// Bytes.
    package var sendBuffer: Int?

    package init() {}

    private static let switches: [(OptionCalls.Switch, any WritableKeyPath<KernelOptions, Bool?> & Sendable)] = [
        (.reuseAddress, \.reuseAddress), (.keepAlive, \.keepAlive), (.outOfBandInline, \.outOfBandInline),
        (.noDelay, \.noDelay), (.broadcast, \.broadcast), (.ipv6Only, \.ipv6Only),
    ]
    private static let numbers: [(OptionCalls.Number, any WritableKeyPath<KernelOptions, Int?> & Sendable)] = [
        (.receiveBuffer, \.receiveBuffer), (.sendBuffer, \.sendBuffer),
    ]

    /// Sets every field that is not nil. Stops at the first that the kernel refuses.
    package func apply(to descriptor: Int32) -> SystemResult<Void> {
        for (option, path) in KernelOptions.switches {
            guard let value = self[keyPath: path] else { continue }
            if case .failure(let error) = OptionCalls.set(descriptor, option, to: value) { return .failure(error) }
        }
        for (option, path) in KernelOptions.numbers {
            guard let value = self[keyPath: path] else { continue }
            if case .failure(let error) = OptionCalls.set(descriptor, option, to: value) { return .failure(error) }
        }
        return .success(())
    }

    /// What the kernel reports; nil for what this kind of socket does not have.
    package static func read(from descriptor: Int32) -> KernelOptions {
        var options = KernelOptions()
        for (option, path) in switches { options[keyPath: path] = try? OptionCalls.get(descriptor, option).get() }
        for (option, path) in numbers { options[keyPath: path] = try? OptionCalls.get(descriptor, option).get() }
        return options
    }

    /// These options, with the fields of `other` that are not nil put over them.
    package func overlaid(with other: KernelOptions) -> KernelOptions {
        var merged = self
        for (_, path) in KernelOptions.switches {
            if let value = other[keyPath: path] { merged[keyPath: path] = value }
        }
        for (_, path) in KernelOptions.numbers {
            if let value = other[keyPath: path] { merged[keyPath: path] = value }
        }
        return merged
    }
}
