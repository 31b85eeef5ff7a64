internal import SocketCore

extension StreamSocket {
    /// Sets the options that are not nil, at any time before close: those for the kernel are given to it when the
    /// socket gets its descriptor, or now.
    ///
    /// All are checked first: when one is refused, none is applied.
    ///
    /// - Throws: `.invalidArgument`, naming the field; `.closed` after close; the kernel's refusal.
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
            try options.check()
            try stream.driver.setOptions(options.kernelOptions) { options.apply(to: &$0) }
        } catch {
            throw stream.error(error, .setOptions)
        }
    }

    /// The options as they are: what the kernel reports, and our own. Before the socket has a descriptor, those that
    /// were set; the others are nil.
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
            return TCPExtraOptions(kernel, settings)
        } catch {
            throw stream.error(error, .getOptions)
        }
    }
}
