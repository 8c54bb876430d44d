/* SPDX-License-Identifier: MIT */
/* The random generator: one stream per seed and process, new seeds in time, nothing left behind. */
#include "support.h"

#include "core/base/compiler.h"
#include "core/tls/rand.h"
#include "tls_client.h"

#include <wolfssl/wolfcrypt/chacha.h>

static tls_world world;

static int enter(void **state)
{
    (void)state;
    tls_world_enter(&world, 11);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    tls_world_leave(&world);
    return 0;
}

static bool is_zero(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    while (len > 0 && *at == 0) {
        at++;
        len--;
    }
    return len == 0;
}

static void the_stream_does_not_repeat(void **state)
{
    enum { COUNT = 4096, SIZE = 16 };
    static uint8_t seen[COUNT][SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(lr__rand_bytes(&world.rand, seen[i], SIZE));
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(seen[i], seen[j], SIZE);
    }
}

/* The first bytes are those of ChaCha20 under the seed, behind the 32 that became the next key. */
static void the_stream_is_chacha20_behind_the_next_key(void **state)
{
    uint8_t seed[32], stream[LR__RAND_BUFFER] = {0}, got[LR__RAND_BUFFER - 32], more[8];
    static const uint8_t nonce[12];
    tls_world other;
    ChaCha cipher;

    (void)state;
    tls_world_enter(&other, 42);
    assert_true(lr__current_random(seed, sizeof(seed)));
    tls_world_leave(&other);
    tls_world_enter(&other, 42);
    assert_true(lr__rand_bytes(&other.rand, got, sizeof(got)));
    assert_int_equal(wc_Chacha_SetKey(&cipher, seed, sizeof(seed)), 0);
    assert_int_equal(wc_Chacha_SetIV(&cipher, nonce, 0), 0);
    assert_int_equal(wc_Chacha_Process(&cipher, stream, stream, sizeof(stream)), 0);
    assert_memory_equal(got, stream + 32, sizeof(got));
    assert_memory_equal(other.rand.key, stream, 32);
    assert_true(lr__rand_bytes(&other.rand, more, sizeof(more)));
    assert_memory_not_equal(other.rand.key, stream, 32);
    tls_world_leave(&other);
    (void)lr__current_set(&world.current);
}

static void any_cut_of_the_stream_is_the_same_stream(void **state)
{
    static uint8_t whole[5000], cut[5000];
    static const size_t pieces[] = {1, 3, 31, 32, 33, 991, 992, 993, 1024, 1025};
    tls_world other;

    (void)state;
    tls_world_enter(&other, 7);
    assert_true(lr__rand_bytes(&other.rand, whole, sizeof(whole)));
    tls_world_leave(&other);
    for (size_t i = 0; i < LR_ARRAY_COUNT(pieces); i++) {
        tls_world_enter(&other, 7);
        for (size_t at = 0; at < sizeof(cut); at += pieces[i]) {
            size_t len = sizeof(cut) - at < pieces[i] ? sizeof(cut) - at : pieces[i];

            assert_true(lr__rand_bytes(&other.rand, cut + at, len));
        }
        tls_world_leave(&other);
        assert_memory_equal(whole, cut, sizeof(whole));
    }
    (void)lr__current_set(&world.current);
}

static void no_bytes_are_a_success(void **state)
{
    uint8_t untouched = 0x77;

    (void)state;
    assert_true(lr__rand_bytes(&world.rand, &untouched, 0));
    assert_int_equal(untouched, 0x77);
}

static void a_new_seed_is_drawn_on_first_use_and_after_each_megabyte(void **state)
{
    static uint8_t bytes[4096];
    tls_world other;

    (void)state;
    tls_world_enter(&other, 1);
    assert_int_equal(other.seeds_given, 0);
    for (uint32_t i = 0; i < 3 * (LR__RAND_RESEED / sizeof(bytes)); i++) {
        assert_true(lr__rand_bytes(&other.rand, bytes, sizeof(bytes)));
        assert_int_equal(other.seeds_given, 1 + i / (LR__RAND_RESEED / sizeof(bytes)));
    }
    tls_world_leave(&other);
    (void)lr__current_set(&world.current);
}

static void a_new_seed_changes_the_stream_but_does_not_replace_the_key(void **state)
{
    static uint8_t bytes[LR__RAND_RESEED];
    uint8_t first[32], second[32];
    tls_world a, b;

    (void)state;
    tls_world_enter(&a, 1);
    assert_true(lr__rand_bytes(&a.rand, bytes, sizeof(bytes)));
    tls_world_enter(&b, 2);
    assert_true(lr__rand_bytes(&b.rand, bytes, sizeof(bytes)));
    /* The same second seed for both: their old keys keep them apart. */
    a.seed = b.seed = 99;
    (void)lr__current_set(&a.current);
    assert_true(lr__rand_bytes(&a.rand, first, sizeof(first)));
    (void)lr__current_set(&b.current);
    assert_true(lr__rand_bytes(&b.rand, second, sizeof(second)));
    assert_memory_not_equal(first, second, sizeof(first));
    assert_int_equal(a.seeds_given, 2);
    tls_world_leave(&a);
    tls_world_leave(&b);
    (void)lr__current_set(&world.current);
}

