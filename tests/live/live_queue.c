/* SPDX-License-Identifier: MIT */
/* live_queue.c: writes that are copied, borrowed and streamed: their order, the rule of writing,
 * and that every owner is told exactly once, whatever becomes of the connection. */
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KB = 1024, MB = 1024 * KB, SEED = 7, PULL_MAX = 16384 };

/* One play: a server on one worker, and a peer that the test drives. */
typedef struct play {
    live_recorder recorder;
    live l;
    peer p;
    void (*step)(lr_conn *c, live_hook hook, lr_slice bytes, struct play *play);
    uint8_t *bytes; /* of the pattern, as many as the test asked for */
    int released, done;
    size_t at;    /* how much of the pattern was handed over */
    size_t total; /* of the pattern, to be handed over */
    uint64_t dice;
    lr_timer *timer;
    int64_t answer; /* of a pull, where the test wants one */
    size_t pulls;
} play;

static void act(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    play *p = recorder->arg;

    p->step(c, hook, bytes, p);
}

typedef struct scene {
    void (*step)(lr_conn *c, live_hook hook, lr_slice bytes, play *play);
    size_t pattern; /* bytes of it that are there to be written */
    bool plain;
    uint32_t idle_ms;
    int64_t answer;
} scene;

static void play_open(play *p, void **state, const scene *as)
{
    live_plan plan = {.ring = live_ring(state),
                      .user = &p->recorder,
                      .worker_count = 1,
                      .idle_timeout_ms = as->idle_ms,
                      .plain = as->plain};

    memset(p, 0, sizeof(*p));
    p->answer = as->answer;
    p->total = as->pattern;
    live_recorder_init(&p->recorder);
    p->recorder.act = act;
    p->recorder.arg = p;
    p->step = as->step;
    p->dice = SEED;
    p->bytes = malloc(p->total + 1);
    assert_non_null(p->bytes);
    pattern_fill(SEED, 0, p->bytes, p->total);
    live_start(&p->l, &plan);
    PEER_MUST(&p->p, peer_open(&p->p, p->l.port, as->plain));
}

/* The peer ends, the connection closes, everything goes. */
static void play_close(play *p, const char *events)
{
    peer_close(&p->p, false);
    assert_true(live_await_counts(&p->recorder.events, 1, 1, 1));
    if (events)
        live_expect(&p->recorder.events, events);
    live_stop(&p->l, LR_NONE);
    live_recorder_fini(&p->recorder);
    free(p->bytes);
}

static void read_pattern(play *p, size_t at, size_t len)
{
    uint8_t got[64 * KB];

    for (size_t end = at + len; at < end;) {
        size_t part = end - at < sizeof(got) ? end - at : sizeof(got);

        PEER_MUST(&p->p, peer_read(&p->p, got, part));
        assert_true(pattern_fits(SEED, at, got, part));
        at += part;
    }
}

static void note_release(void *arg)
{
    play *p = arg;

    p->released++;
    live_note(&p->recorder.events, "released");
}

static void note_done(lr_conn *c, lr_status status, void *arg)
{
    play *p = arg;

    (void)c;
    p->done++;
    live_note(&p->recorder.events, "done:%s", lr_status_name(status));
}

static void note_write(play *p, const char *what, lr_status status)
{
    live_note(&p->recorder.events, "%s=%s", what, lr_status_name(status));
}

static int64_t pull_nothing(lr_conn *c, void *out, size_t cap, void *arg)
{
    (void)c;
    (void)out;
    (void)cap;
    (void)arg;
    return LR_EAGAIN;
}

/* Everything mixed. */

typedef struct piece {
    play *p;
    uint8_t *block;
    size_t left, at;
} piece;

static piece *piece_new(play *p, size_t len)
{
    piece *one = calloc(1, sizeof(*one));

    if (!one)
        abort();
    one->p = p;
    one->left = len;
    one->at = p->at;
    p->at += len;
    return one;
}

static void release_piece(void *arg)
{
    piece *one = arg;

    one->p->released--;
    free(one->block); /* a later use of it is an error of its own under ASan */
    free(one);
}

static void done_piece(lr_conn *c, lr_status status, void *arg)
{
    piece *one = arg;

    if (status != LR_OK || one->left != 0)
        live_note(&one->p->recorder.events, "cut");
    one->p->done--;
    lr_conn_source_ready(c); /* harmless */
    free(one);
}

static void on_ready(lr_timer *timer, void *user)
{
    (void)timer;
    lr_conn_source_ready(user);
}

