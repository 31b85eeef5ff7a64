internal import SocketCore

extension NetworkInterface {
    /// Which interface is meant. A literal will do: `"eth0"` is a name, `2` an index.
    ///
    /// ```swift
    /// try await udp.joinGroup("239.1.2.3", on: "eth0")
    /// try await udp.joinGroup("239.1.2.3", on: .address("192.0.2.1"))
    /// ```
    public enum Reference: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
        /// The one that has this name.
        case name(String)
        /// The one that has this index, above zero.
        case index(Int)
        /// The one that has this IP address; the first, if several have it.
        case address(String)

        /// The interface with this name.
        public init(stringLiteral name: String) { self = .name(name) }

        /// The interface with this index.
        public init(integerLiteral index: Int) { self = .index(index) }

        /// The kernel's number for it.
        func resolve() throws(Failure) -> UInt32 {
            switch self {
            case .name(let name):
                guard let index = InterfaceCalls.index(of: name) else {
                    throw Reference.refusal("no interface is called \"\(name)\"")
                }
                return UInt32(index)
            case .index(let index):
                guard let number = Int32(exactly: index), number > 0, InterfaceCalls.name(of: number) != nil else {
                    throw Reference.refusal("no interface has the index \(index)")
                }
                return UInt32(number)
            case .address(let text):
                guard let wanted = try? SocketAddress(parsing: text) else {
                    throw Reference.refusal("\"\(text)\" is not an IP address of an interface")
                }
                let found = try InterfaceInquiry().interfaces().first { interface in
                    wanted.native.scope == 0 || wanted.native.scope == interface.index
                        ? interface.addresses.contains { $0.address.unscoped == wanted.unscoped } : false
                }
                guard let found else { throw Reference.refusal("no interface has the address \(text)") }
                return found.index
            }
        }

        private static func refusal(_ problem: String) -> Failure { .invalidArgument(.init("interface", problem)) }
    }

    /// This interface, for calls that want to know which one.
    public var reference: Reference { .index(index) }
}
