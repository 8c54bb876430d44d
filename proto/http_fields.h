/* SPDX-License-Identifier: MIT */
/* proto/http_fields.h: the fields with which a client asks for less than the whole: dates, entity
 * tags, conditions and ranges (RFC 9110 5.6.7, 8.8, 13, 14).
 *
 * Pure. A condition or range that is malformed is one that is not there: the answer is the whole.
 */
#ifndef LR_PROTO_HTTP_FIELDS_H
#define LR_PROTO_HTTP_FIELDS_H

#include "proto/http1_parse.h" /* lr_http_head */

enum { LR_HTTP_DATE_LEN = 29 }; /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* Seconds since 1970 as IMF-fixdate, terminated; false for years that have not four digits. */
LR_ANY bool lr_http_date_format(int64_t seconds, char out[LR_HTTP_DATE_LEN + 1]);

/* IMF-fixdate only, with the right day of the week; the two obsolete formats, which no client has
 * sent for decades, are not dates. */
LR_ANY bool lr_http_date_parse(lr_slice text, int64_t *seconds);

/* What an answer is made of. The tag has its quotes, as "\"abc\"" or "W/\"abc\""; len 0 if none. */
typedef struct lr_http_validators {
    lr_slice etag;
    int64_t modified; /* seconds since 1970 */
} lr_http_validators;

/* Is etag in the list of an If-None-Match, or is that "*"? Weak comparison (RFC 9110 8.8.3.2). */
LR_ANY bool lr_http_etag_is_listed(lr_slice list, lr_slice etag);

/* Would the answer to this GET or HEAD be 304? If-Modified-Since counts only where there is no
 * If-None-Match (RFC 9110 13.2.2). */
LR_ANY bool lr_http_is_not_modified(const lr_http_head *head, const lr_http_validators *current);

typedef enum lr_http_range {
    LR_HTTP_RANGE_NONE,          /* the whole, 200 */
    LR_HTTP_RANGE_ONE,           /* 206 */
    LR_HTTP_RANGE_UNSATISFIABLE, /* 416 */
} lr_http_range;

/* The value of a Range, for a representation of size bytes: *first and *last, both included, are
 * set for LR_HTTP_RANGE_ONE. More than one range, and other units than bytes, are none. */
LR_ANY lr_http_range lr_http_range_parse(lr_slice value, uint64_t size, uint64_t *first,
                                         uint64_t *last);

/* The same for a GET, with If-Range: strong comparison or the very date (RFC 9110 13.1.5). */
LR_ANY lr_http_range lr_http_range_of(const lr_http_head *head, const lr_http_validators *current,
                                      uint64_t size, uint64_t *first, uint64_t *last);

#endif
