/* SPDX-License-Identifier: MIT */
/* proto/stats_text.h: lr_stats as text: for Prometheus (text exposition format 0.0.4) and as JSON.
 *
 * A view is what was read at one time; the two functions that write it down are pure. Counters of
 * statuses and alerts are of all workers together, everything else is told per worker.
 *
 * Threads  any, one thread per object.
 * Memory   a view and a text own heap blocks until they are freed; all zero is the empty text.
 * Errors   a text that found no memory has failed set, and what it holds is not whole. */
#ifndef LR_PROTO_STATS_TEXT_H
#define LR_PROTO_STATS_TEXT_H

#include <lockring/stats.h>

typedef struct lr_stats_view {
    const char *version, *ring; /* lr_version(), lr_workers_ring() */
    int64_t time_ms;            /* since 1970, when it was read */
    lr_stats total;
    lr_stats *workers; /* [total.worker_count] */
    size_t handshake_bucket_count;
    lr_stats_bucket handshake_buckets[LR_STATS_BUCKETS]; /* of all workers, only in JSON */
} lr_stats_view;

/* LR_ENOMEM: nothing was allocated. */
LR_ANY LR_NODISCARD lr_status lr_stats_view_read(const lr_workers *workers, lr_stats_view *view);
LR_ANY void lr_stats_view_free(lr_stats_view *view);

typedef struct lr_stats_text {
    char *bytes; /* terminated by a zero; null while it is empty */
    size_t len, cap;
    bool failed;
} lr_stats_text;

#define LR_STATS_PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Both append. */
LR_ANY void lr_stats_prometheus(const lr_stats_view *view, lr_stats_text *out);
LR_ANY void lr_stats_json(const lr_stats_view *view, lr_stats_text *out);
LR_ANY void lr_stats_text_free(lr_stats_text *text);

#endif
