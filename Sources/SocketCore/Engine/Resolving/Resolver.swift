/// Looks names up on threads of its own, since getaddrinfo(3) blocks and cannot be cancelled.
///
/// At most four threads, started when there is work and ended when there is none. Whoever gives up on an answer just
/// stops listening; the look-up ends by itself.
package final class Resolver: Sendable {
    /// An address, and the address that the kernel would send from; nil when it has no route.
    package struct Answer: Sendable {
        package let address: SocketAddress
        package let source: SocketAddress?
    }

    package typealias Completion = @Sendable (Result<[Answer], NameCalls.Failure>) -> Void

    private struct Request: Sendable {
        let name: String
        let family: SocketAddress.Family
        let completion: Completion
    }

    private struct State: ~Copyable {
        var waiting = Ring<Request>()
        var threadCount = 0
    }

    /// The process's resolver.
    package static let shared = Resolver()

    private static let threadLimit = 4
    private let state = Lock(State())

    private init() {}

    /// Looks `name` up for one family; `completion` is called on a resolver thread.
    package func lookUp(_ name: String, _ family: SocketAddress.Family, _ completion: @escaping Completion) {
        let mustStart = state.withLock { state in
            state.waiting.append(Request(name: name, family: family, completion: completion))
            guard state.threadCount < Resolver.threadLimit else { return false }
            state.threadCount += 1
            return true
        }
        guard mustStart else { return }
        if case .failure(let error) = ProcessCalls.startThread("socket-resolver", { [self] in work() }) {
            fail(error)
        }
    }

    private func work() {
        while let request = state.withLock({ state in
            let next = state.waiting.popFirst()
            if next == nil { state.threadCount -= 1 }
            return next
        }) {
            let result = NameCalls.resolve(request.name, request.family)
            request.completion(
                result.map { addresses in
                    addresses.map { Answer(address: $0, source: Resolver.source(for: $0)) }
                })
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
        for request in stranded { request.completion(.failure(.system(error))) }
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
