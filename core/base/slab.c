/* SPDX-License-Identifier: MIT */
/* core/base/slab.c: objects of one size with stable addresses and a generation per slot.
 *
 * A slab owns chunks of 64 slots. A chunk starts with the generations of its slots and a stack of
 * the free ones; the objects follow. One table per slab, grown by doubling, holds for each chunk
 * its address, its generation floor and its bit in two sets: chunks with room, and chunks that were
 * given back. `front` caches the lowest chunk with room, so that taking looks at no set.
 *
 * Generations. Taking a slot makes its generation odd, giving it makes it even; a name (slot, odd
 * generation) is therefore used once. A chunk that is given back leaves the highest generation of
 * its slots as a floor, and its slots start there if it comes again. A slot that was given at
 * generation 2^32 - 1 is worn: it wraps to 0, is never taken again, and the next slot steps in. A
 * chunk given back with a worn slot, or with nothing but worn ones, never comes again. That leaves
 * 2^18 chunks with 2^31 lives each in the worst case: at a million connections per second,
 * seventeen years.
 *
 * Chunks go back when they are empty and another one is: the lower one stays as the spare. A chunk
 * can go back only once per 64 takes or more (the spare has to fill up first), so the 64 steps of
 * giving one back are O(1) amortised.
 *
 * Under AddressSanitizer every byte of an object that is not live is poisoned. */
#include "core/base/slab.h"

#include "core/base/check.h"
#include "core/base/mem.h"

#include <assert.h>
#include <string.h>

enum {
    CHUNK_SLOTS = 64,
    CHUNK_MAX = LR__SLAB_SLOT_MAX / CHUNK_SLOTS,
    TABLE_MIN = 64, /* chunks in the first table: one word of bits */
    LINE = 64,
    NO_SLOT = UINT8_MAX
};

#define NO_CHUNK UINT32_MAX
#define WORN_OUT UINT32_MAX /* a generation floor: this chunk never comes again */

typedef struct lr__slab_chunk {
    uint32_t generations[CHUNK_SLOTS]; /* odd: live */
    uint8_t next_free[CHUNK_SLOTS];
    uint8_t first_free; /* the top of the stack, NO_SLOT if there is none */
    uint8_t live, worn; /* slots */
    _Alignas(LINE) unsigned char objects[];
} chunk;

static_assert(CHUNK_MAX == 1 << 18, "three levels of 64 bits find a chunk");
static_assert(NO_SLOT >= CHUNK_SLOTS, "no slot has this number");

static void set_add(lr__slab_set *set, uint32_t i)
{
    set->bits[i >> 6] |= UINT64_C(1) << (i & 63);
    set->groups[i >> 12] |= UINT64_C(1) << ((i >> 6) & 63);
    set->top |= UINT64_C(1) << (i >> 12);
}

static void set_remove(lr__slab_set *set, uint32_t i)
{
    set->bits[i >> 6] &= ~(UINT64_C(1) << (i & 63));
    if (set->bits[i >> 6] == 0)
        set->groups[i >> 12] &= ~(UINT64_C(1) << ((i >> 6) & 63));
    if (set->groups[i >> 12] == 0)
        set->top &= ~(UINT64_C(1) << (i >> 12));
}

static uint32_t set_first(const lr__slab_set *set)
{
    uint32_t group, word;

    if (set->top == 0)
        return NO_CHUNK;
    group = (uint32_t)__builtin_ctzll(set->top);
    word = group << 6 | (uint32_t)__builtin_ctzll(set->groups[group]);
    return word << 6 | (uint32_t)__builtin_ctzll(set->bits[word]);
}

static void *object_of(const lr__slab *slab, chunk *c, uint32_t slot)
{
    return c->objects + (slot % CHUNK_SLOTS) * slab->stride;
}

/* The chunk of a live slot, null for any other number. */
static chunk *chunk_of_live(const lr__slab *slab, uint32_t slot)
{
    uint32_t index = slot / CHUNK_SLOTS;
    chunk *c = index < slab->chunk_count ? slab->chunks[index] : NULL;

    return c && (c->generations[slot % CHUNK_SLOTS] & 1) ? c : NULL;
}

