/* SPDX-License-Identifier: MIT */
/* tests/sim/sim_net.c: listeners, connections and their far ends.
 *
 * A connection is two pipes of bounded size. Bytes are taken when written (and enter the
 * transcript), arrive later in order, and make room again when read. FIN travels behind the bytes;
 * RST travels like a segment, drops what has not arrived and what was not read, and is told once as
 * an error. As on Linux, closing a socket with unread bytes sends RST instead of FIN, and bytes
 * that reach a closed socket are answered by one. Socket numbers are the lowest free ones, so that
 * they are used again at once. */
#include "tests/sim/sim_world.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_NS = 1000000000, SMALL_PIPE = 600 };

/* Sockets */

sim_sock *sim_sock_of(sim *s, int sock)
{
    uint32_t at = (uint32_t)(sock - SIM_FIRST_SOCKET);

    LR_CHECK(sock >= SIM_FIRST_SOCKET && at < s->sock_cap && s->socks[at].kind != SIM_FREE);
    return &s->socks[at];
}

static int new_sock(sim *s, sim_sock_kind kind)
{
    uint32_t at = 0;

    while (at < s->sock_cap && s->socks[at].kind != SIM_FREE)
        at++;
    s->socks = sim_grow(s->socks, &s->sock_cap, at + 1, sizeof(*s->socks)); /* moves them */
    s->socks[at] = (sim_sock){.kind = kind};
    return (int)at + SIM_FIRST_SOCKET;
}

uint32_t sim_open_sockets(const sim *s)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < s->sock_cap; i++)
        count += s->socks[i].kind != SIM_FREE;
    return count;
}

static sim_ring *ring_of(const sim_sock *sock)
{
    return sock->ring && sock->ring->open ? sock->ring : NULL;
}

/* Tells the operations of one side that something has changed. */
static void stir(sim *s, uint32_t conn, uint32_t side, lr__op op)
{
    const sim_conn *c = s->conns[conn];

    if (side == 0 && c->sock != SIM_NONE) {
        const sim_sock *sock = sim_sock_of(s, c->sock);

        if (ring_of(sock))
            sim_ring_poke(sock->ring, sock->id, op);
    }
}

/* Bytes */

static void send_reset(sim *s, uint32_t conn, uint32_t from)
{
    sim_conn *c = s->conns[conn];
    sim_pipe *p = &c->pipe[from];
    uint64_t time = s->now_ns + sim_delay(s, s->options.faults.net_ns);

    if (c->dead[from])
        return;
    c->dead[from] = true;
    p->hash = sim_mix(p->hash, UINT64_C(0x7e5e7));
    sim_schedule_at(s, time, SIM_RESET, conn, 1 - from, 0);
}

/* Behind what was written, and from where was read to, round the end of the ring. */
static void copy_in(sim_pipe *p, const uint8_t *bytes, size_t len)
{
    size_t at = (size_t)(p->written % p->size);
    size_t first = len < p->size - at ? len : p->size - at;

    memcpy(p->bytes + at, bytes, first);
    memcpy(p->bytes, bytes + first, len - first);
}

static void copy_out(const sim_pipe *p, uint8_t *out, size_t len)
{
    size_t at = (size_t)(p->read % p->size);
    size_t first = len < p->size - at ? len : p->size - at;

    memcpy(out, p->bytes + at, first);
    memcpy(out + first, p->bytes, len - first);
}

