/* SPDX-License-Identifier: MIT */
/* tests/sim/sim_ring.c: the simulated back end.
 *
 * Starting an operation only notes it and schedules the kernel's work on it (a poke). A poke does
 * what can be done and makes completions; those wait in `ready` until a wait returns them, in an
 * order drawn from the seed that keeps the order of each id. So a completion may be under way when
 * its operation is stopped or ended, as in a real ring.
 *
 * Per slot: `on` as the caller sees it, until the last completion is returned; `armed` as the
 * kernel sees it, until it is made. */
#include "tests/sim/sim_world.h"

#include "core/base/status.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { TURN_NS_MIN = 1000, TURN_NS = 20000, ACCEPTS_PER_POKE = 16 };

static sim_ring *ring_of(lr__ring *ring)
{
    return LR_CONTAINER_OF(ring, sim_ring, base);
}

static uint8_t bit(uint32_t op)
{
    return (uint8_t)(1u << op);
}

static const sim_faults *faults_of(const sim_ring *r)
{
    return &r->world->options.faults;
}

static sim_slot *find(sim_ring *r, lr__id id)
{
    uint32_t slot = lr__id_slot(id);

    return slot < r->slot_cap && r->slots[slot].generation == lr__id_generation(id)
               ? &r->slots[slot]
               : NULL;
}

/* Completions */

static lr__completion *make(sim_ring *r, lr__id id, lr__op op, int32_t res, bool last)
{
    lr__completion *done;

    r->ready = sim_grow(r->ready, &r->ready_cap, r->ready_count + 1, sizeof(*r->ready));
    done = &r->ready[r->ready_count++];
    *done = (lr__completion){
        .id = id, .res = res, .buffer = LR__NO_BUFFER, .op = (uint8_t)op, .last = last};
    return done;
}

static void make_last(sim_ring *r, sim_slot *s, lr__id id, lr__op op, int32_t res)
{
    LR_CHECK(s->armed & bit(op));
    s->armed &= (uint8_t)~bit(op);
    if (op == LR__OP_RECV) {
        r->starved_count -= s->starved;
        s->starved = false;
    }
    (void)make(r, id, op, res, true);
    if (faults_of(r)->duplicate_last)
        (void)make(r, id, op, res, true);
}

static void take_out(sim_ring *r, uint32_t at, lr__completion *out)
{
    sim_slot *s = find(r, r->ready[at].id);

    *out = r->ready[at];
    memmove(&r->ready[at], &r->ready[at + 1], (--r->ready_count - at) * sizeof(*r->ready));
    if (out->last && s) /* the lying kernel has no slot, or one that is off */
        s->on &= (uint8_t)~bit(out->op);
}

static uint32_t collect(sim_ring *r, lr__completion *out, uint32_t cap)
{
    uint32_t n = 0;

    while (n < cap && r->ready_count > 0) {
        uint32_t chosen = (uint32_t)sim_below(r->world, r->ready_count), first = 0;

        if (sim_chance(r->world, faults_of(r)->delay))
            break;
        while (r->ready[first].id != r->ready[chosen].id)
            first++;
        take_out(r, first, &out[n++]);
    }
    return n;
}

/* The kernel's work */

void sim_ring_poke(sim_ring *r, lr__id id, lr__op op)
{
    sim_slot *s = find(r, id);

    if (!s || !(s->armed & bit(op)) || (s->poked & bit(op)))
        return;
    s->poked |= bit(op);
    sim_schedule(r->world, sim_delay(r->world, faults_of(r)->work_ns), SIM_POKE, r->index, op, id);
}

static const sim_sock *stream_of(const sim_ring *r, const sim_slot *s)
{
    const sim_sock *sock = sim_sock_of(r->world, s->sock);

    LR_CHECK(sock->kind == SIM_STREAM);
    return sock;
}

static size_t piece(sim *world, size_t len, uint32_t piece_max)
{
    size_t cut = piece_max ? 1 + (size_t)sim_below(world, piece_max) : len;

    return cut < len ? cut : len;
}

