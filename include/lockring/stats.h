/* SPDX-License-Identifier: MIT */
/* lockring/stats.h: what the workers count.
 *
 * Each worker counts for itself, without locks; reading is a walk over its numbers. Each number is
 * right and they are not all of one moment: a reader may see a connection accepted that is not yet
 * open. What is live now is told as it was at the end of the worker's last turn; a worker that
 * sleeps changes nothing. Counts go on from lr_workers_new() to lr_workers_free() and stay readable
 * after lr_workers_join().
 *
 * Threads  any, between lr_workers_new() and lr_workers_free().
 * Memory   everything is copied into the caller's struct (about 9 KB).
 * Errors   LR_EINVAL: out is null or its size is not set, or there is no such worker. */
#ifndef LOCKRING_STATS_H
#define LOCKRING_STATS_H

#include <lockring/base.h>
#include <lockring/workers.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    LR_STATS_STATUSES = 64,
    LR_STATS_ALERTS = 256,
    LR_STATS_STEPS = 41,
    LR_STATS_BUCKETS = 592 /* the most that lr_stats_buckets() can tell */
};

/* Quantiles are upper bounds, at most 6.25 % above the value. steps[0] counts zeros, steps[k]
 * values from 2^(k-1) to 2^k - 1; the last everything from 2^39 on. */
typedef struct lr_stats_histogram {
    uint64_t count, sum, max;
    uint64_t p50, p90, p99, p999;
    uint64_t steps[LR_STATS_STEPS];
} lr_stats_histogram;

typedef struct lr_stats_status {
    lr_status status;
    uint64_t count;
} lr_stats_status;

typedef struct lr_stats {
    size_t size;           /* LR_STATS */
    uint32_t worker_count; /* whose numbers these are: all of them, or 1 */
    uint32_t status_count; /* used entries of failures and closes */

    /* Connections. Accepted are sockets that a listener took; some of them were then refused
     * (reset, without a hook but on_refused). Made are those of lr_client_connect(). */
    uint64_t accepted, made;
    uint64_t refused_connections; /* LR_ECONNECTIONS */
    uint64_t refused_memory;      /* LR_ENOMEM */
    uint64_t accept_pauses;       /* for want of descriptors or memory */
    double imbalance;             /* the largest accepted of one worker over their mean; 0: none */

    /* Open now: until on_close has returned. handshaking: those of TLS that are not yet secure. */
    uint64_t open_tls, open_plain, open_made, handshaking;

    /* TLS handshakes that are over. handshake_ns: from the complete ClientHello to on_secure, on
     * the clock of turns. */
    uint64_t handshakes_full, handshakes_resumed, handshakes_failed;
    lr_stats_histogram handshake_ns;

    /* Connections that failed before secure (on_client_error), and how connections ended
     * (on_close; LR_OK is clean): every status there is, in the order of LR_STATUS_LIST. A reason
     * of the program's own that is none of them counts as LR_EABORTED. */
    lr_stats_status failures[LR_STATS_STATUSES];
    lr_stats_status closes[LR_STATS_STATUSES];

    /* By number: fatal alerts, and close_notify (0). Sent: put into the output. */
    uint64_t alerts_sent[LR_STATS_ALERTS], alerts_received[LR_STATS_ALERTS];

    /* Bytes: on the sockets with all TLS overhead; plaintext given to on_data and taken by
     * writes. */
    uint64_t wire_in, wire_out, app_in, app_out;

    /* The turns of a worker: how long one took, without its wait, and how many completions it
     * handled. */
    lr_stats_histogram turn_ns, batch;
    uint64_t hooks_stalled; /* lr_workers_options.stall_threshold_ms */

    /* Live now. */
    uint64_t connections, engines, buffers, buffer_bytes, watches, files, timers;
    uint64_t parked_bytes; /* input of connections that are paused */
    uint64_t replicas;     /* contexts in use, counted once per worker */

    /* The rings: waits that entered the kernel, completions, receives started again for want of
     * buffers, operations that the kernel ended early, overflows, completions for what was gone,
     * receive buffers now lent to connections. */
    uint64_t ring_waits, ring_completions, ring_rearmed_buffers, ring_rearmed_ended;
    uint64_t ring_overflows, ring_stale, ring_buffers_lent;

    /* The earliest expiry of a certificate in the chains in use, in seconds since 1970; 0: none is
     * in use yet. lr_context_not_after() tells it of one context. */
    int64_t certificate_not_after;

    /* Of the process, where all workers are summed: what the library has allocated and not
     * freed. */
    uint64_t heap_blocks, heap_bytes;

    uint64_t refused_sources; /* LR_ESOURCE: reset at once; those at the gate are failures */

    /* What clients offered to resume and could not, each a full handshake then: sealed under a key
     * that is not there (any more); or not sealed here, for another policy, name or protocol, too
     * old, or of a client whose certificate holds no more. */
    uint64_t tickets_unknown_key, sessions_refused;

    uint64_t adopted; /* connections of lr_server_adopt(), which no listener took */
} lr_stats;           /* appended to, never reordered */
#define LR_STATS .size = sizeof(lr_stats)

/* The sum over all workers, and one worker's numbers. The caller sets out->size. */
LR_API LR_ANY lr_status lr_stats_read(const lr_workers *workers, lr_stats *out);
LR_API LR_ANY lr_status lr_stats_read_worker(const lr_workers *workers, uint32_t index,
                                             lr_stats *out);

typedef enum lr_stats_kind {
    LR_STATS_HANDSHAKE_NS = 1,
    LR_STATS_TURN_NS = 2,
    LR_STATS_BATCH = 3
} lr_stats_kind;

/* Values of at most upper and above the bucket before; upper is UINT64_MAX in the last one that
 * there can be. */
typedef struct lr_stats_bucket {
    uint64_t upper, count;
} lr_stats_bucket;

/* The finest view of a histogram: its buckets that are not empty, in order, at most cap of them,
 * and how many there are. worker: LR_NONE sums over all. 0 also for a worker or kind that is none.
 */
LR_API LR_ANY size_t lr_stats_buckets(const lr_workers *workers, uint32_t worker,
                                      lr_stats_kind kind, lr_stats_bucket *out, size_t cap);

#ifdef __cplusplus
}
#endif

#endif
