/* SPDX-License-Identifier: MIT */
/* live_many.c: several servers on one set of workers, several sets in one process, threads of the
 * caller's, bytes of the user's, and the highest number of connections. */
#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SERVERS = 3, WORKERS = 2, THREADS = 3 };

static void be_served(uint16_t port, bool plain)
{
    char got[4];
    peer p;

    PEER_MUST(&p, peer_open(&p, port, plain));
    PEER_MUST(&p, peer_write(&p, "ping", 4));
    PEER_MUST(&p, peer_read(&p, got, 4));
    assert_memory_equal(got, "ping", 4);
    PEER_MUST(&p, peer_end_write(&p));
    assert_int_equal(peer_read_end(&p), TLS_END_NOTIFY);
    peer_close(&p, false);
}

static void stop(lr_workers *workers)
{
    lr_workers_stop(workers, LR_NONE);
    lr_workers_join(workers);
}

static void three_servers_and_a_plain_listener_share_their_workers(void **state)
{
    lr_listen_options plain = {LR_LISTEN_OPTIONS, .host = "127.0.0.1", .plain = true};
    live_plan plan = {.ring = live_ring(state), .worker_count = WORKERS};
    live_recorder recorders[SERVERS];
    lr_workers *workers = live_workers(&plan);
    lr_context *context = live_context(&plan);
    lr_server *servers[SERVERS];
    uint16_t ports[SERVERS], plain_port;

    for (int i = 0; i < SERVERS; i++) {
        live_recorder_init(&recorders[i]);
        plan.user = &recorders[i];
        servers[i] = live_server(workers, context, &plan);
        ports[i] = live_listen(servers[i], NULL);
    }
    plain_port = lr_server_port(servers[1], live_listen_with(servers[1], &plain));
    live_run(workers);
    for (int i = 0; i < SERVERS; i++)
        be_served(ports[i], false);
    be_served(plain_port, true);
    lr_server_drain(servers[0], LR_NONE); /* of one alone */
    be_served(ports[2], false);
    be_served(plain_port, true);
    for (uint64_t i = 0; i < SERVERS; i++) {
        uint64_t count = i == 0 ? 1 : i == 1 ? 3 : 2;

        assert_true(live_await_counts(&recorders[i].events, count, count, count));
        assert_int_equal(recorders[i].workers_started, WORKERS);
    }
    stop(workers);
    for (int i = 0; i < SERVERS; i++) {
        assert_int_equal(recorders[i].workers_stopped, WORKERS);
        lr_server_free(servers[i]);
        live_recorder_fini(&recorders[i]);
    }
    lr_context_release(context);
    lr_workers_free(workers);
}

static void two_sets_of_workers_live_in_one_process(void **state)
{
    live_recorder recorders[2];
    live sets[2];

    for (int i = 0; i < 2; i++) {
        live_plan plan = {.ring = live_ring(state), .user = &recorders[i], .plain = i != 0};

        live_recorder_init(&recorders[i]);
        live_start(&sets[i], &plan);
    }
    be_served(sets[0].port, false);
    be_served(sets[1].port, true);
    assert_true(live_await_counts(&recorders[0].events, 1, 1, 1));
    live_stop(&sets[0], LR_NONE);
    be_served(sets[1].port, true); /* the other one goes on */
    assert_true(live_await_counts(&recorders[1].events, 2, 2, 2));
    live_stop(&sets[1], LR_NONE);
    live_recorder_fini(&recorders[0]);
    live_recorder_fini(&recorders[1]);
}

typedef struct runner {
    pthread_t thread;
    lr_workers *workers;
    uint32_t index;
    lr_status status;
} runner;

static void *run_worker(void *arg)
{
    runner *r = arg;

    r->status = lr_workers_run(r->workers, r->index, NULL);
    return NULL;
}

