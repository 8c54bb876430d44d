/* SPDX-License-Identifier: MIT */
/* proto/http_demo.c: routes, and the answers that are made on the spot.
 *
 * The pattern is made once and borrowed by every answer: /bytes/N copies nothing. */
#include "proto/http_demo.h"

#include "proto/http_echo.h"
#include "proto/http_files.h"
#include "proto/http_info.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATTERN_SIZE = 128 * 1024 };

struct lr_http_demo {
    lr_http_site *site;
    void *user;
    int root; /* 0: none */
    uint8_t pattern[PATTERN_SIZE];
};

typedef struct route {
    const char *path;
    bool is_prefix;
    bool is_get; /* and HEAD; else POST */
    void (*on_request)(lr_http_exchange *x);
    void (*on_body)(lr_http_exchange *x, lr_slice bytes);
    void (*on_complete)(lr_http_exchange *x);
} route;

static lr_http_demo *demo_of(const lr_http_exchange *x)
{
    return lr_http_site_user(lr_http_site_of(x));
}

static void answer_text(lr_http_exchange *x, const char *text)
{
    (void)lr_http_answer(x, 200, "text/plain; charset=utf-8", lr_slice_of(text, strlen(text)));
}

static void on_welcome(lr_http_exchange *x)
{
    answer_text(x, "lockring serves this page.\n"
                   "GET /bytes/N, POST /echo, POST /discard, GET /info\n");
}

/* The digits behind "/bytes/". */
static bool read_size(lr_slice digits, uint64_t *size)
{
    *size = 0;
    for (size_t i = 0; i < digits.len; i++) {
        unsigned digit = (unsigned)digits.bytes[i] - '0';

        if (digit > 9 || *size > (UINT64_MAX / 2 - digit) / 10)
            return false;
        *size = *size * 10 + digit;
    }
    return digits.len > 0;
}

/* Without the query. */
static lr_slice path_of(const lr_http_exchange *x)
{
    lr_slice path = lr_http_head_of(x)->path;
    const uint8_t *query = memchr(path.bytes, '?', path.len);

    if (query)
        path.len = (size_t)(query - path.bytes);
    return path;
}

static void on_bytes(lr_http_exchange *x)
{
    const lr_http_demo *demo = demo_of(x);
    lr_slice path = path_of(x);
    size_t prefix = strlen("/bytes/");
    lr_http_answer_options options = {
        .status = 200, .content_type = "application/octet-stream", .is_borrowed = true};

    if (!read_size(lr_slice_of(path.bytes + prefix, path.len - prefix), &options.body_size)) {
        (void)lr_http_answer_status(x, 400, "/bytes/ is followed by a number");
        return;
    }
    options.body = lr_slice_of(demo->pattern, options.body_size < sizeof(demo->pattern)
                                                  ? (size_t)options.body_size
                                                  : sizeof(demo->pattern));
    (void)lr_http_answer_with(x, &options);
}

static void on_info(lr_http_exchange *x)
{
    char text[LR_HTTP_INFO_MAX];
    size_t len = lr_http_info(lr_http_conn(x), text, sizeof(text));

    (void)lr_http_answer(x, 200, "application/json", lr_slice_of(text, len));
}

static void on_discarded(lr_http_exchange *x)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%llu\n", (unsigned long long)lr_http_body_in(x));
    answer_text(x, text);
}

static const route routes[] = {
    {"/", .is_get = true, .on_request = on_welcome},
    {"/bytes/", .is_prefix = true, .is_get = true, .on_request = on_bytes},
    {"/echo", .on_request = lr_http_echo_begin, .on_body = lr_http_echo_body,
     .on_complete = lr_http_echo_complete},
    {"/discard", .on_complete = on_discarded},
    {"/info", .is_get = true, .on_request = on_info},
};

static const route *find_route(const lr_http_exchange *x)
{
    lr_slice path = path_of(x);

    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        size_t len = strlen(routes[i].path);

        if (path.len >= len && memcmp(path.bytes, routes[i].path, len) == 0 &&
            (path.len == len || routes[i].is_prefix))
            return &routes[i];
    }
    return NULL;
}

