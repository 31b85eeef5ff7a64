// What a character generator sends (RFC 864): 95 lines of 72 printing characters, each one character further than the one
// before, again and again.

#ifndef CHARACTERS_H
#define CHARACTERS_H

#include <stddef.h>

enum {
    CHARACTERS_PERIOD = 95 * 74,
    CHARACTERS_BLOCK = 9 * CHARACTERS_PERIOD,  // what one send of a generator is given: just below 64 KiB
};

static inline void fill_characters(unsigned char *bytes, size_t count) {
    for (size_t index = 0; index < count; index++) {
        size_t line = index / 74 % 95, column = index % 74;
        bytes[index] = column == 72 ? '\r' : column == 73 ? '\n' : (unsigned char)(' ' + (line + column) % 95);
    }
}

#endif
