/* SPDX-License-Identifier: MIT */
/* tests/sim/sim_world.h: the insides of a world, shared by sim.c (events, clocks, dice), sim_net.c
 * (sockets and connections), sim_file.c (files, and what else can be polled) and sim_ring.c (the
 * back end). */
#ifndef LR_TESTS_SIM_SIM_WORLD_H
#define LR_TESTS_SIM_SIM_WORLD_H

#include "tests/sim/sim.h"

#include "core/base/check.h"
#include "core/io/recv_pool.h"

enum { SIM_FIRST_SOCKET = 3, SIM_FIRST_FILE = 1 << 20, SIM_NONE = -1 };

typedef enum sim_event_kind {
    SIM_ARRIVE,    /* bytes or FIN of a direction: conn, side that sent, offset */
    SIM_RESET,     /* RST reaches a side: conn, side that it reaches */
    SIM_CONNECT,   /* a connection reaches its listener: conn */
    SIM_CONNECTED, /* the listener's answer reaches our socket: conn, its side, errno */
    SIM_POKE,      /* the kernel works on an operation: ring, id, op */
    SIM_CANCEL,    /* a late cancel takes effect: ring, id, op */
    SIM_CLOSE,     /* the completion of a CLOSE: ring, id */
    SIM_WAKE       /* ring */
} sim_event_kind;

typedef struct sim_event {
    uint64_t time, order; /* order breaks ties */
    sim_event_kind kind;
    uint32_t where; /* conn or ring */
    uint32_t what;  /* side or op */
    uint64_t value; /* offset, id or errno */
} sim_event;

/* One direction of a connection. Offsets count bytes since the start. */
typedef struct sim_pipe {
    uint8_t *bytes; /* a ring of size, made with the first byte */
    uint32_t size;
    uint64_t written, arrived, read;
    uint64_t last_arrival; /* time: segments do not overtake each other */
    bool ended, end_arrived;
    uint64_t hash;
} sim_pipe;

enum { SIM_CONNECTING = 1 };

/* Side 1 is the peer's, or that of our socket that connected to a listener of ours; side 0 is our
 * other socket. pipe[side] carries what that side sends. */
typedef struct sim_conn {
    sim_pipe pipe[2];
    bool closed[2]; /* by its own side */
    bool dead[2];   /* a reset has reached this side, or left it */
    int error[2];   /* to be told once */
    bool was_reset; /* what the peer's test may ask for ever */
    int sock[2];    /* SIM_NONE: the test plays that side; before accept and after close */
    bool played;    /* our side 0 connects to a stand */
    int connecting; /* of our connect: SIM_CONNECTING, then 0 or -errno */
    uint32_t port;
} sim_conn;

/* Connections that wait to be accepted, oldest first; duplicates of a listener share it. */
typedef struct sim_queue {
    uint32_t references, backlog, count, cap;
    uint32_t *conns;
} sim_queue;

typedef struct sim_stand {
    sim_queue *queue; /* null: closed */
    uint32_t port;
} sim_stand;

typedef struct sim_pollable {
    int fd; /* SIM_NONE: closed */
    uint32_t ready;
    struct sim_ring *ring; /* null: nobody polls */
    lr__id id;
} sim_pollable;

typedef enum sim_sock_kind { SIM_FREE, SIM_LISTENER, SIM_STREAM, SIM_UNCONNECTED } sim_sock_kind;

typedef struct sim_sock {
    sim_sock_kind kind;
    uint32_t conn, side; /* STREAM */
    int family;          /* UNCONNECTED */
    /* LISTENER */
    struct sockaddr_storage address;
    socklen_t address_len;
    uint32_t port; /* a path of AF_UNIX has one from 65536 on */
    bool share;
    sim_queue *queue;
    /* The id whose operations work on it, for the events that concern them. */
    struct sim_ring *ring;
    lr__id id;
} sim_sock;

