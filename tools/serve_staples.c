/* SPDX-License-Identifier: MIT */
/* tools/serve_staples.c: who is stapled to what, and the thread that keeps it fresh.
 *
 * Workers look into the table under a mutex, which is held for a search and never while somebody
 * waits for a file or a responder: the thread copies what it needs, works outside, and puts the
 * result back where the same certificate still stands. A certificate that no file named (that of a
 * PKCS#12 file, or one whose issuer stands in --ca alone) is learned from its first handshake. */
#include "tools/serve_staples.h"

#include "tools/ocsp_http.h"
#include "tools/staple_table.h"
#include "tools/whole_file.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { LOOK_S = 1 /* at files */, WAIT_MAX_S = 60 /* the wall clock may be set meanwhile */ };

struct serve_staples {
    const serve_options *options;
    pthread_mutex_t mutex; /* guards table and what is in it */
    staple_table *table;
    int stop_fd, wake_fd;
    pthread_t thread;
    bool running;
};

/* A hook gets its connection, whose server's user belongs to the handler: so they are found here.
 * Written before the workers start and after they have ended. */
static serve_staples *process;

__attribute__((format(printf, 3, 4))) static void say(const serve_staples *s, lr_log_level level,
                                                      const char *format, ...)
{
    lr_log_level most =
        s->options->log_level != LR_LOG_DEFAULT ? s->options->log_level : LR_LOG_WARN;
    char text[480], line[512];
    va_list args;
    ssize_t written;
    int len;

    if (most == LR_LOG_OFF || level > most)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    len = snprintf(line, sizeof(line), "lockring: %s: %s\n", level == LR_LOG_WARN ? "warn" : "info",
                   text);
    written = write(STDERR_FILENO, line, (size_t)len); /* in one piece */
    (void)written;
}

/* "CN=localhost", cut to fit. */
static const char *name_of(const staple_subject *subject, char out[128])
{
    lr_certificate leaf;

    out[0] = '\0';
    if (lr_certificate_parse(lr_bytes_slice(subject->leaf), &leaf))
        (void)lr_certificate_subject(&leaf, out, 128);
    return out;
}

/* What an attempt gave. */
typedef struct result {
    lr_status status;
    lr_bytes *response;
    lr_ocsp_verdict verdict;
    lr_error err;
} result;

static void keep_response(result *out, lr_slice bytes)
{
    out->response = lr_bytes_new(bytes);
    if (out->response)
        return;
    out->status = LR_ENOMEM;
    out->err = (lr_error){.status = LR_ENOMEM, .tls_alert = -1};
    (void)snprintf(out->err.text, sizeof(out->err.text), "OCSP response: out of memory");
}

static void read_response(const staple_subject *subject, const char *file, result *out)
{
    lr_slice bytes;

    out->status = whole_file_read(file, LR_STAPLE_MAX, WHOLE_FILE_PUBLIC, &bytes, &out->err);
    if (out->status != LR_OK)
        return;
    out->status =
        lr_ocsp_check(bytes, lr_bytes_slice(subject->leaf), lr_bytes_slice(subject->issuer),
                      staple_now(), &out->verdict, &out->err);
    if (out->status == LR_OK)
        keep_response(out, bytes);
    whole_file_free(bytes);
    if (out->status == LR_EOCSP) {
        char text[sizeof(out->err.text)];

        memcpy(text, out->err.text, sizeof(text));
        (void)snprintf(out->err.text, sizeof(out->err.text), "%.70s: %.80s", file, text);
    }
}

static void ask_responder(const serve_staples *s, const staple_subject *subject, result *out)
{
    static uint8_t response[LR_STAPLE_MAX]; /* of the one thread that asks */
    size_t len;

    out->status = staple_ask(subject, staple_subject_url(subject), s->stop_fd, response, &len,
                             &out->verdict, &out->err);
    if (out->status == LR_OK)
        keep_response(out, lr_slice_of(response, len));
}

static void tell(const serve_staples *s, const staple_subject *subject, const result *got,
                 bool kept)
{
    char name[128], until[64];

    if (got->status == LR_OK) {
        (void)lr_certificate_time_text(lr_ocsp_expires_at(&got->verdict), until, sizeof(until));
        say(s, LR_LOG_INFO, "staple_fresh subject=\"%s\" until=\"%s\"", name_of(subject, name),
            until);
    } else if (got->status != LR_EABORTED) {
        say(s, LR_LOG_WARN, "staple_failed subject=\"%s\" kept=%s why=\"%s\"",
            name_of(subject, name), kept ? "old" : "none", got->err.text);
    }
}

