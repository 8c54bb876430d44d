/* SPDX-License-Identifier: MIT */
/* core/run/conn_write.c: output of a connection.
 *
 * lr_conn_write() and its kin -> queue (core/run/outq.h) -> sealed (records, at most one send's
 * worth ahead) -> sending (the ring's) -> kernel. Pieces of a fragment or more go straight from the
 * source into records when nothing waits in front of them. Handshake messages, alerts and
 * close_notify come from the engine directly into sealed; a plain connection's bytes are copied
 * there as they are. One send is in flight per connection; a turn starts at most one. All of it
 * counts against the queue's bounds. An idle connection holds none of it.
 *
 * What a program borrowed to us or streams is told by callbacks, which may do anything to the
 * connection: after each of them its state is asked again. */
#include "core/run/conn.h"

#include "core/base/status.h"
#include "core/run/hooks.h"
#include "core/run/workers.h"

#include <string.h>

enum {
    RECORD_OVERHEAD = 5 + 8 + 16 + 1 /* header, explicit nonce (1.2), tag, type (1.3) */
};

size_t lr_conn_queued(const lr_conn *c)
{
    return c->queue.bytes + lr__buf_len(&c->sealed) - c->own_sealed + lr__buf_len(&c->sending) -
           c->own_sending;
}

void lr__conn_schedule_flush(lr_conn *c)
{
    if (lr__list_is_empty(&c->flush) && !lr__conn_is_over(c))
        lr__list_append(&c->worker->flush, &c->flush);
}

void lr__conn_mark_queue(lr_conn *c)
{
    if (lr_conn_queued(c) > LR__QUEUE_HIGH)
        c->above_high = true;
}

/* Before there is an engine no peer has said what it takes. */
static uint32_t fragment_max(const lr_conn *c)
{
    uint32_t peer_max = c->engine ? lr__engine_fragment_max(c->engine) : LR__FRAGMENT_MAX;
    uint32_t own = c->fragment_size_max;

    if (own == 0 && c->replica)
        own = c->replica->context->fragment_size_max;
    if (own == 0)
        own = c->part->server->fragment_size_max;
    return own < peer_max ? own : peer_max;
}

uint32_t lr_conn_fragment_size_max(const lr_conn *c)
{
    LR_BUG_IF(!c, 0);
    lr__dcheck_on_worker(c->worker);
    return c->is_tls ? fragment_max(c) : LR__FRAGMENT_MAX;
}

/* How many bytes the next records that fit one send may take of len. */
static size_t send_room(const lr_conn *c, uint32_t fragment)
{
    size_t sealed = lr__buf_len(&c->sealed);
    size_t records =
        LR__BLOCK_SEND > sealed ? (LR__BLOCK_SEND - sealed) / (fragment + RECORD_OVERHEAD) : 0;
    size_t room = records * fragment;

    return room < LR__SEND_MAX ? room : LR__SEND_MAX;
}

static void fail_memory(lr_conn *c)
{
    lr__conn_fail_as(c, LR_ENOMEM, "out of memory for output");
}

static bool seal(lr_conn *c, lr_slice bytes)
{
    lr_error why;

    if (!c->is_tls) {
        if (lr__buf_append(&c->sealed, &c->worker->buffers, bytes))
            return true;
        fail_memory(c);
        return false;
    }
    if (lr__engine_write(c->engine, bytes, &why) == LR_OK)
        return true;
    lr__conn_fail(c, &why, false);
    return false;
}

static bool reserve_sealed(lr_conn *c, size_t plain, uint32_t fragment)
{
    size_t records = (plain + fragment - 1) / fragment;

    return lr__buf_reserve(&c->sealed, &c->worker->buffers, plain + records * RECORD_OVERHEAD);
}

static lr_status may_write(const lr_conn *c)
{
    lr__dcheck_on_worker(c->worker);
    if (c->state < LR__CONN_OPEN)
        return LR_ESTATE;
    if (c->state != LR__CONN_OPEN || c->write_ended)
        return LR_ECLOSED;
    return LR_OK;
}

/* Is there room in the queue for len bytes more that are copied? */
static lr_status has_room(lr_conn *c, size_t len)
{
    if (lr_conn_queued(c) + len <= LR__QUEUE_HARD)
        return LR_OK;
    if (len <= LR__QUEUE_HARD)
        c->above_high = true; /* something waits: on_drain tells when to try again */
    return LR_EAGAIN;
}

static void wrote(lr_conn *c, size_t len)
{
    c->bytes.app_out += len;
    lr__stats_add(&c->worker->stats, LR__STAT_app_out, len);
    lr__conn_mark_queue(c);
    lr__conn_schedule_flush(c);
}

