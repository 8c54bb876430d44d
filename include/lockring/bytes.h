/* SPDX-License-Identifier: MIT */
/* lockring/bytes.h: an immutable, counted row of bytes, for what is handed from thread to thread:
 * an OCSP response, a stored session.
 *
 * Threads  any; the count is atomic.
 * Memory   the bytes are copied when it is made, and wiped when the last reference goes. */
#ifndef LOCKRING_BYTES_H
#define LOCKRING_BYTES_H

#include <lockring/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lr_bytes lr_bytes;

/* The caller gets one reference; null: out of memory. */
LR_API LR_ANY LR_NODISCARD lr_bytes *lr_bytes_new(lr_slice bytes);
LR_API LR_ANY lr_bytes *lr_bytes_retain(lr_bytes *bytes);     /* returns it */
LR_API LR_ANY void lr_bytes_release(lr_bytes *bytes);         /* null is allowed */
LR_API LR_ANY lr_slice lr_bytes_slice(const lr_bytes *bytes); /* null: empty */

#ifdef __cplusplus
}
#endif

#endif
