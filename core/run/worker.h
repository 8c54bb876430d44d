/* SPDX-License-Identifier: MIT */
/* core/run/worker.h: one worker: a ring, timers, connections, buffers, and the turn that drives
 * them.
 *
 * Everything in it belongs to the worker's thread, except what is marked _Atomic (docs/threads.md).
 * The simulation runs several of them on one thread by calling lr__worker_turn() itself. */
#ifndef LR_CORE_RUN_WORKER_H
#define LR_CORE_RUN_WORKER_H

#include "core/base/buf.h"
#include "core/base/check.h"
#include "core/base/current.h"
#include "core/base/list.h"
#include "core/base/log.h"
#include "core/base/mailbox.h"
#include "core/base/slab.h"
#include "core/base/timer.h"
#include "core/io/ring.h"
#include "core/run/ask.h"
#include "core/run/listener.h"
#include "core/run/stats.h"
#include "core/tls/context.h"
#include "core/tls/rand.h"

#include <lockring/workers.h>

#include <pthread.h>
#include <stdatomic.h>

enum {
    LR__WORKERS_MAX = 256,
    LR__COMPLETIONS_PER_TURN = 256,
    LR__TIMERS_PER_TURN = 1024,
    LR__PLAINTEXT_SIZE = 16384 + 256,
    LR__REPLICA_BUCKETS = 256,
    LR__IDLE_REPLICAS_MAX = 64, /* kept for the next connection */
    LR__OBJECT_SLOT_FIRST = LR__SLAB_SLOT_MAX / 2,
    LR__CONNECTIONS_MAX = LR__OBJECT_SLOT_FIRST - LR__LISTENERS_MAX
};

/* Ring slots: listeners first, then the connection slab's, and from the middle on the objects'. */
static inline lr__id lr__conn_ring_id(uint32_t slot, uint32_t generation)
{
    return lr__id_make(slot + LR__LISTENERS_MAX, generation);
}

/* Input that waits for its connection, one entry per receive buffer, chained by index. */
typedef struct lr__held {
    const uint8_t *data;
    uint32_t len;
    uint16_t next; /* LR__NO_BUFFER: the last */
} lr__held;

typedef struct lr_worker {
    lr__current current; /* first: lr__current_get() is this worker */
    lr_workers *workers;
    uint32_t index;
    int cpu; /* pinned to, -1: not */
    lr__ring *ring;
    uint64_t now_ns; /* of this turn */
    lr__timers timers;
    lr__slab conns;
    lr__slab objects;       /* watches and files (core/run/object.h) */
    uint32_t file_requests; /* of them under way */
    lr__asks asks;
    lr__list user_timers; /* lr_timer.node */
    lr__buf_pool buffers;
    lr__rand rand;
    lr__list replicas[LR__REPLICA_BUCKETS]; /* lr__replica.node, by context */
    lr__list idle_replicas;                 /* lr__replica.idle, the longest idle first */
    uint32_t idle_replica_count;
    lr__list ready; /* lr_conn.ready: have input to be advanced next turn */
    lr__list flush; /* lr_conn.flush: have output to be sealed and sent this turn */
    lr__held *held; /* [held_count], by receive buffer */
    uint32_t held_count;
    uint8_t *plaintext; /* LR__PLAINTEXT_SIZE: what on_data sees */
    lr__listener listeners[LR__LISTENERS_MAX];
    uint32_t listener_count;
    lr__log_limit log_limit;
    bool parts_started; /* the first turn starts the servers' parts */
    bool finishing;     /* and they have been stopped: only objects are left */
    uint64_t hook_calls;
    uint32_t control_seen; /* of workers->control */
    uint32_t closed_since_trim;
    lr__live live;
    lr__stats stats; /* written by the worker, read by any thread */
    lr__timer trim;
    lr__timer key_timer; /* when something is due in the store of ticket keys */
    lr__completion completions[LR__COMPLETIONS_PER_TURN];

    _Atomic uint64_t hook; /* which hook it is in (core/run/hooks.h); written by the worker, read
                            * by the watchdog (relaxed) */
    _Atomic bool taken;    /* a thread runs it, or did: set once by that thread */

    pthread_t thread;
    bool thread_started;
    lr_status open_status; /* of its ring, read by lr_workers_start() after the hand-shake there */
    lr_error open_error;
    lr__mailbox mailbox;           /* any thread posts, this worker takes */
    _Atomic(lr__ring *) wake_ring; /* null before the ring is open and when it is to be closed;
                                    * written by the worker, read by any thread to wake */
    _Atomic uint32_t wakers;       /* threads between reading wake_ring and having used it */
} lr_worker;

/* Opens the ring and everything else on the calling thread, which owns the worker from then on. */
lr_status lr__worker_open(lr_worker *w, lr_error *err);
/* One turn: wait, advance, timers, mailbox, flush. False: stopped and nothing is left. */
bool lr__worker_turn(lr_worker *w);
/* Gives everything back on the worker's thread; everything must have ended. */
void lr__worker_close(lr_worker *w);
/* Any thread, after the worker's has ended. Null is allowed. */
void lr__worker_free(lr_worker *w);

/* Any thread, async-signal-safe: makes the worker look at stop and drain flags. */
void lr__worker_wake(lr_worker *w);
/* Any thread: the monotonic clock of its ring; 0: it has none. */
uint64_t lr__worker_clock(lr_worker *w);
/* Any thread: deliver runs on the worker and owns the message from then on. False: the worker has
 * not begun or has ended, and the message is still the caller's. */
bool lr__worker_post(lr_worker *w, lr__message *message);
void lr__user_timers_free(lr_worker *w); /* those that the program left */

/* The worker's replica of a context, made on first use, for one connection more; and one less.
 * Those that nobody uses are kept up to a number, so that many contexts cost memory only when used.
 */
lr_status lr__worker_replica(lr_worker *w, lr_context *context, bool stores, lr__replica **out,
                             lr_error *err);
void lr__worker_replica_done(lr_worker *w, lr__replica *replica); /* null is allowed */
/* Contexts have changed: replicas go as soon as nobody uses them, and are made anew on use. */
void lr__worker_drop_replicas(lr_worker *w);

/* A connection of this worker has gone: descriptors and memory may be free again. */
void lr__worker_conn_gone(lr_worker *w);

static inline void lr__dcheck_on_worker(const lr_worker *w)
{
    LR_DCHECK(lr__current_get() == &w->current);
    (void)w;
}

#endif
