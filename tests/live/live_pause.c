/* SPDX-License-Identifier: MIT */
/* live_pause.c: connections that do not read for a while. */
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KB = 1024, MB = 1024 * KB, SEED = 11 };

typedef struct play {
    live_recorder recorder;
    live l;
    peer p;
    lr_conn_id id;
    live_hook at;  /* pauses in this hook */
    size_t got;    /* bytes of the pattern that came */
    size_t before; /* of them, when it was paused */
    bool wrong, paused;
    uint64_t dice;
    lr_timer *timer;
} play;

static void play_open(play *p, void **state, bool plain, uint32_t idle_ms,
                      void (*act)(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *r))
{
    live_plan plan = {.ring = live_ring(state),
                      .user = &p->recorder,
                      .worker_count = 1,
                      .idle_timeout_ms = idle_ms,
                      .plain = plain};

    live_recorder_init(&p->recorder);
    p->recorder.act = act;
    p->recorder.arg = p;
    p->dice = SEED;
    live_start(&p->l, &plan);
    PEER_MUST(&p->p, peer_open(&p->p, p->l.port, plain));
}

static void play_close(play *p)
{
    peer_close(&p->p, false);
    assert_true(live_await_counts(&p->recorder.events, 1, 1, 1));
    assert_false(p->wrong);
    live_stop(&p->l, LR_NONE);
    live_recorder_fini(&p->recorder);
}

static void take_in(play *p, lr_slice bytes)
{
    if (bytes.len == 0) /* in other hooks, while the test looks at what came */
        return;
    p->wrong |= !pattern_fits(SEED, p->got, bytes.bytes, bytes.len);
    p->got += bytes.len;
}

static void pause_now(lr_conn *c, play *p)
{
    p->before = p->got;
    p->paused = true;
    lr_conn_pause(c);
    live_note(&p->recorder.events, "paused");
}

/* Reads, and pauses in one of the hooks. */
static void pause_once(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    play *p = recorder->arg;

    if (hook == LIVE_OPEN)
        p->id = lr_conn_id_of(c);
    take_in(p, bytes);
    if (hook == p->at && !p->paused)
        pause_now(c, p);
    if (hook == LIVE_END)
        lr_conn_end(c);
}

static void resume(lr_conn *c, void *arg)
{
    play *p = arg;
    size_t meanwhile = p->got - p->before;

    /* One record that was being delivered, or one buffer of a plain connection. */
    live_note(&p->recorder.events, "meanwhile=%s", meanwhile <= 17408 ? "little" : "much");
    /* What the ring had received before it heard of the pause: its pool at the most. */
    if (lr_conn_byte_counts(c).wire_in > p->before + 256 * 17408)
        live_note(&p->recorder.events, "greedy");
    live_note(&p->recorder.events, "resumed");
    lr_conn_resume(c);
}

typedef struct writer {
    peer *p;
    size_t len;
    bool ok;
} writer;

static void *write_all(void *arg)
{
    writer *w = arg;
    uint8_t bytes[16 * KB];

    w->ok = true;
    for (size_t at = 0; w->ok && at < w->len; at += sizeof(bytes)) {
        pattern_fill(SEED, at, bytes, sizeof(bytes));
        w->ok = peer_write(w->p, bytes, sizeof(bytes));
    }
    w->ok = w->ok && peer_end_write(w->p);
    return NULL;
}

