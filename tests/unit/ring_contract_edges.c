/* SPDX-License-Identifier: MIT */
#include "tests/unit/ring_contract.h"

#include "core/base/mem.h"

#include <errno.h>

enum { KB = 1024, MB = 1024 * 1024, FULL = LR__RECV_BUFFER_SIZE };

static const lr__ring_config four_buffers = {.recv_buffer_count = 4, .recv_buffer_max = 4};

/* With as many pumps as here everything that can happen without our doing has happened. */
static void settle(rig *g)
{
    for (int i = 0; i < 200; i++)
        rig_pump(g);
}

static uint64_t received_in_all(const rig *g)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < g->conn_count; i++)
        sum += g->conns[i].received;
    return sum;
}

static void held_buffers_make_others_wait(const rig_world *w)
{
    enum { COUNT = 10, EACH = 50000 };
    rig *g = rig_new(w, &four_buffers);

    for (int i = 0; i < COUNT; i++)
        rig_recv(g, rig_connect(g));
    g->hold = true;
    for (uint32_t i = 0; i < COUNT; i++)
        rig_peer_write_all(g, &g->conns[i], EACH);
    RIG_UNTIL(g, g->held_count == 4);
    settle(g);
    assert_int_equal(g->held_count, 4);
    assert_int_equal(atomic_load(&g->ring->counts.buffers_lent), 4);
    while (received_in_all(g) < (uint64_t)COUNT * EACH) { /* one comes back, one goes out */
        if (g->held_count > 0)
            rig_give_one(g);
        rig_pump(g);
    }
    rig_free(g);
}

static void starved_receives_all_come_back(const rig_world *w)
{
    enum { COUNT = 50 };
    rig *g = rig_new(w, &four_buffers);

    for (int i = 0; i < COUNT; i++)
        rig_recv(g, rig_connect(g));
    g->hold = true;
    rig_peer_write_all(g, &g->conns[0], 4 * FULL);
    RIG_UNTIL(g, g->held_count >= 4);
    for (uint32_t i = 0; i < COUNT; i++) /* each finds no buffer */
        (void)rig_peer_write(g, &g->conns[i], 10);
    settle(g);
    g->hold = false;
    rig_give_one(g); /* one buffer must serve them all, one after the other */
    for (uint32_t i = 0; i < COUNT; i++)
        RIG_UNTIL(g, g->conns[i].received == g->conns[i].written);
    for (uint32_t i = 0; i < COUNT; i++) { /* and all are armed: more comes through */
        rig_peer_write_all(g, &g->conns[i], 5);
        RIG_UNTIL(g, g->conns[i].received == g->conns[i].written);
    }
    rig_free(g);
}

static void a_starved_receive_can_be_stopped_or_closed(const rig_world *w)
{
    rig *g = rig_new(w, &four_buffers);
    rig_conn *full = rig_connect(g), *stopped = rig_connect(g), *closed = rig_connect(g);

    g->hold = true;
    rig_recv(g, full);
    rig_recv(g, stopped);
    rig_recv(g, closed);
    for (uint32_t i = 1; i <= 4; i++) { /* a buffer for each */
        rig_peer_write_all(g, full, 100);
        RIG_UNTIL(g, g->held_count == i);
    }
    (void)rig_peer_write(g, stopped, 100);
    (void)rig_peer_write(g, closed, 100);
    settle(g);
    rig_stop(g, stopped);
    rig_end(g, closed, false);
    RIG_UNTIL(g, !rig_on(stopped, LR__OP_RECV) && closed->closed);
    assert_int_equal(stopped->recv_last, -ECANCELED);
    assert_int_equal(closed->recv_last, -ECANCELED);
    rig_recv(g, stopped);
    settle(g);
    assert_int_equal(stopped->received, 0);
    rig_give_one(g);
    RIG_UNTIL(g, stopped->received == 100);
    rig_free(g);
}

