/// The fields of a returned `struct kevent` that carry meaning, with the numbers of Darwin's `<sys/event.h>`.
///
/// The numbers are written out, so that the translation compiles and is tested on systems without kqueue.
package struct KqueueEvent: Sendable, Hashable {
    /// What is watched, one of the filters below.
    package var filter: Int16
    /// General flags, a sum of the flags below.
    package var flags: UInt16
    /// Flags of the filter; beside `eof` the error of the socket, or 0.
    package var filterFlags: UInt32
    /// Bytes to read or room to write; beside `error` an errno, or 0.
    package var data: Int

    /// Makes an event from the fields of a `struct kevent`.
    package init(filter: Int16, flags: UInt16 = 0, filterFlags: UInt32 = 0, data: Int = 0) {
        self.filter = filter
        self.flags = flags
        self.filterFlags = filterFlags
        self.data = data
    }

    /// EVFILT_READ.
    package static let read: Int16 = -1
    /// EVFILT_WRITE.
    package static let write: Int16 = -2
    /// EVFILT_USER: the wake-up of the loop.
    package static let user: Int16 = -10
    /// EVFILT_EXCEPT: urgent data, when asked for with NOTE_OOB.
    package static let except: Int16 = -15

    /// EV_ADD.
    package static let add: UInt16 = 0x0001
    /// EV_DELETE.
    package static let delete: UInt16 = 0x0002
    /// EV_CLEAR: edge-triggered.
    package static let clear: UInt16 = 0x0020
    /// EV_RECEIPT: each change is answered by an event with EV_ERROR, also a success.
    package static let receipt: UInt16 = 0x0040
    /// EV_OOBAND: urgent data is there.
    package static let outOfBand: UInt16 = 0x2000
    /// EV_ERROR: `data` is an errno.
    package static let error: UInt16 = 0x4000
    /// EV_EOF: the direction has ended.
    package static let eof: UInt16 = 0x8000

    /// NOTE_OOB, of EVFILT_EXCEPT.
    package static let noteOutOfBand: UInt32 = 0x0000_0002
    /// NOTE_TRIGGER, of EVFILT_USER.
    package static let noteTrigger: UInt32 = 0x0100_0000
}

/// What a kqueue event means to the engine.
package enum KqueueMeaning: Sendable, Hashable {
    /// Nothing to do: a receipt, or the removal of a registration that was gone.
    case nothing
    /// Another thread wants the loop.
    case wakeUp
    /// The descriptor's state has changed; with the error that the event carried, if any.
    case ready(PollEvents, error: SystemError?)
}

/// Translates kqueue events to the neutral events of the engine (kqueue(2)).
package enum KqueueTranslation {
    /// Says what an event, as kevent(2) returned it, means in the engine's vocabulary.
    ///
    /// EV_EOF on EVFILT_WRITE says that our direction is over, most often because we ended it ourselves; the peer may go
    /// on sending. So without an error it is no hang-up: who sends finds out, and EVFILT_READ tells of the peer's end.
    package static func translate(_ event: KqueueEvent) -> KqueueMeaning {
        // Before the filter: an event with EV_ERROR answers a change that we asked for, and nothing else in it counts.
        if event.flags & KqueueEvent.error != 0 { return answer(to: event) }
        switch event.filter {
        case KqueueEvent.user: return .wakeUp
        case KqueueEvent.read: return ready(event, .readable, atEnd: [.readable, .endOfInput])
        case KqueueEvent.write:
            return ready(event, .writable, atEnd: socketError(event) == nil ? .writable : [.writable, .hangUp])
        case KqueueEvent.except: return ready(event, [], atEnd: .endOfInput)
        default: return .nothing
        }
    }

    private static func ready(_ event: KqueueEvent, _ events: PollEvents, atEnd: PollEvents) -> KqueueMeaning {
        var events = event.flags & KqueueEvent.eof != 0 ? atEnd : events
        let error = socketError(event)
        if error != nil { events.insert(.error) }
        if isUrgent(event) { events.insert(.urgent) }
        return events.isEmpty ? .nothing : .ready(events, error: error)
    }

    /// The error of the socket: only beside EV_EOF are the filter's flags an errno.
    private static func socketError(_ event: KqueueEvent) -> SystemError? {
        guard event.flags & KqueueEvent.eof != 0, event.filterFlags != 0 else { return nil }
        return SystemError(rawValue: Int32(truncatingIfNeeded: event.filterFlags))
    }

    private static func isUrgent(_ event: KqueueEvent) -> Bool {
        if event.filter == KqueueEvent.read { return event.flags & KqueueEvent.outOfBand != 0 }
        // Beside EV_EOF these bits are an errno.
        return event.filter == KqueueEvent.except && event.flags & KqueueEvent.eof == 0
            && event.filterFlags & KqueueEvent.noteOutOfBand != 0
    }

    /// What came of a change to a registration.
    ///
    /// - 0: it was done, and EV_RECEIPT asked to be told.
    /// - ENOENT on anything but an EV_ADD: there is no such registration; the last close of a descriptor removes its
    ///   registrations, so this is the expected end of a race with close.
    /// - EBADF on an EV_DELETE: the same, when the number is not in use again.
    /// - EPIPE: the other end of a pipe or local socket was gone before it could be watched. No event will follow,
    ///   so this one is the end of that direction: the next system call finds out the rest.
    /// - All others (ENOMEM, EINVAL ...): the descriptor is not watched; who waits for it must fail with this error.
    private static func answer(to event: KqueueEvent) -> KqueueMeaning {
        let isRemoval = event.flags & KqueueEvent.delete != 0
        let isAddition = event.flags & KqueueEvent.add != 0
        switch Int32(truncatingIfNeeded: event.data) {
        case 0: return .nothing
        case SystemError.noSuchFile.rawValue where !isAddition: return .nothing
        case SystemError.badDescriptor.rawValue where isRemoval: return .nothing
        case SystemError.brokenPipe.rawValue:
            return .ready(
                event.filter == KqueueEvent.write ? [.writable, .hangUp] : [.readable, .endOfInput], error: nil)
        case let number: return .ready(.error, error: SystemError(rawValue: number))
        }
    }
}
