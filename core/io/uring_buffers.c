/* SPDX-License-Identifier: MIT */
#include "core/io/uring_buffers.h"

#include "core/base/check.h"
#include "core/io/uring_setup.h"

#include <liburing.h>

static void add(lr__uring_buffers *b, uint16_t buffer, int offset)
{
    io_uring_buf_ring_add(b->ring, lr__recv_pool_bytes(&b->pool, buffer), LR__RECV_BUFFER_SIZE,
                          buffer, LR__URING_BUFFERS - 1, offset);
}

void lr__uring_buffers_offer(lr__uring_buffers *b, uint32_t first)
{
    uint32_t count = b->pool.count - first;

    for (uint32_t i = 0; i < count; i++)
        add(b, (uint16_t)(first + i), (int)i);
    io_uring_buf_ring_advance(b->ring, (int)count);
    b->available += count;
}

const uint8_t *lr__uring_buffers_lend(lr__uring_buffers *b, uint16_t buffer, uint32_t len)
{
    b->available--;
    lr__recv_pool_lend(&b->pool, buffer, len);
    return lr__recv_pool_bytes(&b->pool, buffer);
}

void lr__uring_buffers_back(lr__uring_buffers *b, uint16_t buffer)
{
    lr__recv_pool_back(&b->pool, buffer);
    add(b, buffer, 0);
    io_uring_buf_ring_advance(b->ring, 1);
    b->available++;
}

void lr__uring_buffers_note(lr__uring_buffers *b, bool was_short)
{
    if (LR_UNLIKELY(lr__recv_pool_note(&b->pool, was_short))) {
        uint32_t before = b->pool.count;

        if (lr__recv_pool_grow(&b->pool) > 0)
            lr__uring_buffers_offer(b, before);
    }
}
