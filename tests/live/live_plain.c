/* SPDX-License-Identifier: MIT */
/* live_plain.c: listeners without TLS: the same hooks, ends and limits. */
#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KB = 1024, MB = 1024 * KB, SEED = 9 };

typedef struct plain_play {
    live_recorder recorder;
    live l;
    int sock;
} plain_play;

static void play_open(plain_play *p, void **state, const live_plan *given,
                      void (*act)(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *r))
{
    live_plan plan = *given;

    live_recorder_init(&p->recorder);
    p->recorder.act = act;
    p->recorder.arg = given->user;
    plan.ring = live_ring(state);
    plan.user = &p->recorder;
    plan.worker_count = 1;
    plan.plain = true;
    live_start(&p->l, &plan);
    p->sock = tcp_connect(NULL, p->l.port);
    assert_true(p->sock >= 0);
}

static void play_close(plain_play *p, const char *events)
{
    (void)close(p->sock);
    assert_true(live_await_counts(&p->recorder.events, 1, 0, 1));
    live_expect(&p->recorder.events, events);
    live_stop(&p->l, LR_NONE);
    live_recorder_fini(&p->recorder);
}

static void expect_fin(int sock)
{
    char none;
    size_t len;

    assert_int_equal(tcp_read_to_end(sock, &none, 0, &len), 0);
}

static void echo_once(int sock)
{
    char got[4];

    assert_true(tcp_send(sock, "ping", 4));
    assert_true(tcp_read(sock, got, 4));
    assert_memory_equal(got, "ping", 4);
}

static void note_facts(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    char remote[64], local[64];
    lr_conn_bytes count = lr_conn_byte_counts(c);

    live_echo(c, hook, bytes);
    if (hook == LIVE_SECURE)
        live_note(&recorder->events, "tls=%d version=%d cipher=%s group=%s name=%zu alpn=%zu",
                  lr_conn_is_tls(c), (int)lr_conn_version(c), lr_conn_cipher(c), lr_conn_group(c),
                  lr_conn_servername(c).len, lr_conn_alpn(c).len);
    if (hook == LIVE_SECURE)
        live_note(&recorder->events, "server=%d client=%d listener=%u addresses=%d",
                  lr_conn_server(c) != NULL, lr_conn_client(c) != NULL, lr_conn_listener(c),
                  lr_conn_remote(c, remote, sizeof(remote)) &&
                      lr_conn_local(c, local, sizeof(local)) && strcmp(remote, local) != 0 &&
                      strncmp(local, "127.0.0.1:", 10) == 0);
    if (hook == LIVE_CLOSE)
        live_note(&recorder->events, "wire=%d,%d app=%d,%d", (int)count.wire_in,
                  (int)count.wire_out, (int)count.app_in, (int)count.app_out);
}

static void a_plain_connection_has_the_same_hooks_and_nothing_was_agreed(void **state)
{
    plain_play p;

    play_open(&p, state, &(live_plan){0}, note_facts);
    echo_once(p.sock);
    assert_int_equal(shutdown(p.sock, SHUT_WR), 0);
    expect_fin(p.sock);
    assert_true(live_await(&p.recorder.events, "app=4,4"));
    play_close(&p, "open secure tls=0 version=0 cipher= group= name=0 alpn=0 server=1 client=0 "
                   "listener=0 addresses=1 data:4 end close:clean wire=4,4 app=4,4 ");
}

/* Without on_end and on_data. */
static void closed_only(lr_conn *c, const lr_error *why)
{
    live_recorder *recorder = lr_server_user(lr_conn_server(c));

    live_note(&recorder->events, "close:%s", why ? lr_status_name(why->status) : "clean");
    recorder->events.opened++;
    live_note(&recorder->events, "over");
    recorder->events.closed++;
    live_note(&recorder->events, "counted");
}

static void without_on_end_a_fin_ends_the_connection(void **state)
{
    static const lr_handlers handlers = {LR_HANDLERS, .on_close = closed_only};
    plain_play p;

    play_open(&p, state, &(live_plan){.handlers = &handlers}, NULL);
    assert_true(tcp_send(p.sock, "unheard", 7));
    assert_int_equal(shutdown(p.sock, SHUT_WR), 0);
    expect_fin(p.sock);
    assert_true(live_await(&p.recorder.events, "counted"));
    play_close(&p, "close:clean over counted ");
}

