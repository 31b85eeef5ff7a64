#include "options.h"

#include "errors.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_RULES = 32,
    HELP = MOST_RULES,  // its number; those of the others are their places in the table
};

static long parse_integer(const struct option_rule *rule, const char *text) {
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || (double)value < rule->minimum || (double)value > rule->maximum) {
        fail_usage("--%s takes a whole number from %.0f to %.0f, not '%s'", rule->name, rule->minimum, rule->maximum, text);
    }
    return value;
}

static double parse_seconds(const struct option_rule *rule, const char *text) {
    char *end = NULL;
    double value = strtod(text, &end);
    // Written so that NaN, which compares false with everything, is refused too.
    if (end == text || *end != '\0' || !(value >= rule->minimum && value <= rule->maximum)) {
        fail_usage("--%s takes seconds from %g to %g, not '%s'", rule->name, rule->minimum, rule->maximum, text);
    }
    return value;
}

static void set(const struct option_rule *rule, const char *text) {
    switch (rule->kind) {
    case OPTION_TEXT:
        *(const char **)rule->value = text;
        break;
    case OPTION_INTEGER:
        *(long *)rule->value = parse_integer(rule, text);
        break;
    case OPTION_SECONDS:
        *(double *)rule->value = parse_seconds(rule, text);
        break;
    case OPTION_FLAG:
        *(bool *)rule->value = true;
        break;
    }
}

static void print_usage(const char *program, const char *word, const struct option_rule *rules, size_t rules_count) {
    static const char *const values[] = {"TEXT", "N", "SECONDS", ""};
    const char *slash = strrchr(program, '/');
    printf("usage: %s%s%s [OPTION ...]\n", slash == NULL ? program : slash + 1, word == NULL ? "" : " ",
           word == NULL ? "" : word);
    for (const struct option_rule *rule = rules; rule < rules + rules_count; rule++) {
        printf("  --%-12s %-8s %s\n", rule->name, values[rule->kind], rule->help);
    }
}

const char *parse_options(int count, char *arguments[], const char *word, const struct option_rule *rules, size_t rules_count) {
    struct option known[MOST_RULES + 2];
    if (rules_count > MOST_RULES) {
        fail("too many options");
    }
    memset(known, 0, sizeof known);
    for (size_t index = 0; index < rules_count; index++) {
        known[index].name = rules[index].name;
        known[index].has_arg = rules[index].kind == OPTION_FLAG ? no_argument : required_argument;
        known[index].val = (int)index;
    }
    known[rules_count].name = "help";
    known[rules_count].val = HELP;

    for (int option; (option = getopt_long(count, arguments, "", known, NULL)) != -1;) {
        if (option == HELP) {
            print_usage(arguments[0], word, rules, rules_count);
            exit(0);
        }
        if (option < 0 || (size_t)option >= rules_count) {
            exit(2);  // getopt_long has said why
        }
        set(&rules[option], optarg);
    }
    int words = count - optind;
    if (words > (word == NULL ? 0 : 1)) {
        fail_usage("'%s' is one word too many", arguments[count - 1]);
    }
    return words == 1 ? arguments[optind] : NULL;
}
