/* SPDX-License-Identifier: MIT */
#include "tests/unit/ring_harness.h"

#include "core/base/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

enum { CHUNK = 65536, PERIOD = 65521 };

/* A broken rule fails the test, unless the test wants to see it found. */
#define RULE(g, holds)                                                                             \
    do {                                                                                           \
        if (!(holds) && (g)->tolerant)                                                             \
            (g)->broken++;                                                                         \
        else                                                                                       \
            assert_true(holds);                                                                    \
    } while (0)

/* The pattern is a stretch of one random table, begun somewhere else by every connection and
 * direction, so that it can be made and compared in whole pieces. */
static const uint8_t *pattern_table(void)
{
    static uint8_t table[2 * PERIOD];
    uint64_t seed = 99;

    for (size_t i = 0; table[0] == 0 && i < PERIOD; i++)
        table[PERIOD + i] = (uint8_t)(1 + support_random_below(&seed, 255));
    if (table[0] == 0)
        memcpy(table, table + PERIOD, PERIOD);
    return table;
}

/* The longest piece from there on, at most len bytes. */
static const uint8_t *pattern(uint32_t key, bool from_peer, uint64_t offset, size_t *len)
{
    if (*len > PERIOD)
        *len = PERIOD;
    return pattern_table() + (offset + key * UINT64_C(7919) + (from_peer ? 31337 : 0)) % PERIOD;
}

uint8_t rig_pattern(uint32_t key, bool from_peer, uint64_t offset)
{
    size_t len = 1;

    return *pattern(key, from_peer, offset, &len);
}

static void fill(uint8_t *out, size_t len, uint32_t key, bool from_peer, uint64_t offset)
{
    for (size_t piece; len > 0; len -= piece, out += piece, offset += piece) {
        const uint8_t *from;

        piece = len;
        from = pattern(key, from_peer, offset, &piece);
        memcpy(out, from, piece);
    }
}

static bool matches(const uint8_t *bytes, size_t len, uint32_t key, bool from_peer, uint64_t offset)
{
    for (size_t piece; len > 0; len -= piece, bytes += piece, offset += piece) {
        const uint8_t *want;

        piece = len;
        want = pattern(key, from_peer, offset, &piece);
        if (memcmp(bytes, want, piece) != 0)
            return false;
    }
    return true;
}

static int listen_on_loopback(const rig_world *w, rig *g)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    lr__listen_options options = {.address = (const struct sockaddr *)(const void *)&in,
                                  .address_len = sizeof(in),
                                  .backlog = 4096,
                                  .share_port = true,
                                  .incoming_cpu = -1};
    int sock = w->backend->listen(w->world, &options);

    assert_true(sock >= 0);
    assert_int_equal(w->backend->sock_name(w->world, sock, false, &g->address, &g->address_len), 0);
    return sock;
}

rig *rig_new(const rig_world *w, const lr__ring_config *config)
{
    lr__ring_config standard = {0};
    lr_error err = {0};
    rig *g = calloc(1, sizeof(*g));

    assert_non_null(g);
    g->conns = calloc(RIG_CONNS, sizeof(*g->conns));
    assert_non_null(g->conns);
    g->w = w;
    g->cap = RIG_CAP;
    if (w->backend->open(w->world, config ? config : &standard, &g->ring, &err) != LR_OK)
        fail_msg("open: %s", err.text);
    g->listener = listen_on_loopback(w, g);
    g->accept_last = 1;
    g->accepting = true;
    lr__ring_accept(g->ring, g->listener, lr__id_make(RIG_LISTENER_SLOT, 1));
    return g;
}

static void free_memory(rig *g)
{
    for (uint32_t i = 0; i < g->conn_count; i++)
        free(g->conns[i].sending);
    free(g->conns);
    free(g);
}

void rig_drop(rig *g)
{
    g->w->backend->close(g->ring);
    for (uint32_t i = 0; i < g->conn_count; i++) {
        if (g->conns[i].peer >= 0)
            g->w->peer_close(g->w->world, g->conns[i].peer);
    }
    free_memory(g);
}

