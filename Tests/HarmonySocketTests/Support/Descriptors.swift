/// Lets the timers of Swift's runtime open their descriptors, which they do when the first one is set, and end the process
/// when there are none to be had. Every bounded wait sets one.
func startTimers() async throws { try await Task.sleep(for: .milliseconds(1)) }

/// Leaves this process without a free descriptor. Returns those that it is filled with, to be closed again.
func useUpDescriptors() async throws -> [Int32] {
    // The runtime's timers hold their descriptors as long as anybody sleeps: so somebody does all the time.
    Task { try await Task.sleep(for: .seconds(600)) }
    try await startTimers()
    ProcessFacts.limitDescriptors(to: (ProcessFacts.descriptors.last ?? 100) + 40)
    var fillers: [Int32] = []
    while let filler = ProcessFacts.openNothing() { fillers.append(filler) }
    return fillers
}
