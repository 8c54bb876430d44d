/* SPDX-License-Identifier: MIT */
/* live_gate.c: the hello gate: what on_hello sees and may choose, and connections that are parked
 * while others live, while their clients go, and while the server ends. */
#include "gate.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PARKED_MAX = LIVE_SANITIZED ? 1000 : 10000, KB = 1024 };

static void tune(lr_server_options *options)
{
    options->half_open_max = LR_NONE;
}

static void start_with(live *l, gate *g, void **state, unsigned hooks, const char *alpn)
{
    static lr_handlers handlers;
    live_plan plan = {.ring = live_ring(state),
                      .user = g,
                      .handlers = &handlers,
                      .handshake_timeout_ms = LR_NONE,
                      .tune = tune,
                      .context = {.alpn = alpn}};

    handlers = gate_handlers(hooks);
    gate_init(g);
    live_start(l, &plan);
}

static void start(live *l, gate *g, void **state, unsigned hooks)
{
    start_with(l, g, state, hooks, NULL);
}

static void stop(live *l, gate *g)
{
    live_stop(l, LR_NONE);
    gate_fini(g);
}

/* Sets what the hooks do; they see it from here on. */
static void set(gate *g, void (*fn)(gate *g, lr_conn *c, const gate_ask *ask), void *arg)
{
    g->fn = fn;
    gate_set_arg(g, arg);
}

static void say_nothing(gate *g, lr_conn *c, const gate_ask *ask)
{
    (void)g;
    (void)c;
    (void)ask;
}

/* What on_hello saw. */
typedef struct seen {
    char text[600];
    uint8_t message[4096];
    size_t len;
} seen;

static void look(gate *g, lr_conn *c, const gate_ask *ask)
{
    static const uint16_t groups[] = {23, 24, 25, 29, 4588}, schemes[] = {0x0403, 0x0804, 0x0201};
    static const uint16_t ciphers[] = {0x1301, 0x1303, 0xc02b, 0x0005};
    const lr_hello *hello = ask->hello;
    seen *s = g->arg;
    lr_slice name = lr_hello_servername(hello), protocol, message = lr_hello_message(hello);
    int at = snprintf(s->text, sizeof(s->text), "name=%.*s alpn=", (int)name.len,
                      name.len ? (const char *)name.bytes : "");
    size_t walk = 0, room = sizeof(s->text);

    (void)c;
    while (lr_hello_alpn_next(hello, &walk, &protocol))
        at += snprintf(s->text + at, room - (size_t)at, "%.*s,", (int)protocol.len,
                       (const char *)protocol.bytes);
    at += snprintf(s->text + at, room - (size_t)at, " versions=%d%d",
                   lr_hello_offers_version(hello, LR_TLS_1_2),
                   lr_hello_offers_version(hello, LR_TLS_1_3));
    for (size_t i = 0; i < LIVE_COUNT_OF(groups); i++)
        at += snprintf(s->text + at, room - (size_t)at, "%s%d",
                       i ? "" : " groups=", lr_hello_offers_group(hello, groups[i]));
    for (size_t i = 0; i < LIVE_COUNT_OF(ciphers); i++)
        at += snprintf(s->text + at, room - (size_t)at, "%s%d",
                       i ? "" : " ciphers=", lr_hello_offers_cipher(hello, ciphers[i]));
    for (size_t i = 0; i < LIVE_COUNT_OF(schemes); i++)
        at += snprintf(s->text + at, room - (size_t)at, "%s%d",
                       i ? "" : " schemes=", lr_hello_offers_signature(hello, schemes[i]));
    (void)snprintf(s->text + at, room - (size_t)at, " ocsp=%d ticket=%d early=%d id=%zu",
                   lr_hello_wants_ocsp(hello), lr_hello_has_ticket(hello),
                   lr_hello_has_early_data(hello), lr_hello_session_id(hello).len);
    memcpy(s->message, message.bytes, message.len);
    s->len = message.len;
    (void)gate_answer(GATE_HELLO, ask->ask, LR_OK, NULL, NULL);
}

