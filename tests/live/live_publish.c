/* SPDX-License-Identifier: MIT */
/* live_publish.c: contexts and names changed under traffic: every handshake sees one state of them,
 * and none that was over when it began; what nobody uses any more goes. */
#include "gate.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLIENTS = 4,
    VISITS = LIVE_SANITIZED ? 25 : 100, /* of each client */
    SETS = 4,
    MANY_NAMES = LIVE_SANITIZED ? 2000 : 10000,
    MANY_CONTEXTS = LIVE_SANITIZED ? 70 : 200
};

static void start(live *l, gate *g, void **state, unsigned hooks)
{
    static lr_handlers handlers;
    live_plan plan = {.ring = live_ring(state), .user = g, .handlers = &handlers};

    handlers = gate_handlers(hooks);
    gate_init(g);
    g->recorder.quiet = true;
    live_start(l, &plan);
}

static void stop(live *l, gate *g)
{
    live_stop(l, LR_NONE);
    gate_fini(g);
}

static void must(lr_status status, const lr_error *err)
{
    if (status != LR_OK)
        fail_msg("%s: %s", lr_status_name(status), err->text);
}

/* Set n is published as a whole: default, one.test and *.two.test have contexts of that set. Sets
 * come in a circle, so that a client that knows which were published while it came can tell whether
 * it was served from one of those. */
typedef struct traffic {
    live l;
    lr_context *contexts[SETS][3];
    _Atomic uint32_t begun, done; /* sets: their publishing has begun, and has returned */
    _Atomic uint32_t clients_left;
} traffic;

static const char *const visited[3] = {NULL, "one.test", "a.two.test"};

/* Which set is this certificate of, of that place? */
static int set_of(const traffic *t, int place, SSL *ssl)
{
    X509 *shown = SSL_get1_peer_certificate(ssl);
    unsigned char *der = NULL;
    int len = i2d_X509(shown, &der), found = -1;

    for (int i = 0; i < SETS; i++) {
        lr_slice leaf = lr_context_certificate(t->contexts[i][place]);

        if (len == (int)leaf.len && memcmp(der, leaf.bytes, leaf.len) == 0)
            found = i;
    }
    OPENSSL_free(der);
    X509_free(shown);
    return found;
}

static bool visit(traffic *t, SSL_CTX *ctx, int place, char *why, size_t cap)
{
    uint32_t first = t->done, last;
    tls_client c;
    int set;

    if (!tls_connect(&c, ctx, NULL, t->l.port, visited[place]) || !tls_handshake(&c)) {
        (void)snprintf(why, cap, "%.200s", c.why);
        tls_close(&c, false);
        return false;
    }
    last = t->begun;
    set = set_of(t, place, c.ssl);
    tls_close(&c, false);
    for (uint32_t n = first; n <= last; n++) {
        if ((int)(n % SETS) == set)
            return true;
    }
    (void)snprintf(why, cap, "place %d was served from set %d, published were %u to %u", place, set,
                   first, last);
    return false;
}

static bool visit_often(uint32_t index, void *arg, char *why, size_t cap)
{
    traffic *t = arg;
    tls_plan plan = {.version = index % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION};
    SSL_CTX *ctx = tls_ctx_new(&plan);
    bool ok = ctx != NULL;

    for (uint32_t i = 0; ok && i < VISITS; i++)
        ok = visit(t, ctx, (int)((i + index) % 3), why, cap);
    SSL_CTX_free(ctx);
    t->clients_left--;
    return ok;
}

static bool publish_set(traffic *t, uint32_t n)
{
    lr_context *const *set = t->contexts[n % SETS];
    lr_names *names = lr_names_new();
    bool ok = names && lr_names_add(names, "one.test", set[1], NULL) == LR_OK &&
              lr_names_add(names, "*.two.test", set[2], NULL) == LR_OK;

    t->begun = n;
    ok = ok && lr_server_publish(t->l.server, set[0], names, NULL) == LR_OK;
    t->done = n;
    lr_names_free(names);
    return ok;
}

/* The last thread publishes, the others visit. */
static bool take_part(uint32_t index, void *arg, char *why, size_t cap)
{
    traffic *t = arg;
    uint32_t n = t->done;

    if (index < CLIENTS)
        return visit_often(index, t, why, cap);
    while (t->clients_left > 0) {
        if (!publish_set(t, ++n)) {
            (void)snprintf(why, cap, "set %u was not published", n);
            return false;
        }
        (void)sched_yield();
    }
    print_message("%u sets were published\n", n);
    return true;
}

