/* SPDX-License-Identifier: MIT */
/* http1_driver.h: gives a request to the parsers of proto in pieces. */
#ifndef LR_TESTS_UNIT_HTTP1_DRIVER_H
#define LR_TESTS_UNIT_HTTP1_DRIVER_H

#include "proto/http1_body.h"
#include "proto/http1_parse.h"

/* What came of a request; two of them are equal where the texts are. */
struct http1_outcome {
    lr_http_result result; /* of the head, and if it was right, of the body */
    uint16_t status;       /* 0 if not refused */
    size_t size;           /* of head and body */
    char text[4096];       /* the head, its fields and the body, or the reason of the refusal */
};

/* The head is parsed first with `first` bytes of the request, then with `step` more until it ends,
 * each time in other memory of exactly that size. */
struct http1_outcome http1_head(lr_slice request, const lr_http_limits *limits, size_t first,
                                size_t step);

/* The same, then the body in pieces of `step` bytes. */
struct http1_outcome http1_request(lr_slice request, const lr_http_limits *limits, size_t first,
                                   size_t step);

/* The outcome, which is the same for every split in two and for every step up to 5 bytes. */
struct http1_outcome http1_every_split(lr_slice request, const lr_http_limits *limits);

#endif
