// The client side of every scenario: one thread, one epoll, loopback only, bounded in count and time.
//
//   echo   Each connection keeps `depth` messages under way and sends the next one when a reply is whole (a closed
//          loop). Every byte that comes back is checked. Prints one line of JSON.
//   idle   Each connection echoes once and is then held open, silent, until standard input ends.
//
// A runner that samples the server's counters needs them to cover exactly the counted messages. With --gate the
// generator therefore stops at both ends of the measured window, when no message is under way and the server sleeps:
//
//   generator: connect, warm up, wait for all replies, print `ready`
//   runner:    sample, write a line
//   generator: measure, wait for all replies, print the JSON line
//   runner:    sample, end the generator's standard input
//   generator: close the connections, exit

#define _GNU_SOURCE

#include "histogram.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS_PER_TURN = 1024,
    CHUNK = 64 * 1024,            // most bytes given to one send or recv
    CONNECT_WAVE = 128,           // connections opened before their first echo: well below any server's backlog
    STALL_MILLISECONDS = 10000,   // a server that stays silent this long while it owes a reply has failed
    PAUSE_MILLISECONDS = 600000,  // longest wait for the runner
    SPARE_DESCRIPTORS = 16,

    // What a connection carries: byte p of its stream is p modulo this prime, shifted by a phase of its own. Reordered,
    // repeated, missing or foreign bytes show unless they are a multiple of 251 out of place.
    PATTERN_PERIOD = 251,
};

struct connection {
    int descriptor;
    uint64_t phase;
    uint64_t sent;       // bytes
    uint64_t received;   // bytes
    uint64_t issued;     // messages
    uint64_t completed;  // messages
    uint64_t *issued_at; // nanoseconds, a ring: message m is at m % depth
};

static struct {
    const char *scenario;
    const char *host;
    long port;
    long connections;
    long size;
    long depth;
    double seconds;
    double warmup;
    long messages;
    bool gate;
} options = {
    .host = "127.0.0.1",
    .connections = 64,
    .size = 64,
    .depth = 1,
    .seconds = 3,
    .warmup = 0.5,
    .messages = INT64_MAX,
};

static int poller;
static struct connection *connections;

// What is being sent just now: messages are issued until the deadline or the limit, then the replies are awaited.
static struct {
    uint64_t deadline;  // nanoseconds
    uint64_t limit;     // messages
    uint64_t issued;
    uint64_t completed;
    struct histogram latencies;
} window;

static unsigned char pattern[PATTERN_PERIOD + CHUNK];

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t nanoseconds(double seconds) {
    return (uint64_t)(seconds * 1e9);
}

// MARK: One connection

static long number(const struct connection *connection) {
    return connection - connections;
}

static size_t smaller(uint64_t first, uint64_t second) {
    return (size_t)(first < second ? first : second);
}

static const unsigned char *expected(const struct connection *connection, uint64_t position) {
    return pattern + (connection->phase + position) % PATTERN_PERIOD;
}

static void issue(struct connection *connection, uint64_t time) {
    connection->issued_at[connection->issued % (uint64_t)options.depth] = time;
    connection->issued += 1;
    window.issued += 1;
}

