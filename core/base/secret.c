/* SPDX-License-Identifier: MIT */
#include "core/base/secret.h"

#include "core/base/check.h"
#include "core/base/mem.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

typedef struct secret {
    struct secret *next;
    uint8_t *pages;
    size_t size;
} secret;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static secret *secrets;

void *lr__secret_alloc(size_t size)
{
    secret *one = lr__alloc_zero(1, sizeof(*one));

    LR_CHECK(size > 0);
    if (!one)
        return NULL;
    one->size = (size + PAGE - 1) / PAGE * PAGE;
    one->pages = lr__alloc_aligned(PAGE, one->size);
    if (!one->pages) {
        lr__free(one);
        return NULL;
    }
    memset(one->pages, 0, one->size);
    /* A kernel that does not know it dumps the key: no reason to refuse service. */
    (void)madvise(one->pages, one->size, MADV_DONTDUMP);
    (void)pthread_mutex_lock(&lock);
    one->next = secrets;
    secrets = one;
    (void)pthread_mutex_unlock(&lock);
    return one->pages;
}

/* The link that points to the block; *link is null if there is none. Under the lock. */
static secret **find(const void *ptr)
{
    secret **link = &secrets;

    while (*link && (*link)->pages != ptr)
        link = &(*link)->next;
    return link;
}

void lr__secret_free(void *ptr)
{
    secret **link, *one;

    if (!ptr)
        return;
    (void)pthread_mutex_lock(&lock);
    link = find(ptr);
    one = *link;
    LR_CHECK(one != NULL);
    *link = one->next;
    (void)pthread_mutex_unlock(&lock);
    lr__wipe(one->pages, one->size);
    (void)madvise(one->pages, one->size, MADV_DODUMP); /* the heap has the pages back */
    lr__free(one->pages);
    lr__free(one);
}

size_t lr__secret_size(const void *ptr)
{
    size_t size = 0;
    secret *one;

    if (!ptr || ((uintptr_t)ptr & (PAGE - 1)) != 0)
        return 0;
    (void)pthread_mutex_lock(&lock);
    one = *find(ptr);
    if (one)
        size = one->size;
    (void)pthread_mutex_unlock(&lock);
    return size;
}

bool lr__secret_is(const void *ptr)
{
    return lr__secret_size(ptr) != 0;
}
