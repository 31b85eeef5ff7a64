#if defined(__linux__)
#define _GNU_SOURCE
#endif
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address_private.h"
#include "direct_calls.h"

#if defined(__linux__)
#include <linux/sockios.h>
#endif

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0  // Apple systems: SO_NOSIGPIPE is set on every descriptor instead
#endif

static ssize_t outcome(ssize_t result) {
    return result < 0 ? -errno : result;
}

int csocket_prepare(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0 || fcntl(descriptor, F_SETFD, FD_CLOEXEC) < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
#ifdef SO_NOSIGPIPE
    // EINVAL: the peer has already reset the connection; the first call on it will say so.
    int on = 1;
    (void)setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    return 0;
}

#if !defined(__linux__)
static int prepare(int descriptor) {
    int result = csocket_prepare(descriptor);
    if (result == 0) return descriptor;
    close(descriptor);
    return result;
}
#endif

int csocket_inspect(int descriptor, int *kind, int *listening) {
    int type = 0;
    socklen_t length = sizeof type;
    if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) < 0) return -errno;
    *kind = type == SOCK_STREAM ? CSOCKET_STREAM : type == SOCK_DGRAM ? CSOCKET_DATAGRAM : 0;
    length = sizeof *listening;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, listening, &length) < 0) return -errno;
    return 0;
}

int csocket_open(int family, int kind) {
    int domain = family == CSOCKET_FAMILY_IPV6 ? AF_INET6 : AF_INET;
    int type = kind == CSOCKET_DATAGRAM ? SOCK_DGRAM : SOCK_STREAM;
#if defined(__linux__)
    return (int)outcome(socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
#else
    int descriptor = (int)outcome(socket(domain, type, 0));
    return descriptor < 0 ? descriptor : prepare(descriptor);
#endif
}

int csocket_accept(int descriptor, csocket_address *peer) {
    csocket_sockaddr native;
    socklen_t length = sizeof native;
#if defined(__linux__)
    int accepted = (int)outcome(accept4(descriptor, &native.any, &length, SOCK_CLOEXEC | SOCK_NONBLOCK));
#else
    int accepted = (int)outcome(accept(descriptor, &native.any, &length));
    if (accepted >= 0) accepted = prepare(accepted);
#endif
    if (accepted >= 0) csocket_address_from_native(&native, length, peer);
    return accepted;
}

int csocket_bind(int descriptor, const csocket_address *address) {
    csocket_sockaddr native;
    socklen_t length = csocket_address_to_native(address, &native);
    return (int)outcome(bind(descriptor, &native.any, length));
}

int csocket_connect(int descriptor, const csocket_address *address) {
    csocket_sockaddr native;
    socklen_t length = csocket_address_to_native(address, &native);
    return (int)outcome(connect(descriptor, &native.any, length));
}

int csocket_listen(int descriptor, int backlog) {
    return (int)outcome(listen(descriptor, backlog));
}

int csocket_local_address(int descriptor, csocket_address *address) {
    csocket_sockaddr native;
    socklen_t length = sizeof native;
    int result = (int)outcome(getsockname(descriptor, &native.any, &length));
    if (result == 0) csocket_address_from_native(&native, length, address);
    return result;
}

int csocket_peer_address(int descriptor, csocket_address *address) {
    csocket_sockaddr native;
    socklen_t length = sizeof native;
    int result = (int)outcome(getpeername(descriptor, &native.any, &length));
    if (result == 0) csocket_address_from_native(&native, length, address);
    return result;
}

int csocket_shutdown(int descriptor, int how) {
    int mode = how == CSOCKET_SHUT_READ ? SHUT_RD : how == CSOCKET_SHUT_WRITE ? SHUT_WR : SHUT_RDWR;
    return (int)outcome(shutdown(descriptor, mode));
}

int csocket_close(int descriptor) {
    return (int)outcome(close(descriptor));
}

ssize_t csocket_send(int descriptor, const void *bytes, size_t count) {
    return outcome(direct_send(descriptor, bytes, count, MSG_NOSIGNAL));
}

ssize_t csocket_receive(int descriptor, void *bytes, size_t count) {
    return outcome(direct_recv(descriptor, bytes, count, 0));
}

ssize_t csocket_send_parts(int descriptor, const csocket_part *parts, size_t count) {
    struct iovec vector[64];
    struct msghdr message;
    size_t used = count < 64 ? count : 64;
    for (size_t i = 0; i < used; i++) {
        vector[i].iov_base = (void *)parts[i].bytes;
        vector[i].iov_len = parts[i].count;
    }
    memset(&message, 0, sizeof message);
    message.msg_iov = vector;
    message.msg_iovlen = used;
    return outcome(sendmsg(descriptor, &message, MSG_NOSIGNAL));
}

ssize_t csocket_send_urgent(int descriptor, uint8_t byte) {
    return outcome(send(descriptor, &byte, 1, MSG_NOSIGNAL | MSG_OOB));
}

ssize_t csocket_receive_urgent(int descriptor, uint8_t *byte) {
    return outcome(recv(descriptor, byte, 1, MSG_OOB));
}

ssize_t csocket_peek(int descriptor, void *bytes, size_t count) {
    return outcome(recv(descriptor, bytes, count, MSG_PEEK));
}

int csocket_unread_count(int descriptor) {
    int count = 0;
    return ioctl(descriptor, FIONREAD, &count) < 0 ? -errno : count;
}

int csocket_unsent_count(int descriptor) {
    int count = 0;
#if defined(__linux__)
    return ioctl(descriptor, SIOCOUTQ, &count) < 0 ? -errno : count;
#elif defined(SO_NWRITE)
    socklen_t length = sizeof count;
    return getsockopt(descriptor, SOL_SOCKET, SO_NWRITE, &count, &length) < 0 ? -errno : count;
#else
    (void)descriptor;
    return count;
#endif
}

uint64_t csocket_descriptor_limit(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (uint64_t)limit.rlim_cur : 0;
}
