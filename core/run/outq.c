/* SPDX-License-Identifier: MIT */
#include "core/run/outq.h"

#include "core/base/check.h"
#include "core/base/mem.h"

typedef struct lr__out_item {
    struct lr__out_item *next;
    lr_slice borrowed; /* what is left of it */
    void (*release)(void *arg);
    lr_source source; /* pull is null in an item of borrowed bytes */
    void *arg;
    bool waits;      /* the source has nothing now */
    lr__chain after; /* copied bytes behind the item */
} out_item;

bool lr__outq_copy(lr__outq *q, lr__buf_pool *pool, const lr_slice *pieces, size_t count)
{
    lr__chain *chain = q->last ? &q->last->after : &q->copied;
    size_t before = chain->bytes;

    if (!lr__chain_appendv(chain, pool, pieces, count))
        return false;
    q->bytes += chain->bytes - before;
    return true;
}

static out_item *append(lr__outq *q)
{
    out_item *item = lr__alloc_zero(1, sizeof(*item));

    if (!item)
        return NULL;
    if (q->last)
        q->last->next = item;
    else
        q->first = item;
    q->last = item;
    return item;
}

bool lr__outq_take(lr__outq *q, lr_slice bytes, void (*release)(void *arg), void *arg)
{
    out_item *item = append(q);

    LR_DCHECK(bytes.len > 0);
    if (!item)
        return false;
    item->borrowed = bytes;
    item->release = release;
    item->arg = arg;
    q->bytes += bytes.len;
    return true;
}

bool lr__outq_source(lr__outq *q, const lr_source *source)
{
    out_item *item = append(q);

    LR_DCHECK(source->pull != NULL);
    if (!item)
        return false;
    item->source = *source;
    q->streams++;
    return true;
}

bool lr__outq_has_now(const lr__outq *q)
{
    return q->copied.bytes != 0 || (q->first && !q->first->waits);
}

lr_slice lr__outq_front(const lr__outq *q)
{
    if (q->copied.bytes != 0 || !q->first)
        return lr__chain_front(&q->copied);
    return q->first->borrowed;
}

/* Takes the first item out; what was written behind it comes to the front. */
static out_item take_first(lr__outq *q)
{
    out_item item = *q->first;

    LR_DCHECK(q->copied.bytes == 0);
    lr__free(q->first);
    q->first = item.next;
    if (!q->first)
        q->last = NULL;
    q->copied = item.after;
    if (item.source.pull)
        q->streams--;
    return item;
}

void lr__outq_consume(lr__outq *q, lr__buf_pool *pool, size_t len)
{
    LR_DCHECK(len <= q->bytes);
    q->bytes -= len;
    if (q->copied.bytes != 0) {
        lr__chain_consume(&q->copied, pool, len);
        return;
    }
    LR_CHECK(q->first && len <= q->first->borrowed.len);
    q->first->borrowed.bytes += len;
    q->first->borrowed.len -= len;
    if (q->first->borrowed.len == 0) {
        out_item item = take_first(q);

        if (item.release)
            item.release(item.arg);
    }
}

static bool is_stream(const lr__outq *q)
{
    return q->copied.bytes == 0 && q->first && q->first->source.pull;
}

const lr_source *lr__outq_stream(const lr__outq *q)
{
    return is_stream(q) && !q->first->waits ? &q->first->source : NULL;
}

void lr__outq_stream_waits(lr__outq *q)
{
    LR_DCHECK(is_stream(q));
    q->first->waits = true;
}

void lr__outq_stream_ready(lr__outq *q)
{
    if (q->first)
        q->first->waits = false;
}

void lr__outq_stream_ended(lr__outq *q, lr_conn *c)
{
    out_item item;

    LR_CHECK(is_stream(q));
    item = take_first(q);
    if (item.source.done)
        item.source.done(c, LR_OK, item.source.arg);
}

static void drop_copied(lr__outq *q, lr__buf_pool *pool)
{
    q->bytes -= q->copied.bytes;
    lr__chain_drop(&q->copied, pool);
}

void lr__outq_drop(lr__outq *q, lr__buf_pool *pool, lr_conn *c)
{
    drop_copied(q, pool);
    while (q->first) {
        out_item item = take_first(q);

        q->bytes -= item.borrowed.len;
        drop_copied(q, pool);
        if (item.source.pull && item.source.done)
            item.source.done(c, LR_ECLOSED, item.source.arg);
        else if (!item.source.pull && item.release)
            item.release(item.arg);
    }
    LR_DCHECK(q->bytes == 0 && q->streams == 0);
}
