// What is different about stream sockets that are local.
extension StreamDriver {
    /// One read, whatever kind of socket it is.
    @inline(__always)
    func receive(_ number: Int32, into buffer: UnsafeMutableRawBufferPointer) -> SystemResult<Int> {
        guard let local else { return StreamCalls.receive(number, into: buffer) }
        return receive(number, into: buffer, as: local)
    }

    @inline(never)
    private func receive(
        _ number: Int32, into buffer: UnsafeMutableRawBufferPointer, as local: LocalStream
    ) -> SystemResult<Int> {
        var isLost = false
        let result = local.receive(number, into: buffer, isLost: &isLost)
        if isLost {
            withState { state in
                let failure = Failure.descriptorsLost
                state.rare.lastError = failure
                state.outbox.emit(.error(failure, nil))
            }
            requestTurn()
        }
        return result
    }

    /// Whether the end of input has come, without taking anything.
    func peek(_ number: Int32) -> SystemResult<Int> {
        let result = StreamCalls.peek(number)
        // An empty message before others is no end.
        if result == .success(0), local?.keepsBounds == true, (try? StreamCalls.unreadCount(number).get()) ?? 0 > 0 {
            return .success(1)
        }
        return result
    }
}

extension StreamDriver {
    /// Two sockets that are connected to each other.
    package static func localPair(
        _ kind: SocketCalls.Kind, group: EventLoopGroup
    ) throws(Failure) -> (StreamDriver, StreamDriver) {
        switch LocalCalls.pair(kind) {
        case .failure(let error): throw .system(error, .socketPair)
        case .success(let (first, second)): return (localEnd(first, kind, group), localEnd(second, kind, group))
        }
    }

    private static func localEnd(_ number: Int32, _ kind: SocketCalls.Kind, _ group: EventLoopGroup) -> StreamDriver {
        let end = StreamDriver(
            group: group, adopting: OwnedDescriptor(adopting: number), peer: SocketAddress(local: []),
            settings: .standard, local: LocalStream(kind))
        end.tellOpened(.adopted)
        end.startWatchingWhenUsed()
        return end
    }
}

extension LocalStream {
    /// Why such a socket does not send this; nil when it does.
    func refusal(of source: StreamDriver.Source, _ size: Int) -> Failure? {
        if case .urgent = source { return .system(.operationNotSupported, .send) }
        guard keepsBounds else { return nil }
        if size > LocalStream.longestPacket { return .tooLong(limit: LocalStream.longestPacket) }
        if case .parts(let parts) = source, parts.count > StreamCalls.mostParts {
            return .invalidArgument(
                .init("parts", "there are more than the \(StreamCalls.mostParts) that go as one message"))
        }
        return nil
    }
}
