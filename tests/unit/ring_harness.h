/* SPDX-License-Identifier: MIT */
/* ring_harness.h: drives one ring of any back end and checks rules 1, 2 and 4 of core/io/ring.h on
 * every completion.
 *
 * A rig is a ring, a listener, and connections whose far ends ("peers") the test drives itself. The
 * bytes of each direction of a connection are a pattern of their offset and the connection, so that
 * a byte lost, doubled, out of order or from another connection is seen at once. Everything runs on
 * one thread; nothing sleeps: where the test needs progress it pumps. */
#ifndef LR_TESTS_UNIT_RING_HARNESS_H
#define LR_TESTS_UNIT_RING_HARNESS_H

#include "tests/unit/support.h"

#include "core/io/ring.h"

#include <stdatomic.h>

/* How a back end's peers are made and moved. Peers never block. */
typedef struct rig_world {
    const lr__backend *backend;
    void *world;  /* for the back end */
    bool is_real; /* descriptors, threads and forks are real */
    int (*connect)(void *world, const struct sockaddr_storage *address, socklen_t len);
    /* Bytes moved; read: 0 is the end; -EAGAIN: not now; else -errno. */
    long (*peer_write)(void *world, int peer, const void *bytes, size_t len);
    long (*peer_read)(void *world, int peer, void *bytes, size_t cap);
    void (*peer_end)(void *world, int peer);   /* half close */
    void (*peer_close)(void *world, int peer); /* of both directions */
    void (*peer_reset)(void *world, int peer);
    void (*progress)(void *world); /* lets the world do something */

    /* Listeners whose connections are peers. listen fills the address; accept: -EAGAIN, none. */
    int (*peer_listen)(void *world, int backlog, struct sockaddr_storage *out, socklen_t *len);
    int (*peer_accept)(void *world, int stand);
    void (*peer_unlisten)(void *world, int stand);

    /* Descriptors to poll: the reading end of a pipe, whose other end the test moves. */
    int (*pipe_new)(void *world);
    void (*pipe_write)(void *world, int fd);
    void (*pipe_empty)(void *world, int fd);
    void (*pipe_hang_up)(void *world, int fd);
    void (*pipe_close)(void *world, int fd); /* the reading end, and the other if it is open */
} rig_world;

enum { RIG_CONNS = 10240, RIG_CAP = 256, RIG_SLOT_BASE = 4, RIG_LISTENER_SLOT = 1 };

typedef struct rig_conn {
    int peer; /* -1: none */
    int sock; /* -1: closed, or not accepted yet */
    uint32_t slot, generation;
    uint32_t key; /* of its pattern */
    uint8_t on;   /* ops without their last completion, by lr__op */
    bool closed;
    int recv_last, send_last;   /* res of the last completion, 1 while there was none */
    uint64_t received, written; /* bytes by us; by the peer */
    uint64_t sent, peer_got;    /* bytes by us, in finished sends; by the peer */
    uint8_t *sending;           /* memory of the send in flight */
    uint32_t sending_len;
    int connect_last, poll_last, file_last; /* as recv_last */
    uint32_t told, told_count;              /* what the poll said, and how often */
    bool poll_stopped;
} rig_conn;

typedef struct rig {
    const rig_world *w;
    lr__ring *ring;
    int listener;
    bool accepting;
    bool keep_accepting; /* start again when the accept has failed */
    int accept_last;     /* res of the accept's last completion, 1 while there was none */
    struct sockaddr_storage address;
    socklen_t address_len;
    rig_conn *conns;
    uint32_t conn_count;
    int accepted[RIG_CONNS]; /* sockets not yet given to a connection */
    uint32_t accepted_count;
    uint32_t cap;  /* of each wait */
    bool hold;     /* keep receive buffers instead of giving them back */
    bool tolerant; /* count broken rules instead of failing */
    uint32_t broken;
    uint16_t held[1024];
    uint32_t held_count;
    uint32_t next_key;
} rig;

rig *rig_new(const rig_world *w, const lr__ring_config *config); /* opened, listening, accepting */
void rig_free(rig *g); /* ends and checks everything first */
void rig_drop(rig *g); /* just closes the ring, whatever is in flight */

/* One wait: its completions are checked and booked. Returns how many there were. */
uint32_t rig_turn(rig *g, uint64_t deadline_ns);
void rig_pump(rig *g); /* a turn that does not wait, and some progress of the world */

/* A new peer, and its connection once accepted, in the given conn (slot RIG_SLOT_BASE + index). */
rig_conn *rig_connect(rig *g);           /* appended */
void rig_reconnect(rig *g, rig_conn *c); /* same slot, next generation */
int rig_peer(rig *g);                    /* only the peer */
/* A new conn whose socket of ours begins to connect; it has no peer yet. */
rig_conn *rig_reach(rig *g, const struct sockaddr_storage *address, socklen_t len);
/* Listens on that socket from now on. The old one is closed. */
void rig_listen_on(rig *g, int listener);

/* New conns that are no connections. */
rig_conn *rig_poll(rig *g, int fd, uint32_t events);
rig_conn *rig_file(rig *g, const lr__file_op *op);
int rig_file_now(rig *g, const lr__file_op *op); /* pumps until it is done; its result */

lr__id rig_id(const rig_conn *c);
void rig_recv(rig *g, rig_conn *c);
void rig_send(rig *g, rig_conn *c, uint32_t len); /* of the pattern */
void rig_stop(rig *g, rig_conn *c);
void rig_stop_poll(rig *g, rig_conn *c);
void rig_end(rig *g, rig_conn *c, bool reset);
void rig_give_one(rig *g); /* the buffer held longest */

/* Peers. The pattern is made and checked; write takes what fits. */
long rig_peer_write(rig *g, rig_conn *c, size_t len);
long rig_peer_read(rig *g, rig_conn *c, size_t cap);
void rig_peer_write_all(rig *g, rig_conn *c, size_t len); /* pumping */
long rig_peer_read_to_end(rig *g, rig_conn *c);           /* pumping; 0, or -errno of a reset */
void rig_exchange(rig *g, rig_conn *c, size_t from_peer, uint32_t to_peer); /* pumping */

/* Pump until it is so. */
#define RIG_UNTIL(g, condition)                                                                    \
    do {                                                                                           \
        while (!(condition))                                                                       \
            rig_pump(g);                                                                           \
    } while (0)

static inline bool rig_on(const rig_conn *c, lr__op op)
{
    return (c->on & 1u << op) != 0;
}

uint8_t rig_pattern(uint32_t key, bool from_peer, uint64_t offset);

#endif
