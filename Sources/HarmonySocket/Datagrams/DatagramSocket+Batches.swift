internal import SocketCore

// Many datagrams with few calls: recvmmsg(2), and receive offload (udp(7), UDP_GRO) where the kernel has it.
extension DatagramSocket {
    /// The datagrams that have arrived, at least one and at most `limit`, which is 1 or more: what one look at the kernel
    /// brings, up to 32 or, where it hands over trains of datagrams, up to many more. Waits only when none has arrived.
    ///
    /// ```swift
    /// for datagram in try await udp.receiveBatch(timeout: .seconds(1)) { print(datagram.message.count) }
    /// ```
    ///
    /// - Throws: As `receive`; `.invalidArgument` for a limit below 1.
    ///
    /// ## Cancellation
    /// As of `receive`.
    public func receiveBatch(
        upTo limit: Int = 1024, timeout: Duration? = nil
    ) async throws(SocketError) -> [SocketMessageInfo] {
        do throws(Failure) {
            return try await driver.receive(try DatagramHandle.wish(limit), timeout: timeout).map(
                SocketMessageInfo.init)
        } catch {
            throw self.error(error, .receive)
        }
    }

    /// The datagrams that have arrived; as the async form.
    public func receiveBatch(
        upTo limit: Int = 1024, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<[SocketMessageInfo], SocketError>) -> Void
    ) {
        do throws(Failure) {
            let handler = DatagramsCompletion { [datagrams] _, result in
                completion(
                    result.map { $0.map(SocketMessageInfo.init) }.mapError { datagrams.error($0, .receive) })
            }
            driver.receive(try DatagramHandle.wish(limit), timeout: timeout, handler)
        } catch {
            let failure = self.error(error, .receive)
            driver.complete { completion(.failure(failure)) }
        }
    }

    /// The datagrams that arrive, batch by batch, until the socket is closed: as many in each as had arrived.
    ///
    /// ```swift
    /// for try await batch in udp.messageBatches {
    ///     try await udp.send(batch: batch.map { ($0.message, to: $0.remoteInfo) })
    /// }
    /// ```
    public var messageBatches: DatagramBatches { DatagramBatches(socket: datagrams, owner: self) }
}

/// The datagrams of a socket, batch by batch, until it is closed.
///
/// ## Cancellation
/// A cancelled iteration throws `.cancelled`, and leaves the socket and its datagrams to the next reader.
public struct DatagramBatches: AsyncSequence, Sendable {
    /// Datagrams that had arrived together. Never empty.
    public typealias Element = [SocketMessageInfo]
    /// What iterating throws.
    public typealias Failure = SocketError

    let socket: DatagramHandle
    // Iterated it stays open.
    let owner: any DatagramSocket

    /// Starts an iteration. Two iterations of one socket share its datagrams.
    public func makeAsyncIterator() -> Iterator { Iterator(socket: socket, owner: owner) }

    /// Takes one batch after the other.
    public struct Iterator: AsyncIteratorProtocol {
        let socket: DatagramHandle
        let owner: any DatagramSocket

        /// The next batch; nil when the socket is closed.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(SocketError) -> [SocketMessageInfo]? {
            try await socket.next(.batch(1024, hearsErrors: false))?.map(SocketMessageInfo.init)
        }
    }
}
