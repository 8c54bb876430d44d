/* SPDX-License-Identifier: MIT */
#include "proto/http_fields.h"

#include "support.h"

#include <stdio.h>
#include <time.h>

#define MODIFIED INT64_C(784111777)
#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

static lr_slice slice_of(const char *text)
{
    return lr_slice_of(text, strlen(text));
}

static void dates_are_written(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {MODIFIED, DATE},
        {-1, "Wed, 31 Dec 1969 23:59:59 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {951868800, "Wed, 01 Mar 2000 00:00:00 GMT"},
        {4107542399, "Sun, 28 Feb 2100 23:59:59 GMT"},
        {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
        {INT64_C(253402300799), "Fri, 31 Dec 9999 23:59:59 GMT"},
        {INT64_C(-62167219200), "Sat, 01 Jan 0000 00:00:00 GMT"},
    };
    char text[LR_HTTP_DATE_LEN + 1];
    int64_t seconds;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(lr_http_date_format(rows[i].seconds, text));
        assert_string_equal(text, rows[i].text);
        assert_true(lr_http_date_parse(slice_of(text), &seconds));
        assert_int_equal(seconds, rows[i].seconds);
    }
    assert_false(lr_http_date_format(INT64_C(253402300800), text));
    assert_false(lr_http_date_format(INT64_C(-62167219201), text));
    assert_false(lr_http_date_format(INT64_MAX, text));
    assert_false(lr_http_date_format(INT64_MIN, text));
}

/* The C library's calendar, at random and on each day of 400 years. */
static void dates_are_those_of_the_c_library(void **state)
{
    char text[LR_HTTP_DATE_LEN + 1], expected[64];
    uint64_t seed = 3;

    (void)state;
    for (int64_t day = 0; day < 146097; day++) {
        time_t seconds = (time_t)(day * 86400 + (int64_t)support_random_below(&seed, 86400));
        struct tm tm;
        int64_t back;

        assert_non_null(gmtime_r(&seconds, &tm));
        strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        assert_true(lr_http_date_format(seconds, text));
        assert_string_equal(text, expected);
        assert_true(lr_http_date_parse(slice_of(text), &back));
        assert_int_equal(back, seconds);
    }
}

static void what_is_no_date_is_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "Sun, 06 Nov 1994 08:49:37 GM",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Mon, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Xyz 1994 08:49:37 GMT",
        "Sun, 06 ovD 1994 08:49:37 GMT",
        "Sun,  6 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:60 GMT",
        "Sun, 06 Nov 1994 08:4a:37 GMT",
        "Sun, +6 Nov 1994 08:49:37 GMT",
        "Thu, 31 Feb 1994 08:49:37 GMT",
        "Thu, 00 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "1994-11-06T08:49:37.000000000Z",
    };
    int64_t seconds = 5;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_false(lr_http_date_parse(slice_of(rows[i]), &seconds));
    assert_false(lr_http_date_parse(lr_slice_of(NULL, 0), &seconds));
    assert_int_equal(seconds, 5);
}

