/* SPDX-License-Identifier: MIT */
/* The contract of core/io/ring.h on the simulated back end, and what that one has beyond it: faults
 * from a seed, several rings on one thread, repetition byte for byte, a kernel that lies. */
#include "tests/unit/ring_contract.h"
#include "tests/unit/ring_sim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <stdlib.h>

static sim *contract_world;
static rig_world contract_rig;

static const rig_world *make_world(void)
{
    const sim_options options = {.seed = 1, .auto_advance = true};

    contract_world = sim_new_with(&options);
    contract_rig = rig_sim_world(contract_world);
    return &contract_rig;
}

static void discard_world(const rig_world *w)
{
    (void)w;
    sim_free(contract_world);
}

static uint64_t seed_running; /* 0: none */

/* After a test: the seed in which it ended early. */
static int say_seed(void **state)
{
    (void)state;
    if (seed_running)
        print_error("LOCKRING_SEED=%llu\n", (unsigned long long)seed_running);
    seed_running = 0;
    return 0;
}

static uint64_t soup_in_world(uint64_t seed, sim_counts *counts)
{
    const sim_options options = {
        .seed = seed, .faults = sim_faults_draw(seed), .auto_advance = true};
    sim *world = sim_new_with(&options);
    rig_world w = rig_sim_world(world);
    uint64_t transcript;

    seed_running = seed;
    ring_contract_soup(&w, seed);
    ring_contract_reach_soup(&w, seed);
    transcript = sim_transcript(world) ^ sim_now(world);
    *counts = sim_count(world);
    sim_free(world);
    seed_running = 0;
    return transcript;
}

static void the_rules_hold_under_every_fault(void **state)
{
    const char *one = getenv("LOCKRING_SEED");
    uint64_t first = one ? strtoull(one, NULL, 0) : 1000;
    uint64_t count = one ? 1 : getenv("LOCKRING_FULL") ? 3000 : 25, faults = 0;

    (void)state;
    for (uint64_t seed = first; seed < first + count; seed++) {
        sim_counts counts;

        (void)soup_in_world(seed, &counts);
        faults += counts.faults;
    }
    assert_true(one || faults > count * 100);
}

static void a_seed_repeats_exactly(void **state)
{
    (void)state;
    for (uint64_t seed = 5; seed < 8; seed++) {
        sim_counts one, two;
        uint64_t transcript = soup_in_world(seed, &one);

        assert_true(transcript == soup_in_world(seed, &two));
        assert_memory_equal(&one, &two, sizeof(one));
        assert_true(transcript != soup_in_world(seed + 1, &two));
    }
}

/* Reads whole files through refused opens, short reads and long waits. */
static void files_are_read_through_every_fault(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const sim_options options = {.seed = seed,
                                     .faults = {.open_no_files = 500,
                                                .read_piece_max = 300,
                                                .file_ns = 1000000,
                                                .delay = 300},
                                     .auto_advance = true};
        sim *world = sim_new_with(&options);
        rig_world w = rig_sim_world(world);
        rig *g = rig_new(&w, NULL);
        struct open_how how = {.flags = O_RDONLY | O_CLOEXEC};
        lr__file_op open = {
            .kind = LR__FILE_OPEN, .fd = AT_FDCWD, .path = "/proc/self/exe", .how = &how};
        uint8_t bytes[2000] = {0};
        lr__file_op read = {.kind = LR__FILE_READ, .len = 1000, .offset = 500};
        lr__file_op close = {.kind = LR__FILE_CLOSE};
        int ret, opens = 0;

        do {
            read.fd = close.fd = rig_file_now(g, &open);
            opens++;
        } while (read.fd < 0);
        assert_true(read.fd >= 1000 && opens < 100); /* a number of the world's */
        for (uint64_t pass = 0; pass < 2; pass++) {  /* in pieces, then whole */
            if (pass == 1)
                sim_faults_end(world);
            while (read.len > 0) {
                read.buf = bytes + pass * 1000 + (read.offset - 500);
                ret = rig_file_now(g, &read);
                assert_true(pass == 0 ? ret > 0 && ret <= 300 : ret == 1000);
                read.offset += (uint64_t)ret;
                read.len -= (uint32_t)ret;
            }
            read.offset = 500;
            read.len = 1000;
        }
        assert_memory_equal(bytes, bytes + 1000, 1000);
        assert_int_equal(rig_file_now(g, &close), 0);
        rig_free(g);
        sim_free(world);
    }
}

