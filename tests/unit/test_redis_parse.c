/* SPDX-License-Identifier: MIT */
/* Replies and commands of RESP2. Every reply is parsed at every split into two pieces and byte by
 * byte, in memory that ends where the bytes end, and with other bytes behind it. */
#include "support.h"

#include "core/base/compiler.h"
#include "proto/redis_parse.h"

#include <stdio.h>
#include <stdlib.h>

/* Gives the first len bytes in a block of exactly that size, which is gone afterwards. */
static lr_redis_result parse_part(lr_redis_parser *parser, size_t size_max, lr_slice wire,
                                  size_t len, size_t *size, const char **reason)
{
    uint8_t *block = malloc(len > 0 ? len : 1);
    lr_redis_reply reply;
    lr_redis_result result;

    assert_non_null(block);
    if (len > 0)
        memcpy(block, wire.bytes, len);
    result = lr_redis_reply_parse(parser, size_max, lr_slice_of(block, len), &reply, reason);
    assert_int_equal(result == LR_REDIS_REFUSED, *reason != NULL);
    if (result != LR_REDIS_DONE)
        assert_int_equal(reply.size + reply.bytes.len + (size_t)reply.type, 0);
    *size = reply.size;
    free(block);
    return result;
}

/* More, more, ..., done, whatever the pieces; what follows changes nothing. */
static lr_redis_reply expect_done(lr_slice wire)
{
    static uint8_t longer[70000]; /* what is returned points into it */
    lr_redis_parser parser = {0};
    lr_redis_reply reply;
    const char *reason;
    size_t size;

    for (size_t len = 0; len <= wire.len; len++)
        assert_int_equal(parse_part(&parser, 0, wire, len, &size, &reason),
                         len < wire.len ? LR_REDIS_MORE : LR_REDIS_DONE);
    assert_int_equal(size, wire.len);
    for (size_t first = 0; first < wire.len; first++) {
        assert_int_equal(parse_part(&parser, 0, wire, first, &size, &reason), LR_REDIS_MORE);
        assert_int_equal(parse_part(&parser, 0, wire, wire.len, &size, &reason), LR_REDIS_DONE);
        assert_int_equal(size, wire.len);
    }
    assert_true(wire.len + 6 < sizeof(longer));
    memcpy(longer, wire.bytes, wire.len);
    memcpy(longer + wire.len, "?\n\r\n\0", 6);
    assert_int_equal(
        lr_redis_reply_parse(&parser, 0, lr_slice_of(longer, wire.len + 6), &reply, &reason),
        LR_REDIS_DONE);
    assert_int_equal(reply.size, wire.len);
    return reply;
}

/* Refused at some byte for a reason that has the word, and for good, whatever the pieces. */
static void expect_refused(lr_slice wire, size_t size_max, const char *word)
{
    lr_redis_parser parser = {0};
    const char *first = NULL, *reason;
    size_t at = 0, size;

    for (size_t len = 0; len <= wire.len; len++) {
        lr_redis_result result = parse_part(&parser, size_max, wire, len, &size, &reason);

        if (first)
            assert_ptr_equal(reason, first);
        else
            at = len;
        assert_int_equal(result, reason ? LR_REDIS_REFUSED : LR_REDIS_MORE);
        first = reason;
    }
    if (!first || !strstr(first, word))
        fail_msg("'%.*s' is '%s', not '%s'", (int)wire.len, (const char *)wire.bytes,
                 first ? first : "right", word);
    for (size_t begin = 0; begin < at; begin++) {
        memset(&parser, 0, sizeof(parser));
        assert_int_equal(parse_part(&parser, size_max, wire, begin, &size, &reason), LR_REDIS_MORE);
        assert_int_equal(parse_part(&parser, size_max, wire, wire.len, &size, &reason),
                         LR_REDIS_REFUSED);
        assert_ptr_equal(reason, first);
    }
}

static void expect_text(const lr_redis_reply *reply, lr_redis_type type, const char *text)
{
    assert_int_equal(reply->type, type);
    assert_int_equal(reply->bytes.len, strlen(text));
    assert_memory_equal(reply->bytes.bytes, text, strlen(text));
    assert_int_equal(reply->integer, 0);
}

