/* SPDX-License-Identifier: MIT */
/* The store of ticket keys, one thread in the place of all workers and the clock in its hand. */
#include "key_stage.h"

/* What is in use */

static void who_enters_first_draws_a_current_and_a_next_key(void **state)
{
    static const uint8_t zero[LR_TICKET_KEY_SIZE];
    uint8_t current[LR_TICKET_KEY_SIZE], next[LR_TICKET_KEY_SIZE];

    (void)state;
    begin(0);
    assert_null(lr__key_store_pin(store, 0)); /* no key, no ticket */
    assert_int_equal(lr__key_store_enter(store, 0, now_ns, &err), LR_OK);
    assert_int_equal(lr__key_store_enter(store, 1, now_ns, &err), LR_OK);
    current_key(0, current);
    next_key(0, next);
    assert_memory_not_equal(current, zero, sizeof(zero));
    assert_memory_not_equal(next, zero, sizeof(zero));
    assert_memory_not_equal(current, next, sizeof(next));
    assert_true(seals_with(1, current));
    assert_true(opens_with(1, next));
    end();
}

static void without_random_bytes_nobody_enters(void **state)
{
    (void)state;
    begin(0);
    world.fails = true;
    assert_int_equal(lr__key_store_enter(store, 0, now_ns, &err), LR_ERANDOM);
    assert_null(lr__key_store_pin(store, 0));
    world.fails = false;
    assert_int_equal(lr__key_store_enter(store, 0, now_ns, &err), LR_OK);
    end();
}

static void a_rotation_promotes_the_next_key_and_retires_the_current_one(void **state)
{
    uint8_t first[LR_TICKET_KEY_SIZE], second[LR_TICKET_KEY_SIZE], third[LR_TICKET_KEY_SIZE];

    (void)state;
    begin(2);
    current_key(0, first);
    next_key(0, second);
    assert_int_equal(rotate(), LR_OK);
    adopt_all(2);
    assert_true(seals_with(0, second) && seals_with(1, second));
    next_key(1, third);
    assert_true(opens_with(0, first) && opens_with(0, third));
    now_ns += 100 * SECOND - 1;
    assert_true(opens_with(1, first));
    now_ns += 1;
    assert_false(opens_with(1, first)); /* although its bytes are still there */
    assert_true(opens_with(1, second));
    end();
}

static void only_the_current_and_the_next_key_need_no_new_ticket(void **state)
{
    uint8_t keys[3][LR_TICKET_KEY_SIZE];
    const lr__key_set *set;
    bool is_current;

    (void)state;
    begin(1);
    current_key(0, keys[0]);
    next_key(0, keys[1]);
    assert_int_equal(rotate(), LR_OK);
    adopt_all(1);
    next_key(0, keys[2]);
    set = lr__key_store_pin(store, 0);
    assert_non_null(lr__key_set_find(set, keys[0], now_ns, &is_current));
    assert_false(is_current);
    assert_non_null(lr__key_set_find(set, keys[1], now_ns, &is_current));
    assert_true(is_current);
    assert_non_null(lr__key_set_find(set, keys[2], now_ns, &is_current));
    assert_true(is_current);
    (void)lr__key_store_unpin(store, 0, set);
    end();
}

/* All accept before any seals */

static void no_key_seals_before_the_last_worker_accepts_it(void **state)
{
    uint8_t second[LR_TICKET_KEY_SIZE], third[LR_TICKET_KEY_SIZE];

    (void)state;
    begin(PLACES);
    next_key(0, second);
    assert_int_equal(rotate(), LR_OK);
    adopt(0);
    adopt(1);
    next_key(0, third);
    assert_int_equal(rotate(), LR_OK); /* place 2 does not know the third key */
    adopt_all(2);
    assert_true(seals_with(0, second) && seals_with(1, second));
    assert_false(opens_with(2, third));
    assert_int_equal(rotate(), LR_OK); /* more calls are that one */
    adopt(2);
    adopt_all(PLACES);
    for (uint32_t i = 0; i < PLACES; i++)
        assert_true(seals_with(i, third));
    assert_int_equal(generation(), 3);
    end();
}

