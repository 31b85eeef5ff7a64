/// Somebody who waits for the end of an operation: a suspended task, or a completion handler.
///
/// The only thing in the project that holds a continuation. Whoever takes a waiter out of its socket's state, under
/// the lock, resumes it; nobody else can, since it is gone. So result, error, cancellation, time-out and close may race
/// as they like: each operation ends once.
package enum Waiter: Sendable {
    /// Resumed on the executor of its task.
    case task(UnsafeContinuation<Failure?, Never>)
    /// Called by whoever ends the wait.
    case handler(@Sendable (Failure?) -> Void)

    /// Ends the wait: nil is success. Never under a lock.
    package func resume(_ failure: Failure? = nil) {
        switch self {
        case .task(let continuation): Sanitizer.ignoring { continuation.resume(returning: failure) }
        case .handler(let body): body(failure)
        }
    }

    /// Suspends the calling task until the waiter that `begin` stores is resumed. Not cancellable.
    package static func wait(_ begin: (Waiter) -> Void) async -> Failure? {
        await withUnsafeContinuation { begin(.task($0)) }
    }

    /// Suspends the calling task until the waiter that `begin` stores is resumed. When the task is cancelled, `cancel`
    /// is called, once or twice; it resumes the waiter if it still finds it.
    package static func wait(
        _ begin: (Waiter) -> Void, onCancel cancel: @Sendable () -> Void
    ) async -> Failure? {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                begin(.task(continuation))
                // The cancellation may have come before the waiter was there to be found.
                if Task.isCancelled { cancel() }
            }
        } onCancel: {
            cancel()
        }
    }
}

/// A waiter in a queue, with what can end it early.
package struct Waiting<Who: Sendable>: Sendable {
    package let ticket: Ticket
    package let waiter: Who
    /// Its task is the one that serves the socket: cancelled with it, without a handler of its own.
    package let isServing: Bool
    package let deadline: Instant

    package init(ticket: Ticket, waiter: Who, deadline: Instant, isServing: Bool) {
        self.ticket = ticket
        self.waiter = waiter
        self.deadline = deadline
        self.isServing = isServing
    }
}

/// Names one pending operation of one socket.
package struct Ticket: Hashable, Sendable, Comparable {
    package let number: UInt64

    package init(number: UInt64) { self.number = number }

    package static func < (left: Ticket, right: Ticket) -> Bool { left.number < right.number }
}

/// Waiters in order. Most sockets have none or one, so the first is kept without an array.
package struct WaiterQueue<Who: Sendable>: Sendable {
    private var head: Waiting<Who>?
    private var rest: [Waiting<Who>] = []

    package init() {}

    package var isEmpty: Bool { head == nil }

    package mutating func append(_ waiting: consuming Waiting<Who>) {
        if head == nil { head = waiting } else { rest.append(waiting) }
    }

    /// Puts back somebody who was first and must wait again.
    package mutating func prepend(_ waiting: consuming Waiting<Who>) {
        if let head { rest.insert(head, at: 0) }
        head = waiting
    }

    /// Whether there is a first, and it is of this kind.
    package func isFirst(where isIncluded: (Who) -> Bool) -> Bool {
        if let head { isIncluded(head.waiter) } else { false }
    }

    /// Takes out the first, if it is of this kind.
    package mutating func popFirst(where isIncluded: (Who) -> Bool) -> Waiting<Who>? {
        isFirst(where: isIncluded) ? popFirst() : nil
    }

    package mutating func popFirst() -> Waiting<Who>? {
        guard let first = head.take() else { return nil }
        if !rest.isEmpty { head = rest.removeFirst() }
        return first
    }

    /// Takes out the waiter with this ticket; nil when it is gone already.
    package mutating func remove(_ ticket: Ticket) -> Waiting<Who>? {
        if head?.ticket == ticket { return popFirst() }
        guard let index = rest.firstIndex(where: { $0.ticket == ticket }) else { return nil }
        return rest.remove(at: index)
    }

    /// Takes out all for whom `isIncluded` holds, in order.
    package mutating func removeAll(where isIncluded: (Waiting<Who>) -> Bool) -> [Waiting<Who>] {
        guard head != nil else { return [] }
        var removed: [Waiting<Who>] = []
        var kept = WaiterQueue()
        while let next = popFirst() {
            if isIncluded(next) { removed.append(next) } else { kept.append(next) }
        }
        self = kept
        return removed
    }

    /// The first deadline of all.
    package var earliestDeadline: Instant {
        var earliest = head?.deadline ?? .never
        for waiting in rest where waiting.deadline < earliest { earliest = waiting.deadline }
        return earliest
    }
}
