/* SPDX-License-Identifier: MIT */
/* tools/serve_say.h: what the program itself has to say while it serves. */
#ifndef LR_TOOLS_SERVE_SAY_H
#define LR_TOOLS_SERVE_SAY_H

#include "tools/serve_options.h"

/* One line on standard error as the library's own log writes them, in one piece; error or info.
 * Verdicts that somebody waits for are said at every level but LR_LOG_OFF. */
void serve_say(const serve_options *options, bool is_error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
