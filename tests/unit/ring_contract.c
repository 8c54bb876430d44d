/* SPDX-License-Identifier: MIT */
#include "tests/unit/ring_contract.h"

#include <errno.h>
#include <netinet/in.h>

enum { KB = 1024, MB = 1024 * 1024 };

static void bytes_go_both_ways(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g);

    rig_recv(g, c);
    rig_exchange(g, c, 1, 1);
    rig_exchange(g, c, 5, 70000);
    rig_exchange(g, c, 100000, 3);
    rig_free(g);
}

static void many_connections(const rig_world *w)
{
    enum { COUNT = 300 };
    rig *g = rig_new(w, NULL);
    int peers[COUNT];

    for (int i = 0; i < COUNT; i++)
        peers[i] = rig_peer(g);
    RIG_UNTIL(g, g->accepted_count == COUNT);
    for (uint32_t i = 0; i < COUNT; i++) { /* each has another number */
        for (uint32_t j = 0; j < i; j++)
            assert_int_not_equal(g->accepted[i], g->accepted[j]);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        w->backend->end(g->ring, g->accepted[i], lr__id_make(RIG_SLOT_BASE + COUNT + i, 1), false);
        w->peer_close(w->world, peers[i]);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        lr__completion done;

        while (lr__ring_wait(g->ring, 0, &done, 1) == 0)
            w->progress(w->world);
        assert_int_equal(done.op, LR__OP_CLOSE);
        assert_true(done.last && done.res == 0);
    }
    g->accepted_count = 0;
    for (int i = 0; i < COUNT; i++)
        rig_recv(g, rig_connect(g));
    for (uint32_t i = 0; i < COUNT; i++)
        rig_exchange(g, &g->conns[i], 100 + i, 1000 + i);
    rig_free(g);
}

static void close_with_recv_armed_sends_fin(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g);

    rig_recv(g, c);
    rig_pump(g);
    rig_end(g, c, false);
    assert_int_equal(rig_peer_read_to_end(g, c), 0);
    RIG_UNTIL(g, c->closed);
    assert_int_equal(c->recv_last, -ECANCELED);
    rig_free(g);
}

static void close_right_after_recv(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g);

    rig_recv(g, c); /* both go in with one batch */
    rig_end(g, c, false);
    assert_int_equal(rig_peer_read_to_end(g, c), 0);
    RIG_UNTIL(g, c->closed);
    assert_int_equal(c->recv_last, -ECANCELED);
    rig_free(g);
}

static void close_right_after_send_sends_it(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g);

    rig_recv(g, c);
    rig_pump(g);
    rig_send(g, c, 500);
    rig_end(g, c, false);
    assert_int_equal(rig_peer_read_to_end(g, c), 0);
    assert_int_equal(c->peer_got, 500);
    RIG_UNTIL(g, c->closed);
    assert_int_equal(c->send_last, 500);
    rig_free(g);
}

static void close_cancels_a_blocked_send(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g);
    long ret;

    rig_recv(g, c);
    rig_send(g, c, 16 * MB);
    for (int i = 0; i < 50; i++)
        rig_pump(g);
    assert_true(rig_on(c, LR__OP_SEND)); /* the peer reads nothing */
    rig_end(g, c, false);
    RIG_UNTIL(g, c->closed);
    assert_int_equal(c->send_last, -ECANCELED);
    ret = rig_peer_read_to_end(g, c); /* what was on its way, in order, then the end */
    assert_true(ret == 0 || ret == -ECONNRESET);
    assert_true(c->peer_got < 16 * MB);
    rig_free(g);
}

static void reset_reaches_the_peer(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g), *blocked = rig_connect(g);

    rig_recv(g, c);
    rig_pump(g);
    rig_end(g, c, true);
    assert_int_equal(rig_peer_read_to_end(g, c), -ECONNRESET);
    RIG_UNTIL(g, c->closed);

    rig_send(g, blocked, 16 * MB);
    for (int i = 0; i < 20; i++)
        rig_pump(g);
    rig_end(g, blocked, true);
    RIG_UNTIL(g, blocked->closed);
    assert_int_equal(blocked->send_last, -ECANCELED);
    assert_int_equal(rig_peer_read_to_end(g, blocked), -ECONNRESET);
    rig_free(g);
}

static void peer_reset_ends_the_receive(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g);

    rig_recv(g, c);
    rig_pump(g);
    w->peer_reset(w->world, c->peer);
    c->peer = -1;
    RIG_UNTIL(g, !rig_on(c, LR__OP_RECV));
    assert_int_equal(c->recv_last, -ECONNRESET);
    rig_free(g);
}

static void send_to_a_reset_peer_fails(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g);

    rig_recv(g, c);
    rig_pump(g);
    w->peer_reset(w->world, c->peer);
    c->peer = -1;
    RIG_UNTIL(g, !rig_on(c, LR__OP_RECV));
    rig_send(g, c, 100);
    RIG_UNTIL(g, !rig_on(c, LR__OP_SEND));
    assert_true(c->send_last == -EPIPE || c->send_last == -ECONNRESET); /* and no SIGPIPE */
    rig_free(g);
}

