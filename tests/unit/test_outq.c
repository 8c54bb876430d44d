/* SPDX-License-Identifier: MIT */
#include "core/run/outq.h"

#include "core/base/mem.h"
#include "tests/unit/support.h"

#include <stdlib.h>

enum { OWNERS = 64 };

/* What a queue must give, and whom it must tell. */
typedef struct owner {
    int told; /* how often release or done was called */
    lr_status status;
    bool is_stream;
    uint8_t
        *block; /* what is borrowed: goes when the owner is told, so that ASan sees a late use */
} owner;

typedef struct fixture {
    lr__outq q;
    lr__buf_pool pool;
    owner owners[OWNERS];
    int owner_count;
    uint8_t given;       /* the next piece: its bytes are its number */
    uint8_t seen;        /* the one that comes out */
    size_t left[OWNERS]; /* of each piece; streams have nothing here */
    size_t inside;       /* copied and borrowed bytes that must be in it */
} fixture;

static lr_conn *const nobody = (lr_conn *)(uintptr_t)64; /* only handed on */

static void release(void *arg)
{
    owner *o = arg;

    assert_false(o->is_stream);
    o->told++;
    free(o->block);
}

static void done(lr_conn *c, lr_status status, void *arg)
{
    owner *o = arg;

    assert_ptr_equal(c, nobody);
    assert_true(o->is_stream);
    o->told++;
    o->status = status;
}

static int64_t never_pulled(lr_conn *c, void *out, size_t cap, void *arg)
{
    (void)c;
    (void)out;
    (void)cap;
    (void)arg;
    fail();
    return 0;
}

static fixture *open_fixture(void)
{
    fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    lr__buf_pool_init(&f->pool);
    return f;
}

static void close_fixture(fixture *f)
{
    assert_true(lr__outq_is_empty(&f->q));
    assert_int_equal(f->q.bytes, 0);
    assert_int_equal(f->q.streams, 0);
    lr__buf_pool_fini(&f->pool);
    free(f);
}

static owner *next_owner(fixture *f, bool is_stream)
{
    owner *o = &f->owners[f->owner_count++];

    assert_true(f->owner_count <= OWNERS);
    o->is_stream = is_stream;
    return o;
}

static void gave(fixture *f, size_t len)
{
    assert_true(f->given < OWNERS);
    f->left[f->given++] = len;
    f->inside += len;
}

static bool copy(fixture *f, size_t len)
{
    uint8_t *bytes = calloc(1, len);
    lr_slice piece = lr_slice_of(bytes, len);
    bool copied;

    assert_non_null(bytes);
    memset(bytes, f->given, len);
    copied = lr__outq_copy(&f->q, &f->pool, &piece, 1);
    free(bytes);
    if (copied)
        gave(f, len);
    return copied;
}

static bool take(fixture *f, size_t len)
{
    owner *o = next_owner(f, false);

    o->block = malloc(len);
    assert_non_null(o->block);
    memset(o->block, f->given, len);
    if (lr__outq_take(&f->q, lr_slice_of(o->block, len), release, o)) {
        gave(f, len);
        return true;
    }
    assert_int_equal(o->told, 0);
    free(o->block);
    f->owner_count--;
    return false;
}

static bool stream(fixture *f)
{
    lr_source source = {never_pulled, done, next_owner(f, true)};

    if (!lr__outq_source(&f->q, &source)) {
        f->owner_count--;
        return false;
    }
    gave(f, 0);
    return true;
}

/* Takes at most len bytes from the front and compares them with what was given. */
static size_t consume(fixture *f, size_t len)
{
    lr_slice front = lr__outq_front(&f->q);

    assert_int_equal(f->q.bytes, f->inside);
    if (front.len < len)
        len = front.len;
    if (len == 0)
        return 0;
    for (size_t i = 0; i < len; i++) {
        while (f->left[f->seen] == 0)
            f->seen++;
        assert_int_equal(front.bytes[i], f->seen);
        f->left[f->seen]--;
    }
    lr__outq_consume(&f->q, &f->pool, len);
    f->inside -= len;
    assert_int_equal(f->q.bytes, f->inside);
    return len;
}

static void nothing_is_an_empty_queue(void **state)
{
    fixture *f = open_fixture();

    (void)state;
    assert_true(lr__outq_is_empty(&f->q));
    assert_false(lr__outq_has_now(&f->q));
    assert_int_equal(lr__outq_front(&f->q).len, 0);
    assert_null(lr__outq_stream(&f->q));
    lr__outq_stream_ready(&f->q);
    lr__outq_drop(&f->q, &f->pool, nobody);
    close_fixture(f);
}

