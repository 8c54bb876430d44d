/* SPDX-License-Identifier: MIT */
/* core/io/uring.c: the ring on io_uring. Only uring*.c know liburing.
 *
 * Everything belongs to the thread that opened the ring, but for the waker. One enter per wait:
 * what was started since the last one goes in with it, the next deadline is its time-out. Nothing
 * is submitted per event: accept, recv and poll are multishot, recv fills buffers from one
 * provided ring.
 *
 * Per id there is one slot, found by user_data = id | op. Beside what ops.h knows, two sets of ops:
 *   armed    the kernel has a request whose CQE without F_MORE has not come
 *   stopped  the caller wants no more of it (stop or end)
 * An op that is on is always armed, starved or due. CQEs that are not for the current
 * generation, or not armed, only count.
 *
 * Receives that found no buffer are "starved": they wait in a list and are armed again in order, as
 * many as there are buffers, when some have come back; never at once and never by a timer. While
 * both are left over, wait does not block.
 *
 * What the caller's array does not take stays in the CQ. CQ overflow ends multishot requests (res >
 * 0 without F_MORE): their bytes are delivered and they are armed again.
 *
 * ThreadSanitizer: SQEs and CQEs are handed over by liburing's atomics and never leave this thread;
 * what crosses threads is the waker's state alone, so nothing needs to be marked. */
#include "core/base/check.h"
#include "core/base/list.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/io/file.h"
#include "core/io/library.h"
#include "core/io/ops.h"
#include "core/io/slots.h"
#include "core/io/socket.h"
#include "core/io/uring_buffers.h"
#include "core/io/uring_file.h"
#include "core/io/uring_setup.h"
#include "core/io/waker.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum {
    /* Requests of the ring itself: user_data without an id. */
    OP_CANCEL = LR__OP_COUNT,
    OP_WAKE = LR__OP_COUNT + 1,
    OP_MASK = 0xff
};

typedef struct uring_slot {
    lr__ops ops;
    lr__list starved;
    union {
        const uint8_t *bytes;             /* of the send, what is left of it */
        struct sockaddr_storage *address; /* of the connect, for as long as it is on */
        const lr__file_op *file;
    };
    union {
        uint32_t bytes_len;
        uint32_t events; /* of the poll */
        socklen_t address_len;
    };
    uint32_t send_len; /* as it was started */
    int sock;
    uint8_t armed, stopped;
    bool is_starved : 1;
    bool retried : 1; /* the file operation */
} uring_slot;

static_assert(sizeof(uring_slot) == 64, "a cache line per id");

typedef struct uring {
    lr__ring base;
    struct io_uring ring;
    lr__uring_buffers buffers;
    lr__slots slots;
    lr__list starved;
    lr__due due;
    uint32_t in_flight; /* requests whose memory or socket the kernel still uses */
    uint64_t now_ns;
    lr__waker waker;
} uring;

static uring *uring_of(lr__ring *ring)
{
    return LR_CONTAINER_OF(ring, uring, base);
}

/* Submitting */

static struct io_uring_sqe *get_sqe(uring *r)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);

    while (LR_UNLIKELY(!sqe)) {
        int ret = io_uring_submit(&r->ring);

        /* -EBUSY and -EAGAIN: the kernel must get rid of completions first. */
        LR_CHECK(ret >= 0 || ret == -EINTR || ret == -EBUSY || ret == -EAGAIN);
        if (ret < 0)
            (void)io_uring_get_events(&r->ring);
        sqe = io_uring_get_sqe(&r->ring);
    }
    return sqe;
}

