/* SPDX-License-Identifier: MIT */
/* core/base/bucket.h: a token bucket in one word (the generic cell rate algorithm, ITU-T I.371): so
 * many at once, then one per interval. Zero is a full bucket. Time is a parameter, in nanoseconds.
 * Single thread. */
#ifndef LR_CORE_BASE_BUCKET_H
#define LR_CORE_BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

typedef struct lr__bucket {
    uint64_t full_ns; /* when it will be full again */
} lr__bucket;

/* burst >= 1. False: it is empty, and nothing was taken. */
static inline bool lr__bucket_take(lr__bucket *bucket, uint64_t now_ns, uint64_t interval_ns,
                                   uint32_t burst)
{
    uint64_t full_ns = bucket->full_ns > now_ns ? bucket->full_ns : now_ns;

    if (full_ns - now_ns > interval_ns * (burst - 1))
        return false;
    bucket->full_ns = full_ns + interval_ns;
    return true;
}

#endif
