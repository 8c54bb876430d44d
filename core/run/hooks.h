/* SPDX-License-Identifier: MIT */
/* core/run/hooks.h: the one place from which each hook of a program is called.
 *
 * Around each call the worker's hook word says which one it is in, so that the watchdog can name a
 * hook that does not return. A null hook costs one test. Worker thread. */
#ifndef LR_CORE_RUN_HOOKS_H
#define LR_CORE_RUN_HOOKS_H

#include "core/run/conn.h"

#define LR__HOOKS(X)                                                                               \
    X(NONE, "")                                                                                    \
    X(WORKER_START, "on_worker_start")                                                             \
    X(WORKER_STOP, "on_worker_stop")                                                               \
    X(REFUSED, "on_refused")                                                                       \
    X(OPEN, "on_open")                                                                             \
    X(CLIENT_ERROR, "on_client_error")                                                             \
    X(SECURE, "on_secure")                                                                         \
    X(DATA, "on_data")                                                                             \
    X(DRAIN, "on_drain")                                                                           \
    X(END, "on_end")                                                                               \
    X(SERVER_DRAIN, "on_server_drain")                                                             \
    X(CLOSE, "on_close")                                                                           \
    X(PULL, "pull")                                                                                \
    X(TIMER, "timer")                                                                              \
    X(WATCH, "watch")                                                                              \
    X(FILE, "file")                                                                                \
    X(HELLO, "on_hello")                                                                           \
    X(SNI, "on_sni")                                                                               \
    X(OCSP_REQUEST, "on_ocsp_request")                                                             \
    X(RESUME, "on_resume")                                                                         \
    X(NEW_SESSION, "on_new_session")                                                               \
    X(ASK_CANCELLED, "on_ask_cancelled")                                                           \
    X(PREFACE, "on_preface")                                                                       \
    X(POST, "post")                                                                                \
    X(PEER_CERT, "on_peer_cert")

#define LR__HOOK_ENUM(name, text) LR__HOOK_##name,
typedef enum lr__hook { LR__HOOKS(LR__HOOK_ENUM) LR__HOOK_COUNT } lr__hook;
#undef LR__HOOK_ENUM

const char *lr__hook_name(lr__hook hook); /* "on_data"; static */

/* The worker's hook word: a number of the call above, the hook in the low byte. Hooks nest (a write
 * inside on_data may release what was borrowed), so leaving puts back what entering found. */
static inline uint64_t lr__hook_enter(lr_worker *w, lr__hook hook)
{
    uint64_t before = atomic_load_explicit(&w->hook, memory_order_relaxed);

    w->hook_calls++;
    atomic_store_explicit(&w->hook, w->hook_calls << 8 | (uint64_t)hook, memory_order_relaxed);
    return before;
}

static inline void lr__hook_leave(lr_worker *w, uint64_t before)
{
    atomic_store_explicit(&w->hook, before, memory_order_relaxed);
}

static inline bool lr__hook_conn(lr_conn *c, lr__hook hook, void (*fn)(lr_conn *c))
{
    lr_worker *w = c->worker;
    uint64_t before;

    if (!fn)
        return false;
    before = lr__hook_enter(w, hook);
    fn(c);
    lr__hook_leave(w, before);
    return true;
}

static inline void lr__hook_data(lr_conn *c, lr_slice bytes)
{
    void (*fn)(lr_conn *, lr_slice) = c->part->server->handlers.on_data;
    lr_worker *w = c->worker;
    uint64_t before;

    if (!fn)
        return;
    before = lr__hook_enter(w, LR__HOOK_DATA);
    fn(c, bytes);
    lr__hook_leave(w, before);
}

static inline void lr__hook_why(lr_conn *c, lr__hook hook,
                                void (*fn)(lr_conn *c, const lr_error *why), const lr_error *why)
{
    lr_worker *w = c->worker;
    uint64_t before;

    if (!fn)
        return;
    before = lr__hook_enter(w, hook);
    fn(c, why);
    lr__hook_leave(w, before);
}

static inline void lr__hook_worker(lr_worker *w, lr_server *s, lr__hook hook,
                                   void (*fn)(lr_worker *w, lr_server *s))
{
    uint64_t before;

    if (!fn)
        return;
    before = lr__hook_enter(w, hook);
    fn(w, s);
    lr__hook_leave(w, before);
}

#endif
