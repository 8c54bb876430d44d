/* SPDX-License-Identifier: MIT */
/* core/run/server.c: servers, their listening sockets and draining.
 *
 * lr_server_listen() binds at once, on the calling thread, one socket per worker on the same port,
 * so that a port in use is an error of that call; the workers arm them when they start. Draining is
 * a flag that only rises (no, yes, cut) and a wake: the workers do the rest, each for its own
 * part. */
#include "core/run/server.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/io/address.h"
#include "core/run/conn.h"
#include "core/run/steer.h"
#include "core/run/worker.h"
#include "core/run/workers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { HANDSHAKE_TIMEOUT_MS = 10000, BACKLOG = 4096, CONN_USER_SIZE_MAX = 65536 };

static void on_drain_deadline(lr__timer *timer);

static lr_status adopt(lr_server *s, const lr_server_options *given, lr_error *err)
{
    lr_server_options options;

    LR_TRY(lr__options_adopt(&options, sizeof(options), given, "lr_server_options", err));
    if (!options.handlers)
        return lr__fail(err, LR_EOPTION, "lr_server_options: handlers is missing");
    if (!options.context)
        return lr__fail(err, LR_EOPTION, "lr_server_options: context is missing");
    LR_TRY(
        lr__options_adopt(&s->handlers, sizeof(s->handlers), options.handlers, "lr_handlers", err));
    if (options.conn_user_size > CONN_USER_SIZE_MAX)
        return lr__fail(err, LR_EOPTION, "conn_user_size: %u is above %d", options.conn_user_size,
                        CONN_USER_SIZE_MAX);
    if (options.fragment_size_max != 0 && (options.fragment_size_max < LR__FRAGMENT_MIN ||
                                           options.fragment_size_max > LR__FRAGMENT_MAX))
        return lr__fail(err, LR_EOPTION, "fragment_size_max: %u is not in %d..%d",
                        options.fragment_size_max, LR__FRAGMENT_MIN, LR__FRAGMENT_MAX);
    s->user = options.user;
    s->conn_user_size = options.conn_user_size;
    s->handshake_timeout_ms =
        options.handshake_timeout_ms ? options.handshake_timeout_ms : HANDSHAKE_TIMEOUT_MS;
    s->idle_timeout_ms = options.idle_timeout_ms ? options.idle_timeout_ms : LR_NONE;
    s->fragment_size_max = options.fragment_size_max ? options.fragment_size_max : LR__FRAGMENT_MAX;
    s->context = lr_context_retain(options.context);
    return LR_OK;
}

static lr_status make_parts(lr_server *s, lr_error *err)
{
    lr_workers *on = s->workers;

    s->parts = lr__alloc_zero(on->count, sizeof(*s->parts));
    if (!s->parts)
        return lr__fail(err, LR_ENOMEM, "lr_server: out of memory");
    for (uint32_t i = 0; i < on->count; i++) {
        lr__part *part = &s->parts[i];

        part->server = s;
        part->worker = on->list[i];
        lr__list_init(&part->conns);
        lr__timer_init(&part->drain_deadline, on_drain_deadline);
        lr__slab_init(&part->users, s->conn_user_size ? s->conn_user_size : 1, LR__CONNECTIONS_MAX);
    }
    return LR_OK;
}

lr_status lr_server_new(lr_workers *on, const lr_server_options *options, lr_server **out,
                        lr_error *err)
{
    lr_server *s;
    lr_status status;

    LR_BUG_IF(!on || !out, LR_EINVAL);
    *out = NULL;
    if (on->started)
        return lr__fail(err, LR_ESTATE, "lr_server_new: the workers have been started");
    if (on->server_count == LR__SERVERS_MAX)
        return lr__fail(err, LR_EOPTION, "lr_server_new: more than %d servers", LR__SERVERS_MAX);
    s = lr__alloc_zero(1, sizeof(*s));
    if (!s)
        return lr__fail(err, LR_ENOMEM, "lr_server: out of memory");
    s->workers = on;
    status = adopt(s, options, err);
    if (status == LR_OK)
        status = make_parts(s, err);
    if (status != LR_OK) {
        lr_context_release(s->context);
        lr__free(s->parts);
        lr__free(s);
        return status;
    }
    s->index = on->server_count;
    on->servers[on->server_count++] = s;
    *out = s;
    return LR_OK;
}

static lr_status status_of_listen(int error)
{
    switch (error) {
    case EADDRINUSE:
        return LR_EADDRINUSE;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EINVAL:
        return LR_EADDRESS;
    default:
        return LR_ESYSTEM;
    }
}

