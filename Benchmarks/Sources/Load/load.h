// What the scenarios share: the options, the measured window, the way they talk to the runner.

#ifndef LOAD_H
#define LOAD_H

#include "support.h"
#include "transport.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

enum {
    CHUNK = 64 * 1024,           // most bytes given to one send or recv
    EVENTS_PER_TURN = 1024,
    STALL_MILLISECONDS = 10000,  // a server that stays silent this long while it owes something has failed
};

struct load_options {
    const char *scenario;
    const char *host;
    long port;
    long connections;
    long size;
    long depth;
    double seconds;
    double warmup;
    long messages;
    bool gate;
    long sleeper;
    bool spin;
    bool websocket;
};
extern struct load_options options;
extern struct address target;
extern const struct transport *transport;

// What is being done just now: messages are issued until the deadline or the limit, then the rest is awaited.
struct window {
    uint64_t deadline;  // nanoseconds
    uint64_t limit;     // messages
    uint64_t issued;
    uint64_t completed;
    uint64_t bytes;     // of bulk
    struct histogram latencies;
};
extern struct window window;

void open_window(uint64_t deadline, uint64_t limit);

static inline bool window_is_open(uint64_t time) { return window.issued < window.limit && time < window.deadline; }

// Runs the traffic once to warm up, and once to measure it, and prints the result. `traffic` fills the window that is open,
// and returns when all that it has issued is over. Where the runner samples, the connections in `watched`, an epoll
// descriptor, must stay silent; -1 watches nothing.
void measure(void (*traffic)(void), int watched);

// Waits for a line from the runner. Returns false at the end of standard input.
bool wait_for_runner(int watched);

void say(const char *line);

// epoll_wait(2), which with --spin does not sleep. Returns how many events there are; 0 after `patience` milliseconds without
// one.
int wait_for_events(int poller, struct epoll_event *events, int most, int patience);

// With --sleeper, waits until that process has nothing to do. So what it does for a message does not depend on how soon the
// next one comes.
void await_sleeper(void);

static inline uint64_t smaller(uint64_t first, uint64_t second) { return first < second ? first : second; }

// What a connection carries: byte p of its stream is p modulo this prime, shifted by a phase of its own. Reordered,
// repeated, missing or foreign bytes show unless they are a multiple of 251 out of place.
enum { PATTERN_PERIOD = 251 };
const unsigned char *pattern_at(uint64_t position);  // at least CHUNK bytes

// The scenarios.
void run_echo(void);
void run_idle(void);
void run_connect(void);
void run_upload(void);
void run_download(void);
void run_datagrams(void);

#endif
