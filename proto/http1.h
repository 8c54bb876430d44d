/* SPDX-License-Identifier: MIT */
/* proto/http1.h: an HTTP/1.1 and HTTP/1.0 server on the connections of an lr_server, TLS or plain.
 *
 * A site is what answers: limits, hooks and counters. The driver reads each request, gives it to
 * the site's hooks as an exchange, and writes the answer; a connection carries one exchange at a
 * time, what is pipelined behind it waits, and reading stops meanwhile. Keep-alive, 100-continue,
 * HEAD, framing, Date and Connection are the driver's. What the parser refuses is answered with its
 * status, counted and closed with lingering; a head that takes too long gets 408.
 *
 *     lr_http_site_new(&(lr_http_site_options){LR_HTTP_SITE_OPTIONS, .on_request = ...}, &site);
 *     lr_http_site_serve(site, &server_options);       then lr_server_new()
 *
 * The server's user is the site; a program's own is lr_http_site_user(). One site may be that of
 * several servers on the same lr_workers.
 *
 * Threads  as tagged; hooks run on the worker of the connection.
 * Memory   an idle connection has its lr_conn_user() bytes only. An exchange and all slices of its
 *          head live until its finish function has returned; slices given to hooks end with them.
 * Errors   a connection that fails takes its exchange with it: finish tells. */
#ifndef LR_PROTO_HTTP1_H
#define LR_PROTO_HTTP1_H

#include "proto/http1_parse.h" /* lr_http_head, lr_http_limits */

#include <lockring/conn.h>   /* lr_conn, lr_source */
#include <lockring/server.h> /* lr_server_options */

typedef struct lr_http_site lr_http_site;
typedef struct lr_http_exchange lr_http_exchange;

/* One exchange that is over, or a request that was refused. */
typedef struct lr_http_log_entry {
    uint64_t conn_number;       /* lr_conn_number() */
    const char *remote;         /* "127.0.0.1:50000", "" if not known */
    lr_slice method, target;    /* empty if the head was refused before they were known */
    uint16_t status;            /* 0: the connection went before there was an answer */
    bool is_cut;                /* the connection went before the answer was handed over whole */
    uint64_t body_in, body_out; /* bytes, without framing */
    uint64_t duration_us;       /* from the first byte of the request on */
} lr_http_log_entry;

/* Zero selects the default, LR_NONE none. */
typedef struct lr_http_site_options {
    size_t size; /* LR_HTTP_SITE_OPTIONS */
    lr_http_limits limits;
    uint32_t header_timeout_ms; /* from the first byte of a head to its end; default 10 s */
    void *user;                 /* lr_http_site_user() */
    /* The head is there. Answer now or later, or wait for the body. Required. */
    void (*on_request)(lr_http_exchange *x);
    /* A piece of the body. [discard] */
    void (*on_body)(lr_http_exchange *x, lr_slice bytes);
    /* The request is read to its end; not called where its rest was discarded because the answer
     * was there already. [none] */
    void (*on_complete)(lr_http_exchange *x);
    void (*on_log)(lr_conn *c, const lr_http_log_entry *entry); /* [none] */
    uint32_t drain_wait_ms; /* for the first request of a connection that had none when the server
                             * began to drain; default 2 s; idle connections are ended at once */
} lr_http_site_options;
#define LR_HTTP_SITE_OPTIONS .size = sizeof(lr_http_site_options)

/* Options are copied. LR_EINVAL, LR_ENOMEM. */
LR_SETUP LR_NODISCARD lr_status lr_http_site_new(const lr_http_site_options *options,
                                                 lr_http_site **out);
LR_SETUP void lr_http_site_free(lr_http_site *site); /* after its servers; null is allowed */

/* Fills handlers, user and conn_user_size of options to come. */
LR_SETUP void lr_http_site_serve(lr_http_site *site, lr_server_options *options);
/* The same for those who fill them by hand; lr_server_user() must be the site. */
LR_ANY const lr_handlers *lr_http_handlers(void); /* static */
LR_ANY uint32_t lr_http_conn_size(void);

LR_ANY void *lr_http_site_user(const lr_http_site *site);

/* The statuses with which the driver itself refuses, in the order of the counters. */
enum { LR_HTTP_REFUSALS = 8 };
LR_ANY uint16_t lr_http_refusal_status(unsigned index); /* 400, 408, 413 ...; 0: no such index */

