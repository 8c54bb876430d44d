/* SPDX-License-Identifier: MIT */
/* core/io/uring.c: the ring on io_uring; the only file that knows liburing.
 *
 * Everything belongs to the thread that opened the ring, but for the waker. One enter per wait:
 * what was started since the last one goes in with it, the next deadline is its time-out. Nothing
 * is submitted per event: accept and recv are multishot, recv fills buffers from one provided
 * ring.
 *
 * Per id there is one slot, found by user_data = id | op. Beside what ops.h knows, two sets of ops:
 *   armed    the kernel has a request whose CQE without F_MORE has not come
 *   stopped  the caller wants no more of it (stop or end)
 * An ACCEPT or RECV that is on is always armed, starved or due. CQEs that are not for the current
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
#include "core/io/library.h"
#include "core/io/ops.h"
#include "core/io/recv_pool.h"
#include "core/io/slots.h"
#include "core/io/socket.h"
#include "core/io/uring_refusal.h"
#include "core/io/waker.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum {
    SQ_ENTRIES = 4096,
    CQ_ENTRIES = 32768,
    SQ_ENTRIES_MIN = 512, /* as far as -ENOMEM may push them down */
    CQ_ENTRIES_MIN = 1024,
    BUFFER_GROUP = 0,
    BUFFER_RING_ENTRIES = LR__RECV_POOL_MAX, /* 16 KB; the pool grows without registering again */

    /* Requests of the ring itself: user_data without an id. */
    OP_CANCEL = LR__OP_COUNT,
    OP_WAKE = LR__OP_COUNT + 1,
    OP_MASK = 0xff
};

static_assert((LR__RECV_POOL_MAX & (LR__RECV_POOL_MAX - 1)) == 0, "buffer rings are powers of two");

typedef struct uring_slot {
    lr__ops ops;
    lr__list starved;
    const uint8_t *bytes; /* of the send, what is left of it */
    uint32_t bytes_len;
    uint32_t send_len; /* as it was started */
    int sock;
    uint8_t armed, stopped;
    bool is_starved;
} uring_slot;

static_assert(sizeof(uring_slot) == 64, "a cache line per id");

typedef struct uring {
    lr__ring base;
    struct io_uring ring;
    struct io_uring_buf_ring *buffers;
    lr__recv_pool pool;
    lr__slots slots;
    lr__list starved;
    lr__due due;
    uint32_t available; /* buffers that the kernel may fill, by what was reaped */
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

static void arm_accept(uring *r, uring_slot *s)
{
    struct io_uring_sqe *sqe = get_sqe(r);

    io_uring_prep_multishot_accept(sqe, s->sock, NULL, NULL, SOCK_CLOEXEC);
    io_uring_sqe_set_data64(sqe, lr__ops_id(&s->ops) | LR__OP_ACCEPT);
    s->armed |= lr__op_bit(LR__OP_ACCEPT);
    r->in_flight++;
}

static void arm_recv(uring *r, uring_slot *s)
{
    struct io_uring_sqe *sqe = get_sqe(r);

    io_uring_prep_recv_multishot(sqe, s->sock, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = BUFFER_GROUP;
    io_uring_sqe_set_data64(sqe, lr__ops_id(&s->ops) | LR__OP_RECV);
    s->armed |= lr__op_bit(LR__OP_RECV);
    r->in_flight++;
}

static void arm_send(uring *r, uring_slot *s)
{
    struct io_uring_sqe *sqe = get_sqe(r);

    io_uring_prep_send(sqe, s->sock, s->bytes, s->bytes_len, MSG_WAITALL | MSG_NOSIGNAL);
    io_uring_sqe_set_data64(sqe, lr__ops_id(&s->ops) | LR__OP_SEND);
    s->armed |= lr__op_bit(LR__OP_SEND);
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

static void offer_buffer(uring *r, uint16_t buffer, int offset)
{
    io_uring_buf_ring_add(r->buffers, lr__recv_pool_bytes(&r->pool, buffer), LR__RECV_BUFFER_SIZE,
                          buffer, BUFFER_RING_ENTRIES - 1, offset);
}

static void offer_new_buffers(uring *r, uint32_t first)
{
    uint32_t count = r->pool.count - first;

    for (uint32_t i = 0; i < count; i++)
        offer_buffer(r, (uint16_t)(first + i), (int)i);
    io_uring_buf_ring_advance(r->buffers, (int)count);
    r->available += count;
}

static void take_back(uring *r, uint16_t buffer)
{
    lr__recv_pool_back(&r->pool, buffer);
    offer_buffer(r, buffer, 0);
    io_uring_buf_ring_advance(r->buffers, 1);
    r->available++;
    atomic_store_explicit(&r->base.counts.buffers_lent, r->pool.lent, memory_order_relaxed);
}

/* The buffer of a CQE that gives the worker nothing. */
static void refund(uring *r, const struct io_uring_cqe *cqe)
{
    uint16_t buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);

    r->available--;
    lr__recv_pool_lend(&r->pool, buffer, 0);
    take_back(r, buffer);
}

static void note_receive(uring *r, bool was_short)
{
    if (LR_UNLIKELY(lr__recv_pool_note(&r->pool, was_short))) {
        uint32_t before = r->pool.count;

        if (lr__recv_pool_grow(&r->pool) > 0)
            offer_new_buffers(r, before);
    }
}

static void starve(uring *r, uring_slot *s)
{
    lr__list_append(&r->starved, &s->starved);
    s->is_starved = true;
}

static void feed_starved(uring *r)
{
    for (uint32_t room = r->available; room > 0 && !lr__list_is_empty(&r->starved); room--) {
        uring_slot *s = LR_CONTAINER_OF(lr__list_pop(&r->starved), uring_slot, starved);

        s->is_starved = false;
        arm_recv(r, s);
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
        arm_accept(r, s);
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
            arm_recv(r, s);
        }
    }
    r->available--;
    lr__recv_pool_lend(&r->pool, buffer, (uint32_t)cqe->res);
    note_receive(r, false);
    *out = (lr__completion){.id = lr__ops_id(&s->ops),
                            .data = lr__recv_pool_bytes(&r->pool, buffer),
                            .res = cqe->res,
                            .buffer = buffer,
                            .op = LR__OP_RECV,
                            .last = false};
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
        note_receive(r, true);
        if (!(s->stopped & lr__op_bit(LR__OP_RECV))) {
            starve(r, s);
            return false;
        }
        res = -ECANCELED;
    }
    if (res == -EINTR && !(s->stopped & lr__op_bit(LR__OP_RECV))) {
        arm_recv(r, s);
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
        arm_send(r, s);
        return false;
    } else if (res == 0) {
        res = -EIO;
    }
    return lr__ops_give(&r->due, &s->ops, LR__OP_SEND, res, true, out);
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
    return io_uring_cq_ready(&r->ring) > 0 || (r->available > 0 && !lr__list_is_empty(&r->starved));
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
    atomic_store_explicit(&r->base.counts.buffers_lent, r->pool.lent, memory_order_relaxed);
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
        arm_accept(r, s);
}

