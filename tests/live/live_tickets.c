/* SPDX-License-Identifier: MIT */
/* live_tickets.c: sessions sealed into tickets, and the keys that seal them. */
#include "store.h"

#include <string.h>

#define VISIT "open secure data:4 end close:clean "

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
static lr_error err;

static void start_with(live *l, store *s, void **state, live_plan plan)
{
    static lr_handlers handlers;

    handlers = store_handlers(0);
    plan.ring = live_ring(state);
    plan.user = s;
    if (!plan.handlers)
        plan.handlers = &handlers;
    if (plan.worker_count == 0)
        plan.worker_count = 1;
    store_init(s);
    live_start(l, &plan);
}

static void start(live *l, store *s, void **state)
{
    start_with(l, s, state, (live_plan){0});
}

static void stop(live *l, store *s)
{
    live_stop(l, LR_NONE);
    store_fini(s);
}

static lr_stats stats_of(const live *l)
{
    lr_stats stats = {LR_STATS};

    assert_int_equal(lr_stats_read(l->workers, &stats), LR_OK);
    return stats;
}

static void make_key(uint64_t seed, uint8_t key[LR_TICKET_KEY_SIZE])
{
    pattern_fill(seed, 0, key, LR_TICKET_KEY_SIZE);
}

static void visit_turn(lr_worker *w, void *arg)
{
    (void)w;
    (void)arg;
}

/* Behind it the key seals: each worker takes news into use between turns, and the last one of them
 * publishes what waited for all. */
static void set_key(const live *l, const uint8_t key[LR_TICKET_KEY_SIZE])
{
    assert_int_equal(
        lr_workers_set_ticket_key(l->workers, lr_slice_of(key, LR_TICKET_KEY_SIZE), &err), LR_OK);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < lr_workers_count(l->workers); i++)
            live_on_worker(l->workers, i, visit_turn, NULL);
    }
}

/* The key that sealed it: its name is what a ticket begins with. */
static bool is_sealed_by(const SSL_SESSION *session, const uint8_t key[LR_TICKET_KEY_SIZE])
{
    lr_slice ticket = store_ticket_of(session);

    return ticket.len > 16 && memcmp(ticket.bytes, key, 16) == 0;
}

static void live_S103_one_context_serves_many_servers(void **state)
{
    store first, second;
    live_plan plan = {.ring = live_ring(state), .user = &first};
    lr_handlers handlers = store_handlers(0);
    live l = {0}, other = {0};

    store_init(&first);
    store_init(&second);
    plan.handlers = &handlers;
    l.workers = live_workers(&plan);
    l.context = live_context(&plan);
    l.server = live_server(l.workers, l.context, &plan);
    l.port = live_listen(l.server, NULL);
    plan.user = &second;
    other.server = live_server(l.workers, l.context, &plan);
    other.port = live_listen(other.server, NULL);
    live_run(l.workers);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_keeper k = {0};
        tls_plan to = {.version = versions[i], .keep = &k};

        store_visit(&l, &first, &to, false, VISIT);
        k.offer = k.sessions[0];
        store_visit(&other, &second, &to, true, VISIT);
        tls_keeper_clear(&k);
    }
    lr_workers_stop(l.workers, LR_NONE);
    lr_workers_join(l.workers);
    lr_server_free(other.server);
    live_stop(&l, LR_NONE);
    store_fini(&first);
    store_fini(&second);
}

static void live_S127_the_lifetime_is_told_with_every_ticket(void **state)
{
    static const struct {
        lr_context_options context;
        uint32_t lifetime_s;
    } cases[] = {{{0}, 7200},
                 {{.profile = LR_PROFILE_NODE4}, 300},
                 {{.session_lifetime_s = 77}, 77},
                 {{.profile = LR_PROFILE_NODE4, .session_lifetime_s = 78}, 78}};

    for (size_t c = 0; c < LIVE_COUNT_OF(cases); c++) {
        live l;
        store s;

        start_with(&l, &s, state, (live_plan){.context = cases[c].context});
        for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
            tls_keeper k = {0};
            tls_plan plan = {.version = versions[i], .keep = &k};

            store_visit(&l, &s, &plan, false, VISIT);
            k.offer = k.sessions[0];
            store_visit(&l, &s, &plan, true, VISIT);
            assert_true(k.count > 0);
            for (uint32_t j = 0; j < k.count; j++)
                assert_int_equal(SSL_SESSION_get_ticket_lifetime_hint(k.sessions[j]),
                                 cases[c].lifetime_s);
            tls_keeper_clear(&k);
        }
        stop(&l, &s);
    }
}

