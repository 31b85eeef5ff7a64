// Servers and a client with libuv.
//
//   libuv-peer tcp echo|discard|chargen
//   libuv-peer udp
//   libuv-peer client HOST PORT MESSAGES

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { READ_SIZE = 64 * 1024, CHARACTERS = 9 * 95 * 74, SIZE = 64 };

static char read_buffer[READ_SIZE], characters[CHARACTERS];
static uv_loop_t *loop;

static void check(int status) {
    if (status < 0) {
        fprintf(stderr, "libuv-peer: %s\n", uv_strerror(status));
        exit(1);
    }
}

static void lend_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    (void)handle, (void)suggested;
    *buffer = uv_buf_init(read_buffer, sizeof read_buffer);
}

static void free_handle(uv_handle_t *handle) { free(handle); }

static void close_stream(uv_stream_t *stream) {
    if (!uv_is_closing((uv_handle_t *)stream)) {
        uv_close((uv_handle_t *)stream, free_handle);
    }
}

// MARK: What the kernel does not take at once

struct rest {
    uv_write_t request;
    char bytes[];
};

static void rest_written(uv_write_t *request, int status) {
    if (status < 0) {
        close_stream(request->handle);
    }
    free(request);
}

static void send_bytes(uv_stream_t *stream, char *bytes, size_t count) {
    uv_buf_t buffer = uv_buf_init(bytes, (unsigned)count);
    int sent = uv_try_write(stream, &buffer, 1);
    if (sent == (int)count) {
        return;
    }
    if (sent < 0 && sent != UV_EAGAIN) {
        close_stream(stream);
        return;
    }
    size_t start = sent < 0 ? 0 : (size_t)sent;
    struct rest *rest = malloc(sizeof *rest + count - start);
    memcpy(rest->bytes, bytes + start, count - start);
    buffer = uv_buf_init(rest->bytes, (unsigned)(count - start));
    check(uv_write(&rest->request, stream, &buffer, 1, rest_written));
}

// MARK: Servers

static void echo(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
    if (count < 0) {
        close_stream(stream);
    } else if (count > 0) {
        send_bytes(stream, buffer->base, (size_t)count);
    }
}

static void discard(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
    (void)buffer;
    if (count < 0) {
        close_stream(stream);
    }
}

static void characters_written(uv_write_t *request, int status) {
    if (status < 0) {
        close_stream(request->handle);
        free(request);
        return;
    }
    uv_buf_t buffer = uv_buf_init(characters, sizeof characters);
    check(uv_write(request, request->handle, &buffer, 1, characters_written));
}

static uv_read_cb on_read = echo;
static int generates;

static void accept_connection(uv_stream_t *server, int status) {
    check(status);
    uv_tcp_t *client = malloc(sizeof *client);
    check(uv_tcp_init(loop, client));
    check(uv_accept(server, (uv_stream_t *)client));
    check(uv_tcp_nodelay(client, 1));
    check(uv_read_start((uv_stream_t *)client, lend_buffer, on_read));
    if (generates) {
        uv_write_t *request = malloc(sizeof *request);
        request->handle = (uv_stream_t *)client;
        characters_written(request, 0);
    }
}

static void print_listening(const struct sockaddr_in *address) {
    printf("listening on 127.0.0.1:%d\n", ntohs(address->sin_port));
    fflush(stdout);
}

static void serve(const char *mode) {
    static uv_tcp_t server;
    struct sockaddr_in address;
    int length = sizeof address;
    if (strcmp(mode, "echo") != 0) {
        on_read = discard;
        generates = strcmp(mode, "chargen") == 0;
    }
    for (int index = 0; index < CHARACTERS; index++) {
        int line = index / 74, column = index % 74;
        characters[index] = column == 72 ? '\r' : column == 73 ? '\n' : (char)(' ' + (line + column) % 95);
    }
    check(uv_ip4_addr("127.0.0.1", 0, &address));
    check(uv_tcp_init(loop, &server));
    check(uv_tcp_bind(&server, (struct sockaddr *)&address, 0));
    check(uv_listen((uv_stream_t *)&server, 4096, accept_connection));
    check(uv_tcp_getsockname(&server, (struct sockaddr *)&address, &length));
    print_listening(&address);
}

static void echo_datagram(uv_udp_t *socket, ssize_t count, const uv_buf_t *buffer, const struct sockaddr *peer, unsigned flags) {
    (void)flags;
    check((int)count);
    if (peer != NULL) {
        uv_buf_t answer = uv_buf_init(buffer->base, (unsigned)count);
        uv_udp_try_send(socket, &answer, 1, peer);
    }
}

static void serve_datagrams(void) {
    static uv_udp_t socket;
    struct sockaddr_in address;
    int length = sizeof address;
    check(uv_ip4_addr("127.0.0.1", 0, &address));
    check(uv_udp_init(loop, &socket));
    check(uv_udp_bind(&socket, (struct sockaddr *)&address, 0));
    check(uv_udp_recv_start(&socket, lend_buffer, echo_datagram));
    check(uv_udp_getsockname(&socket, (struct sockaddr *)&address, &length));
    print_listening(&address);
}

// MARK: Client

static char message[SIZE];
static long messages, left;
static size_t received;
static uint64_t start;

static void reply_came(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
    (void)buffer;
    check((int)count);
    received += (size_t)count;
    if (received < SIZE) {
        return;
    }
    received = 0;
    left--;
    if (left <= 0 && start == 0) {
        puts("ready");
        fflush(stdout);
        if (getchar() == EOF) {
            exit(1);
        }
        left = messages;
        start = uv_hrtime();
    } else if (left <= 0) {
        printf("done %.6f\n", (double)(uv_hrtime() - start) / 1e9);
        fflush(stdout);
        while (getchar() != EOF) {
        }
        exit(0);
    }
    send_bytes(stream, message, SIZE);
}

static void connected(uv_connect_t *request, int status) {
    check(status);
    check(uv_tcp_nodelay((uv_tcp_t *)request->handle, 1));
    check(uv_read_start(request->handle, lend_buffer, reply_came));
    send_bytes(request->handle, message, SIZE);
}

static void play(const char *host, const char *port, const char *count) {
    static uv_tcp_t client;
    static uv_connect_t request;
    struct sockaddr_in address;
    messages = atol(count);
    left = messages / 10;
    check(uv_ip4_addr(host, atoi(port), &address));
    check(uv_tcp_init(loop, &client));
    check(uv_tcp_connect(&request, &client, (struct sockaddr *)&address, connected));
}

int main(int count, char *words[]) {
    loop = uv_default_loop();
    signal(SIGPIPE, SIG_IGN);
    if (count == 3 && strcmp(words[1], "tcp") == 0) {
        serve(words[2]);
    } else if (count == 2 && strcmp(words[1], "udp") == 0) {
        serve_datagrams();
    } else if (count == 5 && strcmp(words[1], "client") == 0) {
        play(words[2], words[3], words[4]);
    } else {
        fputs("libuv-peer: see the head of its source\n", stderr);
        return 2;
    }
    return uv_run(loop, UV_RUN_DEFAULT);
}
