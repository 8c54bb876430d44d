/* SPDX-License-Identifier: MIT */
#include "core/base/slab.h"

#include "core/base/compiler.h"
#include "core/base/mem.h"
#include "support.h"

#include <stdlib.h>

enum { CHUNK = 64 };

/* A live object as a test knows it. */
typedef struct name {
    void *object;
    uint32_t slot, generation;
} name;

static lr__mem_counts before;

static int remember_counts(void **state)
{
    (void)state;
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

static name take(lr__slab *slab)
{
    name n;

    n.object = lr__slab_take(slab, &n.slot, &n.generation);
    assert_non_null(n.object);
    return n;
}

static void take_many(lr__slab *slab, name *names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        names[i] = take(slab);
}

static void give_many(lr__slab *slab, const name *names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        lr__slab_give(slab, names[i].slot);
}

static void assert_refuses(lr__slab *slab)
{
    uint32_t slot, generation;

    assert_null(lr__slab_take(slab, &slot, &generation));
}

static void new_slab_holds_nothing(void **state)
{
    lr__slab slab;

    (void)state;
    lr__slab_init(&slab, 100, 1000);
    assert_int_equal(slab.live, 0);
    assert_int_equal(lr__slab_slot_end(&slab), 0);
    assert_null(lr__slab_at(&slab, 0));
    assert_null(lr__slab_find(&slab, 0, 1));
    assert_int_equal(lr__mem_read().live, before.live);
    lr__slab_fini(&slab);
}

static void objects_are_zeroed_aligned_and_apart(void **state)
{
    static const size_t sizes[] = {1, 8, 63, 64, 65, 511, 512, 1024, 4095, 10000};
    name names[3 * CHUNK];

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(sizes); i++) {
        size_t size = sizes[i];
        unsigned char *zeros = calloc(1, size);
        lr__slab slab;

        assert_non_null(zeros);
        lr__slab_init(&slab, size, 1000);
        for (int round = 0; round < 2; round++) {
            for (uint32_t j = 0; j < LR_ARRAY_COUNT(names); j++) {
                names[j] = take(&slab);
                assert_int_equal((uintptr_t)names[j].object % 64, 0);
                assert_memory_equal(names[j].object, zeros, size);
                memset(names[j].object, 0xff, size);
            }
            give_many(&slab, names, LR_ARRAY_COUNT(names));
        }
        lr__slab_fini(&slab);
        free(zeros);
    }
}

static void name_finds_its_object_until_it_is_given(void **state)
{
    lr__slab slab;
    name n;

    (void)state;
    lr__slab_init(&slab, 32, 10);
    n = take(&slab);
    assert_true(n.generation & 1);
    assert_ptr_equal(lr__slab_find(&slab, n.slot, n.generation), n.object);
    assert_ptr_equal(lr__slab_at(&slab, n.slot), n.object);
    lr__slab_give(&slab, n.slot);
    assert_null(lr__slab_find(&slab, n.slot, n.generation));
    assert_null(lr__slab_at(&slab, n.slot));
    lr__slab_fini(&slab);
}

static void stale_name_does_not_find_the_next_object_in_its_slot(void **state)
{
    lr__slab slab;
    name old, new;

    (void)state;
    lr__slab_init(&slab, 32, 10);
    old = take(&slab);
    lr__slab_give(&slab, old.slot);
    new = take(&slab);
    assert_int_equal(new.slot, old.slot);
    assert_int_not_equal(new.generation, old.generation);
    assert_null(lr__slab_find(&slab, old.slot, old.generation));
    assert_ptr_equal(lr__slab_find(&slab, new.slot, new.generation), new.object);
    lr__slab_give(&slab, new.slot);
    lr__slab_fini(&slab);
}

static void name_that_was_never_given_out_finds_nothing(void **state)
{
    lr__slab slab;
    name n;

    (void)state;
    lr__slab_init(&slab, 32, 10);
    n = take(&slab);
    assert_null(lr__slab_find(&slab, n.slot, 0));
    assert_null(lr__slab_find(&slab, n.slot, n.generation + 1));
    assert_null(lr__slab_find(&slab, n.slot, n.generation + 2));
    assert_null(lr__slab_find(&slab, n.slot + 1, 0));
    assert_null(lr__slab_find(&slab, n.slot + 1, 1));
    assert_null(lr__slab_find(&slab, CHUNK, 1));
    assert_null(lr__slab_find(&slab, LR__SLAB_SLOT_MAX, 1));
    assert_null(lr__slab_find(&slab, UINT32_MAX, UINT32_MAX));
    assert_null(lr__slab_at(&slab, UINT32_MAX));
    lr__slab_give(&slab, n.slot);
    lr__slab_fini(&slab);
}