struct sim {
    sim_options options;
    uint64_t dice, entropy; /* states of two generators: the world's, and the rings' random */
    uint64_t now_ns, order;
    int64_t wall_shift_ms;
    sim_event *events; /* a heap */
    uint32_t event_count, event_cap;
    sim_sock *socks; /* by number - SIM_FIRST_SOCKET */
    uint32_t sock_cap;
    sim_conn **conns;
    uint32_t conn_count, conn_cap;
    struct sim_ring **rings; /* closed ones stay until the end */
    uint32_t ring_count, ring_cap;
    uint16_t next_port;
    char **paths; /* of AF_UNIX, by port - 65536 */
    uint32_t path_count, path_cap;
    sim_stand *stands;
    uint32_t stand_count, stand_cap;
    sim_pollable *pollables;
    uint32_t pollable_count, pollable_cap;
    int *files; /* real descriptors by number - SIM_FIRST_FILE, SIM_NONE: free */
    uint32_t file_count, file_cap;
    uint64_t transcript, steps, faults;
};

/* sim.c */
void *sim_grow(void *array, uint32_t *cap, uint32_t need, size_t size); /* zeroed behind the old */
void sim_schedule_at(sim *s, uint64_t time, sim_event_kind kind, uint32_t where, uint32_t what,
                     uint64_t value);
void sim_schedule(sim *s, uint64_t delay, sim_event_kind kind, uint32_t where, uint32_t what,
                  uint64_t value);
uint64_t sim_next_time(const sim *s); /* UINT64_MAX: no event */
uint64_t sim_below(sim *s, uint64_t limit);
uint64_t sim_delay(sim *s, uint64_t most);
bool sim_chance(sim *s, uint32_t per_mille);
uint64_t sim_mix(uint64_t hash, uint64_t value);
uint64_t sim_entropy(sim *s);

/* sim_net.c */
sim_sock *sim_sock_of(sim *s, int sock); /* LR_CHECK: it is open */
int sim_listen(void *world, const lr__listen_options *options);
int sim_listen_dup(void *world, int listener);
int sim_socket(void *world, int family);
void sim_start_connect(sim *s, int sock, const struct sockaddr *address, socklen_t len);
int sim_sock_name(void *world, int sock, bool peer, struct sockaddr_storage *out, socklen_t *len);
void sim_sock_close(sim *s, int sock, bool reset);
int sim_take_connection(sim *s, int listener); /* a new socket, or -errno; -EAGAIN: none waits */
long sim_write(sim *s, uint32_t conn, uint32_t side, const uint8_t *bytes, size_t len);
long sim_read(sim *s, uint32_t conn, uint32_t side, uint8_t *out, size_t cap);
bool sim_can_read(const sim *s, uint32_t conn, uint32_t side); /* bytes, the end or an error */
void sim_end_writing(sim *s, uint32_t conn, uint32_t side);
void sim_on_arrive(sim *s, uint32_t conn, uint32_t side, uint64_t offset);
void sim_on_reset(sim *s, uint32_t conn, uint32_t side);
void sim_on_connect(sim *s, uint32_t conn);
void sim_on_connected(sim *s, uint32_t conn, uint32_t side, int error);
void sim_net_free(sim *s);

/* sim_file.c */
sim_pollable *sim_pollable_of(sim *s, int fd); /* null: there is none */
int32_t sim_file_do(sim *s, const lr__file_op *op);
void sim_file_close(sim *s, int fd);
void sim_file_free(sim *s);

/* sim_ring.c */
typedef struct sim_slot {
    uint32_t generation;
    uint8_t on;    /* a bit per op: started, its last completion not yet returned */
    uint8_t armed; /* its last completion not yet made */
    uint8_t poked; /* the event is on its way */
    uint8_t stopped;
    bool starved, ended;
    int sock;
    const uint8_t *bytes;
    uint32_t len, done;
    uint32_t events, news; /* of the poll: wanted, not yet told */
    const lr__file_op *file;
} sim_slot;

typedef struct sim_ring {
    lr__ring base;
    sim *world;
    uint32_t index;
    bool open, called, asleep;
    uint64_t deadline_ns, now_ns;
    lr__recv_pool pool;
    sim_slot *slots;
    uint32_t slot_cap;
    uint32_t starved_count;
    lr__completion *ready; /* made and not yet returned, oldest first */
    uint32_t ready_count, ready_cap;
} sim_ring;

bool sim_ring_must_turn(const sim_ring *r);
void sim_ring_poke(sim_ring *r, lr__id id, lr__op op);       /* something changed for it */
void sim_ring_tell(sim_ring *r, lr__id id, uint32_t events); /* news for a poll */
void sim_on_ring_event(sim_ring *r, const sim_event *event);
void sim_ring_free(sim_ring *r);

#endif
