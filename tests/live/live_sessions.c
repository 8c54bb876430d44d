/* SPDX-License-Identifier: MIT */
/* live_sessions.c: sessions in the program's own store, in both versions: who is asked for them and
 * when, what is given, and that nothing moves before the answer. The ways to answer are in
 * live_session_asks.c. */
#include "store.h"

#include <poll.h>
#include <string.h>

enum { QUIET_MS = 300 };

#define FULL_1_2 "open new_session secure data:4 end close:clean "
#define FULL_1_3 "open new_session new_session secure data:4 end close:clean "
#define BACK_1_2 "open resume secure data:4 end close:clean "
#define BACK_1_3 "open resume new_session secure data:4 end close:clean "
#define LOST_1_2 "open resume new_session secure data:4 end close:clean "
#define LOST_1_3 "open resume new_session new_session secure data:4 end close:clean "

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static const char *of(int version, const char *in_1_2, const char *in_1_3)
{
    return version == TLS1_2_VERSION ? in_1_2 : in_1_3;
}

static void start_with(live *l, store *s, void **state, unsigned hooks, uint32_t workers,
                       lr_context_options context)
{
    static lr_handlers handlers;
    live_plan plan = {.ring = live_ring(state),
                      .user = s,
                      .handlers = &handlers,
                      .worker_count = workers,
                      .context = context};

    handlers = store_handlers(hooks);
    store_init(s);
    live_start(l, &plan);
}

static void start(live *l, store *s, void **state, unsigned hooks)
{
    start_with(l, s, state, hooks, 1, (lr_context_options){0});
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

static bool contains(lr_slice bytes, const uint8_t *part, size_t len)
{
    for (size_t i = 0; i + len <= bytes.len; i++) {
        if (memcmp(bytes.bytes + i, part, len) == 0)
            return true;
    }
    return false;
}

/* What is agreed is known, and what is told is the client's session. */
static void look(store *s, lr_conn *c, const store_ask *ask)
{
    live_note(&s->recorder.events, "%zu:%s:%s", ask->id.len,
              lr_conn_version(c) == LR_TLS_1_3 ? "TLSv1.3" : "TLSv1.2",
              ask->value.len > 100 && ask->value.len <= LR_SESSION_VALUE_MAX ? "value" : "?");
    store_serve(s, c, ask);
}

static void live_S22_a_new_session_is_told_as_bytes_that_only_we_can_read(void **state)
{
    live l;
    store s;

    start(&l, &s, state, STORE_ON_NEW);
    s.fn = look;
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_keeper k = {0};
        tls_plan plan = {.version = versions[i], .keep = &k};

        store_visit(&l, &s, &plan, false,
                    of(versions[i],
                       "open new_session 32:TLSv1.2:value secure data:4 end "
                       "close:clean ",
                       "open new_session 32:TLSv1.3:value new_session 32:TLSv1.3:value secure "
                       "data:4 end close:clean "));
        assert_int_equal(k.count, versions[i] == TLS1_3_VERSION ? 2 : 1);
        assert_int_equal(store_count(&s), k.count);
        for (uint32_t j = 0; j < k.count; j++) {
            lr_slice id = store_ticket_of(k.sessions[j]);
            lr_bytes *value = store_get(&s, id);
            uint8_t master[64];
            size_t len = SSL_SESSION_get_master_key(k.sessions[j], master, sizeof(master));

            assert_int_equal(id.len, 32);
            assert_non_null(value); /* under the id that the client has */
            assert_true(len >= 32);
            assert_false(contains(lr_bytes_slice(value), master, len));
            lr_bytes_release(value);
        }
        store_empty(&s);
        tls_keeper_clear(&k);
    }
    stop(&l, &s);
}

static void live_S22_there_are_as_many_as_the_context_says(void **state)
{
    static const char *const told[] = {
        "open secure data:4 end close:clean ", "open new_session secure data:4 end close:clean ",
        "open new_session new_session secure data:4 end close:clean ",
        "open new_session new_session new_session secure data:4 end close:clean ",
        "open new_session new_session new_session new_session secure data:4 end close:clean "};

    for (uint32_t count = 0; count <= 4; count++) {
        tls_keeper k = {0};
        tls_plan plan = {.version = TLS1_3_VERSION, .keep = &k};
        live l;
        store s;

        start_with(&l, &s, state, STORE_ON_NEW, 1,
                   (lr_context_options){.ticket_count = count ? count : LR_NONE});
        store_visit(&l, &s, &plan, false, told[count]);
        assert_int_equal(k.count, count);
        tls_keeper_clear(&k);
        stop(&l, &s);
    }
}