static void free_slot_is_not_found_by_its_even_generation(void **state)
{
    lr__slab slab;
    name n;

    (void)state;
    lr__slab_init(&slab, 32, 10);
    n = take(&slab);
    lr__slab_give(&slab, n.slot);
    assert_null(lr__slab_find(&slab, n.slot, n.generation + 1));
    lr__slab_fini(&slab);
}

static void most_recently_freed_slot_comes_first(void **state)
{
    name names[10];
    lr__slab slab;

    (void)state;
    lr__slab_init(&slab, 32, 100);
    take_many(&slab, names, 10);
    lr__slab_give(&slab, names[3].slot);
    lr__slab_give(&slab, names[7].slot);
    lr__slab_give(&slab, names[5].slot);
    assert_int_equal(take(&slab).slot, names[5].slot);
    assert_int_equal(take(&slab).slot, names[7].slot);
    assert_int_equal(take(&slab).slot, names[3].slot);
    assert_int_equal(take(&slab).slot, 10);
    for (uint32_t slot = 0; slot <= 10; slot++)
        lr__slab_give(&slab, slot);
    lr__slab_fini(&slab);
}

static void lowest_chunk_with_room_comes_first(void **state)
{
    name names[4 * CHUNK];
    lr__slab slab;

    (void)state;
    lr__slab_init(&slab, 32, 1000);
    take_many(&slab, names, 4 * CHUNK);
    lr__slab_give(&slab, 1 * CHUNK + 9);
    lr__slab_give(&slab, 3 * CHUNK + 2);
    lr__slab_give(&slab, 0 * CHUNK + 5);
    lr__slab_give(&slab, 2 * CHUNK + 1);
    assert_int_equal(take(&slab).slot, 0 * CHUNK + 5);
    assert_int_equal(take(&slab).slot, 1 * CHUNK + 9);
    assert_int_equal(take(&slab).slot, 2 * CHUNK + 1);
    assert_int_equal(take(&slab).slot, 3 * CHUNK + 2);
    assert_int_equal(take(&slab).slot, 4 * CHUNK);
    for (uint32_t slot = 0; slot <= 4 * CHUNK; slot++)
        lr__slab_give(&slab, slot);
    lr__slab_fini(&slab);
}

static void limit_refuses_and_recovers(void **state)
{
    name names[70];
    lr__slab slab;

    (void)state;
    lr__slab_init(&slab, 32, 70);
    take_many(&slab, names, 70);
    assert_refuses(&slab);
    assert_int_equal(slab.live, 70);
    lr__slab_give(&slab, names[1].slot);
    names[1] = take(&slab);
    assert_refuses(&slab);
    give_many(&slab, names, 70);
    lr__slab_fini(&slab);
    lr__slab_init(&slab, 32, 0);
    assert_refuses(&slab);
    lr__slab_fini(&slab);
}

static void slot_end_is_above_the_highest_slot_ever_used(void **state)
{
    name names[100];
    lr__slab slab;

    (void)state;
    lr__slab_init(&slab, 32, 1000);
    for (uint32_t i = 0; i < 100; i++) {
        names[i] = take(&slab);
        assert_int_equal(lr__slab_slot_end(&slab), i + 1);
    }
    give_many(&slab, names, 100);
    assert_int_equal(lr__slab_slot_end(&slab), 100);
    lr__slab_fini(&slab);
}

static void empty_chunks_beyond_one_go_back_to_the_heap(void **state)
{
    static name names[20 * CHUNK];
    lr__slab slab;

    (void)state;
    lr__slab_init(&slab, 200, 10000);
    take_many(&slab, names, 20 * CHUNK);
    assert_int_equal(lr__mem_read().live, before.live + 21); /* and the table */
    give_many(&slab, names, 20 * CHUNK);
    assert_int_equal(lr__mem_read().live, before.live + 2);
    take_many(&slab, names, 2 * CHUNK);
    assert_int_equal(lr__mem_read().live, before.live + 3);
    give_many(&slab, names, 2 * CHUNK);
    lr__slab_fini(&slab);
}

