/* SPDX-License-Identifier: MIT */
/* core/run/conn.c: the life of a connection: opening, deadlines, failing, closing.
 *
 * Closing is asynchronous: lr__conn_close() hands the socket to the ring and the memory stays until
 * the ring's last completion, so a handler may close or abort from within any hook, and everything
 * up the stack only has to ask lr__conn_is_over(). on_close runs when nothing is in flight any more
 * and right before the slot is given back: nothing follows it. */
#include "core/run/conn.h"

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/run/hooks.h"
#include "core/run/workers.h"

#include <string.h>

static const bool moves[LR__CONN_STATE_COUNT][LR__CONN_STATE_COUNT] = {
    [LR__CONN_CONNECT] = {[LR__CONN_OPEN] = true, [LR__CONN_CLOSING] = true},
    [LR__CONN_PREFACE] =
        {[LR__CONN_HELLO] = true, [LR__CONN_OPEN] = true, [LR__CONN_CLOSING] = true},
    [LR__CONN_HELLO] = {[LR__CONN_PARKED] = true,
                        [LR__CONN_HANDSHAKE] = true,
                        [LR__CONN_ENDING] = true,
                        [LR__CONN_CLOSING] = true},
    [LR__CONN_PARKED] =
        {[LR__CONN_HANDSHAKE] = true, [LR__CONN_ENDING] = true, [LR__CONN_CLOSING] = true},
    [LR__CONN_HANDSHAKE] =
        {[LR__CONN_OPEN] = true, [LR__CONN_ENDING] = true, [LR__CONN_CLOSING] = true},
    [LR__CONN_OPEN] = {[LR__CONN_ENDING] = true, [LR__CONN_CLOSING] = true},
    [LR__CONN_ENDING] = {[LR__CONN_CLOSING] = true},
    [LR__CONN_CLOSING] = {[LR__CONN_CLOSED] = true},
};

const char *lr__conn_state_name(lr__conn_state state)
{
#define STATE_NAME(name)                                                                           \
    case LR__CONN_##name:                                                                          \
        return #name;
    switch (state) {
        LR__CONN_STATES(STATE_NAME)
    case LR__CONN_STATE_COUNT:
        break;
    }
#undef STATE_NAME
    LR_UNREACHABLE();
}

bool lr__conn_may_enter(lr__conn_state from, lr__conn_state to)
{
    return from < LR__CONN_STATE_COUNT && to < LR__CONN_STATE_COUNT && moves[from][to];
}

void lr__conn_enter(lr_conn *c, lr__conn_state state)
{
    LR_CHECK(lr__conn_may_enter(c->state, state));
    if (c->is_tls && c->state < LR__CONN_OPEN && state >= LR__CONN_OPEN)
        lr__stats_sub(&c->worker->stats, LR__STAT_handshaking, 1);
    c->state = state;
}

bool lr__conn_is_over(const lr_conn *c)
{
    return c->state == LR__CONN_CLOSING || c->state == LR__CONN_CLOSED;
}

static void log_conn(const lr_conn *c, lr_log_level level, const char *event)
{
    lr_worker *w = c->worker;
    const lr_error *why = c->why;

    if (!lr__log_wants(&w->workers->log, level))
        return;
    if (why)
        lr__log_limited(&w->workers->log, &w->log_limit, w->now_ns, level,
                        "%s conn=%u.%u.%u state=%s status=%s alert=%d text=\"%s\"", event, w->index,
                        c->slot, c->generation, lr__conn_state_name(c->state),
                        lr_status_name(why->status), why->tls_alert, why->text);
    else
        lr__log_limited(&w->workers->log, &w->log_limit, w->now_ns, level, "%s conn=%u.%u.%u",
                        event, w->index, c->slot, c->generation);
}

/* What on_close gets where there was no memory for the reason: never null, which means clean. */
static const lr_error unexplained = {
    LR_ENOMEM, 0, -1, 0, "the connection failed, and there was no memory to keep the reason"};

static void on_deadline(lr__timer *timer);

void lr__conn_arm_deadline(lr_conn *c, uint64_t from_ns, uint32_t ms)
{
    if (ms == LR_NONE)
        lr__timer_cancel(&c->worker->timers, &c->deadline);
    else
        lr__timer_arm(&c->worker->timers, &c->deadline, from_ns + (uint64_t)ms * 1000000);
}

