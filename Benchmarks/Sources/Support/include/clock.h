#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <time.h>

// Nanoseconds of the monotonic clock.
static inline uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static inline uint64_t nanoseconds(double seconds) { return (uint64_t)(seconds * 1e9); }

static inline void sleep_milliseconds(long milliseconds) {
    const struct timespec pause = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

#endif