static void live_B7_every_handshake_sees_one_published_set(void **state)
{
    static traffic t;
    char why[240];
    gate g;

    memset(&t, 0, sizeof(t));
    start(&t.l, &g, state, 0);
    for (int i = 0; i < SETS; i++) {
        for (int place = 0; place < 3; place++) {
            char name[32];

            (void)snprintf(name, sizeof(name), "set%d-%d.test", i, place);
            t.contexts[i][place] = gate_context(name);
        }
    }
    assert_true(publish_set(&t, 0));
    t.clients_left = CLIENTS;
    if (!clients_run(CLIENTS + 1, take_part, &t, why, sizeof(why)))
        fail_msg("%s", why);
    for (int i = 0; i < SETS * 3; i++)
        lr_context_release(t.contexts[i / 3][i % 3]);
    stop(&t.l, &g);
}

/* Names come and go while others stay: who asks for one that stays always gets it. */
static bool change_names(uint32_t index, void *arg, char *why, size_t cap)
{
    traffic *t = arg;
    tls_plan plan = {0};
    SSL_CTX *ctx = tls_ctx_new(&plan);
    bool ok = ctx != NULL;

    for (uint32_t i = 0; ok && i < VISITS; i++) {
        char name[32];

        if (index % 2 == 0) {
            ok = visit(t, ctx, 1 + (int)(i % 2), why, cap);
            continue;
        }
        (void)snprintf(name, sizeof(name), "n%u.of%u.test", i % 5, index);
        ok = lr_server_add_context(t->l.server, name, t->contexts[1][0], NULL) == LR_OK &&
             lr_server_add_context(t->l.server, name, t->contexts[2][0], NULL) == LR_OK &&
             lr_server_remove_context(t->l.server, name, NULL) == LR_OK;
    }
    SSL_CTX_free(ctx);
    return ok;
}

static void live_S45_several_threads_change_names_under_traffic(void **state)
{
    static traffic t;
    char why[240];
    gate g;

    memset(&t, 0, sizeof(t));
    start(&t.l, &g, state, 0);
    for (int i = 0; i < SETS * 3; i++)
        t.contexts[i / 3][i % 3] = gate_context("any.test");
    assert_true(publish_set(&t, 0));
    if (!clients_run(2 * CLIENTS, change_names, &t, why, sizeof(why)))
        fail_msg("%s", why);
    for (int i = 0; i < SETS * 3; i++)
        lr_context_release(t.contexts[i / 3][i % 3]);
    stop(&t.l, &g);
}

static uint64_t replicas(const live *l)
{
    lr_stats stats = {LR_STATS};

    assert_int_equal(lr_stats_read(l->workers, &stats), LR_OK);
    return stats.replicas;
}

static void nothing(lr_worker *w, void *arg)
{
    (void)w;
    (void)arg;
}

/* Statistics are published at the end of a turn: two visits are at least one turn. */
static uint64_t replicas_now(const live *l)
{
    for (uint32_t i = 0; i < 4; i++)
        live_on_worker(l->workers, i % 2, nothing, NULL);
    return replicas(l);
}

static void visit_name(const live *l, gate *g, const char *name, tls_client *keep)
{
    tls_plan plan = {0};
    uint64_t closed = g->recorder.events.closed;
    gate_client c;

    gate_client_start(&c, &plan, l->port, name);
    if (keep) {
        TLS_MUST(&c.t, tls_handshake(&c.t));
        *keep = c.t;
        return;
    }
    gate_client_finish(&c);
    tls_close(&c.t, false);
    assert_true(live_await_counts(&g->recorder.events, 0, 0, closed + 1));
}