/* Asks the kernel for what the slot says. */
static void arm(uring *r, uring_slot *s, lr__op op)
{
    struct io_uring_sqe *sqe = get_sqe(r);

    switch (op) {
    case LR__OP_ACCEPT:
        io_uring_prep_multishot_accept(sqe, s->sock, NULL, NULL, SOCK_CLOEXEC);
        break;
    case LR__OP_RECV:
        io_uring_prep_recv_multishot(sqe, s->sock, NULL, 0, 0);
        sqe->flags |= IOSQE_BUFFER_SELECT;
        sqe->buf_group = LR__URING_GROUP;
        break;
    case LR__OP_SEND:
        io_uring_prep_send(sqe, s->sock, s->bytes, s->bytes_len, MSG_WAITALL | MSG_NOSIGNAL);
        break;
    case LR__OP_CLOSE:
        io_uring_prep_close(sqe, s->sock);
        break;
    case LR__OP_CONNECT:
        io_uring_prep_connect(sqe, s->sock, (const struct sockaddr *)s->address, s->address_len);
        break;
    case LR__OP_POLL:
        io_uring_prep_poll_multishot(sqe, s->sock, s->events);
        break;
    case LR__OP_FILE:
        lr__uring_prep_file(sqe, s->file);
        sqe->flags |= s->retried ? IOSQE_ASYNC : 0;
        break;
    case LR__OP_NONE:
    case LR__OP_COUNT:
        LR_UNREACHABLE();
    }
    io_uring_sqe_set_data64(sqe, lr__ops_id(&s->ops) | op);
    s->armed |= lr__op_bit(op);
    r->in_flight++;
}

static void arm_wake(uring *r)
{
    struct io_uring_sqe *sqe = get_sqe(r);

    io_uring_prep_poll_multishot(sqe, r->waker.fd, POLLIN);
    io_uring_sqe_set_data64(sqe, OP_WAKE);
    r->in_flight++;
}

/* Its own completion says nothing that the cancelled request's does not. */
static void cancel(uring *r, const uring_slot *s, lr__op op)
{
    struct io_uring_sqe *sqe = get_sqe(r);

    io_uring_prep_cancel64(sqe, lr__ops_id(&s->ops) | op, 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(sqe, OP_CANCEL);
}

/* Receive buffers */

static void take_back(uring *r, uint16_t buffer)
{
    lr__uring_buffers_back(&r->buffers, buffer);
    atomic_store_explicit(&r->base.counts.buffers_lent, r->buffers.pool.lent, memory_order_relaxed);
}

/* The buffer of a CQE that gives the worker nothing. */
static void refund(uring *r, const struct io_uring_cqe *cqe)
{
    (void)lr__uring_buffers_lend(&r->buffers, (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT), 0);
    take_back(r, (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT));
}

static void starve(uring *r, uring_slot *s)
{
    lr__list_append(&r->starved, &s->starved);
    s->is_starved = true;
}

static void feed_starved(uring *r)
{
    for (uint32_t room = r->buffers.available; room > 0 && !lr__list_is_empty(&r->starved);
         room--) {
        uring_slot *s = LR_CONTAINER_OF(lr__list_pop(&r->starved), uring_slot, starved);

        s->is_starved = false;
        arm(r, s, LR__OP_RECV);
        lr__count_add(&r->base.counts.rearmed_buffers, 1);
    }
}

/* Reaping: one CQE gives at most one completion here; what follows it becomes due. */

static bool on_accept(uring *r, uring_slot *s, const struct io_uring_cqe *cqe, lr__completion *out)
{
    bool more = cqe->flags & IORING_CQE_F_MORE;
    bool stopped = s->stopped & lr__op_bit(LR__OP_ACCEPT);

    if (!more && !stopped && (cqe->res >= 0 || lr__socket_accept_is_transient(-cqe->res))) {
        lr__count_add(&r->base.counts.rearmed_ended, 1);
        arm(r, s, LR__OP_ACCEPT);
        more = true;
    }
    if (cqe->res >= 0) {
        LR_DCHECK(fcntl(cqe->res, F_GETFD) >= 0); /* 6.6 to 6.8 gave numbers that are no socket */
        if (!more)
            lr__due_add(&r->due, &s->ops, LR__OP_ACCEPT);
        return lr__ops_give(&r->due, &s->ops, LR__OP_ACCEPT, cqe->res, false, out);
    }
    if (more)
        return false;
    return lr__ops_give(&r->due, &s->ops, LR__OP_ACCEPT, cqe->res, true, out);
}

static bool on_recv_bytes(uring *r, uring_slot *s, const struct io_uring_cqe *cqe,
                          lr__completion *out)
{
    uint16_t buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);

    LR_CHECK(cqe->flags & IORING_CQE_F_BUFFER);
    if (LR_UNLIKELY(!(cqe->flags & IORING_CQE_F_MORE))) {
        if (s->stopped & lr__op_bit(LR__OP_RECV)) {
            lr__due_add(&r->due, &s->ops, LR__OP_RECV);
        } else {
            lr__count_add(&r->base.counts.rearmed_ended, 1);
            arm(r, s, LR__OP_RECV);
        }
    }
    *out = (lr__completion){.id = lr__ops_id(&s->ops),
                            .data = lr__uring_buffers_lend(&r->buffers, buffer, (uint32_t)cqe->res),
                            .res = cqe->res,
                            .buffer = buffer,
                            .op = LR__OP_RECV,
                            .last = false};
    lr__uring_buffers_note(&r->buffers, false);
    return true;
}

