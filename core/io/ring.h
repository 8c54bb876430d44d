/* SPDX-License-Identifier: MIT */
/* core/io/ring.h: the seam between a worker and the world.
 *
 * A worker reaches sockets, clocks and randomness through one lr__ring and nothing else. Three back
 * ends stand behind it, chosen when workers start: `uring` (production), `epoll` (where io_uring is
 * refused, and the honest baseline) and, in tests/sim, `sim` (a deterministic kernel, network and
 * clock driven by a seed). One contract test suite runs against all of them.
 *
 * Operations are started by calls that never fail and never block; what came of them is returned as
 * values by lr__ring_wait(). Every operation is named by {slot, generation} of its owner (an
 * lr__id) and an op; together they are the user_data of io_uring. At most one operation of each op
 * is in flight per id. An id stands for one thing: a socket (ACCEPT, or CONNECT and then RECV and
 * SEND, and CLOSE), a descriptor that is polled (POLL), or a file (FILE).
 *
 * The rules (tests/unit/ring_contract.c):
 *  1. Each started operation gets exactly one completion with last = true; none follows it. After
 *     the completion of LR__OP_CLOSE nothing comes for its id any more, and it comes only after the
 *     last completions of the id's other operations.
 *  2. ACCEPT, RECV and POLL are persistent: they go on until they are stopped, fail or (recv) end.
 *     Their bytes and connections come in order. A full buffer pool, CQ overflow and a multishot
 *     request that the kernel ended early are healed inside and never seen. POLL tells of edges:
 *     once when it starts on what is ready, then of news, perhaps several in one, perhaps one that
 *     was known; nothing but the last completion comes once it is stopped.
 *  3. Between different ids any order is allowed.
 *  4. Memory given to SEND belongs to the ring until its last completion, and a slot must not be
 *     used under another generation before that (the caller recycles it after LR__OP_CLOSE).
 *  5. A stop or close may come too late: what completed before it is still delivered.
 *
 * Threads: all calls belong to the thread that opened the ring, except lr__ring_wake() (any thread,
 * async-signal-safe) and lr__ring_clock(). */
#ifndef LR_CORE_IO_RING_H
#define LR_CORE_IO_RING_H

#include <lockring/base.h>

#include <sys/socket.h>

struct open_how;
struct statx;

typedef enum lr__op {
    LR__OP_NONE = 0,
    LR__OP_ACCEPT = 1,  /* res: the new socket, or -errno and last */
    LR__OP_RECV = 2,    /* res: bytes in data; 0 and last: the peer ended; -errno and last */
    LR__OP_SEND = 3,    /* always last; res: the whole length, or -errno */
    LR__OP_CLOSE = 4,   /* always last; res: 0 */
    LR__OP_CONNECT = 5, /* always last; res: 0 or -errno */
    LR__OP_POLL = 6,    /* res: what is ready (POLLIN ...), or -errno and last */
    LR__OP_FILE = 7,    /* always last; res: of the call: a descriptor, bytes, 0, or -errno */
    LR__OP_COUNT = 8
} lr__op;

/* slot:24 | generation:32 | op:8 from the top down; an id has op 0. */
typedef uint64_t lr__id;

static inline lr__id lr__id_make(uint32_t slot, uint32_t generation)
{
    return (uint64_t)slot << 40 | (uint64_t)generation << 8;
}

static inline uint32_t lr__id_slot(lr__id id)
{
    return (uint32_t)(id >> 40);
}

static inline uint32_t lr__id_generation(lr__id id)
{
    return (uint32_t)(id >> 8);
}

typedef struct lr__completion {
    lr__id id;
    const uint8_t *data; /* RECV with bytes: inside receive buffer `buffer` */
    int32_t res;
    uint16_t buffer; /* RECV with bytes: hand it back with lr__ring_buffer_give() */
    uint8_t op;      /* enum lr__op */
    bool last;
} lr__completion;

enum {
    LR__RECV_BUFFER_SIZE = 17408, /* a full record, 5 + 16384 + 256, rounded up to 1 KB */
    LR__RECV_BUFFER_COUNT = 64, /* 1.1 MB in all: a pool beyond L2 doubles the cost of a receive */
    LR__RECV_BUFFER_MAX = 256,
    LR__NO_BUFFER = 0xffff
};

/* Zero selects the default. */
typedef struct lr__ring_config {
    uint32_t sq_entries;        /* 4096 */
    uint32_t cq_entries;        /* 32768 */
    uint32_t recv_buffer_count; /* LR__RECV_BUFFER_COUNT to begin with */
    uint32_t recv_buffer_max;   /* 256: grows up to this while want of buffers dominates */
} lr__ring_config;

