/* SPDX-License-Identifier: MIT */
#include "core/base/mem.h"

#include "support.h"

#include <pthread.h>

static lr__mem_counts before;

static int remember_counts(void **state)
{
    (void)state;
    lr__mem_fail_at(0, false);
    before = lr__mem_read();
    return 0;
}

static int assert_nothing_left(void **state)
{
    lr__mem_counts after = lr__mem_read();

    (void)state;
    lr__mem_fail_at(0, false);
    return after.live == before.live && after.bytes == before.bytes ? 0 : -1;
}

static void allocation_and_free_are_counted(void **state)
{
    void *ptr = lr__alloc(1000);
    lr__mem_counts during = lr__mem_read();

    (void)state;
    assert_non_null(ptr);
    assert_int_equal(during.live, before.live + 1);
    assert_int_equal(during.allocs, before.allocs + 1);
    assert_in_range(during.bytes - before.bytes, 1000, 1100);
    lr__free(ptr);
    assert_int_equal(lr__mem_read().allocs, before.allocs + 1);
}

static void freeing_null_counts_nothing(void **state)
{
    (void)state;
    lr__free(NULL);
    lr__free_wiped(NULL, 10);
    assert_int_equal(lr__mem_read().live, before.live);
}

static void zeroed_memory_is_zero(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        unsigned char *bytes = lr__alloc_zero(7, 33);

        assert_non_null(bytes);
        for (size_t j = 0; j < 7 * 33; j++)
            assert_int_equal(bytes[j], 0);
        memset(bytes, 0xff, 7 * 33);
        lr__free(bytes);
    }
}

static void size_that_overflows_is_refused(void **state)
{
    (void)state;
    assert_null(lr__alloc_zero(SIZE_MAX / 2, 3));
    assert_null(lr__alloc_zero(SIZE_MAX / 16 + 1, 16));
    assert_null(lr__alloc_zero(2, SIZE_MAX));
    assert_null(lr__alloc(SIZE_MAX));
    assert_null(lr__alloc((size_t)PTRDIFF_MAX + 1));
    assert_null(lr__alloc_aligned(64, SIZE_MAX - 10));
    assert_int_equal(lr__mem_read().allocs, before.allocs);
}

static void aligned_memory_is_aligned(void **state)
{
    (void)state;
    for (size_t align = sizeof(void *); align <= 65536; align *= 2) {
        void *ptr = lr__alloc_aligned(align, 100);

        assert_non_null(ptr);
        assert_int_equal((uintptr_t)ptr % align, 0);
        lr__free(ptr);
    }
}

static void align_to_three(void *arg)
{
    (void)arg;
    lr__free(lr__alloc_aligned(24, 100));
}

static void alignment_that_is_no_power_of_two_is_a_failed_check(void **state)
{
    (void)state;
    support_assert_check_fails(align_to_three, NULL, "align");
}

static void realloc_keeps_bytes_and_counts(void **state)
{
    char *text = lr__realloc(NULL, 4);
    lr__mem_counts during;

    (void)state;
    assert_non_null(text);
    memcpy(text, "abc", 4);
    text = lr__realloc(text, 100000);
    assert_non_null(text);
    assert_string_equal(text, "abc");
    during = lr__mem_read();
    assert_int_equal(during.live, before.live + 1);
    assert_in_range(during.bytes - before.bytes, 100000, 110000);
    assert_int_equal(during.allocs, before.allocs + 2);
    text = lr__realloc(text, 5);
    assert_non_null(text);
    assert_string_equal(text, "abc");
    assert_in_range(lr__mem_read().bytes - before.bytes, 5, 100);
    lr__free(text);
}

static void failed_realloc_leaves_the_block(void **state)
{
    char *text = lr__alloc(4);

    (void)state;
    assert_non_null(text);
    memcpy(text, "abc", 4);
    assert_null(lr__realloc(text, SIZE_MAX));
    lr__mem_fail_at(1, false);
    assert_null(lr__realloc(text, 100));
    assert_string_equal(text, "abc");
    assert_int_equal(lr__mem_read().live, before.live + 1);
    lr__free(text);
}

static void strndup_stops_at_len_or_zero(void **state)
{
    static const char unterminated[3] = {'x', 'y', 'z'};
    char *copies[] = {lr__strndup("hello", 3), lr__strndup("hi", 100), lr__strndup("", 0),
                      lr__strndup(unterminated, 3)};

    (void)state;
    assert_string_equal(copies[0], "hel");
    assert_string_equal(copies[1], "hi");
    assert_string_equal(copies[2], "");
    assert_string_equal(copies[3], "xyz");
    for (size_t i = 0; i < LR_ARRAY_COUNT(copies); i++)
        lr__free(copies[i]);
    lr__mem_fail_at(1, false);
    assert_null(lr__strndup("hello", 3));
}

