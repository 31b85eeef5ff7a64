#ifndef CSOCKETSHIMS_ERRORS_H
#define CSOCKETSHIMS_ERRORS_H

#include <errno.h>

/// What is known of one error number of this system (errno(3)).
struct csocket_error_row {
    /// The number on this system.
    int number;
    /// The number that Linux gives the same error; 0 when Linux has none.
    int linux_number;
    /// The C name, as "ECONNREFUSED".
    const char *name;
    /// A short English text, the same on every system.
    const char *text;
};

/// Every error of this system, each number once.
extern const struct csocket_error_row csocket_error_table[];

/// The number of rows in the table.
extern const int csocket_error_count;

/// The row of a number, or NULL.
const struct csocket_error_row *csocket_find_error(int number);

// The numbers that the engine compares with, as constants that Swift sees without knowing the C library's name.
#define CSOCKET_ERROR(name) static const int csocket_##name = name

CSOCKET_ERROR(EAGAIN);
CSOCKET_ERROR(EINTR);
CSOCKET_ERROR(EINPROGRESS);
CSOCKET_ERROR(EALREADY);
CSOCKET_ERROR(ECANCELED);
CSOCKET_ERROR(ETIMEDOUT);
CSOCKET_ERROR(ECONNREFUSED);
CSOCKET_ERROR(ECONNRESET);
CSOCKET_ERROR(ECONNABORTED);
CSOCKET_ERROR(EPIPE);
CSOCKET_ERROR(ENOTCONN);
CSOCKET_ERROR(EISCONN);
CSOCKET_ERROR(ESHUTDOWN);
CSOCKET_ERROR(EDESTADDRREQ);
CSOCKET_ERROR(EMSGSIZE);
CSOCKET_ERROR(EPROTO);
CSOCKET_ERROR(EADDRINUSE);
CSOCKET_ERROR(EADDRNOTAVAIL);
CSOCKET_ERROR(EAFNOSUPPORT);
CSOCKET_ERROR(EPROTONOSUPPORT);
CSOCKET_ERROR(EPROTOTYPE);
CSOCKET_ERROR(ENOPROTOOPT);
CSOCKET_ERROR(EOPNOTSUPP);
CSOCKET_ERROR(ENETDOWN);
CSOCKET_ERROR(ENETUNREACH);
CSOCKET_ERROR(ENETRESET);
CSOCKET_ERROR(EHOSTDOWN);
CSOCKET_ERROR(EHOSTUNREACH);
CSOCKET_ERROR(EACCES);
CSOCKET_ERROR(EPERM);
CSOCKET_ERROR(EINVAL);
CSOCKET_ERROR(EDOM);
CSOCKET_ERROR(EFAULT);
CSOCKET_ERROR(EBADF);
CSOCKET_ERROR(ENOTSOCK);
CSOCKET_ERROR(ENOSYS);
CSOCKET_ERROR(EMFILE);
CSOCKET_ERROR(ENFILE);
CSOCKET_ERROR(ENOBUFS);
CSOCKET_ERROR(ETOOMANYREFS);
CSOCKET_ERROR(ENOMEM);
CSOCKET_ERROR(ENOENT);
CSOCKET_ERROR(EEXIST);
CSOCKET_ERROR(ENOTDIR);
CSOCKET_ERROR(ENAMETOOLONG);
CSOCKET_ERROR(EROFS);
CSOCKET_ERROR(ENOSPC);
CSOCKET_ERROR(EIO);
CSOCKET_ERROR(ENODEV);
CSOCKET_ERROR(ENXIO);

#undef CSOCKET_ERROR

#endif
