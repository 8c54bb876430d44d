/* SPDX-License-Identifier: MIT */
/* core/run/workers.c: making, starting, stopping and ending a set of workers.
 *
 * A mutex and a condition serve the start alone: lr_workers_start() waits until each thread has its
 * ring or none. After that nothing is locked. Stopping raises flags and wakes; it touches atomics
 * and an eventfd only, so it may run in a signal handler. */
#include "core/run/workers.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/run/conn.h"
#include "core/run/key_store.h"
#include "core/run/server.h"
#include "core/run/steer.h"
#include "core/run/watchdog.h"
#include "core/run/worker.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

enum { ROTATION_S = 43200, KEEP_S = 7200 + 300, KEEP_MAX_S = 8 * 86400 };
#define NS_PER_S 1000000000ull

typedef struct start_line {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint32_t opened, failed, left; /* left: have heard the verdict */
    bool go, decided;
} start_line;

typedef struct thread_arg {
    lr_worker *worker;
    start_line *line;
} thread_arg;

static lr_status choose_backend(lr_workers *workers, lr_ring_choice choice, lr_error *err)
{
    lr_error refused;

    switch (choice) {
    case LR_RING_URING:
        workers->backend = &lr__backend_uring;
        return lr__backend_probe_uring(err);
    case LR_RING_EPOLL:
        workers->backend = &lr__backend_epoll;
        return lr__backend_probe_epoll(err);
    case LR_RING_DEFAULT:
    case LR_RING_AUTO:
        break;
    default:
        return lr__fail(err, LR_EOPTION, "ring: %d is not a choice", (int)choice);
    }
    workers->backend = &lr__backend_uring;
    if (lr__backend_probe_uring(&refused) == LR_OK)
        return LR_OK;
    workers->backend = &lr__backend_epoll;
    LR_TRY(lr__backend_probe_epoll(err));
    lr__log_line(&workers->log, LR_LOG_WARN, "ring_fallback ring=epoll why=\"%s\"", refused.text);
    return LR_OK;
}

static void free_workers(lr_workers *workers)
{
    if (workers->list) {
        for (uint32_t i = 0; i < workers->count; i++)
            lr__worker_free(workers->list[i]);
    }
    lr__free(workers->list);
    lr__key_store_free(workers->keys);
    lr__free(workers);
}

static lr_worker *worker_new(lr_workers *workers, uint32_t index, int cpu)
{
    lr_worker *w = lr__alloc_zero(1, sizeof(*w));

    if (!w)
        return NULL;
    w->workers = workers;
    w->index = index;
    w->cpu = cpu;
    lr__slab_init(&w->conns, sizeof(struct lr_conn), LR__CONNECTIONS_MAX);
    lr__buf_pool_init(&w->buffers);
    (void)lr__mailbox_close(&w->mailbox); /* until it begins */
    lr__list_init(&w->user_timers);
    lr__asks_init(&w->asks);
    for (uint32_t i = 0; i < LR__REPLICA_BUCKETS; i++)
        lr__list_init(&w->replicas[i]);
    lr__list_init(&w->idle_replicas);
    lr__list_init(&w->ready);
    lr__list_init(&w->flush);
    return w;
}

static lr_status make_workers(lr_workers *workers, const lr_workers_options *options, lr_error *err)
{
    int cpus[CPU_SETSIZE];
    uint32_t cpu_count = lr__cpus_allowed(cpus, CPU_SETSIZE);

    if (options->worker_count > LR__WORKERS_MAX)
        return lr__fail(err, LR_EOPTION, "worker_count: %u is above %d", options->worker_count,
                        LR__WORKERS_MAX);
    workers->count = options->worker_count ? options->worker_count : cpu_count;
    if (workers->count > LR__WORKERS_MAX)
        workers->count = LR__WORKERS_MAX;
    workers->pinned =
        options->pin == LR_ON || (options->pin != LR_OFF && workers->count <= cpu_count);
    workers->steer = options->steer;
    workers->stall_threshold_ms =
        options->stall_threshold_ms == LR_NONE ? 0 : options->stall_threshold_ms;
    workers->list = lr__alloc_zero(workers->count, sizeof(workers->list[0]));
    if (!workers->list)
        return lr__fail(err, LR_ENOMEM, "lr_workers: out of memory");
    for (uint32_t i = 0; i < workers->count; i++) {
        workers->list[i] = worker_new(workers, i, workers->pinned ? cpus[i % cpu_count] : -1);
        if (!workers->list[i])
            return lr__fail(err, LR_ENOMEM, "lr_workers: out of memory");
    }
    return LR_OK;
}

