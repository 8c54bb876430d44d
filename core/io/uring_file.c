/* SPDX-License-Identifier: MIT */
#include "core/io/uring_file.h"

#include "core/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <sys/stat.h>

void lr__uring_prep_file(struct io_uring_sqe *sqe, const lr__file_op *op)
{
    switch (op->kind) {
    case LR__FILE_OPEN:
        io_uring_prep_openat2(sqe, op->fd, op->path, op->how);
        return;
    case LR__FILE_STAT:
        io_uring_prep_statx(sqe, op->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, op->statx);
        return;
    case LR__FILE_READ:
        io_uring_prep_read(sqe, op->fd, op->buf, op->len, op->offset);
        return;
    case LR__FILE_CLOSE:
        io_uring_prep_close(sqe, op->fd);
        return;
    }
    LR_UNREACHABLE();
}

bool lr__uring_file_must_wait(const lr__file_op *op, int32_t res)
{
    return op->kind == LR__FILE_READ && res == -EAGAIN;
}