static lr_conn *conn_new(lr__part *part, int sock, bool is_tls, bool has_preface)
{
    lr_worker *w = part->worker;
    uint32_t slot, generation, user_generation;
    lr_conn *c = lr__slab_take(&w->conns, &slot, &generation);

    if (!c)
        return NULL;
    if (part->server->conn_user_size != 0) {
        c->user = lr__slab_take(&part->users, &c->user_slot, &user_generation);
        if (!c->user) {
            lr__slab_give(&w->conns, slot);
            return NULL;
        }
    }
    c->worker = w;
    c->part = part;
    c->slot = slot;
    c->generation = generation;
    c->id = lr__conn_ring_id(slot, generation);
    c->sock = sock;
    c->is_tls = is_tls;
    if (has_preface)
        c->state = LR__CONN_PREFACE;
    else
        c->state = is_tls ? LR__CONN_HELLO : LR__CONN_CONNECT;
    c->held_first = c->held_last = LR__NO_BUFFER;
    c->opened_ns = c->active_ns = w->now_ns;
    lr__list_init(&c->node);
    lr__list_init(&c->ready);
    lr__list_init(&c->flush);
    lr__list_init(&c->half_open);
    lr__timer_init(&c->deadline, on_deadline);
    return c;
}

/* One of which nothing was told and nothing armed. */
static void conn_drop(lr_conn *c)
{
    lr_worker *w = c->worker;

    w->live.parked_bytes -= lr__buf_len(&c->parked);
    lr__buf_drop(&c->parked, &w->buffers);
    if (c->user)
        lr__slab_give(&c->part->users, c->user_slot);
    lr__slab_give(&w->conns, c->slot);
}

/* Asked now: after a reset the system does not tell any more, and that is when it is wanted. */
static void ask_remote(lr_worker *w, int sock, struct sockaddr_in6 *remote)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof(name);

    memset(remote, 0, sizeof(*remote));
    if (w->ring->backend->sock_name(w->workers->world, sock, true, &name, &len) == 0 &&
        (name.ss_family == AF_INET || name.ss_family == AF_INET6 || name.ss_family == AF_UNIX))
        memcpy(remote, &name, sizeof(*remote));
}

static lr__stat open_kind(const lr_conn *c)
{
    if (c->part->server->is_client)
        return LR__STAT_open_made;
    return c->is_tls ? LR__STAT_open_tls : LR__STAT_open_plain;
}

/* It has its place in the part from here on, until on_close has returned. */
static void join_part(lr_conn *c)
{
    lr__part *part = c->part;
    lr__stats *stats = &c->worker->stats;

    lr__list_append(&part->conns, &c->node);
    lr__count_add(&part->conn_count, 1);
    lr__stats_add(stats, open_kind(c), 1);
    if (c->is_tls)
        lr__stats_add(stats, LR__STAT_handshaking, 1);
    log_conn(c, LR_LOG_DEBUG, "conn_open");
}

static void leave_part(lr_conn *c)
{
    lr__part *part = c->part;

    lr__list_remove(&c->node);
    lr__count_sub(&part->conn_count, 1);
    lr__stats_sub(&c->worker->stats, open_kind(c), 1);
    lr__stats_closed(&c->worker->stats, c->why);
    lr__part_give_place(part);
}

/* Nothing of it was shown to the program: the peer gets a reset, the program a reason. */
static void refuse_socket(lr__part *part, int sock, lr_status why)
{
    lr_worker *w = part->worker;
    uint64_t before;

    w->ring->backend->abandon(w->workers->world, sock);
    lr__stats_add(&w->stats,
                  why == LR_ENOMEM    ? LR__STAT_refused_memory
                  : why == LR_ESOURCE ? LR__STAT_refused_sources
                                      : LR__STAT_refused_connections,
                  1);
    lr__log_limited(&w->workers->log, &w->log_limit, w->now_ns, LR_LOG_WARN,
                    "conn_refused worker=%u status=%s", w->index, lr_status_name(why));
    if (!part->server->on_refused)
        return;
    before = lr__hook_enter(w, LR__HOOK_REFUSED);
    part->server->on_refused(w, part->server, why);
    lr__hook_leave(w, before);
}

void lr__conn_enter_open(lr_conn *c)
{
    lr__conn_enter(c, LR__CONN_OPEN);
    if (c->is_tls)
        lr__stats_add(&c->worker->stats,
                      c->facts.resumed ? LR__STAT_handshakes_resumed : LR__STAT_handshakes_full, 1);
    lr__half_open_leave(c);
    lr__conn_arm_open(c);
    (void)lr__hook_conn(c, LR__HOOK_SECURE, c->part->server->handlers.on_secure);
    if (c->part->draining)
        lr__conn_on_server_drain(c);
}

