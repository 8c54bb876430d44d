/* SPDX-License-Identifier: MIT */
#include "http1_driver.h"

#include "support.h"

#include <stdio.h>
#include <stdlib.h>

enum { HEADER_CAP = 200 };

static void say(struct http1_outcome *outcome, lr_slice what, const char *end)
{
    size_t len = strlen(outcome->text);

    if (len + what.len + strlen(end) + 1 > sizeof outcome->text)
        return;
    if (what.len > 0)
        memcpy(outcome->text + len, what.bytes, what.len);
    memcpy(outcome->text + len + what.len, end, strlen(end) + 1);
}

/* "GET /path host:port 1.1 keep=1 chunked=0 length=0 body=0 expect=0|name=value|" */
static void say_head(struct http1_outcome *outcome, const lr_http_head *head)
{
    char line[128];

    say(outcome, head->method, " ");
    say(outcome, head->target, " ");
    say(outcome, head->path, " ");
    say(outcome, head->host, ":");
    snprintf(line, sizeof line, "%u 1.%u keep=%d chunked=%d length=%llu body=%d expect=%d|",
             head->port, head->version_minor, head->keep_alive, head->chunked,
             (unsigned long long)head->content_length, head->has_body, head->expect_continue);
    say(outcome, lr_slice_of(line, strlen(line)), "");
    for (uint32_t i = 0; i < head->header_count; i++) {
        say(outcome, head->headers[i].name, "=");
        say(outcome, head->headers[i].value, "|");
    }
}

static void say_fault(struct http1_outcome *outcome, const lr_http_fault *fault)
{
    assert_true(fault->status >= 400 && fault->status < 600);
    assert_true(strlen(fault->reason) > 0);
    outcome->status = fault->status;
    outcome->text[0] = '\0';
    say(outcome, lr_slice_of(fault->reason, strlen(fault->reason)), "");
}

static uint8_t *copy_of(lr_slice bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);

    assert_non_null(copy);
    if (len > 0)
        memcpy(copy, bytes.bytes, len);
    return copy;
}

static struct http1_outcome parse_head(lr_slice request, const lr_http_limits *limits, size_t first,
                                       size_t step, lr_http_head *head)
{
    struct http1_outcome outcome = {.result = LR_HTTP_MORE};
    lr_http_header *headers = malloc(HEADER_CAP * sizeof *headers);
    lr_http_parser parser = {0};
    lr_http_fault fault = {0};
    uint8_t *bytes = NULL;

    assert_non_null(headers);
    *head = (lr_http_head){.headers = headers, .header_cap = HEADER_CAP};
    for (size_t len = first;; len += step) {
        uint8_t *moved;

        if (len > request.len)
            len = request.len;
        moved = copy_of(request, len);
        free(bytes);
        bytes = moved;
        outcome.result = lr_http_head_parse(&parser, limits, lr_slice_of(bytes, len), head, &fault);
        if (outcome.result != LR_HTTP_MORE || len == request.len)
            break;
    }
    if (outcome.result == LR_HTTP_DONE)
        say_head(&outcome, head);
    if (outcome.result == LR_HTTP_REFUSED) {
        say_fault(&outcome, &fault);
        fault = (lr_http_fault){0}; /* A refusal is for good. */
        assert_int_equal(lr_http_head_parse(&parser, limits, request, head, &fault),
                         LR_HTTP_REFUSED);
        assert_int_equal(fault.status, outcome.status);
    }
    outcome.size = outcome.result == LR_HTTP_DONE ? head->size : 0;
    free(bytes);
    free(headers);
    return outcome;
}

struct http1_outcome http1_head(lr_slice request, const lr_http_limits *limits, size_t first,
                                size_t step)
{
    lr_http_head head;

    return parse_head(request, limits, first, step, &head);
}

struct http1_outcome http1_request(lr_slice request, const lr_http_limits *limits, size_t first,
                                   size_t step)
{
    lr_http_head head;
    struct http1_outcome outcome = parse_head(request, limits, first, step, &head);
    lr_http_fault fault = {0};
    lr_http_body body;
    size_t at = outcome.size;

    if (outcome.result != LR_HTTP_DONE)
        return outcome;
    lr_http_body_init(&body, &head, limits);
    do {
        size_t len = request.len - at < step ? request.len - at : step;
        uint8_t *bytes = copy_of(lr_slice_of(request.bytes + at, len), len);
        lr_slice rest = lr_slice_of(bytes, len), data;

        while ((outcome.result = lr_http_body_next(&body, &rest, &data, &fault)) == LR_HTTP_DATA) {
            assert_true(data.len > 0 && data.bytes >= bytes && data.bytes < bytes + len);
            say(&outcome, data, "");
        }
        at += len - rest.len;
        free(bytes);
    } while (outcome.result == LR_HTTP_MORE && at < request.len);
    if (outcome.result == LR_HTTP_REFUSED)
        say_fault(&outcome, &fault);
    outcome.size = outcome.result == LR_HTTP_DONE ? at : 0;
    return outcome;
}

static void assert_same(const struct http1_outcome *a, const struct http1_outcome *b)
{
    assert_int_equal(a->result, b->result);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->size, b->size);
    assert_string_equal(a->text, b->text);
}

struct http1_outcome http1_every_split(lr_slice request, const lr_http_limits *limits)
{
    struct http1_outcome whole = http1_request(request, limits, request.len, request.len + 1), part;

    for (size_t first = 0; first <= request.len; first++) {
        part = http1_request(request, limits, first, request.len + 1);
        assert_same(&whole, &part);
    }
    for (size_t step = 1; step <= 5; step++) {
        part = http1_request(request, limits, step, step);
        assert_same(&whole, &part);
    }
    return whole;
}
