/* SPDX-License-Identifier: MIT */
/* core/io/uring_file.h: file operations as requests of io_uring. */
#ifndef LR_CORE_IO_URING_FILE_H
#define LR_CORE_IO_URING_FILE_H

#include "core/io/ring.h"

struct io_uring_sqe;

void lr__uring_prep_file(struct io_uring_sqe *sqe, const lr__file_op *op);

/* Must it be asked for once more, by a thread of the kernel that may wait? So it is for a READ of
 * a file that was opened with O_NONBLOCK, on a file system that cannot say whether it would wait:
 * the kernel refuses with -EAGAIN although it could wait elsewhere (6.18 io_uring/rw.c). */
bool lr__uring_file_must_wait(const lr__file_op *op, int32_t res);

#endif
