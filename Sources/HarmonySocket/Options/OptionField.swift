package import SocketCore

/// One field of an options struct that the kernel keeps: its range, and how it is told to the kernel and read back.
struct OptionField<Options: Sendable>: Sendable {
    typealias Path<Value> = any WritableKeyPath<Options, Value?> & Sendable

    let option: KernelOption
    /// The kernel's value for a field, nil for a field that is nil; throws when the field's value cannot be.
    let encode: @Sendable (Options) throws(Failure) -> Int32?
    /// Fills the field with the kernel's value.
    let decode: @Sendable (Int32, inout Options) -> Void

    /// On or off.
    static func flag(_ path: Path<Bool>, _ option: KernelOption) -> OptionField {
        OptionField(option: option) { options in
            options[keyPath: path].map { $0 ? 1 : 0 }
        } decode: { value, options in
            options[keyPath: path] = value != 0
        }
    }

    /// A number of the given range; `unit` is for the error.
    static func number(
        _ path: Path<Int>, _ option: KernelOption, _ range: ClosedRange<Int32>, _ unit: String = ""
    ) -> OptionField {
        OptionField(option: option) { options throws(Failure) in
            guard let value = options[keyPath: path] else { return nil }
            guard let native = Int32(exactly: value), range.contains(native) else {
                let problem = "\(value) is not between \(range.lowerBound) and \(range.upperBound)\(unit)"
                throw .invalidArgument(.init(option.rawValue, problem))
            }
            return native
        } decode: { value, options in
            options[keyPath: path] = Int(value)
        }
    }

    /// A time that the kernel counts in units; a part of a unit counts as one.
    static func time(
        _ path: Path<Duration>, _ option: KernelOption, _ unit: Duration, _ range: ClosedRange<Int32>
    ) -> OptionField {
        let bounds = unit * Int(range.lowerBound)...unit * Int(range.upperBound)
        return OptionField(option: option) { options throws(Failure) in
            guard let value = options[keyPath: path] else { return nil }
            guard bounds.contains(value) else {
                let problem = "\(value) is not between \(bounds.lowerBound) and \(bounds.upperBound)"
                throw .invalidArgument(.init(option.rawValue, problem))
            }
            let whole = Int32(value / unit)
            return unit * Int(whole) < value ? whole + 1 : whole
        } decode: { value, options in
            options[keyPath: path] = unit * Int(value)
        }
    }

    /// The name of a network interface, which the kernel knows by number; empty is any.
    static func interface(_ path: Path<String>, _ option: KernelOption) -> OptionField {
        OptionField(option: option) { options throws(Failure) in
            guard let name = options[keyPath: path] else { return nil }
            if name.isEmpty { return 0 }
            guard let index = InterfaceCalls.index(of: name) else {
                throw .invalidArgument(.init(option.rawValue, "no interface is called \(name)"))
            }
            return index
        } decode: { value, options in
            options[keyPath: path] = value == 0 ? "" : InterfaceCalls.name(of: value)
        }
    }
}

extension KernelOptions {
    /// The fields of `options` that are not nil.
    init<Options>(_ options: Options, _ fields: [OptionField<Options>]) throws(Failure) {
        self.init()
        for field in fields {
            guard let value = try field.encode(options) else { continue }
            guard field.option.isAvailable else { throw .option(field.option, .optionNotAvailable) }
            self[field.option] = value
        }
    }

    /// Fills the fields of `options` that are in here.
    func fill<Options>(_ options: inout Options, _ fields: [OptionField<Options>]) {
        for field in fields {
            if let value = self[field.option] { field.decode(value, &options) }
        }
    }
}

/// Checks that TCP and UDP options share.
package enum OptionCheck {
    /// A time-out, if there is one.
    package static func timeout(_ value: Duration?, _ field: String) throws(Failure) {
        guard let value, value < .zero else { return }
        throw .invalidArgument(.init(field, "\(value) is negative"))
    }
}
