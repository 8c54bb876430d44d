/* SPDX-License-Identifier: MIT */
#include "tools/serve_stats.h"

#include "proto/http1.h"
#include "proto/stats_text.h"
#include "tools/status_page.h"

#include <lockring/server.h>

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS_MAX = 64, IDLE_MS = 60000 };

struct serve_stats {
    lr_workers *workers;
    lr_http_site *site;
    lr_server *server;
    bool is_unix;
};

__attribute__((format(printf, 3, 4))) static lr_status fail(lr_error *err, lr_status status,
                                                            const char *format, ...)
{
    va_list args;

    if (err) {
        *err = (lr_error){.status = status, .tls_alert = -1};
        va_start(args, format);
        (void)vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
    }
    return status;
}

static bool is_loopback(const char *host)
{
    struct in_addr in;
    struct in6_addr in6;

    if (inet_pton(AF_INET, host, &in) == 1)
        return ntohl(in.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &in6) == 1 && IN6_IS_ADDR_LOOPBACK(&in6);
}

/* Host of a request: what reached a unix socket was let in by its file's mode. */
static bool is_for_this_machine(const serve_stats *stats, lr_slice host)
{
    char text[64];

    if (stats->is_unix || host.len == 0) /* HTTP/1.0 has none, and browsers do not speak it */
        return true;
    if (host.len >= sizeof(text))
        return false;
    if (host.len > 2 && host.bytes[0] == '[') {
        host.bytes++;
        host.len -= 2;
    }
    memcpy(text, host.bytes, host.len);
    text[host.len] = '\0';
    return strcmp(text, "localhost") == 0 || is_loopback(text);
}

/* Routes. */

/* text: takes its block. */
static void answer(lr_http_exchange *x, const char *type, lr_stats_text *text)
{
    lr_http_header fields[] = {{LR_LIT("Cache-Control"), LR_LIT("no-store")},
                               {LR_LIT("X-Content-Type-Options"), LR_LIT("nosniff")}};
    lr_http_answer_options options = {.status = 200,
                                      .content_type = type,
                                      .headers = fields,
                                      .header_count = 2,
                                      .body = lr_slice_of(text->bytes, text->len),
                                      .is_borrowed = true,
                                      .release = free,
                                      .arg = text->bytes};

    if (text->failed) {
        lr_stats_text_free(text);
        (void)lr_http_answer_status(x, 503, "out of memory");
        return;
    }
    if (lr_http_answer_with(x, &options) != LR_OK)
        lr_stats_text_free(text);
}

static void answer_rendered(lr_http_exchange *x, const char *type,
                            void (*render)(const lr_stats_view *view, lr_stats_text *out))
{
    const serve_stats *stats = lr_http_site_user(lr_http_site_of(x));
    lr_stats_text text = {0};
    lr_stats_view view;

    if (lr_stats_view_read(stats->workers, &view) != LR_OK) {
        (void)lr_http_answer_status(x, 503, "out of memory");
        return;
    }
    render(&view, &text);
    lr_stats_view_free(&view);
    answer(x, type, &text);
}

static void answer_page(lr_http_exchange *x)
{
    lr_http_header fields[] = {
        {LR_LIT("Content-Security-Policy"),
         lr_slice_of(status_page_policy, strlen(status_page_policy))},
        {LR_LIT("X-Content-Type-Options"), LR_LIT("nosniff")},
        {LR_LIT("Referrer-Policy"), LR_LIT("no-referrer")},
        {LR_LIT("Cache-Control"), LR_LIT("no-cache")},
    };
    lr_http_answer_options options = {.status = 200,
                                      .content_type = "text/html; charset=utf-8",
                                      .headers = fields,
                                      .header_count = sizeof(fields) / sizeof(fields[0]),
                                      .body = lr_slice_of(status_page, status_page_size),
                                      .is_borrowed = true};

    (void)lr_http_answer_with(x, &options);
}

static bool path_is(lr_slice path, const char *text)
{
    const uint8_t *query = memchr(path.bytes, '?', path.len);

    if (query)
        path.len = (size_t)(query - path.bytes);
    return path.len == strlen(text) && memcmp(path.bytes, text, path.len) == 0;
}

static void refuse_method(lr_http_exchange *x)
{
    lr_http_header field = {LR_LIT("Allow"), LR_LIT("GET, HEAD")};
    lr_http_answer_options options = {.status = 405,
                                      .content_type = "text/plain; charset=utf-8",
                                      .headers = &field,
                                      .header_count = 1,
                                      .body = LR_LIT("405 Method Not Allowed\n")};

    (void)lr_http_answer_with(x, &options);
}