static void begin_before_secure(lr_conn *c)
{
    lr__half_open_enter(c);
    if (c->state == LR__CONN_PREFACE)
        lr__conn_begin_preface(c);
}

/* What was read before it came here, and whose it is, for the gate. False: no memory. */
static bool take_entry(lr_conn *c, const lr__conn_entry *entry)
{
    c->listener = entry->listener;
    if (entry->head.len != 0) {
        if (!lr__buf_append(&c->parked, &c->worker->buffers, entry->head))
            return false;
        c->worker->live.parked_bytes += entry->head.len;
    }
    if (!entry->context)
        return true;
    c->gate = lr__alloc_zero(1, sizeof(*c->gate));
    if (c->gate)
        c->gate->own_context = lr_context_retain(entry->context);
    return c->gate != NULL;
}

/* Makes it, with a place among the server's. Nothing has happened after a failure. */
static lr_status admit(const lr__conn_entry *entry, int sock, lr_conn **out)
{
    lr__part *part = entry->part;
    struct sockaddr_in6 remote;
    lr_conn *c;

    ask_remote(part->worker, sock, &remote);
    if (!entry->has_preface && !lr__source_may_connect(part, &remote))
        return LR_ESOURCE;
    if (!lr__part_take_place(part))
        return LR_ECONNECTIONS;
    c = conn_new(part, sock, entry->is_tls, entry->has_preface);
    if (c && take_entry(c, entry)) {
        c->remote = remote;
        *out = c;
        return LR_OK;
    }
    if (c)
        conn_drop(c);
    lr__part_give_place(part);
    return LR_ENOMEM;
}

static void begin(lr_conn *c)
{
    lr__part *part = c->part;

    join_part(c);
    lr__conn_arm_deadline(c, c->worker->now_ns, part->server->handshake_timeout_ms);
    lr__conn_recv_start(c);
    if (lr__buf_len(&c->parked) != 0)
        lr__conn_schedule_ready(c);
    (void)lr__hook_conn(c, LR__HOOK_OPEN, part->server->handlers.on_open);
    if (part->cut && !lr__conn_is_over(c))
        lr_conn_abort(c, LR_EDRAIN_TIMEOUT);
    else if (c->state == LR__CONN_CONNECT)
        lr__conn_enter_open(c);
    else if (!lr__conn_is_over(c))
        begin_before_secure(c);
}

void lr__conn_open(const lr__listener *listener, int sock)
{
    lr__conn_entry entry = {.part = listener->part,
                            .listener = listener->index,
                            .is_tls = listener->is_tls,
                            .has_preface = listener->has_preface};
    lr_status status;
    lr_conn *c;

    lr__stats_accepted(listener->part->worker);
    status = admit(&entry, sock, &c);
    if (status == LR_OK)
        begin(c);
    else
        refuse_socket(listener->part, sock, status);
}

lr_status lr__conn_adopt(const lr__conn_entry *entry, int sock, lr_conn **out)
{
    LR_TRY(admit(entry, sock, out));
    lr__stats_add(&entry->part->worker->stats, LR__STAT_adopted, 1);
    begin(*out);
    return LR_OK;
}

lr_conn *lr__conn_make(lr__part *part, int sock, const struct sockaddr_storage *address,
                       socklen_t len)
{
    lr_worker *w = part->worker;
    lr_conn *c = conn_new(part, sock, false, false);

    if (!c) {
        w->ring->backend->abandon(w->workers->world, sock);
        return NULL;
    }
    if (address->ss_family != AF_UNIX)
        memcpy(&c->remote, address, sizeof(c->remote));
    else
        c->remote.sin6_family = AF_UNIX;
    lr__stats_add(&w->stats, LR__STAT_made, 1);
    join_part(c);
    lr__conn_arm_deadline(c, w->now_ns, part->server->handshake_timeout_ms);
    lr__ring_connect(w->ring, sock, c->id, (const struct sockaddr *)address, len);
    (void)lr__hook_conn(c, LR__HOOK_OPEN, part->server->handlers.on_open);
    return c;
}

void lr__conn_on_connected(lr_conn *c, const lr__completion *completion)
{
    lr_error why;

    LR_DCHECK(completion->last);
    if (lr__conn_is_over(c))
        return;
    if (completion->res < 0) {
        (void)lr__fail_sys(&why, LR_ECONNECT, -completion->res, "connect");
        lr__conn_fail(c, &why, false);
        return;
    }
    lr__conn_recv_start(c);
    lr__conn_enter_open(c);
}