/* One receive; false: nothing there, or no buffer. */
static bool receive(sim_ring *r, sim_slot *s, lr__id id)
{
    uint32_t conn = stream_of(r, s)->conn, side = stream_of(r, s)->side;
    lr__completion *done;
    uint16_t buffer;
    long got;

    if (!sim_can_read(r->world, conn, side))
        return false;
    buffer = lr__recv_pool_take(&r->pool);
    if (buffer == LR__NO_BUFFER) {
        r->starved_count += !s->starved;
        s->starved = true;
        return false;
    }
    got = sim_read(r->world, conn, side, lr__recv_pool_bytes(&r->pool, buffer),
                   piece(r->world, LR__RECV_BUFFER_SIZE, faults_of(r)->recv_piece_max));
    LR_CHECK(got != -EAGAIN);
    if (got <= 0) {
        lr__recv_pool_untake(&r->pool, buffer);
        make_last(r, s, id, LR__OP_RECV, (int32_t)got);
        return false;
    }
    lr__recv_pool_lend(&r->pool, buffer, (uint32_t)got);
    done = make(r, id, LR__OP_RECV, (int32_t)got, false);
    done->data = lr__recv_pool_bytes(&r->pool, buffer);
    done->buffer = buffer;
    return true;
}

static void work_on_recv(sim_ring *r, sim_slot *s, lr__id id)
{
    if (sim_chance(r->world, faults_of(r)->no_buffers)) {
        atomic_fetch_add_explicit(&r->base.counts.rearmed_buffers, 1, memory_order_relaxed);
        sim_ring_poke(r, id, LR__OP_RECV);
    } else if (receive(r, s, id)) {
        sim_ring_poke(r, id, LR__OP_RECV);
    }
}

/* One try; what is left is tried when the pipe has room again, or later by a fault. */
static void work_on_send(sim_ring *r, sim_slot *s, lr__id id, bool cut)
{
    const sim_sock *sock = stream_of(r, s);
    size_t len = s->len - s->done;
    long put;

    len = cut ? piece(r->world, len, faults_of(r)->send_piece_max) : len;
    put = sim_write(r->world, sock->conn, sock->side, s->bytes + s->done, len);
    if (put == -EAGAIN)
        return;
    if (put < 0) {
        make_last(r, s, id, LR__OP_SEND, (int32_t)put);
        return;
    }
    s->done += (uint32_t)put;
    if (s->done == s->len)
        make_last(r, s, id, LR__OP_SEND, (int32_t)s->len);
    else
        sim_ring_poke(r, id, LR__OP_SEND);
}

static void work_on_accept(sim_ring *r, sim_slot *s, lr__id id)
{
    for (int i = 0; i < ACCEPTS_PER_POKE; i++) {
        int sock = sim_take_connection(r->world, s->sock);

        if (sock == -EAGAIN)
            return;
        if (sock < 0) {
            make_last(r, s, id, LR__OP_ACCEPT, sock);
            return;
        }
        (void)make(r, id, LR__OP_ACCEPT, sock, false);
    }
    sim_ring_poke(r, id, LR__OP_ACCEPT);
}

static void work_on_connect(sim_ring *r, sim_slot *s, lr__id id)
{
    int res = r->world->conns[stream_of(r, s)->conn]->connecting;

    if (res != SIM_CONNECTING)
        make_last(r, s, id, LR__OP_CONNECT, res);
}

static void work_on_poll(sim_ring *r, sim_slot *s, lr__id id)
{
    if (s->news && !(s->stopped & bit(LR__OP_POLL)))
        (void)make(r, id, LR__OP_POLL, (int32_t)s->news, false);
    s->news = 0;
}