static void each_type_of_reply_is_read(void **state)
{
    lr_redis_reply reply;

    (void)state;
    reply = expect_done(LR_LIT("+OK\r\n"));
    expect_text(&reply, LR_REDIS_SIMPLE, "OK");
    reply = expect_done(LR_LIT("+\r\n"));
    expect_text(&reply, LR_REDIS_SIMPLE, "");
    reply = expect_done(LR_LIT("-WRONGTYPE Operation against a key\r\n"));
    expect_text(&reply, LR_REDIS_ERROR, "WRONGTYPE Operation against a key");
    reply = expect_done(LR_LIT("$5\r\nhello\r\n"));
    expect_text(&reply, LR_REDIS_BULK, "hello");
    reply = expect_done(LR_LIT("$0\r\n\r\n"));
    expect_text(&reply, LR_REDIS_BULK, "");
    reply = expect_done(LR_LIT("$-1\r\n"));
    expect_text(&reply, LR_REDIS_NULL, "");
    reply = expect_done(LR_LIT("*-1\r\n"));
    expect_text(&reply, LR_REDIS_NULL, "");
}

static void a_bulk_string_may_have_any_bytes(void **state)
{
    lr_redis_reply reply = expect_done(LR_LIT("$10\r\n\r\n$-1\r\n\0\xff*\r\n"));

    (void)state;
    assert_int_equal(reply.type, LR_REDIS_BULK);
    assert_int_equal(reply.bytes.len, 10);
    assert_memory_equal(reply.bytes.bytes, "\r\n$-1\r\n\0\xff*", 10);
}

static void integers_have_64_bits(void **state)
{
    static const int64_t values[] = {0, 1, -1, 10, -10, INT64_MAX, INT64_MIN};
    char wire[64];

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(values); i++) {
        int len = snprintf(wire, sizeof(wire), ":%lld\r\n", (long long)values[i]);
        lr_redis_reply reply = expect_done(lr_slice_of(wire, (size_t)len));

        assert_int_equal(reply.type, LR_REDIS_INTEGER);
        assert_true(reply.integer == values[i]);
    }
}

static void the_elements_of_an_array_are_taken_one_by_one(void **state)
{
    lr_redis_reply reply =
        expect_done(LR_LIT("*6\r\n+a\r\n*2\r\n:1\r\n*0\r\n$2\r\nbc\r\n*-1\r\n*1\r\n-no\r\n:7\r\n"));
    lr_slice rest = reply.bytes, inner;
    lr_redis_reply element;

    (void)state;
    assert_int_equal(reply.type, LR_REDIS_ARRAY);
    assert_int_equal(reply.integer, 6);
    assert_true(lr_redis_element_next(&rest, &element));
    expect_text(&element, LR_REDIS_SIMPLE, "a");
    assert_true(lr_redis_element_next(&rest, &element));
    assert_int_equal(element.type, LR_REDIS_ARRAY);
    assert_int_equal(element.integer, 2);
    inner = element.bytes;
    assert_true(lr_redis_element_next(&inner, &element));
    assert_int_equal(element.integer, 1);
    assert_true(lr_redis_element_next(&inner, &element));
    assert_int_equal(element.type, LR_REDIS_ARRAY);
    assert_int_equal(element.bytes.len + (size_t)element.integer, 0);
    assert_false(lr_redis_element_next(&inner, &element));
    assert_true(lr_redis_element_next(&rest, &element));
    expect_text(&element, LR_REDIS_BULK, "bc");
    assert_true(lr_redis_element_next(&rest, &element));
    expect_text(&element, LR_REDIS_NULL, "");
    assert_true(lr_redis_element_next(&rest, &element));
    assert_int_equal(element.integer, 1);
    assert_true(lr_redis_element_next(&rest, &element));
    assert_int_equal(element.integer, 7);
    assert_false(lr_redis_element_next(&rest, &element));
    assert_int_equal(rest.len, 0);
    rest = LR_LIT("+cut");
    assert_false(lr_redis_element_next(&rest, &element));
    assert_int_equal(rest.len, 4);
}

