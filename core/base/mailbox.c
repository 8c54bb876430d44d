/* SPDX-License-Identifier: MIT */
#include "core/base/mailbox.h"

#include "core/base/check.h"

#include <assert.h>
#include <stddef.h>

/* Posting from a signal handler relies on it. */
static_assert(ATOMIC_POINTER_LOCK_FREE == 2, "pointers must be lock-free");

void lr__mailbox_init(lr__mailbox *box)
{
    atomic_init(&box->head, NULL);
}

bool lr__mailbox_post(lr__mailbox *box, lr__message *message)
{
    lr__message *head = atomic_load_explicit(&box->head, memory_order_relaxed);

    LR_DCHECK(message->deliver);
    /* The owner takes the whole stack and never a part of it, so a head that was taken and posted
     * again between load and exchange is as good as the first (no ABA problem). */
    do {
        message->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&box->head, &head, message,
                                                    memory_order_release, memory_order_relaxed));
    return head == NULL;
}

lr__message *lr__mailbox_take(lr__mailbox *box)
{
    lr__message *newest, *oldest = NULL;

    /* The common turn has no mail: it only reads, and leaves the cache line to the senders. */
    if (!atomic_load_explicit(&box->head, memory_order_relaxed))
        return NULL;
    newest = atomic_exchange_explicit(&box->head, NULL, memory_order_acquire);
    while (newest) {
        lr__message *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}