lr_status lr_conn_write(lr_conn *c, lr_slice bytes)
{
    uint32_t fragment;
    size_t direct = 0;
    lr_slice rest;

    LR_BUG_IF(!c || (!bytes.bytes && bytes.len != 0), LR_EINVAL);
    LR_TRY(may_write(c));
    if (bytes.len == 0)
        return LR_OK;
    LR_TRY(has_room(c, bytes.len));
    fragment = fragment_max(c);
    if (lr__outq_is_empty(&c->queue) && !c->send_armed && bytes.len >= fragment) {
        size_t room = send_room(c, fragment);

        direct = (bytes.len < room ? bytes.len : room) / fragment * fragment;
        if (direct != 0 && !reserve_sealed(c, direct, fragment))
            return LR_ENOMEM;
    }
    rest = lr_slice_of(bytes.bytes + direct, bytes.len - direct);
    if (!lr__outq_copy(&c->queue, &c->worker->buffers, &rest, 1))
        return LR_ENOMEM;
    for (size_t at = 0; at < direct; at += fragment) {
        if (!seal(c, lr_slice_of(bytes.bytes + at, fragment)))
            return LR_ECLOSED;
    }
    wrote(c, bytes.len);
    return LR_OK;
}

lr_status lr_conn_writev(lr_conn *c, const lr_slice *pieces, size_t count)
{
    size_t len = 0;

    LR_BUG_IF(!c || (!pieces && count != 0), LR_EINVAL);
    for (size_t i = 0; i < count; i++) {
        LR_BUG_IF(!pieces[i].bytes && pieces[i].len != 0, LR_EINVAL);
        if (pieces[i].len > SIZE_MAX / 2 - len)
            return LR_EAGAIN;
        len += pieces[i].len;
    }
    LR_TRY(may_write(c));
    if (len == 0)
        return LR_OK;
    LR_TRY(has_room(c, len));
    if (!lr__outq_copy(&c->queue, &c->worker->buffers, pieces, count))
        return LR_ENOMEM;
    wrote(c, len);
    return LR_OK;
}

lr_status lr_conn_write_take(lr_conn *c, lr_slice bytes, void (*release)(void *arg), void *arg)
{
    LR_BUG_IF(!c || (!bytes.bytes && bytes.len != 0), LR_EINVAL);
    LR_TRY(may_write(c));
    if (bytes.len == 0) {
        if (release)
            release(arg);
        return LR_OK;
    }
    LR_TRY(has_room(c, 0));
    if (!lr__outq_take(&c->queue, bytes, release, arg))
        return LR_ENOMEM;
    wrote(c, bytes.len);
    return LR_OK;
}

lr_status lr_conn_write_source(lr_conn *c, const lr_source *source)
{
    LR_BUG_IF(!c || !source || !source->pull, LR_EINVAL);
    LR_TRY(may_write(c));
    LR_TRY(has_room(c, 0));
    if (!lr__outq_source(&c->queue, source))
        return LR_ENOMEM;
    lr__conn_schedule_flush(c);
    return LR_OK;
}

void lr_conn_source_ready(lr_conn *c)
{
    LR_CHECK(c != NULL);
    lr__dcheck_on_worker(c->worker);
    lr__outq_stream_ready(&c->queue);
    lr__conn_schedule_flush(c);
}

/* Asks the stream in front for at most want bytes, into the worker's plaintext buffer, which nobody
 * else uses while output is flushed. 0: nothing came, and the queue may have moved on or the
 * connection ended. */
static size_t pull(lr_conn *c, const lr_source *source, size_t want)
{
    lr_worker *w = c->worker;
    uint64_t before = lr__hook_enter(w, LR__HOOK_PULL);
    int64_t got = source->pull(c, w->plaintext, want, source->arg);

    lr__hook_leave(w, before);
    if (lr__conn_is_over(c))
        return 0;
    LR_CHECK(got <= (int64_t)want); /* it wrote beyond what it was given */
    if (got > 0) {
        c->bytes.app_out += (uint64_t)got;
        lr__stats_add(&w->stats, LR__STAT_app_out, (uint64_t)got);
        return (size_t)got;
    }
    if (got == 0)
        lr__outq_stream_ended(&c->queue, c);
    else if (got == LR_EAGAIN)
        lr__outq_stream_waits(&c->queue);
    else
        lr_conn_abort(c, (lr_status)got);
    return 0;
}

/* Seals what is in front of the queue, at most want bytes and one record. 0: there is nothing now,
 * or the connection is over. */
static size_t seal_front(lr_conn *c, size_t want, uint32_t fragment)
{
    lr_slice piece = lr__outq_front(&c->queue);

    want = want < fragment ? want : fragment;
    if (piece.len != 0) {
        want = want < piece.len ? want : piece.len;
        if (!seal(c, lr_slice_of(piece.bytes, want)))
            return 0;
        lr__outq_consume(&c->queue, &c->worker->buffers, want);
        return want;
    }
    for (const lr_source *source; (source = lr__outq_stream(&c->queue)) != NULL;) {
        size_t got = pull(c, source, want);

        if (got != 0)
            return seal(c, lr_slice_of(c->worker->plaintext, got)) ? got : 0;
        if (lr__conn_is_over(c))
            return 0;
        if (lr__outq_front(&c->queue).len != 0) /* behind the stream's end */
            return seal_front(c, want, fragment);
    }
    return 0;
}

