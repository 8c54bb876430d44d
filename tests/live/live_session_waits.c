/* SPDX-License-Identifier: MIT */
/* live_session_waits.c: connections that wait for the store: two new sessions at once, what their
 * clients do meanwhile, drains and stops, and ten thousand of them. */
#include "store.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAITING_MAX = LIVE_SANITIZED ? 1000 : 10000, KB = 1024 };

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void say_nothing(store *s, lr_conn *c, const store_ask *ask)
{
    (void)s;
    (void)c;
    (void)ask;
}

static void start(live *l, store *s, void **state)
{
    static lr_handlers handlers;
    live_plan plan = {
        .ring = live_ring(state), .user = s, .handlers = &handlers, .worker_count = 1};

    handlers = store_handlers(STORE_BOTH);
    store_init(s);
    live_start(l, &plan);
}

static void stop(live *l, store *s)
{
    live_stop(l, LR_NONE);
    store_fini(s);
}

static uint64_t parked_bytes(const live *l)
{
    lr_stats stats = {LR_STATS};

    assert_int_equal(lr_stats_read(l->workers, &stats), LR_OK);
    return stats.parked_bytes;
}

/* A client whose new sessions are asked about, all of them; that of TLS 1.3 is secure. */
static void come(tls_client *t, const live *l, store *s, int version)
{
    tls_plan plan = {.version = version};
    SSL_CTX *ctx = tls_ctx_new(&plan);
    lr_ask last;
    int state;

    s->fn = say_nothing;
    store_forget_asks(s);
    TLS_MUST(t, tls_connect(t, ctx, NULL, l->port, "localhost"));
    SSL_CTX_free(ctx);
    do {
        state = tls_handshake_step(t, 1);
        last = store_asked(s, version == TLS1_3_VERSION ? 1 : 0);
    } while (state == 0 && last.home == 0);
    assert_int_equal(state, version == TLS1_3_VERSION);
    assert_true(live_await(&s->recorder.events, "new_session"));
    while (last.home == 0) /* the second one follows in the same turn */
        last = store_asked(s, 1);
}

static void visit_turn(lr_worker *w, void *arg)
{
    (void)w;
    (void)arg;
}

static lr_status answer(store *s, uint32_t index, lr_status result)
{
    return lr_store_answer((lr_store_ask){store_asked(s, index)}, result);
}

/* The only connection is over; these were its hooks. */
static void expect_over(store *s, const char *events)
{
    assert_true(live_await_counts(&s->recorder.events, 0, 0, s->recorder.events.opened));
    live_expect(&s->recorder.events, events);
    live_events_clear(&s->recorder.events);
}

static void be_served(tls_client *t)
{
    char got[4];

    TLS_MUST(t, tls_handshake(t));
    TLS_MUST(t, tls_write(t, "ping", 4));
    TLS_MUST(t, tls_read(t, got, 4));
    TLS_MUST(t, tls_end_write(t));
    assert_int_equal(tls_read_end(t), TLS_END_NOTIFY);
    tls_close(t, false);
}

#define TWO "open new_session new_session "

static void live_S23_two_sessions_are_answered_in_either_order(void **state)
{
    live l;
    store s;

    start(&l, &s, state);
    for (uint32_t first = 0; first < 2; first++) {
        tls_client t;

        come(&t, &l, &s, TLS1_3_VERSION);
        assert_int_equal(answer(&s, first, LR_OK), LR_OK);
        assert_int_equal(answer(&s, first, LR_OK), LR_EGONE);
        assert_int_equal(answer(&s, !first, LR_OK), LR_OK);
        be_served(&t);
        expect_over(&s, TWO "secure data:4 end close:clean ");
        for (uint32_t i = 0; i < 2; i++)
            assert_int_equal(answer(&s, i, LR_OK), LR_EGONE);
    }
    stop(&l, &s);
}

/* The other one is cancelled where nobody has answered it. */
static void live_S23_one_failure_of_two_is_enough(void **state)
{
    live l;
    store s;

    start(&l, &s, state);
    for (uint32_t failing = 0; failing < 2; failing++) {
        for (int answered = 0; answered < 2; answered++) {
            tls_client t;
            char byte;

            come(&t, &l, &s, TLS1_3_VERSION);
            if (answered)
                assert_int_equal(answer(&s, !failing, LR_OK), LR_OK);
            assert_int_equal(answer(&s, failing, LR_ENOMEM), LR_OK);
            assert_false(tls_read(&t, &byte, 1));
            assert_int_equal(tls_alert_of(&t), SSL_AD_INTERNAL_ERROR);
            tls_close(&t, false);
            expect_over(&s, answered ? TWO "client_error:LR_ENOMEM:80 close:LR_ENOMEM "
                                     : TWO "client_error:LR_ENOMEM:80 cancelled:new_session "
                                           "close:LR_ENOMEM ");
            assert_int_equal(answer(&s, !failing, LR_OK), LR_EGONE);
        }
    }
    stop(&l, &s);
}