static bool on_recv(uring *r, uring_slot *s, const struct io_uring_cqe *cqe, lr__completion *out)
{
    int32_t res = cqe->res;

    if (LR_LIKELY(res > 0))
        return on_recv_bytes(r, s, cqe, out);
    LR_DCHECK(!(cqe->flags & IORING_CQE_F_MORE));
    if (LR_UNLIKELY(cqe->flags & IORING_CQE_F_BUFFER))
        refund(r, cqe); /* chosen, and not used */
    if (res == -ENOBUFS) {
        lr__uring_buffers_note(&r->buffers, true);
        if (!(s->stopped & lr__op_bit(LR__OP_RECV))) {
            starve(r, s);
            return false;
        }
        res = -ECANCELED;
    }
    if (res == -EINTR && !(s->stopped & lr__op_bit(LR__OP_RECV))) {
        arm(r, s, LR__OP_RECV);
        return false;
    }
    return lr__ops_give(&r->due, &s->ops, LR__OP_RECV, res, true, out);
}

static bool on_send(uring *r, uring_slot *s, const struct io_uring_cqe *cqe, lr__completion *out)
{
    int32_t res = cqe->res;

    if (LR_LIKELY(res >= 0 && (uint32_t)res == s->bytes_len)) {
        res = (int32_t)s->send_len;
    } else if (lr__ops_on(&s->ops, LR__OP_CLOSE)) {
        res = -ECANCELED; /* a cancelled send says how far it came */
    } else if (res > 0 || res == -EINTR) {
        /* Short in spite of MSG_WAITALL: an error came behind these bytes. The rest meets it. */
        s->bytes += res > 0 ? res : 0;
        s->bytes_len -= res > 0 ? (uint32_t)res : 0;
        arm(r, s, LR__OP_SEND);
        return false;
    } else if (res == 0) {
        res = -EIO;
    }
    return lr__ops_give(&r->due, &s->ops, LR__OP_SEND, res, true, out);
}

static bool on_connect(uring *r, uring_slot *s, const struct io_uring_cqe *cqe, lr__completion *out)
{
    lr__free(s->address);
    s->address = NULL;
    return lr__ops_give(&r->due, &s->ops, LR__OP_CONNECT, cqe->res, true, out);
}

static bool on_poll(uring *r, uring_slot *s, const struct io_uring_cqe *cqe, lr__completion *out)
{
    bool more = cqe->flags & IORING_CQE_F_MORE;

    if (s->stopped & lr__op_bit(LR__OP_POLL)) {
        /* Its fd may belong to another file by now, and did so even before the request went in. */
        if (more)
            return false;
        return lr__ops_give(&r->due, &s->ops, LR__OP_POLL, -ECANCELED, true, out);
    }
    if (cqe->res < 0)
        return lr__ops_give(&r->due, &s->ops, LR__OP_POLL, cqe->res, true, out);
    if (!more) {
        lr__count_add(&r->base.counts.rearmed_ended, 1);
        arm(r, s, LR__OP_POLL);
    }
    if ((cqe->res & (int32_t)s->events) == 0)
        return false; /* EPOLLRDHUP is told unasked */
    return lr__ops_give(&r->due, &s->ops, LR__OP_POLL, cqe->res & (int32_t)s->events, false, out);
}

static bool on_file(uring *r, uring_slot *s, const struct io_uring_cqe *cqe, lr__completion *out)
{
    if (LR_UNLIKELY(lr__uring_file_must_wait(s->file, cqe->res) && !s->retried)) {
        s->retried = true;
        arm(r, s, LR__OP_FILE);
        return false;
    }
    return lr__ops_give(&r->due, &s->ops, LR__OP_FILE, cqe->res, true, out);
}

