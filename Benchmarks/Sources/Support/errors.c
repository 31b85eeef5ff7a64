#define _GNU_SOURCE

#include "errors.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_failure(const char *format, va_list arguments, int error) {
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, arguments);
    if (error != 0) {
        fprintf(stderr, ": %s", strerror(error));
    }
    fputc('\n', stderr);
}

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_failure(format, arguments, 0);
    exit(1);
}

void fail_errno(const char *format, ...) {
    int error = errno;
    va_list arguments;
    va_start(arguments, format);
    print_failure(format, arguments, error);
    exit(1);
}

void fail_usage(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_failure(format, arguments, 0);
    exit(2);
}