static void chunk_in_reserve_is_the_lowest_empty_one(void **state)
{
    name names[4 * CHUNK];
    lr__slab slab;

    (void)state;
    lr__slab_init(&slab, 200, 10000);
    take_many(&slab, names, 4 * CHUNK);
    give_many(&slab, names + 3 * CHUNK, CHUNK);
    give_many(&slab, names + 1 * CHUNK, CHUNK);
    assert_int_equal(lr__mem_read().live, before.live + 4);
    assert_int_equal(take(&slab).slot / CHUNK, 1);
    lr__slab_give(&slab, names[2 * CHUNK - 1].slot);
    give_many(&slab, names + 2 * CHUNK, CHUNK);
    assert_int_equal(lr__mem_read().live, before.live + 3);
    assert_int_equal(take(&slab).slot / CHUNK, 1);
    lr__slab_give(&slab, names[2 * CHUNK - 1].slot);
    give_many(&slab, names, CHUNK);
    lr__slab_fini(&slab);
}

static void swinging_around_a_border_does_not_reach_the_heap(void **state)
{
    name names[2 * CHUNK];
    lr__slab slab;
    uint64_t allocs;

    (void)state;
    lr__slab_init(&slab, 200, 10000);
    take_many(&slab, names, CHUNK + 1);
    allocs = lr__mem_read().allocs;
    for (int i = 0; i < 1000; i++) {
        lr__slab_give(&slab, names[CHUNK].slot);
        names[CHUNK] = take(&slab);
    }
    assert_int_equal(lr__mem_read().allocs, allocs);
    give_many(&slab, names, CHUNK + 1);
    lr__slab_fini(&slab);
}

static void generations_go_on_after_a_chunk_came_again(void **state)
{
    static name names[3 * CHUNK];
    uint32_t highest[3 * CHUNK] = {0};
    lr__slab slab;

    (void)state;
    lr__slab_init(&slab, 32, 1000);
    for (int round = 0; round < 50; round++) {
        take_many(&slab, names, 3 * CHUNK);
        for (uint32_t i = 0; i < 3 * CHUNK; i++) {
            assert_true(names[i].generation > highest[names[i].slot]);
            highest[names[i].slot] = names[i].generation;
        }
        for (int wear = 0; wear < round; wear++) { /* One slot of the last chunk ages more. */
            lr__slab_give(&slab, 2 * CHUNK + 7);
            highest[2 * CHUNK + 7] = take(&slab).generation;
        }
        for (uint32_t slot = 0; slot < 3 * CHUNK; slot++)
            lr__slab_give(&slab, slot);
        assert_int_equal(lr__mem_read().live, before.live + 2);
        for (uint32_t slot = 0; slot < 3 * CHUNK; slot++)
            assert_null(lr__slab_find(&slab, slot, highest[slot]));
    }
    lr__slab_fini(&slab);
}

static void worn_slot_is_never_used_again(void **state)
{
    static name names[2 * CHUNK];
    lr__slab slab;
    name last, next;

    (void)state;
    lr__slab_init(&slab, 32, 1000);
    take_many(&slab, names, 2 * CHUNK);
    give_many(&slab, names, 2 * CHUNK);
    slab.generation_floor[1] = UINT32_MAX - 3; /* as if it had been used so often */
    take_many(&slab, names, CHUNK);
    last = take(&slab);
    assert_int_equal(last.slot, CHUNK);
    assert_int_equal(last.generation, UINT32_MAX - 2);
    lr__slab_give(&slab, last.slot);
    last = take(&slab);
    assert_int_equal(last.slot, CHUNK);
    assert_int_equal(last.generation, UINT32_MAX);
    assert_ptr_equal(lr__slab_find(&slab, CHUNK, UINT32_MAX), last.object);
    lr__slab_give(&slab, last.slot);
    assert_null(lr__slab_find(&slab, CHUNK, UINT32_MAX));
    assert_null(lr__slab_find(&slab, CHUNK, 0));
    assert_null(lr__slab_at(&slab, CHUNK));
    next = take(&slab);
    assert_int_equal(next.slot, CHUNK + 1);
    lr__slab_give(&slab, next.slot);
    give_many(&slab, names, CHUNK);
    lr__slab_fini(&slab);
}