static void live_B1_on_hello_sees_the_whole_hello(void **state)
{
    static const struct {
        tls_plan plan;
        const char *name, *text;
    } rows[] = {
        {{.version = TLS1_3_VERSION,
          .groups = "X25519:P-256",
          .alpn = "\2h2\10http/1.1",
          .sigalgs = "ECDSA+SHA256:RSA-PSS+SHA256",
          .ocsp = true},
         "WWW.Example.org",
         "name=www.example.org alpn=h2,http/1.1, versions=01 groups=10010 ciphers=1100 schemes=110 "
         "ocsp=1 ticket=0 early=0 id=32"},
        {{.version = TLS1_2_VERSION, .groups = "P-384:P-256", .sigalgs = "ECDSA+SHA256"},
         NULL,
         "name= alpn= versions=10 groups=11000 ciphers=0010 schemes=100 ocsp=0 ticket=0 early=0 "
         "id=0"},
        {{.groups = "P-521:X25519:P-256", .sigalgs = "ECDSA+SHA256"},
         "127.0.0.1",
         "name= alpn= versions=11 groups=10110 ciphers=1110 schemes=100 ocsp=0 ticket=0 early=0 "
         "id=32"},
    };
    live l;
    gate g;

    start(&l, &g, state, GATE_ON_HELLO);
    for (size_t i = 0; i < LIVE_COUNT_OF(rows); i++) {
        static seen s;
        gate_client c;

        set(&g, look, &s);
        gate_client_start(&c, &rows[i].plan, l.port, rows[i].name);
        gate_client_finish(&c);
        tls_close(&c.t, false);
        assert_true(live_await_counts(&g.recorder.events, 0, 0, i + 1));
        assert_string_equal(s.text, rows[i].text);
        assert_int_equal(s.len, c.len - 5);
        assert_memory_equal(s.message, c.hello + 5, s.len);
    }
    stop(&l, &g);
}

static void choose_alpn(gate *g, lr_conn *c, const gate_ask *ask)
{
    lr_hello_decision decision = {LR_HELLO_DECISION, .alpn = lr_slice_of(g->arg, strlen(g->arg))};

    (void)c;
    if (lr_hello_answer((lr_hello_ask){ask->ask}, LR_OK, &decision) != LR_OK)
        live_note(&g->recorder.events, "not_taken");
}

static void note_alpn(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    lr_slice alpn = lr_conn_alpn(c);

    if (hook == LIVE_OPEN || hook == LIVE_SECURE || hook == LIVE_CLIENT_ERROR)
        live_note(&recorder->events, "<%.*s>", (int)alpn.len, (const char *)alpn.bytes);
    live_echo(c, hook, bytes);
}

/* One client; alert 0: it is served, with what the program chose. */
static void visit_for_alpn(const live *l, gate *g, const tls_plan *plan, const char *chosen,
                           int alert)
{
    uint64_t closed = g->recorder.events.closed;
    const unsigned char *got;
    char expected[200];
    unsigned len;
    gate_client c;

    g->recorder.act = note_alpn;
    set(g, choose_alpn, (void *)(uintptr_t)chosen);
    gate_client_start(&c, plan, l->port, "localhost");
    if (alert == 0) {
        gate_client_finish(&c);
        SSL_get0_alpn_selected(c.t.ssl, &got, &len);
        assert_int_equal(len, strlen(chosen));
        assert_memory_equal(got, chosen, len);
        (void)snprintf(expected, sizeof(expected),
                       "open <> hello secure <%s> data:4 end close:clean ", chosen);
    } else {
        gate_client_expect_alert(&c, alert);
        (void)snprintf(expected, sizeof(expected),
                       "open <> hello client_error:LR_EALPN:%d <> close:LR_EALPN ", alert);
    }
    tls_close(&c.t, false);
    assert_true(live_await_counts(&g->recorder.events, 0, 0, closed + 1));
    live_expect(&g->recorder.events, expected);
    live_events_clear(&g->recorder.events);
}

