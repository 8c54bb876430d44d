/* SPDX-License-Identifier: MIT */
/* core/io/epoll.c: the ring on epoll, for systems that refuse io_uring and as the baseline that the
 * benchmarks compare with.
 *
 * Everything belongs to the thread that opened the ring, but for the waker. Starting an operation
 * only notes it; a wait does the work: it sends what was started, closes what was ended, asks epoll
 * once and receives from what is readable.
 *
 * A socket is added to the epoll set once, edge-triggered for both directions, and never modified;
 * closing it removes it. What the edges said is kept as `readable` and `blocked`: a receive that
 * fills less than its buffer has emptied the socket (epoll(7)), unless an end, an error or urgent
 * data was announced. Readable sockets with a receive on stand in the list `ready` and take turns
 * of a few buffers. With no buffer left they stay there, unread, and do not keep the wait from
 * sleeping. Listeners are level-triggered and in the set only while their accept is on.
 *
 * A polled descriptor is in the set, edge-triggered, for as long as its poll is on; what it said is
 * kept in `told` until a wait has room. Removing it at the stop is what lets the caller close it at
 * once. File operations have no readiness: a wait does them, in order, as plain calls. */
#include "core/base/check.h"
#include "core/base/list.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/io/file.h"
#include "core/io/ops.h"
#include "core/io/recv_pool.h"
#include "core/io/slots.h"
#include "core/io/socket.h"
#include "core/io/waker.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    EVENTS_PER_WAIT = 256,
    BUFFERS_PER_TURN = 2, /* of one socket, then the others have theirs */
    ACCEPTS_PER_TURN = 64
};

/* No id has this value: its op is not 0. */
#define WAKER_EVENT UINT64_MAX

typedef struct epoll_slot {
    lr__ops ops;
    lr__list ready; /* in ready, accepting or polled */
    lr__list out;   /* in sending, ending or files */
    union {
        const uint8_t *bytes; /* of the send, what is left of it */
        const lr__file_op *file;
    };
    uint32_t bytes_len, send_len;
    int sock;
    uint32_t events, told; /* of the poll: wanted; not yet returned */
    bool initialised;
    bool watched;  /* in the epoll set */
    bool readable; /* since the last receive that found it empty */
    bool drain;    /* read until EAGAIN or the end, whatever a short receive seems to say */
    bool blocked;  /* the send waits for EPOLLOUT */
    bool reset;    /* how to close */
} epoll_slot;

static_assert(sizeof(epoll_slot) <= 128, "two cache lines per id");

typedef struct epoll_ring {
    lr__ring base;
    int set;
    bool has_pwait2;
    lr__recv_pool pool;
    lr__slots slots;
    lr__due due;
    lr__list ready;     /* readable, with a receive on */
    lr__list accepting; /* listeners with connections in their queue */
    lr__list polled;    /* with something told */
    lr__list files;     /* operations to do */
    lr__list sending;   /* to try now */
    lr__list ending;    /* to close, after the sends */
    uint64_t now_ns;
    lr__waker waker;
    struct epoll_event events[EVENTS_PER_WAIT];
} epoll_ring;

static epoll_ring *epoll_of(lr__ring *ring)
{
    return LR_CONTAINER_OF(ring, epoll_ring, base);
}

/* The set */

static int watch(epoll_ring *r, epoll_slot *s, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = lr__ops_id(&s->ops)};

    if (s->watched)
        return 0;
    /* EEXIST: the number is in the set through a copy of an earlier socket somewhere else. */
    if (epoll_ctl(r->set, EPOLL_CTL_ADD, s->sock, &event) != 0 &&
        (errno != EEXIST || epoll_ctl(r->set, EPOLL_CTL_MOD, s->sock, &event) != 0))
        return -errno;
    s->watched = true;
    return 0;
}

static int watch_stream(epoll_ring *r, epoll_slot *s)
{
    return watch(r, s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET);
}

static void unwatch(epoll_ring *r, epoll_slot *s)
{
    if (s->watched)
        (void)epoll_ctl(r->set, EPOLL_CTL_DEL, s->sock, NULL);
    s->watched = false;
}

