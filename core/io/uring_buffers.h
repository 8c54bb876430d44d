/* SPDX-License-Identifier: MIT */
/* core/io/uring_buffers.h: the receive buffers that the kernel chooses from: a ring of provided
 * buffers over a pool. */
#ifndef LR_CORE_IO_URING_BUFFERS_H
#define LR_CORE_IO_URING_BUFFERS_H

#include "core/io/recv_pool.h"

struct io_uring_buf_ring;

typedef struct lr__uring_buffers {
    struct io_uring_buf_ring *ring;
    lr__recv_pool pool;
    uint32_t available; /* buffers that the kernel may fill, by what was reaped */
} lr__uring_buffers;

void lr__uring_buffers_offer(lr__uring_buffers *b, uint32_t first); /* all from that index on */
/* The kernel has filled one: its bytes go to the worker. */
const uint8_t *lr__uring_buffers_lend(lr__uring_buffers *b, uint16_t buffer, uint32_t len);
void lr__uring_buffers_back(lr__uring_buffers *b, uint16_t buffer);
void lr__uring_buffers_note(lr__uring_buffers *b, bool was_short); /* may grow the pool */

#endif
