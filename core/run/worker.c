/* SPDX-License-Identifier: MIT */
/* core/run/worker.c: the turn of a worker.
 *
 * wait (submits what the last turn started) -> completions are handed to their objects, which note
 * what there is to do -> connections with input advance, one receive buffer each -> due timers ->
 * mailbox -> stop and drain flags -> connections with output are flushed. Nothing in it blocks,
 * locks or loops without a bound; in the steady state nothing allocates. When connections still
 * have input the next wait does not wait. */
#include "core/run/worker.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/run/conn.h"
#include "core/run/key_store.h"
#include "core/run/object.h"
#include "core/run/server.h"
#include "core/run/workers.h"

#include <sched.h>

enum {
    TRIM_AFTER_CLOSED = 256, /* connections closed since the last time */
    TRIM_QUIET_MS = 200
};

static bool seam_random(lr__current *current, void *out, size_t size)
{
    lr__ring *ring = LR_CONTAINER_OF(current, lr_worker, current)->ring;

    return ring->backend->random(ring, out, size);
}

static int64_t seam_wall_ms(lr__current *current)
{
    lr__ring *ring = LR_CONTAINER_OF(current, lr_worker, current)->ring;

    return ring->backend->wall_ms(ring);
}

/* After many connections have gone the allocator keeps what they had: give it back to the system
 * once, when it is quiet again. */
static void on_trim(lr__timer *timer)
{
    lr_worker *w = LR_CONTAINER_OF(timer, lr_worker, trim);

    w->closed_since_trim = 0;
    lr__mem_trim();
}

void lr__worker_conn_gone(lr_worker *w)
{
    if (++w->closed_since_trim >= TRIM_AFTER_CLOSED)
        lr__timer_arm(&w->timers, &w->trim, w->now_ns + TRIM_QUIET_MS * 1000000ull);
    for (uint32_t i = 0; i < w->listener_count; i++)
        lr__listener_retry(&w->listeners[i]);
}

lr_status lr__worker_open(lr_worker *w, lr_error *err)
{
    lr__ring_config config = {.recv_buffer_max = LR__RECV_BUFFER_MAX};
    lr_status status = w->workers->backend->open(w->workers->world, &config, &w->ring, err);

    if (status != LR_OK)
        return status;
    w->current.random = seam_random;
    w->current.wall_ms = seam_wall_ms;
    w->current.rand = &w->rand;
    lr__rand_init(&w->rand);
    w->now_ns = lr__ring_now(w->ring);
    lr__timers_init(&w->timers, w->now_ns);
    lr__timer_init(&w->trim, on_trim);
    LR_TRY(lr__worker_keys_open(w, err));
    w->held_count = LR__RECV_BUFFER_MAX;
    w->held = lr__alloc_zero(w->held_count, sizeof(*w->held));
    w->plaintext = lr__alloc(LR__PLAINTEXT_SIZE);
    if (!w->held || !w->plaintext)
        return lr__fail(err, LR_ENOMEM, "worker %u: out of memory", w->index);
    lr__objects_init(w);
    lr__mailbox_init(&w->mailbox);
    atomic_store(&w->wake_ring, w->ring);
    return LR_OK;
}

static void start_parts(lr_worker *w)
{
    lr_workers *workers = w->workers;

    for (uint32_t i = 0; i < workers->server_count; i++) {
        if (workers->servers[i])
            lr__part_start(&workers->servers[i]->parts[w->index]);
    }
}

static void dispatch_conn(lr_worker *w, const lr__completion *completion)
{
    lr_conn *c = lr__slab_find(&w->conns, lr__id_slot(completion->id) - LR__LISTENERS_MAX,
                               lr__id_generation(completion->id));

    LR_CHECK(c != NULL); /* a slot is not recycled before its close completed */
    switch ((lr__op)completion->op) {
    case LR__OP_RECV:
        lr__conn_on_recv(c, completion);
        break;
    case LR__OP_SEND:
        lr__conn_on_sent(c, completion);
        break;
    case LR__OP_CLOSE:
        lr__conn_on_closed(c);
        break;
    case LR__OP_CONNECT:
        lr__conn_on_connected(c, completion);
        break;
    case LR__OP_NONE:
    case LR__OP_ACCEPT:
    case LR__OP_POLL:
    case LR__OP_FILE:
    case LR__OP_COUNT:
        LR_UNREACHABLE();
    }
}

