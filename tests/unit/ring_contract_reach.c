/* SPDX-License-Identifier: MIT */
#include "tests/unit/ring_contract.h"

#include "core/base/mem.h"
#include "core/io/address.h"
#include "core/io/socket.h"

#include <errno.h>
#include <stdio.h>

typedef struct stand {
    int number;
    struct sockaddr_storage address;
    socklen_t len;
} stand;

static stand stand_new(const rig_world *w, int backlog)
{
    stand s;

    s.number = w->peer_listen(w->world, backlog, &s.address, &s.len);
    return s;
}

/* Connects, and takes the peer that the stand gets. */
static rig_conn *reach(rig *g, const stand *s)
{
    rig_conn *c = rig_reach(g, &s->address, s->len);

    RIG_UNTIL(g, !rig_on(c, LR__OP_CONNECT));
    assert_int_equal(c->connect_last, 0);
    while ((c->peer = g->w->peer_accept(g->w->world, s->number)) < 0)
        rig_pump(g);
    return c;
}

static void settle(rig *g)
{
    for (int i = 0; i < 100; i++)
        rig_pump(g);
}

static void a_connect_reaches_its_peer(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    stand s = stand_new(w, 16);
    rig_conn *c = reach(g, &s), *d = reach(g, &s);

    rig_recv(g, c);
    rig_exchange(g, c, 1, 1);
    rig_exchange(g, c, 5, 70000);
    rig_recv(g, d);
    rig_exchange(g, d, 100000, 3);
    rig_exchange(g, c, 2, 2);
    w->peer_end(w->world, d->peer);
    RIG_UNTIL(g, d->recv_last == 0);
    rig_end(g, c, false);
    assert_int_equal(rig_peer_read_to_end(g, c), 0);
    rig_end(g, d, true);
    assert_int_equal(rig_peer_read_to_end(g, d), -ECONNRESET);
    w->peer_unlisten(w->world, s.number);
    rig_free(g);
}

static void a_connect_is_refused(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    stand s = stand_new(w, 16);
    rig_conn *c;

    w->peer_unlisten(w->world, s.number);
    for (int reset = 0; reset < 2; reset++) {
        c = rig_reach(g, &s.address, s.len);
        RIG_UNTIL(g, !rig_on(c, LR__OP_CONNECT));
        assert_int_equal(c->connect_last, -ECONNREFUSED);
        settle(g);
        rig_end(g, c, reset);
        RIG_UNTIL(g, c->closed);
    }
    rig_free(g);
}

/* The queue is full, so that the SYN is not answered. */
static void a_connect_under_way_is_ended(const rig_world *w)
{
    for (int reset = 0; reset < 2; reset++) {
        rig *g = rig_new(w, NULL);
        stand s = stand_new(w, 1);
        rig_conn *c;

        for (int i = 0; i < 2; i++) {
            c = rig_reach(g, &s.address, s.len);
            RIG_UNTIL(g, !rig_on(c, LR__OP_CONNECT));
            assert_int_equal(c->connect_last, 0);
        }
        c = rig_reach(g, &s.address, s.len);
        for (int i = 0; i < 10; i++)
            (void)rig_turn(g, 0);
        assert_true(rig_on(c, LR__OP_CONNECT));
        rig_end(g, c, reset);
        RIG_UNTIL(g, c->closed);
        assert_int_equal(c->connect_last, -ECANCELED);
        w->peer_unlisten(w->world, s.number);
        rig_free(g);
    }
}

static void a_connect_is_ended_at_once(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    stand s = stand_new(w, 64);
    rig_conn *c[8];

    for (int i = 0; i < 8; i++) {
        c[i] = rig_reach(g, &s.address, s.len);
        if (i & 1)
            (void)rig_turn(g, 0);
        if (!c[i]->closed)
            rig_end(g, c[i], i & 2);
    }
    for (int i = 0; i < 8; i++) {
        RIG_UNTIL(g, c[i]->closed);
        assert_true(c[i]->connect_last == 0 || c[i]->connect_last == -ECANCELED);
    }
    w->peer_unlisten(w->world, s.number);
    rig_free(g);
}

