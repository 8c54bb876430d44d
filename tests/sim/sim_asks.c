/* SPDX-License-Identifier: MIT */
/* sim_asks: hooks of the gate whose answers come when the seed says: inside, some rounds later from
 * "another thread" (between two turns), twice, with a failure, or never; on the simulated back end
 * over every fault that it knows. LOCKRING_SEED=N runs one seed; LOCKRING_FULL=1 many. */
#include "tests/sim/sim_stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ASKS_MAX = 4 * STAGE_CLIENTS, HANDSHAKE_MS = 3000 };

/* Places in a connection's zeroed bytes; the stage has the first. */
enum { AT_HELLO = 1, AT_SNI = 2, AT_OPEN = 3 };

typedef struct sim_ask {
    lr_ask ask;
    bool is_sni, never, refuse, twice;
    uint32_t due; /* the round in which it is answered */
    bool over;    /* answered, or found to be gone */
} sim_ask;

typedef struct play {
    sim_ask asks[ASKS_MAX];
    uint32_t count;
    uint32_t taken, cancelled, refused, never, late;
    uint64_t order; /* of all that happened, as one number */
    void (*on_close)(lr_conn *c, const lr_error *why);
    uint32_t cut_at_round; /* 0: never */
} play;

static play now; /* handlers have no argument of their own beside the stage's */

static const sim_faults no_faults = {0};
static const sim_faults all_faults = {.delay = 200,
                                      .late_cancel = 300,
                                      .accept_no_files = 50,
                                      .recv_piece_max = 3000,
                                      .send_piece_max = 5000,
                                      .no_buffers = 20};

static stage *stage_of(const lr_conn *c)
{
    return lr_server_user(lr_conn_server(c));
}

static void happened(uint64_t what)
{
    now.order = (now.order ^ what) * 1099511628211u;
}

static void answer(sim_ask *a)
{
    lr_status result = a->refuse ? LR_ENAME : LR_OK;
    lr_status got = a->is_sni ? lr_sni_answer((lr_sni_ask){a->ask}, result, NULL)
                              : lr_hello_answer((lr_hello_ask){a->ask}, result, NULL);

    a->over = true;
    now.taken += got == LR_OK;
    now.late += got == LR_EGONE;
    now.refused += got == LR_OK && a->refuse;
    happened(a->ask.id ^ (uint64_t)got);
    assert_true(got == LR_OK || got == LR_EGONE);
    if (a->twice) /* the first counts, or it was gone: never the second */
        assert_int_equal(a->is_sni ? lr_sni_answer((lr_sni_ask){a->ask}, LR_EALPN, NULL)
                                   : lr_hello_answer((lr_hello_ask){a->ask}, LR_EALPN, NULL),
                         LR_EGONE);
}

static void asked(lr_conn *c, lr_ask ask, bool is_sni)
{
    stage *s = stage_of(c);
    uint64_t way = sim_draw(s->world) % 100;
    sim_ask *a = &now.asks[now.count++];

    assert_true(now.count <= ASKS_MAX);
    *a = (sim_ask){.ask = ask, .is_sni = is_sni, .due = s->rounds};
    happened(ask.id);
    a->never = way < 8;
    a->refuse = way >= 8 && way < 16;
    a->twice = way % 3 == 0;
    now.never += a->never;
    if (!a->never && way % 4 == 0)
        answer(a);
    else
        a->due += 1 + (uint32_t)(sim_draw(s->world) % 40);
}

static void on_hello(lr_conn *c, const lr_hello *hello, lr_hello_ask ask)
{
    uint8_t *seen = lr_conn_user(c);
    lr_slice name = lr_hello_servername(hello);

    assert_int_equal(seen[0], 1); /* behind on_open, and before secure and failure */
    assert_int_equal(seen[AT_HELLO]++, 0);
    assert_int_equal(seen[AT_SNI], 0);
    assert_int_equal(name.len, strlen("sim.example"));
    seen[AT_OPEN] = 1;
    asked(c, ask.ask, false);
}

static void on_sni(lr_conn *c, lr_slice servername, lr_sni_ask ask)
{
    uint8_t *seen = lr_conn_user(c);

    assert_int_equal(seen[0], 1);
    assert_int_equal(seen[AT_HELLO], 1);
    assert_int_equal(seen[AT_SNI]++, 0);
    assert_memory_equal(servername.bytes, "sim.example", servername.len);
    asked(c, ask.ask, true);
}

static void on_ask_cancelled(lr_conn *c, lr_ask ask)
{
    uint8_t *seen = lr_conn_user(c);
    uint32_t found = 0;

    for (uint32_t i = 0; i < now.count; i++) {
        sim_ask *a = &now.asks[i];

        if (a->ask.home != ask.home || a->ask.id != ask.id)
            continue;
        found++;
        assert_false(a->over); /* who had answered is not cancelled */
    }
    assert_int_equal(found, 1);
    assert_int_equal(seen[AT_OPEN], 1);
    seen[AT_OPEN] = 2; /* once */
    now.cancelled++;
    happened(ask.id * 3);
}

static void on_close(lr_conn *c, const lr_error *why)
{
    happened(why ? (uint64_t)why->status : 0);
    now.on_close(c, why);
}