/* Written by the ring's thread, read by others for statistics (relaxed). */
typedef struct lr__ring_counts {
    _Atomic uint64_t waits;           /* calls of wait that entered the kernel */
    _Atomic uint64_t completions;     /* returned to the worker */
    _Atomic uint64_t rearmed_buffers; /* receives started again after ENOBUFS */
    _Atomic uint64_t rearmed_ended;   /* multishot requests that the kernel ended early */
    _Atomic uint64_t overflows;       /* waits that found the CQ overflown */
    _Atomic uint64_t stale;           /* completions for an operation that is no longer known */
    _Atomic uint64_t buffers_lent;    /* receive buffers now held by the worker */
} lr__ring_counts;

typedef struct lr__listen_options {
    const struct sockaddr *address;
    socklen_t address_len;
    int backlog;      /* as for listen(2); somaxconn caps it silently */
    bool share_port;  /* SO_REUSEPORT: another socket of the group may bind the same port */
    bool exclusive;   /* with share_port: -EADDRINUSE if any socket has the port already (found out
                       * by a bind without SO_REUSEPORT before) */
    int incoming_cpu; /* SO_INCOMING_CPU; -1: none */
} lr__listen_options;

typedef enum lr__file_kind {
    LR__FILE_OPEN, /* openat2(dir_fd, path, how): res is the descriptor */
    LR__FILE_STAT, /* statx(fd) of what is open */
    LR__FILE_READ, /* pread(fd, buf, len, offset) of a regular file: res is bytes, perhaps fewer;
                    * 0 at the end. What is no file (STAT says so) may let it wait for ever. */
    LR__FILE_CLOSE /* close(fd) */
} lr__file_kind;

/* One file operation; borrowed, with all that it points to, until its completion. A path may name
 * a FIFO, whose open waits for a writer: a path that a peer has chosen is opened with O_NONBLOCK,
 * which changes nothing for READ of a file. */
typedef struct lr__file_op {
    lr__file_kind kind;
    int fd; /* OPEN: of the directory, or AT_FDCWD */
    const char *path;
    struct open_how *how; /* linux/openat2.h */
    struct statx *statx;  /* STAT: filled with the basic fields */
    void *buf;
    uint64_t offset;
    uint32_t len;
} lr__file_op;

/* Begins every back end's ring. */
typedef struct lr__ring {
    const struct lr__backend *backend;
    lr__ring_counts counts;
} lr__ring;

