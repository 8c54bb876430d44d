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
#include "core/io/socket.h"
#include "core/run/hooks.h"
#include "core/run/steer.h"
#include "core/run/worker.h"
#include "core/run/workers.h"
#include "core/tls/context.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    HANDSHAKE_TIMEOUT_MS = 10000,
    HANDSHAKE_TIMEOUT_NODE4_MS = 120000,
    BACKLOG = 4096,
    CONN_USER_SIZE_MAX = 65536,
    WORKER_USER_SIZE_MAX = 1 << 20,
    HALF_OPEN_MAX = 16384
};

static void on_drain_deadline(lr__timer *timer);

static void adopt_rate(uint32_t *rate, uint32_t *burst, uint32_t given, uint32_t given_burst)
{
    *rate = given == LR_NONE ? 0 : given;
    *burst = given_burst != 0 ? given_burst : *rate;
}

static void adopt_rates(lr__source_rates *rates, const lr_server_options *options)
{
    adopt_rate(&rates->connections, &rates->connections_burst, options->source_connections_per_s,
               options->source_connections_burst);
    adopt_rate(&rates->handshakes, &rates->handshakes_burst, options->source_handshakes_per_s,
               options->source_handshakes_burst);
}

static uint32_t handshake_timeout(const lr_server_options *options)
{
    if (options->handshake_timeout_ms != 0)
        return options->handshake_timeout_ms;
    return options->context && options->context->node4 ? HANDSHAKE_TIMEOUT_NODE4_MS
                                                       : HANDSHAKE_TIMEOUT_MS;
}

static lr_status adopt(lr_server *s, const lr_server_options *given, const char *name,
                       lr_error *err)
{
    lr_server_options options;

    LR_TRY(lr__options_adopt(&options, sizeof(options), given, name, err));
    if (!options.handlers)
        return lr__fail(err, LR_EOPTION, "%s: handlers is missing", name);
    LR_TRY(
        lr__options_adopt(&s->handlers, sizeof(s->handlers), options.handlers, "lr_handlers", err));
    if (options.conn_user_size > CONN_USER_SIZE_MAX)
        return lr__fail(err, LR_EOPTION, "conn_user_size: %u is above %d", options.conn_user_size,
                        CONN_USER_SIZE_MAX);
    if (options.worker_user_size > WORKER_USER_SIZE_MAX)
        return lr__fail(err, LR_EOPTION, "worker_user_size: %u is above %d",
                        options.worker_user_size, WORKER_USER_SIZE_MAX);
    if (options.fragment_size_max != 0 && (options.fragment_size_max < LR__FRAGMENT_MIN ||
                                           options.fragment_size_max > LR__FRAGMENT_MAX))
        return lr__fail(err, LR_EOPTION, "fragment_size_max: %u is not in %d..%d",
                        options.fragment_size_max, LR__FRAGMENT_MIN, LR__FRAGMENT_MAX);
    s->user = options.user;
    s->conn_user_size = options.conn_user_size;
    s->worker_user_size = options.worker_user_size;
    s->connection_count_max = options.connection_count_max ? options.connection_count_max : LR_NONE;
    s->on_refused = options.on_refused;
    s->handshake_timeout_ms = handshake_timeout(&options);
    s->idle_timeout_ms = options.idle_timeout_ms ? options.idle_timeout_ms : LR_NONE;
    s->write_timeout_ms = options.write_timeout_ms ? options.write_timeout_ms : LR_NONE;
    s->lifetime_ms = options.lifetime_ms ? options.lifetime_ms : LR_NONE;
    s->half_open_max = options.half_open_max ? options.half_open_max : HALF_OPEN_MAX;
    adopt_rates(&s->rates, &options);
    s->fragment_size_max = options.fragment_size_max ? options.fragment_size_max : LR__FRAGMENT_MAX;
    s->has_context = options.context != NULL;
    s->keep_ja4 = options.keep_ja4 == LR_ON;
    return lr__publication_init(&s->publication, options.context, options.refuse_unknown_name, err);
}

/* The table of sources of one part, where a rate needs it. */
static bool make_sources(lr__part *part)
{
    const lr__source_rates *rates = &part->server->rates;

    if (rates->connections == 0 && rates->handshakes == 0)
        return true;
    part->sources = lr__alloc_zero(LR__SOURCE_SETS * LR__SOURCE_WAYS, sizeof(*part->sources));
    return part->sources != NULL;
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
        lr__part_adopt(part);
        lr__list_init(&part->conns);
        lr__list_init(&part->half_open);
        if (!make_sources(part))
            return lr__fail(err, LR_ENOMEM, "lr_server: out of memory");
        lr__timer_init(&part->drain_deadline, on_drain_deadline);
        lr__slab_init(&part->users, s->conn_user_size ? s->conn_user_size : 1, LR__CONNECTIONS_MAX);
        if (s->worker_user_size == 0)
            continue;
        part->worker_user = lr__alloc_zero(1, s->worker_user_size);
        if (!part->worker_user)
            return lr__fail(err, LR_ENOMEM, "lr_server: out of memory");
    }
    return LR_OK;
}