void rig_free(rig *g)
{
    while (g->held_count > 0)
        rig_give_one(g);
    for (uint32_t i = 0; i < g->conn_count; i++) {
        if (g->conns[i].sock >= 0 && !rig_on(&g->conns[i], LR__OP_CLOSE))
            rig_end(g, &g->conns[i], false);
    }
    for (uint32_t i = 0; i < g->conn_count; i++)
        RIG_UNTIL(g, !g->conns[i].on);
    g->keep_accepting = false;
    if (g->accepting)
        lr__ring_stop(g->ring, lr__id_make(RIG_LISTENER_SLOT, 1), LR__OP_ACCEPT);
    RIG_UNTIL(g, !g->accepting);
    /* Whatever was on its way has been said by now: nothing follows a last completion. */
    for (int i = 0; i < 3; i++)
        rig_pump(g);
    assert_int_equal(atomic_load(&g->ring->counts.buffers_lent), 0);
    if (g->listener >= 0)
        g->w->backend->listen_close(g->w->world, g->listener);
    rig_drop(g);
}

lr__id rig_id(const rig_conn *c)
{
    return lr__id_make(c->slot, c->generation);
}

static void on_accept(rig *g, const lr__completion *done)
{
    RULE(g, g->accepting);
    RULE(g, done->buffer == LR__NO_BUFFER);
    if (done->res >= 0) {
        RULE(g, !done->last);
        assert_true(g->accepted_count < RIG_CONNS);
        g->accepted[g->accepted_count++] = done->res;
    } else {
        RULE(g, done->last);
    }
    if (!done->last)
        return;
    g->accepting = g->keep_accepting && done->res != -ECANCELED;
    g->accept_last = done->res;
    if (g->accepting)
        lr__ring_accept(g->ring, g->listener, lr__id_make(RIG_LISTENER_SLOT, 1));
}

static void on_recv(rig *g, rig_conn *c, const lr__completion *done)
{
    if (done->res > 0) {
        RULE(g, !done->last);
        assert_true(done->buffer != LR__NO_BUFFER && done->data != NULL);
        RULE(g, done->res <= LR__RECV_BUFFER_SIZE);
        RULE(g, matches(done->data, (size_t)done->res, c->key, true, c->received));
        c->received += (uint64_t)done->res;
        if (g->hold) {
            assert_true(g->held_count < LR_ARRAY_COUNT(g->held));
            g->held[g->held_count++] = done->buffer;
        } else {
            lr__ring_buffer_give(g->ring, done->buffer);
        }
        return;
    }
    RULE(g, done->last && done->buffer == LR__NO_BUFFER && done->data == NULL);
    c->recv_last = done->res;
}

static void on_send(rig *g, rig_conn *c, const lr__completion *done)
{
    RULE(g, done->last);
    RULE(g, done->res < 0 || (uint32_t)done->res == c->sending_len);
    c->send_last = done->res;
    if (done->res > 0)
        c->sent += (uint64_t)done->res;
    if (c->sending)
        memset(c->sending, 0xee, c->sending_len); /* it is ours again: nothing may read it */
    free(c->sending);
    c->sending = NULL;
}

static void on_poll(rig *g, rig_conn *c, const lr__completion *done)
{
    RULE(g, done->last == (done->res < 0));
    RULE(g, done->last || !c->poll_stopped);
    RULE(g, done->res != 0);
    if (done->last) {
        c->poll_last = done->res;
    } else {
        c->told |= (uint32_t)done->res;
        c->told_count++;
    }
}

/* What it says beside its being the last. */
static void on_single(rig *g, rig_conn *c, const lr__completion *done)
{
    RULE(g, done->last && done->buffer == LR__NO_BUFFER && done->data == NULL);
    if (done->op == LR__OP_CONNECT) {
        RULE(g, done->res <= 0);
        c->connect_last = done->res;
    } else if (done->op == LR__OP_FILE) {
        c->file_last = done->res;
    } else {
        RULE(g, done->op == LR__OP_CLOSE && done->res == 0);
    }
}

static void on_completion(rig *g, const lr__completion *done)
{
    uint32_t slot = lr__id_slot(done->id);
    rig_conn *c;

    if (slot == RIG_LISTENER_SLOT && done->op == LR__OP_ACCEPT) {
        on_accept(g, done);
        return;
    }
    RULE(g, slot >= RIG_SLOT_BASE && slot - RIG_SLOT_BASE < g->conn_count);
    c = &g->conns[slot - RIG_SLOT_BASE];
    RULE(g, (done->id & 0xff) == 0);
    RULE(g, lr__id_generation(done->id) == c->generation);
    RULE(g, done->op > LR__OP_NONE && done->op < LR__OP_COUNT);
    RULE(g, c->on & 1u << done->op); /* nothing follows the last one */
    if (done->op == LR__OP_RECV)
        on_recv(g, c, done);
    else if (done->op == LR__OP_SEND)
        on_send(g, c, done);
    else if (done->op == LR__OP_POLL)
        on_poll(g, c, done);
    else
        on_single(g, c, done);
    if (!done->last)
        return;
    c->on &= (uint8_t) ~(1u << done->op);
    if (done->op == LR__OP_CLOSE) {
        RULE(g, c->on == 0); /* CLOSE is the last of all */
        c->closed = true;
        c->sock = -1;
    }
}