static void work(sim_ring *r, sim_slot *s, lr__id id, lr__op op)
{
    switch (op) {
    case LR__OP_ACCEPT:
        work_on_accept(r, s, id);
        return;
    case LR__OP_RECV:
        work_on_recv(r, s, id);
        return;
    case LR__OP_SEND:
        work_on_send(r, s, id, true);
        return;
    case LR__OP_CONNECT:
        work_on_connect(r, s, id);
        return;
    case LR__OP_POLL:
        work_on_poll(r, s, id);
        return;
    case LR__OP_FILE:
        make_last(r, s, id, LR__OP_FILE, sim_file_do(r->world, s->file));
        return;
    case LR__OP_CLOSE:
    case LR__OP_NONE:
    case LR__OP_COUNT:
        break;
    }
    LR_UNREACHABLE();
}

void sim_on_ring_event(sim_ring *r, const sim_event *event)
{
    sim_slot *s = find(r, event->value);
    lr__op op = (lr__op)event->what;

    if (!r->open)
        return;
    if (event->kind == SIM_WAKE) {
        r->called = true;
        return;
    }
    if (event->kind == SIM_POKE && s)
        s->poked &= (uint8_t)~bit(op);
    if (!s || !(s->armed & bit(op)))
        return; /* it is over already */
    if (event->kind == SIM_POKE)
        work(r, s, event->value, op);
    else
        make_last(r, s, event->value, op, event->kind == SIM_CLOSE ? 0 : -ECANCELED);
}

/* Waiting */

bool sim_ring_must_turn(const sim_ring *r)
{
    return r->open &&
           (!r->asleep || r->called || r->ready_count > 0 || r->deadline_ns <= r->world->now_ns);
}

/* For a ring that has the world for itself: until something is there. */
static void run_until_ready(sim_ring *r, uint64_t deadline_ns)
{
    sim *s = r->world;

    while (r->ready_count == 0 && !r->called && s->now_ns < deadline_ns) {
        LR_CHECK(s->event_count > 0 || deadline_ns != UINT64_MAX); /* it would wait for ever */
        if (sim_next_time(s) <= deadline_ns)
            (void)sim_step(s);
        else
            s->now_ns = deadline_ns;
    }
}

static uint32_t sim_wait(lr__ring *ring, uint64_t deadline_ns, lr__completion *out, uint32_t cap)
{
    sim_ring *r = ring_of(ring);
    bool called;
    uint32_t n;

    LR_CHECK(cap > 0);
    if (r->world->options.auto_advance)
        sim_pass(r->world, 0);
    else
        sim_pass(r->world, TURN_NS_MIN + sim_below(r->world, TURN_NS)); /* a turn takes its time */
    do {
        if (r->world->options.auto_advance)
            run_until_ready(r, deadline_ns);
        called = r->called;
        r->called = false;
        n = collect(r, out, cap);
    } while (r->world->options.auto_advance && n == 0 && !called && r->world->now_ns < deadline_ns);
    r->asleep = n == 0 && !called;
    r->deadline_ns = r->asleep ? deadline_ns : r->world->now_ns;
    r->now_ns = r->world->now_ns;
    atomic_fetch_add_explicit(&ring->counts.waits, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&ring->counts.completions, n, memory_order_relaxed);
    atomic_store_explicit(&ring->counts.buffers_lent, r->pool.lent, memory_order_relaxed);
    return n;
}

static void sim_wake(lr__ring *ring)
{
    sim_ring *r = ring_of(ring);
    uint64_t delay = sim_delay(r->world, faults_of(r)->wake_ns);

    if (delay == 0)
        r->called = true;
    else
        sim_schedule(r->world, delay, SIM_WAKE, r->index, 0, 0);
}

/* Starting and ending operations */

/* sock: whatever the id stands for; SIM_NONE for a file. */
static sim_slot *start(sim_ring *r, int sock, lr__id id, lr__op op)
{
    uint32_t slot = lr__id_slot(id);
    sim_slot *s;

    LR_CHECK((id & 0xff) == 0);
    r->slots = sim_grow(r->slots, &r->slot_cap, slot + 1, sizeof(*r->slots));
    s = &r->slots[slot];
    if (s->generation != lr__id_generation(id)) {
        LR_CHECK(s->on == 0); /* rule 4: the slot was used again too early */
        *s = (sim_slot){.generation = lr__id_generation(id)};
    }
    LR_CHECK(!(s->on & bit(op)) && !s->ended);
    LR_CHECK(s->on == 0 || s->sock == sock); /* an id has one socket */
    s->sock = sock;
    s->on |= bit(op);
    s->armed |= bit(op);
    s->stopped &= (uint8_t)~bit(op);
    return s;
}

