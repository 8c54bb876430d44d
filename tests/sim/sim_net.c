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
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum { RETRY_NS = 1000000000, SMALL_PIPE = 600, FIRST_PATH = 65536 };

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

    if (c->sock[side] != SIM_NONE) {
        const sim_sock *sock = sim_sock_of(s, c->sock[side]);

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

/* Paths have ports too, so that a listener is found by one number. */
static uint32_t port_of_path(sim *s, const struct sockaddr *address, socklen_t len)
{
    struct sockaddr_storage whole = {0};
    const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)&whole;

    LR_CHECK(len > offsetof(struct sockaddr_un, sun_path) && len < sizeof(whole));
    memcpy(&whole, address, len);
    for (uint32_t i = 0; i < s->path_count; i++) {
        if (memcmp(s->paths[i], un->sun_path, sizeof(un->sun_path)) == 0)
            return FIRST_PATH + i;
    }
    s->paths = sim_grow(s->paths, &s->path_cap, s->path_count + 1, sizeof(*s->paths));
    s->paths[s->path_count] = malloc(sizeof(un->sun_path));
    LR_CHECK(s->paths[s->path_count] != NULL);
    memcpy(s->paths[s->path_count], un->sun_path, sizeof(un->sun_path));
    return FIRST_PATH + s->path_count++;
}

static uint32_t port_of(sim *s, const struct sockaddr *address, socklen_t len)
{
    if (address->sa_family == AF_UNIX)
        return port_of_path(s, address, len);
    if (address->sa_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
}

static void set_port(struct sockaddr_storage *address, uint32_t port)
{
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)address)->sin6_port = htons((uint16_t)port);
    else if (address->ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)address)->sin_port = htons((uint16_t)port);
}

static sim_queue *new_queue(uint32_t backlog)
{
    sim_queue *queue = calloc(1, sizeof(*queue));

    LR_CHECK(queue != NULL);
    queue->references = 1;
    queue->backlog = backlog;
    return queue;
}

static void put_queued(sim_queue *queue, uint32_t conn)
{
    queue->conns = sim_grow(queue->conns, &queue->cap, queue->count + 1, sizeof(*queue->conns));
    queue->conns[queue->count++] = conn;
}

static uint32_t take_queued(sim_queue *queue)
{
    uint32_t conn = queue->conns[0];

    memmove(queue->conns, queue->conns + 1, --queue->count * sizeof(*queue->conns));
    return conn;
}

/* side: of those who would have accepted. net.ipv4.tcp_migrate_req is 0: who waits is reset. */
static void release_queue(sim *s, sim_queue *queue, uint32_t side)
{
    if (--queue->references > 0)
        return;
    while (queue->count > 0)
        close_side(s, take_queued(queue), side, true);
    free(queue->conns);
    free(queue);
}

static sim_stand *find_stand(sim *s, uint32_t port)
{
    for (uint32_t i = 0; i < s->stand_count; i++) {
        if (s->stands[i].queue && s->stands[i].port == port)
            return &s->stands[i];
    }
    return NULL;
}

int sim_listen(void *world, const lr__listen_options *options)
{
    sim *s = world;
    uint32_t port = port_of(s, options->address, options->address_len);
    sim_sock *sock;
    int number;

    if (port == 0)
        port = s->next_port++;
    if (find_stand(s, port))
        return -EADDRINUSE;
    for (uint32_t i = 0; i < s->sock_cap; i++) {
        const sim_sock *other = &s->socks[i];

        if (other->kind == SIM_LISTENER && other->port == port &&
            (!other->share || !options->share_port || options->exclusive || port >= FIRST_PATH))
            return -EADDRINUSE;
    }
    number = new_sock(s, SIM_LISTENER);
    sock = sim_sock_of(s, number);
    memcpy(&sock->address, options->address, options->address_len);
    sock->address_len = options->address_len;
    set_port(&sock->address, port);
    sock->port = port;
    sock->share = options->share_port;
    sock->queue = new_queue(options->backlog > 0 ? (uint32_t)options->backlog : 1);
    return number;
}

int sim_listen_dup(void *world, int listener)
{
    sim *s = world;
    int number = new_sock(s, SIM_LISTENER); /* may move the sockets */
    sim_sock *copy = sim_sock_of(s, number);

    *copy = *sim_sock_of(s, listener);
    LR_CHECK(copy->kind == SIM_LISTENER);
    copy->queue->references++;
    copy->ring = NULL;
    return number;
}

int sim_socket(void *world, int family)
{
    int number = new_sock(world, SIM_UNCONNECTED);

    sim_sock_of(world, number)->family = family;
    return number;
}

static sim_sock *find_listener(sim *s, uint32_t port)
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

