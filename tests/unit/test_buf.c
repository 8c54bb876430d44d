/* SPDX-License-Identifier: MIT */
#include "core/base/buf.h"

#include "core/base/compiler.h"
#include "core/base/mem.h"
#include "support.h"

static lr__buf_pool pool;
static uint8_t pattern[300000]; /* bytes to append: no two places look alike */

static lr__mem_counts before;

static int make_pool(void **state)
{
    uint64_t seed = 8;

    (void)state;
    before = lr__mem_read();
    lr__buf_pool_init(&pool);
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(support_random(&seed) >> 40);
    return 0;
}

static int end_pool(void **state)
{
    lr__mem_counts after;

    (void)state;
    lr__mem_fail_at(0, false);
    lr__buf_pool_fini(&pool);
    after = lr__mem_read();
    return after.live == before.live && after.bytes == before.bytes ? 0 : -1;
}

static void *take(size_t need, uint32_t expected_cap)
{
    uint32_t cap = 0;
    void *block = lr__block_take(&pool, need, &cap);

    assert_non_null(block);
    assert_int_equal(cap, expected_cap);
    memset(block, 0xee, cap);
    return block;
}

static void blocks_have_the_smallest_size_that_holds_the_need(void **state)
{
    static const uint32_t rows[][2] = {
        {0, LR__BLOCK_SMALL},
        {1, LR__BLOCK_SMALL},
        {LR__BLOCK_SMALL, LR__BLOCK_SMALL},
        {LR__BLOCK_SMALL + 1, LR__BLOCK_RECORD},
        {LR__BLOCK_RECORD, LR__BLOCK_RECORD},
        {LR__BLOCK_RECORD + 1, LR__BLOCK_SEND},
        {LR__BLOCK_SEND, LR__BLOCK_SEND},
        {LR__BLOCK_SEND + 1, LR__BLOCK_SEND + 1},
        {1000000, 1000000},
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(rows); i++) {
        void *block = take(rows[i][0], rows[i][1]);

        assert_int_equal(pool.live, 1);
        assert_int_equal(pool.live_bytes, rows[i][1]);
        lr__block_give(&pool, block, rows[i][1]);
        assert_int_equal(pool.live, 0);
        assert_int_equal(pool.live_bytes, 0);
    }
}

static void the_block_given_last_is_taken_first(void **state)
{
    void *a = take(100, LR__BLOCK_SMALL), *b = take(100, LR__BLOCK_SMALL);
    void *c = take(5000, LR__BLOCK_RECORD);

    (void)state;
    lr__block_give(&pool, a, LR__BLOCK_SMALL);
    lr__block_give(&pool, b, LR__BLOCK_SMALL);
    lr__block_give(&pool, c, LR__BLOCK_RECORD);
    assert_ptr_equal(take(1, LR__BLOCK_SMALL), b);
    assert_ptr_equal(take(1, LR__BLOCK_SMALL), a);
    assert_ptr_equal(take(9999, LR__BLOCK_RECORD), c);
    lr__block_give(&pool, a, LR__BLOCK_SMALL);
    lr__block_give(&pool, b, LR__BLOCK_SMALL);
    lr__block_give(&pool, c, LR__BLOCK_RECORD);
}

static void a_class_keeps_a_few_blocks_and_frees_the_rest(void **state)
{
    void *blocks[LR__BLOCK_KEEP + 5];

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(blocks); i++)
        blocks[i] = take(1, LR__BLOCK_SMALL);
    for (size_t i = 0; i < LR_ARRAY_COUNT(blocks); i++)
        lr__block_give(&pool, blocks[i], LR__BLOCK_SMALL);
    assert_int_equal(pool.free_count[0], LR__BLOCK_KEEP);
    assert_int_equal(lr__mem_read().live, before.live + LR__BLOCK_KEEP);
}

static void exact_block_is_never_kept(void **state)
{
    void *block = take(LR__BLOCK_SEND + 1, LR__BLOCK_SEND + 1);

    (void)state;
    lr__block_give(&pool, block, LR__BLOCK_SEND + 1);
    assert_int_equal(lr__mem_read().live, before.live);
}

