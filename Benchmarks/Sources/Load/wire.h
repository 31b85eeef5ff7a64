// What the messages of an echo look like on their way: plain bytes, or WebSocket frames (RFC 6455).

#ifndef WIRE_H
#define WIRE_H

#include "streams.h"

#include <stdint.h>

struct wire {
    uint64_t sent;      // bytes of a message on its way to the server
    uint64_t received;  // bytes of its reply
};

// Before the first connection: as --size and --websocket say.
struct wire prepare_wire(void);

// The bytes of a connection's streams from a position on, CHUNK of them at least.
const unsigned char *outgoing(const struct connection *connection, uint64_t position);
const unsigned char *incoming(const struct connection *connection, uint64_t position);

// Asks the server for a WebSocket, and awaits its consent. The stream may block still.
void shake_hands(struct stream *stream);

#endif
