/* SPDX-License-Identifier: MIT */
/* live_post.c: calls from any thread: to a worker, and to a connection by its name. */
#include "peer.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 4, POSTS = LIVE_SANITIZED ? 5000 : 20000 };

/* What arrives on the worker. Only the worker writes it while it runs. */
typedef struct inbox {
    live_recorder recorder;
    live l;
    lr_conn_id id;                      /* of the last connection that opened */
    uint64_t count, nulls, disorder;    /* of posts that were called */
    uint64_t last[THREADS];             /* number of the last post of each thread */
    _Atomic uint64_t accepted, refused; /* as the posting threads were told */
    _Atomic uint64_t expected;          /* noted when so many have come; 0: never */
    uint64_t per_thread;
} inbox;

/* thread and number in one pointer, so that a post needs no memory of its own. */
static void *pack(uint32_t thread, uint64_t number)
{
    return (void *)(uintptr_t)(number * THREADS + thread);
}

static inbox *the_inbox; /* of the test that runs: an argument would have to be shared */

static void take_in(void *arg)
{
    inbox *in = the_inbox;
    uint32_t thread = (uint32_t)((uintptr_t)arg % THREADS);
    uint64_t number = (uintptr_t)arg / THREADS;

    in->disorder += number <= in->last[thread];
    in->last[thread] = number;
    if (++in->count == in->expected)
        live_note(&in->recorder.events, "all");
}

static void on_post(lr_worker *w, void *arg)
{
    if (w != lr_workers_worker(the_inbox->l.workers, 0))
        the_inbox->disorder++;
    take_in(arg);
}

static void on_conn_post(lr_conn *c, void *arg)
{
    the_inbox->nulls += c == NULL;
    if (c && lr_conn_write(c, LR_LIT("x")) != LR_OK)
        the_inbox->disorder++;
    take_in(arg);
}

static bool post_to_worker(uint32_t thread, void *arg, char *why, size_t cap)
{
    inbox *in = arg;
    lr_worker *w = lr_workers_worker(in->l.workers, 0);

    for (uint64_t i = 1; i <= in->per_thread; i++) {
        lr_status status = lr_worker_post(w, on_post, pack(thread, i));

        if (status == LR_OK) {
            in->accepted++;
        } else if (status == LR_EGONE) {
            in->refused++;
        } else {
            (void)snprintf(why, cap, "%s", lr_status_name(status));
            return false;
        }
    }
    return true;
}

static bool post_to_conn(uint32_t thread, void *arg, char *why, size_t cap)
{
    inbox *in = arg;

    for (uint64_t i = 1; i <= in->per_thread; i++) {
        lr_status status = lr_conn_post(in->id, on_conn_post, pack(thread, i));

        if (status != LR_OK) {
            (void)snprintf(why, cap, "%s", lr_status_name(status));
            return false;
        }
    }
    return true;
}

static void keep_id(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    inbox *in = recorder->arg;

    live_echo(c, hook, bytes);
    if (hook == LIVE_OPEN)
        in->id = lr_conn_id_of(c);
    if (hook == LIVE_OPEN || hook == LIVE_CLOSE)
        live_note(&recorder->events, "found=%d", lr_conn_find(lr_conn_id_of(c)) == c);
    if (hook == LIVE_SECURE)
        live_note(&recorder->events, "known");
}

static void inbox_open(inbox *in, void **state, uint32_t worker_count)
{
    live_plan plan = {.ring = live_ring(state),
                      .user = &in->recorder,
                      .worker_count = worker_count,
                      .plain = true};

    memset(in, 0, sizeof(*in));
    live_recorder_init(&in->recorder);
    in->recorder.act = keep_id;
    in->recorder.arg = in;
    the_inbox = in;
    live_start(&in->l, &plan);
}

static void inbox_close(inbox *in)
{
    live_stop(&in->l, LR_NONE);
    assert_int_equal(in->disorder, 0);
    live_recorder_fini(&in->recorder);
}

static void posts_of_each_thread_arrive_in_their_order_and_none_is_lost(void **state)
{
    char why[240];
    inbox in;

    inbox_open(&in, state, 2);
    in.per_thread = POSTS;
    in.expected = (uint64_t)THREADS * POSTS;
    if (!clients_run(THREADS, post_to_worker, &in, why, sizeof(why)))
        fail_msg("%s", why);
    assert_true(live_await(&in.recorder.events, "all"));
    assert_int_equal(in.refused, 0);
    inbox_close(&in);
    assert_int_equal(in.count, (uint64_t)THREADS * POSTS);
}

typedef struct stopper {
    inbox *in;
    uint64_t after;
} stopper;

static void *stop_meanwhile(void *arg)
{
    stopper *s = arg;

    while (s->in->accepted < s->after)
        (void)sched_yield();
    lr_workers_stop(s->in->l.workers, LR_NONE);
    return NULL;
}

/* What was accepted is called, what was refused is not, wherever the worker ends in between. */
static void what_a_worker_that_ends_has_accepted_is_called(void **state)
{
    for (uint64_t i = 0; i < 10; i++) {
        char why[240];
        pthread_t thread;
        stopper s;
        inbox in;

        inbox_open(&in, state, 1);
        in.per_thread = POSTS / 4;
        s = (stopper){&in, i * 100};
        assert_int_equal(pthread_create(&thread, NULL, stop_meanwhile, &s), 0);
        if (!clients_run(THREADS, post_to_worker, &in, why, sizeof(why)))
            fail_msg("%s", why);
        assert_int_equal(pthread_join(thread, NULL), 0);
        lr_workers_join(in.l.workers);
        assert_int_equal(lr_worker_post(lr_workers_worker(in.l.workers, 0), on_post, pack(0, 1)),
                         LR_EGONE);
        assert_int_equal(in.accepted + in.refused, THREADS * in.per_thread);
        assert_int_equal(in.count, in.accepted);
        inbox_close(&in);
    }
}