/* Answers after the end of its peer. */
static void answer_late(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    (void)bytes;
    if (hook != LIVE_END)
        return;
    for (int i = 0; i < 3; i++) {
        if (lr_conn_write(c, lr_slice_of(recorder->arg, 300 * KB)) != LR_OK)
            live_note(&recorder->events, "refused");
    }
    lr_conn_end(c);
}

static void a_half_closed_client_gets_its_whole_answer(void **state)
{
    uint8_t *answer = malloc(900 * KB);
    plain_play p;

    assert_non_null(answer);
    pattern_fill(SEED, 0, answer, 300 * KB);
    for (int i = 0; i < 2; i++) { /* the FIN with the last byte, and behind it */
        play_open(&p, state, &(live_plan){.user = answer}, answer_late);
        if (i == 0)
            assert_true(tcp_send(p.sock, "request", 7));
        assert_int_equal(shutdown(p.sock, SHUT_WR), 0);
        assert_true(tcp_read(p.sock, answer + 300 * KB, 600 * KB));
        assert_memory_equal(answer, answer + 300 * KB, 300 * KB);
        assert_memory_equal(answer, answer + 600 * KB, 300 * KB);
        assert_true(tcp_read(p.sock, answer + 300 * KB, 300 * KB));
        assert_memory_equal(answer, answer + 300 * KB, 300 * KB);
        expect_fin(p.sock);
        play_close(&p,
                   i == 0 ? "open secure data:7 end close:clean " : "open secure end close:clean ");
    }
    free(answer);
}

/* Says its last on the first byte, and goes on listening. */
static void end_write_first(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    (void)bytes;
    if (hook != LIVE_DATA || lr_conn_byte_counts(c).app_out != 0)
        return;
    if (lr_conn_write(c, lr_slice_of(recorder->arg, 300 * KB)) != LR_OK)
        live_note(&recorder->events, "refused");
    lr_conn_end_write(c);
    lr_conn_end_write(c); /* twice is once */
    live_note(&recorder->events, "%s", lr_status_name(lr_conn_write(c, LR_LIT("more"))));
}

