/* SPDX-License-Identifier: MIT */
/* core/run/stats.c: counting, and reading what was counted. */
#include "core/run/stats.h"

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/run/worker.h"
#include "core/run/workers.h"

#include <lockring/stats.h>

#include <assert.h>
#include <string.h>

enum {
    BALANCE_EVERY = 256,   /* accepted by a worker between two looks; a power of two */
    BALANCE_FROM = 1000,   /* accepted by all: fewer say nothing */
    BALANCE_FACTOR_MAX = 2 /* the largest over the mean */
};

static_assert((int)LR__STAT_STATUSES <= (int)LR_STATS_STATUSES, "every status has a place");
static_assert((int)LR__HISTOGRAM_BUCKETS == (int)LR_STATS_BUCKETS, "every bucket can be told");

static uint32_t index_of(lr_status status)
{
#define STATUS_CASE(name, value, text)                                                             \
    case name:                                                                                     \
        return LR__STAT_OF_##name;
    switch (status) {
        LR_STATUS_LIST(STATUS_CASE)
    case LR_STATUS_MIN:
        break;
    }
#undef STATUS_CASE
    return LR__STAT_OF_LR_EABORTED; /* a program's own */
}

void lr__stats_alert(lr__stats *stats, bool sent, int alert)
{
    if (alert < 0 || alert > UINT8_MAX)
        return;
    lr__count_add(sent ? &stats->alerts_sent[alert] : &stats->alerts_received[alert], 1);
}

void lr__stats_failed(lr__stats *stats, const lr_error *why, bool before_secure, bool is_tls)
{
    lr__stats_alert(stats, why->status != LR_EALERT, why->tls_alert);
    if (!before_secure)
        return;
    lr__count_add(&stats->failures[index_of(why->status)], 1);
    if (is_tls)
        lr__stats_add(stats, LR__STAT_handshakes_failed, 1);
}

void lr__stats_closed(lr__stats *stats, const lr_error *why)
{
    lr__count_add(&stats->closes[why ? index_of(why->status) : LR__STAT_OF_LR_OK], 1);
}

double lr__imbalance(const uint64_t *accepted, uint32_t count)
{
    uint64_t max = 0, sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        sum += accepted[i];
        max = accepted[i] > max ? accepted[i] : max;
    }
    return sum == 0 ? 0 : (double)max * (double)count / (double)sum;
}

static uint64_t accepted_of(const lr_workers *workers, uint64_t *accepted)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < workers->count; i++) {
        accepted[i] = lr__count_get(&workers->list[i]->stats.numbers[LR__STAT_accepted]);
        sum += accepted[i];
    }
    return sum;
}

static void look_at_balance(lr_worker *w)
{
    lr_workers *workers = w->workers;
    uint64_t accepted[LR__WORKERS_MAX];
    uint64_t sum = accepted_of(workers, accepted);
    double imbalance = lr__imbalance(accepted, workers->count);

    if (sum < BALANCE_FROM || imbalance <= BALANCE_FACTOR_MAX ||
        !lr__log_wants(&workers->log, LR_LOG_INFO) ||
        atomic_exchange_explicit(&workers->imbalance_said, true, memory_order_relaxed))
        return;
    lr__log_limited(&workers->log, &w->log_limit, w->now_ns, LR_LOG_INFO,
                    "accept_imbalance workers=%u accepted=%llu worker=%u its_accepted=%llu "
                    "max_over_mean=%.2f",
                    workers->count, (unsigned long long)sum, w->index,
                    (unsigned long long)accepted[w->index], imbalance);
}

void lr__stats_accepted(lr_worker *w)
{
    _Atomic uint64_t *accepted = &w->stats.numbers[LR__STAT_accepted];

    lr__count_add(accepted, 1);
    if ((lr__count_get(accepted) & (BALANCE_EVERY - 1)) == 0)
        look_at_balance(w);
}

void lr__stats_replica_came(lr_worker *w, int64_t not_after)
{
    int64_t earliest = (int64_t)lr__count_get(&w->stats.not_after);

    if (w->live.replicas == 0 || not_after < earliest)
        lr__count_set(&w->stats.not_after, (uint64_t)not_after);
    w->live.replicas++;
}

