/* SPDX-License-Identifier: MIT */
#include "proto/http1_parse.h"

#include "http1_driver.h"
#include "support.h"

#include <stdio.h>

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"

static void assert_head(lr_slice request, const char *expected)
{
    struct http1_outcome outcome = http1_every_split(request, NULL);

    assert_string_equal(outcome.text, expected);
    assert_int_equal(outcome.result, LR_HTTP_DONE);
}

static void assert_status(lr_slice request, const lr_http_limits *limits, uint16_t status)
{
    assert_int_equal(http1_every_split(request, limits).status, status);
}

static void head_tells_what_was_sent(void **state)
{
    (void)state;
    assert_head(LR_LIT("GET /a%20b?q=1 HTTP/1.1\r\nHost: Example.com:8443\r\nAccept:\t*/* \t\r\n"
                       "X-Empty:\r\nX-Blank: \t \r\n\r\n"),
                "GET /a%20b?q=1 /a%20b?q=1 Example.com:8443 1.1 keep=1 chunked=0 length=0 body=0 "
                "expect=0|Host=Example.com:8443|Accept=*/*|X-Empty=|X-Blank=|");
    assert_head(LR_LIT("PUT /x HTTP/1.1\r\nhost: [2001:db8::1]:81\r\nCONTENT-LENGTH: 5\r\n"
                       "Expect: 100-Continue\r\nConnection: Foo , Close\r\n\r\nhello"),
                "PUT /x /x [2001:db8::1]:81 1.1 keep=0 chunked=0 length=5 body=1 expect=1|"
                "host=[2001:db8::1]:81|CONTENT-LENGTH=5|Expect=100-Continue|"
                "Connection=Foo , Close|hello");
    assert_head(LR_LIT("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
                       "3\r\nabc\r\n0\r\n\r\n"),
                "POST /x /x a:0 1.1 keep=1 chunked=1 length=0 body=1 expect=0|Host=a|"
                "Transfer-Encoding=Chunked|abc");
}

static void http_1_0_needs_no_host_and_keeps_alive_if_asked(void **state)
{
    (void)state;
    assert_head(LR_LIT("GET / HTTP/1.0\r\n\r\n"),
                "GET / / :0 1.0 keep=0 chunked=0 length=0 body=0 expect=0|");
    assert_head(LR_LIT("GET / HTTP/1.0\r\nConnection: x,Keep-Alive\r\nHost: b\r\n\r\n"),
                "GET / / b:0 1.0 keep=1 chunked=0 length=0 body=0 expect=0|"
                "Connection=x,Keep-Alive|Host=b|");
    assert_head(LR_LIT("GET / HTTP/1.0\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n"),
                "GET / / :0 1.0 keep=0 chunked=0 length=0 body=0 expect=0|"
                "Connection=close|Connection=keep-alive|");
    assert_head(LR_LIT("PUT / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\nx"),
                "PUT / / :0 1.0 keep=0 chunked=0 length=1 body=1 expect=0|Content-Length=1|"
                "Expect=100-continue|x");
}

static void absolute_form_gives_host_and_path(void **state)
{
    static const struct {
        const char *line, *expected;
    } rows[] = {
        {"GET http://b.c:8080/x?y", "/x?y b.c:8080 "},
        {"GET HTTPS://b/", "/ b:0 "},
        {"GET http://b", "/ b:0 "},
        {"GET http://b?q", "?q b:0 "},
        {"GET http://[::1]:1/", "/ [::1]:1 "},
        {"OPTIONS http://b:81", "* b:81 "},
        {"OPTIONS *", "* a:0 "},
        {"OPTIONS /x", "/x a:0 "},
        {"GET //b/c", "//b/c a:0 "},
        {"GET /http://b/", "/http://b/ a:0 "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char request[200];
        int len = snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: a\r\n\r\n", rows[i].line);
        struct http1_outcome outcome = http1_every_split(lr_slice_of(request, (size_t)len), NULL);

        assert_int_equal(outcome.result, LR_HTTP_DONE);
        assert_non_null(strstr(outcome.text, rows[i].expected));
    }
}

/* A Host behind the target's own is checked and does not count. */
static void host_of_the_target_wins(void **state)
{
    (void)state;
    assert_status(LR_LIT("GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n"), NULL, 400);
    assert_status(LR_LIT("GET http://b/ HTTP/1.1\r\n\r\n"), NULL, 400);
    assert_head(LR_LIT("GET http://b:1/ HTTP/1.1\r\nHost: a:2\r\n\r\n"),
                "GET http://b:1/ / b:1 1.1 keep=1 chunked=0 length=0 body=0 expect=0|Host=a:2|");
}

static void body_without_content_waits_for_nothing(void **state)
{
    (void)state;
    assert_head(LR_LIT("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 000\r\n"
                       "Expect: 100-continue\r\n\r\nGET"),
                "PUT / / a:0 1.1 keep=1 chunked=0 length=0 body=0 expect=0|Host=a|"
                "Content-Length=000|Expect=100-continue|");
}

/* The reason is for logs: folding is named, not taken for a bad name. */
static void reason_names_what_is_wrong(void **state)
{
    (void)state;
    assert_string_equal(http1_every_split(LR_LIT(GET "A: b\r\n c\r\n\r\n"), NULL).text,
                        "a line begins with white space");
    assert_string_equal(http1_every_split(LR_LIT(GET "A : b\r\n\r\n"), NULL).text,
                        "the name of a field is not a token");
}

/* One parser, one buffer with several heads, as a connection has them. */
static void parser_is_new_after_each_head(void **state)
{
    static const char text[] = GET "\r\n\r\nPOST /b HTTP/1.0\r\n\r\n" GET "X: y\r\n\r\n";
    lr_slice rest = lr_slice_of(text, sizeof text - 1);
    lr_http_header headers[4];
    lr_http_head head = {.headers = headers, .header_cap = 4};
    lr_http_parser parser = {0};
    lr_http_fault fault;
    uint32_t counts[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lr_http_head_parse(&parser, NULL, rest, &head, &fault), LR_HTTP_DONE);
        rest = lr_slice_of(rest.bytes + head.size, rest.len - head.size);
        counts[i] = head.header_count;
    }
    assert_int_equal(rest.len, 0);
    assert_true(counts[0] == 1 && counts[1] == 0 && counts[2] == 2);
    assert_int_equal(lr_http_head_parse(&parser, NULL, rest, &head, &fault), LR_HTTP_MORE);
}

