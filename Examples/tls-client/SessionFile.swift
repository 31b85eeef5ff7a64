import ExampleSupport
import HarmonyTLS

/// A session that one run of the program leaves to the next.
struct SessionFile {
    private let path: String?
    /// What is in the file; nil when there is nothing of use.
    let session: TLSSession?

    init(_ path: String?) {
        self.path = path
        session = path.flatMap { path in
            (try? DiskFile.reading(path).read(upTo: 1 << 20)).flatMap { TLSSession(data: $0) }
        }
    }

    /// Keeps a session for the next run. It has keys in it, so nobody else may read the file.
    func keep(_ session: TLSSession?) {
        guard let path, let session else { return }
        do {
            try DiskFile.writingSecrets(path).write(session.data)
        } catch {
            complain("\(error)")
        }
    }
}
