// The load generator: the scenarios over TCP.

#include "transport.h"

#include <sys/socket.h>
#include <unistd.h>

static void begin(struct stream *stream, bool connected) {
    (void)stream;
    (void)connected;
}

static ssize_t send_bytes(struct stream *stream, const void *bytes, size_t count) {
    return send(stream->descriptor, bytes, count, MSG_NOSIGNAL);
}

static ssize_t receive_bytes(struct stream *stream, void *buffer, size_t count) {
    return recv(stream->descriptor, buffer, count, 0);
}

static int finish(struct stream *stream) { return shutdown(stream->descriptor, SHUT_WR); }

static void end(struct stream *stream) { close(stream->descriptor); }

int main(int count, char *arguments[]) {
    static const struct transport tcp = {
        .begin = begin, .send = send_bytes, .receive = receive_bytes, .finish = finish, .end = end,
    };
    return run_load(&tcp, count, arguments);
}
