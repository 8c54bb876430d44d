/* SPDX-License-Identifier: MIT */
/* core/run/conn_renegotiate.c: a handshake anew on an OPEN connection (TLS 1.2, where its context
 * allows it). The engine counts it and does it; here is what the connection has to do with it: it
 * may take no longer than the first one, and the client must be the same behind it. What was agreed
 * may change: getters tell the new suite and group.
 *
 * The same holds where the program asks for the client's certificate, in TLS 1.3 too, but that a
 * client without one may have one then. What it has shown once it keeps: slices of it are out. */
#include "core/base/status.h"
#include "core/run/conn.h"
#include "core/run/hooks.h"

#include <string.h>

static bool fail(lr_conn *c, lr_status status, int alert, const char *what)
{
    lr_error why;

    (void)lr__fail(&why, status, "%s", what);
    why.tls_alert = alert;
    lr__engine_alert(c->engine, alert);
    lr__conn_fail(c, &why, true);
    return false;
}

static bool has_certificate(const lr__peer *peer)
{
    return peer && peer->has_digest;
}

/* By the digest: of a client that was resumed by a ticket there is no more. */
static bool same_peer(const lr__peer *a, const lr__peer *b)
{
    return has_certificate(a) == has_certificate(b) &&
           (!has_certificate(a) || memcmp(a->digest, b->digest, sizeof(a->digest)) == 0);
}

/* What the program asked for takes the place of nothing; what is there stays, and is judged by
 * today's rules. */
static void take_peer(lr_conn *c, lr__peer *peer)
{
    if (c->peer && c->peer->count != 0) {
        c->peer->code = peer->code;
        c->peer->until = peer->until;
        lr__peer_free(peer);
        return;
    }
    lr__peer_free(c->peer);
    c->peer = peer;
}

static bool end(lr_conn *c)
{
    lr_slice raw = c->name ? lr_slice_of(c->name->bytes, c->name->raw_len) : lr_slice_of(NULL, 0);
    lr__gate_choice choice = {.version = c->facts.version, .alpn = c->alpn};
    lr__peer *peer;
    lr_error why;
    bool same, requested = c->cert_requested;

    c->renegotiating = c->cert_requested = false;
    if (lr__engine_end_renegotiation(c->engine, &peer, &why) != LR_OK) {
        lr__peer_free(peer);
        lr__conn_fail(c, &why, true);
        return false;
    }
    same = same_peer(c->peer, peer) || (requested && !has_certificate(c->peer));
    if (same && requested)
        take_peer(c, peer);
    else
        lr__peer_free(peer);
    if (!same)
        return fail(c, LR_EPEERCERT, LR__ALERT_HANDSHAKE_FAILURE,
                    "the client renegotiated with another certificate");
    if (!lr__engine_agrees(c->engine, &choice, raw))
        return fail(c, LR_ENAME, LR__ALERT_UNRECOGNIZED_NAME,
                    "the client renegotiated with another server name or protocol");
    lr__engine_read_facts(c->engine, &c->facts);
    if (requested)
        (void)lr__hook_conn(c, LR__HOOK_PEER_CERT, c->part->server->handlers.on_peer_cert);
    return true;
}

static void begin(lr_conn *c)
{
    c->renegotiating = true;
    c->renegotiation_ns = c->worker->now_ns;
    c->renegotiation_records = 0;
    lr__conn_arm_open(c);
}

bool lr__conn_take_renegotiation(lr_conn *c)
{
    if (!c->renegotiating)
        begin(c);
    if (c->renegotiation_records == LR__RENEGOTIATION_RECORDS) {
        if (!lr__conn_count_unproductive(c))
            return false;
    } else {
        c->renegotiation_records++;
    }
    return lr__engine_renegotiation(c->engine) != LR__RENEGOTIATION_DONE || end(c);
}

/* May the engine be told to say something? */
static lr_status may_ask(const lr_conn *c)
{
    if (c->state > LR__CONN_OPEN || c->write_ended || c->peer_ended)
        return LR_ECLOSED;
    return c->state == LR__CONN_OPEN && c->is_tls ? LR_OK : LR_ESTATE;
}

static void send_what_it_said(lr_conn *c)
{
    lr__conn_mark_queue(c);
    lr__conn_schedule_flush(c);
}

/* Statuses that leave the engine as it was. */
static bool is_refusal(lr_status status)
{
    return status == LR_EOPTION || status == LR_EAGAIN || status == LR_ESTATE ||
           status == LR_ENOTOFFERED;
}

lr_status lr_conn_request_cert(lr_conn *c, const lr_cert_request_options *options)
{
    lr_cert_request_options known = {0};
    bool reject;
    lr_error why;
    lr_status status;

    LR_BUG_IF(!c, LR_EINVAL);
    lr__dcheck_on_worker(c->worker);
    if (options)
        LR_TRY(lr__options_adopt(&known, sizeof(known), options, "lr_cert_request_options", NULL));
    LR_TRY(may_ask(c));
    reject = known.reject_unauthorized == LR_ON ||
             (known.reject_unauthorized == LR_DEFAULT && c->replica->context->reject_unauthorized);
    status = lr__engine_request_cert(c->engine, reject, &why);
    if (is_refusal(status))
        return status;
    if (status != LR_OK) {
        lr__conn_fail(c, &why, true);
        return status;
    }
    c->cert_requested = true;
    begin(c);
    send_what_it_said(c);
    return LR_OK;
}

lr_status lr_conn_key_update(lr_conn *c)
{
    lr_error why;
    lr_status status;

    LR_BUG_IF(!c, LR_EINVAL);
    lr__dcheck_on_worker(c->worker);
    LR_TRY(may_ask(c));
    status = lr__engine_update_keys(c->engine, &why);
    if (is_refusal(status))
        return status;
    if (status != LR_OK) {
        lr__conn_fail(c, &why, true);
        return status;
    }
    send_what_it_said(c);
    return LR_OK;
}