static bool on_close(uring *r, uring_slot *s, const struct io_uring_cqe *cqe, lr__completion *out)
{
    LR_DCHECK(cqe->res != -EBADF);
    (void)cqe;
    s->ops.closed = true;
    if (s->ops.on != lr__op_bit(LR__OP_CLOSE))
        return false; /* lr__ops_finish() of the others makes it due */
    return lr__ops_give(&r->due, &s->ops, LR__OP_CLOSE, 0, true, out);
}

static bool on_stranger(uring *r, const struct io_uring_cqe *cqe)
{
    uint32_t op = cqe->user_data & OP_MASK;

    if (op == OP_WAKE && !(cqe->flags & IORING_CQE_F_MORE)) {
        r->in_flight--;
        arm_wake(r);
    } else if (op != OP_WAKE && op != OP_CANCEL) {
        lr__count_add(&r->base.counts.stale, 1);
        if (cqe->flags & IORING_CQE_F_BUFFER)
            refund(r, cqe);
    }
    return false;
}

static bool on_cqe(uring *r, const struct io_uring_cqe *cqe, lr__completion *out)
{
    lr__id id = cqe->user_data & ~(uint64_t)OP_MASK;
    uint32_t op = cqe->user_data & OP_MASK;
    uring_slot *s = lr__slots_find(&r->slots, lr__id_slot(id));

    if (LR_UNLIKELY(op >= LR__OP_COUNT || !s || s->ops.generation != lr__id_generation(id) ||
                    !(s->armed & lr__op_bit(op))))
        return on_stranger(r, cqe);
    if (!(cqe->flags & IORING_CQE_F_MORE)) {
        s->armed &= (uint8_t)~lr__op_bit(op);
        r->in_flight--;
    }
    switch ((lr__op)op) {
    case LR__OP_RECV:
        return on_recv(r, s, cqe, out);
    case LR__OP_SEND:
        return on_send(r, s, cqe, out);
    case LR__OP_ACCEPT:
        return on_accept(r, s, cqe, out);
    case LR__OP_CLOSE:
        return on_close(r, s, cqe, out);
    case LR__OP_CONNECT:
        return on_connect(r, s, cqe, out);
    case LR__OP_POLL:
        return on_poll(r, s, cqe, out);
    case LR__OP_FILE:
        return on_file(r, s, cqe, out);
    case LR__OP_NONE:
    case LR__OP_COUNT:
        break;
    }
    LR_UNREACHABLE();
}

static uint32_t reap(uring *r, lr__completion *out, uint32_t cap)
{
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;
    uint32_t n = 0;

    io_uring_for_each_cqe(&r->ring, head, cqe)
    {
        if (n == cap)
            break;
        n += on_cqe(r, cqe, &out[n]);
        seen++;
    }
    io_uring_cq_advance(&r->ring, seen);
    return n;
}

/* Waiting */

/* Completions that the kernel did not send. */
static uint32_t take_own(uring *r, lr__completion *out, uint32_t cap)
{
    uint32_t n = lr__slots_take_refused(&r->slots, out, cap);

    return n + lr__due_take(&r->due, out + n, cap - n);
}

static void check_entered(uring *r, int ret)
{
    /* -EBADR: the kernel lost a completion for want of memory, so that an operation would never
     * end. Nothing that this process does can be trusted from here on. */
    LR_CHECK(ret >= 0 || ret == -ETIME || ret == -EINTR || ret == -EBUSY || ret == -EAGAIN);
    lr__count_add(&r->base.counts.waits, 1);
}

static void enter_and_sleep(uring *r, uint64_t deadline_ns)
{
    struct __kernel_timespec *limit = NULL, left;
    struct io_uring_cqe *first;
    uint64_t now;

    if (deadline_ns != UINT64_MAX) {
        now = lr__clock_now();
        left = (struct __kernel_timespec){0};
        if (deadline_ns > now) {
            left.tv_sec = (int64_t)((deadline_ns - now) / 1000000000u);
            left.tv_nsec = (long long)((deadline_ns - now) % 1000000000u);
        }
        limit = &left;
    }
    check_entered(r, io_uring_submit_and_wait_timeout(&r->ring, &first, 1, limit, NULL));
}

/* Whether something is there, or will be, without waiting for it. */
static bool has_work(const uring *r)
{
    return io_uring_cq_ready(&r->ring) > 0 ||
           (r->buffers.available > 0 && !lr__list_is_empty(&r->starved));
}

