/* SPDX-License-Identifier: MIT */
/* http.h: what the live tests of HTTP need on both sides: a server of a site, listening for TLS and
 * plain, and a client that speaks HTTP/1 by hand.
 *
 * HTTP_TEST() makes four entries of a test: both rings, TLS and plain; http_where_of() tells which
 * one this is. Calls of the client fail the test themselves, so they belong to its thread. */
#ifndef LR_TESTS_LIVE_HTTP_H
#define LR_TESTS_LIVE_HTTP_H

#include "client.h"

#include "proto/http1.h"
#include "proto/http_demo.h"

typedef struct http_where {
    lr_ring_choice ring;
    bool is_plain;
} http_where;

extern http_where http_uring_tls, http_epoll_tls, http_uring_plain, http_epoll_plain;

#define HTTP_TEST(fn)                                                                              \
    {#fn " on uring", fn, NULL, NULL, &http_uring_tls},                                            \
        {#fn " on epoll", fn, NULL, NULL, &http_epoll_tls},                                        \
        {#fn " on uring, plain", fn, NULL, NULL, &http_uring_plain},                               \
    {                                                                                              \
#fn " on epoll, plain", fn, NULL, NULL, &http_epoll_plain                                  \
    }

static inline const http_where *http_where_of(void **state)
{
    return *state;
}

/* What the site logs: one word for each exchange, "GET:/path:200:in:out", and more behind it. */
typedef struct http_server {
    const http_where *where;
    live l;
    uint16_t port; /* of where */
    lr_http_site *site;
    lr_http_demo *demo;
    live_events events;
    bool quiet;
    void *arg; /* of the test */
} http_server;

/* Zero is a default everywhere. The site's user is the http_server, its on_log the words above. */
typedef struct http_plan {
    const lr_http_site_options *site; /* null: the demo */
    const char *root;                 /* of the demo */
    uint32_t header_timeout_ms;       /* of the demo */
    uint32_t worker_count;            /* 1 */
    uint32_t idle_timeout_ms;
    bool quiet; /* logs nothing */
    void *arg;
} http_plan;

void http_start(http_server *s, void **state, const http_plan *plan);
void http_stop(http_server *s);
lr_http_counts http_counts(const http_server *s);
uint64_t http_refused(const http_server *s, uint16_t status);
http_server *http_server_of(const lr_http_exchange *x);

typedef struct http_client {
    bool is_plain;
    tls_client tls;
    int sock;
    uint8_t in[16384];
    size_t in_at, in_end;
} http_client;

typedef struct http_answer {
    int status;
    char head[4096]; /* with its last empty line */
    uint8_t *body;   /* free()d by http_answer_drop() */
    size_t body_len;
} http_answer;

void http_open(http_client *client, const http_server *s);
void http_close(http_client *client);
void http_send(http_client *client, const char *text);
void http_send_bytes(http_client *client, const void *bytes, size_t len);
/* The same 16 KB again and again until the server takes no more, at most len bytes. How many went
 * out; with TLS one more record of them may be sealed and lost. */
size_t http_send_until_stuck(http_client *client, const char *bytes, size_t len);
void http_read(http_client *client, void *out, size_t len);
/* Reads the head only. */
void http_read_head(http_client *client, http_answer *answer);
/* Head and body by its framing; is_head: there is none. */
void http_read_answer(http_client *client, http_answer *answer, bool is_head);
void http_answer_drop(http_answer *answer);
/* The value of a field, "" if there is none; until the next call. */
const char *http_field(const http_answer *answer, const char *name);
void http_half_close(http_client *client); /* close_notify, or FIN */
/* The server ends the stream in good order, and nothing comes before that. */
void http_expect_end(http_client *client);
void http_expect_reset(http_client *client); /* or cuts it: without close_notify, or by a reset */

/* Sends and reads the answer: the status must be the one, and so the body unless that is null. */
void http_expect(http_client *client, const char *request, int status, const char *body);

#endif
