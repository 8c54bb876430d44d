/* SPDX-License-Identifier: MIT */
/* live_stats.c: each number moves by what was done, no other does, and nothing is left at the end.
 *
 * What a worker has done is certain after lr_workers_join(); before that, what a post that came
 * later has answered. */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 7, BYTES = 4 };

static lr_stats read_all(const lr_workers *workers)
{
    lr_stats stats = {LR_STATS};

    assert_int_equal(lr_stats_read(workers, &stats), LR_OK);
    assert_int_equal(stats.worker_count, lr_workers_count(workers));
    return stats;
}

static uint64_t count_of(const lr_stats_status *list, const lr_stats *stats, lr_status status)
{
    for (uint32_t i = 0; i < stats->status_count; i++) {
        if (list[i].status == status)
            return list[i].count;
    }
    fail_msg("%s is not in the list", lr_status_name(status));
    return 0;
}

static uint64_t sum_of(const lr_stats_status *list)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < LR_STATS_STATUSES; i++)
        sum += list[i].count;
    return sum;
}

static uint64_t alerts_of(const uint64_t *list)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < LR_STATS_ALERTS; i++)
        sum += list[i];
    return sum;
}

static void expect_nothing_live(const lr_stats *stats)
{
    assert_int_equal(stats->open_tls + stats->open_plain + stats->open_made, 0);
    assert_int_equal(stats->handshaking, 0);
    assert_int_equal(stats->connections, 0);
    assert_int_equal(stats->engines, 0);
    assert_int_equal(stats->buffers, 0);
    assert_int_equal(stats->buffer_bytes, 0);
    assert_int_equal(stats->parked_bytes, 0);
    assert_int_equal(stats->watches + stats->files + stats->timers, 0);
    assert_int_equal(stats->replicas, 0);
    assert_int_equal(stats->ring_buffers_lent, 0);
}

/* All has been counted and nothing is left. */
static lr_stats stop_and_read(const live *l)
{
    lr_stats stats;

    lr_workers_stop(l->workers, LR_NONE);
    lr_workers_join(l->workers);
    stats = read_all(l->workers);
    expect_nothing_live(&stats);
    return stats;
}

static void answer(lr_worker *worker, void *arg)
{
    (void)worker;
    live_note(arg, "settled");
}

/* What a worker has seen when this is called is told when it returns: the turn of the first post is
 * over before that of the second. */
static void settle(const live *l, uint32_t worker, live_events *events)
{
    for (uint32_t i = 0; i < 2; i++) {
        live_events_clear(events);
        assert_int_equal(lr_worker_post(lr_workers_worker(l->workers, worker), answer, events),
                         LR_OK);
        assert_true(live_await(events, "settled"));
    }
}

/* Bytes, as the connections themselves know them. */
typedef struct totals {
    _Atomic uint64_t wire_in, wire_out, app_in, app_out;
} totals;

static void echo_and_add_up(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    totals *all = recorder->arg;
    lr_conn_bytes counts;

    live_echo(c, hook, bytes);
    if (hook != LIVE_CLOSE)
        return;
    counts = lr_conn_byte_counts(c);
    all->wire_in += counts.wire_in;
    all->wire_out += counts.wire_out;
    all->app_in += counts.app_in;
    all->app_out += counts.app_out;
}

static void talk(uint16_t port, int version)
{
    tls_plan plan = {.version = version};
    char got[BYTES];
    tls_client t;

    TLS_MUST(&t, tls_open(&t, port, &plan));
    TLS_MUST(&t, tls_write(&t, "ping", BYTES));
    TLS_MUST(&t, tls_read(&t, got, BYTES));
    TLS_MUST(&t, tls_end_write(&t));
    assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
    tls_close(&t, false);
}

static void expect_steps(const lr_stats_histogram *h)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < LR_STATS_STEPS; i++)
        sum += h->steps[i];
    assert_int_equal(sum, h->count);
    assert_true(h->p50 <= h->p90 && h->p90 <= h->p99 && h->p99 <= h->p999);
}