static void on_request(lr_http_exchange *x)
{
    const serve_stats *stats = lr_http_site_user(lr_http_site_of(x));
    const lr_http_head *head = lr_http_head_of(x);

    if (!is_for_this_machine(stats, head->host))
        (void)lr_http_answer_status(x, 421, "this name is not one of this machine");
    else if (!lr_http_method_is(x, "GET") && !lr_http_method_is(x, "HEAD"))
        refuse_method(x);
    else if (path_is(head->path, "/"))
        answer_page(x);
    else if (path_is(head->path, "/stats.json"))
        answer_rendered(x, "application/json", lr_stats_json);
    else if (path_is(head->path, "/metrics"))
        answer_rendered(x, LR_STATS_PROMETHEUS_TYPE, lr_stats_prometheus);
    else
        (void)lr_http_answer_status(x, 404, NULL);
}

/* Opening. */

/* "HOST:PORT" in two; the brackets of an IPv6 address go. False: it is not of that form. */
static bool split(const char *address, char *host, size_t cap, uint16_t *port)
{
    const char *colon = strrchr(address, ':');
    size_t len = colon ? (size_t)(colon - address) : 0;
    unsigned long number = 0;

    if (len == 0 || colon[1] == '\0' || strlen(colon + 1) > 5)
        return false;
    for (const char *digit = colon + 1; *digit != '\0'; digit++) {
        if (*digit < '0' || *digit > '9')
            return false;
        number = number * 10 + (unsigned long)(*digit - '0');
    }
    if (address[0] == '[') {
        if (address[len - 1] != ']')
            return false;
        address++;
        len -= 2;
    } else if (memchr(address, ':', len)) {
        return false;
    }
    if (number > UINT16_MAX || len >= cap)
        return false;
    memcpy(host, address, len);
    host[len] = '\0';
    *port = (uint16_t)number;
    return true;
}

static lr_status listen_at(serve_stats *stats, const char *address, lr_error *err)
{
    lr_listen_options options = {LR_LISTEN_OPTIONS, .plain = true};
    char host[64];

    if (strncmp(address, "unix:", 5) == 0) {
        stats->is_unix = true;
        options.path = address + 5;
        return lr_server_listen(stats->server, &options, NULL, err);
    }
    if (!split(address, host, sizeof(host), &options.port))
        return fail(err, LR_EOPTION, "stats: '%.60s' is neither HOST:PORT nor unix:PATH", address);
    options.host = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (!is_loopback(options.host))
        return fail(err, LR_EOPTION,
                    "stats: %s is no loopback address: there is no TLS here, and nobody is asked "
                    "who he is",
                    host);
    return lr_server_listen(stats->server, &options, NULL, err);
}

static lr_status make_server(serve_stats *stats, const char *address, lr_error *err)
{
    lr_http_site_options site = {LR_HTTP_SITE_OPTIONS, .user = stats, .on_request = on_request};
    lr_server_options server = {LR_SERVER_OPTIONS, .idle_timeout_ms = IDLE_MS,
                                .connection_count_max = CONNECTIONS_MAX};
    lr_status status = lr_http_site_new(&site, &stats->site);

    if (status != LR_OK)
        return fail(err, status, "stats: out of memory");
    lr_http_site_serve(stats->site, &server);
    status = lr_server_new(stats->workers, &server, &stats->server, err);
    if (status != LR_OK)
        return status;
    return listen_at(stats, address, err);
}

lr_status serve_stats_open(lr_workers *workers, const char *address, serve_stats **out,
                           lr_error *err)
{
    serve_stats *stats = calloc(1, sizeof(*stats));
    lr_status status;

    *out = NULL;
    if (!stats)
        return fail(err, LR_ENOMEM, "stats: out of memory");
    stats->workers = workers;
    status = make_server(stats, address, err);
    if (status != LR_OK) {
        serve_stats_close(stats);
        return status;
    }
    *out = stats;
    return LR_OK;
}

bool serve_stats_address(const serve_stats *stats, char *out, size_t cap)
{
    return lr_server_address(stats->server, 0, out, cap);
}

void serve_stats_close(serve_stats *stats)
{
    if (!stats)
        return;
    lr_server_free(stats->server);
    lr_http_site_free(stats->site);
    free(stats);
}