/* A failure of an op that has no place in an array of completions yet. ACCEPT and RECV can only be
 * due as cancelled, so theirs is made by the next wait through the queue of refusals. */
static void fail_op(epoll_ring *r, epoll_slot *s, lr__op op, int error)
{
    lr__slots_refuse(&r->slots, lr__ops_id(&s->ops), op, error);
    lr__ops_finish(&r->due, &s->ops, op);
}

/* Sending */

static void finish_send(epoll_ring *r, epoll_slot *s, int32_t res)
{
    s->blocked = false;
    s->ops.due_res = res;
    lr__due_add(&r->due, &s->ops, LR__OP_SEND);
}

static void try_send(epoll_ring *r, epoll_slot *s)
{
    ssize_t sent;
    int error;

    do {
        sent = send(s->sock, s->bytes, s->bytes_len, MSG_NOSIGNAL | MSG_DONTWAIT);
        error = sent < 0 ? errno : 0;
    } while (error == EINTR);
    if (sent >= 0 && (size_t)sent == s->bytes_len) {
        finish_send(r, s, (int32_t)s->send_len);
        return;
    }
    if (error && error != EAGAIN) {
        finish_send(r, s, -error);
        return;
    }
    if (sent > 0) {
        s->bytes += sent;
        s->bytes_len -= (uint32_t)sent;
    }
    s->blocked = true; /* the socket is full, so that an edge will come */
    error = watch_stream(r, s);
    if (error != 0)
        finish_send(r, s, error);
}

static void flush_sends(epoll_ring *r)
{
    lr__list *node;

    while ((node = lr__list_pop(&r->sending)) != NULL) {
        epoll_slot *s = LR_CONTAINER_OF(node, epoll_slot, out);

        try_send(r, s);
        if (lr__ops_on(&s->ops, LR__OP_CLOSE))
            lr__list_append(&r->ending, &s->out);
    }
}

/* Connecting */

static void finish_connect(epoll_ring *r, epoll_slot *s, int32_t res)
{
    s->ops.due_res = res;
    lr__due_add(&r->due, &s->ops, LR__OP_CONNECT);
}

static bool is_connecting(const epoll_slot *s)
{
    return lr__ops_on(&s->ops, LR__OP_CONNECT) && !(s->ops.due & lr__op_bit(LR__OP_CONNECT));
}

/* The socket has become writable or has failed. */
static void on_connected(epoll_ring *r, epoll_slot *s)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(s->sock, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    finish_connect(r, s, -error);
}

/* Ending */

static void stop_op(epoll_ring *r, epoll_slot *s, lr__op op)
{
    if (!lr__ops_on(&s->ops, op) || (s->ops.due & lr__op_bit(op)))
        return;
    if (op == LR__OP_ACCEPT || op == LR__OP_POLL)
        unwatch(r, s);
    lr__list_remove(&s->ready);
    lr__due_add(&r->due, &s->ops, op);
}

static void close_socket(epoll_ring *r, epoll_slot *s)
{
    stop_op(r, s, LR__OP_ACCEPT);
    stop_op(r, s, LR__OP_RECV);
    if (is_connecting(s))
        finish_connect(r, s, -ECANCELED);
    if (lr__ops_on(&s->ops, LR__OP_SEND) && !(s->ops.due & lr__op_bit(LR__OP_SEND)))
        finish_send(r, s, -ECANCELED);
    if (s->reset)
        lr__socket_linger_none(s->sock);
    (void)close(s->sock);
    s->watched = false;
    s->ops.closed = true;
    if (s->ops.on == lr__op_bit(LR__OP_CLOSE))
        lr__due_add(&r->due, &s->ops, LR__OP_CLOSE);
}

static void flush_ends(epoll_ring *r)
{
    lr__list *node;

    while ((node = lr__list_pop(&r->ending)) != NULL)
        close_socket(r, LR_CONTAINER_OF(node, epoll_slot, out));
}

/* Receiving */

