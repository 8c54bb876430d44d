/* SPDX-License-Identifier: MIT */
/* core/run/conn_session.c: sessions of a connection: the one that its client would resume, asked of
 * the program's store where it is there, and the new ones, which go to that store before any byte
 * behind them goes to the client.
 *
 * The keys are pinned here, at the gate, and given back with it: what was sealed or opened under
 * them in one handshake stays consistent, however many keys come meanwhile (S57). */
#include "core/run/conn.h"

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/run/hooks.h"
#include "core/run/key_store.h"
#include "core/tls/session.h"

#include <string.h>

enum { OFFERS_MAX = 4 /* identities of a TLS 1.3 hello that are looked at */ };

static const lr_handlers *handlers_of(const lr_conn *c)
{
    return &c->part->server->handlers;
}

bool lr__conn_stores(const lr_conn *c)
{
    return handlers_of(c)->on_new_session || handlers_of(c)->on_resume;
}

static void count_verdict(lr_conn *c, lr__session_verdict verdict)
{
    lr__stats *stats = &c->worker->stats;

    switch (verdict) {
    case LR__SESSION_UNKNOWN_KEY:
        lr__stats_add(stats, LR__STAT_tickets_unknown_key, 1);
        break;
    case LR__SESSION_FOREIGN:
    case LR__SESSION_FORGED:
    case LR__SESSION_UNFIT:
        lr__stats_add(stats, LR__STAT_sessions_refused, 1);
        break;
    case LR__SESSION_GOOD:
    case LR__SESSION_NO_MEMORY: /* a full handshake, which needs more of it */
        break;
    }
}

static bool is_id(lr_slice offer)
{
    return offer.len == LR__SESSION_ID;
}

/* What the client offers as tickets (not ids), or as ids. *at is 0 to begin; false: no more. */
static bool next_offer(const lr_conn *c, bool ids, size_t *at, lr_slice *offer)
{
    const lr__hello *hello = &c->gate->first;
    uint32_t age;

    if (c->gate->choice.version == LR_TLS_1_3) {
        while (hello->has_psk && hello->has_psk_dhe_ke &&
               lr__hello_psk_next(hello, at, offer, &age)) {
            if (is_id(*offer) == ids)
                return true;
        }
        return false;
    }
    if (*at != 0)
        return false;
    *at = 1;
    /* With a ticket the id is only there to be echoed (RFC 5077 3.4). */
    *offer = ids && hello->session_ticket.len == 0 ? hello->session_id : hello->session_ticket;
    return offer->len != 0 && is_id(*offer) == ids;
}

static void open_ticket(lr_conn *c, lr__sessions *sessions)
{
    size_t at = 0;
    lr_slice offer;

    for (int i = 0; i < OFFERS_MAX && !sessions->offered && next_offer(c, false, &at, &offer); i++)
        count_verdict(c, lr__session_open_ticket(sessions, c->gate->choice.version, offer,
                                                 c->worker->now_ns, &sessions->offered));
}

/* Who offers early data has a ticket that allows it, which is none of ours; where it was resumed
 * all the same, wolfSSL 5.9.2 would not skip what it sends, or even take it (src/tls13.c,
 * DoPreSharedKeys(), CheckPreSharedKeys()). */
static bool may_resume(const lr__conn_gate *gate)
{
    return !gate->choice.early_data;
}

void lr__conn_pin_keys(lr_conn *c)
{
    c->gate->keys = lr__keys_pin(c->worker);
}

