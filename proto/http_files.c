/* SPDX-License-Identifier: MIT */
/* proto/http_files.c: from the path of a request to a file that is sent.
 *
 * A transfer lives as long as its exchange: opening, then the answer with its conditions, then a
 * source that is asked for bytes. One read is under way at a time. It is begun when the last byte
 * of the piece before was taken, so the disk works while the ring sends. */
#include "proto/http_files.h"

#include "proto/http_chars.h"
#include "proto/http_fields.h"
#include "proto/http_path.h"
#include "proto/http_types.h"

#include <lockring/file.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char index_name[] = "index.html";

enum { NAME_MAX_SIZE = 4096, FIELDS_MAX = 4 };

typedef struct transfer {
    lr_http_exchange *x;
    lr_conn *conn;
    lr_file *file;
    void (*missing)(lr_http_exchange *x);
    uint64_t asked, end; /* the next byte to read; behind the last */
    lr_slice piece;      /* read and not taken yet, in the file's buffer */
    lr_status failure;
    bool is_reading;
    bool is_awaited; /* the source has nothing and must be told */
    char path[];     /* relative, below the directory */
} transfer;

static void on_finish(lr_http_exchange *x, void *user)
{
    transfer *t = user;

    (void)x;
    lr_file_close(t->file);
    free(t);
}

static void answer_missing(transfer *t)
{
    void (*missing)(lr_http_exchange * x) = t->missing;
    lr_http_exchange *x = t->x;

    lr_http_set_user(x, NULL, NULL);
    on_finish(x, t);
    if (missing)
        missing(x);
    else
        (void)lr_http_answer_status(x, 404, NULL);
}

/* Why a file cannot be opened. What leads outside the directory is as good as not there. */
static void answer_error(transfer *t, int sys)
{
    switch (sys) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
    case EXDEV:
        answer_missing(t);
        break;
    case EACCES:
    case EPERM:
    case ENXIO: /* a socket */
        (void)lr_http_answer_status(t->x, 403, NULL);
        break;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN: /* openat2(): the path was changed meanwhile, too often */
        (void)lr_http_answer_status(t->x, 503, NULL);
        break;
    default:
        (void)lr_http_answer_status(t->x, 500, NULL);
    }
}

/* The transfer. */

static void on_read(lr_file *file, lr_status status, int sys, lr_slice bytes, void *user)
{
    transfer *t = user;

    (void)file;
    (void)sys;
    t->is_reading = false;
    if (status != LR_OK || bytes.len == 0)
        t->failure = LR_EFILE; /* not readable, or it has shrunk */
    t->piece = bytes;
    t->asked += bytes.len;
    if (t->is_awaited) {
        t->is_awaited = false;
        lr_conn_source_ready(t->conn);
    }
}

static void read_next(transfer *t)
{
    uint64_t left = t->end - t->asked;
    lr_status status;

    if (t->is_reading || left == 0 || t->failure != LR_OK)
        return;
    status =
        lr_file_read(t->file, t->asked,
                     left < LR_FILE_READ_MAX ? (size_t)left : (size_t)LR_FILE_READ_MAX, on_read);
    t->is_reading = status == LR_OK;
    t->failure = status;
}

static int64_t pull(lr_conn *c, void *out, size_t cap, void *arg)
{
    transfer *t = arg;
    size_t len = t->piece.len < cap ? t->piece.len : cap;

    (void)c;
    if (t->failure != LR_OK)
        return t->failure;
    if (len == 0) {
        read_next(t);
        t->is_awaited = true;
        return t->failure != LR_OK ? t->failure : LR_EAGAIN;
    }
    memcpy(out, t->piece.bytes, len);
    t->piece = lr__http_skip(t->piece, len);
    if (t->piece.len == 0)
        read_next(t);
    return (int64_t)len;
}

/* The answer. */

/* Fields that are collected, with room for the values that are made here. */
typedef struct fields {
    lr_http_header list[FIELDS_MAX];
    size_t count;
    char etag[64], modified[LR_HTTP_DATE_LEN + 1], range[80];
} fields;

static void add(fields *f, lr_slice name, const char *value)
{
    f->list[f->count++] = (lr_http_header){name, lr_slice_of(value, strlen(value))};
}

/* Inode, size and time name one version of one file. A date of the future is none of a file that
 * is sent now (RFC 9110 8.8.2.1). */
static lr_http_validators describe(transfer *t, const lr_file_info *info, fields *f)
{
    int64_t now_s = lr_worker_wall_ms(lr_conn_worker(t->conn)) / 1000;
    lr_http_validators current = {.modified = info->modified_s};

    (void)snprintf(f->etag, sizeof(f->etag), "\"%llx-%llx-%llx-%x\"",
                   (unsigned long long)info->inode, (unsigned long long)info->size,
                   (unsigned long long)info->modified_s, info->modified_ns);
    current.etag = lr_slice_of(f->etag, strlen(f->etag));
    add(f, LR_LIT("ETag"), f->etag);
    if (info->modified_s <= now_s && lr_http_date_format(info->modified_s, f->modified))
        add(f, LR_LIT("Last-Modified"), f->modified);
    return current;
}

