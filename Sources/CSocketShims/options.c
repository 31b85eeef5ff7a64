#if defined(__linux__)
#define _GNU_SOURCE
#elif defined(__APPLE__)
#define __APPLE_USE_RFC_3542
#endif
#include "options.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#if defined(__linux__) && !defined(SO_BINDTOIFINDEX)
#define SO_BINDTOIFINDEX 62  // Linux 5.0
#endif

// Where setsockopt(2) finds an option. A row that is all zero is one that this system does not have. On an IPv6 socket
// the second place is used, if there is one.
static const struct {
    int level, name;
    int level6, name6;
} places[CSOCKET_OPTION_COUNT] = {
    [CSOCKET_OPTION_ERROR] = {SOL_SOCKET, SO_ERROR},
    [CSOCKET_OPTION_REUSE_ADDRESS] = {SOL_SOCKET, SO_REUSEADDR},
    [CSOCKET_OPTION_REUSE_PORT] = {SOL_SOCKET, SO_REUSEPORT},
    [CSOCKET_OPTION_KEEP_ALIVE] = {SOL_SOCKET, SO_KEEPALIVE},
    [CSOCKET_OPTION_KEEP_ALIVE_INTERVAL] = {IPPROTO_TCP, TCP_KEEPINTVL},
    [CSOCKET_OPTION_KEEP_ALIVE_COUNT] = {IPPROTO_TCP, TCP_KEEPCNT},
    [CSOCKET_OPTION_OUT_OF_BAND_INLINE] = {SOL_SOCKET, SO_OOBINLINE},
    [CSOCKET_OPTION_RECEIVE_BUFFER] = {SOL_SOCKET, SO_RCVBUF},
    [CSOCKET_OPTION_SEND_BUFFER] = {SOL_SOCKET, SO_SNDBUF},
    [CSOCKET_OPTION_BROADCAST] = {SOL_SOCKET, SO_BROADCAST},
    [CSOCKET_OPTION_NO_DELAY] = {IPPROTO_TCP, TCP_NODELAY},
    [CSOCKET_OPTION_TYPE_OF_SERVICE] = {IPPROTO_IP, IP_TOS, IPPROTO_IPV6, IPV6_TCLASS},
    [CSOCKET_OPTION_IPV6_ONLY] = {IPPROTO_IPV6, IPV6_V6ONLY},
    [CSOCKET_OPTION_TIME_TO_LIVE] = {IPPROTO_IP, IP_TTL, IPPROTO_IPV6, IPV6_UNICAST_HOPS},
    [CSOCKET_OPTION_MULTICAST_TTL] = {IPPROTO_IP, IP_MULTICAST_TTL, IPPROTO_IPV6, IPV6_MULTICAST_HOPS},
    [CSOCKET_OPTION_MULTICAST_LOOPBACK] = {IPPROTO_IP, IP_MULTICAST_LOOP, IPPROTO_IPV6, IPV6_MULTICAST_LOOP},
    [CSOCKET_OPTION_MULTICAST_INTERFACE] = {IPPROTO_IP, IP_MULTICAST_IF, IPPROTO_IPV6, IPV6_MULTICAST_IF},
    [CSOCKET_OPTION_PACKET_INFO] = {IPPROTO_IP, IP_PKTINFO, IPPROTO_IPV6, IPV6_RECVPKTINFO},
    [CSOCKET_OPTION_RECEIVE_TRAFFIC_CLASS] = {IPPROTO_IP, IP_RECVTOS, IPPROTO_IPV6, IPV6_RECVTCLASS},
#if defined(__linux__)
    [CSOCKET_OPTION_KEEP_ALIVE_IDLE] = {IPPROTO_TCP, TCP_KEEPIDLE},
    [CSOCKET_OPTION_QUICK_ACK] = {IPPROTO_TCP, TCP_QUICKACK},
    [CSOCKET_OPTION_USER_TIMEOUT] = {IPPROTO_TCP, TCP_USER_TIMEOUT},
    [CSOCKET_OPTION_FAST_OPEN_QUEUE] = {IPPROTO_TCP, TCP_FASTOPEN},
    [CSOCKET_OPTION_INTERFACE] = {SOL_SOCKET, SO_BINDTOIFINDEX},
    [CSOCKET_OPTION_MULTICAST_ALL] = {IPPROTO_IP, IP_MULTICAST_ALL, IPPROTO_IPV6, IPV6_MULTICAST_ALL},
    [CSOCKET_OPTION_ERROR_QUEUE_V4] = {IPPROTO_IP, IP_RECVERR},
    [CSOCKET_OPTION_ERROR_QUEUE_V6] = {IPPROTO_IPV6, IPV6_RECVERR},
#elif defined(__APPLE__)
    [CSOCKET_OPTION_KEEP_ALIVE_IDLE] = {IPPROTO_TCP, TCP_KEEPALIVE},
    [CSOCKET_OPTION_INTERFACE] = {IPPROTO_IP, IP_BOUND_IF, IPPROTO_IPV6, IPV6_BOUND_IF},
#endif
};

