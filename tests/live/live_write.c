/* SPDX-License-Identifier: MIT */
/* live_write.c: the rule of writing, readers that are slow or stop, and how a stream ends. */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KB = 1024, MB = 1024 * KB, HIGH = 256 * KB, LOW = 64 * KB, SEED = 5 };

/* What the acts share; they run on one worker. */
typedef struct stream {
    uint8_t *bytes; /* 2 MB of the pattern */
    size_t written, total;
    size_t queued_most;
    bool above;
} stream;

static void stream_init(stream *s)
{
    memset(s, 0, sizeof(*s));
    s->bytes = malloc(2 * MB);
    assert_non_null(s->bytes);
    pattern_fill(SEED, 0, s->bytes, 2 * MB);
}

static lr_status write_at(lr_conn *c, const stream *s, size_t at, size_t len)
{
    return lr_conn_write(c, lr_slice_of(s->bytes + at, len));
}

static void read_pattern(tls_client *t, size_t at, size_t len)
{
    uint8_t *got = malloc(len);

    assert_non_null(got);
    TLS_MUST(t, tls_read(t, got, len));
    assert_true(pattern_fits(SEED, at, got, len));
    free(got);
}

static void write_too_much(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    const stream *s = recorder->arg;
    live_events *events = &recorder->events;

    if (hook == LIVE_SECURE) {
        live_note(events, "2MB=%s", lr_status_name(write_at(c, s, 0, 2 * MB)));
        live_note(events, "1MB+1=%s", lr_status_name(write_at(c, s, 0, MB + 1)));
        live_note(events, "queued=%zu", lr_conn_queued(c));
        live_note(events, "1MB=%s", lr_status_name(write_at(c, s, 0, MB)));
        live_note(events, "queued>=1MB=%d", lr_conn_queued(c) >= MB);
        live_note(events, "1=%s", lr_status_name(write_at(c, s, 0, 1)));
        live_note(events, "0=%s", lr_status_name(write_at(c, s, 0, 0)));
    } else if (hook == LIVE_DRAIN) {
        live_note(events, "queued<64KB=%d", lr_conn_queued(c) < LOW);
        live_note(events, "1=%s", lr_status_name(write_at(c, s, MB, 1)));
    } else {
        live_echo(c, hook, bytes);
    }
}

static void a_write_is_taken_whole_or_not_at_all(void **state)
{
    stream s;
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .worker_count = 1};
    tls_client t;
    live l;

    stream_init(&s);
    live_recorder_init(&recorder);
    recorder.act = write_too_much;
    recorder.arg = &s;
    live_start(&l, &plan);
    TLS_MUST(&t, tls_open(&t, l.port, NULL));
    read_pattern(&t, 0, MB + 1);
    TLS_MUST(&t, tls_end_write(&t));
    assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
    tls_close(&t, false);
    assert_true(live_await_counts(&recorder.events, 1, 1, 1));
    live_expect(&recorder.events,
                "open secure 2MB=LR_EAGAIN 1MB+1=LR_EAGAIN queued=0 1MB=LR_OK queued>=1MB=1 "
                "1=LR_EAGAIN 0=LR_OK drain queued<64KB=1 1=LR_OK end close:clean ");
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
    free(s.bytes);
}

/* Writes until nothing is taken, and again at each drain; ends behind total bytes, 0: never. */
static void write_on(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    stream *s = recorder->arg;

    (void)bytes;
    if (hook == LIVE_SERVER_DRAIN)
        lr_conn_end(c);
    if (hook != LIVE_SECURE && hook != LIVE_DRAIN)
        return;
    while (s->total == 0 || s->written < s->total) {
        size_t len = 50000;

        if (s->total != 0 && len > s->total - s->written)
            len = s->total - s->written;
        if (write_at(c, s, s->written % MB / 8 * 8, len) != LR_OK)
            return;
        s->written += len;
    }
    lr_conn_end(c);
}

static void live_S59_a_stream_goes_on_at_each_drain(void **state)
{
    stream s;
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .worker_count = 1};
    tls_client t;
    live l;

    stream_init(&s);
    s.total = 20 * 50000 * 8;
    live_recorder_init(&recorder);
    recorder.act = write_on;
    recorder.arg = &s;
    recorder.quiet = true;
    live_start(&l, &plan);
    TLS_MUST(&t, tls_open(&t, l.port, NULL));
    for (size_t at = 0; at < s.total; at += 50000)
        read_pattern(&t, at % MB / 8 * 8, 50000);
    assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
    tls_close(&t, false);
    assert_true(live_await_counts(&recorder.events, 1, 1, 1));
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
    free(s.bytes);
}

