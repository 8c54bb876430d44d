/* SPDX-License-Identifier: MIT */
/* live_http.c: requests and answers as a client sees them: keep-alive, pipelining, HEAD, 100, both
 * versions, bodies both ways, and the routes of the demo site. */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KB = 1024, MB = 1024 * KB };

static void a_connection_carries_several_requests(void **state)
{
    http_plan plan = {0};
    http_client client;
    http_answer answer;
    http_server s;

    http_start(&s, state, &plan);
    http_open(&client, &s);
    http_send(&client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    http_read_answer(&client, &answer, false);
    assert_int_equal(answer.status, 200);
    assert_in_range(answer.body_len, 1, 199);
    assert_int_equal(strlen(http_field(&answer, "Date")), 29);
    assert_string_equal(http_field(&answer, "Connection"), "");
    http_answer_drop(&answer);
    http_expect(&client, "\r\nGET /bytes/3 HTTP/1.1\r\nHost: a\r\n\r\n", 200, "loc");
    http_expect(&client, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n", 404, "404 Not Found\n");
    http_send(&client, "GET /bytes/0 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    http_read_answer(&client, &answer, false);
    assert_string_equal(http_field(&answer, "Connection"), "close");
    assert_string_equal(http_field(&answer, "Content-Length"), "0");
    http_answer_drop(&answer);
    http_expect_end(&client);
    http_close(&client);
    assert_true(live_await(&s.events, "GET:/bytes/0:200:0:0"));
    assert_true(live_has(&s.events, "GET:/bytes/3:200:0:3"));
    assert_int_equal(http_counts(&s).requests, 4);
    assert_int_equal(http_counts(&s).answers, 4);
    http_stop(&s);
}

static void HTTP_1_0_closes_unless_it_is_asked_not_to(void **state)
{
    http_plan plan = {0};
    http_client client;
    http_answer answer;
    http_server s;

    http_start(&s, state, &plan);
    http_open(&client, &s);
    http_send(&client, "GET /bytes/5 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    http_read_answer(&client, &answer, false);
    assert_string_equal(http_field(&answer, "Connection"), "keep-alive");
    assert_string_equal((const char *)answer.body, "lockr");
    http_answer_drop(&answer);
    http_send(&client, "GET /bytes/5 HTTP/1.0\r\n\r\n");
    http_read_answer(&client, &answer, false);
    assert_string_equal(http_field(&answer, "Connection"), "close");
    assert_string_equal(http_field(&answer, "Content-Length"), "5");
    http_answer_drop(&answer);
    http_expect_end(&client);
    http_close(&client);
    http_stop(&s);
}

static void a_thousand_pipelined_requests_are_answered_in_order(void **state)
{
    enum { COUNT = 1000, LINE_MAX_SIZE = 64 };
    http_plan plan = {.quiet = true};
    char *requests = malloc(COUNT * LINE_MAX_SIZE);
    http_client client;
    size_t len = 0;
    http_server s;

    assert_non_null(requests);
    for (int i = 0; i < COUNT; i++)
        len += (size_t)snprintf(requests + len, LINE_MAX_SIZE,
                                "GET /bytes/%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
    http_start(&s, state, &plan);
    http_open(&client, &s);
    http_send_bytes(&client, requests, len);
    for (int i = 0; i < COUNT; i++) {
        http_answer answer;

        http_read_answer(&client, &answer, false);
        assert_int_equal(answer.status, 200);
        assert_int_equal(answer.body_len, i);
        http_answer_drop(&answer);
    }
    http_expect(&client, "GET /bytes/1 HTTP/1.1\r\nHost: a\r\n\r\n", 200, "l");
    http_close(&client);
    http_stop(&s);
    free(requests);
}

/* The answers of all of them are more than the queue may hold: requests wait for its drain. */
static void pipelined_requests_wait_until_their_answers_are_taken(void **state)
{
    enum { COUNT = 200, SIZE = 100 * KB };
    http_plan plan = {.quiet = true};
    http_client client;
    http_server s;

    http_start(&s, state, &plan);
    http_open(&client, &s);
    for (int i = 0; i < COUNT; i++)
        http_send(&client, "GET /bytes/102400 HTTP/1.1\r\nHost: a\r\n\r\n");
    for (int i = 0; i < COUNT; i++) {
        http_answer answer;

        http_read_answer(&client, &answer, false);
        assert_int_equal(answer.body_len, SIZE);
        http_answer_drop(&answer);
    }
    http_close(&client);
    http_stop(&s);
}

static void a_head_in_single_bytes_is_read(void **state)
{
    static const char request[] =
        "GET /bytes/4 HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\n\r\nGET /bytes/2 HTTP/1.0\r\n\r\n";
    http_plan plan = {0};
    http_client client;
    http_answer answer;
    http_server s;

    http_start(&s, state, &plan);
    http_open(&client, &s);
    for (size_t i = 0; i < sizeof(request) - 1; i++)
        http_send_bytes(&client, request + i, 1);
    http_read_answer(&client, &answer, false);
    assert_string_equal((const char *)answer.body, "lock");
    http_answer_drop(&answer);
    http_read_answer(&client, &answer, false);
    assert_string_equal((const char *)answer.body, "lo");
    http_answer_drop(&answer);
    http_expect_end(&client);
    http_close(&client);
    http_stop(&s);
}

static void HEAD_has_the_head_of_GET_and_no_body(void **state)
{
    http_plan plan = {0};
    http_client client;
    http_answer answer;
    http_server s;

    http_start(&s, state, &plan);
    http_open(&client, &s);
    http_send(&client, "HEAD /bytes/1000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    http_read_answer(&client, &answer, true);
    assert_int_equal(answer.status, 200);
    assert_string_equal(http_field(&answer, "Content-Length"), "1000000");
    http_answer_drop(&answer);
    http_expect(&client, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 200, NULL);
    http_expect(&client, "HEAD /none HTTP/1.1\r\nHost: a\r\n\r\n", 404, NULL);
    http_expect(&client, "GET /bytes/2 HTTP/1.1\r\nHost: a\r\n\r\n", 200, "lo");
    http_close(&client);
    http_stop(&s);
}

static void a_body_is_read_when_100_was_said(void **state)
{
    http_plan plan = {0};
    http_client client;
    http_answer answer;
    http_server s;

    http_start(&s, state, &plan);
    http_open(&client, &s);
    http_send(&client, "POST /discard HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                       "Expect: 100-continue\r\n\r\n");
    http_read_head(&client, &answer);
    assert_int_equal(answer.status, 100);
    http_expect(&client, "12345", 200, "5\n");
    http_send(&client, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                       "Expect: 100-continue\r\n\r\n");
    http_read_head(&client, &answer);
    assert_int_equal(answer.status, 100);
    http_expect(&client, "3\r\nabc\r\n0\r\n\r\n", 200, "abc");
    http_close(&client);
    http_stop(&s);
}

static void a_body_that_is_not_wanted_is_not_asked_for(void **state)
{
    http_plan plan = {0};
    http_client client;
    http_answer answer;
    http_server s;

    http_start(&s, state, &plan);
    http_open(&client, &s);
    http_send(&client, "POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                       "Expect: 100-continue\r\n\r\n");
    http_read_answer(&client, &answer, false);
    assert_int_equal(answer.status, 404);
    assert_string_equal(http_field(&answer, "Connection"), "close");
    http_answer_drop(&answer);
    http_expect_end(&client);
    http_close(&client);
    http_stop(&s);
}

static void a_short_body_that_is_not_wanted_is_read_away(void **state)
{
    http_plan plan = {0};
    http_client client;
    http_server s;

    http_start(&s, state, &plan);
    http_open(&client, &s);
    http_expect(&client, "POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nGET / HTT",
                404, NULL);
    http_expect(&client, "POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", 404, NULL);
    http_send(&client, "GET / HTT");
    http_expect(&client, "GET /bytes/1 HTTP/1.1\r\nHost: a\r\n\r\n", 200, "l");
    http_close(&client);
    http_stop(&s);
}

static void chunks_are_taken_apart(void **state)
{
    http_plan plan = {0};
    http_client client;
    http_server s;

    http_start(&s, state, &plan);
    http_open(&client, &s);
    http_expect(&client,
                "POST /discard HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n",
                200, "13\n");
    http_expect(&client,
                "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
                200, "abc0123456789");
    http_expect(&client,
                "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                200, "");
    http_expect(&client, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 200, "");
    http_expect(&client, "POST /echo HTTP/1.0\r\nContent-Length: 2\r\n\r\nab", 200, "ab");
    http_expect_end(&client);
    http_close(&client);
    http_stop(&s);
}

static void wrong_methods_are_told_which_are_right(void **state)
{
    http_plan plan = {0};
    http_client client;
    http_answer answer;
    http_server s;

    http_start(&s, state, &plan);
    http_open(&client, &s);
    http_send(&client, "DELETE /info HTTP/1.1\r\nHost: a\r\n\r\n");
    http_read_answer(&client, &answer, false);
    assert_int_equal(answer.status, 405);
    assert_string_equal(http_field(&answer, "Allow"), "GET, HEAD");
    http_answer_drop(&answer);
    http_send(&client, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    http_read_answer(&client, &answer, false);
    assert_int_equal(answer.status, 405);
    assert_string_equal(http_field(&answer, "Allow"), "POST");
    http_answer_drop(&answer);
    http_expect(&client, "GET /bytes/1x HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL);
    http_expect(&client, "GET /bytes/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL);
    http_expect(&client, "GET /bytes/18446744073709551616 HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL);
    http_close(&client);
    http_stop(&s);
}

static void info_tells_of_the_connection(void **state)
{
    bool is_plain = http_where_of(state)->is_plain;
    http_plan plan = {0};
    http_client client;
    http_answer answer;
    http_server s;
    const char *text;

    http_start(&s, state, &plan);
    http_open(&client, &s);
    http_send(&client, "GET /info HTTP/1.1\r\nHost: a\r\n\r\n");
    http_read_answer(&client, &answer, false);
    assert_string_equal(http_field(&answer, "Content-Type"), "application/json");
    text = (const char *)answer.body;
    assert_non_null(strstr(text, is_plain ? "\"protocol\": \"\"" : "\"protocol\": \"TLSv1.3\""));
    assert_non_null(strstr(text, is_plain ? "\"cipher\": \"\"" : "\"cipher\": \"TLS_AES_"));
    assert_non_null(
        strstr(text, is_plain ? "\"servername\": \"\"" : "\"servername\": \"localhost\""));
    assert_non_null(strstr(text, "\"alpn\": \"\""));
    assert_non_null(strstr(text, "\"resumed\": false"));
    assert_non_null(strstr(text, "\"worker\": 0"));
    assert_non_null(strstr(text, http_where_of(state)->ring == LR_RING_URING
                                     ? "\"ring\": \"uring\""
                                     : "\"ring\": \"epoll\""));
    assert_non_null(strstr(text, "\"fragment\": 16384"));
    assert_non_null(strstr(text, "\"remote\": \"127.0.0.1:"));
    assert_non_null(strstr(text, "\"app_in\": 31,"));
    assert_non_null(strstr(text, "\"peer_subject\": null"));
    http_answer_drop(&answer);
    http_close(&client);
    http_stop(&s);
}

/* More than all buffers on the way: both sides move. */
static void an_echo_of_any_length_comes_back(void **state)
{
    enum { TOTAL = 8 * MB, PART = 8 * KB };
    http_plan plan = {0};
    uint8_t *out = malloc(PART), *in = malloc(PART);
    http_client client;
    http_answer answer;
    http_server s;
    size_t sent = 0;

    assert_non_null(out);
    assert_non_null(in);
    http_start(&s, state, &plan);
    http_open(&client, &s);
    http_send(&client, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n");
    for (size_t got = 0; got < TOTAL; got += PART) {
        for (; sent < TOTAL && sent < got + 4 * PART; sent += PART) {
            pattern_fill(1, sent, out, PART);
            http_send_bytes(&client, out, PART);
        }
        if (got == 0)
            http_read_head(&client, &answer);
        http_read(&client, in, PART);
        assert_true(pattern_fits(1, got, in, PART));
    }
    assert_int_equal(answer.status, 200);
    http_expect(&client, "GET /bytes/1 HTTP/1.1\r\nHost: a\r\n\r\n", 200, "l");
    http_close(&client);
    http_stop(&s);
    free(out);
    free(in);
}

/* Both windows close, and the server holds no more than its buffers. */
static void an_echo_whose_answer_nobody_reads_is_not_read_either(void **state)
{
    enum { FLOOD = 128 * MB };
    char *bytes = calloc(1, 16 * KB);
    http_plan plan = {0};
    http_client client;
    http_server s;
    uint64_t before;
    size_t sent;

    assert_non_null(bytes);
    http_start(&s, state, &plan);
    http_open(&client, &s);
    http_send(&client, "POST /discard HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n");
    for (int i = 0; i < 512; i++) /* now every receive buffer has been used once */
        http_send_bytes(&client, bytes, 16 * KB);
    http_expect(&client, "", 200, "8388608\n");
    before = live_rss_kb(getpid());
    http_send(&client, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 134217728\r\n\r\n");
    sent = http_send_until_stuck(&client, bytes, FLOOD);
    assert_true(sent < FLOOD);
    if (!LIVE_SANITIZED) /* a pool of receive buffers may have been full when reading stopped */
        assert_in_range(live_rss_kb(getpid()) - before, 0, 4 * MB / KB);
    http_close(&client);
    http_stop(&s);
    free(bytes);
}

static void a_hundred_megabytes_are_discarded_and_counted(void **state)
{
    uint8_t *part = calloc(1, MB);
    http_plan plan = {0};
    http_client client;
    http_answer answer;
    http_server s;

    assert_non_null(part);
    http_start(&s, state, &plan);
    http_open(&client, &s);
    http_send(&client, "POST /discard HTTP/1.1\r\nHost: a\r\nContent-Length: 104857600\r\n\r\n");
    for (int i = 0; i < 100; i++)
        http_send_bytes(&client, part, MB);
    http_read_answer(&client, &answer, false);
    assert_string_equal((const char *)answer.body, "104857600\n");
    http_answer_drop(&answer);
    http_close(&client);
    http_stop(&s);
    free(part);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP_TEST(a_connection_carries_several_requests),
        HTTP_TEST(HTTP_1_0_closes_unless_it_is_asked_not_to),
        HTTP_TEST(a_thousand_pipelined_requests_are_answered_in_order),
        HTTP_TEST(pipelined_requests_wait_until_their_answers_are_taken),
        HTTP_TEST(a_head_in_single_bytes_is_read),
        HTTP_TEST(HEAD_has_the_head_of_GET_and_no_body),
        HTTP_TEST(a_body_is_read_when_100_was_said),
        HTTP_TEST(a_body_that_is_not_wanted_is_not_asked_for),
        HTTP_TEST(a_short_body_that_is_not_wanted_is_read_away),
        HTTP_TEST(chunks_are_taken_apart),
        HTTP_TEST(wrong_methods_are_told_which_are_right),
        HTTP_TEST(info_tells_of_the_connection),
        HTTP_TEST(an_echo_of_any_length_comes_back),
        HTTP_TEST(an_echo_whose_answer_nobody_reads_is_not_read_either),
        HTTP_TEST(a_hundred_megabytes_are_discarded_and_counted),
    };

    return LIVE_MAIN(tests);
}
