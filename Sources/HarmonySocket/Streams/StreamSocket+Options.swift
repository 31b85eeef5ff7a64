internal import SocketCore

extension StreamSocket where Self: InternetSocket {
    /// Sets the options that are not nil, at any time before close: those for the kernel are given to it when the
    /// socket gets its descriptor, or now.
    ///
    /// All values are checked first: when one cannot be, none is applied. Does not wait.
    ///
    /// - Throws: `.invalidArgument`; `.notSupported` for an option that the system or the socket does not have;
    ///   `.invalidState` for one that had to be set before `bind` or `connect`; `.permissionDenied` and other refusals
    ///   of the kernel (setsockopt(2)), which leave those that it took before in place. Of all these, `field` is the
    ///   name. `.closed` after close.
    public func setExtraOptions(_ options: TCPExtraOptions) async throws(SocketError) { try apply(options) }

    /// Sets the options that are not nil; as the async form.
    public func setExtraOptions(
        _ options: TCPExtraOptions, completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let result = Result { () throws(SocketError) in try apply(options) }
        stream.driver.complete { completion(result) }
    }

    private func apply(_ options: TCPExtraOptions) throws(SocketError) {
        do throws(Failure) {
            try stream.driver.setOptions(options.checked(for: .connection)) { options.apply(to: &$0) }
        } catch {
            throw stream.error(error, .setOptions)
        }
    }

    /// The options as they are: what the kernel reports (getsockopt(2)), and our own, `socketLinger` and
    /// `socketTimeout`. Before the socket has a descriptor, those of the kernel that were not set are nil.
    ///
    /// - Throws: `.closed` after close.
    public func getExtraOptions() async throws(SocketError) -> TCPExtraOptions { try readOptions() }

    /// The options as they are; as the async form.
    public func getExtraOptions(completion: @escaping @Sendable (Result<TCPExtraOptions, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try readOptions() }
        stream.driver.complete { completion(result) }
    }

    private func readOptions() throws(SocketError) -> TCPExtraOptions {
        do throws(Failure) {
            let (kernel, settings) = try stream.driver.readOptions()
            return TCPExtraOptions(kernel, settings, of: .connection)
        } catch {
            throw stream.error(error, .getOptions)
        }
    }
}
