import CSocketShims
import SocketCore
import Testing

@Suite struct SystemErrorTests {
    /// The numbers of Linux, written out: they hold on every system.
    @Test(
        arguments: [
            (SystemError.wouldBlock, "EAGAIN", 11), (.interrupted, "EINTR", 4), (.inProgress, "EINPROGRESS", 115),
            (.already, "EALREADY", 114), (.cancelled, "ECANCELED", 125), (.timedOut, "ETIMEDOUT", 110),
            (.connectionRefused, "ECONNREFUSED", 111), (.connectionReset, "ECONNRESET", 104),
            (.connectionAborted, "ECONNABORTED", 103), (.brokenPipe, "EPIPE", 32), (.notConnected, "ENOTCONN", 107),
            (.isConnected, "EISCONN", 106), (.isShutDown, "ESHUTDOWN", 108),
            (.destinationAddressRequired, "EDESTADDRREQ", 89), (.messageTooLong, "EMSGSIZE", 90),
            (.protocolError, "EPROTO", 71), (.addressInUse, "EADDRINUSE", 98),
            (.addressNotAvailable, "EADDRNOTAVAIL", 99),
            (.addressFamilyNotSupported, "EAFNOSUPPORT", 97), (.protocolNotSupported, "EPROTONOSUPPORT", 93),
            (.wrongProtocolType, "EPROTOTYPE", 91), (.optionNotAvailable, "ENOPROTOOPT", 92),
            (.operationNotSupported, "EOPNOTSUPP", 95), (.networkDown, "ENETDOWN", 100),
            (.networkUnreachable, "ENETUNREACH", 101), (.networkReset, "ENETRESET", 102), (.hostDown, "EHOSTDOWN", 112),
            (.hostUnreachable, "EHOSTUNREACH", 113), (.permissionDenied, "EACCES", 13), (.notPermitted, "EPERM", 1),
            (.invalidArgument, "EINVAL", 22), (.argumentOutOfDomain, "EDOM", 33), (.badAddress, "EFAULT", 14),
            (.badDescriptor, "EBADF", 9), (.notSocket, "ENOTSOCK", 88), (.notImplemented, "ENOSYS", 38),
            (.tooManyOpenFiles, "EMFILE", 24), (.tooManyOpenFilesInSystem, "ENFILE", 23),
            (.noBufferSpace, "ENOBUFS", 105), (.tooManyReferences, "ETOOMANYREFS", 109),
            (.outOfMemory, "ENOMEM", 12), (.noSuchFile, "ENOENT", 2), (.fileExists, "EEXIST", 17),
            (.notDirectory, "ENOTDIR", 20), (.nameTooLong, "ENAMETOOLONG", 36), (.readOnlyFileSystem, "EROFS", 30),
            (.noSpace, "ENOSPC", 28), (.inputOutputError, "EIO", 5), (.noSuchDevice, "ENODEV", 19),
            (.noSuchDeviceOrAddress, "ENXIO", 6),
        ] as [(SystemError, String, Int32)])
    func memberHasNameAndLinuxNumber(_ error: SystemError, _ name: String, _ linuxNumber: Int32) {
        #expect(error.name == name)
        #expect(error.linuxNumber == linuxNumber)
    }

    @Test(arguments: [
        (SystemError.connectionRefused, "ECONNREFUSED (connection refused)"),
        (.wouldBlock, "EAGAIN (would block, try again)"),
        (SystemError(rawValue: 424_242), "errno 424242 (unknown error 424242)"),
        (SystemError(rawValue: -1), "errno -1 (unknown error -1)"),
        (SystemError(rawValue: 0), "errno 0 (unknown error 0)"),
    ])
    func printsItself(_ error: SystemError, _ text: String) {
        #expect(error.description == text)
    }

    @Test(arguments: [Int32.min, -1, 0, 424_242, .max])
    func aNumberThatIsNoErrorHasNoLinuxNumber(_ number: Int32) {
        #expect(SystemError(rawValue: number).linuxNumber == nil)
        #expect(SystemError(rawValue: number).name == "errno \(number)")
    }

    @Test func theTableIsSound() {
        var numbers = Set<Int32>()
        var names = Set<String>()
        let isLinux = SystemError.connectionRefused.rawValue == 111
        for number in Int32(-10)..<1_000 {
            guard let row = csocket_find_error(number)?.pointee else { continue }
            let (name, text) = (String(cString: row.name), String(cString: row.text))
            #expect(row.number == number)
            #expect(row.number > 0)
            #expect(numbers.insert(row.number).inserted, "two rows for \(number)")
            #expect(names.insert(name).inserted, "two rows for \(name)")
            #expect(name.first == "E" && !text.isEmpty && text.first != " " && text.last != ".")
            if isLinux { #expect(row.linux_number == row.number, "\(name)") }
        }
        // As many as can be found: no row is hidden behind another of the same number.
        #expect(numbers.count == Int(csocket_error_count))
        #expect(numbers.count > 90)
    }

    @Test func everyLinuxNumberIsThere() {
        guard SystemError.connectionRefused.rawValue == 111 else { return }
        for number in Int32(1)...133 where number != 41 && number != 58 {
            #expect(SystemError(rawValue: number).linuxNumber == number)
        }
    }

    @Test func isMatchedInASwitch() {
        let isMatched =
            switch SystemError(rawValue: SystemError.brokenPipe.rawValue) {
            case .connectionReset: false
            case .brokenPipe: true
            default: false
            }
        #expect(isMatched)
    }
}