static void abort_when_cancelled(lr_conn *c, lr_ask ask)
{
    store *s = lr_server_user(lr_conn_server(c));

    (void)ask;
    live_note(&s->recorder.events, "cancelled");
    lr_conn_abort(c, LR_OK);
    lr_conn_end(c);
}

static void live_S23_on_ask_cancelled_may_abort(void **state)
{
    lr_handlers handlers = store_handlers(STORE_ON_NEW);
    store s;
    live_plan plan = {
        .ring = live_ring(state), .user = &s, .handlers = &handlers, .worker_count = 1};
    tls_client t;
    live l;

    handlers.on_ask_cancelled = abort_when_cancelled;
    store_init(&s);
    live_start(&l, &plan);
    come(&t, &l, &s, TLS1_3_VERSION);
    assert_int_equal(answer(&s, 0, LR_ENOMEM), LR_OK);
    tls_read_end(&t);
    tls_close(&t, false);
    expect_over(&s, TWO "client_error:LR_ENOMEM:80 cancelled close:LR_ENOMEM ");
    come(&t, &l, &s, TLS1_3_VERSION);
    tls_close(&t, true);
    expect_over(&s, TWO "client_error:LR_ERESET:-1 cancelled cancelled close:LR_ERESET ");
    stop(&l, &s);
}

/* What a client says meanwhile is heard in its order behind the answer. */
static void live_S23_data_waits_for_the_answer(void **state)
{
    live l;
    store s;

    start(&l, &s, state);
    for (int ends = 0; ends < 2; ends++) {
        tls_client t;
        char got[8];

        come(&t, &l, &s, TLS1_3_VERSION);
        TLS_MUST(&t, tls_write(&t, "before", 6));
        if (ends) {
            TLS_MUST(&t, tls_end_write(&t));
            assert_int_equal(shutdown(t.sock, SHUT_WR), 0);
        }
        if (!ends) /* the rest stays outside */
            assert_true(tcp_wait_taken(t.sock));
        live_on_worker(l.workers, 0, visit_turn, NULL);
        live_expect(&s.recorder.events, TWO);
        assert_int_equal(answer(&s, 0, LR_OK), LR_OK);
        assert_int_equal(answer(&s, 1, LR_OK), LR_OK);
        TLS_MUST(&t, tls_read(&t, got, 6));
        assert_memory_equal(got, "before", 6);
        if (!ends)
            TLS_MUST(&t, tls_end_write(&t));
        assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
        tls_close(&t, false);
        expect_over(&s, TWO "secure data:6 end close:clean ");
    }
    assert_int_equal(parked_bytes(&l), 0);
    stop(&l, &s);
}

/* A FIN alone waits too: what came before it is heard first, and the cut is told then. */
static void live_S23_a_fin_waits_for_the_answer(void **state)
{
    live l;
    store s;

    start(&l, &s, state);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions) * 2; i++) {
        bool is_1_3 = i % 2 == 1, data = i >= 2;
        tls_client t;

        if (data && !is_1_3)
            continue; /* it has nothing to say yet */
        come(&t, &l, &s, versions[i % 2]);
        if (data)
            TLS_MUST(&t, tls_write(&t, "last", 4));
        assert_int_equal(shutdown(t.sock, SHUT_WR), 0);
        if (!data) /* else a part of it may stay outside */
            assert_true(tcp_wait_taken(t.sock));
        assert_int_equal(answer(&s, 0, LR_OK), LR_OK);
        if (is_1_3)
            assert_int_equal(answer(&s, 1, LR_OK), LR_OK);
        expect_over(&s, !is_1_3 ? "open new_session secure close:LR_ETRUNCATED "
                        : data  ? TWO "secure data:4 close:LR_ETRUNCATED "
                                : TWO "secure close:LR_ETRUNCATED ");
        tls_close(&t, false);
    }
    stop(&l, &s);
}

static void live_S23_a_reset_ends_the_wait(void **state)
{
    live l;
    store s;

    start(&l, &s, state);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_client t;

        come(&t, &l, &s, versions[i]);
        tls_close(&t, true);
        expect_over(&s, versions[i] == TLS1_2_VERSION
                            ? "open new_session client_error:LR_ERESET:-1 cancelled:new_session "
                              "close:LR_ERESET "
                            : TWO "client_error:LR_ERESET:-1 cancelled:new_session "
                                  "cancelled:new_session close:LR_ERESET ");
        assert_int_equal(answer(&s, 0, LR_OK), LR_EGONE);
    }
    stop(&l, &s);
}

