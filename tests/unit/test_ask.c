/* SPDX-License-Identifier: MIT */
/* Asks: whoever answers, however often and however late, exactly one answer counts, and only for
 * the ask that it was meant for. No connection is here: an answer that is delivered finds nobody
 * and is dropped with what it holds. */
#include "support.h"

#include "core/base/mem.h"
#include "core/run/ask.h"
#include "core/run/worker.h"

#include <lockring/hello.h>

#include <pthread.h>
#include <stdlib.h>

enum { THREADS = 8, ROUNDS = 3000, ALL = LR__ASKS_CHUNK * LR__ASKS_CHUNKS };

static const lr_conn_id nobody;

static int enter(void **state)
{
    lr_worker *w = lr__alloc_zero(1, sizeof(*w));

    if (!w)
        return -1;
    lr__asks_init(&w->asks);
    lr__mailbox_init(&w->mailbox);
    *state = w;
    return 0;
}

static uint32_t deliver_all(lr_worker *w)
{
    lr__message *message = lr__mailbox_take(&w->mailbox);
    uint32_t count = 0;

    while (message) {
        lr__message *next = message->next;

        message->deliver(message);
        message = next;
        count++;
    }
    return count;
}

/* Nothing is open: lr__asks_fini() checks it. */
static int leave(void **state)
{
    lr_worker *w = *state;

    (void)deliver_all(w);
    lr__asks_fini(&w->asks);
    lr__free(w);
    return 0;
}

static lr_ask open_token(lr_worker *w, lr__ask_kind kind)
{
    lr__ask *ask = lr__ask_open(w, nobody, kind);

    assert_non_null(ask);
    return lr__ask_token(ask);
}

static lr_status answer_sni(lr_ask token)
{
    return lr_sni_answer((lr_sni_ask){token}, LR_OK, NULL);
}

static void an_ask_is_answered_once(void **state)
{
    lr_worker *w = *state;
    lr_ask token = open_token(w, LR__ASK_SNI);

    assert_int_equal(answer_sni(token), LR_OK);
    assert_int_equal(answer_sni(token), LR_EGONE); /* taken */
    assert_int_equal(deliver_all(w), 1);
    assert_int_equal(answer_sni(token), LR_EGONE); /* delivered */
    assert_int_equal(w->asks.open, 0);
}

static void an_ask_of_another_kind_does_not_fit(void **state)
{
    lr_worker *w = *state;
    lr_ask token = open_token(w, LR__ASK_SNI);

    assert_int_equal(lr_ocsp_answer((lr_ocsp_ask){token}, LR_OK, NULL), LR_EGONE);
    assert_int_equal(lr_hello_answer((lr_hello_ask){token}, LR_OK, NULL), LR_EGONE);
    assert_int_equal(answer_sni(token), LR_OK);
}

static void tokens_of_no_ask_are_gone(void **state)
{
    lr_worker *w = *state;
    lr_ask token = open_token(w, LR__ASK_SNI), wrong = token;

    assert_int_equal(answer_sni((lr_ask){0, 0}), LR_EGONE);
    assert_int_equal(answer_sni((lr_ask){0, token.id}), LR_EGONE);
    wrong.id = token.id + 1; /* a generation that is still to come */
    assert_int_equal(answer_sni(wrong), LR_EGONE);
    wrong.id = token.id - 1;
    assert_int_equal(answer_sni(wrong), LR_EGONE);
    for (uint64_t slot = 1; slot < UINT32_MAX; slot = slot * 3 + 1) { /* some in no chunk */
        wrong.id = slot << 32 | 1;
        assert_int_equal(answer_sni(wrong), LR_EGONE);
    }
    wrong.id = (uint64_t)(ALL - 1) << 32 | 1;
    assert_int_equal(answer_sni(wrong), LR_EGONE);
    wrong.id = (uint64_t)ALL << 32 | 1;
    assert_int_equal(answer_sni(wrong), LR_EGONE);
    wrong.id = UINT64_MAX;
    assert_int_equal(answer_sni(wrong), LR_EGONE);
    assert_int_equal(answer_sni(token), LR_OK);
}

static void tokens_of_a_slot_that_is_used_again_are_stale(void **state)
{
    lr_worker *w = *state;
    lr_ask tokens[200];

    for (size_t i = 0; i < LR_ARRAY_COUNT(tokens); i++) {
        lr__ask *ask = lr__ask_open(w, nobody, LR__ASK_SNI);

        tokens[i] = lr__ask_token(ask);
        assert_int_equal(tokens[i].id >> 32, tokens[0].id >> 32); /* the same slot */
        for (size_t j = 0; j < i; j++)
            assert_int_equal(answer_sni(tokens[j]), LR_EGONE);
        if (i % 2 == 0) {
            assert_int_equal(answer_sni(tokens[i]), LR_OK);
            assert_int_equal(deliver_all(w), 1);
        } else {
            assert_true(lr__ask_cancel(ask));
        }
    }
}