static int64_t pull_piece(lr_conn *c, void *out, size_t cap, void *arg)
{
    piece *one = arg;
    uint64_t dice = random_below(&one->p->dice, 100);
    size_t len = 1 + random_below(&one->p->dice, cap);

    if (cap > PULL_MAX || cap == 0)
        live_note(&one->p->recorder.events, "cap:%zu", cap);
    if (dice < 10) {
        lr_timer_set(one->p->timer, (uint32_t)(dice % 3));
        return LR_EAGAIN;
    }
    if (dice < 15)
        lr_conn_source_ready(c);
    if (dice >= 15 && dice < 30)
        len = 1;
    len = len < one->left ? len : one->left;
    pattern_fill(SEED, one->at, out, len);
    one->at += len;
    one->left -= len;
    return (int64_t)len;
}

static lr_status give_taken(lr_conn *c, play *p, size_t len)
{
    piece *one = piece_new(p, len);
    lr_status status;

    one->block = malloc(len + 1);
    if (!one->block)
        abort();
    pattern_fill(SEED, one->at, one->block, len);
    p->released++;
    status = lr_conn_write_take(c, lr_slice_of(one->block, len), release_piece, one);
    if (status != LR_OK) {
        p->at = one->at;
        release_piece(one);
    }
    return status;
}

static lr_status give_stream(lr_conn *c, play *p, size_t len)
{
    piece *one = piece_new(p, len);
    lr_source source = {pull_piece, done_piece, one};
    lr_status status;

    p->done++;
    status = lr_conn_write_source(c, &source);
    if (status != LR_OK) {
        p->at = one->at;
        p->done--;
        free(one);
    }
    return status;
}

static lr_status give_copied(lr_conn *c, play *p, size_t len)
{
    const uint8_t *at = p->bytes + p->at;
    lr_slice three[3] = {lr_slice_of(at, len / 3), lr_slice_of(at + len / 3, 0),
                         lr_slice_of(at + len / 3, len - len / 3)};
    lr_status status;

    if (random_below(&p->dice, 2) == 0)
        status = lr_conn_write(c, lr_slice_of(at, len));
    else
        status = lr_conn_writev(c, three, 3);
    if (status == LR_OK)
        p->at += len;
    return status;
}

/* Gives pieces until no more is taken, and ends behind the last. */
static void give_on(lr_conn *c, play *p)
{
    while (p->at < p->total) {
        size_t len = random_below(&p->dice, random_below(&p->dice, 4) == 0 ? 100000 : 3000);
        lr_status status;

        len = len < p->total - p->at ? len : p->total - p->at;
        switch (random_below(&p->dice, 4)) {
        case 0:
            status = give_taken(c, p, len);
            break;
        case 1:
            status = give_stream(c, p, len);
            break;
        default:
            status = give_copied(c, p, len);
            break;
        }
        if (status == LR_EAGAIN)
            return;
        if (status != LR_OK)
            live_note(&p->recorder.events, "%s", lr_status_name(status));
    }
    lr_conn_end(c);
}

static void step_mixed(lr_conn *c, live_hook hook, lr_slice bytes, play *p)
{
    (void)bytes;
    if (hook == LIVE_SECURE) {
        if (lr_timer_new(lr_conn_worker(c), on_ready, c, &p->timer) != LR_OK)
            abort();
        give_on(c, p);
    } else if (hook == LIVE_DRAIN) {
        give_on(c, p);
    } else if (hook == LIVE_CLOSE) {
        if (p->released != 0 || p->done != 0)
            live_note(&p->recorder.events, "not_all_was_given_back");
        if (lr_conn_byte_counts(c).app_out != p->total)
            live_note(&p->recorder.events, "app_out:%llu",
                      (unsigned long long)lr_conn_byte_counts(c).app_out);
        lr_timer_free(p->timer);
    }
}

static void live_S59_what_was_written_in_any_way_arrives_in_its_order(void **state)
{
    const size_t totals[] = {0, 1, 100000, 3 * MB};

    for (size_t i = 0; i < 2 * LIVE_COUNT_OF(totals); i++) {
        scene mixed = {.step = step_mixed, .pattern = totals[i / 2], .plain = i % 2 != 0};
        play p;

        play_open(&p, state, &mixed);
        read_pattern(&p, 0, mixed.pattern);
        assert_int_equal(peer_read_end(&p.p), TLS_END_NOTIFY);
        peer_close(&p.p, false);
        assert_true(live_await_counts(&p.recorder.events, 1, 1, 1));
        assert_null(strstr(p.recorder.events.text, "cut"));
        assert_null(strstr(p.recorder.events.text, "not_all"));
        assert_null(strstr(p.recorder.events.text, "app_out"));
        assert_null(strstr(p.recorder.events.text, "cap:"));
        assert_null(strstr(p.recorder.events.text, "LR_"));
        play_close(&p, NULL);
    }
}

