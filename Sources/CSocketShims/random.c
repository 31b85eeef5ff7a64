#include "random.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

enum { MOST_AT_ONCE = 256 };  // what getentropy(2) gives

static _Thread_local unsigned char buffer[MOST_AT_ONCE];
static _Thread_local size_t left;

// A child has but the thread that forked: what is in its buffer is its parent's to use.
static void forget(void) {
    memset(buffer, 0, sizeof buffer);
    left = 0;
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, forget); }

int csocket_random(void *to, size_t count) {
    if (count > MOST_AT_ONCE) {
        return -EINVAL;
    }
    if (left < count) {
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        pthread_once(&once, watch_forks);
        if (getentropy(buffer, sizeof buffer) != 0) {
            return -errno;
        }
        left = sizeof buffer;
    }
    left -= count;
    memcpy(to, buffer + left, count);
    memset(buffer + left, 0, count);
    return 0;
}
