#ifndef CSOCKETSHIMS_OPTIONS_H
#define CSOCKETSHIMS_OPTIONS_H

#include <stdint.h>

// Socket options by meaning, so that the Swift side names no level, no number and no platform.
enum {
    CSOCKET_OPTION_ERROR,            // SO_ERROR, read only
    CSOCKET_OPTION_REUSE_ADDRESS,    // SO_REUSEADDR
    CSOCKET_OPTION_KEEP_ALIVE,       // SO_KEEPALIVE
    CSOCKET_OPTION_OUT_OF_BAND_INLINE,  // SO_OOBINLINE
    CSOCKET_OPTION_RECEIVE_BUFFER,   // SO_RCVBUF, bytes
    CSOCKET_OPTION_SEND_BUFFER,      // SO_SNDBUF, bytes
    CSOCKET_OPTION_BROADCAST,        // SO_BROADCAST
    CSOCKET_OPTION_NO_DELAY,         // TCP_NODELAY
    CSOCKET_OPTION_IPV6_ONLY,        // IPV6_V6ONLY
    CSOCKET_OPTION_ERROR_QUEUE_V4,   // IP_RECVERR, Linux
    CSOCKET_OPTION_ERROR_QUEUE_V6,   // IPV6_RECVERR, Linux
    CSOCKET_OPTION_TYPE,             // SO_TYPE, read only
};

// Return 0 or minus the errno; -ENOPROTOOPT for an option that this system does not have.
int csocket_set_option(int descriptor, int option, int value);
int csocket_get_option(int descriptor, int option, int *value);

// SO_LINGER with a time of zero: the next close(2) resets the connection.
int csocket_set_abortive_close(int descriptor);
int csocket_get_linger(int descriptor, int *on, int *seconds);

#endif