void lr__stats_replica_gone(lr_worker *w, int64_t not_after)
{
    int64_t earliest = INT64_MAX;

    w->live.replicas--;
    if ((int64_t)lr__count_get(&w->stats.not_after) < not_after)
        return;
    for (uint32_t i = 0; i < LR__REPLICA_BUCKETS; i++) {
        const lr__list *bucket = &w->replicas[i];

        for (const lr__list *node = bucket->next; node != bucket; node = node->next) {
            int64_t other = LR_CONTAINER_OF(node, const lr__replica, node)->not_after;

            earliest = other < earliest ? other : earliest;
        }
    }
    if (w->live.replicas != 0) /* else the last one's stands until there is another */
        lr__count_set(&w->stats.not_after, (uint64_t)earliest);
}

static void publish_ring(lr__stats *stats, const lr__ring_counts *counts)
{
#define COPY(from)                                                                                 \
    lr__count_set(&stats->numbers[LR__STAT_ring_##from], lr__count_get(&counts->from))
    COPY(waits);
    COPY(completions);
    COPY(rearmed_buffers);
    COPY(rearmed_ended);
    COPY(overflows);
    COPY(stale);
    COPY(buffers_lent);
#undef COPY
}

void lr__stats_publish(lr_worker *w)
{
    lr__stats *stats = &w->stats;

#define PUBLISH(name, value) lr__count_set(&stats->numbers[LR__STAT_##name], (value))
    PUBLISH(connections, w->conns.live);
    PUBLISH(buffers, w->buffers.live);
    PUBLISH(buffer_bytes, w->buffers.live_bytes);
    PUBLISH(engines, w->live.engines);
    PUBLISH(watches, w->live.watches);
    PUBLISH(files, w->live.files);
    PUBLISH(timers, w->live.timers);
    PUBLISH(parked_bytes, w->live.parked_bytes);
    PUBLISH(replicas, w->live.replicas);
#undef PUBLISH
    publish_ring(stats, &w->ring->counts);
}

void lr__stats_turn(lr_worker *w, uint32_t completions)
{
    lr__histogram_add(&w->stats.batch, completions);
    lr__histogram_add(&w->stats.turn_ns, lr__ring_clock(w->ring) - w->now_ns);
    lr__stats_publish(w);
}

/* Reading. */

static void read_numbers(const lr__stats *stats, lr_stats *out)
{
#define READ(name) out->name += lr__count_get(&stats->numbers[LR__STAT_##name]);
    LR__STATS(READ)
#undef READ
    for (uint32_t i = 0; i < LR__STAT_STATUSES; i++) {
        out->failures[i].count += lr__count_get(&stats->failures[i]);
        out->closes[i].count += lr__count_get(&stats->closes[i]);
    }
    for (uint32_t i = 0; i < LR_STATS_ALERTS; i++) {
        out->alerts_sent[i] += lr__count_get(&stats->alerts_sent[i]);
        out->alerts_received[i] += lr__count_get(&stats->alerts_received[i]);
    }
}

static void read_not_after(const lr__stats *stats, lr_stats *out)
{
    int64_t not_after = (int64_t)lr__count_get(&stats->not_after);

    if (not_after != 0 &&
        (out->certificate_not_after == 0 || not_after < out->certificate_not_after))
        out->certificate_not_after = not_after;
}

static const lr__histogram *histogram_of(const lr__stats *stats, lr_stats_kind kind)
{
    switch (kind) {
    case LR_STATS_HANDSHAKE_NS:
        return &stats->handshake_ns;
    case LR_STATS_TURN_NS:
        return &stats->turn_ns;
    case LR_STATS_BATCH:
        return &stats->batch;
    }
    return NULL;
}

/* Workers first..last-1 as one. */
static void merge(const lr_workers *workers, uint32_t first, uint32_t last, lr_stats_kind kind,
                  lr__histogram *into)
{
    memset(into, 0, sizeof(*into));
    for (uint32_t i = first; i < last; i++)
        lr__histogram_merge(into, histogram_of(&workers->list[i]->stats, kind));
}

static void read_histogram(const lr_workers *workers, uint32_t first, uint32_t last,
                           lr_stats_kind kind, lr_stats_histogram *out)
{
    lr__histogram merged;

    merge(workers, first, last, kind, &merged);
    out->sum = lr__count_get(&merged.sum);
    out->max = lr__count_get(&merged.max);
    out->p50 = lr__histogram_quantile(&merged, 0.5);
    out->p90 = lr__histogram_quantile(&merged, 0.9);
    out->p99 = lr__histogram_quantile(&merged, 0.99);
    out->p999 = lr__histogram_quantile(&merged, 0.999);
    for (uint32_t i = 0; i < LR__HISTOGRAM_BUCKETS; i++) {
        uint64_t count = lr__count_get(&merged.buckets[i]);
        uint64_t top = lr__histogram_bucket_top(i);
        uint32_t step = top == 0 ? 0 : 64 - (uint32_t)__builtin_clzll(top);

        out->steps[step < LR_STATS_STEPS ? step : LR_STATS_STEPS - 1] += count;
        out->count += count;
    }
}

static void name_statuses(lr_stats *out)
{
#define NAME(name, value, text)                                                                    \
    out->failures[LR__STAT_OF_##name].status = out->closes[LR__STAT_OF_##name].status = (name);
    LR_STATUS_LIST(NAME)
#undef NAME
    out->status_count = LR__STAT_STATUSES;
}

static lr_status read_workers(const lr_workers *workers, uint32_t first, uint32_t last,
                              lr_stats *given)
{
    size_t size = given->size;
    uint64_t accepted[LR__WORKERS_MAX];
    lr_stats out = {LR_STATS, .worker_count = last - first};

    name_statuses(&out);
    for (uint32_t i = first; i < last; i++) {
        read_numbers(&workers->list[i]->stats, &out);
        read_not_after(&workers->list[i]->stats, &out);
    }
    read_histogram(workers, first, last, LR_STATS_HANDSHAKE_NS, &out.handshake_ns);
    read_histogram(workers, first, last, LR_STATS_TURN_NS, &out.turn_ns);
    read_histogram(workers, first, last, LR_STATS_BATCH, &out.batch);
    (void)accepted_of(workers, accepted);
    out.imbalance = lr__imbalance(accepted + first, last - first);
    if (last - first == workers->count) {
        lr__mem_counts heap = lr__mem_read();

        out.heap_blocks = heap.live;
        out.heap_bytes = heap.bytes;
    }
    if (size > sizeof(out))
        memset((uint8_t *)given + sizeof(out), 0, size - sizeof(out));
    memcpy(given, &out, size < sizeof(out) ? size : sizeof(out));
    given->size = size;
    return LR_OK;
}

lr_status lr_stats_read(const lr_workers *workers, lr_stats *out)
{
    LR_BUG_IF(!workers || !out, LR_EINVAL);
    if (out->size < sizeof(out->size))
        return LR_EINVAL;
    return read_workers(workers, 0, workers->count, out);
}

lr_status lr_stats_read_worker(const lr_workers *workers, uint32_t index, lr_stats *out)
{
    LR_BUG_IF(!workers || !out, LR_EINVAL);
    if (out->size < sizeof(out->size) || index >= workers->count)
        return LR_EINVAL;
    return read_workers(workers, index, index + 1, out);
}

size_t lr_stats_buckets(const lr_workers *workers, uint32_t worker, lr_stats_kind kind,
                        lr_stats_bucket *out, size_t cap)
{
    lr__histogram merged;
    size_t used = 0;

    LR_BUG_IF(!workers || (!out && cap != 0), 0);
    if ((worker != LR_NONE && worker >= workers->count) ||
        !histogram_of(&workers->list[0]->stats, kind))
        return 0;
    merge(workers, worker == LR_NONE ? 0 : worker, worker == LR_NONE ? workers->count : worker + 1,
          kind, &merged);
    for (uint32_t i = 0; i < LR__HISTOGRAM_BUCKETS; i++) {
        uint64_t count = lr__count_get(&merged.buckets[i]);

        if (count == 0)
            continue;
        if (used < cap)
            out[used] = (lr_stats_bucket){lr__histogram_bucket_top(i), count};
        used++;
    }
    return used;
}
