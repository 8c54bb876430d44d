/* SPDX-License-Identifier: MIT */
/* proto/http_echo.c: one buffer per exchange, made with the first piece of its body.
 *
 * on_body appends, the answer's source takes from the front. Above HIGH the exchange is paused, so
 * the buffer never holds more than HIGH and one piece; below LOW it is resumed. The answer begins
 * with the first piece and not with the head, or it would stand in front of 100 Continue. */
#include "proto/http_echo.h"

#include <stdlib.h>
#include <string.h>

enum { HIGH = 64 * 1024, LOW = 16 * 1024, FIRST = 4096 };

typedef struct echo {
    lr_http_exchange *x;
    lr_conn *conn;
    uint8_t *bytes;
    uint32_t at, end, cap;
    bool has_all;  /* the request is read */
    bool is_asked; /* the source waits for bytes */
} echo;

static void on_finish(lr_http_exchange *x, void *user)
{
    echo *e = user;

    (void)x;
    free(e->bytes);
    free(e);
}

static int64_t pull(lr_conn *c, void *out, size_t cap, void *arg)
{
    echo *e = arg;
    size_t len = e->end - e->at;

    (void)c;
    if (len == 0 && !e->has_all) {
        e->is_asked = true;
        return LR_EAGAIN;
    }
    len = len < cap ? len : cap;
    if (len > 0)
        memcpy(out, e->bytes + e->at, len);
    e->at += (uint32_t)len;
    if (e->end - e->at <= LOW)
        lr_http_resume(e->x); /* may append, and say that all is there */
    return (int64_t)len;
}

static bool append(echo *e, lr_slice bytes)
{
    uint32_t len = e->end - e->at;

    if (e->end + bytes.len > e->cap) {
        if (e->at > 0 && len > 0)
            memmove(e->bytes, e->bytes + e->at, len);
        e->at = 0;
        e->end = len;
    }
    if (len + bytes.len > e->cap) {
        size_t cap = e->cap == 0 ? FIRST : e->cap;
        uint8_t *block;

        while (cap < len + bytes.len)
            cap *= 2;
        block = realloc(e->bytes, cap);
        if (!block)
            return false;
        e->bytes = block;
        e->cap = (uint32_t)cap;
    }
    memcpy(e->bytes + e->end, bytes.bytes, bytes.len);
    e->end += (uint32_t)bytes.len;
    return true;
}

static void wake(echo *e)
{
    if (!e->is_asked)
        return;
    e->is_asked = false;
    lr_conn_source_ready(e->conn);
}

/* The answer is as long as the request where that told its length. */
static void begin_answer(echo *e)
{
    const lr_http_head *head = lr_http_head_of(e->x);
    lr_source source = {pull, NULL, e};
    lr_slice type = lr_http_head_value(head, LR_LIT("content-type"));
    lr_http_header field = {LR_LIT("Content-Type"), type};
    lr_http_answer_options options = {.status = 200,
                                      .headers = &field,
                                      .header_count = type.len > 0 ? 1 : 0,
                                      .source = &source,
                                      .body_size =
                                          head->chunked ? LR_HTTP_UNKNOWN : head->content_length,
                                      .is_duplex = true};

    (void)lr_http_answer_with(e->x, &options);
}

void lr_http_echo_begin(lr_http_exchange *x)
{
    echo *e = calloc(1, sizeof(*e));

    if (!e) {
        lr_http_abort(x, LR_ENOMEM);
        return;
    }
    e->x = x;
    e->conn = lr_http_conn(x);
    lr_http_set_user(x, e, on_finish);
}

void lr_http_echo_body(lr_http_exchange *x, lr_slice bytes)
{
    echo *e = lr_http_user(x);

    if (!append(e, bytes)) {
        lr_http_abort(x, LR_ENOMEM);
        return;
    }
    if (e->end - e->at > HIGH)
        lr_http_pause(x);
    if (!lr_http_is_answered(x))
        begin_answer(e);
    else
        wake(e);
}

void lr_http_echo_complete(lr_http_exchange *x)
{
    echo *e = lr_http_user(x);

    e->has_all = true;
    if (!lr_http_is_answered(x))
        (void)lr_http_answer(x, 200, NULL, lr_slice_of(NULL, 0));
    else
        wake(e);
}
