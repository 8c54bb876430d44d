/* SPDX-License-Identifier: MIT */
/* core/base/mem.c: the one way to the heap.
 *
 * Owns three counters of the whole process, written by every thread with relaxed atomics: they are
 * numbers for tests and statistics, and order nothing. bytes is what malloc_usable_size() says, so
 * that freeing needs no header in front of a block.
 *
 * Fault injection is state of one thread: a test that makes its own thread fail does not disturb
 * the workers next to it. Its cost in production is one counter and one comparison per allocation.
 *
 * This file does not cache, pool or align beyond what is asked: the slab and the buffer pool do. */
#include "core/base/mem.h"

#include "core/base/check.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static _Atomic uint64_t live_count;
static _Atomic uint64_t live_bytes;
static _Atomic uint64_t alloc_count;

static _Thread_local uint64_t tried;                   /* since the last lr__mem_fail_at() */
static _Thread_local uint64_t fail_first = UINT64_MAX; /* the value of tried that fails */
static _Thread_local bool fail_from;

static void add(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static void sub(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_fetch_sub_explicit(counter, by, memory_order_relaxed);
}

LR_COLD static bool fault_hits(void)
{
    if (!fail_from)
        fail_first = UINT64_MAX;
    return true;
}

/* True: this allocation must fail, because a test says so or because no object is that large. */
static bool is_refused(size_t size)
{
    LR_DCHECK(size > 0);
    if (LR_UNLIKELY(++tried >= fail_first))
        return fault_hits();
    return LR_UNLIKELY(size > PTRDIFF_MAX);
}

static void *count_new(void *ptr)
{
    if (LR_UNLIKELY(!ptr))
        return NULL;
    add(&live_count, 1);
    add(&live_bytes, malloc_usable_size(ptr));
    add(&alloc_count, 1);
    return ptr;
}

void *lr__alloc(size_t size)
{
    return is_refused(size) ? NULL : count_new(malloc(size));
}

void *lr__alloc_zero(size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        total = SIZE_MAX;
    return is_refused(total) ? NULL : count_new(calloc(1, total));
}

void *lr__alloc_aligned(size_t align, size_t size)
{
    void *ptr;

    LR_CHECK(align >= sizeof(void *) && (align & (align - 1)) == 0);
    if (is_refused(size) || posix_memalign(&ptr, align, size) != 0)
        return NULL;
    return count_new(ptr);
}

void *lr__realloc(void *ptr, size_t size)
{
    size_t before = malloc_usable_size(ptr);
    void *moved;

    if (!ptr)
        return lr__alloc(size);
    if (is_refused(size))
        return NULL;
    moved = realloc(ptr, size);
    if (LR_UNLIKELY(!moved))
        return NULL;
    /* Unsigned wrap-around makes this right for shrinking too. */
    add(&live_bytes, (uint64_t)malloc_usable_size(moved) - (uint64_t)before);
    add(&alloc_count, 1);
    return moved;
}

void lr__free(void *ptr)
{
    if (!ptr)
        return;
    sub(&live_count, 1);
    sub(&live_bytes, malloc_usable_size(ptr));
    free(ptr);
}

char *lr__strndup(const char *text, size_t len)
{
    size_t used = strnlen(text, len);
    char *copy = lr__alloc(used + 1);

    if (!copy)
        return NULL;
    memcpy(copy, text, used);
    copy[used] = '\0';
    return copy;
}

void lr__wipe(void *ptr, size_t size)
{
    if (size > 0)
        explicit_bzero(ptr, size);
}

void lr__free_wiped(void *ptr, size_t size)
{
    if (!ptr)
        return;
    lr__wipe(ptr, size);
    lr__free(ptr);
}

lr__mem_counts lr__mem_read(void)
{
    lr__mem_counts counts = {
        .live = atomic_load_explicit(&live_count, memory_order_relaxed),
        .bytes = atomic_load_explicit(&live_bytes, memory_order_relaxed),
        .allocs = atomic_load_explicit(&alloc_count, memory_order_relaxed),
    };

    return counts;
}

uint64_t lr__mem_fail_at(uint64_t n, bool from)
{
    uint64_t seen = tried;

    tried = 0;
    fail_first = n > 0 ? n : UINT64_MAX;
    fail_from = from;
    return seen;
}

void lr__mem_trim(void)
{
    (void)malloc_trim(0);
}
