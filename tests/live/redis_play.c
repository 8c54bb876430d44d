/* SPDX-License-Identifier: MIT */
#include "redis_play.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_up(lr_redis *r, lr_worker *w)
{
    play *p = lr_redis_user(r);

    if (!lr_redis_is_up(r, w))
        abort();
    live_note(&p->events, "up");
}

static void on_down(lr_redis *r, lr_worker *w, const lr_error *why)
{
    play *p = lr_redis_user(r);
    const lr_slice arguments[] = {LR_LIT("INSIDE")};

    if (lr_redis_is_up(r, w))
        abort();
    live_note(&p->events, "down:%s %s", lr_status_name(why->status), why->text);
    live_note(&p->events, "inside=%s",
              lr_status_name(lr_redis_command(r, w, arguments, 1, NULL, NULL)));
    if (p->close_when_down)
        lr_redis_close(r, w);
}

static void on_worker_stop(lr_worker *w, lr_server *s)
{
    play *p = lr_server_user(s);

    lr_redis_close(p->redis, w);
}

/* A socket that nobody can reach before play_listen(). */
static void bind_only(play *p)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(p->listener >= 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&address, &len), 0);
    p->port = ntohs(address.sin_port);
}

void play_listen(play *p)
{
    assert_int_equal(listen(p->listener, 16), 0);
}

/* Timeouts that a test does not set are longer than the test. */
void play_open_down(play *p, void **state, lr_redis_options *options)
{
    static const lr_handlers handlers = {LR_HANDLERS, .on_worker_stop = on_worker_stop};
    live_plan plan = {
        .ring = live_ring(state), .worker_count = 1, .handlers = &handlers, .user = p};
    lr_error err;

    memset(p, 0, sizeof(*p));
    live_events_init(&p->events);
    p->sock = -1;
    bind_only(p);
    options->size = sizeof(*options);
    options->port = p->port;
    options->on_up = on_up;
    options->on_down = on_down;
    options->user = p;
    if (!options->command_timeout_ms)
        options->command_timeout_ms = 60000;
    if (!options->stall_timeout_ms)
        options->stall_timeout_ms = 60000;
    if (!options->connect_timeout_ms)
        options->connect_timeout_ms = 60000;
    if (!options->reconnect_min_ms)
        options->reconnect_min_ms = 1;
    p->workers = live_workers(&plan);
    p->server = live_server(p->workers, NULL, &plan);
    if (lr_redis_new(p->workers, options, &p->redis, &err) != LR_OK)
        fail_msg("%s", err.text);
    live_run(p->workers);
}

void play_accept(play *p)
{
    struct timeval guard = {LIVE_GUARD_S, 0};

    if (p->sock >= 0)
        (void)close(p->sock);
    assert_int_equal(setsockopt(p->listener, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof(guard)), 0);
    do
        p->sock = accept(p->listener, NULL, NULL);
    while (p->sock < 0 && errno == EINTR); /* a ring interrupts the thread that made it */
    if (p->sock < 0)
        fail_msg("accept: %s", strerror(errno));
    assert_int_equal(setsockopt(p->sock, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof(guard)), 0);
}

/* These bytes come next. */
void play_hear(play *p, const char *text)
{
    char got[1024];
    size_t len = strlen(text);

    assert_true(len < sizeof(got));
    assert_true(tcp_read(p->sock, got, len));
    assert_memory_equal(got, text, len);
}

void play_hear_end(play *p)
{
    char byte;
    ssize_t got;

    do
        got = recv(p->sock, &byte, 1, 0);
    while (got < 0 && errno == EINTR);
    assert_true(got <= 0); /* FIN or a reset */
}

void play_say(play *p, const char *text)
{
    assert_true(tcp_send(p->sock, text, strlen(text)));
}

/* "GET a" by its name. */
void play_hear_get(play *p, const char *name)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "*2\r\n$3\r\nGET\r\n$%zu\r\n%s\r\n", strlen(name), name);
    play_hear(p, text);
}

static void open_on_worker(lr_worker *w, void *arg)
{
    play *p = arg;

    if (lr_redis_open(p->redis, w) != LR_OK)
        abort();
}

void play_come_up(play *p)
{
    play_accept(p);
    play_hear(p, PLAY_PING);
    play_say(p, "+PONG\r\n");
    assert_true(live_await(&p->events, "up"));
    live_events_clear(&p->events);
}

void play_open(play *p, void **state, lr_redis_options *options)
{
    play_open_down(p, state, options);
    play_listen(p);
    live_on_worker(p->workers, 0, open_on_worker, p);
    play_come_up(p);
}

lr_redis_counts play_close(play *p)
{
    lr_redis_counts counts;
    size_t len;
    char none;

    lr_workers_stop(p->workers, LR_NONE);
    if (p->sock >= 0) { /* what is idle ends by itself, and lingers for the other side's end */
        (void)tcp_read_to_end(p->sock, &none, 0, &len);
        (void)close(p->sock);
    }
    lr_workers_join(p->workers);
    counts = lr_redis_read_counts(p->redis);
    assert_int_equal(counts.commands, counts.replies + counts.timeouts + counts.lost);
    lr_redis_free(p->redis);
    lr_server_free(p->server);
    lr_workers_free(p->workers);
    live_events_fini(&p->events);
    (void)close(p->listener);
    return counts;
}

static void play_on_done(lr_worker *w, lr_status status, const lr_redis_reply *reply, void *arg)
{
    static const char types[] = "0+-:$*";
    command *c = arg;

    if ((status == LR_OK) != (reply != NULL))
        abort();
    if (status != LR_OK)
        live_note(&c->p->events, "%s=%s", c->name, lr_status_name(status));
    else if (reply->type == LR_REDIS_INTEGER)
        live_note(&c->p->events, "%s=:%lld", c->name, (long long)reply->integer);
    else
        live_note(&c->p->events, "%s=%c%.*s", c->name, types[reply->type],
                  (int)(reply->bytes.len < 40 ? reply->bytes.len : 40),
                  reply->bytes.len ? (const char *)reply->bytes.bytes : "");
    if (c->then)
        c->then(c, w);
}

command *play_add(play *p, const char *name)
{
    command *c = &p->commands[p->count++];

    assert_true(p->count <= COMMANDS_MAX);
    c->p = p;
    (void)snprintf(c->name, sizeof(c->name), "%s", name);
    return c;
}

void play_send(lr_worker *w, void *arg)
{
    command *c = arg;
    const lr_slice arguments[] = {LR_LIT("GET"), lr_slice_of(c->name, strlen(c->name))};

    c->status = lr_redis_command(c->p->redis, w, arguments, 2, play_on_done, c);
}

lr_status play_get(play *p, const char *name)
{
    command *c = play_add(p, name);

    live_on_worker(p->workers, 0, play_send, c);
    return c->status;
}

/* Inside the callback of what was not answered: the next one, on the same worker. */
void play_send_second(command *c, lr_worker *w)
{
    play_send(w, &c->p->commands[1]);
}