static void on_request(lr_http_exchange *x)
{
    const route *to = find_route(x);
    bool is_get = lr_http_method_is(x, "GET") || lr_http_method_is(x, "HEAD");
    int root = demo_of(x)->root;

    if (!to && root > 0)
        lr_http_files_answer(x, root, NULL);
    else if (!to)
        (void)lr_http_answer_status(x, 404, NULL);
    else if (to->is_get && !is_get)
        (void)lr_http_answer_not_allowed(x, LR_LIT("GET, HEAD"));
    else if (!to->is_get && !lr_http_method_is(x, "POST"))
        (void)lr_http_answer_not_allowed(x, LR_LIT("POST"));
    else if (to->on_request == on_welcome && root > 0)
        lr_http_files_answer(x, root, on_welcome);
    else if (to->on_request)
        to->on_request(x);
}

/* These two come only while the request is not answered, or for an answer that goes on with the
 * body: the route is one that takes it. */
static void on_body(lr_http_exchange *x, lr_slice bytes)
{
    const route *to = find_route(x);

    if (to && to->on_body)
        to->on_body(x, bytes);
}

static void on_complete(lr_http_exchange *x)
{
    const route *to = find_route(x);

    if (to && to->on_complete)
        to->on_complete(x);
}

static lr_status fail(lr_error *err, lr_status status, int sys, const char *what)
{
    if (err) {
        *err = (lr_error){.status = status, .sys = sys, .tls_alert = -1};
        (void)snprintf(err->text, sizeof(err->text), "%s%s%s", what, sys != 0 ? ": " : "",
                       sys != 0 ? strerror(sys) : "");
    }
    return status;
}

/* A descriptor above 0, which means none here. */
static int open_root(const char *path)
{
    int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), above;

    if (root != 0)
        return root;
    above = fcntl(root, F_DUPFD_CLOEXEC, 3);
    (void)close(root);
    return above;
}

static lr_status make_site(lr_http_demo *demo, const lr_http_demo_options *options, lr_error *err)
{
    lr_http_site_options site = {
        LR_HTTP_SITE_OPTIONS, .limits = {.body_size_max = LR_HTTP_UNLIMITED},
        .user = demo,         .on_request = on_request,
        .on_body = on_body,   .on_complete = on_complete};
    lr_status status;

    if (options) {
        demo->user = options->user;
        site.header_timeout_ms = options->header_timeout_ms;
        site.on_log = options->on_log;
    }
    if (options && options->root) {
        demo->root = open_root(options->root);
        if (demo->root < 0)
            return fail(err, LR_EFILE, errno, options->root);
    }
    status = lr_http_site_new(&site, &demo->site);
    return status == LR_OK ? LR_OK : fail(err, status, 0, "out of memory for the site");
}

lr_status lr_http_demo_new(const lr_http_demo_options *options, lr_http_demo **out, lr_error *err)
{
    static const char line[] = "lockring sends these sixty-four bytes again, and again, and so.\n";
    lr_http_demo *demo;
    lr_status status;

    *out = NULL;
    if (options && options->size != sizeof(*options))
        return fail(err, LR_EOPTION, 0, "lr_http_demo_options: the size is not this version's");
    demo = calloc(1, sizeof(*demo));
    if (!demo)
        return fail(err, LR_ENOMEM, 0, "out of memory for the site");
    for (size_t i = 0; i < sizeof(demo->pattern); i++)
        demo->pattern[i] = (uint8_t)line[i % (sizeof(line) - 1)];
    status = make_site(demo, options, err);
    if (status != LR_OK) {
        lr_http_demo_free(demo);
        return status;
    }
    *out = demo;
    return LR_OK;
}

void lr_http_demo_serve(lr_http_demo *demo, lr_server_options *options)
{
    options->keep_ja4 = LR_ON; /* for /info */
    lr_http_site_serve(demo->site, options);
}

void lr_http_demo_free(lr_http_demo *demo)
{
    if (!demo)
        return;
    lr_http_site_free(demo->site);
    if (demo->root > 0)
        (void)close(demo->root);
    free(demo);
}

lr_http_counts lr_http_demo_counts(const lr_http_demo *demo)
{
    return lr_http_site_counts(demo->site);
}

void *lr_http_demo_user(lr_conn *c)
{
    const lr_http_demo *demo = lr_http_site_user(lr_server_user(lr_conn_server(c)));

    return demo->user;
}
