#ifndef CSOCKETSHIMS_BYTES_H
#define CSOCKETSHIMS_BYTES_H

#include <stddef.h>

// Where `pattern`, of at least one byte, first begins in `bytes`; -1 when it does not. Linear time, whatever the bytes.
ptrdiff_t csocket_find(const void *bytes, size_t count, const void *pattern, size_t pattern_count);

#endif
