/* SPDX-License-Identifier: MIT */
#include "core/base/histogram.h"

#include "core/base/compiler.h"
#include "support.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#define OPEN_ENDED (UINT64_C(1) << 40)

static void every_bucket_ends_where_the_next_begins(void **state)
{
    (void)state;
    for (uint32_t i = 0; i + 1 < LR__HISTOGRAM_BUCKETS; i++) {
        uint64_t top = lr__histogram_bucket_top(i);

        assert_int_equal(lr__histogram_bucket_of(top), i);
        assert_int_equal(lr__histogram_bucket_of(top + 1), i + 1);
    }
}

static void small_values_are_exact_and_others_within_a_sixteenth(void **state)
{
    uint64_t seed = 2;

    (void)state;
    for (uint64_t value = 0; value < 32; value++)
        assert_int_equal(lr__histogram_bucket_top(lr__histogram_bucket_of(value)), value);
    for (int i = 0; i < 100000; i++) {
        uint64_t value = support_random(&seed) >> (24 + support_random_below(&seed, 36));
        uint32_t bucket = lr__histogram_bucket_of(value);

        if (bucket == LR__HISTOGRAM_BUCKETS - 1)
            continue;
        assert_true(lr__histogram_bucket_top(bucket) >= value);
        assert_true(lr__histogram_bucket_top(bucket) - value <= value / 16);
    }
}

static void last_bucket_takes_everything_above(void **state)
{
    static const uint64_t values[] = {OPEN_ENDED - 1, OPEN_ENDED, OPEN_ENDED * 7, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(values); i++)
        assert_int_equal(lr__histogram_bucket_of(values[i]), LR__HISTOGRAM_BUCKETS - 1);
    assert_int_equal(lr__histogram_bucket_top(LR__HISTOGRAM_BUCKETS - 1), UINT64_MAX);
}

static void ask_for_no_bucket(void *arg)
{
    (void)arg;
    (void)lr__histogram_bucket_top(LR__HISTOGRAM_BUCKETS);
}

static void bucket_that_is_none_is_a_failed_check(void **state)
{
    (void)state;
    support_assert_check_fails(ask_for_no_bucket, NULL, "bucket < ");
}

static void empty_histogram_has_no_values(void **state)
{
    static lr__histogram h;

    (void)state;
    assert_int_equal(lr__histogram_count(&h), 0);
    assert_int_equal(lr__histogram_quantile(&h, 0.5), 0);
}

static void add_keeps_count_sum_and_max(void **state)
{
    static lr__histogram h;

    (void)state;
    lr__histogram_add(&h, 10);
    lr__histogram_add(&h, 3);
    lr__histogram_add(&h, OPEN_ENDED * 2);
    lr__histogram_add(&h, 0);
    assert_int_equal(lr__histogram_count(&h), 4);
    assert_int_equal(h.sum, OPEN_ENDED * 2 + 13);
    assert_int_equal(h.max, OPEN_ENDED * 2);
    assert_int_equal(h.buckets[0], 1);
    assert_int_equal(h.buckets[10], 1);
    assert_int_equal(h.buckets[LR__HISTOGRAM_BUCKETS - 1], 1);
}

static void quantiles_of_a_hundred_values_are_their_ranks(void **state)
{
    static lr__histogram h;

    (void)state;
    for (uint64_t i = 0; i < 100; i++)
        lr__histogram_add(&h, i < 90 ? 1 : i < 99 ? 2 : 3);
    assert_int_equal(lr__histogram_quantile(&h, 0.01), 1);
    assert_int_equal(lr__histogram_quantile(&h, 0.5), 1);
    assert_int_equal(lr__histogram_quantile(&h, 0.9), 1);
    assert_int_equal(lr__histogram_quantile(&h, 0.901), 2);
    assert_int_equal(lr__histogram_quantile(&h, 0.99), 2);
    assert_int_equal(lr__histogram_quantile(&h, 0.9901), 3);
    assert_int_equal(lr__histogram_quantile(&h, 1), 3);
}