/* The client sends what it can, then there is nothing to read for QUIET_MS. True: its handshake is
 * done. */
static bool client_goes_quiet(tls_client *t)
{
    struct pollfd wait = {.events = POLLIN};
    int state = tls_handshake_step(t, QUIET_MS);

    assert_in_range(state, 0, 1);
    if (state == 0)
        return false;
    TLS_MUST(t, tls_write(t, "ping", 4)); /* its first word; no answer comes, and no ticket */
    wait.fd = t->sock;
    assert_int_equal(poll(&wait, 1, QUIET_MS), 0);
    return true;
}

static void say_nothing(store *s, lr_conn *c, const store_ask *ask)
{
    (void)s;
    (void)c;
    (void)ask;
}

/* 300 ms long neither side of TLS 1.2 is done; in TLS 1.3 the client is, by its own last word, and
 * nothing that it says is heard. */
static void live_S23_no_byte_moves_before_the_answer(void **state)
{
    live l;
    store s;

    start(&l, &s, state, STORE_ON_NEW);
    s.fn = say_nothing;
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        bool is_1_3 = versions[i] == TLS1_3_VERSION;
        tls_keeper k = {0};
        tls_plan plan = {.version = versions[i], .keep = &k};
        SSL_CTX *ctx = tls_ctx_new(&plan);
        const char *held = of(versions[i], "open new_session ", "open new_session new_session ");
        char got[4];
        tls_client t;

        TLS_MUST(&t, tls_connect(&t, ctx, NULL, l.port, "localhost"));
        SSL_CTX_free(ctx);
        assert_int_equal(client_goes_quiet(&t), is_1_3);
        live_expect(&s.recorder.events, held);
        assert_int_equal(k.count, 0);
        if (is_1_3) { /* one answer is not enough */
            assert_int_equal(lr_store_answer((lr_store_ask){store_asked(&s, 1)}, LR_OK), LR_OK);
            assert_true(live_await_quiet(&s.recorder.events, QUIET_MS));
            live_expect(&s.recorder.events, held);
        }
        assert_int_equal(lr_store_answer((lr_store_ask){store_asked(&s, 0)}, LR_OK), LR_OK);
        TLS_MUST(&t, tls_handshake(&t));
        assert_true(is_1_3 || tls_write(&t, "ping", 4));
        TLS_MUST(&t, tls_read(&t, got, 4));
        assert_int_equal(k.count, is_1_3 ? 2 : 1);
        TLS_MUST(&t, tls_end_write(&t));
        assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
        tls_close(&t, false);
        assert_true(live_await_counts(&s.recorder.events, 0, 0, i + 1));
        live_expect(&s.recorder.events, of(versions[i], FULL_1_2, FULL_1_3));
        live_events_clear(&s.recorder.events);
        store_forget_asks(&s);
        tls_keeper_clear(&k);
    }
    stop(&l, &s);
}

/* Handlers are fixed when a server is made, so the hooks of one are nothing to another. */
static void live_S24_S36_each_server_has_its_own_hooks(void **state)
{
    lr_handlers with = store_handlers(STORE_BOTH), without = store_handlers(0);
    store first, second;
    live_plan plan = {.ring = live_ring(state), .handlers = &with, .user = &first};
    live l = {0}, other = {0};

    store_init(&first);
    store_init(&second);
    l.workers = live_workers(&plan);
    l.context = live_context(&plan);
    l.server = live_server(l.workers, l.context, &plan);
    l.port = live_listen(l.server, NULL);
    plan.handlers = &without;
    plan.user = &second;
    other.server = live_server(l.workers, l.context, &plan);
    other.port = live_listen(other.server, NULL);
    live_run(l.workers);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_keeper k = {0};
        tls_plan to = {.version = versions[i], .keep = &k};

        store_visit(&l, &first, &to, false, of(versions[i], FULL_1_2, FULL_1_3));
        k.offer = k.sessions[0];
        store_visit(&other, &second, &to, false, "open secure data:4 end close:clean ");
        store_visit(&l, &first, &to, true, of(versions[i], BACK_1_2, BACK_1_3));
        tls_keeper_clear(&k);
    }
    lr_workers_stop(l.workers, LR_NONE);
    lr_workers_join(l.workers);
    lr_server_free(other.server);
    live_stop(&l, LR_NONE);
    store_fini(&first);
    store_fini(&second);
}