static void fields_are_found_by_name(void **state)
{
    static const char text[] = GET "x-A: 1\r\nX-a: 2\r\nX-None:\r\n\r\n";
    lr_http_header headers[8];
    lr_http_head head = {.headers = headers, .header_cap = 8};
    lr_http_parser parser = {0};
    lr_http_fault fault;
    lr_slice value;

    (void)state;
    assert_int_equal(
        lr_http_head_parse(&parser, NULL, lr_slice_of(text, sizeof text - 1), &head, &fault),
        LR_HTTP_DONE);
    value = lr_http_head_value(&head, LR_LIT("x-a"));
    assert_true(value.len == 1 && value.bytes[0] == '1');
    value = lr_http_head_value(&head, LR_LIT("x-none"));
    assert_true(value.len == 0 && value.bytes != NULL);
    assert_null(lr_http_head_value(&head, LR_LIT("x")).bytes);
}

static void zero_is_the_default_limit(void **state)
{
    lr_http_limits asked = {.request_line_max = 1, .body_size_max = LR_HTTP_UNLIMITED};
    lr_http_limits got = lr_http_limits_of(NULL);

    (void)state;
    assert_true(got.request_line_max == 8192 && got.header_bytes_max == 16384);
    assert_true(got.header_count_max == 100 && got.body_size_max == 1048576);
    got = lr_http_limits_of(&asked);
    assert_true(got.request_line_max == 1 && got.header_bytes_max == 16384);
    assert_true(got.header_count_max == 100 && got.body_size_max == LR_HTTP_UNLIMITED);
    asked = (lr_http_limits){.header_bytes_max = 2, .header_count_max = 3};
    got = lr_http_limits_of(&asked);
    assert_true(got.header_bytes_max == 2 && got.header_count_max == 3);
}