/* Nobody buys memory by talking on: receiving stops, but for what the ring has received already,
 * and goes on behind the answer. */
static void live_S23_a_client_that_talks_on_is_held_back(void **state)
{
    static char block[16 * KB];
    size_t sent = 0, got = 0, before;
    uint64_t parked = 0;
    live l;
    store s;
    tls_client t;

    start(&l, &s, state);
    come(&t, &l, &s, TLS1_3_VERSION);
    assert_int_equal(fcntl(t.sock, F_SETFL, O_NONBLOCK), 0);
    do {
        before = sent;
        while (SSL_write(t.ssl, block, sizeof(block)) > 0)
            sent += sizeof(block);
        parked = parked_bytes(&l);
        for (int turn = 0; turn < 3; turn++)
            live_on_worker(l.workers, 0, visit_turn, NULL);
        assert_in_range(sent, 1, 64 * KB * KB); /* or it is not held back at all */
    } while (sent != before || parked == 0 || parked_bytes(&l) != parked);
    assert_int_equal(fcntl(t.sock, F_SETFL, 0), 0);
    s.recorder.quiet = true;
    assert_int_equal(answer(&s, 0, LR_OK), LR_OK);
    assert_int_equal(answer(&s, 1, LR_OK), LR_OK);
    while (got < sent) {
        size_t part = sent - got < sizeof(block) ? sent - got : sizeof(block);

        TLS_MUST(&t, tls_read(&t, block, part));
        got += part;
    }
    tls_close(&t, true);
    assert_true(live_await_counts(&s.recorder.events, 0, 0, 1));
    assert_int_equal(parked_bytes(&l), 0);
    stop(&l, &s);
}

static void live_S48_a_drain_waits_for_the_store(void **state)
{
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        bool is_1_3 = versions[i] == TLS1_3_VERSION;
        live l;
        store s;
        tls_client t;

        start(&l, &s, state);
        come(&t, &l, &s, versions[i]);
        lr_workers_stop(l.workers, LR_NONE);
        assert_int_equal(answer(&s, 0, LR_OK), LR_OK);
        if (is_1_3)
            assert_int_equal(answer(&s, 1, LR_OK), LR_OK);
        be_served(&t);
        expect_over(&s, is_1_3 ? TWO "secure server_drain data:4 end close:clean "
                               : "open new_session secure server_drain data:4 end close:clean ");
        stop(&l, &s);
    }
}

static void live_S48_a_stop_cuts_what_waits_for_the_store(void **state)
{
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        live l;
        store s;
        tls_client t;

        start(&l, &s, state);
        come(&t, &l, &s, versions[i]);
        lr_workers_stop(l.workers, 0);
        expect_over(&s, versions[i] == TLS1_2_VERSION
                            ? "open new_session cancelled:new_session close:LR_EDRAIN_TIMEOUT "
                            : TWO "cancelled:new_session cancelled:new_session "
                                  "close:LR_EDRAIN_TIMEOUT ");
        lr_workers_join(l.workers);
        assert_int_equal(answer(&s, 0, LR_OK), LR_EGONE);
        tls_close(&t, false);
        stop(&l, &s);
    }
}

/* Asks of many clients. */
typedef struct waiting {
    lr_ask asks[WAITING_MAX * 2];
    store_hook hooks[WAITING_MAX * 2];
    _Atomic uint32_t count;
    uint32_t taken, gone;
} waiting;

/* On the one worker. */
static void collect(store *s, lr_conn *c, const store_ask *ask)
{
    waiting *w = s->arg;

    (void)c;
    if (w->count == LIVE_COUNT_OF(w->asks))
        return;
    w->asks[w->count] = ask->ask;
    w->hooks[w->count] = ask->hook;
    w->count++;
}

static void *answer_all(void *arg)
{
    waiting *w = arg;

    for (uint32_t i = 0; i < w->count; i++) {
        if (store_answer(w->hooks[i], w->asks[i], LR_OK, NULL) == LR_OK)
            w->taken++;
        else
            w->gone++;
    }
    return NULL;
}

/* Each turn that has passed may have brought more. */
static void await_waiting(const live *l, const waiting *w, uint32_t count)
{
    uint64_t until = live_now_ms() + LIVE_GUARD_S * 1000;

    while (w->count < count && live_now_ms() < until)
        live_on_worker(l->workers, 0, visit_turn, NULL);
    assert_int_equal(w->count, count);
}

