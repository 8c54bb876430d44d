/* SPDX-License-Identifier: MIT */
/* core/io/slots.h: what a back end knows about each id, found by the id's slot.
 *
 * One zeroed record of a fixed size per slot, in chunks that are made when their first slot is used
 * and kept until the end: addresses are stable and looking one up is two loads. A slot that cannot
 * be had (no memory) is answered by completions from a small queue of refusals, so that starting an
 * operation never fails. Single thread. */
#ifndef LR_CORE_IO_SLOTS_H
#define LR_CORE_IO_SLOTS_H

#include "core/base/check.h"
#include "core/base/count.h"
#include "core/io/ring.h"

enum {
    LR__SLOTS_CHUNK = 1024,
    LR__SLOTS_CHUNKS = 1 << 14, /* 2^24 slots in all */
    LR__SLOTS_REFUSALS = 4096
};

typedef struct lr__slots {
    uint8_t **chunks;
    uint32_t record_size;
    uint32_t refused_first, refused_count;
    lr__completion *refused; /* a ring of LR__SLOTS_REFUSALS */
} lr__slots;

lr_status lr__slots_init(lr__slots *slots, uint32_t record_size);
void lr__slots_fini(lr__slots *slots);
void *lr__slots_make(lr__slots *slots, uint32_t slot); /* the slow way of lr__slots_get() */

/* The record of a slot, or null if it was never used. */
static inline void *lr__slots_find(const lr__slots *slots, uint32_t slot)
{
    uint8_t *chunk = slots->chunks[slot / LR__SLOTS_CHUNK];

    if (LR_UNLIKELY(!chunk))
        return NULL;
    return chunk + (size_t)(slot % LR__SLOTS_CHUNK) * slots->record_size;
}

/* The same, made if need be; null: no memory. */
static inline void *lr__slots_get(lr__slots *slots, uint32_t slot)
{
    void *record = lr__slots_find(slots, slot);

    return LR_LIKELY(record != NULL) ? record : lr__slots_make(slots, slot);
}

/* Walks all records: the one at *slot or behind it, with *slot set to it; null: none. */
void *lr__slots_next(const lr__slots *slots, uint32_t *slot);

/* Queues a last completion for an id without a slot. LR_CHECK: at most LR__SLOTS_REFUSALS between
 * two waits. */
void lr__slots_refuse(lr__slots *slots, lr__id id, lr__op op, int32_t res);
uint32_t lr__slots_take_refused(lr__slots *slots, lr__completion *out, uint32_t cap);

/* For an id that has no slot: does end() by close(2). */
void lr__slots_refuse_end(lr__slots *slots, int sock, lr__id id, bool reset);

#endif
