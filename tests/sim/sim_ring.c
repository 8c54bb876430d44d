/* SPDX-License-Identifier: MIT */
/* tests/sim/sim_ring.c: the simulated back end.
 *
 * Per id there is one slot with a bit per op in flight. A wait looks at every op in flight, in an
 * order drawn from the seed, and gives out what is ready and not delayed. It holds itself to the
 * contract's rules with checks on the caller too: one op of each kind per id, no slot under a new
 * generation before its close, buffers given back once. */
#include "tests/sim/sim_world.h"

#include "core/base/check.h"
#include "core/base/mem.h"

#include <errno.h>
#include <string.h>

enum { BUFFERS = 64, DUPLICATES = 64, PIECE_OF_ALL = 1 << 30 };

typedef struct sim_op_slot {
    uint32_t generation;
    int sock;
    uint8_t on, stopped; /* a bit per op */
    bool ending, reset;
    bool late;            /* the stopped receive delivers data before it ends */
    const uint8_t *bytes; /* of the send, what is left */
    uint32_t bytes_left, bytes_len;
} sim_op_slot;

typedef struct sim_ring {
    lr__ring base;
    sim *world;
    sim_op_slot *slots;
    uint32_t slot_count;
    uint8_t *buffers;
    bool lent[BUFFERS];
    bool woken;
    uint64_t deadline_ns; /* of the last wait that found nothing */
    lr__completion duplicates[DUPLICATES];
    uint32_t duplicate_count;
    uint32_t *order; /* [slot_count], scratch */
} sim_ring;

static sim_ring *ring_of(lr__ring *ring)
{
    return LR_CONTAINER_OF(ring, sim_ring, base);
}

uint64_t sim_ring_deadline(const sim_ring *ring)
{
    return ring->deadline_ns;
}

static uint8_t bit(lr__op op)
{
    return (uint8_t)(1u << op);
}

static sim_op_slot *slot_for(sim_ring *r, lr__id id, int sock)
{
    uint32_t slot = lr__id_slot(id);
    sim_op_slot *s;

    if (slot >= r->slot_count) {
        uint32_t count = slot + 64;

        r->slots = lr__realloc(r->slots, count * sizeof(*r->slots));
        r->order = lr__realloc(r->order, count * sizeof(*r->order));
        LR_CHECK(r->slots != NULL && r->order != NULL);
        memset(r->slots + r->slot_count, 0, (count - r->slot_count) * sizeof(*r->slots));
        r->slot_count = count;
    }
    s = &r->slots[slot];
    if (s->generation != lr__id_generation(id)) {
        LR_CHECK(s->on == 0); /* the caller used the slot again too early */
        memset(s, 0, sizeof(*s));
        s->generation = lr__id_generation(id);
        s->sock = sock;
    }
    return s;
}

static sim_op_slot *start(lr__ring *ring, int sock, lr__id id, lr__op op)
{
    sim_op_slot *s = slot_for(ring_of(ring), id, sock);

    LR_CHECK(!(s->on & bit(op)) && !s->ending);
    s->on |= bit(op);
    s->stopped &= (uint8_t)~bit(op);
    return s;
}

static lr_status sim_open(void *world, const lr__ring_config *config, lr__ring **out, lr_error *err)
{
    sim_ring *r = lr__alloc_zero(1, sizeof(*r));

    (void)config;
    (void)err;
    LR_CHECK(r != NULL);
    r->base.backend = &sim_backend;
    r->world = world;
    r->deadline_ns = UINT64_MAX;
    r->buffers = lr__alloc((size_t)BUFFERS * LR__RECV_BUFFER_SIZE);
    LR_CHECK(r->buffers != NULL);
    for (uint32_t i = 0; i < SIM_RINGS; i++) {
        if (!r->world->rings[i]) {
            r->world->rings[i] = r;
            *out = &r->base;
            return LR_OK;
        }
    }
    LR_UNREACHABLE();
}

static void sim_close(lr__ring *ring)
{
    sim_ring *r = ring_of(ring);

    for (uint32_t i = 0; i < BUFFERS; i++)
        LR_CHECK(!r->lent[i]);
    for (uint32_t i = 0; i < SIM_RINGS; i++) {
        if (r->world->rings[i] == r)
            r->world->rings[i] = NULL;
    }
    lr__free(r->buffers);
    lr__free(r->slots);
    lr__free(r->order);
    lr__free(r);
}

static int take_buffer(sim_ring *r)
{
    for (int i = 0; i < BUFFERS; i++) {
        if (!r->lent[i])
            return i;
    }
    return -1;
}

static size_t cut(sim *world, size_t len, uint32_t piece_max)
{
    size_t piece = piece_max ? 1 + sim_draw(world) % piece_max : PIECE_OF_ALL;

    return piece < len ? piece : len;
}

