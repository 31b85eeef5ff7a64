#ifndef GUIDANCE_H
#define GUIDANCE_H

#include <stddef.h>

// Tells the fuzzer that this input got somewhere: `place` is any number. OpenSSL is not compiled for fuzzing, so without it
// nobody would see how far a handshake came.
void guidance_reached(unsigned place);

// OpenSSL takes its random numbers from two sources that always give the same ones: each end of a handshake has its own.
void guidance_repeat_random_numbers(void);

// Both sources begin anew.
void guidance_restart_random_numbers(void);

// From here on the numbers are those of this end, 0 or 1.
void guidance_use_random_numbers_of(int end);

// Writes a file; false when it cannot.
_Bool guidance_write(const char *path, const void *bytes, size_t count);

// Ends the program, as done.
_Noreturn void guidance_end(void);

#endif
