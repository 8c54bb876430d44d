/* SPDX-License-Identifier: MIT */
/* proto/http1.c: the connections of an HTTP/1 site: their input, and what comes next on them.
 *
 * A connection is idle (no exchange) or has one: its head is being read, its body, or its answer is
 * awaited. work() takes steps until input or answer are missing: it is the only loop, every hook is
 * called from it, and whoever changes something outside of it (a later answer, the end of a stream)
 * calls lr__http_go_on(), which begins it again unless it is on the stack already. So pipelined
 * requests never recurse, and one call does no more than the input that it was given asks for: a
 * receive buffer.
 *
 * Input that may not be read yet, because an answer is awaited or the handler has paused, is copied
 * to `waiting`, and the connection is paused: at most what one delivery brought. Pausing only then
 * lets a connection that waits for its answer see that its peer has gone. */
#include "proto/http1_conn.h"

#include "proto/http_chars.h"

#include <stdlib.h>
#include <string.h>

enum { BLANKS_MAX = 8 /* bytes of empty lines before a request, skipped here (RFC 9112 2.2) */ };

static lr__http_conn *state_of(lr_conn *c)
{
    return lr_conn_user(c);
}

static lr_http_site *site_of(lr_conn *c)
{
    return lr_server_user(lr_conn_server(c));
}

void lr__http_abort(lr_conn *c, lr_status why)
{
    state_of(c)->is_over = true;
    lr_conn_abort(c, why);
}

static void end(lr_conn *c, lr__http_conn *h)
{
    h->is_over = true;
    lr_conn_end(c);
}

static void drop_waiting(lr__http_conn *h)
{
    free(h->waiting);
    h->waiting = NULL;
    h->waiting_at = h->waiting_end = h->waiting_cap = 0;
}

/* Keeps input for later. */
static void keep(lr_conn *c, lr__http_conn *h, lr_slice bytes)
{
    size_t need = h->waiting_end + bytes.len;

    if (need > h->waiting_cap) {
        uint8_t *block = realloc(h->waiting, need);

        if (!block) {
            lr__http_abort(c, LR_ENOMEM);
            return;
        }
        h->waiting = block;
        h->waiting_cap = (uint32_t)need;
    }
    memcpy(h->waiting + h->waiting_end, bytes.bytes, bytes.len);
    h->waiting_end = (uint32_t)need;
    lr_conn_pause(c);
}

/* The end of an exchange. */

static void log_exchange(const lr_http_exchange *x)
{
    char remote[64] = "";
    lr_http_log_entry entry = {.conn_number = lr_conn_number(x->conn),
                               .remote = remote,
                               .method = x->head.method,
                               .target = x->head.target,
                               .status = x->status,
                               .is_cut = !x->is_handed_over,
                               .body_in = x->body_in,
                               .body_out = x->body_out};

    if (!x->site->options.on_log)
        return;
    entry.duration_us = (lr_worker_now_ns(lr_conn_worker(x->conn)) - x->begun_ns) / 1000;
    (void)lr_conn_remote(x->conn, remote, sizeof(remote));
    x->site->options.on_log(x->conn, &entry);
}

/* The exchange goes; what of a request never was one goes without a trace. */
static void end_exchange(lr__http_conn *h, lr_http_exchange *x)
{
    lr_timer_free(x->timer);
    x->timer = NULL;
    if (x->was_given && !x->is_refused)
        lr__http_count(x->is_handed_over ? &x->worker->answers : &x->worker->cut);
    if (x->was_given || x->is_refused)
        log_exchange(x);
    if (x->finish)
        x->finish(x, x->user);
    h->x = NULL;
    lr__http_exchange_give(x);
}

/* Answers with the status and ends the connection: where its next request would begin is not
 * known. */
static void refuse(lr_conn *c, lr_http_exchange *x, const lr_http_fault *fault)
{
    lr__http_count_refusal(x->worker, fault->status);
    x->is_refused = true;
    x->keep_alive = false;
    x->is_discarding = true;
    x->was_read = true;
    x->phase = LR__HTTP_READ;
    if (lr_http_answer_status(x, fault->status, fault->reason) != LR_OK)
        state_of(c)->is_over = true; /* aborted, or closing already */
}

/* The head. */

/* A head that is not complete when its input is used up gets a deadline. */
static void on_late(lr_timer *timer, void *user)
{
    static const lr_http_fault late = {408, "the head of the request took too long"};
    lr_conn *c = user;
    lr__http_conn *h = state_of(c);

    if (h->is_over || !h->x || h->x->phase != LR__HTTP_HEAD)
        return;
    if (lr_conn_queued(c) > LR__HTTP_QUEUE_MAX / 8) { /* it is us who do not read */
        lr_timer_set(timer, h->x->site->options.header_timeout_ms);
        return;
    }
    refuse(c, h->x, &late);
}