static void a_cancelled_ask_takes_no_answer(void **state)
{
    lr_worker *w = *state;
    lr__ask *ask = lr__ask_open(w, nobody, LR__ASK_OCSP);
    lr_ask token = lr__ask_token(ask);

    assert_true(lr__ask_cancel(ask));
    assert_int_equal(w->asks.open, 0);
    assert_int_equal(lr_ocsp_answer((lr_ocsp_ask){token}, LR_OK, NULL), LR_EGONE);
    assert_int_equal(deliver_all(w), 0);
}

static void an_answered_ask_is_not_cancelled(void **state)
{
    lr_worker *w = *state;
    lr__ask *ask = lr__ask_open(w, nobody, LR__ASK_OCSP);

    assert_int_equal(lr_ocsp_answer((lr_ocsp_ask){lr__ask_token(ask)}, LR_OK, NULL), LR_OK);
    assert_false(lr__ask_cancel(ask));
    assert_int_equal(w->asks.open, 1); /* the worker may not end before it is delivered */
    assert_int_equal(deliver_all(w), 1);
    assert_int_equal(w->asks.open, 0);
}

/* What the answer holds is given up with it. */
static void an_answer_that_finds_nobody_holds_nothing(void **state)
{
    lr_worker *w = *state;
    lr_ask warm = open_token(w, LR__ASK_SNI); /* the chunk is there from here on */
    uint64_t before = lr__mem_read().live;
    lr_bytes *staple = lr_bytes_new(LR_LIT("staple"));
    lr_hello_decision decision = {LR_HELLO_DECISION, .staple = staple, .alpn = LR_LIT("h2")};
    lr_ask ocsp = open_token(w, LR__ASK_OCSP), hello = open_token(w, LR__ASK_HELLO);

    assert_int_equal(lr_ocsp_answer((lr_ocsp_ask){ocsp}, LR_OK, staple), LR_OK);
    assert_int_equal(lr_hello_answer((lr_hello_ask){hello}, LR_OK, &decision), LR_OK);
    assert_int_equal(lr_ocsp_answer((lr_ocsp_ask){ocsp}, LR_OK, staple), LR_EGONE);
    lr_bytes_release(staple);
    assert_int_equal(lr__mem_read().live, before + 1); /* the answers have it */
    assert_int_equal(deliver_all(w), 2);
    assert_int_equal(lr__mem_read().live, before);
    assert_int_equal(answer_sni(warm), LR_OK);
}

/* A decision that cannot be leaves the ask open for a better one. */
static void a_decision_that_cannot_be_is_no_answer(void **state)
{
    lr_worker *w = *state;
    static const uint8_t zeros[LR_STAPLE_MAX + 1];
    lr_bytes *long_staple = lr_bytes_new(lr_slice_of(zeros, sizeof(zeros)));
    lr_hello_ask ask = {open_token(w, LR__ASK_HELLO)};
    lr_ocsp_ask ocsp = {open_token(w, LR__ASK_OCSP)};
    lr_hello_decision decision = {.alpn = LR_LIT("h2")}; /* no size */
    struct {
        lr_hello_decision known;
        uint64_t newer;
    } longer = {{.size = sizeof(longer)}, 1};

    assert_int_equal(lr_hello_answer(ask, LR_OK, &decision), LR_EOPTION);
    assert_int_equal(lr_hello_answer(ask, LR_OK, &longer.known), LR_EOPTION);
    decision.size = sizeof(decision);
    decision.alpn = LR_LIT("a,b");
    assert_int_equal(lr_hello_answer(ask, LR_OK, &decision), LR_EINVAL);
    decision.alpn = LR_LIT("a\0b");
    assert_int_equal(lr_hello_answer(ask, LR_OK, &decision), LR_EINVAL);
    decision.alpn = LR_LIT("h2");
    decision.staple = long_staple;
    assert_int_equal(lr_hello_answer(ask, LR_OK, &decision), LR_EINVAL);
    assert_int_equal(lr_ocsp_answer(ocsp, LR_OK, long_staple), LR_EINVAL);
    assert_int_equal(lr_ocsp_answer(ocsp, LR_OK, NULL), LR_OK);
    lr_bytes_release(long_staple);
    longer.newer = 0;
    assert_int_equal(lr_hello_answer(ask, LR_OK, &longer.known), LR_OK);
}

typedef struct wrong_call {
    lr_hello_ask ask;
    lr_status result;
    lr_slice alpn;
} wrong_call;

static void answer_wrongly(void *arg)
{
    const wrong_call *call = arg;
    lr_hello_decision decision = {LR_HELLO_DECISION, .alpn = call->alpn};

    (void)lr_hello_answer(call->ask, call->result, &decision);
    abort(); /* without LOCKRING_DCHECK it comes back with LR_EINVAL */
}

