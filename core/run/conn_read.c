/* SPDX-License-Identifier: MIT */
/* core/run/conn_read.c: input of a connection, from the ring to the gate, the engine or the
 * handler.
 *
 * Received buffers are held in order (worker->held, chained by buffer index) and one is worked on
 * per turn: a peer buys at most one receive buffer of work per turn. While the connection may not
 * read (its queue is above the high mark), or holds too many buffers, its receive is stopped, so
 * that the data waits in the kernel and the peer's window closes; nothing is lost, because what the
 * ring had already received is held.
 *
 * Bytes before the handshake go to the preface hook as far as it takes them, then to the gate and
 * from there to the engine only, never to a handler as data. */
#include "core/run/conn.h"

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/run/hooks.h"
#include "core/run/workers.h"

#include <errno.h>
#include <string.h>

bool lr__conn_may_read(const lr_conn *c)
{
    return !c->above_high && !c->read_paused;
}

void lr__conn_schedule_ready(lr_conn *c)
{
    if (lr__list_is_empty(&c->ready))
        lr__list_append(&c->worker->ready, &c->ready);
}

static void hold(lr_conn *c, const lr__completion *completion)
{
    lr_worker *w = c->worker;
    lr__held *held = &w->held[completion->buffer];

    LR_CHECK(completion->buffer < w->held_count);
    held->data = completion->data;
    held->len = (uint32_t)completion->res;
    held->next = LR__NO_BUFFER;
    if (c->held_count == 0)
        c->held_first = completion->buffer;
    else
        w->held[c->held_last].next = completion->buffer;
    c->held_last = completion->buffer;
    c->held_count++;
}

static void release_first(lr_conn *c)
{
    lr_worker *w = c->worker;
    uint16_t buffer = c->held_first;

    LR_DCHECK(c->held_count > 0);
    c->held_first = w->held[buffer].next;
    c->held_count--;
    lr__ring_buffer_give(w->ring, buffer);
}

void lr__conn_drop_held(lr_conn *c)
{
    while (c->held_count > 0)
        release_first(c);
}

static bool is_paused(const lr_conn *c)
{
    return c->state == LR__CONN_PARKED || lr__conn_is_storing(c) ||
           (c->state == LR__CONN_OPEN && !lr__conn_may_read(c));
}

/* A connection that may not read gives its receive buffers back, or a few that do not read would
 * take the whole pool: what they hold is copied. False: the connection failed. */
static bool park(lr_conn *c)
{
    while (c->held_count > 0) {
        const lr__held *held = &c->worker->held[c->held_first];

        if (!lr__buf_append(&c->parked, &c->worker->buffers, lr_slice_of(held->data, held->len))) {
            lr__conn_fail_as(c, LR_ENOMEM, "out of memory for input");
            return false;
        }
        c->worker->live.parked_bytes += held->len;
        release_first(c);
    }
    if (c->state == LR__CONN_PARKED && lr__buf_len(&c->parked) > LR__PARKED_MAX) {
        lr__hello_fault fault;

        (void)lr__hello_refuse(&fault, LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE,
                               "too much is sent before the answer to it");
        lr__conn_refuse(c, &fault);
        return false;
    }
    return true;
}

static void recv_stop(lr_conn *c)
{
    if (c->recv != LR__RECV_ARMED)
        return;
    c->recv = LR__RECV_STOPPING;
    lr__ring_stop(c->worker->ring, c->id, LR__OP_RECV);
}

static void on_recv_error(lr_conn *c, int error)
{
    lr_error why;

    if (error == ECANCELED) /* we stopped it; started again when reading may go on */
        return;
    if (c->ending == LR__ENDING_FIN) { /* all was said and sent: this is clean */
        lr__conn_close(c, false);
        return;
    }
    (void)lr__fail_sys(&why, LR_ERESET, error, "receive");
    lr__conn_fail(c, &why, false);
}