static sim_slot *start_on(sim_ring *r, int sock, lr__id id, lr__op op)
{
    sim_sock *of = sim_sock_of(r->world, sock);
    sim_slot *s = start(r, sock, id, op);

    LR_CHECK(s->on == bit(op) || !(s->on & (bit(LR__OP_POLL) | bit(LR__OP_FILE))));
    LR_CHECK(!(s->on & bit(LR__OP_CONNECT)) || op == LR__OP_CONNECT || op == LR__OP_CLOSE);
    of->ring = r;
    of->id = id;
    return s;
}

static void sim_accept(lr__ring *ring, int listener, lr__id id)
{
    (void)start_on(ring_of(ring), listener, id, LR__OP_ACCEPT);
    sim_ring_poke(ring_of(ring), id, LR__OP_ACCEPT);
}

static void sim_recv(lr__ring *ring, int sock, lr__id id)
{
    (void)start_on(ring_of(ring), sock, id, LR__OP_RECV);
    sim_ring_poke(ring_of(ring), id, LR__OP_RECV);
}

static void sim_send(lr__ring *ring, int sock, lr__id id, const void *bytes, uint32_t len)
{
    sim_slot *s = start_on(ring_of(ring), sock, id, LR__OP_SEND);

    LR_CHECK(len > 0 && len <= INT32_MAX);
    s->bytes = bytes;
    s->len = len;
    s->done = 0;
    sim_ring_poke(ring_of(ring), id, LR__OP_SEND);
}

static void sim_op_connect(lr__ring *ring, int sock, lr__id id, const struct sockaddr *address,
                           socklen_t len)
{
    sim_ring *r = ring_of(ring);
    const sim_slot *s = start_on(r, sock, id, LR__OP_CONNECT);

    LR_CHECK(s->on == bit(LR__OP_CONNECT));
    sim_start_connect(r->world, sock, address, len);
}

static void sim_poll(lr__ring *ring, int fd, lr__id id, uint32_t events)
{
    sim_ring *r = ring_of(ring);
    sim_slot *s = start(r, fd, id, LR__OP_POLL);
    sim_pollable *p = sim_pollable_of(r->world, fd);

    LR_CHECK(s->on == bit(LR__OP_POLL));
    if (!p || (p->ring && p->ring->open)) {
        make_last(r, s, id, LR__OP_POLL, p ? -EEXIST : -EBADF);
        return;
    }
    p->ring = r;
    p->id = id;
    s->events = events | POLLERR | POLLHUP;
    s->news = 0;
    sim_ring_tell(r, id, p->ready);
}

void sim_ring_tell(sim_ring *r, lr__id id, uint32_t events)
{
    sim_slot *s = find(r, id);

    LR_CHECK(s != NULL);
    s->news |= events & s->events;
    if (s->news)
        sim_ring_poke(r, id, LR__OP_POLL);
}

static void sim_file(lr__ring *ring, lr__id id, const lr__file_op *op)
{
    sim_ring *r = ring_of(ring);
    sim_slot *s = start(r, SIM_NONE, id, LR__OP_FILE);

    LR_CHECK(s->on == bit(LR__OP_FILE));
    s->file = op;
    s->poked |= bit(LR__OP_FILE);
    sim_schedule(r->world, sim_delay(r->world, faults_of(r)->file_ns), SIM_POKE, r->index,
                 LR__OP_FILE, id);
}

