/* SPDX-License-Identifier: MIT */
/* live_http_driver.c: a program on the driver: answers that come later, streams, bodies that are
 * held back, refusals, slow heads, ends and drains. */
#include "http.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KB = 1024, BIG = 64 * KB };

/* The exchange that waits for the test. */
typedef struct waiting {
    lr_conn_id conn;
    uint32_t number;
    size_t queued;
} waiting;

static void note_finish(lr_http_exchange *x, void *user)
{
    http_server *s = user;

    live_note(&s->events, "finish:%u", lr_http_number(x));
}

static void on_later(lr_http_exchange *x)
{
    http_server *s = http_server_of(x);
    waiting *w = s->arg;

    w->conn = lr_conn_id_of(lr_http_conn(x));
    w->number = lr_http_number(x);
    lr_http_set_user(x, s, note_finish);
}

static void on_answer(lr_http_exchange *x)
{
    http_server *s = http_server_of(x);
    lr_http_header bad = {LR_LIT("X"), LR_LIT("a\r\nb")}, good = {LR_LIT("X-Y"), LR_LIT("z")};
    lr_http_answer_options options = {.status = 200, .headers = &bad, .header_count = 1};

    live_note(&s->events, "%s", lr_status_name(lr_http_answer_with(x, &options)));
    options.headers = &good;
    options.status = 100;
    live_note(&s->events, "%s", lr_status_name(lr_http_answer_with(x, &options)));
    options.status = 204;
    live_note(&s->events, "%s", lr_status_name(lr_http_answer_with(x, &options)));
    live_note(&s->events, "%s", lr_status_name(lr_http_answer_with(x, &options)));
}

/* A stream of so many letters, a few at a time, with a pause before each. */
typedef struct letters {
    lr_timer *timer;
    lr_conn *conn;
    uint32_t left;
    bool has_some;
} letters;

static void on_letters_due(lr_timer *timer, void *user)
{
    letters *l = user;

    (void)timer;
    l->has_some = true;
    lr_conn_source_ready(l->conn);
}

static int64_t pull_letters(lr_conn *c, void *out, size_t cap, void *arg)
{
    letters *l = arg;
    size_t len = l->left < 3 ? l->left : 3;

    (void)c;
    if (l->left > 0 && !l->has_some) {
        lr_timer_set(l->timer, 1);
        return LR_EAGAIN;
    }
    l->has_some = false;
    len = len < cap ? len : cap;
    memset(out, 'x', len);
    l->left -= (uint32_t)len;
    return (int64_t)len;
}

static void letters_done(lr_conn *c, lr_status status, void *arg)
{
    letters *l = arg;

    (void)c;
    (void)status;
    lr_timer_free(l->timer);
    free(l);
}

static void answer_letters(lr_http_exchange *x, uint64_t body_size)
{
    letters *l = calloc(1, sizeof(*l));
    lr_source source = {pull_letters, letters_done, l};
    lr_http_answer_options options = {.status = 200, .source = &source, .body_size = body_size};

    if (!l || lr_timer_new(lr_conn_worker(lr_http_conn(x)), on_letters_due, l, &l->timer) != LR_OK)
        abort();
    l->conn = lr_http_conn(x);
    l->left = 10;
    (void)lr_http_answer_with(x, &options);
}

static void on_big(lr_http_exchange *x)
{
    static const uint8_t body[BIG];
    waiting *w = http_server_of(x)->arg;

    w->conn = lr_conn_id_of(lr_http_conn(x));
    (void)lr_http_answer(x, 200, NULL, lr_slice_of(body, sizeof(body)));
}

static bool path_is(const lr_http_exchange *x, const char *path)
{
    lr_slice is = lr_http_head_of(x)->path;

    return is.len == strlen(path) && memcmp(is.bytes, path, is.len) == 0;
}

