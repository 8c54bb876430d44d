/* SPDX-License-Identifier: MIT */
/* core/base/buf.c: contiguous byte buffers from a worker's pool, and chains of them.
 *
 * The pool owns its free blocks, a stack per size class; whoever took a block owns it until it is
 * given back. A free block's first word links to the next one. Under AddressSanitizer the whole
 * block is poisoned while it is free, the link too: take_free() opens it before it reads.
 *
 * Every capacity tells its class: the three sizes are those of pooled blocks, and an exact block is
 * always larger than the largest of them.
 *
 * A chain is a list of blocks, each with a header and at most one record's plaintext behind it.
 * Pieces are wiped as they are given back, over the bytes they held. */
#include "core/base/buf.h"

#include "core/base/check.h"
#include "core/base/mem.h"

#include <assert.h>
#include <string.h>

static const uint32_t class_sizes[LR__BLOCK_CLASSES] = {LR__BLOCK_SMALL, LR__BLOCK_RECORD,
                                                        LR__BLOCK_SEND};

/* The class whose blocks hold need bytes, LR__BLOCK_CLASSES if it takes an exact block. */
static uint32_t class_of(size_t need)
{
    uint32_t kind = 0;

    while (kind < LR__BLOCK_CLASSES && need > class_sizes[kind])
        kind++;
    return kind;
}

static void *take_free(lr__buf_pool *pool, uint32_t kind)
{
    void *block = pool->free[kind];

    LR_UNPOISON(block, class_sizes[kind]);
    memcpy(&pool->free[kind], block, sizeof(void *));
    pool->free_count[kind]--;
    return block;
}

void lr__buf_pool_init(lr__buf_pool *pool)
{
    memset(pool, 0, sizeof *pool);
}

void lr__buf_pool_fini(lr__buf_pool *pool)
{
    LR_CHECK(pool->live == 0 && pool->live_bytes == 0);
    for (uint32_t kind = 0; kind < LR__BLOCK_CLASSES; kind++) {
        while (pool->free[kind])
            lr__free(take_free(pool, kind));
        LR_CHECK(pool->free_count[kind] == 0);
    }
}

void *lr__block_take(lr__buf_pool *pool, size_t need, uint32_t *cap)
{
    uint32_t kind = class_of(need);
    size_t size = kind < LR__BLOCK_CLASSES ? class_sizes[kind] : need;
    void *block;

    if (size > UINT32_MAX)
        return NULL;
    if (kind < LR__BLOCK_CLASSES && pool->free[kind])
        block = take_free(pool, kind);
    else
        block = lr__alloc(size);
    if (!block)
        return NULL;
    pool->live++;
    pool->live_bytes += size;
    *cap = (uint32_t)size;
    return block;
}

void lr__block_give(lr__buf_pool *pool, void *block, uint32_t cap)
{
    uint32_t kind = class_of(cap);

    if (!block)
        return;
    LR_CHECK(kind == LR__BLOCK_CLASSES || cap == class_sizes[kind]);
    LR_CHECK(pool->live > 0 && pool->live_bytes >= cap);
    pool->live--;
    pool->live_bytes -= cap;
    if (kind == LR__BLOCK_CLASSES || pool->free_count[kind] == LR__BLOCK_KEEP) {
        lr__free(block);
        return;
    }
    memcpy(block, &pool->free[kind], sizeof(void *));
    pool->free[kind] = block;
    pool->free_count[kind]++;
    LR_POISON(block, cap);
}

void lr__block_give_wiped(lr__buf_pool *pool, void *block, uint32_t cap)
{
    if (block)
        lr__wipe(block, cap);
    lr__block_give(pool, block, cap);
}

static void give_block(lr__buf *buf, lr__buf_pool *pool)
{
    if (buf->wipe)
        lr__block_give_wiped(pool, buf->block, buf->cap);
    else
        lr__block_give(pool, buf->block, buf->cap);
}

/* Moving within the block costs time but no memory. Up to a record's block that is always right;
 * in a larger one only if at least a quarter as much was consumed as is moved, so that a long
 * queue which shrinks and grows by small steps does not move all of itself each time. */
static bool is_worth_moving(const lr__buf *buf, size_t wanted)
{
    uint32_t len = lr__buf_len(buf);

    return wanted <= buf->cap && (buf->cap <= LR__BLOCK_RECORD || buf->start >= len / 4);
}

bool lr__buf_reserve(lr__buf *buf, lr__buf_pool *pool, size_t need)
{
    uint32_t len = lr__buf_len(buf), cap;
    size_t wanted;
    uint8_t *block;

    LR_DCHECK(buf->start <= buf->end && buf->end <= buf->cap);
    if (need <= buf->cap - buf->end && buf->block)
        return true;
    if (__builtin_add_overflow(len, need, &wanted))
        return false;
    if (buf->block && is_worth_moving(buf, wanted)) {
        memmove(buf->block, buf->block + buf->start, len);
        buf->start = 0;
        buf->end = len;
        return true;
    }
    /* Exact blocks grow by half at least, so that many small appends copy each byte few times. */
    if (len > 0 && wanted > LR__BLOCK_SEND && wanted < (size_t)len + len / 2)
        wanted = (size_t)len + len / 2;
    block = lr__block_take(pool, wanted, &cap);
    if (!block)
        return false;
    if (len > 0)
        memcpy(block, buf->block + buf->start, len);
    give_block(buf, pool);
    buf->block = block;
    buf->start = 0;
    buf->end = len;
    buf->cap = cap;
    return true;
}

