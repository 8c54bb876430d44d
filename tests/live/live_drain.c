/* SPDX-License-Identifier: MIT */
/* live_drain.c: the end of a server: transfers finish, queued clients are not lost, deadlines and
 * second signals cut; in this process and in lockring-serve. */
#include "client.h"
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { HALF = 300 * 1000, TRANSFERS = 100 };

/* Clients that stop in the middle until all are there, and what happens then. */
typedef struct halftime {
    uint16_t port;
    pthread_barrier_t middle;
} halftime;

static bool two_halves(uint32_t index, void *arg, char *why, size_t cap)
{
    halftime *h = arg;
    tls_client t;
    bool ok = tls_open(&t, h->port, NULL) && tls_transfer(&t, index + 1, HALF);

    (void)pthread_barrier_wait(&h->middle);
    ok = ok && tls_transfer(&t, index + 1001, HALF) && tls_end_write(&t) &&
         tls_read_end(&t) == TLS_END_NOTIFY;
    (void)snprintf(why, cap, "%s", t.why);
    tls_close(&t, false);
    return ok;
}

/* Runs the clients from a thread of their own, since their starter waits for their end. */
typedef struct crowd {
    halftime h;
    uint32_t count;
    bool ok;
    char why[240];
    pthread_t thread;
} crowd;

static void *crowd_main(void *arg)
{
    crowd *c = arg;

    c->ok = clients_run(c->count, two_halves, &c->h, c->why, sizeof(c->why));
    return NULL;
}

static void crowd_start(crowd *c, uint32_t count, uint16_t port)
{
    memset(c, 0, sizeof(*c));
    c->count = count;
    c->h.port = port;
    assert_int_equal(pthread_barrier_init(&c->h.middle, NULL, count + 1), 0);
    assert_int_equal(pthread_create(&c->thread, NULL, crowd_main, c), 0);
}

static void crowd_wait(crowd *c)
{
    (void)pthread_join(c->thread, NULL);
    (void)pthread_barrier_destroy(&c->h.middle);
    if (!c->ok)
        fail_msg("%s", c->why);
}

static void live_S48_a_drain_from_any_thread_lets_transfers_finish(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder};
    crowd c;
    live l;

    live_recorder_init(&recorder);
    recorder.quiet = true;
    live_start(&l, &plan);
    crowd_start(&c, 16, l.port);
    (void)pthread_barrier_wait(&c.h.middle);
    lr_server_drain(l.server, LR_NONE);
    crowd_wait(&c);
    assert_true(live_await_counts(&recorder.events, 16, 16, 16));
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

/* Keeps a worker from turning, from the first wait to the second. */
static void hold(lr_worker *w, void *arg)
{
    pthread_barrier_t *both = arg;

    (void)w;
    (void)pthread_barrier_wait(both);
    (void)pthread_barrier_wait(both);
}

static void live_S48_a_drain_loses_nobody_whom_the_kernel_has_accepted(void **state)
{
    enum { QUEUED = 64 };
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .worker_count = 2};
    pthread_barrier_t both;
    tls_plan none = {0};
    SSL_CTX *ctx = tls_ctx_new(&none);
    tls_client t[QUEUED];
    char got[4];
    live l;

    live_recorder_init(&recorder);
    recorder.quiet = true;
    live_start(&l, &plan);
    assert_int_equal(pthread_barrier_init(&both, NULL, 3), 0);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(lr_worker_post(lr_workers_worker(l.workers, i), hold, &both), LR_OK);
    (void)pthread_barrier_wait(&both);
    for (size_t i = 0; i < QUEUED; i++)
        TLS_MUST(&t[i], tls_connect(&t[i], ctx, NULL, l.port, NULL));
    lr_server_drain(l.server, LR_NONE);
    (void)pthread_barrier_wait(&both);
    for (size_t i = 0; i < QUEUED; i++) {
        TLS_MUST(&t[i], tls_handshake(&t[i]));
        TLS_MUST(&t[i], tls_write(&t[i], "ping", 4));
        TLS_MUST(&t[i], tls_read(&t[i], got, 4));
        TLS_MUST(&t[i], tls_end_write(&t[i]));
        assert_int_equal(tls_read_end(&t[i]), TLS_END_NOTIFY);
        tls_close(&t[i], false);
    }
    assert_true(live_await_counts(&recorder.events, QUEUED, QUEUED, QUEUED));
    live_stop(&l, LR_NONE);
    assert_int_equal(tcp_connect(NULL, l.port), -1);
    (void)pthread_barrier_destroy(&both);
    live_recorder_fini(&recorder);
    SSL_CTX_free(ctx);
}