static void on_request(lr_http_exchange *x)
{
    http_server *s = http_server_of(x);

    live_note(&s->events, "request:%u", lr_http_number(x));
    if (path_is(x, "/later"))
        on_later(x);
    else if (path_is(x, "/answer"))
        on_answer(x);
    else if (path_is(x, "/big"))
        on_big(x);
    else if (path_is(x, "/known"))
        answer_letters(x, 10);
    else if (path_is(x, "/unknown"))
        answer_letters(x, LR_HTTP_UNKNOWN);
    else if (path_is(x, "/short"))
        answer_letters(x, 11);
    else if (path_is(x, "/hold")) {
        on_later(x);
        lr_http_pause(x);
        live_note(&s->events, "held");
    } else if (path_is(x, "/")) {
        (void)lr_http_answer(x, 200, "text/plain", LR_LIT("now"));
    }
}

static void on_body(lr_http_exchange *x, lr_slice bytes)
{
    http_server *s = http_server_of(x);

    (void)bytes;
    live_note(&s->events, "body:%u", lr_http_number(x));
}

static void on_complete(lr_http_exchange *x)
{
    http_server *s = http_server_of(x);

    live_note(&s->events, "complete:%u", lr_http_number(x));
    if (path_is(x, "/body"))
        (void)lr_http_answer(x, 200, NULL, LR_LIT("read"));
}

static const lr_http_site_options site = {
    .limits = {.body_size_max = 100, .header_bytes_max = 12 * KB},
    .header_timeout_ms = 60000,
    .on_request = on_request,
    .on_body = on_body,
    .on_complete = on_complete};

static void answer_now(lr_conn *or_null, void *arg)
{
    waiting *w = arg;
    lr_http_exchange *x = or_null ? lr_http_exchange_of(or_null) : NULL;

    if (x && lr_http_number(x) == w->number)
        (void)lr_http_answer(x, 200, "text/plain", LR_LIT("late"));
}

/* What was sent so far tells whether 100 was. */
static void resume_now(lr_conn *or_null, void *arg)
{
    lr_http_exchange *x = or_null ? lr_http_exchange_of(or_null) : NULL;

    (void)arg;
    if (!x)
        return;
    live_note(&http_server_of(x)->events, "sent:%llu",
              (unsigned long long)lr_conn_byte_counts(or_null).app_out);
    lr_http_resume(x);
}

static void start(http_server *s, void **state, waiting *w, http_client *client)
{
    http_plan plan = {.site = &site, .arg = w};

    http_start(s, state, &plan);
    http_open(client, s);
}

static void stop(http_server *s, http_client *client)
{
    http_close(client);
    http_stop(s);
}

static void post(const waiting *w, void (*fn)(lr_conn *or_null, void *arg))
{
    assert_int_equal(lr_conn_post(w->conn, fn, (void *)(uintptr_t)w), LR_OK);
}