static void live_S50_the_keys_can_be_read(void **state)
{
    uint8_t key[LR_TICKET_KEY_SIZE], again[LR_TICKET_KEY_SIZE], mine[LR_TICKET_KEY_SIZE];
    live l;
    store s;

    start(&l, &s, state);
    assert_true(lr_workers_get_ticket_key(l.workers, key));
    assert_true(lr_workers_get_ticket_key(l.workers, again));
    assert_memory_equal(key, again, sizeof(key));
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_keeper k = {0};
        tls_plan plan = {.version = versions[i], .keep = &k};

        store_visit(&l, &s, &plan, false, VISIT);
        assert_true(is_sealed_by(k.sessions[0], key));
        tls_keeper_clear(&k);
    }
    make_key(50, mine);
    set_key(&l, mine);
    assert_true(lr_workers_get_ticket_key(l.workers, again));
    assert_memory_equal(again, mine, sizeof(mine));
    stop(&l, &s);
}

static void live_S56_only_48_bytes_are_a_key(void **state)
{
    uint8_t bytes[LR_TICKET_KEY_SIZE + 1], before[LR_TICKET_KEY_SIZE], after[LR_TICKET_KEY_SIZE];
    live l;
    store s;

    start(&l, &s, state);
    pattern_fill(56, 0, bytes, sizeof(bytes));
    assert_true(lr_workers_get_ticket_key(l.workers, before));
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        if (len == LR_TICKET_KEY_SIZE)
            continue;
        assert_int_equal(lr_workers_set_ticket_key(l.workers, lr_slice_of(bytes, len), &err),
                         LR_EKEY);
        assert_true(lr_workers_get_ticket_key(l.workers, after));
        assert_memory_equal(before, after, sizeof(before));
    }
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_keeper k = {0};
        tls_plan plan = {.version = versions[i], .keep = &k};
        uint8_t key[LR_TICKET_KEY_SIZE];

        make_key(560 + i, key);
        set_key(&l, key);
        store_visit(&l, &s, &plan, false, VISIT);
        assert_true(is_sealed_by(k.sessions[0], key));
        k.offer = k.sessions[0];
        store_visit(&l, &s, &plan, true, VISIT);
        tls_keeper_clear(&k);
    }
    stop(&l, &s);
}

static lr_hello_ask waiting;
static _Atomic bool holds;

static void on_hello(lr_conn *c, const lr_hello *hello, lr_hello_ask ask)
{
    store *s = lr_server_user(lr_conn_server(c));

    (void)hello;
    waiting = ask;
    if (holds)
        live_note(&s->recorder.events, "hello");
    else
        (void)lr_hello_answer(ask, LR_OK, NULL);
}

/* A handshake that is under way when the keys change seals under those that it began with, and a
 * ticket that it offered under them is still good, although it is not kept. */
