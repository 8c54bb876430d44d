/* SPDX-License-Identifier: MIT */
/* tools/keys_command.h: the subcommands of lockring-keys and how their options are read. */
#ifndef LR_TOOLS_KEYS_COMMAND_H
#define LR_TOOLS_KEYS_COMMAND_H

#include <lockring/base.h>

enum {
    KEYS_EXIT_OK = 0,
    KEYS_EXIT_FAILED = 1, /* the system, the responder, or what it says */
    KEYS_EXIT_OPTION = 2, /* a wrong option or file */
    KEYS_GO_ON = -1       /* not an exit */
};

/* One option: exactly one of the three places is set. */
typedef struct keys_option {
    const char *name;  /* "--out" */
    const char *takes; /* "FILE"; null: no value */
    const char *help;
    const char **text;
    bool *on;
    uint32_t *number;
    uint32_t min, max; /* of the number */
} keys_option;

typedef struct keys_command {
    const char *name;  /* "rotate" */
    const char *takes; /* of operands, "FILE"; "": none */
    const char *help;  /* one sentence, for the list of all */
    int (*run)(const struct keys_command *self, int argc, char **argv);
} keys_command;

/* Reads argv behind the subcommand's name. KEYS_GO_ON: all is well and there are so many operands.
 * KEYS_EXIT_OK: --help, answered. KEYS_EXIT_OPTION: said in one line on standard error. */
int keys_parse(const keys_command *command, const keys_option *options, size_t option_count,
               int argc, char **argv, const char **operands, int operand_count);

/* "lockring-keys rotate: ..." on standard error; returns the exit code. */
int keys_wrong(const keys_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same with the text of an error; KEYS_EXIT_OPTION where a file is to blame. */
int keys_failed(const keys_command *command, const lr_error *err);

/* In keys_tickets.c and keys_ocsp.c. */
int keys_run_make(const keys_command *self, int argc, char **argv);
int keys_run_inspect(const keys_command *self, int argc, char **argv);
int keys_run_rotate(const keys_command *self, int argc, char **argv);
int keys_run_convert(const keys_command *self, int argc, char **argv);
int keys_run_ocsp(const keys_command *self, int argc, char **argv);

#endif