/* One worker's memory is for what is used there, and it is given back. */
static void live_B7_many_names_cost_memory_only_when_used(void **state)
{
    static lr_context *contexts[MANY_CONTEXTS];
    lr_names *names = lr_names_new();
    tls_client kept;
    lr_error err;
    live l;
    gate g;

    start(&l, &g, state, 0);
    for (size_t i = 0; i < MANY_CONTEXTS; i++)
        contexts[i] = gate_context("many.test");
    for (size_t i = 0; i < MANY_NAMES; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "n%zu.test", i);
        must(lr_names_add(names, name, contexts[i % MANY_CONTEXTS], &err), &err);
    }
    must(lr_server_publish(l.server, NULL, names, &err), &err);
    assert_int_equal(replicas_now(&l), 0);
    for (size_t i = 0; i < 20; i++)
        visit_name(&l, &g, i % 2 == 0 ? "n3.test" : "n4.test", NULL);
    assert_in_range(replicas_now(&l), 2, 4); /* two contexts on two workers */
    for (size_t i = 0; i < 2 * MANY_CONTEXTS; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "n%zu.test", i);
        visit_name(&l, &g, name, NULL);
    }
    assert_in_range(replicas_now(&l), 64, 2 * 64); /* those that nobody uses have a bound */
    visit_name(&l, &g, "n5.test", &kept);
    must(lr_server_publish(l.server, NULL, NULL, &err), &err);
    assert_int_equal(replicas_now(&l), 1); /* the one that is in use */
    visit_name(&l, &g, "n5.test", NULL);
    tls_close(&kept, true);
    assert_true(live_await_counts(&g.recorder.events, 0, 0, 20 + 2 * MANY_CONTEXTS + 2));
    assert_in_range(replicas_now(&l), 1, 1); /* the server's own context */
    lr_names_free(names);
    for (size_t i = 0; i < MANY_CONTEXTS; i++)
        lr_context_release(contexts[i]);
    stop(&l, &g);
}

/* A hook that fetches what it needs: the table that it has just changed decides. */
static void fetch(gate *g, lr_conn *c, const gate_ask *ask)
{
    char name[260];
    lr_slice asked = lr_conn_servername(c);

    memcpy(name, asked.bytes, asked.len);
    name[asked.len] = '\0';
    if (lr_server_add_context(lr_conn_server(c), name, g->arg, NULL) != LR_OK)
        abort();
    (void)gate_answer(ask->hook, ask->ask, LR_OK, NULL, NULL);
}

static void live_B7_what_a_hook_publishes_counts_for_its_own_connection(void **state)
{
    lr_context *fetched = gate_context("fetched.test");
    live l;
    gate g;

    start(&l, &g, state, GATE_ON_SNI);
    g.fn = fetch;
    gate_set_arg(&g, fetched);
    for (int i = 0; i < 10; i++) {
        tls_plan plan = {0};
        gate_client c;
        char name[32];

        (void)snprintf(name, sizeof(name), "n%d.test", i);
        gate_client_start(&c, &plan, l.port, name);
        gate_client_finish(&c);
        gate_client_expect_context(&c, fetched);
        tls_close(&c.t, false);
    }
    lr_context_release(fetched);
    stop(&l, &g);
}

static void say_nothing(gate *g, lr_conn *c, const gate_ask *ask)
{
    (void)c;
    live_note(&g->recorder.events, "asked:%s", gate_hook_name(ask->hook));
}

/* Parked before the name was looked up it gets the new table, parked behind it keeps its context,
 * also where the program and the table have given that up. */
static void live_B7_a_parked_connection_keeps_the_context_that_it_has(void **state)
{
    lr_context *first = gate_context("x.test"), *second = gate_context("x.test");
    tls_plan plan = {.ocsp = true};
    gate_client parked;
    lr_error err;
    live l;
    gate g;

    start(&l, &g, state, GATE_ON_SNI | GATE_ON_OCSP);
    g.fn = say_nothing;
    gate_set_arg(&g, NULL);
    must(lr_server_add_context(l.server, "x.test", first, &err), &err);
    gate_client_start(&parked, &plan, l.port, "x.test");
    assert_true(live_await(&g.recorder.events, "asked:sni"));
    must(lr_server_add_context(l.server, "x.test", second, &err), &err);
    lr_context_release(first);
    assert_int_equal(gate_answer(GATE_SNI, gate_last(&g, GATE_SNI), LR_OK, NULL, NULL), LR_OK);
    assert_true(live_await(&g.recorder.events, "asked:ocsp"));
    must(lr_server_remove_context(l.server, "x.test", &err), &err);
    assert_int_equal(gate_answer(GATE_OCSP, gate_last(&g, GATE_OCSP), LR_OK, NULL, NULL), LR_OK);
    gate_client_finish(&parked);
    gate_client_expect_context(&parked, second);
    tls_close(&parked.t, false);
    lr_context_release(second);
    stop(&l, &g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_B7_every_handshake_sees_one_published_set),
        LIVE_TEST(live_S45_several_threads_change_names_under_traffic),
        LIVE_TEST(live_B7_many_names_cost_memory_only_when_used),
        LIVE_TEST(live_B7_what_a_hook_publishes_counts_for_its_own_connection),
        LIVE_TEST(live_B7_a_parked_connection_keeps_the_context_that_it_has),
    };

    return LIVE_MAIN(tests);
}