/* The rig must see it when a back end breaks rule 1. */
static void a_lying_kernel_is_noticed(void **state)
{
    const sim_options options = {
        .seed = 3, .faults = {.duplicate_last = true}, .auto_advance = true};
    sim *world = sim_new_with(&options);
    rig_world w = rig_sim_world(world);
    rig *g = rig_new(&w, NULL);
    rig_conn *c = rig_connect(g);

    (void)state;
    g->tolerant = true;
    rig_recv(g, c);
    rig_send(g, c, 100);
    RIG_UNTIL(g, !rig_on(c, LR__OP_SEND));
    for (int i = 0; i < 10; i++)
        rig_pump(g);
    assert_true(g->broken >= 1);
    sim_faults_end(world);
    rig_free(g);
    sim_free(world);
}

static void misuse(void *arg)
{
    const sim_options options = {.seed = 3, .auto_advance = true};
    sim *world = sim_new_with(&options);
    rig_world w = rig_sim_world(world);
    rig *g = rig_new(&w, NULL);
    rig_conn *c = rig_connect(g);
    lr__id id = rig_id(c);

    lr__ring_recv(g->ring, c->sock, id);
    switch (*(int *)arg) {
    case 0: /* twice */
        lr__ring_recv(g->ring, c->sock, id);
        break;
    case 1: /* the slot is in use */
        lr__ring_recv(g->ring, c->sock, lr__id_make(lr__id_slot(id), 3));
        break;
    case 2: /* ended */
        lr__ring_end(g->ring, c->sock, id, false);
        lr__ring_send(g->ring, c->sock, id, "x", 1);
        break;
    case 3: /* closed twice */
        lr__ring_end(g->ring, c->sock, id, false);
        lr__ring_end(g->ring, c->sock, id, false);
        break;
    case 4: /* never lent */
        lr__ring_buffer_give(g->ring, 0);
        break;
    case 5: /* kept */
        c->on |= 1u << LR__OP_RECV;
        g->hold = true;
        rig_peer_write_all(g, c, 10);
        RIG_UNTIL(g, g->held_count > 0);
        rig_drop(g);
        break;
    case 6: /* left open */
        rig_drop(g);
        sim_free(world);
        break;
    default: /* it would wait for ever */
        while (true)
            rig_turn(g, UINT64_MAX);
    }
}

static void misuse_of_the_ring_is_noticed(void **state)
{
    (void)state;
    for (int i = 0; i <= 7; i++)
        support_assert_check_fails(misuse, &i, "");
}

/* Several rings: workers that echo, turned by need. */

enum { WORKERS = 3, CLIENTS = 40, MESSAGE = 3000, MINI_CONNS = 128 };

typedef struct mini_conn {
    int sock;
    uint8_t bytes[64 * 1024];
    uint32_t len, sent; /* received; of them sent or being sent */
    bool sending, ended, closing;
    uint32_t generation;
} mini_conn;

typedef struct mini_worker {
    lr__ring *ring;
    int listener;
    mini_conn *conns;
    uint32_t count, accepted, turns;
    uint64_t wake_seen;
} mini_worker;

static lr__id mini_id(const mini_worker *m, const mini_conn *c)
{
    return lr__id_make((uint32_t)(c - m->conns) + 10, c->generation);
}

static void mini_move(mini_worker *m, mini_conn *c)
{
    if (c->closing || c->sending)
        return;
    if (c->sent < c->len) {
        c->sending = true;
        lr__ring_send(m->ring, c->sock, mini_id(m, c), c->bytes + c->sent, c->len - c->sent);
    } else if (c->ended) {
        c->closing = true;
        lr__ring_end(m->ring, c->sock, mini_id(m, c), false);
    }
}

static void mini_on(mini_worker *m, const lr__completion *done)
{
    mini_conn *c = &m->conns[lr__id_slot(done->id) - 10];

    if (done->op == LR__OP_ACCEPT) {
        if (done->res >= 0) {
            c = &m->conns[m->count++];
            assert_true(m->count <= MINI_CONNS);
            *c = (mini_conn){.sock = done->res, .generation = 1};
            m->accepted++;
            lr__ring_recv(m->ring, c->sock, mini_id(m, c));
        } else if (done->res != -ECANCELED) {
            lr__ring_accept(m->ring, m->listener, lr__id_make(1, 1));
        } else {
            m->listener = -1;
        }
        return;
    }
    if (done->op == LR__OP_RECV && done->res > 0) {
        assert_true(c->len + (uint32_t)done->res <= sizeof(c->bytes));
        memcpy(c->bytes + c->len, done->data, (size_t)done->res);
        c->len += (uint32_t)done->res;
        lr__ring_buffer_give(m->ring, done->buffer);
    } else if (done->op == LR__OP_RECV) {
        c->ended = true;
        c->sent = done->res < 0 ? c->len : c->sent;
    } else if (done->op == LR__OP_SEND) {
        c->sending = false;
        c->sent = done->res < 0 ? c->len : c->sent + (uint32_t)done->res;
        c->ended |= done->res < 0;
    } else {
        c->sock = -1;
    }
    if (c->sock >= 0)
        mini_move(m, c);
}