uint32_t rig_turn(rig *g, uint64_t deadline_ns)
{
    lr__completion done[RIG_CAP];
    uint32_t count = lr__ring_wait(g->ring, deadline_ns, done, g->cap);

    assert_true(count <= g->cap);
    for (uint32_t i = 0; i < count; i++)
        on_completion(g, &done[i]);
    return count;
}

void rig_pump(rig *g)
{
    if (rig_turn(g, 0) == 0)
        g->w->progress(g->w->world);
}

int rig_peer(rig *g)
{
    int peer = g->w->connect(g->w->world, &g->address, g->address_len);

    assert_true(peer >= 0);
    return peer;
}

static void adopt(rig *g, rig_conn *c)
{
    uint32_t slot = (uint32_t)(c - g->conns) + RIG_SLOT_BASE;
    uint32_t generation = c->generation + 2;
    uint8_t byte;
    int peer;

    assert_true(c->on == 0 && g->accepted_count == 0);
    peer = rig_peer(g);
    while (g->accepted_count == 0) {
        rig_pump(g);
        if (g->accepted_count == 0 && g->w->peer_read(g->w->world, peer, &byte, 1) == -ECONNRESET) {
            g->w->peer_close(g->w->world, peer); /* lost before it was accepted: once more */
            peer = rig_peer(g);
        }
    }
    *c = (rig_conn){.peer = peer,
                    .sock = g->accepted[--g->accepted_count],
                    .slot = slot,
                    .generation = generation,
                    .key = g->next_key++,
                    .recv_last = 1,
                    .send_last = 1};
}

rig_conn *rig_connect(rig *g)
{
    rig_conn *c = &g->conns[g->conn_count];

    assert_true(g->conn_count < RIG_CONNS);
    c->generation = 1u - 2u; /* so that the first is 1 */
    adopt(g, c);
    g->conn_count++;
    return c;
}

void rig_reconnect(rig *g, rig_conn *c)
{
    if (c->peer >= 0)
        g->w->peer_close(g->w->world, c->peer);
    adopt(g, c);
}

/* Appended, without a peer. */
static rig_conn *append(rig *g, int sock)
{
    rig_conn *c = &g->conns[g->conn_count];

    assert_true(g->conn_count < RIG_CONNS);
    *c = (rig_conn){.peer = -1,
                    .sock = sock,
                    .slot = g->conn_count++ + RIG_SLOT_BASE,
                    .generation = 1,
                    .key = g->next_key++,
                    .recv_last = 1,
                    .send_last = 1,
                    .connect_last = 1,
                    .poll_last = 1};
    return c;
}

rig_conn *rig_reach(rig *g, const struct sockaddr_storage *address, socklen_t len)
{
    struct sockaddr_storage passing = *address; /* it is copied, so that it may go */
    rig_conn *c = append(g, g->w->backend->socket(g->w->world, address->ss_family));

    assert_true(c->sock >= 0);
    c->on = 1u << LR__OP_CONNECT;
    lr__ring_connect(g->ring, c->sock, rig_id(c), (const struct sockaddr *)(const void *)&passing,
                     len);
    memset(&passing, 0xee, sizeof(passing));
    return c;
}

void rig_listen_on(rig *g, int listener)
{
    if (g->accepting)
        lr__ring_stop(g->ring, lr__id_make(RIG_LISTENER_SLOT, 1), LR__OP_ACCEPT);
    RIG_UNTIL(g, !g->accepting);
    g->w->backend->listen_close(g->w->world, g->listener);
    g->listener = listener;
    g->accepting = true;
    assert_int_equal(
        g->w->backend->sock_name(g->w->world, listener, false, &g->address, &g->address_len), 0);
    lr__ring_accept(g->ring, g->listener, lr__id_make(RIG_LISTENER_SLOT, 1));
}

