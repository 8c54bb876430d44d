/* SPDX-License-Identifier: MIT */
/* The wheel is compared with a model: an array of deadlines that is sorted at each run. The plain
 * tests show each promise of timer.h alone; the model finds what nobody thought of. */
#include "core/base/timer.h"

#include "core/base/compiler.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#define MS UINT64_C(1000000)
#define HOUR (3600 * 1000 * MS)
#define DAY (24 * HOUR)
#define TO_THE(power) (UINT64_C(1) << (power))

enum { TIMERS = 400 };

typedef struct clock_timer {
    lr__timer timer;
    uint64_t again_ns; /* armed again for this when it fires, 0: not */
} clock_timer;

static lr__timers wheel;
static clock_timer timers[TIMERS];
static uint32_t fired[4 * TIMERS]; /* numbers of timers, in the order of firing */
static uint32_t fired_count;

static void note_firing(lr__timer *timer)
{
    clock_timer *self = LR_CONTAINER_OF(timer, clock_timer, timer);

    assert_false(lr__timer_is_armed(timer));
    if (fired_count < LR_ARRAY_COUNT(fired))
        fired[fired_count] = (uint32_t)(self - timers);
    fired_count++;
    if (self->again_ns > 0)
        lr__timer_arm(&wheel, timer, self->again_ns);
}

static void start_at(uint64_t now_ns)
{
    lr__timers_init(&wheel, now_ns);
    for (size_t i = 0; i < TIMERS; i++) {
        lr__timer_init(&timers[i].timer, note_firing);
        timers[i].again_ns = 0;
    }
    fired_count = 0;
}

static void arm(uint32_t number, uint64_t deadline_ns)
{
    lr__timer_arm(&wheel, &timers[number].timer, deadline_ns);
}

static void cancel(uint32_t number)
{
    lr__timer_cancel(&wheel, &timers[number].timer);
}

/* Runs with the budget and expects these timers to fire, in this order. */
static void assert_fires(uint64_t now_ns, uint32_t max, const uint32_t *numbers, uint32_t count)
{
    fired_count = 0;
    assert_int_equal(lr__timers_run(&wheel, now_ns, max), count);
    assert_int_equal(fired_count, count);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(fired[i], numbers[i]);
}

static void assert_fires_nothing(uint64_t now_ns)
{
    assert_fires(now_ns, UINT32_MAX, NULL, 0);
}

#define ASSERT_FIRES(now_ns, ...)                                                                  \
    assert_fires(now_ns, UINT32_MAX, (const uint32_t[]){__VA_ARGS__},                              \
                 LR_ARRAY_COUNT(((const uint32_t[]){__VA_ARGS__})))

static void end(void)
{
    for (uint32_t i = 0; i < TIMERS; i++)
        cancel(i);
    assert_int_equal(wheel.armed, 0);
    assert_int_equal(lr__timers_next(&wheel), LR__TIMER_NEVER);
    lr__timers_fini(&wheel);
}

static void empty_wheel_never_needs_to_run(void **state)
{
    (void)state;
    start_at(5 * MS);
    assert_int_equal(lr__timers_next(&wheel), LR__TIMER_NEVER);
    assert_fires_nothing(5 * MS);
    assert_fires_nothing(500 * DAY);
    assert_int_equal(lr__timers_next(&wheel), LR__TIMER_NEVER);
    end();
}

static void assert_fires_exactly_at(uint64_t start_ns, uint64_t deadline_ns, uint64_t tick_ns)
{
    start_at(start_ns);
    arm(0, deadline_ns);
    assert_true(lr__timers_next(&wheel) <= tick_ns);
    assert_fires_nothing(tick_ns - 1);
    assert_true(lr__timer_is_armed(&timers[0].timer));
    assert_true(lr__timers_next(&wheel) <= tick_ns);
    ASSERT_FIRES(tick_ns, 0);
    assert_false(lr__timer_is_armed(&timers[0].timer));
    end();
}