static void watch_head(lr_conn *c, lr_http_exchange *x)
{
    uint32_t timeout_ms = x->site->options.header_timeout_ms;

    if (x->timer || timeout_ms == LR_NONE)
        return;
    if (lr_timer_new(lr_conn_worker(c), on_late, c, &x->timer) == LR_OK)
        lr_timer_set(x->timer, timeout_ms);
    else
        lr__http_abort(c, LR_ENOMEM);
}

static lr_slice moved(lr_slice part, lr_slice from, const uint8_t *to)
{
    uintptr_t at = (uintptr_t)part.bytes, base = (uintptr_t)from.bytes;

    if (part.bytes == NULL || at < base || at > base + from.len)
        return part; /* a constant */
    return lr_slice_of(to + (at - base), part.len);
}

/* The fields lie in the worker's scratch, and the bytes perhaps in the input: both are copied. */
static bool take_head_over(lr_http_exchange *x, const lr_http_head *head, lr_slice from)
{
    lr_http_header *fields = x->fields;
    const uint8_t *to;

    from.len = head->size;
    if (head->header_count > LR__HTTP_FIELDS) {
        fields = malloc(head->header_count * sizeof(*fields));
        if (!fields)
            return false;
    }
    x->head = *head;
    x->head.headers = fields;
    if (from.bytes != x->text) {
        if (!lr__http_text_reserve(x, from.len))
            return false;
        memcpy(x->text, from.bytes, from.len);
    }
    x->text_len = (uint32_t)from.len;
    to = x->text;
    x->head.method = moved(head->method, from, to);
    x->head.target = moved(head->target, from, to);
    x->head.path = moved(head->path, from, to);
    x->head.host = moved(head->host, from, to);
    for (uint32_t i = 0; i < head->header_count; i++) {
        fields[i].name = moved(head->headers[i].name, from, to);
        fields[i].value = moved(head->headers[i].value, from, to);
    }
    return true;
}

static void give_request(lr__http_conn *h, lr_http_exchange *x)
{
    lr_http_site *site = x->site;

    lr_timer_free(x->timer);
    x->timer = NULL;
    h->blanks = 0;
    x->number = ++h->number;
    x->was_given = true;
    x->keep_alive = x->head.keep_alive;
    x->is_head = lr_http_method_is(x, "HEAD");
    lr_http_body_init(&x->body, &x->head, &site->options.limits);
    x->phase = x->head.has_body ? LR__HTTP_BODY : LR__HTTP_READ;
    lr__http_count(&x->worker->requests);
    site->options.on_request(x);
}

static bool looks_like_head_method(lr_slice bytes)
{
    return bytes.len >= 5 && memcmp(bytes.bytes, "HEAD ", 5) == 0;
}

/* Reads as much of the head as there is: straight from the input if that has all of it, else
 * gathered. */
static void read_head(lr_conn *c, lr__http_conn *h, lr_http_exchange *x, lr_slice *in)
{
    const lr_http_limits *limits = &x->site->options.limits;
    lr_http_head head = {.headers = x->worker->fields, .header_cap = limits->header_count_max};
    uint32_t gathered = x->text_len;
    lr_slice bytes = *in;
    lr_http_result result;
    lr_http_fault fault;

    if (gathered > 0) {
        size_t room = limits->header_bytes_max - gathered;
        size_t len = in->len < room ? in->len : room;

        if (!lr__http_text_reserve(x, gathered + len)) {
            lr__http_abort(c, LR_ENOMEM);
            return;
        }
        memcpy(x->text + gathered, in->bytes, len);
        x->text_len += (uint32_t)len;
        bytes = lr_slice_of(x->text, x->text_len);
    }
    result = lr_http_head_parse(&x->parser, limits, bytes, &head, &fault);
    if (result == LR_HTTP_REFUSED) {
        x->is_head = looks_like_head_method(bytes);
        refuse(c, x, &fault);
        return;
    }
    if (result == LR_HTTP_DONE && take_head_over(x, &head, bytes)) {
        *in = lr__http_skip(*in, head.size - gathered);
        give_request(h, x);
        return;
    }
    if (result == LR_HTTP_MORE && gathered > 0) {
        *in = lr__http_skip(*in, x->text_len - gathered);
        return;
    }
    if (result == LR_HTTP_MORE && lr__http_text_reserve(x, in->len)) {
        memcpy(x->text, in->bytes, in->len);
        x->text_len = (uint32_t)in->len;
        *in = lr__http_skip(*in, in->len);
        return;
    }
    lr__http_abort(c, LR_ENOMEM);
}