static void need_above_32_bits_is_refused(void **state)
{
    uint32_t cap = 7;

    (void)state;
    assert_null(lr__block_take(&pool, (size_t)UINT32_MAX + 1, &cap));
    assert_null(lr__block_take(&pool, SIZE_MAX, &cap));
    assert_int_equal(cap, 7);
    assert_int_equal(pool.live, 0);
}

static void giving_null_does_nothing(void **state)
{
    (void)state;
    lr__block_give(&pool, NULL, 0);
    lr__block_give_wiped(&pool, NULL, LR__BLOCK_SMALL);
    assert_int_equal(pool.live, 0);
}

/* All of a block but the word that was its link while it was free. */
static bool is_all_zero(const uint8_t *block, size_t size)
{
    for (size_t i = sizeof(void *); i < size; i++) {
        if (block[i] != 0)
            return false;
    }
    return true;
}

static void block_given_wiped_is_zero_and_others_are_not(void **state)
{
    uint32_t cap;
    void *block = take(1, LR__BLOCK_SMALL), *again;

    (void)state;
    lr__block_give(&pool, block, LR__BLOCK_SMALL);
    again = lr__block_take(&pool, 1, &cap);
    assert_ptr_equal(again, block);
    assert_false(is_all_zero(again, cap));
    lr__block_give_wiped(&pool, again, cap);
    again = lr__block_take(&pool, 1, &cap);
    assert_ptr_equal(again, block);
    assert_true(is_all_zero(again, cap));
    lr__block_give(&pool, again, cap);
}

static void failed_allocation_leaves_the_pool_as_it_was(void **state)
{
    uint32_t cap = 7;

    (void)state;
    lr__mem_fail_at(1, true);
    assert_null(lr__block_take(&pool, 1, &cap));
    assert_null(lr__block_take(&pool, LR__BLOCK_SEND + 1, &cap));
    assert_int_equal(cap, 7);
    assert_int_equal(pool.live, 0);
    assert_int_equal(pool.live_bytes, 0);
}

static void end_pool_in_use(void *arg)
{
    (void)arg;
    (void)take(1, LR__BLOCK_SMALL);
    lr__buf_pool_fini(&pool);
}

static void give_with_wrong_size(void *arg)
{
    void *block = take(1, LR__BLOCK_SMALL);

    lr__block_give(&pool, block, *(uint32_t *)arg);
}

static void give_to_empty_pool(void *arg)
{
    static uint8_t block[LR__BLOCK_SMALL];

    (void)arg;
    lr__block_give(&pool, block, sizeof block);
}

static void misuse_of_the_pool_is_a_failed_check(void **state)
{
    static uint32_t wrong[] = {0, 1, LR__BLOCK_SMALL - 1, LR__BLOCK_SMALL + 1, LR__BLOCK_RECORD};

    (void)state;
    support_assert_check_fails(end_pool_in_use, NULL, "pool->live == 0");
    support_assert_check_fails(give_to_empty_pool, NULL, "pool->live > 0");
    for (size_t i = 0; i < LR_ARRAY_COUNT(wrong); i++)
        support_assert_check_fails(give_with_wrong_size, &wrong[i], "buf.c");
}

#ifdef LR_HAS_ASAN
static void pooled_free_block_is_poisoned_whole(void **state)
{
    uint8_t *block = take(1, LR__BLOCK_SMALL);

    (void)state;
    assert_null(__asan_region_is_poisoned(block, LR__BLOCK_SMALL));
    lr__block_give(&pool, block, LR__BLOCK_SMALL);
    for (size_t i = 0; i < LR__BLOCK_SMALL; i++)
        assert_true(__asan_address_is_poisoned(block + i));
    assert_ptr_equal(take(1, LR__BLOCK_SMALL), block);
    assert_null(__asan_region_is_poisoned(block, LR__BLOCK_SMALL));
    lr__block_give(&pool, block, LR__BLOCK_SMALL);
}
#endif

static void assert_holds(const lr__buf *buf, const void *bytes, size_t len)
{
    lr_slice slice = lr__buf_slice(buf);

    assert_int_equal(slice.len, len);
    assert_int_equal(lr__buf_len(buf), len);
    if (len > 0)
        assert_memory_equal(slice.bytes, bytes, len);
}