static void timer_fires_at_its_deadline_rounded_up_and_not_before(void **state)
{
    static const uint64_t starts[] = {0, 1, 255, 256, 65535, TO_THE(24) - 1, TO_THE(32) - 1};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(starts); i++) {
        for (uint32_t power = 1; power <= 35; power++) {
            for (uint64_t tick = TO_THE(power) - 1; tick <= TO_THE(power) + 1; tick++) {
                uint64_t start_ns = starts[i] * MS + 7, tick_ns = (starts[i] + tick) * MS;

                assert_fires_exactly_at(start_ns, tick_ns, tick_ns);
                assert_fires_exactly_at(start_ns, tick_ns - 1, tick_ns);
                assert_fires_exactly_at(start_ns, tick_ns - 999999, tick_ns);
            }
        }
    }
}

static void following_next_leads_to_the_deadline_in_a_few_runs(void **state)
{
    static const uint64_t delays[] = {1,        300 * MS, 70 * 1000 * MS, 5 * HOUR,
                                      40 * DAY, 60 * DAY, 400 * DAY};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(delays); i++) {
        uint64_t now = 12345678901, deadline = now + delays[i];
        uint32_t runs = 0;

        start_at(now);
        arm(0, deadline);
        while (lr__timers_next(&wheel) != LR__TIMER_NEVER) {
            assert_true(lr__timers_next(&wheel) > now);
            now = lr__timers_next(&wheel);
            lr__timers_run(&wheel, now, UINT32_MAX);
            runs++;
        }
        assert_int_equal(fired_count, 1);
        assert_true(now >= deadline && now - deadline < MS);
        assert_true(runs <= 5 + delays[i] / (49 * DAY));
        end();
    }
}

static void deadline_that_has_passed_fires_in_the_next_run(void **state)
{
    (void)state;
    start_at(100 * MS);
    arm(0, 0);
    arm(1, 100 * MS);
    arm(2, 99 * MS);
    assert_int_equal(lr__timers_next(&wheel), 0);
    ASSERT_FIRES(100 * MS, 0, 2, 1);
    end();
}

static void deadlines_decide_the_order_within_a_tick_and_across(void **state)
{
    (void)state;
    start_at(0);
    arm(0, 9 * MS);
    arm(1, 3 * MS + 500);
    arm(2, 3 * MS + 100);
    arm(3, 700 * MS);
    arm(4, 3 * MS + 300);
    arm(5, 70 * 1000 * MS);
    arm(6, 1);
    ASSERT_FIRES(HOUR, 6, 2, 4, 1, 0, 3, 5);
    end();
}

static void equal_deadlines_fire_in_the_order_of_arming(void **state)
{
    const uint64_t deadline = 70 * 1000 * MS + 5;

    (void)state;
    start_at(0);
    arm(3, deadline);
    arm(1, deadline);
    assert_fires_nothing(69 * 1000 * MS); /* Sorted in once by now, perhaps twice. */
    arm(2, deadline);
    assert_fires_nothing(deadline - 10 * MS);
    arm(0, deadline);
    ASSERT_FIRES(deadline + MS, 3, 1, 2, 0);
    end();
}

static void arming_again_moves_a_timer_and_renews_its_place(void **state)
{
    (void)state;
    start_at(0);
    arm(0, 10 * MS);
    arm(1, 10 * MS);
    arm(2, 10 * MS);
    arm(0, 10 * MS);
    arm(1, 5 * HOUR);
    assert_int_equal(wheel.armed, 3);
    ASSERT_FIRES(10 * MS, 2, 0);
    arm(1, 20 * MS);
    ASSERT_FIRES(20 * MS, 1);
    assert_int_equal(wheel.armed, 0);
    end();
}

static void cancelled_timer_does_not_fire(void **state)
{
    (void)state;
    start_at(0);
    cancel(0);
    for (uint32_t i = 0; i < 5; i++)
        arm(i, TO_THE(9 * i) * MS); /* each level, and beyond */
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(wheel.armed, 5 - i);
        cancel(i);
        cancel(i);
        assert_false(lr__timer_is_armed(&timers[i].timer));
    }
    assert_int_equal(lr__timers_next(&wheel), LR__TIMER_NEVER);
    assert_fires_nothing(400 * DAY);
    end();
}

