/* SPDX-License-Identifier: MIT */
/* proto/http1_answer.c: answers: their head, their framing, and the ways of their body.
 *
 * A short body is copied behind the head in one write. A long one is copied to a block of its own
 * or borrowed, and queued as it is. A stream is pulled through pull_known() or pull_chunked(),
 * which hold it to what the head has promised. */
#include "proto/http1_conn.h"

#include "proto/http_chars.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    COPY_MAX = 32 * 1024,  /* a body up to this is written behind the head */
    FIXED_HEAD_MAX = 320,  /* the sum of all lines but the type and the program's own fields */
    HEAD_ROOM = 2048,      /* on the stack; a longer head is built on the heap */
    CHUNK_HEAD = 6,        /* "3ff8" CR LF */
    CHUNK_OVERHEAD = 6 + 2 /* and CR LF behind the data */
};

const char *lr_http_status_text(uint16_t status)
{
    static const struct {
        uint16_t status;
        const char *text;
    } known[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].status == status)
            return known[i].text;
    }
    return "Unknown";
}

/* How the answer is framed. */
typedef struct framing {
    bool has_body;   /* bytes of it are sent */
    bool has_length; /* Content-Length is */
    bool is_chunked; /* or Transfer-Encoding, or neither */
    uint64_t size;
} framing;

static bool is_text(lr_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!lr__http_is_value_byte(text.bytes[i]))
            return false;
    }
    return true;
}

static bool is_field(const lr_http_header *field)
{
    for (size_t i = 0; i < field->name.len; i++) {
        if (!lr__http_is_token_byte(field->name.bytes[i]))
            return false;
    }
    return field->name.len > 0 && is_text(field->value);
}

/* Nothing may get into the head that would end a line of it. */
static bool is_valid(const lr_http_answer_options *options)
{
    const char *type = options->content_type;

    if (options->status < 200 || options->status > 599 ||
        (type && !is_text(lr_slice_of(type, strlen(type)))))
        return false;
    for (size_t i = 0; i < options->header_count; i++) {
        if (!is_field(&options->headers[i]))
            return false;
    }
    if (options->source)
        return options->source->pull != NULL;
    return options->body_size <= options->body.len ||
           (options->is_borrowed && options->body.len > 0);
}

static framing frame(const lr_http_exchange *x, const lr_http_answer_options *options)
{
    bool may_have = options->status != 204 && options->status != 304;
    framing f = {.has_body = may_have && !x->is_head, .has_length = may_have};

    f.size = options->body_size;
    if (!options->source && f.size < options->body.len)
        f.size = options->body.len;
    if (options->source && f.size == LR_HTTP_UNKNOWN) {
        f.has_length = false;
        f.is_chunked = may_have && x->head.version_minor >= 1;
    }
    return f;
}

/* Can what the client may still send of this request be read away, or is it better to close? */
static bool may_read_rest(const lr_http_exchange *x, bool is_duplex)
{
    if (x->phase != LR__HTTP_BODY || is_duplex)
        return true;
    if (x->head.chunked || (x->head.expect_continue && !x->has_continued))
        return false;
    return x->body.left <= LR__HTTP_DISCARD_MAX;
}

static bool may_keep_alive(const lr_http_exchange *x, const lr_http_answer_options *options,
                           const framing *f)
{
    const lr__http_conn *h = lr_conn_user(x->conn);

    return x->keep_alive && !h->is_draining && !options->close &&
           may_read_rest(x, options->is_duplex) &&
           (f->has_length || f->is_chunked || !f->has_body || options->status == 204 ||
            options->status == 304);
}

static size_t put(char *out, size_t at, lr_slice text)
{
    if (text.len > 0)
        memcpy(out + at, text.bytes, text.len);
    return at + text.len;
}

static size_t head_size_max(const lr_http_answer_options *options)
{
    size_t size = FIXED_HEAD_MAX;

    if (options->content_type)
        size += strlen(options->content_type);
    for (size_t i = 0; i < options->header_count; i++)
        size += options->headers[i].name.len + options->headers[i].value.len + 4;
    return size;
}

/* The longest lines that are not counted by head_size_max(): "HTTP/1.1 431 Request Header Fields
 * Too Large" 44, "Date: " and 29, "Content-Type: " without value 14, "Content-Length: " and 20,
 * "Transfer-Encoding: chunked" 26, "Connection: keep-alive" 22, and CR LF for each: below 200. */
