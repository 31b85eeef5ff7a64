extension Duration {
    /// For people: `0 s`, `48.0 µs`, `0.1 ms`, `5.0 s`.
    var rounded: String {
        if self == .zero { return "0 s" }
        let (amount, unit) =
            switch self {
            case ..<(.microseconds(100)): (self / .microseconds(1), "µs")
            case ..<(.seconds(1)): (self / .milliseconds(1), "ms")
            default: (self / .seconds(1), "s")
            }
        return "\((amount * 10).rounded() / 10) \(unit)"
    }
}

/// The fields of a value that are not nil: `keepAlive: true, userTimeout: 9.0 s`.
func setFields(of value: Any) -> String {
    Mirror(reflecting: value).children.compactMap { label, field in
        let mirror = Mirror(reflecting: field)
        guard let label, mirror.displayStyle != .optional || !mirror.children.isEmpty else { return nil }
        let content = mirror.displayStyle == .optional ? mirror.children.first?.value ?? field : field
        let text = (content as? Duration)?.rounded ?? "\(content)"
        return "\(label): \(text.isEmpty ? "\"\"" : text)"
    }.joined(separator: ", ")
}