/* What it gave becomes the row's. A failure leaves what is there until that expires, but for one:
 * who was told that the certificate is revoked does not go on showing that it is good. */
static void put_result(const serve_staples *s, staple_row *row, const result *got)
{
    int64_t now = staple_now();

    if (got->response || got->verdict.state == LR_OCSP_REVOKED) {
        lr_bytes_release(row->response);
        row->response = got->response;
        row->expires_at = lr_ocsp_expires_at(&got->verdict);
    }
    if (got->verdict.state != LR_OCSP_NONE)
        row->is_revoked = got->verdict.state == LR_OCSP_REVOKED;
    row->failures = got->response ? 0 : row->failures + 1;
    row->put_at = now;
    if (row->file)
        row->due_at = now + LOOK_S;
    else if (got->response || got->verdict.state == LR_OCSP_REVOKED)
        row->due_at = lr_ocsp_refresh_at(&got->verdict, now);
    else
        row->due_at = now + staple_backoff_s(row->failures);
    tell(s, &row->subject, got, row->response != NULL && row->expires_at >= now);
}

/* One row of the table, due now, looked at outside of the mutex. */
static void refresh(serve_staples *s, staple_subject subject, const char *file, staple_stamp stamp)
{
    result got = {.status = LR_OK};
    staple_row *row;
    staple_stamp now;
    bool is_there = file && staple_stamp_read(file, &now), same = false;

    if (file)
        same = is_there == (stamp.inode != 0) && (!is_there || staple_stamp_same(&now, &stamp));
    if (file && !same)
        read_response(&subject, file, &got);
    else if (!file)
        ask_responder(s, &subject, &got);
    (void)pthread_mutex_lock(&s->mutex);
    row = staple_table_find(s->table, lr_bytes_slice(subject.leaf));
    if (row && same) {
        row->put_at = staple_now();
        row->due_at = row->put_at + LOOK_S;
    } else if (row && got.status != LR_EABORTED) {
        if (file)
            row->stamp = now;
        put_result(s, row, &got);
        got.response = NULL;
    }
    (void)pthread_mutex_unlock(&s->mutex);
    lr_bytes_release(got.response);
}

/* The row that is due first. False: there is none that ever is. */
static bool next_due(serve_staples *s, staple_row *out)
{
    int64_t now = staple_now();
    staple_row *first = NULL;

    (void)pthread_mutex_lock(&s->mutex);
    for (uint32_t i = 0; i < s->table->count; i++) {
        staple_row *row = &s->table->rows[i];

        if (row->due_at != INT64_MAX && row->put_at > now)
            row->due_at = now;
        if (row->due_at != INT64_MAX && (!first || row->due_at < first->due_at))
            first = row;
    }
    if (first) {
        *out = *first;
        (void)lr_bytes_retain(out->subject.leaf);
        (void)lr_bytes_retain(out->subject.issuer);
    }
    (void)pthread_mutex_unlock(&s->mutex);
    return first != NULL;
}

/* False: it is to end. */
static bool wait_until(const serve_staples *s, int64_t at)
{
    struct pollfd fds[] = {{.fd = s->stop_fd, .events = POLLIN},
                           {.fd = s->wake_fd, .events = POLLIN}};
    int64_t left = at - staple_now();
    eventfd_t count;

    left = left < 0 ? 0 : left < WAIT_MAX_S ? left : WAIT_MAX_S;
    (void)poll(fds, 2, (int)left * 1000);
    if (fds[1].revents != 0)
        (void)eventfd_read(s->wake_fd, &count);
    return fds[0].revents == 0;
}

static void *keep_fresh(void *arg)
{
    serve_staples *s = arg;
    int64_t at = 0;

    while (wait_until(s, at)) {
        staple_row row;
        bool is_due;

        at = INT64_MAX;
        if (!next_due(s, &row))
            continue;
        is_due = row.due_at <= staple_now();
        if (is_due)
            refresh(s, row.subject, row.file, row.stamp);
        at = is_due ? 0 : row.due_at;
        staple_subject_drop(&row.subject);
    }
    return NULL;
}

