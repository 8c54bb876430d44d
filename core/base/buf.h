/* SPDX-License-Identifier: MIT */
/* core/base/buf.h: contiguous byte buffers from a worker's pool, and chains of them.
 *
 * A pool keeps a few free blocks per size class (LIFO, so that the hot one is used again) and gives
 * the rest back to the heap; blocks that held plaintext or keys are wiped when asked (lr__buf.wipe;
 * a chain always does). An idle connection holds no buffer at all: an lr__buf without a block is
 * three words. Single thread. */
#ifndef LR_CORE_BASE_BUF_H
#define LR_CORE_BASE_BUF_H

#include <lockring/base.h>

/* Block sizes: a handshake flight, one full record and its overhead (5 + 16384 + 256), one send of
 * four records with theirs. Larger needs are exact heap blocks that are never pooled. */
enum {
    LR__BLOCK_SMALL = 4096,
    LR__BLOCK_RECORD = 17408,
    LR__BLOCK_SEND = 69632,
    LR__BLOCK_CLASSES = 3,
    LR__BLOCK_KEEP = 16,    /* free blocks kept per class */
    LR__CHAIN_PIECE = 16384 /* bytes in a piece of a chain: one full record (RFC 8446 5.1) */
};

typedef struct lr__buf_pool {
    void *free[LR__BLOCK_CLASSES];
    uint32_t free_count[LR__BLOCK_CLASSES];
    uint64_t live;       /* blocks in use */
    uint64_t live_bytes; /* their capacity */
} lr__buf_pool;

void lr__buf_pool_init(lr__buf_pool *pool);
void lr__buf_pool_fini(lr__buf_pool *pool); /* LR_CHECK: nothing is in use */
void *lr__block_take(lr__buf_pool *pool, size_t need, uint32_t *cap); /* null: no memory */
void lr__block_give(lr__buf_pool *pool, void *block, uint32_t cap);   /* null is allowed */
void lr__block_give_wiped(lr__buf_pool *pool, void *block, uint32_t cap);

/* Bytes [start, end) of a block of cap bytes. All zero is the empty buffer. */
typedef struct lr__buf {
    uint8_t *block;
    uint32_t start, end, cap;
    bool wipe; /* set by the owner: every block goes back wiped, now and when it is outgrown */
} lr__buf;

static inline uint32_t lr__buf_len(const lr__buf *buf)
{
    return buf->end - buf->start;
}

static inline lr_slice lr__buf_slice(const lr__buf *buf)
{
    return lr_slice_of(buf->block ? buf->block + buf->start : NULL, lr__buf_len(buf));
}

/* Makes room for need more bytes behind end (moving or growing); false: no memory, unchanged. */
bool lr__buf_reserve(lr__buf *buf, lr__buf_pool *pool, size_t need);
bool lr__buf_append(lr__buf *buf, lr__buf_pool *pool, lr_slice bytes);
/* LR_CHECK: len <= lr__buf_len(). An emptied block is given back. */
void lr__buf_consume(lr__buf *buf, lr__buf_pool *pool, size_t len);
void lr__buf_drop(lr__buf *buf, lr__buf_pool *pool);

/* A queue of bytes in record-sized pieces, for plaintext that waits to be sealed. The first piece
 * of an empty chain is a small block if that is enough. All zero is the empty chain. */
typedef struct lr__chain {
    struct lr__chain_piece *first, *last;
    size_t bytes;
} lr__chain;

/* All or nothing: false means no memory and nothing appended. */
bool lr__chain_append(lr__chain *chain, lr__buf_pool *pool, lr_slice bytes);
bool lr__chain_appendv(lr__chain *chain, lr__buf_pool *pool, const lr_slice *pieces, size_t count);
lr_slice lr__chain_front(const lr__chain *chain); /* contiguous, <= LR__CHAIN_PIECE bytes */
void lr__chain_consume(lr__chain *chain, lr__buf_pool *pool, size_t len); /* <= chain->bytes */
void lr__chain_drop(lr__chain *chain, lr__buf_pool *pool);

#endif
