#ifndef ERRORS_H
#define ERRORS_H

// Print one line on stderr, "PROGRAM: MESSAGE", and end the program. `fail_usage` ends it with status 2, the others
// with 1; `fail_errno` adds what errno says.
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void fail_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void fail_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
