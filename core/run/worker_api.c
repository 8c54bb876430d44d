/* SPDX-License-Identifier: MIT */
/* core/run/worker_api.c: what a program may ask of a worker: clocks, timers, and posts from any
 * thread.
 *
 * A post is a message of its own on the heap: the mailbox takes it or says that the worker has
 * ended. Whatever the mailbox took is called, at the latest in the worker's last turn. */
#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/run/hooks.h"
#include "core/run/workers.h"

typedef struct post {
    lr__message message;
    lr_worker *worker;
    void (*fn)(lr_worker *worker, void *arg);
    void *arg;
} post;

typedef struct conn_post {
    lr__message message;
    lr_conn_id id;
    void (*fn)(lr_conn *or_null, void *arg);
    void *arg;
} conn_post;

uint32_t lr_worker_index(const lr_worker *worker)
{
    LR_CHECK(worker != NULL);
    return worker->index;
}

lr_workers *lr_worker_workers(const lr_worker *worker)
{
    LR_CHECK(worker != NULL);
    return worker->workers;
}

lr_worker *lr_workers_worker(lr_workers *workers, uint32_t index)
{
    LR_BUG_IF(!workers, NULL);
    return index < workers->count ? workers->list[index] : NULL;
}

static void deliver(lr__message *message)
{
    post it = *LR_CONTAINER_OF(message, post, message);
    uint64_t before = lr__hook_enter(it.worker, LR__HOOK_POST);

    lr__free(LR_CONTAINER_OF(message, post, message));
    it.fn(it.worker, it.arg);
    lr__hook_leave(it.worker, before);
}

lr_status lr_worker_post(lr_worker *worker, void (*fn)(lr_worker *worker, void *arg), void *arg)
{
    post *it;

    LR_BUG_IF(!worker || !fn, LR_EINVAL);
    it = lr__alloc(sizeof(*it));
    if (!it)
        return LR_ENOMEM;
    *it = (post){{NULL, deliver}, worker, fn, arg};
    if (lr__worker_post(worker, &it->message))
        return LR_OK;
    lr__free(it);
    return LR_EGONE;
}

static void deliver_to_conn(lr__message *message)
{
    conn_post it = *LR_CONTAINER_OF(message, conn_post, message);
    uint64_t before = lr__hook_enter(it.id.worker, LR__HOOK_POST);

    lr__free(LR_CONTAINER_OF(message, conn_post, message));
    it.fn(lr_conn_find(it.id), it.arg);
    lr__hook_leave(it.id.worker, before);
}

lr_status lr_conn_post(lr_conn_id id, void (*fn)(lr_conn *or_null, void *arg), void *arg)
{
    conn_post *it;

    LR_BUG_IF(!fn, LR_EINVAL);
    if (!id.worker)
        return LR_EINVAL;
    it = lr__alloc(sizeof(*it));
    if (!it)
        return LR_ENOMEM;
    *it = (conn_post){{NULL, deliver_to_conn}, id, fn, arg};
    if (lr__worker_post(id.worker, &it->message))
        return LR_OK;
    lr__free(it);
    return LR_EGONE;
}

uint64_t lr_worker_now_ns(const lr_worker *worker)
{
    LR_CHECK(worker != NULL);
    lr__dcheck_on_worker(worker);
    return worker->now_ns;
}

int64_t lr_worker_wall_ms(const lr_worker *worker)
{
    LR_CHECK(worker != NULL);
    lr__dcheck_on_worker(worker);
    return worker->ring->backend->wall_ms(worker->ring);
}

struct lr_timer {
    lr__timer timer;
    lr__list node; /* worker->user_timers */
    lr_worker *worker;
    void (*fire)(lr_timer *timer, void *user);
    void *user;
};

static void on_fire(lr__timer *timer)
{
    lr_timer *t = LR_CONTAINER_OF(timer, lr_timer, timer);
    lr_worker *w = t->worker;
    uint64_t before = lr__hook_enter(w, LR__HOOK_TIMER);

    t->fire(t, t->user);
    lr__hook_leave(w, before);
}

lr_status lr_timer_new(lr_worker *worker, void (*fire)(lr_timer *timer, void *user), void *user,
                       lr_timer **out)
{
    lr_timer *timer;

    LR_BUG_IF(!worker || !fire || !out, LR_EINVAL);
    lr__dcheck_on_worker(worker);
    *out = NULL;
    if (worker->finishing)
        return LR_ESTATE;
    timer = lr__alloc_zero(1, sizeof(*timer));
    if (!timer)
        return LR_ENOMEM;
    lr__timer_init(&timer->timer, on_fire);
    lr__list_append(&worker->user_timers, &timer->node);
    worker->live.timers++;
    timer->worker = worker;
    timer->fire = fire;
    timer->user = user;
    *out = timer;
    return LR_OK;
}

void lr_timer_set(lr_timer *timer, uint32_t delay_ms)
{
    LR_CHECK(timer != NULL);
    lr__dcheck_on_worker(timer->worker);
    lr__timer_arm(&timer->worker->timers, &timer->timer,
                  timer->worker->now_ns + (uint64_t)delay_ms * 1000000);
}

void lr_timer_cancel(lr_timer *timer)
{
    LR_CHECK(timer != NULL);
    lr__dcheck_on_worker(timer->worker);
    lr__timer_cancel(&timer->worker->timers, &timer->timer);
}

lr_worker *lr_timer_worker(const lr_timer *timer)
{
    LR_CHECK(timer != NULL);
    return timer->worker;
}

void lr_timer_free(lr_timer *timer)
{
    if (!timer)
        return;
    lr__dcheck_on_worker(timer->worker);
    lr__timer_cancel(&timer->worker->timers, &timer->timer);
    lr__list_remove(&timer->node);
    timer->worker->live.timers--;
    lr__free(timer);
}

void lr__user_timers_free(lr_worker *w)
{
    while (!lr__list_is_empty(&w->user_timers))
        lr_timer_free(LR_CONTAINER_OF(w->user_timers.next, lr_timer, node));
}