/* lockring-serve. */

static bool ping(tls_client *t)
{
    char got[4];

    return tls_write(t, "ping", 4) && tls_read(t, got, 4) && memcmp(got, "ping", 4) == 0;
}

static void signal_during_transfers(void **state, int number)
{
    serve_plan plan = {{NULL}, NULL, false};
    process p;
    crowd c;

    crowd_start(&c, TRANSFERS, serve_start_on(&p, live_ring(state), &plan));
    (void)pthread_barrier_wait(&c.h.middle);
    assert_int_equal(kill(p.pid, number), 0);
    crowd_wait(&c);
    assert_int_equal(process_wait(&p), 0);
}

static void sigterm_lets_a_hundred_transfers_finish(void **state)
{
    signal_during_transfers(state, SIGTERM);
}

static void sigint_lets_a_hundred_transfers_finish(void **state)
{
    signal_during_transfers(state, SIGINT);
}

static void the_drain_timeout_cuts_what_is_left(void **state)
{
    serve_plan plan = {{"--drain-timeout", "100"}, NULL, false};
    tls_client t;
    size_t len;
    process p;

    TLS_MUST(&t, tls_open(&t, serve_start_on(&p, live_ring(state), &plan), NULL));
    TLS_MUST(&t, ping(&t));
    assert_int_equal(kill(p.pid, SIGTERM), 0);
    assert_int_equal(tls_skip_to_end(&t, &len), TLS_END_RESET);
    assert_int_equal(process_wait(&p), 0);
    tls_close(&t, false);
}

static void a_second_signal_cuts_at_once(void **state)
{
    serve_plan plan = {{NULL}, NULL, false};
    uint64_t until = live_now_ms() + LIVE_GUARD_S * 1000;
    uint16_t port;
    tls_client t;
    size_t len;
    process p;
    int sock;

    port = serve_start_on(&p, live_ring(state), &plan);
    TLS_MUST(&t, tls_open(&t, port, NULL));
    TLS_MUST(&t, ping(&t));
    assert_int_equal(kill(p.pid, SIGTERM), 0);
    while ((sock = tcp_connect(NULL, port)) >= 0) { /* refused: it drains */
        assert_true(live_now_ms() < until);
        tcp_reset(sock);
    }
    TLS_MUST(&t, ping(&t));
    assert_int_equal(kill(p.pid, SIGTERM), 0);
    assert_int_equal(tls_skip_to_end(&t, &len), TLS_END_RESET);
    assert_int_equal(process_wait(&p), 0);
    tls_close(&t, false);
}

static void sighup_reloads_and_says_so(void **state)
{
    serve_plan plan = {{NULL}, NULL, true};
    tls_client t;
    process p;

    TLS_MUST(&t, tls_open(&t, serve_start_on(&p, live_ring(state), &plan), NULL));
    assert_int_equal(kill(p.pid, SIGHUP), 0);
    assert_true(serve_await_log(&p, "reload_done"));
    TLS_MUST(&t, ping(&t));
    tls_close(&t, true);
    assert_int_equal(kill(p.pid, SIGTERM), 0);
    assert_int_equal(process_wait(&p), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S48_a_drain_from_any_thread_lets_transfers_finish),
        LIVE_TEST(live_S48_a_drain_loses_nobody_whom_the_kernel_has_accepted),
        LIVE_TEST(sigterm_lets_a_hundred_transfers_finish),
        LIVE_TEST(sigint_lets_a_hundred_transfers_finish),
        LIVE_TEST(the_drain_timeout_cuts_what_is_left),
        LIVE_TEST(a_second_signal_cuts_at_once),
        LIVE_TEST(sighup_reloads_and_says_so),
    };

    return LIVE_MAIN(tests);
}
