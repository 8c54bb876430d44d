/* SPDX-License-Identifier: MIT */
#include "gate.h"

#include <string.h>

void gate_init(gate *g)
{
    memset(g, 0, sizeof(*g));
    live_recorder_init(&g->recorder);
}

void gate_fini(gate *g)
{
    live_recorder_fini(&g->recorder);
}

void gate_set_arg(gate *g, void *arg)
{
    (void)pthread_mutex_lock(&g->recorder.events.mutex);
    g->arg = arg;
    (void)pthread_mutex_unlock(&g->recorder.events.mutex);
}

lr_ask gate_last(gate *g, gate_hook hook)
{
    lr_ask ask;

    (void)pthread_mutex_lock(&g->recorder.events.mutex);
    ask = g->last[hook];
    (void)pthread_mutex_unlock(&g->recorder.events.mutex);
    return ask;
}

const char *gate_hook_name(gate_hook hook)
{
    static const char *const names[] = {"hello", "sni", "ocsp", "?"};

    return names[hook];
}

lr_status gate_answer(gate_hook hook, lr_ask ask, lr_status result, lr_context *context,
                      lr_bytes *staple)
{
    lr_hello_decision decision = {LR_HELLO_DECISION, .context = context, .staple = staple};

    if (hook == GATE_HELLO)
        return lr_hello_answer((lr_hello_ask){ask}, result, &decision);
    if (hook == GATE_SNI)
        return lr_sni_answer((lr_sni_ask){ask}, result, context);
    return lr_ocsp_answer((lr_ocsp_ask){ask}, result, staple);
}

static void on_ask(lr_conn *c, const gate_ask *ask)
{
    gate *g = lr_server_user(lr_conn_server(c));
    lr_slice name = lr_conn_servername(c);

    (void)pthread_mutex_lock(&g->recorder.events.mutex);
    g->last[ask->hook] = ask->ask;
    (void)pthread_mutex_unlock(&g->recorder.events.mutex);
    if (g->recorder.quiet)
        ;
    else if (ask->hook == GATE_SNI)
        live_note(&g->recorder.events, "sni:%.*s", (int)name.len, (const char *)name.bytes);
    else
        live_note(&g->recorder.events, "%s", gate_hook_name(ask->hook));
    if (g->fn)
        g->fn(g, c, ask);
    else
        (void)gate_answer(ask->hook, ask->ask, LR_OK, NULL, NULL);
}

static void on_hello(lr_conn *c, const lr_hello *hello, lr_hello_ask ask)
{
    on_ask(c, &(gate_ask){.hook = GATE_HELLO, .ask = ask.ask, .hello = hello});
}

static void on_sni(lr_conn *c, lr_slice servername, lr_sni_ask ask)
{
    lr_slice name = lr_conn_servername(c);

    if (servername.len == name.len && memcmp(servername.bytes, name.bytes, name.len) == 0)
        on_ask(c, &(gate_ask){.hook = GATE_SNI, .ask = ask.ask});
}

static void on_ocsp_request(lr_conn *c, lr_slice certificate, lr_slice issuer, lr_ocsp_ask ask)
{
    on_ask(c, &(gate_ask){
                  .hook = GATE_OCSP, .ask = ask.ask, .certificate = certificate, .issuer = issuer});
}

static void on_ask_cancelled(lr_conn *c, lr_ask ask)
{
    gate *g = lr_server_user(lr_conn_server(c));
    int hook = 0;

    while (hook < GATE_HOOKS && (g->last[hook].home != ask.home || g->last[hook].id != ask.id))
        hook++;
    if (!g->recorder.quiet)
        live_note(&g->recorder.events, "cancelled:%s", gate_hook_name((gate_hook)hook));
}

lr_handlers gate_handlers(unsigned hooks)
{
    lr_handlers handlers = live_recorder_handlers;

    handlers.on_hello = hooks & GATE_ON_HELLO ? on_hello : NULL;
    handlers.on_sni = hooks & GATE_ON_SNI ? on_sni : NULL;
    handlers.on_ocsp_request = hooks & GATE_ON_OCSP ? on_ocsp_request : NULL;
    handlers.on_ask_cancelled = on_ask_cancelled;
    return handlers;
}

void gate_client_start(gate_client *c, const tls_plan *plan, uint16_t port, const char *name)
{
    SSL_CTX *ctx = tls_ctx_new(plan);

    assert_non_null(ctx);
    TLS_MUST(&c->t, tls_connect(&c->t, ctx, NULL, port, name));
    SSL_CTX_free(ctx);
    c->len = tls_first_flight(&c->t, c->hello, sizeof(c->hello));
    assert_int_not_equal(c->len, 0);
    assert_true(tcp_send(c->t.sock, c->hello, c->len));
}

void gate_client_finish(gate_client *c)
{
    char got[4];

    TLS_MUST(&c->t, tls_handshake(&c->t));
    TLS_MUST(&c->t, tls_write(&c->t, "ping", 4));
    TLS_MUST(&c->t, tls_read(&c->t, got, 4));
    assert_memory_equal(got, "ping", 4);
    TLS_MUST(&c->t, tls_end_write(&c->t));
    assert_int_equal(tls_read_end(&c->t), TLS_END_NOTIFY);
}

void gate_client_expect_alert(gate_client *c, int alert)
{
    assert_false(tls_handshake(&c->t));
    if (tls_alert_of(&c->t) != alert)
        fail_msg("not alert %d: %s", alert, c->t.why);
}

void gate_client_expect_context(const gate_client *c, const lr_context *context)
{
    lr_slice expected = lr_context_certificate(context);
    X509 *shown = SSL_get1_peer_certificate(c->t.ssl);
    unsigned char *der = NULL;
    int len = i2d_X509(shown, &der);

    assert_int_equal(len, expected.len);
    assert_memory_equal(der, expected.bytes, expected.len);
    OPENSSL_free(der);
    X509_free(shown);
}

lr_context *gate_context(const char *name)
{
    lr_context_options options = {LR_CONTEXT_OPTIONS, .self_signed = name};
    lr_context *context = NULL;
    lr_error err;

    if (lr_context_new(&options, &context, &err) != LR_OK)
        fail_msg("%s", err.text);
    return context;
}