/* Borrowed bytes. */

static void step_take_nothing(lr_conn *c, live_hook hook, lr_slice bytes, play *p)
{
    static const uint8_t none[1];

    (void)bytes;
    if (hook != LIVE_SECURE)
        return;
    note_write(p, "0", lr_conn_write_take(c, lr_slice_of(none, 0), note_release, p));
    note_write(p, "null", lr_conn_write_take(c, lr_slice_of(NULL, 0), NULL, NULL));
    lr_conn_end(c);
}

static void a_borrowed_nothing_is_released_inside_the_call(void **state)
{
    for (int plain = 0; plain < 2; plain++) {
        play p;

        play_open(&p, state, &(scene){.step = step_take_nothing, .plain = plain != 0});
        assert_int_equal(peer_read_end(&p.p), TLS_END_NOTIFY);
        play_close(&p, "open secure released 0=LR_OK null=LR_OK close:clean ");
    }
}

static void step_take_much(lr_conn *c, live_hook hook, lr_slice bytes, play *p)
{
    lr_source source = {pull_nothing, note_done, p};

    (void)bytes;
    if (hook == LIVE_SECURE) {
        note_write(p, "take",
                   lr_conn_write_take(c, lr_slice_of(p->bytes, p->total), note_release, p));
        live_note(&p->recorder.events, "queued=%d", lr_conn_queued(c) == p->total);
        note_write(p, "write", lr_conn_write(c, lr_slice_of(p->bytes, 1)));
        note_write(p, "writev", lr_conn_writev(c, &(lr_slice){p->bytes, 1}, 1));
        note_write(p, "take", lr_conn_write_take(c, lr_slice_of(p->bytes, 1), note_release, p));
        note_write(p, "source", lr_conn_write_source(c, &source));
    } else if (hook == LIVE_DRAIN) {
        live_note(&p->recorder.events, "queued<64KB=%d", lr_conn_queued(c) < 64 * KB);
        note_write(p, "write", lr_conn_write(c, lr_slice_of(p->bytes, 1)));
        lr_conn_end(c);
    }
}

static void
a_hundred_megabytes_may_be_borrowed_and_nothing_else_is_taken_until_they_are_gone(void **state)
{
    for (int plain = 0; plain < 2; plain++) {
        scene much = {.step = step_take_much, .pattern = 100 * MB, .plain = plain != 0};
        uint8_t last;
        play p;

        play_open(&p, state, &much);
        read_pattern(&p, 0, much.pattern);
        PEER_MUST(&p.p, peer_read(&p.p, &last, 1));
        assert_int_equal(last, p.bytes[0]);
        assert_int_equal(peer_read_end(&p.p), TLS_END_NOTIFY);
        play_close(&p, "open secure take=LR_OK queued=1 write=LR_EAGAIN writev=LR_EAGAIN "
                       "take=LR_EAGAIN source=LR_EAGAIN released drain queued<64KB=1 write=LR_OK "
                       "close:clean ");
    }
}

/* Streams. */

static int64_t pull_total(lr_conn *c, void *out, size_t cap, void *arg)
{
    play *p = arg;
    size_t len = p->answer > 0 ? (size_t)p->answer : cap;

    (void)c;
    p->pulls++;
    len = len < p->total - p->at ? len : p->total - p->at;
    memcpy(out, p->bytes + p->at, len);
    p->at += len;
    return (int64_t)len;
}

static lr_status write_source(lr_conn *c, play *p,
                              int64_t (*pull)(lr_conn *c, void *out, size_t cap, void *arg))
{
    lr_source source = {pull, note_done, p};

    return lr_conn_write_source(c, &source);
}

static void step_stream(lr_conn *c, live_hook hook, lr_slice bytes, play *p)
{
    (void)bytes;
    if (hook == LIVE_SECURE) {
        note_write(p, "source", write_source(c, p, pull_total));
        live_note(&p->recorder.events, "queued=%zu", lr_conn_queued(c));
        lr_conn_end(c);
        note_write(p, "source", write_source(c, p, pull_total));
    }
}

