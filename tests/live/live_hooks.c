/* SPDX-License-Identifier: MIT */
/* live_hooks.c: which hooks fire on every path, in which order, exactly once; and what a handler
 * may do inside each of them. */
#include "client.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LARGE = 300 * 1024 }; /* above the high mark of the queue */

/* Which hook does what: w writes a byte, e ends, a aborts, in the order of the letters. */
typedef struct hook_case {
    live_hook at;
    const char *acts;
    const char *events;
    char end;    /* what the client sees: n close_notify, r reset, f FIN alone */
    size_t data; /* and how many bytes before it */
} hook_case;

static void do_acts(lr_conn *c, const char *acts, live_events *events)
{
    for (; *acts != '\0'; acts++) {
        if (*acts == 'w')
            live_note(events, "write=%s", lr_status_name(lr_conn_write(c, LR_LIT("x"))));
        else if (*acts == 'e')
            lr_conn_end(c);
        else
            lr_conn_abort(c, LR_OK);
    }
}

static void act(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    static const uint8_t large[LARGE];
    const hook_case *row = recorder->arg;

    (void)bytes;
    if (hook == row->at)
        do_acts(c, row->acts, &recorder->events);
    if (hook == LIVE_DATA && row->at == LIVE_DRAIN &&
        lr_conn_write(c, lr_slice_of(large, sizeof(large))) != LR_OK)
        live_note(&recorder->events, "large_write_failed");
    if (hook == LIVE_END)
        lr_conn_end(c);
}

static void garbage_life(const live *l, const hook_case *row)
{
    static const uint8_t alert[7] = {21, 3, 3, 0, 2, 2, 10};
    int sock = tcp_connect(NULL, l->port), error;
    uint8_t got[32];
    size_t len;

    assert_true(sock >= 0);
    assert_true(tcp_send(sock, "garbage", 7));
    error = tcp_read_to_end(sock, got, sizeof(got), &len);
    if (row->end == 'r') {
        assert_int_equal(error, ECONNRESET);
    } else {
        assert_int_equal(error, 0);
        assert_int_equal(len, sizeof(alert));
        assert_memory_equal(got, alert, sizeof(alert));
    }
    (void)close(sock);
}

/* An honest client: hello, one message, close_notify when all that it waits for has come. */
static void honest_life(const live *l, const hook_case *row, live_events *events)
{
    uint8_t got[LARGE + 16];
    tls_client t;
    size_t len = 0;
    bool ok = tls_open(&t, l->port, NULL) && tls_write(&t, "ping", 4);

    if (row->at == LIVE_SERVER_DRAIN) {
        assert_true(live_await(events, "data:4"));
        lr_server_drain(l->server, LR_NONE);
        assert_true(live_await(events, "server_drain"));
    }
    ok = ok && tls_read(&t, got, row->data);
    if (row->end == 'r') {
        if (ok)
            (void)(tls_end_write(&t) && tls_skip_to_end(&t, &len) == TLS_END_RESET);
        assert_true(t.reset);
    } else {
        TLS_MUST(&t, ok);
        TLS_MUST(&t, tls_end_write(&t));
        assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
    }
    tls_close(&t, false);
}

static void run_case(void **state, const hook_case *row)
{
    hook_case copy = *row;
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .worker_count = 1};
    uint64_t secured = row->at != LIVE_CLIENT_ERROR && row->at != LIVE_OPEN;
    live l;

    live_recorder_init(&recorder);
    recorder.act = act;
    recorder.arg = &copy;
    live_start(&l, &plan);
    if (row->at == LIVE_CLIENT_ERROR)
        garbage_life(&l, row);
    else
        honest_life(&l, row, &recorder.events);
    assert_true(live_await_counts(&recorder.events, 1, secured, 1));
    live_expect(&recorder.events, row->events);
    live_stop(&l, LR_NONE);
    live_expect(&recorder.events, row->events); /* nothing came late */
    live_recorder_fini(&recorder);
}

static void run_cases(void **state, const hook_case *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        run_case(state, &rows[i]);
}

static void on_open_may_write_end_and_abort(void **state)
{
    static const hook_case rows[] = {
        {LIVE_OPEN, "", "open secure data:4 end close:clean ", 'n', 0},
        {LIVE_OPEN, "w", "open write=LR_ESTATE secure data:4 end close:clean ", 'n', 0},
        {LIVE_OPEN, "e", "open close:LR_EABORTED ", 'r', 0},
        {LIVE_OPEN, "a", "open close:LR_EABORTED ", 'r', 0},
        {LIVE_OPEN, "aw", "open write=LR_ECLOSED close:LR_EABORTED ", 'r', 0},
        {LIVE_OPEN, "eaea", "open close:LR_EABORTED ", 'r', 0},
    };

    run_cases(state, rows, LIVE_COUNT_OF(rows));
}