long sim_write(sim *s, uint32_t conn, uint32_t side, const uint8_t *bytes, size_t len)
{
    sim_conn *c = s->conns[conn];
    sim_pipe *p = &c->pipe[side];
    size_t room = p->size - (size_t)(p->written - p->read);
    uint64_t time;

    if (c->error[side]) {
        int error = c->error[side];

        c->error[side] = 0;
        return -error;
    }
    if (c->dead[side] || p->ended)
        return -EPIPE;
    len = len < room ? len : room;
    if (len == 0)
        return -EAGAIN;
    if (!p->bytes) {
        p->bytes = malloc(p->size);
        LR_CHECK(p->bytes != NULL);
    }
    for (size_t i = 0; i < len; i++)
        p->hash = (p->hash ^ bytes[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    copy_in(p, bytes, len);
    p->written += len;
    s->transcript = sim_mix(s->transcript, (uint64_t)conn << 1 | side);
    s->transcript = sim_mix(s->transcript, p->hash);
    time = s->now_ns + sim_delay(s, s->options.faults.net_ns);
    p->last_arrival = time > p->last_arrival ? time : p->last_arrival;
    sim_schedule_at(s, p->last_arrival, SIM_ARRIVE, conn, side, p->written);
    return (long)len;
}

void sim_end_writing(sim *s, uint32_t conn, uint32_t side)
{
    sim_pipe *p = &s->conns[conn]->pipe[side];
    uint64_t time = s->now_ns + sim_delay(s, s->options.faults.net_ns);

    if (p->ended || s->conns[conn]->dead[side])
        return;
    p->ended = true;
    p->hash = sim_mix(p->hash, UINT64_C(0xf1));
    p->last_arrival = time > p->last_arrival ? time : p->last_arrival;
    sim_schedule_at(s, p->last_arrival, SIM_ARRIVE, conn, side, UINT64_MAX);
}

static size_t readable(const sim *s, uint32_t conn, uint32_t side)
{
    const sim_pipe *p = &s->conns[conn]->pipe[1 - side];

    return (size_t)(p->arrived - p->read);
}

bool sim_can_read(const sim *s, uint32_t conn, uint32_t side)
{
    const sim_conn *c = s->conns[conn];

    return c->error[side] || c->dead[side] || readable(s, conn, side) > 0 ||
           c->pipe[1 - side].end_arrived;
}

long sim_read(sim *s, uint32_t conn, uint32_t side, uint8_t *out, size_t cap)
{
    sim_conn *c = s->conns[conn];
    sim_pipe *p = &c->pipe[1 - side];
    size_t len = readable(s, conn, side);
    bool was_full = p->written - p->read == p->size;

    if (c->error[side]) {
        int error = c->error[side];

        c->error[side] = 0;
        return -error;
    }
    if (len == 0)
        return c->dead[side] || p->end_arrived ? 0 : -EAGAIN;
    len = len < cap ? len : cap;
    copy_out(p, out, len);
    p->read += len;
    if (was_full)
        stir(s, conn, 1 - side, LR__OP_SEND);
    return (long)len;
}

void sim_on_arrive(sim *s, uint32_t conn, uint32_t side, uint64_t offset)
{
    sim_conn *c = s->conns[conn];
    sim_pipe *p = &c->pipe[side];

    if (c->dead[side] || c->dead[1 - side])
        return; /* dropped on the way */
    if (sim_chance(s, s->options.faults.cut)) {
        sim_on_reset(s, conn, 1 - side);
        sim_on_reset(s, conn, side);
        return;
    }
    if (offset == UINT64_MAX) {
        p->end_arrived = true;
    } else {
        p->arrived = offset;
        if (c->closed[1 - side]) { /* nobody is there to read them */
            send_reset(s, conn, 1 - side);
            return;
        }
    }
    if (!c->closed[1 - side])
        stir(s, conn, 1 - side, LR__OP_RECV);
}

void sim_on_reset(sim *s, uint32_t conn, uint32_t side)
{
    sim_conn *c = s->conns[conn];

    if (c->dead[side])
        return;
    c->dead[side] = true;
    c->pipe[1 - side].read = c->pipe[1 - side].arrived; /* what was not read is gone */
    if (c->closed[side])
        return;
    c->error[side] = ECONNRESET;
    c->was_reset |= side == 1;
    stir(s, conn, side, LR__OP_RECV);
    if (side == 0)
        stir(s, conn, side, LR__OP_SEND);
}

/* Both sides have closed: what it held is given back. */
static void release_if_over(sim_conn *c)
{
    for (int side = 0; side < 2 && c->closed[0] && c->closed[1]; side++) {
        free(c->pipe[side].bytes);
        c->pipe[side].bytes = NULL;
        c->pipe[side].read = c->pipe[side].arrived = c->pipe[side].written;
    }
}

static void close_side(sim *s, uint32_t conn, uint32_t side, bool reset)
{
    sim_conn *c = s->conns[conn];

    LR_CHECK(!c->closed[side]);
    if (reset || readable(s, conn, side) > 0)
        send_reset(s, conn, side);
    else
        sim_end_writing(s, conn, side);
    c->closed[side] = true;
    release_if_over(c);
}

/* Listeners */

static uint16_t port_of(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
}

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)address)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)(void *)address)->sin_port = htons(port);
}