static void timer_may_be_armed_for_the_end_of_time(void **state)
{
    (void)state;
    start_at(DAY);
    arm(0, UINT64_MAX);
    arm(1, UINT64_MAX - 1);
    assert_fires_nothing(1000 * DAY);
    assert_true(lr__timers_next(&wheel) > 1000 * DAY);
    assert_true(lr__timers_next(&wheel) != LR__TIMER_NEVER);
    assert_fires_nothing(UINT64_MAX); /* Its tick would be after it. */
    assert_true(lr__timers_next(&wheel) != LR__TIMER_NEVER);
    end();
}

static void timer_armed_while_firing_waits_for_the_next_run(void **state)
{
    const uint64_t now = 2 * HOUR;

    (void)state;
    start_at(0);
    for (uint32_t i = 0; i < 4; i++)
        arm(i, (i + 1) * MS);
    timers[0].again_ns = 1;        /* had passed long before */
    timers[1].again_ns = HOUR;     /* had passed, on the way */
    timers[2].again_ns = now;      /* is now */
    timers[3].again_ns = now + MS; /* is to come */
    ASSERT_FIRES(now, 0, 1, 2, 3);
    assert_true(lr__timers_next(&wheel) <= now);
    for (uint32_t i = 0; i < 4; i++)
        timers[i].again_ns = 0;
    ASSERT_FIRES(now, 0, 1, 2);
    ASSERT_FIRES(now + MS, 3);
    end();
}

static void timer_that_rearms_itself_cannot_hold_a_run(void **state)
{
    (void)state;
    start_at(0);
    arm(0, MS);
    timers[0].again_ns = 1;
    for (int i = 0; i < 5; i++)
        ASSERT_FIRES(5 * MS, 0);
    end();
}

/* A run may not move all that is due when it may fire only a few. */
static void budget_bounds_what_a_run_collects(void **state)
{
    (void)state;
    start_at(0);
    for (uint32_t i = 0; i < 100; i++)
        arm(i, (i / 2 + 1) * MS);
    for (uint32_t i = 0; i < 99; i++) {
        uint32_t left = 0;

        assert_fires(100 * MS, 1, &i, 1);
        for (lr__list *node = wheel.due.next; node != &wheel.due; node = node->next)
            left++;
        assert_int_equal(left, 1 - i % 2);
    }
    ASSERT_FIRES(100 * MS, 99);
    end();
}

static void budget_leaves_the_rest_due_for_the_next_run(void **state)
{
    (void)state;
    start_at(0);
    for (uint32_t i = 0; i < 10; i++)
        arm(i, (i / 2 + 1) * MS);
    assert_fires(100 * MS, 0, NULL, 0);
    assert_true(lr__timers_next(&wheel) <= 100 * MS);
    assert_fires(100 * MS, 3, (uint32_t[]){0, 1, 2}, 3);
    assert_true(lr__timers_next(&wheel) <= 100 * MS);
    assert_fires(100 * MS, 1, (uint32_t[]){3}, 1);
    assert_true(lr__timers_next(&wheel) <= 100 * MS);
    assert_int_equal(wheel.armed, 6);
    assert_fires(100 * MS, 100, (uint32_t[]){4, 5, 6, 7, 8, 9}, 6);
    assert_int_equal(lr__timers_next(&wheel), LR__TIMER_NEVER);
    end();
}

static void left_over_timers_and_newly_due_ones_keep_the_order_of_deadlines(void **state)
{
    (void)state;
    start_at(0);
    arm(0, 5 * MS - 1);
    arm(1, 5 * MS - 3);
    arm(2, 5 * MS - 2);
    arm(3, 6 * MS);
    assert_fires(5 * MS, 1, (uint32_t[]){1}, 1);
    arm(4, 5 * MS - 2); /* equal to 2, later armed */
    arm(5, 1);          /* before all */
    arm(1, 6 * MS);     /* equal to 3, later armed */
    arm(6, 5 * MS);
    ASSERT_FIRES(HOUR, 5, 2, 4, 0, 6, 3, 1);
    end();
}

