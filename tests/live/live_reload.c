/* SPDX-License-Identifier: MIT */
/* live_reload.c: a storm of publications, of a new context each, while clients shake hands without
 * a pause: none of them fails, each is served from what was published while it came, loads that
 * fail in between change nothing, and at the end nothing of all that is left (T-RELOAD). */
#include "client.h"

#include <openssl/x509v3.h>

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum {
    CLIENTS = 3,
    WARM_UP = 20, /* publications before memory is looked at for the first time */
    PUBLICATIONS = LIVE_SANITIZED ? 200 : 1000,
    BLOCKS_MORE = 100, /* pools may still grow by a piece; a context more per publication may not */
    BYTES_MORE = 512 * 1024
};

/* Of tests/unit/fixtures.c, whose header is not for live tests. */
extern const char fixture_ecdsa[], fixture_other_key[];

/* Publication n is of a context for "gN.test" alone. */
typedef struct storm {
    live l;
    uint32_t until;               /* the last publication of this part */
    _Atomic uint32_t begun, done; /* publications: begun, and returned */
    _Atomic uint32_t visits;
    _Atomic uint32_t clients_left;
    _Atomic bool over;
} storm;

static void name_of(uint32_t n, char out[32])
{
    (void)snprintf(out, 32, "g%u.test", n);
}

static bool is_served_from(const tls_client *c, uint32_t first, uint32_t last)
{
    X509 *shown = SSL_get1_peer_certificate(c->ssl);
    bool found = false;

    for (uint32_t n = first; n <= last && !found; n++) {
        char name[32];

        name_of(n, name);
        found = X509_check_host(shown, name, 0, 0, NULL) == 1;
    }
    X509_free(shown);
    return found;
}

static bool visit(storm *s, SSL_CTX *ctx, char *why, size_t cap)
{
    uint32_t first = s->done, last;
    tls_client c;
    char got[4];
    bool ok;

    ok = tls_connect(&c, ctx, NULL, s->l.port, "localhost") && tls_handshake(&c);
    last = s->begun;
    ok = ok && tls_write(&c, "ping", 4) && tls_read(&c, got, 4);
    (void)snprintf(why, cap, "%.200s", c.why);
    if (ok && !is_served_from(&c, first, last)) {
        (void)snprintf(why, cap, "served from none of the publications %u to %u", first, last);
        ok = false;
    }
    tls_close(&c, false);
    s->visits++;
    return ok;
}

static bool visit_until_it_is_over(uint32_t index, storm *s, char *why, size_t cap)
{
    tls_plan plan = {.version = index % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION};
    SSL_CTX *ctx = tls_ctx_new(&plan);
    bool ok = ctx != NULL;

    while (ok && !s->over)
        ok = visit(s, ctx, why, cap);
    SSL_CTX_free(ctx);
    s->clients_left--;
    return ok;
}

static bool publish(storm *s, uint32_t n)
{
    lr_context_options options = {LR_CONTEXT_OPTIONS};
    lr_context *context = NULL;
    lr_status status;
    char name[32];

    name_of(n, name);
    options.self_signed = name;
    if (lr_context_new(&options, &context, NULL) != LR_OK)
        return false;
    s->begun = n;
    status = lr_server_publish(s->l.server, context, NULL, NULL);
    s->done = n;
    lr_context_release(context); /* the server's references alone keep it */
    return status == LR_OK;
}

/* What a reload may find: no context, or names that are none. */
static bool fail_to_publish(storm *s)
{
    lr_context_options options = {LR_CONTEXT_OPTIONS,
                                  .cert = lr_slice_of(fixture_ecdsa, strlen(fixture_ecdsa)),
                                  .key = lr_slice_of(fixture_other_key, strlen(fixture_other_key))};
    lr_context *context = NULL;

    return lr_context_new(&options, &context, NULL) == LR_EKEY && !context &&
           lr_server_add_context(s->l.server, "a*.test", s->l.context, NULL) == LR_EINVAL &&
           lr_server_remove_context(s->l.server, "nobody.test", NULL) == LR_ENAME;
}

