#ifndef CSOCKETSHIMS_OPTIONS_H
#define CSOCKETSHIMS_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

// Socket options by meaning, so that the Swift side names no level, no number and no platform.
enum {
    CSOCKET_OPTION_ERROR,               // SO_ERROR, read only
    CSOCKET_OPTION_REUSE_ADDRESS,       // SO_REUSEADDR
    CSOCKET_OPTION_REUSE_PORT,          // SO_REUSEPORT
    CSOCKET_OPTION_KEEP_ALIVE,          // SO_KEEPALIVE
    CSOCKET_OPTION_KEEP_ALIVE_IDLE,     // TCP_KEEPIDLE (TCP_KEEPALIVE on Apple systems), seconds
    CSOCKET_OPTION_KEEP_ALIVE_INTERVAL, // TCP_KEEPINTVL, seconds
    CSOCKET_OPTION_KEEP_ALIVE_COUNT,    // TCP_KEEPCNT
    CSOCKET_OPTION_OUT_OF_BAND_INLINE,  // SO_OOBINLINE
    CSOCKET_OPTION_RECEIVE_BUFFER,      // SO_RCVBUF, bytes
    CSOCKET_OPTION_SEND_BUFFER,         // SO_SNDBUF, bytes
    CSOCKET_OPTION_BROADCAST,           // SO_BROADCAST
    CSOCKET_OPTION_NO_DELAY,            // TCP_NODELAY
    CSOCKET_OPTION_QUICK_ACK,           // TCP_QUICKACK, Linux
    CSOCKET_OPTION_USER_TIMEOUT,        // TCP_USER_TIMEOUT, milliseconds, Linux
    CSOCKET_OPTION_FAST_OPEN_QUEUE,     // TCP_FASTOPEN of a listener, connections, Linux
    CSOCKET_OPTION_TYPE_OF_SERVICE,     // IP_TOS and IPV6_TCLASS
    CSOCKET_OPTION_IPV6_ONLY,           // IPV6_V6ONLY
    CSOCKET_OPTION_INTERFACE,           // SO_BINDTOIFINDEX, or IP_BOUND_IF and IPV6_BOUND_IF; an interface's index
    CSOCKET_OPTION_TIME_TO_LIVE,        // IP_TTL and IPV6_UNICAST_HOPS
    CSOCKET_OPTION_MULTICAST_TTL,       // IP_MULTICAST_TTL and IPV6_MULTICAST_HOPS
    CSOCKET_OPTION_MULTICAST_LOOPBACK,  // IP_MULTICAST_LOOP and IPV6_MULTICAST_LOOP
    CSOCKET_OPTION_MULTICAST_INTERFACE, // IP_MULTICAST_IF and IPV6_MULTICAST_IF, an interface's index
    CSOCKET_OPTION_MULTICAST_ALL,       // IP_MULTICAST_ALL and IPV6_MULTICAST_ALL, Linux
    CSOCKET_OPTION_PACKET_INFO,         // IP_PKTINFO and IPV6_RECVPKTINFO: each datagram's destination and interface
    CSOCKET_OPTION_RECEIVE_TRAFFIC_CLASS, // IP_RECVTOS and IPV6_RECVTCLASS
    CSOCKET_OPTION_ERROR_QUEUE_V4,      // IP_RECVERR, Linux
    CSOCKET_OPTION_ERROR_QUEUE_V6,      // IPV6_RECVERR, Linux
    CSOCKET_OPTION_COUNT,
};

// Whether this system has the option at all.
int csocket_has_option(int option);

// Return 0 or minus the errno; -ENOPROTOOPT for an option that this system, or this kind of socket, does not have.
int csocket_set_option(int descriptor, int option, int value);
int csocket_get_option(int descriptor, int option, int *value);

// setsockopt(2) and getsockopt(2) as they are. The second returns how many bytes the kernel filled.
int csocket_set_raw_option(int descriptor, int level, int name, const void *value, size_t count);
int csocket_get_raw_option(int descriptor, int level, int name, void *value, size_t count);

// SO_LINGER with a time of zero: the next close(2) resets the connection.
int csocket_set_abortive_close(int descriptor);

#endif
