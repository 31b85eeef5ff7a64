#ifndef CSOCKETSHIMS_ADDRESS_H
#define CSOCKETSHIMS_ADDRESS_H

#include <stddef.h>
#include <stdint.h>

// An IPv4 or IPv6 address with its port, in host byte order and without padding between the fields.
// IPv4 lives in the lowest 32 bits of `low`. Of a local address (unix(7)) `port` is the length of the name, and `low`
// where it is, for as long as a call lasts; one that a call returns has the length only (`csocket_local_name`).
typedef struct {
    uint64_t high;
    uint64_t low;
    uint32_t scope;
    uint16_t port;
    uint8_t family;  // CSOCKET_FAMILY_...
} csocket_address;

enum {
    CSOCKET_FAMILY_NONE = 0,
    CSOCKET_FAMILY_LOCAL = 1,
    CSOCKET_FAMILY_IPV4 = 4,
    CSOCKET_FAMILY_IPV6 = 6,
};

// inet_pton(3), with "%zone" (a name or a number) after an IPv6 address. Returns 0, or -EINVAL for text that is no
// address, or -ENXIO for a zone that no interface has.
int csocket_address_parse(const char *text, csocket_address *address);

// inet_ntop(3) and, for a scoped IPv6 address, "%" and the interface's name. Returns the length written, without
// the closing zero; `text` must have room for CSOCKET_ADDRESS_TEXT bytes.
enum { CSOCKET_ADDRESS_TEXT = 80 };
int csocket_address_format(const csocket_address *address, char *text);

// getaddrinfo(3) for one family; fills at most `capacity` addresses (port zero) and returns how many, or a value
// below zero: minus the errno when `*resolver_error` is zero, otherwise `*resolver_error` is an EAI_ code and
// `csocket_resolver_message` explains it. Blocks.
int csocket_resolve(const char *name, int family, csocket_address *addresses, int capacity, int *resolver_error);
const char *csocket_resolver_message(int resolver_error);
// Whether an EAI_ code says that the name (or an address of this family) does not exist, rather than that the
// look-up failed.
int csocket_resolver_says_unknown(int resolver_error);

#endif
