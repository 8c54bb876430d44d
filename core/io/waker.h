/* SPDX-License-Identifier: MIT */
/* core/io/waker.h: how another thread ends a wait, shared by the back ends that really sleep.
 *
 * An eventfd and a state. The ring's thread says when it is about to sleep; a waker writes the
 * eventfd only then, so that waking a busy worker costs one atomic exchange. The eventfd is watched
 * edge-triggered and never read.
 *
 * Crosses threads: state (docs/threads.md). Wakers and the owner exchange it, acquire and release:
 * what was written before a wake is seen after the wait that it ended. */
#ifndef LR_CORE_IO_WAKER_H
#define LR_CORE_IO_WAKER_H

#include "core/base/check.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { LR__WAKER_AWAKE, LR__WAKER_ASLEEP, LR__WAKER_CALLED };

typedef struct lr__waker {
    _Atomic uint32_t state;
    int fd;
} lr__waker;

/* 0 or -errno. */
static inline int lr__waker_init(lr__waker *waker)
{
    atomic_init(&waker->state, LR__WAKER_AWAKE);
    waker->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return waker->fd >= 0 ? 0 : -errno;
}

static inline void lr__waker_fini(lr__waker *waker)
{
    if (waker->fd >= 0)
        (void)close(waker->fd);
    waker->fd = -1;
}

/* Any thread, async-signal-safe. */
static inline void lr__waker_call(lr__waker *waker)
{
    const uint64_t one = 1;
    int saved = errno;

    if (atomic_exchange_explicit(&waker->state, LR__WAKER_CALLED, memory_order_acq_rel) ==
        LR__WAKER_ASLEEP) {
        ssize_t wrote = write(waker->fd, &one, sizeof(one));

        (void)wrote; /* it cannot fail before 2^64 calls */
        errno = saved;
    }
}

/* The owner, before it blocks. False: somebody called, do not block. */
static inline bool lr__waker_sleep(lr__waker *waker)
{
    uint32_t awake = LR__WAKER_AWAKE;

    return atomic_compare_exchange_strong_explicit(&waker->state, &awake, LR__WAKER_ASLEEP,
                                                   memory_order_acq_rel, memory_order_acquire);
}

/* The owner, before it returns to its caller. True: somebody called since the last time. */
static inline bool lr__waker_rise(lr__waker *waker)
{
    if (atomic_load_explicit(&waker->state, memory_order_relaxed) == LR__WAKER_AWAKE)
        return false;
    return atomic_exchange_explicit(&waker->state, LR__WAKER_AWAKE, memory_order_acq_rel) ==
           LR__WAKER_CALLED;
}

#endif