/* True: a completion was made; false: nothing there. */
static bool receive(epoll_ring *r, epoll_slot *s, uint16_t buffer, lr__completion *out)
{
    uint8_t *bytes = lr__recv_pool_bytes(&r->pool, buffer);
    ssize_t got;
    int error;

    do {
        got = recv(s->sock, bytes, LR__RECV_BUFFER_SIZE, MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        lr__recv_pool_lend(&r->pool, buffer, (uint32_t)got);
        (void)lr__ops_give(&r->due, &s->ops, LR__OP_RECV, (int32_t)got, false, out);
        out->data = bytes;
        out->buffer = buffer;
        if (got < LR__RECV_BUFFER_SIZE && !s->drain)
            s->readable = false;
        return true;
    }
    error = got < 0 ? errno : 0;
    lr__recv_pool_untake(&r->pool, buffer);
    if (error == EAGAIN) {
        s->readable = s->drain = false;
        return false;
    }
    return lr__ops_give(&r->due, &s->ops, LR__OP_RECV, -error, true, out);
}

/* A buffer for a receive that may find data; grows the pool if they are often missing. */
static uint16_t take_buffer(epoll_ring *r)
{
    uint16_t buffer = lr__recv_pool_take(&r->pool);

    if (LR_UNLIKELY(lr__recv_pool_note(&r->pool, buffer == LR__NO_BUFFER))) {
        uint32_t first = r->pool.count, added = lr__recv_pool_grow(&r->pool);

        for (uint32_t i = 0; i < added; i++)
            lr__recv_pool_untake(&r->pool, (uint16_t)(first + i));
        if (buffer == LR__NO_BUFFER)
            buffer = lr__recv_pool_take(&r->pool);
    }
    return buffer;
}

/* One socket's turn; false: no buffer. */
static bool receive_some(epoll_ring *r, epoll_slot *s, lr__completion *out, uint32_t cap,
                         uint32_t *n)
{
    for (uint32_t i = 0;
         i < BUFFERS_PER_TURN && *n < cap && s->readable && lr__ops_on(&s->ops, LR__OP_RECV); i++) {
        uint16_t buffer = take_buffer(r);

        if (buffer == LR__NO_BUFFER) {
            lr__count_add(&r->base.counts.rearmed_buffers, 1);
            return false;
        }
        *n += receive(r, s, buffer, &out[*n]);
    }
    return true;
}

static uint32_t receive_all(epoll_ring *r, lr__completion *out, uint32_t cap)
{
    lr__list turn; /* who was ready when this began: each has one turn */
    uint32_t n = 0;

    lr__list_init(&turn);
    lr__list_splice(&turn, &r->ready);
    while (n < cap && !lr__list_is_empty(&turn)) {
        epoll_slot *s = LR_CONTAINER_OF(turn.next, epoll_slot, ready);

        if (!receive_some(r, s, out, cap, &n))
            break;
        lr__list_remove(&s->ready);
        if (s->readable && lr__ops_on(&s->ops, LR__OP_RECV))
            lr__list_append(&r->ready, &s->ready);
    }
    lr__list_splice(&turn, &r->ready); /* those without a turn go first the next time */
    lr__list_splice(&r->ready, &turn);
    return n;
}

/* Accepting */

/* False: this listener has no more, or has failed. */
static bool accept_one(epoll_ring *r, epoll_slot *s, lr__completion *out, uint32_t *n)
{
    int sock = lr__socket_accept(s->sock, true);

    if (sock == -EAGAIN)
        return false;
    if (sock < 0)
        unwatch(r, s);
    *n += lr__ops_give(&r->due, &s->ops, LR__OP_ACCEPT, sock, sock < 0, &out[*n]);
    return sock >= 0;
}

static uint32_t accept_all(epoll_ring *r, lr__completion *out, uint32_t cap)
{
    uint32_t n = 0;

    while (n < cap && !lr__list_is_empty(&r->accepting)) {
        epoll_slot *s = LR_CONTAINER_OF(r->accepting.next, epoll_slot, ready);
        uint32_t end = n + ACCEPTS_PER_TURN < cap ? n + ACCEPTS_PER_TURN : cap;

        while (n < end && accept_one(r, s, out, &n))
            ;
        lr__list_remove(&s->ready); /* level-triggered: what is left is said again */
    }
    return n;
}

/* Polling and files */

static uint32_t tell_polled(epoll_ring *r, lr__completion *out, uint32_t cap)
{
    uint32_t n = 0;

    while (n < cap && !lr__list_is_empty(&r->polled)) {
        epoll_slot *s = LR_CONTAINER_OF(lr__list_pop(&r->polled), epoll_slot, ready);

        n += lr__ops_give(&r->due, &s->ops, LR__OP_POLL, (int32_t)s->told, false, &out[n]);
        s->told = 0;
    }
    return n;
}

static uint32_t do_files(epoll_ring *r, lr__completion *out, uint32_t cap)
{
    uint32_t n = 0;

    while (n < cap && !lr__list_is_empty(&r->files)) {
        epoll_slot *s = LR_CONTAINER_OF(lr__list_pop(&r->files), epoll_slot, out);

        n += lr__ops_give(&r->due, &s->ops, LR__OP_FILE, lr__file_do(s->file), true, &out[n]);
    }
    return n;
}

/* Waiting */

static void on_polled(epoll_ring *r, epoll_slot *s, uint32_t events)
{
    s->told |= events & s->events; /* EPOLLIN is POLLIN, and so the others */
    if (s->told && lr__list_is_empty(&s->ready))
        lr__list_append(&r->polled, &s->ready);
}

static void on_event(epoll_ring *r, const struct epoll_event *event)
{
    lr__id id = event->data.u64;
    epoll_slot *s;

    if (id == WAKER_EVENT)
        return;
    s = lr__slots_find(&r->slots, lr__id_slot(id));
    if (LR_UNLIKELY(!s || s->ops.generation != lr__id_generation(id) || !s->watched)) {
        lr__count_add(&r->base.counts.stale, 1);
        return;
    }
    if (lr__ops_on(&s->ops, LR__OP_ACCEPT)) {
        if (lr__list_is_empty(&s->ready))
            lr__list_append(&r->accepting, &s->ready);
        return;
    }
    if (lr__ops_on(&s->ops, LR__OP_POLL)) {
        on_polled(r, s, event->events);
        return;
    }
    if (event->events & (EPOLLOUT | EPOLLERR | EPOLLHUP) && is_connecting(s))
        on_connected(r, s);
    if (event->events & (EPOLLOUT | EPOLLERR | EPOLLHUP) && s->blocked) {
        s->blocked = false;
        lr__list_append(&r->sending, &s->out);
    }
    if (event->events & (EPOLLRDHUP | EPOLLPRI | EPOLLERR | EPOLLHUP))
        s->drain = s->readable = true;
    if (event->events & EPOLLIN)
        s->readable = true;
    if (s->readable && lr__ops_on(&s->ops, LR__OP_RECV) &&
        !(s->ops.due & lr__op_bit(LR__OP_RECV)) && lr__list_is_empty(&s->ready))
        lr__list_append(&r->ready, &s->ready);
}

/* Kernels before 5.11 know milliseconds only: rounded up, never early. */
static int wait_ms(epoll_ring *r, const struct timespec *left)
{
    int ms = -1;

    if (left)
        ms = left->tv_sec > 3600 ? 3600000
                                 : (int)(left->tv_sec * 1000 + (left->tv_nsec + 999999) / 1000000);
    return epoll_wait(r->set, r->events, EVENTS_PER_WAIT, ms);
}

static void ask(epoll_ring *r, bool block, uint64_t deadline_ns)
{
    struct timespec left = {0};
    const struct timespec *limit = &left;
    int count;

    if (block && deadline_ns == UINT64_MAX) {
        limit = NULL;
    } else if (block) {
        uint64_t now = lr__clock_now();

        if (deadline_ns > now) {
            left.tv_sec = (time_t)((deadline_ns - now) / 1000000000u);
            left.tv_nsec = (long)((deadline_ns - now) % 1000000000u);
        }
    }
    count = r->has_pwait2 ? epoll_pwait2(r->set, r->events, EVENTS_PER_WAIT, limit, NULL)
                          : wait_ms(r, limit);
    if (count < 0 && errno == ENOSYS) {
        r->has_pwait2 = false;
        count = wait_ms(r, limit);
    }
    LR_CHECK(count >= 0 || errno == EINTR);
    lr__count_add(&r->base.counts.waits, 1);
    for (int i = 0; i < count; i++)
        on_event(r, &r->events[i]);
}

/* Whether something can be done without waiting for it. */
static bool has_work(const epoll_ring *r)
{
    return r->due.first || r->slots.refused_count > 0 || !lr__list_is_empty(&r->accepting) ||
           !lr__list_is_empty(&r->polled) || !lr__list_is_empty(&r->files) ||
           (!lr__list_is_empty(&r->ready) && r->pool.free_count > 0);
}

static uint32_t take_own(epoll_ring *r, lr__completion *out, uint32_t cap)
{
    uint32_t n = lr__slots_take_refused(&r->slots, out, cap);

    return n + lr__due_take(&r->due, out + n, cap - n);
}

static uint32_t epoll_wait_turn(lr__ring *ring, uint64_t deadline_ns, lr__completion *out,
                                uint32_t cap)
{
    epoll_ring *r = epoll_of(ring);
    uint32_t n;
    bool called;

    LR_DCHECK(cap > 0);
    do {
        bool block;

        flush_sends(r);
        flush_ends(r);
        block = deadline_ns > r->now_ns && !has_work(r) && lr__waker_sleep(&r->waker);
        ask(r, block, deadline_ns);
        called = lr__waker_rise(&r->waker);
        flush_sends(r);
        n = take_own(r, out, cap);
        n += accept_all(r, out + n, cap - n);
        n += tell_polled(r, out + n, cap - n);
        n += do_files(r, out + n, cap - n);
        n += receive_all(r, out + n, cap - n);
        n += take_own(r, out + n, cap - n);
        r->now_ns = lr__clock_now();
    } while (n == 0 && !called && r->now_ns < deadline_ns);
    lr__count_add(&r->base.counts.completions, n);
    atomic_store_explicit(&r->base.counts.buffers_lent, r->pool.lent, memory_order_relaxed);
    return n;
}

static void epoll_wake(lr__ring *ring)
{
    lr__waker_call(&epoll_of(ring)->waker);
}

/* Starting and ending operations */

static epoll_slot *start(epoll_ring *r, lr__id id, int sock, lr__op op)
{
    epoll_slot *s = lr__slots_get(&r->slots, lr__id_slot(id));

    if (LR_UNLIKELY(!s)) {
        lr__slots_refuse(&r->slots, id, op, -ENOMEM);
        return NULL;
    }
    if (!s->initialised || s->ops.generation != lr__id_generation(id)) {
        LR_CHECK(s->ops.on == 0); /* rule 4 */
        *s = (epoll_slot){.ops = {.slot = lr__id_slot(id), .generation = lr__id_generation(id)},
                          .initialised = true};
        lr__list_init(&s->ready);
        lr__list_init(&s->out);
    }
    LR_DCHECK(!lr__ops_on(&s->ops, op) && !lr__ops_on(&s->ops, LR__OP_CLOSE) && !s->ops.closed);
    s->ops.on |= lr__op_bit(op);
    s->sock = sock;
    return s;
}

static void epoll_accept(lr__ring *ring, int listener, lr__id id)
{
    epoll_ring *r = epoll_of(ring);
    epoll_slot *s = start(r, id, listener, LR__OP_ACCEPT);
    int ret;

    if (!s)
        return;
    ret = watch(r, s, EPOLLIN);
    if (ret != 0)
        fail_op(r, s, LR__OP_ACCEPT, ret);
}

static void epoll_recv(lr__ring *ring, int sock, lr__id id)
{
    epoll_ring *r = epoll_of(ring);
    epoll_slot *s = start(r, id, sock, LR__OP_RECV);
    int ret;

    if (!s)
        return;
    ret = watch_stream(r, s);
    if (ret != 0)
        fail_op(r, s, LR__OP_RECV, ret);
    else if (s->readable)
        lr__list_append(&r->ready, &s->ready);
}

static void epoll_send(lr__ring *ring, int sock, lr__id id, const void *bytes, uint32_t len)
{
    epoll_ring *r = epoll_of(ring);
    epoll_slot *s = start(r, id, sock, LR__OP_SEND);

    LR_DCHECK(len <= INT32_MAX);
    if (!s)
        return;
    s->bytes = bytes;
    s->bytes_len = s->send_len = len;
    lr__list_append(&r->sending, &s->out);
}

static void epoll_connect(lr__ring *ring, int sock, lr__id id, const struct sockaddr *address,
                          socklen_t len)
{
    epoll_ring *r = epoll_of(ring);
    epoll_slot *s = start(r, id, sock, LR__OP_CONNECT);
    int ret;

    if (!s)
        return;
    LR_DCHECK(s->ops.on == lr__op_bit(LR__OP_CONNECT));
    ret = lr__socket_connect(sock, address, len);
    if (ret == -EINPROGRESS)
        ret = watch_stream(r, s); /* not before: a socket without a peer says EPOLLHUP */
    else if (ret == 0)
        finish_connect(r, s, 0);
    if (ret != 0)
        finish_connect(r, s, ret);
}

static void epoll_poll(lr__ring *ring, int fd, lr__id id, uint32_t events)
{
    epoll_ring *r = epoll_of(ring);
    epoll_slot *s = start(r, id, fd, LR__OP_POLL);
    struct epoll_event event = {.data.u64 = id};

    if (!s)
        return;
    LR_DCHECK(s->ops.on == lr__op_bit(LR__OP_POLL));
    s->events = events | EPOLLERR | EPOLLHUP;
    s->told = 0;
    event.events = s->events | EPOLLET;
    s->watched = epoll_ctl(r->set, EPOLL_CTL_ADD, fd, &event) == 0;
    if (!s->watched) /* -EPERM, or -EEXIST: the set has one place for an fd */
        fail_op(r, s, LR__OP_POLL, -errno);
}

static void epoll_file(lr__ring *ring, lr__id id, const lr__file_op *op)
{
    epoll_ring *r = epoll_of(ring);
    epoll_slot *s = start(r, id, -1, LR__OP_FILE);

    if (!s)
        return;
    LR_DCHECK(s->ops.on == lr__op_bit(LR__OP_FILE));
    s->file = op;
    lr__list_append(&r->files, &s->out);
}

static void epoll_buffer_give(lr__ring *ring, uint16_t buffer)
{
    epoll_ring *r = epoll_of(ring);

    lr__recv_pool_back(&r->pool, buffer);
    lr__recv_pool_untake(&r->pool, buffer);
    atomic_store_explicit(&r->base.counts.buffers_lent, r->pool.lent, memory_order_relaxed);
}

static void epoll_stop(lr__ring *ring, lr__id id, lr__op op)
{
    epoll_ring *r = epoll_of(ring);
    epoll_slot *s = lr__slots_find(&r->slots, lr__id_slot(id));

    LR_DCHECK(op == LR__OP_ACCEPT || op == LR__OP_RECV || op == LR__OP_POLL);
    if (s && s->initialised && s->ops.generation == lr__id_generation(id))
        stop_op(r, s, op);
}

static void epoll_end(lr__ring *ring, int sock, lr__id id, bool reset)
{
    epoll_ring *r = epoll_of(ring);
    epoll_slot *s;

    if (LR_UNLIKELY(!lr__slots_get(&r->slots, lr__id_slot(id)))) {
        lr__slots_refuse_end(&r->slots, sock, id, reset);
        return;
    }
    s = start(r, id, sock, LR__OP_CLOSE);
    s->reset = reset;
    if (lr__list_is_empty(&s->out)) /* else its send is tried first, then this comes */
        lr__list_append(&r->ending, &s->out);
}

/* Opening and closing */

static lr_status watch_waker(epoll_ring *r, lr_error *err)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = WAKER_EVENT};
    int ret = lr__waker_init(&r->waker);

    if (ret != 0)
        return lr__fail_sys(err, LR_ERING, -ret, "eventfd");
    r->set = epoll_create1(EPOLL_CLOEXEC);
    if (r->set < 0 || epoll_ctl(r->set, EPOLL_CTL_ADD, r->waker.fd, &event) != 0)
        return lr__fail_sys(err, LR_ERING, errno, "epoll refused");
    return LR_OK;
}

