/* SPDX-License-Identifier: MIT */
/* core/io/uring_file.h: file operations as requests of io_uring. */
#ifndef LR_CORE_IO_URING_FILE_H
#define LR_CORE_IO_URING_FILE_H

#include "core/io/ring.h"

struct io_uring_sqe;

void lr__uring_prep_file(struct io_uring_sqe *sqe, const lr__file_op *op);

/* Must it be asked for once more, by a thread of the kernel that may wait? So it is for a READ of
 * a file that was opened with O_NONBLOCK, on a file system that cannot try without waiting: the
 * kernel says -EAGAIN instead of going to a thread by itself (REQ_F_NOWAIT in io_uring/rw.c). Some
 * kernels had that condition the wrong way round, and said it of every file not in the page cache
 * (from 6.10 on, until their series was corrected); 6.18 does not. */
bool lr__uring_file_must_wait(const lr__file_op *op, int32_t res);

#endif
