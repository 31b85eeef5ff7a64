// The floor with TLS: the echo server of epoll-echo-server over OpenSSL, in the style of openssl s_server: OpenSSL reads and
// writes the socket itself (SSL_set_fd). It can also discard what comes, or send characters as fast as they are read.
//
// One thread, one level-triggered epoll. OpenSSL's buffers are freed while a connection is silent.

#define _GNU_SOURCE

#include "support.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPT_BURST = 64,
    EVENTS_PER_TURN = 1024,
    BUFFER_SIZE = 64 * 1024,
    WRITES_PER_TURN = 16,  // of generated characters, so that a peer that keeps up does not starve the others
};

struct connection {
    int descriptor;
    SSL *ssl;
    uint32_t interest;
    unsigned char *owed;  // what the kernel did not take of an echo; NULL nearly always
    size_t owed_start;
    size_t owed_end;
    size_t position;      // in the characters that are generated
};

// What a call of OpenSSL has come to.
enum progress { DONE, WANTS_READ, WANTS_WRITE, OVER };

static int poller;
static SSL_CTX *context;
static unsigned char buffer[BUFFER_SIZE];

static _Noreturn void fail_tls(const char *what) {
    char reason[256];
    ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
    fail("%s: %s", what, reason);
}

static enum progress progress(struct connection *connection, int result) {
    if (result == 1) {
        return DONE;
    }
    switch (SSL_get_error(connection->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return WANTS_READ;
    case SSL_ERROR_WANT_WRITE:
        return WANTS_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        SSL_shutdown(connection->ssl);
        return OVER;
    default:
        ERR_clear_error();
        return OVER;
    }
}

static enum progress read_some(struct connection *connection, size_t *count) {
    return progress(connection, SSL_read_ex(connection->ssl, buffer, sizeof buffer, count));
}

// MARK: Modes

static enum progress write_owed(struct connection *connection) {
    while (connection->owed_start < connection->owed_end) {
        size_t count;
        enum progress step = progress(connection, SSL_write_ex(connection->ssl, connection->owed + connection->owed_start,
                                                               connection->owed_end - connection->owed_start, &count));
        if (step != DONE) {
            return step;
        }
        connection->owed_start += count;
    }
    free(connection->owed);
    connection->owed = NULL;
    return DONE;
}

// Writes the first `count` bytes of the buffer, keeping what the kernel does not take.
static enum progress echo(struct connection *connection, size_t count) {
    for (size_t start = 0; start < count;) {
        size_t written;
        enum progress step = progress(connection, SSL_write_ex(connection->ssl, buffer + start, count - start, &written));
        if (step == DONE) {
            start += written;
            continue;
        }
        if (step == OVER) {
            return OVER;
        }
        connection->owed = malloc(count - start);
        if (connection->owed == NULL) {
            fail("out of memory");
        }
        memcpy(connection->owed, buffer + start, count - start);
        connection->owed_start = 0;
        connection->owed_end = count - start;
        return step;
    }
    return DONE;
}

static enum progress serve_echo(struct connection *connection) {
    enum progress step = connection->owed == NULL ? DONE : write_owed(connection);
    // What OpenSSL has read ahead is not reported again; what the kernel has is.
    for (bool more = true; step == DONE && more; more = SSL_has_pending(connection->ssl)) {
        size_t count;
        step = read_some(connection, &count);
        if (step == DONE) {
            step = echo(connection, count);
        }
    }
    return step == DONE ? WANTS_READ : step;
}

static enum progress serve_discard(struct connection *connection) {
    size_t count;
    enum progress step;
    do {
        step = read_some(connection, &count);
    } while (step == DONE && SSL_has_pending(connection->ssl));
    return step == DONE ? WANTS_READ : step;
}

static enum progress serve_characters(struct connection *connection) {
    static unsigned char characters[2 * CHARACTERS_BLOCK];
    if (characters[0] == 0) {
        fill_characters(characters, sizeof characters);
    }
    if (serve_discard(connection) == OVER) {
        return OVER;
    }
    for (int writes = 0; writes < WRITES_PER_TURN; writes++) {
        size_t count;
        enum progress step = progress(
            connection,
            SSL_write_ex(connection->ssl, characters + connection->position, CHARACTERS_BLOCK, &count));
        if (step != DONE) {
            return step;
        }
        connection->position = (connection->position + count) % CHARACTERS_BLOCK;
    }
    return WANTS_WRITE;
}

static const struct mode {
    const char *name;
    enum progress (*serve)(struct connection *);
} modes[] = {
    {"echo", serve_echo},
    {"discard", serve_discard},
    {"chargen", serve_characters},
};
static const struct mode *mode = modes;

// MARK: The loop

static void watch(struct connection *connection, uint32_t interest, int how) {
    if (connection->interest == interest) {
        return;
    }
    connection->interest = interest;
    struct epoll_event event = {.events = interest, .data.ptr = connection};
    if (epoll_ctl(poller, how, connection->descriptor, &event) < 0) {
        fail_errno("epoll_ctl");
    }
}

static void accept_burst(int listener) {
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
        SSL *ssl = SSL_new(context);
        if (connection == NULL || ssl == NULL || SSL_set_fd(ssl, descriptor) != 1) {
            fail_tls("cannot make a connection");
        }
        SSL_set_accept_state(ssl);
        connection->descriptor = descriptor;
        connection->ssl = ssl;
        watch(connection, EPOLLIN, EPOLL_CTL_ADD);
    }
}

static void serve(struct connection *connection) {
    switch (mode->serve(connection)) {
    case OVER:
        close(connection->descriptor);
        SSL_free(connection->ssl);
        free(connection->owed);
        free(connection);
        return;
    case WANTS_WRITE:
        // One that does not read is not read from; but what a generator is sent must not hold it up.
        watch(connection, mode->serve == serve_characters ? EPOLLIN | EPOLLOUT : EPOLLOUT, EPOLL_CTL_MOD);
        return;
    default:
        watch(connection, EPOLLIN, EPOLL_CTL_MOD);
    }
}

static _Noreturn void run(int listener) {
    static struct epoll_event events[EVENTS_PER_TURN];
    for (;;) {
        int count = epoll_wait(poller, events, EVENTS_PER_TURN, -1);
        if (count < 0 && errno != EINTR) {
            fail_errno("epoll_wait");
        }
        for (int index = 0; index < count; index++) {
            if (events[index].data.ptr == NULL) {
                accept_burst(listener);
            } else {
                serve(events[index].data.ptr);
            }
        }
    }
}

// MARK: Start

static void make_context(const char *certificate, const char *key) {
    context = SSL_CTX_new(TLS_server_method());
    if (context == NULL || SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
        fail_tls("certificate and key");
    }
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // sessions go to the clients, as tickets
}

int main(int count, char *arguments[]) {
    const char *host = "127.0.0.1", *name = "echo", *certificate = "", *key = "";
    long port = 8443;
    const struct option_rule rules[] = {
        {"host", OPTION_TEXT, &host, 0, 0, "where to listen (127.0.0.1)"},
        {"port", OPTION_INTEGER, &port, 0, 65535, "0 for any (8443)"},
        {"cert", OPTION_TEXT, &certificate, 0, 0, "the certificate, a PEM file"},
        {"key", OPTION_TEXT, &key, 0, 0, "its key, a PEM file"},
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
    signal(SIGPIPE, SIG_IGN);
    make_context(certificate, key);
    struct address address = parse_address(host, port);
    int listener = open_listener(&address);
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = NULL};
    if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &interest) < 0) {
        fail_errno("epoll");
    }
    print_listening(listener);
    run(listener);
}