static void free_ring(epoll_ring *r)
{
    if (r->set >= 0)
        (void)close(r->set);
    lr__waker_fini(&r->waker);
    lr__recv_pool_fini(&r->pool);
    lr__slots_fini(&r->slots);
    lr__free(r);
}

static lr_status epoll_open(void *world, const lr__ring_config *config, lr__ring **out,
                            lr_error *err)
{
    epoll_ring *r = lr__alloc_zero(1, sizeof(*r));
    lr_status status;

    (void)world;
    if (!r)
        return lr__fail(err, LR_ENOMEM, "ring: out of memory");
    r->base.backend = &lr__backend_epoll;
    r->set = r->waker.fd = -1;
    r->has_pwait2 = true;
    lr__list_init(&r->ready);
    lr__list_init(&r->accepting);
    lr__list_init(&r->polled);
    lr__list_init(&r->files);
    lr__list_init(&r->sending);
    lr__list_init(&r->ending);
    if (lr__slots_init(&r->slots, sizeof(epoll_slot)) != LR_OK ||
        lr__recv_pool_init(&r->pool, config->recv_buffer_count, config->recv_buffer_max) != LR_OK)
        status = lr__fail(err, LR_ENOMEM, "ring: out of memory");
    else
        status = watch_waker(r, err);
    if (status != LR_OK) {
        free_ring(r);
        return status;
    }
    for (uint32_t i = r->pool.count; i > 0; i--)
        lr__recv_pool_untake(&r->pool, (uint16_t)(i - 1));
    r->now_ns = lr__clock_now();
    *out = &r->base;
    return LR_OK;
}

