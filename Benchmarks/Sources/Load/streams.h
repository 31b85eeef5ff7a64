// TCP connections that a scenario opens once and keeps.

#ifndef STREAMS_H
#define STREAMS_H

#include "transport.h"

#include <stdint.h>
#include <sys/epoll.h>

struct connection {
    struct stream stream;
    uint64_t sent;       // bytes
    uint64_t received;   // bytes
    uint64_t issued;     // messages
    uint64_t completed;  // messages
    uint64_t *issued_at; // nanoseconds, a ring: message m is at m % depth
};

extern struct connection *connections;
extern int poller;

// Opens all connections that the options ask for and registers them for `events`.
void open_connections(uint32_t events);

// Opens the `index`-th connection of them. It does not block from then on.
void open_connection(long index, uint32_t events);

// Ends our direction of all that are open, so that the server does not take the end of this process for a break.
void finish_connections(void);

// Waits for events of the connections, at most EVENTS_PER_TURN. Silence is a failure: `owed` says what must come.
int wait_for(const char *owed, struct epoll_event *events);

long number(const struct connection *connection);

#endif