/* False: not now. */
static bool step_head(lr_conn *c, lr__http_conn *h, lr_slice *in)
{
    while (!h->x && in->len > 0 && (in->bytes[0] == '\r' || in->bytes[0] == '\n') &&
           h->blanks < BLANKS_MAX) {
        *in = lr__http_skip(*in, 1);
        h->blanks++;
    }
    if (in->len == 0 || lr_conn_queued(c) > LR__HTTP_QUEUE_MAX)
        return false;
    if (!h->x)
        h->x = lr__http_exchange_take(site_of(c), c);
    if (!h->x) {
        lr__http_abort(c, LR_ENOMEM);
        return false;
    }
    read_head(c, h, h->x, in);
    return true;
}

/* The body. */

/* 100 goes out when the body is wanted and nothing of it is there yet (RFC 9110 10.1.1). */
static void say_continue(lr_conn *c, lr_http_exchange *x, bool has_input)
{
    lr_status status = LR_OK;

    if (x->has_continued)
        return;
    x->has_continued = true;
    if (x->head.expect_continue && !has_input && x->status == 0)
        status = lr_conn_write(c, LR_LIT("HTTP/1.1 100 Continue\r\n\r\n"));
    if (status != LR_OK)
        lr__http_abort(c, status);
}

static bool step_body(lr_conn *c, lr_http_exchange *x, lr_slice *in)
{
    lr_http_fault fault;
    lr_slice data;

    if (x->is_paused && !x->is_discarding)
        return false;
    say_continue(c, x, in->len > 0);
    switch (lr_http_body_next(&x->body, in, &data, &fault)) {
    case LR_HTTP_MORE:
        return false;
    case LR_HTTP_DATA:
        x->body_in += data.len;
        if (!x->is_discarding && x->site->options.on_body)
            x->site->options.on_body(x, data);
        return true;
    case LR_HTTP_DONE:
        x->phase = LR__HTTP_READ;
        return true;
    case LR_HTTP_REFUSED:
        if (x->status == 0)
            refuse(c, x, &fault);
        else
            lr__http_abort(c, LR_EABORTED); /* half of an answer may be out */
        return true;
    }
    return false;
}

/* The answer is there, and so is the end of the request, unless nobody wants the rest and the
 * connection closes. */
static bool is_finished(const lr_http_exchange *x)
{
    if (!x->is_handed_over)
        return false;
    if (x->phase == LR__HTTP_READ)
        return x->was_read || x->is_discarding;
    return x->is_discarding && !x->keep_alive;
}

/* What is next. False: nothing, without more input, an answer or room in the queue. */
static bool step(lr_conn *c, lr__http_conn *h, lr_slice *in)
{
    lr_http_exchange *x = h->x;

    if (!x || x->phase == LR__HTTP_HEAD)
        return step_head(c, h, in);
    if (is_finished(x)) {
        bool keep_alive = x->keep_alive && !h->is_draining;

        end_exchange(h, x);
        if (!keep_alive && !h->is_over)
            end(c, h);
        return true;
    }
    if (x->phase == LR__HTTP_BODY)
        return step_body(c, x, in);
    if (x->was_read || x->is_discarding)
        return false;
    x->was_read = true;
    if (x->site->options.on_complete)
        x->site->options.on_complete(x);
    return true;
}

/* The peer has ended and its input is used up: answers that are under way are finished, what is
 * incomplete will not be completed. */
static void miss_input(lr_conn *c, lr__http_conn *h)
{
    static const lr_http_fault short_body = {400, "the body is cut short"};
    lr_http_exchange *x = h->x;
    lr_slice nothing = {NULL, 0}, data;
    lr_http_fault fault;

    if (x && x->phase == LR__HTTP_BODY &&
        lr_http_body_next(&x->body, &nothing, &data, &fault) == LR_HTTP_MORE) {
        if (x->status == 0) {
            refuse(c, x, &short_body);
        } else if (x->is_discarding) {
            x->keep_alive = false;
            lr__http_go_on(c);
        } else {
            lr__http_abort(c, LR_ETRUNCATED);
        }
        return;
    }
    if (!x || x->phase == LR__HTTP_HEAD)
        end(c, h);
}

static void work(lr_conn *c, lr__http_conn *h, lr_slice *in)
{
    h->is_working = true;
    while (!h->is_over && step(c, h, in))
        continue;
    h->is_working = false;
    if (h->is_over || in->len > 0)
        return;
    if (h->peer_ended)
        miss_input(c, h);
    else if (h->x && h->x->phase == LR__HTTP_HEAD)
        watch_head(c, h->x);
}

