/* SPDX-License-Identifier: MIT */
/* core/tls/renegotiation.c: the limit on renegotiations, of a context and of the process. That of
 * the process is read when a context is made, never later. */
#include "core/tls/renegotiation.h"

#include "core/base/status.h"

#include <stdatomic.h>

/* count << 32 | window_s, as they were given; set by any thread, read by whoever makes a context
 * (relaxed: it says nothing of other memory). */
static _Atomic uint64_t process_default;

static lr_status check(uint32_t count, uint32_t window_s, const char *where, lr_error *err)
{
    if (count > LR__RENEGOTIATIONS_MAX && count != LR_NONE)
        return lr__fail(err, LR_EOPTION, "%scount: %u is above %d", where, count,
                        LR__RENEGOTIATIONS_MAX);
    if (window_s > LR__RENEGOTIATION_WINDOW_MAX_S)
        return lr__fail(err, LR_EOPTION, "%swindow_s: %u is above %d", where, window_s,
                        LR__RENEGOTIATION_WINDOW_MAX_S);
    return LR_OK;
}

lr_status lr_renegotiation_default_set(uint32_t count, uint32_t window_s, lr_error *err)
{
    LR_TRY(check(count, window_s, "lr_renegotiation_default_set: ", err));
    atomic_store_explicit(&process_default, (uint64_t)count << 32 | window_s, memory_order_relaxed);
    return LR_OK;
}

static uint32_t first_of(uint32_t a, uint32_t b, uint32_t c)
{
    if (a != 0)
        return a;
    return b != 0 ? b : c;
}

lr_status lr__renegotiation_limit_load(lr__renegotiation_limit *limit,
                                       const lr_context_options *options, lr_error *err)
{
    uint64_t process = atomic_load_explicit(&process_default, memory_order_relaxed);
    uint32_t profile = options->profile == LR_PROFILE_NODE4 ? LR__RENEGOTIATIONS_NODE4 : LR_NONE;

    LR_TRY(check(options->renegotiation_count, options->renegotiation_window_s, "renegotiation_",
                 err));
    limit->count = first_of(options->renegotiation_count, (uint32_t)(process >> 32), profile);
    limit->window_s =
        first_of(options->renegotiation_window_s, (uint32_t)process, LR__RENEGOTIATION_WINDOW_S);
    if (limit->count == LR_NONE)
        limit->count = 0;
    return LR_OK;
}