static uint32_t uring_wait(lr__ring *ring, uint64_t deadline_ns, lr__completion *out, uint32_t cap)
{
    uring *r = uring_of(ring);
    uint32_t n;
    bool called;

    LR_DCHECK(cap > 0);
    do {
        feed_starved(r);
        n = take_own(r, out, cap);
        if (IO_URING_READ_ONCE(*r->ring.sq.kflags) & IORING_SQ_CQ_OVERFLOW)
            lr__count_add(&r->base.counts.overflows, 1);
        if (n > 0 || deadline_ns <= r->now_ns || has_work(r) || !lr__waker_sleep(&r->waker))
            check_entered(r, io_uring_submit_and_get_events(&r->ring));
        else
            enter_and_sleep(r, deadline_ns);
        called = lr__waker_rise(&r->waker);
        n += reap(r, out + n, cap - n);
        n += take_own(r, out + n, cap - n);
        r->now_ns = lr__clock_now();
    } while (n == 0 && !called && r->now_ns < deadline_ns);
    lr__count_add(&r->base.counts.completions, n);
    atomic_store_explicit(&r->base.counts.buffers_lent, r->buffers.pool.lent, memory_order_relaxed);
    return n;
}

static void uring_wake(lr__ring *ring)
{
    lr__waker_call(&uring_of(ring)->waker);
}

/* Starting and ending operations */

static uring_slot *start(uring *r, lr__id id, int sock, lr__op op)
{
    uring_slot *s = lr__slots_get(&r->slots, lr__id_slot(id));

    LR_DCHECK((id & OP_MASK) == 0);
    if (LR_UNLIKELY(!s)) {
        lr__slots_refuse(&r->slots, id, op, -ENOMEM);
        return NULL;
    }
    if (s->ops.generation != lr__id_generation(id)) {
        LR_CHECK(s->ops.on == 0 && s->armed == 0); /* rule 4 */
        *s = (uring_slot){.ops = {.generation = lr__id_generation(id)}};
    }
    LR_DCHECK(!lr__ops_on(&s->ops, op) && !lr__ops_on(&s->ops, LR__OP_CLOSE) && !s->ops.closed);
    s->ops.slot = lr__id_slot(id);
    s->ops.on |= lr__op_bit(op);
    s->stopped &= (uint8_t)~lr__op_bit(op);
    s->sock = sock;
    return s;
}

static void uring_accept(lr__ring *ring, int listener, lr__id id)
{
    uring *r = uring_of(ring);
    uring_slot *s = start(r, id, listener, LR__OP_ACCEPT);

    if (s)
        arm(r, s, LR__OP_ACCEPT);
}

static void uring_recv(lr__ring *ring, int sock, lr__id id)
{
    uring *r = uring_of(ring);
    uring_slot *s = start(r, id, sock, LR__OP_RECV);

    if (s)
        arm(r, s, LR__OP_RECV);
}

static void uring_send(lr__ring *ring, int sock, lr__id id, const void *bytes, uint32_t len)
{
    uring *r = uring_of(ring);
    uring_slot *s = start(r, id, sock, LR__OP_SEND);

    LR_DCHECK(len <= INT32_MAX);
    if (!s)
        return;
    s->bytes = bytes;
    s->bytes_len = s->send_len = len;
    arm(r, s, LR__OP_SEND);
}

/* A failure before the kernel is asked. */
static void fail_op(uring *r, uring_slot *s, lr__op op, int error)
{
    lr__slots_refuse(&r->slots, lr__ops_id(&s->ops), op, error);
    lr__ops_finish(&r->due, &s->ops, op);
}

static void uring_connect(lr__ring *ring, int sock, lr__id id, const struct sockaddr *address,
                          socklen_t len)
{
    uring *r = uring_of(ring);
    uring_slot *s = start(r, id, sock, LR__OP_CONNECT);

    LR_DCHECK(len <= sizeof(*s->address));
    if (!s)
        return;
    LR_DCHECK(s->ops.on == lr__op_bit(LR__OP_CONNECT));
    if (address->sa_family == AF_UNIX) {
        /* Decided at once. The kernel would try a full queue over and over and then wait in a
         * thread; a cancel between two tries finds nothing, and the request never ends (6.18). */
        s->ops.due_res = lr__socket_connect(sock, address, len);
        lr__due_add(&r->due, &s->ops, LR__OP_CONNECT);
        return;
    }
    s->address = lr__alloc(sizeof(*s->address));
    if (!s->address) {
        fail_op(r, s, LR__OP_CONNECT, -ENOMEM);
        return;
    }
    memcpy(s->address, address, len);
    s->address_len = len;
    arm(r, s, LR__OP_CONNECT);
}