static void before_the_start_a_worker_takes_nothing(void **state)
{
    live_plan plan = {.ring = live_ring(state), .worker_count = 2};
    lr_workers *workers = live_workers(&plan);
    lr_conn_id id = {lr_workers_worker(workers, 1), 0, 1}, none = {NULL, 0, 0};

    assert_int_equal(lr_worker_index(lr_workers_worker(workers, 1)), 1);
    assert_null(lr_workers_worker(workers, 2));
    assert_int_equal(lr_worker_post(lr_workers_worker(workers, 0), on_post, NULL), LR_EGONE);
    assert_int_equal(lr_conn_post(id, on_conn_post, NULL), LR_EGONE);
    assert_int_equal(lr_conn_post(none, on_conn_post, NULL), LR_EINVAL);
    assert_null(lr_conn_find(none));
    lr_workers_free(workers);
}

static void posts_to_a_connection_find_it_and_after_its_end_they_get_null(void **state)
{
    uint8_t got[THREADS * POSTS / 10];
    char why[240];
    peer p;
    inbox in;

    inbox_open(&in, state, 1);
    in.per_thread = POSTS / 10;
    in.expected = sizeof(got);
    PEER_MUST(&p, peer_open(&p, in.l.port, true));
    assert_true(live_await(&in.recorder.events, "known"));
    if (!clients_run(THREADS, post_to_conn, &in, why, sizeof(why)))
        fail_msg("%s", why);
    PEER_MUST(&p, peer_read(&p, got, sizeof(got)));
    for (size_t i = 0; i < sizeof(got); i++)
        assert_int_equal(got[i], 'x');
    assert_true(live_await(&in.recorder.events, "all"));
    assert_int_equal(in.nulls, 0);
    peer_close(&p, false);
    assert_true(live_await_counts(&in.recorder.events, 1, 1, 1));
    live_expect(&in.recorder.events, "open found=1 secure known all end close:clean found=1 ");
    live_events_clear(&in.recorder.events);
    memset(in.last, 0, sizeof(in.last));
    in.expected = 2 * sizeof(got);
    if (!clients_run(THREADS, post_to_conn, &in, why, sizeof(why)))
        fail_msg("%s", why);
    assert_true(live_await(&in.recorder.events, "all"));
    assert_int_equal(in.nulls, sizeof(got));
    inbox_close(&in);
}

static void look_up(lr_worker *w, void *arg)
{
    lr_conn_id id = *(const lr_conn_id *)arg;

    (void)w;
    live_note(&the_inbox->recorder.events, "old=%d new=%d", lr_conn_find(id) != NULL,
              lr_conn_find(the_inbox->id) != NULL);
}

static void the_name_of_a_connection_never_names_another(void **state)
{
    lr_conn_id old;
    peer p;
    inbox in;

    inbox_open(&in, state, 1);
    PEER_MUST(&p, peer_open(&p, in.l.port, true));
    assert_true(live_await(&in.recorder.events, "known"));
    old = in.id;
    peer_close(&p, false);
    assert_true(live_await_counts(&in.recorder.events, 1, 1, 1));
    live_events_clear(&in.recorder.events);
    PEER_MUST(&p, peer_open(&p, in.l.port, true));
    assert_true(live_await(&in.recorder.events, "known"));
    assert_int_equal(in.id.slot, old.slot); /* or this shows nothing */
    live_on_worker(in.l.workers, 0, look_up, &old);
    assert_true(live_has(&in.recorder.events, "old=0"));
    assert_true(live_has(&in.recorder.events, "new=1"));
    peer_close(&p, false);
    assert_true(live_await_counts(&in.recorder.events, 2, 2, 2));
    inbox_close(&in);
}

static void post_again(lr_worker *w, void *arg)
{
    inbox *in = arg;

    if (++in->count < 1000 && lr_worker_post(w, post_again, arg) != LR_OK)
        in->disorder++;
    if (in->count == 1000)
        live_note(&in->recorder.events, "all");
}

static void post_for_ever(lr_worker *w, void *arg)
{
    inbox *in = arg;

    in->refused += lr_worker_post(w, post_for_ever, arg) == LR_EGONE;
}

/* Each comes in a later turn, so a worker that posts to itself goes on with everything else. */
static void a_post_may_post_again(void **state)
{
    inbox in;

    inbox_open(&in, state, 1);
    assert_int_equal(lr_worker_post(lr_workers_worker(in.l.workers, 0), post_again, &in), LR_OK);
    assert_true(live_await(&in.recorder.events, "all"));
    assert_int_equal(lr_worker_post(lr_workers_worker(in.l.workers, 0), post_for_ever, &in), LR_OK);
    inbox_close(&in); /* it ends all the same */
    assert_int_equal(in.refused, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(posts_of_each_thread_arrive_in_their_order_and_none_is_lost),
        LIVE_TEST(what_a_worker_that_ends_has_accepted_is_called),
        LIVE_TEST(before_the_start_a_worker_takes_nothing),
        LIVE_TEST(posts_to_a_connection_find_it_and_after_its_end_they_get_null),
        LIVE_TEST(the_name_of_a_connection_never_names_another),
        LIVE_TEST(a_post_may_post_again),
    };

    return LIVE_MAIN(tests);
}
