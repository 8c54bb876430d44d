/* SPDX-License-Identifier: MIT */
/* Counted bytes: copied when made, gone with the last reference, whichever thread gives that up. */
#include "support.h"

#include "core/base/mem.h"

#include <lockring/bytes.h>

#include <pthread.h>
#include <stdlib.h>

enum { THREADS = 8, TURNS = 5000 };

static void what_was_given_is_copied(void **state)
{
    uint8_t given[300];
    lr_bytes *bytes;
    lr_slice slice;

    (void)state;
    for (size_t i = 0; i < sizeof(given); i++)
        given[i] = (uint8_t)(i * 7);
    bytes = lr_bytes_new(lr_slice_of(given, sizeof(given)));
    assert_non_null(bytes);
    memset(given, 0, sizeof(given));
    slice = lr_bytes_slice(bytes);
    assert_int_equal(slice.len, sizeof(given));
    for (size_t i = 0; i < slice.len; i++)
        assert_int_equal(slice.bytes[i], (uint8_t)(i * 7));
    lr_bytes_release(bytes);
}

static void none_and_nothing_are_empty(void **state)
{
    lr_bytes *bytes = lr_bytes_new(lr_slice_of(NULL, 0));

    (void)state;
    assert_non_null(bytes);
    assert_int_equal(lr_bytes_slice(bytes).len, 0);
    lr_bytes_release(bytes);
    assert_int_equal(lr_bytes_slice(NULL).len, 0);
    assert_null(lr_bytes_slice(NULL).bytes);
    lr_bytes_release(NULL);
}

static void the_last_reference_frees(void **state)
{
    uint64_t before = lr__mem_read().live;
    lr_bytes *bytes = lr_bytes_new(LR_LIT("staple"));

    (void)state;
    assert_int_equal(lr__mem_read().live, before + 1);
    assert_ptr_equal(lr_bytes_retain(bytes), bytes);
    lr_bytes_release(bytes);
    assert_int_equal(lr__mem_read().live, before + 1);
    assert_memory_equal(lr_bytes_slice(bytes).bytes, "staple", 6);
    lr_bytes_release(bytes);
    assert_int_equal(lr__mem_read().live, before);
}

static void without_memory_there_are_none(void **state)
{
    (void)state;
    lr__mem_fail_at(1, false);
    assert_null(lr_bytes_new(LR_LIT("staple")));
    lr__mem_fail_at(0, false);
    assert_null(lr_bytes_new(lr_slice_of("", SIZE_MAX))); /* its sum with the header wraps */
}

static void *use(void *arg)
{
    lr_bytes *bytes = arg;

    for (int i = 0; i < TURNS; i++) {
        lr_bytes *mine = lr_bytes_retain(bytes);

        if (memcmp(lr_bytes_slice(mine).bytes, "shared", 6) != 0)
            abort();
        lr_bytes_release(mine);
    }
    lr_bytes_release(bytes);
    return NULL;
}

static void threads_share_them(void **state)
{
    uint64_t before = lr__mem_read().live;
    lr_bytes *bytes = lr_bytes_new(LR_LIT("shared"));
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, lr_bytes_retain(bytes)), 0);
    lr_bytes_release(bytes); /* whoever is last frees */
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(lr__mem_read().live, before);
}

static void retain_nothing(void *arg)
{
    (void)arg;
    (void)lr_bytes_retain(NULL);
}

static void nothing_cannot_be_retained(void **state)
{
    (void)state;
    support_assert_check_fails(retain_nothing, NULL, "bytes != NULL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_given_is_copied), cmocka_unit_test(none_and_nothing_are_empty),
        cmocka_unit_test(the_last_reference_frees), cmocka_unit_test(without_memory_there_are_none),
        cmocka_unit_test(threads_share_them),       cmocka_unit_test(nothing_cannot_be_retained),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
