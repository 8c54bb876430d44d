/* SPDX-License-Identifier: MIT */
/* core/base/timer.c: a hierarchical timer wheel on one worker's clock.
 *
 * The wheel owns no timer: it links those of others. A timer's tick is its deadline rounded up; an
 * armed timer is in exactly one list:
 *
 *   slots[l][b]  l is the highest byte in which its tick differs from now_tick, b that byte of its
 *                tick. In level 0 a slot is one tick. A tick that has passed counts as now_tick.
 *   far          its tick differs from now_tick above byte 3.
 *   due          a run found it due but had no budget left to fire it.
 *
 * Because the place depends on the tick and on now_tick alone, timers of one tick are always in
 * one list, in the order of their arming; moving them down keeps it. Within the current byte all
 * slots below now_tick's own are empty, so the first occupied slot of the lowest occupied level is
 * the next event, and now_tick may jump there, or past hours of nothing, in one step.
 *
 * A run has two parts. It first moves what is due into `due`, sorted by deadline, and stops when
 * it has as many as it may fire. Then it fires. What a fired timer arms goes into a slot, never
 * into due, so it waits for the next run, which merges it in the order of deadlines. */
#include "core/base/timer.h"

#include "core/base/check.h"

#include <string.h>

enum { LEVEL_BITS = 8, TOP_BITS = LR__TIMER_LEVELS * LEVEL_BITS };

/* The tick at which now_tick must stop next, and the list that is to be emptied there: a slot to
 * collect (level 0), a slot to be sorted in, or far (level LR__TIMER_LEVELS). */
typedef struct event {
    uint64_t tick; /* UINT64_MAX: there is none */
    uint32_t level, slot;
} event;

static lr__timer *timer_of(lr__list *node)
{
    return LR_CONTAINER_OF(node, lr__timer, node);
}

static uint64_t tick_of(uint64_t deadline_ns)
{
    return deadline_ns / LR__TIMER_TICK_NS + (deadline_ns % LR__TIMER_TICK_NS != 0);
}

void lr__timers_init(lr__timers *timers, uint64_t now_ns)
{
    memset(timers, 0, sizeof *timers);
    for (uint32_t level = 0; level < LR__TIMER_LEVELS; level++) {
        for (uint32_t slot = 0; slot < LR__TIMER_SLOTS; slot++)
            lr__list_init(&timers->slots[level][slot]);
    }
    lr__list_init(&timers->far);
    lr__list_init(&timers->due);
    timers->now_tick = now_ns / LR__TIMER_TICK_NS;
}

void lr__timers_fini(lr__timers *timers)
{
    LR_CHECK(timers->armed == 0);
    LR_DCHECK(lr__list_is_empty(&timers->far) && lr__list_is_empty(&timers->due));
}

void lr__timer_init(lr__timer *timer, void (*fire)(lr__timer *timer))
{
    LR_DCHECK(fire);
    lr__list_init(&timer->node);
    timer->deadline_ns = LR__TIMER_NEVER;
    timer->fire = fire;
}

bool lr__timer_is_armed(const lr__timer *timer)
{
    return !lr__list_is_empty(&timer->node);
}

static void place(lr__timers *timers, lr__timer *timer)
{
    uint64_t tick = tick_of(timer->deadline_ns);
    uint64_t differs;
    uint32_t level, slot;

    if (tick < timers->now_tick)
        tick = timers->now_tick;
    differs = tick ^ timers->now_tick;
    level = differs == 0 ? 0 : (63 - (uint32_t)__builtin_clzll(differs)) / LEVEL_BITS;
    if (level >= LR__TIMER_LEVELS) {
        lr__list_append(&timers->far, &timer->node);
        return;
    }
    slot = (uint32_t)(tick >> (level * LEVEL_BITS)) % LR__TIMER_SLOTS;
    lr__list_append(&timers->slots[level][slot], &timer->node);
    timers->occupied[level][slot / 64] |= UINT64_C(1) << (slot % 64);
}

