// A closed loop: each connection keeps `depth` messages under way and sends the next one when a reply is whole.

#define _GNU_SOURCE

#include "load.h"
#include "streams.h"
#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

enum { CONNECT_WAVE = 128 };  // connections opened before their first echo: well below any server's backlog

static struct wire wire;

// MARK: One connection

static void issue(struct connection *connection, uint64_t time) {
    connection->issued_at[connection->issued % (uint64_t)options.depth] = time;
    connection->issued += 1;
    window.issued += 1;
}

// Sends what was issued as far as the kernel takes it; the rest goes out when the connection is reported writable.
static void send_issued(struct connection *connection) {
    uint64_t end = connection->issued * wire.sent;
    if (connection->sent < end) {
        await_sleeper();
    }
    while (connection->sent < end) {
        ssize_t count = transport->send(&connection->stream, outgoing(connection, connection->sent),
                                        smaller(end - connection->sent, CHUNK));
        if (count < 0) {
            if (errno == EINTR) {
                continue;
            }
            if (errno == EAGAIN) {
                return;
            }
            fail_errno("connection %ld: send", number(connection));
        }
        connection->sent += (uint64_t)count;
    }
}

static void complete_messages(struct connection *connection, uint64_t time) {
    while ((connection->completed + 1) * wire.received <= connection->received) {
        histogram_add(&window.latencies, time - connection->issued_at[connection->completed % (uint64_t)options.depth]);
        connection->completed += 1;
        window.completed += 1;
        window.bytes += (uint64_t)options.size;
        if (window_is_open(time)) {
            issue(connection, time);
        }
    }
}

static void receive_replies(struct connection *connection) {
    static unsigned char buffer[CHUNK];
    for (;;) {
        ssize_t count = transport->receive(&connection->stream, buffer, sizeof buffer);
        if (count < 0) {
            if (errno == EINTR) {
                continue;
            }
            if (errno == EAGAIN) {
                return;
            }
            fail_errno("connection %ld: receive", number(connection));
        }
        if (count == 0) {
            fail("connection %ld: closed by the server", number(connection));
        }
        if (connection->received + (uint64_t)count > connection->issued * wire.received) {
            fail("connection %ld: more bytes came back than were due", number(connection));
        }
        if (memcmp(buffer, incoming(connection, connection->received), (size_t)count) != 0) {
            fail("connection %ld: wrong bytes after %llu right ones", number(connection),
                 (unsigned long long)connection->received);
        }
        connection->received += (uint64_t)count;
        // One look at the clock serves as the end of these messages and the beginning of the next.
        complete_messages(connection, now());
        // A short read has drained the socket. The edge of the next bytes will be reported.
        if ((size_t)count < sizeof buffer) {
            return;
        }
    }
}

// MARK: A window of traffic

// Starts `depth` messages on each of `count` connections, keeps them going while the window is open, and returns when
// every reply has come. In a window that has ended already it makes `depth` messages each.
static void exchange(long first, long count, uint64_t depth) {
    for (struct connection *connection = connections + first; connection < connections + first + count; connection++) {
        uint64_t time = now();
        for (uint64_t message = 0; message < depth && window.issued < window.limit; message++) {
            issue(connection, time);
        }
        send_issued(connection);
    }
    // Every completed message was followed by another if another was wanted, so equal counts mean the end.
    while (window.completed < window.issued) {
        static struct epoll_event events[EVENTS_PER_TURN];
        int ready = wait_for("replies", events);
        for (int index = 0; index < ready; index++) {
            struct connection *connection = events[index].data.ptr;
            if (events[index].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
                receive_replies(connection);
            }
            send_issued(connection);
            if (events[index].events & EPOLLRDHUP) {
                fail("connection %ld: closed by the server", number(connection));
            }
        }
    }
}

static void exchange_on_all(void) { exchange(0, options.connections, (uint64_t)options.depth); }

// Opens all connections and lets each echo one message, wave by wave: when it returns the server has accepted them all.
static void open_and_greet(void) {
    wire = prepare_wire();
    for (long first = 0; first < options.connections; first += CONNECT_WAVE) {
        long count = (long)smaller((uint64_t)(options.connections - first), CONNECT_WAVE);
        for (long index = first; index < first + count; index++) {
            open_connection(index, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
        }
        open_window(0, UINT64_MAX);
        exchange(first, count, 1);
    }
}

void run_echo(void) {
    open_and_greet();
    measure(exchange_on_all, poller);
}

void run_idle(void) {
    open_and_greet();
    say("ready");
    while (wait_for_runner(poller)) {
    }
    printf("{\"scenario\": \"idle\", \"connections\": %ld, \"size\": %ld}\n", options.connections, options.size);
}
