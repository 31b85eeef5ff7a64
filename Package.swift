// swift-tools-version: 6.2

import PackageDescription

// Calls of a nonisolated async function stay on the caller's executor: the engine's promise of "no thread hop"
// depends on it, and turning it on later would change what existing code means.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

func example(_ name: String, and dependencies: Target.Dependency..., resources: [Resource]? = nil) -> Target {
    .executableTarget(
        name: name,
        dependencies: ["HarmonySocket", "ExampleSupport"] + dependencies,
        path: "Examples/\(name)",
        resources: resources,
        swiftSettings: settings
    )
}

let package = Package(
    name: "HarmonySocket",
    platforms: [.macOS(.v15), .iOS(.v18), .tvOS(.v18), .watchOS(.v11), .visionOS(.v2)],
    products: [
        .library(name: "HarmonySocket", targets: ["HarmonySocket"]),
        // These need more than the toolchain: the system's OpenSSL 3, and zlib for WebSockets.
        .library(name: "HarmonyTLS", targets: ["HarmonyTLS"]),
        .library(name: "HarmonyWebSocket", targets: ["HarmonyWebSocket"]),
    ],
    targets: [
        .target(name: "CSocketShims"),
        .target(name: "SocketCore", dependencies: ["CSocketShims"], swiftSettings: settings),
        .target(name: "HarmonySocket", dependencies: ["SocketCore"], swiftSettings: settings),
        .systemLibrary(
            name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
        .target(
            name: "HarmonyTLS", dependencies: ["HarmonySocket", "SocketCore", "COpenSSL"], swiftSettings: settings),
        .systemLibrary(
            name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
        .target(
            name: "HarmonyWebSocket", dependencies: ["HarmonySocket", "HarmonyTLS", "SocketCore", "CZlib"],
            swiftSettings: settings),
        .target(
            name: "ExampleSupport", dependencies: ["HarmonySocket"], path: "Examples/Support",
            swiftSettings: settings),
        example("quickstart"),
        example("tcp-echo-server"),
        example("tcp-client"),
        example("udp-echo-server"),
        example("udp-client"),
        example("udp-meter"),
        example("chat-server"),
        example("line-server"),
        example("http-get", and: "HarmonyTLS"),
        example("tls-client", and: "HarmonyTLS"),
        example("tls-echo-server", and: "HarmonyTLS"),
        example("starttls-chat", and: "HarmonyTLS"),
        example("port-forwarder"),
        example("file-send"),
        example("file-receive"),
        example("local-rpc"),
        example("interfaces"),
        example("discover"),
        example("ws-echo-server", and: "HarmonyTLS", "HarmonyWebSocket"),
        example("ws-client", and: "HarmonyWebSocket"),
        example("dashboard", and: "HarmonyWebSocket", resources: [.embedInCode("page.html")]),
        .testTarget(name: "SocketCoreTests", dependencies: ["SocketCore"], swiftSettings: settings),
        .testTarget(
            name: "HarmonySocketTests", dependencies: ["HarmonySocket"], swiftSettings: settings),
        .testTarget(
            name: "HarmonyTLSTests", dependencies: ["HarmonyTLS"], swiftSettings: settings),
        .testTarget(
            name: "HarmonyWebSocketTests", dependencies: ["HarmonyTLS", "HarmonyWebSocket"], swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c11
)
