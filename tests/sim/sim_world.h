/* SPDX-License-Identifier: MIT */
/* tests/sim/sim_world.h: what the simulated network (sim.c) and the simulated ring (sim_ring.c)
 * share. */
#ifndef LR_TESTS_SIM_SIM_WORLD_H
#define LR_TESTS_SIM_SIM_WORLD_H

#include "tests/sim/sim.h"

enum { SIM_SOCKETS = 4096, SIM_LINKS = 65536, SIM_QUEUE = 128, SIM_RINGS = 16 };

typedef struct sim_pipe {
    uint8_t *bytes; /* made on first use */
    size_t len;
} sim_pipe;

/* One connection; lives as long as the world. */
typedef struct sim_link {
    sim_pipe to_server, to_peer;
    uint16_t port;
    bool peer_fin, peer_gone;    /* the client ended, or reset */
    bool server_fin, peer_reset; /* the server ended, or the client was reset */
    bool server_closed;
} sim_link;

typedef enum sim_kind { SIM_FREE, SIM_LISTENER, SIM_STREAM } sim_kind;

typedef struct sim_socket {
    sim_kind kind;
    uint16_t port; /* of a listener */
    uint32_t link; /* of a stream */
    uint32_t queue[SIM_QUEUE], queue_len;
} sim_socket;

struct sim_ring;

struct sim {
    uint64_t dice, entropy, now_ns, transcript;
    sim_faults faults;
    uint16_t next_port;
    sim_socket sockets[SIM_SOCKETS];
    sim_link *links[SIM_LINKS];
    uint32_t link_count;
    struct sim_ring *rings[SIM_RINGS]; /* null where none is open */
};

bool sim_chance(sim *world, uint32_t per_mille);
bool sim_entropy(sim *world, void *out, size_t size);
uint64_t sim_ring_deadline(const struct sim_ring *ring); /* UINT64_MAX: waits for no time */

sim_socket *sim_socket_at(sim *world, int sock);
int sim_listen(sim *world, const lr__listen_options *options);
int sim_accept_one(sim *world, int listener);
void sim_socket_close(sim *world, int sock, bool reset);
int sim_shutdown_write(sim *world, int sock);
int sim_name(sim *world, int sock, bool peer, struct sockaddr_storage *out, socklen_t *len);
int sim_stream_recv(sim *world, int sock, void *out, size_t cap); /* -EAGAIN: nothing now */
int sim_stream_send(sim *world, int sock, const void *bytes, size_t len);

#endif
