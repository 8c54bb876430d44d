/* SPDX-License-Identifier: MIT */
/* live_timer.c: timers of the program's, and the clocks of a turn. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TIMERS = 64, MANY = 20000 };

typedef struct play play;

typedef struct one {
    play *p;
    lr_timer *timer;
    uint32_t number;
    uint64_t set_ns;
    uint32_t delay_ms;
} one;

struct play {
    live_events events;
    lr_workers *workers;
    lr_server *server;
    one all[TIMERS];
    uint32_t fired, early, disorder;
    uint64_t last_ns;
};

static void play_open(play *p, void **state, const lr_handlers *handlers)
{
    live_plan plan = {.ring = live_ring(state), .worker_count = 1, .handlers = handlers, .user = p};

    memset(p, 0, sizeof(*p));
    live_events_init(&p->events);
    p->workers = live_workers(&plan);
    if (handlers)
        p->server = live_server(p->workers, NULL, &plan);
    live_run(p->workers);
}

static void play_close(play *p)
{
    lr_workers_stop(p->workers, LR_NONE);
    lr_workers_join(p->workers);
    lr_server_free(p->server);
    lr_workers_free(p->workers);
    live_events_fini(&p->events);
}

static void must(lr_status status)
{
    if (status != LR_OK)
        abort(); /* on the worker, where cmocka may not be called */
}

static void set(one *o, uint32_t delay_ms)
{
    o->set_ns = lr_worker_now_ns(lr_timer_worker(o->timer));
    o->delay_ms = delay_ms;
    lr_timer_set(o->timer, delay_ms);
}

static void note_fire(lr_timer *timer, void *user)
{
    one *o = user;
    uint64_t due_ns = o->set_ns + (uint64_t)o->delay_ms * 1000000;
    uint64_t now_ns = lr_worker_now_ns(lr_timer_worker(timer));

    o->p->early += now_ns < due_ns;
    o->p->disorder += due_ns < o->p->last_ns;
    o->p->last_ns = due_ns;
    o->p->fired++;
    live_note(&o->p->events, "%u", o->number);
}

static one *make(lr_worker *w, play *p, uint32_t number, void (*fire)(lr_timer *timer, void *user))
{
    one *o = &p->all[number];

    o->p = p;
    o->number = number;
    must(lr_timer_new(w, fire, o, &o->timer));
    return o;
}

static void free_all(lr_worker *w, void *arg)
{
    play *p = arg;

    (void)w;
    for (int i = 0; i < TIMERS; i++) {
        lr_timer_free(p->all[i].timer);
        p->all[i].timer = NULL;
    }
}

static void set_in_disorder(lr_worker *w, void *arg)
{
    static const uint32_t delays[] = {30, 10, 0, 20, 10, 0, 3};

    for (uint32_t i = 0; i < LIVE_COUNT_OF(delays); i++)
        set(make(w, arg, i, note_fire), delays[i]);
}

static void timers_fire_in_the_order_of_their_deadlines_and_never_early(void **state)
{
    play p;

    play_open(&p, state, NULL);
    live_on_worker(p.workers, 0, set_in_disorder, &p);
    assert_true(live_await(&p.events, "0"));
    live_expect(&p.events, "2 5 6 1 4 3 0 ");
    live_on_worker(p.workers, 0, free_all, &p);
    assert_int_equal(p.early + p.disorder, 0);
    assert_int_equal(p.fired, 7);
    play_close(&p);
}

static void set_move_cancel(lr_worker *w, void *arg)
{
    set(make(w, arg, 1, note_fire), 1);
    set(make(w, arg, 2, note_fire), 30);
    set(make(w, arg, 3, note_fire), 10);
    set(make(w, arg, 4, note_fire), 5);
    set(make(w, arg, 5, note_fire), 2);
    (void)make(w, arg, 6, note_fire); /* never set */
    set(&((play *)arg)->all[1], 20);  /* later */
    set(&((play *)arg)->all[2], 3);   /* sooner */
    lr_timer_cancel(((play *)arg)->all[4].timer);
    lr_timer_cancel(((play *)arg)->all[4].timer); /* twice is once */
    lr_timer_cancel(((play *)arg)->all[6].timer);
    lr_timer_cancel(((play *)arg)->all[5].timer);
    set(&((play *)arg)->all[5], 40); /* again after a cancel */
}

static void a_timer_moves_when_it_is_set_again_and_a_cancelled_one_does_not_fire(void **state)
{
    play p;

    play_open(&p, state, NULL);
    live_on_worker(p.workers, 0, set_move_cancel, &p);
    assert_true(live_await(&p.events, "5"));
    live_expect(&p.events, "2 3 1 5 ");
    live_on_worker(p.workers, 0, free_all, &p);
    assert_int_equal(p.early + p.disorder, 0);
    play_close(&p);
}

static void free_inside(lr_timer *timer, void *user)
{
    one *o = user;

    note_fire(timer, user);
    o->timer = NULL;
    lr_timer_free(timer);
}