static void pieces_come_out_in_the_order_in_which_they_went_in(void **state)
{
    fixture *f = open_fixture();

    (void)state;
    assert_true(copy(f, 10));
    assert_true(take(f, 20));
    assert_true(take(f, 30));
    assert_true(copy(f, 40));
    assert_true(copy(f, 5));
    assert_true(take(f, 1));
    assert_int_equal(f->q.bytes, 106);
    while (consume(f, 7) != 0)
        ;
    assert_int_equal(f->inside, 0);
    for (int i = 0; i < f->owner_count; i++)
        assert_int_equal(f->owners[i].told, 1);
    close_fixture(f);
}

static void a_borrowed_piece_is_released_with_its_last_byte_and_not_before(void **state)
{
    fixture *f = open_fixture();

    (void)state;
    assert_true(take(f, 100));
    assert_int_equal(consume(f, 99), 99);
    assert_int_equal(f->owners[0].told, 0);
    assert_int_equal(consume(f, 99), 1);
    assert_int_equal(f->owners[0].told, 1);
    close_fixture(f);
}

static void a_stream_lets_nothing_pass_until_it_ends(void **state)
{
    fixture *f = open_fixture();

    (void)state;
    assert_true(copy(f, 3));
    assert_true(stream(f));
    assert_true(copy(f, 4));
    assert_true(take(f, 5));
    assert_int_equal(f->q.streams, 1);
    assert_null(lr__outq_stream(&f->q)); /* behind the copied bytes */
    assert_int_equal(consume(f, 100), 3);
    assert_int_equal(lr__outq_front(&f->q).len, 0);
    assert_true(lr__outq_has_now(&f->q));
    assert_non_null(lr__outq_stream(&f->q));
    lr__outq_stream_waits(&f->q);
    assert_false(lr__outq_has_now(&f->q));
    assert_null(lr__outq_stream(&f->q));
    assert_false(lr__outq_is_empty(&f->q));
    lr__outq_stream_ready(&f->q);
    assert_non_null(lr__outq_stream(&f->q));
    assert_int_equal(f->owners[0].told, 0);
    lr__outq_stream_ended(&f->q, nobody);
    assert_int_equal(f->owners[0].told, 1);
    assert_int_equal(f->owners[0].status, LR_OK);
    assert_int_equal(f->q.streams, 0);
    assert_int_equal(consume(f, 100), 4);
    assert_int_equal(consume(f, 100), 5);
    close_fixture(f);
}

static void ready_before_its_turn_does_not_count_for_a_stream_that_waits_later(void **state)
{
    fixture *f = open_fixture();

    (void)state;
    assert_true(copy(f, 1));
    assert_true(stream(f));
    assert_true(stream(f));
    lr__outq_stream_ready(&f->q);
    assert_int_equal(consume(f, 1), 1);
    lr__outq_stream_waits(&f->q);
    assert_false(lr__outq_has_now(&f->q));
    lr__outq_stream_ready(&f->q);
    lr__outq_stream_ended(&f->q, nobody);
    assert_non_null(lr__outq_stream(&f->q)); /* the second was never asked: it may be */
    lr__outq_stream_ended(&f->q, nobody);
    close_fixture(f);
}

static void dropping_tells_every_owner_once(void **state)
{
    fixture *f = open_fixture();

    (void)state;
    assert_true(copy(f, 40000));
    assert_true(take(f, 20));
    assert_true(stream(f));
    assert_true(copy(f, 40));
    assert_true(take(f, 1));
    assert_true(stream(f));
    assert_int_equal(consume(f, 12), 12);
    lr__outq_drop(&f->q, &f->pool, nobody);
    for (int i = 0; i < f->owner_count; i++) {
        assert_int_equal(f->owners[i].told, 1);
        if (f->owners[i].is_stream)
            assert_int_equal(f->owners[i].status, LR_ECLOSED);
    }
    lr__outq_drop(&f->q, &f->pool, nobody);
    assert_int_equal(f->owners[0].told, 1);
    close_fixture(f);
}

static void an_owner_that_wants_no_word_gets_none(void **state)
{
    lr_source source = {never_pulled, NULL, NULL};
    fixture *f = open_fixture();

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_true(lr__outq_take(&f->q, LR_LIT("abc"), NULL, NULL));
        assert_true(lr__outq_source(&f->q, &source));
        if (i == 0) {
            lr__outq_consume(&f->q, &f->pool, 3);
            lr__outq_stream_ended(&f->q, nobody);
        }
    }
    lr__outq_drop(&f->q, &f->pool, nobody);
    close_fixture(f);
}

