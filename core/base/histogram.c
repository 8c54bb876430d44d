/* SPDX-License-Identifier: MIT */
#include "core/base/histogram.h"

#include "core/base/check.h"

#include <assert.h>

enum {
    SUB_BITS = 4,
    EXPONENT_MAX = 39, /* of 2^40 - 1 */
    LAST_BUCKET = LR__HISTOGRAM_BUCKETS - 1
};

static_assert(LR__HISTOGRAM_SUB == 1 << SUB_BITS, "sub-buckets are the bits below the highest");
static_assert(LR__HISTOGRAM_BUCKETS ==
                  LR__HISTOGRAM_SUB + (EXPONENT_MAX - SUB_BITS + 1) * LR__HISTOGRAM_SUB,
              "0..15 exactly, then 16 per power of two from 2^4 to 2^39");

static uint64_t load(const _Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

static void store(_Atomic uint64_t *number, uint64_t value)
{
    atomic_store_explicit(number, value, memory_order_relaxed);
}

uint32_t lr__histogram_bucket_of(uint64_t value)
{
    uint32_t shift;

    if (value < LR__HISTOGRAM_SUB)
        return (uint32_t)value;
    if (value >> (EXPONENT_MAX + 1) != 0)
        return LAST_BUCKET;
    shift = 63 - (uint32_t)__builtin_clzll(value) - SUB_BITS;
    /* value >> shift is 16..31: its highest bit counts as one step of the exponent. */
    return shift * LR__HISTOGRAM_SUB + (uint32_t)(value >> shift);
}

uint64_t lr__histogram_bucket_top(uint32_t bucket)
{
    uint32_t shift;

    LR_CHECK(bucket < LR__HISTOGRAM_BUCKETS);
    if (bucket < LR__HISTOGRAM_SUB)
        return bucket;
    if (bucket == LAST_BUCKET)
        return UINT64_MAX;
    shift = bucket / LR__HISTOGRAM_SUB - 1;
    return ((uint64_t)(LR__HISTOGRAM_SUB + bucket % LR__HISTOGRAM_SUB + 1) << shift) - 1;
}

void lr__histogram_add(lr__histogram *h, uint64_t value)
{
    _Atomic uint64_t *bucket = &h->buckets[lr__histogram_bucket_of(value)];

    /* A load and a store, not a locked addition: nobody else writes. */
    store(bucket, load(bucket) + 1);
    store(&h->sum, load(&h->sum) + value);
    if (value > load(&h->max))
        store(&h->max, value);
}

void lr__histogram_merge(lr__histogram *into, const lr__histogram *from)
{
    uint64_t max = load(&from->max);

    for (uint32_t i = 0; i < LR__HISTOGRAM_BUCKETS; i++) {
        uint64_t count = load(&from->buckets[i]);

        if (count > 0)
            store(&into->buckets[i], load(&into->buckets[i]) + count);
    }
    store(&into->sum, load(&into->sum) + load(&from->sum));
    if (max > load(&into->max))
        store(&into->max, max);
}

uint64_t lr__histogram_count(const lr__histogram *h)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < LR__HISTOGRAM_BUCKETS; i++)
        count += load(&h->buckets[i]);
    return count;
}

/* How many of count values make up share: rounded up, but not for the last digits of a double
 * (0.07 * 100 is 7.000000000000001), and between 1 and count. */
static uint64_t rank_of(double share, uint64_t count)
{
    double exact = share * (double)count * (1 - 1e-12);
    uint64_t rank;

    if (!(share > 0))
        return 1;
    if (share >= 1 || exact >= (double)count)
        return count;
    rank = (uint64_t)exact;
    return (double)rank < exact ? rank + 1 : rank;
}

uint64_t lr__histogram_quantile(const lr__histogram *h, double share)
{
    uint64_t count = lr__histogram_count(h);
    uint64_t rank, below = 0;

    if (count == 0)
        return 0;
    rank = rank_of(share, count);
    /* The owner may go on adding: counts only grow, so the rank is reached all the same. */
    for (uint32_t i = 0; i < LAST_BUCKET; i++) {
        below += load(&h->buckets[i]);
        if (below >= rank)
            return lr__histogram_bucket_top(i);
    }
    return load(&h->max);
}