static void empty_buffer_holds_no_block(void **state)
{
    lr__buf buf = {0};

    (void)state;
    assert_int_equal(lr__buf_len(&buf), 0);
    assert_null(lr__buf_slice(&buf).bytes);
    assert_true(lr__buf_append(&buf, &pool, lr_slice_of(NULL, 0)));
    lr__buf_consume(&buf, &pool, 0);
    lr__buf_drop(&buf, &pool);
    assert_null(buf.block);
    assert_int_equal(pool.live, 0);
    assert_true(sizeof buf <= 4 * sizeof(void *));
}

static void append_and_consume_are_a_queue(void **state)
{
    lr__buf buf = {0};

    (void)state;
    assert_true(lr__buf_append(&buf, &pool, LR_LIT("hello ")));
    assert_true(lr__buf_append(&buf, &pool, LR_LIT("world")));
    assert_holds(&buf, "hello world", 11);
    lr__buf_consume(&buf, &pool, 6);
    assert_holds(&buf, "world", 5);
    assert_int_equal(pool.live, 1);
    lr__buf_consume(&buf, &pool, 5);
    assert_null(buf.block);
    assert_int_equal(pool.live, 0);
}

static void reserve_of_nothing_takes_a_block(void **state)
{
    lr__buf buf = {0};

    (void)state;
    assert_true(lr__buf_reserve(&buf, &pool, 0));
    assert_non_null(buf.block);
    assert_int_equal(buf.cap, LR__BLOCK_SMALL);
    lr__buf_drop(&buf, &pool);
}

static void reserve_moves_before_it_grows(void **state)
{
    lr__buf buf = {0};
    uint8_t *block;

    (void)state;
    assert_true(lr__buf_append(&buf, &pool, lr_slice_of(pattern, 4000)));
    lr__buf_consume(&buf, &pool, 1000);
    block = buf.block;
    assert_true(lr__buf_reserve(&buf, &pool, 96));
    assert_int_equal(buf.start, 1000);
    assert_true(lr__buf_reserve(&buf, &pool, 1096));
    assert_ptr_equal(buf.block, block);
    assert_int_equal(buf.start, 0);
    assert_holds(&buf, pattern + 1000, 3000);
    assert_true(lr__buf_reserve(&buf, &pool, 1097));
    assert_int_equal(buf.cap, LR__BLOCK_RECORD);
    assert_holds(&buf, pattern + 1000, 3000);
    assert_true(buf.cap - buf.end >= 1097);
    assert_int_equal(pool.live, 1);
    lr__buf_drop(&buf, &pool);
}

static void reserve_grows_through_the_classes(void **state)
{
    lr__buf buf = {0};

    (void)state;
    for (size_t len = 0; len + 1000 <= sizeof pattern; len += 1000) {
        assert_true(lr__buf_append(&buf, &pool, lr_slice_of(pattern + len, 1000)));
        assert_int_equal(pool.live, 1);
        assert_int_equal(pool.live_bytes, buf.cap);
    }
    assert_holds(&buf, pattern, sizeof pattern);
    lr__buf_drop(&buf, &pool);
}

static void long_queue_copies_each_byte_few_times(void **state)
{
    lr__buf buf = {0};
    uint64_t allocs;

    (void)state;
    assert_true(lr__buf_append(&buf, &pool, lr_slice_of(pattern, LR__BLOCK_SEND + 1)));
    allocs = lr__mem_read().allocs;
    for (int i = 0; i < 100000; i++)
        assert_true(lr__buf_append(&buf, &pool, lr_slice_of(pattern, 20)));
    assert_true(lr__mem_read().allocs - allocs < 15);
    lr__buf_drop(&buf, &pool);
}

