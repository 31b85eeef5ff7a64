/// The task that serves a socket: one cancellation handler, installed when it starts, stands for all of its waits.
///
/// A cancellation handler costs more than everything else about a wait together, so calls recognise this task and do
/// without one of their own. Child tasks are other tasks and install theirs.
package struct ServingTask: Sendable {
    // Compared, never used: the task that it names may have ended. Zero is none.
    private let identity: UInt

    /// No task.
    package static let none = ServingTask(identity: 0)

    /// The calling task; `none` outside of tasks.
    package static var current: ServingTask { ServingTask(identity: ThreadCalls.currentTask) }

    /// Whether it is a task, and the caller runs in it.
    package var isCurrent: Bool { identity != 0 && ThreadCalls.currentTask == identity }
}
