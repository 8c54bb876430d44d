/* SPDX-License-Identifier: MIT */
/* tests/sim/sim.c: the simulated network: listeners, connections, clock, dice, transcript.
 *
 * A connection is two bounded pipes and the state of both ends. As in Linux, a server that closes
 * with unread input, or with reset, makes the client lose what it has not read yet: an answer that
 * is not lingered for does not arrive. */
#include "tests/sim/sim_world.h"

#include "core/base/check.h"
#include "core/base/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

enum { FIRST_SOCKET = 3, FIRST_PORT = 40000, PIPE_SIZE = 65536 };

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

sim *sim_new(uint64_t seed, const sim_faults *faults)
{
    sim *world = lr__alloc_zero(1, sizeof(*world));

    LR_CHECK(world != NULL);
    world->dice = seed;
    world->entropy = ~seed;
    world->faults = *faults;
    world->now_ns = 1000000000;
    world->transcript = 0xcbf29ce484222325u;
    world->next_port = FIRST_PORT;
    return world;
}

void sim_free(sim *world)
{
    LR_CHECK(sim_open_sockets(world) == 0);
    for (uint32_t i = 0; i < SIM_RINGS; i++)
        LR_CHECK(world->rings[i] == NULL);
    for (uint32_t i = 0; i < world->link_count; i++) {
        lr__free(world->links[i]->to_server.bytes);
        lr__free(world->links[i]->to_peer.bytes);
        lr__free(world->links[i]);
    }
    lr__free(world);
}

uint64_t sim_draw(sim *world)
{
    return next_random(&world->dice);
}

bool sim_chance(sim *world, uint32_t per_mille)
{
    return per_mille != 0 && sim_draw(world) % 1000 < per_mille;
}

bool sim_entropy(sim *world, void *out, size_t size)
{
    uint8_t *to = out;

    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)next_random(&world->entropy);
    return true;
}

uint64_t sim_now(const sim *world)
{
    return world->now_ns;
}

bool sim_advance(sim *world)
{
    uint64_t earliest = UINT64_MAX;

    for (uint32_t i = 0; i < SIM_RINGS; i++) {
        if (world->rings[i] && sim_ring_deadline(world->rings[i]) < earliest)
            earliest = sim_ring_deadline(world->rings[i]);
    }
    if (earliest == UINT64_MAX)
        return false;
    if (earliest > world->now_ns)
        world->now_ns = earliest;
    return true;
}

uint64_t sim_transcript(const sim *world)
{
    return world->transcript;
}

static void note(sim *world, uint32_t link, int direction, const uint8_t *bytes, size_t len)
{
    uint64_t hash = world->transcript;

    hash = (hash ^ link) * 0x100000001b3u;
    hash = (hash ^ (uint64_t)direction) * 0x100000001b3u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u; /* FNV-1a */
    world->transcript = hash;
}

/* Pipes */

static size_t pipe_put(sim_pipe *pipe, const void *bytes, size_t len)
{
    if (!pipe->bytes) {
        pipe->bytes = lr__alloc(PIPE_SIZE);
        LR_CHECK(pipe->bytes != NULL);
    }
    if (len > PIPE_SIZE - pipe->len)
        len = PIPE_SIZE - pipe->len;
    memcpy(pipe->bytes + pipe->len, bytes, len);
    pipe->len += len;
    return len;
}

static size_t pipe_get(sim_pipe *pipe, void *out, size_t cap)
{
    size_t len = pipe->len < cap ? pipe->len : cap;

    if (len == 0)
        return 0;
    memcpy(out, pipe->bytes, len);
    memmove(pipe->bytes, pipe->bytes + len, pipe->len - len);
    pipe->len -= len;
    return len;
}

/* Server sockets */

sim_socket *sim_socket_at(sim *world, int sock)
{
    LR_CHECK(sock >= FIRST_SOCKET && sock < FIRST_SOCKET + SIM_SOCKETS);
    LR_CHECK(world->sockets[sock - FIRST_SOCKET].kind != SIM_FREE);
    return &world->sockets[sock - FIRST_SOCKET];
}

static int socket_new(sim *world, sim_kind kind)
{
    for (int i = 0; i < SIM_SOCKETS; i++) { /* the lowest free number, as the kernel gives */
        if (world->sockets[i].kind == SIM_FREE) {
            memset(&world->sockets[i], 0, sizeof(world->sockets[i]));
            world->sockets[i].kind = kind;
            return FIRST_SOCKET + i;
        }
    }
    return -EMFILE;
}

uint32_t sim_open_sockets(const sim *world)
{
    uint32_t count = 0;

    for (int i = 0; i < SIM_SOCKETS; i++)
        count += world->sockets[i].kind != SIM_FREE;
    return count;
}

int sim_listen(sim *world, const lr__listen_options *options)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)options->address;
    uint16_t port = in->sin_family == AF_INET ? ntohs(in->sin_port) : 0;
    int sock;

    if (in->sin_family != AF_INET)
        return -EAFNOSUPPORT;
    for (int i = 0; i < SIM_SOCKETS; i++) {
        if (world->sockets[i].kind == SIM_LISTENER && port != 0 && world->sockets[i].port == port &&
            (options->exclusive || !options->share_port))
            return -EADDRINUSE;
    }
    sock = socket_new(world, SIM_LISTENER);
    if (sock >= 0)
        sim_socket_at(world, sock)->port = port ? port : world->next_port++;
    return sock;
}