static size_t build_head(const lr_http_exchange *x, const lr_http_answer_options *options,
                         const framing *f, char *out, size_t cap)
{
    const char *date = lr__http_date(x->worker, lr_conn_worker(x->conn));
    size_t at = (size_t)snprintf(out, cap, "HTTP/1.1 %u %s\r\n", options->status,
                                 lr_http_status_text(options->status));

    if (date[0] != '\0')
        at += (size_t)snprintf(out + at, cap - at, "Date: %s\r\n", date);
    if (options->content_type)
        at += (size_t)snprintf(out + at, cap - at, "Content-Type: %s\r\n", options->content_type);
    if (f->has_length)
        at += (size_t)snprintf(out + at, cap - at, "Content-Length: %llu\r\n",
                               (unsigned long long)f->size);
    else if (f->is_chunked)
        at = put(out, at, LR_LIT("Transfer-Encoding: chunked\r\n"));
    if (!x->keep_alive)
        at = put(out, at, LR_LIT("Connection: close\r\n"));
    else if (x->head.version_minor == 0)
        at = put(out, at, LR_LIT("Connection: keep-alive\r\n"));
    for (size_t i = 0; i < options->header_count; i++) {
        at = put(out, at, options->headers[i].name);
        at = put(out, at, LR_LIT(": "));
        at = put(out, at, options->headers[i].value);
        at = put(out, at, LR_LIT("\r\n"));
    }
    return put(out, at, LR_LIT("\r\n"));
}

/* Streams. */

/* The answer is queued to its end. */
static void hand_over(lr_http_exchange *x)
{
    x->is_handed_over = true;
    lr__http_go_on(x->conn);
}

static int64_t pull_known(lr_conn *c, void *out, size_t cap, void *arg)
{
    lr_http_exchange *x = arg;
    int64_t got;

    if (x->out.left == 0)
        return 0;
    if (cap > x->out.left)
        cap = (size_t)x->out.left;
    got = x->out.source.pull(c, out, cap, x->out.source.arg);
    if (got == 0)
        return LR_EABORTED; /* less than Content-Length: only an abort can tell the client */
    if (got > 0) {
        x->out.left -= (uint64_t)got;
        x->body_out += (uint64_t)got;
    }
    return got;
}

/* cap is at least 64: no fragment limit is smaller (RFC 8449 4). */
static int64_t pull_chunked(lr_conn *c, void *out, size_t cap, void *arg)
{
    static const char hex[] = "0123456789abcdef";
    lr_http_exchange *x = arg;
    char *at = out;
    int64_t got;

    if (x->out.has_ended)
        return 0;
    if (cap < CHUNK_OVERHEAD + 1)
        return LR_EABORTED;
    got = x->out.source.pull(c, at + CHUNK_HEAD, cap - CHUNK_OVERHEAD, x->out.source.arg);
    if (got < 0)
        return got;
    if (got == 0) {
        x->out.has_ended = true;
        memcpy(at, "0\r\n\r\n", 5);
        return 5;
    }
    x->body_out += (uint64_t)got;
    for (int i = 0; i < 4; i++)
        at[i] = hex[(size_t)got >> (12 - 4 * i) & 15];
    at[4] = '\r';
    at[5] = '\n';
    at[CHUNK_HEAD + got] = '\r';
    at[CHUNK_HEAD + got + 1] = '\n';
    return got + CHUNK_OVERHEAD;
}

static int64_t pull_to_end(lr_conn *c, void *out, size_t cap, void *arg)
{
    lr_http_exchange *x = arg;
    int64_t got = x->out.source.pull(c, out, cap, x->out.source.arg);

    if (got > 0)
        x->body_out += (uint64_t)got;
    return got;
}

static void on_source_done(lr_conn *c, lr_status status, void *arg)
{
    lr_http_exchange *x = arg;

    if (x->out.source.done)
        x->out.source.done(c, status, x->out.source.arg);
    x->out.source.pull = NULL;
    if (status == LR_OK)
        hand_over(x);
}

static lr_status write_source(lr_http_exchange *x, const lr_source *source, const framing *f)
{
    lr_source through = {pull_to_end, on_source_done, x};

    x->out.source = *source;
    x->out.left = f->size;
    if (f->is_chunked)
        through.pull = pull_chunked;
    else if (f->has_length)
        through.pull = pull_known;
    return lr_conn_write_source(x->conn, &through);
}

/* A borrowed body that is sent again and again: one piece of it is queued at a time. */
static lr_status write_repeated(lr_http_exchange *x);

static void on_repeated(void *arg)
{
    lr_http_exchange *x = arg;
    lr__http_conn *h = lr_conn_user(x->conn);
    lr_status status = write_repeated(x);

    if (status != LR_OK) {
        if (x->out.release)
            x->out.release(x->out.arg);
        if (!h->is_over && status != LR_ECLOSED)
            lr__http_abort(x->conn, status);
    }
}