static void a_stream_is_sent_whole_although_the_connection_was_ended_behind_it(void **state)
{
    const size_t pulls[] = {0, 1, 1000, 16384};

    for (size_t i = 0; i < 2 * LIVE_COUNT_OF(pulls); i++) {
        scene stream = {.step = step_stream,
                        .answer = (int64_t)pulls[i / 2],
                        .pattern = pulls[i / 2] == 1 ? 20000 : 2 * MB + 11,
                        .plain = i % 2 != 0};
        play p;

        play_open(&p, state, &stream);
        read_pattern(&p, 0, stream.pattern);
        assert_int_equal(peer_read_end(&p.p), TLS_END_NOTIFY);
        play_close(&p, "open secure source=LR_OK queued=0 source=LR_ECLOSED done:LR_OK "
                       "close:clean ");
    }
}

/* Answers as the test says on its second call; the first gives three bytes. */
static int64_t pull_and_stop(lr_conn *c, void *out, size_t cap, void *arg)
{
    play *p = arg;

    (void)cap;
    if (p->pulls++ == 0) {
        memcpy(out, "abc", 3);
        return 3;
    }
    live_note(&p->recorder.events, "pull");
    if (p->answer == LR_EABORTED)
        lr_conn_abort(c, LR_OK);
    return p->answer;
}

static void step_stop(lr_conn *c, live_hook hook, lr_slice bytes, play *p)
{
    (void)bytes;
    if (hook == LIVE_SECURE) {
        note_write(p, "source", write_source(c, p, pull_and_stop));
        note_write(p, "write", lr_conn_write(c, LR_LIT("behind")));
        note_write(p, "take", lr_conn_write_take(c, LR_LIT("behind"), note_release, p));
    }
}

static void a_stream_that_fails_ends_the_connection_with_its_reason(void **state)
{
    const struct {
        int64_t answer;
        const char *close;
    } cases[] = {{LR_EFILE, "LR_EFILE"}, {LR_ETLS, "LR_ETLS"}, {LR_EABORTED, "LR_EABORTED"}};

    for (size_t i = 0; i < 2 * LIVE_COUNT_OF(cases); i++) {
        scene failing = {.step = step_stop, .answer = cases[i / 2].answer, .plain = i % 2 != 0};
        char expected[200];
        size_t len;
        play p;

        play_open(&p, state, &failing);
        assert_int_equal(peer_skip_to_end(&p.p, &len), TLS_END_RESET);
        assert_true(len <= 3); /* nothing from behind the stream */
        (void)snprintf(expected, sizeof(expected),
                       "open secure source=LR_OK write=LR_OK take=LR_OK pull done:LR_ECLOSED "
                       "released close:%s ",
                       cases[i / 2].close);
        play_close(&p, expected);
    }
}

/* Does everything from inside its pulls. */
static int64_t pull_and_act(lr_conn *c, void *out, size_t cap, void *arg)
{
    play *p = arg;

    (void)cap;
    switch (p->pulls++) {
    case 0:
        lr_conn_source_ready(c); /* it has not answered LR_EAGAIN yet: harmless */
        note_write(p, "write", lr_conn_write(c, LR_LIT("3")));
        lr_timer_set(p->timer, 0);
        return LR_EAGAIN;
    case 1:
        lr_conn_pause(c);
        lr_conn_resume(c);
        lr_conn_end(c);
        note_write(p, "write", lr_conn_write(c, LR_LIT("never")));
        memcpy(out, "2", 1);
        return 1;
    default:
        return 0;
    }
}

static void step_act(lr_conn *c, live_hook hook, lr_slice bytes, play *p)
{
    (void)bytes;
    if (hook == LIVE_SECURE) {
        if (lr_timer_new(lr_conn_worker(c), on_ready, c, &p->timer) != LR_OK)
            abort();
        note_write(p, "write", lr_conn_write(c, LR_LIT("1")));
        note_write(p, "source", write_source(c, p, pull_and_act));
    } else if (hook == LIVE_CLOSE) {
        lr_timer_free(p->timer);
    }
}

static void a_pull_may_call_everything_on_its_connection(void **state)
{
    for (int plain = 0; plain < 2; plain++) {
        char got[3];
        play p;

        play_open(&p, state, &(scene){.step = step_act, .plain = plain != 0});
        PEER_MUST(&p.p, peer_read(&p.p, got, sizeof(got)));
        assert_memory_equal(got, "123", 3);
        assert_int_equal(peer_read_end(&p.p), TLS_END_NOTIFY);
        play_close(&p, "open secure write=LR_OK source=LR_OK write=LR_OK write=LR_ECLOSED "
                       "done:LR_OK close:clean ");
    }
}