static void an_array_of_one_takes_everything(const rig_world *w)
{
    enum { COUNT = 20 };
    rig *g = rig_new(w, NULL);

    g->cap = 1;
    for (int i = 0; i < COUNT; i++)
        rig_recv(g, rig_connect(g));
    for (uint32_t i = 0; i < COUNT; i++) {
        rig_peer_write_all(g, &g->conns[i], 40000);
        rig_send(g, &g->conns[i], 1000);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        RIG_UNTIL(g, g->conns[i].received == 40000 && !rig_on(&g->conns[i], LR__OP_SEND));
    for (uint32_t i = 0; i < COUNT; i++) {
        (void)rig_peer_write(g, &g->conns[i], 1000);
        rig_stop(g, &g->conns[i]);
        if (i % 2)
            rig_end(g, &g->conns[i], i % 4 == 1);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        RIG_UNTIL(g, i % 2 ? g->conns[i].closed : !rig_on(&g->conns[i], LR__OP_RECV));
    rig_free(g);
}

/* With io_uring the queue overflows, multishot requests end early and are healed. */
static void a_tiny_completion_queue_loses_nothing(const rig_world *w)
{
    enum { COUNT = 30, ROUNDS = 30 };
    lr__ring_config tiny = {.sq_entries = 4, .cq_entries = 4};
    rig *g = rig_new(w, &tiny);

    for (int i = 0; i < COUNT; i++)
        rig_recv(g, rig_connect(g));
    for (int round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < COUNT; i++)
            (void)rig_peer_write(g, &g->conns[i], 1 + i);
        if (round % 3 == 0)
            rig_pump(g);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        RIG_UNTIL(g, g->conns[i].received == g->conns[i].written);
    for (uint32_t i = 0; i < COUNT; i++)
        rig_send(g, &g->conns[i], 5000);
    for (uint32_t i = 0; i < COUNT; i++)
        RIG_UNTIL(g, !rig_on(&g->conns[i], LR__OP_SEND));
    if (strcmp(w->backend->name, "uring") == 0)
        assert_true(atomic_load(&g->ring->counts.rearmed_ended) > 0);
    rig_free(g);
}

static void accepting_survives_a_tiny_completion_queue(const rig_world *w)
{
    enum { COUNT = 40 };
    lr__ring_config tiny = {.sq_entries = 4, .cq_entries = 4};
    rig *g = rig_new(w, &tiny);
    int peers[COUNT];

    for (int i = 0; i < COUNT; i++)
        peers[i] = rig_peer(g);
    RIG_UNTIL(g, g->accepted_count == COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        lr__completion done;

        w->backend->end(g->ring, g->accepted[i], lr__id_make(100 + i, 1), false);
        while (lr__ring_wait(g->ring, 0, &done, 1) == 0)
            w->progress(w->world);
        assert_int_equal(done.op, LR__OP_CLOSE);
        w->peer_close(w->world, peers[i]);
    }
    rig_free(g);
}

static void a_deadline_is_kept(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    uint64_t now = lr__ring_now(g->ring);

    assert_int_equal(rig_turn(g, 0), 0); /* long ago: returns */
    assert_int_equal(rig_turn(g, now), 0);
    now = lr__ring_now(g->ring);
    assert_int_equal(rig_turn(g, now + 3000000), 0);
    assert_true(lr__ring_now(g->ring) >= now + 3000000);
    now = lr__ring_now(g->ring);
    assert_int_equal(rig_turn(g, now + 1), 0);
    assert_true(lr__ring_now(g->ring) > now);
    rig_free(g);
}

static void a_wake_ends_the_next_wait(const rig_world *w)
{
    rig *g = rig_new(w, NULL);

    lr__ring_wake(g->ring);
    lr__ring_wake(g->ring);
    assert_int_equal(rig_turn(g, UINT64_MAX), 0);
    rig_peer(g); /* leaks until the ring goes; it only gives the wait something to find */
    while (g->accepted_count == 0)
        assert_true(rig_turn(g, UINT64_MAX) <= 1);
    lr__ring_wake(g->ring);
    assert_int_equal(rig_turn(g, UINT64_MAX), 0);
    w->backend->end(g->ring, g->accepted[0], lr__id_make(RIG_SLOT_BASE, 1), true);
    g->conns[0] = (rig_conn){
        .peer = -1, .sock = -1, .slot = RIG_SLOT_BASE, .generation = 1, .on = 1u << LR__OP_CLOSE};
    g->conn_count = 1;
    RIG_UNTIL(g, g->conns[0].closed);
    rig_free(g);
}

static void a_sweep_takes_what_waits(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    int peers[5], socks[5];

    assert_int_equal(w->backend->accept_now(g->ring, g->listener), -EAGAIN);
    lr__ring_stop(g->ring, lr__id_make(RIG_LISTENER_SLOT, 1), LR__OP_ACCEPT);
    RIG_UNTIL(g, !g->accepting);
    assert_int_equal(g->accept_last, -ECANCELED);
    for (int i = 0; i < 5; i++)
        peers[i] = rig_peer(g);
    settle(g);
    assert_int_equal(g->accepted_count, 0);
    for (int i = 0; i < 5; i++) {
        socks[i] = w->backend->accept_now(g->ring, g->listener);
        assert_true(socks[i] >= 0);
    }
    assert_int_equal(w->backend->accept_now(g->ring, g->listener), -EAGAIN);
    for (int i = 0; i < 5; i++) {
        w->backend->listen_close(w->world, socks[i]);
        w->peer_close(w->world, peers[i]);
    }
    rig_free(g);
}

static void accepting_starts_again(const rig_world *w)
{
    rig *g = rig_new(w, NULL);

    for (int i = 0; i < 10; i++) {
        uint32_t count = g->conn_count;

        rig_recv(g, rig_connect(g));
        assert_int_equal(g->conn_count, count + 1);
        lr__ring_stop(g->ring, lr__id_make(RIG_LISTENER_SLOT, 1), LR__OP_ACCEPT);
        RIG_UNTIL(g, !g->accepting);
        assert_int_equal(g->accept_last, -ECANCELED);
        g->accepting = true;
        lr__ring_accept(g->ring, g->listener, lr__id_make(RIG_LISTENER_SLOT, 1));
    }
    rig_free(g);
}

static void an_ended_listener_refuses(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    lr__completion done[4];
    bool closed = false;

    lr__ring_end(g->ring, g->listener, lr__id_make(RIG_LISTENER_SLOT, 1), false);
    while (!closed) { /* the accept's last, then the CLOSE */
        uint32_t count = lr__ring_wait(g->ring, 0, done, 4);

        for (uint32_t i = 0; i < count; i++) {
            assert_true(done[i].last && !closed);
            if (done[i].op == LR__OP_ACCEPT)
                g->accepting = false;
            closed = done[i].op == LR__OP_CLOSE;
        }
        if (count == 0)
            w->progress(w->world);
    }
    assert_false(g->accepting);
    g->listener = -1;
    assert_int_equal(w->connect(w->world, &g->address, g->address_len), -ECONNREFUSED);
    rig_free(g);
}

static void a_port_is_shared_or_exclusive(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    lr__listen_options options = {.address = (const struct sockaddr *)&g->address,
                                  .address_len = g->address_len,
                                  .backlog = 16,
                                  .share_port = true,
                                  .incoming_cpu = -1};
    int second = w->backend->listen(w->world, &options);

    assert_true(second >= 0);
    options.exclusive = true;
    assert_int_equal(w->backend->listen(w->world, &options), -EADDRINUSE);
    options.share_port = options.exclusive = false;
    assert_int_equal(w->backend->listen(w->world, &options), -EADDRINUSE);
    w->backend->listen_close(w->world, second);
    rig_free(g);
}

static void a_ring_can_be_closed_with_everything_in_flight(const rig_world *w)
{
    lr__mem_counts before = lr__mem_read();
    rig *g = rig_new(w, NULL);
    int socks[4];

    for (uint32_t i = 0; i < 4; i++) {
        rig_conn *c = rig_connect(g);

        socks[i] = c->sock;
        rig_recv(g, c);
        rig_send(g, c, 16 * MB);
    }
    rig_pump(g);
    g->hold = true;
    rig_peer_write_all(g, &g->conns[0], 100);
    RIG_UNTIL(g, g->held_count > 0);
    rig_end(g, &g->conns[1], false);
    rig_stop(g, &g->conns[2]);
    w->backend->listen_close(w->world, g->listener);
    w->peer_close(w->world, g->conns[0].peer);
    g->conns[0].peer = -1;
    while (!w->is_real && g->held_count > 0) /* the simulated kernel insists */
        rig_give_one(g);
    rig_drop(g);
    for (int i = 0; i < 4; i++) {
        if (i != 1) /* that one was closed by its end */
            w->backend->listen_close(w->world, socks[i]);
    }
    if (w->is_real)
        assert_int_equal(lr__mem_read().live, before.live);
}

/* Every allocation that opening makes fails once. */
static void opening_survives_want_of_memory(const rig_world *w)
{
    lr__ring_config config = {0};
    lr__mem_counts before = lr__mem_read();
    bool opened = false;

    for (uint64_t n = 1; !opened; n++) {
        lr__ring *ring = NULL;
        lr_error err;

        (void)lr__mem_fail_at(n, false);
        opened = w->backend->open(w->world, &config, &ring, &err) == LR_OK;
        (void)lr__mem_fail_at(0, false);
        if (opened)
            w->backend->close(ring);
        else
            assert_int_equal(err.status, LR_ENOMEM);
        if (w->is_real)
            assert_int_equal(lr__mem_read().live, before.live);
    }
}

static void starting_survives_want_of_memory(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    int peer = rig_peer(g), sock;
    lr__id id = lr__id_make(1000000, 1); /* far from any slot used so far */
    lr__completion done[8];
    uint32_t seen = 0;

    RIG_UNTIL(g, g->accepted_count == 1);
    sock = g->accepted[0];
    (void)lr__mem_fail_at(1, true);
    lr__ring_recv(g->ring, sock, id);
    lr__ring_send(g->ring, sock, id, "x", 1);
    lr__ring_stop(g->ring, id, LR__OP_RECV);
    lr__ring_end(g->ring, sock, id, true);
    while (seen < 3)
        seen += lr__ring_wait(g->ring, 0, done + seen, 8 - seen);
    (void)lr__mem_fail_at(0, false);
    assert_int_equal(seen, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(done[i].id == id && done[i].last);
    assert_int_equal(done[2].op, LR__OP_CLOSE);
    assert_int_equal(done[2].res, 0);
    if (w->is_real) {
        assert_int_equal(done[0].res, -ENOMEM);
        assert_int_equal(done[1].res, -ENOMEM);
    }
    w->peer_close(w->world, peer);
    rig_free(g);
}

/* A long random life of many connections; the rig checks the rules at every step. */
void ring_contract_soup(const rig_world *w, uint64_t seed)
{
    enum { COUNT = 24, STEPS = 4000 };
    lr__ring_config few = {
        .sq_entries = 32, .cq_entries = 64, .recv_buffer_count = 8, .recv_buffer_max = 8};
    rig *g = rig_new(w, &few);

    g->keep_accepting = true;
    for (int i = 0; i < COUNT; i++)
        (void)rig_connect(g);
    for (int step = 0; step < STEPS; step++) {
        rig_conn *c = &g->conns[support_random_below(&seed, COUNT)];
        bool open = c->sock >= 0 && !rig_on(c, LR__OP_CLOSE);
        uint64_t dice = support_random_below(&seed, 100);

        g->cap = 1 + (uint32_t)support_random_below(&seed, 20);
        g->hold = g->held_count < 6 && support_random_below(&seed, 2);
        if (dice < 20 && open && !rig_on(c, LR__OP_RECV) && c->recv_last != 0 &&
            c->recv_last != -ECONNRESET)
            rig_recv(g, c);
        else if (dice < 35 && open && !rig_on(c, LR__OP_SEND))
            rig_send(g, c, 1 + (uint32_t)support_random_below(&seed, dice % 7 ? 2000 : 300000));
        else if (dice < 55 && c->peer >= 0)
            (void)rig_peer_write(g, c, 1 + support_random_below(&seed, dice % 5 ? 3000 : 60000));
        else if (dice < 70 && c->peer >= 0)
            (void)rig_peer_read(g, c, 65536);
        else if (dice < 76 && open)
            rig_stop(g, c);
        else if (dice < 80 && open)
            rig_end(g, c, dice & 1);
        else if (dice < 82 && c->peer >= 0) {
            w->peer_reset(w->world, c->peer);
            c->peer = -1;
        } else if (c->closed && c->on == 0) {
            rig_reconnect(g, c);
        }
        if (g->held_count > 0 && support_random_below(&seed, 3) == 0)
            rig_give_one(g);
        if (support_random_below(&seed, 2))
            rig_pump(g);
    }
    g->hold = false;
    g->cap = RIG_CAP;
    rig_free(g);
}

static void soup(const rig_world *w)
{
    for (uint64_t seed = 1; seed <= 5; seed++)
        ring_contract_soup(w, seed);
}

const ring_contract_test ring_contract_edges[] = {
    {"held_buffers_make_others_wait", held_buffers_make_others_wait, false},
    {"starved_receives_all_come_back", starved_receives_all_come_back, false},
    {"a_starved_receive_can_be_stopped_or_closed", a_starved_receive_can_be_stopped_or_closed,
     false},
    {"an_array_of_one_takes_everything", an_array_of_one_takes_everything, false},
    {"a_tiny_completion_queue_loses_nothing", a_tiny_completion_queue_loses_nothing, false},
    {"accepting_survives_a_tiny_completion_queue", accepting_survives_a_tiny_completion_queue,
     false},
    {"a_deadline_is_kept", a_deadline_is_kept, false},
    {"a_wake_ends_the_next_wait", a_wake_ends_the_next_wait, false},
    {"a_sweep_takes_what_waits", a_sweep_takes_what_waits, false},
    {"accepting_starts_again", accepting_starts_again, false},
    {"an_ended_listener_refuses", an_ended_listener_refuses, false},
    {"a_port_is_shared_or_exclusive", a_port_is_shared_or_exclusive, false},
    {"a_ring_can_be_closed_with_everything_in_flight",
     a_ring_can_be_closed_with_everything_in_flight, false},
    {"opening_survives_want_of_memory", opening_survives_want_of_memory, false},
    {"starting_survives_want_of_memory", starting_survives_want_of_memory, false},
    {"soup", soup, false},
    {NULL, NULL, false},
};