static void half_close_case(void **state, bool plain, uint8_t *answer)
{
    live_recorder recorder;
    live_plan plan = {
        .ring = live_ring(state), .user = &recorder, .worker_count = 1, .plain = plain};
    peer p;
    live l;

    live_recorder_init(&recorder);
    recorder.act = end_write_first;
    recorder.arg = answer;
    live_start(&l, &plan);
    PEER_MUST(&p, peer_open(&p, l.port, plain));
    PEER_MUST(&p, peer_write(&p, "1", 1));
    PEER_MUST(&p, peer_read(&p, answer + 300 * KB, 300 * KB));
    assert_int_equal(peer_read_end(&p), TLS_END_NOTIFY);
    PEER_MUST(&p, peer_write(&p, "22", 2));
    assert_true(live_await(&recorder.events, "data:2"));
    PEER_MUST(&p, peer_write(&p, "333", 3));
    assert_true(live_await(&recorder.events, "data:3"));
    PEER_MUST(&p, peer_end_write(&p));
    assert_true(live_await_counts(&recorder.events, 1, 1, 1));
    peer_close(&p, false);
    live_expect(&recorder.events, "open secure data:1 LR_ECLOSED data:2 data:3 end close:clean ");
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

static void a_server_may_say_its_last_and_go_on_listening(void **state)
{
    uint8_t *answer = calloc(2, 300 * KB);

    assert_non_null(answer);
    half_close_case(state, true, answer);
    half_close_case(state, false, answer);
    free(answer);
}

static void end_at_once(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    (void)bytes;
    if (hook == LIVE_DATA) {
        if (lr_conn_write(c, lr_slice_of(recorder->arg, MB)) != LR_OK)
            live_note(&recorder->events, "refused");
        lr_conn_end(c);
    }
}

static void an_end_lingers_for_a_client_that_still_sends(void **state)
{
    uint8_t *bytes = calloc(2, MB);
    plain_play p;

    assert_non_null(bytes);
    pattern_fill(SEED, 0, bytes, MB);
    play_open(&p, state, &(live_plan){.user = bytes}, end_at_once);
    assert_true(tcp_send(p.sock, "ping", 4));
    assert_true(live_await(&p.recorder.events, "data:4"));
    assert_true(tcp_send(p.sock, bytes, 32 * KB));
    assert_true(tcp_read(p.sock, bytes + MB, MB));
    assert_memory_equal(bytes, bytes + MB, MB);
    expect_fin(p.sock);
    assert_true(tcp_send(p.sock, bytes, 16 * KB));
    play_close(&p, "open secure data:4 close:clean ");
    free(bytes);
}

static void abort_on_data(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    (void)recorder;
    (void)bytes;
    if (hook == LIVE_DATA)
        lr_conn_abort(c, LR_EALPN);
}

static void an_abort_is_a_reset_and_a_reset_is_told(void **state)
{
    plain_play p;
    char none;
    size_t len;

    play_open(&p, state, &(live_plan){0}, abort_on_data);
    assert_true(tcp_send(p.sock, "x", 1));
    assert_int_equal(tcp_read_to_end(p.sock, &none, 0, &len), ECONNRESET);
    play_close(&p, "open secure data:1 close:LR_EALPN ");
    play_open(&p, state, &(live_plan){0}, NULL);
    echo_once(p.sock);
    tcp_reset(p.sock);
    p.sock = -1;
    play_close(&p, "open secure data:4 close:LR_ERESET ");
}

static void an_idle_plain_connection_is_ended_in_order(void **state)
{
    plain_play p;

    play_open(&p, state, &(live_plan){.idle_timeout_ms = 50}, NULL);
    expect_fin(p.sock);
    play_close(&p, "open secure close:LR_EIDLE_TIMEOUT ");
}

static void tell_listener(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    if (hook == LIVE_SECURE)
        live_note(&recorder->events, "listener=%u,tls=%d,%s", lr_conn_listener(c),
                  lr_conn_is_tls(c), lr_conn_cipher(c)[0] == '\0' ? "none" : "some");
    live_echo(c, hook, bytes);
}

static void serve_peer(uint16_t port, bool plain)
{
    char got[4];
    peer p;

    PEER_MUST(&p, peer_open(&p, port, plain));
    PEER_MUST(&p, peer_write(&p, "ping", 4));
    PEER_MUST(&p, peer_read(&p, got, 4));
    PEER_MUST(&p, peer_end_write(&p));
    assert_int_equal(peer_read_end(&p), TLS_END_NOTIFY);
    peer_close(&p, false);
}

/* The handshake deadline is of TLS alone: the plain connection that was there before outlives it.
 */
static void live_S78_each_connection_tells_if_it_is_encrypted(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state),
                      .user = &recorder,
                      .worker_count = 1,
                      .handshake_timeout_ms = 200};
    lr_listen_options options = {LR_LISTEN_OPTIONS, .host = "127.0.0.1", .plain = true};
    uint32_t plain;
    int silent, mute;
    char got[16];
    size_t len;
    live l = {0};

    live_recorder_init(&recorder);
    recorder.act = tell_listener;
    l.workers = live_workers(&plan);
    l.context = live_context(&plan);
    l.server = live_server(l.workers, l.context, &plan);
    l.port = live_listen(l.server, NULL);
    plain = live_listen_with(l.server, &options);
    assert_int_equal(plain, 1);
    live_run(l.workers);
    silent = tcp_connect(NULL, lr_server_port(l.server, plain));
    assert_true(live_await(&recorder.events, "listener=1,tls=0,none"));
    serve_peer(l.port, false);
    assert_true(live_await(&recorder.events, "listener=0,tls=1,some"));
    serve_peer(lr_server_port(l.server, plain), true);
    mute = tcp_connect(NULL, l.port);
    assert_int_equal(tcp_read_to_end(mute, got, sizeof(got), &len), 0);
    assert_true(live_await(&recorder.events, "close:LR_EHANDSHAKE_TIMEOUT"));
    assert_true(tcp_send(mute, "GET / HTTP/1.1\r\n\r\n", 18));
    (void)close(mute);
    mute = tcp_connect(NULL, l.port); /* plain text where TLS is expected */
    assert_true(tcp_send(mute, "GET / HTTP/1.1\r\n\r\n", 18));
    assert_true(live_await(&recorder.events, "client_error:LR_ENOTTLS:10"));
    (void)close(mute);
    echo_once(silent);
    (void)close(silent);
    assert_true(live_await_counts(&recorder.events, 5, 3, 5));
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

