#define _GNU_SOURCE

#include "wire.h"

#include "load.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

// Of WebSockets: one message over and over, so that a stream is as good as periodic. Long enough for CHUNK bytes from
// anywhere in the first message.
static unsigned char *masked, *unmasked;
static struct wire wire;

static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};

// Writes the header of a binary frame with as many bytes as a message has. Returns how long it is.
static size_t write_header(unsigned char *to, int is_masked) {
    size_t size = (size_t)options.size;
    size_t count = 2;
    to[0] = 0x82;
    if (size < 126) {
        to[1] = (unsigned char)size;
    } else {
        int bytes = size < 65536 ? 2 : 8;
        to[1] = bytes == 2 ? 126 : 127;
        for (int index = bytes - 1; index >= 0; index--) {
            to[count++] = (unsigned char)(size >> 8 * index);
        }
    }
    if (is_masked) {
        to[1] |= 0x80;
        memcpy(to + count, mask, sizeof mask);
        count += sizeof mask;
    }
    return count;
}

static unsigned char *repeated_frame(int is_masked, uint64_t *length) {
    unsigned char header[14];
    size_t count = write_header(header, is_masked);
    *length = count + (uint64_t)options.size;
    unsigned char *buffer = malloc(*length + CHUNK);
    if (buffer == NULL) {
        fail("out of memory");
    }
    memcpy(buffer, header, count);
    for (long index = 0; index < options.size; index++) {
        unsigned char byte = (unsigned char)(index % PATTERN_PERIOD);
        buffer[count + (size_t)index] = is_masked ? byte ^ mask[index & 3] : byte;
    }
    for (size_t index = *length; index < *length + CHUNK; index++) {
        buffer[index] = buffer[index - *length];
    }
    return buffer;
}

struct wire prepare_wire(void) {
    wire = (struct wire){.sent = (uint64_t)options.size, .received = (uint64_t)options.size};
    if (options.websocket) {
        masked = repeated_frame(1, &wire.sent);
        unmasked = repeated_frame(0, &wire.received);
    }
    return wire;
}

const unsigned char *outgoing(const struct connection *connection, uint64_t position) {
    return options.websocket ? masked + position % wire.sent : pattern_at((uint64_t)number(connection) * 37 + position);
}

const unsigned char *incoming(const struct connection *connection, uint64_t position) {
    return options.websocket ? unmasked + position % wire.received : outgoing(connection, position);
}

void shake_hands(struct stream *stream) {
    // The key and its answer are the RFC's own example (section 1.3).
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    const struct timeval patience = {.tv_sec = STALL_MILLISECONDS / 1000};
    char answer[1024];
    size_t count = 0;
    if (setsockopt(stream->descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
        transport->send(stream, request, sizeof request - 1) != (ssize_t)sizeof request - 1) {
        fail_errno("handshake: send");
    }
    do {
        ssize_t more = transport->receive(stream, answer + count, sizeof answer - 1 - count);
        if (more <= 0) {
            fail_errno("handshake: %zu bytes, and then", count);
        }
        count += (size_t)more;
        answer[count] = '\0';
    } while (strstr(answer, "\r\n\r\n") == NULL);
    if (strncmp(answer, "HTTP/1.1 101 ", 13) != 0 || strstr(answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == NULL) {
        fail("handshake: the server answered %.40s", answer);
    }
}
