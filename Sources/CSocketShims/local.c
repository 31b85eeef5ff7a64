#if defined(__linux__)
#define _GNU_SOURCE
#endif
#include "local.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "address_private.h"
#include "sockets.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif
#ifndef MSG_CMSG_CLOEXEC
#define MSG_CMSG_CLOEXEC 0  // Apple systems: set afterwards
#endif

// An abstract name's first byte is a zero that is none of the name's own.
const size_t csocket_longest_abstract_name = sizeof((struct sockaddr_un *)0)->sun_path - 1;
const size_t csocket_longest_path = sizeof((struct sockaddr_un *)0)->sun_path - 1;

static ssize_t outcome(ssize_t result) {
    return result < 0 ? -errno : result;
}

int csocket_local_name(int descriptor, int of_peer, uint8_t *name) {
    csocket_sockaddr native;
    socklen_t length = sizeof native;
    int result = of_peer ? getpeername(descriptor, &native.any, &length) : getsockname(descriptor, &native.any, &length);
    if (result < 0) return -errno;
    size_t start = offsetof(struct sockaddr_un, sun_path);
    if (native.any.sa_family != AF_UNIX || length <= start) return 0;
    size_t count = length - start;
    if (count > sizeof native.local.sun_path) count = sizeof native.local.sun_path;
    if (native.local.sun_path[0] != 0) count = strnlen(native.local.sun_path, count);
#if !defined(__linux__)
    else count = 0;  // all zeros: no name
#endif
    memcpy(name, native.local.sun_path, count);
    return (int)count;
}

int csocket_local_pair(int kind, int ends[2]) {
    int type = kind == CSOCKET_DATAGRAM ? SOCK_DGRAM : kind == CSOCKET_SEQPACKET ? SOCK_SEQPACKET : SOCK_STREAM;
#if defined(__linux__)
    return (int)outcome(socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends));
#else
    if (socketpair(AF_UNIX, type, 0, ends) < 0) return -errno;
    int result = csocket_prepare(ends[0]);
    if (result == 0) result = csocket_prepare(ends[1]);
    if (result < 0) {
        close(ends[0]);
        close(ends[1]);
    }
    return result;
#endif
}

int csocket_peer_credentials(int descriptor, csocket_credentials *credentials) {
    memset(credentials, 0, sizeof *credentials);
#if defined(__linux__)
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -errno;
    // A peer that has gone before there was one: nobody.
    if (peer.uid == (uid_t)-1) return -ENOTCONN;
    credentials->user = peer.uid;
    credentials->group = peer.gid;
    credentials->process = peer.pid;
#else
    uid_t user;
    gid_t group;
    if (getpeereid(descriptor, &user, &group) < 0) return -errno;
    credentials->user = user;
    credentials->group = group;
#if defined(LOCAL_PEERPID)
    pid_t process = 0;
    socklen_t length = sizeof process;
    if (getsockopt(descriptor, SOL_LOCAL, LOCAL_PEERPID, &process, &length) == 0) credentials->process = process;
#endif
#endif
    return 0;
}

// MARK: Descriptors in messages

typedef union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(CSOCKET_MOST_DESCRIPTORS * sizeof(int))];
} descriptor_control;

ssize_t csocket_send_descriptors(int descriptor, const void *bytes, size_t count, const int *passed, size_t passed_count) {
    if (passed_count == 0 || passed_count > CSOCKET_MOST_DESCRIPTORS) return -EINVAL;
    descriptor_control control;
    memset(&control, 0, sizeof control);
    struct iovec vector = {.iov_base = (void *)bytes, .iov_len = count};
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(passed_count * sizeof(int));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(passed_count * sizeof(int));
    memcpy(CMSG_DATA(header), passed, passed_count * sizeof(int));
    return outcome(sendmsg(descriptor, &message, MSG_NOSIGNAL));
}

