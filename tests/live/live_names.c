/* SPDX-License-Identifier: MIT */
/* live_names.c: which context serves whom: tables of names, changed while clients come. */
#include "gate.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void refuse_unknown_names(lr_server_options *options)
{
    options->refuse_unknown_name = LR_ON;
}

static void start(live *l, gate *g, void **state, unsigned hooks, lr_toggle refuse_unknown)
{
    static lr_handlers handlers;
    live_plan plan = {.ring = live_ring(state),
                      .user = g,
                      .handlers = &handlers,
                      .tune = refuse_unknown == LR_ON ? refuse_unknown_names : NULL};

    handlers = gate_handlers(hooks);
    gate_init(g);
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

static void add(const live *l, const char *pattern, lr_context *context)
{
    lr_error err;

    must(lr_server_add_context(l->server, pattern, context, &err), &err);
}

static void take_away(const live *l, const char *pattern)
{
    lr_error err;

    must(lr_server_remove_context(l->server, pattern, &err), &err);
}

/* A client that asks for name (null: for none) gets this context. */
static void expect_served(const live *l, const char *name, const lr_context *context)
{
    static unsigned turn;
    tls_plan plan = {.version = versions[turn++ % 2]};
    gate_client c;

    gate_client_start(&c, &plan, l->port, name);
    gate_client_finish(&c);
    gate_client_expect_context(&c, context);
    tls_close(&c.t, false);
}

static void expect_refused(const live *l, const char *name)
{
    static unsigned turn;
    tls_plan plan = {.version = versions[turn++ % 2]};
    gate_client c;

    gate_client_start(&c, &plan, l->port, name);
    gate_client_expect_alert(&c, 112);
    tls_close(&c.t, false);
}

static void live_S13_two_names_have_two_certificates(void **state)
{
    lr_context *one = gate_context("one.test"), *two = gate_context("two.test");
    lr_names *names = lr_names_new();
    lr_error err;
    live l;
    gate g;

    start(&l, &g, state, 0, LR_DEFAULT);
    must(lr_names_add(names, "one.test", one, &err), &err);
    must(lr_names_add(names, "two.test", two, &err), &err);
    must(lr_server_publish(l.server, NULL, names, &err), &err);
    lr_names_free(names); /* it was copied */
    for (int i = 0; i < 4; i++) {
        expect_served(&l, "one.test", one);
        expect_served(&l, "two.test", two);
        expect_served(&l, "ONE.Test", one);
        expect_served(&l, "three.test", l.context);
        expect_served(&l, "a.one.test", l.context);
        expect_served(&l, NULL, l.context);
        expect_served(&l, "127.0.0.1", l.context); /* an address is no name */
    }
    lr_context_release(one);
    lr_context_release(two);
    stop(&l, &g);
}

/* Before the workers run, and while they do. */
static void live_S45_add_context_wildcards(void **state)
{
    lr_context *wild = gate_context("*.example.test"), *exact = gate_context("www.example.test"),
               *single = gate_context("single");
    live_plan plan = {.ring = live_ring(state)};
    live_recorder recorder;
    live l = {0};

    live_recorder_init(&recorder);
    recorder.quiet = true;
    plan.user = &recorder;
    l.workers = live_workers(&plan);
    l.context = live_context(&plan);
    l.server = live_server(l.workers, l.context, &plan);
    l.port = live_listen(l.server, NULL);
    add(&l, "*.Example.test.", wild);
    live_run(l.workers);
    expect_served(&l, "www.example.test", wild);
    expect_served(&l, "a.example.test", wild);
    expect_served(&l, "A.EXAMPLE.TEST", wild);
    expect_served(&l, "example.test", l.context);
    expect_served(&l, "a.b.example.test", l.context);
    expect_served(&l, "xn--bcher-kva.example.test", l.context);
    add(&l, "www.example.test", exact);
    add(&l, "*", single);
    expect_served(&l, "www.example.test", exact);
    expect_served(&l, "a.example.test", wild);
    expect_served(&l, "intranet", single);
    expect_served(&l, "example.test", l.context);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
    lr_context_release(wild);
    lr_context_release(exact);
    lr_context_release(single);
}

static void live_S45_in_the_profile_of_node4_the_newest_name_wins(void **state)
{
    lr_context_options node4 = {LR_CONTEXT_OPTIONS, .self_signed = "default.test",
                                .profile = LR_PROFILE_NODE4};
    lr_context *wild = gate_context("*.example.test"), *exact = gate_context("www.example.test");
    live_plan plan = {.ring = live_ring(state)};
    live_recorder recorder;
    live l = {0};
    lr_error err;

    live_recorder_init(&recorder);
    recorder.quiet = true;
    plan.user = &recorder;
    l.workers = live_workers(&plan);
    assert_int_equal(lr_context_new(&node4, &l.context, &err), LR_OK);
    l.server = live_server(l.workers, l.context, &plan);
    l.port = live_listen(l.server, NULL);
    add(&l, "www.example.test", exact);
    live_run(l.workers);
    expect_served(&l, "www.example.test", exact);
    add(&l, "*.example.test", wild);
    expect_served(&l, "www.example.test", wild);
    add(&l, "www.example.test", exact);
    expect_served(&l, "www.example.test", exact);
    expect_served(&l, "a.example.test", wild);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
    lr_context_release(wild);
    lr_context_release(exact);
}

/* What was changed before a client came is what it meets, by another thread than the workers'. */
static void live_S45_contexts_are_added_replaced_and_removed_live(void **state)
{
    lr_context *contexts[] = {gate_context("0.test"), gate_context("1.test"),
                              gate_context("2.test")};
    live l;
    gate g;

    start(&l, &g, state, 0, LR_DEFAULT);
    g.recorder.quiet = true;
    for (size_t i = 0; i < 30; i++) {
        expect_served(&l, "x.test", l.context);
        add(&l, "x.test", contexts[i % 3]);
        expect_served(&l, "x.test", contexts[i % 3]);
        add(&l, "X.test.", contexts[(i + 1) % 3]);
        expect_served(&l, "x.test", contexts[(i + 1) % 3]);
        take_away(&l, "x.TEST");
    }
    for (size_t i = 0; i < 3; i++)
        lr_context_release(contexts[i]);
    stop(&l, &g);
}

static void live_B7_a_change_that_fails_keeps_what_there_is(void **state)
{
    lr_context *one = gate_context("one.test");
    live_plan without = {.ring = live_ring(state), .plain = true};
    live_recorder recorder;
    lr_error err;
    live l, plain;
    gate g;

    start(&l, &g, state, 0, LR_DEFAULT);
    add(&l, "one.test", one);
    assert_int_equal(lr_server_add_context(l.server, "a*b.test", one, &err), LR_EINVAL);
    assert_non_null(strstr(err.text, "'a*b.test'"));
    assert_int_equal(lr_server_add_context(l.server, "127.0.0.1", one, NULL), LR_EINVAL);
    assert_int_equal(lr_server_remove_context(l.server, "two.test", &err), LR_ENAME);
    assert_non_null(strstr(err.text, "'two.test'"));
    assert_int_equal(lr_server_remove_context(l.server, "*.test", NULL), LR_ENAME);
    assert_int_equal(lr_server_remove_context(l.server, "..", NULL), LR_ENAME);
    expect_served(&l, "one.test", one);
    expect_served(&l, NULL, l.context);
    stop(&l, &g);

    live_recorder_init(&recorder);
    without.user = &recorder;
    live_start(&plain, &without);
    assert_int_equal(lr_server_publish(plain.server, one, NULL, &err), LR_ESTATE);
    assert_int_equal(lr_server_add_context(plain.server, "one.test", one, NULL), LR_ESTATE);
    assert_int_equal(lr_server_remove_context(plain.server, "one.test", NULL), LR_ESTATE);
    live_stop(&plain, LR_NONE);
    live_recorder_fini(&recorder);
    lr_context_release(one);
}

static void live_B7_unknown_names_are_refused_where_that_is_asked_for(void **state)
{
    lr_context *known = gate_context("known.test");
    live l;
    gate g;

    start(&l, &g, state, 0, LR_ON);
    expect_refused(&l, "known.test"); /* no table yet */
    assert_true(live_await_counts(&g.recorder.events, 0, 0, 1));
    live_expect(&g.recorder.events, "open client_error:LR_ENAME:112 close:LR_ENAME ");
    add(&l, "known.test", known);
    for (int i = 0; i < 2; i++) {
        expect_served(&l, "known.test", known);
        expect_refused(&l, "unknown.test");
        expect_refused(&l, "a.known.test");
        expect_served(&l, NULL, l.context);
        expect_served(&l, "::1", l.context);
    }
    lr_context_release(known);
    stop(&l, &g);
}

/* on_sni: "mine.*" has a context of its own, "refused.*" none; the table decides about the rest. */
static void choose(gate *g, lr_conn *c, const gate_ask *ask)
{
    lr_slice name = lr_conn_servername(c);

    if (name.len >= 5 && memcmp(name.bytes, "mine.", 5) == 0)
        (void)gate_answer(ask->hook, ask->ask, LR_OK, g->arg, NULL);
    else if (name.len >= 8 && memcmp(name.bytes, "refused.", 8) == 0)
        (void)gate_answer(ask->hook, ask->ask, LR_ENAME, NULL, NULL);
    else
        (void)gate_answer(ask->hook, ask->ask, LR_OK, NULL, NULL);
}

static void callback_and_table(void **state, unsigned hooks, lr_toggle refuse_unknown)
{
    lr_context *mine = gate_context("mine.test"), *listed = gate_context("listed.test");
    live l;
    gate g;

    start(&l, &g, state, hooks, refuse_unknown);
    g.recorder.quiet = true;
    g.fn = choose;
    gate_set_arg(&g, mine);
    add(&l, "listed.test", listed);
    add(&l, "mine.both.test", listed);
    for (int i = 0; i < 2; i++) {
        expect_served(&l, "mine.test", mine);
        expect_served(&l, "mine.both.test", mine); /* the callback is asked first */
        expect_served(&l, "listed.test", listed);
        expect_served(&l, NULL, l.context);
        expect_refused(&l, "refused.test");
        if (refuse_unknown == LR_ON)
            expect_refused(&l, "other.test");
        else
            expect_served(&l, "other.test", l.context);
    }
    lr_context_release(mine);
    lr_context_release(listed);
    stop(&l, &g);
}

static void live_S126_callback_and_default_context(void **state)
{
    callback_and_table(state, GATE_ON_SNI, LR_DEFAULT);
    callback_and_table(state, GATE_ON_SNI, LR_ON);
}

static void live_S126_on_hello_chooses_as_well(void **state)
{
    callback_and_table(state, GATE_ON_HELLO, LR_DEFAULT);
    callback_and_table(state, GATE_ON_HELLO | GATE_ON_OCSP, LR_ON);
}

static void live_S126_a_client_without_a_name_does_not_reach_on_sni(void **state)
{
    live l;
    gate g;

    start(&l, &g, state, GATE_ALL, LR_ON);
    expect_served(&l, NULL, l.context);
    expect_served(&l, "192.0.2.1", l.context);
    assert_true(live_await_counts(&g.recorder.events, 0, 0, 2));
    assert_false(live_has(&g.recorder.events, "sni:"));
    assert_false(live_has(&g.recorder.events, "sni:192.0.2.1"));
    stop(&l, &g);
}

/* S44: at on_secure. */
static void note_name(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    lr_slice name = lr_conn_servername(c);

    if (hook == LIVE_SECURE)
        live_note(&recorder->events, "<%.*s>", (int)name.len, (const char *)name.bytes);
    live_echo(c, hook, bytes);
}

static void live_S44_servername_is_what_was_requested(void **state)
{
    static const char *const names[][2] = {{"www.example.org", "<www.example.org>"},
                                           {"WWW.Example.ORG", "<www.example.org>"},
                                           {"localhost", "<localhost>"},
                                           {"xn--bcher-kva.test", "<xn--bcher-kva.test>"},
                                           {"_under.test", "<_under.test>"},
                                           {"127.0.0.1", "<>"},
                                           {NULL, "<>"}};
    live l;
    gate g;

    start(&l, &g, state, 0, LR_DEFAULT);
    g.recorder.act = note_name;
    gate_set_arg(&g, NULL); /* and is seen */
    for (size_t i = 0; i < LIVE_COUNT_OF(names); i++) {
        expect_served(&l, names[i][0], l.context);
        assert_true(live_has(&g.recorder.events, names[i][1]));
        assert_true(live_await_counts(&g.recorder.events, 0, 0, i + 1));
        live_events_clear(&g.recorder.events);
    }
    stop(&l, &g);
}

static void expect_agreed(const live *l, const char *name, const tls_plan *plan, int version,
                          const char *alpn)
{
    const unsigned char *got;
    gate_client c;
    unsigned len;

    gate_client_start(&c, plan, l->port, name);
    gate_client_finish(&c);
    SSL_get0_alpn_selected(c.t.ssl, &got, &len);
    assert_int_equal(SSL_version(c.t.ssl), version);
    assert_int_equal(len, strlen(alpn));
    assert_memory_equal(got, alpn, len);
    tls_close(&c.t, false);
}

static lr_context *context_of(const char *name, const lr_context_options *options)
{
    lr_context_options with = *options;
    lr_context *context;
    lr_error err;

    with.size = sizeof(with);
    with.self_signed = name;
    must(lr_context_new(&with, &context, &err), &err);
    return context;
}

static void live_S46_a_context_carries_versions_and_protocols_of_its_own(void **state)
{
    lr_context *old = context_of(
        "old.test", &(lr_context_options){.version_max = LR_TLS_1_2, .alpn = "http/1.1"});
    lr_context *new = context_of(
        "new.test", &(lr_context_options){.version_min = LR_TLS_1_3, .alpn = "h2,http/1.1"});
    tls_plan both = {.alpn = "\10http/1.1\2h2"}, only_1_2 = {.version = TLS1_2_VERSION},
             only_1_3 = {.version = TLS1_3_VERSION}, other = {.alpn = "\4spdy"};
    gate_client c;
    live l;
    gate g;

    start(&l, &g, state, 0, LR_DEFAULT);
    g.recorder.quiet = true;
    add(&l, "old.test", old);
    add(&l, "*.new.test", new);
    expect_agreed(&l, "old.test", &both, TLS1_2_VERSION, "http/1.1");
    expect_agreed(&l, "a.new.test", &both, TLS1_3_VERSION, "h2");
    expect_agreed(&l, "other.test", &both, TLS1_3_VERSION, "");
    expect_agreed(&l, "other.test", &only_1_2, TLS1_2_VERSION, "");
    gate_client_start(&c, &only_1_3, l.port, "old.test");
    gate_client_expect_alert(&c, 70);
    tls_close(&c.t, false);
    gate_client_start(&c, &only_1_2, l.port, "a.new.test");
    gate_client_expect_alert(&c, 70);
    tls_close(&c.t, false);
    gate_client_start(&c, &other, l.port, "a.new.test");
    gate_client_expect_alert(&c, 120);
    tls_close(&c.t, false);
    expect_agreed(&l, "other.test", &other, TLS1_3_VERSION, "");
    lr_context_release(old);
    lr_context_release(new);
    stop(&l, &g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S13_two_names_have_two_certificates),
        LIVE_TEST(live_S45_add_context_wildcards),
        LIVE_TEST(live_S45_in_the_profile_of_node4_the_newest_name_wins),
        LIVE_TEST(live_S45_contexts_are_added_replaced_and_removed_live),
        LIVE_TEST(live_B7_a_change_that_fails_keeps_what_there_is),
        LIVE_TEST(live_B7_unknown_names_are_refused_where_that_is_asked_for),
        LIVE_TEST(live_S126_callback_and_default_context),
        LIVE_TEST(live_S126_on_hello_chooses_as_well),
        LIVE_TEST(live_S126_a_client_without_a_name_does_not_reach_on_sni),
        LIVE_TEST(live_S44_servername_is_what_was_requested),
        LIVE_TEST(live_S46_a_context_carries_versions_and_protocols_of_its_own),
    };

    return LIVE_MAIN(tests);
}
