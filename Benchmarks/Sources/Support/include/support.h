// What the C programs of this package share.

#ifndef SUPPORT_H
#define SUPPORT_H

#include "addresses.h"
#include "characters.h"
#include "clock.h"
#include "errors.h"
#include "histogram.h"
#include "options.h"

#endif
