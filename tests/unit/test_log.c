/* SPDX-License-Identifier: MIT */
#include "core/base/log.h"

#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define SECOND_NS UINT64_C(1000000000)

typedef struct sink_state {
    char line[LR__LOG_LINE_MAX * 2]; /* the last */
    lr_log_level level;
    atomic_uint count;
} sink_state;

static void keep_line(lr_log_level level, const char *line, void *user)
{
    sink_state *sink = user;

    snprintf(sink->line, sizeof sink->line, "%s", line);
    sink->level = level;
    sink->count++;
    errno = EIO; /* The program's sink may do anything to it. */
}

static void each_level_passes_itself_and_what_is_graver(void **state)
{
    (void)state;
    for (int at = LR_LOG_ERROR; at <= LR_LOG_DEBUG; at++) {
        lr__log log = {.level = (lr_log_level)at};

        for (int line = LR_LOG_ERROR; line <= LR_LOG_DEBUG; line++)
            assert_int_equal(lr__log_wants(&log, (lr_log_level)line), line <= at);
    }
}

static void default_level_is_warn(void **state)
{
    lr__log log = {.level = LR_LOG_DEFAULT};

    (void)state;
    assert_true(lr__log_wants(&log, LR_LOG_WARN));
    assert_false(lr__log_wants(&log, LR_LOG_INFO));
}

static void off_drops_everything(void **state)
{
    lr__log log = {.level = LR_LOG_OFF};

    (void)state;
    for (int line = LR_LOG_ERROR; line <= LR_LOG_DEBUG; line++)
        assert_false(lr__log_wants(&log, (lr_log_level)line));
}

static void line_without_a_real_level_is_dropped(void **state)
{
    lr__log log = {.level = LR_LOG_DEBUG};

    (void)state;
    assert_false(lr__log_wants(&log, LR_LOG_DEFAULT));
    assert_false(lr__log_wants(&log, LR_LOG_OFF));
}

static void sink_gets_level_line_and_user_and_errno_survives(void **state)
{
    sink_state sink = {.count = 0};
    lr__log log = {keep_line, &sink, LR_LOG_INFO};

    (void)state;
    errno = ENOENT;
    lr__log_line(&log, LR_LOG_INFO, "conn_open conn=%d.%s", 3, "7");
    assert_string_equal(sink.line, "conn_open conn=3.7");
    assert_int_equal(sink.level, LR_LOG_INFO);
    assert_int_equal(errno, ENOENT);
    lr__log_line(&log, LR_LOG_DEBUG, "not wanted");
    assert_int_equal(sink.count, 1);
}

static void long_line_is_cut_with_dots(void **state)
{
    sink_state sink = {.count = 0};
    lr__log log = {keep_line, &sink, LR_LOG_INFO};

    (void)state;
    lr__log_line(&log, LR_LOG_WARN, "%0*d", LR__LOG_LINE_MAX - 1, 1);
    assert_int_equal(strlen(sink.line), LR__LOG_LINE_MAX - 1);
    assert_int_equal(sink.line[LR__LOG_LINE_MAX - 2], '1');
    lr__log_line(&log, LR_LOG_WARN, "%0*d", LR__LOG_LINE_MAX, 1);
    assert_int_equal(strlen(sink.line), LR__LOG_LINE_MAX - 1);
    assert_string_equal(sink.line + LR__LOG_LINE_MAX - 5, "0...");
}

static void line_stays_one_line_whatever_is_in_it(void **state)
{
    sink_state sink = {.count = 0};
    lr__log log = {keep_line, &sink, LR_LOG_INFO};

    (void)state;
    lr__log_line(&log, LR_LOG_WARN, "a=%s", "b\nc\r\x1b[2J\x7f z\xc3\xa9");
    assert_string_equal(sink.line, "a=b?c??[2J? z\xc3\xa9");
}

static void write_to_default_sink(void *arg)
{
    lr__log log = {.sink = NULL};

    (void)arg;
    lr__log_line(&log, LR_LOG_ERROR, "bind_failed port=%d", 443);
    lr__log_line(&log, LR_LOG_INFO, "not wanted");
    lr__log_line(&log, LR_LOG_WARN, "%0*d", 3 * LR__LOG_LINE_MAX, 1);
}

static void default_sink_is_standard_error(void **state)
{
    char said[4 * LR__LOG_LINE_MAX];

    (void)state;
    assert_int_equal(support_run_child(write_to_default_sink, NULL, said, sizeof said), 0);
    assert_int_equal(strncmp(said, "lockring: error: bind_failed port=443\nlockring: warn: 00", 56),
                     0);
    assert_null(strstr(said, "not wanted"));
    assert_string_equal(said + strlen(said) - 5, "0...\n");
}

