/* SPDX-License-Identifier: MIT */
/* Ticket keys in time: the schedule, what fails on the way, what is forgotten and wiped, and the
 * workers' part in it on a simulated clock. */
#include "key_stage.h"

#include "core/base/mem.h"
#include "core/base/secret.h"
#include "core/run/worker.h"
#include "core/run/workers.h"
#include "tests/sim/sim.h"

/* Moves the clock to where the place wants it, and does there what its timer would do. */
static void sleep_on(uint32_t places)
{
    uint64_t next_ns = lr__key_store_next(store, 0, now_ns);

    assert_true(next_ns > now_ns && next_ns != LR__KEY_NEVER);
    now_ns = next_ns;
    (void)lr__key_store_tend(store, now_ns);
    adopt_all(places);
}

/* The schedule */

static void idle_workers_rotate(void **state)
{
    uint8_t next[LR_TICKET_KEY_SIZE];
    uint64_t began = now_ns;

    (void)state;
    open_with(12 * HOUR, 7500 * SECOND);
    assert_int_equal(lr__key_store_enter(store, 0, now_ns, &err), LR_OK);
    assert_int_equal(lr__key_store_enter(store, 1, now_ns, &err), LR_OK);
    for (uint32_t i = 1; i <= 3; i++) {
        next_key(0, next);
        while (!seals_with(0, next))
            sleep_on(2);
        assert_true(now_ns == began + i * 12 * HOUR);
        assert_true(seals_with(1, next));
    }
    assert_non_null(strstr(logged, "ticket_keys_rotated"));
    end();
}

static void a_retired_key_is_forgotten_in_its_time(void **state)
{
    uint8_t first[LR_TICKET_KEY_SIZE];
    uint64_t rotated;

    (void)state;
    open_with(12 * HOUR, 7500 * SECOND);
    assert_int_equal(lr__key_store_enter(store, 0, now_ns, &err), LR_OK);
    current_key(0, first);
    assert_int_equal(rotate(), LR_OK);
    rotated = now_ns;
    adopt_all(1);
    assert_int_equal(lr_ticket_keys_count(atomic_load(&store->current)->set.keys), 3);
    while (lr_ticket_keys_count(atomic_load(&store->current)->set.keys) == 3)
        sleep_on(1);
    assert_true(now_ns == rotated + 7500 * SECOND);
    assert_false(opens_with(0, first));
    for (uint32_t i = 2; i < LR_TICKET_KEYS_MAX; i++)
        assert_memory_not_equal(atomic_load(&store->current)->set.keys->keys[i], first,
                                LR_TICKET_KEY_SIZE);
    assert_true(lr__key_store_next(store, 0, now_ns + SECOND) == rotated + 12 * HOUR);
    end();
}

static void who_oversleeps_one_rotation_makes_it_and_keeps_the_beat(void **state)
{
    uint64_t began = now_ns;

    (void)state;
    open_with(12 * HOUR, 7500 * SECOND);
    assert_int_equal(lr__key_store_enter(store, 0, now_ns, &err), LR_OK);
    now_ns += 20 * HOUR;
    (void)lr__key_store_tend(store, now_ns);
    adopt_all(1);
    assert_int_equal(generation(), 2);
    assert_true(atomic_load(&store->current)->rotate_ns == began + 24 * HOUR);
    end();
}

static void overslept_periods_leave_neither_the_current_nor_the_next_key_in_use(void **state)
{
    uint8_t current[LR_TICKET_KEY_SIZE], next[LR_TICKET_KEY_SIZE];

    (void)state;
    open_with(12 * HOUR, 7500 * SECOND);
    assert_int_equal(lr__key_store_enter(store, 0, now_ns, &err), LR_OK);
    assert_int_equal(lr__key_store_enter(store, 1, now_ns, &err), LR_OK);
    current_key(0, current);
    next_key(0, next);
    now_ns += 100 * HOUR;
    (void)lr__key_store_tend(store, now_ns);
    adopt_all(2);
    assert_int_equal(generation(), 3);
    assert_false(seals_with(0, current) || seals_with(0, next));
    assert_true(opens_with(0, current) && opens_with(1, next));
    assert_true(atomic_load(&store->current)->rotate_ns == now_ns + 12 * HOUR);
    end();
}

