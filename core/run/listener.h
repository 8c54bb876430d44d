/* SPDX-License-Identifier: MIT */
/* core/run/listener.h: one listening socket of one worker: accepting, pausing for want of
 * descriptors or memory, and ending without losing a connection. Worker thread. */
#ifndef LR_CORE_RUN_LISTENER_H
#define LR_CORE_RUN_LISTENER_H

#include "core/base/timer.h"
#include "core/io/ring.h"

enum {
    LR__LISTENERS_MAX = 64,
    LR__ACCEPT_RETRY_FIRST_MS = 50, /* doubles up to the second */
    LR__ACCEPT_RETRY_LAST_MS = 500
};

typedef enum lr__listener_state {
    LR__LISTENER_IDLE,     /* made, not started */
    LR__LISTENER_ARMED,    /* accepting */
    LR__LISTENER_PAUSED,   /* the kernel gave no descriptor or memory: retry armed */
    LR__LISTENER_ENDING,   /* accept is being cancelled */
    LR__LISTENER_SWEEPING, /* ending, but there is no descriptor for what waits: retry armed */
    LR__LISTENER_CLOSING,  /* swept and closed; the last completion is to come */
    LR__LISTENER_CLOSED
} lr__listener_state;

struct lr_worker;
struct lr__part;

typedef struct lr__listener {
    struct lr_worker *worker;
    struct lr__part *part; /* where its connections belong */
    uint32_t index;        /* the server's number of it */
    bool is_tls, has_preface;
    int sock;
    lr__id id;
    lr__listener_state state;
    lr__timer retry;
    uint32_t retry_ms;
} lr__listener;

void lr__listener_init(lr__listener *listener, struct lr_worker *w, struct lr__part *part, int sock,
                       uint32_t slot);
void lr__listener_start(lr__listener *listener);
void lr__listener_on_accept(lr__listener *listener, const lr__completion *completion);
void lr__listener_on_close(lr__listener *listener);
/* Cancel, handle every completion, sweep until the queue is empty, close (design: drain). */
void lr__listener_end(lr__listener *listener);
/* A descriptor may be free again: a paused listener tries at once. */
void lr__listener_retry(lr__listener *listener);

#endif