/* A certificate whose responder can be asked, or never: then the row says so by being there. */
static void add_asked(const serve_staples *s, staple_table *table, staple_subject *subject)
{
    staple_row *row;
    char name[128];
    const char *why = "";
    ocsp_url url;
    lr_slice text;

    if (staple_table_find(table, lr_bytes_slice(subject->leaf))) {
        staple_subject_drop(subject);
        return;
    }
    row = staple_table_add(table, subject);
    if (!row)
        return;
    text = staple_subject_url(subject);
    if (text.len != 0 && ocsp_url_read(text, &url, &why))
        return; /* due at once */
    row->due_at = INT64_MAX;
    if (text.len == 0)
        say(s, LR_LOG_INFO, "staple_none subject=\"%s\" why=\"it names no OCSP responder\"",
            name_of(subject, name));
    else
        say(s, LR_LOG_WARN, "staple_none subject=\"%s\" why=\"its responder: %s\"",
            name_of(subject, name), why);
}

static lr_status add_file(const serve_staples *s, staple_table *table, uint32_t rank, lr_error *err)
{
    const char *file = s->options->ocsp_files[rank];
    char text[sizeof(err->text)];
    staple_subject subject;
    staple_row *row;
    result got = {.status = LR_OK};
    staple_stamp stamp;

    got.status =
        staple_subject_load(s->options->cert_files[rank], s->options->ca_file, &subject, &got.err);
    if (got.status == LR_OK) {
        (void)staple_stamp_read(file, &stamp);
        read_response(&subject, file, &got);
        /* Right, but not now: it says so itself, and a restart must not depend on the day. */
        if (got.status == LR_OK || got.verdict.state != LR_OCSP_NONE) {
            row = staple_table_add(table, &subject);
            if (row) {
                row->file = file;
                row->stamp = stamp;
                put_result(s, row, &got);
                return LR_OK;
            }
            lr_bytes_release(got.response);
            got.status = LR_ENOMEM;
            (void)snprintf(got.err.text, sizeof(got.err.text), "out of memory");
        }
        staple_subject_drop(&subject);
    }
    memcpy(text, got.err.text, sizeof(text));
    *err = got.err;
    err->status = got.status;
    (void)snprintf(err->text, sizeof(err->text), "--ocsp-file: %.146s", text);
    return got.status;
}

/* What nobody made is learned later, or is self-signed. */
static void add_asked_file(const serve_staples *s, staple_table *table, const char *cert_file,
                           const char *ca_file)
{
    staple_subject subject;
    lr_error err;

    if (staple_subject_load(cert_file, ca_file, &subject, &err) == LR_OK)
        add_asked(s, table, &subject);
    else
        say(s, LR_LOG_INFO, "staple_later why=\"%s\"", err.text);
}

static lr_status fill(const serve_staples *s, staple_table *table, lr_error *err)
{
    const serve_options *options = s->options;
    lr_status status = LR_OK;

    for (uint32_t i = 0; status == LR_OK && i < options->ocsp_count; i++) {
        if (strcmp(options->ocsp_files[i], "-") != 0)
            status = add_file(s, table, i, err);
    }
    for (uint32_t i = 0; status == LR_OK && options->ocsp && i < options->cert_count; i++) {
        if (i >= options->ocsp_count || strcmp(options->ocsp_files[i], "-") == 0)
            add_asked_file(s, table, options->cert_files[i], options->ca_file);
    }
    for (uint32_t i = 0; status == LR_OK && options->ocsp && i < options->name_count; i++)
        add_asked_file(s, table, options->names[i].cert_file, options->names[i].ca_file);
    return status;
}

lr_status serve_staples_load(serve_staples *s, staple_table **out, lr_error *err)
{
    lr_status status;

    *out = NULL;
    if (!s)
        return LR_OK;
    *out = staple_table_new();
    if (!*out) {
        *err = (lr_error){.status = LR_ENOMEM, .tls_alert = -1, .text = "--ocsp: out of memory"};
        return LR_ENOMEM;
    }
    status = fill(s, *out, err);
    if (status == LR_OK)
        return LR_OK;
    staple_table_free(*out);
    *out = NULL;
    return status;
}

