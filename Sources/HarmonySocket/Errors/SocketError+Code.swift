internal import SocketCore

extension SocketError {
    /// OpenHarmony's number for this error: 2301000 plus the *Linux* errno, on every system; 401 for a bad argument.
    ///
    /// One base serves all TCP, UDP and local classes. Failures without an errno have the number of the errno that says
    /// the same: closed 2301009, aborted 2301103, already connected 2301106, not connected 2301107, timed out 2301110,
    /// cancelled 2301125, a full send queue 2301105, an invalid state or a second bind 2301022; a message that is too long
    /// 2301090, incomplete 2301061, malformed 2301074, descriptors lost 2301024. An unknown host is 2301301 and a failed
    /// look-up 2301302, which OpenHarmony has no
    /// number for; a handler's own error is 2300002, its "internal error". TLS has numbers of its own: a handshake that
    /// failed 2303501, a record that could not be read 2303502 or written 2303503, a certificate that was rejected 2303504,
    /// an end that TLS did not announce 2303506, a socket to be made secure that is not connected 2303602.
    public var code: Int {
        let base = 2_301_000
        switch failure {
        case .invalidArgument: return 401
        case .unknownHost: return base + 301
        case .resolver: return base + 302
        case .handler: return 2_300_002
        case .cipher(let failure, _, _):
            switch failure.kind {
            case .handshake: return 2_303_501
            case .receiving: return 2_303_502
            case .sending: return 2_303_503
            case .verification: return 2_303_504
            case .truncation: return 2_303_506
            case .timeout: return base + 110
            case .unconnected: return 2_303_602
            }
        case .closed: return base + 9
        case .descriptorsLost: return base + 24
        case .alreadyBound, .invalidState, .optionTooLate: return base + 22
        case .incomplete, .fileCut: return base + 61
        case .malformed: return base + 74
        case .tooLong: return base + 90
        case .queueFull: return base + 105
        case .aborted: return base + 103
        case .alreadyConnected: return base + 106
        case .notConnected: return base + 107
        case .timedOut, .lookUpTimedOut: return base + 110
        case .cancelled: return base + 125
        case .system, .option, .membership, .connect: return base + (systemError?.linuxNumber ?? 5)
        }
    }
}