typedef struct lr__backend {
    const char *name; /* "uring", "epoll", "sim" */

    /* Opens a ring on the calling thread, which owns it. LR_ERING with a cause and one line of
     * advice in err if the system refuses. world: what lr__ring_open() was given. */
    lr_status (*open)(void *world, const lr__ring_config *config, lr__ring **out, lr_error *err);
    /* Ends everything that is in flight (its completions are lost) and frees the ring. Sockets that
     * were not closed stay open and the caller's. */
    void (*close)(lr__ring *ring);

    /* Sends off what was started, waits until something completes, a wake or deadline_ns (on the
     * clock of now; in the past: does not wait; UINT64_MAX: no limit), and fills at most cap
     * completions; returns how many, 0 on time-out or wake. data of a completion lives until its
     * buffer is given back, everything else until the next wait. */
    uint32_t (*wait)(lr__ring *ring, uint64_t deadline_ns, lr__completion *out, uint32_t cap);
    void (*wake)(lr__ring *ring); /* any thread: ends the current wait, or the next one */

    uint64_t (*now)(lr__ring *ring);    /* monotonic ns, read when the last wait returned */
    uint64_t (*clock)(lr__ring *ring);  /* the same clock, read now; any thread */
    int64_t (*wall_ms)(lr__ring *ring); /* ms since 1970, read now */
    bool (*random)(lr__ring *ring, void *out, size_t size);

    void (*accept)(lr__ring *ring, int listener, lr__id id);
    void (*recv)(lr__ring *ring, int sock, lr__id id);
    void (*buffer_give)(lr__ring *ring, uint16_t buffer);
    void (*send)(lr__ring *ring, int sock, lr__id id, const void *bytes, uint32_t len);
    /* The first operation of a socket of `socket`, and the only one until its completion but for
     * end. The address is copied. After a failure the socket is still the caller's to end.
     * -EAGAIN: the queue of an AF_UNIX listener is full. */
    void (*connect)(lr__ring *ring, int sock, lr__id id, const struct sockaddr *address,
                    socklen_t len);
    /* fd is the caller's and may be closed as soon as the poll has been stopped, before its last
     * completion. events: POLLIN, POLLOUT; POLLERR and POLLHUP are always told. -EPERM: of a file
     * or directory, which is always ready. -EEXIST: this ring polls that fd already (epoll). */
    void (*poll)(lr__ring *ring, int fd, lr__id id, uint32_t events);
    /* Where the back end has no way to do it later (epoll) it is done in the next wait: a file that
     * is not in the page cache then stops the worker. It cannot be stopped. */
    void (*file)(lr__ring *ring, lr__id id, const lr__file_op *op);
    /* Ends ACCEPT, RECV or POLL of the id early; its last completion follows (-ECANCELED, if
     * nothing else came first). Harmless if the last completion is already under way; twice is
     * once. */
    void (*stop)(lr__ring *ring, lr__id id, lr__op op);
    /* Ends the id's accept, connect, recv and send (cancelled by their user_data) and closes the
     * socket, all in one batch. reset: the peer gets an RST at once and unsent bytes are dropped.
     */
    void (*end)(lr__ring *ring, int sock, lr__id id, bool reset);

    /* Plain calls, none blocks. Those that return int give 0 (or a socket) or -errno. */
    int (*listen)(void *world, const lr__listen_options *options); /* any thread */
    /* Any thread: the same queue under another descriptor (AF_UNIX has no SO_REUSEPORT). The queue
     * lives until the last of them is closed. */
    int (*listen_dup)(void *world, int listener);
    int (*socket)(void *world, int family);          /* a stream socket to connect */
    void (*listen_close)(void *world, int listener); /* any thread; nothing armed */
    /* Any thread: a socket from elsewhere, made ready for use. -EINVAL: no stream socket; -ENOTCONN
     */
    int (*adopt)(void *world, int sock);
    void (*abandon)(void *world, int sock); /* any thread; a connection of which nothing was ever
                                             * armed: the peer gets a reset */
    int (*accept_now)(lr__ring *ring, int listener); /* -EAGAIN: the queue is empty */
    int (*shutdown_write)(lr__ring *ring, int sock); /* sends FIN behind what was sent */
    int (*sock_name)(void *world, int sock, bool peer, struct sockaddr_storage *out,
                     socklen_t *len);
} lr__backend;

extern const lr__backend lr__backend_uring;
extern const lr__backend lr__backend_epoll;

/* Can this process use the back end? LR_OK, or LR_ERING with what refuses it and one advice. Any
 * thread. For io_uring: opens and closes a ring with the flags that workers use. */
lr_status lr__backend_probe_uring(lr_error *err);
lr_status lr__backend_probe_epoll(lr_error *err);

static inline uint32_t lr__ring_wait(lr__ring *ring, uint64_t deadline_ns, lr__completion *out,
                                     uint32_t cap)
{
    return ring->backend->wait(ring, deadline_ns, out, cap);
}

static inline void lr__ring_wake(lr__ring *ring)
{
    ring->backend->wake(ring);
}

static inline uint64_t lr__ring_now(lr__ring *ring)
{
    return ring->backend->now(ring);
}

static inline uint64_t lr__ring_clock(lr__ring *ring)
{
    return ring->backend->clock(ring);
}

static inline void lr__ring_accept(lr__ring *ring, int listener, lr__id id)
{
    ring->backend->accept(ring, listener, id);
}

static inline void lr__ring_recv(lr__ring *ring, int sock, lr__id id)
{
    ring->backend->recv(ring, sock, id);
}

static inline void lr__ring_buffer_give(lr__ring *ring, uint16_t buffer)
{
    ring->backend->buffer_give(ring, buffer);
}

static inline void lr__ring_send(lr__ring *ring, int sock, lr__id id, const void *bytes,
                                 uint32_t len)
{
    ring->backend->send(ring, sock, id, bytes, len);
}

static inline void lr__ring_connect(lr__ring *ring, int sock, lr__id id,
                                    const struct sockaddr *address, socklen_t len)
{
    ring->backend->connect(ring, sock, id, address, len);
}

static inline void lr__ring_poll(lr__ring *ring, int fd, lr__id id, uint32_t events)
{
    ring->backend->poll(ring, fd, id, events);
}

static inline void lr__ring_file(lr__ring *ring, lr__id id, const lr__file_op *op)
{
    ring->backend->file(ring, id, op);
}

static inline void lr__ring_stop(lr__ring *ring, lr__id id, lr__op op)
{
    ring->backend->stop(ring, id, op);
}

static inline void lr__ring_end(lr__ring *ring, int sock, lr__id id, bool reset)
{
    ring->backend->end(ring, sock, id, reset);
}

#endif
