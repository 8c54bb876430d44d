/* SPDX-License-Identifier: MIT */
/* sim_proxy: PROXY speakers on the simulated back end, over every fault that it knows: right
 * headers of each kind in front of TLS, and wrong ones. LOCKRING_SEED=N runs one seed;
 * LOCKRING_FULL=1 many. */
#include "proto/proxy.h"
#include "tests/live/proxy_maker.h"
#include "tests/sim/sim_stage.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { FIRST_PORT = 1000, KINDS = 5, WRONG = 3, LOCAL = 4 };

typedef struct speakers {
    lr_proxy *proxy;
    uint32_t told[STAGE_CLIENTS], local; /* connections that became secure, by what they said */
    bool all_right;
} speakers;

static const sim_faults no_faults = {0};
static const sim_faults all_faults = {.delay = 200,
                                      .late_cancel = 300,
                                      .accept_no_files = 50,
                                      .recv_piece_max = 40,
                                      .send_piece_max = 5000,
                                      .no_buffers = 20};
static const sim_faults one_byte = {.recv_piece_max = 1, .send_piece_max = 700, .delay = 50};

static speakers *speakers_of(const stage *s)
{
    return s->plan.arg;
}

static lr_status on_preface(lr_conn *c, lr_slice bytes, size_t *used, const char **reason)
{
    const stage *s = lr_server_user(lr_conn_server(c));

    assert_true(bytes.len <= LR_PREFACE_MAX);
    return lr_proxy_preface(speakers_of(s)->proxy, c, bytes, used, reason);
}

static uint32_t kind_of(const stage *s, uint32_t client)
{
    uint32_t kind = client % KINDS;

    return kind == WRONG && speakers_of(s)->all_right ? LOCAL : kind;
}

static void begin(stage *s, uint32_t i)
{
    stage_client *c = &s->clients[i];
    uint16_t port = (uint16_t)(FIRST_PORT + i);
    proxy_bytes header;
    char line[80];

    switch (kind_of(s, i)) {
    case 0:
        (void)snprintf(line, sizeof(line), "PROXY TCP6 2001:db8::7 2001:db8::1 %u 443", port);
        proxy_v1(&header, line);
        break;
    case 1:
        proxy_v2_from(&header, "192.0.2.7", port, "198.51.100.1", 443);
        break;
    case LOCAL:
        proxy_v2(&header, PROXY_LOCAL, PROXY_UNSPEC, NULL, 0);
        break;
    default:
        proxy_v2_from(&header, "2001:db8::7", port, "2001:db8::1", 443);
        proxy_tlv(&header, LR_PROXY_AUTHORITY, "sim.example", 11);
        proxy_crc(&header);
    }
    if (kind_of(s, i) == WRONG) {
        header.bytes[16 + sim_draw(s->world) % 36] ^= 4;
        c->wrong = true;
        c->reset_after = UINT64_MAX;
    }
    tls_bytes_add(&c->tls.out, header.bytes, header.len);
}

static void look(stage *s, lr_conn *c)
{
    lr_address remote = lr_conn_remote_address(c), local = lr_conn_local_address(c);
    char raw[64], text[64];

    assert_true(lr_conn_remote_raw(c, raw, sizeof(raw)) && lr_conn_remote(c, text, sizeof(text)));
    assert_int_equal(strncmp(raw, "127.0.0.1:", 10), 0);
    if (strcmp(raw, text) == 0) {
        speakers_of(s)->local++;
        return;
    }
    assert_int_equal(local.port, 443);
    assert_true(remote.port >= FIRST_PORT && remote.port < FIRST_PORT + STAGE_CLIENTS);
    assert_int_equal(remote.family, remote.port % KINDS == 1 ? LR_FAMILY_IPV4 : LR_FAMILY_IPV6);
    speakers_of(s)->told[remote.port - FIRST_PORT]++;
}

static uint64_t run(uint64_t seed, const sim_faults *faults, const stage_plan *given,
                    bool all_right)
{
    static const char *const senders[] = {"127.0.0.1"};
    lr_proxy_options proxy = {LR_PROXY_OPTIONS, .senders = senders, .sender_count = 1};
    speakers sp = {.all_right = all_right};
    stage_plan plan = *given;
    uint64_t transcript;
    stage s;

    plan.on_preface = on_preface;
    plan.begin = begin;
    plan.look = look;
    plan.arg = &sp;
    assert_int_equal(lr_proxy_new(&proxy, &sp.proxy, NULL), LR_OK);
    stage_open(&s, seed, faults, &plan);
    stage_play(&s);
    stage_check(&s);
    for (uint32_t i = 0; i < plan.clients; i++) {
        uint32_t kind = kind_of(&s, i);

        if (!s.clients[i].reset)
            assert_int_equal(sp.told[i], kind != WRONG && kind != LOCAL);
    }
    transcript = sim_transcript(s.world);
    stage_close(&s);
    lr_proxy_free(sp.proxy);
    return transcript;
}

static void headers_of_every_kind_pass_and_wrong_ones_do_not(void **state)
{
    const stage_plan plan = {.workers = 1, .clients = 10, .bytes = 3000};

    (void)state;
    (void)run(1, &no_faults, &plan, false);
}