bool lr__buf_append(lr__buf *buf, lr__buf_pool *pool, lr_slice bytes)
{
    if (bytes.len == 0)
        return true;
    if (!lr__buf_reserve(buf, pool, bytes.len))
        return false;
    memcpy(buf->block + buf->end, bytes.bytes, bytes.len);
    buf->end += (uint32_t)bytes.len;
    return true;
}

void lr__buf_consume(lr__buf *buf, lr__buf_pool *pool, size_t len)
{
    LR_CHECK(len <= lr__buf_len(buf));
    buf->start += (uint32_t)len;
    if (buf->start == buf->end)
        lr__buf_drop(buf, pool);
}

void lr__buf_drop(lr__buf *buf, lr__buf_pool *pool)
{
    give_block(buf, pool);
    buf->block = NULL;
    buf->start = buf->end = buf->cap = 0;
}

typedef struct lr__chain_piece {
    struct lr__chain_piece *next;
    uint32_t start, end; /* the bytes that wait, in bytes[] */
    uint32_t size;       /* of bytes[] */
    uint32_t cap;        /* of the block */
    uint8_t bytes[];
} piece;

static_assert(sizeof(piece) + LR__CHAIN_PIECE <= LR__BLOCK_RECORD, "a piece fits its block");

static void give_piece(lr__buf_pool *pool, piece *p)
{
    lr__wipe(p->bytes, p->end);
    lr__block_give(pool, p, p->cap);
}

static void give_pieces(lr__buf_pool *pool, piece *p)
{
    while (p) {
        piece *next = p->next;

        give_piece(pool, p);
        p = next;
    }
}

static piece *take_piece(lr__buf_pool *pool, size_t block_size)
{
    uint32_t cap;
    piece *p = lr__block_take(pool, block_size, &cap);
    size_t size;

    if (!p)
        return NULL;
    size = cap - sizeof *p;
    *p = (piece){.size = (uint32_t)(size < LR__CHAIN_PIECE ? size : LR__CHAIN_PIECE), .cap = cap};
    return p;
}

/* Empty pieces for len bytes, linked; null: no memory. */
static piece *take_pieces(lr__buf_pool *pool, size_t len, bool may_be_small)
{
    piece *first = NULL, **tail = &first;
    size_t room = 0;

    while (room < len) {
        bool is_small = may_be_small && len <= LR__BLOCK_SMALL - sizeof(piece);
        piece *p = take_piece(pool, is_small ? LR__BLOCK_SMALL : LR__BLOCK_RECORD);

        if (!p) {
            give_pieces(pool, first);
            return NULL;
        }
        *tail = p;
        tail = &p->next;
        room += p->size;
    }
    return first;
}

/* Copies what fits into p and returns the rest. */
static lr_slice fill_piece(piece *p, lr_slice bytes)
{
    size_t room = p->size - p->end;
    size_t len = bytes.len < room ? bytes.len : room;

    memcpy(p->bytes + p->end, bytes.bytes, len);
    p->end += (uint32_t)len;
    return lr_slice_of(bytes.bytes + len, bytes.len - len);
}

bool lr__chain_appendv(lr__chain *chain, lr__buf_pool *pool, const lr_slice *pieces, size_t count)
{
    size_t room = chain->last ? chain->last->size - chain->last->end : 0;
    piece *more = NULL, *at;
    size_t len = 0;

    for (size_t i = 0; i < count; i++)
        len += pieces[i].len;
    if (len == 0)
        return true;
    if (len > room) {
        more = take_pieces(pool, len - room, !chain->last);
        if (!more)
            return false;
    }
    at = room > 0 ? chain->last : more;
    if (!chain->first)
        chain->first = more;
    else
        chain->last->next = more;
    for (size_t i = 0; i < count; i++) {
        lr_slice left = pieces[i];

        while (left.len > 0) {
            if (at->end == at->size)
                at = at->next;
            left = fill_piece(at, left);
        }
    }
    LR_DCHECK(at->next == NULL);
    chain->last = at;
    chain->bytes += len;
    return true;
}

bool lr__chain_append(lr__chain *chain, lr__buf_pool *pool, lr_slice bytes)
{
    return lr__chain_appendv(chain, pool, &bytes, 1);
}

lr_slice lr__chain_front(const lr__chain *chain)
{
    const piece *p = chain->first;

    return p ? lr_slice_of(p->bytes + p->start, p->end - p->start) : lr_slice_of(NULL, 0);
}

void lr__chain_consume(lr__chain *chain, lr__buf_pool *pool, size_t len)
{
    LR_CHECK(len <= chain->bytes);
    chain->bytes -= len;
    while (len > 0) {
        piece *p = chain->first;
        size_t held = p->end - p->start;

        if (len < held) {
            p->start += (uint32_t)len;
            break;
        }
        len -= held;
        chain->first = p->next;
        give_piece(pool, p);
    }
    if (!chain->first)
        chain->last = NULL;
    LR_DCHECK((chain->bytes == 0) == (chain->first == NULL));
}

void lr__chain_drop(lr__chain *chain, lr__buf_pool *pool)
{
    give_pieces(pool, chain->first);
    *chain = (lr__chain){0};
}
