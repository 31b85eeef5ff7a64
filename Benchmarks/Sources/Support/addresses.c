#define _GNU_SOURCE

#include "addresses.h"

#include "errors.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

struct address parse_address(const char *host, long port) {
    const struct addrinfo hints = {
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
        .ai_socktype = SOCK_STREAM,
    };
    char service[16];
    snprintf(service, sizeof service, "%ld", port);

    struct addrinfo *found = NULL;
    int error = getaddrinfo(host, service, &hints, &found);
    if (error != 0) {
        fail_usage("--host takes a numeric address, not '%s': %s", host, gai_strerror(error));
    }
    struct address address = {.length = found->ai_addrlen};
    memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return address;
}

static bool is_loopback(const struct address *address) {
    if (address->storage.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;
    return address->storage.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

struct address parse_loopback_address(const char *host, long port) {
    struct address address = parse_address(host, port);
    if (!is_loopback(&address)) {
        fail_usage("'%s' is not a loopback address; this load is for the own machine only", host);
    }
    if (port == 0) {
        fail_usage("--port is missing");
    }
    return address;
}

enum { BACKLOG = 4096 };

int open_listener(const struct address *address) {
    int listener = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0) {
        fail_errno("socket");
    }
    // On Linux accepted connections inherit no-delay from their listener: one call instead of one each.
    const int on = 1;
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) {
        fail_errno("setsockopt");
    }
    if (bind(listener, (const struct sockaddr *)&address->storage, address->length) < 0 || listen(listener, BACKLOG) < 0) {
        fail_errno("cannot listen");
    }
    return listener;
}

void print_listening(int descriptor) {
    struct address address = {.length = sizeof address.storage};
    if (getsockname(descriptor, (struct sockaddr *)&address.storage, &address.length) < 0) {
        fail_errno("getsockname");
    }
    char host[INET6_ADDRSTRLEN] = "?";
    if (address.storage.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address.storage;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        printf("listening on [%s]:%u\n", host, ntohs(v6->sin6_port));
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address.storage;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        printf("listening on %s:%u\n", host, ntohs(v4->sin_port));
    }
    fflush(stdout);
}

long raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        fail_errno("getrlimit");
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
        fail_errno("setrlimit");
    }
    return limit.rlim_cur > LONG_MAX ? LONG_MAX : (long)limit.rlim_cur;
}