bool lr__conn_begin_sessions(lr_conn *c)
{
    const lr_handlers *handlers = handlers_of(c);
    lr__conn_gate *gate = c->gate;
    lr_toggle wanted = gate->context->tickets;
    lr__sessions *sessions;
    bool tickets = wanted == LR_ON || (wanted == LR_DEFAULT && !handlers->on_new_session);

    if (!tickets && !lr__conn_stores(c))
        return true;
    if (!gate->keys)
        return true;
    sessions = lr__sessions_new(gate->context, gate->keys);
    gate->choice.sessions = gate->sessions = sessions;
    if (!sessions || !lr__session_bind(lr_slice_of(gate->first.name, strlen(gate->first.name)),
                                       gate->choice.alpn, sessions->binding)) {
        lr__conn_fail_memory(c);
        return false;
    }
    sessions->tickets = tickets;
    sessions->stored = handlers->on_new_session != NULL;
    sessions->early_data = gate->choice.early_data;
    if (tickets && may_resume(gate))
        open_ticket(c, sessions);
    return true;
}

bool lr__conn_ask_session(lr_conn *c)
{
    const lr_handlers *handlers = handlers_of(c);
    lr__conn_gate *gate = c->gate;
    lr_worker *w = c->worker;
    size_t at = 0;
    lr_slice offer;
    lr__ask *ask;
    uint64_t before;

    if (!handlers->on_resume || !gate->sessions || gate->sessions->offered || !may_resume(gate) ||
        !next_offer(c, true, &at, &offer))
        return false;
    memcpy(gate->session_id, offer.bytes, sizeof(gate->session_id));
    ask = lr__conn_open_ask(c, LR__ASK_RESUME);
    if (!ask)
        return true;
    before = lr__hook_enter(w, LR__HOOK_RESUME);
    handlers->on_resume(c, lr_slice_of(gate->session_id, sizeof(gate->session_id)),
                        (lr_resume_ask){lr__ask_token(ask)});
    lr__hook_leave(w, before);
    return true;
}

bool lr__conn_take_session(lr_conn *c, lr_slice value)
{
    lr__conn_gate *gate = c->gate;

    if (value.len == 0)
        return true;
    if (!lr__conn_get_replica(c))
        return false;
    count_verdict(c,
                  lr__session_open_stored(gate->sessions, c->replica, gate->choice.version,
                                          lr_slice_of(gate->session_id, sizeof(gate->session_id)),
                                          value, c->worker->now_ns, &gate->sessions->offered));
    return true;
}

bool lr__conn_is_storing(const lr_conn *c)
{
    return c->gate && c->gate->store_count != 0;
}

bool lr__conn_store_sessions(lr_conn *c)
{
    const lr_handlers *handlers = handlers_of(c);
    lr__sessions *sessions = c->gate->sessions;
    lr_worker *w = c->worker;

    for (uint32_t i = 0; sessions && i < sessions->made_count; i++) {
        const lr__stored_session *made = &sessions->made[i];
        lr__ask *ask = lr__ask_open(w, lr_conn_id_of(c), LR__ASK_STORE);
        uint64_t before;

        if (!ask) {
            lr__conn_fail_memory(c);
            return true;
        }
        c->gate->stores[i] = ask;
        c->gate->store_count++;
        before = lr__hook_enter(w, LR__HOOK_NEW_SESSION);
        handlers->on_new_session(c, lr_slice_of(made->id, sizeof(made->id)),
                                 lr_bytes_slice(made->value), (lr_store_ask){lr__ask_token(ask)});
        lr__hook_leave(w, before);
        if (lr__conn_is_over(c))
            return true;
    }
    return lr__conn_is_storing(c);
}

bool lr__conn_take_store(lr_conn *c, const lr__ask *ask)
{
    lr__conn_gate *gate = c->gate;

    for (uint32_t i = 0; i < LR__SESSIONS_MAX; i++) {
        if (gate->stores[i] != ask)
            continue;
        gate->stores[i] = NULL;
        gate->store_count--;
        return true;
    }
    return false;
}

void lr__conn_end_sessions(lr_conn *c)
{
    lr__conn_gate *gate = c->gate;

    if (c->engine)
        lr__engine_end_sessions(c->engine);
    lr__sessions_free(gate->sessions);
    gate->choice.sessions = gate->sessions = NULL;
    lr__keys_unpin(c->worker, gate->keys);
    gate->keys = NULL;
}
