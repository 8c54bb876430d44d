/* SPDX-License-Identifier: MIT */
/* Answers the questions of names.py with lr_names. A line of standard input is
 *
 *     +PATTERN   adds it, and answers "ok" or "no"
 *     -PATTERN   removes it, and answers "ok" or "no"
 *     ?HEX       looks up the name of these bytes, and answers with the number of the line that
 *                added the pattern, or "none"
 *     !          begins an empty table, and answers "ok"
 *
 * Each number has a context of its own, up to a bound that names.py keeps. */
#include <lockring/lockring.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTEXTS = 16, LINE = 1200 };

static lr_context *contexts[CONTEXTS];

static bool make_contexts(void)
{
    for (int i = 0; i < CONTEXTS; i++) {
        lr_context_options options = {LR_CONTEXT_OPTIONS, .self_signed = "localhost"};
        lr_error err;

        if (lr_context_new(&options, &contexts[i], &err) != LR_OK) {
            fprintf(stderr, "%s\n", err.text);
            return false;
        }
    }
    return true;
}

static void look_up(const lr_names *names, const char *hex)
{
    uint8_t name[LINE];
    size_t len = 0;
    lr_context *found;
    unsigned byte;

    while (sscanf(hex + 2 * len, "%2x", &byte) == 1)
        name[len++] = (uint8_t)byte;
    found = lr_names_find(names, lr_slice_of(name, len));
    for (int i = 0; found && i < CONTEXTS; i++) {
        if (contexts[i] == found) {
            printf("%d\n", i);
            return;
        }
    }
    printf("none\n");
}

int main(void)
{
    lr_names *names = NULL;
    char line[LINE];
    int added = 0;

    if (!make_contexts())
        return EXIT_FAILURE;
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '!') {
            lr_names_free(names);
            names = lr_names_new();
            added = 0;
            printf("ok\n");
        } else if (line[0] == '+' && added < CONTEXTS) {
            lr_status status = lr_names_add(names, line + 1, contexts[added++], NULL);

            printf(status == LR_OK ? "ok\n" : "no\n");
        } else if (line[0] == '-') {
            printf(lr_names_remove(names, line + 1) ? "ok\n" : "no\n");
        } else if (line[0] == '?') {
            look_up(names, line + 1);
        } else {
            return EXIT_FAILURE;
        }
    }
    lr_names_free(names);
    for (int i = 0; i < CONTEXTS; i++)
        lr_context_release(contexts[i]);
    return EXIT_SUCCESS;
}