static void tags_are_found_in_lists(void **state)
{
    static const struct {
        const char *list, *etag;
        bool is_listed;
    } rows[] = {
        {"\"a\"", "\"a\"", true},
        {"\"a\"", "W/\"a\"", true},
        {"W/\"a\"", "\"a\"", true},
        {"W/\"a\"", "W/\"a\"", true},
        {"\"b\", \"a\"", "\"a\"", true},
        {"\"b\",\"a\",W/\"c\"", "\"c\"", true},
        {" , ,\"a\" ,,", "\"a\"", true},
        {"\"x,y\", \"a\"", "\"a\"", true},
        {"\"\xc3\xa9\"", "\"\xc3\xa9\"", true},
        {"*", "\"a\"", true},
        {"*", "", true},
        {" * ", "\"a\"", true},
        {"\"a,b\"", "\"a\"", false},
        {"\"A\"", "\"a\"", false},
        {"\"ab\"", "\"a\"", false},
        {"a", "\"a\"", false},
        {"w/\"a\"", "\"a\"", false},
        {"\"a", "\"a\"", false},
        {"\"a\" \"b\"", "\"a\"", false},
        {"\"a\", b", "\"a\"", false},
        {"b, \"a\"", "\"a\"", false},
        {"\"a b\"", "\"a b\"", false},
        {"\"a\", *", "\"b\"", false},
        {"W/", "\"a\"", false},
        {"", "\"a\"", false},
        {"\"a\"", "", false},
        {"\"\"", "", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (lr_http_etag_is_listed(slice_of(rows[i].list), slice_of(rows[i].etag)) !=
            rows[i].is_listed)
            fail_msg("%s in %s", rows[i].etag, rows[i].list);
    }
}

/* A head of the fields in text, "Name: value\r\n" each; valid until the next call. */
static const lr_http_head *head_of(const char *fields)
{
    static lr_http_header headers[10];
    static lr_http_head head;
    static char text[1000];
    lr_http_parser parser = {0};
    lr_http_fault fault;
    int len = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);

    head = (lr_http_head){.headers = headers, .header_cap = 10};
    assert_int_equal(
        lr_http_head_parse(&parser, NULL, lr_slice_of(text, (size_t)len), &head, &fault),
        LR_HTTP_DONE);
    return &head;
}

static void conditions_have_their_order(void **state)
{
    static const struct {
        const char *fields;
        bool is_not_modified;
    } rows[] = {
        {"", false},
        {"If-None-Match: \"a\"\r\n", true},
        {"If-None-Match: \"b\"\r\n", false},
        {"If-None-Match: \"b\"\r\nif-none-match: W/\"a\"\r\n", true},
        {"If-Modified-Since: " DATE "\r\n", true},
        {"If-Modified-Since: Sun, 06 Nov 1994 08:49:38 GMT\r\n", true},
        {"If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", false},
        {"If-Modified-Since: yesterday\r\n", false},
        {"If-Modified-Since: " DATE "\r\nIf-None-Match: \"b\"\r\n", false},
        {"If-Modified-Since: " DATE "\r\nIf-None-Match:\r\n", false},
        {"If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\nIf-None-Match: \"a\"\r\n", true},
    };
    const lr_http_validators current = {LR_LIT("\"a\""), MODIFIED};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (lr_http_is_not_modified(head_of(rows[i].fields), &current) != rows[i].is_not_modified)
            fail_msg("%s", rows[i].fields);
    }
}