static bool last_of(sim_op_slot *s, lr__op op, int32_t res, lr__completion *out)
{
    s->on &= (uint8_t)~bit(op);
    s->stopped &= (uint8_t)~bit(op);
    out->res = res;
    out->last = true;
    return true;
}

static bool try_recv(sim_ring *r, sim_op_slot *s, lr__completion *out)
{
    bool ended = s->stopped & bit(LR__OP_RECV);
    size_t cap = cut(r->world, LR__RECV_BUFFER_SIZE, r->world->faults.recv_piece_max);
    int buffer = take_buffer(r), got;

    if (ended && !s->late)
        return last_of(s, LR__OP_RECV, -ECANCELED, out);
    s->late = false;
    if (buffer < 0 || sim_chance(r->world, r->world->faults.no_buffers))
        return ended ? last_of(s, LR__OP_RECV, -ECANCELED, out) : false;
    got =
        sim_stream_recv(r->world, s->sock, r->buffers + (size_t)buffer * LR__RECV_BUFFER_SIZE, cap);
    if (got == -EAGAIN)
        return ended ? last_of(s, LR__OP_RECV, -ECANCELED, out) : false;
    if (got <= 0)
        return last_of(s, LR__OP_RECV, got, out);
    r->lent[buffer] = true;
    out->buffer = (uint16_t)buffer;
    out->data = r->buffers + (size_t)buffer * LR__RECV_BUFFER_SIZE;
    out->res = got;
    return true;
}

static bool try_accept(sim_ring *r, sim_op_slot *s, lr__completion *out)
{
    int sock;

    if (s->stopped & bit(LR__OP_ACCEPT))
        return last_of(s, LR__OP_ACCEPT, -ECANCELED, out);
    if (sim_socket_at(r->world, s->sock)->queue_len == 0)
        return false;
    if (sim_chance(r->world, r->world->faults.accept_no_files))
        return last_of(s, LR__OP_ACCEPT, -EMFILE, out);
    sock = sim_accept_one(r->world, s->sock);
    if (sock < 0)
        return last_of(s, LR__OP_ACCEPT, sock, out);
    out->res = sock;
    return true;
}

static bool try_send(sim_ring *r, sim_op_slot *s, lr__completion *out)
{
    int put;

    if (s->stopped & bit(LR__OP_SEND))
        return last_of(s, LR__OP_SEND, -ECANCELED, out);
    put = sim_stream_send(r->world, s->sock, s->bytes,
                          cut(r->world, s->bytes_left, r->world->faults.send_piece_max));
    if (put == -EAGAIN)
        return false;
    if (put < 0)
        return last_of(s, LR__OP_SEND, put, out);
    s->bytes += put;
    s->bytes_left -= (uint32_t)put;
    if (s->bytes_left != 0)
        return false;
    return last_of(s, LR__OP_SEND, (int32_t)s->bytes_len, out);
}

static bool try_close(sim_ring *r, sim_op_slot *s, lr__completion *out)
{
    if (s->on != bit(LR__OP_CLOSE))
        return false; /* after the last completions of the others */
    sim_socket_close(r->world, s->sock, s->reset);
    return last_of(s, LR__OP_CLOSE, 0, out);
}

static bool try_op(sim_ring *r, sim_op_slot *s, lr__op op, lr__completion *out)
{
    if (!(s->on & bit(op)) || sim_chance(r->world, r->world->faults.delay))
        return false;
    switch (op) {
    case LR__OP_ACCEPT:
        return try_accept(r, s, out);
    case LR__OP_RECV:
        return try_recv(r, s, out);
    case LR__OP_SEND:
        return try_send(r, s, out);
    case LR__OP_CLOSE:
        return try_close(r, s, out);
    case LR__OP_NONE:
    case LR__OP_COUNT:
        break;
    }
    LR_UNREACHABLE();
}

/* Every slot in an order drawn from the seed. */
static void shuffle(sim_ring *r)
{
    for (uint32_t i = 0; i < r->slot_count; i++)
        r->order[i] = i;
    for (uint32_t i = r->slot_count; i > 1; i--) {
        uint32_t j = (uint32_t)(sim_draw(r->world) % i);
        uint32_t swap = r->order[i - 1];

        r->order[i - 1] = r->order[j];
        r->order[j] = swap;
    }
}

static uint32_t give_duplicates(sim_ring *r, lr__completion *out, uint32_t cap)
{
    uint32_t n = r->duplicate_count < cap ? r->duplicate_count : cap;

    memcpy(out, r->duplicates, n * sizeof(*out));
    r->duplicate_count = 0;
    return n;
}