static void headers_pass_over_one_byte_reads(void **state)
{
    const stage_plan plan = {.workers = 1, .clients = 5, .bytes = 500};

    (void)state;
    (void)run(2, &one_byte, &plan, false);
}

static void headers_pass_over_every_fault_on_several_workers(void **state)
{
    const char *one = getenv("LOCKRING_SEED");
    uint64_t first = one ? strtoull(one, NULL, 0) : 100;
    uint64_t count = one ? 1 : getenv("LOCKRING_FULL") ? 1000 : 25;

    (void)state;
    for (uint64_t seed = first; seed < first + count; seed++) {
        const stage_plan plan = {.workers = 1 + (uint32_t)(seed % 3),
                                 .clients = 3 + (uint32_t)(seed % 9),
                                 .bytes = 5000,
                                 .aborts = true};

        printf("LOCKRING_SEED=%llu\n", (unsigned long long)seed);
        (void)run(seed, &all_faults, &plan, false);
    }
}

static void draining_loses_no_connection_that_has_sent_its_header(void **state)
{
    const stage_plan plan = {.workers = 2, .clients = 8, .bytes = 5000, .drain_at_round = 12};

    (void)state;
    for (uint64_t seed = 20; seed < 26; seed++)
        (void)run(seed, &all_faults, &plan, true);
}

static void one_seed_gives_the_same_bytes_twice(void **state)
{
    const stage_plan plan = {.workers = 2, .clients = 7, .bytes = 5000, .aborts = true};
    uint64_t first = run(7, &all_faults, &plan, false);

    (void)state;
    assert_true(first == run(7, &all_faults, &plan, false));
    assert_true(first != run(8, &all_faults, &plan, false));
}

static void cut_header(stage *s, uint32_t i)
{
    proxy_bytes header;

    proxy_v2_from(&header, "192.0.2.7", 1, "198.51.100.1", 443);
    tls_bytes_add(&s->clients[i].tls.out, header.bytes, header.len);
}

static void a_header_that_does_not_end_is_cut_at_the_handshake_deadline(void **state)
{
    static const char *const senders[] = {"127.0.0.1"};
    lr_proxy_options proxy = {LR_PROXY_OPTIONS, .senders = senders, .sender_count = 1};
    speakers sp = {0};
    const stage_plan plan = {.workers = 1,
                             .clients = 1,
                             .bytes = 100,
                             .handshake_ms = 5000,
                             .on_preface = on_preface,
                             .begin = cut_header,
                             .arg = &sp};
    uint64_t begun;
    stage s;

    (void)state;
    assert_int_equal(lr_proxy_new(&proxy, &sp.proxy, NULL), LR_OK);
    stage_open(&s, 4, &no_faults, &plan);
    stage_hold_back(&s, 0, s.clients[0].tls.out.len - 27);
    begun = sim_now(s.world);
    for (int i = 0; i < 8; i++) /* and the clock stands */
        stage_round(&s);
    assert_true(stage_conn_state(&s, 0) == LR__CONN_PREFACE);
    assert_false(stage_conn_has_engine(&s, 0));
    while (!stage_client_is_over(&s, 0)) {
        s.clients[0].held_back = s.clients[0].tls.out.len; /* nothing more of it */
        stage_round(&s);
    }
    assert_true(sim_now(s.world) - begun >= 5000 * 1000000ull);
    assert_int_equal(s.timeouts, 1);
    stage_close(&s);
    lr_proxy_free(sp.proxy);
}

static lr_status take_too_much(lr_conn *c, lr_slice bytes, size_t *used, const char **reason)
{
    (void)c;
    (void)reason;
    *used = bytes.len + 1;
    return bytes.len == 0 ? LR_EAGAIN : LR_OK;
}

/* A bug of the program's, which dies where checks are compiled in. */
static void a_hook_that_takes_more_than_there_is_is_noticed(void **state)
{
    const stage_plan plan = {.workers = 1, .clients = 1, .bytes = 100, .on_preface = take_too_much};
    int status;
    pid_t pid = fork();

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        stage s;

        if (!freopen("/dev/null", "w", stderr)) /* the message is expected */
            _exit(1);
        (void)signal(SIGABRT, SIG_DFL);
        stage_open(&s, 5, &no_faults, &plan);
        while (!stage_client_is_over(&s, 0))
            stage_round(&s);
        _exit(s.errors == 1 && s.secured == 0 ? 0 : 2);
    }
    assert_true(waitpid(pid, &status, 0) == pid);
#ifdef LOCKRING_DCHECK
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
#else
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_of_every_kind_pass_and_wrong_ones_do_not),
        cmocka_unit_test(headers_pass_over_one_byte_reads),
        cmocka_unit_test(headers_pass_over_every_fault_on_several_workers),
        cmocka_unit_test(draining_loses_no_connection_that_has_sent_its_header),
        cmocka_unit_test(one_seed_gives_the_same_bytes_twice),
        cmocka_unit_test(a_header_that_does_not_end_is_cut_at_the_handshake_deadline),
        cmocka_unit_test(a_hook_that_takes_more_than_there_is_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
