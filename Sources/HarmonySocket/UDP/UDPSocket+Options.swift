internal import SocketCore

extension UDPSocket {
    /// Sets the options that are not nil, at any time before close: those for the kernel are given to it when the
    /// socket is bound, or now. All values are checked first: when one cannot be, none is applied. Does not wait.
    ///
    /// - Throws: `.invalidArgument`, naming the field; `.closed` after close; the kernel's refusal.
    public func setExtraOptions(_ options: UDPExtraOptions) async throws(SocketError) { try apply(options) }

    /// Sets the options that are not nil; as the async form.
    public func setExtraOptions(
        _ options: UDPExtraOptions, completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let result = Result { () throws(SocketError) in try apply(options) }
        driver.complete { completion(result) }
    }

    private func apply(_ options: UDPExtraOptions) throws(SocketError) {
        do throws(Failure) {
            try driver.setOptions(options.checked())
            if let timeout = options.socketTimeout { driver.idleTimeout = timeout == .zero ? nil : timeout }
        } catch {
            throw self.error(error, .setOptions)
        }
    }

    /// The options as they are: what the kernel reports, and our own. Before bind, those of the kernel that were not
    /// set are nil.
    ///
    /// - Throws: `.closed` after close.
    public func getExtraOptions() async throws(SocketError) -> UDPExtraOptions { try readOptions() }

    /// The options as they are; as the async form.
    public func getExtraOptions(completion: @escaping @Sendable (Result<UDPExtraOptions, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try readOptions() }
        driver.complete { completion(result) }
    }

    private func readOptions() throws(SocketError) -> UDPExtraOptions {
        do throws(Failure) {
            return UDPExtraOptions(try driver.readOptions(), idleTimeout: driver.idleTimeout)
        } catch {
            throw self.error(error, .getOptions)
        }
    }
}
