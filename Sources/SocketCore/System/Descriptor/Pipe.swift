internal import CSocketShims

/// A pipe through which splice(2) moves bytes from one socket to another without copying them. Both ends close with it.
package final class Pipe: Sendable {
    /// How many bytes a pipe is asked to hold: what a relay keeps of a stream whose reader has stalled.
    package static let capacity = 256 * 1024
    /// With less it is cheaper to copy. The system gives less to a user who has many pipes.
    private static let leastCapacity = 64 * 1024

    private let reader: OwnedDescriptor
    private let writer: OwnedDescriptor

    private init(reader: consuming OwnedDescriptor, writer: consuming OwnedDescriptor) {
        self.reader = reader
        self.writer = writer
    }

    /// An empty pipe; nil where the system has no splice(2), no descriptor, or no room.
    package static func make() -> Pipe? {
        var ends: (Int32, Int32) = (-1, -1)
        let room = withUnsafeMutableBytes(of: &ends) {
            outcome(csocket_pipe($0.assumingMemoryBound(to: Int32.self).baseAddress, Int32(capacity)))
        }
        guard case .success(let room) = room else { return nil }
        let pipe = Pipe(reader: OwnedDescriptor(adopting: ends.0), writer: OwnedDescriptor(adopting: ends.1))
        return room < leastCapacity ? nil : pipe
    }

    /// splice(2) from a socket. Zero is the end of input. That it moved less than asked says nothing about what is left;
    /// `.wouldBlock` of an empty pipe says that the socket has nothing.
    package func fill(from socket: Int32) -> SystemResult<Int> {
        uninterrupted { csocket_splice(socket, writer.number, Pipe.capacity) }
    }

    /// splice(2) to a socket. `.wouldBlock` of a pipe that holds bytes says that the socket has no room. Raises SIGPIPE,
    /// which the threads of the SDK block.
    package func empty(into socket: Int32, upTo count: Int) -> SystemResult<Int> {
        uninterrupted { csocket_splice(reader.number, socket, count) }
    }
}
