/* SPDX-License-Identifier: MIT */
/* core/base/status.h: filling an lr_error. The status names and texts are public (base.h). */
#ifndef LR_CORE_BASE_STATUS_H
#define LR_CORE_BASE_STATUS_H

#include "core/base/compiler.h"

#include <lockring/base.h>

/* Fills *err if it is not null (tls_alert -1, sys 0) and returns the status, so that a failing
 * function ends in `return lr__fail(err, LR_EFILE, "...")`. The text is cut to fit. */
lr_status lr__fail(lr_error *err, lr_status status, const char *format, ...) LR_PRINTF(3, 4);

/* The same with an errno: its value in err->sys, its name and text behind the message. */
lr_status lr__fail_sys(lr_error *err, lr_status status, int sys, const char *format, ...)
    LR_PRINTF(4, 5);

const char *lr__errno_name(int sys); /* "EADDRINUSE"; static; "E?" if unknown */

/* Copies a size-first options struct: min(from->size, size) bytes into the zeroed *to. LR_EOPTION,
 * with err naming the struct, if the caller's is longer and its tail is not all zero, or if its
 * size is not even the size field itself (or from is null). */
lr_status lr__options_adopt(void *to, size_t size, const void *from, const char *name,
                            lr_error *err);

#endif
