package import SocketCore

/// Where the listeners and completion handlers of a socket run.
///
/// ```swift
/// tcp.deliver(on: .mainActor)
/// tcp.on(.message) { message in
///     MainActor.assumeIsolated { print("on the main actor:", message.text ?? "") }
/// }
/// ```
public struct SocketDelivery: Sendable {
    package let context: DeliveryContext

    /// On the socket's own loop: the default, and the fastest.
    public static let loop = SocketDelivery(context: .loop)

    /// On the main actor.
    public static let mainActor = SocketDelivery(context: .executor { body in Task { @MainActor in body() } })

    /// On an actor.
    public static func actor(_ actor: any Actor) -> SocketDelivery {
        SocketDelivery(context: .executor { body in Task { await run(body, on: actor) } })
    }

    /// By handing each delivery to `submit`, which runs it exactly once, as a serial queue does:
    /// `.queue { queue.async(execute: $0) }`.
    public static func queue(
        _ submit: @escaping @Sendable (_ work: @escaping @Sendable () -> Void) -> Void
    ) -> SocketDelivery {
        SocketDelivery(context: .executor(submit))
    }

    private static func run(_ body: @Sendable () -> Void, on actor: isolated any Actor) { body() }
}
