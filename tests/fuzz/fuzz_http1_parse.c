/* SPDX-License-Identifier: MIT */
/* Fuzzes proto/http1_parse.h and proto/http1_body.h: pieces give what the whole gives, and what was
 * accepted has only one meaning. The first byte of an input says how the rest is split. */
#include "core/base/check.h"
#include "proto/http1_body.h"
#include "proto/http1_parse.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { HEADER_CAP = 30 };

static const lr_http_limits limits = {.request_line_max = 200,
                                      .header_bytes_max = 1000,
                                      .header_count_max = 20,
                                      .body_size_max = 400};

struct outcome {
    lr_http_result result;
    lr_http_fault fault;
    size_t head_size, body_size, taken;
    uint64_t digest; /* of the fields and the body */
};

static void add(uint64_t *digest, lr_slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        *digest = (*digest ^ bytes.bytes[i]) * UINT64_C(0x100000001b3);
}

static uint8_t *copy_of(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1); /* of exactly that size */

    LR_CHECK(copy != NULL);
    if (len > 0)
        memcpy(copy, bytes, len);
    return copy;
}

static void check_inside(lr_slice part, lr_slice whole)
{
    LR_CHECK(part.bytes >= whole.bytes && part.bytes + part.len <= whole.bytes + whole.len);
}

static void check_head(const lr_http_head *head, lr_slice bytes)
{
    lr_slice whole = lr_slice_of(bytes.bytes, head->size);
    uint32_t hosts = 0, framings = 0;

    LR_CHECK(head->size <= bytes.len && head->size <= limits.header_bytes_max);
    LR_CHECK(head->header_count <= limits.header_count_max);
    LR_CHECK(head->method.len > 0 && head->target.len > 0 && head->path.len > 0);
    check_inside(head->method, whole);
    check_inside(head->target, whole);
    check_inside(head->host, whole);
    for (uint32_t i = 0; i < head->header_count; i++) {
        lr_http_header header = head->headers[i];

        check_inside(header.name, whole);
        check_inside(header.value, whole);
        LR_CHECK(header.name.len > 0 && header.name.bytes[header.name.len] == ':');
        for (size_t j = 0; j < header.value.len; j++)
            LR_CHECK(header.value.bytes[j] >= 0x20 || header.value.bytes[j] == '\t');
        hosts +=
            header.name.len == 4 && strncasecmp((const char *)header.name.bytes, "host", 4) == 0;
        framings += header.name.len == 14 &&
                    strncasecmp((const char *)header.name.bytes, "content-length", 14) == 0;
        framings += header.name.len == 17 &&
                    strncasecmp((const char *)header.name.bytes, "transfer-encoding", 17) == 0;
    }
    LR_CHECK(hosts <= 1 && (head->version_minor == 0 || (hosts == 1 && head->host.len > 0)));
    LR_CHECK(framings <= 1 && (!head->has_body || framings == 1));
    if (framings == 1) {
        for (size_t i = 0; i < whole.len; i++)
            LR_CHECK(whole.bytes[i] != '\n' || whole.bytes[i - 1] == '\r');
    }
}

static void run_body(struct outcome *outcome, const lr_http_head *head, const uint8_t *bytes,
                     size_t len, size_t step)
{
    lr_http_body body;

    lr_http_body_init(&body, head, &limits);
    do {
        size_t count = len - outcome->taken < step ? len - outcome->taken : step;
        uint8_t *piece = copy_of(bytes + outcome->taken, count);
        lr_slice rest = lr_slice_of(piece, count), data;

        while ((outcome->result = lr_http_body_next(&body, &rest, &data, &outcome->fault)) ==
               LR_HTTP_DATA) {
            LR_CHECK(data.len > 0);
            check_inside(data, lr_slice_of(piece, count));
            outcome->body_size += data.len;
            add(&outcome->digest, data);
        }
        LR_CHECK(outcome->result != LR_HTTP_MORE || rest.len == 0);
        outcome->taken += count - rest.len;
        free(piece);
    } while (outcome->result == LR_HTTP_MORE && outcome->taken < len);
    LR_CHECK(outcome->body_size <= limits.body_size_max);
}

/* The head with `step` bytes, then with as many more at a time, in other memory each time. */
static struct outcome run(const uint8_t *bytes, size_t len, size_t step)
{
    struct outcome outcome = {.result = LR_HTTP_MORE};
    lr_http_header headers[HEADER_CAP];
    lr_http_head head = {.headers = headers, .header_cap = HEADER_CAP};
    lr_http_parser parser = {0};
    uint8_t *seen = NULL;
    size_t count = 0;

    do {
        free(seen);
        count = len - count < step ? len : count + step;
        seen = copy_of(bytes, count);
        outcome.result =
            lr_http_head_parse(&parser, &limits, lr_slice_of(seen, count), &head, &outcome.fault);
    } while (outcome.result == LR_HTTP_MORE && count < len);
    if (outcome.result == LR_HTTP_MORE)
        LR_CHECK(len < limits.header_bytes_max);
    if (outcome.result == LR_HTTP_DONE) {
        check_head(&head, lr_slice_of(seen, count));
        for (uint32_t i = 0; i < head.header_count; i++) {
            add(&outcome.digest, head.headers[i].name);
            add(&outcome.digest, head.headers[i].value);
        }
        add(&outcome.digest, head.path);
        add(&outcome.digest, head.host);
        outcome.head_size = outcome.taken = head.size;
        run_body(&outcome, &head, bytes, len, step);
    }
    free(seen);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct outcome whole, pieces;

    if (len == 0 || len > 4096)
        return 0;
    whole = run(bytes + 1, len - 1, len);
    pieces = run(bytes + 1, len - 1, (size_t)bytes[0] + 1);
    LR_CHECK(whole.result == pieces.result);
    LR_CHECK(whole.head_size == pieces.head_size && whole.body_size == pieces.body_size);
    LR_CHECK(whole.digest == pieces.digest);
    if (whole.result == LR_HTTP_REFUSED)
        LR_CHECK(whole.fault.status >= 400 && whole.fault.reason == pieces.fault.reason);
    if (whole.result == LR_HTTP_DONE)
        LR_CHECK(whole.taken == pieces.taken);
    return 0;
}
