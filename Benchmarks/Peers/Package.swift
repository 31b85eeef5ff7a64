// swift-tools-version: 6.2
import PackageDescription

// What HarmonySocket is compared with, as programs for `run`: a package of its own, so that whoever measures only ours has
// nothing to fetch and to build. Versions are exact; those of what these depend on are in Package.resolved.

let package = Package(
    name: "HarmonySocketPeers",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/swhitty/FlyingFox", exact: "0.27.1"),
    ],
    targets: [
        .executableTarget(
            name: "nio-peer",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOWebSocket", package: "swift-nio"),
            ]),
        .executableTarget(
            name: "flying-peer",
            dependencies: [
                .product(name: "FlyingSocks", package: "FlyingFox"), .product(name: "FlyingFox", package: "FlyingFox"),
            ]),
    ],
    swiftLanguageModes: [.v6]
)
