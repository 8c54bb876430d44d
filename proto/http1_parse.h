/* SPDX-License-Identifier: MIT */
/* proto/http1_parse.h: the head of an HTTP/1 request, as a server reads it (RFC 9112).
 *
 * Pure: no I/O, no allocation, nothing kept but what is in lr_http_parser. Strict: what two
 * implementations could understand in two ways is refused and not repaired. After a refusal the
 * place where the next request begins is unknown: answer with the status and close.
 *
 * The caller collects the head in one piece of memory, begins with a zeroed lr_http_parser, and
 * calls lr_http_head_parse() whenever there is more of it. The memory may move between two calls;
 * what was seen is not read again. Any split into pieces gives the same result.
 *
 *     lr_http_header headers[100];
 *     lr_http_head head = {.headers = headers, .header_cap = 100};
 *
 *     switch (lr_http_head_parse(&parser, &limits, bytes, &head, &fault)) ...
 *
 * Refused, with the status in brackets. Request line: a method that is no token [400], CONNECT or a
 * method of more than 32 bytes [501], a target that is not origin-form, http or https
 * absolute-form, or "*" of OPTIONS [400], a target with controls, "#" or bytes above 126 [400], any
 * version but HTTP/1.0 and HTTP/1.1 [505, malformed 400], a long line [414]. Fields: white space
 * before the colon or at the start of a line, no name, controls, CR without LF [400]; too many or
 * too large [431]. Host: missing in HTTP/1.1, repeated, or no name or address literal [400].
 * Framing: Content-Length that is not one row of digits, or repeated, or beside Transfer-Encoding
 * [400], or above the limit [413]; Transfer-Encoding other than "chunked" once [400, and 501 for a
 * coding that is none of ours], or in HTTP/1.0 [400]; either of the two where a line ended with a
 * bare LF [400]. Expect other than 100-continue [417]. */
#ifndef LR_PROTO_HTTP1_PARSE_H
#define LR_PROTO_HTTP1_PARSE_H

#include <lockring/base.h> /* lr_slice */

#define LR_HTTP_UNLIMITED UINT64_MAX

/* Zero selects the default. */
typedef struct lr_http_limits {
    uint32_t request_line_max; /* bytes without the line end; 8192 */
    uint32_t header_bytes_max; /* bytes of the whole head, and of all trailers; 16384 */
    uint32_t header_count_max; /* 100 */
    uint64_t body_size_max;    /* bytes; 1 MiB, or LR_HTTP_UNLIMITED */
} lr_http_limits;

typedef enum lr_http_result {
    LR_HTTP_MORE,   /* everything so far is right; more bytes are needed */
    LR_HTTP_DATA,   /* lr_http_body_next() only: a piece of the body */
    LR_HTTP_DONE,   /* the end of the head, or of the body */
    LR_HTTP_REFUSED /* for good; lr_http_fault says why */
} lr_http_result;

typedef struct lr_http_fault {
    uint16_t status;    /* of the answer, as 400 */
    const char *reason; /* one clause, static */
} lr_http_fault;

/* Slices of the caller's bytes, the value without the white space around it. */
typedef struct lr_http_header {
    lr_slice name, value;
} lr_http_header;

/* The caller fills the first two members; LR_HTTP_DONE fills the others. The slices borrow the
 * bytes that were given to that call. */
typedef struct lr_http_head {
    lr_http_header *headers; /* room for header_cap of them */
    uint32_t header_cap;     /* if below header_count_max, this is the limit */
    uint32_t header_count;
    size_t size; /* of the head: what follows is the body or the next request */
    lr_slice method;
    lr_slice target;       /* as it was sent */
    lr_slice path;         /* path and query of the target, or "*" */
    lr_slice host;         /* of the target or of Host, without port; len 0 if none (HTTP/1.0) */
    uint16_t port;         /* beside the host, 0 if none */
    uint8_t version_minor; /* 0 or 1 */
    bool keep_alive;       /* the connection may carry another request */
    bool chunked;
    bool has_body;           /* chunked, or content_length > 0 */
    bool expect_continue;    /* it has a body and waits for 100 (RFC 9110 10.1.1) */
    uint64_t content_length; /* 0 if none */
} lr_http_head;

/* Where lr_http_head_parse() stands: all zero before the first call, else its own. */
typedef struct lr_http_parser {
    lr_http_fault fault;
    uint64_t content_length;
    uint32_t line, scanned; /* where the current line begins; no line end before here */
    uint32_t target_at, target_len, path_at, path_len, host_at, host_len; /* offsets in the head */
    uint32_t method_at, method_len, fields_at;
    uint32_t header_count;
    uint16_t port;
    uint8_t empty_lines, version_minor;
    bool has_request_line, has_target_host, has_host, has_length, has_coding, has_bare_lf;
    bool wants_close, wants_keep_alive, expects;
} lr_http_parser;

/* limits with the defaults in place of zeros; null is all defaults. */
LR_ANY lr_http_limits lr_http_limits_of(const lr_http_limits *limits);

/* bytes is the head from its first byte on, as far as it was received, and what may follow it. At
 * the latest with header_bytes_max bytes the result is not LR_HTTP_MORE. LR_HTTP_DONE leaves the
 * parser ready for the next head. */
LR_ANY lr_http_result lr_http_head_parse(lr_http_parser *parser, const lr_http_limits *limits,
                                         lr_slice bytes, lr_http_head *head, lr_http_fault *fault);

/* The value of the first field of that name, written in lower case; bytes is null if there is none.
 */
LR_ANY lr_slice lr_http_head_value(const lr_http_head *head, lr_slice lower_name);

#endif