void lr__conn_gate_free(lr_conn *c)
{
    if (!c->gate)
        return;
    lr__buf_drop(&c->gate->message, &c->worker->buffers);
    lr__buf_drop(&c->gate->first_message, &c->worker->buffers);
    LR_CHECK(!c->gate->ask && c->gate->store_count == 0);
    lr__conn_end_sessions(c);
    lr_context_release(c->gate->context);
    lr_context_release(c->gate->own_context);
    lr_bytes_release(c->gate->staple);
    lr__free(c->gate);
    c->gate = NULL;
}

/* The first reason wins. Without memory for it the connection still ends, as an unexplained one. */
static bool keep_why(lr_conn *c, const lr_error *why)
{
    lr_error *kept;

    if (c->why)
        return false;
    kept = lr__alloc(sizeof(*kept));
    if (kept)
        *kept = *why;
    c->why = kept ? kept : &unexplained;
    return true;
}

void lr__conn_fail(lr_conn *c, const lr_error *why, bool linger)
{
    bool before_secure = c->state < LR__CONN_OPEN;
    bool first;

    LR_DCHECK(why->status != LR_OK);
    if (lr__conn_is_over(c))
        return;
    first = keep_why(c, why);
    lr__stats_failed(&c->worker->stats, why, before_secure && first, c->is_tls);
    log_conn(c, LR_LOG_INFO, before_secure ? "handshake_failed" : "conn_failed");
    if (before_secure && first) {
        lr__hook_why(c, LR__HOOK_CLIENT_ERROR, c->part->server->handlers.on_client_error, why);
        if (lr__conn_is_over(c))
            return;
    }
    if (!linger || (lr__buf_len(&c->sealed) == 0 && !c->send_armed)) {
        lr__conn_close(c, false);
        return;
    }
    if (c->state != LR__CONN_ENDING) {
        c->ending = LR__ENDING_ALERTED;
        lr__conn_begin_end(c);
    }
    lr__outq_drop(&c->queue, &c->worker->buffers, c);
}

void lr__conn_fail_as(lr_conn *c, lr_status status, const char *what)
{
    lr_error why;

    (void)lr__fail(&why, status, "%s", what);
    lr__conn_fail(c, &why, false);
}

/* How long output may wait without any of it being taken. */
static uint32_t stall_ms(const lr_conn *c)
{
    uint32_t idle_ms = c->part->server->idle_timeout_ms;

    return idle_ms == LR_NONE ? LR__STALL_MS : idle_ms;
}

void lr__conn_begin_end(lr_conn *c)
{
    lr__conn_enter(c, LR__CONN_ENDING);
    lr__half_open_leave(c);
    lr__conn_cancel_asks(c);
    if (lr__conn_is_over(c)) /* on_ask_cancelled has aborted it */
        return;
    lr__conn_gate_free(c);
    lr__conn_arm_deadline(c, c->worker->now_ns, stall_ms(c));
    lr__conn_schedule_ready(c);
    lr__conn_schedule_flush(c);
}

void lr__conn_close(lr_conn *c, bool reset)
{
    lr_worker *w = c->worker;

    if (lr__conn_is_over(c))
        return;
    lr__conn_enter(c, LR__CONN_CLOSING);
    lr__timer_cancel(&w->timers, &c->deadline);
    lr__list_remove(&c->ready);
    lr__list_remove(&c->flush);
    lr__half_open_leave(c);
    lr__conn_drop_held(c);
    lr__conn_cancel_asks(c);
    lr__ring_end(w->ring, c->sock, c->id, reset);
}

void lr__conn_on_closed(lr_conn *c)
{
    lr_worker *w = c->worker;
    lr__part *part = c->part;

    LR_CHECK(c->recv == LR__RECV_NONE && !c->send_armed);
    lr__outq_drop(&c->queue, &w->buffers, c);
    lr__conn_enter(c, LR__CONN_CLOSED);
    log_conn(c, LR_LOG_DEBUG, "conn_close");
    lr__hook_why(c, LR__HOOK_CLOSE, part->server->handlers.on_close, c->why);
    leave_part(c);
    lr__conn_gate_free(c);
    if (c->engine)
        w->live.engines--;
    lr__engine_free(c->engine);
    lr__worker_replica_done(w, c->replica);
    w->live.parked_bytes -= lr__buf_len(&c->parked);
    lr__buf_drop(&c->parked, &w->buffers);
    lr__buf_drop(&c->sending, &w->buffers);
    lr__buf_drop(&c->sealed, &w->buffers);
    lr__free(c->preface);
    lr__free(c->told);
    lr__free(c->name);
    lr__free(c->alpn_chosen);
    lr__free(c->ja4);
    lr__peer_free(c->peer);
    if (c->why != &unexplained)
        lr__free((void *)(uintptr_t)c->why);
    if (c->user)
        lr__slab_give(&part->users, c->user_slot);
    lr__slab_give(&w->conns, c->slot);
    lr__worker_conn_gone(w);
}

