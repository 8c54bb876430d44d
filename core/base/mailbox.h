/* SPDX-License-Identifier: MIT */
/* core/base/mailbox.h: how any thread hands a worker something to do.
 *
 * An intrusive multi-producer, single-consumer stack that the worker takes whole and turns round,
 * so that messages of one sender arrive in order. Posting never allocates and never blocks (async-
 * signal-safe where atomics are lock-free). A message may be in one mailbox at a time. A closed
 * mailbox takes nothing, so whatever was taken by an open one is delivered.
 *
 * Crosses threads: head (docs/threads.md). Senders push with release; the owner takes with
 * acquire. */
#ifndef LR_CORE_BASE_MAILBOX_H
#define LR_CORE_BASE_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>

typedef struct lr__message {
    struct lr__message *next;
    void (*deliver)(struct lr__message *message); /* on the worker; owns the message from then on */
} lr__message;

typedef struct lr__mailbox {
    _Atomic(lr__message *) head; /* written by senders and by the owner */
} lr__mailbox;

void lr__mailbox_init(lr__mailbox *box); /* open and empty */
/* False: it is closed, and the message is still the caller's. *first: the box was empty, so the
 * owner must be woken; else somebody did it already. */
bool lr__mailbox_post(lr__mailbox *box, lr__message *message, bool *first);
/* All that is there, oldest first; null if nothing. */
lr__message *lr__mailbox_take(lr__mailbox *box);
/* Owner: what is there, and nothing more is taken until it is initialised again. */
lr__message *lr__mailbox_close(lr__mailbox *box);

#endif
