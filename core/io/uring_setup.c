/* SPDX-License-Identifier: MIT */
/* core/io/uring_setup.c: what of io_uring the system can refuse: a ring with the flags that workers
 * use, its registrations, the operations. */
#include "core/io/uring_setup.h"

#include "core/base/check.h"
#include "core/io/uring_refusal.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>

enum {
    SQ_ENTRIES = 4096,
    CQ_ENTRIES = 32768,
    SQ_ENTRIES_MIN = 512, /* as far as -ENOMEM may push them down */
    CQ_ENTRIES_MIN = 1024
};

static_assert((LR__URING_BUFFERS & (LR__URING_BUFFERS - 1)) == 0, "buffer rings are powers of two");

static int init_ring(struct io_uring *ring, uint32_t sq, uint32_t cq)
{
    int ret;

    do {
        struct io_uring_params params = {0};

        params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                       IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
        params.cq_entries = cq;
        ret = io_uring_queue_init_params(sq, ring, &params);
        if (ret == 0 || ret != -ENOMEM || (sq <= SQ_ENTRIES_MIN && cq <= CQ_ENTRIES_MIN))
            return ret;
        sq = sq / 2 > SQ_ENTRIES_MIN ? sq / 2 : SQ_ENTRIES_MIN;
        cq = cq / 2 > CQ_ENTRIES_MIN ? cq / 2 : CQ_ENTRIES_MIN;
    } while (true);
}

lr_status lr__uring_set_up(struct io_uring *ring, struct io_uring_buf_ring **buffers,
                           const lr__ring_config *config, lr_error *err)
{
    uint32_t sq = config->sq_entries ? config->sq_entries : SQ_ENTRIES;
    uint32_t cq = config->cq_entries ? config->cq_entries : CQ_ENTRIES;
    int ret = init_ring(ring, sq < cq ? sq : cq, cq);

    if (ret != 0)
        return lr__uring_refused(err, "setup", -ret);
    *buffers = io_uring_setup_buf_ring(ring, LR__URING_BUFFERS, LR__URING_GROUP, 0, &ret);
    if (!*buffers) {
        io_uring_queue_exit(ring);
        return lr__uring_refused(err, "buffer ring", -ret);
    }
    /* An optimisation of some 15 ns per enter, and a guard against use after fork. */
    (void)io_uring_register_ring_fd(ring);
    (void)io_uring_ring_dontfork(ring);
    return LR_OK;
}

void lr__uring_tear_down(struct io_uring *ring, struct io_uring_buf_ring *buffers)
{
    (void)io_uring_free_buf_ring(ring, buffers, LR__URING_BUFFERS, LR__URING_GROUP);
    io_uring_queue_exit(ring);
}

lr_status lr__backend_probe_uring(lr_error *err)
{
    static const uint8_t needed[] = {IORING_OP_ACCEPT,       IORING_OP_RECV,    IORING_OP_SEND,
                                     IORING_OP_ASYNC_CANCEL, IORING_OP_CLOSE,   IORING_OP_POLL_ADD,
                                     IORING_OP_CONNECT,      IORING_OP_OPENAT2, IORING_OP_STATX,
                                     IORING_OP_READ};
    struct io_uring_buf_ring *buffers = NULL;
    struct io_uring_probe *probe;
    struct io_uring ring;
    lr__ring_config config = {0};
    lr_status status = lr__uring_set_up(&ring, &buffers, &config, err);

    if (status != LR_OK)
        return status;
    probe = io_uring_get_probe_ring(&ring);
    for (size_t i = 0; probe && i < LR_ARRAY_COUNT(needed); i++) {
        if (!io_uring_opcode_supported(probe, needed[i]))
            status = lr__uring_refused(err, "operation", EOPNOTSUPP);
    }
    io_uring_free_probe(probe);
    lr__uring_tear_down(&ring, buffers);
    return status;
}
