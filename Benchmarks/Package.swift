// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that what the library is compared with never becomes a dependency of the library.
// The C programs use epoll: they build on Linux only. `run` builds and drives everything.

let strict: [CSetting] = [.enableWarning("all"), .enableWarning("extra")]

let package = Package(
    name: "HarmonySocketBenchmarks",
    targets: [
        // The floor every server is held against.
        .executableTarget(name: "epoll-echo-server", dependencies: ["Support"], cSettings: strict),
        // The client side of every scenario.
        .executableTarget(name: "load-generator", dependencies: ["Support"], cSettings: strict),
        // The same two for datagrams: the floors, also one way, and the load of the echo.
        .executableTarget(name: "datagram-loop", dependencies: ["Support"], cSettings: strict),
        .executableTarget(name: "datagram-load", dependencies: ["Support"], cSettings: strict),
        // What those C programs share: errors, numbers and addresses from the command line.
        .target(name: "Support", cSettings: strict),
    ],
    cLanguageStandard: .c11
)
