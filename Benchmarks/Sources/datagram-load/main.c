// The client side of the datagram echo: one thread, one epoll, loopback only, bounded in count and time.
//
// Each socket keeps `depth` datagrams under way and sends as many new ones as answers came (a closed loop). Every byte that
// comes back is checked. A datagram that is lost ends the run: with so few under way none is, on this way.
//
// It reads and sends in batches, to be no slower than what it measures. Where the runner samples the server's counters,
// it stops at both ends of the measured time, as load-generator does: see the head of its source.

#define _GNU_SOURCE

#include "../load-generator/histogram.h"
#include "support.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MOST_DEPTH = 64,
    MOST_SIZE = 1400,
    LEAST_SIZE = 16,
    EVENTS_PER_TURN = 64,
    STALL_MILLISECONDS = 2000,  // a datagram that is away this long is lost
};

// What a datagram carries, before a pattern that its number shifts.
struct head {
    uint64_t number;
    uint64_t sent_at;  // nanoseconds
};

struct client {
    int descriptor;
    uint64_t issued;
    uint64_t answered;
};

static struct {
    const char *host;
    long port;
    long connections;
    long size;
    long depth;
    double seconds;
    double warmup;
    long messages;
    bool gate;
} options = {.host = "127.0.0.1", .connections = 16, .size = 64, .depth = 8, .seconds = 3, .warmup = 0.5,
             .messages = INT64_MAX};

static int poller;
static struct client *clients;

static struct {
    uint64_t deadline;  // nanoseconds
    uint64_t limit;     // datagrams
    uint64_t issued;
    uint64_t answered;
    struct histogram latencies;
} window;

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static unsigned char buffers[MOST_DEPTH][MOST_SIZE + 1];
static struct iovec vectors[MOST_DEPTH];
static struct mmsghdr messages[MOST_DEPTH];

static void fill(unsigned char *datagram, uint64_t number, uint64_t time) {
    struct head head = {.number = number, .sent_at = time};
    memcpy(datagram, &head, sizeof head);
    for (long index = sizeof head; index < options.size; index++) {
        datagram[index] = (unsigned char)(number + (uint64_t)index);
    }
}

static void check(struct client *client, const unsigned char *datagram, size_t count, uint64_t time) {
    struct head head;
    if (count != (size_t)options.size) {
        fail("a datagram of %zu bytes came back", count);
    }
    memcpy(&head, datagram, sizeof head);
    if (head.number != client->answered) {
        fail("datagram %llu came back instead of %llu", (unsigned long long)head.number,
             (unsigned long long)client->answered);
    }
    for (long index = sizeof head; index < options.size; index++) {
        if (datagram[index] != (unsigned char)(head.number + (uint64_t)index)) {
            fail("datagram %llu came back with other bytes", (unsigned long long)head.number);
        }
    }
    client->answered++;
    window.answered++;
    histogram_add(&window.latencies, time - head.sent_at);
}

static void issue(struct client *client, int count, uint64_t time) {
    for (int index = 0; index < count; index++) {
        fill(buffers[index], client->issued++, time);
        vectors[index].iov_len = (size_t)options.size;
    }
    window.issued += (uint64_t)count;
    for (int sent = 0; sent < count;) {
        int result = sendmmsg(client->descriptor, messages + sent, (unsigned)(count - sent), 0);
        if (result < 0) {
            fail_errno("sendmmsg");
        }
        sent += result;
    }
}

static void receive_answers(struct client *client) {
    for (long index = 0; index < options.depth; index++) {
        vectors[index].iov_len = sizeof buffers[index];
    }
    int count = recvmmsg(client->descriptor, messages, (unsigned)options.depth, MSG_DONTWAIT, NULL);
    if (count < 0 && errno == EAGAIN) {
        return;
    }
    if (count < 0) {
        fail_errno("recvmmsg");
    }
    uint64_t time = now();
    for (int index = 0; index < count; index++) {
        check(client, buffers[index], messages[index].msg_len, time);
    }
    if (time < window.deadline && window.issued < window.limit) {
        uint64_t left = window.limit - window.issued;
        issue(client, left < (uint64_t)count ? (int)left : count, time);
    }
}

