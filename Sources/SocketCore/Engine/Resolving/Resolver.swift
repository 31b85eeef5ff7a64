/// Looks names up on threads of its own, since getaddrinfo(3) blocks and cannot be cancelled.
///
/// At most four threads, started when there is work and ended when there is none. Whoever gives up on an answer cancels
/// the look-up: one that has begun ends by itself, one that has not never begins.
package final class Resolver: Sendable {
    /// An address, and the address that the kernel would send from; nil when it has no route.
    package struct Answer: Sendable {
        package let address: SocketAddress
        package let source: SocketAddress?

        /// Asks the kernel for the source. Does not wait.
        init(_ address: SocketAddress) {
            self.address = address
            source = Answer.source(for: address)
        }

        /// The source address for RFC 6724: connect(2) on a datagram socket chooses one and sends nothing.
        private static func source(for address: SocketAddress) -> SocketAddress? {
            guard let family = address.family, case .success(let probe) = SocketCalls.open(family, .datagram) else {
                return nil
            }
            var target = address
            target.port = 9
            guard case .success = SocketCalls.connect(probe.number, to: target) else { return nil }
            return try? SocketCalls.localAddress(probe.number).get()
        }
    }

    private struct Request: Sendable {
        let name: String
        let family: SocketAddress.Family
        let lookUp: LookUp
    }

    private struct State: ~Copyable {
        var waiting = Ring<Request>()
        var threadCount = 0
    }

    /// The process's resolver.
    package static let shared = Resolver()

    private static let threadLimit = 4
    private let state = Lock(State())
    private let resolve: @Sendable (String, SocketAddress.Family) -> Result<[SocketAddress], NameCalls.Failure>

    /// A resolver with threads of its own. `resolve` blocks them.
    package init(
        resolve: @escaping @Sendable (String, SocketAddress.Family) -> Result<[SocketAddress], NameCalls.Failure> = {
            NameCalls.resolve($0, $1)
        }
    ) {
        self.resolve = resolve
    }

    /// Looks `name` up for one family; `completion` is called on a resolver thread.
    @discardableResult
    package func lookUp(
        _ name: String, _ family: SocketAddress.Family, _ completion: @escaping LookUp.Completion
    ) -> LookUp {
        let lookUp = LookUp(completion)
        let mustStart = state.withLock { state in
            state.waiting.append(Request(name: name, family: family, lookUp: lookUp))
            guard state.threadCount < Resolver.threadLimit else { return false }
            state.threadCount += 1
            return true
        }
        if mustStart, case .failure(let error) = ProcessCalls.startThread("socket-resolver", { [self] in work() }) {
            fail(error)
        }
        return lookUp
    }

    private func work() {
        while let request = state.withLock({ state in
            let next = state.waiting.popFirst()
            if next == nil { state.threadCount -= 1 }
            return next
        }) {
            guard request.lookUp.isWanted else { continue }
            request.lookUp.complete(resolve(request.name, request.family).map { $0.map(Answer.init) })
        }
    }

    /// No thread could be started. Another one may be running and will serve the queue; without one, all of it fails.
    private func fail(_ error: SystemError) {
        let stranded = state.withLock { state in
            state.threadCount -= 1
            var stranded: [Request] = []
            while state.threadCount == 0, let request = state.waiting.popFirst() { stranded.append(request) }
            return stranded
        }
        for request in stranded { request.lookUp.complete(.failure(.system(error))) }
    }
}