void csocket_parse_descriptors(
    const void *control, size_t length, int *passed, size_t capacity, size_t *passed_count, int *lost) {
    const char *bytes = control;
    size_t offset = 0;
    while (length - offset >= sizeof(struct cmsghdr)) {
        struct cmsghdr header;
        memcpy(&header, bytes + offset, sizeof header);
        size_t size = (size_t)header.cmsg_len;
        if (size < CMSG_LEN(0) || size > length - offset) return;
        if (header.cmsg_level == SOL_SOCKET && header.cmsg_type == SCM_RIGHTS) {
            for (size_t at = CMSG_LEN(0); at + sizeof(int) <= size; at += sizeof(int)) {
                int number;
                memcpy(&number, bytes + offset + at, sizeof number);
                if (*passed_count < capacity) {
#if !defined(__linux__)
                    (void)fcntl(number, F_SETFD, FD_CLOEXEC);
#endif
                    passed[(*passed_count)++] = number;
                } else {
                    close(number);
                    *lost = 1;
                }
            }
        }
        size_t space = CMSG_SPACE(size - CMSG_LEN(0));
        if (space > length - offset) return;
        offset += space;
    }
}

static ssize_t receive(
    int descriptor, void *bytes, size_t count, int *passed, size_t capacity, size_t *passed_count, int *lost,
    int *truncated) {
    // Large enough for all that one message can carry, so that none is cut off for want of room in here.
    descriptor_control control;
    struct iovec vector = {.iov_base = bytes, .iov_len = count};
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    if (capacity > 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
    }
    *passed_count = 0;
    *lost = 0;
    ssize_t received = outcome(recvmsg(descriptor, &message, MSG_CMSG_CLOEXEC));
    if (received < 0) return received;
    if (capacity > 0) {
        csocket_parse_descriptors(&control, message.msg_controllen, passed, capacity, passed_count, lost);
        if (message.msg_flags & MSG_CTRUNC) *lost = 1;
    }
    *truncated = (message.msg_flags & MSG_TRUNC) != 0;
    return received;
}

ssize_t csocket_receive_descriptors(
    int descriptor, void *bytes, size_t count, int *passed, size_t capacity, size_t *passed_count, int *lost) {
    int truncated = 0;
    return receive(descriptor, bytes, count, passed, capacity, passed_count, lost, &truncated);
}

static void close_all(const int *passed, size_t count) {
    for (size_t i = 0; i < count; i++) close(passed[i]);
}

// Whether a read of nothing was the end and not an empty message.
static int has_ended(int descriptor) {
    if (csocket_unread_count(descriptor) > 0) return 0;
#if defined(POLLRDHUP)
    struct pollfd entry = {.fd = descriptor, .events = POLLRDHUP};
    return poll(&entry, 1, 0) != 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
#else
    return 1;
#endif
}

ssize_t csocket_receive_packet(
    int descriptor, void *bytes, size_t count, int *passed, size_t capacity, size_t *passed_count, int *lost) {
    // More than a receive queue holds, so only a peer that goes on sending them while we read comes so far.
    for (int i = 0; i < 4096; i++) {
        int truncated = 0;
        ssize_t received = receive(descriptor, bytes, count, passed, capacity, passed_count, lost, &truncated);
        if (received > 0 && !truncated) return received;
        if (received < 0) return received;
        close_all(passed, *passed_count);
        *passed_count = 0;
        if (truncated) return -EMSGSIZE;
        if (has_ended(descriptor)) return 0;
    }
    return -EPROTO;
}

// MARK: Paths

int csocket_find_file(const char *path, csocket_file *file) {
    struct stat status;
    if (lstat(path, &status) < 0) return -errno;
    file->device = (uint64_t)status.st_dev;
    file->inode = (uint64_t)status.st_ino;
    file->mode = (uint32_t)(status.st_mode & 07777);
    file->is_socket = S_ISSOCK(status.st_mode);
    return 0;
}

int csocket_remove_file(const char *path) {
    return (int)outcome(unlink(path));
}

int csocket_set_socket_mode(int descriptor, uint32_t mode) {
    return (int)outcome(fchmod(descriptor, (mode_t)mode));
}

int csocket_set_file_mode(const char *path, uint32_t mode) {
    int result = (int)outcome(fchmodat(AT_FDCWD, path, (mode_t)mode, AT_SYMLINK_NOFOLLOW));
    // Not every C library can; a link is not what was just bound.
    return result == -EOPNOTSUPP || result == -ENOTSUP ? (int)outcome(chmod(path, (mode_t)mode)) : result;
}