static void good_handshakes_and_their_bytes_are_counted(void **state)
{
    totals all = {0};
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .worker_count = 3};
    uint64_t now_s = (uint64_t)time(NULL);
    lr_stats stats;
    live l;

    live_recorder_init(&recorder);
    recorder.act = echo_and_add_up;
    recorder.arg = &all;
    live_start(&l, &plan);
    for (uint32_t i = 0; i < CLIENTS; i++)
        talk(l.port, i < 5 ? TLS1_3_VERSION : TLS1_2_VERSION);
    assert_true(live_await_counts(&recorder.events, CLIENTS, CLIENTS, CLIENTS));
    stats = stop_and_read(&l);
    assert_int_equal(stats.accepted, CLIENTS);
    assert_int_equal(stats.made, 0);
    assert_int_equal(stats.refused_connections + stats.refused_memory, 0);
    assert_int_equal(stats.handshakes_full, CLIENTS);
    assert_int_equal(stats.handshakes_resumed + stats.handshakes_failed, 0);
    assert_int_equal(sum_of(stats.failures), 0);
    assert_int_equal(sum_of(stats.closes), CLIENTS);
    assert_int_equal(count_of(stats.closes, &stats, LR_OK), CLIENTS);
    assert_int_equal(stats.alerts_received[0], CLIENTS);
    assert_int_equal(alerts_of(stats.alerts_received), CLIENTS);
    assert_int_equal(stats.alerts_sent[0], CLIENTS);
    assert_int_equal(alerts_of(stats.alerts_sent), CLIENTS);
    assert_int_equal(stats.app_in, CLIENTS * BYTES);
    assert_int_equal(stats.app_out, CLIENTS * BYTES);
    assert_int_equal(all.app_in, stats.app_in);
    assert_int_equal(all.app_out, stats.app_out);
    assert_int_equal(all.wire_in, stats.wire_in);
    assert_int_equal(all.wire_out, stats.wire_out);
    assert_true(stats.wire_in > stats.app_in && stats.wire_out > stats.app_out);
    assert_int_equal(stats.handshake_ns.count, CLIENTS);
    assert_true(stats.handshake_ns.max > 0 && stats.handshake_ns.p50 > 0);
    assert_true(stats.turn_ns.count > 0);
    assert_int_equal(stats.turn_ns.count, stats.batch.count);
    assert_int_equal(stats.batch.sum, stats.ring_completions);
    assert_true(stats.ring_waits > 0);
    expect_steps(&stats.handshake_ns);
    expect_steps(&stats.turn_ns);
    expect_steps(&stats.batch);
    assert_int_equal(stats.certificate_not_after, lr_context_not_after(l.context));
    assert_true((uint64_t)stats.certificate_not_after > now_s + 29 * 86400);
    assert_true((uint64_t)stats.certificate_not_after < now_s + 31 * 86400);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

static void the_workers_numbers_add_up(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .worker_count = 3};
    uint64_t accepted = 0, full = 0, closes = 0, wire = 0, turns = 0, most = 0;
    lr_stats stats;
    live l;

    live_recorder_init(&recorder);
    live_start(&l, &plan);
    for (uint32_t i = 0; i < CLIENTS; i++)
        talk(l.port, TLS1_3_VERSION);
    assert_true(live_await_counts(&recorder.events, CLIENTS, CLIENTS, CLIENTS));
    stats = stop_and_read(&l);
    for (uint32_t i = 0; i < 3; i++) {
        lr_stats of = {LR_STATS};

        assert_int_equal(lr_stats_read_worker(l.workers, i, &of), LR_OK);
        assert_int_equal(of.worker_count, 1);
        accepted += of.accepted;
        full += of.handshakes_full;
        closes += sum_of(of.closes);
        wire += of.wire_in;
        turns += of.turn_ns.count;
        most = of.accepted > most ? of.accepted : most;
        assert_int_equal(of.accepted, of.handshakes_full);
        assert_int_equal(of.accepted, of.handshake_ns.count);
    }
    assert_int_equal(accepted, stats.accepted);
    assert_int_equal(full, stats.handshakes_full);
    assert_int_equal(closes, sum_of(stats.closes));
    assert_int_equal(wire, stats.wire_in);
    assert_int_equal(turns, stats.turn_ns.count);
    assert_float_equal(stats.imbalance, (double)most * 3 / CLIENTS, 1e-9);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

