#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum option_kind {
    OPTION_TEXT,     // const char *
    OPTION_INTEGER,  // long
    OPTION_SECONDS,  // double
    OPTION_FLAG,     // bool; takes no value
};

// An option of a program. `value` points to a variable of the kind's type, which holds what applies without the option.
struct option_rule {
    const char *name;
    enum option_kind kind;
    void *value;
    double minimum;
    double maximum;
    const char *help;
};

// Reads the command line and returns the word beside the options, or NULL if there is none. `word` names it in the usage,
// NULL if the program takes none. `--help` prints the usage and ends the program; what cannot be ends it with a usage error.
const char *parse_options(int count, char *arguments[], const char *word, const struct option_rule *rules, size_t rules_count);

#endif
