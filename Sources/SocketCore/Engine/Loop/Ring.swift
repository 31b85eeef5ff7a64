/// A first-in, first-out queue on one growing buffer: no allocation while it does not grow.
package struct Ring<Element> {
    private var storage: [Element?] = []
    private var head = 0
    /// How many elements wait.
    package private(set) var count = 0

    package init() {}

    package var isEmpty: Bool { count == 0 }

    /// The oldest element.
    package var first: Element? { count == 0 ? nil : storage[head] }

    /// Adds `element` behind the others.
    package mutating func append(_ element: Element) {
        if count == storage.count { grow() }
        storage[(head + count) & (storage.count - 1)] = element
        count += 1
    }

    /// Takes the oldest element out.
    package mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = storage[head].take()
        head = (head + 1) & (storage.count - 1)
        count -= 1
        return element
    }

    /// Adds `element` before the others.
    package mutating func prepend(_ element: Element) {
        if count == storage.count { grow() }
        head = (head &- 1) & (storage.count - 1)
        storage[head] = element
        count += 1
    }

    /// The element before which `index` others wait; nil when there are not so many.
    package subscript(_ index: Int) -> Element? {
        index < count ? storage[(head + index) & (storage.count - 1)] : nil
    }

    /// Takes out, in order, the elements for which `isUnwanted` holds. Takes as long as the queue is: for rare use.
    package mutating func remove(where isUnwanted: (Element) -> Bool) -> [Element] {
        var removed: [Element] = []
        var kept = Ring()
        while let element = popFirst() {
            if isUnwanted(element) { removed.append(element) } else { kept.append(element) }
        }
        self = kept
        return removed
    }

    /// Gives back the memory of an empty queue that was long.
    package mutating func shrink() {
        if isEmpty, storage.count > 8 { self = Ring() }
    }

    private mutating func grow() {
        var larger: [Element?] = []
        larger.reserveCapacity(max(8, storage.count * 2))
        for index in 0..<count { larger.append(storage[(head + index) & (storage.count - 1)].take()) }
        larger.append(contentsOf: repeatElement(nil, count: max(8, storage.count * 2) - count))
        storage = larger
        head = 0
    }
}
extension Ring: Sendable where Element: Sendable {}
