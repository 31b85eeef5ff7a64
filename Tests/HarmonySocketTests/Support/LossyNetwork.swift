/// A network of its own for a process, that loses everything for 2001:db8::/64 and for its name server: SYNs get no
/// answer, not even that there is no way. Gone with the process.
///
/// 192.0.2.2 is this machine. The hosts file has `dual.test`, at 2001:db8::1 and 192.0.2.2, and `ipv4.test`, at 192.0.2.2
/// alone, whose IPv6 address the name server is asked for in vain, for a second.
enum LossyNetwork {
    static let dead = "2001:db8::1"
    static let own = "192.0.2.2"

    /// Whether this process is in one.
    static var isHere: Bool { ProcessFacts.environment("HARMONY_LOSSY_NETWORK") == "1" }

    /// Whether this machine and its user can make one.
    static var isAvailable: Bool { (try? start(["true"]).waitForEnd()) == 0 }

    /// Runs a test of this program again, alone, in such a network.
    static func rerun(_ test: String) throws -> ChildProcess {
        try start(OwnNetwork.rerunning(test))
    }

    // Frames for a neighbour that is not there go to the other end of the pair, which is not that neighbour.
    private static let setUp = """
        set -e
        ip link set lo up
        ip link add hole type veth peer name far
        ip link set far up
        ip link set hole up
        ip -6 address add 2001:db8::2/64 dev hole nodad
        ip address add 192.0.2.2/24 dev hole
        ip -6 neighbour add 2001:db8::1 lladdr 02:00:00:00:00:01 dev hole nud permanent
        ip neighbour add 192.0.2.53 lladdr 02:00:00:00:00:35 dev hole nud permanent
        replace() {
            file=$(mktemp)
            printf "$2" >"$file"
            mount --bind "$file" "$1" || { rm "$file"; exit 1; }
            rm "$file"
        }
        replace /etc/hosts '127.0.0.1 localhost\\n2001:db8::1 dual.test\\n192.0.2.2 dual.test\\n192.0.2.2 ipv4.test\\n'
        replace /etc/nsswitch.conf 'hosts: files dns\\n'
        replace /etc/resolv.conf 'nameserver 192.0.2.53\\noptions timeout:1 attempts:1\\n'
        HARMONY_LOSSY_NETWORK=1 exec "$@" 2>&1
        """

    private static func start(_ command: [String]) throws -> ChildProcess {
        try OwnNetwork.start(setUp, command)
    }
}
