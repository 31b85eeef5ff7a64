// The datagram echo: each socket keeps `depth` datagrams under way and sends as many new ones as answers came. A datagram
// that is lost ends the run: with so few under way none is, on this way.
//
// It reads and sends in batches, to be no slower than what it measures.

#define _GNU_SOURCE

#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
    MOST_DEPTH = 64,
    MOST_SIZE = 1400,
    LEAST_SIZE = 16,
    LOST_MILLISECONDS = 2000,  // a datagram that is away this long is lost
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

static int datagram_poller;
static struct client *clients;

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
    window.completed++;
    histogram_add(&window.latencies, time - head.sent_at);
}

static void issue(struct client *client, int count, uint64_t time) {
    for (int index = 0; index < count; index++) {
        fill(buffers[index], client->issued++, time);
        vectors[index].iov_len = (size_t)options.size;
    }
    window.issued += (uint64_t)count;
    await_sleeper();
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
    if (window_is_open(time)) {
        issue(client, (int)smaller(window.limit - window.issued, (uint64_t)count), time);
    }
}

static void exchange(void) {
    for (long index = 0; index < options.connections; index++) {
        issue(&clients[index], (int)options.depth, now());
    }
    while (window.completed < window.issued) {
        struct epoll_event events[EVENTS_PER_TURN];
        int count = wait_for_events(datagram_poller, events, EVENTS_PER_TURN, LOST_MILLISECONDS);
        if (count == 0) {
            fail("%llu datagrams are lost", (unsigned long long)(window.issued - window.completed));
        }
        for (int index = 0; index < count; index++) {
            receive_answers(events[index].data.ptr);
        }
    }
}

static void open_clients(void) {
    clients = calloc((size_t)options.connections, sizeof *clients);
    datagram_poller = epoll_create1(EPOLL_CLOEXEC);
    if (clients == NULL || datagram_poller < 0) {
        fail_errno("epoll_create1");
    }
    for (long index = 0; index < options.connections; index++) {
        struct client *client = &clients[index];
        client->descriptor = socket(target.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct epoll_event interest = {.events = EPOLLIN, .data.ptr = client};
        if (client->descriptor < 0 ||
            connect(client->descriptor, (const struct sockaddr *)&target.storage, target.length) < 0 ||
            epoll_ctl(datagram_poller, EPOLL_CTL_ADD, client->descriptor, &interest) < 0) {
            fail_errno("cannot connect");
        }
    }
    for (int index = 0; index < MOST_DEPTH; index++) {
        vectors[index].iov_base = buffers[index];
        messages[index].msg_hdr.msg_iov = &vectors[index];
        messages[index].msg_hdr.msg_iovlen = 1;
    }
}

void run_datagrams(void) {
    if (options.size < LEAST_SIZE || options.size > MOST_SIZE || options.depth > MOST_DEPTH) {
        fail_usage("--size takes %d to %d here, and --depth at most %d", LEAST_SIZE, MOST_SIZE, MOST_DEPTH);
    }
    open_clients();
    measure(exchange, -1);
}
