// The client side of every scenario: one thread, loopback only, bounded in count and time. What each does stands in
// `scenarios` below. Every byte that comes back is checked. The result is one line of JSON.
//
// A runner that samples the server's counters needs them to cover exactly the counted messages. With --gate the
// generator therefore stops at both ends of the measured window, when no message is under way and the server sleeps:
//
//   generator: connect, warm up, wait for all replies, print `ready`
//   runner:    sample, write a line
//   generator: measure, wait for all replies, print the JSON line
//   runner:    sample, end the generator's standard input
//   generator: close the connections, exit

#define _GNU_SOURCE

#include "load.h"
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { PAUSE_MILLISECONDS = 600000 };  // longest wait for the runner

struct load_options options = {
    .host = "127.0.0.1",
    .connections = 64,
    .size = 64,
    .depth = 1,
    .seconds = 3,
    .warmup = 0.5,
    .messages = INT64_MAX,
};
struct address target;
const struct transport *transport;
struct window window;

static const struct scenario {
    const char *name;
    void (*run)(void);
    const char *summary;
} scenarios[] = {
    {"echo", run_echo, "each connection keeps `depth` messages under way, and sends the next when a reply is whole"},
    {"idle", run_idle, "each connection echoes once and is then held open, silent, until standard input ends"},
    {"connect", run_connect, "each of as many as --connections connects, echoes once, closes, and begins again"},
    {"upload", run_upload, "each connection sends, --size bytes at a time, as fast as the server reads"},
    {"download", run_download, "each connection reads the characters that the server generates"},
    {"datagrams", run_datagrams, "each socket keeps `depth` datagrams under way, sent and received in batches"},
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

const unsigned char *pattern_at(uint64_t position) {
    static unsigned char pattern[PATTERN_PERIOD + CHUNK];
    if (pattern[1] == 0) {
        for (size_t index = 0; index < sizeof pattern; index++) {
            pattern[index] = (unsigned char)(index % PATTERN_PERIOD);
        }
    }
    return pattern + position % PATTERN_PERIOD;
}

// MARK: The measured window

void open_window(uint64_t deadline, uint64_t limit) {
    window = (struct window){.deadline = deadline, .limit = limit};
}

void measure(void (*traffic)(void), int watched) {
    if (options.warmup > 0) {
        open_window(now() + nanoseconds(options.warmup), UINT64_MAX);
        traffic();
    }
    if (options.gate) {
        say("ready");
        if (!wait_for_runner(watched)) {
            fail("standard input ended before the measurement");
        }
    }
    uint64_t start = now();
    open_window(start + nanoseconds(options.seconds), (uint64_t)options.messages);
    traffic();
    double seconds = (double)(now() - start) / 1e9;

    printf("{\"scenario\": \"%s\", \"connections\": %ld, \"size\": %ld, \"depth\": %ld, \"messages\": %llu, "
           "\"bytes\": %llu, \"seconds\": %.6f, \"p50_us\": %.2f, \"p99_us\": %.2f}\n",
           options.scenario, options.connections, options.size, options.depth, (unsigned long long)window.completed,
           (unsigned long long)window.bytes, seconds, (double)histogram_quantile(&window.latencies, 0.50) / 1e3,
           (double)histogram_quantile(&window.latencies, 0.99) / 1e3);
    fflush(stdout);
    if (options.gate) {
        wait_for_runner(watched);
    }
}

// MARK: Talking to the runner

bool wait_for_runner(int watched) {
    struct pollfd sources[] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = watched, .events = POLLIN},
    };
    for (;;) {
        int ready = poll(sources, 2, PAUSE_MILLISECONDS);
        if (ready < 0 && errno != EINTR) {
            fail_errno("poll");
        }
        if (ready == 0) {
            fail("nothing on standard input for %d s", PAUSE_MILLISECONDS / 1000);
        }
        if (sources[1].revents != 0) {
            struct epoll_event event;
            if (epoll_wait(watched, &event, 1, 0) == 1 && (event.events & ~(uint32_t)EPOLLOUT)) {
                fail("unexpected bytes, end or error of a connection that should be silent");
            }
        }
        if (sources[0].revents != 0) {
            char line[64];
            return read(STDIN_FILENO, line, sizeof line) > 0;
        }
    }
}

