/* SPDX-License-Identifier: MIT */
#include "tools/serve_say.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void serve_say(const serve_options *options, bool is_error, const char *format, ...)
{
    char line[512];
    ssize_t written;
    va_list args;
    int len, more;

    if (options->log_level == LR_LOG_OFF)
        return;
    len = snprintf(line, sizeof(line), "lockring: %s: ", is_error ? "error" : "info");
    va_start(args, format);
    more = vsnprintf(line + len, sizeof(line) - (size_t)len, format, args);
    va_end(args);
    if (more < 0)
        return;
    len += more;
    if ((size_t)len > sizeof(line) - 2)
        len = sizeof(line) - 2;
    line[len++] = '\n';
    /* A log that cannot be written is no reason to stop serving. */
    written = write(STDERR_FILENO, line, (size_t)len);
    (void)written;
}
