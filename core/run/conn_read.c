/* SPDX-License-Identifier: MIT */
/* core/run/conn_read.c: input of a connection: gate, handshake, records.
 *
 * Received buffers are held in order (worker->held, chained by buffer index) and one is worked on
 * per turn: a peer buys at most one receive buffer of work per turn. While the connection may not
 * read (its queue is above the high mark), or holds too many buffers, its receive is stopped, so
 * that the data waits in the kernel and the peer's window closes; nothing is lost, because what the
 * ring had already received is held.
 *
 * Bytes before the handshake go to the gate and from there to the engine only, never to a
 * handler. */
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
    return c->state == LR__CONN_OPEN && !lr__conn_may_read(c);
}

/* A connection that may not read gives its receive buffers back, or a few that do not read would
 * take the whole pool: what they hold is copied. False: the connection failed. */
static bool park(lr_conn *c)
{
    while (c->held_count > 0) {
        const lr__held *held = &c->worker->held[c->held_first];

        if (!lr__buf_append(&c->parked, &c->worker->buffers, lr_slice_of(held->data, held->len))) {
            lr_error why;

            (void)lr__fail(&why, LR_ENOMEM, "out of memory for input");
            lr__conn_fail(c, &why, false);
            return false;
        }
        release_first(c);
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

/* Refusal at the gate: there is no WOLFSSL yet, the alert goes out in clear. */
static void refuse(lr_conn *c, const lr__hello_fault *fault)
{
    lr_error why;

    (void)lr__fail(&why, fault->status, "hello: %s", fault->what);
    why.tls_alert = fault->alert >= 0 ? fault->alert : fault->peer_alert;
    if (fault->alert > 0 && c->engine)
        lr__engine_alert(c->engine, fault->alert);
    else if (fault->alert > 0)
        (void)lr__alert_plain(&c->sealed, &c->worker->buffers, fault->alert);
    lr__conn_fail(c, &why, true);
}

static void fail_memory(lr_conn *c)
{
    lr_error why;

    (void)lr__fail(&why, LR_ENOMEM, "out of memory for the handshake");
    lr__conn_fail(c, &why, false);
}

static bool keep_name(lr_conn *c, const lr__hello *hello)
{
    size_t len = strlen(hello->name), raw_len = hello->servername.len;
    lr__conn_name *name;

    if (len == 0)
        return true;
    LR_DCHECK(len <= 255 && raw_len <= 255);
    name = lr__alloc(sizeof(*name) + raw_len + len);
    if (!name)
        return false;
    name->raw_len = (uint8_t)raw_len;
    name->len = (uint8_t)len;
    memcpy(name->bytes, hello->servername.bytes, raw_len);
    memcpy(name->bytes + raw_len, hello->name, len);
    c->name = name;
    return true;
}

/* The message in one record of our own making: how the peer cut it does not matter any more. The
 * record header goes into the room that was left in front of it. Its version is 3.1 in the first
 * ClientHello's record and 3.3 from then on (RFC 8446 5.1); wolfSSL refuses anything else. */
static lr_slice reframe(lr__conn_gate *gate)
{
    uint8_t *at = gate->message.block + gate->message.start;
    uint32_t len = lr__buf_len(&gate->message) - LR__RECORD_HEADER;

    LR_DCHECK(len <= 16384);
    at[0] = 22;
    at[1] = 3;
    at[2] = gate->gather.second ? 3 : 1;
    at[3] = (uint8_t)(len >> 8);
    at[4] = (uint8_t)len;
    return lr__buf_slice(&gate->message);
}

static void feed_handshake(lr_conn *c, lr_slice *in);

/* The first hello: decide, and only now make a WOLFSSL. */
static bool begin_handshake(lr_conn *c, const lr__hello *hello, lr__hello_fault *fault)
{
    lr_worker *w = c->worker;
    lr_context *context = c->part->server->context;
    lr_error why;
    lr_status status;

    if (!keep_name(c, hello)) {
        fail_memory(c);
        return false;
    }
    if (lr__gate_decide(hello, context, &c->gate->choice, fault) != LR_OK) {
        refuse(c, fault);
        return false;
    }
    status = lr__worker_replica(w, context, &c->replica, &why);
    if (status == LR_OK)
        status =
            lr__engine_new(c->replica, &c->gate->choice, &c->sealed, &w->buffers, &c->engine, &why);
    if (status != LR_OK) {
        (void)lr__alert_plain(&c->sealed, &w->buffers, LR__ALERT_INTERNAL_ERROR);
        why.tls_alert = LR__ALERT_INTERNAL_ERROR;
        lr__conn_fail(c, &why, true);
        return false;
    }
    lr__conn_enter(c, LR__CONN_HANDSHAKE);
    return true;
}

/* After a HelloRetryRequest: name and protocols must be what they were (RFC 8446 4.1.2). */
static bool resume_handshake(lr_conn *c, const lr__hello *hello, lr__hello_fault *fault)
{
    const char *what = NULL;

    if (!lr__hello_same_identity(&c->gate->first, hello))
        what = "the second ClientHello changes server name or ALPN";
    else if (hello->has_early_data)
        what = "the second ClientHello offers early data";
    if (what) {
        (void)lr__hello_refuse(fault, LR_EHELLOCHANGED, LR__ALERT_ILLEGAL_PARAMETER, what);
        refuse(c, fault);
        return false;
    }
    lr__engine_hello_passed(c->engine);
    return true;
}

static void on_hello_complete(lr_conn *c)
{
    lr__conn_gate *gate = c->gate;
    lr_slice message = lr__buf_slice(&gate->message);
    bool second = gate->gather.second;
    lr__hello_fault fault;
    lr__hello hello;
    lr_slice framed;

    message = lr_slice_of(message.bytes + LR__RECORD_HEADER, message.len - LR__RECORD_HEADER);
    if (lr__hello_parse(message, &hello, &fault) != LR_OK) {
        refuse(c, &fault);
        return;
    }
    if (!(second ? resume_handshake(c, &hello, &fault) : begin_handshake(c, &hello, &fault)))
        return;
    framed = reframe(gate);
    if (!second)
        gate->first = hello;
    while (framed.len > 0 && c->state == LR__CONN_HANDSHAKE && !lr__engine_wants_hello(c->engine))
        feed_handshake(c, &framed);
    if (c->state != LR__CONN_HANDSHAKE)
        return;
    if (lr__engine_wants_hello(c->engine)) {
        gate->first_message = gate->message;
        memset(&gate->message, 0, sizeof(gate->message));
        memset(&gate->gather, 0, sizeof(gate->gather));
        gate->gather.second = true;
        gate->gather.early_left = gate->first.has_early_data ? LR__EARLY_SKIP_MAX : 0;
    } else {
        lr__buf_drop(&gate->message, &c->worker->buffers);
        lr__buf_drop(&gate->first_message, &c->worker->buffers);
    }
}

/* Gathers a ClientHello; the message grows with what arrives, never with what is claimed. */
static void advance_hello(lr_conn *c, lr_slice *in)
{
    lr__buf_pool *buffers = &c->worker->buffers;
    lr__conn_gate *gate = c->gate;
    lr__hello_fault fault;
    lr_status status;
    size_t room;

    if (!gate) {
        gate = c->gate = lr__alloc_zero(1, sizeof(*gate));
        if (!gate) {
            fail_memory(c);
            return;
        }
    }
    room = LR__HELLO_MESSAGE_MAX - gate->gather.message_len;
    if (room > in->len)
        room = in->len;
    if (lr__buf_len(&gate->message) == 0 &&
        !lr__buf_reserve(&gate->message, buffers, LR__RECORD_HEADER + room)) {
        fail_memory(c);
        return;
    }
    if (lr__buf_len(&gate->message) == 0)
        gate->message.end = gate->message.start + LR__RECORD_HEADER;
    if (!lr__buf_reserve(&gate->message, buffers, room)) {
        fail_memory(c);
        return;
    }
    status = lr__hello_take(&gate->gather, in,
                            gate->message.block + gate->message.start + LR__RECORD_HEADER, &fault);
    gate->message.end = gate->message.start + LR__RECORD_HEADER + gate->gather.message_len;
    if (status == LR_OK)
        on_hello_complete(c);
    else if (status != LR_EAGAIN)
        refuse(c, &fault);
}

static void on_handshake_done(lr_conn *c)
{
    lr_slice raw = c->name ? lr_slice_of(c->name->bytes, c->name->raw_len) : lr_slice_of(NULL, 0);

    if (!lr__engine_agrees(c->engine, &c->gate->choice, raw)) {
        lr_error why;

        (void)lr__fail(&why, LR_EGATE, "the TLS library negotiated something else than the gate");
        lr__engine_alert(c->engine, LR__ALERT_INTERNAL_ERROR);
        why.tls_alert = LR__ALERT_INTERNAL_ERROR;
        lr__conn_fail(c, &why, true);
        return;
    }
    lr__engine_read_facts(c->engine, &c->facts);
    c->alpn = c->gate->choice.alpn;
    lr__conn_gate_free(c);
    lr__conn_enter_open(c);
}

static void feed_handshake(lr_conn *c, lr_slice *in)
{
    lr_error why;
    lr_status status = lr__engine_handshake(c->engine, in, &why);

    if (lr__buf_len(&c->sealed) != 0)
        lr__conn_schedule_flush(c);
    if (status == LR_OK)
        on_handshake_done(c);
    else if (status != LR_EAGAIN)
        lr__conn_fail(c, &why, true);
}

/* A close_notify, or the FIN of a plain connection. */
static void on_peer_ended(lr_conn *c)
{
    c->peer_ended = true;
    if (!lr__hook_conn(c, LR__HOOK_END, c->part->server->handlers.on_end))
        lr_conn_end(c);
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
        if (len == 0)
            return true;
        c->bytes.app_in += len;
        lr__hook_data(c, lr_slice_of(w->plaintext, len));
        return true;
    }
    if (status == LR_ECLOSED) {
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
    lr__hook_data(c, bytes);
}

/* Works on one receive buffer until it is used up or the connection may not go on. */
static void advance_buffer(lr_conn *c, lr_slice *in)
{
    while (in->len > 0) {
        switch (c->state) {
        case LR__CONN_CONNECT: /* received in the turn in which it was accepted */
            return;
        case LR__CONN_HELLO:
            advance_hello(c, in);
            break;
        case LR__CONN_HANDSHAKE:
            if (lr__engine_wants_hello(c->engine))
                advance_hello(c, in);
            else
                feed_handshake(c, in);
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
    lr_error why;

    switch (c->state) {
    case LR__CONN_CONNECT:
        break; /* nothing is received before it is made */
    case LR__CONN_HELLO:
    case LR__CONN_HANDSHAKE:
        (void)lr__fail(&why, LR_ETRUNCATED, "the peer ended the stream in the handshake");
        lr__conn_fail(c, &why, false);
        break;
    case LR__CONN_OPEN:
        if (c->peer_ended) /* it was told before: the handler may still be answering */
            break;
        if (!c->is_tls) {
            on_peer_ended(c);
            break;
        }
        (void)lr__fail(&why, LR_ETRUNCATED, "the peer ended the stream without close_notify");
        lr__conn_fail(c, &why, false);
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
    lr_slice in;

    if (parked) {
        uint32_t len = lr__buf_len(&c->parked);

        in = lr__buf_slice(&c->parked);
        in.len = len < LR__RECV_BUFFER_SIZE ? len : LR__RECV_BUFFER_SIZE;
        len = (uint32_t)in.len;
        advance_buffer(c, &in);
        if (!lr__conn_is_over(c))
            lr__buf_consume(&c->parked, &w->buffers, len - in.len);
        return;
    }
    if (c->held_count == 0)
        return;
    held = &w->held[c->held_first];
    in = lr_slice_of(held->data, held->len);
    advance_buffer(c, &in);
    if (lr__conn_is_over(c))
        return; /* closing gave the buffers back */
    held->data = in.bytes;
    held->len = (uint32_t)in.len;
    if (in.len == 0)
        release_first(c);
}

void lr__conn_advance(lr_conn *c)
{
    advance_input(c);
    if (lr__conn_is_over(c))
        return;
    if (is_paused(c)) { /* goes on when the queue is below the low mark */
        (void)park(c);
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
        lr__conn_schedule_ready(c); /* what is held is parked, and receiving stops with the next */
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
