/* SPDX-License-Identifier: MIT */
/* core/io/recv_pool.c: see the header. Memory comes in whole chunks of 64 buffers even if fewer are
 * used at first, so that an index gives its address without a table; what is never used is never
 * touched. */
#include "core/io/recv_pool.h"

#include "core/base/check.h"
#include "core/base/mem.h"

#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif

#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(ptr, size) __asan_poison_memory_region(ptr, size)
#define UNPOISON(ptr, size) __asan_unpoison_memory_region(ptr, size)
#else
#define POISON(ptr, size) ((void)(ptr), (void)(size))
#define UNPOISON(ptr, size) ((void)(ptr), (void)(size))
#endif

enum { CHUNK_BYTES = LR__RECV_POOL_CHUNK * LR__RECV_BUFFER_SIZE, PAGE = 4096 };

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

uint32_t lr__recv_pool_grow(lr__recv_pool *pool)
{
    uint32_t chunk = pool->count / LR__RECV_POOL_CHUNK;
    uint32_t end = smaller((chunk + 1) * LR__RECV_POOL_CHUNK, pool->max);
    uint32_t added = end - pool->count;

    if (pool->count >= pool->max)
        return 0;
    if (!pool->chunks[chunk]) {
        pool->chunks[chunk] = lr__alloc_aligned(PAGE, CHUNK_BYTES);
        if (!pool->chunks[chunk])
            return 0;
        POISON(pool->chunks[chunk], CHUNK_BYTES);
    }
    pool->count = end;
    return added;
}

lr_status lr__recv_pool_init(lr__recv_pool *pool, uint32_t count, uint32_t max)
{
    uint32_t top;

    memset(pool, 0, sizeof(*pool));
    if (count == 0)
        count = LR__RECV_BUFFER_COUNT;
    if (max == 0)
        max = LR__RECV_BUFFER_MAX;
    count = smaller(count, LR__RECV_POOL_MAX);
    top = smaller(max > count ? max : count, LR__RECV_POOL_MAX);
    pool->max = count;
    while (pool->count < count) {
        if (lr__recv_pool_grow(pool) == 0) {
            lr__recv_pool_fini(pool);
            return LR_ENOMEM;
        }
    }
    pool->max = top;
    return LR_OK;
}

void lr__recv_pool_fini(lr__recv_pool *pool)
{
    for (uint32_t i = 0; i < LR__RECV_POOL_CHUNKS; i++) {
        if (!pool->chunks[i])
            continue;
        UNPOISON(pool->chunks[i], CHUNK_BYTES);
        lr__free(pool->chunks[i]);
        pool->chunks[i] = NULL;
    }
    pool->count = pool->lent = pool->free_count = 0;
}

uint8_t *lr__recv_pool_bytes(const lr__recv_pool *pool, uint16_t buffer)
{
    LR_DCHECK(buffer < pool->count);
    return pool->chunks[buffer / LR__RECV_POOL_CHUNK] +
           (size_t)(buffer % LR__RECV_POOL_CHUNK) * LR__RECV_BUFFER_SIZE;
}

uint16_t lr__recv_pool_take(lr__recv_pool *pool)
{
    uint16_t buffer;

    if (pool->free_count == 0)
        return LR__NO_BUFFER;
    buffer = pool->free[--pool->free_count];
    UNPOISON(lr__recv_pool_bytes(pool, buffer), LR__RECV_BUFFER_SIZE);
    return buffer;
}

void lr__recv_pool_untake(lr__recv_pool *pool, uint16_t buffer)
{
    LR_DCHECK(buffer < pool->count && !pool->is_lent[buffer]);
    LR_CHECK(pool->free_count < pool->count);
    POISON(lr__recv_pool_bytes(pool, buffer), LR__RECV_BUFFER_SIZE);
    pool->free[pool->free_count++] = buffer;
}

void lr__recv_pool_lend(lr__recv_pool *pool, uint16_t buffer, uint32_t len)
{
    uint8_t *bytes;

    LR_CHECK(buffer < pool->count && !pool->is_lent[buffer] && len <= LR__RECV_BUFFER_SIZE);
    bytes = lr__recv_pool_bytes(pool, buffer);
    POISON(bytes, LR__RECV_BUFFER_SIZE);
    UNPOISON(bytes, len);
    pool->is_lent[buffer] = true;
    pool->lent++;
}

void lr__recv_pool_back(lr__recv_pool *pool, uint16_t buffer)
{
    LR_CHECK(buffer < pool->count && pool->is_lent[buffer]);
    POISON(lr__recv_pool_bytes(pool, buffer), LR__RECV_BUFFER_SIZE);
    pool->is_lent[buffer] = false;
    pool->lent--;
}

bool lr__recv_pool_note(lr__recv_pool *pool, bool was_short)
{
    bool dominates;

    pool->window_short += was_short;
    if (LR_LIKELY(++pool->window_seen < LR__RECV_POOL_WINDOW))
        return false;
    dominates = pool->window_short * 100 > pool->window_seen * LR__RECV_POOL_SHORT_PERCENT;
    pool->window_seen = pool->window_short = 0;
    return dominates;
}
