/* SPDX-License-Identifier: MIT */
#include "core/base/mailbox.h"

#include "core/base/check.h"

#include <assert.h>
#include <stddef.h>

/* Posting from a signal handler relies on it. */
static_assert(ATOMIC_POINTER_LOCK_FREE == 2, "pointers must be lock-free");

/* The head of a closed mailbox. It is in no list. */
static lr__message closed;

void lr__mailbox_init(lr__mailbox *box)
{
    atomic_store(&box->head, NULL);
}

bool lr__mailbox_post(lr__mailbox *box, lr__message *message, bool *first)
{
    lr__message *head = atomic_load_explicit(&box->head, memory_order_relaxed);

    LR_DCHECK(message->deliver);
    /* The owner takes the whole stack and never a part of it, so a head that was taken and posted
     * again between load and exchange is as good as the first (no ABA problem). */
    do {
        if (head == &closed)
            return false;
        message->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&box->head, &head, message,
                                                    memory_order_release, memory_order_relaxed));
    *first = head == NULL;
    return true;
}

/* From newest first to oldest first. */
static lr__message *turn_round(lr__message *newest)
{
    lr__message *oldest = NULL;

    while (newest) {
        lr__message *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

lr__message *lr__mailbox_take(lr__mailbox *box)
{
    /* The common turn has no mail: it only reads, and leaves the cache line to the senders. */
    if (!atomic_load_explicit(&box->head, memory_order_relaxed))
        return NULL;
    LR_DCHECK(atomic_load_explicit(&box->head, memory_order_relaxed) != &closed);
    return turn_round(atomic_exchange_explicit(&box->head, NULL, memory_order_acquire));
}

lr__message *lr__mailbox_close(lr__mailbox *box)
{
    lr__message *newest = atomic_exchange_explicit(&box->head, &closed, memory_order_acquire);

    return newest == &closed ? NULL : turn_round(newest);
}
