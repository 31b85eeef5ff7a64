#include "CSanitizerOptions.h"

// The thread sanitizer asks for this when it starts, before it can watch anything: it must not be watched itself.
//
// Scc6resume9returning is UnsafeContinuation.resume(returning:). When it comes before the task has come to await, the
// runtime lets the task go on at once (swift_continuation_await finds the status "resumed"), ordered by an atomic that
// the sanitizer cannot see, since the runtime is not built with it; and unlike the other path this one does not call
// _swift_tsan_acquire. The sanitizer then reports the resumption's reads of the task's frame against the task's next
// writes. None of our code runs inside of that function, so nothing else is hidden.
__attribute__((no_sanitize("thread"), disable_sanitizer_instrumentation)) const char *__tsan_default_suppressions(void) {
    return "race:Scc6resume9returning\n";
}