// Sends what was issued as far as the kernel takes it; the rest goes out when the connection is reported writable.
static void send_issued(struct connection *connection) {
    uint64_t end = connection->issued * (uint64_t)options.size;
    while (connection->sent < end) {
        ssize_t count = send(connection->descriptor, expected(connection, connection->sent),
                             smaller(end - connection->sent, CHUNK), MSG_NOSIGNAL);
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
    while ((connection->completed + 1) * (uint64_t)options.size <= connection->received) {
        histogram_add(&window.latencies, time - connection->issued_at[connection->completed % (uint64_t)options.depth]);
        connection->completed += 1;
        window.completed += 1;
        if (window.issued < window.limit && time < window.deadline) {
            issue(connection, time);
        }
    }
}

static void receive_replies(struct connection *connection) {
    static unsigned char buffer[CHUNK];
    for (;;) {
        ssize_t count = recv(connection->descriptor, buffer, sizeof buffer, 0);
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
        if (connection->received + (uint64_t)count > connection->sent) {
            fail("connection %ld: more bytes came back than were sent", number(connection));
        }
        if (memcmp(buffer, expected(connection, connection->received), (size_t)count) != 0) {
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

// Starts `depth` messages on each of `count` connections, keeps them going until the deadline or the limit, and
// returns when every reply has come. A deadline that has passed already makes it `depth` messages each.
static void exchange(long first, long count, uint64_t depth, uint64_t deadline, uint64_t limit) {
    window.deadline = deadline;
    window.limit = limit;
    window.issued = 0;
    window.completed = 0;
    histogram_clear(&window.latencies);

    for (struct connection *connection = connections + first; connection < connections + first + count; connection++) {
        uint64_t time = now();
        for (uint64_t message = 0; message < depth && window.issued < limit; message++) {
            issue(connection, time);
        }
        send_issued(connection);
    }

    // Every completed message was followed by another if another was wanted, so equal counts mean the end.
    while (window.completed < window.issued) {
        static struct epoll_event events[EVENTS_PER_TURN];
        int ready = epoll_wait(poller, events, EVENTS_PER_TURN, STALL_MILLISECONDS);
        if (ready < 0 && errno != EINTR) {
            fail_errno("epoll_wait");
        }
        if (ready == 0) {
            fail("no reply for %d s, %llu messages under way", STALL_MILLISECONDS / 1000,
                 (unsigned long long)(window.issued - window.completed));
        }
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

// MARK: Connecting

static void open_connection(struct connection *connection, const struct address *address) {
    // Connecting blocks: on loopback it is over in microseconds, and a send time-out bounds it.
    const struct timeval patience = {.tv_sec = STALL_MILLISECONDS / 1000};
    const int on = 1;
    int descriptor = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        fail_errno("socket");
    }
    if (setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) {
        fail_errno("setsockopt");
    }
    if (connect(descriptor, (const struct sockaddr *)&address->storage, address->length) < 0) {
        fail_errno("connection %ld: connect", number(connection));
    }
    if (fcntl(descriptor, F_SETFL, O_NONBLOCK) < 0) {
        fail_errno("fcntl");
    }

    connection->descriptor = descriptor;
    connection->phase = (uint64_t)number(connection) * 37;
    connection->issued_at = calloc((size_t)options.depth, sizeof *connection->issued_at);
    if (connection->issued_at == NULL) {
        fail("out of memory");
    }
    struct epoll_event interest = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
        .data.ptr = connection,
    };
    if (epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &interest) < 0) {
        fail_errno("epoll_ctl");
    }
}

// Opens all connections and lets each echo one message, wave by wave: when it returns the server has accepted them all.
static void open_connections(const struct address *address) {
    connections = calloc((size_t)options.connections, sizeof *connections);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || poller < 0) {
        fail_errno("cannot start");
    }
    for (long first = 0; first < options.connections; first += CONNECT_WAVE) {
        long count = (long)smaller((uint64_t)(options.connections - first), CONNECT_WAVE);
        for (long index = first; index < first + count; index++) {
            open_connection(&connections[index], address);
        }
        exchange(first, count, 1, 0, UINT64_MAX);
    }
}

// MARK: Talking to the runner

// Waits for standard input. Returns false at its end. While it waits every connection must stay silent and open.
static bool wait_for_runner(void) {
    struct pollfd sources[] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = poller, .events = POLLIN},
    };
    for (;;) {
        int ready = poll(sources, 2, PAUSE_MILLISECONDS);
        if (ready < 0 && errno != EINTR) {
            fail_errno("poll");
        }
        if (ready == 0) {
            fail("nothing on standard input for %d s", PAUSE_MILLISECONDS / 1000);
        }
        if (sources[1].revents != 0) {
            struct epoll_event event;
            if (epoll_wait(poller, &event, 1, 0) == 1 && (event.events & ~(uint32_t)EPOLLOUT)) {
                fail("connection %ld: unexpected bytes, end or error", number(event.data.ptr));
            }
        }
        if (sources[0].revents != 0) {
            char line[64];
            return read(STDIN_FILENO, line, sizeof line) > 0;
        }
    }
}

static void say(const char *line) {
    puts(line);
    fflush(stdout);
}

// MARK: Scenarios