/* Until that operation's last completion, or the first that is not; nothing else may come. */
static int wait_for(rig *g, lr__id id, lr__op op)
{
    lr__completion done;

    while (lr__ring_wait(g->ring, 0, &done, 1) == 0)
        g->w->progress(g->w->world);
    assert_true(done.id == id);
    assert_int_equal(done.op, op);
    if (done.buffer != LR__NO_BUFFER) {
        assert_memory_equal(done.data, "both ends are ours", (size_t)done.res);
        lr__ring_buffer_give(g->ring, done.buffer);
    }
    return done.res;
}

/* Of the two sockets of one connection both are on this ring. */
static void both_ends_are_ours(const rig_world *w)
{
    static const char text[] = "both ends are ours";
    rig *g = rig_new(w, NULL);
    lr__id ids[2] = {lr__id_make(100, 1), lr__id_make(101, 1)};
    rig_conn *c = rig_reach(g, &g->address, g->address_len);
    struct sockaddr_storage names[2] = {0};
    socklen_t len;
    int socks[2];

    RIG_UNTIL(g, !rig_on(c, LR__OP_CONNECT) && g->accepted_count > 0);
    assert_int_equal(c->connect_last, 0);
    socks[0] = c->sock;
    socks[1] = g->accepted[--g->accepted_count];
    assert_int_equal(w->backend->sock_name(w->world, socks[0], false, &names[0], &len), 0);
    assert_int_equal(w->backend->sock_name(w->world, socks[1], true, &names[1], &len), 0);
    assert_memory_equal(&names[0], &names[1], len);
    assert_int_equal(w->backend->sock_name(w->world, socks[0], true, &names[0], &len), 0);
    assert_memory_equal(&names[0], &g->address, len);
    c->sock = -1; /* the rig lets go of it */
    for (int i = 0; i < 2; i++) {
        lr__ring_send(g->ring, socks[i], ids[i], text, sizeof(text));
        assert_int_equal(wait_for(g, ids[i], LR__OP_SEND), sizeof(text));
        lr__ring_recv(g->ring, socks[1 - i], ids[1 - i]);
        assert_int_equal(wait_for(g, ids[1 - i], LR__OP_RECV), sizeof(text));
    }
    lr__ring_end(g->ring, socks[0], ids[0], false);
    for (int i = 0; i < 3; i++) { /* each receive ends, ids[0] closes: in any order */
        lr__completion done;

        while (lr__ring_wait(g->ring, 0, &done, 1) == 0)
            w->progress(w->world);
        assert_true(done.last);
        assert_true(done.op != LR__OP_RECV || done.res == (done.id == ids[0] ? -ECANCELED : 0));
    }
    lr__ring_end(g->ring, socks[1], ids[1], false);
    assert_int_equal(wait_for(g, ids[1], LR__OP_CLOSE), 0);
    rig_free(g);
}

static void a_ring_is_closed_with_connects_in_flight(const rig_world *w)
{
    lr__mem_counts before = lr__mem_read();
    rig *g = rig_new(w, NULL);
    stand s = stand_new(w, 1);
    int socks[6];

    for (int i = 0; i < 6; i++) {
        socks[i] = rig_reach(g, &s.address, s.len)->sock;
        if (i == 3)
            (void)rig_turn(g, 0);
    }
    w->backend->listen_close(w->world, g->listener);
    rig_drop(g);
    for (int i = 0; i < 6; i++)
        w->backend->listen_close(w->world, socks[i]);
    w->peer_unlisten(w->world, s.number);
    if (w->is_real)
        assert_int_equal(lr__mem_read().live, before.live);
}

/* Paths */

typedef struct place {
    char path[64];
    struct sockaddr_storage address;
    socklen_t len;
    char text[LR__ADDRESS_TEXT_MAX]; /* of the address */
} place;

