// The load generator with TLS: the scenarios over TLS 1.3 and AES-128-GCM. It does not look at the server's certificate:
// that would be time of its own core, which says nothing of the server.

#define _GNU_SOURCE

#include "support.h"
#include "transport.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

static SSL_CTX *context;
static bool resumes;
static SSL_SESSION *newest;  // the last that the server gave

static _Noreturn void fail_tls(const char *what) {
    char reason[256];
    ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
    fail("%s: %s", what, reason);
}

static int keep_session(SSL *ssl, SSL_SESSION *session) {
    (void)ssl;
    SSL_SESSION_free(newest);
    newest = session;
    return 1;
}

static void prepare(void) {
    context = SSL_CTX_new(TLS_client_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") != 1) {
        fail_tls("cannot start");
    }
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, resumes ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
    SSL_CTX_sess_set_new_cb(context, keep_session);
}

static void begin(struct stream *stream, bool connected) {
    if (context == NULL) {
        prepare();
    }
    SSL *ssl = SSL_new(context);
    if (ssl == NULL || SSL_set_fd(ssl, stream->descriptor) != 1) {
        fail_tls("cannot make a connection");
    }
    if (newest != NULL) {
        // A copy: OpenSSL resumes a session of TLS 1.3 once.
        SSL_SESSION *session = SSL_SESSION_dup(newest);
        SSL_set_session(ssl, session);
        SSL_SESSION_free(session);
    }
    SSL_set_app_data(ssl, newest != NULL ? ssl : NULL);  // it is to be resumed
    SSL_set_connect_state(ssl);
    stream->security = ssl;
    if (connected && SSL_do_handshake(ssl) != 1) {
        fail_tls("handshake");
    }
}

// What a call that did not succeed stands for: -1 with EAGAIN to wait, 0 for the end.
static ssize_t outcome(struct stream *stream, int result, const char *what) {
    char none;
    switch (SSL_get_error(stream->security, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        // The server has said that it ends; what is awaited is that its connection has.
        return recv(stream->descriptor, &none, 1, 0);
    default:
        fail_tls(what);
    }
}

static ssize_t send_bytes(struct stream *stream, const void *bytes, size_t count) {
    size_t sent;
    int result = SSL_write_ex(stream->security, bytes, count, &sent);
    return result == 1 ? (ssize_t)sent : outcome(stream, result, "send");
}

static ssize_t receive_bytes(struct stream *stream, void *buffer, size_t count) {
    size_t total = 0;
    while (total < count) {
        size_t received;
        int result = SSL_read_ex(stream->security, (char *)buffer + total, count - total, &received);
        if (result != 1) {
            return total > 0 ? (ssize_t)total : outcome(stream, result, "receive");
        }
        total += received;
    }
    return (ssize_t)total;
}

static int finish(struct stream *stream) {
    return SSL_shutdown(stream->security) < 0 ? -1 : shutdown(stream->descriptor, SHUT_WR);
}

static void end(struct stream *stream) {
    if (SSL_get_app_data(stream->security) != NULL && !SSL_session_reused(stream->security)) {
        fail("the server did not resume a session");
    }
    SSL_free(stream->security);
    close(stream->descriptor);
}

int main(int count, char *arguments[]) {
    static const struct option_rule rules[] = {
        {"resume", OPTION_FLAG, &resumes, 0, 0, "connections resume the session of an earlier one"},
    };
    static const struct transport tls = {
        rules, sizeof rules / sizeof *rules, begin, send_bytes, receive_bytes, finish, end,
    };
    return run_load(&tls, count, arguments);
}
