/* SPDX-License-Identifier: MIT */
#include "core/base/window.h"
#include "support.h"

#include <string.h>

enum { COUNT = 3, SPAN = 600 };

static uint64_t times[COUNT];
static lr__window window;

static int clean(void **state)
{
    (void)state;
    window = (lr__window){.at_ns = times};
    return 0;
}

static bool take(uint64_t now)
{
    return lr__window_take(&window, now, SPAN, COUNT);
}

static void the_count_is_taken_at_once_and_no_more(void **state)
{
    (void)state;
    assert_true(take(5) && take(5) && take(5));
    assert_false(take(5));
    assert_false(take(6));
}

static void an_event_counts_for_exactly_one_span(void **state)
{
    (void)state;
    assert_true(take(0) && take(100) && take(200));
    assert_false(take(SPAN - 1));
    assert_true(take(SPAN));
    assert_false(take(SPAN + 99));
    assert_true(take(SPAN + 100));
    assert_false(take(SPAN + 199));
    assert_true(take(SPAN + 200));
}

static void what_was_refused_does_not_count(void **state)
{
    (void)state;
    assert_true(take(0) && take(0) && take(0));
    for (uint64_t now = 1; now < SPAN; now++)
        assert_false(take(now));
    assert_true(take(SPAN) && take(SPAN) && take(SPAN));
    assert_false(take(SPAN));
}

/* Against all events ever taken, at every point of a long walk. */
static void no_span_ever_has_more_than_the_count(void **state)
{
    static uint64_t taken[4000];
    uint32_t count = 0;
    uint64_t now = 0;

    (void)state;
    for (uint32_t i = 0; i < 4000; i++) {
        uint32_t recent = 0;
        bool fits;

        now += (i * 7919u) % 401;
        for (uint32_t j = 0; j < count; j++)
            recent += now - taken[j] < SPAN;
        fits = take(now);
        assert_int_equal(fits, recent < COUNT);
        if (fits)
            taken[count++] = now;
    }
    assert_in_range(count, 100, 3900);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_count_is_taken_at_once_and_no_more, clean),
        cmocka_unit_test_setup(an_event_counts_for_exactly_one_span, clean),
        cmocka_unit_test_setup(what_was_refused_does_not_count, clean),
        cmocka_unit_test_setup(no_span_ever_has_more_than_the_count, clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
