/* SPDX-License-Identifier: MIT */
/* core/io/file.h: file operations as system calls, for the back ends that have no other way. */
#ifndef LR_CORE_IO_FILE_H
#define LR_CORE_IO_FILE_H

#include "core/io/ring.h"

/* Does it here and now: what the completion of LR__OP_FILE says. Any thread. */
int32_t lr__file_do(const lr__file_op *op);

#endif