static void misuse_is_told(void **state)
{
    lr_worker *w = *state;
    static const uint8_t long_name[256] = {'x'};
    lr_hello_ask ask = {open_token(w, LR__ASK_HELLO)};
    wrong_call calls[] = {{ask, LR_OK, {long_name, sizeof(long_name)}},
                          {ask, LR_OK, {NULL, 2}},
                          {ask, (lr_status)7, {NULL, 0}}};
    char said[4096];

    for (size_t i = 0; i < LR_ARRAY_COUNT(calls); i++) {
        assert_int_equal(support_run_child(answer_wrongly, &calls[i], said, sizeof(said)), SIGABRT);
        assert_non_null(strstr(said, "lr_hello_answer"));
    }
    assert_int_equal(lr_hello_answer(ask, LR_OK, NULL), LR_OK);
}

static void slots_end_at_their_highest_number_and_are_used_again(void **state)
{
    lr_worker *w = *state;
    lr__ask **asks = lr__alloc_zero(ALL, sizeof(lr__ask *));

    for (uint32_t i = 0; i < ALL; i++) {
        asks[i] = lr__ask_open(w, nobody, LR__ASK_SNI);
        assert_non_null(asks[i]);
        assert_int_equal(asks[i]->slot, i);
    }
    assert_null(lr__ask_open(w, nobody, LR__ASK_SNI));
    for (uint32_t i = 0; i < ALL; i += 2)
        assert_true(lr__ask_cancel(asks[i]));
    for (uint32_t i = 0; i < ALL; i += 2)
        assert_non_null(lr__ask_open(w, nobody, LR__ASK_SNI));
    assert_null(lr__ask_open(w, nobody, LR__ASK_SNI));
    for (uint32_t i = 0; i < ALL; i++)
        assert_true(lr__ask_cancel(asks[i]));
    lr__free(asks);
}

static void without_memory_nothing_is_asked(void **state)
{
    lr_worker *w = *state;

    lr__mem_fail_at(1, false);
    assert_null(lr__ask_open(w, nobody, LR__ASK_SNI));
    lr__mem_fail_at(0, false);
    assert_int_equal(w->asks.open, 0);
    assert_int_equal(answer_sni(open_token(w, LR__ASK_SNI)), LR_OK);
}

/* Threads. */

typedef struct race {
    lr_worker *w;
    pthread_barrier_t begin, end;
    lr_ask token;
    _Atomic uint32_t taken, gone;
    _Atomic bool over;
} race;

static void *claim_each_round(void *arg)
{
    race *r = arg;

    for (;;) {
        (void)pthread_barrier_wait(&r->begin);
        if (r->over)
            return NULL;
        if (answer_sni(r->token) == LR_OK)
            r->taken++;
        else
            r->gone++;
        (void)pthread_barrier_wait(&r->end);
    }
}

static void race_begin(race *r, lr_worker *w, pthread_t *threads, uint32_t count)
{
    r->w = w;
    assert_int_equal(pthread_barrier_init(&r->begin, NULL, count + 1), 0);
    assert_int_equal(pthread_barrier_init(&r->end, NULL, count + 1), 0);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, claim_each_round, r), 0);
}

static void race_end(race *r, pthread_t *threads, uint32_t count)
{
    r->over = true;
    (void)pthread_barrier_wait(&r->begin);
    for (uint32_t i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_barrier_destroy(&r->begin);
    (void)pthread_barrier_destroy(&r->end);
}

static void of_eight_threads_exactly_one_answers(void **state)
{
    static race r;
    pthread_t threads[THREADS];

    race_begin(&r, *state, threads, THREADS);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        r.token = open_token(r.w, LR__ASK_SNI);
        r.taken = r.gone = 0;
        (void)pthread_barrier_wait(&r.begin);
        (void)pthread_barrier_wait(&r.end);
        assert_int_equal(r.taken, 1);
        assert_int_equal(r.gone, THREADS - 1);
        assert_int_equal(deliver_all(r.w), 1);
    }
    race_end(&r, threads, THREADS);
}

/* Either the connection was gone first or an answer is on its way: never both, never neither. */
static void cancelling_and_answering_exclude_each_other(void **state)
{
    static race r;
    pthread_t threads[2];
    uint32_t cancelled = 0;

    race_begin(&r, *state, threads, 2);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        lr__ask *ask = lr__ask_open(r.w, nobody, LR__ASK_SNI);
        bool mine;

        r.token = lr__ask_token(ask);
        r.taken = r.gone = 0;
        (void)pthread_barrier_wait(&r.begin);
        mine = lr__ask_cancel(ask);
        (void)pthread_barrier_wait(&r.end);
        assert_int_equal(r.taken + mine, 1);
        assert_int_equal(r.taken + r.gone, 2);
        assert_int_equal(deliver_all(r.w), r.taken);
        cancelled += mine;
    }
    race_end(&r, threads, 2);
    print_message("%u of %d were cancelled\n", cancelled, ROUNDS);
}