/* Writes again when it is told, as a program may. */
typedef struct again {
    fixture *f;
    int times;
} again;

static void write_again(void *arg)
{
    again *a = arg;

    assert_int_equal(a->f->q.bytes, a->f->inside); /* the piece has left the count already */
    if (a->times-- > 0) {
        assert_true(lr__outq_take(&a->f->q, LR_LIT("again"), write_again, a));
        assert_true(lr__outq_copy(&a->f->q, &a->f->pool, &(lr_slice){(const uint8_t *)"!", 1}, 1));
        a->f->inside += 6;
    }
}

static void an_owner_may_write_again_when_it_is_told(void **state)
{
    fixture *f = open_fixture();
    again a = {f, 3};
    size_t total = 0;

    (void)state;
    assert_true(lr__outq_take(&f->q, LR_LIT("first"), write_again, &a));
    f->inside = 5;
    for (lr_slice front; (front = lr__outq_front(&f->q)).len != 0;) {
        total += front.len;
        f->inside -= front.len;
        lr__outq_consume(&f->q, &f->pool, front.len);
    }
    assert_int_equal(total, 5 + 3 * 6);
    close_fixture(f);
}

static void several_pieces_are_copied_as_one_or_not_at_all(void **state)
{
    const lr_slice pieces[] = {LR_LIT("one "), {NULL, 0}, LR_LIT("two "), LR_LIT("three")};
    fixture *f = open_fixture();
    lr_slice front;

    (void)state;
    assert_true(lr__outq_copy(&f->q, &f->pool, pieces, 4));
    assert_int_equal(f->q.bytes, 13);
    front = lr__outq_front(&f->q);
    assert_int_equal(front.len, 13);
    assert_memory_equal(front.bytes, "one two three", 13);
    lr__outq_drop(&f->q, &f->pool, nobody);
    assert_true(lr__outq_copy(&f->q, &f->pool, NULL, 0));
    assert_true(lr__outq_is_empty(&f->q));
    close_fixture(f);
}

/* One step of what a program may do; false: there was no memory. */
static bool random_step(fixture *f, uint64_t *seed)
{
    switch (support_random_below(seed, 4)) {
    case 0:
        return copy(f, 1 + support_random_below(seed, 30000));
    case 1:
        return take(f, 1 + support_random_below(seed, 30000));
    case 2:
        return stream(f);
    default:
        while (consume(f, 1 + support_random_below(seed, 40000)) == 0 && lr__outq_stream(&f->q))
            lr__outq_stream_ended(&f->q, nobody);
        return true;
    }
}

/* The n-th allocation fails: that call takes nothing, everything else is as if it had not been. */
static bool survives_want_of_memory(uint64_t seed, uint64_t n)
{
    fixture *f = open_fixture();
    bool failed = false;

    (void)lr__mem_fail_at(n, false);
    for (int i = 0; i < 40; i++) {
        int owners = f->owner_count;

        if (random_step(f, &seed))
            continue;
        assert_false(failed);
        failed = true;
        assert_int_equal(f->owner_count, owners);
        memset(&f->owners[owners], 0, sizeof(f->owners[owners]));
        assert_int_equal(f->q.bytes, f->inside);
    }
    (void)lr__mem_fail_at(0, false);
    lr__outq_drop(&f->q, &f->pool, nobody);
    for (int i = 0; i < f->owner_count; i++)
        assert_int_equal(f->owners[i].told, 1);
    close_fixture(f);
    return failed;
}

static void every_owner_is_told_once_whatever_happens_and_whichever_allocation_fails(void **state)
{
    uint64_t failures = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t n = 0;

        while (survives_want_of_memory(seed, ++n))
            failures++;
    }
    assert_true(failures > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_an_empty_queue),
        cmocka_unit_test(pieces_come_out_in_the_order_in_which_they_went_in),
        cmocka_unit_test(a_borrowed_piece_is_released_with_its_last_byte_and_not_before),
        cmocka_unit_test(a_stream_lets_nothing_pass_until_it_ends),
        cmocka_unit_test(ready_before_its_turn_does_not_count_for_a_stream_that_waits_later),
        cmocka_unit_test(dropping_tells_every_owner_once),
        cmocka_unit_test(an_owner_that_wants_no_word_gets_none),
        cmocka_unit_test(an_owner_may_write_again_when_it_is_told),
        cmocka_unit_test(several_pieces_are_copied_as_one_or_not_at_all),
        cmocka_unit_test(every_owner_is_told_once_whatever_happens_and_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