/* A set of keys has room for that many retired ones, and one more in case a rotation is late. */
static uint64_t keep_max_s(uint32_t rotation_s)
{
    return rotation_s ? (LR_TICKET_KEYS_MAX - 3ull) * rotation_s : UINT64_MAX;
}

static lr_status make_key_store(lr_workers *workers, const lr_workers_options *options,
                                lr_error *err)
{
    uint32_t rotation_s = options->ticket_rotation_s ? options->ticket_rotation_s : ROTATION_S;
    uint64_t keep_s = options->ticket_keep_s ? options->ticket_keep_s : KEEP_S;
    lr__key_store_options store = {.place_count = workers->count, .log = &workers->log};

    if (rotation_s == LR_NONE)
        rotation_s = 0;
    if (options->ticket_keep_s == LR_NONE)
        keep_s = 0;
    if (keep_s > KEEP_MAX_S)
        return lr__fail(err, LR_EOPTION, "ticket_keep_s: %u is above %d", options->ticket_keep_s,
                        KEEP_MAX_S);
    if (keep_s > keep_max_s(rotation_s)) {
        if (options->ticket_keep_s != 0)
            return lr__fail(err, LR_EOPTION,
                            "ticket_keep_s: %u is more than %d times ticket_rotation_s, %u",
                            options->ticket_keep_s, LR_TICKET_KEYS_MAX - 3, rotation_s);
        keep_s = keep_max_s(rotation_s);
    }
    store.period_ns = rotation_s ? rotation_s * NS_PER_S : LR__KEY_NEVER;
    store.keep_ns = keep_s * NS_PER_S;
    workers->keys = lr__key_store_new(&store);
    return workers->keys ? LR_OK : lr__fail(err, LR_ENOMEM, "lr_workers: out of memory");
}

static lr_status new_on(const lr_workers_options *given, const lr__backend *backend, void *world,
                        lr_workers **out, lr_error *err)
{
    lr_workers_options options = {.size = sizeof(options)};
    lr_workers *workers;
    lr_status status = LR_OK;

    *out = NULL;
    if (given)
        LR_TRY(lr__options_adopt(&options, sizeof(options), given, "lr_workers_options", err));
    workers = lr__alloc_zero(1, sizeof(*workers));
    if (!workers)
        return lr__fail(err, LR_ENOMEM, "lr_workers: out of memory");
    workers->log.sink = options.log;
    workers->log.user = options.log_user;
    workers->log.level = options.log_level;
    workers->backend = backend;
    workers->world = world;
    if (!backend)
        status = choose_backend(workers, options.ring, err);
    if (status == LR_OK)
        status = make_workers(workers, &options, err);
    if (status == LR_OK)
        status = make_key_store(workers, &options, err);
    if (status != LR_OK) {
        free_workers(workers);
        return status;
    }
    *out = workers;
    return LR_OK;
}

lr_status lr_workers_new(const lr_workers_options *options, lr_workers **out, lr_error *err)
{
    LR_BUG_IF(!out, LR_EINVAL);
    return new_on(options, NULL, NULL, out, err);
}

lr_status lr__workers_new_on(const lr_workers_options *options, const lr__backend *backend,
                             void *world, lr_workers **out, lr_error *err)
{
    LR_DCHECK(backend != NULL);
    return new_on(options, backend, world, out, err);
}

/* Says how opening went and waits for the verdict over all. */
static bool stand_in_line(start_line *line, bool opened)
{
    bool go;

    (void)pthread_mutex_lock(&line->mutex);
    if (opened)
        line->opened++;
    else
        line->failed++;
    (void)pthread_cond_broadcast(&line->changed);
    while (!line->decided)
        (void)pthread_cond_wait(&line->changed, &line->mutex);
    go = line->go;
    line->left++;
    (void)pthread_cond_broadcast(&line->changed);
    (void)pthread_mutex_unlock(&line->mutex);
    return go;
}

static void *worker_main(void *arg)
{
    thread_arg *given = arg;
    lr_worker *w = given->worker;
    start_line *line = given->line;
    lr_status status;

    lr__thread_settle(w->index, w->cpu);
    w->open_status = lr__worker_open(w, &w->open_error);
    status = w->open_status;
    /* arg and line are gone once this returns */
    if (stand_in_line(line, status == LR_OK)) {
        while (lr__worker_turn(w))
            continue;
    }
    lr__worker_close(w);
    return NULL;
}

/* Starts the threads; how many there are is told by the return value. */
static uint32_t spawn(lr_workers *workers, thread_arg *args, start_line *line, int *error)
{
    uint32_t i;

    *error = 0;
    for (i = 0; i < workers->count; i++) {
        lr_worker *w = workers->list[i];

        args[i] = (thread_arg){w, line};
        *error = pthread_create(&w->thread, NULL, worker_main, &args[i]);
        if (*error != 0)
            break;
        w->thread_started = true;
    }
    return i;
}