static void uring_recv(lr__ring *ring, int sock, lr__id id)
{
    uring *r = uring_of(ring);
    uring_slot *s = start(r, id, sock, LR__OP_RECV);

    if (s)
        arm_recv(r, s);
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
    arm_send(r, s);
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

    LR_DCHECK(op == LR__OP_ACCEPT || op == LR__OP_RECV);
    if (s && s->ops.generation == lr__id_generation(id))
        stop_op(r, s, op);
}

static void uring_end(lr__ring *ring, int sock, lr__id id, bool reset)
{
    uring *r = uring_of(ring);
    struct io_uring_sqe *sqe;
    uring_slot *s;

    if (LR_UNLIKELY(!lr__slots_get(&r->slots, lr__id_slot(id)))) {
        lr__slots_refuse_end(&r->slots, sock, id, reset);
        return;
    }
    s = start(r, id, sock, LR__OP_CLOSE);
    if (reset)
        lr__socket_linger_none(sock);
    if (LR_UNLIKELY(io_uring_sq_space_left(&r->ring) < 4))
        (void)io_uring_submit(&r->ring); /* the cancels and the close belong into one batch */
    stop_op(r, s, LR__OP_ACCEPT);
    stop_op(r, s, LR__OP_RECV);
    stop_op(r, s, LR__OP_SEND);
    sqe = get_sqe(r);
    io_uring_prep_close(sqe, sock);
    io_uring_sqe_set_data64(sqe, id | LR__OP_CLOSE);
    s->armed |= lr__op_bit(LR__OP_CLOSE);
    r->in_flight++;
}

/* Opening and closing */

static int init_ring(struct io_uring *ring, uint32_t sq, uint32_t cq)
{
    int ret;

    do {
        struct io_uring_params params = {0};

        params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                       IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
        params.cq_entries = cq;
        ret = io_uring_queue_init_params(sq, ring, &params);
        if (ret == 0 || ret != -ENOMEM || (sq <= SQ_ENTRIES_MIN && cq <= CQ_ENTRIES_MIN))
            return ret;
        sq = sq / 2 > SQ_ENTRIES_MIN ? sq / 2 : SQ_ENTRIES_MIN;
        cq = cq / 2 > CQ_ENTRIES_MIN ? cq / 2 : CQ_ENTRIES_MIN;
    } while (true);
}