int sim_listen(void *world, const lr__listen_options *options)
{
    sim *s = world;
    uint16_t port = port_of(options->address);
    sim_sock *sock;
    int number;

    if (port == 0)
        port = s->next_port++;
    for (uint32_t i = 0; i < s->sock_cap; i++) {
        const sim_sock *other = &s->socks[i];

        if (other->kind == SIM_LISTENER && other->port == port &&
            (!other->share || !options->share_port || options->exclusive))
            return -EADDRINUSE;
    }
    number = new_sock(s, SIM_LISTENER);
    sock = sim_sock_of(s, number);
    memcpy(&sock->address, options->address, options->address_len);
    sock->address_len = options->address_len;
    set_port(&sock->address, port);
    sock->port = port;
    sock->share = options->share_port;
    sock->backlog = options->backlog > 0 ? (uint32_t)options->backlog : 1;
    return number;
}

static sim_sock *find_listener(sim *s, uint16_t port)
{
    uint32_t count = 0, chosen;

    for (uint32_t i = 0; i < s->sock_cap; i++)
        count += s->socks[i].kind == SIM_LISTENER && s->socks[i].port == port;
    if (count == 0)
        return NULL;
    chosen = (uint32_t)sim_below(s, count); /* the kernel's hash of the addresses */
    for (uint32_t i = 0;; i++) {
        if (s->socks[i].kind == SIM_LISTENER && s->socks[i].port == port && chosen-- == 0)
            return &s->socks[i];
    }
}

void sim_on_connect(sim *s, uint32_t conn)
{
    sim_conn *c = s->conns[conn];
    sim_sock *listener = c->closed[1] ? NULL : find_listener(s, c->port);

    if (c->closed[1])
        return;
    if (!listener) {
        c->dead[0] = c->dead[1] = c->closed[0] = true;
        c->error[1] = ECONNREFUSED;
        c->was_reset = true;
        return;
    }
    if (listener->queue_count >= listener->backlog) { /* the SYN is dropped and sent again */
        sim_schedule(s, RETRY_NS, SIM_CONNECT, conn, 0, 0);
        return;
    }
    listener->queue = sim_grow(listener->queue, &listener->queue_cap, listener->queue_count + 1,
                               sizeof(*listener->queue));
    listener->queue[listener->queue_count++] = conn;
    if (ring_of(listener))
        sim_ring_poke(listener->ring, listener->id, LR__OP_ACCEPT);
}

static uint32_t take_queued(sim_sock *listener)
{
    uint32_t conn = listener->queue[0];

    memmove(listener->queue, listener->queue + 1,
            --listener->queue_count * sizeof(*listener->queue));
    return conn;
}

int sim_take_connection(sim *s, int number)
{
    static const int errors[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS};
    sim_sock *listener = sim_sock_of(s, number);
    uint32_t conn;
    int sock;

    LR_CHECK(listener->kind == SIM_LISTENER);
    while (listener->queue_count > 0 && sim_chance(s, s->options.faults.accept_aborted))
        close_side(s, take_queued(listener), 0, true);
    if (listener->queue_count == 0)
        return -EAGAIN;
    if (sim_chance(s, s->options.faults.accept_no_files))
        return -errors[sim_below(s, LR_ARRAY_COUNT(errors))];
    conn = take_queued(listener);
    sock = new_sock(s, SIM_STREAM); /* may move the sockets */
    sim_sock_of(s, sock)->conn = conn;
    s->conns[conn]->sock = sock;
    return sock;
}

