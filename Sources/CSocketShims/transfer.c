#define _FILE_OFFSET_BITS 64
#if defined(__linux__)
#define _GNU_SOURCE
#endif
#include "transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "sockets.h"
#include "threads.h"

#if defined(__linux__)
#include <sys/sendfile.h>
#elif defined(__APPLE__)
#include <sys/uio.h>
#endif

static ssize_t outcome(ssize_t result) {
    return result < 0 ? -errno : result;
}

int csocket_pipe(int ends[2], int capacity) {
#if defined(__linux__)
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return -errno;
    // Refused when the user's pipes have too much already; then it stays as it is.
    int room = fcntl(ends[1], F_SETPIPE_SZ, capacity);
    if (room < 0) room = fcntl(ends[1], F_GETPIPE_SZ);
    return room < 0 ? 0 : room;
#else
    (void)ends, (void)capacity;
    return -ENOSYS;
#endif
}

ssize_t csocket_splice(int source, int sink, size_t count) {
#if defined(__linux__)
    return outcome(splice(source, NULL, sink, NULL, count, SPLICE_F_NONBLOCK | SPLICE_F_MOVE));
#else
    (void)source, (void)sink, (void)count;
    return -ENOSYS;
#endif
}

int csocket_open_file(const char *path) {
    return (int)outcome(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

int csocket_duplicate(int descriptor) {
    return (int)outcome(fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
}

int csocket_file_size(int descriptor, int64_t *size) {
    struct stat status;
    if (fstat(descriptor, &status) < 0) return -errno;
    *size = S_ISREG(status.st_mode) ? (int64_t)status.st_size : -1;
    return 0;
}

void csocket_will_read(int descriptor, int64_t offset, int64_t count) {
#if defined(__linux__)
    (void)posix_fadvise(descriptor, offset, count, POSIX_FADV_SEQUENTIAL);
#elif defined(__APPLE__)
    (void)offset, (void)count;
    (void)fcntl(descriptor, F_RDAHEAD, 1);
#else
    (void)descriptor, (void)offset, (void)count;
#endif
}

ssize_t csocket_read_file(int file, void *bytes, size_t count, int64_t offset) {
    return outcome(pread(file, bytes, count, offset));
}

ssize_t csocket_copy_file(int socket, int file, int64_t offset, size_t count) {
    void *bytes = csocket_scratch();
    ssize_t there;
    do {
        there = pread(file, bytes, count < CSOCKET_SCRATCH_SIZE ? count : CSOCKET_SCRATCH_SIZE, offset);
    } while (there < 0 && errno == EINTR);
    return there <= 0 ? outcome(there) : csocket_send(socket, bytes, (size_t)there);
}

ssize_t csocket_send_file(int socket, int file, int64_t offset, size_t count) {
#if defined(__linux__)
    off_t position = offset;
    ssize_t sent = outcome(sendfile(socket, file, &position, count));
    // EINVAL: a file system whose files cannot be sent so.
    return sent == -EINVAL || sent == -ENOSYS ? csocket_copy_file(socket, file, offset, count) : sent;
#elif defined(__APPLE__)
    off_t length = (off_t)count;
    ssize_t result = outcome(sendfile(file, socket, offset, &length, NULL, 0));
    // A call that was interrupted, or met a full socket, says how far it got.
    if (length > 0 || result == 0) return (ssize_t)length;
    return result == -ENOTSUP || result == -EOPNOTSUPP ? csocket_copy_file(socket, file, offset, count) : result;
#else
    return csocket_copy_file(socket, file, offset, count);
#endif
}