static void threads_of_the_callers_are_workers(void **state)
{
    live_plan plan = {.ring = live_ring(state), .worker_count = THREADS};
    lr_listen_options options = {LR_LISTEN_OPTIONS, .host = "127.0.0.1", .plain = true};
    live_recorder recorder;
    runner runners[THREADS];
    lr_workers *workers;
    lr_server *server;
    lr_error err;
    uint16_t port;

    live_recorder_init(&recorder);
    plan.user = &recorder;
    workers = live_workers(&plan);
    server = live_server(workers, NULL, &plan);
    port = lr_server_port(server, live_listen_with(server, &options));
    for (uint32_t i = 0; i < THREADS; i++) {
        runners[i] = (runner){.workers = workers, .index = i};
        assert_int_equal(pthread_create(&runners[i].thread, NULL, run_worker, &runners[i]), 0);
    }
    for (int i = 0; i < 10; i++)
        be_served(port, true);
    assert_true(live_await_counts(&recorder.events, 10, 10, 10));
    assert_int_equal(lr_workers_run(workers, 1, &err), LR_ESTATE); /* it has a thread */
    assert_int_equal(lr_workers_start(workers, &err), LR_ESTATE);
    lr_workers_stop(workers, LR_NONE);
    lr_workers_join(workers); /* there is nothing of its own to wait for */
    for (uint32_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(runners[i].thread, NULL), 0);
        assert_int_equal(runners[i].status, LR_OK);
    }
    assert_int_equal(lr_workers_run(workers, 1, &err), LR_ESTATE); /* it had one */
    assert_int_equal(recorder.workers_started, THREADS);
    assert_int_equal(recorder.workers_stopped, THREADS);
    lr_server_free(server);
    lr_workers_free(workers);
    live_recorder_fini(&recorder);
}

static void workers_that_are_stopped_before_they_run_end_at_once(void **state)
{
    live_plan plan = {.ring = live_ring(state), .worker_count = 1};
    lr_workers *workers = live_workers(&plan);
    lr_error err;

    lr_workers_stop(workers, LR_NONE);
    assert_int_equal(lr_workers_run(workers, 0, &err), LR_OK);
    lr_workers_free(workers);
}

/* Notes whatever is not zero, and leaves no byte zero behind. */
static void soil(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    lr_server *server = lr_conn_server(c);
    uint8_t *own = lr_conn_user(c);
    uint8_t *shared = lr_server_worker_user(server, lr_conn_worker(c));

    live_echo(c, hook, bytes);
    if (hook == LIVE_OPEN) {
        for (int i = 0; i < 1000; i++) {
            if (own[i] != 0)
                live_note(&recorder->events, "soiled");
        }
        memset(own, 0xff, 1000);
        if ((uintptr_t)own % 8 != 0 || (uintptr_t)shared % 8 != 0)
            live_note(&recorder->events, "unaligned");
        shared[499999]++;
    }
    if (hook == LIVE_CLOSE) {
        live_note(&recorder->events, "so_far=%u", shared[499999]);
        if (shared[0] != 0 || shared[499998] != 0 || own[999] != 0xff)
            live_note(&recorder->events, "shared");
    }
}

static void bytes_of_connections_and_workers_begin_as_zeros(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state),
                      .user = &recorder,
                      .worker_count = 1,
                      .plain = true,
                      .conn_user_size = 1000,
                      .worker_user_size = 500000};
    live l;

    live_recorder_init(&recorder);
    recorder.act = soil;
    live_start(&l, &plan);
    for (uint64_t i = 1; i <= 3; i++) { /* one slot, again and again */
        be_served(l.port, true);
        assert_true(live_await_counts(&recorder.events, i, i, i));
    }
    assert_true(live_has(&recorder.events, "so_far=3"));
    assert_false(live_has(&recorder.events, "soiled"));
    assert_false(live_has(&recorder.events, "unaligned"));
    assert_false(live_has(&recorder.events, "shared"));
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

static void note_refused(lr_worker *w, lr_server *s, lr_status why)
{
    live_recorder *recorder = lr_server_user(s);

    (void)w;
    live_note(&recorder->events, "refused:%s", lr_status_name(why));
}

static void ping(int sock)
{
    char got[4];

    assert_true(tcp_send(sock, "ping", 4));
    assert_true(tcp_read(sock, got, 4));
}