static void a_rotation_by_hand_begins_the_period_anew(void **state)
{
    (void)state;
    open_with(12 * HOUR, 7500 * SECOND);
    assert_int_equal(lr__key_store_enter(store, 0, now_ns, &err), LR_OK);
    now_ns += 7 * HOUR;
    assert_int_equal(rotate(), LR_OK);
    assert_true(atomic_load(&store->current)->rotate_ns == now_ns + 12 * HOUR);
    end();
}

/* Failures */

static void a_rotation_without_random_bytes_keeps_the_keys_and_is_tried_again(void **state)
{
    uint8_t current[LR_TICKET_KEY_SIZE];

    (void)state;
    open_with(HOUR, 7500 * SECOND);
    assert_int_equal(lr__key_store_enter(store, 0, now_ns, &err), LR_OK);
    current_key(0, current);
    world.fails = true;
    assert_int_equal(rotate(), LR_ERANDOM);
    while (now_ns < 1000 * SECOND + HOUR + 3 * SECOND)
        sleep_on(1);
    assert_int_equal(generation(), 1);
    assert_true(seals_with(0, current));
    assert_non_null(strstr(logged, "ticket_keys_kept why=\"ticket keys: no random bytes\""));
    logged[0] = '\0';
    (void)lr__key_store_tend(store, now_ns); /* another worker's timer */
    assert_string_equal(logged, "");
    world.fails = false;
    sleep_on(1);
    assert_false(seals_with(0, current));
    end();
}

/* Does fn until it succeeds, with one allocation after the other failing; the keys stay meanwhile.
 */
static void starve(lr_status (*fn)(void *arg), void *arg)
{
    uint8_t current[LR_TICKET_KEY_SIZE];
    lr_status status = LR_ENOMEM;
    uint64_t n = 0;

    current_key(0, current);
    while (status != LR_OK) {
        uint64_t before = lr__mem_read().live, was = generation();

        (void)lr__mem_fail_at(++n, false);
        status = fn(arg);
        (void)lr__mem_fail_at(0, false);
        if (status == LR_OK)
            break;
        assert_int_equal(status, LR_ENOMEM);
        assert_int_equal(generation(), was);
        assert_true(lr__mem_read().live == before);
        assert_true(seals_with(0, current));
    }
    assert_true(n > 3); /* a set, its list, its secret block */
}

static lr_status do_rotate(void *arg)
{
    (void)arg;
    return rotate();
}

static lr_status do_give(void *arg)
{
    return give(arg);
}

static lr_status do_forget(void *arg)
{
    (void)arg;
    now_ns += 2 * SECOND; /* not sooner after a failure */
    return lr__key_store_tend(store, now_ns) ? LR_OK : LR_ENOMEM;
}

static void any_allocation_of_a_change_may_fail(void **state)
{
    lr_ticket_keys *keys = list_of(2, 1);

    (void)state;
    begin(1);
    starve(do_rotate, NULL);
    adopt_all(1);
    now_ns += 200 * SECOND;
    starve(do_forget, NULL);
    adopt_all(1);
    starve(do_give, keys);
    adopt_all(1);
    assert_true(seals_with(0, keys->keys[0]));
    lr_ticket_keys_free(keys);
    end();
}

static void any_allocation_of_the_start_may_fail(void **state)
{
    lr_status status = LR_ENOMEM;
    uint64_t n = 0, before = lr__mem_read().live;

    (void)state;
    while (status != LR_OK) {
        lr__key_store_options options = {.place_count = PLACES, .period_ns = LR__KEY_NEVER};

        (void)lr__mem_fail_at(++n, false);
        store = lr__key_store_new(&options);
        if (store)
            status = lr__key_store_enter(store, 0, now_ns, &err);
        (void)lr__mem_fail_at(0, false);
        if (store)
            end();
        assert_true(lr__mem_read().live == before);
    }
    assert_true(n > 5);
}

