internal import SocketCore

extension StreamServer where Self: InternetSocket {
    /// Sets options of the listening socket, which the connections that are accepted from then on inherit. Fields that
    /// are nil stay as they are; all values are checked before one is applied. `socketLinger` and `socketTimeout` are
    /// for the connections alone.
    ///
    /// - Throws: `.invalidArgument`; `.notSupported` for an option that the system or the socket does not have;
    ///   `.invalidState` for one that had to be set before `listen`; `.permissionDenied` and other refusals of the
    ///   kernel. Of all these, `field` is the name. `.closed` after close.
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
            try driver.setOptions(options.checked(for: .server)) { options.apply(to: &$0) }
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
        do throws(Failure) {
            let (kernel, settings) = try driver.readOptions()
            return TCPExtraOptions(kernel, settings, of: .server)
        } catch {
            throw self.error(error, .getOptions)
        }
    }
}
