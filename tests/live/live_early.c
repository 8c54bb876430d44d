/* SPDX-License-Identifier: MIT */
/* live_early.c: early data is never accepted, and no ticket promises any, whatever the server is
 * made of and whatever the client offers. Its tickets are doctored: OpenSSL sends early data only
 * where a ticket allows it. */
#include "store.h"

#include <string.h>

enum { ALLOWED = 16384 };

typedef struct config {
    unsigned hooks;
    lr_context_options context;
} config;

/* Every way to resume in TLS 1.3, and none. */
static const config configs[] = {{0, {0}},
                                 {0, {.tickets = LR_OFF}},
                                 {STORE_ON_NEW, {0}},
                                 {STORE_ON_RESUME, {0}},
                                 {STORE_BOTH, {0}},
                                 {STORE_BOTH, {.tickets = LR_ON}},
                                 {STORE_BOTH, {.tickets = LR_OFF}},
                                 {STORE_BOTH, {.version_min = LR_TLS_1_3}},
                                 {STORE_BOTH, {.groups = "P-384"}}, /* a HelloRetryRequest */
                                 {0, {.groups = "P-384"}}};

static void start(live *l, store *s, void **state, const config *how)
{
    static lr_handlers handlers;
    live_plan plan = {.ring = live_ring(state),
                      .user = s,
                      .handlers = &handlers,
                      .worker_count = 1,
                      .context = how->context};

    handlers = store_handlers(how->hooks);
    store_init(s);
    live_start(l, &plan);
}

static void stop(live *l, store *s)
{
    live_stop(l, LR_NONE);
    store_fini(s);
}

static void expect_no_promise(const tls_keeper *k)
{
    for (uint32_t i = 0; i < k->count; i++)
        assert_int_equal(SSL_SESSION_get_max_early_data(k->sessions[i]), 0);
}

static SSL_SESSION *doctored(SSL_SESSION *session)
{
    SSL_SESSION *copy = SSL_SESSION_dup(session);

    assert_non_null(copy);
    assert_int_equal(SSL_SESSION_set_max_early_data(copy, ALLOWED), 1);
    return copy;
}

/* A client that sends len bytes before the server's first one. None of them is ever data, and the
 * handshake is a full one: the ticket says what none of ours does. */
static void visit_early(const live *l, store *s, tls_keeper *k, SSL_SESSION *ticket, size_t len)
{
    static char early[ALLOWED];
    tls_plan plan = {.version = TLS1_3_VERSION, .keep = k};
    uint64_t closed = s->recorder.events.closed;
    SSL_CTX *ctx;
    tls_client t;
    char got[4];
    size_t done;

    k->offer = doctored(ticket);
    ctx = tls_ctx_new(&plan);
    TLS_MUST(&t, tls_connect(&t, ctx, NULL, l->port, "localhost"));
    SSL_CTX_free(ctx);
    SSL_set_connect_state(t.ssl);
    memset(early, 'e', sizeof(early));
    assert_int_equal(SSL_write_early_data(t.ssl, early, len, &done), 1);
    assert_int_equal(done, len);
    TLS_MUST(&t, tls_handshake(&t));
    assert_int_equal(SSL_get_early_data_status(t.ssl), SSL_EARLY_DATA_REJECTED);
    assert_int_equal(SSL_session_reused(t.ssl), 0);
    TLS_MUST(&t, tls_write(&t, "ping", 4));
    TLS_MUST(&t, tls_read(&t, got, 4));
    assert_memory_equal(got, "ping", 4);
    TLS_MUST(&t, tls_end_write(&t));
    assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
    tls_close(&t, false);
    assert_true(live_await_counts(&s->recorder.events, 0, 0, closed + 1));
    assert_true(live_has(&s->recorder.events, "secure"));
    assert_true(live_has(&s->recorder.events, "data:4")); /* and data came once */
    assert_null(strstr(strstr(s->recorder.events.text, "data:") + 1, "data:"));
    live_events_clear(&s->recorder.events);
    expect_no_promise(k);
    SSL_SESSION_free(k->offer);
    k->offer = NULL;
}

static void live_B18_early_data_is_accepted_in_no_configuration(void **state)
{
    static const size_t sizes[] = {1, 100, ALLOWED};

    for (size_t c = 0; c < LIVE_COUNT_OF(configs); c++) {
        tls_keeper k = {0}, foreign = {0};
        tls_plan plan = {.version = TLS1_3_VERSION, .keep = &k};
        tls_plan stranger = {.version = TLS1_3_VERSION, .keep = &foreign};
        live l, other;
        store s, others;

        start(&l, &s, state, &configs[c]);
        start(&other, &others, state, &configs[0]); /* with keys of its own */
        store_visit(&l, &s, &plan, false, NULL);
        expect_no_promise(&k);
        store_visit(&other, &others, &stranger, false, NULL);
        expect_no_promise(&foreign);
        for (size_t i = 0; i < LIVE_COUNT_OF(sizes); i++) {
            if (k.count != 0)
                visit_early(&l, &s, &k, k.sessions[0], sizes[i]);
            visit_early(&l, &s, &k, foreign.sessions[0], sizes[i]);
        }
        tls_keeper_clear(&k);
        tls_keeper_clear(&foreign);
        stop(&other, &others);
        stop(&l, &s);
    }
}

/* Its new tickets are as good as any. */
static void live_B18_who_offers_early_data_comes_back_without(void **state)
{
    tls_keeper k = {0};
    tls_plan plan = {.version = TLS1_3_VERSION, .keep = &k};
    live l;
    store s;

    start(&l, &s, state, &configs[0]);
    store_visit(&l, &s, &plan, false, NULL);
    for (int turn = 0; turn < 3; turn++) {
        visit_early(&l, &s, &k, k.sessions[k.count - 1], 100);
        assert_int_equal(k.count, 2 * (turn + 2));
    }
    k.offer = k.sessions[k.count - 1];
    store_visit(&l, &s, &plan, true, NULL);
    tls_keeper_clear(&k);
    stop(&l, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_B18_early_data_is_accepted_in_no_configuration),
        LIVE_TEST(live_B18_who_offers_early_data_comes_back_without),
    };

    return LIVE_MAIN(tests);
}
