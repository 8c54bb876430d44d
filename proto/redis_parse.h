/* SPDX-License-Identifier: MIT */
/* proto/redis_parse.h: RESP2, the protocol of Redis, as a client speaks it: replies are read,
 * commands are written.
 *
 * Pure: no I/O, no allocation, nothing kept but what is in lr_redis_parser. The caller collects a
 * reply in one piece of memory, begins with a zeroed lr_redis_parser, and calls
 * lr_redis_reply_parse() whenever there is more of it. The memory may move between two calls; what
 * was seen is not read again. Any split into pieces gives the same result, and nothing behind the
 * reply is looked at.
 *
 * Strict: the server is a program that somebody chose, so what is not RESP2 is a fault of the
 * configuration (another protocol on that port) and nothing is repaired. Refused: a type that is
 * none of + - : $ *, a line that has CR without LF or LF without CR, a number that is not its
 * shortest form or beyond 64 bits, a length below -1, what stands behind a bulk string instead of
 * CRLF, a line of more than LR_REDIS_LINE_MAX bytes, arrays within arrays deeper than
 * LR_REDIS_DEPTH_MAX, and a reply that is, or says that it will be, larger than the caller's limit:
 * that is refused as soon as it is said. */
#ifndef LR_PROTO_REDIS_PARSE_H
#define LR_PROTO_REDIS_PARSE_H

#include <lockring/base.h> /* lr_slice */

enum {
    LR_REDIS_LINE_MAX = 16384, /* of a simple string or an error, with its type and CRLF */
    LR_REDIS_DEPTH_MAX = 8,
    LR_REDIS_REPLY_MAX = 1 << 20 /* the default limit */
};

typedef enum lr_redis_type {
    LR_REDIS_NULL,   /* $-1 or *-1: there is no such value */
    LR_REDIS_SIMPLE, /* "OK" */
    LR_REDIS_ERROR,  /* "ERR unknown command" */
    LR_REDIS_INTEGER,
    LR_REDIS_BULK, /* any bytes */
    LR_REDIS_ARRAY
} lr_redis_type;

/* Slices borrow the bytes that were given to the call. */
typedef struct lr_redis_reply {
    lr_redis_type type;
    int64_t integer; /* LR_REDIS_INTEGER; LR_REDIS_ARRAY: how many elements */
    lr_slice bytes;  /* the text of SIMPLE, ERROR and BULK; ARRAY: for lr_redis_element_next() */
    size_t size;     /* on the wire: what follows the reply begins there */
} lr_redis_reply;

typedef enum lr_redis_result {
    LR_REDIS_MORE,   /* everything so far is right; more bytes are needed */
    LR_REDIS_DONE,   /* the reply is complete */
    LR_REDIS_REFUSED /* for good */
} lr_redis_result;

/* Where lr_redis_reply_parse() stands: all zero before the first call, else its own. */
typedef struct lr_redis_parser {
    size_t at;      /* where the element begins that is not yet complete */
    size_t scanned; /* there is no end of its first line before here */
    const char *reason;
    uint32_t depth;                    /* arrays that are open */
    uint32_t left[LR_REDIS_DEPTH_MAX]; /* elements that each of them still needs */
} lr_redis_parser;

/* bytes is the reply from its first byte on, as far as it was received, and what may follow it. At
 * the latest with size_max bytes (0: LR_REDIS_REPLY_MAX) the result is not LR_REDIS_MORE. *out is
 * all zero unless LR_REDIS_DONE, which leaves the parser ready for the next reply. *reason: of a
 * refusal, one clause, static; else null. */
LR_ANY lr_redis_result lr_redis_reply_parse(lr_redis_parser *parser, size_t size_max,
                                            lr_slice bytes, lr_redis_reply *out,
                                            const char **reason);

/* Takes the first element off *rest, at first the bytes of an LR_REDIS_ARRAY. False: there is none,
 * or these are not an array's (then *rest is not empty). */
LR_ANY bool lr_redis_element_next(lr_slice *rest, lr_redis_reply *out);

/* The bytes that lr_redis_command_write() needs; 0: no argument, or more than a size_t holds. */
LR_ANY size_t lr_redis_command_size(const lr_slice *arguments, size_t count);
/* Writes a command, its name first, as an array of bulk strings. Returns its size; 0, and nothing
 * was written: it does not fit, or there is no argument. */
LR_ANY size_t lr_redis_command_write(const lr_slice *arguments, size_t count, void *out,
                                     size_t cap);

#endif