static void each_limit_is_exact(void **state)
{
    static const char text[] =
        "GET /abc HTTP/1.1\r\nHost: a\r\nB: c\r\nContent-Length: 7\r\n\r\n1234567";
    static const uint32_t line = 17, size = (uint32_t)sizeof text - 1 - 7;
    lr_slice request = lr_slice_of(text, sizeof text - 1);

    (void)state;
    assert_status(request, &(lr_http_limits){.request_line_max = line}, 0);
    assert_status(request, &(lr_http_limits){.request_line_max = line - 1}, 414);
    assert_status(request, &(lr_http_limits){.header_bytes_max = size}, 0);
    for (uint32_t max = 1; max < size; max++)
        assert_status(request, &(lr_http_limits){.header_bytes_max = max}, 431);
    assert_status(request, &(lr_http_limits){.header_count_max = 3}, 0);
    assert_status(request, &(lr_http_limits){.header_count_max = 2}, 431);
    assert_status(request, &(lr_http_limits){.body_size_max = 7}, 0);
    assert_status(request, &(lr_http_limits){.body_size_max = 6}, 413);
    /* With a bare LF there is one byte less to tell the end by. */
    request = LR_LIT("GET /abc HTTP/1.1\nHost: a\n\n");
    assert_status(request, &(lr_http_limits){.request_line_max = line}, 0);
    assert_status(request, &(lr_http_limits){.request_line_max = line - 1}, 414);
    request = LR_LIT("\r\n\r\nGET /abc HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_status(request, &(lr_http_limits){.request_line_max = line}, 0);
    assert_status(request, &(lr_http_limits){.request_line_max = line - 1}, 414);
}

/* A peer that sends no line end has the parser wait no longer than for its limit. */
static void endless_line_is_refused_at_the_limit(void **state)
{
    static char text[20000];
    lr_http_header headers[1];
    lr_http_head head = {.headers = headers, .header_cap = 1};
    lr_http_parser parser = {0};
    lr_http_fault fault;
    size_t len = 0;

    (void)state;
    memset(text, 'x', sizeof text);
    while (lr_http_head_parse(&parser, NULL, lr_slice_of(text, len), &head, &fault) == LR_HTTP_MORE)
        len++;
    assert_int_equal(len, 8192 + 2);
    assert_int_equal(fault.status, 414);
    memcpy(text, GET, sizeof GET - 1);
    parser = (lr_http_parser){0};
    len = 0;
    while (lr_http_head_parse(&parser, NULL, lr_slice_of(text, len), &head, &fault) == LR_HTTP_MORE)
        len++;
    assert_int_equal(len, 16384);
    assert_int_equal(fault.status, 431);
}

static void array_of_the_caller_is_a_limit(void **state)
{
    lr_http_header headers[2];
    lr_http_head head = {.headers = headers, .header_cap = 2};
    lr_http_parser parser = {0};
    lr_http_fault fault;

    (void)state;
    assert_int_equal(lr_http_head_parse(&parser, NULL, LR_LIT(GET "A: b\r\n\r\n"), &head, &fault),
                     LR_HTTP_DONE);
    assert_int_equal(
        lr_http_head_parse(&parser, NULL, LR_LIT(GET "A: b\r\nC: d\r\n"), &head, &fault),
        LR_HTTP_REFUSED);
    assert_int_equal(fault.status, 431);
    head.header_cap = 0;
    parser = (lr_http_parser){0};
    assert_int_equal(lr_http_head_parse(&parser, NULL, LR_LIT(GET), &head, &fault),
                     LR_HTTP_REFUSED);
}

/* Every byte at one place of a head, against the grammar written another way. */
static void every_byte_is_judged(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        bool is_alnum = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= 'a' && byte <= 'z');
        bool is_token = is_alnum || (byte != 0 && strchr("!#$%&'*+-.^_`|~", (int)byte) != NULL);
        bool is_visible = byte > ' ' && byte < 127;
        char method[] = "G_T / HTTP/1.1\r\nHost: a\r\n\r\n", name[] = GET "a_b: c\r\n\r\n";
        char value[] = GET "a: b_c\r\n\r\n", target[] = "GET /a_b HTTP/1.1\r\nHost: a\r\n\r\n";
        char host[] = "GET / HTTP/1.1\r\nHost: a_b\r\n\r\n";

        *strchr(method, '_') = *strchr(name, '_') = *strchr(value, '_') = *strchr(target, '_') =
            *strchr(host, '_') = (char)byte;
        if (byte == '\n' || byte == ' ')
            continue; /* the end of a line or word, in the tables */
        assert_status(lr_slice_of(method, sizeof method - 1), NULL, is_token ? 0 : 400);
        assert_status(lr_slice_of(name, sizeof name - 1), NULL, is_token || byte == ':' ? 0 : 400);
        assert_status(lr_slice_of(value, sizeof value - 1), NULL,
                      is_visible || byte == '\t' || byte >= 128 ? 0 : 400);
        assert_status(lr_slice_of(target, sizeof target - 1), NULL,
                      is_visible && byte != '#' ? 0 : 400);
        if (byte != ':')
            assert_status(lr_slice_of(host, sizeof host - 1), NULL,
                          is_alnum || byte == '-' || byte == '.' || byte == '_' ? 0 : 400);
    }
}

/* Twice the bytes, given one more at a time, cost twice the looks at a byte, not four times: after
 * each call the parser has seen all there is. */
static void nothing_is_read_twice(void **state)
{
    static const char text[] = GET "Field: some value\r\nOther: one";
    lr_http_header headers[4];
    lr_http_head head = {.headers = headers, .header_cap = 4};
    lr_http_parser parser = {0};
    lr_http_fault fault;

    (void)state;
    for (size_t len = 1; len < sizeof text; len++) {
        assert_int_equal(lr_http_head_parse(&parser, NULL, lr_slice_of(text, len), &head, &fault),
                         LR_HTTP_MORE);
        assert_int_equal(parser.scanned, len);
        assert_true(parser.line <= len);
    }
    assert_int_equal(parser.header_count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_tells_what_was_sent),
        cmocka_unit_test(http_1_0_needs_no_host_and_keeps_alive_if_asked),
        cmocka_unit_test(absolute_form_gives_host_and_path),
        cmocka_unit_test(host_of_the_target_wins),
        cmocka_unit_test(body_without_content_waits_for_nothing),
        cmocka_unit_test(reason_names_what_is_wrong),
        cmocka_unit_test(parser_is_new_after_each_head),
        cmocka_unit_test(fields_are_found_by_name),
        cmocka_unit_test(zero_is_the_default_limit),
        cmocka_unit_test(each_limit_is_exact),
        cmocka_unit_test(endless_line_is_refused_at_the_limit),
        cmocka_unit_test(array_of_the_caller_is_a_limit),
        cmocka_unit_test(every_byte_is_judged),
        cmocka_unit_test(nothing_is_read_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
