/* SPDX-License-Identifier: MIT */
#include "tests/unit/support.h"

#include "core/base/mem.h"
#include "core/io/recv_pool.h"

static lr__recv_pool pool; /* some kilobytes */

static void fill_free_list(void)
{
    for (uint32_t i = 0; i < pool.count; i++)
        lr__recv_pool_untake(&pool, (uint16_t)i);
}

static void a_pool_starts_with_its_defaults(void **state)
{
    (void)state;
    assert_int_equal(lr__recv_pool_init(&pool, 0, 0), LR_OK);
    assert_int_equal(pool.count, LR__RECV_BUFFER_COUNT);
    assert_int_equal(pool.max, LR__RECV_BUFFER_MAX);
    lr__recv_pool_fini(&pool);
    assert_int_equal(lr__recv_pool_init(&pool, 100, 10), LR_OK); /* max follows count */
    assert_int_equal(pool.count, 100);
    assert_int_equal(pool.max, 100);
    lr__recv_pool_fini(&pool);
    assert_int_equal(lr__recv_pool_init(&pool, 1, UINT32_MAX), LR_OK);
    assert_int_equal(pool.count, 1);
    assert_int_equal(pool.max, LR__RECV_POOL_MAX);
    lr__recv_pool_fini(&pool);
}

static void buffers_do_not_overlap(void **state)
{
    (void)state;
    assert_int_equal(lr__recv_pool_init(&pool, 200, 200), LR_OK);
    fill_free_list();
    for (uint32_t i = 0; i < 200; i++) {
        uint16_t buffer = lr__recv_pool_take(&pool);

        assert_true(buffer < 200);
        memset(lr__recv_pool_bytes(&pool, buffer), (int)buffer, LR__RECV_BUFFER_SIZE);
        lr__recv_pool_lend(&pool, buffer, LR__RECV_BUFFER_SIZE);
    }
    assert_int_equal(lr__recv_pool_take(&pool), LR__NO_BUFFER);
    assert_int_equal(pool.lent, 200);
    for (uint32_t i = 0; i < 200; i++) {
        const uint8_t *bytes = lr__recv_pool_bytes(&pool, (uint16_t)i);

        assert_int_equal((uintptr_t)bytes % 64, 0);
        assert_int_equal(bytes[0], (uint8_t)i);
        assert_int_equal(bytes[LR__RECV_BUFFER_SIZE - 1], (uint8_t)i);
        lr__recv_pool_back(&pool, (uint16_t)i);
        lr__recv_pool_untake(&pool, (uint16_t)i);
    }
    assert_int_equal(pool.lent, 0);
    lr__recv_pool_fini(&pool);
}

static void the_last_buffer_given_is_the_next_taken(void **state)
{
    uint16_t one, two;

    (void)state;
    assert_int_equal(lr__recv_pool_init(&pool, 8, 8), LR_OK);
    fill_free_list();
    one = lr__recv_pool_take(&pool);
    two = lr__recv_pool_take(&pool);
    lr__recv_pool_untake(&pool, two);
    lr__recv_pool_untake(&pool, one);
    assert_int_equal(lr__recv_pool_take(&pool), one);
    assert_int_equal(lr__recv_pool_take(&pool), two);
    lr__recv_pool_fini(&pool);
}

static void it_grows_when_want_dominates(void **state)
{
    (void)state;
    assert_int_equal(lr__recv_pool_init(&pool, 64, 150), LR_OK);
    for (uint32_t i = 0; i < LR__RECV_POOL_WINDOW; i++) /* 4 %: not yet */
        assert_false(lr__recv_pool_note(&pool, i % 25 == 0));
    for (uint32_t i = 0; i < LR__RECV_POOL_WINDOW - 1; i++)
        assert_false(lr__recv_pool_note(&pool, i % 10 == 0));
    assert_true(lr__recv_pool_note(&pool, true));
    for (uint32_t i = 0; i < LR__RECV_POOL_WINDOW; i++) /* forgotten by the next window */
        assert_false(lr__recv_pool_note(&pool, false));
    assert_int_equal(lr__recv_pool_grow(&pool), 64);
    assert_int_equal(lr__recv_pool_grow(&pool), 22);
    assert_int_equal(lr__recv_pool_grow(&pool), 0);
    assert_int_equal(pool.count, 150);
    lr__recv_pool_fini(&pool);
}

static void growing_keeps_addresses(void **state)
{
    uint8_t *first, *last;

    (void)state;
    assert_int_equal(lr__recv_pool_init(&pool, 3, 300), LR_OK);
    first = lr__recv_pool_bytes(&pool, 0);
    last = lr__recv_pool_bytes(&pool, 2);
    assert_int_equal(lr__recv_pool_grow(&pool), 61); /* the rest of the first chunk */
    while (lr__recv_pool_grow(&pool) > 0)
        ;
    assert_int_equal(pool.count, 300);
    assert_ptr_equal(lr__recv_pool_bytes(&pool, 0), first);
    assert_ptr_equal(lr__recv_pool_bytes(&pool, 2), last);
    lr__recv_pool_fini(&pool);
}

static void want_of_memory_is_a_status(void **state)
{
    lr__mem_counts before = lr__mem_read();

    (void)state;
    for (uint64_t n = 1; n <= 3; n++) {
        (void)lr__mem_fail_at(n, false);
        assert_int_equal(lr__recv_pool_init(&pool, 150, 150), LR_ENOMEM);
        (void)lr__mem_fail_at(0, false);
        assert_int_equal(lr__mem_read().live, before.live);
    }
    assert_int_equal(lr__recv_pool_init(&pool, 64, 256), LR_OK);
    (void)lr__mem_fail_at(1, false);
    assert_int_equal(lr__recv_pool_grow(&pool), 0);
    (void)lr__mem_fail_at(0, false);
    assert_int_equal(lr__recv_pool_grow(&pool), 64);
    lr__recv_pool_fini(&pool);
    assert_int_equal(lr__mem_read().live, before.live);
}

static void give_twice(void *arg)
{
    (void)arg;
    (void)lr__recv_pool_init(&pool, 4, 4);
    lr__recv_pool_lend(&pool, 1, 10);
    lr__recv_pool_back(&pool, 1);
    lr__recv_pool_back(&pool, 1);
}

static void lend_twice(void *arg)
{
    (void)arg;
    (void)lr__recv_pool_init(&pool, 4, 4);
    lr__recv_pool_lend(&pool, 1, 10);
    lr__recv_pool_lend(&pool, 1, 10);
}

static void give_what_is_none(void *arg)
{
    (void)arg;
    (void)lr__recv_pool_init(&pool, 4, 4);
    lr__recv_pool_back(&pool, LR__NO_BUFFER);
}

static void a_buffer_has_one_owner(void **state)
{
    (void)state;
    support_assert_check_fails(give_twice, NULL, "is_lent");
    support_assert_check_fails(lend_twice, NULL, "is_lent");
    support_assert_check_fails(give_what_is_none, NULL, "count");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_starts_with_its_defaults),
        cmocka_unit_test(buffers_do_not_overlap),
        cmocka_unit_test(the_last_buffer_given_is_the_next_taken),
        cmocka_unit_test(it_grows_when_want_dominates),
        cmocka_unit_test(growing_keeps_addresses),
        cmocka_unit_test(want_of_memory_is_a_status),
        cmocka_unit_test(a_buffer_has_one_owner),
    };

    return cmocka_run_group_tests_name("recv_pool", tests, NULL, NULL);
}
