#include "errors.h"

#include <stddef.h>

#define ROW(name, linux_number, text) {name, linux_number, #name, text}

// Linux numbers are those of <asm-generic/errno.h>, which x86, ARM, RISC-V and s390x share; 0 is "has none".
// Names that are other words for a number already here (EWOULDBLOCK, EDEADLOCK) have no row: a number has one name.
const struct csocket_error_row csocket_error_table[] = {
    // On every system.
    ROW(EPERM, 1, "operation not permitted"),
    ROW(ENOENT, 2, "no such file or directory"),
    ROW(ESRCH, 3, "no such process"),
    ROW(EINTR, 4, "interrupted by a signal"),
    ROW(EIO, 5, "input/output error"),
    ROW(ENXIO, 6, "no such device or address"),
    ROW(E2BIG, 7, "argument list too long"),
    ROW(ENOEXEC, 8, "not an executable"),
    ROW(EBADF, 9, "bad descriptor"),
    ROW(ECHILD, 10, "no child process"),
    ROW(EAGAIN, 11, "would block, try again"),
    ROW(ENOMEM, 12, "out of memory"),
    ROW(EACCES, 13, "permission denied"),
    ROW(EFAULT, 14, "bad address in memory"),
    ROW(ENOTBLK, 15, "not a block device"),
    ROW(EBUSY, 16, "device or resource busy"),
    ROW(EEXIST, 17, "file exists"),
    ROW(EXDEV, 18, "link across file systems"),
    ROW(ENODEV, 19, "no such device"),
    ROW(ENOTDIR, 20, "not a directory"),
    ROW(EISDIR, 21, "is a directory"),
    ROW(EINVAL, 22, "invalid argument"),
    ROW(ENFILE, 23, "too many open files in the system"),
    ROW(EMFILE, 24, "too many open files in the process"),
    ROW(ENOTTY, 25, "operation does not fit the device"),
    ROW(ETXTBSY, 26, "file is being executed"),
    ROW(EFBIG, 27, "file too large"),
    ROW(ENOSPC, 28, "no space left on the device"),
    ROW(ESPIPE, 29, "cannot seek"),
    ROW(EROFS, 30, "read-only file system"),
    ROW(EMLINK, 31, "too many links"),
    ROW(EPIPE, 32, "broken pipe"),
    ROW(EDOM, 33, "argument out of domain"),
    ROW(ERANGE, 34, "result out of range"),
    ROW(EDEADLK, 35, "would deadlock"),
    ROW(ENAMETOOLONG, 36, "name too long"),
    ROW(ENOLCK, 37, "no locks available"),
    ROW(ENOSYS, 38, "not implemented by the system"),
    ROW(ENOTEMPTY, 39, "directory not empty"),
    ROW(ELOOP, 40, "too many symbolic links"),
    ROW(ENOMSG, 42, "no message of that type"),
    ROW(EIDRM, 43, "identifier removed"),
    ROW(ENOSTR, 60, "not a stream device"),
    ROW(ENODATA, 61, "no data available"),
    ROW(ETIME, 62, "timer expired"),
    ROW(ENOSR, 63, "out of stream resources"),
    ROW(EREMOTE, 66, "object is remote"),
    ROW(ENOLINK, 67, "link has been cut"),
    ROW(EPROTO, 71, "protocol error"),
    ROW(EMULTIHOP, 72, "multihop attempted"),
    ROW(EBADMSG, 74, "bad message"),
    ROW(EOVERFLOW, 75, "value too large for its type"),
    ROW(EILSEQ, 84, "invalid byte sequence"),
    ROW(EUSERS, 87, "too many users"),
    ROW(ENOTSOCK, 88, "not a socket"),
    ROW(EDESTADDRREQ, 89, "destination address required"),
    ROW(EMSGSIZE, 90, "message too long"),
    ROW(EPROTOTYPE, 91, "wrong protocol for this kind of socket"),
    ROW(ENOPROTOOPT, 92, "option not available for the protocol"),
    ROW(EPROTONOSUPPORT, 93, "protocol not supported"),
    ROW(ESOCKTNOSUPPORT, 94, "kind of socket not supported"),
    ROW(EOPNOTSUPP, 95, "operation not supported"),
    ROW(EPFNOSUPPORT, 96, "protocol family not supported"),
    ROW(EAFNOSUPPORT, 97, "address family not supported"),
    ROW(EADDRINUSE, 98, "address in use"),
    ROW(EADDRNOTAVAIL, 99, "address not available"),
    ROW(ENETDOWN, 100, "network is down"),
    ROW(ENETUNREACH, 101, "network unreachable"),
    ROW(ENETRESET, 102, "connection dropped by the network"),
    ROW(ECONNABORTED, 103, "connection aborted"),
    ROW(ECONNRESET, 104, "connection reset by the peer"),
    ROW(ENOBUFS, 105, "no buffer space available"),
    ROW(EISCONN, 106, "already connected"),
    ROW(ENOTCONN, 107, "not connected"),
    ROW(ESHUTDOWN, 108, "direction was shut down"),
    ROW(ETOOMANYREFS, 109, "too many references"),
    ROW(ETIMEDOUT, 110, "timed out"),
    ROW(ECONNREFUSED, 111, "connection refused"),
    ROW(EHOSTDOWN, 112, "host is down"),
    ROW(EHOSTUNREACH, 113, "host unreachable"),
    ROW(EALREADY, 114, "already in progress"),
    ROW(EINPROGRESS, 115, "in progress"),
    ROW(ESTALE, 116, "stale file handle"),
    ROW(EDQUOT, 122, "disk quota exceeded"),
    ROW(ECANCELED, 125, "cancelled"),
    ROW(EOWNERDEAD, 130, "owner of a lock died"),
    ROW(ENOTRECOVERABLE, 131, "state not recoverable"),

// Its own number on Apple systems, the same as EOPNOTSUPP on Linux.
#if ENOTSUP != EOPNOTSUPP
    ROW(ENOTSUP, 95, "operation not supported"),
#endif

// Linux only.
#ifdef ECHRNG
    ROW(ECHRNG, 44, "channel number out of range"),
#endif
#ifdef EL2NSYNC
    ROW(EL2NSYNC, 45, "level 2 not synchronised"),
#endif
#ifdef EL3HLT
    ROW(EL3HLT, 46, "level 3 halted"),
#endif
#ifdef EL3RST
    ROW(EL3RST, 47, "level 3 reset"),
#endif
#ifdef ELNRNG
    ROW(ELNRNG, 48, "link number out of range"),
#endif
#ifdef EUNATCH
    ROW(EUNATCH, 49, "protocol driver not attached"),
#endif
#ifdef ENOCSI
    ROW(ENOCSI, 50, "no CSI structure available"),
#endif
#ifdef EL2HLT
    ROW(EL2HLT, 51, "level 2 halted"),
#endif
#ifdef EBADE
    ROW(EBADE, 52, "invalid exchange"),
#endif
#ifdef EBADR
    ROW(EBADR, 53, "invalid request descriptor"),
#endif
#ifdef EXFULL
    ROW(EXFULL, 54, "exchange full"),
#endif
#ifdef ENOANO
    ROW(ENOANO, 55, "no anode"),
#endif
#ifdef EBADRQC
    ROW(EBADRQC, 56, "invalid request code"),
#endif
#ifdef EBADSLT
    ROW(EBADSLT, 57, "invalid slot"),
#endif
#ifdef EBFONT
    ROW(EBFONT, 59, "bad font file format"),
#endif
#ifdef ENONET
    ROW(ENONET, 64, "machine is not on the network"),
#endif
#ifdef ENOPKG
    ROW(ENOPKG, 65, "package not installed"),
#endif
#ifdef EADV
    ROW(EADV, 68, "advertise error"),
#endif
#ifdef ESRMNT
    ROW(ESRMNT, 69, "srmount error"),
#endif
#ifdef ECOMM
    ROW(ECOMM, 70, "communication error on send"),
#endif
#ifdef EDOTDOT
    ROW(EDOTDOT, 73, "RFS error"),
#endif
#ifdef ENOTUNIQ
    ROW(ENOTUNIQ, 76, "name not unique on the network"),
#endif
#ifdef EBADFD
    ROW(EBADFD, 77, "descriptor in a bad state"),
#endif
#ifdef EREMCHG
    ROW(EREMCHG, 78, "remote address changed"),
#endif
#ifdef ELIBACC
    ROW(ELIBACC, 79, "cannot access a shared library"),
#endif
#ifdef ELIBBAD
    ROW(ELIBBAD, 80, "corrupted shared library"),
#endif
#ifdef ELIBSCN
    ROW(ELIBSCN, 81, "corrupted library section"),
#endif
#ifdef ELIBMAX
    ROW(ELIBMAX, 82, "too many shared libraries"),
#endif
#ifdef ELIBEXEC
    ROW(ELIBEXEC, 83, "cannot execute a shared library"),
#endif
#ifdef ERESTART
    ROW(ERESTART, 85, "interrupted call should be restarted"),
#endif
#ifdef ESTRPIPE
    ROW(ESTRPIPE, 86, "streams pipe error"),
#endif
#ifdef EUCLEAN
    ROW(EUCLEAN, 117, "structure needs cleaning"),
#endif
#ifdef ENOTNAM
    ROW(ENOTNAM, 118, "not a XENIX named type file"),
#endif
#ifdef ENAVAIL
    ROW(ENAVAIL, 119, "no XENIX semaphores available"),
#endif
#ifdef EISNAM
    ROW(EISNAM, 120, "is a named type file"),
#endif
#ifdef EREMOTEIO
    ROW(EREMOTEIO, 121, "remote input/output error"),
#endif
#ifdef ENOMEDIUM
    ROW(ENOMEDIUM, 123, "no medium found"),
#endif
#ifdef EMEDIUMTYPE
    ROW(EMEDIUMTYPE, 124, "wrong medium type"),
#endif
#ifdef ENOKEY
    ROW(ENOKEY, 126, "key not available"),
#endif
#ifdef EKEYEXPIRED
    ROW(EKEYEXPIRED, 127, "key has expired"),
#endif
#ifdef EKEYREVOKED
    ROW(EKEYREVOKED, 128, "key was revoked"),
#endif
#ifdef EKEYREJECTED
    ROW(EKEYREJECTED, 129, "key was rejected"),
#endif
#ifdef ERFKILL
    ROW(ERFKILL, 132, "radio is switched off"),
#endif
#ifdef EHWPOISON
    ROW(EHWPOISON, 133, "memory page has a hardware error"),
#endif

// Apple systems only; where Linux says the same with another word, its number is given.
#ifdef EPROCLIM
    ROW(EPROCLIM, 0, "too many processes"),
#endif
#ifdef EBADRPC
    ROW(EBADRPC, 0, "bad remote procedure call structure"),
#endif
#ifdef ERPCMISMATCH
    ROW(ERPCMISMATCH, 0, "remote procedure call version wrong"),
#endif
#ifdef EPROGUNAVAIL
    ROW(EPROGUNAVAIL, 0, "remote procedure call program not available"),
#endif
#ifdef EPROGMISMATCH
    ROW(EPROGMISMATCH, 0, "remote procedure call program version wrong"),
#endif
#ifdef EPROCUNAVAIL
    ROW(EPROCUNAVAIL, 0, "bad procedure for program"),
#endif
#ifdef EFTYPE
    ROW(EFTYPE, 0, "wrong file type or format"),
#endif
#ifdef EAUTH
    ROW(EAUTH, 0, "authentication failed"),
#endif
#ifdef ENEEDAUTH
    ROW(ENEEDAUTH, 0, "authenticator needed"),
#endif
#ifdef EPWROFF
    ROW(EPWROFF, 0, "device power is off"),
#endif
#ifdef EDEVERR
    ROW(EDEVERR, 0, "device error"),
#endif
#ifdef EBADEXEC
    ROW(EBADEXEC, 0, "bad executable"),
#endif
#ifdef EBADARCH
    ROW(EBADARCH, 0, "executable for another processor"),
#endif
#ifdef ESHLIBVERS
    ROW(ESHLIBVERS, 0, "shared library version mismatch"),
#endif
#ifdef EBADMACHO
    ROW(EBADMACHO, 0, "malformed Mach-O file"),
#endif
#ifdef ENOPOLICY
    ROW(ENOPOLICY, 0, "no such policy"),
#endif
#ifdef EQFULL
    ROW(EQFULL, 105, "interface output queue is full"),
#endif
#if defined(ENOATTR) && ENOATTR != ENODATA
    ROW(ENOATTR, 61, "attribute not found"),
#endif
};

const int csocket_error_count = sizeof(csocket_error_table) / sizeof(csocket_error_table[0]);

const struct csocket_error_row *csocket_find_error(int number) {
    for (int i = 0; i < csocket_error_count; i++) {
        if (csocket_error_table[i].number == number) return &csocket_error_table[i];
    }
    return NULL;
}
