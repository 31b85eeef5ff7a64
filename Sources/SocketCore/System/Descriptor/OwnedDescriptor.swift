internal import CSocketShims

/// The one owner of an open descriptor: it is closed exactly once, when its owner ends.
package struct OwnedDescriptor: ~Copyable, Sendable {
    /// The kernel's number. It means something only as long as this value lives.
    package let number: Int32

    /// Takes over `number`, which nobody else closes from here on.
    package init(adopting number: Int32) {
        self.number = number
    }

    /// Gives the number up without closing it.
    package consuming func relinquish() -> Int32 {
        let number = number
        discard self
        return number
    }

    deinit {
        // Never retried: after EINTR the number is free already and may be somebody else's (close(2)).
        _ = csocket_close(number)
    }
}