void lr__conn_end_because(lr_conn *c, const lr_error *why)
{
    (void)keep_why(c, why);
    log_conn(c, LR_LOG_INFO, "conn_timeout");
    lr__conn_begin_end(c);
}

static void on_deadline(lr__timer *timer)
{
    lr_conn *c = LR_CONTAINER_OF(timer, lr_conn, deadline);

    switch (c->state) {
    case LR__CONN_CONNECT:
        lr__conn_fail_as(c, LR_ECONNECT_TIMEOUT, "the connection was not made in time");
        break;
    case LR__CONN_PREFACE:
        lr__conn_fail_as(c, LR_EHANDSHAKE_TIMEOUT, "no complete preface in time");
        break;
    case LR__CONN_HELLO:
        lr__conn_fail_as(c, LR_EHANDSHAKE_TIMEOUT, "no complete ClientHello in time");
        break;
    case LR__CONN_PARKED:
        lr__conn_fail_as(c, LR_EHANDSHAKE_TIMEOUT, "a hook did not answer in time");
        break;
    case LR__CONN_HANDSHAKE:
        lr__conn_fail_as(c, LR_EHANDSHAKE_TIMEOUT,
                         lr__conn_is_storing(c) ? "a hook did not answer in time"
                                                : "the handshake took too long");
        break;
    case LR__CONN_OPEN:
        lr__conn_open_deadline(c);
        break;
    case LR__CONN_ENDING:
        if (c->ending == LR__ENDING_FIN)
            lr__conn_close(c, false); /* said, sent and lingered: this is clean */
        else if (c->worker->now_ns < c->active_ns + (uint64_t)stall_ms(c) * 1000000)
            lr__conn_arm_deadline(c, c->active_ns,
                                  stall_ms(c)); /* the peer still takes what waits */
        else
            lr_conn_abort(c, LR_ELINGER_TIMEOUT);
        break;
    case LR__CONN_CLOSING:
    case LR__CONN_CLOSED:
    case LR__CONN_STATE_COUNT:
        LR_UNREACHABLE(); /* cancelled on the way there */
    }
}

void lr__conn_on_server_drain(lr_conn *c)
{
    if (c->state == LR__CONN_OPEN)
        (void)lr__hook_conn(c, LR__HOOK_SERVER_DRAIN, c->part->server->handlers.on_server_drain);
}

void lr_conn_end(lr_conn *c)
{
    LR_CHECK(c != NULL);
    lr__dcheck_on_worker(c->worker);
    switch (c->state) {
    case LR__CONN_CONNECT:
    case LR__CONN_PREFACE:
    case LR__CONN_HELLO:
    case LR__CONN_PARKED:
    case LR__CONN_HANDSHAKE:
        lr_conn_abort(c, LR_OK);
        break;
    case LR__CONN_OPEN:
        lr__conn_begin_end(c);
        break;
    case LR__CONN_ENDING:
    case LR__CONN_CLOSING:
    case LR__CONN_CLOSED:
        break;
    case LR__CONN_STATE_COUNT:
        LR_UNREACHABLE();
    }
}

void lr_conn_end_write(lr_conn *c)
{
    LR_CHECK(c != NULL);
    lr__dcheck_on_worker(c->worker);
    if (c->state != LR__CONN_OPEN || c->peer_ended) {
        lr_conn_end(c);
        return;
    }
    c->write_ended = true;
    lr__conn_schedule_flush(c);
}

void lr_conn_abort(lr_conn *c, lr_status why)
{
    lr_error error;

    LR_CHECK(c != NULL);
    lr__dcheck_on_worker(c->worker);
    if (lr__conn_is_over(c))
        return;
    (void)lr__fail(&error, why == LR_OK ? LR_EABORTED : why, "%s",
                   lr_status_text(why == LR_OK ? LR_EABORTED : why));
    (void)keep_why(c, &error);
    log_conn(c, LR_LOG_INFO, "conn_aborted");
    lr__conn_close(c, true);
}
