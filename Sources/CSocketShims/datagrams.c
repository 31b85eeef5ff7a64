#if defined(__linux__)
#define _GNU_SOURCE
#elif defined(__APPLE__)
#define __APPLE_USE_RFC_3542
#endif
#include "datagrams.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "address_private.h"

#if defined(__linux__)
#include <linux/errqueue.h>
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103  // Linux 4.18
#endif
#ifndef UDP_GRO
#define UDP_GRO 104  // Linux 5.0
#endif
#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#else
// The call of the same name that takes one message at a time fills the same structure.
struct mmsghdr {
    struct msghdr msg_hdr;
    unsigned msg_len;
};
#endif

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0  // Apple systems: SO_NOSIGPIPE is set on every descriptor instead
#endif

static ssize_t outcome(ssize_t result) {
    return result < 0 ? -errno : result;
}

// MARK: In

enum {
    CONTROL_SIZE = 256,
    // Slots begin at different places of a page, or all datagrams would fight for the same lines of the cache.
    SLOT_STRIDE = CSOCKET_DATAGRAM_SIZE + 320,
};

typedef union {
    struct cmsghdr align;
    char bytes[CONTROL_SIZE];
} control_buffer;

// A thread's own. Of the slots only what datagrams have touched takes memory.
typedef struct {
    csocket_incoming items[CSOCKET_RECEIVE_BATCH];
    struct mmsghdr messages[CSOCKET_RECEIVE_BATCH];
    struct iovec vectors[CSOCKET_RECEIVE_BATCH];
    csocket_sockaddr names[CSOCKET_RECEIVE_BATCH];
    control_buffer controls[CSOCKET_RECEIVE_BATCH];
    char slots[CSOCKET_RECEIVE_BATCH * SLOT_STRIDE];
} receive_batch;

static pthread_key_t batch_key;
static pthread_once_t batch_once = PTHREAD_ONCE_INIT;
static _Thread_local receive_batch *thread_batch;

static void make_batch_key(void) {
    pthread_key_create(&batch_key, free);
}

static receive_batch *make_batch(void) {
    receive_batch *batch = malloc(sizeof *batch);
    if (batch == NULL) abort();  // as any other allocation of a Swift program that fails
    for (int i = 0; i < CSOCKET_RECEIVE_BATCH; i++) {
        batch->vectors[i].iov_base = batch->slots + (size_t)i * SLOT_STRIDE;
        batch->vectors[i].iov_len = CSOCKET_DATAGRAM_SIZE;
        struct msghdr *message = &batch->messages[i].msg_hdr;
        memset(message, 0, sizeof *message);
        message->msg_name = &batch->names[i];
        message->msg_iov = &batch->vectors[i];
        message->msg_iovlen = 1;
        message->msg_control = &batch->controls[i];
        batch->items[i].bytes = batch->vectors[i].iov_base;
    }
    pthread_once(&batch_once, make_batch_key);
    pthread_setspecific(batch_key, batch);
    thread_batch = batch;
    return batch;
}

static void read_control(struct msghdr *message, csocket_incoming *item) {
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
        const void *data = CMSG_DATA(header);
        if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, data, sizeof info);
            item->interface = (uint32_t)info.ipi_ifindex;
            // On an IPv6 socket the other message has the address in that family's form.
            if (item->source.family == CSOCKET_FAMILY_IPV4) {
                item->destination = (csocket_address){.low = ntohl(info.ipi_addr.s_addr), .family = CSOCKET_FAMILY_IPV4};
            }
        } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, data, sizeof info);
            csocket_sockaddr native;
            memset(&native.v6, 0, sizeof native.v6);
            native.v6.sin6_family = AF_INET6;
            native.v6.sin6_addr = info.ipi6_addr;
            if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) || IN6_IS_ADDR_MC_LINKLOCAL(&info.ipi6_addr)) {
                native.v6.sin6_scope_id = (uint32_t)info.ipi6_ifindex;
            }
            csocket_address_from_native(&native, sizeof native.v6, &item->destination);
            item->interface = (uint32_t)info.ipi6_ifindex;
        } else if (header->cmsg_level == IPPROTO_IP && (header->cmsg_type == IP_TOS || header->cmsg_type == IP_RECVTOS)) {
            item->has_traffic_class = 1;
            item->traffic_class = *(const uint8_t *)data;
        } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_TCLASS) {
            int value;
            memcpy(&value, data, sizeof value);
            item->has_traffic_class = 1;
            item->traffic_class = (uint8_t)value;
#if defined(__linux__)
        } else if (header->cmsg_level == SOL_UDP && header->cmsg_type == UDP_GRO) {
            int value;
            memcpy(&value, data, sizeof value);
            item->segment = value > 0 ? (size_t)value : 0;
#endif
        }
    }
}

