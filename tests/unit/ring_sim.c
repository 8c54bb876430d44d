/* SPDX-License-Identifier: MIT */
#include "tests/unit/ring_sim.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>

static int sim_side_connect(void *world, const struct sockaddr_storage *address, socklen_t len)
{
    int peer = sim_connect_to(world, (const struct sockaddr *)(const void *)address, len);

    return peer >= 0 ? peer : -ECONNREFUSED;
}

static long sim_side_write(void *world, int peer, const void *bytes, size_t len)
{
    size_t wrote = sim_peer_write(world, peer, bytes, len);

    if (wrote > 0)
        return (long)wrote;
    return sim_peer_was_reset(world, peer) ? -EPIPE : -EAGAIN;
}

static long sim_side_read(void *world, int peer, void *bytes, size_t cap)
{
    size_t got = sim_peer_read(world, peer, bytes, cap);

    if (got > 0)
        return (long)got;
    if (sim_peer_was_reset(world, peer))
        return -ECONNRESET;
    return sim_peer_at_eof(world, peer) ? 0 : -EAGAIN;
}

static void sim_side_end(void *world, int peer)
{
    sim_peer_end(world, peer);
}

static void sim_side_close(void *world, int peer)
{
    sim_peer_close(world, peer);
}

static void sim_side_reset(void *world, int peer)
{
    sim_peer_reset(world, peer);
}

static void sim_side_progress(void *world)
{
    if (!sim_step(world))
        sim_pass(world, 1000000);
    /* A test that waits for what never comes would run for ever. */
    assert_true(sim_now(world) < UINT64_C(1000000) * 1000000000);
}

static int sim_side_listen(void *world, int backlog, struct sockaddr_storage *out, socklen_t *len)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int stand = sim_peer_listen(world, 0, (uint32_t)backlog);

    assert_true(stand >= 0);
    in.sin_port = htons(sim_peer_port(world, stand));
    memcpy(out, &in, sizeof(in));
    *len = sizeof(in);
    return stand;
}

static int sim_side_accept(void *world, int stand)
{
    int peer = sim_peer_accept(world, stand);

    return peer >= 0 ? peer : -EAGAIN;
}

static void sim_side_unlisten(void *world, int stand)
{
    sim_peer_unlisten(world, stand);
}

static int sim_pipe_new(void *world)
{
    static int last = 1000;

    sim_poll_set(world, ++last, 0);
    return last;
}

static void sim_pipe_write(void *world, int fd)
{
    sim_poll_set(world, fd, POLLIN);
}

static void sim_pipe_empty(void *world, int fd)
{
    sim_poll_set(world, fd, 0);
}

static void sim_pipe_hang_up(void *world, int fd)
{
    sim_poll_set(world, fd, POLLHUP);
}

static void sim_pipe_close(void *world, int fd)
{
    sim_poll_close(world, fd);
}

rig_world rig_sim_world(sim *world)
{
    rig_world w = {.backend = &sim_backend,
                   .world = world,
                   .connect = sim_side_connect,
                   .peer_write = sim_side_write,
                   .peer_read = sim_side_read,
                   .peer_end = sim_side_end,
                   .peer_close = sim_side_close,
                   .peer_reset = sim_side_reset,
                   .progress = sim_side_progress,
                   .peer_listen = sim_side_listen,
                   .peer_accept = sim_side_accept,
                   .peer_unlisten = sim_side_unlisten,
                   .pipe_new = sim_pipe_new,
                   .pipe_write = sim_pipe_write,
                   .pipe_empty = sim_pipe_empty,
                   .pipe_hang_up = sim_pipe_hang_up,
                   .pipe_close = sim_pipe_close};

    return w;
}
