/* SPDX-License-Identifier: MIT */
/* core/run/conn_decide.c: what is decided between a complete ClientHello and the first byte of TLS,
 * step by step: on_hello, on_sni or the table of names, the gate's own rules, on_resume (the
 * session, core/run/conn_session.c), on_ocsp_request.
 *
 * Each hook gets an ask, and the connection is PARKED until its answer arrives through the mailbox,
 * also where it was given inside the hook: the order of events never depends on who was faster. An
 * answer for a connection that is gone, or that asks something else by now, finds nobody and is
 * dropped with what it holds. */
#include "core/run/conn.h"

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/run/hooks.h"
#include "core/tls/fingerprint.h"
#include "core/tls/session.h"

#include <string.h>

enum { ALERT_ACCESS_DENIED = 49 };

lr__ask *lr__conn_open_ask(lr_conn *c, lr__ask_kind kind)
{
    lr__ask *ask = lr__ask_open(c->worker, lr_conn_id_of(c), kind);

    if (!ask) {
        lr__conn_fail_memory(c);
        return NULL;
    }
    LR_DCHECK(!c->gate->ask);
    c->gate->ask = ask;
    if (c->state != LR__CONN_PARKED)
        lr__conn_enter(c, LR__CONN_PARKED);
    return ask;
}

static void cancel(lr_conn *c, lr__ask *ask)
{
    void (*fn)(lr_conn *, lr_ask) = c->part->server->handlers.on_ask_cancelled;
    lr_ask token = lr__ask_token(ask);
    uint64_t before;

    if (!lr__ask_cancel(ask) || !fn)
        return;
    before = lr__hook_enter(c->worker, LR__HOOK_ASK_CANCELLED);
    fn(c, token);
    lr__hook_leave(c->worker, before);
}

void lr__conn_cancel_asks(lr_conn *c)
{
    lr__conn_gate *gate = c->gate;
    lr__ask *ask = gate ? gate->ask : NULL;

    if (ask) {
        gate->ask = NULL;
        cancel(c, ask);
    }
    for (uint32_t i = 0; gate && i < LR__SESSIONS_MAX; i++) {
        ask = gate->stores[i];
        if (!ask)
            continue;
        (void)lr__conn_take_store(c, ask);
        cancel(c, ask);
    }
}

/* True: asked, and the answer goes on. */
static bool ask_hello(lr_conn *c)
{
    const lr_handlers *handlers = &c->part->server->handlers;
    lr_worker *w = c->worker;
    lr__ask *ask;
    uint64_t before;

    if (!handlers->on_hello)
        return false;
    ask = lr__conn_open_ask(c, LR__ASK_HELLO);
    if (!ask)
        return true;
    before = lr__hook_enter(w, LR__HOOK_HELLO);
    handlers->on_hello(c, (const lr_hello *)&c->gate->first, (lr_hello_ask){lr__ask_token(ask)});
    lr__hook_leave(w, before);
    return true;
}

static bool ask_name(lr_conn *c)
{
    const lr_handlers *handlers = &c->part->server->handlers;
    lr_worker *w = c->worker;
    lr__ask *ask;
    uint64_t before;

    if (!handlers->on_sni || !c->name || c->gate->context)
        return false;
    ask = lr__conn_open_ask(c, LR__ASK_SNI);
    if (!ask)
        return true;
    before = lr__hook_enter(w, LR__HOOK_SNI);
    handlers->on_sni(c, lr_conn_servername(c), (lr_sni_ask){lr__ask_token(ask)});
    lr__hook_leave(w, before);
    return true;
}

static bool ask_staple(lr_conn *c)
{
    const lr_handlers *handlers = &c->part->server->handlers;
    lr__conn_gate *gate = c->gate;
    lr_worker *w = c->worker;
    lr_slice certificate, issuer;
    lr__ask *ask;
    uint64_t before;

    if (!handlers->on_ocsp_request || !gate->first.has_status_request || gate->staple ||
        (gate->sessions && gate->sessions->offered))
        return false; /* a resumed handshake has no certificate */
    lr__context_chain_of(gate->context, &gate->choice, &certificate, &issuer);
    ask = lr__conn_open_ask(c, LR__ASK_OCSP);
    if (!ask)
        return true;
    before = lr__hook_enter(w, LR__HOOK_OCSP_REQUEST);
    handlers->on_ocsp_request(c, certificate, issuer, (lr_ocsp_ask){lr__ask_token(ask)});
    lr__hook_leave(w, before);
    return true;
}

/* The table of names, then the server's own. */
static bool choose_context(lr_conn *c)
{
    const lr__table *table;
    lr_context *found;
    lr__hello_fault fault;

    lr__part_adopt(c->part); /* a hook may have published, and answered that the table decides */
    table = atomic_load_explicit(&c->part->table, memory_order_relaxed);
    found = c->name ? lr__names_lookup(&table->names, c->gate->first.name) : NULL;
    if (!found && c->name && table->refuse_unknown) {
        (void)lr__hello_refuse(&fault, LR_ENAME, LR__ALERT_UNRECOGNIZED_NAME,
                               "no context has this server name");
        lr__conn_refuse(c, &fault);
        return false;
    }
    if (!found)
        found = c->gate->own_context ? c->gate->own_context : table->context;
    c->gate->context = lr_context_retain(found);
    return true;
}

