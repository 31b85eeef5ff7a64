// The floor: a TCP echo server as an expert would write it by hand for this one job on Linux. It can also discard what
// comes, or send characters as fast as they are read.
//
// One thread, one edge-triggered epoll. Every choice here removes work from the steady state, which is three system
// calls a turn and nothing else: epoll_wait, and recv and send for each connection that it reports.
//
//   - A connection is registered once, for both directions, and never again.
//   - A read shorter than asked has drained the socket, so no second recv is spent on hearing EAGAIN.
//   - A reply is sent at once. Only what the kernel refuses is kept, and only until it takes it.
//   - All connections share one read buffer: an idle connection costs this process one small record.

#define _GNU_SOURCE

#include "support.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPT_BURST = 64,       // connections accepted in one turn, so that a rush of them does not starve the others
    EVENTS_PER_TURN = 1024,  // more events a turn, fewer turns
    READ_SIZE = 64 * 1024,
    SENDS_PER_TURN = 16,     // of generated characters, so that a peer that keeps up does not starve the others
};

struct connection {
    int descriptor;
    bool readable;        // the kernel may hold bytes: no read has come up short since the last edge
    bool ending;          // FIN or an error was reported: no further edge will come, so read until the end shows itself
    unsigned char *owed;  // what the kernel did not take of an echo; NULL nearly always
    size_t owed_start;
    size_t owed_end;
    size_t position;      // in the characters that are generated
};

static unsigned char read_buffer[READ_SIZE];

// MARK: Echo

// Sends what is owed. Returns false when the connection is broken.
static bool send_owed(struct connection *connection) {
    while (connection->owed_start < connection->owed_end) {
        ssize_t sent = send(connection->descriptor, connection->owed + connection->owed_start,
                            connection->owed_end - connection->owed_start, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno == EAGAIN;
        }
        connection->owed_start += (size_t)sent;
    }
    free(connection->owed);
    connection->owed = NULL;
    return true;
}

// Sends the first `count` bytes of the read buffer, keeping what the kernel does not take. Returns false when the
// connection is broken.
static bool echo(struct connection *connection, size_t count) {
    ssize_t sent;
    do {
        sent = send(connection->descriptor, read_buffer, count, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        if (errno != EAGAIN) {
            return false;
        }
        sent = 0;
    }
    if ((size_t)sent == count) {
        return true;
    }
    size_t rest = count - (size_t)sent;
    connection->owed = malloc(rest);
    if (connection->owed == NULL) {
        fail("out of memory");
    }
    memcpy(connection->owed, read_buffer + sent, rest);
    connection->owed_start = 0;
    connection->owed_end = rest;
    return true;
}

// Does all that can be done for a connection without waiting. Returns false when it is over.
static bool serve_echo(struct connection *connection) {
    for (;;) {
        // Nothing is read while something is owed: a peer that does not read stops being read, and memory stays flat.
        if (connection->owed != NULL && !send_owed(connection)) {
            return false;
        }
        if (connection->owed != NULL || !connection->readable) {
            return true;
        }
        ssize_t count = recv(connection->descriptor, read_buffer, sizeof read_buffer, 0);
        if (count < 0) {
            if (errno == EINTR) {
                continue;
            }
            connection->readable = false;
            return errno == EAGAIN;
        }
        if (count == 0) {
            return false;
        }
        if ((size_t)count < sizeof read_buffer && !connection->ending) {
            connection->readable = false;
        }
        if (!echo(connection, (size_t)count)) {
            return false;
        }
    }
}

// MARK: Discard, generate

static bool serve_discard(struct connection *connection) {
    while (connection->readable) {
        ssize_t count = recv(connection->descriptor, read_buffer, sizeof read_buffer, 0);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count == 0 || (count < 0 && errno != EAGAIN)) {
            return false;
        }
        if (count < 0 || ((size_t)count < sizeof read_buffer && !connection->ending)) {
            connection->readable = false;
        }
    }
    return true;
}

