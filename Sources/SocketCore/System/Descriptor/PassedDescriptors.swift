/// Descriptors on their way from one process to another: closed with this object, unless somebody takes them.
package final class PassedDescriptors: Sendable {
    /// The kernel's numbers, as long as this object lives and nobody takes them.
    package let numbers: [Int32]
    private let isTaken = Lock(false)

    /// Takes over `numbers`, which nobody else closes from here on.
    package init(adopting numbers: [Int32]) { self.numbers = numbers }

    /// The same open files under other numbers, so that the caller may close its own.
    package static func duplicating(_ originals: [Int32]) -> SystemResult<PassedDescriptors> {
        var copies: [Int32] = []
        for original in originals {
            switch FileCalls.duplicate(original) {
            case .success(let copy): copies.append(copy.relinquish())
            case .failure(let error):
                _ = PassedDescriptors(adopting: copies)
                return .failure(error)
            }
        }
        return .success(PassedDescriptors(adopting: copies))
    }

    /// Gives the numbers to the caller, who closes them; none the second time.
    package func take() -> [Int32] {
        let wasTaken = isTaken.withLock { isTaken in
            defer { isTaken = true }
            return isTaken
        }
        return wasTaken ? [] : numbers
    }

    deinit {
        for number in take() { _ = OwnedDescriptor(adopting: number) }
    }
}
