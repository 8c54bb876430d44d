/* SPDX-License-Identifier: MIT */
#include "http.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

http_where http_uring_tls = {LR_RING_URING, false}, http_epoll_tls = {LR_RING_EPOLL, false},
           http_uring_plain = {LR_RING_URING, true}, http_epoll_plain = {LR_RING_EPOLL, true};

/* The server. */

static void note(http_server *s, lr_conn *c, const lr_http_log_entry *entry)
{
    if (entry->conn_number != lr_conn_number(c) || strncmp(entry->remote, "127.0.0.1:", 10) != 0)
        live_note(&s->events, "wrong_connection");
    if (s->quiet)
        return;
    live_note(&s->events, "%.*s:%.*s:%u:%llu:%llu%s", (int)entry->method.len,
              (const char *)entry->method.bytes, (int)entry->target.len,
              (const char *)entry->target.bytes, entry->status, (unsigned long long)entry->body_in,
              (unsigned long long)entry->body_out, entry->is_cut ? ":cut" : "");
}

static void on_log(lr_conn *c, const lr_http_log_entry *entry)
{
    note(lr_http_site_user(lr_server_user(lr_conn_server(c))), c, entry);
}

static void on_log_of_demo(lr_conn *c, const lr_http_log_entry *entry)
{
    note(lr_http_demo_user(c), c, entry);
}

http_server *http_server_of(const lr_http_exchange *x)
{
    return lr_http_site_user(lr_http_site_of(x));
}

static void make_site(http_server *s, const http_plan *plan, lr_server_options *options)
{
    lr_error err;

    if (plan->site) {
        lr_http_site_options site = *plan->site;

        site.size = sizeof(site);
        site.user = s;
        site.on_log = on_log;
        assert_int_equal(lr_http_site_new(&site, &s->site), LR_OK);
        lr_http_site_serve(s->site, options);
    } else {
        lr_http_demo_options demo = {LR_HTTP_DEMO_OPTIONS, .root = plan->root,
                                     .header_timeout_ms = plan->header_timeout_ms, .user = s,
                                     .on_log = on_log_of_demo};

        assert_int_equal(lr_http_demo_new(&demo, &s->demo, &err), LR_OK);
        lr_http_demo_serve(s->demo, options);
    }
}

void http_start(http_server *s, void **state, const http_plan *plan)
{
    const http_where *where = http_where_of(state);
    live_plan workers = {.ring = where->ring,
                         .worker_count = plan->worker_count ? plan->worker_count : 1};
    lr_server_options options = {LR_SERVER_OPTIONS, .idle_timeout_ms = plan->idle_timeout_ms};
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .host = "127.0.0.1", .plain = where->is_plain};
    lr_error err;

    memset(s, 0, sizeof(*s));
    s->where = where;
    s->arg = plan->arg;
    s->quiet = plan->quiet;
    s->l.workers = live_workers(&workers);
    live_events_init(&s->events);
    s->l.context = live_context(&workers);
    make_site(s, plan, &options);
    options.context = s->l.context;
    assert_int_equal(lr_server_new(s->l.workers, &options, &s->l.server, &err), LR_OK);
    assert_int_equal(lr_server_listen(s->l.server, &listen, NULL, &err), LR_OK);
    s->port = s->l.port = lr_server_port(s->l.server, 0);
    assert_int_equal(lr_workers_start(s->l.workers, &err), LR_OK);
}

void http_stop(http_server *s)
{
    live_stop(&s->l, LR_NONE);
    lr_http_site_free(s->site);
    lr_http_demo_free(s->demo);
    live_events_fini(&s->events);
}

lr_http_counts http_counts(const http_server *s)
{
    return s->demo ? lr_http_demo_counts(s->demo) : lr_http_site_counts(s->site);
}

uint64_t http_refused(const http_server *s, uint16_t status)
{
    lr_http_counts counts = http_counts(s);

    for (unsigned i = 0; i < LR_HTTP_REFUSALS; i++) {
        if (lr_http_refusal_status(i) == status)
            return counts.refused[i];
    }
    fail_msg("%u is no refusal", status);
    return 0;
}

/* The client. */

enum { KB = 1024 };

void http_open(http_client *client, const http_server *s)
{
    client->is_plain = s->where->is_plain;
    client->in_at = client->in_end = 0;
    client->sock = -1;
    if (client->is_plain) {
        client->sock = tcp_connect(NULL, s->port);
        assert_true(client->sock >= 0);
    } else {
        TLS_MUST(&client->tls, tls_open(&client->tls, s->port, NULL));
    }
}

void http_close(http_client *client)
{
    if (client->is_plain)
        (void)close(client->sock);
    else
        tls_close(&client->tls, false);
}

void http_send_bytes(http_client *client, const void *bytes, size_t len)
{
    if (client->is_plain)
        assert_true(tcp_send(client->sock, bytes, len));
    else
        TLS_MUST(&client->tls, tls_write(&client->tls, bytes, len));
}

void http_send(http_client *client, const char *text)
{
    http_send_bytes(client, text, strlen(text));
}

size_t http_send_until_stuck(http_client *client, const char *bytes, size_t len)
{
    struct pollfd wait = {client->is_plain ? client->sock : client->tls.sock, POLLOUT, 0};
    int on = 1, off = 0;
    size_t sent = 0;

    (void)ioctl(wait.fd, FIONBIO, &on);
    while (sent < len && poll(&wait, 1, 300) == 1) { /* it is this long that nothing must move */
        size_t part = len - sent < 16 * KB ? len - sent : 16 * KB;
        ssize_t got = client->is_plain ? send(wait.fd, bytes, part, MSG_NOSIGNAL)
                                       : SSL_write(client->tls.ssl, bytes, (int)part);

        sent += got > 0 ? (size_t)got : 0;
    }
    (void)ioctl(wait.fd, FIONBIO, &off);
    return sent;
}