static uint32_t collect(sim_ring *r, lr__completion *out, uint32_t cap)
{
    uint32_t n = give_duplicates(r, out, cap);

    shuffle(r);
    for (uint32_t i = 0; i < r->slot_count && n < cap; i++) {
        sim_op_slot *s = &r->slots[r->order[i]];
        lr__id id = lr__id_make(r->order[i], s->generation);

        for (lr__op op = LR__OP_ACCEPT; op < LR__OP_COUNT && n < cap; op++) {
            out[n] = (lr__completion){.id = id, .op = (uint8_t)op, .buffer = LR__NO_BUFFER};
            if (!try_op(r, s, op, &out[n]))
                continue;
            if (out[n].last && r->world->faults.duplicate_last && r->duplicate_count < DUPLICATES)
                r->duplicates[r->duplicate_count++] = out[n];
            n++;
        }
    }
    return n;
}

static uint32_t sim_wait(lr__ring *ring, uint64_t deadline_ns, lr__completion *out, uint32_t cap)
{
    sim_ring *r = ring_of(ring);
    uint32_t n;

    r->world->now_ns += 1000 + sim_draw(r->world) % 20000; /* a turn takes its time */
    n = collect(r, out, cap);
    r->deadline_ns = n == 0 && !r->woken ? deadline_ns : r->world->now_ns;
    r->woken = false;
    return n;
}

static void sim_wake(lr__ring *ring)
{
    ring_of(ring)->woken = true;
}

static uint64_t sim_ring_now(lr__ring *ring)
{
    return ring_of(ring)->world->now_ns;
}

static int64_t sim_wall_ms(lr__ring *ring)
{
    return 1800000000000 + (int64_t)(ring_of(ring)->world->now_ns / 1000000); /* January 2027 */
}

static bool sim_random(lr__ring *ring, void *out, size_t size)
{
    return sim_entropy(ring_of(ring)->world, out, size);
}

static void sim_accept(lr__ring *ring, int listener, lr__id id)
{
    (void)start(ring, listener, id, LR__OP_ACCEPT);
}

static void sim_recv(lr__ring *ring, int sock, lr__id id)
{
    (void)start(ring, sock, id, LR__OP_RECV);
}

static void sim_buffer_give(lr__ring *ring, uint16_t buffer)
{
    sim_ring *r = ring_of(ring);

    LR_CHECK(buffer < BUFFERS && r->lent[buffer]);
    memset(r->buffers + (size_t)buffer * LR__RECV_BUFFER_SIZE, 0xdd, LR__RECV_BUFFER_SIZE);
    r->lent[buffer] = false;
}

static void sim_send(lr__ring *ring, int sock, lr__id id, const void *bytes, uint32_t len)
{
    sim_op_slot *s = start(ring, sock, id, LR__OP_SEND);

    LR_CHECK(len > 0);
    s->bytes = bytes;
    s->bytes_left = s->bytes_len = len;
}

static void sim_stop(lr__ring *ring, lr__id id, lr__op op)
{
    sim_ring *r = ring_of(ring);
    sim_op_slot *s = slot_for(r, id, -1);

    LR_CHECK(op == LR__OP_ACCEPT || op == LR__OP_RECV);
    if (!(s->on & bit(op)) || (s->stopped & bit(op)))
        return;
    s->stopped |= bit(op);
    s->late = op == LR__OP_RECV && sim_chance(r->world, r->world->faults.late_cancel);
}

static void sim_end(lr__ring *ring, int sock, lr__id id, bool reset)
{
    sim_ring *r = ring_of(ring);
    sim_op_slot *s = start(ring, sock, id, LR__OP_CLOSE);

    LR_CHECK(s->sock == sock);
    s->ending = true;
    s->reset = reset;
    s->late = (s->on & bit(LR__OP_RECV)) && sim_chance(r->world, r->world->faults.late_cancel);
    s->stopped |= bit(LR__OP_ACCEPT) | bit(LR__OP_RECV) | bit(LR__OP_SEND);
}

static int sim_backend_listen(void *world, const lr__listen_options *options)
{
    return sim_listen(world, options);
}

static void sim_listen_close(void *world, int sock)
{
    sim_socket_close(world, sock, false);
}

static int sim_accept_now(lr__ring *ring, int listener)
{
    return sim_accept_one(ring_of(ring)->world, listener);
}

static int sim_ring_shutdown_write(lr__ring *ring, int sock)
{
    return sim_shutdown_write(ring_of(ring)->world, sock);
}

static int sim_sock_name(void *world, int sock, bool peer, struct sockaddr_storage *out,
                         socklen_t *len)
{
    return sim_name(world, sock, peer, out, len);
}

const lr__backend sim_backend = {
    .name = "sim",
    .open = sim_open,
    .close = sim_close,
    .wait = sim_wait,
    .wake = sim_wake,
    .now = sim_ring_now,
    .wall_ms = sim_wall_ms,
    .random = sim_random,
    .accept = sim_accept,
    .recv = sim_recv,
    .buffer_give = sim_buffer_give,
    .send = sim_send,
    .stop = sim_stop,
    .end = sim_end,
    .listen = sim_backend_listen,
    .listen_close = sim_listen_close,
    .accept_now = sim_accept_now,
    .shutdown_write = sim_ring_shutdown_write,
    .sock_name = sim_sock_name,
};
