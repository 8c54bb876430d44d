/* SPDX-License-Identifier: MIT */
/* core/base/log.h: one line per event, `name key=value ...`.
 *
 * The level is tested before anything is formatted. Lines that a peer can trigger go through a
 * lr__log_limit (one per worker): a token bucket, with the number of suppressed lines said in the
 * next one that passes (suppressed=N at its end). A line is one line whatever its arguments hold:
 * control bytes come out as '?'. Bytes that come from a peer are written with lr__log_escape().
 * errno stays as it was. Never logged: keys, tickets, session ids, plaintext. */
#ifndef LR_CORE_BASE_LOG_H
#define LR_CORE_BASE_LOG_H

#include "core/base/compiler.h"

#include <lockring/base.h>

typedef struct lr__log {
    lr_log_fn sink; /* null: standard error */
    void *user;
    lr_log_level level; /* lines above it are dropped; LR_LOG_DEFAULT means LR_LOG_WARN */
} lr__log;

/* All zero is a full bucket. */
typedef struct lr__log_limit {
    uint64_t refilled_ns; /* monotonic */
    uint32_t tokens;      /* lines that may pass now, at most LR__LOG_BURST */
    uint32_t suppressed;  /* lines dropped since the last that passed */
} lr__log_limit;

enum { LR__LOG_BURST = 20, LR__LOG_PER_SECOND = 5, LR__LOG_LINE_MAX = 512 };

bool lr__log_wants(const lr__log *log, lr_log_level level);
void lr__log_line(const lr__log *log, lr_log_level level, const char *format, ...) LR_PRINTF(3, 4);
/* limit may be null. */
void lr__log_limited(const lr__log *log, lr__log_limit *limit, uint64_t now_ns, lr_log_level level,
                     const char *format, ...) LR_PRINTF(5, 6);

/* Writes bytes as printable ASCII, others (and backslash, blank, quotes, =) as \xNN, into out, cut
 * with "..." to fit, always terminated. Returns out. */
const char *lr__log_escape(lr_slice bytes, char *out, size_t cap);

#endif
