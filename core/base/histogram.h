/* SPDX-License-Identifier: MIT */
/* core/base/histogram.h: counts of values over log-linear buckets (16 per power of two, so a
 * quantile is at most 6.25 % off), from 0 to 2^40. One writer (relaxed stores), readers on other
 * threads see each bucket whole but not all at one moment. */
#ifndef LR_CORE_BASE_HISTOGRAM_H
#define LR_CORE_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum { LR__HISTOGRAM_SUB = 16, LR__HISTOGRAM_BUCKETS = 16 + 36 * 16 };

typedef struct lr__histogram {
    _Atomic uint64_t buckets[LR__HISTOGRAM_BUCKETS]; /* written by the owner only */
    _Atomic uint64_t sum;
    _Atomic uint64_t max;
} lr__histogram;

void lr__histogram_add(lr__histogram *h, uint64_t value); /* owner; above 2^40 - 1: last bucket */
void lr__histogram_merge(lr__histogram *into, const lr__histogram *from); /* owner of into */
uint64_t lr__histogram_count(const lr__histogram *h);
/* The smallest bucket bound that share (0..1) of the values do not exceed; 0 if empty. The last
 * bucket has no bound: there it is the largest value seen. */
uint64_t lr__histogram_quantile(const lr__histogram *h, double share);
uint32_t lr__histogram_bucket_of(uint64_t value);
/* The largest value that falls into it; UINT64_MAX for the last. */
uint64_t lr__histogram_bucket_top(uint32_t bucket);

#endif
