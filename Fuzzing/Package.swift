// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that what attacks the library is no part of it. `run` builds it, with the compiler's options that
// make a fuzzer of it, and drives it.

let package = Package(
    name: "HarmonySocketFuzzing",
    dependencies: [.package(name: "HarmonySocket", path: "..")],
    targets: [
        // What Swift cannot say: counters that libFuzzer looks at, and random numbers for OpenSSL that repeat.
        .target(name: "Guidance", dependencies: [.product(name: "HarmonyTLS", package: "HarmonySocket")]),
        // All targets in one program; libFuzzer brings its main function.
        .executableTarget(
            name: "fuzz",
            dependencies: [
                "Guidance",
                .product(name: "HarmonySocket", package: "HarmonySocket"),
                .product(name: "HarmonyTLS", package: "HarmonySocket"),
                .product(name: "HarmonyWebSocket", package: "HarmonySocket"),
            ]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c11
)