/* One failure each, before secure. */

typedef struct failure {
    void (*client)(const live *l, live_events *events);
    lr_status status;
    int alert_sent, alert_received; /* -1: none */
    lr_tls_version version_min;
    const char *alpn;
    uint32_t handshake_timeout_ms;
} failure;

static void send_and_read_to_end(const live *l, const void *bytes, size_t len)
{
    int sock = tcp_connect(NULL, l->port);
    uint8_t got[64];
    size_t got_len;

    assert_true(sock >= 0);
    assert_true(tcp_send(sock, bytes, len));
    assert_int_equal(tcp_read_to_end(sock, got, sizeof(got), &got_len), 0);
    (void)close(sock);
}

static void speak_http(const live *l, live_events *events)
{
    (void)events;
    send_and_read_to_end(l, "GET / HTTP/1.1\r\n\r\n", 18);
}

static void send_alert_90(const live *l, live_events *events)
{
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 90};

    (void)events;
    send_and_read_to_end(l, alert, sizeof(alert));
}

static void send_finished_first(const live *l, live_events *events)
{
    static const uint8_t finished[] = {22, 3, 3, 0, 4, 20, 0, 0, 0};

    (void)events;
    send_and_read_to_end(l, finished, sizeof(finished));
}

static void say_nothing(const live *l, live_events *events)
{
    (void)events;
    send_and_read_to_end(l, "", 0);
}

static void hang_up(const live *l, live_events *events)
{
    int sock = tcp_connect(NULL, l->port);

    (void)events;
    assert_true(sock >= 0);
    (void)close(sock);
}

static void reset_at_once(const live *l, live_events *events)
{
    int sock = tcp_connect(NULL, l->port);

    assert_true(sock >= 0);
    assert_true(live_await(events, "open"));
    tcp_reset(sock);
}

static void fail_with(const live *l, const tls_plan *plan)
{
    tls_client t;

    assert_false(tls_open(&t, l->port, plan));
    tls_close(&t, false);
}

static void offer_1_2_only(const live *l, live_events *events)
{
    (void)events;
    fail_with(l, &(tls_plan){.version = TLS1_2_VERSION});
}

static void offer_another_protocol(const live *l, live_events *events)
{
    (void)events;
    fail_with(l, &(tls_plan){.version = TLS1_3_VERSION, .alpn = "\2h9"});
}

static void expect_failure(const lr_stats *stats, const failure *row)
{
    assert_int_equal(stats->accepted, 1);
    assert_int_equal(stats->handshakes_failed, 1);
    assert_int_equal(stats->handshakes_full + stats->handshakes_resumed, 0);
    assert_int_equal(stats->handshake_ns.count, 0);
    assert_int_equal(sum_of(stats->failures), 1);
    assert_int_equal(count_of(stats->failures, stats, row->status), 1);
    assert_int_equal(sum_of(stats->closes), 1);
    assert_int_equal(count_of(stats->closes, stats, row->status), 1);
    assert_int_equal(alerts_of(stats->alerts_sent), row->alert_sent >= 0);
    assert_int_equal(alerts_of(stats->alerts_received), row->alert_received >= 0);
    if (row->alert_sent >= 0)
        assert_int_equal(stats->alerts_sent[row->alert_sent], 1);
    if (row->alert_received >= 0)
        assert_int_equal(stats->alerts_received[row->alert_received], 1);
}