/* What comes while it is paused waits in the kernel, most of it with the peer; nothing is lost. */
static void pause_case(void **state, live_hook at, bool plain, size_t len)
{
    play *p = calloc(1, sizeof(*p));
    pthread_t thread;
    writer w;

    assert_non_null(p);
    p->at = at;
    play_open(p, state, plain, 0, pause_once);
    w = (writer){.p = &p->p, .len = len};
    assert_int_equal(pthread_create(&thread, NULL, write_all, &w), 0);
    assert_true(live_await(&p->recorder.events, "paused"));
    assert_true(live_await_quiet(&p->recorder.events, 100));
    assert_false(live_has(&p->recorder.events, "end"));
    assert_int_equal(lr_conn_post(p->id, resume, p), LR_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    if (!w.ok)
        fail_msg("%s", p->p.tls.why);
    assert_int_equal(peer_read_end(&p->p), TLS_END_NOTIFY);
    assert_true(live_await_counts(&p->recorder.events, 1, 1, 1));
    assert_true(live_has(&p->recorder.events, "close:clean"));
    assert_true(live_has(&p->recorder.events, "meanwhile=little"));
    assert_false(live_has(&p->recorder.events, "greedy"));
    assert_true(live_has(&p->recorder.events, "end"));
    assert_int_equal(p->got, len);
    play_close(p);
    free(p);
}

static void live_S59_what_comes_in_a_pause_waits_in_the_kernel_and_nothing_is_lost(void **state)
{
    const live_hook hooks[] = {LIVE_OPEN, LIVE_SECURE, LIVE_DATA};

    for (size_t i = 0; i < 2 * LIVE_COUNT_OF(hooks); i++) {
        pause_case(state, hooks[i / 2], i % 2 != 0, 12 * MB);
        if (hooks[i / 2] != LIVE_DATA)
            pause_case(state, hooks[i / 2], i % 2 != 0, 0); /* the end alone */
    }
}

/* A message and the end behind it. */
static void the_end_of_the_peer_is_seen_after_the_resume(void **state)
{
    for (int plain = 0; plain < 2; plain++)
        pause_case(state, LIVE_DATA, plain != 0, 16 * KB);
}

static void on_time(lr_timer *timer, void *user)
{
    (void)timer;
    lr_conn_resume(user);
}

/* Pauses and resumes again and again, at once or a little later. */
static void pause_often(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    play *p = recorder->arg;
    uint64_t dice = random_below(&p->dice, 8);

    take_in(p, bytes);
    if (hook == LIVE_OPEN && lr_timer_new(lr_conn_worker(c), on_time, c, &p->timer) != LR_OK)
        abort();
    if (hook == LIVE_OPEN)
        lr_conn_resume(c); /* of one that is not paused */
    if (hook == LIVE_DATA && dice != 0) {
        lr_conn_pause(c);
        lr_conn_pause(c); /* counts once */
        if (dice < 3)
            lr_conn_resume(c);
        else
            lr_timer_set(p->timer, dice < 6 ? 0 : 1);
    }
    if (hook == LIVE_DATA)
        p->wrong |= lr_conn_write(c, bytes) != LR_OK;
    if (hook == LIVE_END)
        lr_conn_end(c);
    if (hook == LIVE_CLOSE)
        lr_timer_free(p->timer);
}

static void pausing_often_changes_nothing_of_what_is_read(void **state)
{
    for (int plain = 0; plain < 2; plain++) {
        const size_t total = 2 * MB;
        play *p = calloc(1, sizeof(*p));
        uint8_t got[16 * KB];
        pthread_t thread;
        writer w;

        assert_non_null(p);
        p->recorder.quiet = true;
        play_open(p, state, plain != 0, 0, pause_often);
        p->recorder.quiet = true;
        w = (writer){.p = &p->p, .len = plain ? total : 64 * KB};
        /* OpenSSL's object is not for two threads: over TLS as much as the kernel holds. */
        assert_int_equal(pthread_create(&thread, NULL, write_all, &w), 0);
        if (!plain)
            assert_int_equal(pthread_join(thread, NULL), 0);
        for (size_t at = 0; at < w.len; at += sizeof(got)) {
            PEER_MUST(&p->p, peer_read(&p->p, got, sizeof(got)));
            assert_true(pattern_fits(SEED, at, got, sizeof(got)));
        }
        if (plain)
            assert_int_equal(pthread_join(thread, NULL), 0);
        assert_true(w.ok);
        assert_int_equal(peer_read_end(&p->p), TLS_END_NOTIFY);
        assert_true(live_await_counts(&p->recorder.events, 1, 1, 1));
        assert_int_equal(p->got, w.len);
        play_close(p);
        free(p);
    }
}

/* Pauses, and then ends or aborts although nothing was resumed. */
static void pause_and_go(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    play *p = recorder->arg;

    (void)bytes;
    if (hook != LIVE_SECURE)
        return;
    pause_now(c, p);
    if (lr_conn_write(c, LR_LIT("bye")) != LR_OK)
        p->wrong = true;
    if (p->at == LIVE_END)
        lr_conn_end(c);
    else if (p->at == LIVE_CLOSE)
        lr_conn_abort(c, LR_OK);
}

static void a_paused_connection_may_be_ended_and_aborted(void **state)
{
    for (int i = 0; i < 4; i++) {
        play *p = calloc(1, sizeof(*p));
        char got[3];

        assert_non_null(p);
        p->at = i < 2 ? LIVE_END : LIVE_CLOSE;
        play_open(p, state, i % 2 != 0, 0, pause_and_go);
        (void)peer_write(&p->p, "unread", 6); /* the abort may have come before it */
        if (i < 2) {
            PEER_MUST(&p->p, peer_read(&p->p, got, 3));
            assert_int_equal(peer_read_end(&p->p), TLS_END_NOTIFY);
            PEER_MUST(&p->p, peer_end_write(&p->p));
        }
        peer_close(&p->p, false);
        assert_true(live_await_counts(&p->recorder.events, 1, 1, 1));
        live_expect(&p->recorder.events, i < 2 ? "open secure paused close:clean "
                                               : "open secure paused close:LR_EABORTED ");
        play_close(p);
        free(p);
    }
}

static void a_paused_connection_is_cut_by_the_idle_timeout_and_by_a_drain(void **state)
{
    for (int i = 0; i < 4; i++) {
        play *p = calloc(1, sizeof(*p));
        bool idle = i < 2;
        char got[3];

        assert_non_null(p);
        play_open(p, state, i % 2 != 0, idle ? 100 : 0, pause_and_go);
        PEER_MUST(&p->p, peer_read(&p->p, got, 3));
        PEER_MUST(&p->p, peer_write(&p->p, "unread", 6));
        if (!idle)
            lr_server_drain(p->l.server, 50);
        assert_int_equal(peer_read_end(&p->p), idle ? TLS_END_NOTIFY : TLS_END_RESET);
        peer_close(&p->p, false);
        assert_true(live_await_counts(&p->recorder.events, 1, 1, 1));
        live_expect(&p->recorder.events,
                    idle ? "open secure paused close:LR_EIDLE_TIMEOUT "
                         : "open secure paused server_drain close:LR_EDRAIN_TIMEOUT ");
        play_close(p);
        free(p);
    }
}

/* Writes a megabyte, which stops the reading too, and pauses: either alone keeps it stopped. */
static void fill_and_pause(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    play *p = recorder->arg;

    take_in(p, bytes);
    if (hook == LIVE_SECURE) {
        uint8_t *block = calloc(1, MB);

        p->id = lr_conn_id_of(c);
        p->wrong |= !block || lr_conn_write(c, lr_slice_of(block, MB)) != LR_OK;
        free(block);
        lr_conn_pause(c);
    }
    if (hook == LIVE_END)
        lr_conn_end(c);
}

static void draining_the_queue_does_not_resume_what_the_program_paused(void **state)
{
    for (int plain = 0; plain < 2; plain++) {
        play *p = calloc(1, sizeof(*p));
        uint8_t *got = malloc(MB), sent[1000];

        assert_true(p && got);
        pattern_fill(SEED, 0, sent, sizeof(sent));
        play_open(p, state, plain != 0, 0, fill_and_pause);
        PEER_MUST(&p->p, peer_write(&p->p, sent, sizeof(sent)));
        PEER_MUST(&p->p, peer_read(&p->p, got, MB));
        assert_true(live_await(&p->recorder.events, "drain"));
        assert_true(live_await_quiet(&p->recorder.events, 50));
        live_expect(&p->recorder.events, "open secure drain ");
        assert_int_equal(lr_conn_post(p->id, resume, p), LR_OK);
        assert_true(live_await(&p->recorder.events, "data:1000"));
        PEER_MUST(&p->p, peer_end_write(&p->p));
        assert_int_equal(peer_read_end(&p->p), TLS_END_NOTIFY);
        play_close(p);
        free(got);
        free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S59_what_comes_in_a_pause_waits_in_the_kernel_and_nothing_is_lost),
        LIVE_TEST(the_end_of_the_peer_is_seen_after_the_resume),
        LIVE_TEST(pausing_often_changes_nothing_of_what_is_read),
        LIVE_TEST(a_paused_connection_may_be_ended_and_aborted),
        LIVE_TEST(a_paused_connection_is_cut_by_the_idle_timeout_and_by_a_drain),
        LIVE_TEST(draining_the_queue_does_not_resume_what_the_program_paused),
    };

    return LIVE_MAIN(tests);
}