static void worn_chunk_never_comes_again(void **state)
{
    static name names[3 * CHUNK];
    lr__slab slab;
    name n;

    (void)state;
    lr__slab_init(&slab, 32, 1000);
    take_many(&slab, names, 2 * CHUNK);
    give_many(&slab, names, 2 * CHUNK);
    slab.generation_floor[1] = UINT32_MAX - 1; /* one life left in each slot */
    take_many(&slab, names, CHUNK);
    for (uint32_t i = 0; i < CHUNK; i++) {
        n = take(&slab);
        assert_int_equal(n.slot, CHUNK + i);
        assert_int_equal(n.generation, UINT32_MAX);
        lr__slab_give(&slab, n.slot);
    }
    assert_int_equal(lr__mem_read().live, before.live + 2);
    take_many(&slab, names + CHUNK, CHUNK);
    for (uint32_t i = 0; i < CHUNK; i++)
        assert_int_equal(names[CHUNK + i].slot, 2 * CHUNK + i);
    give_many(&slab, names, 2 * CHUNK);
    lr__slab_fini(&slab);
}

static void chunk_given_back_with_a_worn_slot_never_comes_again(void **state)
{
    static name names[3 * CHUNK];
    lr__slab slab;

    (void)state;
    lr__slab_init(&slab, 32, 1000);
    take_many(&slab, names, 2 * CHUNK);
    give_many(&slab, names, 2 * CHUNK);
    slab.generation_floor[1] = UINT32_MAX - 1;
    take_many(&slab, names, CHUNK + 1);
    give_many(&slab, names, CHUNK + 1);
    take_many(&slab, names, 2 * CHUNK);
    for (uint32_t i = 0; i < 2 * CHUNK; i++)
        assert_int_not_equal(names[i].slot / CHUNK, 1);
    give_many(&slab, names, 2 * CHUNK);
    lr__slab_fini(&slab);
}

/* Lets the n-th allocation of one take fail, with held objects before it. True: none did. */
static bool survives_failure_at(uint64_t n, name *names, uint32_t held)
{
    uint32_t slot, generation;
    lr__slab slab;
    void *object;

    lr__slab_init(&slab, 32, 10000);
    take_many(&slab, names, held);
    lr__mem_fail_at(n, false);
    object = lr__slab_take(&slab, &slot, &generation);
    lr__mem_fail_at(0, false);
    if (object) {
        lr__slab_give(&slab, slot);
    } else {
        assert_int_equal(slab.live, held);
        assert_int_equal(lr__slab_slot_end(&slab), held);
        assert_null(lr__slab_at(&slab, held));
    }
    for (uint32_t i = 0; i < held; i++)
        assert_ptr_equal(lr__slab_find(&slab, names[i].slot, names[i].generation), names[i].object);
    names[held] = take(&slab);
    assert_int_equal(names[held].slot, held);
    assert_int_equal(names[held].generation, object ? 3 : 1);
    give_many(&slab, names, held + 1);
    lr__slab_fini(&slab);
    return object != NULL;
}

static void failed_allocation_leaves_the_slab_as_it_was(void **state)
{
    static name names[64 * CHUNK + 1];

    (void)state;
    for (uint64_t n = 1; n <= 2; n++) { /* the table, the first chunk */
        assert_false(survives_failure_at(n, names, 0));
        assert_false(survives_failure_at(n, names, 64 * CHUNK)); /* a larger table */
    }
    assert_false(survives_failure_at(1, names, CHUNK));
    assert_true(survives_failure_at(2, names, CHUNK));
    assert_true(survives_failure_at(3, names, 0));
    assert_true(survives_failure_at(3, names, 64 * CHUNK));
}