static lr_status write_repeated(lr_http_exchange *x)
{
    lr_slice piece = x->out.repeated;
    bool is_last = x->out.left <= piece.len;
    lr_status status;

    if (is_last)
        piece.len = (size_t)x->out.left;
    x->out.left -= piece.len;
    status = is_last ? lr_conn_write_take(x->conn, piece, x->out.release, x->out.arg)
                     : lr_conn_write_take(x->conn, piece, on_repeated, x);
    if (status != LR_OK)
        return status;
    x->body_out += piece.len;
    if (is_last)
        hand_over(x);
    return LR_OK;
}

/* Whole bodies. */

static lr_status write_body(lr_http_exchange *x, const lr_http_answer_options *options,
                            const framing *f)
{
    lr_slice body = options->body;
    void *copy;
    lr_status status;

    if (options->is_borrowed) {
        x->out.repeated = body;
        x->out.left = f->size;
        x->out.release = options->release;
        x->out.arg = options->arg;
        return write_repeated(x);
    }
    copy = malloc(body.len);
    if (!copy)
        return LR_ENOMEM;
    memcpy(copy, body.bytes, body.len);
    status = lr_conn_write_take(x->conn, lr_slice_of(copy, body.len), free, copy);
    if (status != LR_OK) {
        free(copy);
        return status;
    }
    x->body_out += body.len;
    hand_over(x);
    return LR_OK;
}

/* Nothing of the body is sent: who lent it gets it back. */
static void give_back(lr_http_exchange *x, const lr_http_answer_options *options)
{
    if (options->source && options->source->done)
        options->source->done(x->conn, LR_OK, options->source->arg);
    else if (!options->source && options->is_borrowed && options->release)
        options->release(options->arg);
}

static lr_status write_answer(lr_http_exchange *x, const lr_http_answer_options *options,
                              const framing *f)
{
    char room[HEAD_ROOM], *head = room;
    size_t cap = head_size_max(options);
    bool is_short =
        f->has_body && !options->source && !options->is_borrowed && options->body.len <= COPY_MAX;
    bool is_bare = !f->has_body || (!options->source && f->size == 0);
    lr_slice pieces[2];
    lr_status status;

    if (cap > sizeof(room)) {
        head = malloc(cap);
        if (!head)
            return LR_ENOMEM;
    }
    pieces[0] = lr_slice_of(head, build_head(x, options, f, head, cap));
    pieces[1] = options->body;
    status = lr_conn_writev(x->conn, pieces, is_short && !is_bare ? 2 : 1);
    if (head != room)
        free(head);
    if (status != LR_OK)
        return status;
    if (is_bare) {
        give_back(x, options);
        hand_over(x);
        return LR_OK;
    }
    if (is_short) {
        x->body_out += options->body.len;
        hand_over(x);
        return LR_OK;
    }
    return options->source ? write_source(x, options->source, f) : write_body(x, options, f);
}

lr_status lr_http_answer_with(lr_http_exchange *x, const lr_http_answer_options *options)
{
    lr_conn *c = x->conn;
    const lr__http_conn *h = lr_conn_user(c);
    lr_status status;
    framing f;

    if (x->status != 0)
        return LR_ESTATE;
    if (!is_valid(options))
        return LR_EINVAL;
    if (h->is_over)
        return LR_ECLOSED;
    f = frame(x, options);
    x->keep_alive = may_keep_alive(x, options, &f);
    x->status = options->status;
    if (options->is_duplex)
        x->has_continued = true; /* behind the head of an answer it would be one */
    else
        x->is_discarding = true;
    status = write_answer(x, options, &f);
    if (status != LR_OK && status != LR_ECLOSED)
        lr__http_abort(c, status);
    return status;
}

lr_status lr_http_answer(lr_http_exchange *x, uint16_t status, const char *content_type,
                         lr_slice body)
{
    lr_http_answer_options options = {.status = status, .content_type = content_type, .body = body};

    return lr_http_answer_with(x, &options);
}

lr_status lr_http_answer_status(lr_http_exchange *x, uint16_t status, const char *reason)
{
    char text[256];
    int len = snprintf(text, sizeof(text), "%u %s%s%s\n", status, lr_http_status_text(status),
                       reason ? ": " : "", reason ? reason : "");

    if (len < 0 || (size_t)len >= sizeof(text))
        return LR_EINVAL;
    return lr_http_answer(x, status, "text/plain; charset=utf-8", lr_slice_of(text, (size_t)len));
}

lr_status lr_http_answer_not_allowed(lr_http_exchange *x, lr_slice allow)
{
    lr_http_header field = {LR_LIT("Allow"), allow};
    lr_http_answer_options options = {.status = 405,
                                      .content_type = "text/plain; charset=utf-8",
                                      .headers = &field,
                                      .header_count = 1,
                                      .body = LR_LIT("405 Method Not Allowed\n")};

    return lr_http_answer_with(x, &options);
}
