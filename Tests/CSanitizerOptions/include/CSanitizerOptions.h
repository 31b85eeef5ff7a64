#ifndef CSANITIZEROPTIONS_H
#define CSANITIZEROPTIONS_H

// Called by the thread sanitizer's runtime, and by nobody else.
const char *__tsan_default_suppressions(void);

#endif
