#ifndef CSOCKETSHIMS_TRANSFER_H
#define CSOCKETSHIMS_TRANSFER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Moving bytes without taking them into the program. The calls that write to a socket have no flag against SIGPIPE, so
// they are made on threads that block it.

// A pipe, close-on-exec and nonblocking; `ends[0]` is read from. Room for `capacity` bytes is asked for. Returns the
// room that it has, or minus the errno: -ENOSYS where there is no splice(2).
int csocket_pipe(int ends[2], int capacity);
// splice(2), without waiting. One of the two is a pipe.
ssize_t csocket_splice(int source, int sink, size_t count);

// open(2) for reading: close-on-exec, and without waiting for whoever would write to a FIFO.
int csocket_open_file(const char *path);
// The same open file under another number, close-on-exec.
int csocket_duplicate(int descriptor);
// The length of a regular file; -1 in `*size` for anything else.
int csocket_file_size(int descriptor, int64_t *size);
// Says that the file will be read from front to back, so that the system reads ahead.
void csocket_will_read(int descriptor, int64_t offset, int64_t count);

// pread(2).
ssize_t csocket_read_file(int file, void *bytes, size_t count, int64_t offset);

// sendfile(2): how many of `count` bytes from `offset` on the socket took, at least one; 0 when the file ends at
// `offset`. For files, and on systems, that cannot, the same by reading and sending.
ssize_t csocket_send_file(int socket, int file, int64_t offset, size_t count);
ssize_t csocket_copy_file(int socket, int file, int64_t offset, size_t count);

#endif
