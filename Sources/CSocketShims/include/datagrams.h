#ifndef CSOCKETSHIMS_DATAGRAMS_H
#define CSOCKETSHIMS_DATAGRAMS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "address.h"

// Datagrams in and out: one, or many with one call where the system can (recvmmsg(2), sendmmsg(2)), several of one size as
// one where it can do that too (udp(7), UDP_SEGMENT and UDP_GRO).

enum {
    CSOCKET_RECEIVE_BATCH = 32,  // receive slots of a thread
    CSOCKET_SEND_BATCH = 64,
    CSOCKET_DATAGRAM_SIZE = 65536,  // of a slot
};

// What a receive slot holds, until the thread receives again.
typedef struct {
    const void *bytes;
    size_t count;
    size_t segment;  // not 0: several datagrams of this size, of which the last may be shorter
    csocket_address source;
    csocket_address destination;  // of no family unless the socket has CSOCKET_OPTION_PACKET_INFO
    uint32_t interface;           // 0 unless the socket has CSOCKET_OPTION_PACKET_INFO
    uint8_t is_truncated;
    uint8_t has_traffic_class;  // not 0 if the socket has CSOCKET_OPTION_RECEIVE_TRAFFIC_CLASS
    uint8_t traffic_class;
} csocket_incoming;

// Receives into at most `limit` slots of the calling thread. Returns how many, and sets `*drained` when there was nothing
// more; or minus the errno.
int csocket_receive_batch(int descriptor, int limit, const csocket_incoming **items, int *drained);

typedef struct {
    const void *bytes;
    size_t count;
    csocket_address address;  // of no family: the peer that the socket is connected to
} csocket_outgoing;

ssize_t csocket_send_to(int descriptor, const void *bytes, size_t count, const csocket_address *address);
// Sends at most CSOCKET_SEND_BATCH datagrams. Returns how many the kernel took, at least one, or minus the errno of the
// first. `may_segment`: what csocket_enable_offload said.
int csocket_send_batch(int descriptor, const csocket_outgoing *items, int count, int may_segment);

// Asks the kernel to hand over datagrams that came together as one (UDP_GRO). Returns whether it can cut one up (UDP_SEGMENT).
int csocket_enable_offload(int descriptor);

// Undoes connect(2): an address of no family.
int csocket_disconnect(int descriptor);

// Linux: one entry of the socket's error queue (ip(7), IP_RECVERR): `*error` is its errno and `*destination` the
// address that the failed datagram was sent to. Returns 0, or -EAGAIN when the queue is empty (always, elsewhere).
#if defined(__linux__)
enum { CSOCKET_HAS_ERROR_QUEUE = 1 };
#else
enum { CSOCKET_HAS_ERROR_QUEUE = 0 };
#endif
int csocket_receive_error(int descriptor, csocket_address *destination, int *error);

#endif