void lr__http_go_on(lr_conn *c)
{
    lr__http_conn *h = state_of(c);
    lr_slice in;

    if (h->is_working || h->is_over)
        return;
    in = lr_slice_of(h->waiting + h->waiting_at, h->waiting_end - h->waiting_at);
    work(c, h, &in);
    if (!h->waiting)
        return;
    h->waiting_at = h->waiting_end - (uint32_t)in.len;
    if (h->is_over) {
        drop_waiting(h);
    } else if (in.len == 0) {
        drop_waiting(h);
        lr_conn_resume(c);
    }
}

/* Hooks of the connection. */

static void on_data(lr_conn *c, lr_slice bytes)
{
    lr__http_conn *h = state_of(c);

    if (h->is_over)
        return;
    if (!h->waiting)
        work(c, h, &bytes);
    if (!h->is_over && bytes.len > 0)
        keep(c, h, bytes);
}

/* Reading goes on: a head that is late because of us has its time again. */
static void on_drain(lr_conn *c)
{
    lr_http_exchange *x = state_of(c)->x;

    if (x && x->timer)
        lr_timer_set(x->timer, x->site->options.header_timeout_ms);
    lr__http_go_on(c);
}

static void on_end(lr_conn *c)
{
    lr__http_conn *h = state_of(c);

    h->peer_ended = true;
    lr__http_go_on(c);
}

static void on_no_request(lr_timer *timer, void *user)
{
    lr_conn *c = user;
    lr__http_conn *h = state_of(c);

    (void)timer;
    if (!h->x && !h->is_over)
        end(c, h);
}

/* A client that was let in and has not asked yet is about to: it is no idle one, which has had its
 * answer and knows that the connection may end at any time (RFC 9112 9.5). */
static void on_server_drain(lr_conn *c)
{
    lr__http_conn *h = state_of(c);
    const lr_http_site *site = site_of(c);

    h->is_draining = true;
    if (h->x || h->is_over)
        return;
    if (h->number > 0 || h->peer_ended ||
        lr_timer_new(lr_conn_worker(c), on_no_request, c, &h->first_request) != LR_OK)
        end(c, h);
    else if (site->options.drain_wait_ms != LR_NONE)
        lr_timer_set(h->first_request, site->options.drain_wait_ms);
}

static void on_close(lr_conn *c, const lr_error *why)
{
    lr__http_conn *h = state_of(c);

    (void)why;
    h->is_over = true;
    lr_timer_free(h->first_request);
    h->first_request = NULL;
    if (h->x)
        end_exchange(h, h->x);
    drop_waiting(h);
}

static const lr_handlers handlers = {LR_HANDLERS,
                                     .on_data = on_data,
                                     .on_drain = on_drain,
                                     .on_end = on_end,
                                     .on_server_drain = on_server_drain,
                                     .on_close = on_close};

const lr_handlers *lr_http_handlers(void)
{
    return &handlers;
}

uint32_t lr_http_conn_size(void)
{
    return sizeof(lr__http_conn);
}

/* The exchange, as a handler sees it. */

const lr_http_head *lr_http_head_of(const lr_http_exchange *x)
{
    return &x->head;
}

lr_conn *lr_http_conn(const lr_http_exchange *x)
{
    return x->conn;
}

lr_http_site *lr_http_site_of(const lr_http_exchange *x)
{
    return x->site;
}

bool lr_http_method_is(const lr_http_exchange *x, const char *method)
{
    size_t len = strlen(method);

    return x->head.method.len == len && memcmp(x->head.method.bytes, method, len) == 0;
}

bool lr_http_is_answered(const lr_http_exchange *x)
{
    return x->status != 0;
}

uint64_t lr_http_body_in(const lr_http_exchange *x)
{
    return x->body_in;
}

lr_http_exchange *lr_http_exchange_of(lr_conn *c)
{
    lr_http_exchange *x = state_of(c)->x;

    return x && x->was_given ? x : NULL;
}

uint32_t lr_http_number(const lr_http_exchange *x)
{
    return x->number;
}

void lr_http_set_user(lr_http_exchange *x, void *user,
                      void (*finish)(lr_http_exchange *x, void *user))
{
    x->user = user;
    x->finish = finish;
}

void *lr_http_user(const lr_http_exchange *x)
{
    return x->user;
}

void lr_http_pause(lr_http_exchange *x)
{
    x->is_paused = true;
}

void lr_http_resume(lr_http_exchange *x)
{
    if (!x->is_paused)
        return;
    x->is_paused = false;
    lr__http_go_on(x->conn);
}

void lr_http_abort(lr_http_exchange *x, lr_status why)
{
    lr__http_abort(x->conn, why);
}
