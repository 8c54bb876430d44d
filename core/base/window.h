/* SPDX-License-Identifier: MIT */
/* core/base/window.h: at most so many events in any span of so long, exactly: the times of the last
 * ones, in a ring. Where about as many would do, core/base/bucket.h needs one word. Time is a
 * parameter, in nanoseconds, and never goes back. Single thread. */
#ifndef LR_CORE_BASE_WINDOW_H
#define LR_CORE_BASE_WINDOW_H

#include "core/base/check.h"

#include <stdbool.h>
#include <stdint.h>

/* Zero but for at_ns, the caller's. */
typedef struct lr__window {
    uint64_t *at_ns; /* room for count times */
    uint32_t next, used;
} lr__window;

/* count >= 1, and always the same. False: there were count events in the last span_ns, and this one
 * is not noted. An event that is as old as the span is none of them any more. */
static inline bool lr__window_take(lr__window *window, uint64_t now_ns, uint64_t span_ns,
                                   uint32_t count)
{
    LR_DCHECK(count > 0 && window->next < count);
    if (window->used == count && now_ns - window->at_ns[window->next] < span_ns)
        return false;
    window->at_ns[window->next] = now_ns;
    window->next = (window->next + 1) % count;
    window->used += window->used < count;
    return true;
}

#endif