/* Binds one socket per worker; the first one finds out whether anybody else has the port. */
static lr_status bind_all(lr_server *s, const lr_listen_options *options,
                          struct sockaddr_storage *address, socklen_t len, int *socks,
                          lr_error *err)
{
    lr_workers *on = s->workers;
    lr__listen_options listen = {.address = (struct sockaddr *)address,
                                 .address_len = len,
                                 .backlog = options->backlog ? (int)options->backlog : BACKLOG,
                                 .share_port = true,
                                 .incoming_cpu = -1};
    bool steer = lr__workers_may_steer(on, address);
    char text[64];

    lr__address_text(address, len, text, sizeof(text));
    for (uint32_t i = 0; i < on->count; i++) {
        listen.incoming_cpu = steer ? on->list[i]->cpu : -1;
        listen.exclusive = i == 0 && !options->share_port;
        socks[i] = on->backend->listen(on->world, &listen);
        if (socks[i] < 0)
            return lr__fail_sys(err, status_of_listen(-socks[i]), -socks[i], "listen on %s", text);
        if (i == 0) { /* the others join the port that the kernel chose */
            int ret = on->backend->sock_name(on->world, socks[0], false, address, &len);

            if (ret != 0)
                return lr__fail_sys(err, LR_ESYSTEM, -ret, "listen on %s", text);
        }
    }
    return LR_OK;
}

static lr_status bind_host(lr_server *s, const lr_listen_options *options,
                           struct sockaddr_storage *address, socklen_t *len, int *socks,
                           lr_error *err)
{
    if (options->host) {
        LR_TRY(lr__address_resolve(options->host, options->port, address, len, err));
        return bind_all(s, options, address, *len, socks, err);
    }
    /* Where the system has no IPv6 the socket layer takes every IPv4 address instead. */
    LR_TRY(lr__address_resolve("::", options->port, address, len, err));
    return bind_all(s, options, address, *len, socks, err);
}

static void keep_listeners(lr_server *s, const struct sockaddr_storage *address, socklen_t len,
                           const int *socks)
{
    lr_workers *on = s->workers;
    lr__bound *bound = &s->bound[s->bound_count++];

    lr__address_text(address, len, bound->text, sizeof(bound->text));
    bound->port = lr__address_port(address);
    for (uint32_t i = 0; i < on->count; i++) {
        lr_worker *w = on->list[i];

        lr__listener_init(&w->listeners[w->listener_count], w, &s->parts[i], socks[i],
                          w->listener_count);
        w->listener_count++;
    }
    on->listener_count++;
}

lr_status lr_server_listen(lr_server *s, const lr_listen_options *options, uint32_t *index,
                           lr_error *err)
{
    struct sockaddr_storage address;
    lr_listen_options adopted;
    socklen_t len = sizeof(address);
    int socks[LR__WORKERS_MAX];
    lr__bound *bound;
    lr_status status;

    LR_BUG_IF(!s || !options, LR_EINVAL);
    LR_TRY(lr__options_adopt(&adopted, sizeof(adopted), options, "lr_listen_options", err));
    if (s->workers->started)
        return lr__fail(err, LR_ESTATE, "lr_server_listen: the workers have been started");
    if (s->workers->listener_count == LR__LISTENERS_MAX)
        return lr__fail(err, LR_EOPTION, "lr_server_listen: more than %d listeners",
                        LR__LISTENERS_MAX);
    bound = lr__realloc(s->bound, (s->bound_count + 1) * sizeof(*bound));
    if (!bound)
        return lr__fail(err, LR_ENOMEM, "lr_server_listen: out of memory");
    s->bound = bound;
    for (size_t i = 0; i < LR_ARRAY_COUNT(socks); i++)
        socks[i] = -1;
    status = bind_host(s, &adopted, &address, &len, socks, err);
    if (status != LR_OK) {
        for (uint32_t i = 0; i < s->workers->count; i++) {
            if (socks[i] >= 0)
                s->workers->backend->listen_close(s->workers->world, socks[i]);
        }
        return status;
    }
    if (index)
        *index = s->bound_count;
    keep_listeners(s, &address, len, socks);
    return LR_OK;
}

bool lr_server_address(const lr_server *s, uint32_t index, char *out, size_t cap)
{
    LR_BUG_IF(!s || !out, false);
    if (cap == 0 || index >= s->bound_count)
        return false;
    (void)snprintf(out, cap, "%s", s->bound[index].text);
    return true;
}

uint16_t lr_server_port(const lr_server *s, uint32_t index)
{
    LR_BUG_IF(!s, 0);
    return index < s->bound_count ? s->bound[index].port : 0;
}