static void a_stalled_worker_is_waited_for_a_second(void **state)
{
    uint8_t third[LR_TICKET_KEY_SIZE];

    (void)state;
    begin(2);
    assert_int_equal(rotate(), LR_OK);
    adopt(0);
    next_key(0, third);
    assert_int_equal(rotate(), LR_OK);
    assert_true(lr__key_store_next(store, 0, now_ns) == now_ns + SECOND); /* it will be noticed */
    now_ns += SECOND - 1;
    assert_false(lr__key_store_tend(store, now_ns));
    now_ns += 1;
    assert_true(lr__key_store_tend(store, now_ns));
    adopt(0);
    assert_true(seals_with(0, third));
    assert_non_null(strstr(logged, "behind=1"));
    adopt(1);
    assert_true(seals_with(1, third));
    end();
}

static void a_worker_that_ends_is_not_waited_for(void **state)
{
    uint8_t third[LR_TICKET_KEY_SIZE];

    (void)state;
    begin(2);
    assert_int_equal(rotate(), LR_OK);
    adopt(0);
    next_key(0, third);
    assert_int_equal(rotate(), LR_OK);
    assert_true(lr__key_store_leave(store, 1));
    adopt(0);
    assert_true(seals_with(0, third));
    end();
}

static void given_keys_open_before_they_seal(void **state)
{
    lr_ticket_keys *keys = list_of(2, 1);
    uint8_t before[LR_TICKET_KEY_SIZE];

    (void)state;
    begin(2);
    current_key(0, before);
    assert_int_equal(give(keys), LR_OK);
    adopt(0);
    assert_true(seals_with(0, before) && opens_with(0, keys->keys[0]));
    assert_true(opens_with(0, keys->keys[1]));
    assert_false(opens_with(1, keys->keys[0]));
    adopt(1); /* the last one */
    assert_true(seals_with(1, before));
    adopt_all(2);
    assert_true(seals_with(0, keys->keys[0]) && seals_with(1, keys->keys[0]));
    assert_true(opens_with(0, before));
    now_ns += 100 * SECOND;
    assert_false(opens_with(0, before));
    now_ns += 1000 * HOUR;
    assert_true(opens_with(0, keys->keys[1])); /* given, so not retired */
    lr_ticket_keys_free(keys);
    end();
}

static void given_keys_are_told_before_they_seal(void **state)
{
    lr_ticket_keys *keys = list_of(1, 1), *told = lr_ticket_keys_new();

    (void)state;
    begin(2);
    assert_int_equal(give(keys), LR_OK);
    assert_int_equal(lr__key_store_copy(store, told, &err), LR_OK);
    assert_memory_equal(lr__keys_current(told), keys->keys[0], LR_TICKET_KEY_SIZE);
    adopt_all(2);
    assert_int_equal(lr__key_store_copy(store, told, &err), LR_OK);
    assert_memory_equal(lr__keys_current(told), keys->keys[0], LR_TICKET_KEY_SIZE);
    assert_int_equal(lr_ticket_keys_count(told), 2); /* and the one before */
    lr_ticket_keys_free(told);
    lr_ticket_keys_free(keys);
    end();
}

static void a_key_that_all_accept_seals_at_once_when_it_is_given(void **state)
{
    lr_ticket_keys *keys = list_of(3, 1), *swapped = lr_ticket_keys_new();
    uint64_t before;

    (void)state;
    begin(2);
    assert_int_equal(give(keys), LR_OK);
    adopt_all(2);
    before = generation();
    for (uint32_t i = 3; i-- > 0;)
        assert_int_equal(
            lr_ticket_keys_add(swapped, lr_slice_of(keys->keys[i], LR_TICKET_KEY_SIZE), &err),
            LR_OK);
    assert_int_equal(give(swapped), LR_OK);
    assert_int_equal(generation(), before + 1);
    adopt_all(2);
    assert_true(seals_with(1, keys->keys[2]));
    lr_ticket_keys_free(swapped);
    lr_ticket_keys_free(keys);
    end();
}