static void live_B1_the_program_chooses_the_protocol(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION, TLS1_3_VERSION};
    static const char *const of_context[] = {NULL, "h2", "h2,http/1.1"};

    for (size_t i = 0; i < 3; i++) {
        live l;
        gate g;

        start_with(&l, &g, state, GATE_ON_HELLO, of_context[i]);
        for (size_t v = 0; v < 3; v++) {
            tls_plan plan = {.version = versions[v],
                             .alpn = "\2h2\10http/1.1\5other",
                             .groups = v == 2 ? "P-521:X25519:P-256" : NULL}; /* two hellos */
            tls_plan without = {.version = versions[v]};

            visit_for_alpn(&l, &g, &plan, "h2", 0);
            visit_for_alpn(&l, &g, &plan, "http/1.1", 0);
            visit_for_alpn(&l, &g, &plan, "other", 0);
            visit_for_alpn(&l, &g, &plan, "http/1.0", 120);
            visit_for_alpn(&l, &g, &plan, "h", 120);
            visit_for_alpn(&l, &g, &plan, "h22", 120);
            visit_for_alpn(&l, &g, &plan, "H2", 120);
            visit_for_alpn(&l, &g, &without, "h2", 120);
        }
        stop(&l, &g);
    }
}

/* lr_conn_alpn() tells what was agreed, not what was meant to be. */
static void live_B1_a_chosen_protocol_is_not_told_before_it_is_agreed(void **state)
{
    tls_plan plan = {.alpn = "\2h2", .verify = true};
    gate_client c;
    live l;
    gate g;

    start(&l, &g, state, GATE_ON_HELLO);
    g.recorder.act = note_alpn;
    set(&g, choose_alpn, (void *)(uintptr_t) "h2");
    gate_client_start(&c, &plan, l.port, "localhost");
    assert_false(tls_handshake(&c.t));
    assert_true(live_await(&g.recorder.events, "close:LR_EALERT"));
    tls_close(&c.t, false);
    live_expect(&g.recorder.events, "open <> hello client_error:LR_EALERT:48 <> close:LR_EALERT ");
    stop(&l, &g);
}

/* A HelloRetryRequest brings a second hello, about which nobody is asked, however long the first
 * was parked. */
static void live_B1_a_second_hello_is_not_asked_about(void **state)
{
    static const char *const words[] = {"hello", "sni:a.test", "ocsp"};
    tls_plan plan = {
        .version = TLS1_3_VERSION, .groups = "P-521:X25519:P-256", .ocsp = true, .alpn = "\2h2"};
    gate_client c;
    live l;
    gate g;

    start(&l, &g, state, GATE_ALL);
    set(&g, say_nothing, NULL);
    gate_client_start(&c, &plan, l.port, "a.test");
    for (int hook = 0; hook < GATE_HOOKS; hook++) {
        assert_true(live_await(&g.recorder.events, words[hook]));
        assert_int_equal(
            gate_answer((gate_hook)hook, gate_last(&g, (gate_hook)hook), LR_OK, NULL, NULL), LR_OK);
    }
    gate_client_finish(&c);
    tls_close(&c.t, false);
    assert_true(live_await_counts(&g.recorder.events, 0, 0, 1));
    live_expect(&g.recorder.events, "open hello sni:a.test ocsp secure data:4 end close:clean ");
    stop(&l, &g);
}

/* Its handshake cannot be finished any more: at once, not when somebody answers. */
static void live_B1_the_end_of_a_parked_client_is_noticed(void **state)
{
    static const char *const words[] = {"hello", "sni:a.test", "ocsp"};

    for (int hook = 0; hook < GATE_HOOKS; hook++) {
        tls_plan plan = {.ocsp = true};
        char expected[160];
        gate_client c;
        live l;
        gate g;

        start(&l, &g, state, 1u << hook);
        set(&g, say_nothing, NULL);
        gate_client_start(&c, &plan, l.port, "a.test");
        assert_true(live_await(&g.recorder.events, words[hook]));
        assert_int_equal(shutdown(c.t.sock, SHUT_WR), 0);
        assert_true(live_await_counts(&g.recorder.events, 0, 0, 1));
        (void)snprintf(expected, sizeof(expected),
                       "open %s client_error:LR_ETRUNCATED:-1 cancelled:%s close:LR_ETRUNCATED ",
                       words[hook], gate_hook_name((gate_hook)hook));
        live_expect(&g.recorder.events, expected);
        assert_int_equal(
            gate_answer((gate_hook)hook, gate_last(&g, (gate_hook)hook), LR_OK, NULL, NULL),
            LR_EGONE);
        tls_close(&c.t, false);
        stop(&l, &g);
    }
}

