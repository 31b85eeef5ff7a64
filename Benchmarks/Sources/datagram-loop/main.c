// The floors that datagrams are held against, as one would write them by hand: blocking loops, without anything to wait
// for but the next datagram.
//
//   echo      Sends each datagram back. With --batch 1 it makes one recvfrom and one sendto for each, above that one
//             recvmmsg and one sendmmsg for as many as there are.
//   receive   Throws datagrams away, one recv for each, until one of a single byte says that it is over. Prints how many came,
//             and how long that took, and ends with its standard input, so that a runner can look at its CPU time.
//   send      Sends datagrams as fast as it can for a time, one send for each, and then the single byte.

#define _GNU_SOURCE

#include "support.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
    MOST = 64,           // datagrams of a batch
    SLOT = 2048,         // bytes of a datagram; the load's are smaller
    RECEIVE_BUFFER = 4 * 1024 * 1024,
    GOODBYES = 20,       // a datagram may get lost
};

static struct {
    const char *host;
    long port;
    long batch;
    long size;
    double seconds;
} options = {.host = "127.0.0.1", .batch = 1, .size = 1200, .seconds = 2};

static int open_socket(const struct address *address) {
    int descriptor = socket(address->storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        fail_errno("socket");
    }
    return descriptor;
}

static int listen_at(const struct address *address) {
    int descriptor = open_socket(address);
    const int size = RECEIVE_BUFFER;
    (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (bind(descriptor, (const struct sockaddr *)&address->storage, address->length) < 0) {
        fail_errno("bind");
    }
    print_listening(descriptor);
    return descriptor;
}

// MARK: Echo

static _Noreturn void echo_one_by_one(int descriptor) {
    static char buffer[SLOT];
    for (;;) {
        struct sockaddr_storage peer;
        socklen_t length = sizeof peer;
        ssize_t count = recvfrom(descriptor, buffer, sizeof buffer, 0, (struct sockaddr *)&peer, &length);
        if (count < 0) {
            fail_errno("recvfrom");
        }
        if (sendto(descriptor, buffer, (size_t)count, 0, (struct sockaddr *)&peer, length) < 0) {
            fail_errno("sendto");
        }
    }
}

static _Noreturn void echo_in_batches(int descriptor, int most) {
    static char buffers[MOST][SLOT];
    static struct sockaddr_storage peers[MOST];
    struct iovec vectors[MOST];
    struct mmsghdr messages[MOST];
    memset(messages, 0, sizeof messages);
    for (int index = 0; index < most; index++) {
        vectors[index].iov_base = buffers[index];
        messages[index].msg_hdr.msg_iov = &vectors[index];
        messages[index].msg_hdr.msg_iovlen = 1;
        messages[index].msg_hdr.msg_name = &peers[index];
    }
    for (;;) {
        for (int index = 0; index < most; index++) {
            vectors[index].iov_len = SLOT;
            messages[index].msg_hdr.msg_namelen = sizeof peers[index];
        }
        int count = recvmmsg(descriptor, messages, (unsigned)most, MSG_WAITFORONE, NULL);
        if (count < 0) {
            fail_errno("recvmmsg");
        }
        for (int index = 0; index < count; index++) {
            vectors[index].iov_len = messages[index].msg_len;
        }
        for (int sent = 0; sent < count;) {
            int result = sendmmsg(descriptor, messages + sent, (unsigned)(count - sent), 0);
            if (result < 0) {
                fail_errno("sendmmsg");
            }
            sent += result;
        }
    }
}

static void run_echo(void) {
    struct address address = parse_address(options.host, options.port);
    int descriptor = listen_at(&address);
    if (options.batch == 1) {
        echo_one_by_one(descriptor);
    }
    echo_in_batches(descriptor, (int)options.batch);
}

// MARK: One way

static void run_receive(void) {
    static char buffer[SLOT];
    struct address address = parse_address(options.host, options.port);
    int descriptor = listen_at(&address);
    uint64_t datagrams = 0;
    uint64_t start = 0;
    for (;;) {
        ssize_t count = recv(descriptor, buffer, sizeof buffer, 0);
        if (count < 0) {
            fail_errno("recv");
        }
        if (count == 1) {
            break;
        }
        if (datagrams == 0) {
            start = now();
        }
        datagrams++;
    }
    printf("%llu datagrams in %.6f s\n", (unsigned long long)datagrams, (double)(now() - start) / 1e9);
    fflush(stdout);
    while (getchar() != EOF) {
    }
}

static void run_send(void) {
    static char buffer[SLOT];
    struct address address = parse_loopback_address(options.host, options.port);
    int descriptor = open_socket(&address);
    if (connect(descriptor, (struct sockaddr *)&address.storage, address.length) < 0) {
        fail_errno("connect");
    }
    uint64_t end = now() + nanoseconds(options.seconds);
    uint64_t datagrams = 0;
    // A look at the clock now and then: it is not what is measured.
    while (datagrams % 64 != 0 || now() < end) {
        if (send(descriptor, buffer, (size_t)options.size, 0) < 0) {
            fail_errno("send");
        }
        datagrams++;
    }
    for (int goodbye = 0; goodbye < GOODBYES; goodbye++) {
        sleep_milliseconds(1);
        // Refused when the receiver has heard one.
        (void)send(descriptor, buffer, 1, 0);
    }
    printf("%llu datagrams sent\n", (unsigned long long)datagrams);
}

// MARK: Start

int main(int count, char *arguments[]) {
    const struct option_rule rules[] = {
        {"host", OPTION_TEXT, &options.host, 0, 0, "(127.0.0.1)"},
        {"port", OPTION_INTEGER, &options.port, 0, 65535, "0 for any, of echo and receive (0)"},
        {"batch", OPTION_INTEGER, &options.batch, 1, MOST, "of echo: datagrams of one call (1)"},
        {"size", OPTION_INTEGER, &options.size, 2, SLOT, "of send: bytes of a datagram (1200)"},
        {"seconds", OPTION_SECONDS, &options.seconds, 0.01, 60, "of send (2)"},
    };
    const char *role = parse_options(count, arguments, "echo|receive|send", rules, sizeof rules / sizeof *rules);
    if (role != NULL && strcmp(role, "echo") == 0) {
        run_echo();
    } else if (role != NULL && strcmp(role, "receive") == 0) {
        run_receive();
    } else if (role != NULL && strcmp(role, "send") == 0) {
        run_send();
    } else {
        fail_usage("name one role: echo, receive or send");
    }
    return 0;
}
