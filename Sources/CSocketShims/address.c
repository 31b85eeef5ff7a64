#if defined(__linux__)
#define _GNU_SOURCE
#endif
#include "address_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t load_big_endian(const uint8_t *bytes) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) value = value << 8 | bytes[i];
    return value;
}

static void store_big_endian(uint64_t value, uint8_t *bytes) {
    for (int i = 7; i >= 0; i--, value >>= 8) bytes[i] = (uint8_t)value;
}

socklen_t csocket_address_to_native(const csocket_address *address, csocket_sockaddr *native) {
    if (address->family == CSOCKET_FAMILY_IPV4) {
        memset(&native->v4, 0, sizeof native->v4);
        native->v4.sin_family = AF_INET;
        native->v4.sin_port = htons(address->port);
        native->v4.sin_addr.s_addr = htonl((uint32_t)address->low);
        return sizeof native->v4;
    }
    if (address->family == CSOCKET_FAMILY_IPV6) {
        memset(&native->v6, 0, sizeof native->v6);
        native->v6.sin6_family = AF_INET6;
        native->v6.sin6_port = htons(address->port);
        native->v6.sin6_scope_id = address->scope;
        store_big_endian(address->high, native->v6.sin6_addr.s6_addr);
        store_big_endian(address->low, native->v6.sin6_addr.s6_addr + 8);
        return sizeof native->v6;
    }
    if (address->family == CSOCKET_FAMILY_LOCAL && address->port <= sizeof native->local.sun_path) {
        memset(&native->local, 0, sizeof native->local);
        native->local.sun_family = AF_UNIX;
        const char *name = (const char *)(uintptr_t)address->low;
        if (address->port > 0) memcpy(native->local.sun_path, name, address->port);
        // A path ends with a zero, which counts where there is room; an abstract name is as long as it says.
        size_t end = address->port > 0 && name[0] != 0 && address->port < sizeof native->local.sun_path;
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + address->port + end);
    }
    return 0;
}

void csocket_address_from_native(const csocket_sockaddr *native, socklen_t length, csocket_address *address) {
    memset(address, 0, sizeof *address);
    if (length >= sizeof native->v4 && native->any.sa_family == AF_INET) {
        address->family = CSOCKET_FAMILY_IPV4;
        address->port = ntohs(native->v4.sin_port);
        address->low = ntohl(native->v4.sin_addr.s_addr);
    } else if (length >= sizeof native->v6 && native->any.sa_family == AF_INET6) {
        address->family = CSOCKET_FAMILY_IPV6;
        address->port = ntohs(native->v6.sin6_port);
        address->scope = native->v6.sin6_scope_id;
        address->high = load_big_endian(native->v6.sin6_addr.s6_addr);
        address->low = load_big_endian(native->v6.sin6_addr.s6_addr + 8);
    } else if (length >= offsetof(struct sockaddr_un, sun_path) && native->any.sa_family == AF_UNIX) {
        address->family = CSOCKET_FAMILY_LOCAL;
        address->port = (uint16_t)(length - offsetof(struct sockaddr_un, sun_path));
    }
}

static int parse_zone(const char *zone, uint32_t *scope) {
    unsigned index = if_nametoindex(zone);
    if (index == 0) {
        char *end = NULL;
        unsigned long number = strtoul(zone, &end, 10);
        if (*zone < '0' || *zone > '9' || *end != '\0' || number == 0 || number > UINT32_MAX) return -ENXIO;
        index = (unsigned)number;
    }
    *scope = index;
    return 0;
}

int csocket_address_parse(const char *text, csocket_address *address) {
    csocket_sockaddr native;
    memset(&native, 0, sizeof native);
    if (inet_pton(AF_INET, text, &native.v4.sin_addr) == 1) {
        native.v4.sin_family = AF_INET;
        csocket_address_from_native(&native, sizeof native.v4, address);
        return 0;
    }

    char literal[INET6_ADDRSTRLEN];
    const char *zone = strchr(text, '%');
    size_t length = zone != NULL ? (size_t)(zone - text) : strlen(text);
    if (length >= sizeof literal) return -EINVAL;
    memcpy(literal, text, length);
    literal[length] = '\0';
    memset(&native, 0, sizeof native);
    if (inet_pton(AF_INET6, literal, &native.v6.sin6_addr) != 1) return -EINVAL;
    native.v6.sin6_family = AF_INET6;
    csocket_address_from_native(&native, sizeof native.v6, address);
    return zone != NULL ? parse_zone(zone + 1, &address->scope) : 0;
}

int csocket_address_format(const csocket_address *address, char *text) {
    csocket_sockaddr native;
    text[0] = '\0';
    if (csocket_address_to_native(address, &native) == 0) return 0;
    if (address->family == CSOCKET_FAMILY_IPV4) {
        inet_ntop(AF_INET, &native.v4.sin_addr, text, CSOCKET_ADDRESS_TEXT);
        return (int)strlen(text);
    }
    inet_ntop(AF_INET6, &native.v6.sin6_addr, text, CSOCKET_ADDRESS_TEXT);
    size_t length = strlen(text);
    if (address->scope != 0) {
        char name[IF_NAMESIZE];
        if (if_indextoname(address->scope, name) != NULL) {
            length += (size_t)snprintf(text + length, CSOCKET_ADDRESS_TEXT - length, "%%%s", name);
        } else {
            length += (size_t)snprintf(text + length, CSOCKET_ADDRESS_TEXT - length, "%%%u", address->scope);
        }
    }
    return (int)length;
}

int csocket_resolve(const char *name, int family, csocket_address *addresses, int capacity, int *resolver_error) {
    struct addrinfo hints;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = family == CSOCKET_FAMILY_IPV4 ? AF_INET : AF_INET6;
    hints.ai_socktype = SOCK_STREAM;  // one entry an address instead of one for every kind of socket
    struct addrinfo *list = NULL;
    *resolver_error = 0;
    int code = getaddrinfo(name, NULL, &hints, &list);
    if (code == EAI_SYSTEM) return errno != 0 ? -errno : -EIO;
    if (code != 0) {
        *resolver_error = code;
        return -1;
    }
    int count = 0;
    for (struct addrinfo *entry = list; entry != NULL && count < capacity; entry = entry->ai_next) {
        csocket_sockaddr native;
        if (entry->ai_addrlen > sizeof native) continue;
        memcpy(&native, entry->ai_addr, entry->ai_addrlen);
        csocket_address_from_native(&native, entry->ai_addrlen, &addresses[count]);
        if (addresses[count].family == family) count++;
    }
    freeaddrinfo(list);
    return count;
}

const char *csocket_resolver_message(int resolver_error) {
    return gai_strerror(resolver_error);
}

int csocket_resolver_says_unknown(int resolver_error) {
    if (resolver_error == EAI_NONAME) return 1;
#ifdef EAI_NODATA
    if (resolver_error == EAI_NODATA) return 1;
#endif
#ifdef EAI_ADDRFAMILY
    if (resolver_error == EAI_ADDRFAMILY) return 1;
#endif
    return 0;
}
