/* SPDX-License-Identifier: MIT */
#include "core/base/check.h"

#include "support.h"

#include <lockring/base.h>

#include <stdio.h>

static int evaluated;

static bool is_fine(bool fine)
{
    evaluated++;
    return fine;
}

static void fail_check(void *arg)
{
    int answer = 41;

    (void)arg;
    dprintf(STDERR_FILENO, "next line %d\n", __LINE__ + 1);
    LR_CHECK(answer == 42);
}

static void check_that_holds_does_nothing_and_evaluates_once(void **state)
{
    (void)state;
    evaluated = 0;
    LR_CHECK(is_fine(true));
    assert_int_equal(evaluated, 1);
}

static void check_that_fails_says_what_and_where_and_aborts(void **state)
{
    char said[1024], where[64];
    int failing_line;

    (void)state;
    assert_int_equal(support_run_child(fail_check, NULL, said, sizeof said), SIGABRT);
    assert_non_null(strstr(said, "lockring: check failed: answer == 42 ("));
    assert_int_equal(sscanf(said, "next line %d", &failing_line), 1);
    snprintf(where, sizeof where, "test_check.c:%d)\n", failing_line);
    assert_non_null(strstr(said, where));
    assert_int_equal(said[strlen(said) - 1], '\n');
}

static void reach_unreachable(void *arg)
{
    (void)arg;
    LR_UNREACHABLE();
}

static void unreachable_aborts(void **state)
{
    (void)state;
    support_assert_check_fails(reach_unreachable, NULL, "unreachable (");
}

static void fail_with_long_words(void *arg)
{
    char words[2000];

    (void)arg;
    memset(words, 'x', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    lr__check_failed(words, words, 7);
}

static void long_message_is_cut_but_ends_its_line(void **state)
{
    char said[4096];

    (void)state;
    assert_int_equal(support_run_child(fail_with_long_words, NULL, said, sizeof said), SIGABRT);
    assert_true(strlen(said) < 512);
    assert_non_null(strstr(said, ":7)\n"));
}

static void fail_dcheck(void *arg)
{
    (void)arg;
    LR_DCHECK(is_fine(false));
}

static void dcheck_checks_only_where_it_is_compiled_in(void **state)
{
    (void)state;
#ifdef LOCKRING_DCHECK
    support_assert_check_fails(fail_dcheck, NULL, "is_fine(false)");
#else
    evaluated = 0;
    fail_dcheck(NULL);
    assert_int_equal(evaluated, 0);
#endif
}

static lr_status set_level(int level)
{
    LR_BUG_IF(level < 0, LR_EINVAL);
    LR_BUG_IF(level > 10, LR_EOPTION);
    return LR_OK;
}

static void bug_if_lets_right_use_pass(void **state)
{
    (void)state;
    assert_int_equal(set_level(0), LR_OK);
    assert_int_equal(set_level(10), LR_OK);
}

static void misuse_three_times(void *arg)
{
    lr_status *seen = arg;

    seen[0] = set_level(-1);
    seen[1] = set_level(-2);
    seen[2] = set_level(11);
    if (seen[0] == LR_EINVAL && seen[1] == LR_EINVAL && seen[2] == LR_EOPTION)
        dprintf(STDERR_FILENO, "statuses returned\n");
}

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;

    while ((text = strstr(text, word))) {
        count++;
        text++;
    }
    return count;
}

static void bug_if_says_each_place_once_and_returns_its_status(void **state)
{
    lr_status seen[3] = {LR_OK, LR_OK, LR_OK};
    char said[4096];
    int died = support_run_child(misuse_three_times, seen, said, sizeof said);

    (void)state;
    assert_int_equal(count_of(said, "misuse of set_level: level < 0 ("), 1);
#ifdef LOCKRING_DCHECK
    assert_int_equal(died, SIGABRT);
    assert_int_equal(count_of(said, "lockring: "), 1);
#else
    assert_int_equal(died, 0);
    assert_int_equal(count_of(said, "misuse of set_level: level > 10 ("), 1);
    assert_int_equal(count_of(said, "lockring: "), 2);
    assert_int_equal(count_of(said, "statuses returned\n"), 1);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_that_holds_does_nothing_and_evaluates_once),
        cmocka_unit_test(check_that_fails_says_what_and_where_and_aborts),
        cmocka_unit_test(unreachable_aborts),
        cmocka_unit_test(long_message_is_cut_but_ends_its_line),
        cmocka_unit_test(dcheck_checks_only_where_it_is_compiled_in),
        cmocka_unit_test(bug_if_lets_right_use_pass),
        cmocka_unit_test(bug_if_says_each_place_once_and_returns_its_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
