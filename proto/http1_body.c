/* SPDX-License-Identifier: MIT */
/* One state for each place in the grammar of RFC 9112 7.1, one byte at a time; only the data of
 * chunks is taken in pieces. Bounds: a size of 16 digits, so that it cannot overflow; the
 * extensions of a chunk, and of all chunks against the data they came with, so that a peer cannot
 * have much parsed for little data; all trailers together. */
#include "proto/http1_body.h"

#include "proto/http_chars.h"

#include <assert.h>

enum body_state {
    BODY_DONE,
    BODY_REFUSED,
    BODY_LENGTH,
    CHUNK_SIZE,      /* also before its first digit */
    CHUNK_EXTENSION, /* after the semicolon */
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    TRAILER_START,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF
};

enum {
    SIZE_DIGITS_MAX = 16,       /* 64 bits */
    CHUNK_EXTENSION_MAX = 256,  /* bytes */
    EXTENSION_BYTES_FREE = 4096 /* of all chunks, and one more for each byte of data */
};

static_assert(sizeof(lr_http_body) < 100, "a connection with a body keeps one");

static enum body_state refuse(lr_http_body *body, uint16_t status, const char *reason)
{
    body->fault.status = status;
    body->fault.reason = reason;
    return BODY_REFUSED;
}

void lr_http_body_init(lr_http_body *body, const lr_http_head *head, const lr_http_limits *limits)
{
    lr_http_limits resolved = lr_http_limits_of(limits);

    *body = (lr_http_body){0};
    body->size_max = resolved.body_size_max;
    body->trailer_bytes_max = resolved.header_bytes_max;
    body->left = head->chunked ? 0 : head->content_length;
    body->state = BODY_DONE;
    if (head->chunked)
        body->state = CHUNK_SIZE;
    else if (body->left > 0)
        body->state = BODY_LENGTH;
}

/* The size is complete. Everything above the limit is refused before a byte of it is taken. */
static enum body_state end_size(lr_http_body *body, enum body_state next)
{
    if (body->digits == 0)
        return refuse(body, 400, "a chunk has no size");
    if (body->left > body->size_max - body->size)
        return refuse(body, 413, "the body is too large");
    body->size += body->left;
    return next;
}

static enum body_state step_size(lr_http_body *body, uint8_t byte)
{
    int digit = lr__http_hex(byte);

    if (byte == '\r')
        return end_size(body, CHUNK_SIZE_LF);
    if (byte == ';')
        return end_size(body, CHUNK_EXTENSION);
    if (digit < 0)
        return refuse(body, 400, "the size of a chunk has a bad byte");
    if (body->digits == SIZE_DIGITS_MAX)
        return refuse(body, 400, "the size of a chunk is out of range");
    body->digits++;
    body->left = body->left * 16 + (uint64_t)digit;
    return CHUNK_SIZE;
}

static enum body_state step_extension(lr_http_body *body, uint8_t byte)
{
    if (byte == '\r')
        return CHUNK_SIZE_LF;
    if (!lr__http_is_value_byte(byte))
        return refuse(body, 400, "the extension of a chunk has a bad byte");
    body->chunk_extension++;
    body->extension_bytes++;
    if (body->chunk_extension > CHUNK_EXTENSION_MAX ||
        (body->extension_bytes > EXTENSION_BYTES_FREE &&
         body->extension_bytes - EXTENSION_BYTES_FREE > body->size))
        return refuse(body, 400, "the extensions of chunks are too long");
    return CHUNK_EXTENSION;
}

/* RFC 9112 7.1.2, as the fields of a head. */
static enum body_state step_trailer(lr_http_body *body, enum body_state state, uint8_t byte)
{
    if (state == TRAILER_START && byte == '\r')
        return LAST_LF;
    if (++body->trailer_bytes > body->trailer_bytes_max)
        return refuse(body, 431, "the trailers are too large");
    if (state == TRAILER_VALUE) {
        if (byte == '\r')
            return TRAILER_LF;
        if (!lr__http_is_value_byte(byte))
            return refuse(body, 400, "the value of a trailer has a bad byte");
        return TRAILER_VALUE;
    }
    if (state == TRAILER_NAME && byte == ':')
        return TRAILER_VALUE;
    if (!lr__http_is_token_byte(byte))
        return refuse(body, 400, "the name of a trailer is not a token");
    return TRAILER_NAME;
}

static enum body_state step_byte(lr_http_body *body, uint8_t byte, uint8_t expected,
                                 enum body_state next)
{
    return byte == expected ? next : refuse(body, 400, "a line or chunk does not end with CR LF");
}

static enum body_state begin_chunk(lr_http_body *body)
{
    body->left = 0;
    body->digits = 0;
    body->chunk_extension = 0;
    return CHUNK_SIZE;
}

static enum body_state step(lr_http_body *body, uint8_t byte)
{
    enum body_state state = (enum body_state)body->state;

    switch (state) {
    case CHUNK_SIZE:
        return step_size(body, byte);
    case CHUNK_EXTENSION:
        return step_extension(body, byte);
    case CHUNK_SIZE_LF:
        return step_byte(body, byte, '\n', body->left > 0 ? CHUNK_DATA : TRAILER_START);
    case CHUNK_DATA_CR:
        return step_byte(body, byte, '\r', CHUNK_DATA_LF);
    case CHUNK_DATA_LF:
        return step_byte(body, byte, '\n', begin_chunk(body));
    case TRAILER_START:
    case TRAILER_NAME:
    case TRAILER_VALUE:
        return step_trailer(body, state, byte);
    case TRAILER_LF:
        return step_byte(body, byte, '\n', TRAILER_START);
    case LAST_LF:
        return step_byte(body, byte, '\n', BODY_DONE);
    case BODY_DONE:
    case BODY_REFUSED:
    case BODY_LENGTH:
    case CHUNK_DATA:
        break; /* lr_http_body_next() has seen to these */
    }
    return state;
}

static lr_slice take_data(lr_http_body *body, lr_slice *bytes)
{
    size_t len = bytes->len < body->left ? bytes->len : (size_t)body->left;
    lr_slice data = lr_slice_of(bytes->bytes, len);

    *bytes = lr__http_skip(*bytes, len);
    body->left -= len;
    if (body->left == 0)
        body->state = body->state == CHUNK_DATA ? CHUNK_DATA_CR : BODY_DONE;
    return data;
}

lr_http_result lr_http_body_next(lr_http_body *body, lr_slice *bytes, lr_slice *data,
                                 lr_http_fault *fault)
{
    *data = lr_slice_of(NULL, 0);
    while (body->state != BODY_DONE && body->state != BODY_REFUSED) {
        if (bytes->len == 0)
            return LR_HTTP_MORE;
        if (body->state == BODY_LENGTH || body->state == CHUNK_DATA) {
            *data = take_data(body, bytes);
            return LR_HTTP_DATA;
        }
        body->state = (uint8_t)step(body, bytes->bytes[0]);
        *bytes = lr__http_skip(*bytes, 1);
    }
    if (body->state == BODY_DONE)
        return LR_HTTP_DONE;
    *fault = body->fault;
    return LR_HTTP_REFUSED;
}