static void dispatch(lr_worker *w, const lr__completion *completion)
{
    uint32_t slot = lr__id_slot(completion->id);
    lr__listener *listener;

    if (slot >= LR__OBJECT_SLOT_FIRST) {
        lr__object_dispatch(w, completion);
        return;
    }
    if (slot >= LR__LISTENERS_MAX) {
        dispatch_conn(w, completion);
        return;
    }
    LR_CHECK(slot < w->listener_count);
    listener = &w->listeners[slot];
    if (completion->op == LR__OP_ACCEPT) {
        lr__listener_on_accept(listener, completion);
    } else {
        LR_CHECK(completion->op == LR__OP_CLOSE);
        lr__listener_on_close(listener);
    }
}

/* Those that were ready when it began; who becomes ready meanwhile waits for the next turn. */
static void advance(lr_worker *w)
{
    lr__list now, *node;

    lr__list_init(&now);
    lr__list_splice(&now, &w->ready);
    while ((node = lr__list_pop(&now)) != NULL)
        lr__conn_advance(LR_CONTAINER_OF(node, lr_conn, ready));
}

static void deliver(lr__message *message)
{
    while (message) {
        lr__message *next = message->next;

        message->deliver(message);
        message = next;
    }
}

static void flush(lr_worker *w)
{
    lr__list *node;

    while ((node = lr__list_pop(&w->flush)) != NULL)
        lr__conn_flush(LR_CONTAINER_OF(node, lr_conn, flush));
}

static void look_at_control(lr_worker *w)
{
    lr_workers *workers = w->workers;
    uint32_t control = atomic_load(&workers->control);

    if (control == w->control_seen)
        return;
    w->control_seen = control;
    for (uint32_t i = 0; i < workers->server_count; i++) {
        if (workers->servers[i])
            lr__part_control(&workers->servers[i]->parts[w->index]);
    }
}

static bool is_over(lr_worker *w)
{
    lr_workers *workers = w->workers;

    if (!atomic_load_explicit(&workers->stopping, memory_order_relaxed))
        return false;
    for (uint32_t i = 0; i < workers->server_count; i++) {
        if (workers->servers[i] && !lr__part_is_over(&workers->servers[i]->parts[w->index]))
            return false;
    }
    return w->file_requests == 0 && w->control_seen == atomic_load(&workers->control);
}

static void stop_parts(lr_worker *w)
{
    lr_workers *workers = w->workers;

    w->finishing = true; /* first: nothing new begins in on_worker_stop */
    for (uint32_t i = 0; i < workers->server_count; i++) {
        if (workers->servers[i])
            lr__part_stop(&workers->servers[i]->parts[w->index]);
    }
    lr__timer_cancel(&w->timers, &w->trim);
    lr__objects_close(w);
    lr__user_timers_free(w);
}

bool lr__worker_turn(lr_worker *w)
{
    lr__current *before = lr__current_set(&w->current);
    uint64_t deadline = 0;
    bool going = true;
    uint32_t count;

    if (!w->parts_started) {
        w->parts_started = true;
        start_parts(w);
    } else if (lr__list_is_empty(&w->ready)) {
        deadline = lr__timers_next(&w->timers);
    }
    count = lr__ring_wait(w->ring, deadline, w->completions, LR__COMPLETIONS_PER_TURN);
    w->now_ns = lr__ring_now(w->ring);
    lr__worker_keys_turn(w); /* first: while it slept any number may have come */
    for (uint32_t i = 0; i < count; i++)
        dispatch(w, &w->completions[i]);
    advance(w);
    (void)lr__timers_run(&w->timers, w->now_ns, LR__TIMERS_PER_TURN);
    deliver(lr__mailbox_take(&w->mailbox));
    look_at_control(w);
    flush(w);
    lr__stats_turn(w, count);
    if (!w->finishing && is_over(w))
        stop_parts(w);
    if (w->finishing && w->objects.live == 0 && w->asks.open == 0) {
        deliver(lr__mailbox_close(&w->mailbox));
        going = false;
    }
    (void)lr__current_set(before);
    return going;
}

/* Wakers may be inside the ring: nobody gets it from here on, and those who have it leave at once.
 */
static void close_ring(lr_worker *w)
{
    atomic_store(&w->wake_ring, NULL);
    while (atomic_load(&w->wakers) != 0)
        (void)sched_yield();
    w->ring->backend->close(w->ring);
    w->ring = NULL;
}