static void nothing(lr_worker *w, void *arg)
{
    (void)w;
    (void)arg;
}

static uint64_t parked_bytes(const live *l)
{
    lr_stats stats = {LR_STATS};

    for (uint32_t i = 0; i < 4; i++) /* statistics are published at the end of a turn */
        live_on_worker(l->workers, i % 2, nothing, NULL);
    assert_int_equal(lr_stats_read(l->workers, &stats), LR_OK);
    return stats.parked_bytes;
}

/* A client that goes on sending, which none does: early data is less. Either its window closes, or
 * so much came at once that the connection is refused. */
static void live_B1_a_parked_connection_takes_little_of_what_is_sent(void **state)
{
    static uint8_t bytes[64 * KB];
    tls_plan plan = {0};
    uint64_t taken;
    gate_client c;
    bool refused;
    live l;
    gate g;

    start(&l, &g, state, GATE_ON_HELLO);
    set(&g, say_nothing, NULL);
    gate_client_start(&c, &plan, l.port, "a.test");
    assert_true(live_await(&g.recorder.events, "hello"));
    assert_int_equal(fcntl(c.t.sock, F_SETFL, O_NONBLOCK), 0);
    while (send(c.t.sock, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0)
        ;
    taken = parked_bytes(&l);
    assert_in_range(taken, 0, 64 * KB);
    assert_int_equal(fcntl(c.t.sock, F_SETFL, 0), 0);
    refused = gate_answer(GATE_HELLO, gate_last(&g, GATE_HELLO), LR_OK, NULL, NULL) != LR_OK;
    assert_true(live_await_counts(&g.recorder.events, 0, 0, 1));
    live_expect(&g.recorder.events,
                refused ? "open hello client_error:LR_EHELLO:10 cancelled:hello close:LR_EHELLO "
                        : "open hello client_error:LR_ETLS:10 close:LR_ETLS ");
    print_message("%s with %u bytes\n", refused ? "refused" : "parked", (unsigned)taken);
    tls_close(&c.t, true);
    stop(&l, &g);
}

/* What came meanwhile is for the handshake: a change_cipher_spec, which TLS 1.3 takes no notice of
 * (RFC 8446 D.4), or something that is no record. */
static void live_B1_what_comes_while_parked_is_kept_in_order(void **state)
{
    static const uint8_t ccs[] = {20, 3, 3, 0, 1, 1}, no_record[40 * KB];
    tls_plan plan = {.version = TLS1_3_VERSION};
    gate_client c;
    live l;
    gate g;

    start(&l, &g, state, GATE_ON_HELLO);
    set(&g, say_nothing, NULL);
    for (int i = 0; i < 2; i++) {
        lr_slice sent =
            i == 0 ? lr_slice_of(ccs, sizeof(ccs)) : lr_slice_of(no_record, sizeof(no_record));

        gate_client_start(&c, &plan, l.port, "a.test");
        assert_true(live_await(&g.recorder.events, "hello"));
        assert_true(tcp_send(c.t.sock, sent.bytes, sent.len));
        if (i == 0) { /* of the other a part stays outside */
            assert_true(tcp_wait_taken(c.t.sock));
            assert_int_equal(parked_bytes(&l), sent.len); /* and no receive buffer is held */
        }
        assert_int_equal(gate_answer(GATE_HELLO, gate_last(&g, GATE_HELLO), LR_OK, NULL, NULL),
                         LR_OK);
        (void)SSL_clear_options(c.t.ssl, SSL_OP_ENABLE_MIDDLEBOX_COMPAT); /* no second one */
        if (i == 0)
            gate_client_finish(&c);
        else
            (void)tls_handshake(&c.t); /* in 1.3 it may be done before the server has judged */
        assert_true(live_await_counts(&g.recorder.events, 0, 0, 1 + (uint64_t)i));
        tls_close(&c.t, true);
        live_expect(&g.recorder.events, i == 0
                                            ? "open hello secure data:4 end close:clean "
                                            : "open hello client_error:LR_ETLS:10 close:LR_ETLS ");
        live_events_clear(&g.recorder.events);
    }
    assert_int_equal(parked_bytes(&l), 0);
    stop(&l, &g);
}

static void abort_when_cancelled(lr_conn *c, lr_ask ask)
{
    gate *g = lr_server_user(lr_conn_server(c));

    (void)ask;
    live_note(&g->recorder.events, "cancelled");
    lr_conn_abort(c, LR_OK);
    lr_conn_end(c);
}

/* Whatever it was that ended the wait. */
static void live_B1_on_ask_cancelled_may_abort(void **state)
{
    lr_handlers handlers = gate_handlers(GATE_ON_HELLO);
    gate g;
    live_plan plan = {.ring = live_ring(state), .user = &g, .handlers = &handlers};
    static const char *const expected[] = {
        "open hello client_error:LR_ETRUNCATED:-1 cancelled close:LR_ETRUNCATED ",
        "open hello client_error:LR_ERESET:-1 cancelled close:LR_ERESET "};

    handlers.on_ask_cancelled = abort_when_cancelled;
    for (int way = 0; way < 2; way++) {
        tls_plan to = {0};
        gate_client c;
        live l;

        gate_init(&g);
        g.fn = say_nothing;
        live_start(&l, &plan);
        gate_client_start(&c, &to, l.port, "a.test");
        assert_true(live_await(&g.recorder.events, "hello"));
        if (way == 0)
            assert_int_equal(shutdown(c.t.sock, SHUT_WR), 0);
        else
            tls_close(&c.t, true);
        assert_true(live_await_counts(&g.recorder.events, 0, 0, 1));
        live_expect(&g.recorder.events, expected[way]);
        tls_close(&c.t, true);
        stop(&l, &g);
    }
}

static void pause_it(gate *g, lr_conn *c, const gate_ask *ask)
{
    (void)g;
    lr_conn_pause(c);
    (void)gate_answer(ask->hook, ask->ask, LR_OK, NULL, NULL);
}

static void resume_it(lr_conn *c, void *arg)
{
    (void)arg;
    if (c)
        lr_conn_resume(c);
}

static lr_conn_id paused_id;

static void note_id(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    (void)recorder;
    if (hook == LIVE_OPEN)
        paused_id = lr_conn_id_of(c);
    live_echo(c, hook, bytes);
}

/* The handshake goes on; what comes behind it waits. */
static void live_B1_a_pause_inside_a_hook_holds_from_secure_on(void **state)
{
    tls_plan plan = {0};
    gate_client c;
    char got[4];
    live l;
    gate g;

    start(&l, &g, state, GATE_ON_HELLO);
    g.recorder.act = note_id;
    set(&g, pause_it, NULL);
    gate_client_start(&c, &plan, l.port, "a.test");
    TLS_MUST(&c.t, tls_handshake(&c.t));
    TLS_MUST(&c.t, tls_write(&c.t, "ping", 4));
    assert_true(live_await(&g.recorder.events, "secure"));
    live_expect(&g.recorder.events, "open hello secure ");
    assert_int_equal(lr_conn_post(paused_id, resume_it, NULL), LR_OK);
    TLS_MUST(&c.t, tls_read(&c.t, got, 4));
    tls_close(&c.t, true);
    stop(&l, &g);
}

static void live_B1_a_drain_waits_for_who_is_parked(void **state)
{
    tls_plan plan = {0};
    gate_client c;
    live l;
    gate g;

    start(&l, &g, state, GATE_ON_HELLO);
    set(&g, say_nothing, NULL);
    gate_client_start(&c, &plan, l.port, "a.test");
    assert_true(live_await(&g.recorder.events, "hello"));
    lr_server_drain(l.server, LR_NONE);
    assert_int_equal(gate_answer(GATE_HELLO, gate_last(&g, GATE_HELLO), LR_OK, NULL, NULL), LR_OK);
    gate_client_finish(&c);
    tls_close(&c.t, false);
    assert_true(live_await_counts(&g.recorder.events, 0, 0, 1));
    live_expect(&g.recorder.events, "open hello secure server_drain data:4 end close:clean ");
    stop(&l, &g);
}

/* Answers may come until lr_workers_free(), also of workers that have ended. */
static void live_B1_the_end_of_the_server_cancels_asks(void **state)
{
    static const char *const words[] = {"hello", "sni:a.test", "ocsp"};

    for (int hook = 0; hook < GATE_HOOKS; hook++) {
        tls_plan plan = {.ocsp = true};
        char expected[160];
        gate_client c;
        live l;
        gate g;

        start(&l, &g, state, 1u << hook);
        set(&g, say_nothing, NULL);
        gate_client_start(&c, &plan, l.port, "a.test");
        assert_true(live_await(&g.recorder.events, words[hook]));
        lr_workers_stop(l.workers, 0);
        assert_false(tls_handshake(&c.t));
        assert_true(c.t.reset);
        tls_close(&c.t, false);
        lr_workers_join(l.workers);
        (void)snprintf(expected, sizeof(expected), "open %s cancelled:%s close:LR_EDRAIN_TIMEOUT ",
                       words[hook], gate_hook_name((gate_hook)hook));
        live_expect(&g.recorder.events, expected);
        assert_int_equal(
            gate_answer((gate_hook)hook, gate_last(&g, (gate_hook)hook), LR_OK, NULL, NULL),
            LR_EGONE);
        stop(&l, &g);
    }
}

/* Many asks, for a thread that answers them while something else happens. */
typedef struct parked {
    lr_ask asks[PARKED_MAX];
    uint32_t count; /* under the events' mutex */
    uint32_t taken, gone;
} parked;

static void collect(gate *g, lr_conn *c, const gate_ask *ask)
{
    parked *p = g->arg;
    lr_slice name = lr_conn_servername(c);

    if (name.len == 5 && memcmp(name.bytes, "other", 5) == 0) {
        (void)gate_answer(ask->hook, ask->ask, LR_OK, NULL, NULL);
        return;
    }
    (void)pthread_mutex_lock(&g->recorder.events.mutex);
    if (p->count < PARKED_MAX)
        p->asks[p->count++] = ask->ask;
    (void)pthread_cond_broadcast(&g->recorder.events.changed);
    (void)pthread_mutex_unlock(&g->recorder.events.mutex);
}

static void await_parked(gate *g, const parked *p, uint32_t count)
{
    uint64_t until = live_now_ms() + LIVE_GUARD_S * 1000;
    bool there = false;

    while (!there && live_now_ms() < until) {
        struct timespec end = {.tv_sec = (time_t)(live_now_ms() / 1000) + 1};

        (void)pthread_mutex_lock(&g->recorder.events.mutex);
        while (p->count < count && pthread_cond_timedwait(&g->recorder.events.changed,
                                                          &g->recorder.events.mutex, &end) == 0)
            ;
        there = p->count >= count;
        (void)pthread_mutex_unlock(&g->recorder.events.mutex);
    }
    assert_true(there);
}

/* Every tenth is served, the others are refused. */
static void *answer_all(void *arg)
{
    parked *p = arg;

    for (uint32_t i = 0; i < p->count; i++) {
        lr_status result = i % 10 == 0 ? LR_OK : LR_ENAME;

        if (gate_answer(GATE_HELLO, p->asks[i], result, NULL, NULL) == LR_OK)
            p->taken++;
        else
            p->gone++;
    }
    return NULL;
}

static size_t a_hello(const live *l, uint8_t out[4096])
{
    tls_plan plan = {.version = TLS1_3_VERSION};
    SSL_CTX *ctx = tls_ctx_new(&plan);
    tls_client t;
    size_t len;

    assert_true(tls_connect(&t, ctx, NULL, l->port, "parked"));
    SSL_CTX_free(ctx);
    len = tls_first_flight(&t, out, 4096);
    assert_int_not_equal(len, 0);
    tls_close(&t, false);
    return len;
}

/* As many as the system lets one process have, at both ends. */
static uint32_t how_many(void)
{
    struct rlimit files;
    rlim_t most;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    most = files.rlim_cur > 400 ? (files.rlim_cur - 200) / 2 : 100;
    return most < PARKED_MAX ? (uint32_t)most : PARKED_MAX;
}

static void live_B1_ten_thousand_parked_connections_starve_nobody(void **state)
{
    static int socks[PARKED_MAX];
    static parked p;
    uint32_t count = how_many(), served = 0, refused = 0;
    uint8_t hello[4096];
    size_t len;
    live l;
    gate g;

    memset(&p, 0, sizeof(p));
    start(&l, &g, state, GATE_ON_HELLO);
    g.recorder.quiet = true;
    set(&g, collect, &p);
    len = a_hello(&l, hello);
    for (uint32_t i = 0; i < count; i++) {
        socks[i] = tcp_connect(NULL, l.port);
        assert_true(socks[i] >= 0);
        assert_true(tcp_send(socks[i], hello, len));
        if (i % (count / 20) == 0) { /* others are served meanwhile */
            tls_plan plan = {0};
            gate_client c;

            gate_client_start(&c, &plan, l.port, "other");
            gate_client_finish(&c);
            tls_close(&c.t, false);
        }
    }
    await_parked(&g, &p, count);
    (void)answer_all(&p);
    assert_int_equal(p.taken, count);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t first[7];

        assert_true(tcp_read(socks[i], first, sizeof(first)));
        served += first[0] == 22;
        refused += first[0] == 21 && first[6] == 112;
        tcp_reset(socks[i]);
    }
    assert_int_equal(served, (count + 9) / 10);
    assert_int_equal(served + refused, count);
    print_message("%u were parked\n", count);
    stop(&l, &g);
}

