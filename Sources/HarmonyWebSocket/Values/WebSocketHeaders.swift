/// The header fields of a handshake, in their order. Names differ by their letters, not by the case of those.
///
/// ```swift
/// var headers: WebSocketHeaders = ["Authorization": "Bearer 1234"]
/// headers.append("Cookie", "a=1")
/// print(headers["authorization"] ?? "none", headers.count)
/// ```
public struct WebSocketHeaders: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    /// One field.
    public struct Field: Sendable, Hashable {
        /// The name, as it was written.
        public let name: String
        /// The value, without space around it.
        public let value: String
    }

    private var fields: [Field] = []

    /// No fields.
    public init() {}

    /// No fields yet, and room for so many.
    init(capacity: Int) { fields.reserveCapacity(capacity) }

    /// Fields in this order.
    public init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { append(name, value) }
    }

    /// Adds a field behind the others; one of the same name stays.
    public mutating func append(_ name: String, _ value: String) { fields.append(Field(name: name, value: value)) }

    /// The value of the first field of this name; nil without one. Setting replaces all fields of the name.
    public subscript(name: String) -> String? {
        get { fields.first { $0.name.isSameName(as: name) }?.value }
        set {
            fields.removeAll { $0.name.isSameName(as: name) }
            if let newValue { append(name, newValue) }
        }
    }

    /// The values of all fields of this name.
    public func values(_ name: String) -> [String] { fields.filter { $0.name.isSameName(as: name) }.map(\.value) }

    /// The members of the comma-separated lists that the fields of this name are, without empty ones.
    func list(_ name: String) -> [Substring] {
        values(name).flatMap { value in
            value.split(separator: ",").map { $0.trimmed }.filter { !$0.isEmpty }
        }
    }
}

extension WebSocketHeaders: RandomAccessCollection {
    /// The first place.
    public var startIndex: Int { 0 }
    /// The place behind the last field.
    public var endIndex: Int { fields.count }
    /// The field at a place.
    public subscript(position: Int) -> Field { fields[position] }
}

extension StringProtocol {
    /// Whether two names of header fields, hosts or tokens are the same: ASCII letters without regard to case.
    func isSameName(as other: some StringProtocol) -> Bool {
        utf8.count == other.utf8.count && zip(utf8, other.utf8).allSatisfy { $0.asciiLowercased == $1.asciiLowercased }
    }
}

extension Substring {
    /// Without space around it.
    var trimmed: Substring {
        let start = drop { $0 == " " || $0 == "\t" }
        guard let end = start.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return start }
        return start[...end]
    }
}

extension UInt8 {
    fileprivate var asciiLowercased: UInt8 { (0x41...0x5A).contains(self) ? self | 0x20 : self }
}