static void clear_occupied(lr__timers *timers, uint32_t level, uint32_t slot)
{
    timers->occupied[level][slot / 64] &= ~(UINT64_C(1) << (slot % 64));
}

/* Takes an armed timer out of its list, wherever that is. */
static void unlink_timer(lr__timers *timers, lr__timer *timer)
{
    lr__list *next = timer->node.next;
    uintptr_t offset;

    lr__list_remove(&timer->node);
    if (!lr__list_is_empty(next))
        return;
    /* A neighbour that points at itself is the head of a list that is now empty: perhaps a slot. */
    offset = (uintptr_t)next - (uintptr_t)timers->slots;
    if (offset < sizeof timers->slots) {
        uint32_t index = (uint32_t)(offset / sizeof(lr__list));

        clear_occupied(timers, index / LR__TIMER_SLOTS, index % LR__TIMER_SLOTS);
    }
}

void lr__timer_arm(lr__timers *timers, lr__timer *timer, uint64_t deadline_ns)
{
    if (lr__timer_is_armed(timer))
        unlink_timer(timers, timer);
    else
        timers->armed++;
    timer->deadline_ns = deadline_ns;
    place(timers, timer);
}

void lr__timer_cancel(lr__timers *timers, lr__timer *timer)
{
    if (!lr__timer_is_armed(timer))
        return;
    LR_DCHECK(timers->armed > 0);
    unlink_timer(timers, timer);
    timers->armed--;
}

/* The first occupied slot of a level, LR__TIMER_SLOTS if there is none. */
static uint32_t first_slot(const lr__timers *timers, uint32_t level)
{
    for (uint32_t word = 0; word < LR__TIMER_SLOTS / 64; word++) {
        uint64_t bits = timers->occupied[level][word];

        if (bits != 0)
            return word * 64 + (uint32_t)__builtin_ctzll(bits);
    }
    return LR__TIMER_SLOTS;
}

static event next_event(const lr__timers *timers)
{
    uint64_t now = timers->now_tick;

    for (uint32_t level = 0; level < LR__TIMER_LEVELS; level++) {
        uint32_t shift = level * LEVEL_BITS, slot = first_slot(timers, level);
        uint64_t above = now >> shift >> LEVEL_BITS << LEVEL_BITS;
        uint64_t own = (now >> shift) % LR__TIMER_SLOTS;

        if (slot == LR__TIMER_SLOTS)
            continue;
        LR_DCHECK(level == 0 ? slot >= own : slot > own);
        return (event){(above | slot) << shift, level, slot};
    }
    if (lr__list_is_empty(&timers->far))
        return (event){UINT64_MAX, 0, 0};
    return (event){((now >> TOP_BITS) + 1) << TOP_BITS, LR__TIMER_LEVELS, 0};
}

uint64_t lr__timers_next(const lr__timers *timers)
{
    event next;

    if (!lr__list_is_empty(&timers->due))
        return 0;
    next = next_event(timers);
    if (next.tick == UINT64_MAX)
        return LR__TIMER_NEVER;
    if (next.tick == timers->now_tick)
        return 0; /* Armed for what had passed, or for this very tick. */
    if (next.tick > UINT64_MAX / LR__TIMER_TICK_NS)
        return LR__TIMER_NEVER - 1;
    return next.tick * LR__TIMER_TICK_NS;
}

/* Sorts into their new places what waited in a slot of an upper level, or in far, for now_tick. */
static void sort_in(lr__timers *timers, lr__list *waiting)
{
    lr__list all, *node;

    lr__list_init(&all);
    lr__list_splice(&all, waiting);
    while ((node = lr__list_pop(&all)))
        place(timers, timer_of(node));
}