void lr__slab_init(lr__slab *slab, size_t object_size, uint32_t slot_limit)
{
    size_t lines = (object_size + LINE - 1) / LINE;

    LR_CHECK(object_size > 0 && object_size <= SIZE_MAX / 2 / CHUNK_SLOTS);
    LR_CHECK(slot_limit <= LR__SLAB_SLOT_MAX);
    memset(slab, 0, sizeof *slab);
    /* Large objects are an odd number of lines apart: otherwise the first line of each, which is
     * the busiest, would compete for a few sets of the cache. */
    if (lines >= 8)
        lines |= 1;
    slab->object_size = object_size;
    slab->stride = lines * LINE;
    slab->slot_limit = slot_limit;
    slab->front = slab->spare = NO_CHUNK;
}

static void free_chunk(lr__slab *slab, uint32_t index)
{
    chunk *c = slab->chunks[index];

    LR_UNPOISON(c->objects, slab->stride * CHUNK_SLOTS);
    lr__free(c);
    slab->chunks[index] = NULL;
}

void lr__slab_fini(lr__slab *slab)
{
    LR_CHECK(slab->live == 0);
    for (uint32_t i = 0; i < slab->chunk_count; i++) {
        if (slab->chunks[i])
            free_chunk(slab, i);
    }
    lr__free(slab->chunks);
    memset(slab, 0, sizeof *slab);
    slab->front = slab->spare = NO_CHUNK;
}

/* Moves everything into a table twice as large, or leaves all as it was. */
static bool grow_table(lr__slab *slab)
{
    uint32_t cap = slab->chunk_cap > 0 ? slab->chunk_cap * 2 : TABLE_MIN;
    size_t words = cap / 64, groups = (words + 63) / 64;
    size_t old_words = slab->chunk_cap / 64, old_groups = (old_words + 63) / 64;
    size_t size =
        cap * (sizeof(chunk *) + sizeof(uint32_t)) + 2 * (words + groups) * sizeof(uint64_t);
    chunk **chunks = lr__alloc_zero(1, size);
    lr__slab_set room, absent;
    uint32_t *floors;

    if (!chunks)
        return false;
    room = (lr__slab_set){(uint64_t *)(void *)(chunks + cap), NULL, slab->room.top};
    room.groups = room.bits + words;
    absent = (lr__slab_set){room.groups + groups, NULL, slab->absent.top};
    absent.groups = absent.bits + words;
    floors = (uint32_t *)(void *)(absent.groups + groups);
    if (slab->chunks) {
        memcpy(chunks, slab->chunks, slab->chunk_cap * sizeof *chunks);
        memcpy(floors, slab->generation_floor, slab->chunk_cap * sizeof *floors);
        memcpy(room.bits, slab->room.bits, old_words * sizeof(uint64_t));
        memcpy(room.groups, slab->room.groups, old_groups * sizeof(uint64_t));
        memcpy(absent.bits, slab->absent.bits, old_words * sizeof(uint64_t));
        memcpy(absent.groups, slab->absent.groups, old_groups * sizeof(uint64_t));
        lr__free(slab->chunks);
    }
    slab->chunks = chunks;
    slab->generation_floor = floors;
    slab->room = room;
    slab->absent = absent;
    slab->chunk_cap = cap;
    return true;
}

/* Allocates the lowest chunk that is not there and makes it the front; false: nothing changed. */
static bool add_chunk(lr__slab *slab)
{
    uint32_t index = set_first(&slab->absent);
    bool is_new = index == NO_CHUNK;
    chunk *c;

    if (is_new)
        index = slab->chunk_count;
    if (index == CHUNK_MAX || (index == slab->chunk_cap && !grow_table(slab)))
        return false;
    c = lr__alloc_aligned(LINE, sizeof *c + slab->stride * CHUNK_SLOTS);
    if (!c)
        return false;
    for (uint8_t i = 0; i < CHUNK_SLOTS; i++) {
        c->generations[i] = slab->generation_floor[index];
        c->next_free[i] = (uint8_t)(i + 1);
    }
    c->next_free[CHUNK_SLOTS - 1] = NO_SLOT;
    c->first_free = c->live = c->worn = 0;
    LR_POISON(c->objects, slab->stride * CHUNK_SLOTS);
    if (is_new)
        slab->chunk_count++;
    else
        set_remove(&slab->absent, index);
    slab->chunks[index] = c;
    set_add(&slab->room, index);
    slab->front = index;
    return true;
}

