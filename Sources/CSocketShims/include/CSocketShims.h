#ifndef CSOCKETSHIMS_H
#define CSOCKETSHIMS_H

// The C floor: what Swift cannot import (macros, packed structures, variadic calls), in the shape that the
// Swift side wants it. Nothing here decides anything.
//
// Convention: a function that makes a system call returns a count or a descriptor, or minus the errno. So the
// error is never read from a thread-local variable that something else may have touched in between.

#include "address.h"
#include "bytes.h"
#include "datagrams.h"
#include "errors.h"
#include "interfaces.h"
#include "local.h"
#include "multicast.h"
#include "options.h"
#include "polling.h"
#include "random.h"
#include "sockets.h"
#include "tcp_info.h"
#include "threads.h"
#include "transfer.h"

#endif