static void poke_listeners(sim *s, const sim_queue *queue)
{
    for (uint32_t i = 0; i < s->sock_cap; i++) {
        const sim_sock *sock = &s->socks[i];

        if (sock->kind == SIM_LISTENER && sock->queue == queue && ring_of(sock))
            sim_ring_poke(sock->ring, sock->id, LR__OP_ACCEPT);
    }
}

/* What became of it travels back to a socket of ours; what the other side sends comes behind it. */
static void answer(sim *s, uint32_t conn, uint32_t from, int error)
{
    sim_pipe *back = &s->conns[conn]->pipe[1 - from];

    if (s->conns[conn]->sock[from] == SIM_NONE)
        return;
    back->last_arrival = s->now_ns + sim_delay(s, s->options.faults.net_ns);
    sim_schedule_at(s, back->last_arrival, SIM_CONNECTED, conn, from, (uint64_t)error);
}

static void refuse(sim *s, uint32_t conn, uint32_t from, int error)
{
    sim_conn *c = s->conns[conn];

    c->dead[0] = c->dead[1] = c->closed[1 - from] = true;
    if (c->sock[from] == SIM_NONE) {
        c->error[1] = error;
        c->was_reset = true;
    }
    answer(s, conn, from, error);
}

void sim_on_connect(sim *s, uint32_t conn)
{
    static const int errors[] = {ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ECONNREFUSED};
    sim_conn *c = s->conns[conn];
    uint32_t from = c->played ? 0 : 1;
    const sim_stand *stand = c->played ? find_stand(s, c->port) : NULL;
    const sim_sock *listener = c->played || c->closed[1] ? NULL : find_listener(s, c->port);
    sim_queue *queue = stand ? stand->queue : listener ? listener->queue : NULL;

    if (c->closed[from]) { /* given up before it came here */
        c->closed[1 - from] = true;
        release_if_over(c);
        return;
    }
    if (c->sock[from] != SIM_NONE && sim_chance(s, s->options.faults.connect_fails)) {
        refuse(s, conn, from, errors[sim_below(s, LR_ARRAY_COUNT(errors))]);
        return;
    }
    if (!queue) {
        refuse(s, conn, from, ECONNREFUSED);
        return;
    }
    if (queue->count >= queue->backlog && c->port >= FIRST_PATH && c->sock[from] != SIM_NONE) {
        refuse(s, conn, from, EAGAIN);
        return;
    }
    if (queue->count >= queue->backlog) { /* the SYN is dropped and sent again */
        sim_schedule(s, RETRY_NS, SIM_CONNECT, conn, 0, 0);
        return;
    }
    put_queued(queue, conn);
    poke_listeners(s, queue);
    answer(s, conn, from, 0);
}

void sim_on_connected(sim *s, uint32_t conn, uint32_t side, int error)
{
    sim_conn *c = s->conns[conn];

    if (c->closed[side])
        return;
    c->connecting = -error;
    if (error == 0 && c->error[side]) { /* an RST has overtaken it */
        c->connecting = -c->error[side];
        c->error[side] = 0;
    }
    stir(s, conn, side, LR__OP_CONNECT);
}

int sim_take_connection(sim *s, int number)
{
    static const int errors[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS};
    sim_sock *listener = sim_sock_of(s, number);
    uint32_t conn;
    int sock;

    LR_CHECK(listener->kind == SIM_LISTENER);
    while (listener->queue->count > 0 && sim_chance(s, s->options.faults.accept_aborted))
        close_side(s, take_queued(listener->queue), 0, true);
    if (listener->queue->count == 0)
        return -EAGAIN;
    if (sim_chance(s, s->options.faults.accept_no_files))
        return -errors[sim_below(s, LR_ARRAY_COUNT(errors))];
    conn = take_queued(listener->queue);
    sock = new_sock(s, SIM_STREAM); /* may move the sockets */
    sim_sock_of(s, sock)->conn = conn;
    s->conns[conn]->sock[0] = sock;
    return sock;
}

void sim_sock_close(sim *s, int number, bool reset)
{
    sim_sock *sock = sim_sock_of(s, number);

    if (sock->kind == SIM_STREAM) {
        s->conns[sock->conn]->sock[sock->side] = SIM_NONE;
        close_side(s, sock->conn, sock->side, reset);
    } else if (sock->kind == SIM_LISTENER) {
        release_queue(s, sock->queue, 0);
    }
    *sock = (sim_sock){.kind = SIM_FREE};
}

/* Connecting */

static uint32_t new_conn(sim *s, uint32_t port)
{
    uint32_t conn = s->conn_count;
    uint32_t size = sim_chance(s, s->options.faults.small_pipe) ? SMALL_PIPE : s->options.pipe_size;
    sim_conn *c = calloc(1, sizeof(*c));

    LR_CHECK(c != NULL);
    s->conns = sim_grow(s->conns, &s->conn_cap, ++s->conn_count, sizeof(*s->conns));
    s->conns[conn] = c;
    c->port = port;
    for (int side = 0; side < 2; side++) {
        c->sock[side] = SIM_NONE;
        c->pipe[side].size = size;
        c->pipe[side].hash = UINT64_C(0xcbf29ce484222325);
    }
    sim_schedule(s, sim_delay(s, s->options.faults.net_ns), SIM_CONNECT, conn, 0, 0);
    return conn;
}