static void replies_behind_each_other_are_told_apart(void **state)
{
    lr_slice wire = LR_LIT("+OK\r\n*1\r\n$1\r\nx\r\n$-1\r\n:3\r\n");
    static const lr_redis_type types[] = {LR_REDIS_SIMPLE, LR_REDIS_ARRAY, LR_REDIS_NULL,
                                          LR_REDIS_INTEGER};
    lr_redis_parser parser = {0};
    lr_redis_reply reply;
    const char *reason;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(types); i++) {
        assert_int_equal(lr_redis_reply_parse(&parser, 0, wire, &reply, &reason), LR_REDIS_DONE);
        assert_int_equal(reply.type, types[i]);
        wire = lr_slice_of(wire.bytes + reply.size, wire.len - reply.size);
    }
    assert_int_equal(wire.len, 0);
}

static void what_is_no_reply_is_refused(void **state)
{
    static const struct {
        lr_slice wire;
        const char *word;
    } cases[] = {
        {{(const uint8_t *)"HTTP/1.1 400 Bad Request\r\n", 26}, "no reply of RESP2"},
        {{(const uint8_t *)"\r\n", 2}, "no reply of RESP2"},
        {{(const uint8_t *)"_\r\n", 3}, "no reply of RESP2"},
        {{(const uint8_t *)"%1\r\n", 4}, "no reply of RESP2"},
        {{(const uint8_t *)"+OK\n", 4}, "without CR"},
        {{(const uint8_t *)"+\n", 2}, "without CR"},
        {{(const uint8_t *)"+a\rb\r\n", 6}, "CR without LF"},
        {{(const uint8_t *)"+a\r\r\n", 5}, "CR without LF"},
        {{(const uint8_t *)":\r\n", 3}, "number"},
        {{(const uint8_t *)":-\r\n", 4}, "number"},
        {{(const uint8_t *)":+1\r\n", 5}, "number"},
        {{(const uint8_t *)":-0\r\n", 5}, "number"},
        {{(const uint8_t *)":01\r\n", 5}, "number"},
        {{(const uint8_t *)":1 \r\n", 5}, "number"},
        {{(const uint8_t *)":9223372036854775808\r\n", 22}, "number"},
        {{(const uint8_t *)":-9223372036854775809\r\n", 23}, "number"},
        {{(const uint8_t *)":000000000000000000000001\r\n", 27}, "too long"},
        {{(const uint8_t *)"$-2\r\n", 5}, "negative"},
        {{(const uint8_t *)"*-2\r\n", 5}, "negative"},
        {{(const uint8_t *)"$x\r\n", 4}, "number"},
        {{(const uint8_t *)"$1\r\nabc", 7}, "longer than its length"},
        {{(const uint8_t *)"$1\r\na\rb", 7}, "longer than its length"},
        {{(const uint8_t *)"*2\r\n+a\r\nb", 9}, "no reply of RESP2"},
        {{(const uint8_t *)"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", 36}, "deep"},
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(cases); i++)
        expect_refused(cases[i].wire, 0, cases[i].word);
}

static void arrays_may_be_as_deep_as_said(void **state)
{
    lr_redis_reply reply =
        expect_done(LR_LIT("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*2\r\n*0\r\n:1\r\n"));

    (void)state;
    assert_int_equal(reply.type, LR_REDIS_ARRAY);
}

/* A reply that is too large is refused when it says so, not when it has come. */
static void what_is_too_large_is_refused_at_once(void **state)
{
    (void)state;
    expect_refused(LR_LIT("$1048576\r\n"), 0, "limit");
    expect_refused(LR_LIT("$9223372036854775807\r\n"), 0, "limit");
    expect_refused(LR_LIT("*9223372036854775807\r\n"), 0, "limit");
    expect_refused(LR_LIT("*400000\r\n"), 0, "limit");
    expect_refused(LR_LIT("$5\r\n"), 10, "limit");
    expect_refused(LR_LIT("*2\r\n+\r\n$1\r\n"), 13, "limit");
    expect_refused(LR_LIT("*2\r\n+abc\r\n"), 10, "limit");
    expect_refused(LR_LIT("+abcdefghij"), 10, "limit");
    expect_refused(LR_LIT("*2\r\n*1\r\n+\r\nx"), 11, "limit");
}

