/// Asks for the network interfaces: those of the network that the thread belonged to that made it, whichever thread asks.
/// (On Linux threads of one process may belong to different ones, and take theirs along to threads that they start.)
package final class InterfaceInquiry: Sendable {
    /// How often a list is asked for again that changed while it was told.
    private static let attempts = 8

    /// Nil where the C library is asked.
    private let socket: OwnedDescriptor?
    private let number: Int32?

    package init() throws(Failure) {
        guard InterfaceNewsCalls.hasDetails else {
            socket = nil
            number = nil
            return
        }
        switch InterfaceNewsCalls.open(watching: false) {
        case .success(let opened):
            number = opened.number
            socket = consume opened
        case .failure(let error): throw .system(error, .netlink)
        }
    }

    /// Every interface with its addresses, by index. Does not wait: the kernel answers at once.
    package func interfaces() throws(Failure) -> [InterfaceRecord] {
        guard let number else {
            switch InterfaceNewsCalls.listPortably() {
            case .success(let records): return InterfaceMachine(records).interfaces
            case .failure(let error): throw .system(error, .getInterfaces)
            }
        }
        do throws(SystemError) {
            // What is left of an answer that failed must not be taken for this one.
            while case .success = InterfaceNewsCalls.receive(number, into: Scratch.buffer) {}
            var records: [InterfaceRecord] = []
            for _ in 0..<InterfaceInquiry.attempts { if try InterfaceInquiry.ask(number, &records) { break } }
            return records
        } catch {
            throw .system(error, .netlink)
        }
    }

    /// False when something changed meanwhile, so that the list mixes what was with what is.
    private static func ask(_ number: Int32, _ records: inout [InterfaceRecord]) throws(SystemError) -> Bool {
        var machine = InterfaceMachine()
        var isWhole = true
        for question in InterfaceNewsCalls.Question.allCases {
            try InterfaceNewsCalls.ask(number, question).get()
            var isDone = false
            while !isDone {
                let buffer = Scratch.buffer
                let count = try InterfaceNewsCalls.receive(number, into: buffer).get()
                var parser = NetlinkParser(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                while let news = parser.next() {
                    switch news {
                    case .done: isDone = true
                    case .refused(let error): throw error
                    case .incomplete: isWhole = false
                    default: _ = machine.apply(news)
                    }
                }
            }
        }
        records = machine.interfaces
        return isWhole
    }
}