/* At least one handshake ends between two publications, so that the storm is one for them too. */
static bool publish_often(storm *s, char *why, size_t cap)
{
    bool ok = true;

    for (uint32_t n = s->done + 1; ok && n <= s->until; n++) {
        uint32_t before = s->visits;

        ok = publish(s, n) && (n % 10 != 0 || fail_to_publish(s));
        if (!ok)
            (void)snprintf(why, cap, "publication %u went wrong", n);
        while (ok && s->visits == before && s->clients_left == CLIENTS)
            (void)sched_yield();
    }
    s->over = true;
    return ok;
}

static bool take_part(uint32_t index, void *arg, char *why, size_t cap)
{
    return index < CLIENTS ? visit_until_it_is_over(index, arg, why, cap)
                           : publish_often(arg, why, cap);
}

static void nothing(lr_worker *w, void *arg)
{
    (void)w;
    (void)arg;
}

/* When every connection has gone. What a turn changed is told at its end: two visits are at least
 * one whole turn. */
static lr_stats quiet_numbers(const live *l, live_recorder *recorder)
{
    lr_stats stats = {LR_STATS};
    uint64_t opened = recorder->events.opened;

    assert_true(live_await_counts(&recorder->events, opened, opened, opened));
    for (uint32_t i = 0; i < 4; i++)
        live_on_worker(l->workers, i % 2, nothing, NULL);
    assert_int_equal(lr_stats_read(l->workers, &stats), LR_OK);
    assert_int_equal(stats.connections, 0);
    assert_int_equal(stats.engines, 0);
    return stats;
}

/* Ends with a publication that nobody has used. */
static lr_stats run(storm *s, live_recorder *recorder, uint32_t publications)
{
    char why[240];

    s->until = s->done + publications;
    s->over = false;
    s->clients_left = CLIENTS;
    if (!clients_run(CLIENTS + 1, take_part, s, why, sizeof(why)))
        fail_msg("%s", why);
    assert_true(publish(s, s->done + 1));
    return quiet_numbers(&s->l, recorder);
}

static void what_fails_changes_nothing(storm *s)
{
    tls_plan plan = {0};
    SSL_CTX *ctx = tls_ctx_new(&plan);
    char why[240];

    assert_non_null(ctx);
    assert_true(fail_to_publish(s));
    if (!visit(s, ctx, why, sizeof(why)))
        fail_msg("%s", why);
    SSL_CTX_free(ctx);
}

static void live_B7_a_storm_of_reloads_fails_no_handshake_and_leaves_nothing(void **state)
{
    static storm s;
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder};
    lr_stats before, after;

    memset(&s, 0, sizeof(s));
    live_recorder_init(&recorder);
    recorder.quiet = true;
    live_start(&s.l, &plan);
    assert_true(publish(&s, 1));
    before = run(&s, &recorder, WARM_UP);
    after = run(&s, &recorder, PUBLICATIONS);
    print_message("%u publications, %u handshakes, blocks %llu -> %llu, bytes %llu -> %llu\n",
                  s.done, s.visits, (unsigned long long)before.heap_blocks,
                  (unsigned long long)after.heap_blocks, (unsigned long long)before.heap_bytes,
                  (unsigned long long)after.heap_bytes);
    assert_int_equal(after.handshakes_failed, 0);
    assert_true(after.handshakes_full >= PUBLICATIONS);
    assert_int_equal(after.replicas, 0);
    assert_true(after.heap_blocks <= before.heap_blocks + BLOCKS_MORE);
    assert_true(after.heap_bytes <= before.heap_bytes + BYTES_MORE);
    what_fails_changes_nothing(&s);
    live_stop(&s.l, LR_NONE);
    live_recorder_fini(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_B7_a_storm_of_reloads_fails_no_handshake_and_leaves_nothing),
    };

    return LIVE_MAIN(tests);
}