void lr__conn_on_recv(lr_conn *c, const lr__completion *completion)
{
    if (completion->last)
        c->recv = LR__RECV_NONE;
    if (completion->res > 0) {
        if (lr__conn_is_over(c)) {
            lr__ring_buffer_give(c->worker->ring, completion->buffer);
            return;
        }
        c->bytes.wire_in += (uint64_t)completion->res;
        lr__stats_add(&c->worker->stats, LR__STAT_wire_in, (uint64_t)completion->res);
        if (c->state != LR__CONN_ENDING) /* there only output that is taken counts as life */
            c->active_ns = c->worker->now_ns;
        hold(c, completion);
        if (is_paused(c) && !park(c))
            return;
        if (is_paused(c) || c->held_count >= LR__HELD_MAX)
            recv_stop(c);
    } else if (lr__conn_is_over(c)) {
        return;
    } else if (completion->res == 0) {
        c->fin_received = true;
    } else {
        on_recv_error(c, -completion->res);
        if (lr__conn_is_over(c))
            return;
    }
    lr__conn_schedule_ready(c);
}

/* A close_notify, or the FIN of a plain connection. */
static void on_peer_ended(lr_conn *c)
{
    c->peer_ended = true;
    if (!lr__hook_conn(c, LR__HOOK_END, c->part->server->handlers.on_end) || c->write_ended)
        lr_conn_end(c); /* nobody answers, or both have said their last */
}

/* One record. False: no more now. */
static bool advance_record(lr_conn *c, lr_slice *in)
{
    lr_worker *w = c->worker;
    lr_error why;
    size_t len;
    lr_status status = lr__engine_read(c->engine, in, w->plaintext, LR__PLAINTEXT_SIZE, &len, &why);

    if (lr__buf_len(&c->sealed) != 0) { /* an answer of the engine's own, to a KeyUpdate */
        lr__conn_mark_queue(c);
        lr__conn_schedule_flush(c);
    }
    if (status == LR_OK) {
        if (len == 0 && lr__engine_saw_key_answer(c->engine))
            return true;
        if (len == 0 && lr__engine_renegotiation(c->engine) != LR__RENEGOTIATION_NONE &&
            !lr__engine_saw_key_update(c->engine))
            return lr__conn_take_renegotiation(c);
        if (len == 0)
            return lr__conn_count_unproductive(c);
        c->bytes.app_in += len;
        lr__stats_add(&w->stats, LR__STAT_app_in, len);
        lr__hook_data(c, lr_slice_of(w->plaintext, len));
        return true;
    }
    if (status == LR_ECLOSED) {
        lr__stats_alert(&w->stats, false, 0);
        in->len = 0; /* nothing counts behind a close_notify (RFC 8446 6.1) */
        on_peer_ended(c);
    } else if (status != LR_EAGAIN) {
        lr__conn_fail(c, &why, true);
    }
    return false;
}

/* ENDING: what still comes is thrown away, so that closing sends no reset that would destroy our
 * last answer; but not for ever. */
static void discard(lr_conn *c, lr_slice *in)
{
    c->lingered += (uint32_t)in->len;
    in->len = 0;
    if (c->lingered > LR__LINGER_BYTES && c->ending == LR__ENDING_FIN)
        lr__conn_close(c, false);
}

/* A plain connection: what came is given as it is. */
static void deliver(lr_conn *c, lr_slice *in)
{
    lr_slice bytes = *in;

    in->len = 0;
    c->bytes.app_in += bytes.len;
    lr__stats_add(&c->worker->stats, LR__STAT_app_in, bytes.len);
    lr__hook_data(c, bytes);
}

/* Works on one receive buffer until it is used up or the connection may not go on. */
static void advance_buffer(lr_conn *c, lr_slice *in)
{
    while (in->len > 0) {
        switch (c->state) {
        case LR__CONN_CONNECT: /* received in the turn in which it was accepted */
            return;
        case LR__CONN_PREFACE:
            lr__conn_take_preface(c, in);
            if (lr__buf_len(&c->parked) != 0)
                return; /* it gave back what is older than this */
            break;
        case LR__CONN_HELLO:
            lr__conn_take_hello(c, in);
            break;
        case LR__CONN_HANDSHAKE:
            if (lr__conn_is_storing(c))
                return;
            if (lr__engine_wants_hello(c->engine))
                lr__conn_take_hello(c, in);
            else
                lr__conn_take_handshake(c, in);
            break;
        case LR__CONN_OPEN:
            if (c->peer_ended) {
                in->len = 0;
                return;
            }
            if (!lr__conn_may_read(c))
                return;
            if (!c->is_tls)
                deliver(c, in);
            else if (!advance_record(c, in))
                return;
            break;
        case LR__CONN_ENDING:
            discard(c, in);
            return;
        case LR__CONN_PARKED:
        case LR__CONN_CLOSING:
        case LR__CONN_CLOSED:
            return;
        case LR__CONN_STATE_COUNT:
            LR_UNREACHABLE();
        }
    }
}