void sim_sock_close(sim *s, int number, bool reset)
{
    sim_sock *sock = sim_sock_of(s, number);

    if (sock->kind == SIM_STREAM) {
        s->conns[sock->conn]->sock = SIM_NONE;
        close_side(s, sock->conn, 0, reset);
    } else {
        while (sock->queue_count > 0) /* net.ipv4.tcp_migrate_req is 0 */
            close_side(s, take_queued(sock), 0, true);
        free(sock->queue);
    }
    *sock = (sim_sock){.kind = SIM_FREE};
}

/* Peers */

int sim_connect(sim *s, uint16_t port)
{
    uint32_t conn = s->conn_count;
    uint32_t size = sim_chance(s, s->options.faults.small_pipe) ? SMALL_PIPE : s->options.pipe_size;
    sim_conn *c;

    if (!find_listener(s, port))
        return -1;
    c = calloc(1, sizeof(*c));
    LR_CHECK(c != NULL);
    s->conns = sim_grow(s->conns, &s->conn_cap, ++s->conn_count, sizeof(*s->conns));
    s->conns[conn] = c;
    c->port = port;
    c->sock = SIM_NONE;
    for (int side = 0; side < 2; side++) {
        c->pipe[side].size = size;
        c->pipe[side].hash = UINT64_C(0xcbf29ce484222325);
    }
    sim_schedule(s, sim_delay(s, s->options.faults.net_ns), SIM_CONNECT, conn, 0, 0);
    return (int)conn;
}

static sim_conn *conn_of(const sim *s, int peer)
{
    LR_CHECK(peer >= 0 && (uint32_t)peer < s->conn_count);
    return s->conns[peer];
}

size_t sim_peer_write(sim *s, int peer, const void *bytes, size_t len)
{
    long wrote;

    LR_CHECK(!conn_of(s, peer)->closed[1]);
    wrote = len ? sim_write(s, (uint32_t)peer, 1, bytes, len) : 0;
    return wrote > 0 ? (size_t)wrote : 0;
}

size_t sim_peer_read(sim *s, int peer, void *out, size_t cap)
{
    long got = conn_of(s, peer)->closed[1] ? 0 : sim_read(s, (uint32_t)peer, 1, out, cap);

    return got > 0 ? (size_t)got : 0;
}

void sim_peer_end(sim *s, int peer)
{
    LR_CHECK(!conn_of(s, peer)->closed[1]);
    sim_end_writing(s, (uint32_t)peer, 1);
}

void sim_peer_close(sim *s, int peer)
{
    (void)conn_of(s, peer);
    close_side(s, (uint32_t)peer, 1, false);
}

void sim_peer_reset(sim *s, int peer)
{
    (void)conn_of(s, peer);
    close_side(s, (uint32_t)peer, 1, true);
}

bool sim_peer_at_eof(const sim *s, int peer)
{
    const sim_conn *c = conn_of(s, peer);

    return !c->was_reset && c->pipe[0].end_arrived && c->pipe[0].read == c->pipe[0].arrived;
}

bool sim_peer_was_reset(const sim *s, int peer)
{
    return conn_of(s, peer)->was_reset;
}

uint64_t sim_peer_transcript(const sim *s, int peer)
{
    const sim_conn *c = conn_of(s, peer);
    uint64_t hash = sim_mix(c->pipe[0].hash, c->pipe[1].hash);

    return sim_mix(sim_mix(hash, c->pipe[0].written), c->pipe[1].written);
}

void sim_net_free(sim *s)
{
    for (uint32_t i = 0; i < s->conn_count; i++) {
        free(s->conns[i]->pipe[0].bytes);
        free(s->conns[i]->pipe[1].bytes);
        free(s->conns[i]);
    }
    for (uint32_t i = 0; i < s->sock_cap; i++)
        free(s->socks[i].queue);
    free(s->conns);
    free(s->socks);
}