static void peer_reset_ends_a_blocked_send(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g);

    rig_send(g, c, 16 * MB); /* without a receive: only the send can notice */
    for (int i = 0; i < 20; i++)
        rig_pump(g);
    assert_true(rig_on(c, LR__OP_SEND));
    w->peer_reset(w->world, c->peer);
    c->peer = -1;
    RIG_UNTIL(g, !rig_on(c, LR__OP_SEND));
    assert_true(c->send_last == -EPIPE || c->send_last == -ECONNRESET);
    rig_free(g);
}

static void half_close_leaves_the_other_half(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g);

    rig_recv(g, c);
    rig_peer_write_all(g, c, 1234);
    w->peer_end(w->world, c->peer);
    RIG_UNTIL(g, !rig_on(c, LR__OP_RECV));
    assert_int_equal(c->recv_last, 0);
    assert_int_equal(c->received, 1234);
    rig_send(g, c, 100000);
    rig_end(g, c, false);
    while (!c->closed)
        rig_pump(g);
    (void)rig_peer_read_to_end(g, c);
    assert_true(c->peer_got > 0);
    rig_free(g);
}

static void shutdown_write_ends_only_our_half(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g);

    rig_recv(g, c);
    rig_send(g, c, 1000);
    RIG_UNTIL(g, !rig_on(c, LR__OP_SEND));
    assert_int_equal(w->backend->shutdown_write(g->ring, c->sock), 0);
    assert_int_equal(rig_peer_read_to_end(g, c), 0);
    assert_int_equal(c->peer_got, 1000);
    rig_peer_write_all(g, c, 3000);
    RIG_UNTIL(g, c->received == 3000);
    rig_send(g, c, 1);
    RIG_UNTIL(g, !rig_on(c, LR__OP_SEND));
    assert_int_equal(c->send_last, -EPIPE);
    w->peer_end(w->world, c->peer);
    RIG_UNTIL(g, !rig_on(c, LR__OP_RECV));
    assert_int_equal(c->recv_last, 0);
    rig_free(g);
}

static void stop_and_start_again_loses_nothing(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g);
    uint64_t seed = 1;

    while (c->written < MB || c->received < c->written) {
        if (!rig_on(c, LR__OP_RECV))
            rig_recv(g, c);
        if (c->written < MB)
            (void)rig_peer_write(g, c, 1 + support_random_below(&seed, 40000));
        if (support_random_below(&seed, 2))
            rig_pump(g);
        if (support_random_below(&seed, 2))
            rig_stop(g, c);
        rig_pump(g);
    }
    rig_free(g);
}

static void stop_without_data_cancels(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g);

    rig_recv(g, c);
    rig_stop(g, c); /* before it was submitted */
    rig_stop(g, c); /* twice is once */
    RIG_UNTIL(g, !rig_on(c, LR__OP_RECV));
    assert_int_equal(c->recv_last, -ECANCELED);
    rig_stop(g, c); /* too late is harmless */
    rig_pump(g);
    rig_recv(g, c);
    rig_pump(g);
    rig_stop(g, c);
    rig_pump(g);
    rig_stop(g, c);
    RIG_UNTIL(g, !rig_on(c, LR__OP_RECV));
    assert_int_equal(c->recv_last, -ECANCELED);
    rig_recv(g, c); /* and none of those stops meets this one */
    for (int i = 0; i < 5; i++)
        rig_pump(g);
    assert_true(rig_on(c, LR__OP_RECV));
    rig_peer_write_all(g, c, 10);
    RIG_UNTIL(g, c->received == 10);
    rig_free(g);
}

static void stop_after_the_end_changes_nothing(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g);

    rig_recv(g, c);
    rig_pump(g);
    w->peer_end(w->world, c->peer);
    rig_stop(g, c);
    RIG_UNTIL(g, !rig_on(c, LR__OP_RECV));
    assert_true(c->recv_last == 0 || c->recv_last == -ECANCELED);
    rig_recv(g, c); /* the end is still there to be read */
    RIG_UNTIL(g, !rig_on(c, LR__OP_RECV));
    assert_int_equal(c->recv_last, 0);
    rig_free(g);
}

static void a_slot_is_used_again(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g);

    for (int i = 0; i < 300; i++) {
        rig_recv(g, c);
        rig_peer_write_all(g, c, 10);
        rig_send(g, c, 10);
        if (i % 3 == 0)
            RIG_UNTIL(g, c->received == 10);
        rig_end(g, c, i % 2 == 0);
        RIG_UNTIL(g, c->closed);
        rig_reconnect(g, c);
    }
    assert_int_equal(c->generation, 601);
    rig_free(g);
}

/* A new connection gets the number of one just closed, while completions of the old one may still
 * be on their way: the rig checks that each belongs to its generation and pattern. */
