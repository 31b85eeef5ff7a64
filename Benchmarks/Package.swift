// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that what measures the library is no part of it. What it is compared with is in yet another, Peers:
// so nothing has to be fetched to measure ours. The programs use epoll: they build on Linux only. `run` builds and drives all.

let strict: [CSetting] = [.enableWarning("all"), .enableWarning("extra")]

let openSSL: [LinkerSetting] = [.linkedLibrary("ssl"), .linkedLibrary("crypto")]

let package = Package(
    name: "HarmonySocketBenchmarks",
    dependencies: [.package(name: "HarmonySocket", path: "..")],
    targets: [
        // The floors that everything is held against: a server, a client, and both for datagrams.
        .executableTarget(name: "epoll-echo-server", dependencies: ["Support"], cSettings: strict),
        .executableTarget(name: "blocking-client", dependencies: ["Support"], cSettings: strict),
        .executableTarget(name: "datagram-loop", dependencies: ["Support"], cSettings: strict),
        // The other side of servers: the scenarios, and what runs them over TCP.
        .target(name: "Load", dependencies: ["Support"], cSettings: strict),
        .executableTarget(name: "load-generator", dependencies: ["Load"], cSettings: strict),
        // The floor and the other side with TLS. Only these need the headers of OpenSSL 3 (Debian: libssl-dev).
        .executableTarget(
            name: "epoll-tls-server", dependencies: ["Support"], cSettings: strict, linkerSettings: openSSL),
        .executableTarget(
            name: "tls-load-generator", dependencies: ["Load"], cSettings: strict, linkerSettings: openSSL),
        // What those C programs share.
        .target(name: "Support", cSettings: strict),
        // What masking a WebSocket's payload takes, with the library's own source.
        .executableTarget(name: "mask"),
        // The hot paths of the library, one at a time: what the guard counts, and our side of the ping-pong.
        .executableTarget(
            name: "hot-paths",
            dependencies: [
                .product(name: "HarmonySocket", package: "HarmonySocket"),
                .product(name: "HarmonyWebSocket", package: "HarmonySocket"),
            ],
            swiftSettings: [.enableUpcomingFeature("NonisolatedNonsendingByDefault")],
            // Without debug information, which valgrind does not understand as this compiler writes it.
            linkerSettings: [.unsafeFlags(["-Xlinker", "--strip-debug"])]
        ),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c11
)
