/* SPDX-License-Identifier: MIT */
/* core/run/conn_renegotiate.c: a handshake anew on an OPEN connection (TLS 1.2, where its context
 * allows it). The engine counts it and does it; here is what the connection has to do with it: it
 * may take no longer than the first one, and the client must be the same behind it. What was agreed
 * may change: getters tell the new suite and group. */
#include "core/base/status.h"
#include "core/run/conn.h"

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

static bool same_peer(const lr__peer *a, const lr__peer *b)
{
    uint32_t count = a ? a->count : 0;

    if (count != (b ? b->count : 0))
        return false;
    return count == 0 || (a->certificates[0].len == b->certificates[0].len &&
                          memcmp(a->certificates[0].bytes, b->certificates[0].bytes,
                                 a->certificates[0].len) == 0);
}

static bool end(lr_conn *c)
{
    lr_slice raw = c->name ? lr_slice_of(c->name->bytes, c->name->raw_len) : lr_slice_of(NULL, 0);
    lr__gate_choice choice = {.version = c->facts.version, .alpn = c->alpn};
    lr__peer *peer;
    lr_error why;
    bool same;

    c->renegotiating = false;
    if (lr__engine_end_renegotiation(c->engine, &peer, &why) != LR_OK) {
        lr__peer_free(peer);
        lr__conn_fail(c, &why, true);
        return false;
    }
    same = same_peer(c->peer, peer);
    lr__peer_free(peer); /* slices of the first one may be in use */
    if (!same)
        return fail(c, LR_EPEERCERT, LR__ALERT_HANDSHAKE_FAILURE,
                    "the client renegotiated with another certificate");
    if (!lr__engine_agrees(c->engine, &choice, raw))
        return fail(c, LR_ENAME, LR__ALERT_UNRECOGNIZED_NAME,
                    "the client renegotiated with another server name or protocol");
    lr__engine_read_facts(c->engine, &c->facts);
    return true;
}

bool lr__conn_take_renegotiation(lr_conn *c)
{
    if (!c->renegotiating) {
        c->renegotiating = true;
        c->renegotiation_ns = c->worker->now_ns;
        c->renegotiation_records = 0;
        lr__conn_arm_open(c);
    }
    if (c->renegotiation_records == LR__RENEGOTIATION_RECORDS) {
        if (!lr__conn_count_unproductive(c))
            return false;
    } else {
        c->renegotiation_records++;
    }
    return lr__engine_renegotiation(c->engine) != LR__RENEGOTIATION_DONE || end(c);
}