/* How a connection may go while everything still waits. */

static void give_all_kinds(lr_conn *c, play *p)
{
    lr_source silent = {pull_nothing, note_done, p}, unasked = {pull_total, note_done, p};

    if (lr_conn_write(c, LR_LIT("x")) != LR_OK || lr_conn_write_source(c, &silent) != LR_OK ||
        lr_conn_write_take(c, LR_LIT("borrowed"), note_release, p) != LR_OK ||
        lr_conn_write_source(c, &unasked) != LR_OK || lr_conn_write(c, LR_LIT("y")) != LR_OK ||
        lr_conn_write_take(c, LR_LIT("more"), note_release, p) != LR_OK)
        live_note(&p->recorder.events, "not_taken");
}

static void step_wait(lr_conn *c, live_hook hook, lr_slice bytes, play *p)
{
    if (hook == LIVE_SECURE)
        give_all_kinds(c, p);
    else if (hook == LIVE_DATA && bytes.bytes[0] == 'a')
        lr_conn_abort(c, LR_OK);
    else if (hook == LIVE_DATA)
        lr_conn_end(c);
}

#define ALL_TOLD "done:LR_ECLOSED released done:LR_ECLOSED released "

static void an_abort_gives_everything_back_before_on_close(void **state)
{
    for (int plain = 0; plain < 2; plain++) {
        size_t len;
        play p;

        play_open(&p, state, &(scene){.step = step_wait, .plain = plain != 0});
        PEER_MUST(&p.p, peer_write(&p.p, "a", 1));
        assert_int_equal(peer_skip_to_end(&p.p, &len), TLS_END_RESET);
        assert_true(len <= 1);
        play_close(&p, "open secure data:1 " ALL_TOLD "close:LR_EABORTED ");
    }
}

static void a_reset_gives_everything_back_before_on_close(void **state)
{
    for (int plain = 0; plain < 2; plain++) {
        char got;
        play p;

        play_open(&p, state, &(scene){.step = step_wait, .plain = plain != 0});
        PEER_MUST(&p.p, peer_read(&p.p, &got, 1));
        peer_close(&p.p, true);
        play_close(&p, "open secure " ALL_TOLD "close:LR_ERESET ");
    }
}

static void a_stream_that_says_nothing_is_cut_after_the_idle_timeout(void **state)
{
    for (int i = 0; i < 4; i++) { /* ended or not: what was cut must not look whole */
        scene silent = {.step = step_wait, .plain = i % 2 != 0, .idle_ms = 100};
        char got;
        play p;

        play_open(&p, state, &silent);
        if (i < 2)
            PEER_MUST(&p.p, peer_write(&p.p, "e", 1));
        PEER_MUST(&p.p, peer_read(&p.p, &got, 1));
        assert_int_equal(peer_read_end(&p.p), TLS_END_RESET);
        play_close(&p, i < 2 ? "open secure data:1 " ALL_TOLD "close:LR_ELINGER_TIMEOUT "
                             : "open secure " ALL_TOLD "close:LR_EIDLE_TIMEOUT ");
    }
}

/* A drain whose deadline passes. */
static void a_drain_that_cuts_gives_everything_back(void **state)
{
    for (int plain = 0; plain < 2; plain++) {
        char got;
        play p;

        play_open(&p, state, &(scene){.step = step_wait, .plain = plain != 0});
        PEER_MUST(&p.p, peer_read(&p.p, &got, 1));
        lr_workers_stop(p.l.workers, 50);
        assert_int_equal(peer_read_end(&p.p), TLS_END_RESET);
        play_close(&p, "open secure server_drain " ALL_TOLD "close:LR_EDRAIN_TIMEOUT ");
    }
}