static void impossible_reserve_leaves_the_buffer(void **state)
{
    lr__buf buf = {0};

    (void)state;
    assert_true(lr__buf_append(&buf, &pool, LR_LIT("abc")));
    assert_false(lr__buf_reserve(&buf, &pool, SIZE_MAX));
    assert_false(lr__buf_reserve(&buf, &pool, SIZE_MAX - 2));
    assert_false(lr__buf_reserve(&buf, &pool, UINT32_MAX));
    assert_holds(&buf, "abc", 3);
    lr__buf_drop(&buf, &pool);
}

static void failed_allocation_leaves_the_buffer(void **state)
{
    lr__buf buf = {0}, same;

    (void)state;
    lr__mem_fail_at(1, false);
    assert_false(lr__buf_append(&buf, &pool, LR_LIT("abc")));
    assert_null(buf.block);
    assert_true(lr__buf_append(&buf, &pool, LR_LIT("abc")));
    same = buf;
    lr__mem_fail_at(1, false);
    assert_false(lr__buf_append(&buf, &pool, lr_slice_of(pattern, LR__BLOCK_SMALL)));
    assert_memory_equal(&buf, &same, sizeof buf);
    assert_holds(&buf, "abc", 3);
    assert_int_equal(pool.live, 1);
    lr__buf_drop(&buf, &pool);
}

static void wiping_buffer_leaves_nothing_behind(void **state)
{
    lr__buf buf = {.wipe = true};
    uint32_t cap;
    void *small, *record;

    (void)state;
    assert_true(lr__buf_append(&buf, &pool, lr_slice_of(pattern, LR__BLOCK_SMALL)));
    assert_true(lr__buf_append(&buf, &pool, lr_slice_of(pattern, 100))); /* outgrown */
    lr__buf_consume(&buf, &pool, lr__buf_len(&buf));                     /* emptied */
    assert_true(buf.wipe);
    small = lr__block_take(&pool, LR__BLOCK_SMALL, &cap);
    record = lr__block_take(&pool, LR__BLOCK_RECORD, &cap);
    assert_int_equal(lr__mem_read().live, before.live + 2);
    assert_true(is_all_zero(small, LR__BLOCK_SMALL));
    assert_true(is_all_zero(record, LR__BLOCK_RECORD));
    lr__block_give(&pool, small, LR__BLOCK_SMALL);
    lr__block_give(&pool, record, LR__BLOCK_RECORD);
}

static void consume_too_much(void *arg)
{
    lr__buf buf = {0};

    (void)arg;
    (void)lr__buf_append(&buf, &pool, LR_LIT("abc"));
    lr__buf_consume(&buf, &pool, 4);
}

static void chain_consume_too_much(void *arg)
{
    lr__chain chain = {0};

    (void)arg;
    (void)lr__chain_append(&chain, &pool, LR_LIT("abc"));
    lr__chain_consume(&chain, &pool, 4);
}

static void consuming_more_than_there_is_is_a_failed_check(void **state)
{
    (void)state;
    support_assert_check_fails(consume_too_much, NULL, "len <= lr__buf_len(buf)");
    support_assert_check_fails(chain_consume_too_much, NULL, "len <= chain->bytes");
}

/* The queue holds pattern[from, to): an append goes on where the last one ended. */
static void buffer_behaves_like_a_window_of_the_pattern(void **state)
{
    uint64_t seed = 9;

    (void)state;
    for (int round = 0; round < 40; round++) {
        size_t from = 0, to = 0;
        uint64_t step_max = 1 + support_random_below(&seed, round % 4 == 0 ? 60000 : 3000);
        lr__buf buf = {.wipe = round % 2 == 0};

        for (int step = 0; step < 1000; step++) {
            size_t len = support_random_below(&seed, step_max);

            if (support_random_below(&seed, 2) && to + len <= sizeof pattern) {
                assert_true(lr__buf_append(&buf, &pool, lr_slice_of(pattern + to, len)));
                to += len;
            } else {
                len = len < to - from ? len : to - from;
                lr__buf_consume(&buf, &pool, len);
                from += len;
            }
            assert_holds(&buf, pattern + from, to - from);
            if (from == to && len > 0)
                assert_null(buf.block);
        }
        lr__buf_drop(&buf, &pool);
        assert_int_equal(pool.live, 0);
    }
}

