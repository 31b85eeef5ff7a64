#ifndef CSOCKETSHIMS_THREADS_H
#define CSOCKETSHIMS_THREADS_H

#include <stddef.h>
#include <stdint.h>

// Monotonic time in nanoseconds (CLOCK_MONOTONIC).
int64_t csocket_now(void);

// Sleeps, for a loop that cannot even wait for descriptors.
void csocket_sleep(int64_t nanoseconds);

// Starts a detached thread that has every signal blocked, so that no handler of the program runs on it.
// Returns 0 or minus the errno. `name` is cut to 15 bytes.
int csocket_thread_start(const char *name, void (*body)(void *), void *context);

// Blocks SIGPIPE on the calling thread, for sendfile(2) and splice(2), which know no MSG_NOSIGNAL. Returns 1 if it was
// blocked, or waiting to be taken, before; else `unblock` undoes it, and drops one that came meanwhile.
int csocket_broken_pipe_block(void);
void csocket_broken_pipe_unblock(void);

// The event loop that owns the calling thread, or NULL. Never inlined into Swift, and read anew each time: an async
// function may continue on another thread, and a compiler that believes a thread's identity to be constant would
// reuse the old answer.
void *csocket_current_loop(void);
void csocket_set_current_loop(void *loop);

// The Swift task that the calling thread runs, or NULL: an identity, for comparing. Asked of the runtime directly
// (swift_task_getCurrent, part of its stable interface), since the library's own type for it can only be handled
// through run-time type information, which costs more than the rest of a wait.
const void *csocket_current_task(void);

// Bytes for one system call on the calling thread; whoever gets them uses them before anything else can ask.
enum { CSOCKET_SCRATCH_SIZE = 65536 };
void *csocket_scratch(void);
// Another one, for bytes that are lent to a program's code.
void *csocket_lent_scratch(void);

// pthread_mutex_t behind a pointer, for builds under the thread sanitizer.
extern const int csocket_thread_sanitizer;
// Between these the thread sanitizer looks away. For the resumption of a continuation, which the Swift runtime orders
// with atomics of its own; when it comes before the task has begun to wait, the runtime does not tell the sanitizer.
void csocket_sanitizer_ignore_begin(void);
void csocket_sanitizer_ignore_end(void);
void *csocket_mutex_create(void);
void csocket_mutex_destroy(void *mutex);
void csocket_mutex_lock(void *mutex);
void csocket_mutex_unlock(void *mutex);

// A gate at which threads wait until another one opens it, once and for good.
void *csocket_gate_create(void);
void csocket_gate_destroy(void *gate);
void csocket_gate_wait(void *gate);
void csocket_gate_open(void *gate);

// getenv(3); NULL when the variable is not set.
const char *csocket_environment(const char *name);

// Number of processors that this process may use.
int csocket_processor_count(void);

#endif