static void exchange(uint64_t deadline, uint64_t limit) {
    window.deadline = deadline;
    window.limit = limit;
    window.issued = 0;
    window.answered = 0;
    histogram_clear(&window.latencies);
    for (long index = 0; index < options.connections; index++) {
        issue(&clients[index], (int)options.depth, now());
    }
    while (window.answered < window.issued) {
        struct epoll_event events[EVENTS_PER_TURN];
        int count = epoll_wait(poller, events, EVENTS_PER_TURN, STALL_MILLISECONDS);
        if (count < 0 && errno != EINTR) {
            fail_errno("epoll_wait");
        }
        if (count == 0) {
            fail("%llu datagrams are lost", (unsigned long long)(window.issued - window.answered));
        }
        for (int index = 0; index < count; index++) {
            receive_answers(events[index].data.ptr);
        }
    }
}

static void open_clients(const struct address *address) {
    clients = calloc((size_t)options.connections, sizeof *clients);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (clients == NULL || poller < 0) {
        fail_errno("epoll_create1");
    }
    for (long index = 0; index < options.connections; index++) {
        struct client *client = &clients[index];
        client->descriptor = socket(address->storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct epoll_event interest = {.events = EPOLLIN, .data.ptr = client};
        if (client->descriptor < 0 ||
            connect(client->descriptor, (const struct sockaddr *)&address->storage, address->length) < 0 ||
            epoll_ctl(poller, EPOLL_CTL_ADD, client->descriptor, &interest) < 0) {
            fail_errno("cannot connect");
        }
    }
    for (int index = 0; index < MOST_DEPTH; index++) {
        vectors[index].iov_base = buffers[index];
        messages[index].msg_hdr.msg_iov = &vectors[index];
        messages[index].msg_hdr.msg_iovlen = 1;
    }
}

static bool wait_for_runner(void) {
    char line[64];
    return read(STDIN_FILENO, line, sizeof line) > 0;
}

static void run(void) {
    if (options.warmup > 0) {
        exchange(now() + (uint64_t)(options.warmup * 1e9), UINT64_MAX);
    }
    if (options.gate) {
        puts("ready");
        fflush(stdout);
        if (!wait_for_runner()) {
            return;
        }
    }
    uint64_t start = now();
    exchange(start + (uint64_t)(options.seconds * 1e9), (uint64_t)options.messages);
    double seconds = (double)(now() - start) / 1e9;
    printf("{\"messages\": %llu, \"seconds\": %.6f, \"rate\": %.1f, \"p50_us\": %.2f, \"p99_us\": %.2f}\n",
           (unsigned long long)window.answered, seconds, (double)window.answered / seconds,
           (double)histogram_quantile(&window.latencies, 0.5) / 1e3,
           (double)histogram_quantile(&window.latencies, 0.99) / 1e3);
    fflush(stdout);
    while (options.gate && wait_for_runner()) {
    }
}

static const char usage[] =
    "usage: datagram-load echo --port PORT [OPTION ...]\n"
    "  --host ADDRESS    a loopback address (127.0.0.1)\n"
    "  --connections N   sockets (16)\n"
    "  --size B          bytes of a datagram, 16 to 1400 (64)\n"
    "  --depth D         datagrams under way on each socket (8)\n"
    "  --seconds S       measured time (3)\n"
    "  --messages M      end earlier, after M datagrams\n"
    "  --warmup S        the same traffic before, unmeasured (0.5)\n"
    "  --gate            stop before and after measuring\n";

int main(int count, char *arguments[]) {
    static const struct option known[] = {
        {"host", required_argument, NULL, 'h'},     {"port", required_argument, NULL, 'p'},
        {"connections", required_argument, NULL, 'c'}, {"size", required_argument, NULL, 'b'},
        {"depth", required_argument, NULL, 'd'},    {"seconds", required_argument, NULL, 's'},
        {"messages", required_argument, NULL, 'm'}, {"warmup", required_argument, NULL, 'w'},
        {"gate", no_argument, NULL, 'g'},           {"help", no_argument, NULL, 'u'},
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
            options.connections = parse_integer("--connections", optarg, 1, 1000);
            break;
        case 'b':
            options.size = parse_integer("--size", optarg, LEAST_SIZE, MOST_SIZE);
            break;
        case 'd':
            options.depth = parse_integer("--depth", optarg, 1, MOST_DEPTH);
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
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind != count - 1 || strcmp(arguments[optind], "echo") != 0 || options.port == 0) {
        fail_usage("it takes the scenario, echo, and --port");
    }
    struct address address = parse_address(options.host, options.port);
    if (!is_loopback(&address)) {
        fail_usage("'%s' is not a loopback address; this load is for the own machine only", options.host);
    }
    open_clients(&address);
    run();
    return 0;
}