static void run_echo(void) {
    const uint64_t depth = (uint64_t)options.depth;
    if (options.warmup > 0) {
        exchange(0, options.connections, depth, now() + nanoseconds(options.warmup), UINT64_MAX);
    }
    if (options.gate) {
        say("ready");
        if (!wait_for_runner()) {
            fail("standard input ended before the measurement");
        }
    }

    uint64_t start = now();
    exchange(0, options.connections, depth, start + nanoseconds(options.seconds), (uint64_t)options.messages);
    double seconds = (double)(now() - start) / 1e9;

    printf("{\"scenario\": \"echo\", \"connections\": %ld, \"size\": %ld, \"depth\": %ld, \"messages\": %llu, "
           "\"seconds\": %.6f, \"rate\": %.1f, \"p50_us\": %.2f, \"p99_us\": %.2f}\n",
           options.connections, options.size, options.depth, (unsigned long long)window.completed, seconds,
           (double)window.completed / seconds, (double)histogram_quantile(&window.latencies, 0.50) / 1e3,
           (double)histogram_quantile(&window.latencies, 0.99) / 1e3);
    fflush(stdout);
    if (options.gate) {
        wait_for_runner();
    }
}

static void run_idle(void) {
    say("ready");
    while (wait_for_runner()) {
    }
    printf("{\"scenario\": \"idle\", \"connections\": %ld, \"size\": %ld}\n", options.connections, options.size);
}

// MARK: Start

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    {"echo", run_echo},
    {"idle", run_idle},
};

static const char usage[] =
    "usage: load-generator echo|idle --port PORT [OPTION ...]\n"
    "  --host ADDRESS    a loopback address (127.0.0.1)\n"
    "  --connections N   (64)\n"
    "  --size B          bytes of a message (64)\n"
    "  --depth D         messages under way on each connection (1)\n"
    "  --seconds S       measured time (3)\n"
    "  --messages M      end earlier, after M messages\n"
    "  --warmup S        the same traffic before, unmeasured (0.5)\n"
    "  --gate            stop before and after measuring; see the head of the source\n";

static void parse_options(int count, char *arguments[]) {
    static const struct option known[] = {
        {"host", required_argument, NULL, 'h'},
        {"port", required_argument, NULL, 'p'},
        {"connections", required_argument, NULL, 'c'},
        {"size", required_argument, NULL, 'b'},
        {"depth", required_argument, NULL, 'd'},
        {"seconds", required_argument, NULL, 's'},
        {"messages", required_argument, NULL, 'm'},
        {"warmup", required_argument, NULL, 'w'},
        {"gate", no_argument, NULL, 'g'},
        {"help", no_argument, NULL, 'u'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(count, arguments, "", known, NULL)) != -1;) {
        switch (option) {
        case 'h':
            options.host = optarg;
            break;
        case 'p':
            options.port = parse_integer("--port", optarg, 1, 65535);
            break;
        case 'c':
            options.connections = parse_integer("--connections", optarg, 1, 50000);
            break;
        case 'b':
            options.size = parse_integer("--size", optarg, 1, 16 * 1024 * 1024);
            break;
        case 'd':
            options.depth = parse_integer("--depth", optarg, 1, 1024);
            break;
        case 's':
            options.seconds = parse_seconds("--seconds", optarg, 0.01, 600);
            break;
        case 'm':
            options.messages = parse_integer("--messages", optarg, 1, 1000000000);
            break;
        case 'w':
            options.warmup = parse_seconds("--warmup", optarg, 0, 60);
            break;
        case 'g':
            options.gate = true;
            break;
        case 'u':
            fputs(usage, stdout);
            exit(0);
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (optind != count - 1) {
        fail_usage("name one scenario: echo or idle");
    }
    options.scenario = arguments[optind];
    if (options.port == 0) {
        fail_usage("--port is missing");
    }
}

int main(int count, char *arguments[]) {
    parse_options(count, arguments);
    void (*run)(void) = NULL;
    for (size_t index = 0; index < sizeof scenarios / sizeof *scenarios; index++) {
        if (strcmp(options.scenario, scenarios[index].name) == 0) {
            run = scenarios[index].run;
        }
    }
    if (run == NULL) {
        fail_usage("no scenario '%s': echo or idle", options.scenario);
    }

    struct address address = parse_address(options.host, options.port);
    if (!is_loopback(&address)) {
        fail_usage("'%s' is not a loopback address; this load is for the own machine only", options.host);
    }
    long limit = raise_descriptor_limit();
    if (options.connections > limit - SPARE_DESCRIPTORS) {
        fail("%ld connections need %ld descriptors, the hard limit is %ld", options.connections,
             options.connections + SPARE_DESCRIPTORS, limit);
    }

    for (size_t index = 0; index < sizeof pattern; index++) {
        pattern[index] = (unsigned char)(index % PATTERN_PERIOD);
    }
    open_connections(&address);
    run();
    return 0;
}