static void hundreds_of_thousands_of_objects_keep_their_addresses(void **state)
{
    enum { COUNT = 300000 };
    name *names = malloc(COUNT * sizeof *names);
    lr__slab slab;
    uint64_t seed = 6;

    (void)state;
    assert_non_null(names);
    lr__slab_init(&slab, sizeof(uint32_t), LR__SLAB_SLOT_MAX);
    take_many(&slab, names, COUNT);
    for (uint32_t i = 0; i < COUNT; i++)
        *(uint32_t *)names[i].object = i;
    for (int i = 0; i < 1000; i++) { /* The lowest chunk is found from both ends of the range. */
        uint32_t low = (uint32_t)support_random_below(&seed, COUNT / 2);
        uint32_t high = COUNT / 2 + (uint32_t)support_random_below(&seed, COUNT / 2);

        lr__slab_give(&slab, names[high].slot);
        lr__slab_give(&slab, names[low].slot);
        assert_int_equal(take(&slab).slot, names[low].slot);
        assert_int_equal(take(&slab).slot, names[high].slot);
        *(uint32_t *)names[low].object = low;
        *(uint32_t *)names[high].object = high;
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_ptr_equal(lr__slab_at(&slab, i), names[i].object);
        assert_int_equal(*(uint32_t *)names[i].object, i);
    }
    for (uint32_t i = COUNT; i > 0; i--)
        lr__slab_give(&slab, names[i - 1].slot);
    lr__slab_fini(&slab);
    free(names);
}

/* What a slab must look like from outside, kept in arrays. */
typedef struct model {
    name live[4000];
    uint32_t live_count;
    uint32_t highest[8192]; /* generation ever seen, per slot */
    uint32_t in_chunk[128]; /* live objects per chunk */
} model;

static void model_take(model *m, lr__slab *slab)
{
    name n = take(slab);

    assert_true(n.slot < LR_ARRAY_COUNT(m->highest));
    assert_true(n.generation & 1);
    assert_true(n.generation > m->highest[n.slot]);
    m->highest[n.slot] = n.generation;
    for (uint32_t c = 0; c < n.slot / CHUNK; c++) /* An empty chunk may not be there any more. */
        assert_true(m->in_chunk[c] == 0 || m->in_chunk[c] == CHUNK);
    m->in_chunk[n.slot / CHUNK]++;
    for (size_t i = 0; i < 48; i++)
        assert_int_equal(((unsigned char *)n.object)[i], 0);
    memset(n.object, (int)(n.generation | 1) & 0xff, 48);
    m->live[m->live_count++] = n;
}

static void model_give(model *m, lr__slab *slab, uint32_t index)
{
    name n = m->live[index];

    assert_ptr_equal(lr__slab_find(slab, n.slot, n.generation), n.object);
    assert_int_equal(*(unsigned char *)n.object, (n.generation | 1) & 0xff);
    lr__slab_give(slab, n.slot);
    assert_null(lr__slab_find(slab, n.slot, n.generation));
    m->in_chunk[n.slot / CHUNK]--;
    m->live[index] = m->live[--m->live_count];
}

static void model_compare(const model *m, const lr__slab *slab)
{
    uint32_t used_chunks = 0, live = 0;

    for (uint32_t c = 0; c < LR_ARRAY_COUNT(m->in_chunk); c++)
        used_chunks += m->in_chunk[c] > 0;
    assert_in_range(lr__mem_read().live - before.live, used_chunks + 1, used_chunks + 2);
    assert_int_equal(slab->live, m->live_count);
    for (uint32_t slot = 0; slot < lr__slab_slot_end(slab); slot++)
        live += lr__slab_at(slab, slot) != NULL;
    assert_int_equal(live, m->live_count);
}

static void slab_behaves_like_its_model(void **state)
{
    static model m;
    lr__slab slab;
    uint64_t seed = 7;

    (void)state;
    lr__slab_init(&slab, 48, LR__SLAB_SLOT_MAX);
    for (int step = 0; step < 200000; step++) {
        bool is_growing = step / 4000 % 2 == 0;
        uint32_t dice = (uint32_t)support_random_below(&seed, 10);

        if (dice < (is_growing ? 7u : 3u) && m.live_count < LR_ARRAY_COUNT(m.live))
            model_take(&m, &slab);
        else if (m.live_count > 0)
            model_give(&m, &slab, (uint32_t)support_random_below(&seed, m.live_count));
        if (step % 500 == 499)
            model_compare(&m, &slab);
    }
    while (m.live_count > 0)
        model_give(&m, &slab, m.live_count - 1);
    model_compare(&m, &slab);
    lr__slab_fini(&slab);
}