static void answer_file(transfer *t, const lr_file_info *info)
{
    fields f = {.count = 0};
    const lr_http_head *head = lr_http_head_of(t->x);
    bool is_get = lr_http_method_is(t->x, "GET");
    lr_http_validators current = describe(t, info, &f);
    lr_source source = {pull, NULL, t};
    lr_http_answer_options options = {.status = 200, .headers = f.list};
    lr_http_range range = LR_HTTP_RANGE_NONE;
    uint64_t first = 0, last = 0;

    if (lr_http_is_not_modified(head, &current)) {
        options.status = 304;
    } else {
        if (is_get)
            range = lr_http_range_of(head, &current, info->size, &first, &last);
        options.content_type = lr_http_type_of(t->path);
        options.source = &source;
        t->end = info->size;
    }
    switch (range) {
    case LR_HTTP_RANGE_ONE:
        options.status = 206;
        t->asked = first;
        t->end = last + 1;
        (void)snprintf(f.range, sizeof(f.range), "bytes %llu-%llu/%llu", (unsigned long long)first,
                       (unsigned long long)last, (unsigned long long)info->size);
        add(&f, LR_LIT("Content-Range"), f.range);
        break;
    case LR_HTTP_RANGE_UNSATISFIABLE:
        options.status = 416;
        options.content_type = NULL;
        options.source = NULL;
        (void)snprintf(f.range, sizeof(f.range), "bytes */%llu", (unsigned long long)info->size);
        add(&f, LR_LIT("Content-Range"), f.range);
        break;
    case LR_HTTP_RANGE_NONE:
        add(&f, LR_LIT("Accept-Ranges"), "bytes");
        break;
    }
    options.body_size = options.source ? t->end - t->asked : 0;
    options.header_count = f.count;
    if (options.source && is_get)
        read_next(t);
    (void)lr_http_answer_with(t->x, &options);
}

/* Path to the same name with a slash. It is made of what was resolved, never of what was sent:
 * "//host/dir" would lead to another host. */
static void answer_redirect(transfer *t)
{
    static const char hex[] = "0123456789ABCDEF";
    static const char kept[] = "-._~/!$&'()*+,;=:@";
    lr_slice target = lr_http_head_of(t->x)->path;
    const uint8_t *query = memchr(target.bytes, '?', target.len);
    lr_slice rest = lr_slice_of(NULL, 0);
    lr_http_header location = {LR_LIT("Location"), rest};
    lr_http_answer_options options = {.status = 301, .headers = &location, .header_count = 1};
    char *out = malloc(strlen(t->path) * 3 + target.len + 3);
    size_t at = 0;

    if (!out) {
        lr_http_abort(t->x, LR_ENOMEM);
        return;
    }
    if (query)
        rest = lr_slice_of(query, target.len - (size_t)(query - target.bytes));
    out[at++] = '/';
    for (const char *from = t->path; *from; from++) {
        uint8_t byte = (uint8_t)*from, folded = lr__http_fold(byte);

        if (lr__http_is_digit(byte) || (folded >= 'a' && folded <= 'z') || strchr(kept, byte)) {
            out[at++] = (char)byte;
            continue;
        }
        out[at++] = '%';
        out[at++] = hex[byte >> 4];
        out[at++] = hex[byte & 15];
    }
    out[at++] = '/';
    if (rest.len > 0)
        memcpy(out + at, rest.bytes, rest.len);
    location.value = lr_slice_of(out, at + rest.len);
    (void)lr_http_answer_with(t->x, &options);
    free(out);
}

static void on_opened(lr_file *file, lr_status status, int sys, const lr_file_info *info,
                      void *user)
{
    transfer *t = user;

    (void)file;
    if (status != LR_OK)
        answer_error(t, sys);
    else if (info->is_directory)
        answer_redirect(t);
    else if (!info->is_regular)
        (void)lr_http_answer_status(t->x, 403, NULL);
    else
        answer_file(t, info);
}

static transfer *transfer_new(lr_http_exchange *x, const char *path, size_t len)
{
    bool is_directory = len == 0 || path[len - 1] == '/';
    size_t more = is_directory ? sizeof(index_name) - 1 : 0;
    transfer *t = calloc(1, sizeof(*t) + len + more + 1);

    if (!t)
        return NULL;
    memcpy(t->path, path, len);
    memcpy(t->path + len, index_name, more);
    t->x = x;
    t->conn = lr_http_conn(x);
    return t;
}

void lr_http_files_answer(lr_http_exchange *x, int directory, void (*missing)(lr_http_exchange *x))
{
    lr_file_options options = {LR_FILE_OPTIONS, .directory = directory};
    char path[NAME_MAX_SIZE];
    size_t len;
    transfer *t;
    lr_status status;

    if (directory <= 0) { /* that would be every file there is */
        (void)lr_http_answer_status(x, 500, NULL);
        return;
    }
    if (!lr_http_method_is(x, "GET") && !lr_http_method_is(x, "HEAD")) {
        (void)lr_http_answer_not_allowed(x, LR_LIT("GET, HEAD"));
        return;
    }
    if (!lr_http_path(lr_http_head_of(x)->path, path, sizeof(path), &len)) {
        (void)lr_http_answer_status(x, 400, "the path names no file");
        return;
    }
    t = transfer_new(x, path, len);
    if (!t) {
        lr_http_abort(x, LR_ENOMEM);
        return;
    }
    t->missing = missing;
    lr_http_set_user(x, t, on_finish);
    options.path = t->path;
    status = lr_file_open(lr_conn_worker(t->conn), &options, on_opened, t, &t->file);
    if (status != LR_OK)
        lr_http_abort(x, status);
}