typedef struct stale_race {
    _Atomic uint64_t home, id; /* of the last ask; what a thread reads may be of two */
    _Atomic uint32_t answered;
    _Atomic bool over;
} stale_race;

static void *answer_stale(void *arg)
{
    stale_race *r = arg;

    while (!r->over) {
        lr_ask token = {r->home, r->id};
        uint32_t slot = (uint32_t)(token.id >> 32);

        if (answer_sni(token) == LR_OK)
            r->answered++;
        token.id = (uint64_t)(slot + LR__ASKS_CHUNK) << 32 | 1; /* perhaps in the next chunk */
        if (answer_sni(token) == LR_OK)
            r->answered++;
    }
    return NULL;
}

/* The worker opens and cancels while others try tokens of all ages, also of chunks that are just
 * being made. */
static void stale_tokens_may_be_tried_at_any_time(void **state)
{
    lr_worker *w = *state;
    static stale_race r;
    static lr__ask *open[1000];
    pthread_t threads[4];
    uint32_t cancelled = 0, delivered = 0, opened = 0;

    for (size_t i = 0; i < LR_ARRAY_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, answer_stale, &r), 0);
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < LR_ARRAY_COUNT(open); i++) {
            lr_ask token;

            open[i] = lr__ask_open(w, nobody, LR__ASK_SNI);
            token = lr__ask_token(open[i]);
            r.home = token.home;
            r.id = token.id;
            opened++;
        }
        for (size_t i = 0; i < LR_ARRAY_COUNT(open); i++)
            cancelled += lr__ask_cancel(open[i]);
        while (w->asks.open != 0)
            delivered += deliver_all(w);
    }
    r.over = true;
    for (size_t i = 0; i < LR_ARRAY_COUNT(threads); i++)
        (void)pthread_join(threads[i], NULL);
    assert_int_equal(cancelled + delivered, opened);
    assert_int_equal(delivered, r.answered);
}

typedef struct answering {
    const lr_ask *tokens;
    uint32_t count, first;
    uint32_t taken;
    lr_bytes *staple;
} answering;

static void *answer_all(void *arg)
{
    answering *a = arg;

    for (uint32_t i = 0; i < a->count; i++) {
        lr_ocsp_ask ask = {a->tokens[(a->first + i) % a->count]};

        a->taken += lr_ocsp_answer(ask, LR_OK, a->staple) == LR_OK;
    }
    return NULL;
}

static void every_answer_that_was_taken_is_delivered_once(void **state)
{
    enum { ASKS = 2000 };
    lr_worker *w = *state;
    static lr_ask tokens[ASKS];
    lr_bytes *staple = lr_bytes_new(LR_LIT("staple"));
    answering each[THREADS];
    pthread_t threads[THREADS];
    uint32_t taken = 0, delivered = 0;

    for (uint32_t i = 0; i < ASKS; i++)
        tokens[i] = open_token(w, LR__ASK_OCSP);
    for (uint32_t i = 0; i < THREADS; i++) {
        each[i] = (answering){tokens, ASKS, i * 7, 0, staple};
        assert_int_equal(pthread_create(&threads[i], NULL, answer_all, &each[i]), 0);
    }
    while (delivered < ASKS)
        delivered += deliver_all(w);
    for (uint32_t i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
        taken += each[i].taken;
    }
    assert_int_equal(taken, ASKS);
    assert_int_equal(deliver_all(w), 0);
    lr_bytes_release(staple);
}

#define ASK_TEST(fn) cmocka_unit_test_setup_teardown(fn, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ASK_TEST(an_ask_is_answered_once),
        ASK_TEST(an_ask_of_another_kind_does_not_fit),
        ASK_TEST(tokens_of_no_ask_are_gone),
        ASK_TEST(tokens_of_a_slot_that_is_used_again_are_stale),
        ASK_TEST(a_cancelled_ask_takes_no_answer),
        ASK_TEST(an_answered_ask_is_not_cancelled),
        ASK_TEST(an_answer_that_finds_nobody_holds_nothing),
        ASK_TEST(a_decision_that_cannot_be_is_no_answer),
        ASK_TEST(misuse_is_told),
        ASK_TEST(slots_end_at_their_highest_number_and_are_used_again),
        ASK_TEST(without_memory_nothing_is_asked),
        ASK_TEST(of_eight_threads_exactly_one_answers),
        ASK_TEST(cancelling_and_answering_exclude_each_other),
        ASK_TEST(stale_tokens_may_be_tried_at_any_time),
        ASK_TEST(every_answer_that_was_taken_is_delivered_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
