internal import SocketCore

/// The address of a local socket, as OpenHarmony's LocalAddress: a path, an abstract name, or none (unix(7)).
///
/// Nothing is checked here; the call that uses it says what is wrong with it, before it opens anything. Nothing is ever
/// cut: what is too long is refused.
///
/// ```swift
/// let file = LocalAddress("/run/user/1000/editor.socket")
/// let name = LocalAddress.abstract("editor")  // Linux alone; no file, and nothing to clean up
/// ```
public struct LocalAddress: Sendable, Hashable, Codable {
    /// What kinds there are.
    public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        /// A socket file.
        case path
        /// A name of this machine (on Linux: of the network namespace) that is in no file system.
        case abstract
        /// None, as that of a client that did not bind.
        case unnamed
    }

    /// Which kind it is.
    public let kind: Kind

    /// The bytes of the path, or of the abstract name without the zero before it. A path need not be UTF-8.
    public let bytes: [UInt8]

    private init(_ kind: Kind, _ bytes: [UInt8]) {
        self.kind = kind
        self.bytes = bytes
    }

    /// A path: at most 107 bytes on Linux, 103 on Apple systems; a relative one counts from where the process is.
    public init(_ path: String) { self.init(.path, Array(path.utf8)) }

    /// A path of any bytes but zeros.
    public init(path bytes: [UInt8]) { self.init(.path, bytes) }

    /// An abstract name of exactly these characters, as UTF-8: at most 107 bytes. Linux alone.
    public static func abstract(_ name: String) -> LocalAddress { abstract(Array(name.utf8)) }

    /// An abstract name of exactly these bytes, zeros included. Another program meets it only with the same length.
    public static func abstract(_ name: [UInt8]) -> LocalAddress { LocalAddress(.abstract, name) }

    /// No name.
    public static let unnamed = LocalAddress(.unnamed, [])

    /// The path as text, as OpenHarmony's field; of an abstract name `@` and the name, and of none nothing.
    public var address: String {
        switch kind {
        case .path: String(decoding: bytes, as: UTF8.self)
        case .abstract: "@" + String(decoding: bytes, as: UTF8.self)
        case .unnamed: ""
        }
    }
}

extension LocalAddress: ExpressibleByStringLiteral {
    /// A path.
    public init(stringLiteral path: String) { self.init(path) }
}

extension LocalAddress: CustomStringConvertible {
    /// `/run/editor.socket`, `@editor` or `(unnamed)`.
    public var description: String { kind == .unnamed ? "(unnamed)" : address }
}

extension LocalAddress {
    init(_ core: SocketAddress) {
        switch core.name {
        case nil: self = .unnamed
        case .some(let name): self = name.first == 0 ? .abstract(Array(name.dropFirst())) : LocalAddress(path: name)
        }
    }

    /// The name as the kernel takes it.
    func literal() throws(Failure) -> SocketAddress {
        let isAbstract = kind == .abstract
        let name = isAbstract ? [0] + bytes : bytes
        let longest = SocketAddress.longestName(isAbstract: isAbstract)
        let problem: String? =
            if kind == .unnamed {
                "it has no name"
            } else if bytes.isEmpty {
                "it is empty"
            } else if name.count > longest {
                "it has \(bytes.count) bytes, \(longest - (isAbstract ? 1 : 0)) are the most"
            } else if kind == .path, bytes.contains(0) {
                "it contains a NUL"
            } else if isAbstract, !SocketAddress.hasAbstractNames {
                "this system has no abstract names"
            } else {
                nil
            }
        if let problem { throw .invalidArgument(.init("address", problem)) }
        return SocketAddress(local: name)
    }
}
