#ifndef CSOCKETSHIMS_INTERFACES_H
#define CSOCKETSHIMS_INTERFACES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "address.h"

// if_nametoindex(3): 0 when no interface has the name. if_indextoname(3): the name's length, without the closing zero,
// or 0; `name` must have room for CSOCKET_INTERFACE_NAME bytes.
enum { CSOCKET_INTERFACE_NAME = 32 };
uint32_t csocket_interface_index(const char *name);
int csocket_interface_name(uint32_t index, char *name);

// What an interface is and does, with Linux's numbers on every system.
enum {
    CSOCKET_INTERFACE_UP = 0x1,
    CSOCKET_INTERFACE_BROADCAST = 0x2,
    CSOCKET_INTERFACE_LOOPBACK = 0x8,
    CSOCKET_INTERFACE_POINT_TO_POINT = 0x10,
    CSOCKET_INTERFACE_RUNNING = 0x40,
    CSOCKET_INTERFACE_MULTICAST = 0x1000,
};

// One line of getifaddrs(3): an interface, and one of its addresses, whose family is CSOCKET_FAMILY_NONE for a line
// that brings none. `other` is the broadcast address, or the other end of a point-to-point link; of no family without.
typedef struct {
    const char *name;
    uint32_t index;
    uint32_t flags;
    uint32_t mtu;
    uint32_t prefix_length;
    const uint8_t *hardware;  // NULL when the line does not say
    size_t hardware_count;
    csocket_address address;
    csocket_address other;
} csocket_interface_line;

// Calls `body` for each line of getifaddrs(3). Returns 0 or minus the errno.
int csocket_each_interface(void (*body)(void *context, const csocket_interface_line *line), void *context);

// rtnetlink(7), Linux. Elsewhere there is only route(4), of which a message means no more than "look again".
#if defined(__linux__)
enum { CSOCKET_HAS_NETLINK = 1 };
#else
enum { CSOCKET_HAS_NETLINK = 0 };
#endif

// A socket for questions about interfaces (`watches` is 0; only with netlink), or one that is told what changes about them.
int csocket_interface_socket(int watches);
// Asks for everything of a kind, by the number of the request: RTM_GETLINK or RTM_GETADDR. -ENOSYS without netlink.
int csocket_interface_ask(int descriptor, int kind);
// The messages of one recvmsg(2). 0 for what did not come from the kernel; -ENOBUFS when something was lost.
ssize_t csocket_interface_receive(int descriptor, void *bytes, size_t count);

#endif
