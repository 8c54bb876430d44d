/* SPDX-License-Identifier: MIT */
/* proto/http_info.h: what a connection is, as a JSON object for people and scripts. */
#ifndef LR_PROTO_HTTP_INFO_H
#define LR_PROTO_HTTP_INFO_H

#include <lockring/conn.h>

enum { LR_HTTP_INFO_MAX = 12288 }; /* a subject of 1023 bytes, each escaped, and the rest */

/* Writes the object and a line end to out. What there is not is null, false or "". Returns its
 * length; 0: it does not fit, which no connection can bring about. */
LR_WORKER size_t lr_http_info(lr_conn *c, char *out, size_t cap);

/* text as a JSON string with its quotes: bytes that are no printable ASCII become \u00XX. Returns
 * the length, 0 if it does not fit. */
LR_ANY size_t lr_http_json_string(lr_slice text, char *out, size_t cap);

#endif