static void tune(lr_handlers *handlers)
{
    now.on_close = handlers->on_close;
    handlers->on_close = on_close;
    handlers->on_hello = on_hello;
    handlers->on_sni = on_sni;
    handlers->on_ask_cancelled = on_ask_cancelled;
}

/* Some clients do not wait for the end of their handshake: they reset, or send FIN. */
static void leave_early(stage *s)
{
    for (uint32_t i = 3; i < s->plan.clients; i += 2) {
        stage_client *c = &s->clients[i];

        if (!s->plan.aborts || s->rounds != 8 + 3 * i || c->tls.done || c->over)
            continue;
        if (i % 4 == 3)
            sim_peer_reset(s->world, c->peer);
        else
            sim_peer_end(s->world, c->peer);
        c->reset = c->over = true;
    }
}

/* The other thread. While it has something to say the clock stands still, so that only those whom
 * nobody answers meet their deadline. */
static void between(stage *s)
{
    leave_early(s);
    for (uint32_t i = 0; i < now.count; i++) {
        sim_ask *a = &now.asks[i];

        if (a->over || a->never)
            continue;
        s->quiet = 0;
        if (s->rounds >= a->due)
            answer(a);
    }
    if (now.cut_at_round != 0 && s->rounds == now.cut_at_round)
        lr_workers_stop(s->workers, 0);
}

/* Everything that was asked is answered or cancelled, and nothing is left (stage_close() ends in
 * the checks of the pools). */
static void check(const stage *s)
{
    uint32_t taken_late = 0;

    assert_int_equal(s->ended, s->opened);
    assert_int_equal(now.taken + now.cancelled, now.count);
    for (uint32_t i = 0; i < s->plan.workers; i++) {
        taken_late += s->workers->list[i]->asks.open;
        assert_int_equal(s->workers->list[i]->live.parked_bytes, 0);
    }
    assert_int_equal(taken_late, 0);
}

/* A number of everything that happened. */
static uint64_t run(uint64_t seed, const sim_faults *faults, const stage_plan *like, uint32_t cut)
{
    stage_plan plan = *like;
    stage s;
    uint64_t all;

    memset(&now, 0, sizeof(now));
    now.order = 14695981039346656037u;
    now.cut_at_round = cut;
    plan.tune = tune;
    plan.between = between;
    plan.handshake_ms = HANDSHAKE_MS;
    stage_open(&s, seed, faults, &plan);
    stage_play(&s);
    check(&s);
    all = sim_transcript(s.world) ^ now.order;
    stage_close(&s);
    return all;
}

static void answers_come_when_they_like_over_every_fault(void **state)
{
    const char *one = getenv("LOCKRING_SEED");
    uint64_t first = one ? strtoull(one, NULL, 0) : 700;
    uint64_t count = one ? 1 : getenv("LOCKRING_FULL") ? 2000 : 60;
    uint32_t taken = 0, cancelled = 0, refused = 0, never = 0, late = 0;

    (void)state;
    for (uint64_t seed = first; seed < first + count; seed++) {
        const stage_plan plan = {.workers = 1 + (uint32_t)(seed % 3),
                                 .clients = 1 + (uint32_t)(seed % 11),
                                 .bytes = 3000,
                                 .aborts = true};

        printf("LOCKRING_SEED=%llu\n", (unsigned long long)seed);
        (void)run(seed, seed % 4 == 0 ? &no_faults : &all_faults, &plan, 0);
        taken += now.taken;
        cancelled += now.cancelled;
        refused += now.refused;
        never += now.never;
        late += now.late;
    }
    print_message("%u answered (%u refused), %u cancelled, %u never answered, %u too late\n", taken,
                  refused, cancelled, never, late);
    if (!one) /* or the seeds say nothing */
        assert_true(taken > refused && refused > 0 && never > 0 && cancelled > never && late > 0);
}

/* The cut finds connections parked, and some of their answers on the way. */
static void the_cut_of_a_drain_cancels_what_is_open(void **state)
{
    uint32_t cancelled = 0, late = 0;

    (void)state;
    for (uint64_t seed = 300; seed < 340; seed++) {
        const stage_plan plan = {.workers = 2, .clients = 12, .bytes = 1000};

        (void)run(seed, &all_faults, &plan, 4 + (uint32_t)(seed % 30));
        cancelled += now.cancelled;
        late += now.late;
    }
    print_message("%u cancelled, %u answers too late\n", cancelled, late);
    assert_true(cancelled > 0 && late > 0);
}

static void one_seed_gives_the_same_events_twice(void **state)
{
    const stage_plan plan = {.workers = 2, .clients = 8, .bytes = 5000, .aborts = true};
    uint64_t first;

    (void)state;
    for (uint64_t seed = 11; seed < 16; seed++) {
        first = run(seed, &all_faults, &plan, 0);
        assert_true(first == run(seed, &all_faults, &plan, 0));
    }
    assert_true(first != run(99, &all_faults, &plan, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_when_they_like_over_every_fault),
        cmocka_unit_test(the_cut_of_a_drain_cancels_what_is_open),
        cmocka_unit_test(one_seed_gives_the_same_events_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