static void share_outside_of_its_range_means_first_or_last(void **state)
{
    static lr__histogram h;

    (void)state;
    lr__histogram_add(&h, 1);
    lr__histogram_add(&h, 9);
    assert_int_equal(lr__histogram_quantile(&h, 0), 1);
    assert_int_equal(lr__histogram_quantile(&h, -4), 1);
    assert_int_equal(lr__histogram_quantile(&h, (double)NAN), 1);
    assert_int_equal(lr__histogram_quantile(&h, 1.5), 9);
    assert_int_equal(lr__histogram_quantile(&h, 1e300), 9);
}

static void quantile_in_the_last_bucket_is_the_largest_value(void **state)
{
    static lr__histogram h;

    (void)state;
    lr__histogram_add(&h, 5);
    lr__histogram_add(&h, OPEN_ENDED + 12345);
    assert_int_equal(lr__histogram_quantile(&h, 0.5), 5);
    assert_int_equal(lr__histogram_quantile(&h, 0.51), OPEN_ENDED + 12345);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void quantiles_agree_with_sorting(void **state)
{
    enum { COUNT = 5000 };
    static uint64_t values[COUNT];
    static lr__histogram h;
    uint64_t seed = 3;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        values[i] = support_random(&seed) >> (25 + support_random_below(&seed, 30));
        lr__histogram_add(&h, values[i]);
    }
    qsort(values, COUNT, sizeof values[0], by_value);
    for (uint64_t rank = 1; rank <= COUNT; rank++) {
        uint64_t exact = values[rank - 1];

        assert_int_equal(lr__histogram_quantile(&h, (double)rank / COUNT),
                         lr__histogram_bucket_top(lr__histogram_bucket_of(exact)));
    }
}

static void merge_is_as_if_all_had_been_added_to_one(void **state)
{
    static lr__histogram parts[3], whole, merged;
    uint64_t seed = 4;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        uint64_t value = support_random(&seed) >> support_random_below(&seed, 64);

        lr__histogram_add(&parts[i % 3], value);
        lr__histogram_add(&whole, value);
    }
    for (int i = 2; i >= 0; i--)
        lr__histogram_merge(&merged, &parts[i]);
    for (uint32_t i = 0; i < LR__HISTOGRAM_BUCKETS; i++)
        assert_int_equal(merged.buckets[i], whole.buckets[i]);
    assert_int_equal(merged.sum, whole.sum);
    assert_int_equal(merged.max, whole.max);
}

static lr__histogram shared;
static atomic_bool stop_reading;

static void *read_often(void *arg)
{
    uint64_t before = 0;
    bool *is_right = arg;

    while (!atomic_load(&stop_reading)) {
        uint64_t count = lr__histogram_count(&shared);
        uint64_t median = lr__histogram_quantile(&shared, 0.5);

        *is_right = *is_right && count >= before && (median <= 31);
        before = count;
    }
    return NULL;
}

static void reader_on_another_thread_sees_counts_grow(void **state)
{
    pthread_t threads[2];
    bool is_right[2] = {true, true};

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_often, &is_right[i]), 0);
    for (uint64_t i = 0; i < 200000; i++)
        lr__histogram_add(&shared, i % 32);
    atomic_store(&stop_reading, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_true(is_right[0] && is_right[1]);
    assert_int_equal(lr__histogram_count(&shared), 200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bucket_ends_where_the_next_begins),
        cmocka_unit_test(small_values_are_exact_and_others_within_a_sixteenth),
        cmocka_unit_test(last_bucket_takes_everything_above),
        cmocka_unit_test(bucket_that_is_none_is_a_failed_check),
        cmocka_unit_test(empty_histogram_has_no_values),
        cmocka_unit_test(add_keeps_count_sum_and_max),
        cmocka_unit_test(quantiles_of_a_hundred_values_are_their_ranks),
        cmocka_unit_test(share_outside_of_its_range_means_first_or_last),
        cmocka_unit_test(quantile_in_the_last_bucket_is_the_largest_value),
        cmocka_unit_test(quantiles_agree_with_sorting),
        cmocka_unit_test(merge_is_as_if_all_had_been_added_to_one),
        cmocka_unit_test(reader_on_another_thread_sees_counts_grow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
