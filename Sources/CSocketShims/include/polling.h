#ifndef CSOCKETSHIMS_POLLING_H
#define CSOCKETSHIMS_POLLING_H

#include <stdint.h>

// What the three system interfaces report, in one vocabulary (see PollEvents on the Swift side).
enum {
    CSOCKET_READABLE = 1 << 0,
    CSOCKET_WRITABLE = 1 << 1,
    CSOCKET_END_OF_INPUT = 1 << 2,
    CSOCKET_HANG_UP = 1 << 3,
    CSOCKET_ERROR = 1 << 4,
    CSOCKET_URGENT = 1 << 5,
};

typedef struct {
    uint64_t token;
    uint32_t events;
} csocket_event;

// epoll(7), edge-triggered, both directions at once. -ENOSYS on systems without it.
int csocket_epoll_create(void);
int csocket_epoll_add(int poller, int descriptor, uint64_t token);
// Watches a wake-up's receiver: for reading only, since it is writable from the start and would end the first wait.
int csocket_epoll_add_wakeup(int poller, int receiver, uint64_t token);
int csocket_epoll_remove(int poller, int descriptor);
// Waits for `nanoseconds` (below zero: without end) and returns how many of `events` were filled.
int csocket_epoll_wait(int poller, csocket_event *events, int capacity, int64_t nanoseconds);

// kqueue(2). -ENOSYS on systems without it.
typedef struct {
    uint64_t token;
    int64_t data;
    int32_t filter;
    uint32_t flags;
    uint32_t fflags;
} csocket_kevent;
int csocket_kqueue_create(void);
int csocket_kqueue_add(int poller, int descriptor, uint64_t token);
int csocket_kqueue_add_wakeup(int poller, int receiver, uint64_t token);
int csocket_kqueue_wait(int poller, csocket_kevent *events, int capacity, int64_t nanoseconds);

// poll(2), level-triggered. `entries[i].events` is what to watch for, `revents` what is there, in the vocabulary above.
typedef struct {
    int descriptor;
    uint32_t events;
    uint32_t revents;
} csocket_poll_entry;
int csocket_poll(csocket_poll_entry *entries, int count, int64_t nanoseconds);

// A descriptor that another thread can make readable: eventfd(2), or a pipe.
typedef struct {
    int receiver;
    int sender;
} csocket_wakeup;
int csocket_wakeup_create(csocket_wakeup *wakeup);
int csocket_wakeup_signal(csocket_wakeup wakeup);
void csocket_wakeup_clear(csocket_wakeup wakeup);
void csocket_wakeup_close(csocket_wakeup wakeup);

#endif