typedef struct lr_http_counts {
    uint64_t requests; /* given to on_request */
    uint64_t answers;  /* handed over whole; those of refusals are not among them */
    uint64_t cut;      /* requests whose connection went first */
    uint64_t refused[LR_HTTP_REFUSALS];
} lr_http_counts;
LR_ANY lr_http_counts lr_http_site_counts(const lr_http_site *site); /* over all workers */

/* The exchange. */
LR_WORKER const lr_http_head *lr_http_head_of(const lr_http_exchange *x);
LR_WORKER lr_conn *lr_http_conn(const lr_http_exchange *x);
LR_WORKER lr_http_site *lr_http_site_of(const lr_http_exchange *x);
LR_WORKER bool lr_http_method_is(const lr_http_exchange *x, const char *method); /* "GET" */
LR_WORKER bool lr_http_is_answered(const lr_http_exchange *x);
LR_WORKER uint64_t lr_http_body_in(const lr_http_exchange *x); /* bytes of the body so far */

/* The exchange that a connection is busy with, null: none. With lr_conn_post() it is the way back
 * from other threads; the number tells whether it is still the one that was meant. */
LR_WORKER lr_http_exchange *lr_http_exchange_of(lr_conn *c);
LR_WORKER uint32_t lr_http_number(const lr_http_exchange *x); /* on its connection, from 1 */

/* finish is called exactly once, when x is over: the answer was handed over, or the connection is
 * gone. Setting it again replaces both. finish may be null. */
LR_WORKER void lr_http_set_user(lr_http_exchange *x, void *user,
                                void (*finish)(lr_http_exchange *x, void *user));
LR_WORKER void *lr_http_user(const lr_http_exchange *x);

/* No on_body, and before the first piece no 100 Continue, until resumed. What comes meanwhile
 * waits, at most a record of it here. lr_http_resume() may call on_body and on_complete. */
LR_WORKER void lr_http_pause(lr_http_exchange *x);
LR_WORKER void lr_http_resume(lr_http_exchange *x);

#define LR_HTTP_UNKNOWN UINT64_MAX

typedef struct lr_http_answer_options {
    uint16_t status;               /* 200..599 */
    const char *content_type;      /* null: none */
    const lr_http_header *headers; /* more fields, copied; those of framing are the driver's */
    size_t header_count;
    lr_slice body;              /* copied, unless is_borrowed */
    bool is_borrowed;           /* body is borrowed until release(arg), which may be null */
    void (*release)(void *arg); /* exactly once, perhaps inside the call */
    void *arg;                  /* of release */
    const lr_source *source;    /* instead of body; the struct is copied. It must not end before
                                 * body_size, or the connection is aborted */
    uint64_t body_size;         /* with source: its length, or LR_HTTP_UNKNOWN: chunked, and for
                                 * HTTP/1.0 until the connection's end. With a borrowed body: if
                                 * above its length, it is sent again and again up to this */
    bool is_duplex;             /* on_body and on_complete go on after the answer has begun; the
                                 * exchange is over when both are. Else the rest of the body is
                                 * discarded, or the connection closed if that could be long */
    bool close;                 /* the connection ends with this answer */
} lr_http_answer_options;

/* Answers, inside a hook or later on the worker. Outside of hooks x may be gone when it returns
 * (finish was called), inside them it lives until they return. LR_ESTATE: it was answered before;
 * LR_EINVAL: a status or field that may not be; LR_ECLOSED: the connection is closing; LR_ENOMEM,
 * LR_EAGAIN (a head of more than the write queue takes): it is aborted. After a failure release and
 * the source's done are not called. An answer to HEAD and with 204 and 304 has no body: a source is
 * ended at once. */
LR_WORKER lr_status lr_http_answer_with(lr_http_exchange *x, const lr_http_answer_options *options);
/* A body that is copied, with its type. */
LR_WORKER lr_status lr_http_answer(lr_http_exchange *x, uint16_t status, const char *content_type,
                                   lr_slice body);
/* "404 Not Found" and the reason, if not null, as text. */
LR_WORKER lr_status lr_http_answer_status(lr_http_exchange *x, uint16_t status, const char *reason);

/* 405 with the methods that would do, "GET, HEAD". */
LR_WORKER lr_status lr_http_answer_not_allowed(lr_http_exchange *x, lr_slice allow);

/* Resets the connection: there can be no answer, or not the rest of it. No hook of x follows but
 * finish. */
LR_WORKER void lr_http_abort(lr_http_exchange *x, lr_status why);

/* "Not Found"; "Unknown" for what RFC 9110 does not name. Static. */
LR_ANY const char *lr_http_status_text(uint16_t status);

#endif