/* What a record that does not open leaves of the queue. */
static void a_broken_record_gives_everything_back(void **state)
{
    static const uint8_t broken[] = {23, 3,  3,  0,  20, 1,  2,  3,  4,  5,  6,  7, 8,
                                     9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
    size_t len;
    play p;

    play_open(&p, state, &(scene){.step = step_wait});
    assert_true(tcp_send(p.p.tls.sock, broken, sizeof(broken)));
    (void)peer_skip_to_end(&p.p, &len);
    play_close(&p, "open secure " ALL_TOLD "close:LR_ETLS ");
}

/* The rule. */

static void step_too_early_and_too_late(lr_conn *c, live_hook hook, lr_slice bytes, play *p)
{
    (void)bytes;
    if (hook == LIVE_SECURE)
        lr_conn_end(c);
    if (hook != LIVE_OPEN && hook != LIVE_SECURE && hook != LIVE_CLOSE)
        return;
    note_write(p, "write", lr_conn_write(c, LR_LIT("x")));
    note_write(p, "writev", lr_conn_writev(c, &(lr_slice){p->bytes, 1}, 1));
    note_write(p, "take", lr_conn_write_take(c, LR_LIT("x"), note_release, p));
    note_write(p, "take0", lr_conn_write_take(c, lr_slice_of(NULL, 0), note_release, p));
    note_write(p, "source", write_source(c, p, pull_total));
    lr_conn_source_ready(c);
}

#define ALL_ANSWER(status)                                                                         \
    "write=" status " writev=" status " take=" status " take0=" status " source=" status " "

static void too_early_and_too_late_nothing_is_taken(void **state)
{
    for (int plain = 0; plain < 2; plain++) {
        play p;

        play_open(&p, state, &(scene){.step = step_too_early_and_too_late, .plain = plain != 0});
        assert_int_equal(peer_read_end(&p.p), TLS_END_NOTIFY);
        play_close(&p, "open " ALL_ANSWER("LR_ESTATE") "secure " ALL_ANSWER(
                           "LR_ECLOSED") "close:clean " ALL_ANSWER("LR_ECLOSED"));
    }
}

static void step_rule(lr_conn *c, live_hook hook, lr_slice bytes, play *p)
{
    lr_slice halves[2] = {lr_slice_of(p->bytes, MB), lr_slice_of(p->bytes + MB, MB)};

    (void)bytes;
    if (hook == LIVE_SECURE) {
        note_write(p, "2MB", lr_conn_write(c, lr_slice_of(p->bytes, 2 * MB)));
        note_write(p, "2x1MB", lr_conn_writev(c, halves, 2));
        note_write(p, "none", lr_conn_writev(c, halves, 0));
        note_write(p, "1MB", lr_conn_writev(c, halves, 1));
        note_write(p, "source", write_source(c, p, pull_total));
        note_write(p, "take", lr_conn_write_take(c, LR_LIT("!"), note_release, p));
        note_write(p, "take", lr_conn_write_take(c, LR_LIT("!"), note_release, p));
    } else if (hook == LIVE_DRAIN) {
        lr_conn_end(c);
    }
}

static void above_one_megabyte_nothing_is_taken_and_on_drain_tells_when_again(void **state)
{
    for (int plain = 0; plain < 2; plain++) {
        scene rule = {.step = step_rule, .pattern = 2 * MB, .plain = plain != 0};
        char last;
        play p;

        play_open(&p, state, &rule);
        read_pattern(&p, 0, MB);
        read_pattern(&p, 0, 2 * MB); /* the stream */
        PEER_MUST(&p.p, peer_read(&p.p, &last, 1));
        assert_int_equal(last, '!');
        assert_int_equal(peer_read_end(&p.p), TLS_END_NOTIFY);
        play_close(&p, "open secure 2MB=LR_EAGAIN 2x1MB=LR_EAGAIN none=LR_OK 1MB=LR_OK "
                       "source=LR_OK take=LR_OK take=LR_EAGAIN drain done:LR_OK released "
                       "close:clean ");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S59_what_was_written_in_any_way_arrives_in_its_order),
        LIVE_TEST(a_borrowed_nothing_is_released_inside_the_call),
        LIVE_TEST(
            a_hundred_megabytes_may_be_borrowed_and_nothing_else_is_taken_until_they_are_gone),
        LIVE_TEST(a_stream_is_sent_whole_although_the_connection_was_ended_behind_it),
        LIVE_TEST(a_stream_that_fails_ends_the_connection_with_its_reason),
        LIVE_TEST(a_pull_may_call_everything_on_its_connection),
        LIVE_TEST(an_abort_gives_everything_back_before_on_close),
        LIVE_TEST(a_reset_gives_everything_back_before_on_close),
        LIVE_TEST(a_stream_that_says_nothing_is_cut_after_the_idle_timeout),
        LIVE_TEST(a_drain_that_cuts_gives_everything_back),
        LIVE_TEST(a_broken_record_gives_everything_back),
        LIVE_TEST(too_early_and_too_late_nothing_is_taken),
        LIVE_TEST(above_one_megabyte_nothing_is_taken_and_on_drain_tells_when_again),
    };

    return LIVE_MAIN(tests);
}