static void left_over_timer_may_be_cancelled_or_moved(void **state)
{
    (void)state;
    start_at(0);
    for (uint32_t i = 0; i < 4; i++)
        arm(i, MS);
    assert_fires(MS, 1, (uint32_t[]){0}, 1);
    cancel(1);
    arm(2, 10 * MS);
    ASSERT_FIRES(9 * MS, 3);
    ASSERT_FIRES(10 * MS, 2);
    end();
}

static void cancel_others(lr__timer *timer)
{
    note_firing(timer);
    cancel(1);
    cancel(3);
    arm(2, 50 * MS);
}

static void firing_timer_may_cancel_and_move_others_that_are_due(void **state)
{
    (void)state;
    start_at(0);
    for (uint32_t i = 0; i < 5; i++)
        arm(i, (i + 1) * MS);
    timers[0].timer.fire = cancel_others;
    ASSERT_FIRES(10 * MS, 0, 4);
    ASSERT_FIRES(50 * MS, 2);
    end();
}

static void free_itself(lr__timer *timer)
{
    fired_count++;
    free(timer);
}

static void firing_timer_may_free_itself(void **state)
{
    (void)state;
    start_at(0);
    for (int i = 0; i < 3; i++) {
        lr__timer *timer = malloc(sizeof *timer);

        assert_non_null(timer);
        lr__timer_init(timer, free_itself);
        lr__timer_arm(&wheel, timer, MS);
    }
    assert_int_equal(lr__timers_run(&wheel, MS, 10), 3);
    assert_int_equal(fired_count, 3);
    end();
}

static void clock_that_goes_back_stands_still(void **state)
{
    (void)state;
    start_at(0);
    assert_fires_nothing(10 * MS);
    arm(0, 12 * MS);
    arm(1, 3 * MS);
    ASSERT_FIRES(2 * MS, 1);
    assert_fires_nothing(11 * MS);
    ASSERT_FIRES(12 * MS, 0);
    end();
}

static void many_timers_of_one_tick_are_sorted(void **state)
{
    uint64_t seed = 11;

    (void)state;
    for (uint32_t count = 0; count <= TIMERS; count += count < 20 ? 1 : 19) {
        start_at(0);
        for (uint32_t i = 0; i < count; i++)
            arm(i, 7 * MS + 1 + support_random_below(&seed, 100));
        assert_int_equal(lr__timers_run(&wheel, 8 * MS, UINT32_MAX), count);
        assert_int_equal(fired_count, count);
        for (uint32_t i = 1; i < count; i++) {
            uint64_t earlier = timers[fired[i - 1]].timer.deadline_ns;
            uint64_t later = timers[fired[i]].timer.deadline_ns;

            assert_true(earlier < later || (earlier == later && fired[i - 1] < fired[i]));
        }
        end();
    }
}

static void end_while_armed(void *arg)
{
    (void)arg;
    start_at(0);
    arm(0, MS);
    lr__timers_fini(&wheel);
}

static void end_with_an_armed_timer_is_a_failed_check(void **state)
{
    (void)state;
    support_assert_check_fails(end_while_armed, NULL, "timers->armed == 0");
}

/* The model. What it knows of timer i: its deadline and when it was armed (a sequence number). */
typedef struct model_timer {
    uint64_t deadline, sequence;
    bool armed;
} model_timer;

static struct {
    model_timer timers[TIMERS];
    uint64_t now, sequence;
    uint64_t run_sequence;  /* armed later than this: not in this run */
    uint64_t last_deadline; /* of the timer fired before in this run */
    uint64_t last_sequence;
    uint32_t armed;
    uint64_t seed;
    bool is_running;
} model;

static uint64_t round_up(uint64_t ns)
{
    return ns > UINT64_MAX - MS ? UINT64_MAX : (ns + MS - 1) / MS * MS;
}

