/* SPDX-License-Identifier: MIT */
/* sim_echo: accept, handshake, echo and close on the simulated back end, over every fault that it
 * knows, with in-process wolfSSL clients. LOCKRING_SEED=N runs one seed; LOCKRING_FULL=1 many. */
#include "tests/sim/sim_stage.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const sim_faults no_faults = {0};
static const sim_faults all_faults = {.delay = 200,
                                      .late_cancel = 300,
                                      .accept_no_files = 50,
                                      .recv_piece_max = 3000,
                                      .send_piece_max = 5000,
                                      .no_buffers = 20};
static const sim_faults bulk_faults = {
    .delay = 100, .late_cancel = 500, .recv_piece_max = 17408, .send_piece_max = 30000};
static const sim_faults one_byte = {.recv_piece_max = 1, .send_piece_max = 700, .delay = 50};

static uint64_t run(uint64_t seed, const sim_faults *faults, const stage_plan *plan)
{
    stage s;
    uint64_t transcript;

    stage_open(&s, seed, faults, plan);
    stage_play(&s);
    stage_check(&s);
    transcript = sim_transcript(s.world);
    stage_close(&s);
    return transcript;
}

static void echoes_without_faults(void **state)
{
    const stage_plan plan = {.workers = 1, .clients = 4, .bytes = 50000};

    (void)state;
    (void)run(1, &no_faults, &plan);
}

static void echoes_over_one_byte_reads(void **state)
{
    const stage_plan plan = {.workers = 1, .clients = 2, .bytes = 3000};

    (void)state;
    (void)run(2, &one_byte, &plan);
}

static void echoes_over_every_fault_on_several_workers(void **state)
{
    const char *one = getenv("LOCKRING_SEED");
    uint64_t first = one ? strtoull(one, NULL, 0) : 100;
    uint64_t count = one ? 1 : getenv("LOCKRING_FULL") ? 2000 : 40;

    (void)state;
    for (uint64_t seed = first; seed < first + count; seed++) {
        const stage_plan plan = {.workers = 1 + (uint32_t)(seed % 3),
                                 .clients = 1 + (uint32_t)(seed % 7),
                                 .bytes = 20000,
                                 .aborts = true};

        printf("LOCKRING_SEED=%llu\n", (unsigned long long)seed);
        (void)run(seed, &all_faults, &plan);
    }
}

static void a_slow_reader_stops_the_reading_of_its_connection_and_loses_nothing(void **state)
{
    const stage_plan plan = {.workers = 1, .clients = 2, .bytes = 700000, .slow_readers = true};

    (void)state;
    for (uint64_t seed = 40; seed < 43; seed++) {
        stage s;

        stage_open(&s, seed, seed == 40 ? &no_faults : &bulk_faults, &plan);
        stage_play(&s);
        stage_check(&s);
        assert_true(s.read_stopped);
        stage_close(&s);
    }
}

/* The client goes on sending when the server has ended: without lingering a reset would destroy the
 * last answer. */
static void the_last_answer_arrives_although_the_client_still_sends(void **state)
{
    const stage_plan plan = {
        .workers = 1, .clients = 1, .bytes = 60000, .server_ends_after = 20000};

    (void)state;
    for (uint64_t seed = 50; seed < 70; seed++)
        (void)run(seed, &all_faults, &plan);
}

static void one_seed_gives_the_same_bytes_twice(void **state)
{
    const stage_plan plan = {.workers = 2, .clients = 6, .bytes = 30000, .aborts = true};
    uint64_t first = run(7, &all_faults, &plan);

    (void)state;
    assert_true(first == run(7, &all_faults, &plan));
    assert_true(first != run(8, &all_faults, &plan));
}

static void no_engine_exists_before_the_hello_is_complete(void **state)
{
    const stage_plan plan = {.workers = 1, .clients = 1, .bytes = 100};
    stage s;

    (void)state;
    stage_open(&s, 3, &no_faults, &plan);
    stage_hold_back(&s, 0, 1); /* all of its first flight but the last byte */
    for (int i = 0; i < 50; i++)
        stage_round(&s);
    assert_true(stage_conn_state(&s, 0) == LR__CONN_HELLO);
    assert_false(stage_conn_has_engine(&s, 0));
    stage_let_go(&s, 0);
    stage_play(&s);
    stage_check(&s);
    stage_close(&s);
}

static void a_silent_client_is_closed_at_the_handshake_deadline(void **state)
{
    const stage_plan plan = {.workers = 1, .clients = 1, .bytes = 100, .handshake_ms = 5000};
    stage s;
    uint64_t begun;

    (void)state;
    stage_open(&s, 4, &no_faults, &plan);
    stage_hold_back(&s, 0, 1);
    begun = sim_now(s.world);
    while (!stage_client_is_over(&s, 0))
        stage_round(&s);
    assert_true(sim_now(s.world) - begun >= 5000 * 1000000ull);
    assert_true(sim_now(s.world) - begun < 5100 * 1000000ull);
    assert_int_equal(s.timeouts, 1);
    stage_close(&s);
}

static void draining_loses_no_connection(void **state)
{
    const stage_plan plan = {.workers = 2, .clients = 8, .bytes = 20000, .drain_at_round = 12};

    (void)state;
    for (uint64_t seed = 20; seed < 30; seed++)
        (void)run(seed, &all_faults, &plan);
}

/* The checks of the worker must fire when the kernel breaks the contract. */
static void a_lying_kernel_is_noticed(void **state)
{
    sim_faults lying = no_faults;
    const stage_plan plan = {.workers = 1, .clients = 2, .bytes = 5000};
    int status;
    pid_t pid = fork();

    (void)state;
    lying.duplicate_last = true;
    assert_true(pid >= 0);
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stderr)) /* the message is expected */
            _exit(1);
        (void)signal(SIGABRT, SIG_DFL);
        (void)run(5, &lying, &plan);
        _exit(0);
    }
    assert_true(waitpid(pid, &status, 0) == pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echoes_without_faults),
        cmocka_unit_test(echoes_over_one_byte_reads),
        cmocka_unit_test(echoes_over_every_fault_on_several_workers),
        cmocka_unit_test(a_slow_reader_stops_the_reading_of_its_connection_and_loses_nothing),
        cmocka_unit_test(the_last_answer_arrives_although_the_client_still_sends),
        cmocka_unit_test(one_seed_gives_the_same_bytes_twice),
        cmocka_unit_test(no_engine_exists_before_the_hello_is_complete),
        cmocka_unit_test(a_silent_client_is_closed_at_the_handshake_deadline),
        cmocka_unit_test(draining_loses_no_connection),
        cmocka_unit_test(a_lying_kernel_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
