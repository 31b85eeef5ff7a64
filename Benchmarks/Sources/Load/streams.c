#define _GNU_SOURCE

#include "streams.h"

#include "load.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { SPARE_DESCRIPTORS = 16 };

struct connection *connections;
int poller;

long number(const struct connection *connection) { return connection - connections; }

static void prepare(void) {
    long limit = raise_descriptor_limit();
    if (options.connections > limit - SPARE_DESCRIPTORS) {
        fail("%ld connections need %ld descriptors, the hard limit is %ld", options.connections,
             options.connections + SPARE_DESCRIPTORS, limit);
    }
    connections = calloc((size_t)options.connections, sizeof *connections);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || poller < 0) {
        fail_errno("cannot start");
    }
}

void open_connection(long index, uint32_t events) {
    if (connections == NULL) {
        prepare();
    }
    struct connection *connection = &connections[index];
    // Connecting blocks: on loopback it is over in microseconds, and a send time-out bounds it.
    const struct timeval patience = {.tv_sec = STALL_MILLISECONDS / 1000};
    const int on = 1;
    int descriptor = socket(target.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        fail_errno("socket");
    }
    if (setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) {
        fail_errno("setsockopt");
    }
    if (connect(descriptor, (const struct sockaddr *)&target.storage, target.length) < 0) {
        fail_errno("connection %ld: connect", index);
    }
    connection->stream.descriptor = descriptor;
    transport->begin(&connection->stream, true);
    if (options.websocket) {
        shake_hands(&connection->stream);
    }
    if (fcntl(descriptor, F_SETFL, O_NONBLOCK) < 0) {
        fail_errno("fcntl");
    }

    connection->issued_at = calloc((size_t)options.depth, sizeof *connection->issued_at);
    if (connection->issued_at == NULL) {
        fail("out of memory");
    }
    struct epoll_event interest = {.events = events, .data.ptr = connection};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &interest) < 0) {
        fail_errno("epoll_ctl");
    }
}

void open_connections(uint32_t events) {
    for (long index = 0; index < options.connections; index++) {
        open_connection(index, events);
    }
}

void finish_connections(void) {
    for (long index = 0; connections != NULL && index < options.connections; index++) {
        transport->finish(&connections[index].stream);
    }
}

int wait_for(const char *owed, struct epoll_event *events) {
    int ready = wait_for_events(poller, events, EVENTS_PER_TURN, STALL_MILLISECONDS);
    if (ready == 0) {
        fail("%s: nothing for %d s", owed, STALL_MILLISECONDS / 1000);
    }
    return ready;
}
