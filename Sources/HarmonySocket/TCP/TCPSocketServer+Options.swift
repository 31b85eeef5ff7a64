internal import SocketCore

extension TCPSocketServer {
    /// Sets options of the listening socket, which the connections that are accepted from then on inherit. Fields that
    /// are nil stay as they are; all values are checked before one is applied. `socketLinger` and `socketTimeout` are
    /// for the connections alone.
    ///
    /// - Throws: `.invalidArgument`, naming the field; `.closed` after close; the kernel's refusal.
    public func setExtraOptions(_ options: TCPExtraOptions) async throws(SocketError) { try apply(options) }

    /// Sets options; as the async form.
    public func setExtraOptions(
        _ options: TCPExtraOptions, completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let result = Result { () throws(SocketError) in try apply(options) }
        driver.complete { completion(result) }
    }

    private func apply(_ options: TCPExtraOptions) throws(SocketError) {
        do throws(Failure) {
            try options.check()
            if state.isClose { throw .closed }
            driver.options = driver.options.overlaid(with: options.kernelOptions)
            if case .failure(let error) = driver.withDescriptor({ options.kernelOptions.apply(to: $0) }) {
                throw .system(error, .setOption)
            }
            var settings = driver.connectionSettings
            options.apply(to: &settings)
            driver.connectionSettings = settings
        } catch {
            throw self.error(error, .setOptions)
        }
    }

    /// The options as they are: what the kernel reports, and our own. Before `listen`, those that were set.
    ///
    /// - Throws: `.closed` after close.
    public func getExtraOptions() async throws(SocketError) -> TCPExtraOptions { try readOptions() }

    /// The options as they are; as the async form.
    public func getExtraOptions(completion: @escaping @Sendable (Result<TCPExtraOptions, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try readOptions() }
        driver.complete { completion(result) }
    }

    private func readOptions() throws(SocketError) -> TCPExtraOptions {
        if state.isClose { throw error(.closed, .getOptions) }
        let kernel = driver.withDescriptor { KernelOptions.read(from: $0) } ?? driver.options
        return TCPExtraOptions(kernel, driver.connectionSettings)
    }
}
