/* SPDX-License-Identifier: MIT */
/* core/base/current.h: the one pointer that everything "per thread" hangs off.
 *
 * A worker sets it while it runs, so that several simulated workers can share one thread. Code
 * below core/run finds the world's clock and randomness through it; where it is null (a thread that
 * sets things up) the system's own are used. */
#ifndef LR_CORE_BASE_CURRENT_H
#define LR_CORE_BASE_CURRENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct lr__current {
    bool (*random)(struct lr__current *current, void *out, size_t size); /* seeds, not streams */
    int64_t (*wall_ms)(struct lr__current *current);                     /* since 1970 */
    struct lr__rand *rand; /* the generator of this worker (core/tls/rand.h) */
} lr__current;

lr__current *lr__current_get(void);
/* Returns what was set before. */
lr__current *lr__current_set(lr__current *current);

bool lr__current_random(void *out, size_t size); /* false: the system gives none */
int64_t lr__current_wall_ms(void);

#endif