void lr__worker_close(lr_worker *w)
{
    lr__current *before;

    if (!w->ring)
        return;
    before = lr__current_set(&w->current);
    lr__worker_drop_replicas(w);
    lr__stats_publish(w);
    (void)lr__current_set(before);
    lr__worker_keys_close(w);
    lr__timers_fini(&w->timers);
    lr__slab_fini(&w->conns);
    lr__slab_fini(&w->objects);
    lr__buf_pool_fini(&w->buffers);
    lr__rand_fini(&w->rand);
    close_ring(w);
}

void lr__worker_free(lr_worker *w)
{
    if (!w)
        return;
    LR_CHECK(w->ring == NULL);
    lr__asks_fini(&w->asks);
    lr__free(w->held);
    lr__free(w->plaintext);
    lr__free(w);
}

void lr__worker_wake(lr_worker *w)
{
    lr__ring *ring;

    atomic_fetch_add(&w->wakers, 1);
    ring = atomic_load(&w->wake_ring);
    if (ring)
        lr__ring_wake(ring);
    atomic_fetch_sub(&w->wakers, 1);
}

uint64_t lr__worker_clock(lr_worker *w)
{
    uint64_t now_ns = 0;
    lr__ring *ring;

    atomic_fetch_add(&w->wakers, 1);
    ring = atomic_load(&w->wake_ring);
    if (ring)
        now_ns = lr__ring_clock(ring);
    atomic_fetch_sub(&w->wakers, 1);
    return now_ns;
}

bool lr__worker_post(lr_worker *w, lr__message *message)
{
    bool first;

    if (!lr__mailbox_post(&w->mailbox, message, &first))
        return false;
    if (first)
        lr__worker_wake(w);
    return true;
}

static lr__list *replica_bucket(lr_worker *w, const lr_context *context)
{
    uint64_t hash = (uint64_t)(uintptr_t)context * 0x9e3779b97f4a7c15ull; /* Fibonacci hashing */

    return &w->replicas[hash >> 56];
}

lr_status lr__worker_replica(lr_worker *w, lr_context *context, bool stores, lr__replica **out,
                             lr_error *err)
{
    lr__list *bucket = replica_bucket(w, context);
    lr__replica *found = NULL;

    for (lr__list *node = bucket->next; node != bucket && !found; node = node->next) {
        lr__replica *replica = LR_CONTAINER_OF(node, lr__replica, node);

        if (replica->context == context && replica->stores == stores && !replica->stale)
            found = replica;
    }
    if (!found) {
        LR_TRY(lr__replica_new(context, stores, lr__keys_keep_s(w), &found, err));
        lr__list_append(bucket, &found->node);
        found->not_after = lr_context_not_after(context);
        lr__stats_replica_came(w, found->not_after);
    } else if (found->conn_count == 0) {
        lr__list_remove(&found->idle);
        w->idle_replica_count--;
    }
    found->conn_count++;
    *out = found;
    return LR_OK;
}

static void free_replica(lr_worker *w, lr__replica *replica)
{
    int64_t not_after = replica->not_after;

    lr__replica_free(replica);
    lr__stats_replica_gone(w, not_after);
}

void lr__worker_drop_replicas(lr_worker *w)
{
    lr__list *node;

    while ((node = lr__list_pop(&w->idle_replicas)) != NULL)
        free_replica(w, LR_CONTAINER_OF(node, lr__replica, idle));
    w->idle_replica_count = 0;
    for (uint32_t i = 0; i < LR__REPLICA_BUCKETS; i++) {
        for (node = w->replicas[i].next; node != &w->replicas[i]; node = node->next)
            LR_CONTAINER_OF(node, lr__replica, node)->stale = true;
    }
}

void lr__worker_replica_done(lr_worker *w, lr__replica *replica)
{
    if (!replica || --replica->conn_count != 0)
        return;
    if (replica->stale) {
        free_replica(w, replica);
        return;
    }
    lr__list_append(&w->idle_replicas, &replica->idle);
    if (++w->idle_replica_count <= LR__IDLE_REPLICAS_MAX)
        return;
    w->idle_replica_count--;
    free_replica(w, LR_CONTAINER_OF(w->idle_replicas.next, lr__replica, idle));
}