static void no_seed_means_no_bytes(void **state)
{
    uint8_t bytes[8] = {0};
    tls_world other;

    (void)state;
    tls_world_enter(&other, 1);
    other.seeds_fail = true;
    assert_false(lr__rand_bytes(&other.rand, bytes, sizeof(bytes)));
    assert_true(is_zero(bytes, sizeof(bytes)));
    assert_int_not_equal(lr__rand_block(bytes, sizeof(bytes)), 0);
    other.seeds_fail = false;
    assert_true(lr__rand_bytes(&other.rand, bytes, sizeof(bytes)));
    other.seeds_fail = true;
    other.rand.since_seed = LR__RAND_RESEED;
    assert_false(lr__rand_bytes(&other.rand, bytes, sizeof(bytes)));
    other.seeds_fail = false;
    assert_true(lr__rand_bytes(&other.rand, bytes, sizeof(bytes)));
    tls_world_leave(&other);
    (void)lr__current_set(&world.current);
}

static void what_was_handed_out_is_gone_from_the_buffer(void **state)
{
    static const size_t sizes[] = {1, 7, 100, 500, 992, 2000};
    static uint8_t bytes[2000];

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(sizes); i++) {
        assert_true(lr__rand_bytes(&world.rand, bytes, sizes[i]));
        assert_true(is_zero(world.rand.buffer, world.rand.used));
    }
    lr__rand_fini(&world.rand);
    assert_true(is_zero(world.rand.key, sizeof(world.rand.key)));
    assert_true(is_zero(world.rand.buffer, sizeof(world.rand.buffer)));
    /* And it may be used again: it draws a seed. */
    assert_true(lr__rand_bytes(&world.rand, bytes, 16));
    assert_false(is_zero(bytes, 16));
}

static void parent_and_child_share_no_stream(void **state)
{
    uint8_t ours[32], theirs[32];
    int ends[2], status;
    pid_t child;

    (void)state;
    assert_true(lr__rand_bytes(&world.rand, ours, 1));
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint32_t before = world.seeds_given;

        world.seed++; /* the system would give the child another seed */
        if (!lr__rand_bytes(&world.rand, theirs, sizeof(theirs)) || world.seeds_given != before + 1)
            _exit(1);
        _exit(write(ends[1], theirs, sizeof(theirs)) == (ssize_t)sizeof(theirs) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(read(ends[0], theirs, sizeof(theirs)), sizeof(theirs));
    assert_true(lr__rand_bytes(&world.rand, ours, sizeof(ours)));
    assert_memory_not_equal(ours, theirs, sizeof(ours));
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void wolfssl_draws_from_the_worker_or_from_the_system(void **state)
{
    uint8_t a[32], b[32], c[32];
    tls_world other;

    (void)state;
    tls_world_enter(&other, 5);
    assert_int_equal(lr__rand_block(a, sizeof(a)), 0);
    assert_int_equal(other.seeds_given, 1);
    other.current.rand = NULL; /* a thread that has a world but no generator */
    assert_int_equal(lr__rand_block(b, sizeof(b)), 0);
    assert_int_equal(other.seeds_given, 2);
    tls_world_leave(&other);
    assert_int_equal(lr__rand_block(b, sizeof(b)), 0);
    assert_int_equal(lr__rand_block(c, sizeof(c)), 0);
    assert_int_equal(other.seeds_given, 2);
    assert_memory_not_equal(b, c, sizeof(b));
    tls_world_enter(&other, 5);
    assert_int_equal(lr__rand_block(b, sizeof(b)), 0);
    assert_memory_equal(a, b, sizeof(a));
    tls_world_leave(&other);
    (void)lr__current_set(&world.current);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stream_does_not_repeat),
        cmocka_unit_test(the_stream_is_chacha20_behind_the_next_key),
        cmocka_unit_test(any_cut_of_the_stream_is_the_same_stream),
        cmocka_unit_test(no_bytes_are_a_success),
        cmocka_unit_test(a_new_seed_is_drawn_on_first_use_and_after_each_megabyte),
        cmocka_unit_test(a_new_seed_changes_the_stream_but_does_not_replace_the_key),
        cmocka_unit_test(no_seed_means_no_bytes),
        cmocka_unit_test(what_was_handed_out_is_gone_from_the_buffer),
        cmocka_unit_test(parent_and_child_share_no_stream),
        cmocka_unit_test(wolfssl_draws_from_the_worker_or_from_the_system),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
