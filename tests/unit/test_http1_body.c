/* SPDX-License-Identifier: MIT */
#include "proto/http1_body.h"

#include "http1_driver.h"
#include "support.h"

#include <stdio.h>

#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ROW(name, status, bytes)                                                                   \
    {                                                                                              \
        name, CHUNKED bytes, sizeof(CHUNKED bytes) - 1, status                                     \
    }

/* Everything is taken and the body is what stands behind the head's text. */
static void assert_body(lr_slice request, size_t left, const char *body)
{
    struct http1_outcome outcome = http1_every_split(request, NULL);
    size_t len = strlen(outcome.text), body_len = strlen(body);

    assert_int_equal(outcome.result, LR_HTTP_DONE);
    assert_int_equal(outcome.size, request.len - left);
    assert_true(len > body_len && outcome.text[len - body_len - 1] == '|');
    assert_string_equal(outcome.text + len - body_len, body);
}

static void body_of_known_length_ends_there(void **state)
{
    (void)state;
    assert_body(LR_LIT(POST "Content-Length: 5\r\n\r\nhello"), 0, "hello");
    assert_body(LR_LIT(POST "Content-Length: 5\r\n\r\nhelloGET /"), 5, "hello");
    assert_body(LR_LIT(POST "\r\nGET /"), 5, "");
    assert_int_equal(http1_every_split(LR_LIT(POST "Content-Length: 5\r\n\r\nhell"), NULL).result,
                     LR_HTTP_MORE);
}

static void chunks_are_joined(void **state)
{
    (void)state;
    assert_body(LR_LIT(CHUNKED "0\r\n\r\n"), 0, "");
    assert_body(LR_LIT(CHUNKED "5\r\nhello\r\n0\r\n\r\nGET /"), 5, "hello");
    assert_body(LR_LIT(CHUNKED "1\r\na\r\n0002\r\nbc\r\n00\r\n\r\n"), 0, "abc");
    assert_body(LR_LIT(CHUNKED "a\r\n0\r\n\r\n67890\r\nB\r\n12345678901\r\n0\r\n\r\n"), 0,
                "0\r\n\r\n6789012345678901");
}

static void extensions_and_trailers_are_dropped(void **state)
{
    (void)state;
    assert_body(LR_LIT(CHUNKED "1;a\r\nx\r\n1;b=c; d=\"e \xff\"\r\ny\r\n0;\r\n\r\n"), 0, "xy");
    assert_body(LR_LIT(CHUNKED "1\r\nx\r\n0\r\nA: b\r\nContent-Length:5\r\nC:\r\n\r\nGET"), 3, "x");
}

