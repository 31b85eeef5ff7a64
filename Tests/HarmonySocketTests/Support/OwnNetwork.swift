/// A network of its own for a process (unshare(1)): nothing in it reaches this machine's, and it is gone with the process.
enum OwnNetwork {
    /// Starts `command` in a network, with mounts of its own, that the shell script `setUp` has prepared; the script ends with
    /// `exec "$@"`.
    static func start(_ setUp: String, _ command: [String]) throws -> ChildProcess {
        // Without the privileges of root, those of a namespace of users will do where the system allows them.
        let rights = ProcessFacts.isRoot ? [] : ["--map-root-user"]
        return try ChildProcess("unshare", rights + ["--net", "--mount", "sh", "-c", setUp, "sh"] + command)
    }

    /// The command that runs some tests of this program again.
    static func rerunning(_ tests: String) -> [String] {
        [CommandLine.arguments[0], "--testing-library", "swift-testing", "--filter", tests]
    }
}
