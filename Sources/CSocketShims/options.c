#include "options.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static int find(int option, int *level, int *name) {
    *level = SOL_SOCKET;
    switch (option) {
    case CSOCKET_OPTION_ERROR: *name = SO_ERROR; return 0;
    case CSOCKET_OPTION_REUSE_ADDRESS: *name = SO_REUSEADDR; return 0;
    case CSOCKET_OPTION_KEEP_ALIVE: *name = SO_KEEPALIVE; return 0;
    case CSOCKET_OPTION_OUT_OF_BAND_INLINE: *name = SO_OOBINLINE; return 0;
    case CSOCKET_OPTION_RECEIVE_BUFFER: *name = SO_RCVBUF; return 0;
    case CSOCKET_OPTION_SEND_BUFFER: *name = SO_SNDBUF; return 0;
    case CSOCKET_OPTION_BROADCAST: *name = SO_BROADCAST; return 0;
    case CSOCKET_OPTION_TYPE: *name = SO_TYPE; return 0;
    case CSOCKET_OPTION_NO_DELAY: *level = IPPROTO_TCP, *name = TCP_NODELAY; return 0;
    case CSOCKET_OPTION_IPV6_ONLY: *level = IPPROTO_IPV6, *name = IPV6_V6ONLY; return 0;
#if defined(__linux__)
    case CSOCKET_OPTION_ERROR_QUEUE_V4: *level = IPPROTO_IP, *name = IP_RECVERR; return 0;
    case CSOCKET_OPTION_ERROR_QUEUE_V6: *level = IPPROTO_IPV6, *name = IPV6_RECVERR; return 0;
#endif
    default: return -ENOPROTOOPT;
    }
}

int csocket_set_option(int descriptor, int option, int value) {
    int level, name;
    int known = find(option, &level, &name);
    if (known < 0) return known;
    return setsockopt(descriptor, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

int csocket_get_option(int descriptor, int option, int *value) {
    int level, name;
    int known = find(option, &level, &name);
    if (known < 0) return known;
    socklen_t length = sizeof *value;
    return getsockopt(descriptor, level, name, value, &length) < 0 ? -errno : 0;
}

int csocket_set_abortive_close(int descriptor) {
    struct linger value = {.l_onoff = 1, .l_linger = 0};
    return setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, sizeof value) < 0 ? -errno : 0;
}

int csocket_get_linger(int descriptor, int *on, int *seconds) {
    struct linger value = {0};
    socklen_t length = sizeof value;
    if (getsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, &length) < 0) return -errno;
    *on = value.l_onoff;
    *seconds = value.l_linger;
    return 0;
}