void *lr__slab_take(lr__slab *slab, uint32_t *slot, uint32_t *generation)
{
    uint32_t index, in_chunk;
    void *object;
    chunk *c;

    if (slab->live >= slab->slot_limit)
        return NULL;
    if (LR_UNLIKELY(slab->front == NO_CHUNK) && !add_chunk(slab))
        return NULL;
    index = slab->front;
    c = slab->chunks[index];
    in_chunk = c->first_free;
    LR_DCHECK(in_chunk < CHUNK_SLOTS && !(c->generations[in_chunk] & 1));
    c->first_free = c->next_free[in_chunk];
    c->live++;
    if (index == slab->spare)
        slab->spare = NO_CHUNK;
    if (LR_UNLIKELY(c->first_free == NO_SLOT)) {
        set_remove(&slab->room, index);
        slab->front = set_first(&slab->room);
    }
    slab->live++;
    *slot = index * CHUNK_SLOTS + in_chunk;
    *generation = ++c->generations[in_chunk];
    if (*slot >= slab->slot_end)
        slab->slot_end = *slot + 1;
    object = object_of(slab, c, in_chunk);
    LR_UNPOISON(object, slab->object_size);
    return memset(object, 0, slab->object_size);
}

static void release_chunk(lr__slab *slab, uint32_t index)
{
    chunk *c = slab->chunks[index];
    uint32_t floor = slab->generation_floor[index];

    LR_DCHECK(c->live == 0);
    LR_DCHECK(slab->front != index); /* The spare, if there is one, is lower. */
    for (uint32_t i = 0; i < CHUNK_SLOTS; i++) {
        if (c->generations[i] > floor)
            floor = c->generations[i];
    }
    if (c->worn > 0)
        floor = WORN_OUT;
    else
        set_add(&slab->absent, index);
    slab->generation_floor[index] = floor;
    set_remove(&slab->room, index);
    free_chunk(slab, index);
}

/* Keeps one empty chunk, the lowest, so that a load that swings around a chunk's border does not
 * reach the heap each time. */
static void chunk_is_empty(lr__slab *slab, uint32_t index)
{
    uint32_t other = slab->spare;

    if (slab->chunks[index]->worn == CHUNK_SLOTS) {
        release_chunk(slab, index);
    } else if (other == NO_CHUNK) {
        slab->spare = index;
    } else {
        slab->spare = index < other ? index : other;
        release_chunk(slab, index < other ? other : index);
    }
}

void lr__slab_give(lr__slab *slab, uint32_t slot)
{
    uint32_t index = slot / CHUNK_SLOTS;
    uint8_t in_chunk = (uint8_t)(slot % CHUNK_SLOTS);
    chunk *c;

    LR_CHECK(chunk_of_live(slab, slot) != NULL);
    c = slab->chunks[index];
    LR_POISON(object_of(slab, c, in_chunk), slab->stride);
    slab->live--;
    c->live--;
    if (LR_UNLIKELY(++c->generations[in_chunk] == 0)) {
        c->worn++;
    } else {
        if (c->first_free == NO_SLOT) {
            set_add(&slab->room, index);
            if (index < slab->front) /* NO_CHUNK is above all. */
                slab->front = index;
        }
        c->next_free[in_chunk] = c->first_free;
        c->first_free = in_chunk;
    }
    if (LR_UNLIKELY(c->live == 0))
        chunk_is_empty(slab, index);
}

void *lr__slab_find(const lr__slab *slab, uint32_t slot, uint32_t generation)
{
    chunk *c = chunk_of_live(slab, slot);

    return c && c->generations[slot % CHUNK_SLOTS] == generation ? object_of(slab, c, slot) : NULL;
}

void *lr__slab_at(const lr__slab *slab, uint32_t slot)
{
    chunk *c = chunk_of_live(slab, slot);

    return c ? object_of(slab, c, slot) : NULL;
}

uint32_t lr__slab_slot_end(const lr__slab *slab)
{
    return slab->slot_end;
}