static bool model_is_due(const model_timer *t)
{
    return t->armed && round_up(t->deadline) <= model.now / MS * MS;
}

static void model_arm(uint32_t i, uint64_t deadline)
{
    model.armed += !model.timers[i].armed;
    model.timers[i] = (model_timer){deadline, ++model.sequence, true};
    arm(i, deadline);
}

static void model_cancel(uint32_t i)
{
    model.armed -= model.timers[i].armed;
    model.timers[i].armed = false;
    cancel(i);
}

/* Deadlines of every kind: now and just before or after, each level, beyond, equal to another's. */
static uint64_t model_deadline(void)
{
    static const uint64_t ranges[] = {4 * MS,   300 * MS, 70 * 1000 * MS,
                                      6 * HOUR, 60 * DAY, 200 * DAY};
    uint64_t range = ranges[support_random_below(&model.seed, LR_ARRAY_COUNT(ranges))];
    uint64_t deadline = model.now + support_random_below(&model.seed, range);

    switch (support_random_below(&model.seed, 12)) {
    case 0:
        return model.now;
    case 1:
        return model.now - support_random_below(&model.seed, model.now < range ? 1 : range);
    case 2:
    case 3:
        return model.timers[support_random_below(&model.seed, TIMERS)].deadline;
    case 4:
    case 5:
        return round_up(deadline);
    case 6: /* at an edge of a level's slots */
        return (deadline / MS | (TO_THE(8 * support_random_below(&model.seed, 5)) - 1)) * MS;
    case 7:
        return deadline + 3 * range;
    default:
        return deadline;
    }
}

static void model_change_one(void)
{
    uint32_t i = (uint32_t)support_random_below(&model.seed, TIMERS);

    if (support_random_below(&model.seed, 4) == 0)
        model_cancel(i);
    else
        model_arm(i, model_deadline());
}

/* Checks that this timer is the one that must fire: due, armed before the run, and none of those
 * that may fire in this run comes before it. */
static void model_fire(lr__timer *timer)
{
    clock_timer *self = LR_CONTAINER_OF(timer, clock_timer, timer);
    model_timer *mine = &model.timers[self - timers];

    assert_true(model.is_running);
    assert_true(model_is_due(mine));
    assert_true(mine->sequence <= model.run_sequence);
    for (uint32_t i = 0; i < TIMERS; i++) {
        const model_timer *other = &model.timers[i];

        if (other == mine || !model_is_due(other) || other->sequence > model.run_sequence)
            continue;
        assert_true(mine->deadline < other->deadline ||
                    (mine->deadline == other->deadline && mine->sequence < other->sequence));
    }
    mine->armed = false;
    model.armed--;
    fired_count++;
    if (support_random_below(&model.seed, 3) == 0)
        model_arm((uint32_t)(self - timers), model_deadline());
    while (support_random_below(&model.seed, 3) == 0)
        model_change_one();
}

static uint32_t model_due_count(void)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < TIMERS; i++)
        count += model_is_due(&model.timers[i]);
    return count;
}

static void model_compare_next(void)
{
    uint64_t next = lr__timers_next(&wheel), earliest = UINT64_MAX;

    assert_int_equal(wheel.armed, model.armed);
    for (uint32_t i = 0; i < TIMERS; i++) {
        const model_timer *t = &model.timers[i];

        assert_int_equal(lr__timer_is_armed(&timers[i].timer), t->armed);
        if (t->armed && t->deadline < earliest)
            earliest = t->deadline;
    }
    if (model.armed == 0)
        assert_int_equal(next, LR__TIMER_NEVER);
    else
        assert_true(next <= round_up(earliest) || next <= model.now);
    if (model_due_count() > 0)
        assert_true(next <= model.now);
}

