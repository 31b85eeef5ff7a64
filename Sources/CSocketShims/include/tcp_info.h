#ifndef CSOCKETSHIMS_TCP_INFO_H
#define CSOCKETSHIMS_TCP_INFO_H

#include <stddef.h>
#include <stdint.h>

// What a kernel tells of a TCP connection. Times are microseconds, sizes and windows bytes.
enum {
    CSOCKET_TCP_STATE,  // as Linux numbers them
    CSOCKET_TCP_ROUND_TRIP_TIME,
    CSOCKET_TCP_ROUND_TRIP_VARIANCE,
    CSOCKET_TCP_MINIMUM_ROUND_TRIP_TIME,
    CSOCKET_TCP_RETRANSMISSION_TIMEOUT,
    CSOCKET_TCP_MAXIMUM_SEGMENT_SIZE,
    CSOCKET_TCP_CONGESTION_WINDOW,
    CSOCKET_TCP_SLOW_START_THRESHOLD,
    CSOCKET_TCP_SEND_WINDOW,
    CSOCKET_TCP_PATH_MTU,
    CSOCKET_TCP_UNACKNOWLEDGED_SEGMENTS,
    CSOCKET_TCP_LOST_SEGMENTS,
    CSOCKET_TCP_RETRANSMITTED_SEGMENTS,
    CSOCKET_TCP_BYTES_SENT,
    CSOCKET_TCP_BYTES_ACKNOWLEDGED,
    CSOCKET_TCP_BYTES_RETRANSMITTED,
    CSOCKET_TCP_BYTES_RECEIVED,
    CSOCKET_TCP_BYTES_NOT_SENT,
    CSOCKET_TCP_DELIVERY_RATE,  // bytes a second
    CSOCKET_TCP_FACT_COUNT,
};

// Fills CSOCKET_TCP_FACT_COUNT facts; one that the kernel does not tell is -1. Returns 0 or minus the errno.
// TCP_INFO on Linux, TCP_CONNECTION_INFO on Apple systems.
int csocket_tcp_facts(int descriptor, int64_t *facts);

// The same from the first `length` bytes of Linux's struct tcp_info: it grows at its end, and an older kernel fills less.
void csocket_tcp_facts_of_linux(const void *bytes, size_t length, int64_t *facts);

#endif