static void what_fails_before_the_start_changes_nothing(void **state)
{
    lr_ticket_keys *told = lr_ticket_keys_new(), *again = lr_ticket_keys_new();
    lr_ticket_keys *keys = list_of(1, 1);

    (void)state;
    begin(0);
    world.fails = true;
    assert_int_equal(lr__key_store_copy(store, told, &err), LR_ERANDOM);
    assert_int_equal(lr_ticket_keys_count(told), 0);
    world.fails = false;
    assert_int_equal(lr__key_store_copy(store, told, &err), LR_OK);
    world.fails = true;
    assert_int_equal(rotate(), LR_ERANDOM);
    (void)lr__mem_fail_at(1, true);
    assert_int_equal(give(keys), LR_ENOMEM);
    assert_int_equal(rotate(), LR_ENOMEM);
    (void)lr__mem_fail_at(0, false);
    assert_int_equal(lr__key_store_copy(store, again, &err), LR_OK);
    assert_memory_equal(again->keys, told->keys, sizeof(*told->keys) * LR_TICKET_KEYS_MAX);
    world.fails = false;
    assert_int_equal(rotate(), LR_OK); /* not given, after all */
    lr_ticket_keys_free(keys);
    lr_ticket_keys_free(again);
    lr_ticket_keys_free(told);
    end();
}

/* Pins, and the end of sets */

static void a_pinned_set_stays_as_it_was(void **state)
{
    const lr__key_set *set, *again;
    uint8_t first[LR_TICKET_KEY_SIZE];
    void *block;
    bool is_current;

    (void)state;
    begin(2);
    current_key(0, first);
    set = lr__key_store_pin(store, 0);
    again = lr__key_store_pin(store, 0);
    assert_ptr_equal(set, again);
    block = set->keys->keys;
    for (uint32_t i = 0; i < 40; i++) {
        assert_int_equal(rotate(), LR_OK);
        adopt_all(2);
        now_ns += 50 * SECOND;
    }
    assert_false(opens_with(0, first));
    assert_memory_equal(lr__keys_current(set->keys), first, LR_TICKET_KEY_SIZE);
    assert_non_null(lr__key_set_find(set, first, now_ns, &is_current)); /* not retired there */
    (void)lr__key_store_unpin(store, 0, set);
    assert_true(lr__secret_is(block));
    (void)lr__key_store_unpin(store, 0, again);
    assert_false(lr__secret_is(block)); /* wiped and given back */
    end();
}

static void a_set_goes_when_the_last_worker_has_moved_on(void **state)
{
    void *block;

    (void)state;
    begin(PLACES);
    block = atomic_load(&store->current)->set.keys->keys;
    assert_int_equal(rotate(), LR_OK);
    adopt(0);
    adopt(2);
    assert_true(lr__secret_is(block));
    adopt(1);
    assert_false(lr__secret_is(block));
    end();
}

static void a_stalled_worker_holds_one_set_however_many_come(void **state)
{
    uint64_t live;

    (void)state;
    begin(2);
    live = lr__mem_read().live;
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(rotate(), LR_OK);
        adopt_all(1);
        now_ns += SECOND;
        (void)lr__key_store_tend(store, now_ns);
        adopt_all(1);
    }
    assert_true(generation() > 90);
    assert_true(lr__mem_read().live <= live * 2);
    assert_non_null(store->old);
    assert_null(store->old->next_old);
    adopt(1);
    assert_null(store->old);
    end();
}

static void adopt_the_last(void)
{
    adopt(1);
}

static void what_finds_the_lock_taken_is_done_by_its_holder(void **state)
{
    (void)state;
    begin(2);
    assert_int_equal(rotate(), LR_OK);
    adopt(0);
    assert_non_null(store->old); /* place 1 has it */
    world.fails = true;
    world.during = adopt_the_last;
    assert_int_equal(rotate(), LR_ERANDOM);
    assert_null(store->old);
    end();
}

static void many_rotations_leave_nothing(void **state)
{
    uint64_t before = lr__mem_read().live;

    (void)state;
    begin(2);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(rotate(), LR_OK);
        adopt_all(2);
    }
    assert_int_equal(generation(), 1001);
    end();
    assert_true(lr__mem_read().live == before);
}

/* Workers */

static const sim_faults no_faults;

static void make_workers(sim *w, uint32_t rotation_s, lr_workers **out)
{
    lr_workers_options options = {LR_WORKERS_OPTIONS, .worker_count = 2, .pin = LR_OFF,
                                  .log_level = LR_LOG_OFF, .ticket_rotation_s = rotation_s};

    assert_int_equal(lr__workers_new_on(&options, &sim_backend, w, out, &err), LR_OK);
}

