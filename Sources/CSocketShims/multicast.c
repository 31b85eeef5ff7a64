#if defined(__linux__)
#define _GNU_SOURCE
#elif defined(__APPLE__)
#define __APPLE_USE_RFC_3542
#endif
#include "multicast.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "address_private.h"

static int change(int descriptor, int level, int name, const void *request, socklen_t length) {
    return setsockopt(descriptor, level, name, request, length) < 0 ? -errno : 0;
}

static void fill(struct sockaddr_storage *place, const csocket_address *address) {
    csocket_sockaddr native;
    memcpy(place, &native, csocket_address_to_native(address, &native));
#if defined(__APPLE__)
    place->ss_len = address->family == CSOCKET_FAMILY_IPV6 ? sizeof native.v6 : sizeof native.v4;
#endif
}

int csocket_change_membership(
    int descriptor, const csocket_address *group, const csocket_address *source, uint32_t interface, int joins) {
    // The group's family, not the socket's: an IPv6 socket that has IPv4 peers joins groups of both.
    int level = group->family == CSOCKET_FAMILY_IPV6 ? IPPROTO_IPV6 : IPPROTO_IP;
    if (source == NULL) {
        struct group_req request;
        memset(&request, 0, sizeof request);
        request.gr_interface = interface;
        fill(&request.gr_group, group);
        return change(descriptor, level, joins ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP, &request, sizeof request);
    }
    struct group_source_req request;
    memset(&request, 0, sizeof request);
    request.gsr_interface = interface;
    fill(&request.gsr_group, group);
    fill(&request.gsr_source, source);
    int name = joins ? MCAST_JOIN_SOURCE_GROUP : MCAST_LEAVE_SOURCE_GROUP;
    return change(descriptor, level, name, &request, sizeof request);
}
