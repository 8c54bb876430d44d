/* SPDX-License-Identifier: MIT */
/* tools/lockring_keys.c: the program for ticket keys and OCSP staples; --help and
 * docs/man/lockring-keys.1 tell its use. */
#include "tools/keys_command.h"

#include <stdio.h>
#include <string.h>

static const keys_command commands[] = {
    {"make", "", "Draws ticket keys into a new file, 48 bytes each, the current one first.",
     keys_run_make},
    {"inspect", "FILE", "Tells the names and roles of the keys in a file, and no secret.",
     keys_run_inspect},
    {"rotate", "FILE", "Makes the next key the current one, and draws a new next one.",
     keys_run_rotate},
    {"convert", "IN OUT", "Writes a file of keys in the form of another server.", keys_run_convert},
    {"ocsp", "", "Fetches the OCSP response of a certificate for stapling.", keys_run_ocsp},
};

static int print_help(void)
{
    printf("Usage: lockring-keys COMMAND [OPTION]...\n"
           "Ticket keys and OCSP staples as files.\n\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        printf("  %-10s%s\n", commands[i].name, commands[i].help);
    printf(
        "\nlockring-keys COMMAND --help tells its options; --version what this is.\n\n"
        "Exit status: 0 done; 1 the system or the responder refuses something; 2 a wrong option\n"
        "or file.\n");
    return KEYS_EXIT_OK;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(&commands[i], argc - 1, argv + 1);
    }
    if (strcmp(name, "--version") == 0) {
        puts(lr_version_text());
        return KEYS_EXIT_OK;
    }
    if (strcmp(name, "--help") == 0)
        return argc > 1 ? print_help() : (print_help(), KEYS_EXIT_OPTION);
    (void)fprintf(stderr, "lockring-keys: '%s' is no command\n", name);
    return KEYS_EXIT_OPTION;
}
