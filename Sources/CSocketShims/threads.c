#if defined(__linux__)
#define _GNU_SOURCE
#include <sched.h>
#endif
#include "threads.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int64_t csocket_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void csocket_sleep(int64_t nanoseconds) {
    struct timespec time = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    nanosleep(&time, NULL);
}

typedef struct {
    void (*body)(void *);
    void *context;
    char name[16];
} thread_start;

static void *thread_main(void *argument) {
    thread_start start = *(thread_start *)argument;
    free(argument);
#if defined(__APPLE__)
    pthread_setname_np(start.name);
#elif defined(__linux__)
    pthread_setname_np(pthread_self(), start.name);
#endif
    start.body(start.context);
    return NULL;
}

int csocket_thread_start(const char *name, void (*body)(void *), void *context) {
    thread_start *start = calloc(1, sizeof *start);
    if (start == NULL) return -ENOMEM;
    start->body = body;
    start->context = context;
    strncpy(start->name, name, sizeof start->name - 1);

    // The mask is inherited, so it is set around the creation: the new thread never runs a moment without it.
    sigset_t all, previous;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    int error = pthread_create(&thread, &attributes, thread_main, start);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    if (error != 0) free(start);
    return -error;
}

int csocket_broken_pipe_block(void) {
    sigset_t broken_pipe, previous, pending;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, &previous);
    sigpending(&pending);
    return sigismember(&previous, SIGPIPE) == 1 || sigismember(&pending, SIGPIPE) == 1;
}

void csocket_broken_pipe_unblock(void) {
    sigset_t broken_pipe, pending;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    sigpending(&pending);
    int number;
    if (sigismember(&pending, SIGPIPE) == 1) (void)sigwait(&broken_pipe, &number);
    pthread_sigmask(SIG_UNBLOCK, &broken_pipe, NULL);
}

static _Thread_local void *current_loop;

__attribute__((noinline)) void *csocket_current_loop(void) {
    return current_loop;
}

__attribute__((noinline)) void csocket_set_current_loop(void *loop) {
    current_loop = loop;
}

extern void *swift_task_getCurrent(void) __attribute__((swiftcall));

const void *csocket_current_task(void) {
    return swift_task_getCurrent();
}

static pthread_key_t scratch_key;
static pthread_key_t lent_scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;
static _Thread_local void *scratch;

static void make_scratch_keys(void) {
    pthread_key_create(&scratch_key, free);
    pthread_key_create(&lent_scratch_key, free);
}

static void *make_scratch(pthread_key_t key) {
    void *made = malloc(CSOCKET_SCRATCH_SIZE);
    if (made == NULL) abort();  // as any other allocation of a Swift program that fails
    pthread_setspecific(key, made);
    return made;
}

__attribute__((noinline)) void *csocket_scratch(void) {
    if (scratch == NULL) {
        pthread_once(&scratch_once, make_scratch_keys);
        scratch = make_scratch(scratch_key);
    }
    return scratch;
}

void *csocket_lent_scratch(void) {
    pthread_once(&scratch_once, make_scratch_keys);
    void *made = pthread_getspecific(lent_scratch_key);
    return made != NULL ? made : make_scratch(lent_scratch_key);
}

#if defined(__SANITIZE_THREAD__)
const int csocket_thread_sanitizer = 1;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
const int csocket_thread_sanitizer = 1;
#else
const int csocket_thread_sanitizer = 0;
#endif
#else
const int csocket_thread_sanitizer = 0;
#endif

// The sanitizer's dynamic annotations: there only in builds that are linked with it.
extern void AnnotateIgnoreReadsBegin(const char *file, int line) __attribute__((weak));
extern void AnnotateIgnoreReadsEnd(const char *file, int line) __attribute__((weak));
extern void AnnotateIgnoreWritesBegin(const char *file, int line) __attribute__((weak));
extern void AnnotateIgnoreWritesEnd(const char *file, int line) __attribute__((weak));

void csocket_sanitizer_ignore_begin(void) {
    if (AnnotateIgnoreReadsBegin != NULL) AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    if (AnnotateIgnoreWritesBegin != NULL) AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
}

void csocket_sanitizer_ignore_end(void) {
    if (AnnotateIgnoreWritesEnd != NULL) AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    if (AnnotateIgnoreReadsEnd != NULL) AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
}

void *csocket_mutex_create(void) {
    pthread_mutex_t *mutex = malloc(sizeof *mutex);
    if (mutex == NULL) abort();
    pthread_mutex_init(mutex, NULL);
    return mutex;
}

void csocket_mutex_destroy(void *mutex) {
    pthread_mutex_destroy(mutex);
    free(mutex);
}

void csocket_mutex_lock(void *mutex) {
    pthread_mutex_lock(mutex);
}

void csocket_mutex_unlock(void *mutex) {
    pthread_mutex_unlock(mutex);
}

typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t opened;
    bool is_open;
} gate;

void *csocket_gate_create(void) {
    gate *self = malloc(sizeof *self);
    if (self == NULL) abort();
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->opened, NULL);
    self->is_open = false;
    return self;
}

void csocket_gate_destroy(void *pointer) {
    gate *self = pointer;
    pthread_cond_destroy(&self->opened);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

void csocket_gate_wait(void *pointer) {
    gate *self = pointer;
    pthread_mutex_lock(&self->mutex);
    while (!self->is_open) pthread_cond_wait(&self->opened, &self->mutex);
    pthread_mutex_unlock(&self->mutex);
}

void csocket_gate_open(void *pointer) {
    gate *self = pointer;
    pthread_mutex_lock(&self->mutex);
    self->is_open = true;
    pthread_cond_broadcast(&self->opened);
    pthread_mutex_unlock(&self->mutex);
}

const char *csocket_environment(const char *name) {
    return getenv(name);
}

int csocket_processor_count(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        int count = CPU_COUNT(&set);
        if (count > 0) return count;
    }
#endif
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (int)count : 1;
}
