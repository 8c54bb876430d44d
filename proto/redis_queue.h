/* SPDX-License-Identifier: MIT */
/* proto/redis_queue.h: what a link of proto/redis.c is made of: commands under way in their order,
 * and bytes that grow. Both begin zeroed. Private to it; single thread. */
#ifndef LR_PROTO_REDIS_QUEUE_H
#define LR_PROTO_REDIS_QUEUE_H

#include "proto/redis.h"

/* A command under way. */
typedef struct lr__redis_slot {
    uint64_t since_ns;
    lr_redis_done done;
    void *arg;
    size_t size; /* of its bytes, while they wait */
} lr__redis_slot;

/* A ring of cap slots, a power of two. */
typedef struct lr__redis_queue {
    lr__redis_slot *slots;
    uint32_t cap, head, count;
} lr__redis_queue;

/* Makes room for one more. False: no memory. */
bool lr__redis_queue_reserve(lr__redis_queue *q);
void lr__redis_queue_push(lr__redis_queue *q, lr__redis_slot slot); /* there must be room */
lr__redis_slot lr__redis_queue_pop(lr__redis_queue *q);             /* it must not be empty */
/* The one of that rank, 0 is the oldest; it moves with the next reserve. */
lr__redis_slot *lr__redis_slot_at(const lr__redis_queue *q, uint32_t rank);
void lr__redis_queue_free(lr__redis_queue *q);

typedef struct lr__redis_buffer {
    uint8_t *bytes;
    size_t len, cap;
} lr__redis_buffer;

/* False: no memory; nothing has changed then. */
bool lr__redis_buffer_reserve(lr__redis_buffer *b, size_t more);
bool lr__redis_buffer_append(lr__redis_buffer *b, lr_slice bytes);
bool lr__redis_buffer_command(lr__redis_buffer *b, const lr_slice *arguments, size_t count);
void lr__redis_buffer_free(lr__redis_buffer *b);

#endif
