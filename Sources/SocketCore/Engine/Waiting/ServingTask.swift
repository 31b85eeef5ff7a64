/// The task that serves a socket: one cancellation handler, installed when it starts, stands for all of its waits.
///
/// A cancellation handler costs more than everything else about a wait together, so calls recognise this task and do
/// without one of their own. Child tasks are other tasks and install theirs.
package struct ServingTask: Sendable {
    // Compared, never used: the task that it names may have ended.
    private let identity: UInt

    /// The calling task; nil outside of tasks.
    package static var current: ServingTask? {
        let identity = ThreadCalls.currentTask
        return identity == 0 ? nil : ServingTask(identity: identity)
    }

    /// Whether the caller runs in this task.
    package var isCurrent: Bool { ThreadCalls.currentTask == identity }
}