static void sim_buffer_give(lr__ring *ring, uint16_t buffer)
{
    sim_ring *r = ring_of(ring);

    lr__recv_pool_back(&r->pool, buffer);
    lr__recv_pool_untake(&r->pool, buffer);
    atomic_store_explicit(&ring->counts.buffers_lent, r->pool.lent, memory_order_relaxed);
    for (uint32_t i = 0; r->starved_count > 0 && i < r->slot_cap; i++) {
        sim_slot *s = &r->slots[i];

        if (!s->starved)
            continue;
        s->starved = false;
        r->starved_count--;
        sim_ring_poke(r, lr__id_make(i, s->generation), LR__OP_RECV);
    }
}

static void stop_op(sim_ring *r, sim_slot *s, lr__id id, lr__op op)
{
    if (!(s->armed & bit(op)) || (s->stopped & bit(op)))
        return;
    s->stopped |= bit(op);
    if (sim_chance(r->world, faults_of(r)->late_cancel))
        sim_schedule(r->world, sim_delay(r->world, faults_of(r)->work_ns), SIM_CANCEL, r->index, op,
                     id);
    else
        make_last(r, s, id, op, -ECANCELED);
}

/* What it has said and nobody has seen is not said any more; its number is free at once. */
static void forget_poll(sim_ring *r, const sim_slot *s, lr__id id)
{
    sim_pollable *p = sim_pollable_of(r->world, s->sock);
    uint32_t kept = 0;

    if (p && p->ring == r && p->id == id)
        p->ring = NULL;
    for (uint32_t i = 0; i < r->ready_count; i++) {
        if (r->ready[i].id != id || r->ready[i].last)
            r->ready[kept++] = r->ready[i];
    }
    r->ready_count = kept;
}

static void sim_stop(lr__ring *ring, lr__id id, lr__op op)
{
    sim_ring *r = ring_of(ring);
    sim_slot *s = find(r, id);

    LR_CHECK(op == LR__OP_ACCEPT || op == LR__OP_RECV || op == LR__OP_POLL);
    if (s && op == LR__OP_POLL && (s->armed & bit(op)))
        forget_poll(r, s, id);
    if (s)
        stop_op(r, s, id, op);
}

/* The socket is closed here and now, so the others end here too: a late cancel means that they came
 * as far as they could before it. */
static void sim_end(lr__ring *ring, int sock, lr__id id, bool reset)
{
    sim_ring *r = ring_of(ring);
    sim_slot *s = start_on(r, sock, id, LR__OP_CLOSE);

    s->ended = true;
    if (s->armed & bit(LR__OP_SEND)) /* it was submitted before */
        work_on_send(r, s, id, false);
    if ((s->armed & bit(LR__OP_RECV)) && sim_chance(r->world, faults_of(r)->late_cancel)) {
        while ((s->armed & bit(LR__OP_RECV)) && receive(r, s, id))
            ;
    }
    for (lr__op op = LR__OP_ACCEPT; op <= LR__OP_CONNECT; op++) {
        if (op != LR__OP_CLOSE && (s->armed & bit(op)))
            make_last(r, s, id, op, -ECANCELED);
    }
    sim_sock_close(r->world, sock, reset);
    sim_schedule(r->world, sim_delay(r->world, faults_of(r)->work_ns), SIM_CLOSE, r->index,
                 LR__OP_CLOSE, id);
}

/* Opening and closing */

static lr_status sim_open(void *world, const lr__ring_config *config, lr__ring **out, lr_error *err)
{
    sim *s = world;
    sim_ring *r = calloc(1, sizeof(*r));

    LR_CHECK(r != NULL);
    r->base.backend = &sim_backend;
    r->world = s;
    r->index = s->ring_count;
    r->open = true;
    r->deadline_ns = UINT64_MAX;
    r->now_ns = s->now_ns;
    if (lr__recv_pool_init(&r->pool, config->recv_buffer_count, config->recv_buffer_max) != LR_OK) {
        free(r);
        return lr__fail(err, LR_ENOMEM, "ring: out of memory");
    }
    for (uint32_t i = r->pool.count; i > 0; i--)
        lr__recv_pool_untake(&r->pool, (uint16_t)(i - 1));
    s->rings = sim_grow(s->rings, &s->ring_cap, s->ring_count + 1, sizeof(*s->rings));
    s->rings[s->ring_count++] = r;
    *out = &r->base;
    return LR_OK;
}