static void ranges_are_read(void **state)
{
    static const struct {
        const char *value;
        uint64_t size;
        lr_http_range result;
        uint64_t first, last;
    } rows[] = {
        {"bytes=0-0", 10, LR_HTTP_RANGE_ONE, 0, 0},
        {"bytes=2-5", 10, LR_HTTP_RANGE_ONE, 2, 5},
        {"BYTES= 2-5 ", 10, LR_HTTP_RANGE_ONE, 2, 5},
        {"bytes=2-", 10, LR_HTTP_RANGE_ONE, 2, 9},
        {"bytes=9-9", 10, LR_HTTP_RANGE_ONE, 9, 9},
        {"bytes=2-10", 10, LR_HTTP_RANGE_ONE, 2, 9},
        {"bytes=2-99999999999999999999999", 10, LR_HTTP_RANGE_ONE, 2, 9},
        {"bytes=0-18446744073709551615", UINT64_MAX, LR_HTTP_RANGE_ONE, 0, UINT64_MAX - 1},
        {"bytes=-3", 10, LR_HTTP_RANGE_ONE, 7, 9},
        {"bytes=-10", 10, LR_HTTP_RANGE_ONE, 0, 9},
        {"bytes=-99999999999999999999999", 10, LR_HTTP_RANGE_ONE, 0, 9},
        {"bytes=10-", 10, LR_HTTP_RANGE_UNSATISFIABLE, 7, 7},
        {"bytes=10-11", 10, LR_HTTP_RANGE_UNSATISFIABLE, 7, 7},
        {"bytes=18446744073709551616-", 10, LR_HTTP_RANGE_UNSATISFIABLE, 7, 7},
        {"bytes=-0", 10, LR_HTTP_RANGE_UNSATISFIABLE, 7, 7},
        {"bytes=0-", 0, LR_HTTP_RANGE_UNSATISFIABLE, 7, 7},
        {"bytes=-1", 0, LR_HTTP_RANGE_NONE, 7, 7},
        {"bytes=5-2", 10, LR_HTTP_RANGE_NONE, 7, 7},
        {"bytes=0-1,3-4", 10, LR_HTTP_RANGE_NONE, 7, 7},
        {"bytes=0-1,", 10, LR_HTTP_RANGE_NONE, 7, 7},
        {"bytes=,0-1", 10, LR_HTTP_RANGE_NONE, 7, 7},
        {"bytes=-", 10, LR_HTTP_RANGE_NONE, 7, 7},
        {"bytes=", 10, LR_HTTP_RANGE_NONE, 7, 7},
        {"bytes=1", 10, LR_HTTP_RANGE_NONE, 7, 7},
        {"bytes=1 -2", 10, LR_HTTP_RANGE_NONE, 7, 7},
        {"bytes=--2", 10, LR_HTTP_RANGE_NONE, 7, 7},
        {"bytes=+1-2", 10, LR_HTTP_RANGE_NONE, 7, 7},
        {"bytes=a-b", 10, LR_HTTP_RANGE_NONE, 7, 7},
        {"bytes 0-1", 10, LR_HTTP_RANGE_NONE, 7, 7},
        {"lines=0-1", 10, LR_HTTP_RANGE_NONE, 7, 7},
        {"", 10, LR_HTTP_RANGE_NONE, 7, 7},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t first = 7, last = 7;

        if (lr_http_range_parse(slice_of(rows[i].value), rows[i].size, &first, &last) !=
                rows[i].result ||
            first != rows[i].first || last != rows[i].last)
            fail_msg("%s of %llu", rows[i].value, (unsigned long long)rows[i].size);
    }
}

static void range_needs_the_representation_that_it_was_made_for(void **state)
{
    static const struct {
        const char *condition, *etag;
        lr_http_range result;
    } rows[] = {
        {"", "\"a\"", LR_HTTP_RANGE_ONE},
        {"If-Range: \"a\"\r\n", "\"a\"", LR_HTTP_RANGE_ONE},
        {"If-Range: \"b\"\r\n", "\"a\"", LR_HTTP_RANGE_NONE},
        {"If-Range: W/\"a\"\r\n", "W/\"a\"", LR_HTTP_RANGE_NONE},
        {"If-Range: W/\"a\"\r\n", "\"a\"", LR_HTTP_RANGE_NONE},
        {"If-Range: " DATE "\r\n", "\"a\"", LR_HTTP_RANGE_ONE},
        {"If-Range: Sun, 06 Nov 1994 08:49:38 GMT\r\n", "\"a\"", LR_HTTP_RANGE_NONE},
        {"If-Range:\r\n", "", LR_HTTP_RANGE_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const lr_http_validators current = {slice_of(rows[i].etag), MODIFIED};
        uint64_t first, last;
        char fields[200];

        snprintf(fields, sizeof fields, "Range: bytes=1-2\r\n%s", rows[i].condition);
        assert_int_equal(lr_http_range_of(head_of(fields), &current, 10, &first, &last),
                         rows[i].result);
        assert_int_equal(lr_http_range_of(head_of(rows[i].condition), &current, 10, &first, &last),
                         LR_HTTP_RANGE_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_written),
        cmocka_unit_test(dates_are_those_of_the_c_library),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(tags_are_found_in_lists),
        cmocka_unit_test(conditions_have_their_order),
        cmocka_unit_test(ranges_are_read),
        cmocka_unit_test(range_needs_the_representation_that_it_was_made_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
