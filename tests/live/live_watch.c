/* SPDX-License-Identifier: MIT */
/* live_watch.c: descriptors of the program's on a worker's ring. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAIRS = 200, KB = 1024 };

typedef struct play {
    live_events events;
    lr_workers *workers;
    lr_watch *watch;
    int near, far;   /* two ends; the near one is watched */
    unsigned wanted; /* events */
    size_t got;
    bool close_inside;
    lr_status status;
    void (*fn)(lr_watch *watch, int fd, unsigned events, void *user);
} play;

static void play_open(play *p, void **state)
{
    live_plan plan = {.ring = live_ring(state), .worker_count = 1};

    memset(p, 0, sizeof(*p));
    live_events_init(&p->events);
    p->workers = live_workers(&plan);
    p->near = p->far = -1;
    live_run(p->workers);
}

static void play_close(play *p)
{
    lr_workers_stop(p->workers, LR_NONE);
    lr_workers_join(p->workers);
    lr_workers_free(p->workers);
    live_events_fini(&p->events);
    if (p->near >= 0)
        (void)close(p->near);
    if (p->far >= 0)
        (void)close(p->far);
}

static void make_pipe(play *p)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    p->near = ends[0];
    p->far = ends[1];
}

static void make_pair(play *p)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    p->near = ends[0];
    p->far = ends[1];
}

/* Reads until EAGAIN, as the contract asks, and notes what came. */
static void note_events(lr_watch *watch, int fd, unsigned events, void *user)
{
    char bytes[4 * KB];
    play *p = user;
    ssize_t got = 0;

    if (watch != p->watch || fd != p->near)
        live_note(&p->events, "stranger");
    if (events == 0)
        live_note(&p->events, "none");
    if (events & LR_READABLE) {
        while ((got = read(fd, bytes, sizeof(bytes))) > 0) {
            p->got += (size_t)got;
            live_note(&p->events, "%.*s", (int)got, bytes);
        }
    }
    if (events & LR_WRITABLE)
        live_note(&p->events, "writable");
    if (events & LR_HANGUP || (events & LR_READABLE && got == 0))
        live_note(&p->events, "hangup");
    if (p->close_inside) {
        lr_watch_close(watch);
        p->watch = NULL;
        (void)close(p->near); /* at once */
        p->near = -1;
    }
}

static void begin(lr_worker *w, void *arg)
{
    play *p = arg;

    p->status = lr_worker_watch_fd(w, p->near, p->wanted ? p->wanted : LR_READABLE,
                                   p->fn ? p->fn : note_events, p, &p->watch);
}

static void end(lr_worker *w, void *arg)
{
    play *p = arg;

    (void)w;
    lr_watch_close(p->watch);
    p->watch = NULL;
}

static void say(play *p, const char *text)
{
    assert_int_equal(write(p->far, text, strlen(text)), strlen(text));
}

static void a_pipe_is_told_of_each_news_and_of_its_end(void **state)
{
    play p;

    play_open(&p, state);
    make_pipe(&p);
    say(&p, "before"); /* ready when it begins */
    live_on_worker(p.workers, 0, begin, &p);
    assert_int_equal(p.status, LR_OK);
    assert_true(live_await(&p.events, "before"));
    say(&p, "one");
    assert_true(live_await(&p.events, "one"));
    say(&p, "two");
    assert_true(live_await(&p.events, "two"));
    (void)close(p.far);
    p.far = -1;
    assert_true(live_await(&p.events, "hangup"));
    live_on_worker(p.workers, 0, end, &p);
    assert_false(live_has(&p.events, "writable"));
    assert_false(live_has(&p.events, "stranger"));
    play_close(&p);
}

static void a_socket_is_told_when_it_may_be_written_again(void **state)
{
    char block[64 * KB] = {0};
    play p;

    play_open(&p, state);
    make_pair(&p);
    p.wanted = LR_READABLE | LR_WRITABLE;
    live_on_worker(p.workers, 0, begin, &p);
    assert_true(live_await(&p.events, "writable"));
    live_on_worker(p.workers, 0, end, &p);
    live_events_clear(&p.events);
    while (write(p.near, block, sizeof(block)) > 0)
        ;
    assert_int_equal(errno, EAGAIN);
    p.wanted = LR_WRITABLE;
    live_on_worker(p.workers, 0, begin, &p);
    assert_true(live_await_quiet(&p.events, 50));
    live_expect(&p.events, "");
    while (read(p.far, block, sizeof(block)) > 0)
        ;
    assert_true(live_await(&p.events, "writable"));
    live_on_worker(p.workers, 0, end, &p);
    play_close(&p);
}

static void a_watch_and_its_descriptor_may_be_closed_inside_its_fn(void **state)
{
    for (int i = 0; i < 20; i++) { /* the numbers are used again at once */
        play p;

        play_open(&p, state);
        if (i % 2 != 0)
            make_pipe(&p);
        else
            make_pair(&p);
        p.close_inside = true;
        live_on_worker(p.workers, 0, begin, &p);
        say(&p, "word");
        assert_true(live_await(&p.events, "word"));
        play_close(&p);
    }
}