static void cancel_and_free_the_next(lr_timer *timer, void *user)
{
    one *o = user;

    note_fire(timer, user);
    lr_timer_cancel(o->p->all[2].timer);
    lr_timer_free(o->p->all[3].timer);
    o->p->all[3].timer = NULL;
}

static void again_twice(lr_timer *timer, void *user)
{
    one *o = user;

    note_fire(timer, user);
    if (o->p->fired < 6)
        set(o, 0); /* in a later turn: everything else goes on */
}

static void set_for_inside(lr_worker *w, void *arg)
{
    set(make(w, arg, 0, free_inside), 2);
    set(make(w, arg, 1, cancel_and_free_the_next), 2);
    set(make(w, arg, 2, note_fire), 2);
    set(make(w, arg, 3, note_fire), 2);
    set(make(w, arg, 4, again_twice), 5);
}

static void a_timer_may_be_freed_set_and_cancelled_inside_any_fire(void **state)
{
    play p;

    play_open(&p, state, NULL);
    live_on_worker(p.workers, 0, set_for_inside, &p);
    assert_true(live_await(&p.events, "4"));
    assert_true(live_await_quiet(&p.events, 20));
    live_expect(&p.events, "0 1 4 4 4 4 ");
    live_on_worker(p.workers, 0, free_all, &p);
    play_close(&p);
}

static void leave_some(lr_worker *w, void *arg)
{
    for (uint32_t i = 0; i < 5; i++)
        set(make(w, arg, i, note_fire), i == 0 ? 0 : 100000);
    (void)make(w, arg, 5, note_fire);
    lr_timer_free(NULL);
}

/* They are freed with the worker, and do not keep it. */
static void timers_that_are_left_over_go_with_their_worker(void **state)
{
    play p;

    play_open(&p, state, NULL);
    live_on_worker(p.workers, 0, leave_some, &p);
    assert_true(live_await(&p.events, "0"));
    play_close(&p);
}

static void free_at_the_end(lr_worker *w, lr_server *s)
{
    lr_timer *late = NULL;
    play *p = lr_server_user(s);

    free_all(w, p);
    live_note(&p->events, "late=%s", lr_status_name(lr_timer_new(w, note_fire, p, &late)));
}

static void start_one(lr_worker *w, lr_server *s)
{
    leave_some(w, lr_server_user(s));
}

static void timers_live_from_on_worker_start_to_on_worker_stop(void **state)
{
    static const lr_handlers handlers = {LR_HANDLERS, .on_worker_start = start_one,
                                         .on_worker_stop = free_at_the_end};
    play p;

    play_open(&p, state, &handlers);
    assert_true(live_await(&p.events, "0"));
    lr_workers_stop(p.workers, LR_NONE);
    assert_true(live_await(&p.events, "late=LR_ESTATE"));
    play_close(&p);
}

typedef struct many {
    play *p;
    lr_timer *timers[MANY];
    uint32_t left;
} many;

static void count_down(lr_timer *timer, void *user)
{
    many *m = user;

    lr_timer_free(timer);
    if (--m->left == 0)
        live_note(&m->p->events, "all");
}

static void set_many(lr_worker *w, void *arg)
{
    many *m = arg;

    m->left = MANY;
    for (uint32_t i = 0; i < MANY; i++) {
        must(lr_timer_new(w, count_down, m, &m->timers[i]));
        lr_timer_set(m->timers[i], i % 300);
    }
}

static void twenty_thousand_timers_fire_once_each(void **state)
{
    many *m = calloc(1, sizeof(*m));
    play p;

    assert_non_null(m);
    m->p = &p;
    play_open(&p, state, NULL);
    live_on_worker(p.workers, 0, set_many, m);
    assert_true(live_await(&p.events, "all"));
    play_close(&p);
    free(m);
}

static void read_clocks(lr_worker *w, void *arg)
{
    uint64_t *clocks = arg;

    clocks[0] = lr_worker_now_ns(w);
    clocks[1] = (uint64_t)lr_worker_wall_ms(w);
}

static void the_clocks_of_a_turn_are_those_of_the_system(void **state)
{
    uint64_t clocks[2], before = live_now_ms();
    struct timespec wall;
    play p;

    play_open(&p, state, NULL);
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    live_on_worker(p.workers, 0, read_clocks, clocks);
    assert_in_range(clocks[0] / 1000000, before, live_now_ms());
    assert_true(clocks[1] + 60000 > (uint64_t)wall.tv_sec * 1000);
    assert_true(clocks[1] < (uint64_t)wall.tv_sec * 1000 + 3600000);
    play_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(timers_fire_in_the_order_of_their_deadlines_and_never_early),
        LIVE_TEST(a_timer_moves_when_it_is_set_again_and_a_cancelled_one_does_not_fire),
        LIVE_TEST(a_timer_may_be_freed_set_and_cancelled_inside_any_fire),
        LIVE_TEST(timers_that_are_left_over_go_with_their_worker),
        LIVE_TEST(timers_live_from_on_worker_start_to_on_worker_stop),
        LIVE_TEST(twenty_thousand_timers_fire_once_each),
        LIVE_TEST(the_clocks_of_a_turn_are_those_of_the_system),
    };

    return LIVE_MAIN(tests);
}