static void on_client_error_may_write_end_and_abort(void **state)
{
    static const hook_case rows[] = {
        {LIVE_CLIENT_ERROR, "w",
         "open client_error:LR_ENOTTLS:10 write=LR_ESTATE close:LR_ENOTTLS ", 'f', 0},
        {LIVE_CLIENT_ERROR, "e", "open client_error:LR_ENOTTLS:10 close:LR_ENOTTLS ", 'r', 0},
        {LIVE_CLIENT_ERROR, "a", "open client_error:LR_ENOTTLS:10 close:LR_ENOTTLS ", 'r', 0},
    };

    run_cases(state, rows, LIVE_COUNT_OF(rows));
}

static void on_secure_may_write_end_and_abort(void **state)
{
    static const hook_case rows[] = {
        {LIVE_SECURE, "w", "open secure write=LR_OK data:4 end close:clean ", 'n', 1},
        {LIVE_SECURE, "e", "open secure close:clean ", 'n', 0},
        {LIVE_SECURE, "we", "open secure write=LR_OK close:clean ", 'n', 1},
        {LIVE_SECURE, "ew", "open secure write=LR_ECLOSED close:clean ", 'n', 0},
        {LIVE_SECURE, "a", "open secure close:LR_EABORTED ", 'r', 0},
        {LIVE_SECURE, "wea", "open secure write=LR_OK close:LR_EABORTED ", 'r', 0},
    };

    run_cases(state, rows, LIVE_COUNT_OF(rows));
}

static void on_data_may_write_end_and_abort(void **state)
{
    static const hook_case rows[] = {
        {LIVE_DATA, "ww", "open secure data:4 write=LR_OK write=LR_OK end close:clean ", 'n', 2},
        {LIVE_DATA, "e", "open secure data:4 close:clean ", 'n', 0},
        {LIVE_DATA, "wew", "open secure data:4 write=LR_OK write=LR_ECLOSED close:clean ", 'n', 1},
        {LIVE_DATA, "a", "open secure data:4 close:LR_EABORTED ", 'r', 0},
        {LIVE_DATA, "aw", "open secure data:4 write=LR_ECLOSED close:LR_EABORTED ", 'r', 0},
    };

    run_cases(state, rows, LIVE_COUNT_OF(rows));
}

static void on_drain_may_write_end_and_abort(void **state)
{
    static const hook_case rows[] = {
        {LIVE_DRAIN, "w", "open secure data:4 drain write=LR_OK end close:clean ", 'n', LARGE + 1},
        {LIVE_DRAIN, "e", "open secure data:4 drain close:clean ", 'n', LARGE},
        {LIVE_DRAIN, "a", "open secure data:4 drain close:LR_EABORTED ", 'r', LARGE},
    };

    run_cases(state, rows, LIVE_COUNT_OF(rows));
}

static void on_end_may_write_end_and_abort(void **state)
{
    static const hook_case rows[] = {
        {LIVE_END, "e", "open secure data:4 end close:clean ", 'n', 0},
        {LIVE_END, "ew", "open secure data:4 end write=LR_ECLOSED close:clean ", 'n', 0},
        {LIVE_END, "a", "open secure data:4 end close:LR_EABORTED ", 'r', 0},
    };

    run_cases(state, rows, LIVE_COUNT_OF(rows));
}

static void on_server_drain_may_write_end_and_abort(void **state)
{
    static const hook_case rows[] = {
        {LIVE_SERVER_DRAIN, "w", "open secure data:4 server_drain write=LR_OK end close:clean ",
         'n', 1},
        {LIVE_SERVER_DRAIN, "e", "open secure data:4 server_drain close:clean ", 'n', 0},
        {LIVE_SERVER_DRAIN, "we", "open secure data:4 server_drain write=LR_OK close:clean ", 'n',
         1},
        {LIVE_SERVER_DRAIN, "a", "open secure data:4 server_drain close:LR_EABORTED ", 'r', 0},
    };

    run_cases(state, rows, LIVE_COUNT_OF(rows));
}

static void on_close_may_write_end_and_abort(void **state)
{
    static const hook_case rows[] = {
        {LIVE_CLOSE, "w", "open secure data:4 end close:clean write=LR_ECLOSED ", 'n', 0},
        {LIVE_CLOSE, "e", "open secure data:4 end close:clean ", 'n', 0},
        {LIVE_CLOSE, "a", "open secure data:4 end close:clean ", 'n', 0},
    };

    run_cases(state, rows, LIVE_COUNT_OF(rows));
}

/* The paths that the client or a limit takes. */

typedef struct path_case {
    void (*client)(const live *l, live_events *events);
    const char *events;
    uint32_t idle_timeout_ms;
} path_case;

static void connect_and_end(const live *l, live_events *events)
{
    int sock = tcp_connect(NULL, l->port);

    (void)events;
    assert_true(sock >= 0);
    (void)close(sock);
}

static void connect_and_reset(const live *l, live_events *events)
{
    int sock = tcp_connect(NULL, l->port);

    assert_true(sock >= 0);
    assert_true(live_await(events, "open"));
    tcp_reset(sock);
}

static void send_an_alert(const live *l, live_events *events)
{
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 90};
    int sock = tcp_connect(NULL, l->port);
    uint8_t got[8];
    size_t len;

    (void)events;
    assert_true(sock >= 0);
    assert_true(tcp_send(sock, alert, sizeof(alert)));
    assert_int_equal(tcp_read_to_end(sock, got, sizeof(got), &len), 0);
    assert_int_equal(len, 0);
    (void)close(sock);
}