/* Seals what waits, up to one send's worth. False: the connection is over. */
static bool seal_queue(lr_conn *c)
{
    uint32_t fragment = fragment_max(c);
    size_t room = send_room(c, fragment);
    size_t want = c->queue.bytes < room && c->queue.streams == 0 ? c->queue.bytes : room;

    if (want == 0 || !lr__outq_has_now(&c->queue))
        return true;
    if (!reserve_sealed(c, want, fragment)) {
        fail_memory(c);
        return false;
    }
    while (room != 0 && seal_front(c, room, fragment) != 0 && !lr__conn_is_over(c))
        room = send_room(c, fragment);
    if (lr__conn_is_over(c))
        return false;
    if (lr__buf_len(&c->sealed) == 0)
        lr__buf_drop(&c->sealed, &c->worker->buffers);
    return true;
}

/* ENDING and nothing is left to send: FIN, then linger for the peer's. */
static void finish_output(lr_conn *c)
{
    lr_worker *w = c->worker;

    if (c->ending == LR__ENDING_FIN)
        return;
    if (c->ending == LR__ENDING_CLEAN && c->engine)
        lr__stats_alert(&w->stats, true, 0); /* close_notify */
    c->ending = LR__ENDING_FIN;
    if (c->fin_received || w->ring->backend->shutdown_write(w->ring, c->sock) != 0) {
        lr__conn_close(c, false);
        return;
    }
    lr__conn_arm_deadline(c, w->now_ns, LR__LINGER_MS);
    lr__conn_schedule_ready(c);
}

/* lr_conn_end_write(), and nothing is left to send: FIN, and reading goes on. If it fails the
 * connection is gone, which its receive will tell. */
static void finish_write(lr_conn *c)
{
    lr_worker *w = c->worker;

    c->fin_sent = true;
    (void)w->ring->backend->shutdown_write(w->ring, c->sock);
}

/* Everything that the program wrote is sealed, and there will be no more. */
static bool is_written(const lr_conn *c)
{
    if (!lr__outq_is_empty(&c->queue))
        return false;
    return c->state == LR__CONN_ENDING ? c->ending == LR__ENDING_CLEAN : c->write_ended;
}

static void below_low(lr_conn *c)
{
    /* What is pulled ahead of a stream is as much as the low mark for as long as the stream lasts:
     * counted, it would keep the connection from reading all that time. */
    size_t waits = c->queue.streams != 0 ? c->queue.bytes : lr_conn_queued(c);

    if (!c->above_high || waits >= LR__QUEUE_LOW)
        return;
    c->above_high = false;
    lr__conn_schedule_ready(c);
    if (c->state == LR__CONN_OPEN && !c->write_ended)
        (void)lr__hook_conn(c, LR__HOOK_DRAIN, c->part->server->handlers.on_drain);
}

void lr__conn_flush(lr_conn *c)
{
    if (c->send_armed || lr__conn_is_over(c) || lr__conn_is_storing(c))
        return; /* goes on when the send is through, or the sessions are stored */
    if (!lr__outq_is_empty(&c->queue) && !seal_queue(c))
        return;
    if (is_written(c) && c->engine)
        lr__engine_end(c->engine);
    if (c->fin_sent) /* the engine answers a KeyUpdate even then */
        lr__buf_drop(&c->sealed, &c->worker->buffers);
    if (lr__buf_len(&c->sealed) != 0) {
        LR_DCHECK(lr__buf_len(&c->sending) == 0);
        c->sending = c->sealed;
        c->own_sending = c->own_sealed;
        memset(&c->sealed, 0, sizeof(c->sealed));
        c->own_sealed = 0;
        c->send_armed = true;
        c->send_ns = c->worker->now_ns;
        lr__ring_send(c->worker->ring, c->sock, c->id, c->sending.block + c->sending.start,
                      lr__buf_len(&c->sending));
    } else if (c->state == LR__CONN_ENDING && lr__outq_is_empty(&c->queue)) {
        finish_output(c);
        return;
    } else if (c->write_ended && !c->fin_sent && lr__outq_is_empty(&c->queue)) {
        finish_write(c);
    }
    below_low(c);
}

void lr__conn_on_sent(lr_conn *c, const lr__completion *completion)
{
    lr_error why;

    LR_DCHECK(c->send_armed && completion->last);
    c->send_armed = false;
    if (completion->res > 0) {
        c->bytes.wire_out += (uint64_t)completion->res;
        lr__stats_add(&c->worker->stats, LR__STAT_wire_out, (uint64_t)completion->res);
        c->active_ns = c->worker->now_ns;
    }
    lr__buf_drop(&c->sending, &c->worker->buffers);
    c->own_sending = 0;
    if (lr__conn_is_over(c))
        return;
    if (completion->res < 0) {
        (void)lr__fail_sys(&why, LR_ERESET, -completion->res, "send");
        lr__conn_fail(c, &why, false);
        return;
    }
    lr__conn_schedule_flush(c);
}
