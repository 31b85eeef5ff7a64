#ifndef CSOCKETSHIMS_ADDRESS_PRIVATE_H
#define CSOCKETSHIMS_ADDRESS_PRIVATE_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "address.h"

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
    struct sockaddr_storage storage;
} csocket_sockaddr;

// Returns the length of the filled member, zero for an address without a family.
socklen_t csocket_address_to_native(const csocket_address *address, csocket_sockaddr *native);
void csocket_address_from_native(const csocket_sockaddr *native, socklen_t length, csocket_address *address);

#endif
