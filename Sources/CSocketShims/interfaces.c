#if defined(__linux__)
#define _GNU_SOURCE
#endif
#include "interfaces.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address_private.h"
#include "sockets.h"

#if defined(__linux__)
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netpacket/packet.h>
#elif defined(__APPLE__)
#include <net/if_dl.h>
#include <net/route.h>
#endif

uint32_t csocket_interface_index(const char *name) {
    return if_nametoindex(name);
}

int csocket_interface_name(uint32_t index, char *name) {
    _Static_assert(CSOCKET_INTERFACE_NAME >= IF_NAMESIZE, "room for any interface's name");
    return if_indextoname(index, name) == NULL ? 0 : (int)strlen(name);
}

// MARK: getifaddrs(3)

static uint32_t flags_of(unsigned flags) {
    return (flags & IFF_UP ? CSOCKET_INTERFACE_UP : 0) | (flags & IFF_BROADCAST ? CSOCKET_INTERFACE_BROADCAST : 0) |
           (flags & IFF_LOOPBACK ? CSOCKET_INTERFACE_LOOPBACK : 0) |
           (flags & IFF_POINTOPOINT ? CSOCKET_INTERFACE_POINT_TO_POINT : 0) |
           (flags & IFF_RUNNING ? CSOCKET_INTERFACE_RUNNING : 0) |
           (flags & IFF_MULTICAST ? CSOCKET_INTERFACE_MULTICAST : 0);
}

static uint32_t mtu_of(int descriptor, const char *name) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
    return ioctl(descriptor, SIOCGIFMTU, &request) < 0 ? 0 : (uint32_t)request.ifr_mtu;
}

static void read_address(const struct sockaddr *from, csocket_address *address) {
    csocket_sockaddr native;
    memset(address, 0, sizeof *address);
    if (from == NULL) return;
    socklen_t length = from->sa_family == AF_INET    ? sizeof native.v4
                       : from->sa_family == AF_INET6 ? sizeof native.v6
                                                     : 0;
    memcpy(&native, from, length);
    csocket_address_from_native(&native, length, address);
}

static uint32_t prefix_length(const csocket_address *address, const struct sockaddr *mask) {
    if (mask == NULL) return 0;
    csocket_sockaddr native;
    memset(&native, 0, sizeof native);
    // The mask may say no family of its own.
    if (address->family == CSOCKET_FAMILY_IPV4) {
        memcpy(&native.v4, mask, sizeof native.v4);
        return (uint32_t)__builtin_popcount(native.v4.sin_addr.s_addr);
    }
    memcpy(&native.v6, mask, sizeof native.v6);
    uint32_t count = 0;
    for (int i = 0; i < 16; i++) count += (uint32_t)__builtin_popcount(native.v6.sin6_addr.s6_addr[i]);
    return count;
}

int csocket_each_interface(void (*body)(void *context, const csocket_interface_line *line), void *context) {
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) < 0) return -errno;
    int descriptor = csocket_open(CSOCKET_FAMILY_IPV4, CSOCKET_DATAGRAM);  // any socket will do for SIOCGIFMTU
    for (struct ifaddrs *entry = list; entry != NULL; entry = entry->ifa_next) {
        csocket_interface_line line;
        memset(&line, 0, sizeof line);
        line.name = entry->ifa_name;
        line.index = if_nametoindex(entry->ifa_name);
        line.flags = flags_of(entry->ifa_flags);
        line.mtu = descriptor < 0 ? 0 : mtu_of(descriptor, entry->ifa_name);
        read_address(entry->ifa_addr, &line.address);
        if (line.address.family != CSOCKET_FAMILY_NONE) {
            line.prefix_length = prefix_length(&line.address, entry->ifa_netmask);
            if (entry->ifa_flags & (IFF_BROADCAST | IFF_POINTOPOINT)) read_address(entry->ifa_dstaddr, &line.other);
        }
#if defined(__linux__)
        if (entry->ifa_addr != NULL && entry->ifa_addr->sa_family == AF_PACKET) {
            const struct sockaddr_ll *link = (const struct sockaddr_ll *)(const void *)entry->ifa_addr;
            line.hardware = link->sll_addr;
            line.hardware_count = link->sll_halen <= sizeof link->sll_addr ? link->sll_halen : 0;
        }
#elif defined(__APPLE__)
        if (entry->ifa_addr != NULL && entry->ifa_addr->sa_family == AF_LINK) {
            const struct sockaddr_dl *link = (const struct sockaddr_dl *)(const void *)entry->ifa_addr;
            line.hardware = (const uint8_t *)LLADDR(link);
            line.hardware_count = link->sdl_alen;
        }
#endif
        if (line.index != 0) body(context, &line);
    }
    if (descriptor >= 0) close(descriptor);
    freeifaddrs(list);
    return 0;
}

// MARK: News of the kernel

int csocket_interface_socket(int watches) {
#if defined(__linux__)
    int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (descriptor < 0) return -errno;
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    if (watches) address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0) return descriptor;
    int error = errno;
    close(descriptor);
    return -error;
#elif defined(__APPLE__)
    if (!watches) return -ENOSYS;
    int descriptor = socket(PF_ROUTE, SOCK_RAW, 0);
    if (descriptor < 0) return -errno;
    int result = csocket_prepare(descriptor);
    if (result == 0) return descriptor;
    close(descriptor);
    return result;
#else
    (void)watches;
    return -ENOSYS;
#endif
}

int csocket_interface_ask(int descriptor, int kind) {
#if defined(__linux__)
    struct {
        struct nlmsghdr header;
        struct rtgenmsg body;
    } request;
    memset(&request, 0, sizeof request);
    request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.body);
    request.header.nlmsg_type = (uint16_t)kind;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.body.rtgen_family = AF_UNSPEC;
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t sent = sendto(
        descriptor, &request, request.header.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel);
    return sent < 0 ? -errno : 0;
#else
    (void)descriptor, (void)kind;
    return -ENOSYS;
#endif
}

ssize_t csocket_interface_receive(int descriptor, void *bytes, size_t count) {
    csocket_sockaddr native;
    struct iovec vector = {.iov_base = bytes, .iov_len = count};
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_name = &native;
    message.msg_namelen = sizeof native;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    ssize_t received = recvmsg(descriptor, &message, 0);
    if (received < 0) return -errno;
#if defined(__linux__)
    // Another process may write to the socket; only number 0 is the kernel.
    struct sockaddr_nl sender;
    memcpy(&sender, &native, sizeof sender);
    if (message.msg_namelen < sizeof sender || sender.nl_pid != 0) return 0;
#endif
    return message.msg_flags & MSG_TRUNC ? -ENOBUFS : received;
}