static place place_new(void)
{
    place p;

    (void)snprintf(p.path, sizeof(p.path), "/tmp/lockring-ring-%ld.sock", (long)getpid());
    assert_int_equal(lr__address_unix(p.path, &p.address, &p.len, NULL), LR_OK);
    lr__address_text(&p.address, p.len, p.text, sizeof(p.text));
    return p;
}

static int listen_there(const rig_world *w, const place *p)
{
    lr__listen_options options = {.address = (const struct sockaddr *)(const void *)&p->address,
                                  .address_len = p->len,
                                  .backlog = 64,
                                  .share_port = true,
                                  .exclusive = true,
                                  .incoming_cpu = -1};

    return w->backend->listen(w->world, &options);
}

static void assert_name(const rig_world *w, int sock, bool peer, const char *text)
{
    struct sockaddr_storage name;
    char found[LR__ADDRESS_TEXT_MAX];
    socklen_t len;

    assert_int_equal(w->backend->sock_name(w->world, sock, peer, &name, &len), 0);
    lr__address_text(&name, len, found, sizeof(found));
    assert_string_equal(found, text);
}

static void a_path_is_listened_on_by_two(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    place p = place_new();
    int one = listen_there(w, &p), two = w->backend->listen_dup(w->world, one);
    rig_conn *c;

    assert_true(one >= 0 && two >= 0 && one != two);
    rig_listen_on(g, one);
    c = rig_connect(g);
    rig_recv(g, c);
    rig_exchange(g, c, 1000, 100000);
    assert_name(w, c->sock, false, p.text);
    assert_name(w, c->sock, true, "unix:");
    rig_listen_on(g, two); /* the first is closed, the queue lives on */
    c = rig_connect(g);
    rig_recv(g, c);
    rig_exchange(g, c, 100000, 1000);
    rig_exchange(g, &g->conns[0], 5, 5);
    w->peer_end(w->world, c->peer);
    RIG_UNTIL(g, c->recv_last == 0);
    assert_int_equal(listen_there(w, &p), -EADDRINUSE);
    settle(g);
    while (g->accepted_count > 0) /* it has knocked, to see whether somebody is there */
        w->backend->listen_close(w->world, g->accepted[--g->accepted_count]);
    rig_free(g);
    lr__socket_unlink((const struct sockaddr *)(const void *)&p.address, p.len);
}

/* What came for one of them is taken through the other. */
static void duplicates_share_their_queue(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    place p = place_new();
    int one = listen_there(w, &p), two = w->backend->listen_dup(w->world, one), peer, sock;

    peer = w->connect(w->world, &p.address, p.len);
    assert_true(peer >= 0);
    assert_true(one >= 0 && two >= 0);
    w->backend->listen_close(w->world, one);
    while ((sock = w->backend->accept_now(g->ring, two)) == -EAGAIN)
        rig_pump(g);
    assert_true(sock >= 0);
    w->backend->listen_close(w->world, two);
    w->backend->listen_close(w->world, sock);
    w->peer_close(w->world, peer);
    lr__socket_unlink((const struct sockaddr *)(const void *)&p.address, p.len);
    rig_free(g);
}

static void a_connect_reaches_a_path(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    place p = place_new();
    rig_conn *c = rig_reach(g, &p.address, p.len);
    int listener;

    RIG_UNTIL(g, !rig_on(c, LR__OP_CONNECT));
    assert_true(c->connect_last == (w->is_real ? -ENOENT : -ECONNREFUSED));
    listener = listen_there(w, &p);
    assert_true(listener >= 0);
    rig_listen_on(g, listener);
    c = rig_reach(g, &p.address, p.len);
    RIG_UNTIL(g, !rig_on(c, LR__OP_CONNECT) && g->accepted_count == 1);
    assert_int_equal(c->connect_last, 0);
    assert_name(w, c->sock, true, p.text);
    assert_name(w, c->sock, false, "unix:");
    assert_name(w, g->accepted[0], false, p.text);
    w->backend->listen_close(w->world, g->accepted[0]);
    g->accepted_count = 0;
    rig_recv(g, c);
    RIG_UNTIL(g, c->recv_last == 0);
    rig_free(g);
    lr__socket_unlink((const struct sockaddr *)(const void *)&p.address, p.len);
    assert_int_equal(access(p.path, F_OK), -1);
}