static void uring_poll(lr__ring *ring, int fd, lr__id id, uint32_t events)
{
    uring *r = uring_of(ring);
    uring_slot *s = start(r, id, fd, LR__OP_POLL);

    if (!s)
        return;
    LR_DCHECK(s->ops.on == lr__op_bit(LR__OP_POLL));
    s->events = events | POLLERR | POLLHUP;
    if (lr__file_is_always_ready(fd))
        fail_op(r, s, LR__OP_POLL, -EPERM);
    else
        arm(r, s, LR__OP_POLL);
}

static void uring_file(lr__ring *ring, lr__id id, const lr__file_op *op)
{
    uring *r = uring_of(ring);
    uring_slot *s = start(r, id, -1, LR__OP_FILE);

    if (!s)
        return;
    LR_DCHECK(s->ops.on == lr__op_bit(LR__OP_FILE));
    s->file = op;
    s->retried = false;
    arm(r, s, LR__OP_FILE);
}

static void uring_buffer_give(lr__ring *ring, uint16_t buffer)
{
    take_back(uring_of(ring), buffer);
}

/* At most one SQE. */
static void stop_op(uring *r, uring_slot *s, lr__op op)
{
    if (!lr__ops_on(&s->ops, op) || (s->stopped & lr__op_bit(op)))
        return;
    s->stopped |= lr__op_bit(op);
    if (s->armed & lr__op_bit(op)) {
        cancel(r, s, op);
    } else if (op == LR__OP_RECV && s->is_starved) {
        lr__list_remove(&s->starved);
        s->is_starved = false;
        lr__due_add(&r->due, &s->ops, op);
    }
}

static void uring_stop(lr__ring *ring, lr__id id, lr__op op)
{
    uring *r = uring_of(ring);
    uring_slot *s = lr__slots_find(&r->slots, lr__id_slot(id));

    LR_DCHECK(op == LR__OP_ACCEPT || op == LR__OP_RECV || op == LR__OP_POLL);
    if (s && s->ops.generation == lr__id_generation(id))
        stop_op(r, s, op);
}

static void uring_end(lr__ring *ring, int sock, lr__id id, bool reset)
{
    uring *r = uring_of(ring);
    uring_slot *s;

    if (LR_UNLIKELY(!lr__slots_get(&r->slots, lr__id_slot(id)))) {
        lr__slots_refuse_end(&r->slots, sock, id, reset);
        return;
    }
    s = start(r, id, sock, LR__OP_CLOSE);
    if (reset)
        lr__socket_linger_none(sock);
    if (LR_UNLIKELY(io_uring_sq_space_left(&r->ring) < 5))
        (void)io_uring_submit(&r->ring); /* the cancels and the close belong into one batch */
    stop_op(r, s, LR__OP_ACCEPT);
    stop_op(r, s, LR__OP_CONNECT);
    stop_op(r, s, LR__OP_RECV);
    stop_op(r, s, LR__OP_SEND);
    arm(r, s, LR__OP_CLOSE);
}

/* Opening and closing */

