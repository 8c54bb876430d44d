/* SPDX-License-Identifier: MIT */
#include "tools/keys_command.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTIONS_MAX = 12, OPTION_FIRST = 256, HELP_COLUMN = 24 };

int keys_wrong(const keys_command *command, const char *format, ...)
{
    va_list args;

    (void)fprintf(stderr, "lockring-keys %s: ", command->name);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    return KEYS_EXIT_OPTION;
}

int keys_failed(const keys_command *command, const lr_error *err)
{
    (void)keys_wrong(command, "%s", err->text);
    return err->status == LR_EFILE || err->status == LR_EKEY || err->status == LR_ECERTIFICATE ||
                   err->status == LR_EOPTION || err->status == LR_EINVAL
               ? KEYS_EXIT_OPTION
               : KEYS_EXIT_FAILED;
}

static void print_row(const char *name, const char *takes, const char *help)
{
    int width = HELP_COLUMN - printf("  %s%s%s", name, takes ? " " : "", takes ? takes : "");

    for (const char *line = help; line;) {
        const char *end = strchr(line, '\n');

        printf("%*s%.*s\n", width > 1 ? width : 1, "", end ? (int)(end - line) : 99, line);
        line = end ? end + 1 : NULL;
        width = HELP_COLUMN;
    }
}

static int print_help(const keys_command *command, const keys_option *options, size_t count)
{
    printf("Usage: lockring-keys %s [OPTION]...%s%s\n%s\n\n", command->name,
           *command->takes ? " " : "", command->takes, command->help);
    for (size_t i = 0; i < count; i++)
        print_row(options[i].name, options[i].takes, options[i].help);
    print_row("--help", NULL, "this");
    return KEYS_EXIT_OK;
}

static bool take(const keys_command *command, const keys_option *option, const char *value)
{
    unsigned long number;
    char *end;

    if (option->on) {
        *option->on = true;
        return true;
    }
    if (option->text) {
        *option->text = value;
        return true;
    }
    errno = 0;
    number = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end != '\0' || errno != 0 || number < option->min ||
        number > option->max) {
        (void)keys_wrong(command, "%s: '%s' is not a number from %u to %u", option->name, value,
                         option->min, option->max);
        return false;
    }
    *option->number = (uint32_t)number;
    return true;
}

/* What getopt_long could not make sense of. */
static int refuse(const keys_command *command, const keys_option *options, size_t count, int code,
                  char **argv)
{
    size_t i = (size_t)(optopt - OPTION_FIRST);

    if (optopt >= OPTION_FIRST && i < count && code == ':')
        return keys_wrong(command, "%s: needs %s", options[i].name, options[i].takes);
    if (optopt >= OPTION_FIRST)
        return keys_wrong(command, "%s: takes no value", i < count ? options[i].name : "--help");
    if (optopt != 0)
        return keys_wrong(command, "unknown option '-%c'", optopt);
    return keys_wrong(command, "unknown option '%s'", argv[optind - 1]);
}

int keys_parse(const keys_command *command, const keys_option *options, size_t option_count,
               int argc, char **argv, const char **operands, int operand_count)
{
    struct option rows[OPTIONS_MAX + 2] = {{NULL, 0, NULL, 0}};
    int code;

    for (size_t i = 0; i < option_count && i < OPTIONS_MAX; i++)
        rows[i] =
            (struct option){options[i].name + 2, options[i].takes ? required_argument : no_argument,
                            NULL, OPTION_FIRST + (int)i};
    rows[option_count] =
        (struct option){"help", no_argument, NULL, OPTION_FIRST + (int)option_count};
    opterr = 0;
    while ((code = getopt_long(argc, argv, ":", rows, NULL)) != -1) {
        size_t i = (size_t)(code - OPTION_FIRST);

        if (code < OPTION_FIRST)
            return refuse(command, options, option_count, code, argv);
        if (i == option_count)
            return print_help(command, options, option_count);
        if (!take(command, &options[i], optarg))
            return KEYS_EXIT_OPTION;
    }
    if (argc - optind != operand_count)
        return operand_count == 0
                   ? keys_wrong(command, "'%s' is not an option", argv[optind])
                   : keys_wrong(command, "needs %s, and nothing else", command->takes);
    for (int i = 0; i < operand_count; i++)
        operands[i] = argv[optind + i];
    return KEYS_GO_ON;
}