static void free_parts(lr_server *s)
{
    for (uint32_t i = 0; s->parts && i < s->workers->count; i++) {
        lr__free(s->parts[i].worker_user);
        lr__free(s->parts[i].sources);
    }
    lr__free(s->parts);
    lr__publication_fini(&s->publication);
}

lr_status lr__server_init(lr_server *s, lr_workers *on, const lr_server_options *options,
                          const char *name, lr_error *err)
{
    uint32_t index = 0;
    lr_status status;

    if (atomic_load(&on->begun))
        return lr__fail(err, LR_ESTATE, "%s: the workers have been started", name);
    while (index < on->server_count && on->servers[index])
        index++;
    if (index == LR__SERVERS_MAX)
        return lr__fail(err, LR_EOPTION, "%s: more than %d servers and clients", name,
                        LR__SERVERS_MAX);
    s->workers = on;
    status = adopt(s, options, name, err);
    if (status == LR_OK)
        status = make_parts(s, err);
    if (status != LR_OK) {
        free_parts(s);
        return status;
    }
    s->index = index;
    on->servers[index] = s;
    if (index == on->server_count)
        on->server_count++;
    return LR_OK;
}

lr_status lr_server_new(lr_workers *on, const lr_server_options *options, lr_server **out,
                        lr_error *err)
{
    lr_server *s;
    lr_status status;

    LR_BUG_IF(!on || !out, LR_EINVAL);
    *out = NULL;
    s = lr__alloc_zero(1, sizeof(*s));
    if (!s)
        return lr__fail(err, LR_ENOMEM, "lr_server: out of memory");
    status = lr__server_init(s, on, options, "lr_server_options", err);
    if (status != LR_OK) {
        lr__free(s);
        return status;
    }
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
    case ENOENT: /* these of paths */
    case ENOTDIR:
    case ELOOP:
        return LR_EADDRESS;
    default:
        return LR_ESYSTEM;
    }
}

static lr_status fail_listen(int error, const struct sockaddr_storage *address, socklen_t len,
                             lr_error *err)
{
    char text[128];

    lr__address_text(address, len, text, sizeof(text));
    return lr__fail_sys(err, status_of_listen(error), error, "listen on %s", text);
}

/* A unix socket: there is no SO_REUSEPORT, so all workers accept from one queue. */
static lr_status bind_unix(lr_server *s, const lr_listen_options *options,
                           const struct sockaddr_storage *address, socklen_t len, int *socks,
                           lr_error *err)
{
    lr_workers *on = s->workers;
    lr__listen_options listen = {.address = (const struct sockaddr *)address,
                                 .address_len = len,
                                 .backlog = options->backlog ? (int)options->backlog : BACKLOG,
                                 .incoming_cpu = -1};

    for (uint32_t i = 0; i < on->count; i++) {
        socks[i] = i == 0 ? on->backend->listen(on->world, &listen)
                          : on->backend->listen_dup(on->world, socks[0]);
        if (socks[i] < 0)
            return fail_listen(-socks[i], address, len, err);
    }
    return LR_OK;
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

    for (uint32_t i = 0; i < on->count; i++) {
        listen.incoming_cpu = steer ? on->list[i]->cpu : -1;
        listen.exclusive = i == 0 && !options->share_port;
        socks[i] = on->backend->listen(on->world, &listen);
        if (socks[i] < 0)
            return fail_listen(-socks[i], address, len, err);
        if (i == 0) { /* the others join the port that the kernel chose */
            int ret = on->backend->sock_name(on->world, socks[0], false, address, &len);

            if (ret != 0)
                return fail_listen(-ret, address, len, err);
        }
    }
    return LR_OK;
}

static lr_status bind_host(lr_server *s, const lr_listen_options *options,
                           struct sockaddr_storage *address, socklen_t *len, int *socks,
                           lr_error *err)
{
    if (options->path) {
        LR_TRY(lr__address_unix(options->path, address, len, err));
        return bind_unix(s, options, address, *len, socks, err);
    }
    if (options->host) {
        LR_TRY(lr__address_resolve(options->host, options->port, address, len, err));
        return bind_all(s, options, address, *len, socks, err);
    }
    /* Where the system has no IPv6 the socket layer takes every IPv4 address instead. */
    LR_TRY(lr__address_resolve("::", options->port, address, len, err));
    return bind_all(s, options, address, *len, socks, err);
}

