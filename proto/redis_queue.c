/* SPDX-License-Identifier: MIT */
#include "proto/redis_queue.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 64, BYTES_MIN = 512 };

lr__redis_slot *lr__redis_slot_at(const lr__redis_queue *q, uint32_t rank)
{
    return &q->slots[(q->head + rank) & (q->cap - 1)];
}

bool lr__redis_queue_reserve(lr__redis_queue *q)
{
    uint32_t cap = q->cap ? q->cap * 2 : SLOTS_MIN;
    lr__redis_slot *slots;

    if (q->count < q->cap)
        return true;
    slots = calloc(cap, sizeof(*slots));
    if (!slots)
        return false;
    for (uint32_t i = 0; i < q->count; i++)
        slots[i] = *lr__redis_slot_at(q, i);
    free(q->slots);
    q->slots = slots;
    q->cap = cap;
    q->head = 0;
    return true;
}

void lr__redis_queue_push(lr__redis_queue *q, lr__redis_slot slot)
{
    *lr__redis_slot_at(q, q->count++) = slot;
}

lr__redis_slot lr__redis_queue_pop(lr__redis_queue *q)
{
    lr__redis_slot first = *lr__redis_slot_at(q, 0);

    q->head = (q->head + 1) & (q->cap - 1);
    q->count--;
    return first;
}

void lr__redis_queue_free(lr__redis_queue *q)
{
    free(q->slots);
    memset(q, 0, sizeof(*q));
}

bool lr__redis_buffer_reserve(lr__redis_buffer *b, size_t more)
{
    size_t cap = b->cap ? b->cap : BYTES_MIN;
    uint8_t *bytes;

    if (b->cap - b->len >= more)
        return true;
    while (cap - b->len < more)
        cap *= 2;
    bytes = realloc(b->bytes, cap);
    if (!bytes)
        return false;
    b->bytes = bytes;
    b->cap = cap;
    return true;
}

bool lr__redis_buffer_append(lr__redis_buffer *b, lr_slice bytes)
{
    if (!lr__redis_buffer_reserve(b, bytes.len))
        return false;
    memcpy(b->bytes + b->len, bytes.bytes, bytes.len);
    b->len += bytes.len;
    return true;
}

bool lr__redis_buffer_command(lr__redis_buffer *b, const lr_slice *arguments, size_t count)
{
    size_t size = lr_redis_command_size(arguments, count);

    if (!lr__redis_buffer_reserve(b, size))
        return false;
    b->len += lr_redis_command_write(arguments, count, b->bytes + b->len, size);
    return true;
}

void lr__redis_buffer_free(lr__redis_buffer *b)
{
    free(b->bytes);
    memset(b, 0, sizeof(*b));
}