/* Turns whoever must turn until the simulated time. */
static void play_until(sim *w, lr_workers *workers, uint64_t until_ns)
{
    while (sim_now(w) < until_ns) {
        lr__ring *ring = sim_pick(w);

        assert_non_null(ring);
        for (uint32_t i = 0; i < 2; i++) {
            if (workers->list[i]->ring == ring)
                assert_true(lr__worker_turn(workers->list[i]));
        }
    }
}

static void end_workers(sim *w, lr_workers *workers)
{
    bool going[2] = {true, true};

    lr_workers_stop(workers, 0);
    while (going[0] || going[1]) {
        for (uint32_t i = 0; i < 2; i++)
            going[i] = going[i] && lr__worker_turn(workers->list[i]);
        (void)sim_step(w);
    }
    for (uint32_t i = 0; i < 2; i++)
        lr__worker_close(workers->list[i]);
    lr_workers_free(workers);
    sim_free(w);
}

static void workers_that_sleep_rotate(void **state)
{
    sim *w = sim_new(3, &no_faults);
    uint8_t seen[4][LR_TICKET_KEY_SIZE];
    lr_workers *workers;

    (void)state;
    (void)lr__current_set(NULL);
    make_workers(w, 3600, &workers);
    assert_int_equal(lr__worker_open(workers->list[0], &err), LR_OK);
    assert_int_equal(lr__worker_open(workers->list[1], &err), LR_OK);
    for (uint64_t i = 0; i < 4; i++) {
        play_until(w, workers, sim_now(w) + HOUR / 2);
        assert_true(lr_workers_get_ticket_key(workers, seen[i]));
        for (uint64_t j = 0; j < i; j++)
            assert_memory_not_equal(seen[i], seen[j], LR_TICKET_KEY_SIZE);
        for (uint32_t j = 0; j < 2; j++) {
            const lr__key_set *set = lr__key_store_pin(workers->keys, j);

            assert_memory_equal(lr__keys_current(set->keys), seen[i], LR_TICKET_KEY_SIZE);
            (void)lr__key_store_unpin(workers->keys, j, set);
        }
        play_until(w, workers, sim_now(w) + HOUR / 2 + SECOND);
    }
    end_workers(w, workers);
}

static void keys_given_to_sleeping_workers_are_in_use_soon(void **state)
{
    sim *w = sim_new(4, &no_faults);
    lr_ticket_keys *keys = list_of(1, 9);
    lr_workers *workers;
    uint64_t now;

    (void)state;
    (void)lr__current_set(NULL);
    make_workers(w, LR_NONE, &workers);
    assert_int_equal(lr__worker_open(workers->list[0], &err), LR_OK);
    assert_int_equal(lr__worker_open(workers->list[1], &err), LR_OK);
    for (lr__ring *ring; (ring = sim_pick(w)) != NULL;)
        (void)lr__worker_turn(workers->list[workers->list[1]->ring == ring]);
    now = sim_now(w); /* and nothing would ever happen */
    assert_int_equal(lr_workers_set_ticket_keys(workers, keys, &err), LR_OK);
    for (uint32_t done = 0; done < 2;) {
        lr__ring *ring = sim_pick(w);

        assert_non_null(ring);
        done = 0;
        for (uint32_t i = 0; i < 2; i++) {
            const lr__key_set *set = lr__key_store_pin(workers->keys, i);

            done += memcmp(lr__keys_current(set->keys), keys->keys[0], LR_TICKET_KEY_SIZE) == 0;
            (void)lr__key_store_unpin(workers->keys, i, set);
            if (workers->list[i]->ring == ring)
                (void)lr__worker_turn(workers->list[i]);
        }
    }
    assert_true(sim_now(w) - now < SECOND / 100); /* woken: no timer did it */
    lr_ticket_keys_free(keys);
    end_workers(w, workers);
}

