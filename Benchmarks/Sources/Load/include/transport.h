// What the bytes of streams go through: TCP as it is, or TLS over it. A load generator is this and all scenarios of `Load`.

#ifndef TRANSPORT_H
#define TRANSPORT_H

#include "options.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct stream {
    int descriptor;
    void *security;  // the transport's
};

struct transport {
    // More rules for the command line.
    const struct option_rule *rules;
    size_t rules_count;

    // Called for each connection. One that has been `connected` may block still, and is ready for use afterwards; another
    // sees to what it needs while it is used.
    void (*begin)(struct stream *stream, bool connected);
    // As send(2) and recv(2), never blocking. Less than asked has been received when nothing more is there, 0 at the end.
    ssize_t (*send)(struct stream *stream, const void *bytes, size_t count);
    ssize_t (*receive)(struct stream *stream, void *buffer, size_t count);
    // Ends our direction. -1 when that fails.
    int (*finish)(struct stream *stream);
    // Frees what `begin` made, and closes.
    void (*end)(struct stream *stream);
};

// The main function: reads the command line, and runs the scenario that it names.
int run_load(const struct transport *transport, int count, char *arguments[]);

#endif