void say(const char *line) {
    puts(line);
    fflush(stdout);
}

int wait_for_events(int poller, struct epoll_event *events, int most, int patience) {
    uint64_t deadline = 0;
    for (;;) {
        int count = epoll_wait(poller, events, most, options.spin ? 0 : patience);
        if (count > 0) {
            return count;
        }
        if (count < 0) {
            if (errno != EINTR) {
                fail_errno("epoll_wait");
            }
            continue;
        }
        if (!options.spin || (deadline != 0 && now() > deadline)) {
            return 0;
        }
        if (deadline == 0) {
            deadline = now() + nanoseconds(patience / 1e3);
        }
    }
}

void await_sleeper(void) {
    static int status;
    char text[512];
    if (options.sleeper == 0) {
        return;
    }
    if (status == 0) {
        snprintf(text, sizeof text, "/proc/%ld/stat", options.sleeper);
        status = open(text, O_RDONLY | O_CLOEXEC);
    }
    const uint64_t deadline = now() + nanoseconds(STALL_MILLISECONDS / 1e3);
    for (;;) {
        ssize_t count = pread(status, text, sizeof text - 1, 0);
        if (count <= 0 || now() > deadline) {
            fail("process %ld is not there, or never sleeps", options.sleeper);
        }
        text[count] = '\0';
        const char *state = strrchr(text, ')');  // PID (NAME) STATE ...
        if (state != NULL && state[2] == 'S') {
            return;
        }
    }
}

// MARK: Start

int run_load(const struct transport *chosen, int count, char *arguments[]) {
    struct option_rule rules[16] = {
        {"host", OPTION_TEXT, &options.host, 0, 0, "a loopback address (127.0.0.1)"},
        {"port", OPTION_INTEGER, &options.port, 1, 65535, "the server's"},
        {"connections", OPTION_INTEGER, &options.connections, 1, 50000, "(64)"},
        {"size", OPTION_INTEGER, &options.size, 1, 16 * 1024 * 1024, "bytes of a message (64)"},
        {"depth", OPTION_INTEGER, &options.depth, 1, 1024, "messages under way on each connection (1)"},
        {"seconds", OPTION_SECONDS, &options.seconds, 0.01, 600, "measured time (3)"},
        {"messages", OPTION_INTEGER, &options.messages, 1, 1000000000, "end earlier, after as many messages"},
        {"warmup", OPTION_SECONDS, &options.warmup, 0, 60, "the same traffic before, unmeasured (0.5)"},
        {"gate", OPTION_FLAG, &options.gate, 0, 0, "stop before and after measuring; see the head of the source"},
        {"spin", OPTION_FLAG, &options.spin, 0, 0, "do not sleep while waiting, so that nobody has to wake this process up"},
        {"sleeper", OPTION_INTEGER, &options.sleeper, 1, 1e9, "of echoes: send only while the process of this number sleeps"},
        {"websocket", OPTION_FLAG, &options.websocket, 0, 0, "of echo and idle: over WebSockets, in masked binary messages"},
    };
    size_t rules_count = 0;
    while (rules[rules_count].name != NULL) {
        rules_count++;
    }
    for (size_t index = 0; index < chosen->rules_count; index++) {
        rules[rules_count++] = chosen->rules[index];
    }
    transport = chosen;
    options.scenario = parse_options(count, arguments, "SCENARIO", rules, rules_count);
    for (const struct scenario *scenario = scenarios; scenario < scenarios + SCENARIOS; scenario++) {
        if (options.scenario != NULL && strcmp(options.scenario, scenario->name) == 0) {
            target = parse_loopback_address(options.host, options.port);
            scenario->run();
            finish_connections();
            return 0;
        }
    }
    fputs("the scenarios are\n", stderr);
    for (const struct scenario *scenario = scenarios; scenario < scenarios + SCENARIOS; scenario++) {
        fprintf(stderr, "  %-10s %s\n", scenario->name, scenario->summary);
    }
    return 2;
}
