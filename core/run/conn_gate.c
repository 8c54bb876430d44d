/* SPDX-License-Identifier: MIT */
/* core/run/conn_gate.c: a connection before it is secure: the hello gate and the handshake.
 *
 * A complete ClientHello is gathered and judged before any WOLFSSL exists; then it is fed to the
 * engine in one record of our own making, and what follows goes to the engine as it comes. After a
 * HelloRetryRequest the gate gathers and compares the second hello. What only this needs lives in
 * lr__conn_gate and goes when the handshake is done. */
#include "core/run/conn.h"

#include "core/base/mem.h"
#include "core/base/status.h"

#include <string.h>

/* Refusal at the gate: there is no WOLFSSL yet, the alert goes out in clear. */
void lr__conn_refuse(lr_conn *c, const lr__hello_fault *fault)
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

void lr__conn_fail_memory(lr_conn *c)
{
    lr__conn_fail_as(c, LR_ENOMEM, "out of memory for the handshake");
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

static void fail_inside(lr_conn *c, lr_error *why)
{
    (void)lr__alert_plain(&c->sealed, &c->worker->buffers, LR__ALERT_INTERNAL_ERROR);
    why->tls_alert = LR__ALERT_INTERNAL_ERROR;
    lr__conn_fail(c, why, true);
}

bool lr__conn_get_replica(lr_conn *c)
{
    lr_error why;

    if (c->replica || lr__worker_replica(c->worker, c->gate->context, lr__conn_stores(c),
                                         &c->replica, &why) == LR_OK)
        return true;
    fail_inside(c, &why);
    return false;
}

/* Only now, when all is decided, is there a WOLFSSL. */
static bool make_engine(lr_conn *c)
{
    lr_worker *w = c->worker;
    lr_error why;

    if (!lr__conn_get_replica(c))
        return false;
    if (lr__engine_new(c->replica, &c->gate->choice, &c->sealed, &w->buffers, &c->engine, &why) !=
        LR_OK) {
        fail_inside(c, &why);
        return false;
    }
    lr__engine_set_clock(c->engine, &w->now_ns);
    w->live.engines++;
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
        lr__conn_refuse(c, fault);
        return false;
    }
    lr__engine_hello_passed(c->engine);
    return true;
}

/* Feeds the gathered message to the engine. */
static void feed_message(lr_conn *c)
{
    lr__conn_gate *gate = c->gate;
    lr_slice framed = reframe(gate);

    while (framed.len > 0 && c->state == LR__CONN_HANDSHAKE && !lr__engine_wants_hello(c->engine))
        lr__conn_take_handshake(c, &framed);
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

void lr__conn_begin_handshake(lr_conn *c)
{
    bool was_parked = c->state == LR__CONN_PARKED;

    if (!make_engine(c))
        return;
    feed_message(c);
    if (was_parked && !lr__conn_is_over(c))
        lr__conn_schedule_ready(c); /* for what came meanwhile; else its input is being worked on */
}

static void on_hello_complete(lr_conn *c)
{
    lr__conn_gate *gate = c->gate;
    lr_slice message = lr__buf_slice(&gate->message);
    lr__hello_fault fault;
    lr__hello hello;

    message = lr_slice_of(message.bytes + LR__RECORD_HEADER, message.len - LR__RECORD_HEADER);
    if (lr__hello_parse(message, &hello, &fault) != LR_OK) {
        lr__conn_refuse(c, &fault);
        return;
    }
    if (gate->gather.second) {
        if (resume_handshake(c, &hello, &fault))
            feed_message(c);
        return;
    }
    gate->first = hello;
    if (!keep_name(c, &hello)) {
        lr__conn_fail_memory(c);
        return;
    }
    lr__conn_pin_keys(c);
    gate->step = LR__GATE_HELLO;
    gate->hello_ns = c->worker->now_ns;
    lr__conn_decide(c);
}

/* Gathers a ClientHello; the message grows with what arrives, never with what is claimed. */
void lr__conn_take_hello(lr_conn *c, lr_slice *in)
{
    lr__buf_pool *buffers = &c->worker->buffers;
    lr__conn_gate *gate = c->gate;
    lr__hello_fault fault;
    lr_status status;
    size_t room;

    if (!gate) {
        gate = c->gate = lr__alloc_zero(1, sizeof(*gate));
        if (!gate) {
            lr__conn_fail_memory(c);
            return;
        }
    }
    room = LR__HELLO_MESSAGE_MAX - gate->gather.message_len;
    if (room > in->len)
        room = in->len;
    if (lr__buf_len(&gate->message) == 0 &&
        !lr__buf_reserve(&gate->message, buffers, LR__RECORD_HEADER + room)) {
        lr__conn_fail_memory(c);
        return;
    }
    if (lr__buf_len(&gate->message) == 0)
        gate->message.end = gate->message.start + LR__RECORD_HEADER;
    if (!lr__buf_reserve(&gate->message, buffers, room)) {
        lr__conn_fail_memory(c);
        return;
    }
    status = lr__hello_take(&gate->gather, in,
                            gate->message.block + gate->message.start + LR__RECORD_HEADER, &fault);
    gate->message.end = gate->message.start + LR__RECORD_HEADER + gate->gather.message_len;
    if (status == LR_OK)
        on_hello_complete(c);
    else if (status != LR_EAGAIN)
        lr__conn_refuse(c, &fault);
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
    c->peer = lr__engine_take_peer(c->engine);
    c->alpn = c->gate->choice.alpn;
    if (!c->peer && c->gate->context->request_cert)
        lr__conn_fail_memory(c);
    else if (!lr__conn_store_sessions(c))
        lr__conn_finish_handshake(c);
}

void lr__conn_finish_handshake(lr_conn *c)
{
    bool was_held = lr__buf_len(&c->parked) != 0 || lr__buf_len(&c->sealed) != 0;

    lr__histogram_add(&c->worker->stats.handshake_ns, c->worker->now_ns - c->gate->hello_ns);
    c->own_sealed = lr__buf_len(&c->sealed);
    lr__conn_gate_free(c);
    lr__conn_enter_open(c);
    if (was_held && !lr__conn_is_over(c)) {
        lr__conn_schedule_flush(c);
        lr__conn_schedule_ready(c);
    }
}

void lr__conn_take_handshake(lr_conn *c, lr_slice *in)
{
    lr_error why;
    lr_status status = lr__engine_handshake(c->engine, in, &why);

    if (lr__buf_len(&c->sealed) != 0)
        lr__conn_schedule_flush(c); /* not before what is stored is answered for */
    if (status == LR_OK)
        on_handshake_done(c);
    else if (status != LR_EAGAIN)
        lr__conn_fail(c, &why, true);
}
