/* SPDX-License-Identifier: MIT */
/* core/base/check.h: the assertion tiers (docs: CONTRIBUTING.md).
 *
 * LR_CHECK    always compiled; cheap invariants on cold paths and state moves: message, abort.
 * LR_DCHECK   with LOCKRING_DCHECK only: hot paths, list walks, thread ownership: message, abort.
 * LR_BUG_IF   always; misuse of the API by the host program: says so once per place and returns the
 *             status from the calling function; aborts with LOCKRING_DCHECK.
 * Never on peer bytes, option values, allocation or system results: those are statuses. */
#ifndef LR_CORE_BASE_CHECK_H
#define LR_CORE_BASE_CHECK_H

#include "core/base/compiler.h"

#include <stdatomic.h>
#include <stdbool.h>

LR_NORETURN LR_COLD void lr__check_failed(const char *expr, const char *file, int line);
LR_COLD void lr__bug(atomic_bool *said, const char *expr, const char *func, const char *file,
                     int line);

#define LR_CHECK(x)                                                                                \
    do {                                                                                           \
        if (LR_UNLIKELY(!(x)))                                                                     \
            lr__check_failed(#x, __FILE__, __LINE__);                                              \
    } while (0)

#ifdef LOCKRING_DCHECK
/* Not by way of LR_CHECK, which would see x with its macros expanded. */
#define LR_DCHECK(x)                                                                               \
    do {                                                                                           \
        if (LR_UNLIKELY(!(x)))                                                                     \
            lr__check_failed(#x, __FILE__, __LINE__);                                              \
    } while (0)
#else
#define LR_DCHECK(x)                                                                               \
    do {                                                                                           \
        if (0)                                                                                     \
            (void)(x);                                                                             \
    } while (0)
#endif

#define LR_BUG_IF(x, status)                                                                       \
    do {                                                                                           \
        if (LR_UNLIKELY(x)) {                                                                      \
            static atomic_bool lr_bug_said;                                                        \
            lr__bug(&lr_bug_said, #x, __func__, __FILE__, __LINE__);                               \
            return status;                                                                         \
        }                                                                                          \
    } while (0)

#define LR_UNREACHABLE() lr__check_failed("unreachable", __FILE__, __LINE__)

#endif