static uint32_t passed_of(sink_state *sink, lr__log_limit *limit, uint64_t now_ns, uint32_t tries)
{
    lr__log log = {keep_line, sink, LR_LOG_WARN};
    uint32_t before = sink->count;

    for (uint32_t i = 0; i < tries; i++)
        lr__log_limited(&log, limit, now_ns, LR_LOG_WARN, "bad_hello");
    return sink->count - before;
}

static void limit_lets_a_burst_pass_from_its_first_line_on(void **state)
{
    static const uint64_t starts[] = {0, 1, 3600 * SECOND_NS};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(starts); i++) {
        sink_state sink = {.count = 0};
        lr__log_limit limit = {0};

        assert_int_equal(passed_of(&sink, &limit, starts[i], 100), LR__LOG_BURST);
        assert_int_equal(limit.suppressed, 100 - LR__LOG_BURST);
    }
}

static void limit_refills_by_time_up_to_the_burst(void **state)
{
    sink_state sink = {.count = 0};
    lr__log_limit limit = {0};
    uint64_t now = 77;

    (void)state;
    assert_int_equal(passed_of(&sink, &limit, now, 30), LR__LOG_BURST);
    now += SECOND_NS / LR__LOG_PER_SECOND - 1;
    assert_int_equal(passed_of(&sink, &limit, now, 1), 0);
    now += 1;
    assert_int_equal(passed_of(&sink, &limit, now, 5), 1);
    now += SECOND_NS;
    assert_int_equal(passed_of(&sink, &limit, now, 50), LR__LOG_PER_SECOND);
    now += 3600 * SECOND_NS;
    assert_int_equal(passed_of(&sink, &limit, now, 50), LR__LOG_BURST);
    now = UINT64_MAX;
    assert_int_equal(passed_of(&sink, &limit, now, 50), LR__LOG_BURST);
}

static void limit_loses_no_part_of_an_interval(void **state)
{
    sink_state sink = {.count = 0};
    lr__log_limit limit = {0};
    uint32_t passed;

    (void)state;
    passed_of(&sink, &limit, 1, LR__LOG_BURST);
    passed = 0;
    for (uint64_t ms = 1; ms <= 10000; ms += 7)
        passed += passed_of(&sink, &limit, 1 + ms * 1000000, 1);
    assert_in_range(passed, 10 * LR__LOG_PER_SECOND - 1, 10 * LR__LOG_PER_SECOND);
}

static void limit_is_not_refilled_by_a_clock_that_goes_back(void **state)
{
    sink_state sink = {.count = 0};
    lr__log_limit limit = {0};

    (void)state;
    assert_int_equal(passed_of(&sink, &limit, 10 * SECOND_NS, 30), LR__LOG_BURST);
    assert_int_equal(passed_of(&sink, &limit, 5 * SECOND_NS, 30), 0);
    assert_int_equal(passed_of(&sink, &limit, 10 * SECOND_NS + SECOND_NS / 2, 30), 2);
}

static void next_line_says_how_many_were_suppressed(void **state)
{
    sink_state sink = {.count = 0};
    lr__log log = {keep_line, &sink, LR_LOG_WARN};
    lr__log_limit limit = {0};

    (void)state;
    passed_of(&sink, &limit, 1, LR__LOG_BURST + 3);
    assert_string_equal(sink.line, "bad_hello");
    assert_int_equal(passed_of(&sink, &limit, SECOND_NS, 1), 1);
    assert_string_equal(sink.line, "bad_hello suppressed=3");
    assert_int_equal(passed_of(&sink, &limit, SECOND_NS, 1), 1);
    assert_string_equal(sink.line, "bad_hello");
    limit.suppressed = UINT32_MAX;
    lr__log_limited(&log, &limit, 9 * SECOND_NS, LR_LOG_WARN, "%01000d", 1);
    assert_true(strlen(sink.line) < LR__LOG_LINE_MAX);
    assert_string_equal(strchr(sink.line, '.'), "... suppressed=4294967295");
}

static void suppressed_count_does_not_wrap(void **state)
{
    sink_state sink = {.count = 0};
    lr__log_limit limit = {.refilled_ns = 1, .suppressed = UINT32_MAX};

    (void)state;
    assert_int_equal(passed_of(&sink, &limit, 1, 1), 0);
    assert_int_equal(limit.suppressed, UINT32_MAX);
}