static void each_failure_counts_once_under_its_status(void **state)
{
    static const failure rows[] = {
        {speak_http, LR_ENOTTLS, 10, -1, 0, NULL, 0},
        {send_finished_first, LR_EHELLO, 10, -1, 0, NULL, 0},
        {send_alert_90, LR_EALERT, -1, 90, 0, NULL, 0},
        {say_nothing, LR_EHANDSHAKE_TIMEOUT, -1, -1, 0, NULL, 50},
        {hang_up, LR_ETRUNCATED, -1, -1, 0, NULL, 0},
        {reset_at_once, LR_ERESET, -1, -1, 0, NULL, 0},
        {offer_1_2_only, LR_EVERSION, 70, -1, LR_TLS_1_3, NULL, 0},
        {offer_another_protocol, LR_EALPN, 120, -1, 0, "h2", 0},
    };

    for (size_t i = 0; i < LIVE_COUNT_OF(rows); i++) {
        live_recorder recorder;
        live_plan plan = {.ring = live_ring(state),
                          .user = &recorder,
                          .worker_count = 1,
                          .handshake_timeout_ms = rows[i].handshake_timeout_ms,
                          .context = {.version_min = rows[i].version_min, .alpn = rows[i].alpn}};
        lr_stats stats;
        live l;

        live_recorder_init(&recorder);
        live_start(&l, &plan);
        rows[i].client(&l, &recorder.events);
        assert_true(live_await_counts(&recorder.events, 1, 0, 1));
        stats = stop_and_read(&l);
        expect_failure(&stats, &rows[i]);
        live_stop(&l, LR_NONE);
        live_recorder_fini(&recorder);
    }
}

/* One end each, after secure. */

typedef struct ending {
    void (*client)(tls_client *t, live_events *events);
    lr_status abort; /* what on_secure aborts with; LR_OK: it does not */
    lr_status status;
    uint32_t idle_timeout_ms;
} ending;

static void end_well(tls_client *t, live_events *events)
{
    (void)events;
    TLS_MUST(t, tls_end_write(t));
    assert_int_equal(tls_read_end(t), TLS_END_NOTIFY);
    tls_close(t, false);
}

static void wait_for_end(tls_client *t, live_events *events)
{
    size_t len;

    (void)events;
    (void)tls_skip_to_end(t, &len);
    tls_close(t, false);
}

static void reset(tls_client *t, live_events *events)
{
    assert_true(live_await(events, "secure")); /* it would overtake our Finished */
    tls_close(t, true);
}

static void truncate_stream(tls_client *t, live_events *events)
{
    (void)shutdown(t->sock, SHUT_WR);
    wait_for_end(t, events);
}

static void abort_if_told(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    const ending *row = recorder->arg;

    live_echo(c, hook, bytes);
    if (hook == LIVE_SECURE && row->abort != LR_OK)
        lr_conn_abort(c, row->abort);
}

