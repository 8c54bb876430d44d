/* SPDX-License-Identifier: MIT */
/* core/io/recv_pool.h: the receive buffers of one ring.
 *
 * LR__RECV_BUFFER_SIZE bytes each, named by an index that stays valid for the life of the pool. A
 * buffer is either with the ring (which fills it, or lets the kernel fill it) or lent to the worker
 * with `len` bytes in it; under AddressSanitizer everything but those bytes is poisoned.
 *
 * Small is fast: a pool that fits the L2 cache costs a third of one that does not. So it starts
 * small and grows by a chunk of 64 only while receives that found no buffer are more than a few per
 * cent of all receives. It never shrinks. Single thread. */
#ifndef LR_CORE_IO_RECV_POOL_H
#define LR_CORE_IO_RECV_POOL_H

#include "core/io/ring.h"

enum {
    LR__RECV_POOL_CHUNK = 64,
    LR__RECV_POOL_CHUNKS = 16,
    LR__RECV_POOL_MAX = LR__RECV_POOL_CHUNK * LR__RECV_POOL_CHUNKS,
    LR__RECV_POOL_WINDOW = 4096, /* receives between two looks at how many found no buffer */
    LR__RECV_POOL_SHORT_PERCENT = 5
};

typedef struct lr__recv_pool {
    uint8_t *chunks[LR__RECV_POOL_CHUNKS];
    uint32_t count, max;
    uint32_t lent;
    uint32_t window_seen, window_short; /* receives since the last look; those without a buffer */
    uint32_t free_count;                /* of free[], in back ends that choose buffers themselves */
    uint16_t free[LR__RECV_POOL_MAX];   /* the last one given back is the first one taken */
    bool is_lent[LR__RECV_POOL_MAX];
} lr__recv_pool;

/* Zero selects the defaults; max is raised to count and both are cut to LR__RECV_POOL_MAX. */
lr_status lr__recv_pool_init(lr__recv_pool *pool, uint32_t count, uint32_t max);
void lr__recv_pool_fini(lr__recv_pool *pool); /* lent buffers go too */

/* For a back end that chooses its buffers: the hottest one, writable; LR__NO_BUFFER if none. */
uint16_t lr__recv_pool_take(lr__recv_pool *pool);
void lr__recv_pool_untake(lr__recv_pool *pool, uint16_t buffer); /* nothing was received */

uint8_t *lr__recv_pool_bytes(const lr__recv_pool *pool, uint16_t buffer);
/* The first len bytes belong to the worker now. */
void lr__recv_pool_lend(lr__recv_pool *pool, uint16_t buffer, uint32_t len);
/* LR_CHECK: it was lent. Does not put it into free[]: lr__recv_pool_untake() or the kernel. */
void lr__recv_pool_back(lr__recv_pool *pool, uint16_t buffer);

/* Counts a receive; true: want of buffers dominates, grow if you can. */
bool lr__recv_pool_note(lr__recv_pool *pool, bool was_short);
/* Adds a chunk, or what max still allows, and returns how many buffers came; 0: at max or no
 * memory. New ones are not in free[]: they are the indices from the old count on. */
uint32_t lr__recv_pool_grow(lr__recv_pool *pool);

#endif
