/* SPDX-License-Identifier: MIT */
/* core/base/slab.h: objects of one size with stable addresses and a generation per slot.
 *
 * A slot index (24 bits) and its generation (32 bits, odd while the slot is in use) name an object
 * for ever: a stale name is recognised, never followed. Memory comes in chunks of 64 slots; empty
 * chunks beyond one in reserve are given back. The most recently freed slot of the lowest chunk
 * that has room is used first. A slot whose generations are used up is never used again. The
 * bytes of a free slot stay as they were until it is taken, when they are zeroed. Single thread. */
#ifndef LR_CORE_BASE_SLAB_H
#define LR_CORE_BASE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LR__SLAB_SLOT_MAX = 1 << 24 };

/* A set of chunk numbers (18 bits) that finds its lowest member in three steps. */
typedef struct lr__slab_set {
    uint64_t *bits;   /* a bit per chunk */
    uint64_t *groups; /* a bit per word of bits that is not 0 */
    uint64_t top;     /* a bit per word of groups that is not 0 */
} lr__slab_set;

typedef struct lr__slab {
    struct lr__slab_chunk **chunks; /* null where a chunk was given back; owns the tables below */
    uint32_t *generation_floor;     /* per chunk: generations restart above this */
    lr__slab_set room;              /* chunks that are there and have a free slot */
    lr__slab_set absent;            /* chunks given back that may come again */
    uint32_t chunk_count, chunk_cap;
    uint32_t front; /* the lowest member of room, UINT32_MAX if there is none */
    uint32_t spare; /* the one empty chunk in reserve, UINT32_MAX if there is none */
    uint32_t slot_end;
    uint32_t live, slot_limit;
    size_t object_size; /* as asked for */
    size_t stride;      /* from slot to slot, a multiple of 64 bytes */
} lr__slab;

/* No allocation yet. slot_limit: at most this many live objects, <= LR__SLAB_SLOT_MAX. */
void lr__slab_init(lr__slab *slab, size_t object_size, uint32_t slot_limit);
void lr__slab_fini(lr__slab *slab); /* LR_CHECK: nothing is live */

/* A zeroed object, or null if there is no memory or the limit is reached. */
void *lr__slab_take(lr__slab *slab, uint32_t *slot, uint32_t *generation);
void lr__slab_give(lr__slab *slab, uint32_t slot); /* LR_CHECK: it is live */
/* The live object of that name, or null. */
void *lr__slab_find(const lr__slab *slab, uint32_t slot, uint32_t generation);
/* The live object at a slot whatever its generation, or null: for walks over all. */
void *lr__slab_at(const lr__slab *slab, uint32_t slot);
uint32_t lr__slab_slot_end(const lr__slab *slab); /* one above the highest slot ever used */

#endif