/* The same on every worker: the first that no server has. */
static uint32_t free_listener(const lr_workers *on)
{
    const lr_worker *w = on->list[0];
    uint32_t slot = 0;

    while (slot < w->listener_count && w->listeners[slot].part)
        slot++;
    return slot;
}

static void keep_listeners(lr_server *s, const struct sockaddr_storage *address, socklen_t len,
                           const lr_listen_options *options, const int *socks)
{
    lr_workers *on = s->workers;
    lr__bound *bound = &s->bound[s->bound_count];
    uint32_t slot = free_listener(on);

    lr__address_text(address, len, bound->text, sizeof(bound->text));
    bound->port = lr__address_port(address);
    bound->address = *address;
    bound->address_len = len;
    for (uint32_t i = 0; i < on->count; i++) {
        lr_worker *w = on->list[i];
        lr__listener *listener = &w->listeners[slot];

        lr__listener_init(listener, w, &s->parts[i], socks[i], slot);
        listener->index = s->bound_count;
        listener->is_tls = !options->plain;
        listener->has_preface = options->preface;
        if (slot == w->listener_count)
            w->listener_count++;
    }
    s->bound_count++;
}

static lr_status check_listen(const lr_server *s, const lr_listen_options *options, lr_error *err)
{
    if (atomic_load(&s->workers->begun))
        return lr__fail(err, LR_ESTATE, "lr_server_listen: the workers have been started");
    if (free_listener(s->workers) == LR__LISTENERS_MAX)
        return lr__fail(err, LR_EOPTION, "lr_server_listen: more than %d listeners",
                        LR__LISTENERS_MAX);
    if (options->path && (options->host || options->port || options->share_port))
        return lr__fail(err, LR_EOPTION, "lr_listen_options: path goes with no host and port");
    if (!options->plain && !s->has_context)
        return lr__fail(err, LR_EOPTION, "lr_listen_options: a server without context is plain");
    if (options->preface && !s->handlers.on_preface)
        return lr__fail(err, LR_EOPTION, "lr_listen_options: preface needs on_preface");
    return LR_OK;
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
    LR_TRY(check_listen(s, &adopted, err));
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
    keep_listeners(s, &address, len, &adopted, socks);
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

void *lr_server_worker_user(const lr_server *s, const lr_worker *w)
{
    LR_BUG_IF(!s || !w || w->workers != s->workers, NULL);
    return s->parts[w->index].worker_user;
}

bool lr__part_take_place(lr__part *part)
{
    lr_server *s = part->server;
    uint32_t taken;

    if (s->connection_count_max == LR_NONE)
        return true;
    taken = atomic_load_explicit(&s->places, memory_order_relaxed);
    while (taken < s->connection_count_max) {
        /* Not added and taken back: in between another worker would refuse without need. */
        if (atomic_compare_exchange_weak_explicit(&s->places, &taken, taken + 1,
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    }
    return false;
}

void lr__part_give_place(lr__part *part)
{
    lr_server *s = part->server;

    if (s->connection_count_max != LR_NONE)
        atomic_fetch_sub_explicit(&s->places, 1, memory_order_relaxed);
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

void lr__server_fini(lr_server *s)
{
    LR_CHECK(!lr__workers_are_running(s->workers));
    close_idle_listeners(s);
    for (uint32_t i = 0; i < s->workers->count; i++)
        lr__slab_fini(&s->parts[i].users);
    for (uint32_t i = 0; i < s->bound_count; i++) {
        if (s->bound[i].address.ss_family == AF_UNIX)
            lr__socket_unlink((struct sockaddr *)&s->bound[i].address, s->bound[i].address_len);
    }
    s->workers->servers[s->index] = NULL;
    free_parts(s);
    lr__free(s->bound);
}

void lr_server_free(lr_server *s)
{
    if (!s)
        return;
    lr__server_fini(s);
    lr__free(s);
}

/* The rest runs on the part's worker. */

void lr__part_start(lr__part *part)
{
    lr_worker *w = part->worker;

    part->started = true;
    if (part->sources &&
        !w->ring->backend->random(w->ring, &part->source_secret, sizeof(part->source_secret)))
        part->source_secret = w->now_ns; /* only a guess of who shares a set is lost */
    if (!part->server->is_client)
        lr__hook_worker(w, part->server, LR__HOOK_WORKER_START,
                        part->server->handlers.on_worker_start);
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

    lr__part_adopt(part);
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
    if (part->started && !part->server->is_client)
        lr__hook_worker(part->worker, part->server, LR__HOOK_WORKER_STOP,
                        part->server->handlers.on_worker_stop);
    part->started = false;
}