/* Merges from into to, both sorted by deadline; on equal ones those of to come first. */
static void merge(lr__list *to, lr__list *from)
{
    lr__list *at = to->next;

    while (!lr__list_is_empty(from) && at != to) {
        if (timer_of(from->next)->deadline_ns < timer_of(at)->deadline_ns)
            lr__list_append(at, lr__list_pop(from)); /* Before at. */
        else
            at = at->next;
    }
    lr__list_splice(to, from);
}

/* Counts a list and tells whether it is in the order of deadlines. */
static uint32_t inspect(lr__list *list, bool *is_sorted)
{
    uint64_t before = 0;
    uint32_t count = 0;

    *is_sorted = true;
    for (lr__list *node = list->next; node != list; node = node->next) {
        *is_sorted = *is_sorted && timer_of(node)->deadline_ns >= before;
        before = timer_of(node)->deadline_ns;
        count++;
    }
    return count;
}

/* A stable merge sort: bins[i] is empty or holds 2^i timers older than all in the bins below. */
static void sort(lr__list *list)
{
    lr__list bins[32], one, *node;
    uint32_t bin, used = 0;

    while ((node = lr__list_pop(list))) {
        lr__list_init(&one);
        lr__list_append(&one, node);
        for (bin = 0; bin < used && !lr__list_is_empty(&bins[bin]); bin++) {
            merge(&bins[bin], &one);
            lr__list_splice(&one, &bins[bin]);
        }
        if (bin == used)
            lr__list_init(&bins[used++]);
        lr__list_splice(&bins[bin], &one);
    }
    for (bin = 0; bin < used; bin++) {
        merge(&bins[bin], list);
        lr__list_splice(list, &bins[bin]);
    }
}

/* Moves a slot of level 0 into due and returns how many timers that were. */
static uint32_t collect(lr__timers *timers, uint32_t slot)
{
    lr__list *list = &timers->slots[0][slot];
    bool is_sorted;
    uint32_t count = inspect(list, &is_sorted);

    if (!is_sorted)
        sort(list);
    clear_occupied(timers, 0, slot);
    /* Only what was armed for a time that had passed can belong before a timer left over. */
    if (lr__list_is_empty(&timers->due) ||
        timer_of(timers->due.prev)->deadline_ns <= timer_of(list->next)->deadline_ns)
        lr__list_splice(&timers->due, list);
    else
        merge(&timers->due, list);
    return count;
}

/* Moves into due what is due at the tick target, until due has at least max timers. */
static void collect_until(lr__timers *timers, uint64_t target, uint32_t max)
{
    uint32_t count = 0;

    for (lr__list *node = timers->due.next; node != &timers->due && count < max; node = node->next)
        count++;
    for (;;) {
        event next = next_event(timers);

        /* The slot of now_tick is looked at whatever is left over: see collect(). */
        if (next.tick > target || (count >= max && next.tick > timers->now_tick))
            break;
        timers->now_tick = next.tick;
        if (next.level == 0) {
            count += collect(timers, next.slot);
        } else if (next.level < LR__TIMER_LEVELS) {
            clear_occupied(timers, next.level, next.slot);
            sort_in(timers, &timers->slots[next.level][next.slot]);
        } else {
            sort_in(timers, &timers->far);
        }
    }
    if (count < max)
        timers->now_tick = target; /* Nothing waits before it. */
}

uint32_t lr__timers_run(lr__timers *timers, uint64_t now_ns, uint32_t max)
{
    uint64_t target = now_ns / LR__TIMER_TICK_NS;
    uint32_t fired = 0;
    lr__list *node;

    if (target < timers->now_tick)
        target = timers->now_tick; /* A clock that goes back stands still. */
    collect_until(timers, target, max);
    while (fired < max && (node = lr__list_pop(&timers->due))) {
        lr__timer *timer = timer_of(node);

        fired++;
        timers->armed--;
        timer->fire(timer); /* May free the timer, and arm or cancel any. */
    }
    return fired;
}