static void live_S57_handshakes_under_way_keep_their_keys(void **state)
{
    lr_handlers handlers = store_handlers(0);
    live l;
    store s;

    handlers.on_hello = on_hello;
    start_with(&l, &s, state, (live_plan){.handlers = &handlers, .ticket_keep_s = LR_NONE});
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_keeper k = {0}, later = {0};
        tls_plan plan = {.version = versions[i], .keep = &k};
        tls_plan plain = {.version = versions[i], .keep = &later};
        uint8_t old[LR_TICKET_KEY_SIZE], new[LR_TICKET_KEY_SIZE];
        SSL_CTX *ctx = tls_ctx_new(&plan);
        uint8_t hello[4096];
        char got[4];
        tls_client t;
        size_t len;

        make_key(570 + i * 2, old);
        make_key(571 + i * 2, new);
        set_key(&l, old);
        TLS_MUST(&t, tls_connect(&t, ctx, NULL, l.port, "localhost"));
        SSL_CTX_free(ctx);
        len = tls_first_flight(&t, hello, sizeof(hello));
        holds = true;
        assert_true(tcp_send(t.sock, hello, len));
        assert_true(live_await(&s.recorder.events, "hello"));
        holds = false;
        set_key(&l, new);
        assert_int_equal(lr_hello_answer(waiting, LR_OK, NULL), LR_OK);
        TLS_MUST(&t, tls_handshake(&t));
        TLS_MUST(&t, tls_write(&t, "ping", 4));
        TLS_MUST(&t, tls_read(&t, got, 4));
        TLS_MUST(&t, tls_end_write(&t));
        assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
        tls_close(&t, false);
        assert_true(live_await_counts(&s.recorder.events, 0, 0, 1 + i * 3));
        live_events_clear(&s.recorder.events);
        assert_true(is_sealed_by(k.sessions[0], old));
        store_visit(&l, &s, &plain, false, VISIT);
        assert_true(is_sealed_by(later.sessions[0], new));
        later.offer = k.sessions[0]; /* old is not kept */
        store_visit(&l, &s, &plain, false, VISIT);
        assert_int_equal(stats_of(&l).tickets_unknown_key, 1 + i);
        tls_keeper_clear(&k);
        tls_keeper_clear(&later);
    }
    stop(&l, &s);
}

/* Two servers with certificates and workers of their own; only the keys are the same. */
static void live_S128_servers_with_the_same_keys_resume_each_others_sessions(void **state)
{
    uint8_t key[LR_TICKET_KEY_SIZE], other[LR_TICKET_KEY_SIZE];
    store here, there;
    live a, b;

    make_key(128, key);
    make_key(129, other);
    start(&a, &here, state);
    start(&b, &there, state);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_keeper k = {0};
        tls_plan plan = {.version = versions[i], .keep = &k};
        uint64_t unknown = stats_of(&b).tickets_unknown_key;

        k.offer = NULL;
        store_visit(&a, &here, &plan, false, VISIT);
        k.offer = k.sessions[0];
        if (i == 0) { /* drawn by themselves they differ */
            store_visit(&b, &there, &plan, false, VISIT);
            assert_int_equal(stats_of(&b).tickets_unknown_key, ++unknown);
        }
        set_key(&a, key);
        set_key(&b, key);
        k.offer = NULL;
        tls_keeper_clear(&k);
        store_visit(&a, &here, &plan, false, VISIT);
        k.offer = k.sessions[0];
        store_visit(&b, &there, &plan, true, VISIT);
        store_visit(&a, &here, &plan, true, VISIT);
        set_key(&a, other);
        k.offer = NULL;
        tls_keeper_clear(&k);
        store_visit(&a, &here, &plan, false, VISIT);
        k.offer = k.sessions[0];
        store_visit(&b, &there, &plan, false, VISIT);
        assert_int_equal(stats_of(&b).tickets_unknown_key, unknown + 1);
        assert_int_equal(stats_of(&b).sessions_refused, 0);
        tls_keeper_clear(&k);
    }
    stop(&a, &here);
    stop(&b, &there);
}

/* What a server sealed before its keys were replaced opens for as long as ticket_keep_s says, and
 * is replaced by a ticket under the new one. */
static void live_S128_a_replaced_key_still_opens(void **state)
{
    for (int keeps = 0; keeps <= 1; keeps++) {
        uint8_t old[LR_TICKET_KEY_SIZE], new[LR_TICKET_KEY_SIZE];
        live l;
        store s;

        start_with(&l, &s, state, (live_plan){.ticket_keep_s = keeps ? 0 : LR_NONE});
        for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
            tls_keeper k = {0};
            tls_plan plan = {.version = versions[i], .keep = &k};

            make_key(1280 + i * 2, old);
            make_key(1281 + i * 2, new);
            set_key(&l, old);
            store_visit(&l, &s, &plan, false, VISIT);
            assert_true(is_sealed_by(k.sessions[0], old));
            k.offer = k.sessions[0];
            set_key(&l, new);
            store_visit(&l, &s, &plan, keeps, VISIT);
            assert_true(is_sealed_by(k.sessions[k.count - 1], new));
            k.offer = k.sessions[k.count - 1];
            store_visit(&l, &s, &plan, true, VISIT);
            tls_keeper_clear(&k);
        }
        stop(&l, &s);
    }
}

