/* SPDX-License-Identifier: MIT */
/* live_floods.c: what one client, one source or all half-open connections together may not do. */
#include "client.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FLOOD = 20000, ALLOWED = 32, BURST = 4, HALF_OPEN = 3 };

static void start(live *l, live_recorder *recorder, void **state, uint32_t worker_count,
                  void (*tune)(lr_server_options *options))
{
    live_plan plan = {
        .ring = live_ring(state), .user = recorder, .worker_count = worker_count, .tune = tune};

    live_recorder_init(recorder);
    live_start(l, &plan);
}

static void stop(live *l, live_recorder *recorder)
{
    live_stop(l, LR_NONE);
    live_recorder_fini(recorder);
}

static lr_stats numbers(const live *l)
{
    lr_stats stats = {LR_STATS};

    assert_int_equal(lr_stats_read(l->workers, &stats), LR_OK);
    return stats;
}

/* KeyUpdates that want no answer, until the server ends the connection or all are sent. */
static uint32_t send_key_updates(tls_client *t, uint32_t count)
{
    uint32_t sent = 0;

    while (sent < count && SSL_key_update(t->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 &&
           SSL_do_handshake(t->ssl) == 1)
        sent++;
    return sent;
}

static void live_B12_key_updates_up_to_the_burst_are_taken(void **state)
{
    tls_plan plan = {.version = TLS1_3_VERSION};
    live_recorder recorder;
    tls_client t;
    char got[4];
    live l;

    start(&l, &recorder, state, 1, NULL);
    TLS_MUST(&t, tls_open(&t, l.port, &plan));
    assert_int_equal(send_key_updates(&t, ALLOWED), ALLOWED);
    TLS_MUST(&t, tls_write(&t, "ping", 4));
    TLS_MUST(&t, tls_read(&t, got, 4));
    tls_close(&t, true);
    assert_true(live_await_counts(&recorder.events, 1, 1, 1));
    stop(&l, &recorder);
}

static void live_B12_a_flood_of_key_updates_ends_its_connection(void **state)
{
    tls_plan plan = {.version = TLS1_3_VERSION};
    live_recorder recorder;
    tls_client t, other;
    char got[4];
    live l;

    start(&l, &recorder, state, 1, NULL);
    TLS_MUST(&other, tls_open(&other, l.port, &plan));
    TLS_MUST(&t, tls_open(&t, l.port, &plan));
    (void)send_key_updates(&t, FLOOD);
    assert_true(live_await(&recorder.events, "close:LR_EKEYUPDATES"));
    assert_int_equal(numbers(&l).alerts_sent[10], 1);
    TLS_MUST(&other, tls_write(&other, "ping", 4));
    TLS_MUST(&other, tls_read(&other, got, 4));
    tls_close(&t, false);
    tls_close(&other, true);
    assert_true(live_await_counts(&recorder.events, 2, 2, 2));
    stop(&l, &recorder);
}

static void few_half_open(lr_server_options *options)
{
    options->half_open_max = HALF_OPEN;
}

/* Silent connections make room for those that speak, the oldest first. */
static void live_B12_the_oldest_half_open_connection_makes_room(void **state)
{
    live_recorder recorder;
    int silent[HALF_OPEN + 2];
    tls_client t;
    char got[4];
    live l;

    start(&l, &recorder, state, 1, few_half_open);
    for (int i = 0; i < HALF_OPEN; i++) {
        silent[i] = tcp_connect(NULL, l.port);
        assert_true(silent[i] >= 0);
    }
    assert_true(live_await_counts(&recorder.events, HALF_OPEN, 0, 0));
    assert_false(live_has(&recorder.events, "client_error:LR_EHALFOPEN:-1"));
    for (int i = HALF_OPEN; i < HALF_OPEN + 2; i++) {
        char byte;
        size_t len;

        silent[i] = tcp_connect(NULL, l.port);
        assert_true(silent[i] >= 0);
        assert_int_equal(tcp_read_to_end(silent[i - HALF_OPEN], &byte, 1, &len), 0);
    }
    TLS_MUST(&t, tls_open(&t, l.port, NULL)); /* the third victim's place */
    TLS_MUST(&t, tls_write(&t, "ping", 4));
    TLS_MUST(&t, tls_read(&t, got, 4));
    tls_close(&t, true);
    assert_true(live_await_counts(&recorder.events, HALF_OPEN + 3, 1, 4));
    for (int i = 0; i < HALF_OPEN + 2; i++)
        (void)close(silent[i]);
    assert_true(live_await_counts(&recorder.events, HALF_OPEN + 3, 1, HALF_OPEN + 3));
    stop(&l, &recorder);
}

static void few_connections(lr_server_options *options)
{
    options->source_connections_per_s = 1;
    options->source_connections_burst = BURST;
}

static _Atomic uint32_t refused_sources;

static void count_refused(lr_worker *w, lr_server *s, lr_status why)
{
    (void)w;
    (void)s;
    if (why == LR_ESOURCE)
        refused_sources++;
}

static void few_connections_told(lr_server_options *options)
{
    few_connections(options);
    options->on_refused = count_refused;
}

/* At most one more than the burst is let in, however slow this machine is: one per second. The
 * address of another source is served meanwhile. */
static void live_B12_a_source_that_connects_too_often_is_reset(void **state)
{
    live_recorder recorder;
    int socks[BURST + 1];
    lr_stats stats;
    char byte;
    size_t len;
    live l;

    refused_sources = 0;
    start(&l, &recorder, state, 1, few_connections_told);
    for (int i = 0; i < BURST; i++) {
        socks[i] = tcp_connect(NULL, l.port);
        assert_true(socks[i] >= 0);
    }
    assert_true(live_await_counts(&recorder.events, BURST, 0, 0));
    do { /* on a slow machine it has earned one more meanwhile: its end is the client's then */
        socks[BURST] = tcp_connect(NULL, l.port);
        assert_true(socks[BURST] >= 0);
        (void)shutdown(socks[BURST], SHUT_WR);
        (void)tcp_read_to_end(socks[BURST], &byte, 1, &len);
        (void)close(socks[BURST]);
    } while (refused_sources == 0);
    stats = numbers(&l);
    assert_true(stats.refused_sources >= 1);
    assert_int_equal(stats.refused_connections + stats.refused_memory, 0);
    for (int i = 0; i < BURST; i++)
        (void)close(socks[i]);
    stop(&l, &recorder);
}

static void few_handshakes(lr_server_options *options)
{
    options->source_handshakes_per_s = 1;
    options->source_handshakes_burst = BURST;
}

static void live_B12_a_source_that_shakes_hands_too_often_fails_before_any_engine(void **state)
{
    live_recorder recorder;
    uint64_t made = 0;
    char got[4];
    live l;

    start(&l, &recorder, state, 1, few_handshakes);
    for (int i = 0; i < 200 && !live_has(&recorder.events, "client_error:LR_ESOURCE:-1"); i++) {
        tls_client t;

        if (tls_open(&t, l.port, NULL) && tls_write(&t, "ping", 4) && tls_read(&t, got, 4))
            made++;
        tls_close(&t, true);
    }
    assert_true(live_await(&recorder.events, "client_error:LR_ESOURCE:-1"));
    assert_true(made >= BURST);
    assert_int_equal(numbers(&l).handshakes_full, made);
    stop(&l, &recorder);
}

static void short_lifetime(lr_server_options *options)
{
    options->lifetime_ms = 100;
}

static void live_B12_a_lifetime_ends_a_busy_connection_politely(void **state)
{
    live_recorder recorder;
    tls_client t;
    char got[4];
    live l;

    start(&l, &recorder, state, 1, short_lifetime);
    TLS_MUST(&t, tls_open(&t, l.port, NULL));
    while (tls_write(&t, "ping", 4) && tls_read(&t, got, 4))
        continue;
    assert_true(live_await(&recorder.events, "close:LR_ELIFETIME"));
    tls_close(&t, false);
    stop(&l, &recorder);
}

static void short_stall(lr_server_options *options)
{
    options->write_timeout_ms = 100;
}

static void write_much(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    static const uint8_t zeros[50000];

    (void)bytes;
    (void)recorder;
    if (hook != LIVE_SECURE && hook != LIVE_DRAIN)
        return;
    while (lr_conn_write(c, lr_slice_of(zeros, sizeof(zeros))) == LR_OK)
        continue;
}

static void live_B12_a_peer_that_takes_nothing_is_reset(void **state)
{
    live_plan plan = {.ring = live_ring(state), .worker_count = 1, .tune = short_stall};
    live_recorder recorder;
    tls_client t;
    live l;

    live_recorder_init(&recorder);
    recorder.act = write_much;
    plan.user = &recorder;
    live_start(&l, &plan);
    TLS_MUST(&t, tls_open(&t, l.port, NULL));
    assert_true(live_await(&recorder.events, "close:LR_EWRITE_TIMEOUT"));
    tls_close(&t, true);
    stop(&l, &recorder);
}

static void live_B12_a_quiet_connection_is_no_write_stall(void **state)
{
    live_plan plan = {
        .ring = live_ring(state), .worker_count = 1, .tune = short_stall, .idle_timeout_ms = 400};
    live_recorder recorder;
    tls_client t;
    live l;

    live_recorder_init(&recorder);
    plan.user = &recorder;
    live_start(&l, &plan);
    TLS_MUST(&t, tls_open(&t, l.port, NULL));
    assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
    tls_close(&t, false);
    assert_true(live_await(&recorder.events, "close:LR_EIDLE_TIMEOUT"));
    stop(&l, &recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_B12_key_updates_up_to_the_burst_are_taken),
        LIVE_TEST(live_B12_a_flood_of_key_updates_ends_its_connection),
        LIVE_TEST(live_B12_the_oldest_half_open_connection_makes_room),
        LIVE_TEST(live_B12_a_source_that_connects_too_often_is_reset),
        LIVE_TEST(live_B12_a_source_that_shakes_hands_too_often_fails_before_any_engine),
        LIVE_TEST(live_B12_a_lifetime_ends_a_busy_connection_politely),
        LIVE_TEST(live_B12_a_peer_that_takes_nothing_is_reset),
        LIVE_TEST(live_B12_a_quiet_connection_is_no_write_stall),
    };

    return LIVE_MAIN(tests);
}