static void model_run(void)
{
    static const uint32_t budgets[] = {0, 1, 2, 7, 50, UINT32_MAX};
    uint32_t max = budgets[support_random_below(&model.seed, LR_ARRAY_COUNT(budgets))];
    uint32_t due = model_due_count();
    uint64_t sequence_before = model.sequence;
    uint32_t count;

    model.run_sequence = model.sequence;
    model.is_running = true;
    fired_count = 0;
    count = lr__timers_run(&wheel, model.now, max);
    model.is_running = false;
    assert_int_equal(count, fired_count);
    assert_true(count <= max && count <= due);
    if (max == UINT32_MAX) { /* What is due now was armed while others fired. */
        for (uint32_t i = 0; i < TIMERS; i++)
            assert_true(!model_is_due(&model.timers[i]) ||
                        model.timers[i].sequence > sequence_before);
    } else if (due > 0 && max > 0) {
        assert_true(count > 0);
    }
}

static void model_pass_time(void)
{
    static const uint64_t steps[] = {0, 1, MS / 3, MS, 20 * MS, 1000 * MS, 2 * HOUR, 55 * DAY};
    uint64_t next = lr__timers_next(&wheel), step;

    if (support_random_below(&model.seed, 2) && next != LR__TIMER_NEVER) {
        model.now = next > model.now ? next : model.now;
        return;
    }
    step = steps[support_random_below(&model.seed, LR_ARRAY_COUNT(steps) - 1)];
    if (support_random_below(&model.seed, 50) == 0)
        step = steps[LR_ARRAY_COUNT(steps) - 1];
    model.now += support_random_below(&model.seed, step + 1);
}

static void wheel_behaves_like_its_model(void **state)
{
    static const uint64_t starts[] = {0, 65533, TO_THE(24) - 3, TO_THE(32) - 3, TO_THE(35)};

    (void)state;
    for (uint64_t round = 0; round < 60; round++) {
        uint64_t changes_max = round % 3 == 0 ? 2 : round % 3 == 1 ? 20 : 300;

        memset(&model, 0, sizeof model);
        model.seed = 1000 + round;
        model.now = starts[round % LR_ARRAY_COUNT(starts)] * MS + round % 2;
        start_at(model.now);
        for (uint32_t i = 0; i < TIMERS; i++)
            timers[i].timer.fire = model_fire;
        for (int step = 0; step < 300; step++) {
            uint64_t changes = support_random_below(&model.seed, changes_max);

            while (changes-- > 0)
                model_change_one();
            model_compare_next();
            model_pass_time();
            model_run();
            model_compare_next();
        }
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_wheel_never_needs_to_run),
        cmocka_unit_test(timer_fires_at_its_deadline_rounded_up_and_not_before),
        cmocka_unit_test(following_next_leads_to_the_deadline_in_a_few_runs),
        cmocka_unit_test(deadline_that_has_passed_fires_in_the_next_run),
        cmocka_unit_test(deadlines_decide_the_order_within_a_tick_and_across),
        cmocka_unit_test(equal_deadlines_fire_in_the_order_of_arming),
        cmocka_unit_test(arming_again_moves_a_timer_and_renews_its_place),
        cmocka_unit_test(cancelled_timer_does_not_fire),
        cmocka_unit_test(timer_may_be_armed_for_the_end_of_time),
        cmocka_unit_test(timer_armed_while_firing_waits_for_the_next_run),
        cmocka_unit_test(timer_that_rearms_itself_cannot_hold_a_run),
        cmocka_unit_test(budget_bounds_what_a_run_collects),
        cmocka_unit_test(budget_leaves_the_rest_due_for_the_next_run),
        cmocka_unit_test(left_over_timers_and_newly_due_ones_keep_the_order_of_deadlines),
        cmocka_unit_test(left_over_timer_may_be_cancelled_or_moved),
        cmocka_unit_test(firing_timer_may_cancel_and_move_others_that_are_due),
        cmocka_unit_test(firing_timer_may_free_itself),
        cmocka_unit_test(clock_that_goes_back_stands_still),
        cmocka_unit_test(many_timers_of_one_tick_are_sorted),
        cmocka_unit_test(end_with_an_armed_timer_is_a_failed_check),
        cmocka_unit_test(wheel_behaves_like_its_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