static void keys_of_workers_are_exactly_48_bytes_and_not_weak(void **state)
{
    uint8_t key[LR_TICKET_KEY_SIZE + 1] = {0}, told[LR_TICKET_KEY_SIZE];
    lr_ticket_keys *keys = lr_ticket_keys_new();
    sim *w = sim_new(5, &no_faults);
    lr_workers *workers;

    (void)state;
    (void)lr__current_set(NULL);
    make_workers(w, 0, &workers);
    assert_int_equal(lr_workers_set_ticket_key(workers, lr_slice_of(key, 48), &err), LR_EKEY);
    for (uint32_t i = 0; i < sizeof(key); i++)
        key[i] = (uint8_t)(i * 37);
    assert_int_equal(lr_workers_set_ticket_key(workers, lr_slice_of(key, 47), &err), LR_EKEY);
    assert_int_equal(lr_workers_set_ticket_key(workers, lr_slice_of(key, 49), &err), LR_EKEY);
    assert_int_equal(lr_workers_set_ticket_key(workers, lr_slice_of(key, 0), &err), LR_EKEY);
    assert_true(lr_workers_get_ticket_key(workers, told));
    assert_memory_not_equal(told, key, LR_TICKET_KEY_SIZE);
    assert_int_equal(lr_workers_set_ticket_key(workers, lr_slice_of(key, 48), &err), LR_OK);
    assert_true(lr_workers_get_ticket_key(workers, told));
    assert_memory_equal(told, key, LR_TICKET_KEY_SIZE);
    assert_int_equal(lr_workers_get_ticket_keys(workers, keys, &err), LR_OK);
    assert_int_equal(lr_ticket_keys_count(keys), 1);
    assert_memory_equal(keys->keys[0], key, LR_TICKET_KEY_SIZE);
    lr_ticket_keys_free(keys);
    (void)lr__mem_fail_at(1, true);
    assert_false(lr_workers_get_ticket_key(workers, told));
    assert_int_equal(lr_workers_set_ticket_key(workers, lr_slice_of(key, 48), &err), LR_ENOMEM);
    (void)lr__mem_fail_at(0, false);
    assert_int_equal(lr_workers_rotate_ticket_keys(workers, &err), LR_ESTATE);
    lr_workers_free(workers);
    sim_free(w);
}

static void times_that_the_keys_cannot_keep_are_refused(void **state)
{
    static const struct {
        uint32_t rotation_s, keep_s;
        lr_status status;
        uint64_t keep; /* then */
    } cases[] = {{0, 0, LR_OK, 7500},
                 {LR_NONE, 0, LR_OK, 7500},
                 {LR_NONE, LR_NONE, LR_OK, 0},
                 {LR_NONE, 8 * 86400, LR_OK, 8 * 86400},
                 {LR_NONE, 8 * 86400 + 1, LR_EOPTION, 0},
                 {1, 0, LR_OK, 13},
                 {1, 13, LR_OK, 13},
                 {1, 14, LR_EOPTION, 0},
                 {600, 7500, LR_OK, 7500}};
    sim *w = sim_new(6, &no_faults);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lr_workers_options options = {LR_WORKERS_OPTIONS, .worker_count = 1, .pin = LR_OFF,
                                      .ticket_rotation_s = cases[i].rotation_s,
                                      .ticket_keep_s = cases[i].keep_s};
        lr_workers *workers;
        lr_status status = lr__workers_new_on(&options, &sim_backend, w, &workers, &err);

        assert_int_equal(status, cases[i].status);
        if (status != LR_OK) {
            assert_non_null(strstr(err.text, "ticket_keep_s"));
            continue;
        }
        assert_int_equal(lr__keys_keep_s(workers->list[0]), cases[i].keep);
        lr_workers_free(workers);
    }
    sim_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(idle_workers_rotate),
        TEST(a_retired_key_is_forgotten_in_its_time),
        TEST(who_oversleeps_one_rotation_makes_it_and_keeps_the_beat),
        TEST(overslept_periods_leave_neither_the_current_nor_the_next_key_in_use),
        TEST(a_rotation_by_hand_begins_the_period_anew),
        TEST(a_rotation_without_random_bytes_keeps_the_keys_and_is_tried_again),
        TEST(any_allocation_of_a_change_may_fail),
        TEST(any_allocation_of_the_start_may_fail),
        TEST(what_fails_before_the_start_changes_nothing),
        TEST(a_pinned_set_stays_as_it_was),
        TEST(a_set_goes_when_the_last_worker_has_moved_on),
        TEST(a_stalled_worker_holds_one_set_however_many_come),
        TEST(what_finds_the_lock_taken_is_done_by_its_holder),
        TEST(many_rotations_leave_nothing),
        TEST(workers_that_sleep_rotate),
        TEST(keys_given_to_sleeping_workers_are_in_use_soon),
        TEST(keys_of_workers_are_exactly_48_bytes_and_not_weak),
        TEST(times_that_the_keys_cannot_keep_are_refused),
    };

    return cmocka_run_group_tests_name("key_schedule", tests, NULL, NULL);
}