void sim_start_connect(sim *s, int number, const struct sockaddr *address, socklen_t len)
{
    uint32_t conn = new_conn(s, port_of(s, address, len));
    sim_sock *sock = sim_sock_of(s, number);
    sim_conn *c = s->conns[conn];

    LR_CHECK(sock->kind == SIM_UNCONNECTED);
    sock->kind = SIM_STREAM;
    sock->conn = conn;
    c->played = find_stand(s, c->port) != NULL;
    sock->side = c->played ? 0 : 1;
    c->sock[sock->side] = number;
    c->connecting = SIM_CONNECTING;
}

/* The name of an end: of the listener, or of who connected to it. */
static void name_end(const sim *s, uint32_t conn, bool is_listener, struct sockaddr_storage *out,
                     socklen_t *len)
{
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)out;
    struct sockaddr_un *un = (struct sockaddr_un *)(void *)out;
    uint32_t port = s->conns[conn]->port;

    if (port >= FIRST_PATH) {
        un->sun_family = AF_UNIX;
        *len = offsetof(struct sockaddr_un, sun_path);
        if (is_listener) {
            memcpy(un->sun_path, s->paths[port - FIRST_PATH], sizeof(un->sun_path));
            *len = sizeof(*un);
        }
        return;
    }
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in->sin_port = htons((uint16_t)(is_listener ? port : 1024 + conn % 60000));
    *len = sizeof(*in);
}

int sim_sock_name(void *world, int sock, bool peer, struct sockaddr_storage *out, socklen_t *len)
{
    sim *s = world;
    const sim_sock *of = sim_sock_of(s, sock);
    bool has_connected;

    memset(out, 0, sizeof(*out));
    if (of->kind != SIM_STREAM && peer)
        return -ENOTCONN;
    if (of->kind == SIM_UNCONNECTED) {
        out->ss_family = (sa_family_t)of->family;
        *len = sizeof(struct sockaddr_in);
        return 0;
    }
    if (of->kind == SIM_LISTENER) {
        *out = of->address;
        *len = of->address_len;
        return 0;
    }
    has_connected = of->side == (s->conns[of->conn]->played ? 0 : 1);
    name_end(s, of->conn, has_connected == peer, out, len);
    return 0;
}

/* Peers */

int sim_connect(sim *s, uint16_t port)
{
    return find_listener(s, port) ? (int)new_conn(s, port) : -1;
}

int sim_connect_to(sim *s, const struct sockaddr *address, socklen_t len)
{
    uint32_t port = port_of(s, address, len);

    return find_listener(s, port) ? (int)new_conn(s, port) : -1;
}

int sim_peer_listen(sim *s, uint16_t port, uint32_t backlog)
{
    uint32_t at = s->stand_count;

    if (port == 0)
        port = s->next_port++;
    if (find_stand(s, port) || find_listener(s, port))
        return -EADDRINUSE;
    s->stands = sim_grow(s->stands, &s->stand_cap, ++s->stand_count, sizeof(*s->stands));
    s->stands[at] = (sim_stand){.queue = new_queue(backlog + 1), .port = port};
    return (int)at;
}

static sim_stand *stand_of(const sim *s, int stand)
{
    LR_CHECK(stand >= 0 && (uint32_t)stand < s->stand_count && s->stands[stand].queue);
    return &s->stands[stand];
}

uint16_t sim_peer_port(const sim *s, int stand)
{
    return (uint16_t)stand_of(s, stand)->port;
}

int sim_peer_accept(sim *s, int stand)
{
    sim_queue *queue = stand_of(s, stand)->queue;

    return queue->count > 0 ? (int)take_queued(queue) : -1;
}

void sim_peer_unlisten(sim *s, int stand)
{
    release_queue(s, stand_of(s, stand)->queue, 1);
    s->stands[stand].queue = NULL;
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
    for (uint32_t i = 0; i < s->stand_count; i++) {
        if (s->stands[i].queue)
            sim_peer_unlisten(s, (int)i);
    }
    for (uint32_t i = 0; i < s->conn_count; i++) {
        free(s->conns[i]->pipe[0].bytes);
        free(s->conns[i]->pipe[1].bytes);
        free(s->conns[i]);
    }
    for (uint32_t i = 0; i < s->path_count; i++)
        free(s->paths[i]);
    free(s->paths);
    free(s->stands);
    free(s->conns);
    free(s->socks);
}