rig_conn *rig_poll(rig *g, int fd, uint32_t events)
{
    rig_conn *c = append(g, -1);

    c->on = 1u << LR__OP_POLL;
    lr__ring_poll(g->ring, fd, rig_id(c), events);
    return c;
}

void rig_stop_poll(rig *g, rig_conn *c)
{
    c->poll_stopped = true;
    lr__ring_stop(g->ring, rig_id(c), LR__OP_POLL);
}

rig_conn *rig_file(rig *g, const lr__file_op *op)
{
    rig_conn *c = append(g, -1);

    c->on = 1u << LR__OP_FILE;
    lr__ring_file(g->ring, rig_id(c), op);
    return c;
}

int rig_file_now(rig *g, const lr__file_op *op)
{
    rig_conn *c = rig_file(g, op);

    RIG_UNTIL(g, !c->on);
    g->conn_count--; /* its slot is free again, under the same generation */
    return c->file_last;
}

static void started(rig_conn *c, lr__op op)
{
    assert_true(c->sock >= 0 && !(c->on & 1u << op));
    c->on |= (uint8_t)(1u << op);
}

void rig_recv(rig *g, rig_conn *c)
{
    started(c, LR__OP_RECV);
    c->recv_last = 1;
    lr__ring_recv(g->ring, c->sock, rig_id(c));
}

void rig_send(rig *g, rig_conn *c, uint32_t len)
{
    started(c, LR__OP_SEND);
    c->send_last = 1;
    c->sending = malloc(len);
    assert_non_null(c->sending);
    c->sending_len = len;
    fill(c->sending, len, c->key, false, c->sent);
    lr__ring_send(g->ring, c->sock, rig_id(c), c->sending, len);
}

void rig_stop(rig *g, rig_conn *c)
{
    lr__ring_stop(g->ring, rig_id(c), LR__OP_RECV);
}

void rig_end(rig *g, rig_conn *c, bool reset)
{
    started(c, LR__OP_CLOSE);
    lr__ring_end(g->ring, c->sock, rig_id(c), reset);
}

void rig_give_one(rig *g)
{
    uint16_t buffer = g->held[0];

    assert_true(g->held_count > 0);
    memmove(g->held, g->held + 1, --g->held_count * sizeof(g->held[0]));
    lr__ring_buffer_give(g->ring, buffer);
}

long rig_peer_write(rig *g, rig_conn *c, size_t len)
{
    static uint8_t bytes[CHUNK];
    long wrote;

    len = len < CHUNK ? len : CHUNK;
    fill(bytes, len, c->key, true, c->written);
    wrote = g->w->peer_write(g->w->world, c->peer, bytes, len);
    if (wrote > 0)
        c->written += (uint64_t)wrote;
    return wrote;
}

void rig_peer_write_all(rig *g, rig_conn *c, size_t len)
{
    uint64_t end = c->written + len;

    while (c->written < end) {
        long wrote = rig_peer_write(g, c, end - c->written);

        assert_true(wrote > 0 || wrote == -EAGAIN);
        if (wrote < 0)
            rig_pump(g);
    }
}

long rig_peer_read(rig *g, rig_conn *c, size_t cap)
{
    static uint8_t bytes[CHUNK];
    long got = g->w->peer_read(g->w->world, c->peer, bytes, cap < CHUNK ? cap : CHUNK);

    if (got > 0) {
        assert_true(matches(bytes, (size_t)got, c->key, false, c->peer_got));
        c->peer_got += (uint64_t)got;
    }
    return got;
}

long rig_peer_read_to_end(rig *g, rig_conn *c)
{
    while (true) {
        long got = rig_peer_read(g, c, 65536);

        if (got == 0 || (got < 0 && got != -EAGAIN))
            return got;
        if (got < 0)
            rig_pump(g);
    }
}

void rig_exchange(rig *g, rig_conn *c, size_t from_peer, uint32_t to_peer)
{
    uint64_t received = c->received + from_peer, got = c->peer_got + to_peer;

    rig_send(g, c, to_peer);
    rig_peer_write_all(g, c, from_peer);
    RIG_UNTIL(g, c->received == received);
    while (c->peer_got < got) {
        if (rig_peer_read(g, c, 65536) < 0)
            rig_pump(g);
    }
    RIG_UNTIL(g, !rig_on(c, LR__OP_SEND));
    assert_int_equal(c->send_last, to_peer);
}