/* A client that speaks TLS 1.3 sends 32 bytes of session id which are none (RFC 8446 D.4); Node
 * asks about each of them. */
static void live_S32_only_what_can_be_a_session_is_asked_for(void **state)
{
    tls_plan any = {0}, only_1_3 = {.version = TLS1_3_VERSION},
             only_1_2 = {.version = TLS1_2_VERSION};
    live l, other; /* with keys of its own */
    store s, strange;

    start(&l, &s, state, STORE_ON_RESUME);
    start(&other, &strange, state, STORE_ON_RESUME);
    store_visit(&l, &s, &any, false, "open secure data:4 end close:clean ");
    store_visit(&l, &s, &only_1_3, false, "open secure data:4 end close:clean ");
    store_visit(&l, &s, &only_1_2, false, "open secure data:4 end close:clean ");
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) { /* tickets are nothing for a store */
        tls_keeper k = {0};
        tls_plan plan = {.version = versions[i], .keep = &k};

        store_visit(&l, &s, &plan, false, "open secure data:4 end close:clean ");
        assert_true(k.count > 0 && store_ticket_of(k.sessions[0]).len != 32);
        k.offer = k.sessions[0];
        store_visit(&l, &s, &plan, true, "open secure data:4 end close:clean ");
        store_visit(&other, &strange, &plan, false, "open secure data:4 end close:clean ");
        tls_keeper_clear(&k);
    }
    assert_int_equal(stats_of(&other).tickets_unknown_key, LIVE_COUNT_OF(versions));
    stop(&other, &strange);
    stop(&l, &s);
}

/* A session of the other version is none here, and nobody is asked. */
static void live_S32_a_session_of_1_2_is_not_asked_for_where_1_3_is_spoken(void **state)
{
    tls_keeper k = {0};
    tls_plan old = {.version = TLS1_2_VERSION, .keep = &k}, any = {.keep = &k};
    live l;
    store s;

    start(&l, &s, state, STORE_BOTH);
    store_visit(&l, &s, &old, false, FULL_1_2);
    k.offer = k.sessions[0];
    store_visit(&l, &s, &any, false, FULL_1_3);
    store_visit(&l, &s, &old, true, BACK_1_2);
    tls_keeper_clear(&k);
    stop(&l, &s);
}

/* store_visit() sees that the server sent no certificate. */
static void live_S33_a_session_that_is_given_is_resumed(void **state)
{
    live l;
    store s;

    start(&l, &s, state, STORE_BOTH);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_keeper k = {0};
        tls_plan plan = {.version = versions[i], .keep = &k};
        uint8_t before[48], after[48];
        tls_client t;

        store_visit(&l, &s, &plan, false, of(versions[i], FULL_1_2, FULL_1_3));
        k.offer = k.sessions[k.count - 1];
        for (int turn = 0; turn < 3; turn++)
            store_visit(&l, &s, &plan, true, of(versions[i], BACK_1_2, BACK_1_3));
        assert_int_equal(k.count, versions[i] == TLS1_3_VERSION ? 5 : 1);
        if (versions[i] == TLS1_2_VERSION) { /* in TLS 1.3 each connection has its own */
            TLS_MUST(&t, tls_open(&t, l.port, &plan));
            assert_true(live_await(&s.recorder.events, "secure"));
            assert_int_equal(SSL_SESSION_get_master_key(SSL_get_session(t.ssl), after, 48), 48);
            assert_int_equal(SSL_SESSION_get_master_key(k.offer, before, 48), 48);
            assert_memory_equal(before, after, 48);
            tls_close(&t, true);
            assert_true(live_await_counts(&s.recorder.events, 0, 0, 5));
            live_events_clear(&s.recorder.events);
        }
        tls_keeper_clear(&k);
    }
    assert_int_equal(stats_of(&l).handshakes_resumed, 3 + 1 + 3);
    assert_int_equal(stats_of(&l).handshakes_full, 2);
    stop(&l, &s);
}