void lr_server_drain(lr_server *s, uint32_t deadline_ms)
{
    int expected = LR__DRAIN_NO;
    uint32_t unset = 0;

    if (!s)
        return;
    if (deadline_ms == 0) {
        atomic_store(&s->drain, LR__DRAIN_CUT);
    } else if (atomic_compare_exchange_strong(&s->drain_ms, &unset, deadline_ms)) {
        (void)atomic_compare_exchange_strong(&s->drain, &expected, LR__DRAIN_YES);
    }
    lr__workers_signal(s->workers);
}

uint64_t lr_server_connection_count(const lr_server *s)
{
    uint64_t sum = 0;

    LR_BUG_IF(!s, 0);
    for (uint32_t i = 0; i < s->workers->count; i++)
        sum += atomic_load_explicit(&s->parts[i].conn_count, memory_order_relaxed);
    return sum;
}

void *lr_server_user(const lr_server *s)
{
    LR_BUG_IF(!s, NULL);
    return s->user;
}

/* Listeners of servers whose workers never started are closed here. */
static void close_idle_listeners(lr_server *s)
{
    lr_workers *on = s->workers;

    for (uint32_t i = 0; i < on->count; i++) {
        lr_worker *w = on->list[i];

        for (uint32_t j = 0; j < w->listener_count; j++) {
            lr__listener *listener = &w->listeners[j];

            if (listener->part != &s->parts[i])
                continue;
            LR_CHECK(listener->state == LR__LISTENER_IDLE ||
                     listener->state == LR__LISTENER_CLOSED);
            if (listener->state == LR__LISTENER_IDLE)
                on->backend->listen_close(on->world, listener->sock);
            listener->state = LR__LISTENER_CLOSED;
            listener->part = NULL;
        }
    }
}

void lr_server_free(lr_server *s)
{
    if (!s)
        return;
    LR_CHECK(!s->workers->started);
    close_idle_listeners(s);
    for (uint32_t i = 0; i < s->workers->count; i++)
        lr__slab_fini(&s->parts[i].users);
    s->workers->servers[s->index] = NULL;
    lr_context_release(s->context);
    lr__free(s->parts);
    lr__free(s->bound);
    lr__free(s);
}

/* The rest runs on the part's worker. */

void lr__part_start(lr__part *part)
{
    lr_worker *w = part->worker;

    part->started = true;
    if (part->server->handlers.on_worker_start)
        part->server->handlers.on_worker_start(w, part->server);
    for (uint32_t i = 0; i < w->listener_count; i++) {
        if (w->listeners[i].part == part)
            lr__listener_start(&w->listeners[i]);
    }
    lr__part_control(part);
}

static void cut(lr__part *part)
{
    part->cut = true;
    for (uint32_t i = 0; i < part->worker->listener_count; i++) {
        if (part->worker->listeners[i].part == part)
            lr__listener_retry(&part->worker->listeners[i]);
    }
    for (lr__list *node = part->conns.next; node != &part->conns; node = node->next)
        lr_conn_abort(LR_CONTAINER_OF(node, lr_conn, node), LR_EDRAIN_TIMEOUT);
}

static void on_drain_deadline(lr__timer *timer)
{
    cut(LR_CONTAINER_OF(timer, lr__part, drain_deadline));
}

static void begin_drain(lr__part *part)
{
    lr_worker *w = part->worker;
    uint32_t drain_ms = atomic_load(&part->server->drain_ms);

    part->draining = true;
    for (uint32_t i = 0; i < w->listener_count; i++) {
        if (w->listeners[i].part == part)
            lr__listener_end(&w->listeners[i]);
    }
    if (drain_ms != LR_NONE && drain_ms != 0)
        lr__timer_arm(&w->timers, &part->drain_deadline, w->now_ns + (uint64_t)drain_ms * 1000000);
    for (lr__list *node = part->conns.next; node != &part->conns; node = node->next)
        lr__conn_on_server_drain(LR_CONTAINER_OF(node, lr_conn, node));
}

void lr__part_control(lr__part *part)
{
    int drain = atomic_load(&part->server->drain);

    if (drain >= LR__DRAIN_YES && !part->draining)
        begin_drain(part);
    if (drain == LR__DRAIN_CUT && !part->cut)
        cut(part);
}

bool lr__part_is_over(const lr__part *part)
{
    const lr_worker *w = part->worker;

    for (uint32_t i = 0; i < w->listener_count; i++) {
        if (w->listeners[i].part == part && w->listeners[i].state != LR__LISTENER_CLOSED)
            return false;
    }
    return lr__list_is_empty(&part->conns);
}

void lr__part_stop(lr__part *part)
{
    LR_DCHECK(lr__part_is_over(part));
    lr__timer_cancel(&part->worker->timers, &part->drain_deadline);
    if (part->started && part->server->handlers.on_worker_stop)
        part->server->handlers.on_worker_stop(part->worker, part->server);
    part->started = false;
}
