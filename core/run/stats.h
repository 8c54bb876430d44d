/* SPDX-License-Identifier: MIT */
/* core/run/stats.h: the numbers of one worker, behind lockring/stats.h.
 *
 * Counts are raised where things happen: once each in the functions that open, fail and close
 * connections and move their bytes. What is live now is kept by its owner in plain fields and
 * copied here once per turn, so that others may read it. Written by the worker; `hooks_stalled`
 * by the watchdog; read by any thread. */
#ifndef LR_CORE_RUN_STATS_H
#define LR_CORE_RUN_STATS_H

#include "core/base/count.h"
#include "core/base/histogram.h"

#include <lockring/base.h>

struct lr_worker;

/* Fields of lr_stats that are sums over the workers. */
#define LR__STATS(X)                                                                               \
    X(accepted)                                                                                    \
    X(made)                                                                                        \
    X(adopted)                                                                                     \
    X(refused_connections)                                                                         \
    X(refused_memory)                                                                              \
    X(refused_sources)                                                                             \
    X(accept_pauses)                                                                               \
    X(open_tls)                                                                                    \
    X(open_plain)                                                                                  \
    X(open_made)                                                                                   \
    X(handshaking)                                                                                 \
    X(handshakes_full)                                                                             \
    X(handshakes_resumed)                                                                          \
    X(handshakes_failed)                                                                           \
    X(tickets_unknown_key)                                                                         \
    X(sessions_refused)                                                                            \
    X(wire_in)                                                                                     \
    X(wire_out)                                                                                    \
    X(app_in)                                                                                      \
    X(app_out)                                                                                     \
    X(hooks_stalled)                                                                               \
    X(connections)                                                                                 \
    X(engines)                                                                                     \
    X(buffers)                                                                                     \
    X(buffer_bytes)                                                                                \
    X(watches)                                                                                     \
    X(files)                                                                                       \
    X(timers)                                                                                      \
    X(parked_bytes)                                                                                \
    X(replicas)                                                                                    \
    X(ring_waits)                                                                                  \
    X(ring_completions)                                                                            \
    X(ring_rearmed_buffers)                                                                        \
    X(ring_rearmed_ended)                                                                          \
    X(ring_overflows)                                                                              \
    X(ring_stale)                                                                                  \
    X(ring_buffers_lent)

#define LR__STAT_ENUM(name) LR__STAT_##name,
typedef enum lr__stat { LR__STATS(LR__STAT_ENUM) LR__STAT_COUNT } lr__stat;
#undef LR__STAT_ENUM

#define LR__STAT_STATUS(name, value, text) LR__STAT_OF_##name,
enum { LR_STATUS_LIST(LR__STAT_STATUS) LR__STAT_STATUSES };
#undef LR__STAT_STATUS

typedef struct lr__stats {
    _Atomic uint64_t numbers[LR__STAT_COUNT];
    _Atomic uint64_t failures[LR__STAT_STATUSES], closes[LR__STAT_STATUSES];
    _Atomic uint64_t alerts_sent[256], alerts_received[256];
    _Atomic uint64_t not_after; /* seconds since 1970; 0: none */
    lr__histogram handshake_ns, turn_ns, batch;
} lr__stats;

/* What a worker has now, beside what its pools count themselves. */
typedef struct lr__live {
    uint64_t engines, watches, files, timers, parked_bytes, replicas;
} lr__live;

static inline void lr__stats_add(lr__stats *stats, lr__stat stat, uint64_t more)
{
    lr__count_add(&stats->numbers[stat], more);
}

static inline void lr__stats_sub(lr__stats *stats, lr__stat stat, uint64_t less)
{
    lr__count_sub(&stats->numbers[stat], less);
}

void lr__stats_alert(lr__stats *stats, bool sent, int alert); /* negative: none */
/* A failure, before secure or after. */
void lr__stats_failed(lr__stats *stats, const lr_error *why, bool before_secure, bool is_tls);
void lr__stats_closed(lr__stats *stats, const lr_error *why); /* null: clean */
/* Also says, once in the life of the workers, that one of them gets far more than its share. */
void lr__stats_accepted(struct lr_worker *w);
/* In and out of the worker's table; the earliest expiry follows. */
void lr__stats_replica_came(struct lr_worker *w, int64_t not_after);
void lr__stats_replica_gone(struct lr_worker *w, int64_t not_after);
void lr__stats_turn(struct lr_worker *w, uint32_t completions); /* at the end of a turn */
void lr__stats_publish(struct lr_worker *w);                    /* what is live now */

/* The largest over the mean; 0 if all are 0. */
double lr__imbalance(const uint64_t *accepted, uint32_t count);

#endif