/* Some bytes more. False: the stream has ended, in whatever way. */
static bool fill(http_client *client)
{
    ssize_t got;

    assert_int_equal(client->in_at, client->in_end);
    client->in_at = client->in_end = 0;
    do {
        got = client->is_plain ? recv(client->sock, client->in, sizeof(client->in), 0)
                               : SSL_read(client->tls.ssl, client->in, sizeof(client->in));
    } while (got < 0 && errno == EINTR);
    if (got <= 0)
        return false;
    client->in_end = (size_t)got;
    return true;
}

static uint8_t next_byte(http_client *client)
{
    if (client->in_at == client->in_end)
        assert_true(fill(client));
    return client->in[client->in_at++];
}

void http_read(http_client *client, void *out, size_t len)
{
    uint8_t *at = out;

    while (len > 0) {
        size_t part;

        if (client->in_at == client->in_end)
            assert_true(fill(client));
        part = client->in_end - client->in_at;
        part = part < len ? part : len;
        memcpy(at, client->in + client->in_at, part);
        client->in_at += part;
        at += part;
        len -= part;
    }
}

/* A line with its end. */
static size_t read_line(http_client *client, char *out, size_t cap)
{
    size_t len = 0;

    do {
        assert_true(len + 1 < cap);
        out[len] = (char)next_byte(client);
    } while (out[len++] != '\n');
    out[len] = '\0';
    assert_true(len >= 2 && out[len - 2] == '\r');
    return len;
}

void http_read_head(http_client *client, http_answer *answer)
{
    size_t len = 0, line;

    memset(answer, 0, sizeof(*answer));
    do {
        line = read_line(client, answer->head + len, sizeof(answer->head) - len);
        len += line;
    } while (line > 2);
    assert_memory_equal(answer->head, "HTTP/1.1 ", 9);
    answer->status = atoi(answer->head + 9);
}

const char *http_field(const http_answer *answer, const char *name)
{
    static char value[1024];
    const char *line = strchr(answer->head, '\n');
    size_t len = strlen(name);

    for (; line && line[1] != '\r'; line = strchr(line + 1, '\n')) {
        const char *end = strchr(line + 1, '\r');

        if (strncasecmp(line + 1, name, len) != 0 || line[1 + len] != ':')
            continue;
        (void)snprintf(value, sizeof(value), "%.*s", (int)(end - (line + len + 3)), line + len + 3);
        return value;
    }
    return "";
}

static void grow(http_answer *answer, size_t len)
{
    answer->body = realloc(answer->body, answer->body_len + len + 1);
    assert_non_null(answer->body);
}

static void read_part(http_client *client, http_answer *answer, size_t len)
{
    grow(answer, len);
    http_read(client, answer->body + answer->body_len, len);
    answer->body_len += len;
}

static void read_chunks(http_client *client, http_answer *answer)
{
    char line[64];
    size_t len;

    do {
        (void)read_line(client, line, sizeof(line));
        len = strtoul(line, NULL, 16);
        read_part(client, answer, len);
        assert_int_equal(read_line(client, line, sizeof(line)), 2);
    } while (len > 0);
}

void http_read_answer(http_client *client, http_answer *answer, bool is_head)
{
    http_read_head(client, answer);
    grow(answer, 0);
    if (is_head || answer->status == 304 || answer->status == 204) {
        answer->body[0] = '\0';
        return;
    }
    if (strcmp(http_field(answer, "Transfer-Encoding"), "chunked") == 0) {
        read_chunks(client, answer);
    } else if (http_field(answer, "Content-Length")[0] != '\0') {
        read_part(client, answer, strtoul(http_field(answer, "Content-Length"), NULL, 10));
    } else {
        while (client->in_at < client->in_end || fill(client))
            read_part(client, answer, client->in_end - client->in_at);
    }
    answer->body[answer->body_len] = '\0';
}

void http_answer_drop(http_answer *answer)
{
    free(answer->body);
    answer->body = NULL;
}

void http_half_close(http_client *client)
{
    if (client->is_plain)
        assert_int_equal(shutdown(client->sock, SHUT_WR), 0);
    else
        TLS_MUST(&client->tls, tls_end_write(&client->tls));
}

void http_expect_end(http_client *client)
{
    uint8_t byte;
    size_t len;

    assert_int_equal(client->in_at, client->in_end);
    if (client->is_plain) {
        assert_int_equal(tcp_read_to_end(client->sock, &byte, 1, &len), 0);
        assert_int_equal(len, 0);
    } else {
        assert_int_equal(tls_read_end(&client->tls), TLS_END_NOTIFY);
    }
}

void http_expect_reset(http_client *client)
{
    uint8_t byte;
    size_t len;

    client->in_at = client->in_end = 0;
    if (client->is_plain) {
        int error;

        do {
            error = tcp_read_to_end(client->sock, &byte, 1, &len);
        } while (error == EMSGSIZE);
        assert_int_equal(error, ECONNRESET);
    } else {
        tls_end how = tls_skip_to_end(&client->tls, &len);

        assert_true(how == TLS_END_RESET || how == TLS_END_TRUNCATED);
    }
}

void http_expect(http_client *client, const char *request, int status, const char *body)
{
    http_answer answer;

    http_send(client, request);
    http_read_answer(client, &answer, strncmp(request, "HEAD ", 5) == 0);
    assert_int_equal(answer.status, status);
    if (body)
        assert_string_equal((const char *)answer.body, body);
    http_answer_drop(&answer);
}
