/* SPDX-License-Identifier: MIT */
/* core/io/uring_setup.h: opens and closes an io_uring with its ring of receive buffers. */
#ifndef LR_CORE_IO_URING_SETUP_H
#define LR_CORE_IO_URING_SETUP_H

#include "core/io/recv_pool.h"
#include "core/io/ring.h"

struct io_uring;
struct io_uring_buf_ring;

enum {
    LR__URING_GROUP = 0,                  /* of the provided buffers */
    LR__URING_BUFFERS = LR__RECV_POOL_MAX /* 16 KB; the pool grows without registering again */
};

/* On the thread that will use it. LR_ERING with a cause and an advice in err. */
lr_status lr__uring_set_up(struct io_uring *ring, struct io_uring_buf_ring **buffers,
                           const lr__ring_config *config, lr_error *err);
void lr__uring_tear_down(struct io_uring *ring, struct io_uring_buf_ring *buffers);

#endif
