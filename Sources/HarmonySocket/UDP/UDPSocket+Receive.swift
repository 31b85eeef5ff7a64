internal import SocketCore

extension UDPSocket {
    /// The next datagram (recvmsg(2)). An empty one is a datagram. A `timeout` of nil waits without end; zero does not
    /// wait.
    ///
    /// ```swift
    /// let datagram = try await udp.receive(timeout: .seconds(1))
    /// try await udp.send(datagram.message, to: datagram.remoteInfo)
    /// ```
    ///
    /// - Throws: `.timedOut`; `.cancelled`; `.invalidState` before bind and the first send, or while a message listener
    ///   exists; `.closed` after close; `.aborted` when the socket is closed meanwhile.
    ///
    /// ## Cancellation
    /// A cancelled or timed-out receive leaves the socket open, and its datagrams to the next reader.
    public func receive(timeout: Duration? = nil) async throws(SocketError) -> SocketMessageInfo {
        do throws(Failure) {
            return SocketMessageInfo(try await driver.receive(timeout: timeout))
        } catch {
            throw self.error(error, .receive)
        }
    }

    /// The next datagram; as the async form.
    public func receive(
        timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<SocketMessageInfo, SocketError>) -> Void
    ) {
        driver.receive(timeout: timeout) { [self] result in
            completion(result.map(SocketMessageInfo.init).mapError { error($0, .receive) })
        }
    }

    /// The datagrams that arrive, until the socket is closed. What the loop is too slow for waits in the kernel's
    /// buffer, which drops what does not fit.
    ///
    /// ```swift
    /// for try await datagram in udp.messages {
    ///     try await udp.send(datagram.message, to: datagram.remoteInfo)
    /// }
    /// ```
    public var messages: DatagramMessages { DatagramMessages(socket: self) }
}

/// The datagrams of a socket, one by one, until it is closed.
///
/// ## Cancellation
/// A cancelled iteration throws `.cancelled`, and leaves the socket and its datagrams to the next reader.
public struct DatagramMessages: AsyncSequence, Sendable {
    /// One datagram.
    public typealias Element = SocketMessageInfo
    /// What iterating throws.
    public typealias Failure = SocketError

    let socket: UDPSocket

    /// Starts an iteration. Two iterations of one socket share its datagrams.
    public func makeAsyncIterator() -> Iterator { Iterator(socket: socket) }

    /// Takes one datagram after the other.
    public struct Iterator: AsyncIteratorProtocol {
        let socket: UDPSocket

        /// The next datagram; nil when the socket is closed.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(SocketError) -> SocketMessageInfo? {
            do throws(SocketCore.Failure) {
                return SocketMessageInfo(try await socket.driver.receive(timeout: nil))
            } catch .closed {
                return nil
            } catch .aborted {
                return nil
            } catch {
                throw socket.error(error, .receive)
            }
        }
    }
}

extension SocketMessageInfo {
    init(_ datagram: DatagramDriver.Datagram) {
        self.init(datagram.bytes, from: datagram.source, isTruncated: datagram.isTruncated)
    }
}