/* An echo that says when its queue is above the high mark, and watches that nothing is read until
 * it is below the low one. */
static void echo_and_watch(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    stream *s = recorder->arg;

    if (hook == LIVE_DATA && s->above)
        live_note(&recorder->events, "data_while_above_high");
    if (hook == LIVE_DRAIN) {
        if (!s->above || lr_conn_queued(c) >= LOW)
            live_note(&recorder->events, "drain_too_early");
        s->above = false;
    }
    live_echo(c, hook, bytes);
    if (lr_conn_queued(c) > s->queued_most)
        s->queued_most = lr_conn_queued(c);
    if (hook == LIVE_DATA && lr_conn_queued(c) > HIGH) {
        if (!s->above && s->written++ == 0)
            live_note(&recorder->events, "above");
        s->above = true;
    }
}

/* Writes until the server has stopped reading and no more fits into what the kernel buffers. */
static size_t write_until_stuck(tls_client *t, live_events *events, const uint8_t *bytes)
{
    uint64_t until = live_now_ms() + LIVE_GUARD_S * 1000;
    struct pollfd wait = {t->sock, POLLOUT, 0};
    int on = 1, off = 0, ret;
    bool moves = true;
    size_t sent = 0;

    (void)ioctl(t->sock, FIONBIO, &on);
    while (moves || !live_has(events, "above")) {
        assert_true(live_now_ms() < until);
        while ((ret = SSL_write(t->ssl, bytes + sent % MB, 16 * KB)) > 0)
            sent += (size_t)ret;
        assert_int_equal(SSL_get_error(t->ssl, ret), SSL_ERROR_WANT_WRITE);
        moves = poll(&wait, 1, 300) != 0; /* it is this long that nothing must move */
    }
    (void)ioctl(t->sock, FIONBIO, &off);
    return sent;
}

static void a_client_that_does_not_read_is_not_read_from(void **state)
{
    stream s;
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .worker_count = 1};
    size_t sent, pending;
    tls_client t;
    live l;

    stream_init(&s);
    live_recorder_init(&recorder);
    recorder.act = echo_and_watch;
    recorder.arg = &s;
    recorder.quiet = true;
    live_start(&l, &plan);
    TLS_MUST(&t, tls_open(&t, l.port, NULL));
    sent = write_until_stuck(&t, &recorder.events, s.bytes);
    pending = 16 * KB; /* the record that OpenSSL has sealed already */
    for (size_t at = 0; at < sent; at += 16 * KB)
        read_pattern(&t, at % MB, 16 * KB);
    TLS_MUST(&t, tls_write(&t, s.bytes + sent % MB, pending));
    read_pattern(&t, sent % MB, pending);
    TLS_MUST(&t, tls_end_write(&t));
    assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
    tls_close(&t, false);
    assert_true(live_await_counts(&recorder.events, 1, 1, 1));
    live_expect(&recorder.events, "above ");
    assert_in_range(s.queued_most, HIGH, HIGH + 17 * KB);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
    free(s.bytes);
}

static void a_reader_that_stops_is_cut_after_the_idle_timeout(void **state)
{
    stream s;
    live_recorder recorder;
    live_plan plan = {
        .ring = live_ring(state), .user = &recorder, .worker_count = 1, .idle_timeout_ms = 200};
    size_t len;
    tls_client t;
    live l;

    stream_init(&s);
    live_recorder_init(&recorder);
    recorder.act = write_on;
    recorder.arg = &s;
    recorder.quiet = true;
    live_start(&l, &plan);
    TLS_MUST(&t, tls_open(&t, l.port, NULL));
    recorder.quiet = false;
    assert_true(live_await(&recorder.events, "close:LR_EIDLE_TIMEOUT"));
    assert_int_equal(tls_skip_to_end(&t, &len), TLS_END_RESET);
    tls_close(&t, false);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
    free(s.bytes);
}

/* The server has said all that it has to say, and the client neither reads nor, with trickle, stops
 * sending. */