static int outcome(int result) {
    return result < 0 ? -errno : result;
}

static int is_ipv6(int descriptor) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    return getsockname(descriptor, (struct sockaddr *)&address, &length) == 0 && address.ss_family == AF_INET6;
}

static int find(int descriptor, int option, int *level, int *name) {
    if (!csocket_has_option(option)) return -ENOPROTOOPT;
    int uses_second = places[option].name6 != 0 && is_ipv6(descriptor);
    *level = uses_second ? places[option].level6 : places[option].level;
    *name = uses_second ? places[option].name6 : places[option].name;
    return uses_second;
}

int csocket_has_option(int option) {
    return option >= 0 && option < CSOCKET_OPTION_COUNT && places[option].name != 0;
}

// IP_MULTICAST_IF wants a structure: as a number it would be one of this machine's addresses.
static int is_ipv4_multicast_interface(int level, int name) {
    return level == IPPROTO_IP && name == IP_MULTICAST_IF;
}

static int set(int descriptor, int level, int name, int value) {
    if (is_ipv4_multicast_interface(level, name)) {
        struct ip_mreqn request = {.imr_ifindex = value};
        return outcome(setsockopt(descriptor, level, name, &request, sizeof request));
    }
    return outcome(setsockopt(descriptor, level, name, &value, sizeof value));
}

int csocket_set_option(int descriptor, int option, int value) {
    int level, name;
    int found = find(descriptor, option, &level, &name);
    if (found < 0) return found;
    int result = set(descriptor, level, name, value);
    // An IPv6 socket has IPv4 peers too, where it is not IPv6 only. Linux keeps both values; others refuse the first.
    if (result == 0 && found) {
        (void)set(descriptor, places[option].level, places[option].name, value);
    }
    return result;
}

int csocket_get_option(int descriptor, int option, int *value) {
    int level, name;
    int found = find(descriptor, option, &level, &name);
    if (found < 0) return found;
    // No kernel tells the index.
    if (is_ipv4_multicast_interface(level, name)) return -ENOPROTOOPT;
    socklen_t length = sizeof *value;
    return outcome(getsockopt(descriptor, level, name, value, &length));
}

int csocket_set_raw_option(int descriptor, int level, int name, const void *value, size_t count) {
    return outcome(setsockopt(descriptor, level, name, value, (socklen_t)count));
}

int csocket_get_raw_option(int descriptor, int level, int name, void *value, size_t count) {
    socklen_t length = (socklen_t)count;
    int result = outcome(getsockopt(descriptor, level, name, value, &length));
    return result < 0 ? result : (int)length;
}

int csocket_set_abortive_close(int descriptor) {
    struct linger value = {.l_onoff = 1, .l_linger = 0};
    return outcome(setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, sizeof value));
}