static void malformed_chunks_are_refused(void **state)
{
    static const struct {
        const char *name, *bytes;
        size_t len;
        uint16_t status;
    } rows[] = {
        ROW("no size", 400, "\r\n"),
        ROW("no size, extension", 400, ";a\r\nx\r\n0\r\n\r\n"),
        ROW("space before the size", 400, " 1\r\nx\r\n0\r\n\r\n"),
        ROW("space behind the size", 400, "1 \r\nx\r\n0\r\n\r\n"),
        ROW("space before the extension", 400, "1 ;a\r\nx\r\n0\r\n\r\n"),
        ROW("plus", 400, "+1\r\nx\r\n0\r\n\r\n"),
        ROW("minus", 400, "-1\r\nx\r\n0\r\n\r\n"),
        ROW("prefix", 400, "0x1\r\nx\r\n0\r\n\r\n"),
        ROW("letter", 400, "g\r\nx\r\n0\r\n\r\n"),
        ROW("underscore", 400, "1_0\r\nx\r\n0\r\n\r\n"),
        ROW("NUL", 400, "1\0\r\nx\r\n0\r\n\r\n"),
        ROW("seventeen digits", 400, "00000000000000001\r\nx\r\n0\r\n\r\n"),
        ROW("2^64", 400, "10000000000000000\r\nx"),
        ROW("2^64 - 1", 413, "ffffffffffffffff\r\nx"),
        ROW("2^64 - 1 after data", 413, "2\r\nxx\r\nfffffffffffffffe\r\nx"),
        ROW("above the limit", 413, "100001\r\nx"),
        ROW("bare LF behind the size", 400, "1\nx\r\n0\r\n\r\n"),
        ROW("bare CR behind the size", 400, "1\rx\r\n0\r\n\r\n"),
        ROW("CR CR LF behind the size", 400, "1\r\r\nx\r\n0\r\n\r\n"),
        ROW("bare LF behind an extension", 400, "1;a\nx\r\n0\r\n\r\n"),
        ROW("bare CR in an extension", 400, "1;a\rb\r\nx\r\n0\r\n\r\n"),
        ROW("NUL in an extension", 400, "1;\0\r\nx\r\n0\r\n\r\n"),
        ROW("bare LF behind data", 400, "1\r\nx\n0\r\n\r\n"),
        ROW("bare CR behind data", 400, "1\r\nx\r0\r\n\r\n"),
        ROW("another byte for the LF behind data", 400, "1\r\nx\rX0\r\n\r\n"),
        ROW("data too long", 400, "1\r\nxy\r\n0\r\n\r\n"),
        ROW("data too short", 400, "3\r\nxy\r\n0\r\n\r\n"),
        ROW("no end of data", 400, "1\r\nx0\r\n\r\n"),
        ROW("bare LF at the end", 400, "0\r\n\n"),
        ROW("bare LF behind the last chunk", 400, "0\n\r\n"),
        ROW("bare CR at the end", 400, "0\r\n\rx"),
        ROW("trailer without a name", 400, "0\r\n: a\r\n\r\n"),
        ROW("trailer without a colon", 400, "0\r\na\r\n\r\n"),
        ROW("trailer, space before the colon", 400, "0\r\na : b\r\n\r\n"),
        ROW("trailer, folded", 400, "0\r\na: b\r\n c\r\n\r\n"),
        ROW("trailer, NUL", 400, "0\r\na: \0\r\n\r\n"),
        ROW("trailer, bare LF", 400, "0\r\na: b\n\r\n"),
        ROW("trailer, bare CR", 400, "0\r\na: b\rc\r\n\r\n"),
        ROW("request in place of a trailer", 400, "0\r\nGET / HTTP/1.1\r\n\r\n"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http1_outcome outcome =
            http1_every_split(lr_slice_of(rows[i].bytes, rows[i].len), NULL);

        if (outcome.status != rows[i].status || outcome.result != LR_HTTP_REFUSED)
            fail_msg("%s: result %d status %u: %s", rows[i].name, outcome.result, outcome.status,
                     outcome.text);
    }
}

static void assert_status(lr_slice request, const lr_http_limits *limits, uint16_t status)
{
    assert_int_equal(http1_every_split(request, limits).status, status);
}

static void limit_counts_all_chunks(void **state)
{
    lr_slice request = LR_LIT(CHUNKED "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");

    (void)state;
    assert_status(request, &(lr_http_limits){.body_size_max = 7}, 0);
    assert_status(request, &(lr_http_limits){.body_size_max = 6}, 413);
    assert_status(request, &(lr_http_limits){.body_size_max = LR_HTTP_UNLIMITED}, 0);
    assert_status(LR_LIT(CHUNKED "1\r\na\r\nffffffffffffffff\r\n"),
                  &(lr_http_limits){.body_size_max = LR_HTTP_UNLIMITED}, 413);
}

static void trailers_are_bounded_together(void **state)
{
    lr_slice request = LR_LIT(CHUNKED "0\r\nA: " A64 "\r\nB: " A64 "\r\n\r\n");

    (void)state;
    /* Two of name, colon, space, value and CR. */
    assert_status(request, &(lr_http_limits){.header_bytes_max = 2 * (3 + 64 + 1)}, 0);
    assert_status(request, &(lr_http_limits){.header_bytes_max = 2 * (3 + 64 + 1) - 1}, 431);
}

static void extension_of_a_chunk_is_bounded(void **state)
{
    (void)state;
    assert_status(LR_LIT(CHUNKED "0;" A64 A64 A64 A64 "\r\n\r\n"), NULL, 0);
    assert_status(LR_LIT(CHUNKED "0;" A64 A64 A64 A64 "a\r\n\r\n"), NULL, 400);
}

/* Feeds chunks of `size` bytes with an extension of 200; how many until one is refused? */
static int chunks_until_refused(size_t size, int max)
{
    lr_http_head head = {.chunked = true, .has_body = true};
    lr_http_body body;
    lr_http_fault fault;
    char chunk[2000];
    int len = snprintf(chunk, sizeof chunk, "%zx;%0200d\r\n%0*d\r\n", size, 0, (int)size, 0);

    lr_http_body_init(&body, &head, NULL);
    for (int i = 0; i < max; i++) {
        lr_slice rest = lr_slice_of(chunk, (size_t)len), data;
        lr_http_result result;

        while ((result = lr_http_body_next(&body, &rest, &data, &fault)) == LR_HTTP_DATA)
            assert_int_equal(data.len, size);
        if (result == LR_HTTP_REFUSED)
            return i;
    }
    return max;
}

static void extensions_are_bounded_by_the_data(void **state)
{
    (void)state;
    /* 200 bytes for each chunk, against 4096 and the data: 20 * 200 <= 4096 + 20 * 1, and so on. */
    assert_int_equal(chunks_until_refused(1, 1000), 20);
    assert_int_equal(chunks_until_refused(100, 1000), 40);
    assert_int_equal(chunks_until_refused(199, 1000), 1000);
}

static void refusal_is_for_good(void **state)
{
    lr_http_head head = {.chunked = true, .has_body = true};
    lr_slice bytes = LR_LIT("x"), data;
    lr_http_fault fault = {0};
    lr_http_body body;

    (void)state;
    lr_http_body_init(&body, &head, NULL);
    assert_int_equal(lr_http_body_next(&body, &bytes, &data, &fault), LR_HTTP_REFUSED);
    bytes = LR_LIT("0\r\n\r\n");
    fault.status = 0;
    assert_int_equal(lr_http_body_next(&body, &bytes, &data, &fault), LR_HTTP_REFUSED);
    assert_int_equal(fault.status, 400);
    assert_int_equal(bytes.len, 5);
}

/* A body that is longer than what can be in memory at once. */
static void large_chunk_goes_through_in_pieces(void **state)
{
    static const uint8_t piece[65536];
    lr_http_limits limits = {.body_size_max = LR_HTTP_UNLIMITED};
    lr_http_head head = {.chunked = true, .has_body = true};
    lr_slice bytes = LR_LIT("140000000\r\n"), data; /* 5 GiB */
    uint64_t got = 0;
    lr_http_fault fault;
    lr_http_body body;

    (void)state;
    lr_http_body_init(&body, &head, &limits);
    assert_int_equal(lr_http_body_next(&body, &bytes, &data, &fault), LR_HTTP_MORE);
    while (got < UINT64_C(0x140000000)) {
        bytes = lr_slice_of(piece, sizeof piece);
        assert_int_equal(lr_http_body_next(&body, &bytes, &data, &fault), LR_HTTP_DATA);
        got += data.len;
    }
    bytes = LR_LIT("\r\n0\r\n\r\n");
    assert_int_equal(lr_http_body_next(&body, &bytes, &data, &fault), LR_HTTP_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_of_known_length_ends_there),
        cmocka_unit_test(chunks_are_joined),
        cmocka_unit_test(extensions_and_trailers_are_dropped),
        cmocka_unit_test(malformed_chunks_are_refused),
        cmocka_unit_test(limit_counts_all_chunks),
        cmocka_unit_test(trailers_are_bounded_together),
        cmocka_unit_test(extension_of_a_chunk_is_bounded),
        cmocka_unit_test(extensions_are_bounded_by_the_data),
        cmocka_unit_test(refusal_is_for_good),
        cmocka_unit_test(large_chunk_goes_through_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