static void an_answer_may_come_later(void **state)
{
    http_client client;
    http_server s;
    waiting w;

    start(&s, state, &w, &client);
    http_send(&client, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(live_await(&s.events, "complete:1"));
    post(&w, answer_now);
    http_expect(&client, "", 200, "late");
    http_expect(&client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200, "now");
    stop(&s, &client);
}

/* Three full records wait behind an answer that is not there: none of it is looked at before. */
static void requests_behind_one_that_waits_are_not_begun(void **state)
{
    static const char one[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    enum { COUNT = 150 };
    http_client client;
    http_server s;
    waiting w;

    start(&s, state, &w, &client);
    http_send(&client, "GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHo");
    assert_true(live_await(&s.events, "complete:1"));
    http_send(&client, "st: a\r\n\r\n");
    for (int i = 0; i < COUNT; i++)
        http_send(&client, one);
    assert_true(live_await_quiet(&s.events, 100));
    assert_false(live_has(&s.events, "request:2"));
    post(&w, answer_now);
    http_expect(&client, "", 200, "late");
    for (int i = 0; i < COUNT + 1; i++)
        http_expect(&client, "", 200, "now");
    assert_true(live_has(&s.events, "request:152"));
    stop(&s, &client);
}

static void input_behind_an_answer_that_waits_is_not_taken_without_bound(void **state)
{
    enum { FLOOD = 128 * KB * KB };
    char *blanks = malloc(16 * KB);
    http_client client;
    http_server s;
    waiting w;

    assert_non_null(blanks);
    memset(blanks, 'x', 16 * KB);
    start(&s, state, &w, &client);
    http_send(&client, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(live_await(&s.events, "complete:1"));
    assert_true(http_send_until_stuck(&client, blanks, FLOOD) < FLOOD);
    post(&w, answer_now);
    http_expect(&client, "", 200, "late");
    stop(&s, &client);
    free(blanks);
}

static void wrong_answers_change_nothing_and_a_second_one_is_refused(void **state)
{
    http_client client;
    http_answer answer;
    http_server s;
    waiting w;

    start(&s, state, &w, &client);
    http_send(&client, "GET /answer HTTP/1.1\r\nHost: a\r\n\r\n");
    http_read_answer(&client, &answer, false);
    assert_int_equal(answer.status, 204);
    assert_string_equal(http_field(&answer, "X-Y"), "z");
    assert_string_equal(http_field(&answer, "Content-Length"), "");
    http_answer_drop(&answer);
    assert_true(live_await(&s.events, "GET:/answer:204:0:0"));
    live_expect(&s.events, "request:1 LR_EINVAL LR_EINVAL LR_OK LR_ESTATE GET:/answer:204:0:0 ");
    stop(&s, &client);
}

static void streams_are_framed_by_what_is_known(void **state)
{
    http_client client;
    http_answer answer;
    http_server s;
    waiting w;

    start(&s, state, &w, &client);
    http_send(&client,
              "GET /known HTTP/1.1\r\nHost: a\r\n\r\nGET /unknown HTTP/1.1\r\nHost: a\r\n\r\n");
    http_read_answer(&client, &answer, false);
    assert_string_equal(http_field(&answer, "Content-Length"), "10");
    assert_string_equal((const char *)answer.body, "xxxxxxxxxx");
    http_answer_drop(&answer);
    http_read_answer(&client, &answer, false);
    assert_string_equal(http_field(&answer, "Transfer-Encoding"), "chunked");
    assert_string_equal(http_field(&answer, "Content-Length"), "");
    assert_string_equal((const char *)answer.body, "xxxxxxxxxx");
    http_answer_drop(&answer);
    http_send(&client, "HEAD /unknown HTTP/1.1\r\nHost: a\r\n\r\n");
    http_read_answer(&client, &answer, true);
    assert_string_equal(http_field(&answer, "Transfer-Encoding"), "chunked");
    http_answer_drop(&answer);
    http_send(&client, "GET /unknown HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    http_read_answer(&client, &answer, false);
    assert_string_equal(http_field(&answer, "Transfer-Encoding"), "");
    assert_string_equal(http_field(&answer, "Connection"), "close");
    assert_string_equal((const char *)answer.body, "xxxxxxxxxx");
    http_answer_drop(&answer);
    stop(&s, &client);
}

static void a_stream_that_ends_too_early_cuts_the_connection(void **state)
{
    http_client client;
    http_answer answer;
    http_server s;
    waiting w;

    start(&s, state, &w, &client);
    http_send(&client, "GET /short HTTP/1.1\r\nHost: a\r\n\r\n");
    http_read_head(&client, &answer);
    assert_string_equal(http_field(&answer, "Content-Length"), "11");
    http_expect_reset(&client);
    assert_true(live_await(&s.events, "GET:/short:200:0:10:cut"));
    assert_int_equal(http_counts(&s).cut, 1);
    stop(&s, &client);
}

static void a_body_that_is_held_back_is_not_asked_for_before(void **state)
{
    http_client client;
    http_answer answer;
    http_server s;
    waiting w;

    start(&s, state, &w, &client);
    http_send(&client, "POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                       "Expect: 100-continue\r\n\r\n");
    assert_true(live_await(&s.events, "held"));
    post(&w, resume_now);
    http_read_head(&client, &answer);
    assert_int_equal(answer.status, 100);
    http_send(&client, "12345");
    assert_true(live_await(&s.events, "complete:1"));
    post(&w, answer_now);
    http_expect(&client, "", 200, "late");
    live_expect(&s.events, "request:1 held sent:0 body:1 complete:1 POST:/hold:200:5:4 finish:1 ");
    stop(&s, &client);
}

/* Each alone on a connection: the answer, then the end in good order, counted. */
static void each_refusal_has_its_status_and_counter(void **state)
{
    static char long_line[12 * KB], long_head[16 * KB];
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"nonsense\r\n\r\n", 400},
        {"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        {"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n", 413},
        {"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n", 413},
        {long_line, 414},
        {"GET / HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\n\r\n", 417},
        {long_head, 431},
        {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
    };
    http_plan plan = {.site = &site};
    http_server s;

    memset(long_line, 'a', sizeof(long_line) - 1);
    memcpy(long_line, "GET /", 5);
    memset(long_head, 'a', sizeof(long_head) - 1);
    memcpy(long_head, "GET / HTTP/1.1\r\nHost: a\r\nX: ", 28);
    http_start(&s, state, &plan);
    for (size_t i = 0; i < LIVE_COUNT_OF(cases); i++) {
        uint64_t before = http_refused(&s, (uint16_t)cases[i].status);
        http_client client;
        http_answer answer;

        http_open(&client, &s);
        http_send(&client, cases[i].request);
        http_read_answer(&client, &answer, false);
        assert_int_equal(answer.status, cases[i].status);
        assert_string_equal(http_field(&answer, "Connection"), "close");
        assert_true(answer.body_len > 4);
        http_answer_drop(&answer);
        http_expect_end(&client);
        http_close(&client);
        assert_int_equal(http_refused(&s, (uint16_t)cases[i].status), before + 1);
    }
    assert_true(live_await(&s.events, "::505:0:72"));
    assert_true(live_has(&s.events, "POST:/body:413:0:45"));
    http_stop(&s);
}

static void a_refused_HEAD_has_no_body(void **state)
{
    http_client client;
    http_answer answer;
    http_server s;
    waiting w;

    start(&s, state, &w, &client);
    http_send(&client, "HEAD / HTTP/1.1\r\n\r\n");
    http_read_answer(&client, &answer, true);
    assert_int_equal(answer.status, 400);
    http_answer_drop(&answer);
    http_expect_end(&client);
    stop(&s, &client);
}

/* What was answered before is answered, what stands behind is not read any more. */
static void a_refusal_ends_a_pipeline(void **state)
{
    http_client client;
    http_server s;
    waiting w;

    start(&s, state, &w, &client);
    http_expect(&client,
                "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n"
                "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                200, "now");
    http_expect(&client, "", 400, NULL);
    http_expect_end(&client);
    stop(&s, &client);
}

/* It sends a byte now and then, so that the connection is never idle. */
static void a_head_that_trickles_in_gets_408(void **state)
{
    lr_http_site_options hasty = site;
    http_plan plan = {.site = &hasty};
    uint64_t until = live_now_ms() + LIVE_GUARD_S * 1000;
    http_client client;
    http_answer answer;
    http_server s;
    struct pollfd wait = {.events = POLLIN};

    hasty.header_timeout_ms = 200;
    http_start(&s, state, &plan);
    http_open(&client, &s);
    if (!client.is_plain) { /* session tickets lie before the answer */
        http_expect(&client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200, "now");
    }
    wait.fd = client.is_plain ? client.sock : client.tls.sock;
    http_send(&client, "GET /");
    do {
        assert_true(live_now_ms() < until);
        http_send(&client, "a");
    } while (poll(&wait, 1, 20) == 0); /* the pace */
    http_read_answer(&client, &answer, false);
    assert_int_equal(answer.status, 408);
    http_answer_drop(&answer);
    http_expect_end(&client);
    assert_int_equal(http_refused(&s, 408), 1);
    http_close(&client);
    http_stop(&s);
}

static http_server *site_server(lr_conn *c)
{
    return lr_http_site_user(lr_server_user(lr_conn_server(c)));
}

static void note_queued(lr_conn *or_null, void *arg)
{
    waiting *w = arg;

    if (!or_null)
        return;
    w->queued = lr_conn_queued(or_null);
    live_note(&site_server(or_null)->events, "queued");
}

/* Answers that nobody reads, one by one, until some of them stay with the server. How many. */
static uint32_t fill_queue(http_client *client, http_server *s, waiting *w)
{
    uint32_t count = 0;

    do {
        char word[32];

        http_send(client, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
        (void)snprintf(word, sizeof(word), "request:%u", ++count);
        assert_true(live_await(&s->events, word));
        assert_true(live_await_quiet(&s->events, 20)); /* the kernel takes what it can */
        live_events_clear(&s->events);
        post(w, note_queued);
        assert_true(live_await(&s->events, "queued"));
    } while (w->queued < 2 * BIG);
    return count;
}

/* The client has sent half a head and reads no answers: the server has its part in the wait. */
static void a_head_is_not_late_while_answers_wait_for_the_client(void **state)
{
    lr_http_site_options hasty = site;
    waiting w;
    http_plan plan = {.site = &hasty, .arg = &w};
    http_client client;
    http_server s;
    uint32_t count;

    hasty.header_timeout_ms = 100;
    http_start(&s, state, &plan);
    http_open(&client, &s);
    count = fill_queue(&client, &s, &w);
    http_send(&client, "GET / HT");
    assert_true(live_await_quiet(&s.events, 400));
    for (uint32_t i = 0; i < count; i++)
        http_expect(&client, i == 0 ? "TP/1.1\r\nHost: a\r\n\r\n" : "", 200, NULL);
    http_expect(&client, "", 200, "now");
    assert_int_equal(http_refused(&s, 408), 0);
    stop(&s, &client);
}

static void an_answer_under_way_is_finished_when_the_client_has_ended(void **state)
{
    http_client client;
    http_server s;
    waiting w;

    start(&s, state, &w, &client);
    http_send(&client, "GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    http_half_close(&client);
    assert_true(live_await(&s.events, "complete:1"));
    post(&w, answer_now);
    http_expect(&client, "", 200, "late");
    http_expect(&client, "", 200, "now");
    http_expect_end(&client);
    stop(&s, &client);
}

static void a_request_that_is_cut_short_is_no_request(void **state)
{
    http_client client;
    http_server s;
    waiting w;

    start(&s, state, &w, &client);
    http_send(&client, "GET / HTTP/1.1\r\nHo");
    http_half_close(&client);
    http_expect_end(&client);
    http_close(&client);
    http_open(&client, &s);
    http_send(&client, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n123");
    http_half_close(&client);
    http_expect(&client, "", 400, NULL);
    http_expect_end(&client);
    assert_int_equal(http_counts(&s).requests, 1);
    stop(&s, &client);
}

static void a_client_that_goes_takes_its_exchange_with_it(void **state)
{
    http_client client;
    http_server s;
    waiting w;

    start(&s, state, &w, &client);
    http_send(&client, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(live_await(&s.events, "complete:1"));
    if (client.is_plain)
        tcp_reset(client.sock);
    else
        tls_close(&client.tls, true);
    assert_true(live_await(&s.events, "finish:1"));
    assert_true(live_has(&s.events, "GET:/later:0:0:0:cut"));
    post(&w, answer_now); /* finds nothing */
    assert_int_equal(http_counts(&s).cut, 1);
    http_stop(&s);
}

static void a_drain_ends_idle_connections_and_lets_busy_ones_answer(void **state)
{
    http_client idle, busy;
    http_answer answer;
    http_server s;
    waiting w;

    start(&s, state, &w, &busy);
    http_open(&idle, &s);
    http_expect(&idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200, "now");
    http_send(&busy, "GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(live_await(&s.events, "complete:1"));
    lr_server_drain(s.l.server, LR_NONE);
    http_expect_end(&idle);
    post(&w, answer_now);
    http_read_answer(&busy, &answer, false);
    assert_string_equal(http_field(&answer, "Connection"), "close");
    assert_string_equal((const char *)answer.body, "late");
    http_answer_drop(&answer);
    http_expect_end(&busy);
    http_close(&idle);
    stop(&s, &busy);
}

static void nothing(lr_worker *w, void *arg)
{
    (void)w;
    (void)arg;
}

/* The client was accepted, so its request is heard although it comes behind the drain. */
static void a_drain_hears_the_first_request_of_a_connection(void **state)
{
    lr_http_site_options patient = site;
    http_plan plan = {.site = &patient};
    http_client client;
    http_answer answer;
    http_server s;

    patient.drain_wait_ms = LR_NONE;
    http_start(&s, state, &plan);
    http_open(&client, &s);
    lr_server_drain(s.l.server, LR_NONE);
    live_on_worker(s.l.workers, 0, nothing, NULL); /* in its turn the worker begins to drain */
    live_on_worker(s.l.workers, 0, nothing, NULL);
    http_send(&client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    http_read_answer(&client, &answer, false);
    assert_int_equal(answer.status, 200);
    assert_string_equal(http_field(&answer, "Connection"), "close");
    http_answer_drop(&answer);
    http_expect_end(&client);
    http_close(&client);
    http_stop(&s);
}

static void a_drain_does_not_wait_for_ever_for_a_first_request(void **state)
{
    lr_http_site_options hasty = site;
    http_plan plan = {.site = &hasty};
    http_client client;
    http_server s;

    hasty.drain_wait_ms = 50;
    http_start(&s, state, &plan);
    http_open(&client, &s);
    lr_server_drain(s.l.server, LR_NONE);
    http_expect_end(&client);
    http_close(&client);
    http_stop(&s);
}

static void an_idle_connection_is_ended_after_the_idle_timeout(void **state)
{
    http_plan plan = {.site = &site, .idle_timeout_ms = 100};
    http_client client;
    http_server s;

    http_start(&s, state, &plan);
    http_open(&client, &s);
    http_expect(&client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200, "now");
    http_expect_end(&client);
    http_close(&client);
    http_stop(&s);
}

static void a_site_and_its_root_must_be_right(void **state)
{
    lr_http_site_options nobody = {LR_HTTP_SITE_OPTIONS, .user = NULL};
    lr_http_demo_options demo = {LR_HTTP_DEMO_OPTIONS, .root = "/nonexistent"};
    lr_http_site *none;
    lr_http_demo *missing;
    lr_error err;

    (void)state;
    assert_int_equal(lr_http_site_new(&nobody, &none), LR_EINVAL);
    assert_int_equal(lr_http_demo_new(&demo, &missing, &err), LR_EFILE);
    assert_string_equal(err.text, "/nonexistent: No such file or directory");
    assert_null(missing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP_TEST(an_answer_may_come_later),
        HTTP_TEST(requests_behind_one_that_waits_are_not_begun),
        HTTP_TEST(input_behind_an_answer_that_waits_is_not_taken_without_bound),
        HTTP_TEST(wrong_answers_change_nothing_and_a_second_one_is_refused),
        HTTP_TEST(streams_are_framed_by_what_is_known),
        HTTP_TEST(a_stream_that_ends_too_early_cuts_the_connection),
        HTTP_TEST(a_body_that_is_held_back_is_not_asked_for_before),
        HTTP_TEST(each_refusal_has_its_status_and_counter),
        HTTP_TEST(a_refused_HEAD_has_no_body),
        HTTP_TEST(a_refusal_ends_a_pipeline),
        HTTP_TEST(a_head_that_trickles_in_gets_408),
        HTTP_TEST(a_head_is_not_late_while_answers_wait_for_the_client),
        HTTP_TEST(an_answer_under_way_is_finished_when_the_client_has_ended),
        HTTP_TEST(a_request_that_is_cut_short_is_no_request),
        HTTP_TEST(a_client_that_goes_takes_its_exchange_with_it),
        HTTP_TEST(a_drain_ends_idle_connections_and_lets_busy_ones_answer),
        HTTP_TEST(a_drain_hears_the_first_request_of_a_connection),
        HTTP_TEST(a_drain_does_not_wait_for_ever_for_a_first_request),
        HTTP_TEST(an_idle_connection_is_ended_after_the_idle_timeout),
        cmocka_unit_test(a_site_and_its_root_must_be_right),
    };

    return LIVE_MAIN(tests);
}