/* A thread answers while the workers stop: what it was told is used or not, and nothing is lost. */
static void live_B1_answers_may_race_with_the_end_of_the_workers(void **state)
{
    enum { ROUNDS = 20, EACH = 20 };

    for (int round = 0; round < ROUNDS; round++) {
        static parked p;
        pthread_t thread;
        int socks[EACH];
        uint8_t hello[4096];
        size_t len;
        live l;
        gate g;

        memset(&p, 0, sizeof(p));
        start(&l, &g, state, GATE_ON_HELLO);
        g.recorder.quiet = true;
        set(&g, collect, &p);
        len = a_hello(&l, hello);
        for (int i = 0; i < EACH; i++) {
            socks[i] = tcp_connect(NULL, l.port);
            assert_true(tcp_send(socks[i], hello, len));
        }
        await_parked(&g, &p, EACH);
        assert_int_equal(pthread_create(&thread, NULL, answer_all, &p), 0);
        lr_workers_stop(l.workers, 0);
        lr_workers_join(l.workers);
        (void)pthread_join(thread, NULL);
        assert_int_equal(p.taken + p.gone, EACH);
        for (int i = 0; i < EACH; i++)
            (void)close(socks[i]);
        stop(&l, &g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_B1_on_hello_sees_the_whole_hello),
        LIVE_TEST(live_B1_the_program_chooses_the_protocol),
        LIVE_TEST(live_B1_a_chosen_protocol_is_not_told_before_it_is_agreed),
        LIVE_TEST(live_B1_a_second_hello_is_not_asked_about),
        LIVE_TEST(live_B1_the_end_of_a_parked_client_is_noticed),
        LIVE_TEST(live_B1_a_parked_connection_takes_little_of_what_is_sent),
        LIVE_TEST(live_B1_what_comes_while_parked_is_kept_in_order),
        LIVE_TEST(live_B1_on_ask_cancelled_may_abort),
        LIVE_TEST(live_B1_a_pause_inside_a_hook_holds_from_secure_on),
        LIVE_TEST(live_B1_a_drain_waits_for_who_is_parked),
        LIVE_TEST(live_B1_the_end_of_the_server_cancels_asks),
        LIVE_TEST(live_B1_ten_thousand_parked_connections_starve_nobody),
        LIVE_TEST(live_B1_answers_may_race_with_the_end_of_the_workers),
    };

    return LIVE_MAIN(tests);
}