static void reset_peer(sim_link *link)
{
    link->peer_reset = true;
    link->to_peer.len = 0;
}

void sim_socket_close(sim *world, int sock, bool reset)
{
    sim_socket *s = sim_socket_at(world, sock);

    if (s->kind == SIM_LISTENER) {
        for (uint32_t i = 0; i < s->queue_len; i++)
            reset_peer(world->links[s->queue[i]]); /* as the kernel does */
    } else {
        sim_link *link = world->links[s->link];

        link->server_closed = true;
        if (reset || link->to_server.len != 0)
            reset_peer(link);
        else
            link->server_fin = true;
    }
    s->kind = SIM_FREE;
}

int sim_accept_one(sim *world, int listener)
{
    sim_socket *from = sim_socket_at(world, listener);
    int sock;

    if (from->queue_len == 0)
        return -EAGAIN;
    sock = socket_new(world, SIM_STREAM);
    if (sock < 0)
        return sock;
    sim_socket_at(world, sock)->link = from->queue[0];
    from->queue_len--;
    memmove(from->queue, from->queue + 1, from->queue_len * sizeof(from->queue[0]));
    return sock;
}

int sim_shutdown_write(sim *world, int sock)
{
    sim_link *link = world->links[sim_socket_at(world, sock)->link];

    if (link->peer_gone)
        return -ENOTCONN;
    link->server_fin = true;
    return 0;
}

int sim_name(sim *world, int sock, bool peer, struct sockaddr_storage *out, socklen_t *len)
{
    sim_socket *s = sim_socket_at(world, sock);
    struct sockaddr_in *in = (struct sockaddr_in *)out;

    memset(out, 0, sizeof(*out));
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (s->kind == SIM_LISTENER)
        in->sin_port = htons(s->port);
    else
        in->sin_port = htons(peer ? (uint16_t)(s->link + 1) : world->links[s->link]->port);
    *len = sizeof(*in);
    return 0;
}

/* What the ring sees of a stream. */

int sim_stream_recv(sim *world, int sock, void *out, size_t cap)
{
    sim_link *link = world->links[sim_socket_at(world, sock)->link];

    if (link->peer_gone)
        return -ECONNRESET;
    if (link->to_server.len != 0)
        return (int)pipe_get(&link->to_server, out, cap);
    return link->peer_fin ? 0 : -EAGAIN;
}

int sim_stream_send(sim *world, int sock, const void *bytes, size_t len)
{
    sim_socket *s = sim_socket_at(world, sock);
    sim_link *link = world->links[s->link];
    size_t put;

    if (link->peer_gone)
        return -EPIPE;
    put = pipe_put(&link->to_peer, bytes, len);
    if (put == 0)
        return -EAGAIN;
    note(world, s->link, 1, bytes, put);
    return (int)put;
}

/* Clients */

int sim_connect(sim *world, uint16_t port)
{
    sim_socket *candidates[SIM_SOCKETS];
    uint32_t count = 0;
    sim_socket *chosen;
    sim_link *link;

    for (int i = 0; i < SIM_SOCKETS; i++) {
        if (world->sockets[i].kind == SIM_LISTENER && world->sockets[i].port == port)
            candidates[count++] = &world->sockets[i];
    }
    if (count == 0 || world->link_count == SIM_LINKS)
        return -1;
    chosen = candidates[sim_draw(world) % count]; /* SO_REUSEPORT's hash */
    if (chosen->queue_len == SIM_QUEUE)
        return -1;
    link = lr__alloc_zero(1, sizeof(*link));
    LR_CHECK(link != NULL);
    link->port = port;
    world->links[world->link_count] = link;
    chosen->queue[chosen->queue_len++] = world->link_count;
    return (int)world->link_count++;
}

static sim_link *link_of(const sim *world, int peer)
{
    LR_CHECK(peer >= 0 && (uint32_t)peer < world->link_count);
    return world->links[peer];
}

size_t sim_peer_write(sim *world, int peer, const void *bytes, size_t len)
{
    sim_link *link = link_of(world, peer);
    size_t put;

    LR_CHECK(!link->peer_fin);
    if (link->peer_reset || link->peer_gone)
        return 0;
    if (link->server_closed) { /* the answer to bytes for a closed socket */
        reset_peer(link);
        return 0;
    }
    put = pipe_put(&link->to_server, bytes, len);
    note(world, (uint32_t)peer, 0, bytes, put);
    return put;
}

size_t sim_peer_read(sim *world, int peer, void *out, size_t cap)
{
    return pipe_get(&link_of(world, peer)->to_peer, out, cap);
}

void sim_peer_end(sim *world, int peer)
{
    link_of(world, peer)->peer_fin = true;
}

void sim_peer_reset(sim *world, int peer)
{
    sim_link *link = link_of(world, peer);

    link->peer_gone = true;
    link->to_server.len = 0;
    link->to_peer.len = 0;
}

bool sim_peer_at_eof(const sim *world, int peer)
{
    const sim_link *link = link_of(world, peer);

    return !link->peer_reset && link->server_fin && link->to_peer.len == 0;
}

bool sim_peer_was_reset(const sim *world, int peer)
{
    return link_of(world, peer)->peer_reset;
}