/* The hello of a client that comes back. */
static size_t a_hello(const live *l, store *s, int version, uint8_t out[4096])
{
    tls_keeper k = {0};
    tls_plan plan = {.version = version, .keep = &k};
    SSL_CTX *ctx;
    tls_client t;
    size_t len;

    store_visit(l, s, &plan, false, NULL);
    k.offer = k.sessions[0];
    ctx = tls_ctx_new(&plan);
    TLS_MUST(&t, tls_connect(&t, ctx, NULL, l->port, "localhost"));
    SSL_CTX_free(ctx);
    len = tls_first_flight(&t, out, 4096);
    assert_int_not_equal(len, 0);
    tls_close(&t, false);
    tls_keeper_clear(&k);
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
    return most < WAITING_MAX ? (uint32_t)most : WAITING_MAX;
}

static void live_S32_ten_thousand_clients_in_on_resume_starve_nobody(void **state)
{
    static int socks[WAITING_MAX];
    static waiting w;
    uint32_t count = how_many();
    uint8_t hellos[2][4096];
    size_t lens[2];
    live l;
    store s;

    memset(&w, 0, sizeof(w));
    start(&l, &s, state);
    for (int i = 0; i < 2; i++)
        lens[i] = a_hello(&l, &s, versions[i], hellos[i]);
    s.recorder.quiet = true;
    s.arg = &w;
    for (uint32_t i = 0; i < count; i++) {
        s.fn = collect;
        socks[i] = tcp_connect(NULL, l.port);
        assert_true(socks[i] >= 0);
        assert_true(tcp_send(socks[i], hellos[i % 2], lens[i % 2]));
        if (i % (count / 20) != 0)
            continue;
        await_waiting(&l, &w, i + 1);
        s.fn = (store_fn)NULL; /* others are served meanwhile, and stored */
        store_empty(&s);
        {
            tls_keeper k = {0};
            tls_plan plan = {.version = versions[i / (count / 20) % 2], .keep = &k};

            store_visit(&l, &s, &plan, false, NULL);
            k.offer = k.sessions[0];
            store_visit(&l, &s, &plan, true, NULL);
            tls_keeper_clear(&k);
        }
    }
    await_waiting(&l, &w, count);
    (void)answer_all(&w);
    assert_int_equal(w.taken, count);
    for (uint32_t i = 0; i < count; i++) { /* none is lost */
        uint8_t first;

        assert_true(tcp_read(socks[i], &first, 1));
        assert_int_equal(first, 22);
        tcp_reset(socks[i]);
    }
    print_message("%u waited\n", count);
    stop(&l, &s);
}

/* A thread answers while the workers stop: what it was told is used or not, and nothing is lost. */
static void live_S23_answers_may_race_with_the_end_of_the_workers(void **state)
{
    enum { ROUNDS = 10, EACH = 8 };

    for (int round = 0; round < ROUNDS; round++) {
        static waiting w;
        tls_client clients[EACH];
        uint32_t asked = 0;
        pthread_t thread;
        live l;
        store s;

        memset(&w, 0, sizeof(w));
        start(&l, &s, state);
        s.fn = collect;
        s.arg = &w;
        for (uint32_t i = 0; i < EACH; i++) {
            tls_plan plan = {.version = versions[i % 2]};
            SSL_CTX *ctx = tls_ctx_new(&plan);

            TLS_MUST(&clients[i], tls_connect(&clients[i], ctx, NULL, l.port, "localhost"));
            SSL_CTX_free(ctx);
            asked += 1 + i % 2;
            while (w.count < asked)
                (void)tls_handshake_step(&clients[i], 1);
        }
        assert_int_equal(pthread_create(&thread, NULL, answer_all, &w), 0);
        lr_workers_stop(l.workers, 0);
        lr_workers_join(l.workers);
        (void)pthread_join(thread, NULL);
        assert_int_equal(w.taken + w.gone, asked);
        for (int i = 0; i < EACH; i++)
            tls_close(&clients[i], false);
        stop(&l, &s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S23_two_sessions_are_answered_in_either_order),
        LIVE_TEST(live_S23_one_failure_of_two_is_enough),
        LIVE_TEST(live_S23_on_ask_cancelled_may_abort),
        LIVE_TEST(live_S23_data_waits_for_the_answer),
        LIVE_TEST(live_S23_a_fin_waits_for_the_answer),
        LIVE_TEST(live_S23_a_reset_ends_the_wait),
        LIVE_TEST(live_S23_a_client_that_talks_on_is_held_back),
        LIVE_TEST(live_S48_a_drain_waits_for_the_store),
        LIVE_TEST(live_S48_a_stop_cuts_what_waits_for_the_store),
        LIVE_TEST(live_S32_ten_thousand_clients_in_on_resume_starve_nobody),
        LIVE_TEST(live_S23_answers_may_race_with_the_end_of_the_workers),
    };

    return LIVE_MAIN(tests);
}
