/* SPDX-License-Identifier: MIT */
/* core/run/workers.h: what the workers of one lr_workers share.
 *
 * Written while nothing runs, read by all, except what is marked _Atomic (docs/threads.md). */
#ifndef LR_CORE_RUN_WORKERS_H
#define LR_CORE_RUN_WORKERS_H

#include "core/base/log.h"
#include "core/io/ring.h"

#include <lockring/workers.h>

#include <stdatomic.h>

struct lr_server;
struct lr__watchdog;
struct lr__key_store;

enum { LR__SERVERS_MAX = 64 };

struct lr_workers {
    lr__log log;
    const lr__backend *backend;
    void *world; /* of the simulated back end; null otherwise */
    uint32_t count;
    bool pinned;
    lr_toggle steer;
    uint32_t stall_threshold_ms;   /* 0: no watchdog */
    struct lr__watchdog *watchdog; /* while threads of ours run */
    struct lr__key_store *keys;    /* ticket keys */
    bool started;                  /* threads of ours have been started, and not yet joined */
    struct lr_worker **list;
    struct lr_server *servers[LR__SERVERS_MAX]; /* null where one was freed */
    uint32_t server_count;

    _Atomic bool begun;          /* some worker has had a thread: set by start and run */
    _Atomic uint32_t running;    /* threads inside lr_workers_run() */
    _Atomic uint32_t control;    /* raised by stop and drain, from any thread; workers compare */
    _Atomic bool imbalance_said; /* set by the first worker that sees it, which logs it */
    _Atomic bool stopping; /* set once, by any thread: end when the last connection has ended */
};

/* lr_workers_new() for a back end and a world of the caller's: simulation. */
lr_status lr__workers_new_on(const lr_workers_options *options, const lr__backend *backend,
                             void *world, lr_workers **out, lr_error *err);

/* Is any thread in a worker, or may be? */
bool lr__workers_are_running(const lr_workers *workers);

/* Raises control and wakes every worker. Async-signal-safe. */
void lr__workers_signal(lr_workers *workers);

/* The monotonic clock of its workers, any thread; 0: none of them runs. */
uint64_t lr__workers_clock(lr_workers *workers);

#endif