/* Takes all out of the chain and compares it, in pieces of at most step bytes. */
static void assert_drains_to(lr__chain *chain, const uint8_t *bytes, size_t len, size_t step)
{
    assert_int_equal(chain->bytes, len);
    while (len > 0) {
        lr_slice front = lr__chain_front(chain);
        size_t take_len = front.len < step ? front.len : step;

        assert_in_range(front.len, 1, LR__CHAIN_PIECE);
        assert_memory_equal(front.bytes, bytes, take_len);
        lr__chain_consume(chain, &pool, take_len);
        bytes += take_len;
        len -= take_len;
        assert_int_equal(chain->bytes, len);
    }
    assert_null(chain->first);
    assert_null(chain->last);
    assert_int_equal(lr__chain_front(chain).len, 0);
    assert_int_equal(pool.live, 0);
}

static void empty_chain_holds_no_block(void **state)
{
    lr__chain chain = {0};

    (void)state;
    assert_int_equal(lr__chain_front(&chain).len, 0);
    assert_true(lr__chain_append(&chain, &pool, lr_slice_of(NULL, 0)));
    lr__chain_consume(&chain, &pool, 0);
    lr__chain_drop(&chain, &pool);
    assert_int_equal(pool.live, 0);
}

static void short_chain_takes_a_small_block(void **state)
{
    lr__chain chain = {0};

    (void)state;
    assert_true(lr__chain_append(&chain, &pool, lr_slice_of(pattern, 3000)));
    assert_int_equal(pool.live_bytes, LR__BLOCK_SMALL);
    assert_true(lr__chain_append(&chain, &pool, lr_slice_of(pattern + 3000, 3000)));
    assert_int_equal(pool.live, 2);
    assert_int_equal(pool.live_bytes, LR__BLOCK_SMALL + LR__BLOCK_RECORD);
    assert_drains_to(&chain, pattern, 6000, SIZE_MAX);
}

static void long_chain_has_pieces_of_one_full_record(void **state)
{
    lr__chain chain = {0};

    (void)state;
    assert_true(lr__chain_append(&chain, &pool, lr_slice_of(pattern, 3 * LR__CHAIN_PIECE + 1)));
    assert_int_equal(pool.live, 4);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lr__chain_front(&chain).len, LR__CHAIN_PIECE);
        lr__chain_consume(&chain, &pool, LR__CHAIN_PIECE);
    }
    assert_int_equal(lr__chain_front(&chain).len, 1);
    lr__chain_drop(&chain, &pool);
    assert_int_equal(chain.bytes, 0);
    assert_int_equal(pool.live, 0);
}

static void consume_may_cross_pieces(void **state)
{
    lr__chain chain = {0};

    (void)state;
    assert_true(lr__chain_append(&chain, &pool, lr_slice_of(pattern, 100000)));
    lr__chain_consume(&chain, &pool, 10);
    lr__chain_consume(&chain, &pool, 3 * LR__CHAIN_PIECE);
    assert_drains_to(&chain, pattern + 3 * LR__CHAIN_PIECE + 10, 100000 - 3 * LR__CHAIN_PIECE - 10,
                     777);
}

static void chain_append_is_all_or_nothing(void **state)
{
    static const size_t held[] = {0, 100, LR__CHAIN_PIECE + 5};
    const size_t more = 4 * LR__CHAIN_PIECE;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(held); i++) {
        for (uint64_t n = 1;; n++) {
            lr__chain chain = {0}, same;
            uint64_t live;
            bool is_whole;

            lr__buf_pool_fini(&pool); /* Nothing pooled: each piece is an allocation. */
            assert_true(lr__chain_append(&chain, &pool, lr_slice_of(pattern, held[i])));
            same = chain;
            live = pool.live;
            lr__mem_fail_at(n, false);
            is_whole = lr__chain_append(&chain, &pool, lr_slice_of(pattern + held[i], more));
            lr__mem_fail_at(0, false);
            if (is_whole) {
                assert_true(n > 4);
                assert_drains_to(&chain, pattern, held[i] + more, SIZE_MAX);
                break;
            }
            assert_memory_equal(&chain, &same, sizeof chain);
            assert_int_equal(pool.live, live);
            assert_drains_to(&chain, pattern, held[i], SIZE_MAX);
        }
    }
}

