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
        if let number { try apply(options, to: number) }
        changeSettings { settings in
            // Kept too: a later descriptor of this socket (bind, then another attempt to connect) gets them as well.
            settings.kernel = settings.kernel.overlaid(with: options)
            change(&settings)
        }
        if number != nil { return }
        // An attempt to connect may have made its descriptor before: it gets them when it has won, or now if it has.
        let late: Int32? = state.withLock { state in
            if state.life.phase == .connecting { state.hasLateOptions = true }
            return state.descriptor.lend()
        }
        if let late { try apply(options, to: late) }
    }

    /// Applies options to a number that was lent, and gives it back.
    private func apply(_ options: KernelOptions, to number: Int32) throws(Failure) {
        let result = options.apply(to: number)
        giveBack()
        if case .failure(let error) = result { throw .system(error, .setOption) }
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
