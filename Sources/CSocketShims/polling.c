#if defined(__linux__)
#define _GNU_SOURCE
#endif
#include "polling.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "direct_calls.h"

#if defined(__linux__)
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#endif
#if defined(__APPLE__) || defined(__FreeBSD__)
#include <sys/event.h>
#endif

enum { BATCH = 256 };

// Rounds up: a wait that ends early would spin until the deadline is really there.
static int milliseconds(int64_t nanoseconds) {
    if (nanoseconds < 0) return -1;
    int64_t rounded = nanoseconds / 1000000 + (nanoseconds % 1000000 != 0);
    return rounded > 86400000 ? 86400000 : (int)rounded;
}

#if defined(__linux__)

int csocket_epoll_create(void) {
    int poller = epoll_create1(EPOLL_CLOEXEC);
    return poller < 0 ? -errno : poller;
}

static int epoll_add(int poller, int descriptor, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events | EPOLLET, .data.u64 = token};
    return epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event) < 0 ? -errno : 0;
}

int csocket_epoll_add(int poller, int descriptor, uint64_t token) {
    return epoll_add(poller, descriptor, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI, token);
}

int csocket_epoll_add_wakeup(int poller, int receiver, uint64_t token) {
    return epoll_add(poller, receiver, EPOLLIN, token);
}

int csocket_epoll_remove(int poller, int descriptor) {
    return epoll_ctl(poller, EPOLL_CTL_DEL, descriptor, NULL) < 0 ? -errno : 0;
}

int csocket_epoll_wait(int poller, csocket_event *events, int capacity, int64_t nanoseconds) {
    struct epoll_event native[BATCH];
    int count = direct_epoll_wait(poller, native, capacity < BATCH ? capacity : BATCH, milliseconds(nanoseconds));
    if (count < 0) return -errno;
    for (int i = 0; i < count; i++) {
        uint32_t from = native[i].events, to = 0;
        if (from & EPOLLIN) to |= CSOCKET_READABLE;
        if (from & EPOLLOUT) to |= CSOCKET_WRITABLE;
        if (from & EPOLLRDHUP) to |= CSOCKET_END_OF_INPUT;
        if (from & EPOLLHUP) to |= CSOCKET_HANG_UP;
        if (from & EPOLLERR) to |= CSOCKET_ERROR;
        if (from & EPOLLPRI) to |= CSOCKET_URGENT;
        events[i].token = native[i].data.u64;
        events[i].events = to;
    }
    return count;
}

#else

int csocket_epoll_create(void) { return -ENOSYS; }
int csocket_epoll_add(int poller, int descriptor, uint64_t token) {
    (void)poller, (void)descriptor, (void)token;
    return -ENOSYS;
}
int csocket_epoll_add_wakeup(int poller, int receiver, uint64_t token) {
    return csocket_epoll_add(poller, receiver, token);
}
int csocket_epoll_remove(int poller, int descriptor) {
    (void)poller, (void)descriptor;
    return -ENOSYS;
}
int csocket_epoll_wait(int poller, csocket_event *events, int capacity, int64_t nanoseconds) {
    (void)poller, (void)events, (void)capacity, (void)nanoseconds;
    return -ENOSYS;
}

#endif

#if defined(__APPLE__) || defined(__FreeBSD__)

int csocket_kqueue_create(void) {
    int poller = kqueue();
    if (poller < 0) return -errno;
    (void)fcntl(poller, F_SETFD, FD_CLOEXEC);
    return poller;
}

int csocket_kqueue_add(int poller, int descriptor, uint64_t token) {
    struct kevent changes[2];
    void *data = (void *)(uintptr_t)token;
    EV_SET(&changes[0], descriptor, EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0, data);
    EV_SET(&changes[1], descriptor, EVFILT_WRITE, EV_ADD | EV_CLEAR, 0, 0, data);
    return kevent(poller, changes, 2, NULL, 0, NULL) < 0 ? -errno : 0;
}

int csocket_kqueue_add_wakeup(int poller, int receiver, uint64_t token) {
    struct kevent change;
    EV_SET(&change, receiver, EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0, (void *)(uintptr_t)token);
    return kevent(poller, &change, 1, NULL, 0, NULL) < 0 ? -errno : 0;
}