/* arg: the value to answer with. */
static void give_arg(store *s, lr_conn *c, const store_ask *ask)
{
    if (ask->hook == STORE_RESUME)
        (void)lr_resume_answer((lr_resume_ask){ask->ask}, LR_OK, s->arg);
    else
        store_serve(s, c, ask);
}

/* The value of the id, changed in one byte, cut, lengthened, or another one's. */
static lr_bytes *spoiled(store *s, const SSL_SESSION *session, int way)
{
    lr_bytes *value = store_get(s, store_ticket_of(session)), *made;
    lr_slice whole = lr_bytes_slice(value);
    uint8_t bytes[LR_SESSION_VALUE_MAX + 1] = {0};

    memcpy(bytes, whole.bytes, whole.len);
    if (way < 3)
        bytes[way == 0 ? 16 : way == 1 ? whole.len / 2 : whole.len - 1] ^= 1;
    made = lr_bytes_new(lr_slice_of(bytes, way == 3   ? whole.len - 1
                                           : way == 4 ? whole.len + 1
                                                      : whole.len));
    lr_bytes_release(value);
    return made;
}

static void live_S34_without_its_value_the_handshake_is_a_full_one(void **state)
{
    live l;
    store s;

    start(&l, &s, state, STORE_BOTH);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        const char *lost = of(versions[i], LOST_1_2, LOST_1_3);
        tls_keeper k = {0};
        tls_plan plan = {.version = versions[i], .keep = &k};
        uint64_t refused;

        s.fn = (store_fn)NULL;
        store_visit(&l, &s, &plan, false, of(versions[i], FULL_1_2, FULL_1_3));
        k.offer = k.sessions[0];
        s.fn = give_arg;
        s.arg = NULL;
        store_visit(&l, &s, &plan, false, lost);
        s.arg = lr_bytes_new(lr_slice_of(NULL, 0));
        store_visit(&l, &s, &plan, false, lost);
        lr_bytes_release(s.arg);
        refused = stats_of(&l).sessions_refused;
        for (int way = 0; way < 5; way++) {
            s.arg = spoiled(&s, k.offer, way);
            store_visit(&l, &s, &plan, false, lost);
            lr_bytes_release(s.arg);
        }
        assert_int_equal(stats_of(&l).sessions_refused, refused + 5);
        s.arg = store_get(&s, store_ticket_of(k.sessions[1])); /* a good one, of another id */
        assert_non_null(s.arg);
        store_visit(&l, &s, &plan, false, lost);
        lr_bytes_release(s.arg);
        assert_int_equal(stats_of(&l).sessions_refused, refused + 6);
        tls_keeper_clear(&k);
    }
    stop(&l, &s);
}

static void refuse(store *s, lr_conn *c, const store_ask *ask)
{
    (void)c;
    (void)s;
    (void)store_answer(ask->hook, ask->ask, LR_EABORTED, NULL);
}

static void live_S35_an_error_ends_the_connection(void **state)
{
    live l;
    store s;

    start(&l, &s, state, STORE_BOTH);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_keeper k = {0};
        tls_plan plan = {.version = versions[i], .keep = &k};
        tls_client t;

        s.fn = (store_fn)NULL;
        store_visit(&l, &s, &plan, false, NULL);
        k.offer = k.sessions[0];
        s.fn = refuse;
        assert_false(tls_open(&t, l.port, &plan));
        assert_int_equal(tls_alert_of(&t), SSL_AD_ACCESS_DENIED);
        tls_close(&t, false);
        assert_true(live_await_counts(&s.recorder.events, 0, 0, 2 * (i + 1)));
        live_expect(&s.recorder.events,
                    "open resume client_error:LR_EABORTED:49 close:LR_EABORTED ");
        live_events_clear(&s.recorder.events);
        tls_keeper_clear(&k);
    }
    stop(&l, &s);
}

