// What the C programs of this package share: errors, numbers and addresses from the command line.

#ifndef SUPPORT_H
#define SUPPORT_H

#include <stdbool.h>
#include <sys/socket.h>

// Print one line on stderr, "PROGRAM: MESSAGE", and end the program. `fail_usage` ends it with status 2, the others
// with 1; `fail_errno` adds what errno says.
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void fail_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void fail_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

// The value of an option, refused with a usage error unless it is a number within the bounds.
long parse_integer(const char *option, const char *text, long minimum, long maximum);
double parse_seconds(const char *option, const char *text, double minimum, double maximum);

struct address {
    struct sockaddr_storage storage;
    socklen_t length;
};

// A numeric IPv4 or IPv6 address; no name is ever looked up.
struct address parse_address(const char *host, long port);

bool is_loopback(const struct address *address);

enum { ADDRESS_TEXT_SIZE = 64 };

// "127.0.0.1:7007" or "[::1]:7007".
void format_address(const struct address *address, char text[ADDRESS_TEXT_SIZE]);

// Raises the soft limit of open descriptors to the hard one and returns it.
long raise_descriptor_limit(void);

#endif
