#ifndef ADDRESSES_H
#define ADDRESSES_H

#include <stdbool.h>
#include <sys/socket.h>

struct address {
    struct sockaddr_storage storage;
    socklen_t length;
};

// A numeric IPv4 or IPv6 address; no name is ever looked up.
struct address parse_address(const char *host, long port);

// As `parse_address`, and refuses what is not this machine: where a load goes.
struct address parse_loopback_address(const char *host, long port);

// A nonblocking listener, whose connections have no delay.
int open_listener(const struct address *address);

// Says where a bound socket listens, as the runner expects it: "listening on 127.0.0.1:7007" or "listening on [::1]:7007".
void print_listening(int descriptor);

// Raises the soft limit of open descriptors to the hard one and returns it.
long raise_descriptor_limit(void);

#endif
