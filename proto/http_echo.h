/* SPDX-License-Identifier: MIT */
/* proto/http_echo.h: answers an HTTP request with its own body, while it comes.
 *
 * Between the two sides lies a bounded buffer: a client that does not read its answer is not read
 * from. */
#ifndef LR_PROTO_HTTP_ECHO_H
#define LR_PROTO_HTTP_ECHO_H

#include "proto/http1.h"

/* From on_request, on_body and on_complete of the site. The exchange's user is the echo's. */
LR_WORKER void lr_http_echo_begin(lr_http_exchange *x);
LR_WORKER void lr_http_echo_body(lr_http_exchange *x, lr_slice bytes);
LR_WORKER void lr_http_echo_complete(lr_http_exchange *x);

#endif