static lr_status uring_open(void *world, const lr__ring_config *config, lr__ring **out,
                            lr_error *err)
{
    uring *r = lr__alloc_zero(1, sizeof(*r));
    lr_status status = LR_ENOMEM;
    int ret;

    (void)world;
    if (!r)
        return lr__fail(err, LR_ENOMEM, "ring: out of memory");
    r->base.backend = &lr__backend_uring;
    r->waker.fd = -1;
    lr__list_init(&r->starved);
    if (lr__slots_init(&r->slots, sizeof(uring_slot)) != LR_OK ||
        lr__recv_pool_init(&r->buffers.pool, config->recv_buffer_count, config->recv_buffer_max) !=
            LR_OK) {
        (void)lr__fail(err, status, "ring: out of memory");
        goto fail;
    }
    ret = lr__waker_init(&r->waker);
    if (ret != 0) {
        status = lr__fail_sys(err, LR_ESYSTEM, -ret, "ring: eventfd");
        goto fail;
    }
    status = lr__uring_set_up(&r->ring, &r->buffers.ring, config, err);
    if (status != LR_OK)
        goto fail;
    lr__uring_buffers_offer(&r->buffers, 0);
    arm_wake(r);
    r->now_ns = lr__clock_now();
    *out = &r->base;
    return LR_OK;
fail:
    lr__waker_fini(&r->waker);
    lr__recv_pool_fini(&r->buffers.pool);
    lr__slots_fini(&r->slots);
    lr__free(r);
    return status;
}

/* What nobody will see: accepted connections and opened files are closed. */
static void forget_one(uring *r, const struct io_uring_cqe *cqe)
{
    uint32_t op = cqe->user_data & OP_MASK;
    uring_slot *s = lr__slots_find(&r->slots, lr__id_slot(cqe->user_data));

    if (op == LR__OP_ACCEPT && cqe->res >= 0)
        (void)close(cqe->res);
    if (op == LR__OP_FILE && s && s->file->kind == LR__FILE_OPEN && cqe->res >= 0)
        (void)close(cqe->res);
    if (op == LR__OP_CONNECT && s)
        lr__free(s->address);
    if (op != OP_CANCEL && !(cqe->flags & IORING_CQE_F_MORE))
        r->in_flight--;
}

static void forget(uring *r)
{
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;

    io_uring_for_each_cqe(&r->ring, head, cqe)
    {
        forget_one(r, cqe);
        seen++;
    }
    io_uring_cq_advance(&r->ring, seen);
}

static void uring_close(lr__ring *ring)
{
    struct __kernel_timespec second = {.tv_sec = 1};
    uring *r = uring_of(ring);

    /* The kernel must let go of every buffer before its memory goes. */
    while (r->in_flight > 0) {
        struct io_uring_sqe *sqe = get_sqe(r);
        struct io_uring_cqe *first;

        io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
        io_uring_sqe_set_data64(sqe, OP_CANCEL);
        (void)io_uring_submit_and_wait_timeout(&r->ring, &first, 1, &second, NULL);
        forget(r);
    }
    lr__uring_tear_down(&r->ring, r->buffers.ring);
    lr__waker_fini(&r->waker);
    lr__recv_pool_fini(&r->buffers.pool);
    lr__slots_fini(&r->slots);
    lr__free(r);
}

/* The rest of the table */

static uint64_t uring_now(lr__ring *ring)
{
    return uring_of(ring)->now_ns;
}

static int uring_socket(void *world, int family)
{
    (void)world;
    return lr__socket_open(family, false); /* blocking, as the accepted ones */
}

static int uring_accept_now(lr__ring *ring, int listener)
{
    (void)ring;
    return lr__socket_accept(listener, false); /* blocking: older kernels refuse to poll others */
}

const char *lr__io_library(void)
{
#define TEXT_OF(number) #number
#define VERSION_OF(major, minor) TEXT_OF(major) "." TEXT_OF(minor)
    return "liburing " VERSION_OF(IO_URING_VERSION_MAJOR, IO_URING_VERSION_MINOR);
}

const lr__backend lr__backend_uring = {
    .name = "uring",
    .open = uring_open,
    .close = uring_close,
    .wait = uring_wait,
    .wake = uring_wake,
    .now = uring_now,
    .clock = lr__real_clock,
    .wall_ms = lr__real_wall_ms,
    .random = lr__real_random,
    .accept = uring_accept,
    .recv = uring_recv,
    .buffer_give = uring_buffer_give,
    .send = uring_send,
    .connect = uring_connect,
    .poll = uring_poll,
    .file = uring_file,
    .stop = uring_stop,
    .end = uring_end,
    .listen = lr__real_listen,
    .listen_dup = lr__real_listen_dup,
    .socket = uring_socket,
    .listen_close = lr__real_listen_close,
    .adopt = lr__real_adopt,
    .abandon = lr__real_abandon,
    .accept_now = uring_accept_now,
    .shutdown_write = lr__real_shutdown_write,
    .sock_name = lr__real_sock_name,
};
