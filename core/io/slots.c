/* SPDX-License-Identifier: MIT */
#include "core/io/slots.h"

#include "core/base/mem.h"
#include "core/io/socket.h"

#include <string.h>
#include <unistd.h>

enum { CACHE_LINE = 64 };

lr_status lr__slots_init(lr__slots *slots, uint32_t record_size)
{
    *slots = (lr__slots){.record_size = record_size};
    slots->chunks = lr__alloc_zero(LR__SLOTS_CHUNKS, sizeof(*slots->chunks));
    slots->refused = lr__alloc_zero(LR__SLOTS_REFUSALS, sizeof(*slots->refused));
    if (slots->chunks && slots->refused)
        return LR_OK;
    lr__slots_fini(slots);
    return LR_ENOMEM;
}

void lr__slots_fini(lr__slots *slots)
{
    for (uint32_t i = 0; slots->chunks && i < LR__SLOTS_CHUNKS; i++)
        lr__free(slots->chunks[i]);
    lr__free(slots->chunks);
    lr__free(slots->refused);
    *slots = (lr__slots){0};
}

void *lr__slots_make(lr__slots *slots, uint32_t slot)
{
    uint8_t **chunk = &slots->chunks[slot / LR__SLOTS_CHUNK];

    if (!*chunk) {
        *chunk = lr__alloc_aligned(CACHE_LINE, (size_t)LR__SLOTS_CHUNK * slots->record_size);
        if (!*chunk)
            return NULL;
        memset(*chunk, 0, (size_t)LR__SLOTS_CHUNK * slots->record_size);
    }
    return lr__slots_find(slots, slot);
}

void *lr__slots_next(const lr__slots *slots, uint32_t *slot)
{
    while (*slot < LR__SLOTS_CHUNK * LR__SLOTS_CHUNKS) {
        void *record = lr__slots_find(slots, *slot);

        if (record)
            return record;
        *slot = (*slot / LR__SLOTS_CHUNK + 1) * LR__SLOTS_CHUNK;
    }
    return NULL;
}

void lr__slots_refuse(lr__slots *slots, lr__id id, lr__op op, int32_t res)
{
    uint32_t at = (slots->refused_first + slots->refused_count) % LR__SLOTS_REFUSALS;

    LR_CHECK(slots->refused_count < LR__SLOTS_REFUSALS);
    slots->refused_count++;
    slots->refused[at] = (lr__completion){
        .id = id, .res = res, .buffer = LR__NO_BUFFER, .op = (uint8_t)op, .last = true};
}

uint32_t lr__slots_take_refused(lr__slots *slots, lr__completion *out, uint32_t cap)
{
    uint32_t n = 0;

    while (n < cap && slots->refused_count > 0) {
        out[n++] = slots->refused[slots->refused_first];
        slots->refused_first = (slots->refused_first + 1) % LR__SLOTS_REFUSALS;
        slots->refused_count--;
    }
    return n;
}

void lr__slots_refuse_end(lr__slots *slots, int sock, lr__id id, bool reset)
{
    if (reset)
        lr__socket_linger_none(sock);
    (void)close(sock);
    lr__slots_refuse(slots, id, LR__OP_CLOSE, 0);
}
