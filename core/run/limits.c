/* SPDX-License-Identifier: MIT */
#include "core/run/limits.h"

#include "core/base/status.h"
#include "core/run/conn.h"
#include "core/run/workers.h"

#include <netinet/in.h>
#include <string.h>

enum { MS = 1000000 };

/* 0: not an address that could be limited. The worker's secret keeps a client from choosing whom it
 * shares a set with. */
static uint64_t key_of(const lr__part *part, const struct sockaddr_in6 *remote)
{
    uint64_t prefix = 0;

    if (remote->sin6_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, remote, sizeof(in));
        prefix = (uint64_t)in.sin_addr.s_addr | UINT64_C(1) << 63;
    } else if (remote->sin6_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&remote->sin6_addr)) {
        uint32_t in; /* IPv4, as a listener for both families says it: no /64 of anybody's */

        memcpy(&in, &remote->sin6_addr.s6_addr[12], sizeof(in));
        prefix = (uint64_t)in | UINT64_C(1) << 63;
    } else if (remote->sin6_family == AF_INET6) {
        memcpy(&prefix, &remote->sin6_addr, sizeof(prefix)); /* the first 64 bits */
    } else {
        return 0;
    }
    prefix = (prefix ^ part->source_secret) * UINT64_C(0x9e3779b97f4a7c15);
    prefix = (prefix ^ prefix >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    prefix ^= prefix >> 32;
    return prefix != 0 ? prefix : 1;
}

static uint64_t last_used(const lr__source *source)
{
    uint64_t a = source->connections.full_ns, b = source->handshakes.full_ns;

    return a > b ? a : b;
}

static lr__source *find(lr__part *part, uint64_t key)
{
    lr__source *set = &part->sources[(key % LR__SOURCE_SETS) * LR__SOURCE_WAYS];
    lr__source *oldest = set;

    for (uint32_t i = 0; i < LR__SOURCE_WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (last_used(&set[i]) < last_used(oldest))
            oldest = &set[i];
    }
    *oldest = (lr__source){.key = key};
    return oldest;
}

/* Each worker's share of a rate; rounded up, so that a small rate is not none. */
static bool take(const lr__part *part, lr__bucket *bucket, uint32_t per_s, uint32_t burst)
{
    uint64_t count = part->server->workers->count;
    uint32_t share = (uint32_t)((burst + count - 1) / count);

    return lr__bucket_take(bucket, part->worker->now_ns, UINT64_C(1000000000) * count / per_s,
                           share);
}

bool lr__source_may_connect(lr__part *part, const struct sockaddr_in6 *remote)
{
    const lr__source_rates *rates = &part->server->rates;
    uint64_t key = rates->connections != 0 ? key_of(part, remote) : 0;

    return key == 0 ||
           take(part, &find(part, key)->connections, rates->connections, rates->connections_burst);
}

bool lr__source_may_shake_hands(lr__part *part, const struct sockaddr_in6 *remote)
{
    const lr__source_rates *rates = &part->server->rates;
    uint64_t key = rates->handshakes != 0 ? key_of(part, remote) : 0;

    return key == 0 ||
           take(part, &find(part, key)->handshakes, rates->handshakes, rates->handshakes_burst);
}

void lr__half_open_enter(lr_conn *c)
{
    lr__part *part = c->part;

    lr__list_append(&part->half_open, &c->half_open);
    if (++part->half_open_count <= part->server->half_open_max)
        return;
    lr__conn_fail_as(LR_CONTAINER_OF(part->half_open.next, lr_conn, half_open), LR_EHALFOPEN,
                     lr_status_text(LR_EHALFOPEN));
}

void lr__half_open_leave(lr_conn *c)
{
    if (lr__list_is_empty(&c->half_open))
        return;
    lr__list_remove(&c->half_open);
    c->part->half_open_count--;
}

bool lr__conn_count_unproductive(lr_conn *c)
{
    lr_status status = LR_ERECORDS;
    lr_error why;

    if (lr__bucket_take(&c->unproductive, c->worker->now_ns, 1000 / LR__UNPRODUCTIVE_PER_S * MS,
                        LR__UNPRODUCTIVE_BURST))
        return true;
    if (lr__engine_saw_key_update(c->engine))
        status = LR_EKEYUPDATES;
    (void)lr__fail(&why, status, "%s", lr_status_text(status));
    why.tls_alert = LR__ALERT_UNEXPECTED_MESSAGE;
    lr__engine_alert(c->engine, LR__ALERT_UNEXPECTED_MESSAGE);
    lr__conn_fail(c, &why, true);
    return false;
}

static uint64_t after(uint64_t from_ns, uint32_t ms)
{
    return ms == LR_NONE ? UINT64_MAX : from_ns + (uint64_t)ms * MS;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Neither idleness nor a stall moves the timer with every byte: it looks when it fires. */
void lr__conn_arm_open(lr_conn *c)
{
    const lr_server *s = c->part->server;
    uint64_t now_ns = c->worker->now_ns;
    uint64_t next = after(c->opened_ns, s->lifetime_ms);

    next = earlier(next, after(c->active_ns, s->idle_timeout_ms));
    if (c->renegotiating)
        next = earlier(next, after(c->renegotiation_ns, s->handshake_timeout_ms));
    next = earlier(next, after(c->send_armed ? c->send_ns : now_ns, s->write_timeout_ms));
    if (next == UINT64_MAX)
        lr__timer_cancel(&c->worker->timers, &c->deadline);
    else
        lr__timer_arm(&c->worker->timers, &c->deadline, next);
}

static void end_politely(lr_conn *c, lr_status status, const char *what, uint32_t ms)
{
    lr_error why;

    (void)lr__fail(&why, status, what, ms);
    lr__conn_end_because(c, &why);
}

void lr__conn_open_deadline(lr_conn *c)
{
    const lr_server *s = c->part->server;
    uint64_t now_ns = c->worker->now_ns;

    if (c->send_armed && now_ns >= after(c->send_ns, s->write_timeout_ms)) {
        lr_conn_abort(c, LR_EWRITE_TIMEOUT);
    } else if (c->renegotiating && now_ns >= after(c->renegotiation_ns, s->handshake_timeout_ms)) {
        lr__conn_fail_as(c, LR_EHANDSHAKE_TIMEOUT,
                         c->cert_requested
                             ? "the client did not answer the request for its certificate in time"
                             : "the renegotiation took too long");
    } else if (now_ns >= after(c->active_ns, s->idle_timeout_ms)) {
        /* Where the peer does not take what waits, or a stream has nothing to say, a polite end
         * would make what was cut look whole. */
        if (lr_conn_queued(c) != 0 || !lr__outq_is_empty(&c->queue))
            lr_conn_abort(c, LR_EIDLE_TIMEOUT);
        else
            end_politely(c, LR_EIDLE_TIMEOUT, "no byte for %u ms", s->idle_timeout_ms);
    } else if (now_ns >= after(c->opened_ns, s->lifetime_ms)) {
        end_politely(c, LR_ELIFETIME, "open for %u ms", s->lifetime_ms);
    } else {
        lr__conn_arm_open(c);
    }
}
