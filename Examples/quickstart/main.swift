import ExampleSupport

_ = Arguments(
    help: """
        quickstart: shows TCP and UDP on this machine alone, in three styles, and prints what happens as it happens:

          after how many milliseconds, to whom, what, and more about it

        Checks itself. Ends within 10 s, with a last line "ok" and status 0, or with an error and status 1.
        """)

Task {
    await StopRequest().wait()
    leave(status: 0)
}
Task {
    try await Task.sleep(for: .seconds(8))
    fail("not done after 8 s")
}
do {
    try await runAsync()
    try await runCallbacks()
    try await runListeners()
    try await runDatagrams()
    try await runErrors()
    say("\nok")
} catch {
    fail("\(error)")
}