// Its connections are level-triggered: a full socket is reported when it has room.
static bool serve_characters(struct connection *connection) {
    static unsigned char characters[2 * CHARACTERS_BLOCK];
    if (characters[0] == 0) {
        fill_characters(characters, sizeof characters);
    }
    for (int sends = 0; sends < SENDS_PER_TURN; sends++) {
        ssize_t sent = send(connection->descriptor, characters + connection->position, CHARACTERS_BLOCK, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR) {
                continue;
            }
            if (errno != EAGAIN) {
                return false;
            }
            break;
        }
        connection->position = (connection->position + (size_t)sent) % CHARACTERS_BLOCK;
    }
    return serve_discard(connection);
}

static const struct mode {
    const char *name;
    bool (*serve)(struct connection *);
    uint32_t trigger;
} modes[] = {
    {"echo", serve_echo, EPOLLET},
    {"discard", serve_discard, EPOLLET},
    {"chargen", serve_characters, 0},
};
static const struct mode *mode = modes;

// MARK: The loop

static void accept_burst(int poller, int listener) {
    for (int accepted = 0; accepted < ACCEPT_BURST; accepted++) {
        int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor < 0) {
            if (errno == EINTR || errno == ECONNABORTED) {
                continue;
            }
            if (errno == EAGAIN) {
                return;
            }
            fail_errno("accept");
        }
        struct connection *connection = calloc(1, sizeof *connection);
        if (connection == NULL) {
            fail("out of memory");
        }
        connection->descriptor = descriptor;
        // Bytes that came before this call are reported too: adding a descriptor counts as an edge.
        struct epoll_event interest = {
            .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | mode->trigger,
            .data.ptr = connection,
        };
        if (epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &interest) < 0) {
            fail_errno("epoll_ctl");
        }
    }
}

static _Noreturn void run(int poller, int listener) {
    static struct epoll_event events[EVENTS_PER_TURN];
    for (;;) {
        int count = epoll_wait(poller, events, EVENTS_PER_TURN, -1);
        if (count < 0 && errno != EINTR) {
            fail_errno("epoll_wait");
        }
        for (int index = 0; index < count; index++) {
            struct connection *connection = events[index].data.ptr;
            if (connection == NULL) {
                accept_burst(poller, listener);
                continue;
            }
            uint32_t happened = events[index].events;
            if (happened & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
                connection->ending = true;
                connection->readable = true;
            } else if (happened & EPOLLIN) {
                connection->readable = true;
            }
            if (!mode->serve(connection)) {
                // A connection occurs once in a batch, so no later event of this batch points at freed memory.
                close(connection->descriptor);
                free(connection->owed);
                free(connection);
            }
        }
    }
}

// MARK: Start

int main(int count, char *arguments[]) {
    const char *host = "127.0.0.1", *name = "echo";
    long port = 7007;
    const struct option_rule rules[] = {
        {"host", OPTION_TEXT, &host, 0, 0, "where to listen (127.0.0.1)"},
        {"port", OPTION_INTEGER, &port, 0, 65535, "0 for any (7007)"},
        {"mode", OPTION_TEXT, &name, 0, 0, "echo, discard or chargen (echo)"},
    };
    parse_options(count, arguments, NULL, rules, sizeof rules / sizeof *rules);
    const struct mode *end = modes + sizeof modes / sizeof *modes;
    while (mode < end && strcmp(mode->name, name) != 0) {
        mode++;
    }
    if (mode == end) {
        fail_usage("no mode '%s': echo, discard or chargen", name);
    }

    raise_descriptor_limit();
    struct address address = parse_address(host, port);
    int listener = open_listener(&address);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    // The listener is level-triggered: what one burst leaves in the backlog is reported again in the next turn.
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = NULL};
    if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &interest) < 0) {
        fail_errno("epoll");
    }
    print_listening(listener);
    run(poller, listener);
}
