#if defined(__linux__)
#define _GNU_SOURCE
#endif
#include "bytes.h"

#include <string.h>

ptrdiff_t csocket_find(const void *bytes, size_t count, const void *pattern, size_t pattern_count) {
    if (count < pattern_count) return -1;  // no bytes may be NULL, which memchr must not see
    // memmem(3) of a short pattern may be forty times slower than memchr(3), so that goes ahead to the first candidate.
    const char *found = memchr(bytes, *(const unsigned char *)pattern, count);
    if (found != NULL && pattern_count > 1) {
        size_t skipped = (size_t)(found - (const char *)bytes);
        found = memmem(found, count - skipped, pattern, pattern_count);
    }
    return found == NULL ? -1 : found - (const char *)bytes;
}
