/// The network interfaces as they are now.
package enum InterfaceList {
    /// How often a list is asked for again that changed while it was told.
    private static let attempts = 8

    /// Every interface with its addresses, by index. Does not wait: the kernel answers at once.
    package static func read() throws(Failure) -> [InterfaceRecord] {
        guard InterfaceNewsCalls.hasDetails else {
            switch InterfaceNewsCalls.listPortably() {
            case .success(let records): return InterfaceMachine(records).interfaces
            case .failure(let error): throw .system(error, .getInterfaces)
            }
        }
        do throws(SystemError) {
            for _ in 1..<attempts { if let records = try ask() { return records } }
            return try ask(acceptsMixture: true) ?? []
        } catch {
            throw .system(error, .netlink)
        }
    }

    /// Nil when something changed meanwhile.
    private static func ask(acceptsMixture: Bool = false) throws(SystemError) -> [InterfaceRecord]? {
        // A socket for each attempt: what is left of an answer must not be taken for the next one.
        let socket: OwnedDescriptor
        switch InterfaceNewsCalls.open(watching: false) {
        case .success(let opened): socket = opened
        case .failure(let error): throw error
        }
        var machine = InterfaceMachine()
        for question in InterfaceNewsCalls.Question.allCases {
            try InterfaceNewsCalls.ask(socket.number, question).get()
            var isDone = false
            while !isDone {
                let buffer = Scratch.buffer
                let count = try InterfaceNewsCalls.receive(socket.number, into: buffer).get()
                var parser = NetlinkParser(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                while let news = parser.next() {
                    switch news {
                    case .done: isDone = true
                    case .refused(let error): throw error
                    case .incomplete: if !acceptsMixture { return nil }
                    default: _ = machine.apply(news)
                    }
                }
            }
        }
        return machine.interfaces
    }
}