#ifdef LR_HAS_ASAN
static void free_slots_and_padding_are_poisoned(void **state)
{
    lr__slab slab;
    name n;

    (void)state;
    lr__slab_init(&slab, 100, 10);
    n = take(&slab);
    assert_null(__asan_region_is_poisoned(n.object, 100));
    assert_true(__asan_address_is_poisoned((char *)n.object + 104));
    assert_true(__asan_address_is_poisoned((char *)n.object + 127));
    assert_true(__asan_address_is_poisoned((char *)n.object + 128));
    lr__slab_give(&slab, n.slot);
    for (size_t i = 0; i < 128; i++)
        assert_true(__asan_address_is_poisoned((char *)n.object + i));
    lr__slab_fini(&slab);
}
#endif

static void give_twice(void *arg)
{
    lr__slab slab;
    name n;

    (void)arg;
    lr__slab_init(&slab, 32, 10);
    n = take(&slab);
    lr__slab_give(&slab, n.slot);
    lr__slab_give(&slab, n.slot);
}

static void give_never_taken(void *arg)
{
    lr__slab slab;

    lr__slab_init(&slab, 32, 10);
    (void)take(&slab);
    lr__slab_give(&slab, *(uint32_t *)arg);
}

static void giving_what_is_not_live_is_a_failed_check(void **state)
{
    static uint32_t slots[] = {1, CHUNK, LR__SLAB_SLOT_MAX, UINT32_MAX};

    (void)state;
    support_assert_check_fails(give_twice, NULL, "chunk_of_live(slab, slot) != NULL");
    for (size_t i = 0; i < LR_ARRAY_COUNT(slots); i++)
        support_assert_check_fails(give_never_taken, &slots[i],
                                   "chunk_of_live(slab, slot) != NULL");
}

static void end_while_live(void *arg)
{
    lr__slab slab;

    (void)arg;
    lr__slab_init(&slab, 32, 10);
    (void)take(&slab);
    lr__slab_fini(&slab);
}

static void end_with_a_live_object_is_a_failed_check(void **state)
{
    (void)state;
    support_assert_check_fails(end_while_live, NULL, "slab->live == 0");
}

static void init_with(void *arg)
{
    const size_t *sizes = arg;
    lr__slab slab;

    lr__slab_init(&slab, sizes[0], (uint32_t)sizes[1]);
}

static void impossible_sizes_are_a_failed_check(void **state)
{
    static size_t rows[][2] = {{0, 10}, {SIZE_MAX, 10}, {8, LR__SLAB_SLOT_MAX + 1}};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(rows); i++)
        support_assert_check_fails(init_with, rows[i], "slab.c");
}

#define SLAB_TEST(name) cmocka_unit_test_setup_teardown(name, remember_counts, assert_nothing_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SLAB_TEST(new_slab_holds_nothing),
        SLAB_TEST(objects_are_zeroed_aligned_and_apart),
        SLAB_TEST(name_finds_its_object_until_it_is_given),
        SLAB_TEST(stale_name_does_not_find_the_next_object_in_its_slot),
        SLAB_TEST(name_that_was_never_given_out_finds_nothing),
        SLAB_TEST(free_slot_is_not_found_by_its_even_generation),
        SLAB_TEST(most_recently_freed_slot_comes_first),
        SLAB_TEST(lowest_chunk_with_room_comes_first),
        SLAB_TEST(limit_refuses_and_recovers),
        SLAB_TEST(slot_end_is_above_the_highest_slot_ever_used),
        SLAB_TEST(empty_chunks_beyond_one_go_back_to_the_heap),
        SLAB_TEST(chunk_in_reserve_is_the_lowest_empty_one),
        SLAB_TEST(swinging_around_a_border_does_not_reach_the_heap),
        SLAB_TEST(generations_go_on_after_a_chunk_came_again),
        SLAB_TEST(worn_slot_is_never_used_again),
        SLAB_TEST(worn_chunk_never_comes_again),
        SLAB_TEST(chunk_given_back_with_a_worn_slot_never_comes_again),
        SLAB_TEST(failed_allocation_leaves_the_slab_as_it_was),
        SLAB_TEST(hundreds_of_thousands_of_objects_keep_their_addresses),
        SLAB_TEST(slab_behaves_like_its_model),
#ifdef LR_HAS_ASAN
        SLAB_TEST(free_slots_and_padding_are_poisoned),
#endif
        SLAB_TEST(giving_what_is_not_live_is_a_failed_check),
        SLAB_TEST(end_with_a_live_object_is_a_failed_check),
        SLAB_TEST(impossible_sizes_are_a_failed_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