static void a_server_without_a_context_is_plain_only(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .worker_count = 1};
    lr_listen_options options = {LR_LISTEN_OPTIONS, .host = "127.0.0.1"};
    lr_workers *workers = live_workers(&plan);
    lr_server *server = live_server(workers, NULL, &plan);
    lr_error err;

    assert_int_equal(lr_server_listen(server, &options, NULL, &err), LR_EOPTION);
    assert_non_null(strstr(err.text, "context"));
    options.plain = true;
    assert_int_equal(live_listen_with(server, &options), 0);
    lr_server_free(server);
    lr_workers_free(workers);
}

static bool echo_megabytes(uint32_t index, void *arg, char *why, size_t cap)
{
    const live *l = arg;
    uint8_t bytes[50000], got[50000];
    int sock = tcp_connect(NULL, l->port);
    bool ok = sock >= 0;

    for (size_t at = 0; ok && at < 2 * MB; at += sizeof(bytes)) {
        pattern_fill(index, at, bytes, sizeof(bytes));
        ok = tcp_send(sock, bytes, sizeof(bytes)) && tcp_read(sock, got, sizeof(got)) &&
             memcmp(bytes, got, sizeof(got)) == 0;
    }
    if (sock >= 0)
        (void)close(sock);
    (void)snprintf(why, cap, "wrong bytes or none");
    return ok;
}

static void many_plain_connections_echo_on_several_workers(void **state)
{
    live_recorder recorder;
    live_plan plan = {
        .ring = live_ring(state), .user = &recorder, .worker_count = 3, .plain = true};
    char why[240];
    live l;

    live_recorder_init(&recorder);
    recorder.quiet = true;
    live_start(&l, &plan);
    if (!clients_run(24, echo_megabytes, &l, why, sizeof(why)))
        fail_msg("%s", why);
    assert_true(live_await_counts(&recorder.events, 24, 24, 24));
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

static void a_drain_is_told_to_plain_connections_and_cuts_those_that_stay(void **state)
{
    plain_play p;
    char none;
    size_t len;

    play_open(&p, state, &(live_plan){0}, NULL);
    echo_once(p.sock);
    lr_server_drain(p.l.server, 50);
    assert_true(live_await(&p.recorder.events, "server_drain"));
    assert_int_equal(tcp_read_to_end(p.sock, &none, 0, &len), ECONNRESET);
    play_close(&p, "open secure data:4 server_drain close:LR_EDRAIN_TIMEOUT ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(a_plain_connection_has_the_same_hooks_and_nothing_was_agreed),
        LIVE_TEST(without_on_end_a_fin_ends_the_connection),
        LIVE_TEST(a_half_closed_client_gets_its_whole_answer),
        LIVE_TEST(a_server_may_say_its_last_and_go_on_listening),
        LIVE_TEST(an_end_lingers_for_a_client_that_still_sends),
        LIVE_TEST(an_abort_is_a_reset_and_a_reset_is_told),
        LIVE_TEST(an_idle_plain_connection_is_ended_in_order),
        LIVE_TEST(live_S78_each_connection_tells_if_it_is_encrypted),
        LIVE_TEST(a_server_without_a_context_is_plain_only),
        LIVE_TEST(many_plain_connections_echo_on_several_workers),
        LIVE_TEST(a_drain_is_told_to_plain_connections_and_cuts_those_that_stay),
    };

    return LIVE_MAIN(tests);
}
