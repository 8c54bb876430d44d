/* SPDX-License-Identifier: MIT */
#include "core/base/status.h"

#include "core/base/check.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Nothing that calls itself options is larger; a larger size is a variable never set. */
enum { OPTIONS_SIZE_MAX = 65536 };

lr_status_kind lr_status_class(lr_status status)
{
    static_assert(LR_ESYSTEM / -100 == LR_CLASS_SYSTEM && LR_EGONE / -100 == LR_CLASS_GONE,
                  "the classes are the hundreds of the statuses");
    int value = (int)status;

    if (value == 0)
        return LR_CLASS_OK;
    if (value <= -100 && value >= (int)LR_STATUS_MIN)
        return (lr_status_kind)(value / -100);
    return LR_CLASS_USAGE; /* Not one of ours: somebody passed another number. */
}

const char *lr_status_name(lr_status status)
{
#define STATUS_CASE(name, value, text)                                                             \
    case name:                                                                                     \
        return #name;
    switch (status) {
        LR_STATUS_LIST(STATUS_CASE)
    case LR_STATUS_MIN:
        break;
    }
#undef STATUS_CASE
    return "LR_E?";
}

const char *lr_status_text(lr_status status)
{
#define STATUS_CASE(name, value, text)                                                             \
    case name:                                                                                     \
        return text;
    switch (status) {
        LR_STATUS_LIST(STATUS_CASE)
    case LR_STATUS_MIN:
        break;
    }
#undef STATUS_CASE
    return "not a status of this library";
}

static void reset_error(lr_error *err, lr_status status, int sys)
{
    memset(err, 0, sizeof *err);
    err->status = status;
    err->sys = sys;
    err->tls_alert = -1;
}

lr_status lr__fail(lr_error *err, lr_status status, const char *format, ...)
{
    va_list args;

    LR_DCHECK(status != LR_OK);
    if (!err)
        return status;
    reset_error(err, status, 0);
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return status;
}

lr_status lr__fail_sys(lr_error *err, lr_status status, int sys, const char *format, ...)
{
    const char *text = strerrordesc_np(sys);
    char tail[80];
    size_t tail_len, room;
    va_list args;

    LR_DCHECK(status != LR_OK);
    if (!err)
        return status;
    reset_error(err, status, sys);
    if (text)
        snprintf(tail, sizeof tail, ": %s (%s)", lr__errno_name(sys), text);
    else
        snprintf(tail, sizeof tail, ": %s (%d)", lr__errno_name(sys), sys);

    /* The cause matters more than the end of a long path: the message is cut, not the tail. */
    tail_len = strlen(tail);
    room = sizeof err->text - tail_len;
    va_start(args, format);
    vsnprintf(err->text, room, format, args);
    va_end(args);
    memcpy(err->text + strlen(err->text), tail, tail_len + 1);
    return status;
}

const char *lr__errno_name(int sys)
{
    const char *name = sys == 0 ? NULL : strerrorname_np(sys);

    return name ? name : "E?";
}

lr_status lr__options_adopt(void *to, size_t size, const void *from, const char *name,
                            lr_error *err)
{
    const unsigned char *bytes = from;
    size_t given;

    LR_CHECK(size >= sizeof given && size <= OPTIONS_SIZE_MAX);
    memset(to, 0, size);
    if (!from)
        return lr__fail(err, LR_EOPTION, "%s: no options given", name);
    memcpy(&given, from, sizeof given);
    if (given < sizeof given || given > OPTIONS_SIZE_MAX)
        return lr__fail(err, LR_EOPTION, "%s: size %zu is not that of a %s", name, given, name);
    for (size_t i = size; i < given; i++) {
        if (bytes[i] != 0)
            return lr__fail(err, LR_EOPTION, "%s: byte %zu is set, but this library knows only %zu",
                            name, i, size);
    }
    memcpy(to, from, given < size ? given : size);
    return LR_OK;
}
