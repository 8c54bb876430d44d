/* SPDX-License-Identifier: MIT */
/* core/run/listener.c: accepting on one socket of one worker.
 *
 * A multishot accept is armed until it fails or is stopped. EMFILE, ENFILE, ENOMEM and ENOBUFS
 * leave the connection in the kernel's queue: the listener pauses, tries again after 50 ms
 * (doubling to 500) and as soon as a connection of this worker ends; it never spins. Any other
 * error is said and treated the same way, since a listener that gives up would strand its share of
 * the clients.
 *
 * Ending: the accept is cancelled, whatever it still delivers is served, then the queue is swept by
 * accept4 until it is empty, so that no connection that the kernel has acknowledged is lost. */
#include "core/run/listener.h"

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/base/status.h"
#include "core/run/conn.h"
#include "core/run/server.h"
#include "core/run/worker.h"
#include "core/run/workers.h"

#include <errno.h>

static void on_retry(lr__timer *timer)
{
    lr__listener_retry(LR_CONTAINER_OF(timer, lr__listener, retry));
}

void lr__listener_init(lr__listener *listener, struct lr_worker *w, struct lr__part *part, int sock,
                       uint32_t slot)
{
    LR_DCHECK(slot < LR__LISTENERS_MAX);
    listener->worker = w;
    listener->part = part;
    listener->sock = sock;
    listener->id = lr__id_make(slot, 1);
    listener->state = LR__LISTENER_IDLE;
    listener->retry_ms = LR__ACCEPT_RETRY_FIRST_MS;
    lr__timer_init(&listener->retry, on_retry);
}

void lr__listener_start(lr__listener *listener)
{
    LR_DCHECK(listener->state == LR__LISTENER_IDLE || listener->state == LR__LISTENER_PAUSED);
    listener->state = LR__LISTENER_ARMED;
    lr__ring_accept(listener->worker->ring, listener->sock, listener->id);
}

static void wait_for_room(lr__listener *listener, lr__listener_state state, int error)
{
    lr_worker *w = listener->worker;

    listener->state = state;
    lr__stats_add(&w->stats, LR__STAT_accept_pauses, 1);
    lr__log_limited(&w->workers->log, &w->log_limit, w->now_ns, LR_LOG_WARN,
                    "accept_paused worker=%u listener=%u error=%s retry_ms=%u", w->index,
                    lr__id_slot(listener->id), lr__errno_name(error), listener->retry_ms);
    lr__timer_arm(&w->timers, &listener->retry, w->now_ns + (uint64_t)listener->retry_ms * 1000000);
    listener->retry_ms *= 2;
    if (listener->retry_ms > LR__ACCEPT_RETRY_LAST_MS)
        listener->retry_ms = LR__ACCEPT_RETRY_LAST_MS;
}

/* Takes what the kernel has accepted on our behalf, then closes the socket. Without descriptors for
 * it the sweep waits, until its server is cut. */
static void sweep_and_close(lr__listener *listener)
{
    lr_worker *w = listener->worker;
    int sock;

    while ((sock = w->ring->backend->accept_now(w->ring, listener->sock)) >= 0)
        lr__conn_open(listener, sock);
    if (sock != -EAGAIN && !listener->part->cut) {
        wait_for_room(listener, LR__LISTENER_SWEEPING, -sock);
        return;
    }
    listener->state = LR__LISTENER_CLOSING;
    lr__ring_end(w->ring, listener->sock, listener->id, false);
}

void lr__listener_retry(lr__listener *listener)
{
    if (listener->state != LR__LISTENER_PAUSED && listener->state != LR__LISTENER_SWEEPING)
        return;
    lr__timer_cancel(&listener->worker->timers, &listener->retry);
    if (listener->state == LR__LISTENER_PAUSED)
        lr__listener_start(listener);
    else
        sweep_and_close(listener);
}

void lr__listener_on_accept(lr__listener *listener, const lr__completion *completion)
{
    if (completion->res >= 0) {
        listener->retry_ms = LR__ACCEPT_RETRY_FIRST_MS;
        lr__conn_open(listener, completion->res);
    }
    if (!completion->last)
        return;
    switch (listener->state) {
    case LR__LISTENER_ARMED:
        if (completion->res >= 0)
            lr__ring_accept(listener->worker->ring, listener->sock, listener->id);
        else
            wait_for_room(listener, LR__LISTENER_PAUSED, -completion->res);
        break;
    case LR__LISTENER_ENDING:
        sweep_and_close(listener);
        break;
    case LR__LISTENER_IDLE:
    case LR__LISTENER_PAUSED:
    case LR__LISTENER_SWEEPING:
    case LR__LISTENER_CLOSING:
    case LR__LISTENER_CLOSED:
        LR_UNREACHABLE(); /* no accept is in flight in these states */
    }
}

void lr__listener_on_close(lr__listener *listener)
{
    LR_CHECK(listener->state == LR__LISTENER_CLOSING);
    listener->state = LR__LISTENER_CLOSED;
}

void lr__listener_end(lr__listener *listener)
{
    switch (listener->state) {
    case LR__LISTENER_ARMED:
        listener->state = LR__LISTENER_ENDING;
        lr__ring_stop(listener->worker->ring, listener->id, LR__OP_ACCEPT);
        break;
    case LR__LISTENER_IDLE:
    case LR__LISTENER_PAUSED:
        lr__timer_cancel(&listener->worker->timers, &listener->retry);
        sweep_and_close(listener);
        break;
    case LR__LISTENER_ENDING:
    case LR__LISTENER_SWEEPING:
    case LR__LISTENER_CLOSING:
    case LR__LISTENER_CLOSED:
        break;
    }
}
