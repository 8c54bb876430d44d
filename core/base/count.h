/* SPDX-License-Identifier: MIT */
/* core/base/count.h: numbers for statistics. Each has one writer, so adding is a load and a store,
 * not a locked addition; other threads read it whole, at no particular moment. */
#ifndef LR_CORE_BASE_COUNT_H
#define LR_CORE_BASE_COUNT_H

#include <stdatomic.h>
#include <stdint.h>

static inline uint64_t lr__count_get(const _Atomic uint64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

static inline void lr__count_set(_Atomic uint64_t *count, uint64_t value)
{
    atomic_store_explicit(count, value, memory_order_relaxed);
}

static inline void lr__count_add(_Atomic uint64_t *count, uint64_t more)
{
    lr__count_set(count, lr__count_get(count) + more);
}

static inline void lr__count_sub(_Atomic uint64_t *count, uint64_t less)
{
    lr__count_set(count, lr__count_get(count) - less);
}

#endif
