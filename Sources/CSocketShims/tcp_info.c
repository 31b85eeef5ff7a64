#if defined(__linux__)
#define _GNU_SOURCE
#endif
#include "tcp_info.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

static void forget(int64_t *facts) {
    for (int i = 0; i < CSOCKET_TCP_FACT_COUNT; i++) facts[i] = -1;
}

// Where struct tcp_info of <linux/tcp.h> has a fact: part of the kernel's interface, so it never moves. The headers of a
// C library know the beginning only.
static const struct {
    int fact, offset, size;
} linux_layout[] = {
    {CSOCKET_TCP_STATE, 0, 1},
    {CSOCKET_TCP_RETRANSMISSION_TIMEOUT, 8, 4},
    {CSOCKET_TCP_MAXIMUM_SEGMENT_SIZE, 16, 4},
    {CSOCKET_TCP_UNACKNOWLEDGED_SEGMENTS, 24, 4},
    {CSOCKET_TCP_LOST_SEGMENTS, 32, 4},
    {CSOCKET_TCP_PATH_MTU, 60, 4},
    {CSOCKET_TCP_ROUND_TRIP_TIME, 68, 4},
    {CSOCKET_TCP_ROUND_TRIP_VARIANCE, 72, 4},
    {CSOCKET_TCP_SLOW_START_THRESHOLD, 76, 4},
    {CSOCKET_TCP_CONGESTION_WINDOW, 80, 4},
    {CSOCKET_TCP_RETRANSMITTED_SEGMENTS, 100, 4},
    {CSOCKET_TCP_BYTES_ACKNOWLEDGED, 120, 8},      // Linux 4.1
    {CSOCKET_TCP_BYTES_RECEIVED, 128, 8},          // 4.1
    {CSOCKET_TCP_BYTES_NOT_SENT, 144, 4},          // 4.6
    {CSOCKET_TCP_MINIMUM_ROUND_TRIP_TIME, 148, 4}, // 4.6
    {CSOCKET_TCP_DELIVERY_RATE, 160, 8},           // 4.9
    {CSOCKET_TCP_BYTES_SENT, 200, 8},              // 4.19
    {CSOCKET_TCP_BYTES_RETRANSMITTED, 208, 8},     // 4.19
    {CSOCKET_TCP_SEND_WINDOW, 228, 4},             // 5.4
};

void csocket_tcp_facts_of_linux(const void *bytes, size_t length, int64_t *facts) {
    forget(facts);
    for (size_t i = 0; i < sizeof linux_layout / sizeof linux_layout[0]; i++) {
        const char *start = (const char *)bytes + linux_layout[i].offset;
        if ((size_t)(linux_layout[i].offset + linux_layout[i].size) > length) continue;
        uint8_t small = 0;
        uint32_t middle = 0;
        uint64_t large = 0;
        switch (linux_layout[i].size) {
        case 1: memcpy(&small, start, sizeof small), large = small; break;
        case 4: memcpy(&middle, start, sizeof middle), large = middle; break;
        default: memcpy(&large, start, sizeof large); break;
        }
        facts[linux_layout[i].fact] = large > INT64_MAX ? INT64_MAX : (int64_t)large;
    }
    // Not measured, or without end, so far.
    if (facts[CSOCKET_TCP_MINIMUM_ROUND_TRIP_TIME] == UINT32_MAX) facts[CSOCKET_TCP_MINIMUM_ROUND_TRIP_TIME] = -1;
    if (facts[CSOCKET_TCP_SLOW_START_THRESHOLD] >= INT32_MAX) facts[CSOCKET_TCP_SLOW_START_THRESHOLD] = -1;
    // Linux counts these two in segments.
    if (facts[CSOCKET_TCP_CONGESTION_WINDOW] > 0) {
        facts[CSOCKET_TCP_CONGESTION_WINDOW] *= facts[CSOCKET_TCP_MAXIMUM_SEGMENT_SIZE];
    }
    if (facts[CSOCKET_TCP_SLOW_START_THRESHOLD] > 0) {
        facts[CSOCKET_TCP_SLOW_START_THRESHOLD] *= facts[CSOCKET_TCP_MAXIMUM_SEGMENT_SIZE];
    }
}

#if defined(__APPLE__)
int csocket_tcp_facts(int descriptor, int64_t *facts) {
    // TCPS_CLOSED and on, in <netinet/tcp_fsm.h>, as Linux numbers them.
    static const uint8_t states[] = {7, 10, 2, 3, 1, 8, 4, 11, 9, 5, 6};
    struct tcp_connection_info info;
    socklen_t length = sizeof info;
    memset(&info, 0, sizeof info);
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_CONNECTION_INFO, &info, &length) < 0) return -errno;
    forget(facts);
    if (info.tcpi_state < sizeof states) facts[CSOCKET_TCP_STATE] = states[info.tcpi_state];
    facts[CSOCKET_TCP_ROUND_TRIP_TIME] = info.tcpi_srtt * (int64_t)1000;
    facts[CSOCKET_TCP_ROUND_TRIP_VARIANCE] = info.tcpi_rttvar * (int64_t)1000;
    facts[CSOCKET_TCP_RETRANSMISSION_TIMEOUT] = info.tcpi_rto * (int64_t)1000;
    facts[CSOCKET_TCP_MAXIMUM_SEGMENT_SIZE] = info.tcpi_maxseg;
    facts[CSOCKET_TCP_CONGESTION_WINDOW] = info.tcpi_snd_cwnd;
    facts[CSOCKET_TCP_SLOW_START_THRESHOLD] = info.tcpi_snd_ssthresh;
    facts[CSOCKET_TCP_SEND_WINDOW] = info.tcpi_snd_wnd;
    facts[CSOCKET_TCP_RETRANSMITTED_SEGMENTS] = (int64_t)info.tcpi_txretransmitpackets;
    facts[CSOCKET_TCP_BYTES_SENT] = (int64_t)info.tcpi_txbytes;
    facts[CSOCKET_TCP_BYTES_RETRANSMITTED] = (int64_t)info.tcpi_txretransmitbytes;
    facts[CSOCKET_TCP_BYTES_RECEIVED] = (int64_t)info.tcpi_rxbytes;
    return 0;
}
#elif defined(__linux__)
int csocket_tcp_facts(int descriptor, int64_t *facts) {
    char bytes[256];
    socklen_t length = sizeof bytes;
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, bytes, &length) < 0) return -errno;
    csocket_tcp_facts_of_linux(bytes, length, facts);
    return 0;
}
#else
int csocket_tcp_facts(int descriptor, int64_t *facts) {
    (void)descriptor, (void)facts;
    return -ENOPROTOOPT;
}
#endif