static void epoll_close(lr__ring *ring)
{
    epoll_ring *r = epoll_of(ring);

    lr__list *node;

    flush_sends(r);
    flush_ends(r);
    while ((node = lr__list_pop(&r->files)) != NULL) { /* what was given up does not stay open */
        const lr__file_op *op = LR_CONTAINER_OF(node, epoll_slot, out)->file;

        if (op->kind == LR__FILE_CLOSE)
            (void)lr__file_do(op);
    }
    free_ring(r);
}

lr_status lr__backend_probe_epoll(lr_error *err)
{
    int set = epoll_create1(EPOLL_CLOEXEC);

    if (set < 0)
        return lr__fail_sys(err, LR_ERING, errno, "epoll refused");
    (void)close(set);
    return LR_OK;
}

/* The rest of the table */

static uint64_t epoll_now(lr__ring *ring)
{
    return epoll_of(ring)->now_ns;
}

static int epoll_socket(void *world, int family)
{
    (void)world;
    return lr__socket_open(family, true);
}

static int epoll_accept_now(lr__ring *ring, int listener)
{
    (void)ring;
    return lr__socket_accept(listener, true);
}

const lr__backend lr__backend_epoll = {
    .name = "epoll",
    .open = epoll_open,
    .close = epoll_close,
    .wait = epoll_wait_turn,
    .wake = epoll_wake,
    .now = epoll_now,
    .clock = lr__real_clock,
    .wall_ms = lr__real_wall_ms,
    .random = lr__real_random,
    .accept = epoll_accept,
    .recv = epoll_recv,
    .buffer_give = epoll_buffer_give,
    .send = epoll_send,
    .connect = epoll_connect,
    .poll = epoll_poll,
    .file = epoll_file,
    .stop = epoll_stop,
    .end = epoll_end,
    .listen = lr__real_listen,
    .listen_dup = lr__real_listen_dup,
    .socket = epoll_socket,
    .listen_close = lr__real_listen_close,
    .adopt = lr__real_adopt,
    .abandon = lr__real_abandon,
    .accept_now = epoll_accept_now,
    .shutdown_write = lr__real_shutdown_write,
    .sock_name = lr__real_sock_name,
};
