/* SPDX-License-Identifier: MIT */
/* core/tls/renegotiation.h: which renegotiations of TLS 1.2 a context lets its clients begin. */
#ifndef LR_CORE_TLS_RENEGOTIATION_H
#define LR_CORE_TLS_RENEGOTIATION_H

#include <lockring/context.h>

enum {
    LR__RENEGOTIATIONS_MAX = 64,
    LR__RENEGOTIATION_WINDOW_S = 600,
    LR__RENEGOTIATION_WINDOW_MAX_S = 7 * 86400,
    LR__RENEGOTIATIONS_NODE4 = 3,
    /* Records without data that one renegotiation may take; further ones are unproductive. A
     * client that answers in records of a few bytes is none that anybody has. */
    LR__RENEGOTIATION_RECORDS = 32
};

typedef struct lr__renegotiation_limit {
    uint32_t count; /* 0: all are refused */
    uint32_t window_s;
} lr__renegotiation_limit;

/* From the options, or else the process's default, or else the profile's. */
lr_status lr__renegotiation_limit_load(lr__renegotiation_limit *limit,
                                       const lr_context_options *options, lr_error *err);

#endif
