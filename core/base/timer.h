/* SPDX-License-Identifier: MIT */
/* core/base/timer.h: a hierarchical timer wheel; arming, moving and cancelling cost a few ns.
 *
 * Time is a parameter (monotonic nanoseconds), ticks are 1 ms, a timer fires in the first run at or
 * after its deadline rounded up to a tick, never before it. Four levels of 256 slots cover 49 days;
 * later deadlines wait in a list of their own that is sorted in every 49 days. Timers due in one
 * run fire in the order of their deadlines, and in the order of arming among equal ones, so that a
 * simulated run repeats exactly. A timer armed by a firing timer for now fires in the next run: no
 * run is unbounded. Embedded in their owners; single thread. */
#ifndef LR_CORE_BASE_TIMER_H
#define LR_CORE_BASE_TIMER_H

#include "core/base/list.h"

#include <stdint.h>

typedef struct lr__timer {
    lr__list node;
    uint64_t deadline_ns;
    void (*fire)(struct lr__timer *timer);
} lr__timer;

enum { LR__TIMER_LEVELS = 4, LR__TIMER_SLOTS = 256, LR__TIMER_TICK_NS = 1000000 };

/* A timer's level is the highest byte in which its tick differs from now_tick, its slot that byte
 * of its tick. So timers of one tick are always in one slot, in the order of their arming. */
typedef struct lr__timers {
    lr__list slots[LR__TIMER_LEVELS][LR__TIMER_SLOTS];
    uint64_t occupied[LR__TIMER_LEVELS][LR__TIMER_SLOTS / 64]; /* a bit per slot that holds one */
    lr__list far;      /* differ from now_tick above the highest level */
    lr__list due;      /* left over by the budget of the last run, in their order */
    uint64_t now_tick; /* all slots before it are empty */
    uint32_t armed;
} lr__timers;

#define LR__TIMER_NEVER UINT64_MAX

void lr__timers_init(lr__timers *timers, uint64_t now_ns);
void lr__timers_fini(lr__timers *timers); /* LR_CHECK: nothing is armed */
void lr__timer_init(lr__timer *timer, void (*fire)(lr__timer *timer));
void lr__timer_arm(lr__timers *timers, lr__timer *timer, uint64_t deadline_ns); /* or moves */
void lr__timer_cancel(lr__timers *timers, lr__timer *timer); /* harmless if not armed */
bool lr__timer_is_armed(const lr__timer *timer);
/* Fires what is due at now_ns, at most max timers; returns how many. Not from inside a timer. */
uint32_t lr__timers_run(lr__timers *timers, uint64_t now_ns, uint32_t max);
/* When to run next: never later than the earliest deadline's tick; LR__TIMER_NEVER if none. It may
 * be earlier than the earliest deadline (an upper level's slot to be sorted in). A time that has
 * passed, often 0, means now. */
uint64_t lr__timers_next(const lr__timers *timers);

#endif