void serve_staples_swap(serve_staples *s, staple_table *table)
{
    staple_table *old;

    if (!s)
        return;
    (void)pthread_mutex_lock(&s->mutex);
    old = s->table;
    s->table = table;
    for (uint32_t i = 0; i < table->count; i++) {
        staple_row *row = &table->rows[i];
        staple_row *before = staple_table_find(old, lr_bytes_slice(row->subject.leaf));

        if (row->response || row->is_revoked || !before)
            continue;
        row->response = lr_bytes_retain(before->response);
        row->expires_at = before->expires_at;
        if (!row->file && !before->file) {
            row->due_at = before->due_at;
            row->put_at = before->put_at;
        }
    }
    (void)pthread_mutex_unlock(&s->mutex);
    (void)eventfd_write(s->wake_fd, 1);
    staple_table_free(old);
}

void serve_staples_drop(staple_table *table)
{
    staple_table_free(table);
}

lr_status serve_staples_make(const serve_options *options, serve_staples **out, lr_error *err)
{
    serve_staples *s;
    lr_status status;

    *out = NULL;
    if (options->ocsp_count == 0 && !options->ocsp)
        return LR_OK;
    s = calloc(1, sizeof(*s));
    if (!s) {
        *err = (lr_error){.status = LR_ENOMEM, .tls_alert = -1, .text = "--ocsp: out of memory"};
        return LR_ENOMEM;
    }
    s->options = options;
    (void)pthread_mutex_init(&s->mutex, NULL);
    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    *out = s;
    if (s->stop_fd >= 0 && s->wake_fd >= 0)
        status = serve_staples_load(s, &s->table, err);
    else {
        *err = (lr_error){.status = LR_ESYSTEM, .sys = errno, .tls_alert = -1};
        (void)snprintf(err->text, sizeof(err->text), "--ocsp: %s", strerror(errno));
        status = LR_ESYSTEM;
    }
    process = s;
    return status;
}

/* A client asked for the staple of a certificate that nobody knows here. */
static void learn(serve_staples *s, lr_slice certificate, lr_slice issuer)
{
    staple_subject subject = {lr_bytes_new(certificate), lr_bytes_new(issuer)};

    if (subject.leaf && subject.issuer)
        add_asked(s, s->table, &subject);
    else
        staple_subject_drop(&subject);
    (void)eventfd_write(s->wake_fd, 1);
}

static void on_ocsp_request(lr_conn *c, lr_slice certificate, lr_slice issuer, lr_ocsp_ask ask)
{
    int64_t now = lr_worker_wall_ms(lr_conn_worker(c)) / 1000;
    serve_staples *s = process;
    lr_bytes *response = NULL;
    staple_row *row;

    (void)pthread_mutex_lock(&s->mutex);
    row = staple_table_find(s->table, certificate);
    if (row && row->response && row->expires_at >= now)
        response = lr_bytes_retain(row->response);
    else if (!row && s->options->ocsp && issuer.len != 0)
        learn(s, certificate, issuer);
    (void)pthread_mutex_unlock(&s->mutex);
    (void)lr_ocsp_answer(ask, LR_OK, response);
    lr_bytes_release(response);
}

void serve_staples_use(serve_staples *s, lr_server_options *server, lr_handlers *room)
{
    (void)s;
    *room = *server->handlers;
    room->on_ocsp_request = on_ocsp_request;
    server->handlers = room;
}

lr_status serve_staples_start(serve_staples *s, lr_error *err)
{
    int error = s ? pthread_create(&s->thread, NULL, keep_fresh, s) : 0;

    if (s)
        s->running = error == 0;
    if (error == 0)
        return LR_OK;
    *err = (lr_error){.status = LR_ESYSTEM, .sys = error, .tls_alert = -1};
    (void)snprintf(err->text, sizeof(err->text), "--ocsp: no thread: %s", strerror(error));
    return LR_ESYSTEM;
}

void serve_staples_stop(serve_staples *s)
{
    if (!s || !s->running)
        return;
    (void)eventfd_write(s->stop_fd, 1);
    (void)pthread_join(s->thread, NULL);
    s->running = false;
}

void serve_staples_free(serve_staples *s)
{
    if (!s)
        return;
    serve_staples_stop(s);
    process = NULL;
    staple_table_free(s->table);
    if (s->stop_fd >= 0)
        (void)close(s->stop_fd);
    if (s->wake_fd >= 0)
        (void)close(s->wake_fd);
    (void)pthread_mutex_destroy(&s->mutex);
    free(s);
}
