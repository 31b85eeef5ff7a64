// The least a client can do: send a message, receive its echo, one connection, blocking calls, one thread.
//
//   blocking-client HOST PORT MESSAGES
//
// As every client of the ping-pong it exchanges a tenth of them first, prints `ready`, waits for a line, exchanges MESSAGES,
// and prints `done` and the seconds.

#define _GNU_SOURCE

#include "support.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { SIZE = 64 };

static void play(int descriptor, long messages) {
    unsigned char message[SIZE], reply[SIZE];
    for (long count = 0; count < messages; count++) {
        memset(message, (int)(count % 251), SIZE);
        if (send(descriptor, message, SIZE, MSG_NOSIGNAL) != SIZE) {
            fail_errno("send");
        }
        for (size_t received = 0; received < SIZE;) {
            ssize_t more = recv(descriptor, reply + received, SIZE - received, 0);
            if (more <= 0) {
                fail_errno("receive");
            }
            received += (size_t)more;
        }
        if (memcmp(message, reply, SIZE) != 0) {
            fail("other bytes came back than were sent");
        }
    }
}

int main(int count, char *arguments[]) {
    if (count != 4) {
        fail_usage("it takes HOST PORT MESSAGES");
    }
    const long messages = atol(arguments[3]);
    const struct address server = parse_loopback_address(arguments[1], atol(arguments[2]));
    const int on = 1;
    int descriptor = socket(server.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        connect(descriptor, (const struct sockaddr *)&server.storage, server.length) < 0) {
        fail_errno("connect");
    }
    play(descriptor, messages / 10);
    puts("ready");
    fflush(stdout);
    if (getchar() == EOF) {
        return 1;
    }
    uint64_t start = now();
    play(descriptor, messages);
    printf("done %.6f\n", (double)(now() - start) / 1e9);
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return 0;
}