static void the_last_of_two_lists_counts(void **state)
{
    lr_ticket_keys *one = list_of(1, 1), *two = list_of(1, 2);

    (void)state;
    begin(2);
    assert_int_equal(give(one), LR_OK);
    assert_int_equal(give(two), LR_OK);
    adopt_all(2);
    assert_true(seals_with(0, two->keys[0]));
    assert_true(opens_with(0, one->keys[0])); /* other servers may seal with it */
    lr_ticket_keys_free(one);
    lr_ticket_keys_free(two);
    end();
}

static void a_key_that_came_with_an_earlier_set_is_waited_for_too(void **state)
{
    lr_ticket_keys *one = list_of(1, 1), *two = list_of(1, 2);

    (void)state;
    begin(2);
    assert_int_equal(give(one), LR_OK);
    adopt(0);
    assert_int_equal(give(two), LR_OK);
    adopt(0);
    assert_int_equal(give(one), LR_OK); /* all sets have it but the one of place 1 */
    adopt(0);
    assert_false(seals_with(0, one->keys[0]));
    adopt_all(2);
    assert_true(seals_with(0, one->keys[0]));
    lr_ticket_keys_free(one);
    lr_ticket_keys_free(two);
    end();
}

static void what_is_given_before_the_start_is_all_there_is(void **state)
{
    lr_ticket_keys *keys = list_of(2, 1), *told = lr_ticket_keys_new();

    (void)state;
    open_with(HOUR, 100 * SECOND);
    assert_int_equal(lr__key_store_copy(store, told, &err), LR_OK);
    assert_int_equal(lr_ticket_keys_count(told), 2); /* drawn for whoever asks */
    assert_int_equal(give(keys), LR_OK);
    assert_int_equal(lr__key_store_enter(store, 0, now_ns, &err), LR_OK);
    assert_true(seals_with(0, keys->keys[0]));
    assert_int_equal(lr__key_store_copy(store, told, &err), LR_OK);
    assert_int_equal(lr_ticket_keys_count(told), 2);
    assert_true(lr__key_store_next(store, 0, now_ns) == LR__KEY_NEVER); /* no schedule */
    lr_ticket_keys_free(told);
    lr_ticket_keys_free(keys);
    end();
}

static void what_is_asked_for_before_the_start_is_what_seals(void **state)
{
    lr_ticket_keys *told = lr_ticket_keys_new();

    (void)state;
    begin(0);
    assert_int_equal(lr__key_store_copy(store, told, &err), LR_OK);
    assert_int_equal(rotate(), LR_OK);
    assert_int_equal(lr__key_store_copy(store, told, &err), LR_OK);
    assert_int_equal(lr__key_store_enter(store, 0, now_ns, &err), LR_OK);
    assert_true(seals_with(0, lr__keys_current(told)));
    lr_ticket_keys_free(told);
    end();
}

static void a_retired_key_that_is_given_again_is_not_retired(void **state)
{
    lr_ticket_keys *one = list_of(1, 1), *two = list_of(1, 2);

    (void)state;
    begin(2);
    assert_int_equal(give(one), LR_OK);
    adopt_all(2);
    assert_int_equal(give(two), LR_OK);
    adopt_all(2);
    now_ns += 50 * SECOND;
    assert_int_equal(give(one), LR_OK);
    assert_true(opens_with(0, one->keys[0]) && seals_with(0, two->keys[0]));
    adopt_all(2);
    now_ns += 99 * SECOND;
    assert_true(seals_with(1, one->keys[0]) && opens_with(1, one->keys[0]));
    assert_true(opens_with(1, two->keys[0]));
    lr_ticket_keys_free(one);
    lr_ticket_keys_free(two);
    end();
}

/* What is refused */

static void a_list_that_seals_nothing_is_refused(void **state)
{
    lr_ticket_keys *keys = list_of(0, 1);
    uint8_t before[LR_TICKET_KEY_SIZE];

    (void)state;
    begin(1);
    current_key(0, before);
    assert_int_equal(give(keys), LR_EKEY);
    assert_int_equal(generation(), 1);
    assert_true(seals_with(0, before));
    lr_ticket_keys_free(keys);
    end();
}