static lr_status first_failure(lr_workers *workers, lr_error *err)
{
    for (uint32_t i = 0; i < workers->count; i++) {
        lr_worker *w = workers->list[i];

        if (w->thread_started && w->open_status != LR_OK) {
            if (err)
                *err = w->open_error;
            return w->open_status;
        }
    }
    return LR_OK;
}

lr_status lr_workers_start(lr_workers *workers, lr_error *err)
{
    thread_arg args[LR__WORKERS_MAX];
    start_line line = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0, false, false};
    uint32_t spawned;
    int error;

    LR_BUG_IF(!workers, LR_EINVAL);
    if (atomic_exchange(&workers->begun, true))
        return lr__fail(err, LR_ESTATE, "lr_workers_start: these workers have been started");
    if (workers->stall_threshold_ms != 0)
        LR_TRY(lr__watchdog_start(workers, workers->stall_threshold_ms, &workers->watchdog, err));
    workers->started = true;
    for (uint32_t i = 0; i < workers->count; i++)
        atomic_store(&workers->list[i]->taken, true);
    spawned = spawn(workers, args, &line, &error);
    (void)pthread_mutex_lock(&line.mutex);
    while (line.opened + line.failed < spawned)
        (void)pthread_cond_wait(&line.changed, &line.mutex);
    line.go = error == 0 && line.failed == 0;
    line.decided = true;
    (void)pthread_cond_broadcast(&line.changed);
    while (line.left < spawned) /* the line is on this stack */
        (void)pthread_cond_wait(&line.changed, &line.mutex);
    (void)pthread_mutex_unlock(&line.mutex);
    if (line.go)
        return LR_OK;
    lr_workers_join(workers);
    if (error != 0)
        return lr__fail_sys(err, LR_ESYSTEM, error, "starting worker %u", spawned);
    return first_failure(workers, err);
}

void lr__workers_signal(lr_workers *workers)
{
    atomic_fetch_add(&workers->control, 1);
    for (uint32_t i = 0; i < workers->count; i++)
        lr__worker_wake(workers->list[i]);
}

uint64_t lr__workers_clock(lr_workers *workers)
{
    uint64_t now_ns = 0;

    for (uint32_t i = 0; i < workers->count && now_ns == 0; i++)
        now_ns = lr__worker_clock(workers->list[i]);
    return now_ns;
}

void lr_workers_stop(lr_workers *workers, uint32_t deadline_ms)
{
    if (!workers)
        return;
    for (uint32_t i = 0; i < workers->server_count; i++) {
        if (workers->servers[i])
            lr_server_drain(workers->servers[i], deadline_ms);
    }
    atomic_store(&workers->stopping, true);
    lr__workers_signal(workers);
}

void lr_workers_join(lr_workers *workers)
{
    if (!workers || !workers->started)
        return;
    for (uint32_t i = 0; i < workers->count; i++) {
        lr_worker *w = workers->list[i];

        if (!w->thread_started)
            continue;
        LR_CHECK(pthread_join(w->thread, NULL) == 0);
        w->thread_started = false;
    }
    lr__watchdog_end(workers->watchdog); /* the last: it looks at hooks of a drain too */
    workers->watchdog = NULL;
    workers->started = false;
}

lr_status lr_workers_run(lr_workers *workers, uint32_t index, lr_error *err)
{
    lr_status status;
    lr_worker *w;

    LR_BUG_IF(!workers || index >= workers->count, LR_EINVAL);
    w = workers->list[index];
    if (atomic_exchange(&w->taken, true))
        return lr__fail(err, LR_ESTATE, "lr_workers_run: worker %u has a thread, or had one",
                        index);
    atomic_store(&workers->begun, true);
    atomic_fetch_add(&workers->running, 1);
    status = lr__worker_open(w, err);
    while (status == LR_OK && lr__worker_turn(w))
        continue;
    lr__worker_close(w);
    atomic_fetch_sub(&workers->running, 1);
    return status;
}

bool lr__workers_are_running(const lr_workers *workers)
{
    return workers->started || atomic_load(&workers->running) != 0;
}

void lr_workers_free(lr_workers *workers)
{
    if (!workers)
        return;
    LR_CHECK(!lr__workers_are_running(workers));
    for (uint32_t i = 0; i < workers->server_count; i++)
        LR_CHECK(workers->servers[i] == NULL);
    free_workers(workers);
}

uint32_t lr_workers_count(const lr_workers *workers)
{
    LR_BUG_IF(!workers, 0);
    return workers->count;
}

const char *lr_workers_ring(const lr_workers *workers)
{
    LR_BUG_IF(!workers, "");
    return workers->backend->name;
}
