import HarmonySocket
import Testing

/// Two hosts on one machine, for a process: its own network, with the interface `near`, and another one at the far end of the
/// cable, with the interface `far`. Both have IPv4 and IPv6 addresses. Gone with the process.
enum TwoHosts {
    /// The addresses of this host: the first is the one that it sends from unless told otherwise.
    static func near(_ family: Loopback) -> [String] {
        family == .ipv4 ? ["192.0.2.1", "192.0.2.3"] : ["2001:db8::1", "2001:db8::3"]
    }

    /// The address of the other host.
    static func far(_ family: Loopback) -> String { family == .ipv4 ? "192.0.2.2" : "2001:db8::2" }

    /// Whether this process is one of the two.
    static var isHere: Bool { ProcessFacts.environment("HARMONY_TWO_HOSTS") == "1" }

    /// Whether this machine and its user can make them.
    static let isAvailable = (try? start(["true"]).waitForEnd()) == 0

    /// Runs tests of this program again, on this host.
    static func rerun(_ tests: String) throws -> ChildProcess { try start(OwnNetwork.rerunning(tests)) }

    /// Makes an asynchronous call, in its form with a handler, on a thread of the other host: the sockets that it opens and the
    /// interfaces that it names are that host's. Sockets stay there, whoever uses them later.
    ///
    /// A thread begins in the network of the one that starts it, so none may be started from there: no loop's, and none of
    /// Swift's pool by resuming a task.
    @discardableResult
    static func onFar<Value: Sendable>(
        _ call: @escaping @Sendable (@escaping @Sendable (Result<Value, SocketError>) -> Void) -> Void
    ) async throws -> Value {
        let outcome = Outcome<Result<Value, SocketError>>()
        try await blocking {
            for loop in SocketEventLoopGroup.shared.loops { loop.execute {} }
            try enterNetwork("/run/far")
            call { outcome.set(.success($0)) }
            // That of the first thread, which never leaves this host.
            try enterNetwork("/proc/self/ns/net")
        }
        return try await within(.seconds(10), "a call on the other host") { try await outcome.value }.get()
    }

    /// A socket of the other host, bound to all of its addresses. A port that is given is shared.
    static func farSocket(_ family: Loopback, port: Int = 0) async throws -> (socket: UDPSocket, port: Int) {
        let socket = UDPSocket()
        try await socket.setExtraOptions(UDPExtraOptions(reuseAddress: true))
        try await onFar { socket.bind(NetAddress(family.wildcard, port: port), completion: $0) }
        return (socket, try await socket.getLocalAddress().port)
    }

    // Nothing is checked for duplicates: IPv6 addresses can be used at once. The far network has a file, as long as the mounts
    // of this process live.
    private static let setUp = """
        set -e
        mount -t tmpfs none /run
        echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
        : >/run/far
        unshare --net=/run/far sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad'
        ip link add near type veth peer name far netns /run/far
        ip link set lo up
        ip link set near up
        ip address add 192.0.2.1/24 broadcast 192.0.2.255 dev near
        ip address add 192.0.2.3/24 broadcast 192.0.2.255 dev near
        ip address add 2001:db8::3/64 dev near nodad
        ip address add 2001:db8::1/64 dev near nodad
        ip route add 224.0.0.0/4 dev near
        ip route add 255.255.255.255/32 dev near
        ip -6 route add multicast ff00::/8 dev lo table local metric 2000
        nsenter --net=/run/far sh -c '
            set -e
            ip link set lo up
            ip link set far up
            ip address add 192.0.2.2/24 broadcast 192.0.2.255 dev far
            ip address add 2001:db8::2/64 dev far nodad
            ip route add 224.0.0.0/4 dev far'
        HARMONY_TWO_HOSTS=1 exec "$@" 2>&1
        """

    private static func start(_ command: [String]) throws -> ChildProcess { try OwnNetwork.start(setUp, command) }
}
