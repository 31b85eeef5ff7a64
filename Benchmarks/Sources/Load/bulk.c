// One way, as fast as the other end goes. What is counted is what was handed to the kernel, or read from it.
//
// At the ends of the measured window the server sleeps. Upload waits until the server's kernel has acknowledged everything,
// and then a moment, in which the server reads it. Download stops reading, and soon the server has no room to send into.

#define _GNU_SOURCE

#include "load.h"
#include "streams.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

enum {
    SETTLE_MILLISECONDS = 50,
    CALLS_PER_TURN = 16,
};

// One call; false when it would have to wait.
static bool (*move)(struct connection *connection);

static bool send_some(struct connection *connection) {
    ssize_t count = transport->send(&connection->stream, pattern_at(connection->sent),
                                    smaller((uint64_t)options.size, CHUNK));
    if (count < 0) {
        if (errno == EAGAIN) {
            return false;
        }
        fail_errno("connection %ld: send", number(connection));
    }
    connection->sent += (uint64_t)count;
    window.bytes += (uint64_t)count;
    return true;
}

static bool receive_some(struct connection *connection) {
    static unsigned char buffer[CHUNK], characters[CHUNK + CHARACTERS_PERIOD];
    if (characters[0] == 0) {
        fill_characters(characters, sizeof characters);
    }
    ssize_t count = transport->receive(&connection->stream, buffer, sizeof buffer);
    if (count < 0) {
        if (errno == EAGAIN) {
            return false;
        }
        fail_errno("connection %ld: receive", number(connection));
    }
    if (count == 0) {
        fail("connection %ld: closed by the server", number(connection));
    }
    if (memcmp(buffer, characters + connection->received % CHARACTERS_PERIOD, (size_t)count) != 0) {
        fail("connection %ld: other characters after %llu right ones", number(connection),
             (unsigned long long)connection->received);
    }
    connection->received += (uint64_t)count;
    window.bytes += (uint64_t)count;
    return true;
}

static void move_while_open(void) {
    while (window_is_open(now())) {
        static struct epoll_event events[EVENTS_PER_TURN];
        int ready = wait_for("room or bytes", events);
        for (int index = 0; index < ready; index++) {
            for (int calls = 0; calls < CALLS_PER_TURN && window_is_open(now()) && move(events[index].data.ptr); calls++) {
                window.issued += 1;
                window.completed += 1;
            }
        }
    }
}

static void send_while_open(void) {
    move_while_open();
    for (long index = 0; index < options.connections; index++) {
        int unacknowledged = 1;
        for (int looks = 0; unacknowledged != 0; looks++) {
            if (ioctl(connections[index].stream.descriptor, SIOCOUTQ, &unacknowledged) < 0) {
                fail_errno("ioctl");
            }
            if (looks > STALL_MILLISECONDS) {
                fail("connection %ld: the server does not read", index);
            }
            if (unacknowledged != 0) {
                sleep_milliseconds(1);
            }
        }
    }
    sleep_milliseconds(SETTLE_MILLISECONDS);
}

static void receive_while_open(void) {
    move_while_open();
    sleep_milliseconds(SETTLE_MILLISECONDS);
}

void run_upload(void) {
    open_connections(EPOLLOUT);
    move = send_some;
    measure(send_while_open, -1);
}

void run_download(void) {
    open_connections(EPOLLIN);
    move = receive_some;
    measure(receive_while_open, -1);
}