static void each_end_counts_once_under_its_status(void **state)
{
    static ending rows[] = {
        {end_well, LR_OK, LR_OK, 0},
        {reset, LR_OK, LR_ERESET, 0},
        {truncate_stream, LR_OK, LR_ETRUNCATED, 0},
        {wait_for_end, LR_OK, LR_EIDLE_TIMEOUT, 50},
        {wait_for_end, LR_EABORTED, LR_EABORTED, 0},
        {wait_for_end, LR_ENAME, LR_ENAME, 0},
        {wait_for_end, (lr_status)-650, LR_EABORTED, 0}, /* the program's own */
    };

    for (size_t i = 0; i < LIVE_COUNT_OF(rows); i++) {
        live_recorder recorder;
        live_plan plan = {.ring = live_ring(state),
                          .user = &recorder,
                          .worker_count = 1,
                          .idle_timeout_ms = rows[i].idle_timeout_ms};
        lr_stats stats;
        tls_client t;
        live l;

        live_recorder_init(&recorder);
        recorder.act = abort_if_told;
        recorder.arg = &rows[i];
        live_start(&l, &plan);
        if (tls_open(&t, l.port, NULL)) /* where it is aborted that may be before or after */
            rows[i].client(&t, &recorder.events);
        else
            tls_close(&t, false);
        assert_true(live_await_counts(&recorder.events, 1, 1, 1));
        stats = stop_and_read(&l);
        assert_int_equal(stats.handshakes_full, 1);
        assert_int_equal(sum_of(stats.failures), 0);
        assert_int_equal(sum_of(stats.closes), 1);
        assert_int_equal(count_of(stats.closes, &stats, rows[i].status), 1);
        live_stop(&l, LR_NONE);
        live_recorder_fini(&recorder);
    }
}

/* What is open, and what is live, while it is. */

static void pause_on_data(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    (void)recorder;
    if (hook == LIVE_DATA)
        lr_conn_pause(c);
    else
        live_echo(c, hook, bytes);
}

static void on_watched(lr_watch *watch, int fd, unsigned events, void *user)
{
    (void)watch;
    (void)fd;
    (void)events;
    (void)user;
}

static void on_timer(lr_timer *timer, void *user)
{
    (void)timer;
    (void)user;
}

typedef struct objects {
    int pipe[2];
    lr_watch *watch;
    lr_timer *timer;
    bool made;
} objects;

static void make_objects(lr_worker *worker, void *arg)
{
    objects *o = arg;

    o->made =
        lr_worker_watch_fd(worker, o->pipe[0], LR_READABLE, on_watched, NULL, &o->watch) == LR_OK &&
        lr_timer_new(worker, on_timer, NULL, &o->timer) == LR_OK;
}

static void close_objects(lr_worker *worker, void *arg)
{
    objects *o = arg;

    (void)worker;
    lr_watch_close(o->watch);
    lr_timer_free(o->timer);
}

/* Two records that arrive as one: the first pauses the connection, the second has to wait. */
static void send_two_at_once(tls_client *t)
{
    BIO *sock = SSL_get_wbio(t->ssl), *memory = BIO_new(BIO_s_mem());
    char bytes[512];
    int len;

    assert_int_equal(BIO_up_ref(sock), 1);
    SSL_set0_wbio(t->ssl, memory);
    TLS_MUST(t, tls_write(t, "first", 5));
    TLS_MUST(t, tls_write(t, "second", 6));
    len = BIO_read(memory, bytes, sizeof(bytes));
    assert_true(len > 0);
    SSL_set0_wbio(t->ssl, sock);
    assert_true(tcp_send(t->sock, bytes, (size_t)len));
}

static void what_is_live_is_told_while_it_lives(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .worker_count = 1};
    objects o = {.made = false};
    lr_stats stats;
    tls_client t;
    lr_worker *w;
    int silent;
    live l;

    live_recorder_init(&recorder);
    recorder.act = pause_on_data;
    live_start(&l, &plan);
    w = lr_workers_worker(l.workers, 0);
    assert_int_equal(pipe(o.pipe), 0);
    assert_int_equal(lr_worker_post(w, make_objects, &o), LR_OK);
    TLS_MUST(&t, tls_open(&t, l.port, NULL));
    silent = tcp_connect(NULL, l.port);
    assert_true(silent >= 0);
    send_two_at_once(&t);
    assert_true(live_await(&recorder.events, "data:5"));
    assert_true(live_await_counts(&recorder.events, 2, 1, 0));
    settle(&l, 0, &recorder.events);
    assert_true(o.made);
    stats = read_all(l.workers);
    assert_int_equal(stats.open_tls, 2);
    assert_int_equal(stats.handshaking, 1);
    assert_int_equal(stats.connections, 2);
    assert_int_equal(stats.engines, 1);
    assert_int_equal(stats.watches, 1);
    assert_int_equal(stats.timers, 1);
    assert_int_equal(stats.replicas, 1);
    assert_true(stats.parked_bytes >= 6);
    assert_true(stats.buffers >= 1 && stats.buffer_bytes >= stats.parked_bytes);
    assert_true(stats.heap_blocks > 0 && stats.heap_bytes > 0);
    assert_int_equal(lr_worker_post(w, close_objects, &o), LR_OK);
    (void)close(silent);
    tls_close(&t, true);
    lr_server_drain(l.server, 0);
    assert_true(live_await_counts(&recorder.events, 2, 1, 2));
    stats = stop_and_read(&l);
    assert_int_equal(stats.app_in, 5);
    live_stop(&l, LR_NONE);
    (void)close(o.pipe[0]);
    (void)close(o.pipe[1]);
    live_recorder_fini(&recorder);
}

