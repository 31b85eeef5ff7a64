/// What the drivers of all kinds of sockets have in common for whoever asks about a socket, or sets something of it.
package protocol SocketDriver: AnyObject, Sendable {
    /// The state at this moment.
    var snapshot: StreamDriver.Snapshot { get }
    /// Our address, nil before there is one.
    var localAddress: SocketAddress? { get }
    /// The peer's address, nil without a connection.
    var peerAddress: SocketAddress? { get }
    /// Nil when nobody observes the socket.
    var observed: Observed? { get }
    /// Adds a listener; it hears what happens from now on.
    func on(_ kind: EventKind, once: Bool, _ body: @escaping @Sendable (EngineEvent) -> Void) -> Ticket
    /// Removes one listener.
    func off(_ ticket: Ticket)
    /// Removes all listeners of an event.
    func off(_ kind: EventKind)
    /// Queues a completion behind the events that came before it.
    func complete(_ body: @escaping @Sendable () -> Void)
    /// Lends the descriptor to `body`; nil without calling it when there is none.
    func withDescriptor<Result>(_ body: (Int32) -> Result) -> Result?
    /// Sets the kernel's options, and how long the socket may be idle: nil leaves that, zero is any time.
    func setOptions(_ options: KernelOptions, idleTimeout: Duration?) throws(Failure)
    /// The kernel's options, and how long the socket may be idle: nil is any time.
    func readBasicOptions() throws(Failure) -> (kernel: KernelOptions, idleTimeout: Duration?)
}

extension StreamDriver {
    package func setOptions(_ options: KernelOptions, idleTimeout: Duration?) throws(Failure) {
        try setOptions(options) { $0.setIdleTimeout(idleTimeout) }
    }

    package func readBasicOptions() throws(Failure) -> (kernel: KernelOptions, idleTimeout: Duration?) {
        let (kernel, settings) = try readOptions()
        return (kernel, settings.idleTimeout)
    }
}

extension ListenerDriver {
    package func setOptions(_ options: KernelOptions, idleTimeout: Duration?) throws(Failure) {
        try setOptions(options) { $0.setIdleTimeout(idleTimeout) }
    }

    package func readBasicOptions() throws(Failure) -> (kernel: KernelOptions, idleTimeout: Duration?) {
        let (kernel, settings) = try readOptions()
        return (kernel, settings.idleTimeout)
    }
}

extension DatagramDriver {
    package func setOptions(_ options: KernelOptions, idleTimeout timeout: Duration?) throws(Failure) {
        try setOptions(options)
        if let timeout { idleTimeout = timeout == .zero ? nil : timeout }
    }

    package func readBasicOptions() throws(Failure) -> (kernel: KernelOptions, idleTimeout: Duration?) {
        (try readOptions(), idleTimeout)
    }
}

extension SocketDriver {
    package var peerAddress: SocketAddress? { nil }
    package var observed: Observed? { nil }

    /// Makes one system call with the descriptor, which is not closed, and so not given to anybody else, meanwhile.
    package func withOpenDescriptor<Value>(
        _ call: SystemCall, _ body: (Int32) -> SystemResult<Value>
    ) throws(Failure) -> Value {
        if snapshot.isClosed { throw .closed }
        switch withDescriptor(body) {
        case .success(let value): return value
        case .failure(let error): throw .system(error, call)
        case nil: throw snapshot.isClosed ? .closed : .invalidState(.notBound)
        }
    }

    /// Gives options to the descriptor, if there is one, and lets `keep` keep them for one that comes later.
    func setOptions(_ options: KernelOptions, keep: () -> Void) throws(Failure) {
        let isApplied = try applyNow(options)
        keep()
        // A descriptor that came before they were kept has not got them.
        if !isApplied { _ = try applyNow(options) }
    }

    /// False when there is no descriptor. Options that had to come first must have their values already.
    private func applyNow(_ options: KernelOptions) throws(Failure) -> Bool {
        let result = withDescriptor { number -> Result<Void, Failure> in
            if let late = options.firstTooLate(comparedWith: { try? OptionCalls.get(number, $0).get() }) {
                return .failure(.optionTooLate(late))
            }
            return options.changeable.apply(to: number).mapError { Failure($0) }
        }
        try result?.get()
        return result != nil
    }
}