static void read_message(struct mmsghdr *filled, csocket_incoming *item) {
    struct msghdr *message = &filled->msg_hdr;
    csocket_address_from_native(message->msg_name, message->msg_namelen, &item->source);
    item->count = filled->msg_len;
    item->segment = 0;
    item->destination.family = CSOCKET_FAMILY_NONE;
    item->interface = 0;
    item->is_truncated = (message->msg_flags & MSG_TRUNC) != 0;
    item->has_traffic_class = 0;
    if (message->msg_controllen > 0) read_control(message, item);
}

#if defined(__linux__)

// How many, `*drained` set when there was nothing more; or minus the errno.
static int receive_messages(int descriptor, struct mmsghdr *messages, int limit, int *drained) {
    int received = (int)outcome(recvmmsg(descriptor, messages, (unsigned)limit, 0, NULL));
    // It ends early only for that, or for an error, which has an event of its own (recvmmsg(2)).
    *drained = received >= 0 && received < limit;
    return received;
}

#else

static int receive_messages(int descriptor, struct mmsghdr *messages, int limit, int *drained) {
    int received = 0;
    *drained = 0;
    while (received < limit) {
        ssize_t count = outcome(recvmsg(descriptor, &messages[received].msg_hdr, 0));
        if (count < 0 && received == 0) return (int)count;
        if (count < 0) {
            *drained = count == -EAGAIN;
            break;
        }
        messages[received++].msg_len = (unsigned)count;
    }
    return received;
}

#endif

int csocket_receive_batch(int descriptor, int limit, const csocket_incoming **items, int *drained) {
    receive_batch *batch = thread_batch != NULL ? thread_batch : make_batch();
    if (limit > CSOCKET_RECEIVE_BATCH) limit = CSOCKET_RECEIVE_BATCH;
    for (int i = 0; i < limit; i++) {
        batch->messages[i].msg_hdr.msg_namelen = sizeof batch->names[i];
        batch->messages[i].msg_hdr.msg_controllen = CONTROL_SIZE;
    }
    int received = receive_messages(descriptor, batch->messages, limit, drained);
    for (int i = 0; i < received; i++) read_message(&batch->messages[i], &batch->items[i]);
    *items = batch->items;
    return received;
}

// MARK: Out

ssize_t csocket_send_to(int descriptor, const void *bytes, size_t count, const csocket_address *address) {
    csocket_sockaddr native;
    socklen_t length = csocket_address_to_native(address, &native);
    return outcome(sendto(descriptor, bytes, count, MSG_NOSIGNAL, length != 0 ? &native.any : NULL, length));
}

#if defined(__linux__)

enum {
    MOST_SEGMENTS = 64,        // UDP_MAX_SEGMENTS of the kernels that have fewest
    MOST_SEGMENTED = 65507,    // bytes, as of any datagram
};

static int same_address(const csocket_address *first, const csocket_address *second) {
    return first->low == second->low && first->high == second->high && first->port == second->port &&
           first->scope == second->scope && first->family == second->family;
}

// How many datagrams, from the first on, can go as one that the kernel cuts up: all of one size to one receiver, but for
// the last, which may be shorter.
static int run_length(const csocket_outgoing *items, int count) {
    size_t size = items->count, total = size;
    int length = 1;
    while (size > 0 && length < count && length < MOST_SEGMENTS) {
        const csocket_outgoing *next = &items[length];
        if (next->count > size || next->count == 0 || total + next->count > MOST_SEGMENTED) break;
        if (!same_address(&next->address, &items->address)) break;
        total += next->count;
        length++;
        if (next->count < size) break;
    }
    return length;
}

typedef union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(uint16_t))];
} segment_control;

static void set_segment(struct msghdr *message, segment_control *control, size_t size) {
    memset(control, 0, sizeof *control);
    message->msg_control = control;
    message->msg_controllen = sizeof *control;
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_UDP;
    header->cmsg_type = UDP_SEGMENT;
    header->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    uint16_t segment = (uint16_t)size;
    memcpy(CMSG_DATA(header), &segment, sizeof segment);
}

