/* SPDX-License-Identifier: MIT */
/* proto/http_demo.h: the site that lockring-serve serves, to try a server and to measure it.
 *
 *     GET /           a few words, or index.html of the root
 *     GET /bytes/N    N bytes of a repeated pattern
 *     POST /echo      the body back, while it comes
 *     POST /discard   how many bytes the body had
 *     GET /info       this connection, as JSON
 *     GET /...        files under the root, if there is one */
#ifndef LR_PROTO_HTTP_DEMO_H
#define LR_PROTO_HTTP_DEMO_H

#include "proto/http1.h"

typedef struct lr_http_demo lr_http_demo;

/* Zero selects the default. */
typedef struct lr_http_demo_options {
    size_t size;                                                /* LR_HTTP_DEMO_OPTIONS */
    const char *root;                                           /* directory of files; null: none */
    uint32_t header_timeout_ms;                                 /* lr_http_site_options */
    void *user;                                                 /* lr_http_demo_user(), of on_log */
    void (*on_log)(lr_conn *c, const lr_http_log_entry *entry); /* [none] */
} lr_http_demo_options;
#define LR_HTTP_DEMO_OPTIONS .size = sizeof(lr_http_demo_options)

/* LR_EFILE: the root is no directory, or cannot be opened. */
LR_SETUP LR_NODISCARD lr_status lr_http_demo_new(const lr_http_demo_options *options,
                                                 lr_http_demo **out, lr_error *err);
/* Fills handlers, user and conn_user_size of options to come. */
LR_SETUP void lr_http_demo_serve(lr_http_demo *demo, lr_server_options *options);
LR_SETUP void lr_http_demo_free(lr_http_demo *demo); /* after its servers; null is allowed */

LR_ANY lr_http_counts lr_http_demo_counts(const lr_http_demo *demo);
LR_WORKER void *lr_http_demo_user(lr_conn *c); /* of the demo that c belongs to */

#endif
