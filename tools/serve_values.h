/* SPDX-License-Identifier: MIT */
/* tools/serve_values.h: values on the command line of lockring-serve. Each reader says on standard
 * error, in one line with the option's name, what it refuses. */
#ifndef LR_TOOLS_SERVE_VALUES_H
#define LR_TOOLS_SERVE_VALUES_H

#include "tools/serve_options.h"

typedef struct serve_word {
    const char *text;
    int value;
} serve_word;

bool serve_wrong(const char *format, ...) __attribute__((format(printf, 1, 2))); /* false */
/* Decimal digits and nothing else. */
bool serve_read_number(const char *name, const char *value, uint64_t min, uint64_t max,
                       uint32_t *out);
bool serve_read_word(const char *name, const char *value, const serve_word *words, size_t count,
                     int *out);
/* HOST:PORT, where an IPv6 address stands in brackets; an empty host is every address. */
bool serve_read_host_port(serve_listen *listen, const char *name, const char *value);
/* RATE or RATE/BURST. */
bool serve_read_rate(const char *name, const char *value, uint32_t *rate, uint32_t *burst);

#endif
