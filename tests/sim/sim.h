/* SPDX-License-Identifier: MIT */
/* tests/sim/sim.h: a simulated kernel, network and clock behind the seam (core/io/ring.h).
 *
 * Everything happens on one thread and is drawn from one seed: two runs of one seed are the same,
 * byte for byte. The world is a queue of events in virtual time (bytes arrive, the kernel works on
 * an operation, a wake gets through); between events the clock stands still. Several rings
 * (workers) share a world. Clients are driven by the test through the peer calls.
 *
 * Three ways to move it:
 *  - By rounds: the test steps its clients and turns every worker. A wait runs what is due now,
 *    gives out what is ready, in an order drawn from the seed, or nothing. When a whole round came
 *    to nothing the test calls sim_advance().
 *  - By need: sim_pick() runs the world until a ring must turn, and names it. A wait that returned
 *    nothing has put its ring to sleep until its deadline, a wake or a completion.
 *  - By itself (sim_options.auto_advance): for tests of a single ring; a wait runs the world until
 *    something is ready for it or its deadline is reached. Waiting for what can never happen is a
 *    failed check.
 *
 * What a worker must not do is checked: an operation started twice, a slot used again too early, a
 * socket used after its end, a buffer given back twice or kept. The bytes of a send are read late
 * and in pieces, receive buffers are poisoned while they are not lent (AddressSanitizer). */
#ifndef LR_TESTS_SIM_SIM_H
#define LR_TESTS_SIM_SIM_H

#include "core/io/ring.h"

/* Chances out of 1000, drawn at each opportunity. Times are the largest that is drawn. */
typedef struct sim_faults {
    uint32_t delay;           /* something that is ready is not given out in this wait */
    uint32_t late_cancel;     /* a stop loses its race: data first, then the last completion */
    uint32_t accept_no_files; /* an accept ends with -EMFILE or the like; the connection stays */
    uint32_t accept_aborted;  /* a queued connection is gone when its turn comes; never seen */
    uint32_t recv_piece_max;  /* a receive is cut to 1..this many bytes; 0: not cut */
    uint32_t send_piece_max;  /* a send goes on by 1..this many bytes a time; 0: not cut */
    uint32_t no_buffers;      /* a receive finds the pool empty for a moment */
    uint32_t cut;             /* bytes that arrive find that the connection was reset */
    uint32_t small_pipe;      /* a connection's socket buffers hold 600 bytes */
    uint32_t stall;           /* sim_pick: an event runs although a ring could turn */
    uint64_t net_ns;          /* bytes, FIN and RST on their way */
    uint64_t work_ns;         /* until the kernel goes on with an operation */
    uint64_t wake_ns;         /* until a wake gets through */
    uint32_t connect_fails;   /* a connect ends with -ETIMEDOUT or the like */
    uint32_t open_no_files;   /* a file is not opened: -EMFILE or the like */
    uint32_t read_piece_max;  /* a read of a file is cut to 1..this many bytes; 0: not cut */
    uint64_t file_ns;         /* until a file operation is done */
    bool duplicate_last;      /* the lying kernel: every last completion comes twice */
} sim_faults;

typedef struct sim sim;

extern const lr__backend sim_backend; /* its world is a sim */

typedef struct sim_options {
    uint64_t seed;
    sim_faults faults;
    bool auto_advance;
    uint32_t pipe_size; /* what each direction of a connection holds; 0: 65536 */
} sim_options;

sim *sim_new(uint64_t seed, const sim_faults *faults);
sim *sim_new_with(const sim_options *options);
void sim_free(sim *world); /* every socket, file and ring must have been closed */

/* Each fault is absent in half of the seeds and has a chance of its own in the others. */
sim_faults sim_faults_draw(uint64_t seed);
/* From now on the world behaves, so that whoever is honest must come to a good end. */
void sim_faults_end(sim *world);

uint64_t sim_now(const sim *world);
/* Runs the next event, or moves the clock to the earliest deadline of a ring that found nothing to
 * do, whichever comes first; false: there is neither. */
bool sim_advance(sim *world);
bool sim_step(sim *world);                 /* only the next event; false: there is none */
lr__ring *sim_pick(sim *world);            /* null: no ring ever needs to turn again */
void sim_pass(sim *world, uint64_t ns);    /* runs what happens in that time */
void sim_set_wall(sim *world, int64_t ms); /* the wall clock jumps */
uint64_t sim_draw(sim *world);             /* the test's own dice, from the same seed */

/* What crossed the wire so far, in both directions of all connections, as one number. */
uint64_t sim_transcript(const sim *world);
uint32_t sim_open_sockets(const sim *world); /* server side, listeners included */

typedef struct sim_counts {
    uint64_t steps, faults, connections; /* events run, faults injected, connections ever made */
} sim_counts;
sim_counts sim_count(const sim *world);

/* Clients. A peer is a small number, never used again; -1: nobody listens. A connection that
 * cannot be queued in time because its listener went is reset. */
int sim_connect(sim *world, uint16_t port);
size_t sim_peer_write(sim *world, int peer, const void *bytes, size_t len); /* how many fitted */
size_t sim_peer_read(sim *world, int peer, void *out, size_t cap);
void sim_peer_end(sim *world, int peer);          /* FIN */
void sim_peer_close(sim *world, int peer);        /* of both directions; RST if not all was read */
void sim_peer_reset(sim *world, int peer);        /* RST: both directions are gone */
bool sim_peer_at_eof(const sim *world, int peer); /* FIN came and everything was read */
bool sim_peer_was_reset(const sim *world, int peer);
uint64_t sim_peer_transcript(const sim *world, int peer); /* however it was cut into pieces */

/* The same with an address, which may be of AF_UNIX. */
int sim_connect_to(sim *world, const struct sockaddr *address, socklen_t len);

/* Peers that are connected to. A stand is a listener that the test plays; port 0 chooses one. Its
 * backlog is that of listen(2): one more waits in the queue. */
int sim_peer_listen(sim *world, uint16_t port, uint32_t backlog); /* a stand, or -EADDRINUSE */
uint16_t sim_peer_port(const sim *world, int stand);
int sim_peer_accept(sim *world, int stand);    /* a peer; -1: nobody waits */
void sim_peer_unlisten(sim *world, int stand); /* who waits is reset */

/* Numbers that can be polled, beside the sockets'. A number exists from its first set, which says
 * what it is ready for; each further set is news of what it says. */
void sim_poll_set(sim *world, int fd, uint32_t events);
void sim_poll_close(sim *world, int fd);

/* File operations work on the real files, and give out numbers of their own. */
uint32_t sim_open_files(const sim *world);

#endif