static void a_descriptor_is_used_again_at_once(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g);
    int sock = c->sock, peer = c->peer;

    for (int i = 0; i < 100; i++) {
        rig_recv(g, c);
        rig_pump(g);
        rig_peer_write_all(g, c, 100);
        rig_end(g, c, false);
        RIG_UNTIL(g, c->closed);
        rig_reconnect(g, c);
        assert_true(c->sock == sock || (w->is_real && c->sock == peer));
    }
    rig_free(g);
}

static void a_large_send_has_one_completion(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g);

    rig_send(g, c, 4 * MB);
    while (c->peer_got < 4 * MB) {
        if (rig_peer_read(g, c, 10000) < 0)
            rig_pump(g);
    }
    RIG_UNTIL(g, !rig_on(c, LR__OP_SEND));
    assert_int_equal(c->send_last, 4 * MB);
    rig_free(g);
}

static void others_progress_beside_a_large_transfer(const rig_world *w)
{
    enum { OTHERS = 20 };
    rig *g = rig_new(w, NULL);
    rig_conn *big = rig_connect(g);
    uint64_t done = 0;

    rig_recv(g, big);
    for (int i = 0; i < OTHERS; i++)
        rig_recv(g, rig_connect(g));
    while (big->received < 4 * MB) {
        if (big->written < 4 * MB)
            (void)rig_peer_write(g, big, 65536);
        for (uint32_t i = 1; i <= OTHERS && big->received < 3 * MB; i++) {
            if (g->conns[i].received == g->conns[i].written)
                (void)rig_peer_write(g, &g->conns[i], 300);
        }
        rig_pump(g);
        if (big->received < 4 * MB) {
            done = 0;
            for (uint32_t i = 1; i <= OTHERS; i++)
                done += g->conns[i].received;
        }
    }
    assert_true(done > (uint64_t)OTHERS * 300); /* each came more than once, on average */
    for (uint32_t i = 1; i <= OTHERS; i++)
        RIG_UNTIL(g, g->conns[i].received == g->conns[i].written);
    rig_free(g);
}

static void names_of_both_ends(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g);
    struct sockaddr_storage local, peer;
    socklen_t len;

    assert_int_equal(w->backend->sock_name(w->world, c->sock, false, &local, &len), 0);
    assert_int_equal(len, sizeof(struct sockaddr_in));
    assert_memory_equal(&local, &g->address, len);
    assert_int_equal(w->backend->sock_name(w->world, c->sock, true, &peer, &len), 0);
    assert_int_equal(peer.ss_family, AF_INET);
    assert_int_not_equal(((struct sockaddr_in *)&peer)->sin_port, 0);
    rig_free(g);
}

static void clocks_and_randomness(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    uint8_t one[32] = {0}, two[32] = {0}, none[32] = {0};
    uint64_t before = lr__ring_now(g->ring);

    assert_true(before > 0);
    rig_pump(g);
    assert_true(lr__ring_now(g->ring) >= before);
    assert_true(w->backend->wall_ms(g->ring) > INT64_C(1500000000000));
    assert_true(w->backend->random(g->ring, one, sizeof(one)));
    assert_true(w->backend->random(g->ring, two, sizeof(two)));
    assert_memory_not_equal(one, two, sizeof(one));
    assert_memory_not_equal(one, none, sizeof(one));
    rig_free(g);
}

const ring_contract_test ring_contract_life[] = {
    {"bytes_go_both_ways", bytes_go_both_ways, false},
    {"many_connections", many_connections, false},
    {"close_with_recv_armed_sends_fin", close_with_recv_armed_sends_fin, false},
    {"close_right_after_recv", close_right_after_recv, false},
    {"close_right_after_send_sends_it", close_right_after_send_sends_it, false},
    {"close_cancels_a_blocked_send", close_cancels_a_blocked_send, false},
    {"reset_reaches_the_peer", reset_reaches_the_peer, false},
    {"peer_reset_ends_the_receive", peer_reset_ends_the_receive, false},
    {"send_to_a_reset_peer_fails", send_to_a_reset_peer_fails, false},
    {"peer_reset_ends_a_blocked_send", peer_reset_ends_a_blocked_send, false},
    {"half_close_leaves_the_other_half", half_close_leaves_the_other_half, false},
    {"shutdown_write_ends_only_our_half", shutdown_write_ends_only_our_half, false},
    {"stop_and_start_again_loses_nothing", stop_and_start_again_loses_nothing, false},
    {"stop_without_data_cancels", stop_without_data_cancels, false},
    {"stop_after_the_end_changes_nothing", stop_after_the_end_changes_nothing, false},
    {"a_slot_is_used_again", a_slot_is_used_again, false},
    {"a_descriptor_is_used_again_at_once", a_descriptor_is_used_again_at_once, false},
    {"a_large_send_has_one_completion", a_large_send_has_one_completion, false},
    {"others_progress_beside_a_large_transfer", others_progress_beside_a_large_transfer, false},
    {"names_of_both_ends", names_of_both_ends, false},
    {"clocks_and_randomness", clocks_and_randomness, false},
    {NULL, NULL, false},
};