/* Refusals, plain and made connections: a server of its own. */

static lr_server *server_with(lr_workers *workers, lr_context *context, live_recorder *recorder,
                              uint32_t connection_count_max)
{
    lr_server_options options = {LR_SERVER_OPTIONS, .handlers = &live_recorder_handlers,
                                 .context = context, .user = recorder,
                                 .connection_count_max = connection_count_max};
    lr_server *server = NULL;
    lr_error err;

    if (lr_server_new(workers, &options, &server, &err) != LR_OK)
        fail_msg("%s", err.text);
    return server;
}

static void refused_connections_are_counted_and_not_opened(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .worker_count = 1};
    live l = {0};
    lr_stats stats;
    tls_client t;
    lr_error err;

    live_recorder_init(&recorder);
    l.workers = live_workers(&plan);
    l.context = live_context(&plan);
    l.server = server_with(l.workers, l.context, &recorder, 1);
    l.port = live_listen(l.server, NULL);
    assert_int_equal(lr_workers_start(l.workers, &err), LR_OK);
    TLS_MUST(&t, tls_open(&t, l.port, NULL));
    for (uint32_t i = 0; i < 3; i++)
        assert_true(tcp_is_reset(l.port));
    end_well(&t, &recorder.events);
    stats = stop_and_read(&l);
    assert_int_equal(stats.accepted, 4);
    assert_int_equal(stats.refused_connections, 3);
    assert_int_equal(stats.refused_memory, 0);
    assert_int_equal(sum_of(stats.closes), 1);
    assert_int_equal(stats.handshakes_failed, 0);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

typedef struct dial {
    lr_client *client;
    uint16_t port;
    lr_status status;
} dial;

static void dial_it(lr_worker *worker, void *arg)
{
    dial *d = arg;
    lr_connect_options options = {LR_CONNECT_OPTIONS, .host = "127.0.0.1", .port = d->port};
    lr_conn *c;

    d->status = lr_client_connect(d->client, worker, &options, &c, NULL);
}

static void hold(lr_conn *c)
{
    (void)c;
}

