/* SPDX-License-Identifier: MIT */
#include "core/base/log.h"

#include "core/base/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    REFILL_NS = 1000000000 / LR__LOG_PER_SECOND, /* one line */
    TAIL_MAX = sizeof " suppressed=4294967295"
};

/* Standard error gets each line in one write, so that lines of several threads do not mix. */
static void write_to_stderr(lr_log_level level, const char *line)
{
    static const char *const names[] = {"", "error", "warn", "info", "debug"};
    char text[LR__LOG_LINE_MAX + 24]; /* "lockring: ", level, ": ", end of line */
    int len = snprintf(text, sizeof text, "lockring: %s: %s\n", names[level], line);
    ssize_t written = write(STDERR_FILENO, text, (size_t)len);

    (void)written; /* A log that cannot be written is no reason to stop serving. */
}

/* Puts a note at the end of what was cut, and makes it one line. */
static void finish_line(char *line, size_t cap, size_t wanted)
{
    if (wanted >= cap)
        memcpy(line + cap - sizeof "...", "...", sizeof "...");
    for (char *at = line; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    }
}

static void emit(const lr__log *log, lr_log_level level, uint32_t suppressed, const char *format,
                 va_list args)
{
    char line[LR__LOG_LINE_MAX];
    size_t cap = sizeof line - (suppressed > 0 ? TAIL_MAX : 0);
    int saved_errno = errno;
    int wanted = vsnprintf(line, cap, format, args);

    if (wanted < 0)
        wanted = snprintf(line, cap, "log_line_unprintable");
    finish_line(line, cap, (size_t)wanted);
    if (suppressed > 0)
        snprintf(line + strlen(line), TAIL_MAX, " suppressed=%u", suppressed);
    if (log->sink)
        log->sink(level, line, log->user);
    else
        write_to_stderr(level, line);
    errno = saved_errno;
}

bool lr__log_wants(const lr__log *log, lr_log_level level)
{
    lr_log_level highest = log->level == LR_LOG_DEFAULT ? LR_LOG_WARN : log->level;

    return level >= LR_LOG_ERROR && level <= LR_LOG_DEBUG && highest != LR_LOG_OFF &&
           level <= highest;
}

void lr__log_line(const lr__log *log, lr_log_level level, const char *format, ...)
{
    va_list args;

    if (!lr__log_wants(log, level))
        return;
    va_start(args, format);
    emit(log, level, 0, format, args);
    va_end(args);
}

/* Takes a token if there is one. Time that goes back refills nothing. */
static bool may_pass(lr__log_limit *limit, uint64_t now_ns)
{
    uint64_t earned;

    if (limit->refilled_ns == 0) { /* The first line. */
        limit->tokens = LR__LOG_BURST;
        limit->refilled_ns = now_ns > 0 ? now_ns : 1;
    }
    LR_DCHECK(limit->tokens <= LR__LOG_BURST);
    if (now_ns > limit->refilled_ns) {
        earned = (now_ns - limit->refilled_ns) / REFILL_NS;
        if (earned >= LR__LOG_BURST - limit->tokens) {
            limit->tokens = LR__LOG_BURST; /* A full bucket earns nothing. */
            limit->refilled_ns = now_ns;
        } else {
            limit->tokens += (uint32_t)earned;
            limit->refilled_ns += earned * REFILL_NS;
        }
    }
    if (limit->tokens == 0)
        return false;
    limit->tokens--;
    return true;
}

void lr__log_limited(const lr__log *log, lr__log_limit *limit, uint64_t now_ns, lr_log_level level,
                     const char *format, ...)
{
    uint32_t suppressed = 0;
    va_list args;

    if (!lr__log_wants(log, level))
        return;
    if (limit) {
        if (!may_pass(limit, now_ns)) {
            if (limit->suppressed < UINT32_MAX)
                limit->suppressed++;
            return;
        }
        suppressed = limit->suppressed;
        limit->suppressed = 0;
    }
    va_start(args, format);
    emit(log, level, suppressed, format, args);
    va_end(args);
}

static bool is_plain(uint8_t byte)
{
    return byte > ' ' && byte < 0x7f && !strchr("\\\"'=", byte);
}

const char *lr__log_escape(lr_slice bytes, char *out, size_t cap)
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0, cut = 0; /* cut: the last place where "..." still fits behind whole pieces */

    if (cap == 0)
        return "";
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = bytes.bytes[i];
        size_t piece = is_plain(byte) ? 1 : 4;

        if (cap - at <= piece) {
            size_t dots = cap - 1 - cut < 3 ? cap - 1 - cut : 3;

            memset(out + cut, '.', dots);
            at = cut + dots;
            break;
        }
        if (piece == 1)
            out[at] = (char)byte;
        else
            memcpy(out + at, (char[]){'\\', 'x', hex[byte >> 4], hex[byte & 15]}, 4);
        at += piece;
        if (cap - at >= sizeof "...")
            cut = at;
    }
    out[at] = '\0';
    return out;
}