static int send_messages(int descriptor, const csocket_outgoing *items, int count, int may_segment) {
    struct mmsghdr messages[CSOCKET_SEND_BATCH];
    struct iovec vectors[CSOCKET_SEND_BATCH];
    csocket_sockaddr names[CSOCKET_SEND_BATCH];
    segment_control controls[CSOCKET_SEND_BATCH];
    int used = 0;
    for (int i = 0; i < count; used++) {
        struct msghdr *message = &messages[used].msg_hdr;
        memset(message, 0, sizeof *message);
        socklen_t length = csocket_address_to_native(&items[i].address, &names[used]);
        if (length != 0) message->msg_name = &names[used];
        message->msg_namelen = length;
        int run = may_segment ? run_length(items + i, count - i) : 1;
        message->msg_iov = &vectors[i];
        message->msg_iovlen = (size_t)run;
        if (run > 1) set_segment(message, &controls[used], items[i].count);
        for (int end = i + run; i < end; i++) {
            vectors[i].iov_base = (void *)items[i].bytes;
            vectors[i].iov_len = items[i].count;
        }
    }
    int sent = (int)outcome(sendmmsg(descriptor, messages, (unsigned)used, MSG_NOSIGNAL));
    if (sent < 0) {
        // The way, or its hardware, may not do it (udp(7)): as they are, then.
        int is_refusal = sent == -EINVAL || sent == -EMSGSIZE || sent == -EIO || sent == -EOPNOTSUPP;
        if (is_refusal && messages->msg_hdr.msg_iovlen > 1) return send_messages(descriptor, items, count, 0);
        return sent;
    }
    int datagrams = 0;
    for (int i = 0; i < sent; i++) datagrams += (int)messages[i].msg_hdr.msg_iovlen;
    return datagrams;
}

int csocket_send_batch(int descriptor, const csocket_outgoing *items, int count, int may_segment) {
    return send_messages(descriptor, items, count < CSOCKET_SEND_BATCH ? count : CSOCKET_SEND_BATCH, may_segment);
}

int csocket_enable_offload(int descriptor) {
    int value = 1;
    (void)setsockopt(descriptor, SOL_UDP, UDP_GRO, &value, sizeof value);
    socklen_t length = sizeof value;
    return getsockopt(descriptor, SOL_UDP, UDP_SEGMENT, &value, &length) == 0;
}

#else

int csocket_send_batch(int descriptor, const csocket_outgoing *items, int count, int may_segment) {
    (void)may_segment;
    int sent = 0;
    while (sent < count) {
        ssize_t result = csocket_send_to(descriptor, items[sent].bytes, items[sent].count, &items[sent].address);
        if (result < 0) return sent > 0 ? sent : (int)result;
        sent++;
    }
    return sent;
}

int csocket_enable_offload(int descriptor) {
    (void)descriptor;
    return 0;
}

#endif

// MARK: Peers and errors

int csocket_disconnect(int descriptor) {
    struct sockaddr nobody;
    memset(&nobody, 0, sizeof nobody);
    nobody.sa_family = AF_UNSPEC;
    int result = (int)outcome(connect(descriptor, &nobody, sizeof nobody));
    // Systems that descend from BSD undo it, and say that there is no such address.
    return result == -EAFNOSUPPORT ? 0 : result;
}

int csocket_receive_error(int descriptor, csocket_address *destination, int *error) {
#if defined(__linux__)
    csocket_sockaddr native;
    union {
        struct cmsghdr align;
        char bytes[512];
    } control;
    char payload[1];
    struct iovec vector = {.iov_base = payload, .iov_len = sizeof payload};
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_name = &native;
    message.msg_namelen = sizeof native;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    ssize_t received = outcome(recvmsg(descriptor, &message, MSG_ERRQUEUE));
    if (received < 0) return (int)received;
    csocket_address_from_native(&native, message.msg_namelen, destination);
    *error = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
        int wanted = (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR) ||
                     (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR);
        if (wanted && header->cmsg_len >= CMSG_LEN(sizeof(struct sock_extended_err))) {
            struct sock_extended_err detail;
            memcpy(&detail, CMSG_DATA(header), sizeof detail);
            *error = (int)detail.ee_errno;
        }
    }
    return 0;
#else
    (void)descriptor, (void)destination, (void)error;
    return -EAGAIN;
#endif
}
