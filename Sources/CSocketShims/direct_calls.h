#ifndef CSOCKETSHIMS_DIRECT_CALLS_H
#define CSOCKETSHIMS_DIRECT_CALLS_H

// The three calls of every message, without glibc's wrappers on Linux: those are cancellation points (pthreads(7)),
// which costs two atomic operations a call in a process with threads. No thread that calls these is ever cancelled.
// The sanitizers watch the wrappers, so builds for them keep those.

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define KEEPS_WRAPPERS 1
#endif
#endif

#if defined(__linux__)
#include <sys/epoll.h>
#endif

#if defined(__linux__) && !defined(KEEPS_WRAPPERS)

#include <sys/syscall.h>
#include <unistd.h>

static inline ssize_t direct_send(int descriptor, const void *bytes, size_t count, int flags) {
    return syscall(SYS_sendto, descriptor, bytes, count, flags, NULL, 0);
}

static inline ssize_t direct_recv(int descriptor, void *bytes, size_t count, int flags) {
    return syscall(SYS_recvfrom, descriptor, bytes, count, flags, NULL, NULL);
}

static inline int direct_epoll_wait(int poller, struct epoll_event *events, int capacity, int milliseconds) {
    return (int)syscall(SYS_epoll_pwait, poller, events, capacity, milliseconds, NULL, 0);
}

#else

static inline ssize_t direct_send(int descriptor, const void *bytes, size_t count, int flags) {
    return send(descriptor, bytes, count, flags);
}

static inline ssize_t direct_recv(int descriptor, void *bytes, size_t count, int flags) {
    return recv(descriptor, bytes, count, flags);
}

#if defined(__linux__)
static inline int direct_epoll_wait(int poller, struct epoll_event *events, int capacity, int milliseconds) {
    return epoll_wait(poller, events, capacity, milliseconds);
}
#endif

#endif

#endif
