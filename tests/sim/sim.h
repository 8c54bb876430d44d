/* SPDX-License-Identifier: MIT */
/* tests/sim/sim.h: a simulated kernel, network and clock behind the seam (core/io/ring.h).
 *
 * Everything happens on one thread and is drawn from one seed: two runs of one seed are the same,
 * byte for byte. Several rings (workers) share a world. Clients are driven by the test through the
 * peer calls, between the turns of the workers. wait() never blocks and never moves the clock far:
 * it gives out what is ready, in an order drawn from the seed, or nothing. When a whole round of
 * peers and workers came to nothing, the test calls sim_advance(), which moves the clock to the
 * earliest deadline that a ring waits for. */
#ifndef LR_TESTS_SIM_SIM_H
#define LR_TESTS_SIM_SIM_H

#include "core/io/ring.h"

/* Chances out of 1000, drawn at each opportunity. */
typedef struct sim_faults {
    uint32_t delay;           /* something that is ready is not given out in this wait */
    uint32_t late_cancel;     /* a stop loses its race: data first, then the last completion */
    uint32_t accept_no_files; /* an accept ends with -EMFILE; the connection stays in the queue */
    uint32_t recv_piece_max;  /* a receive is cut to 1..this many bytes; 0: not cut */
    uint32_t send_piece_max;  /* a send goes on by 1..this many bytes a time; 0: not cut */
    uint32_t no_buffers;      /* the pool seems empty in this wait */
    bool duplicate_last;      /* the lying kernel: every last completion comes twice */
} sim_faults;

typedef struct sim sim;

extern const lr__backend sim_backend; /* its world is a sim */

sim *sim_new(uint64_t seed, const sim_faults *faults);
void sim_free(sim *world); /* every socket and ring must have been closed */

uint64_t sim_now(const sim *world);
/* Moves the clock to the earliest deadline of a ring that found nothing to do; false: none has one.
 */
bool sim_advance(sim *world);
uint64_t sim_draw(sim *world); /* the test's own dice, from the same seed */

/* What crossed the wire so far, in both directions of all connections, as one number. */
uint64_t sim_transcript(const sim *world);
uint32_t sim_open_sockets(const sim *world); /* server side, listeners included */

/* Clients. A peer is a small number; -1: nobody listens. */
int sim_connect(sim *world, uint16_t port);
size_t sim_peer_write(sim *world, int peer, const void *bytes, size_t len); /* how many fitted */
size_t sim_peer_read(sim *world, int peer, void *out, size_t cap);
void sim_peer_end(sim *world, int peer);          /* FIN */
void sim_peer_reset(sim *world, int peer);        /* RST: both directions are gone */
bool sim_peer_at_eof(const sim *world, int peer); /* FIN came and everything was read */
bool sim_peer_was_reset(const sim *world, int peer);

#endif
