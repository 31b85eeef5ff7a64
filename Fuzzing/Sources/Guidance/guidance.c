// The one way to give OpenSSL random numbers without a provider of one's own; it is deprecated, and works.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "Guidance.h"

#include <openssl/rand.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __APPLE__
#define COUNTERS __attribute__((section("__DATA,__libfuzzer_extra_counters")))
#else
#define COUNTERS __attribute__((section("__libfuzzer_extra_counters")))
#endif

#define COUNT 8192
COUNTERS static uint8_t counters[COUNT];

void guidance_reached(unsigned place) {
    uint8_t *counter = &counters[(place * 2654435761u >> 8) % COUNT];
    if (*counter < UINT8_MAX) ++*counter;
}

static uint64_t states[2];
static int current;

// SplitMix64.
static uint64_t next(void) {
    uint64_t z = states[current] += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static int fill(unsigned char *bytes, int count) {
    for (int index = 0; index < count; index++) bytes[index] = (unsigned char)next();
    return 1;
}

static int isReady(void) { return 1; }

void guidance_repeat_random_numbers(void) {
    static const RAND_METHOD method = {.bytes = fill, .pseudorand = fill, .status = isReady};
    RAND_set_rand_method(&method);
}

void guidance_restart_random_numbers(void) {
    states[0] = 0;
    states[1] = UINT64_MAX / 2;
    current = 0;
}

void guidance_use_random_numbers_of(int end) { current = end; }

_Bool guidance_write(const char *path, const void *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    if (!file) return 0;
    size_t written = fwrite(bytes, 1, count, file);
    return fclose(file) == 0 && written == count;
}

void guidance_end(void) { exit(0); }