int csocket_kqueue_wait(int poller, csocket_kevent *events, int capacity, int64_t nanoseconds) {
    struct kevent native[BATCH];
    struct timespec limit = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    int count = kevent(poller, NULL, 0, native, capacity < BATCH ? capacity : BATCH, nanoseconds < 0 ? NULL : &limit);
    if (count < 0) return -errno;
    for (int i = 0; i < count; i++) {
        events[i].token = (uint64_t)(uintptr_t)native[i].udata;
        events[i].data = native[i].data;
        events[i].filter = native[i].filter;
        events[i].flags = native[i].flags;
        events[i].fflags = native[i].fflags;
    }
    return count;
}

#else

int csocket_kqueue_create(void) { return -ENOSYS; }
int csocket_kqueue_add(int poller, int descriptor, uint64_t token) {
    (void)poller, (void)descriptor, (void)token;
    return -ENOSYS;
}
int csocket_kqueue_add_wakeup(int poller, int receiver, uint64_t token) {
    return csocket_kqueue_add(poller, receiver, token);
}
int csocket_kqueue_wait(int poller, csocket_kevent *events, int capacity, int64_t nanoseconds) {
    (void)poller, (void)events, (void)capacity, (void)nanoseconds;
    return -ENOSYS;
}

#endif

int csocket_poll(csocket_poll_entry *entries, int count, int64_t nanoseconds) {
    struct pollfd stack[64];
    struct pollfd *native = count <= 64 ? stack : malloc(sizeof *native * (size_t)count);
    if (native == NULL) return -ENOMEM;
    for (int i = 0; i < count; i++) {
        short wanted = 0;
        if (entries[i].events & CSOCKET_READABLE) wanted |= POLLIN;
        if (entries[i].events & CSOCKET_WRITABLE) wanted |= POLLOUT;
        if (entries[i].events & CSOCKET_URGENT) wanted |= POLLPRI;
#ifdef POLLRDHUP
        if (entries[i].events & CSOCKET_END_OF_INPUT) wanted |= POLLRDHUP;
#endif
        // A negative descriptor is skipped: one with nothing to watch would still report a hang-up, over and over.
        native[i].fd = entries[i].events != 0 ? entries[i].descriptor : -1;
        native[i].events = wanted;
        native[i].revents = 0;
    }
    int ready = poll(native, (nfds_t)count, milliseconds(nanoseconds));
    int result = ready < 0 ? -errno : ready;
    for (int i = 0; i < count; i++) {
        short from = native[i].revents;
        uint32_t to = 0;
        if (from & POLLIN) to |= CSOCKET_READABLE;
        if (from & POLLOUT) to |= CSOCKET_WRITABLE;
        if (from & POLLPRI) to |= CSOCKET_URGENT;
        if (from & POLLHUP) to |= CSOCKET_HANG_UP;
        if (from & (POLLERR | POLLNVAL)) to |= CSOCKET_ERROR;
#ifdef POLLRDHUP
        if (from & POLLRDHUP) to |= CSOCKET_END_OF_INPUT;
#endif
        entries[i].revents = ready > 0 ? to : 0;
    }
    if (native != stack) free(native);
    return result;
}

int csocket_wakeup_create(csocket_wakeup *wakeup) {
#if defined(__linux__)
    int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (descriptor < 0) return -errno;
    wakeup->receiver = wakeup->sender = descriptor;
    return 0;
#else
    int ends[2];
    if (pipe(ends) < 0) return -errno;
    for (int i = 0; i < 2; i++) {
        (void)fcntl(ends[i], F_SETFD, FD_CLOEXEC);
        (void)fcntl(ends[i], F_SETFL, O_NONBLOCK);
    }
    wakeup->receiver = ends[0];
    wakeup->sender = ends[1];
    return 0;
#endif
}

int csocket_wakeup_signal(csocket_wakeup wakeup) {
    uint64_t one = 1;
    ssize_t written;
    do written = write(wakeup.sender, &one, sizeof one);
    while (written < 0 && errno == EINTR);
    // A full counter or pipe is as good as a signal: the receiver is readable.
    return written < 0 && errno != EAGAIN ? -errno : 0;
}

void csocket_wakeup_clear(csocket_wakeup wakeup) {
    uint64_t buffer[64];
    while (read(wakeup.receiver, buffer, sizeof buffer) == (ssize_t)sizeof buffer) {
    }
}

void csocket_wakeup_close(csocket_wakeup wakeup) {
    close(wakeup.receiver);
    if (wakeup.sender != wakeup.receiver) close(wakeup.sender);
}