static void wipe_zeroes_exactly_its_range(void **state)
{
    unsigned char bytes[64];

    (void)state;
    memset(bytes, 0xa5, sizeof bytes);
    lr__wipe(bytes + 1, sizeof bytes - 2);
    lr__wipe(bytes, 0);
    lr__wipe(NULL, 0);
    for (size_t i = 0; i < sizeof bytes; i++)
        assert_int_equal(bytes[i], i == 0 || i == sizeof bytes - 1 ? 0xa5 : 0);
}

static void free_wiped_frees(void **state)
{
    char *secret = lr__alloc(32);

    (void)state;
    assert_non_null(secret);
    memset(secret, 's', 32);
    lr__free_wiped(secret, 32);
    assert_int_equal(lr__mem_read().live, before.live);
}

static void trimming_changes_no_count(void **state)
{
    (void)state;
    lr__mem_trim();
    assert_int_equal(lr__mem_read().live, before.live);
    assert_int_equal(lr__mem_read().allocs, before.allocs);
}

/* Tries each way to allocate once, frees what it got, and returns a bit per failure. */
static unsigned try_each_way(void)
{
    void *got[5];
    unsigned failures = 0;

    got[0] = lr__alloc(1);
    got[1] = lr__alloc_zero(1, 1);
    got[2] = lr__alloc_aligned(64, 1);
    got[3] = lr__realloc(NULL, 1);
    got[4] = lr__strndup("x", 1);
    for (unsigned i = 0; i < 5; i++) {
        failures |= got[i] ? 0u : 1u << i;
        lr__free(got[i]);
    }
    return failures;
}

static void nth_allocation_fails_once(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 5; n++) {
        lr__mem_fail_at(n, false);
        assert_int_equal(try_each_way(), 1u << (n - 1));
        assert_int_equal(try_each_way(), 0);
    }
    lr__mem_fail_at(6, false);
    assert_int_equal(try_each_way(), 0);
    assert_int_equal(try_each_way(), 1);
}

static void every_allocation_from_the_nth_on_fails_until_ended(void **state)
{
    (void)state;
    lr__mem_fail_at(3, true);
    assert_int_equal(try_each_way(), 0x1c);
    assert_int_equal(try_each_way(), 0x1f);
    lr__mem_fail_at(0, false);
    assert_int_equal(try_each_way(), 0);
}

static void fail_at_returns_how_many_were_tried(void **state)
{
    (void)state;
    lr__mem_fail_at(UINT64_MAX, false);
    assert_int_equal(lr__mem_fail_at(2, true), 0);
    try_each_way();
    assert_int_equal(lr__mem_fail_at(0, false), 5);
    try_each_way();
    try_each_way();
    assert_int_equal(lr__mem_fail_at(0, false), 10);
}

static void *allocate_elsewhere(void *arg)
{
    *(unsigned *)arg = try_each_way();
    return NULL;
}

static void another_thread_does_not_fail(void **state)
{
    unsigned failures = 99;
    pthread_t thread;

    (void)state;
    lr__mem_fail_at(1, true);
    assert_int_equal(pthread_create(&thread, NULL, allocate_elsewhere, &failures), 0);
    pthread_join(thread, NULL);
    assert_int_equal(failures, 0);
    assert_int_equal(try_each_way(), 0x1f);
}

static void *allocate_often(void *arg)
{
    void *held[16] = {NULL};
    uint64_t seed = (uintptr_t)arg;

    for (int i = 0; i < 20000; i++) {
        void **one = &held[support_random_below(&seed, 16)];

        if (*one && support_random_below(&seed, 2)) {
            lr__free(*one);
            *one = NULL;
        } else {
            void *moved = lr__realloc(*one, 1 + support_random_below(&seed, 500));

            *one = moved ? moved : *one;
        }
        (void)lr__mem_read();
    }
    for (int i = 0; i < 16; i++)
        lr__free(held[i]);
    return NULL;
}

static void counts_of_several_threads_add_up(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (uintptr_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, allocate_often, (void *)i), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(lr__mem_read().live, before.live);
    assert_int_equal(lr__mem_read().bytes, before.bytes);
}

#define MEM_TEST(name) cmocka_unit_test_setup_teardown(name, remember_counts, assert_nothing_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEM_TEST(allocation_and_free_are_counted),
        MEM_TEST(freeing_null_counts_nothing),
        MEM_TEST(zeroed_memory_is_zero),
        MEM_TEST(size_that_overflows_is_refused),
        MEM_TEST(aligned_memory_is_aligned),
        MEM_TEST(alignment_that_is_no_power_of_two_is_a_failed_check),
        MEM_TEST(realloc_keeps_bytes_and_counts),
        MEM_TEST(failed_realloc_leaves_the_block),
        MEM_TEST(strndup_stops_at_len_or_zero),
        MEM_TEST(wipe_zeroes_exactly_its_range),
        MEM_TEST(free_wiped_frees),
        MEM_TEST(trimming_changes_no_count),
        MEM_TEST(nth_allocation_fails_once),
        MEM_TEST(every_allocation_from_the_nth_on_fails_until_ended),
        MEM_TEST(fail_at_returns_how_many_were_tried),
        MEM_TEST(another_thread_does_not_fail),
        MEM_TEST(counts_of_several_threads_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