/* Begins, closes, and gives the number to another descriptor that is ready: nobody must hear. */
static void begin_and_close(lr_worker *w, void *arg)
{
    play *p = arg;
    int other;

    begin(w, arg);
    end(w, arg);
    (void)close(p->near);
    other = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (other != p->near)
        live_note(&p->events, "another_number"); /* or this shows nothing */
    p->near = other;
}

static void
a_watch_that_is_closed_at_once_says_nothing_of_the_number_that_is_used_again(void **state)
{
    play p;

    play_open(&p, state);
    make_pipe(&p);
    live_on_worker(p.workers, 0, begin_and_close, &p);
    assert_true(live_await_quiet(&p.events, 50));
    live_expect(&p.events, "");
    live_on_worker(p.workers, 0, begin, &p); /* the same number, another file */
    assert_int_equal(p.status, LR_OK);
    assert_true(live_await_quiet(&p.events, 50));
    assert_true(p.got == 8); /* what an eventfd gives */
    live_on_worker(p.workers, 0, end, &p);
    play_close(&p);
}

static void a_file_cannot_be_waited_for_and_is_told_as_nothing_once(void **state)
{
    play p;

    play_open(&p, state);
    p.near = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_true(p.near >= 0);
    live_on_worker(p.workers, 0, begin, &p);
    assert_int_equal(p.status, LR_OK);
    assert_true(live_await(&p.events, "none"));
    assert_true(live_await_quiet(&p.events, 50));
    live_expect(&p.events, "none ");
    live_on_worker(p.workers, 0, end, &p);
    play_close(&p);
}

static void a_watch_that_is_left_over_goes_with_its_worker(void **state)
{
    play p;

    play_open(&p, state);
    make_pipe(&p);
    live_on_worker(p.workers, 0, begin, &p);
    say(&p, "word");
    assert_true(live_await(&p.events, "word"));
    play_close(&p);
}

typedef struct ring_of_pairs {
    play p;
    lr_watch *watches[PAIRS];
    int pairs[PAIRS][2];
    uint32_t hops;
} ring_of_pairs;

/* What comes on one pair goes out on the next, five times round. */
static void pass_on(lr_watch *watch, int fd, unsigned events, void *user)
{
    ring_of_pairs *r = user;
    char byte;

    (void)events;
    for (uint32_t i = 0; i < PAIRS; i++) {
        if (r->watches[i] != watch)
            continue;
        while (read(fd, &byte, 1) == 1) {
            if (++r->hops == 5 * PAIRS)
                live_note(&r->p.events, "round");
            else if (write(r->pairs[(i + 1) % PAIRS][1], &byte, 1) != 1)
                live_note(&r->p.events, "full");
        }
        return;
    }
    live_note(&r->p.events, "stranger");
}

static void begin_all(lr_worker *w, void *arg)
{
    ring_of_pairs *r = arg;

    for (uint32_t i = 0; i < PAIRS; i++) {
        if (lr_worker_watch_fd(w, r->pairs[i][0], LR_READABLE, pass_on, r, &r->watches[i]) != LR_OK)
            live_note(&r->p.events, "refused");
    }
}

static void end_all(lr_worker *w, void *arg)
{
    ring_of_pairs *r = arg;

    (void)w;
    for (uint32_t i = 0; i < PAIRS; i++)
        lr_watch_close(r->watches[i]);
}

static void two_hundred_descriptors_are_watched_at_once(void **state)
{
    ring_of_pairs *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    play_open(&r->p, state);
    for (uint32_t i = 0; i < PAIRS; i++)
        assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, r->pairs[i]), 0);
    live_on_worker(r->p.workers, 0, begin_all, r);
    assert_int_equal(write(r->pairs[0][1], "x", 1), 1);
    assert_true(live_await(&r->p.events, "round"));
    live_on_worker(r->p.workers, 0, end_all, r);
    live_expect(&r->p.events, "round ");
    for (uint32_t i = 0; i < PAIRS; i++) {
        (void)close(r->pairs[i][0]);
        (void)close(r->pairs[i][1]);
    }
    play_close(&r->p);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(a_pipe_is_told_of_each_news_and_of_its_end),
        LIVE_TEST(a_socket_is_told_when_it_may_be_written_again),
        LIVE_TEST(a_watch_and_its_descriptor_may_be_closed_inside_its_fn),
        LIVE_TEST(a_watch_that_is_closed_at_once_says_nothing_of_the_number_that_is_used_again),
        LIVE_TEST(a_file_cannot_be_waited_for_and_is_told_as_nothing_once),
        LIVE_TEST(a_watch_that_is_left_over_goes_with_its_worker),
        LIVE_TEST(two_hundred_descriptors_are_watched_at_once),
    };

    return LIVE_MAIN(tests);
}