/* The context is known: is there anything in common with the client? */
static bool decide(lr_conn *c)
{
    lr__conn_gate *gate = c->gate;
    lr__hello_fault fault;

    if (!gate->context && !choose_context(c))
        return false;
    if (lr__gate_decide_alpn(&gate->first, gate->context, gate->alpn, &gate->choice, &fault) ==
        LR_OK)
        return true;
    lr__conn_refuse(c, &fault);
    return false;
}

static bool source_may_go_on(const lr_conn *c)
{
    struct sockaddr_in6 source;

    lr__conn_source(c, &source);
    return lr__source_may_shake_hands(c->part, &source);
}

static bool keep_ja4(lr_conn *c)
{
    if (!c->part->server->keep_ja4)
        return true;
    c->ja4 = lr__alloc(LR__JA4_SIZE);
    return c->ja4 && lr__ja4(&c->gate->first, c->ja4);
}

void lr__conn_decide(lr_conn *c)
{
    lr__conn_gate *gate = c->gate;

    switch (gate->step) {
    case LR__GATE_HELLO:
        gate->step = LR__GATE_SNI;
        if (!source_may_go_on(c)) {
            /* Nothing is said to the client: an alert would cost as much as it saves. */
            lr__conn_fail_as(c, LR_ESOURCE, lr_status_text(LR_ESOURCE));
            return;
        }
        if (!keep_ja4(c)) {
            lr__conn_fail_memory(c);
            return;
        }
        if (ask_hello(c))
            return;
        /* fall through */
    case LR__GATE_SNI:
        gate->step = LR__GATE_NAMES;
        if (ask_name(c))
            return;
        /* fall through */
    case LR__GATE_NAMES:
        gate->step = LR__GATE_SESSION;
        if (!decide(c) || !lr__conn_begin_sessions(c))
            return;
        /* fall through */
    case LR__GATE_SESSION:
        gate->step = LR__GATE_OCSP;
        if (lr__conn_ask_session(c))
            return;
        /* fall through */
    case LR__GATE_OCSP:
        gate->step = LR__GATE_DONE;
        if (ask_staple(c))
            return;
        /* fall through */
    case LR__GATE_DONE:
        gate->choice.staple = gate->staple;
        lr__conn_begin_handshake(c);
    }
}

static int alert_of(lr_status why)
{
    if (why == LR_ENAME)
        return LR__ALERT_UNRECOGNIZED_NAME;
    if (why == LR_EALPN)
        return LR__ALERT_NO_APPLICATION_PROTOCOL;
    if (lr_status_class(why) == LR_CLASS_USAGE || lr_status_class(why) == LR_CLASS_SYSTEM)
        return LR__ALERT_INTERNAL_ERROR;
    return ALERT_ACCESS_DENIED;
}

static void refuse_by_answer(lr_conn *c, lr_status why)
{
    lr__hello_fault fault = {why, alert_of(why), "refused by the program", -1};

    lr__conn_refuse(c, &fault);
}

/* The protocol that the program chose lives as long as the connection. False: it is not the
 * client's, or there is no memory, and the connection has failed. */
static bool take_alpn(lr_conn *c, lr_slice chosen)
{
    lr_slice offered;
    size_t at = 0;

    while (lr__hello_alpn_next(&c->gate->first, &at, &offered)) {
        if (offered.len != chosen.len || memcmp(offered.bytes, chosen.bytes, chosen.len) != 0)
            continue;
        c->alpn_chosen = lr__alloc(chosen.len);
        if (!c->alpn_chosen) {
            lr__conn_fail_memory(c);
            return false;
        }
        memcpy(c->alpn_chosen, chosen.bytes, chosen.len);
        c->gate->alpn = lr_slice_of(c->alpn_chosen, chosen.len);
        return true;
    }
    refuse_by_answer(c, LR_EALPN);
    return false;
}

/* Moves what the answer holds into the gate. */
static bool take_answer(lr_conn *c, lr__ask *ask)
{
    lr__conn_gate *gate = c->gate;

    if (ask->context) {
        gate->context = ask->context;
        ask->context = NULL;
    }
    if (ask->kind == LR__ASK_RESUME)
        return lr__conn_take_session(c, lr_bytes_slice(ask->bytes));
    if (ask->bytes) {
        gate->staple = ask->bytes;
        ask->bytes = NULL;
    }
    return ask->alpn_len == 0 || take_alpn(c, lr_slice_of(ask->alpn, ask->alpn_len));
}

/* One of the new sessions is where it belongs, or the program wants no such connection. */
static void on_stored(lr_conn *c, lr_status result)
{
    LR_CHECK(c->state == LR__CONN_HANDSHAKE);
    if (result != LR_OK)
        refuse_by_answer(c, result);
    else if (!lr__conn_is_storing(c))
        lr__conn_finish_handshake(c);
}

void lr__conn_on_answer(lr__ask *ask)
{
    lr_conn *c = lr_conn_find(ask->conn);
    lr_status result = ask->result;
    bool go_on;

    if (c && c->gate && ask->kind == LR__ASK_STORE && lr__conn_take_store(c, ask)) {
        lr__ask_close(ask);
        on_stored(c, result);
        return;
    }
    if (!c || !c->gate || c->gate->ask != ask) {
        lr__ask_close(ask);
        return;
    }
    LR_CHECK(c->state == LR__CONN_PARKED);
    c->gate->ask = NULL;
    go_on = result == LR_OK && take_answer(c, ask);
    lr__ask_close(ask);
    if (go_on)
        lr__conn_decide(c);
    else if (result != LR_OK)
        refuse_by_answer(c, result);
}
