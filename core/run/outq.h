/* SPDX-License-Identifier: MIT */
/* core/run/outq.h: the plaintext that waits on a connection, in the order in which it was written:
 * copied bytes, borrowed ones, and streams.
 *
 * Copied bytes lie in chains; each borrowed slice or stream is an item with the chain of what was
 * written behind it, so a connection that only copies has one chain and no item. The queue tells
 * its owners of their end by release and done, always outside its own work: those may write again.
 * All zero is the empty queue. Worker thread. */
#ifndef LR_CORE_RUN_OUTQ_H
#define LR_CORE_RUN_OUTQ_H

#include "core/base/buf.h"

#include <lockring/conn.h>

struct lr__out_item;

typedef struct lr__outq {
    lr__chain copied; /* in front of all items */
    struct lr__out_item *first, *last;
    size_t bytes;     /* copied and borrowed, everywhere in the queue */
    uint32_t streams; /* in the queue, whether they have something now or not */
} lr__outq;

static inline bool lr__outq_is_empty(const lr__outq *q)
{
    return q->copied.bytes == 0 && !q->first;
}

/* All or nothing: false means no memory. */
bool lr__outq_copy(lr__outq *q, lr__buf_pool *pool, const lr_slice *pieces, size_t count);
bool lr__outq_take(lr__outq *q, lr_slice bytes, void (*release)(void *arg), void *arg);
bool lr__outq_source(lr__outq *q, const lr_source *source);

/* Is there anything to be had from the front now? */
bool lr__outq_has_now(const lr__outq *q);
/* The contiguous bytes in front; empty if a stream is, or nothing. */
lr_slice lr__outq_front(const lr__outq *q);
void lr__outq_consume(lr__outq *q, lr__buf_pool *pool, size_t len); /* <= the front's length */

/* The stream in front that may be asked, or null: none is, or it has nothing now. */
const lr_source *lr__outq_stream(const lr__outq *q);
void lr__outq_stream_waits(lr__outq *q);             /* its pull answered LR_EAGAIN */
void lr__outq_stream_ready(lr__outq *q);             /* the one that waits, if one does */
void lr__outq_stream_ended(lr__outq *q, lr_conn *c); /* calls done(LR_OK) */

/* Everything goes, and every owner is told (LR_ECLOSED). */
void lr__outq_drop(lr__outq *q, lr__buf_pool *pool, lr_conn *c);

#endif