static void untaken_end_case(void **state, bool trickle)
{
    stream s;
    live_recorder recorder;
    live_plan plan = {
        .ring = live_ring(state), .user = &recorder, .worker_count = 1, .idle_timeout_ms = 1000};
    uint64_t until = live_now_ms() + 20 * 1000; /* twenty times what it takes */
    tls_client t;
    live l;

    stream_init(&s);
    live_recorder_init(&recorder);
    recorder.act = write_on;
    recorder.arg = &s;
    live_start(&l, &plan);
    TLS_MUST(&t, tls_open(&t, l.port, NULL));
    assert_true(live_await(&recorder.events, "secure"));
    assert_true(live_await_quiet(&recorder.events, 300)); /* the kernel takes no more either */
    lr_server_drain(l.server, LR_NONE);
    while (trickle && live_now_ms() < until) {
        struct pollfd wait = {t.sock, 0, 0};

        if (poll(&wait, 1, 50) != 0 || !tcp_send(t.sock, "x", 1)) /* the pace */
            break;
    }
    assert_true(live_now_ms() < until);
    assert_true(live_await(&recorder.events, "close:LR_ELINGER_TIMEOUT"));
    tls_close(&t, false);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
    free(s.bytes);
}

static void an_end_that_nobody_takes_is_cut_after_the_idle_timeout(void **state)
{
    untaken_end_case(state, false);
}

static void an_end_that_nobody_takes_is_cut_although_the_client_sends(void **state)
{
    untaken_end_case(state, true);
}

static void write_megabyte(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    const stream *s = recorder->arg;

    (void)bytes;
    if (hook == LIVE_DATA && write_at(c, s, 0, MB) != LR_OK)
        live_note(&recorder->events, "write_failed");
    if (hook == LIVE_END)
        lr_conn_end(c);
}

static void what_is_queued_goes_out_behind_the_close_notify_of_the_client(void **state)
{
    stream s;
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .worker_count = 1};
    tls_client t;
    live l;

    stream_init(&s);
    live_recorder_init(&recorder);
    recorder.act = write_megabyte;
    recorder.arg = &s;
    live_start(&l, &plan);
    TLS_MUST(&t, tls_open(&t, l.port, NULL));
    TLS_MUST(&t, tls_write(&t, "ping", 4));
    TLS_MUST(&t, tls_end_write(&t));
    assert_int_equal(shutdown(t.sock, SHUT_WR), 0);
    read_pattern(&t, 0, MB);
    assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
    tls_close(&t, false);
    assert_true(live_await_counts(&recorder.events, 1, 1, 1));
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
    free(s.bytes);
}

static void write_megabyte_and_end(lr_conn *c, live_hook hook, lr_slice bytes,
                                   live_recorder *recorder)
{
    write_megabyte(c, hook, bytes, recorder);
    if (hook == LIVE_DATA)
        lr_conn_end(c);
}

/* The last answer reaches a client that goes on sending: no reset overtakes it. */
static void an_end_lingers_for_a_client_that_still_sends(void **state)
{
    uint8_t more[32 * KB] = {0};
    stream s;
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .worker_count = 1};
    tls_client t;
    live l;

    stream_init(&s);
    live_recorder_init(&recorder);
    recorder.act = write_megabyte_and_end;
    recorder.arg = &s;
    live_start(&l, &plan);
    TLS_MUST(&t, tls_open(&t, l.port, NULL));
    TLS_MUST(&t, tls_write(&t, "ping", 4));
    TLS_MUST(&t, tls_write(&t, more, sizeof(more)));
    read_pattern(&t, 0, MB);
    assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
    TLS_MUST(&t, tls_write(&t, more, sizeof(more) / 2));
    TLS_MUST(&t, tls_end_write(&t));
    tls_close(&t, false);
    assert_true(live_await_counts(&recorder.events, 1, 1, 1));
    live_expect(&recorder.events, "open secure data:4 close:clean ");
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
    free(s.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(a_write_is_taken_whole_or_not_at_all),
        LIVE_TEST(live_S59_a_stream_goes_on_at_each_drain),
        LIVE_TEST(a_client_that_does_not_read_is_not_read_from),
        LIVE_TEST(a_reader_that_stops_is_cut_after_the_idle_timeout),
        LIVE_TEST(an_end_that_nobody_takes_is_cut_after_the_idle_timeout),
        LIVE_TEST(an_end_that_nobody_takes_is_cut_although_the_client_sends),
        LIVE_TEST(what_is_queued_goes_out_behind_the_close_notify_of_the_client),
        LIVE_TEST(an_end_lingers_for_a_client_that_still_sends),
    };

    return LIVE_MAIN(tests);
}
