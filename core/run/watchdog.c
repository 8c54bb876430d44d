/* SPDX-License-Identifier: MIT */
/* core/run/watchdog.c: see watchdog.h.
 *
 * The thread sleeps on a condition with a deadline, so that lr_workers_join() can end it at once;
 * the mutex belongs to that sleep, no worker ever takes it. A hook word names one call of a hook:
 * if it is the same in two looks, that call has lasted at least from the first to the second, so
 * what is said is never too much, and a stall is seen at most a quarter of the threshold late. */
#include "core/run/watchdog.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/io/socket.h"
#include "core/run/hooks.h"
#include "core/run/workers.h"

#include <errno.h>
#include <time.h>

enum { LOOKS_PER_THRESHOLD = 4 };

typedef struct watched {
    uint64_t word; /* as it was seen last; 0 in the low byte: in no hook */
    uint64_t since_ns;
    bool said;
} watched;

struct lr__watchdog {
    lr_workers *workers;
    uint64_t threshold_ns;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool over;    /* under the mutex */
    watched of[]; /* by worker */
};

static void look(lr__watchdog *watchdog, lr_worker *w, watched *of, uint64_t now_ns)
{
    uint64_t word = atomic_load_explicit(&w->hook, memory_order_relaxed);
    lr__hook hook = (lr__hook)(word & 0xff);

    if (hook == LR__HOOK_NONE || word != of->word) {
        *of = (watched){word, now_ns, false};
        return;
    }
    if (of->said || now_ns - of->since_ns < watchdog->threshold_ns)
        return;
    of->said = true;
    lr__stats_add(&w->stats, LR__STAT_hooks_stalled, 1);
    lr__log_line(&watchdog->workers->log, LR_LOG_WARN, "hook_stalled worker=%u hook=%s ms>=%llu",
                 w->index, lr__hook_name(hook),
                 (unsigned long long)((now_ns - of->since_ns) / 1000000));
}

/* False: it was ended. */
static bool sleep_until(lr__watchdog *watchdog, uint64_t deadline_ns)
{
    struct timespec at = {.tv_sec = (time_t)(deadline_ns / 1000000000),
                          .tv_nsec = (long)(deadline_ns % 1000000000)};
    bool going;

    (void)pthread_mutex_lock(&watchdog->mutex);
    while (!watchdog->over &&
           pthread_cond_timedwait(&watchdog->changed, &watchdog->mutex, &at) != ETIMEDOUT)
        continue;
    going = !watchdog->over;
    (void)pthread_mutex_unlock(&watchdog->mutex);
    return going;
}

static void *watch(void *arg)
{
    lr__watchdog *watchdog = arg;
    lr_workers *workers = watchdog->workers;
    uint64_t now_ns = lr__clock_now();

    while (sleep_until(watchdog, now_ns + watchdog->threshold_ns / LOOKS_PER_THRESHOLD)) {
        now_ns = lr__clock_now();
        for (uint32_t i = 0; i < workers->count; i++)
            look(watchdog, workers->list[i], &watchdog->of[i], now_ns);
    }
    return NULL;
}

/* Deadlines on the clock that nobody sets. */
static void init_sleep(lr__watchdog *watchdog)
{
    pthread_condattr_t attributes;

    (void)pthread_mutex_init(&watchdog->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&watchdog->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

static void free_watchdog(lr__watchdog *watchdog)
{
    (void)pthread_cond_destroy(&watchdog->changed);
    (void)pthread_mutex_destroy(&watchdog->mutex);
    lr__free(watchdog);
}

lr_status lr__watchdog_start(lr_workers *workers, uint32_t threshold_ms, lr__watchdog **out,
                             lr_error *err)
{
    lr__watchdog *watchdog =
        lr__alloc_zero(1, sizeof(*watchdog) + workers->count * sizeof(watchdog->of[0]));
    int error;

    LR_DCHECK(threshold_ms != 0);
    *out = NULL;
    if (!watchdog)
        return lr__fail(err, LR_ENOMEM, "lr_workers_start: out of memory");
    watchdog->workers = workers;
    watchdog->threshold_ns = (uint64_t)threshold_ms * 1000000;
    init_sleep(watchdog);
    error = pthread_create(&watchdog->thread, NULL, watch, watchdog);
    if (error != 0) {
        free_watchdog(watchdog);
        return lr__fail_sys(err, LR_ESYSTEM, error, "starting the watchdog");
    }
    *out = watchdog;
    return LR_OK;
}

void lr__watchdog_end(lr__watchdog *watchdog)
{
    if (!watchdog)
        return;
    (void)pthread_mutex_lock(&watchdog->mutex);
    watchdog->over = true;
    (void)pthread_cond_signal(&watchdog->changed);
    (void)pthread_mutex_unlock(&watchdog->mutex);
    LR_CHECK(pthread_join(watchdog->thread, NULL) == 0);
    free_watchdog(watchdog);
}