static void a_name_stands_for_one_key(void **state)
{
    lr_ticket_keys *keys = list_of(2, 1), *other = list_of(2, 1);

    (void)state;
    begin(1);
    assert_int_equal(give(keys), LR_OK);
    adopt_all(1);
    other->keys[1][40] ^= 1;
    assert_int_equal(give(other), LR_EKEY);
    assert_non_null(strstr(err.text, "key 2"));
    assert_true(seals_with(0, keys->keys[0]));
    lr_ticket_keys_free(other);
    lr_ticket_keys_free(keys);
    end();
}

static void given_keys_are_not_rotated(void **state)
{
    lr_ticket_keys *keys = list_of(1, 1);

    (void)state;
    open_with(HOUR, 100 * SECOND);
    assert_int_equal(lr__key_store_enter(store, 0, now_ns, &err), LR_OK);
    assert_int_equal(give(keys), LR_OK);
    adopt_all(1);
    assert_int_equal(rotate(), LR_ESTATE);
    now_ns += 10 * HOUR;
    (void)lr__key_store_tend(store, now_ns);
    adopt_all(1);
    assert_true(seals_with(0, keys->keys[0]));
    lr_ticket_keys_free(keys);
    end();
}

static void given_keys_have_the_places_and_the_newest_retired_ones_what_is_left(void **state)
{
    lr_ticket_keys *keys = list_of(LR_TICKET_KEYS_MAX - 1, 1), *all;
    uint8_t first[LR_TICKET_KEY_SIZE], second[LR_TICKET_KEY_SIZE];

    (void)state;
    all = list_of(LR_TICKET_KEYS_MAX, 100);
    begin(1);
    current_key(0, first);
    assert_int_equal(rotate(), LR_OK);
    adopt_all(1);
    current_key(0, second);
    assert_int_equal(give(keys), LR_OK);
    adopt_all(1);
    assert_true(opens_with(0, second));
    assert_false(opens_with(0, first));
    assert_int_equal(give(all), LR_OK);
    adopt_all(1);
    for (uint32_t i = 0; i < LR_TICKET_KEYS_MAX; i++)
        assert_true(opens_with(0, all->keys[i]));
    assert_false(opens_with(0, second));
    lr_ticket_keys_free(all);
    lr_ticket_keys_free(keys);
    end();
}

static void without_a_time_to_keep_replaced_keys_open_nothing(void **state)
{
    lr_ticket_keys *keys = list_of(1, 1);
    uint8_t before[LR_TICKET_KEY_SIZE];

    (void)state;
    open_with(LR__KEY_NEVER, 0);
    assert_int_equal(lr__key_store_enter(store, 0, now_ns, &err), LR_OK);
    current_key(0, before);
    assert_int_equal(give(keys), LR_OK);
    adopt_all(1);
    assert_true(seals_with(0, keys->keys[0]));
    assert_false(opens_with(0, before));
    lr_ticket_keys_free(keys);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_enters_first_draws_a_current_and_a_next_key),
        TEST(without_random_bytes_nobody_enters),
        TEST(a_rotation_promotes_the_next_key_and_retires_the_current_one),
        TEST(only_the_current_and_the_next_key_need_no_new_ticket),
        TEST(no_key_seals_before_the_last_worker_accepts_it),
        TEST(a_stalled_worker_is_waited_for_a_second),
        TEST(a_worker_that_ends_is_not_waited_for),
        TEST(given_keys_open_before_they_seal),
        TEST(given_keys_are_told_before_they_seal),
        TEST(a_key_that_all_accept_seals_at_once_when_it_is_given),
        TEST(the_last_of_two_lists_counts),
        TEST(a_key_that_came_with_an_earlier_set_is_waited_for_too),
        TEST(what_is_given_before_the_start_is_all_there_is),
        TEST(what_is_asked_for_before_the_start_is_what_seals),
        TEST(a_retired_key_that_is_given_again_is_not_retired),
        TEST(a_list_that_seals_nothing_is_refused),
        TEST(a_name_stands_for_one_key),
        TEST(given_keys_are_not_rotated),
        TEST(given_keys_have_the_places_and_the_newest_retired_ones_what_is_left),
        TEST(without_a_time_to_keep_replaced_keys_open_nothing),
    };

    return cmocka_run_group_tests_name("key_store", tests, NULL, NULL);
}