/* Everything that can be refused: the ring, its registrations, the operations. */
static lr_status set_up(struct io_uring *ring, struct io_uring_buf_ring **buffers,
                        const lr__ring_config *config, lr_error *err)
{
    uint32_t sq = config->sq_entries ? config->sq_entries : SQ_ENTRIES;
    uint32_t cq = config->cq_entries ? config->cq_entries : CQ_ENTRIES;
    int ret = init_ring(ring, sq < cq ? sq : cq, cq);

    if (ret != 0)
        return lr__uring_refused(err, "setup", -ret);
    *buffers = io_uring_setup_buf_ring(ring, BUFFER_RING_ENTRIES, BUFFER_GROUP, 0, &ret);
    if (!*buffers) {
        io_uring_queue_exit(ring);
        return lr__uring_refused(err, "buffer ring", -ret);
    }
    /* An optimisation of some 15 ns per enter, and a guard against use after fork. */
    (void)io_uring_register_ring_fd(ring);
    (void)io_uring_ring_dontfork(ring);
    return LR_OK;
}

static void tear_down(struct io_uring *ring, struct io_uring_buf_ring *buffers)
{
    (void)io_uring_free_buf_ring(ring, buffers, BUFFER_RING_ENTRIES, BUFFER_GROUP);
    io_uring_queue_exit(ring);
}

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
        lr__recv_pool_init(&r->pool, config->recv_buffer_count, config->recv_buffer_max) != LR_OK) {
        (void)lr__fail(err, status, "ring: out of memory");
        goto fail;
    }
    ret = lr__waker_init(&r->waker);
    if (ret != 0) {
        status = lr__fail_sys(err, LR_ESYSTEM, -ret, "ring: eventfd");
        goto fail;
    }
    status = set_up(&r->ring, &r->buffers, config, err);
    if (status != LR_OK)
        goto fail;
    offer_new_buffers(r, 0);
    arm_wake(r);
    r->now_ns = lr__clock_now();
    *out = &r->base;
    return LR_OK;
fail:
    lr__waker_fini(&r->waker);
    lr__recv_pool_fini(&r->pool);
    lr__slots_fini(&r->slots);
    lr__free(r);
    return status;
}

/* What the kernel accepted for us and nobody will see is closed. */
static void forget(uring *r)
{
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;

    io_uring_for_each_cqe(&r->ring, head, cqe)
    {
        uint32_t op = cqe->user_data & OP_MASK;

        if (op == LR__OP_ACCEPT && cqe->res >= 0)
            (void)close(cqe->res);
        if (op != OP_CANCEL && !(cqe->flags & IORING_CQE_F_MORE))
            r->in_flight--;
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
    tear_down(&r->ring, r->buffers);
    lr__waker_fini(&r->waker);
    lr__recv_pool_fini(&r->pool);
    lr__slots_fini(&r->slots);
    lr__free(r);
}

lr_status lr__backend_probe_uring(lr_error *err)
{
    static const uint8_t needed[] = {IORING_OP_ACCEPT,       IORING_OP_RECV,  IORING_OP_SEND,
                                     IORING_OP_ASYNC_CANCEL, IORING_OP_CLOSE, IORING_OP_POLL_ADD};
    struct io_uring_buf_ring *buffers = NULL;
    struct io_uring_probe *probe;
    struct io_uring ring;
    lr__ring_config config = {0};
    lr_status status = set_up(&ring, &buffers, &config, err);

    if (status != LR_OK)
        return status;
    probe = io_uring_get_probe_ring(&ring);
    for (size_t i = 0; probe && i < LR_ARRAY_COUNT(needed); i++) {
        if (!io_uring_opcode_supported(probe, needed[i]))
            status = lr__uring_refused(err, "operation", EOPNOTSUPP);
    }
    io_uring_free_probe(probe);
    tear_down(&ring, buffers);
    return status;
}

/* The rest of the table */

static uint64_t uring_now(lr__ring *ring)
{
    return uring_of(ring)->now_ns;
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
    .wall_ms = lr__real_wall_ms,
    .random = lr__real_random,
    .accept = uring_accept,
    .recv = uring_recv,
    .buffer_give = uring_buffer_give,
    .send = uring_send,
    .stop = uring_stop,
    .end = uring_end,
    .listen = lr__real_listen,
    .listen_close = lr__real_listen_close,
    .accept_now = uring_accept_now,
    .shutdown_write = lr__real_shutdown_write,
    .sock_name = lr__real_sock_name,
};
