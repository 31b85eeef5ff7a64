// Connections that come and go: connect, with TLS its handshake, echo one message, end our direction, wait for the server's end, close, and again.
// When it returns the server has closed them all. Latencies are those of the whole.

#define _GNU_SOURCE

#include "load.h"
#include "streams.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

// A closed connection keeps its port for a minute. Each source address has ports of its own, and 127.0.0.0/8 has many.
enum { SOURCES = 64 };

struct visit {
    struct stream stream;
    bool has_sent;
    long received;
    uint64_t began;
};

static struct visit *visits;
static int visits_poller;

static void bind_to_a_source(int descriptor) {
    if (target.storage.ss_family != AF_INET) {
        return;
    }
    static uint32_t turn;
    const int on = 1;
    struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + turn++ % SOURCES)};
    // The port is chosen at connect, when the other end is known: so the same one may serve several.
    if (setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) < 0 ||
        bind(descriptor, (const struct sockaddr *)&source, sizeof source) < 0) {
        fail_errno("bind");
    }
}

static void begin(struct visit *visit) {
    const int on = 1;
    *visit = (struct visit){.began = now()};
    int descriptor = socket(target.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) {
        fail_errno("socket");
    }
    bind_to_a_source(descriptor);
    struct epoll_event interest = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = visit};
    if ((connect(descriptor, (const struct sockaddr *)&target.storage, target.length) < 0 && errno != EINPROGRESS) ||
        epoll_ctl(visits_poller, EPOLL_CTL_ADD, descriptor, &interest) < 0) {
        fail_errno("connect");
    }
    visit->stream.descriptor = descriptor;
    transport->begin(&visit->stream, false);
    window.issued += 1;
}

static void end(struct visit *visit) {
    if (visit->received != options.size) {
        fail("a connection was closed by the server before it had its reply");
    }
    transport->end(&visit->stream);
    uint64_t time = now();
    histogram_add(&window.latencies, time - visit->began);
    window.completed += 1;
    if (window_is_open(time)) {
        begin(visit);
    }
}

static void go_on(struct visit *visit, uint32_t happened) {
    static unsigned char buffer[CHUNK];
    if (!visit->has_sent && (happened & (EPOLLIN | EPOLLOUT | EPOLLERR))) {
        ssize_t count = transport->send(&visit->stream, pattern_at(0), (size_t)options.size);
        if (count < 0 && errno == EAGAIN) {
            return;  // the handshake goes on
        }
        if (count != options.size) {
            fail_errno("send");  // also why it could not connect
        }
        visit->has_sent = true;
    }
    if (!(happened & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
        return;
    }
    for (;;) {
        ssize_t count = transport->receive(&visit->stream, buffer, sizeof buffer);
        if (count < 0) {
            if (errno == EAGAIN) {
                return;
            }
            fail_errno("receive");
        }
        if (count == 0) {
            end(visit);
            return;
        }
        if (visit->received + count > options.size || memcmp(buffer, pattern_at((uint64_t)visit->received), (size_t)count) != 0) {
            fail("other bytes came back than were sent");
        }
        visit->received += count;
        if (visit->received == options.size && transport->finish(&visit->stream) < 0) {
            fail_errno("finish");
        }
        if (!(happened & EPOLLRDHUP)) {
            return;
        }
    }
}

static void visit_again_and_again(void) {
    for (long index = 0; index < options.connections && window.issued < window.limit; index++) {
        begin(&visits[index]);
    }
    while (window.completed < window.issued) {
        struct epoll_event events[64];
        int ready = wait_for_events(visits_poller, events, 64, STALL_MILLISECONDS);
        if (ready == 0) {
            fail("no reply and no end for %d s", STALL_MILLISECONDS / 1000);
        }
        for (int index = 0; index < ready; index++) {
            go_on(events[index].data.ptr, events[index].events);
        }
    }
}

void run_connect(void) {
    if (options.size > CHUNK) {
        fail_usage("--size takes at most %d here", CHUNK);
    }
    visits = calloc((size_t)options.connections, sizeof *visits);
    visits_poller = epoll_create1(EPOLL_CLOEXEC);
    if (visits == NULL || visits_poller < 0) {
        fail_errno("cannot start");
    }
    measure(visit_again_and_again, -1);
}
