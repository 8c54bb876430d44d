/* SPDX-License-Identifier: MIT */
/* core/base/compiler.h: what the compiler must be told, in one place. */
#ifndef LR_CORE_BASE_COMPILER_H
#define LR_CORE_BASE_COMPILER_H

#include <stddef.h>

#define LR_LIKELY(x) __builtin_expect(!!(x), 1)
#define LR_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define LR_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define LR_COLD __attribute__((cold))
#define LR_NORETURN __attribute__((noreturn))

/* Memory that nobody may touch for now (free slots, pooled blocks). Only AddressSanitizer looks. */
#if defined(__SANITIZE_ADDRESS__)
#define LR_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LR_HAS_ASAN 1
#endif
#endif
#ifdef LR_HAS_ASAN
#include <sanitizer/asan_interface.h>
#define LR_POISON(ptr, size) ASAN_POISON_MEMORY_REGION(ptr, size)
#define LR_UNPOISON(ptr, size) ASAN_UNPOISON_MEMORY_REGION(ptr, size)
#else
#define LR_POISON(ptr, size) ((void)(ptr), (void)(size))
#define LR_UNPOISON(ptr, size) ((void)(ptr), (void)(size))
#endif

#define LR_ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LR_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* The only control-flow macro of core: for functions that own nothing yet. */
#define LR_TRY(expr)                                                                               \
    do {                                                                                           \
        lr_status lr_try_status = (expr);                                                          \
        if (lr_try_status != LR_OK)                                                                \
            return lr_try_status;                                                                  \
    } while (0)

#endif