/* The peer's FIN, after all its bytes. */
static void on_fin(lr_conn *c)
{
    switch (c->state) {
    case LR__CONN_CONNECT:
        break; /* nothing is received before it is made */
    case LR__CONN_PREFACE:
    case LR__CONN_HELLO:
    case LR__CONN_PARKED:
    case LR__CONN_HANDSHAKE:
        lr__conn_fail_as(c, LR_ETRUNCATED, "the peer ended the stream in the handshake");
        break;
    case LR__CONN_OPEN:
        if (c->peer_ended) /* it was told before: the handler may still be answering */
            break;
        if (!c->is_tls) {
            on_peer_ended(c);
            break;
        }
        lr__conn_fail_as(c, LR_ETRUNCATED, "the peer ended the stream without close_notify");
        break;
    case LR__CONN_ENDING:
        if (c->ending == LR__ENDING_FIN)
            lr__conn_close(c, false);
        break;
    case LR__CONN_CLOSING:
    case LR__CONN_CLOSED:
        break;
    case LR__CONN_STATE_COUNT:
        LR_UNREACHABLE();
    }
}

void lr__conn_recv_start(lr_conn *c)
{
    if (c->recv != LR__RECV_NONE || c->fin_received)
        return;
    c->recv = LR__RECV_ARMED;
    lr__ring_recv(c->worker->ring, c->sock, c->id);
}

/* The oldest input: what was parked, then what is held. */
static void advance_input(lr_conn *c)
{
    lr_worker *w = c->worker;
    bool parked = lr__buf_len(&c->parked) != 0;
    lr__held *held;
    uint16_t buffer;
    lr_slice in;

    if (parked) {
        uint32_t len = lr__buf_len(&c->parked);

        in = lr__buf_slice(&c->parked);
        in.len = len < LR__RECV_BUFFER_SIZE ? len : LR__RECV_BUFFER_SIZE;
        len = (uint32_t)in.len;
        advance_buffer(c, &in);
        if (lr__conn_is_over(c))
            return;
        w->live.parked_bytes -= len - in.len;
        lr__buf_consume(&c->parked, &w->buffers, len - in.len);
        return;
    }
    if (c->held_count == 0)
        return;
    /* In hand while it is worked on: a hook may close the connection, which gives back all that is
     * held, and still read the bytes that it was called with. */
    buffer = c->held_first;
    held = &w->held[buffer];
    c->held_first = held->next;
    c->held_count--;
    in = lr_slice_of(held->data, held->len);
    advance_buffer(c, &in);
    if (lr__conn_is_over(c) || in.len == 0) {
        lr__ring_buffer_give(w->ring, buffer);
        return;
    }
    held->data = in.bytes;
    held->len = (uint32_t)in.len;
    held->next = c->held_count != 0 ? c->held_first : LR__NO_BUFFER;
    if (c->held_count == 0)
        c->held_last = buffer;
    c->held_first = buffer;
    c->held_count++;
}

void lr__conn_advance(lr_conn *c)
{
    advance_input(c);
    if (lr__conn_is_over(c))
        return;
    if (c->state == LR__CONN_PARKED && c->fin_received) {
        on_fin(c); /* it cannot finish the handshake any more: nobody needs the answer */
        return;
    }
    if (is_paused(c)) { /* goes on when the queue is below the low mark, or it is resumed */
        if (park(c) && c->read_paused)
            recv_stop(c); /* a full queue drains soon; this one waits for as long as it likes */
        return;
    }
    if (c->held_count > 0 || lr__buf_len(&c->parked) != 0)
        lr__conn_schedule_ready(c);
    else if (c->fin_received)
        on_fin(c);
    else
        lr__conn_recv_start(c);
}

void lr_conn_pause(lr_conn *c)
{
    LR_CHECK(c != NULL);
    lr__dcheck_on_worker(c->worker);
    c->read_paused = true;
    if (c->state == LR__CONN_OPEN)
        lr__conn_schedule_ready(c); /* what is held is parked, and receiving stops */
}

void lr_conn_resume(lr_conn *c)
{
    LR_CHECK(c != NULL);
    lr__dcheck_on_worker(c->worker);
    if (!c->read_paused)
        return;
    c->read_paused = false;
    if (c->state == LR__CONN_OPEN)
        lr__conn_schedule_ready(c);
}
