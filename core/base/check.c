/* SPDX-License-Identifier: MIT */
#include "core/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One write without stdio or heap, since either may be what is broken. */
static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));

    (void)written; /* Nobody is left to be told. */
}

void lr__check_failed(const char *expr, const char *file, int line)
{
    char text[512];

    snprintf(text, sizeof text, "lockring: check failed: %.300s (%.160s:%d)\n", expr, file, line);
    say(text);
    abort();
}

void lr__bug(atomic_bool *said, const char *expr, const char *func, const char *file, int line)
{
    char text[512];

    if (atomic_exchange_explicit(said, true, memory_order_relaxed))
        return;
    snprintf(text, sizeof text, "lockring: misuse of %.80s: %.220s (%.160s:%d)\n", func, expr, file,
             line);
    say(text);
#ifdef LOCKRING_DCHECK
    abort();
#endif
}
