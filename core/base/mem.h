/* SPDX-License-Identifier: MIT */
/* core/base/mem.h: the one way to the heap.
 *
 * malloc underneath, so that a program that brings its own malloc is followed. Counts live
 * allocations and bytes (relaxed atomics, read by tests and statistics) and can be told to fail
 * (fault injection for tests). Any thread; what one thread allocated another may free. */
#ifndef LR_CORE_BASE_MEM_H
#define LR_CORE_BASE_MEM_H

#include "core/base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *lr__alloc(size_t size);                       /* null if there is none; size > 0 */
void *lr__alloc_zero(size_t count, size_t size);    /* checked multiplication */
void *lr__alloc_aligned(size_t align, size_t size); /* align: a power of two, >= a pointer's size */
void *lr__realloc(void *ptr, size_t size);          /* size > 0; on failure ptr is untouched */
void lr__free(void *ptr);                           /* null is allowed */
char *lr__strndup(const char *text, size_t len);    /* at most len bytes, up to the first zero */

/* Wipes in a way that the compiler keeps. */
void lr__wipe(void *ptr, size_t size);
void lr__free_wiped(void *ptr, size_t size); /* wipes size bytes of ptr; null is allowed */

/* Gives free pages back to the system; milliseconds, so for quiet moments only. */
void lr__mem_trim(void);

typedef struct lr__mem_counts {
    uint64_t live;   /* allocations not yet freed */
    uint64_t bytes;  /* their sizes as malloc_usable_size gives them */
    uint64_t allocs; /* ever made, successful lr__realloc() included */
} lr__mem_counts;
lr__mem_counts lr__mem_read(void);

/* Fault injection, per thread: the n-th allocation from now (1 = the next) fails; with `from` every
 * one from then on. n = 0 ends it. Returns how many allocations this thread tried since its last
 * call (n = UINT64_MAX counts without failing). */
uint64_t lr__mem_fail_at(uint64_t n, bool from);

#endif
