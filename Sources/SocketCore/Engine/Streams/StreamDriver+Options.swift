// Options: the kernel's, given to each descriptor, and ours.
extension StreamDriver {
    /// Sets the kernel's options now or as soon as there is a descriptor, and ours with `change`.
    package func setOptions(
        _ options: KernelOptions, _ change: (inout StreamSettings) -> Void
    ) throws(Failure) {
        try withState { state throws(Failure) in
            if state.life.isClosing { throw .closed }
            let kept = state.shared.values.kernel
            if state.life.phase == .connecting, let late = options.firstTooLate(comparedWith: { kept[$0] }) {
                throw .optionTooLate(late)
            }
        }
        try setOptions(options) {
            changeSettings { settings in
                // Kept too: a later descriptor of this socket (bind, then another attempt to connect) gets them as well.
                settings.kernel = settings.kernel.overlaid(with: options)
                change(&settings)
            }
            // An attempt to connect may have made its descriptor before: it gets them when it has won.
            withState { if $0.life.phase == .connecting { $0.rare.hasLateOptions = true } }
        }
    }

    /// The kernel's options, and ours.
    package func readOptions() throws(Failure) -> (KernelOptions, StreamSettings) {
        let settings = try withState { state throws(Failure) in
            if state.life.isClosed { throw .closed }
            return state.shared.values
        }
        return (withDescriptor { KernelOptions.read(from: $0) } ?? settings.kernel, settings)
    }

    /// What the kernel tells of the connection.
    package func readTCPFacts() throws(Failure) -> TCPFacts {
        try withState { state throws(Failure) in
            if state.life.isClosed { throw .closed }
            if state.life.phase < .open { throw .notConnected }
        }
        return try withOpenDescriptor(.getOption) { TCPFacts.read(from: $0) }
    }
}
