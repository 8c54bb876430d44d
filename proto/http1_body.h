/* SPDX-License-Identifier: MIT */
/* proto/http1_body.h: the body of an HTTP/1 request: Content-Length or chunked (RFC 9112 6, 7).
 *
 * Pure as proto/http1_parse.h, and nothing is copied: each piece of the body is a slice of what was
 * received. Extensions of chunks are skipped and trailers dropped; both are bounded. White space
 * around a chunk size, and LF without CR, are refused. */
#ifndef LR_PROTO_HTTP1_BODY_H
#define LR_PROTO_HTTP1_BODY_H

#include "proto/http1_parse.h" /* lr_http_head, lr_http_result */

/* Made by lr_http_body_init(), else its own. */
typedef struct lr_http_body {
    lr_http_fault fault;
    uint64_t left; /* of the body, or of the current chunk */
    uint64_t size; /* of all chunks so far */
    uint64_t size_max;
    uint64_t extension_bytes; /* of all chunks */
    uint32_t chunk_extension; /* bytes, of this chunk */
    uint32_t trailer_bytes, trailer_bytes_max;
    uint8_t state, digits;
} lr_http_body;

LR_ANY void lr_http_body_init(lr_http_body *body, const lr_http_head *head,
                              const lr_http_limits *limits);

/* Takes from the front of *bytes. LR_HTTP_DATA: *data is the next piece, call again; LR_HTTP_MORE:
 * all is taken; LR_HTTP_DONE: *bytes is what follows the request. */
LR_ANY lr_http_result lr_http_body_next(lr_http_body *body, lr_slice *bytes, lr_slice *data,
                                        lr_http_fault *fault);

#endif