static void distrust(const live *l, int version)
{
    tls_plan plan = {.version = version, .verify = true};
    uint8_t unread[4096];
    tls_client t;
    size_t len;

    assert_false(tls_open(&t, l->port, &plan));
    /* Closing with unread input would send an RST, and that would overtake the alert. */
    assert_int_equal(tcp_read_to_end(t.sock, unread, sizeof(unread), &len), 0);
    tls_close(&t, false);
}

static void distrust_1_3(const live *l, live_events *events)
{
    (void)events;
    distrust(l, TLS1_3_VERSION);
}

static void distrust_1_2(const live *l, live_events *events)
{
    (void)events;
    distrust(l, TLS1_2_VERSION);
}

static void truncate_stream(const live *l, live_events *events)
{
    tls_client t;

    TLS_MUST(&t, tls_open(&t, l->port, NULL));
    assert_true(live_await(events, "secure"));
    assert_int_equal(shutdown(t.sock, SHUT_WR), 0);
    assert_int_equal(tls_read_end(&t), TLS_END_TRUNCATED);
    tls_close(&t, false);
}

static void reset_stream(const live *l, live_events *events)
{
    tls_client t;

    TLS_MUST(&t, tls_open(&t, l->port, NULL));
    assert_true(live_await(events, "secure"));
    tls_close(&t, true);
}

static void stay_idle(const live *l, live_events *events)
{
    tls_client t;

    (void)events;
    TLS_MUST(&t, tls_open(&t, l->port, NULL));
    assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
    tls_close(&t, false);
}

static void outstay_the_drain(const live *l, live_events *events)
{
    size_t len;
    tls_client t;

    TLS_MUST(&t, tls_open(&t, l->port, NULL));
    assert_true(live_await(events, "secure"));
    lr_server_drain(l->server, 50);
    assert_int_equal(tls_skip_to_end(&t, &len), TLS_END_RESET);
    tls_close(&t, false);
}

static void be_cut_with_the_drain(const live *l, live_events *events)
{
    size_t len;
    tls_client t;

    TLS_MUST(&t, tls_open(&t, l->port, NULL));
    assert_true(live_await(events, "secure"));
    lr_server_drain(l->server, LR_NONE);
    assert_true(live_await(events, "server_drain"));
    lr_server_drain(l->server, 0);
    assert_int_equal(tls_skip_to_end(&t, &len), TLS_END_RESET);
    tls_close(&t, false);
}

static void each_path_has_its_hooks_once_and_in_order(void **state)
{
    static const path_case rows[] = {
        {connect_and_end, "open client_error:LR_ETRUNCATED:-1 close:LR_ETRUNCATED ", 0},
        {connect_and_reset, "open client_error:LR_ERESET:-1 close:LR_ERESET ", 0},
        {send_an_alert, "open client_error:LR_EALERT:90 close:LR_EALERT ", 0},
        {distrust_1_3, "open client_error:LR_EALERT:48 close:LR_EALERT ", 0},
        {distrust_1_2, "open client_error:LR_EALERT:48 close:LR_EALERT ", 0},
        {truncate_stream, "open secure close:LR_ETRUNCATED ", 0},
        {reset_stream, "open secure close:LR_ERESET ", 0},
        {stay_idle, "open secure close:LR_EIDLE_TIMEOUT ", 100},
        {outstay_the_drain, "open secure server_drain close:LR_EDRAIN_TIMEOUT ", 0},
        {be_cut_with_the_drain, "open secure server_drain close:LR_EDRAIN_TIMEOUT ", 0},
    };

    for (size_t i = 0; i < LIVE_COUNT_OF(rows); i++) {
        live_recorder recorder;
        live_plan plan = {.ring = live_ring(state),
                          .user = &recorder,
                          .worker_count = 1,
                          .idle_timeout_ms = rows[i].idle_timeout_ms};
        live l;

        live_recorder_init(&recorder);
        live_start(&l, &plan);
        rows[i].client(&l, &recorder.events);
        assert_true(live_await_counts(&recorder.events, 1, 0, 1));
        live_expect(&recorder.events, rows[i].events);
        live_stop(&l, LR_NONE);
        live_expect(&recorder.events, rows[i].events);
        assert_int_equal(recorder.workers_started, 1);
        assert_int_equal(recorder.workers_stopped, 1);
        live_recorder_fini(&recorder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(on_open_may_write_end_and_abort),
        LIVE_TEST(on_client_error_may_write_end_and_abort),
        LIVE_TEST(on_secure_may_write_end_and_abort),
        LIVE_TEST(on_data_may_write_end_and_abort),
        LIVE_TEST(on_drain_may_write_end_and_abort),
        LIVE_TEST(on_end_may_write_end_and_abort),
        LIVE_TEST(on_server_drain_may_write_end_and_abort),
        LIVE_TEST(on_close_may_write_end_and_abort),
        LIVE_TEST(each_path_has_its_hooks_once_and_in_order),
    };

    return LIVE_MAIN(tests);
}
