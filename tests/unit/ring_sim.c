/* SPDX-License-Identifier: MIT */
#include "tests/unit/ring_sim.h"

#include <errno.h>
#include <netinet/in.h>

static int sim_side_connect(void *world, const struct sockaddr_storage *address, socklen_t len)
{
    int peer = sim_connect(world, ntohs(((const struct sockaddr_in *)address)->sin_port));

    (void)len;
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
                   .progress = sim_side_progress};

    return w;
}
