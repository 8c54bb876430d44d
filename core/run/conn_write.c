/* SPDX-License-Identifier: MIT */
/* core/run/conn_write.c: output of a connection.
 *
 * lr_conn_write() -> plain (a chain, copied) -> sealed (records, at most one send's worth ahead) ->
 * sending (the ring's) -> kernel. Pieces of a fragment or more go straight from the source into
 * records when nothing waits in front of them. Handshake messages, alerts and close_notify come
 * from the engine directly into sealed. One send is in flight per connection; a turn starts at most
 * one. All three parts count against the queue's bounds. An idle connection holds none of them. */
#include "core/run/conn.h"

#include "core/base/status.h"
#include "core/run/workers.h"

#include <string.h>

enum {
    RECORD_OVERHEAD = 5 + 8 + 16 + 1 /* header, explicit nonce (1.2), tag, type (1.3) */
};

size_t lr_conn_queued(const lr_conn *c)
{
    return c->plain.bytes + lr__buf_len(&c->sealed) + lr__buf_len(&c->sending);
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

static uint32_t fragment_max(const lr_conn *c)
{
    uint32_t peer_max = lr__engine_fragment_max(c->engine);

    return c->fragment_size_max < peer_max ? c->fragment_size_max : peer_max;
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

static bool seal(lr_conn *c, lr_slice bytes)
{
    lr_error why;

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

lr_status lr_conn_write(lr_conn *c, lr_slice bytes)
{
    uint32_t fragment;
    size_t direct = 0;

    LR_BUG_IF(!c || (!bytes.bytes && bytes.len != 0), LR_EINVAL);
    lr__dcheck_on_worker(c->worker);
    if (c->state < LR__CONN_OPEN)
        return LR_ESTATE;
    if (c->state != LR__CONN_OPEN)
        return LR_ECLOSED;
    if (bytes.len == 0)
        return LR_OK;
    if (lr_conn_queued(c) + bytes.len > LR__QUEUE_HARD) {
        if (bytes.len <= LR__QUEUE_HARD)
            c->above_high = true; /* something waits: on_drain tells when to try again */
        return LR_EAGAIN;
    }
    fragment = fragment_max(c);
    if (c->plain.bytes == 0 && !c->send_armed && bytes.len >= fragment) {
        size_t room = send_room(c, fragment);

        direct = (bytes.len < room ? bytes.len : room) / fragment * fragment;
        if (direct != 0 && !reserve_sealed(c, direct, fragment))
            return LR_ENOMEM;
    }
    if (!lr__chain_append(&c->plain, &c->worker->buffers,
                          lr_slice_of(bytes.bytes + direct, bytes.len - direct)))
        return LR_ENOMEM;
    for (size_t at = 0; at < direct; at += fragment) {
        if (!seal(c, lr_slice_of(bytes.bytes + at, fragment)))
            return LR_ECLOSED;
    }
    c->bytes.app_out += bytes.len;
    lr__conn_mark_queue(c);
    lr__conn_schedule_flush(c);
    return LR_OK;
}

/* Seals what waits, up to one send's worth. False: the connection failed. */
static bool seal_plain(lr_conn *c)
{
    uint32_t fragment = fragment_max(c);
    size_t room = send_room(c, fragment);
    size_t want = c->plain.bytes < room ? c->plain.bytes : room;

    if (want == 0)
        return true;
    if (!reserve_sealed(c, want, fragment)) {
        lr_error why;

        (void)lr__fail(&why, LR_ENOMEM, "out of memory for output");
        lr__conn_fail(c, &why, false);
        return false;
    }
    while (want > 0) {
        lr_slice piece = lr__chain_front(&c->plain);

        piece.len = piece.len < fragment ? piece.len : fragment;
        piece.len = piece.len < want ? piece.len : want;
        if (!seal(c, piece))
            return false;
        want -= piece.len;
        lr__chain_consume(&c->plain, &c->worker->buffers, piece.len);
    }
    return true;
}

/* ENDING and nothing is left to send: FIN, then linger for the peer's. */
static void finish_output(lr_conn *c)
{
    lr_worker *w = c->worker;

    if (c->fin_sent)
        return;
    c->fin_sent = true;
    if (c->fin_received || w->ring->backend->shutdown_write(w->ring, c->sock) != 0) {
        lr__conn_close(c, false);
        return;
    }
    lr__conn_arm_deadline(c, w->now_ns, LR__LINGER_MS);
    lr__conn_schedule_ready(c);
}

static void below_low(lr_conn *c)
{
    if (!c->above_high || lr_conn_queued(c) >= LR__QUEUE_LOW)
        return;
    c->above_high = false;
    lr__conn_schedule_ready(c);
    if (c->state == LR__CONN_OPEN && c->part->server->handlers.on_drain)
        c->part->server->handlers.on_drain(c);
}

void lr__conn_flush(lr_conn *c)
{
    if (c->send_armed || lr__conn_is_over(c))
        return; /* goes on when the send is through */
    if (c->plain.bytes != 0 && !seal_plain(c))
        return;
    if (c->state == LR__CONN_ENDING && c->plain.bytes == 0 && c->engine && !c->alerted)
        lr__engine_end(c->engine);
    if (lr__buf_len(&c->sealed) != 0) {
        LR_DCHECK(lr__buf_len(&c->sending) == 0);
        c->sending = c->sealed;
        memset(&c->sealed, 0, sizeof(c->sealed));
        c->send_armed = true;
        lr__ring_send(c->worker->ring, c->sock, c->id, c->sending.block + c->sending.start,
                      lr__buf_len(&c->sending));
    } else if (c->state == LR__CONN_ENDING) {
        finish_output(c);
        return;
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
        c->active_ns = c->worker->now_ns;
    }
    lr__buf_drop(&c->sending, &c->worker->buffers);
    if (lr__conn_is_over(c))
        return;
    if (completion->res < 0) {
        (void)lr__fail_sys(&why, LR_ERESET, -completion->res, "send");
        lr__conn_fail(c, &why, false);
        return;
    }
    lr__conn_schedule_flush(c);
}
