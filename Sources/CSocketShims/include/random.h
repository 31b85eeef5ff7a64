#ifndef CSOCKETSHIMS_RANDOM_H
#define CSOCKETSHIMS_RANDOM_H

#include <stddef.h>

// Random bytes that nobody can foresee, at most 256 of them. They come out of a buffer of the calling thread's, so that few
// calls are system calls; each byte is handed out once, also when the process forks. Returns minus the errno when the system
// has none to give.
int csocket_random(void *to, size_t count);

#endif
