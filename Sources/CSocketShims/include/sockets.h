#ifndef CSOCKETSHIMS_SOCKETS_H
#define CSOCKETSHIMS_SOCKETS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "address.h"

enum {
    CSOCKET_STREAM = 1,
    CSOCKET_DATAGRAM = 2,
};

enum {
    CSOCKET_SHUT_READ = 0,
    CSOCKET_SHUT_WRITE = 1,
    CSOCKET_SHUT_BOTH = 2,
};

// Every descriptor made here is close-on-exec and nonblocking, and never raises SIGPIPE.
int csocket_open(int family, int kind);
int csocket_accept(int descriptor, csocket_address *peer);
// What a descriptor from outside is: `*kind` is one of the above or 0.
int csocket_inspect(int descriptor, int *kind, int *listening);
// Makes such a descriptor what the others are made.
int csocket_prepare(int descriptor);
int csocket_bind(int descriptor, const csocket_address *address);
int csocket_connect(int descriptor, const csocket_address *address);
int csocket_listen(int descriptor, int backlog);
int csocket_local_address(int descriptor, csocket_address *address);
int csocket_peer_address(int descriptor, csocket_address *address);
int csocket_shutdown(int descriptor, int how);
int csocket_close(int descriptor);

ssize_t csocket_send(int descriptor, const void *bytes, size_t count);
ssize_t csocket_receive(int descriptor, void *bytes, size_t count);
typedef struct {
    const void *bytes;
    size_t count;
} csocket_part;

// Sends several buffers as one; at most 64.
ssize_t csocket_send_parts(int descriptor, const csocket_part *parts, size_t count);
// One byte of urgent data, in and out (MSG_OOB).
ssize_t csocket_send_urgent(int descriptor, uint8_t byte);
ssize_t csocket_receive_urgent(int descriptor, uint8_t *byte);
ssize_t csocket_peek(int descriptor, void *bytes, size_t count);

// Bytes waiting to be read (FIONREAD), or not yet acknowledged by the peer (SIOCOUTQ; SO_NWRITE on Apple systems).
int csocket_unread_count(int descriptor);
int csocket_unsent_count(int descriptor);

// Descriptors that a process may have open (RLIMIT_NOFILE's soft limit).
uint64_t csocket_descriptor_limit(void);

#endif