static void a_full_path_says_so(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    place p = place_new();
    lr__listen_options options = {.address = (const struct sockaddr *)(const void *)&p.address,
                                  .address_len = p.len,
                                  .incoming_cpu = -1};
    int listener = w->backend->listen(w->world, &options);
    rig_conn *first = rig_reach(g, &p.address, p.len), *c;

    assert_true(listener >= 0);
    RIG_UNTIL(g, !rig_on(first, LR__OP_CONNECT));
    assert_int_equal(first->connect_last, 0);
    for (int reset = 0; reset < 2; reset++) {
        c = rig_reach(g, &p.address, p.len);
        RIG_UNTIL(g, !rig_on(c, LR__OP_CONNECT));
        assert_int_equal(c->connect_last, -EAGAIN);
        rig_end(g, c, reset);
        RIG_UNTIL(g, c->closed);
    }
    w->backend->listen_close(w->world, listener);
    lr__socket_unlink(options.address, p.len);
    rig_free(g);
}

/* Whoever waits there is taken and closed: a SYN that finds no room is sent again after a second.
 */
static void turn_away(const rig_world *w, const stand *s)
{
    int peer;

    while ((peer = w->peer_accept(w->world, s->number)) >= 0)
        w->peer_close(w->world, peer);
}

/* A random life of connects. Under faults each may fail, and every peer may be cut off. */
void ring_contract_reach_soup(const rig_world *w, uint64_t seed)
{
    enum { COUNT = 60 };
    rig *g = rig_new(w, NULL);
    stand s = stand_new(w, 8);

    for (int i = 0; i < COUNT; i++) {
        rig_conn *c = rig_reach(g, &s.address, s.len);
        uint64_t dice = support_random_below(&seed, 100);

        for (uint64_t turns = support_random_below(&seed, 30); turns > 0; turns--)
            rig_pump(g);
        turn_away(w, &s);
        if (dice < 30) {
            rig_end(g, c, dice & 1);
            continue;
        }
        while (rig_on(c, LR__OP_CONNECT)) {
            turn_away(w, &s);
            rig_pump(g);
        }
        if (c->connect_last == 0 && dice < 80) {
            rig_recv(g, c);
            rig_send(g, c, 1 + (uint32_t)support_random_below(&seed, 100000));
        }
    }
    for (int i = 0; i < COUNT; i++) {
        if (g->conns[i].sock >= 0 && !rig_on(&g->conns[i], LR__OP_CLOSE))
            rig_end(g, &g->conns[i], i & 1);
    }
    w->peer_unlisten(w->world, s.number);
    rig_free(g);
}

static void soup(const rig_world *w)
{
    for (uint64_t seed = 1; seed <= 5; seed++)
        ring_contract_reach_soup(w, seed);
}

const ring_contract_test ring_contract_reach[] = {
    {"a_connect_reaches_its_peer", a_connect_reaches_its_peer, false},
    {"a_connect_is_refused", a_connect_is_refused, false},
    {"a_connect_under_way_is_ended", a_connect_under_way_is_ended, false},
    {"a_connect_is_ended_at_once", a_connect_is_ended_at_once, false},
    {"both_ends_are_ours", both_ends_are_ours, false},
    {"a_ring_is_closed_with_connects_in_flight", a_ring_is_closed_with_connects_in_flight, false},
    {"a_path_is_listened_on_by_two", a_path_is_listened_on_by_two, false},
    {"duplicates_share_their_queue", duplicates_share_their_queue, false},
    {"a_connect_reaches_a_path", a_connect_reaches_a_path, false},
    {"a_full_path_says_so", a_full_path_says_so, false},
    {"reach_soup", soup, false},
    {NULL, NULL, false},
};
