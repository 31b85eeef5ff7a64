/// Names one entry of a `TimerHeap`; harmless once the entry has left the heap.
package struct TimerHandle: Sendable, Hashable {
    fileprivate let slot: Int32
    fileprivate let generation: UInt32
}

/// Deadlines with something to do at each: a binary min-heap that can move and remove any entry.
///
/// Insert, move, remove and pop cost O(log n), the earliest deadline O(1). Memory is taken only to grow beyond the
/// largest number of entries so far. An entry keeps its slot from insert to removal; the heap holds slot numbers, and
/// a handle carries the generation of its slot, so that a handle from before the slot was reused finds nothing.
package struct TimerHeap<Payload> {
    private struct Node {
        var deadline: Int64
        /// Counts insertions and moves: equal deadlines come out in this order.
        var order: UInt64
        var slot: Int32

        func precedes(_ other: Node) -> Bool {
            deadline != other.deadline ? deadline < other.deadline : order < other.order
        }
    }

    fileprivate struct Slot {
        /// nil while the slot is free.
        var payload: Payload?
        var generation: UInt32
        /// The index in `nodes`; while the slot is free, the next free slot, or -1.
        var link: Int32
    }

    private var nodes: [Node] = []
    private var slots: [Slot] = []
    private var firstFree: Int32 = -1
    private var nextOrder: UInt64 = 0

    /// Makes an empty heap with room for this many entries.
    package init(minimumCapacity: Int = 0) {
        nodes.reserveCapacity(minimumCapacity)
        slots.reserveCapacity(minimumCapacity)
    }

    /// How many entries there are.
    package var count: Int { nodes.count }

    /// Whether there is no entry.
    package var isEmpty: Bool { nodes.isEmpty }

    /// The deadline that comes first, in nanoseconds; nil when the heap is empty.
    package var earliestDeadline: Int64? { nodes.first?.deadline }

    /// Adds an entry.
    ///
    /// - Parameters:
    ///   - payload: what `popExpired(upTo:)` gives back.
    ///   - deadline: a time in nanoseconds of any one clock; past ones are allowed.
    /// - Returns: the handle to move or remove the entry with.
    package mutating func insert(_ payload: Payload, at deadline: Int64) -> TimerHandle {
        let slot: Int32
        if firstFree >= 0 {
            slot = firstFree
            firstFree = slots[Int(slot)].link
            slots[Int(slot)].payload = payload
        } else {
            slot = Int32(slots.count)
            slots.append(Slot(payload: payload, generation: 0, link: -1))
        }
        let node = Node(deadline: deadline, order: nextOrder, slot: slot)
        nextOrder += 1
        nodes.append(node)
        siftUp(node, from: nodes.count - 1)
        return TimerHandle(slot: slot, generation: slots[Int(slot)].generation)
    }

    /// Gives an entry another deadline, in nanoseconds; among equal deadlines it now comes last.
    ///
    /// - Returns: false when the entry has left the heap.
    @discardableResult
    package mutating func move(_ handle: TimerHandle, to deadline: Int64) -> Bool {
        guard let index = index(of: handle) else { return false }
        let node = Node(deadline: deadline, order: nextOrder, slot: handle.slot)
        nextOrder += 1
        place(node, around: index)
        return true
    }

    /// Takes an entry out.
    ///
    /// - Returns: its payload; nil when the entry had left the heap.
    @discardableResult
    package mutating func remove(_ handle: TimerHandle) -> Payload? {
        guard let index = index(of: handle) else { return nil }
        return takeNode(at: index)
    }

    /// Takes out the first entry whose deadline is not after `now`, in nanoseconds; nil when there is none.
    package mutating func popExpired(upTo now: Int64) -> Payload? {
        guard let first = nodes.first, first.deadline <= now else { return nil }
        return takeNode(at: 0)
    }

    /// Takes out every entry whose deadline is not after `now`, in nanoseconds, and appends them, earliest first.
    ///
    /// Entries that are inserted while the caller works through the list wait for the next call, so an entry that
    /// always inserts another cannot keep the caller busy for ever.
    package mutating func popAllExpired(upTo now: Int64, into expired: inout [Payload]) {
        while let payload = popExpired(upTo: now) { expired.append(payload) }
    }

    // MARK: Slots

    /// Where the entry is in the heap; nil when its slot has been freed since.
    private func index(of handle: TimerHandle) -> Int? {
        // A handle of another heap may name a slot that this one does not have.
        guard handle.slot < slots.count, slots[Int(handle.slot)].generation == handle.generation else { return nil }
        return Int(slots[Int(handle.slot)].link)
    }

    private mutating func free(_ slot: Int32) -> Payload? {
        let payload = slots[Int(slot)].payload.take()
        slots[Int(slot)].generation &+= 1
        slots[Int(slot)].link = firstFree
        firstFree = slot
        return payload
    }

    // MARK: The heap

    private mutating func takeNode(at index: Int) -> Payload? {
        let slot = nodes[index].slot
        let last = nodes.removeLast()
        if index < nodes.count { place(last, around: index) }
        return free(slot)
    }

    /// Puts a node where it belongs, above or below a place whose own node is gone.
    private mutating func place(_ node: Node, around index: Int) {
        if index > 0, node.precedes(nodes[(index - 1) / 2]) {
            siftUp(node, from: index)
        } else {
            siftDown(node, from: index)
        }
    }

    private mutating func siftUp(_ node: Node, from start: Int) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard node.precedes(nodes[parent]) else { break }
            put(nodes[parent], at: index)
            index = parent
        }
        put(node, at: index)
    }

    private mutating func siftDown(_ node: Node, from start: Int) {
        var index = start
        while true {
            var child = 2 * index + 1
            guard child < nodes.count else { break }
            if child + 1 < nodes.count, nodes[child + 1].precedes(nodes[child]) { child += 1 }
            guard nodes[child].precedes(node) else { break }
            put(nodes[child], at: index)
            index = child
        }
        put(node, at: index)
    }

    private mutating func put(_ node: Node, at index: Int) {
        nodes[index] = node
        slots[Int(node.slot)].link = Int32(index)
    }
}

extension TimerHeap: Sendable where Payload: Sendable {}
extension TimerHeap.Slot: Sendable where Payload: Sendable {}
