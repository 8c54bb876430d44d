/* SPDX-License-Identifier: MIT */
/* core/io/file.h: files by plain system calls, for the back ends that have no other way. */
#ifndef LR_CORE_IO_FILE_H
#define LR_CORE_IO_FILE_H

#include "core/io/ring.h"

/* Does it here and now: what the completion of LR__OP_FILE says. Any thread. */
int32_t lr__file_do(const lr__file_op *op);

/* A file or a directory: epoll(7) refuses to poll it, io_uring would tell once that it is ready and
 * nothing ever after. */
bool lr__file_is_always_ready(int fd);

#endif