static void chain_wipes_what_it_gives_back(void **state)
{
    lr__chain chain = {0};
    uint8_t *block;
    uint32_t cap;

    (void)state;
    assert_true(lr__chain_append(&chain, &pool, lr_slice_of(pattern, LR__CHAIN_PIECE)));
    lr__chain_consume(&chain, &pool, LR__CHAIN_PIECE);
    block = lr__block_take(&pool, LR__BLOCK_RECORD, &cap);
    assert_int_equal(lr__mem_read().live, before.live + 1);
    for (size_t i = 64; i < LR__CHAIN_PIECE; i++) /* Its header may still be in front. */
        assert_int_equal(block[i], 0);
    lr__block_give(&pool, block, cap);
}

static void chain_behaves_like_a_window_of_the_pattern(void **state)
{
    uint64_t seed = 10;

    (void)state;
    for (int round = 0; round < 40; round++) {
        size_t from = 0, to = 0;
        uint64_t step_max = 1 + support_random_below(&seed, round % 4 == 0 ? 60000 : 3000);
        lr__chain chain = {0};

        for (int step = 0; step < 2000; step++) {
            size_t len = support_random_below(&seed, step_max);
            lr_slice front;

            if (support_random_below(&seed, 2) && to + len <= sizeof pattern) {
                assert_true(lr__chain_append(&chain, &pool, lr_slice_of(pattern + to, len)));
                to += len;
            } else {
                len = len < to - from ? len : to - from;
                lr__chain_consume(&chain, &pool, len);
                from += len;
            }
            front = lr__chain_front(&chain);
            assert_int_equal(chain.bytes, to - from);
            assert_int_equal(front.len == 0, from == to);
            assert_true(front.len <= to - from);
            if (front.len > 0)
                assert_memory_equal(front.bytes, pattern + from, front.len);
            assert_int_equal(pool.live == 0, from == to);
        }
        assert_drains_to(&chain, pattern + from, to - from, step_max);
    }
}

#define BUF_TEST(name) cmocka_unit_test_setup_teardown(name, make_pool, end_pool)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BUF_TEST(blocks_have_the_smallest_size_that_holds_the_need),
        BUF_TEST(the_block_given_last_is_taken_first),
        BUF_TEST(a_class_keeps_a_few_blocks_and_frees_the_rest),
        BUF_TEST(exact_block_is_never_kept),
        BUF_TEST(need_above_32_bits_is_refused),
        BUF_TEST(giving_null_does_nothing),
        BUF_TEST(block_given_wiped_is_zero_and_others_are_not),
        BUF_TEST(failed_allocation_leaves_the_pool_as_it_was),
        BUF_TEST(misuse_of_the_pool_is_a_failed_check),
#ifdef LR_HAS_ASAN
        BUF_TEST(pooled_free_block_is_poisoned_whole),
#endif
        BUF_TEST(empty_buffer_holds_no_block),
        BUF_TEST(append_and_consume_are_a_queue),
        BUF_TEST(reserve_of_nothing_takes_a_block),
        BUF_TEST(reserve_moves_before_it_grows),
        BUF_TEST(reserve_grows_through_the_classes),
        BUF_TEST(long_queue_copies_each_byte_few_times),
        BUF_TEST(impossible_reserve_leaves_the_buffer),
        BUF_TEST(failed_allocation_leaves_the_buffer),
        BUF_TEST(wiping_buffer_leaves_nothing_behind),
        BUF_TEST(consuming_more_than_there_is_is_a_failed_check),
        BUF_TEST(buffer_behaves_like_a_window_of_the_pattern),
        BUF_TEST(empty_chain_holds_no_block),
        BUF_TEST(short_chain_takes_a_small_block),
        BUF_TEST(long_chain_has_pieces_of_one_full_record),
        BUF_TEST(consume_may_cross_pieces),
        BUF_TEST(chain_append_is_all_or_nothing),
        BUF_TEST(chain_wipes_what_it_gives_back),
        BUF_TEST(chain_behaves_like_a_window_of_the_pattern),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