static void live_S55_above_the_highest_number_a_client_is_reset(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state),
                      .user = &recorder,
                      .worker_count = WORKERS,
                      .plain = true,
                      .connection_count_max = 4,
                      .on_refused = note_refused};
    int socks[4];
    live l;

    live_recorder_init(&recorder);
    live_start(&l, &plan);
    for (int i = 0; i < 4; i++) {
        socks[i] = tcp_connect(NULL, l.port);
        ping(socks[i]);
    }
    for (uint64_t round = 0; round < 3; round++) {
        live_events_clear(&recorder.events);
        assert_true(tcp_is_reset(l.port));
        assert_true(live_await(&recorder.events, "refused:LR_ECONNECTIONS"));
        assert_int_equal(lr_server_connection_count(l.server), 4);
        ping(socks[round]); /* the others do not notice */
        (void)close(socks[round]);
        assert_true(live_await_counts(&recorder.events, 4 + round, 4 + round, 1 + round));
        /* Its place is free when on_close has returned and the turn is over. */
        while (lr_server_connection_count(l.server) != 3)
            assert_true(live_await_quiet(&recorder.events, 1));
        socks[round] = tcp_connect(NULL, l.port);
        ping(socks[round]);
    }
    for (int i = 0; i < 4; i++)
        (void)close(socks[i]);
    assert_true(live_await_counts(&recorder.events, 7, 7, 7));
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

/* 64 servers and 64 listeners at a time, and again when some were freed. */
static void the_places_of_freed_servers_are_used_again(void **state)
{
    lr_listen_options options = {LR_LISTEN_OPTIONS, .host = "127.0.0.1", .plain = true};
    lr_server_options more = {LR_SERVER_OPTIONS, .handlers = &live_recorder_handlers};
    live_plan plan = {.ring = live_ring(state), .worker_count = WORKERS};
    lr_server *servers[64], *one = NULL;
    live_recorder recorder;
    lr_workers *workers;
    lr_error err;

    live_recorder_init(&recorder);
    plan.user = &recorder;
    workers = live_workers(&plan);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 64; i++) {
            if (round > 0 && i % 2 != 0)
                continue;
            servers[i] = live_server(workers, NULL, &plan);
            (void)live_listen_with(servers[i], &options);
        }
        assert_int_equal(lr_server_new(workers, &more, &one, &err), LR_EOPTION);
        assert_int_equal(lr_server_listen(servers[0], &options, NULL, &err), LR_EOPTION);
        for (int i = 0; i < 64; i += 2)
            lr_server_free(servers[i]);
    }
    servers[0] = live_server(workers, NULL, &plan);
    (void)live_listen_with(servers[0], &options);
    live_run(workers);
    be_served(lr_server_port(servers[0], 0), true);
    be_served(lr_server_port(servers[63], 0), true);
    assert_true(live_await_counts(&recorder.events, 2, 2, 2));
    stop(workers);
    lr_server_free(servers[0]);
    for (int i = 1; i < 64; i += 2)
        lr_server_free(servers[i]);
    lr_workers_free(workers);
    live_recorder_fini(&recorder);
}

static void too_many_bytes_of_the_users_are_named(void **state)
{
    const struct {
        lr_server_options options;
        const char *word;
    } cases[] = {
        {{LR_SERVER_OPTIONS, .handlers = &live_recorder_handlers, .worker_user_size = 1048577},
         "worker_user_size"},
        {{LR_SERVER_OPTIONS, .handlers = &live_recorder_handlers, .conn_user_size = 65537},
         "conn_user_size"},
    };
    live_plan plan = {.ring = live_ring(state)};
    lr_workers *workers = live_workers(&plan);
    lr_server *server = NULL;
    lr_error err;

    for (size_t i = 0; i < LIVE_COUNT_OF(cases); i++) {
        assert_int_equal(lr_server_new(workers, &cases[i].options, &server, &err), LR_EOPTION);
        assert_non_null(strstr(err.text, cases[i].word));
        assert_null(server);
    }
    lr_workers_free(workers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(three_servers_and_a_plain_listener_share_their_workers),
        LIVE_TEST(two_sets_of_workers_live_in_one_process),
        LIVE_TEST(threads_of_the_callers_are_workers),
        LIVE_TEST(workers_that_are_stopped_before_they_run_end_at_once),
        LIVE_TEST(bytes_of_connections_and_workers_begin_as_zeros),
        LIVE_TEST(live_S55_above_the_highest_number_a_client_is_reset),
        LIVE_TEST(the_places_of_freed_servers_are_used_again),
        LIVE_TEST(too_many_bytes_of_the_users_are_named),
    };

    return LIVE_MAIN(tests);
}