static void mini_turn(mini_worker *m, uint64_t deadline)
{
    lr__completion done[32];
    uint32_t count = lr__ring_wait(m->ring, deadline, done, 32);

    m->turns++;
    for (uint32_t i = 0; i < count; i++)
        mini_on(m, &done[i]);
}

typedef struct mini_client {
    int peer;
    uint32_t key, sent, received;
    bool over, failed;
} mini_client;

static void client_step(sim *world, mini_client *k)
{
    uint8_t bytes[1000];
    size_t got, len;

    if (k->over)
        return;
    len = 1 + (size_t)(sim_draw(world) % sizeof(bytes));
    len = len < MESSAGE - k->sent ? len : MESSAGE - k->sent;
    for (size_t i = 0; i < len; i++)
        bytes[i] = rig_pattern(k->key, true, k->sent + i);
    if (len > 0) {
        k->sent += (uint32_t)sim_peer_write(world, k->peer, bytes, len);
        if (k->sent == MESSAGE)
            sim_peer_end(world, k->peer);
    }
    while ((got = sim_peer_read(world, k->peer, bytes, sizeof(bytes))) > 0) {
        for (size_t i = 0; i < got; i++)
            assert_int_equal(bytes[i], rig_pattern(k->key, true, k->received + i));
        k->received += (uint32_t)got;
    }
    k->failed = sim_peer_was_reset(world, k->peer);
    k->over = k->failed || sim_peer_at_eof(world, k->peer);
    if (k->over)
        sim_peer_close(world, k->peer);
}

static mini_worker *worker_of(mini_worker *workers, const lr__ring *ring)
{
    for (int i = 0; i < WORKERS; i++) {
        if (workers[i].ring == ring)
            return &workers[i];
    }
    fail();
    return NULL;
}

static void open_workers(sim *world, mini_worker *workers, uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    lr__listen_options options = {.address = (const struct sockaddr *)(const void *)&in,
                                  .address_len = sizeof(in),
                                  .backlog = 4,
                                  .share_port = true,
                                  .incoming_cpu = -1};
    lr__ring_config config = {.recv_buffer_count = 4, .recv_buffer_max = 4};
    struct sockaddr_storage name;
    socklen_t len;

    for (int i = 0; i < WORKERS; i++) {
        mini_worker *m = &workers[i];

        assert_int_equal(sim_backend.open(world, &config, &m->ring, NULL), LR_OK);
        m->conns = calloc(MINI_CONNS, sizeof(*m->conns));
        assert_non_null(m->conns);
        m->listener = sim_backend.listen(world, &options);
        assert_true(m->listener >= 0);
        assert_int_equal(sim_backend.sock_name(world, m->listener, false, &name, &len), 0);
        in.sin_port = ((struct sockaddr_in *)(void *)&name)->sin_port;
        lr__ring_accept(m->ring, m->listener, lr__id_make(1, 1));
    }
    *port = ntohs(in.sin_port);
}

static uint64_t play(uint64_t seed, const sim_faults *faults, uint32_t *failed, bool *spread)
{
    sim *world = sim_new(seed, faults);
    mini_worker workers[WORKERS] = {{0}};
    mini_client clients[CLIENTS];
    uint64_t transcript;
    uint32_t over = 0;
    uint16_t port;

    open_workers(world, workers, &port);
    for (uint32_t i = 0; i < CLIENTS; i++)
        clients[i] = (mini_client){.peer = sim_connect(world, port), .key = i};
    for (uint32_t round = 0; over < CLIENTS; round++) {
        lr__ring *ring = sim_pick(world);

        assert_true(round < 1000000);
        if (ring)
            mini_turn(worker_of(workers, ring), UINT64_MAX);
        over = 0;
        for (uint32_t i = 0; i < CLIENTS; i++) {
            if (sim_draw(world) % 4 == 0)
                client_step(world, &clients[i]);
            over += clients[i].over;
        }
    }
    *failed = 0;
    *spread = true;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        *failed += clients[i].failed;
        assert_true(clients[i].failed || clients[i].received == MESSAGE);
    }
    for (int i = 0; i < WORKERS; i++) {
        *spread &= workers[i].accepted > 0;
        lr__ring_stop(workers[i].ring, lr__id_make(1, 1), LR__OP_ACCEPT);
    }
    for (lr__ring *ring; (ring = sim_pick(world)) != NULL;)
        mini_turn(worker_of(workers, ring), UINT64_MAX);
    transcript = sim_transcript(world);
    for (uint32_t i = 0; i < CLIENTS; i++)
        transcript ^= sim_peer_transcript(world, clients[i].peer) * (2 * i + 1);
    for (int i = 0; i < WORKERS; i++) {
        for (uint32_t j = 0; j < workers[i].count; j++)
            assert_int_equal(workers[i].conns[j].sock, -1);
        sim_backend.close(workers[i].ring);
        free(workers[i].conns);
    }
    for (int i = 0; i < WORKERS; i++) /* swept: those that were queued got a reset */
        assert_int_equal(workers[i].listener, -1);
    while (sim_open_sockets(world) > 0)
        for (int sock = 3; sock < 3 + WORKERS; sock++)
            sim_backend.listen_close(world, sock);
    sim_free(world);
    return transcript;
}