static void live_S129_all_workers_share_the_keys(void **state)
{
    live l;
    store s;

    start_with(&l, &s, state, (live_plan){.worker_count = 2});
    for (size_t i = 0; i < LIVE_COUNT_OF(versions) * 2; i++) {
        tls_keeper k = {0};
        tls_plan plan = {.version = versions[i % 2], .keep = &k};
        uint8_t key[LR_TICKET_KEY_SIZE];
        unsigned seen = 0;

        if (i >= 2) { /* those that are given too */
            make_key(1290 + i, key);
            set_key(&l, key);
        }
        store_visit(&l, &s, &plan, false, VISIT);
        k.offer = k.sessions[0];
        for (int turn = 0; seen != 3; turn++) {
            assert_int_not_equal(turn, 50);
            seen |= 1u << store_visit_worker(&l, &s, &plan, true);
        }
        tls_keeper_clear(&k);
    }
    stop(&l, &s);
}

static void live_S130_another_session_id_context_is_another_policy(void **state)
{
    static const char *const labels[] = {NULL, "a", "b", "a"};
    uint8_t key[LR_TICKET_KEY_SIZE];
    store stores[4];
    live l[4];

    make_key(130, key);
    for (int i = 0; i < 4; i++) {
        start_with(&l[i], &stores[i], state,
                   (live_plan){.context = {.session_id_context = labels[i]}});
        set_key(&l[i], key);
    }
    for (size_t v = 0; v < LIVE_COUNT_OF(versions); v++) {
        for (int from = 0; from < 4; from++) {
            tls_keeper k = {0};
            tls_plan plan = {.version = versions[v], .keep = &k};

            store_visit(&l[from], &stores[from], &plan, false, VISIT);
            for (int to = 0; to < 4; to++) {
                bool same = to == from || (from % 2 == 1 && to % 2 == 1);
                uint64_t refused = stats_of(&l[to]).sessions_refused;

                k.offer = k.sessions[0];
                store_visit(&l[to], &stores[to], &plan, same, VISIT);
                assert_int_equal(stats_of(&l[to]).sessions_refused, refused + !same);
            }
            tls_keeper_clear(&k);
        }
    }
    for (int i = 0; i < 4; i++)
        stop(&l[i], &stores[i]);
}

static void live_S127_without_tickets_nothing_is_given(void **state)
{
    live l;
    store s;

    start_with(&l, &s, state, (live_plan){.context = {.tickets = LR_OFF}});
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_keeper k = {0};
        tls_plan plan = {.version = versions[i], .keep = &k};

        store_visit(&l, &s, &plan, false, VISIT);
        for (uint32_t j = 0; j < k.count; j++) /* OpenSSL calls an id of length 0 a session */
            assert_int_equal(store_ticket_of(k.sessions[j]).len, 0);
        if (k.count != 0)
            k.offer = k.sessions[0];
        store_visit(&l, &s, &plan, false, VISIT);
        tls_keeper_clear(&k);
    }
    stop(&l, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S50_the_keys_can_be_read),
        LIVE_TEST(live_S56_only_48_bytes_are_a_key),
        LIVE_TEST(live_S57_handshakes_under_way_keep_their_keys),
        LIVE_TEST(live_S103_one_context_serves_many_servers),
        LIVE_TEST(live_S127_the_lifetime_is_told_with_every_ticket),
        LIVE_TEST(live_S127_without_tickets_nothing_is_given),
        LIVE_TEST(live_S128_servers_with_the_same_keys_resume_each_others_sessions),
        LIVE_TEST(live_S128_a_replaced_key_still_opens),
        LIVE_TEST(live_S129_all_workers_share_the_keys),
        LIVE_TEST(live_S130_another_session_id_context_is_another_policy),
    };

    return LIVE_MAIN(tests);
}
