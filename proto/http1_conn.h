/* SPDX-License-Identifier: MIT */
/* proto/http1_conn.h: what the files of the driver share. http1.c reads requests and decides what
 * is next, http1_answer.c writes answers, http1_site.c has the site, its counters and the memory of
 * exchanges. */
#ifndef LR_PROTO_HTTP1_CONN_H
#define LR_PROTO_HTTP1_CONN_H

#include "proto/http1.h"
#include "proto/http1_body.h"
#include "proto/http_fields.h" /* LR_HTTP_DATE_LEN */

#include <stdatomic.h>

enum {
    LR__HTTP_WORKERS_MAX = 256, /* lr_workers_options.worker_count */
    LR__HTTP_SPARES_MAX = 64,   /* exchanges that a worker keeps for the next requests */
    LR__HTTP_TEXT_SIZE = 1024,  /* a head that fits needs no block of its own */
    LR__HTTP_FIELDS = 16,
    LR__HTTP_QUEUE_MAX = 512 * 1024, /* queued bytes above which no request begins: reading stops
                                      * at 256 KB, and on_drain tells when it goes on */
    LR__HTTP_DISCARD_MAX = 64 * 1024 /* of a body that nobody wants, before closing is cheaper */
};

typedef enum lr__http_phase {
    LR__HTTP_HEAD,
    LR__HTTP_BODY,
    LR__HTTP_READ /* to its end; the answer may still be to come */
} lr__http_phase;

/* What one worker has for a site. Only the counters are read by others. */
typedef struct lr__http_worker {
    int64_t date_s;
    char date[LR_HTTP_DATE_LEN + 1]; /* of date_s */
    lr_http_exchange *spares;
    uint32_t spare_count;
    lr_http_header *fields; /* [header_count_max]: of a head that is being read */
    _Atomic uint64_t requests, answers, cut;
    _Atomic uint64_t refused[LR_HTTP_REFUSALS];
} lr__http_worker;

struct lr_http_site {
    lr_http_site_options options; /* limits and timeout resolved */
    _Atomic(lr__http_worker *) workers[LR__HTTP_WORKERS_MAX];
};

/* The bytes behind lr_conn_user(). */
typedef struct lr__http_conn {
    lr_http_exchange *x; /* null: idle */
    uint8_t *waiting;    /* input that may not be read yet; reading is paused */
    uint32_t waiting_at, waiting_end, waiting_cap;
    lr_timer *first_request; /* null until the server drains */
    uint32_t number;         /* of requests so far */
    uint8_t blanks;          /* line ends before the request */
    bool is_working;         /* work() is on the stack and sees to what is next */
    bool is_over;            /* we ended or aborted it */
    bool is_draining;        /* the server is */
    bool peer_ended;         /* no more input */
} lr__http_conn;

/* How the body of the answer goes out. */
typedef struct lr__http_out {
    lr_source source;  /* the program's; pull is null if there is none */
    uint64_t left;     /* of what Content-Length promised */
    bool has_ended;    /* chunked: the last chunk is out */
    lr_slice repeated; /* borrowed; left counts what of it is still to be queued */
    void (*release)(void *arg);
    void *arg;
} lr__http_out;

struct lr_http_exchange {
    lr_http_exchange *next_spare;
    lr_conn *conn;
    lr_http_site *site;
    lr__http_worker *worker;
    void *user;
    void (*finish)(lr_http_exchange *x, void *user);
    lr_timer *timer; /* only while a head is late */
    uint64_t begun_ns;
    uint64_t body_in, body_out;
    uint32_t number;
    uint16_t status; /* of the answer, 0: none yet */
    lr__http_phase phase;
    bool was_given; /* to on_request */
    bool was_read;  /* on_complete was called, or will not be */
    bool is_paused;
    bool has_continued; /* 100 was sent, or will not be */
    bool is_discarding; /* the rest of the body goes nowhere */
    bool is_refused;    /* by the driver */
    bool is_head;       /* the answer has no body */
    bool keep_alive;
    bool is_handed_over; /* the whole answer is queued */
    lr__http_out out;
    lr_http_parser parser;
    lr_http_body body;
    lr_http_head head;
    uint8_t *text; /* the head's bytes: text_room or a block */
    uint32_t text_len, text_cap;
    lr_http_header fields[LR__HTTP_FIELDS]; /* head.headers, or a block */
    uint8_t text_room[LR__HTTP_TEXT_SIZE];
};

/* Null: no memory. */
lr__http_worker *lr__http_worker_of(lr_http_site *site, lr_worker *w);
lr_http_exchange *lr__http_exchange_take(lr_http_site *site, lr_conn *c);
void lr__http_exchange_give(lr_http_exchange *x);
/* Makes room for len bytes of head; what is there is kept. */
bool lr__http_text_reserve(lr_http_exchange *x, size_t len);
void lr__http_count(_Atomic uint64_t *counter);
void lr__http_count_refusal(lr__http_worker *w, uint16_t status);
/* "Sun, 06 Nov 1994 08:49:37 GMT", made once a second; "" if the clock is out of range. */
const char *lr__http_date(lr__http_worker *site_worker, lr_worker *w);

/* Goes on with what is next on the connection, unless that is being done already. */
void lr__http_go_on(lr_conn *c);
/* Resets it; on_close does the rest. */
void lr__http_abort(lr_conn *c, lr_status why);

#endif