static void workers_share_a_port_and_a_thread(void **state)
{
    const sim_faults none = {0};
    uint32_t failed;
    bool spread;

    (void)state;
    (void)play(1, &none, &failed, &spread);
    assert_int_equal(failed, 0);
    assert_true(spread);
}

static void several_workers_repeat_under_every_fault(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        sim_faults faults = sim_faults_draw(seed);
        uint32_t one, two;
        bool spread;
        uint64_t transcript = play(seed, &faults, &one, &spread);

        assert_true(transcript == play(seed, &faults, &two, &spread));
        assert_int_equal(one, two);
        if (faults.cut == 0 && faults.accept_aborted == 0)
            assert_int_equal(one, 0); /* whatever else happens, the honest are served */
    }
}

static void clocks_jump_to_deadlines(void **state)
{
    const sim_faults none = {0};
    sim *world = sim_new(1, &none);
    lr__ring_config config = {0};
    lr__ring *one, *two;
    lr__completion done;
    uint64_t now;
    int64_t wall;

    (void)state;
    assert_int_equal(sim_backend.open(world, &config, &one, NULL), LR_OK);
    assert_int_equal(sim_backend.open(world, &config, &two, NULL), LR_OK);
    now = sim_now(world);
    assert_int_equal(lr__ring_wait(one, now + UINT64_C(3600000000000), &done, 1), 0);
    assert_int_equal(lr__ring_wait(two, now + UINT64_C(1800000000000), &done, 1), 0);
    wall = sim_backend.wall_ms(one);
    assert_ptr_equal(sim_pick(world), two); /* half an hour later, at no cost */
    assert_true(sim_now(world) == now + UINT64_C(1800000000000));
    assert_in_range(sim_backend.wall_ms(one) - wall, 1799000, 1800000);
    assert_int_equal(lr__ring_wait(two, UINT64_MAX, &done, 1), 0);
    lr__ring_wake(two); /* from another worker */
    assert_ptr_equal(sim_pick(world), two);
    assert_int_equal(lr__ring_wait(two, UINT64_MAX, &done, 1), 0);
    assert_ptr_equal(sim_pick(world), two); /* it was woken: it turns once more before it sleeps */
    assert_int_equal(lr__ring_wait(two, UINT64_MAX, &done, 1), 0);
    assert_ptr_equal(sim_pick(world), one);
    assert_int_equal(lr__ring_wait(one, UINT64_MAX, &done, 1), 0);
    assert_null(sim_pick(world)); /* nothing will ever happen */
    sim_set_wall(world, 5000);
    assert_int_equal(sim_backend.wall_ms(two), 5000);
    sim_backend.close(one);
    sim_backend.close(two);
    sim_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_rules_hold_under_every_fault, say_seed),
        cmocka_unit_test_teardown(a_seed_repeats_exactly, say_seed),
        cmocka_unit_test(files_are_read_through_every_fault),
        cmocka_unit_test(a_lying_kernel_is_noticed),
        cmocka_unit_test(misuse_of_the_ring_is_noticed),
        cmocka_unit_test(workers_share_a_port_and_a_thread),
        cmocka_unit_test(several_workers_repeat_under_every_fault),
        cmocka_unit_test(clocks_jump_to_deadlines),
    };
    int failed;

    alarm(600);
    failed = ring_contract_run("sim", make_world, discard_world);
    return failed + cmocka_run_group_tests_name("sim", tests, NULL, NULL) ? 1 : 0;
}