/* A file operation is done or not; what it was to close does not stay open. */
static void end_files(sim_ring *r)
{
    for (uint32_t i = 0; i < r->slot_cap; i++) {
        const sim_slot *s = &r->slots[i];

        if ((s->armed & bit(LR__OP_FILE)) && s->file->kind == LR__FILE_CLOSE)
            (void)sim_file_do(r->world, s->file);
    }
}

/* What was accepted or opened and never seen is closed; the ring's husk stays for events under way.
 */
static void sim_close(lr__ring *ring)
{
    sim_ring *r = ring_of(ring);

    end_files(r);
    for (uint32_t i = 0; i < r->ready_count; i++) {
        const lr__completion *done = &r->ready[i];

        if (done->op == LR__OP_ACCEPT && done->res >= 0)
            sim_sock_close(r->world, done->res, false);
        if (done->op == LR__OP_FILE && done->res >= SIM_FIRST_FILE)
            sim_file_close(r->world, done->res);
        if (done->buffer != LR__NO_BUFFER)
            lr__recv_pool_back(&r->pool, done->buffer);
    }
    LR_CHECK(r->pool.lent == 0); /* the worker kept a buffer */
    r->open = false;
    lr__recv_pool_fini(&r->pool);
    free(r->slots);
    free(r->ready);
    r->slots = NULL;
    r->ready = NULL;
    r->slot_cap = r->ready_count = r->ready_cap = 0;
}

/* Plain calls */

static uint64_t sim_ring_now(lr__ring *ring)
{
    return ring_of(ring)->now_ns;
}

static uint64_t sim_clock(lr__ring *ring)
{
    return ring_of(ring)->world->now_ns;
}

static int64_t sim_wall_ms(lr__ring *ring)
{
    const sim *s = ring_of(ring)->world;

    return (int64_t)(s->now_ns / 1000000) + s->wall_shift_ms;
}

static bool sim_random(lr__ring *ring, void *out, size_t size)
{
    uint8_t *to = out;

    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)sim_entropy(ring_of(ring)->world);
    return true;
}

static void sim_listen_close(void *world, int sock)
{
    sim_sock_close(world, sock, false);
}

static int sim_adopt(void *world, int sock)
{
    return sim_sock_of(world, sock)->kind == SIM_STREAM ? 0 : -EINVAL;
}

static void sim_abandon(void *world, int sock)
{
    sim_sock_close(world, sock, true);
}

static int sim_accept_now(lr__ring *ring, int listener)
{
    return sim_take_connection(ring_of(ring)->world, listener);
}

static int sim_shutdown_write(lr__ring *ring, int sock)
{
    sim *s = ring_of(ring)->world;
    const sim_sock *of = sim_sock_of(s, sock);

    if (of->kind != SIM_STREAM || s->conns[of->conn]->dead[of->side])
        return -ENOTCONN;
    sim_end_writing(s, of->conn, of->side);
    return 0;
}

const lr__backend sim_backend = {
    .name = "sim",
    .open = sim_open,
    .close = sim_close,
    .wait = sim_wait,
    .wake = sim_wake,
    .now = sim_ring_now,
    .clock = sim_clock,
    .wall_ms = sim_wall_ms,
    .random = sim_random,
    .accept = sim_accept,
    .recv = sim_recv,
    .buffer_give = sim_buffer_give,
    .send = sim_send,
    .connect = sim_op_connect,
    .poll = sim_poll,
    .file = sim_file,
    .stop = sim_stop,
    .end = sim_end,
    .listen = sim_listen,
    .listen_dup = sim_listen_dup,
    .socket = sim_socket,
    .listen_close = sim_listen_close,
    .adopt = sim_adopt,
    .abandon = sim_abandon,
    .accept_now = sim_accept_now,
    .shutdown_write = sim_shutdown_write,
    .sock_name = sim_sock_name,
};
