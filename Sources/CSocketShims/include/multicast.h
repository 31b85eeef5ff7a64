#ifndef CSOCKETSHIMS_MULTICAST_H
#define CSOCKETSHIMS_MULTICAST_H

#include <stdint.h>

#include "address.h"

// RFC 3678: joins or leaves a group on the interface with this index (0: the system's choice), for all sources or, when
// `source` is not NULL, for one more or less. Returns 0 or minus the errno.
int csocket_change_membership(
    int descriptor, const csocket_address *group, const csocket_address *source, uint32_t interface, int joins);

#endif