static void a_reply_of_exactly_the_limit_is_read(void **state)
{
    static const char *const wires[] = {"$5\r\nhello\r\n", "+abcdefgh\r\n", "*1\r\n+abcd\r\n"};
    lr_redis_parser parser = {0};
    lr_redis_reply reply;
    const char *reason;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(wires); i++) {
        assert_int_equal(strlen(wires[i]), 11);
        assert_int_equal(
            lr_redis_reply_parse(&parser, 11, lr_slice_of(wires[i], 11), &reply, &reason),
            LR_REDIS_DONE);
        expect_refused(lr_slice_of(wires[i], 11), 10, "limit");
    }
}

static void a_line_has_a_limit_of_its_own(void **state)
{
    static char line[LR_REDIS_LINE_MAX + 1];
    lr_redis_parser parser = {0};
    lr_redis_reply reply;
    const char *reason;
    size_t size;

    (void)state;
    memset(line, 'a', sizeof(line));
    line[0] = '-';
    memcpy(line + LR_REDIS_LINE_MAX - 2, "\r\n", 2);
    assert_int_equal(
        lr_redis_reply_parse(&parser, 0, lr_slice_of(line, LR_REDIS_LINE_MAX), &reply, &reason),
        LR_REDIS_DONE);
    assert_int_equal(reply.bytes.len, LR_REDIS_LINE_MAX - 3);
    memset(line + LR_REDIS_LINE_MAX - 2, 'a', 3);
    assert_int_equal(
        parse_part(&parser, 0, lr_slice_of(line, sizeof(line)), LR_REDIS_LINE_MAX, &size, &reason),
        LR_REDIS_MORE);
    assert_int_equal(
        parse_part(&parser, 0, lr_slice_of(line, sizeof(line)), sizeof(line), &size, &reason),
        LR_REDIS_REFUSED);
    assert_non_null(strstr(reason, "too long"));
}

static void a_command_is_an_array_of_bulk_strings(void **state)
{
    static const char expected[] =
        "*4\r\n$3\r\nSET\r\n$0\r\n\r\n$12\r\n\0\r\n$1*1+-:ab\r\n$2\r\nEX\r\n";
    const lr_slice arguments[] = {
        LR_LIT("SET"), {NULL, 0}, LR_LIT("\0\r\n$1*1+-:ab"), LR_LIT("EX")};
    size_t size = sizeof(expected) - 1;
    char out[sizeof(expected)];

    (void)state;
    assert_int_equal(lr_redis_command_size(arguments, 4), size);
    for (size_t cap = 0; cap < size; cap++)
        assert_int_equal(lr_redis_command_write(arguments, 4, out, cap), 0);
    assert_int_equal(lr_redis_command_write(arguments, 4, out, size), size);
    assert_memory_equal(out, expected, size);
}

static void a_command_that_is_none_is_not_written(void **state)
{
    lr_slice huge[2] = {{(const uint8_t *)"", SIZE_MAX / 2 + 1},
                        {(const uint8_t *)"", SIZE_MAX / 2}};
    char out[8];

    (void)state;
    assert_int_equal(lr_redis_command_size(NULL, 0), 0);
    assert_int_equal(lr_redis_command_write(NULL, 0, out, sizeof(out)), 0);
    assert_int_equal(lr_redis_command_size(huge, 2), 0);
    huge[0].len = SIZE_MAX;
    assert_int_equal(lr_redis_command_size(huge, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_of_reply_is_read),
        cmocka_unit_test(a_bulk_string_may_have_any_bytes),
        cmocka_unit_test(integers_have_64_bits),
        cmocka_unit_test(the_elements_of_an_array_are_taken_one_by_one),
        cmocka_unit_test(replies_behind_each_other_are_told_apart),
        cmocka_unit_test(what_is_no_reply_is_refused),
        cmocka_unit_test(arrays_may_be_as_deep_as_said),
        cmocka_unit_test(what_is_too_large_is_refused_at_once),
        cmocka_unit_test(a_reply_of_exactly_the_limit_is_read),
        cmocka_unit_test(a_line_has_a_limit_of_its_own),
        cmocka_unit_test(a_command_is_an_array_of_bulk_strings),
        cmocka_unit_test(a_command_that_is_none_is_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
