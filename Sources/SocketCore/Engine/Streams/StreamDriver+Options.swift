// Options: the kernel's, given to each descriptor, and ours.
extension StreamDriver {
    /// Sets the kernel's options now or as soon as there is a descriptor, and ours with `change`.
    package func setOptions(
        _ options: KernelOptions, _ change: (inout StreamSettings) -> Void
    ) throws(Failure) {
        let number: Int32? = try state.withLock { state throws(Failure) in
            if state.life.isClosing { throw .closed }
            return state.descriptor.lend()
        }
        if let number {
            let result = options.apply(to: number)
            state.withLock { _ = $0.descriptor.giveBack() }
            if case .failure(let error) = result { throw .system(error, .setOption) }
        }
        var changed = settings
        // Kept too: a later descriptor of this socket (bind, then another attempt to connect) gets them as well.
        changed.kernel = changed.kernel.overlaid(with: options)
        change(&changed)
        settings = changed
    }

    /// The kernel's options, and ours.
    package func readOptions() throws(Failure) -> (KernelOptions, StreamSettings) {
        let settings = try state.withLock { state throws(Failure) in
            if state.life.isClosed { throw .closed }
            return state.shared.values
        }
        return (withDescriptor { KernelOptions.read(from: $0) } ?? settings.kernel, settings)
    }
}
