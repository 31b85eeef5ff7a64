#ifndef CSOCKETSHIMS_LOCAL_H
#define CSOCKETSHIMS_LOCAL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Local sockets (unix(7)): what only they have.

// Bytes that the name of a local socket may have: an abstract one, and a path without the zero behind it.
enum { CSOCKET_NAME_CAPACITY = 108 };
extern const size_t csocket_longest_abstract_name;
extern const size_t csocket_longest_path;

// Whether there are names outside of the file system.
#if defined(__linux__)
enum { CSOCKET_HAS_ABSTRACT_NAMES = 1 };
#else
enum { CSOCKET_HAS_ABSTRACT_NAMES = 0 };
#endif

// The name of the socket, or of its peer, without the zero behind a path. Returns its length; 0 for one that has none.
int csocket_local_name(int descriptor, int of_peer, uint8_t *name);

// socketpair(2): two connected sockets of a kind (CSOCKET_STREAM and so on), as all others are made.
int csocket_local_pair(int kind, int ends[2]);

// Who made the connection at the other end, when it was made (SO_PEERCRED); the process is 0 where it cannot be told.
typedef struct {
    uint32_t user;
    uint32_t group;
    int32_t process;
} csocket_credentials;
int csocket_peer_credentials(int descriptor, csocket_credentials *credentials);

// How many descriptors one message can carry.
enum { CSOCKET_MOST_DESCRIPTORS = 253 };

// sendmsg(2) with descriptors (SCM_RIGHTS).
ssize_t csocket_send_descriptors(int descriptor, const void *bytes, size_t count, const int *passed, size_t passed_count);

// recvmsg(2), and the descriptors that came with the bytes: at most `capacity`, close-on-exec, into `passed`, how many
// into `*passed_count`. `*lost`: there were more, which have been closed, or which the process had no room for.
ssize_t csocket_receive_descriptors(
    int descriptor, void *bytes, size_t count, int *passed, size_t capacity, size_t *passed_count, int *lost);
// The same for a socket that keeps the bounds of messages: -EMSGSIZE for a message that is longer than the buffer. Zero
// is the end; empty messages are passed over, and -EPROTO is the answer to a peer that floods with them.
ssize_t csocket_receive_packet(
    int descriptor, void *bytes, size_t count, int *passed, size_t capacity, size_t *passed_count, int *lost);

// The descriptors in a message's control data, whatever else is in there, as `csocket_receive_descriptors` has them.
void csocket_parse_descriptors(
    const void *control, size_t length, int *passed, size_t capacity, size_t *passed_count, int *lost);

// What is at a path, without following a link (lstat(2)).
typedef struct {
    uint64_t device;
    uint64_t inode;
    uint32_t mode;  // permissions alone
    int is_socket;
} csocket_file;
int csocket_find_file(const char *path, csocket_file *file);
// unlink(2).
int csocket_remove_file(const char *path);
// Permissions: of a socket that bind(2) will give a path, where the system heeds that, and of a path.
int csocket_set_socket_mode(int descriptor, uint32_t mode);
int csocket_set_file_mode(const char *path, uint32_t mode);

#endif