/* Whoever of them accepts the client. */
static void live_S37_a_map_gives_resumption_on_every_worker(void **state)
{
    live l;
    store s;

    start_with(&l, &s, state, STORE_BOTH, 2, (lr_context_options){0});
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_keeper k = {0};
        tls_plan plan = {.version = versions[i], .keep = &k};
        unsigned seen = 0;

        store_visit(&l, &s, &plan, false, of(versions[i], FULL_1_2, FULL_1_3));
        k.offer = k.sessions[0];
        for (int turn = 0; seen != 3; turn++) { /* the kernel spreads them by their ports */
            assert_int_not_equal(turn, 50);
            seen |= 1u << store_visit_worker(&l, &s, &plan, true);
        }
        store_empty(&s);
        tls_keeper_clear(&k);
    }
    stop(&l, &s);
}

/* B3: what a store gives only once is resumed only once, in TLS 1.3 as well; each resumption of it
 * gives the next one there. */
static void live_B3_what_is_deleted_is_resumed_no_more(void **state)
{
    live l;
    store s;

    start(&l, &s, state, STORE_BOTH);
    s.once = true;
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_keeper k = {0};
        tls_plan plan = {.version = versions[i], .keep = &k};

        store_visit(&l, &s, &plan, false, of(versions[i], FULL_1_2, FULL_1_3));
        k.offer = k.sessions[0];
        store_visit(&l, &s, &plan, true, of(versions[i], BACK_1_2, BACK_1_3));
        store_visit(&l, &s, &plan, false, of(versions[i], LOST_1_2, LOST_1_3));
        for (int turn = 0; versions[i] == TLS1_3_VERSION && turn < 3; turn++) {
            k.offer = k.sessions[k.count - 1];
            store_visit(&l, &s, &plan, true, BACK_1_3);
        }
        store_empty(&s);
        store_visit(&l, &s, &plan, false, of(versions[i], LOST_1_2, LOST_1_3));
        store_empty(&s);
        tls_keeper_clear(&k);
    }
    stop(&l, &s);
}

/* Who takes tickets gets them, and the store hears of the others. */
static void live_S22_with_tickets_on_the_store_hears_of_those_who_take_none(void **state)
{
    live l;
    store s;

    start_with(&l, &s, state, STORE_BOTH, 1, (lr_context_options){.tickets = LR_ON});
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_keeper k = {0};
        tls_plan plan = {.version = versions[i], .keep = &k};

        store_visit(&l, &s, &plan, false, "open secure data:4 end close:clean ");
        k.offer = k.sessions[0];
        store_visit(&l, &s, &plan, true, "open secure data:4 end close:clean ");
        tls_keeper_clear(&k);
    }
    {
        tls_keeper k = {0};
        tls_plan plan = {.version = TLS1_2_VERSION, .keep = &k, .no_ticket = true};

        store_visit(&l, &s, &plan, false, FULL_1_2);
        k.offer = k.sessions[0];
        store_visit(&l, &s, &plan, true, BACK_1_2);
        tls_keeper_clear(&k);
    }
    stop(&l, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S22_a_new_session_is_told_as_bytes_that_only_we_can_read),
        LIVE_TEST(live_S22_there_are_as_many_as_the_context_says),
        LIVE_TEST(live_S22_with_tickets_on_the_store_hears_of_those_who_take_none),
        LIVE_TEST(live_S23_no_byte_moves_before_the_answer),
        LIVE_TEST(live_S24_S36_each_server_has_its_own_hooks),
        LIVE_TEST(live_S32_only_what_can_be_a_session_is_asked_for),
        LIVE_TEST(live_S32_a_session_of_1_2_is_not_asked_for_where_1_3_is_spoken),
        LIVE_TEST(live_S33_a_session_that_is_given_is_resumed),
        LIVE_TEST(live_S34_without_its_value_the_handshake_is_a_full_one),
        LIVE_TEST(live_S35_an_error_ends_the_connection),
        LIVE_TEST(live_S37_a_map_gives_resumption_on_every_worker),
        LIVE_TEST(live_B3_what_is_deleted_is_resumed_no_more),
    };

    return LIVE_MAIN(tests);
}
