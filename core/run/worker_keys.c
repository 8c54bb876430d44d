/* SPDX-License-Identifier: MIT */
/* core/run/worker_keys.c: the ticket keys as workers and programs see them: clocks, timers and
 * wakes around core/run/key_store.h. */
#include "core/base/check.h"
#include "core/base/status.h"
#include "core/run/key_store.h"
#include "core/run/worker.h"
#include "core/run/workers.h"

/* A set was published: whoever sleeps takes it into use too. */
static void wake_all(lr_workers *workers)
{
    for (uint32_t i = 0; i < workers->count; i++)
        lr__worker_wake(workers->list[i]);
}

static void arm(lr_worker *w)
{
    uint64_t next_ns = lr__key_store_next(w->workers->keys, w->index, w->now_ns);

    if (next_ns == LR__KEY_NEVER)
        lr__timer_cancel(&w->timers, &w->key_timer);
    else
        lr__timer_arm(&w->timers, &w->key_timer, next_ns);
}

/* Every worker has one: the first that gets the lock does what is due for all. */
static void on_key_timer(lr__timer *timer)
{
    lr_worker *w = LR_CONTAINER_OF(timer, lr_worker, key_timer);

    if (lr__key_store_tend(w->workers->keys, w->now_ns))
        wake_all(w->workers);
    arm(w);
}

lr_status lr__worker_keys_open(lr_worker *w, lr_error *err)
{
    lr__current *before = lr__current_set(&w->current); /* draws through the seam */
    lr_status status = lr__key_store_enter(w->workers->keys, w->index, w->now_ns, err);

    (void)lr__current_set(before);
    lr__timer_init(&w->key_timer, on_key_timer);
    if (status == LR_OK)
        arm(w);
    return status;
}

void lr__worker_keys_close(lr_worker *w)
{
    lr__timer_cancel(&w->timers, &w->key_timer);
    if (lr__key_store_leave(w->workers->keys, w->index))
        wake_all(w->workers);
}

void lr__worker_keys_turn(lr_worker *w)
{
    if (LR_LIKELY(!lr__key_store_has_news(w->workers->keys, w->index)))
        return;
    if (lr__key_store_adopt(w->workers->keys, w->index, w->now_ns))
        wake_all(w->workers);
    arm(w);
}

const lr__key_set *lr__keys_pin(lr_worker *w)
{
    lr__dcheck_on_worker(w);
    return lr__key_store_pin(w->workers->keys, w->index);
}

void lr__keys_unpin(lr_worker *w, const lr__key_set *set)
{
    lr__dcheck_on_worker(w);
    if (set && lr__key_store_unpin(w->workers->keys, w->index, set))
        wake_all(w->workers);
}

uint32_t lr__keys_keep_s(const lr_worker *w)
{
    return (uint32_t)(w->workers->keys->options.keep_ns / 1000000000);
}

lr_status lr_workers_set_ticket_keys(lr_workers *workers, const lr_ticket_keys *keys, lr_error *err)
{
    bool published = false;
    lr_status status;

    LR_BUG_IF(!workers || !keys, LR_EINVAL);
    status = lr__key_store_give(workers->keys, keys, lr__workers_clock(workers), &published, err);
    if (published)
        wake_all(workers);
    return status;
}

lr_status lr_workers_set_ticket_key(lr_workers *workers, lr_slice key, lr_error *err)
{
    lr_ticket_keys *keys;
    lr_status status;

    LR_BUG_IF(!workers || (!key.bytes && key.len != 0), LR_EINVAL);
    keys = lr_ticket_keys_new();
    if (!keys)
        return lr__fail(err, LR_ENOMEM, "ticket keys: out of memory");
    status = lr_ticket_keys_add(keys, key, err);
    if (status == LR_OK)
        status = lr_workers_set_ticket_keys(workers, keys, err);
    lr_ticket_keys_free(keys);
    return status;
}

lr_status lr_workers_rotate_ticket_keys(lr_workers *workers, lr_error *err)
{
    bool published = false;
    lr_status status;

    LR_BUG_IF(!workers, LR_EINVAL);
    status = lr__key_store_rotate(workers->keys, lr__workers_clock(workers), &published, err);
    if (published)
        wake_all(workers);
    return status;
}

lr_status lr_workers_get_ticket_keys(const lr_workers *workers, lr_ticket_keys *out, lr_error *err)
{
    LR_BUG_IF(!workers || !out, LR_EINVAL);
    return lr__key_store_copy(workers->keys, out, err);
}

bool lr_workers_get_ticket_key(const lr_workers *workers, uint8_t out[LR_TICKET_KEY_SIZE])
{
    lr_ticket_keys *keys;
    bool found = false;

    LR_BUG_IF(!workers || !out, false);
    keys = lr_ticket_keys_new();
    if (keys && lr__key_store_copy(workers->keys, keys, NULL) == LR_OK)
        found = lr_ticket_keys_get(keys, keys->has_next, out);
    lr_ticket_keys_free(keys);
    return found;
}