static void line_below_the_level_takes_no_token(void **state)
{
    sink_state sink = {.count = 0};
    lr__log log = {keep_line, &sink, LR_LOG_WARN};
    lr__log_limit limit = {0};

    (void)state;
    for (int i = 0; i < 100; i++)
        lr__log_limited(&log, &limit, 1, LR_LOG_INFO, "x");
    assert_int_equal(limit.suppressed, 0);
    assert_int_equal(passed_of(&sink, &limit, 1, 100), LR__LOG_BURST);
}

static void without_a_limit_everything_passes(void **state)
{
    sink_state sink = {.count = 0};

    (void)state;
    assert_int_equal(passed_of(&sink, NULL, 1, 1000), 1000);
}

static void escape_writes_every_byte_printable(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t in = (uint8_t)byte;
        char out[8], expected[8];
        bool is_plain = byte > 0x20 && byte < 0x7f && byte != '\\' && byte != '"' && byte != '\'' &&
                        byte != '=';

        snprintf(expected, sizeof expected, is_plain ? "%c" : "\\x%02x", byte);
        assert_string_equal(lr__log_escape(lr_slice_of(&in, 1), out, sizeof out), expected);
    }
}

static void escape_of_nothing_is_empty(void **state)
{
    char out[8] = "before", one[1] = {'x'};

    (void)state;
    assert_string_equal(lr__log_escape(lr_slice_of(NULL, 0), out, sizeof out), "");
    assert_string_equal(lr__log_escape(LR_LIT("abc"), one, 1), "");
    assert_string_equal(lr__log_escape(LR_LIT("abc"), NULL, 0), "");
}

static void escape_is_cut_with_dots_and_never_inside_a_byte(void **state)
{
    static const struct {
        size_t cap;
        const char *out;
    } rows[] = {
        /* "ab\x0acd\x0a" takes 12 bytes and its terminator. */
        {13, "ab\\x0acd\\x0a"},
        {12, "ab\\x0acd..."},
        {11, "ab\\x0ac..."},
        {10, "ab\\x0a..."},
        {9, "ab..."},
        {8, "ab..."},
        {6, "ab..."},
        {5, "a..."},
        {4, "..."},
        {3, ".."},
        {2, "."},
        {1, ""},
    };
    char out[16];

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(rows); i++) {
        memset(out, 'z', sizeof out);
        lr__log_escape(LR_LIT("ab\ncd\n"), out, rows[i].cap);
        assert_string_equal(out, rows[i].out);
        for (size_t j = rows[i].cap; j < sizeof out; j++)
            assert_int_equal(out[j], 'z');
    }
}

static void count_line(lr_log_level level, const char *line, void *user)
{
    (void)level;
    if (strcmp(line, "tick number=5") == 0)
        atomic_fetch_add((atomic_uint *)user, 1);
}

static void *log_often(void *arg)
{
    for (int i = 0; i < 2000; i++)
        lr__log_line(arg, LR_LOG_WARN, "tick number=%d", 5);
    return NULL;
}

static void several_threads_may_log_at_once(void **state)
{
    atomic_uint count = 0;
    lr__log log = {count_line, &count, LR_LOG_WARN};
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_often, &log), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(count, 8000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_level_passes_itself_and_what_is_graver),
        cmocka_unit_test(default_level_is_warn),
        cmocka_unit_test(off_drops_everything),
        cmocka_unit_test(line_without_a_real_level_is_dropped),
        cmocka_unit_test(sink_gets_level_line_and_user_and_errno_survives),
        cmocka_unit_test(long_line_is_cut_with_dots),
        cmocka_unit_test(line_stays_one_line_whatever_is_in_it),
        cmocka_unit_test(default_sink_is_standard_error),
        cmocka_unit_test(limit_lets_a_burst_pass_from_its_first_line_on),
        cmocka_unit_test(limit_refills_by_time_up_to_the_burst),
        cmocka_unit_test(limit_loses_no_part_of_an_interval),
        cmocka_unit_test(limit_is_not_refilled_by_a_clock_that_goes_back),
        cmocka_unit_test(next_line_says_how_many_were_suppressed),
        cmocka_unit_test(suppressed_count_does_not_wrap),
        cmocka_unit_test(line_below_the_level_takes_no_token),
        cmocka_unit_test(without_a_limit_everything_passes),
        cmocka_unit_test(escape_writes_every_byte_printable),
        cmocka_unit_test(escape_of_nothing_is_empty),
        cmocka_unit_test(escape_is_cut_with_dots_and_never_inside_a_byte),
        cmocka_unit_test(several_threads_may_log_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