static void plain_and_made_connections_have_their_own_numbers(void **state)
{
    static const lr_handlers quiet = {LR_HANDLERS, .on_secure = hold};
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .worker_count = 1};
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .host = "127.0.0.1", .plain = true};
    lr_client_options client = {LR_CLIENT_OPTIONS, .handlers = &quiet};
    live l = {0};
    dial d = {0};
    lr_stats stats;
    lr_error err;

    live_recorder_init(&recorder);
    l.workers = live_workers(&plan);
    l.server = server_with(l.workers, NULL, &recorder, 0);
    assert_int_equal(lr_server_listen(l.server, &listen, NULL, &err), LR_OK);
    assert_int_equal(lr_client_new(l.workers, &client, &d.client, &err), LR_OK);
    d.port = lr_server_port(l.server, 0);
    assert_int_equal(lr_workers_start(l.workers, &err), LR_OK);
    assert_int_equal(lr_worker_post(lr_workers_worker(l.workers, 0), dial_it, &d), LR_OK);
    assert_true(live_await_counts(&recorder.events, 1, 1, 0));
    settle(&l, 0, &recorder.events);
    assert_int_equal(d.status, LR_OK);
    stats = read_all(l.workers);
    assert_int_equal(stats.accepted, 1);
    assert_int_equal(stats.made, 1);
    assert_int_equal(stats.open_plain, 1);
    assert_int_equal(stats.open_made, 1);
    assert_int_equal(stats.open_tls + stats.handshaking, 0);
    lr_server_drain(l.server, 0);
    lr_workers_stop(l.workers, 0);
    stats = stop_and_read(&l);
    assert_int_equal(stats.handshakes_full + stats.handshakes_failed, 0);
    assert_int_equal(sum_of(stats.closes), 2);
    assert_int_equal(alerts_of(stats.alerts_sent) + alerts_of(stats.alerts_received), 0);
    lr_client_free(d.client);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

/* Reading while they count. */

typedef struct reading {
    const lr_workers *workers;
    _Atomic bool over;
    bool falls; /* a count went down */
    uint64_t reads;
} reading;

static void *read_on(void *arg)
{
    reading *r = arg;
    lr_stats_bucket buckets[LR_STATS_BUCKETS];
    lr_stats before = {LR_STATS}, now = {LR_STATS};

    while (!r->over) {
        if (lr_stats_read(r->workers, &now) != LR_OK ||
            lr_stats_buckets(r->workers, LR_NONE, LR_STATS_TURN_NS, buckets, LR_STATS_BUCKETS) >
                LR_STATS_BUCKETS)
            break;
        if (now.accepted < before.accepted || now.wire_in < before.wire_in ||
            now.turn_ns.count < before.turn_ns.count)
            r->falls = true;
        before = now;
        r->reads++;
    }
    return NULL;
}

static bool talk_some(uint32_t index, void *arg, char *why, size_t cap)
{
    const live *l = arg;

    (void)index;
    for (uint32_t i = 0; i < 10; i++) {
        char got[BYTES];
        tls_client t;
        bool good = tls_open(&t, l->port, NULL) && tls_write(&t, "ping", BYTES) &&
                    tls_read(&t, got, BYTES) && tls_end_write(&t) &&
                    tls_read_end(&t) == TLS_END_NOTIFY;

        (void)snprintf(why, cap, "%s", t.why);
        tls_close(&t, false);
        if (!good)
            return false;
    }
    return true;
}

static void any_thread_may_read_while_they_count(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .worker_count = 2};
    reading r = {0};
    char why[200] = "";
    lr_stats stats;
    pthread_t thread;
    live l;

    live_recorder_init(&recorder);
    recorder.quiet = true;
    live_start(&l, &plan);
    r.workers = l.workers;
    assert_int_equal(pthread_create(&thread, NULL, read_on, &r), 0);
    if (!clients_run(4, talk_some, &l, why, sizeof(why)))
        fail_msg("%s", why);
    stats = stop_and_read(&l);
    r.over = true;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(r.reads > 0);
    assert_false(r.falls);
    assert_int_equal(stats.handshakes_full, 40);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(good_handshakes_and_their_bytes_are_counted),
        LIVE_TEST(the_workers_numbers_add_up),
        LIVE_TEST(each_failure_counts_once_under_its_status),
        LIVE_TEST(each_end_counts_once_under_its_status),
        LIVE_TEST(what_is_live_is_told_while_it_lives),
        LIVE_TEST(refused_connections_are_counted_and_not_opened),
        LIVE_TEST(plain_and_made_connections_have_their_own_numbers),
        LIVE_TEST(any_thread_may_read_while_they_count),
    };

    return LIVE_MAIN(tests);
}
