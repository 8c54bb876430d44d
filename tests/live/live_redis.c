/* SPDX-License-Identifier: MIT */
/* live_redis.c: proto/redis against a server that the test plays by hand, byte by byte. */
#include "client.h"

#include "proto/redis.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { COMMANDS_MAX = 16 };

static const char ping[] = "*1\r\n$4\r\nPING\r\n";

typedef struct play play;

/* One command, whose callback notes what came of it as "NAME=...". */
typedef struct command {
    play *p;
    char name[16];
    /* Runs inside the callback. */
    void (*then)(struct command *c, lr_worker *w);
    lr_status status; /* of lr_redis_command() */
} command;

struct play {
    live_events events;
    lr_workers *workers;
    lr_server *server;
    lr_redis *redis;
    int listener, sock;
    uint16_t port;
    command commands[COMMANDS_MAX];
    size_t count;
    bool close_when_down;
};

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

/* A socket that nobody can reach before listen_now(). */
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

static void listen_now(play *p)
{
    assert_int_equal(listen(p->listener, 16), 0);
}

/* Timeouts that a test does not set are longer than the test. */
static void play_open_down(play *p, void **state, lr_redis_options *options)
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

static void accept_one(play *p)
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
static void hear_exactly(play *p, const char *text)
{
    char got[1024];
    size_t len = strlen(text);

    assert_true(len < sizeof(got));
    assert_true(tcp_read(p->sock, got, len));
    assert_memory_equal(got, text, len);
}

static void hear_end(play *p)
{
    char byte;
    ssize_t got;

    do
        got = recv(p->sock, &byte, 1, 0);
    while (got < 0 && errno == EINTR);
    assert_true(got <= 0); /* FIN or a reset */
}

static void say_text(play *p, const char *text)
{
    assert_true(tcp_send(p->sock, text, strlen(text)));
}

/* "GET a" by its name. */
static void hear_get(play *p, const char *name)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "*2\r\n$3\r\nGET\r\n$%zu\r\n%s\r\n", strlen(name), name);
    hear_exactly(p, text);
}

static void open_on_worker(lr_worker *w, void *arg)
{
    play *p = arg;

    if (lr_redis_open(p->redis, w) != LR_OK)
        abort();
}

static void come_up(play *p)
{
    accept_one(p);
    hear_exactly(p, ping);
    say_text(p, "+PONG\r\n");
    assert_true(live_await(&p->events, "up"));
    live_events_clear(&p->events);
}

static void play_open(play *p, void **state, lr_redis_options *options)
{
    play_open_down(p, state, options);
    listen_now(p);
    live_on_worker(p->workers, 0, open_on_worker, p);
    come_up(p);
}

static lr_redis_counts play_close(play *p)
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

static void on_done(lr_worker *w, lr_status status, const lr_redis_reply *reply, void *arg)
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

static command *add(play *p, const char *name)
{
    command *c = &p->commands[p->count++];

    assert_true(p->count <= COMMANDS_MAX);
    c->p = p;
    (void)snprintf(c->name, sizeof(c->name), "%s", name);
    return c;
}

static void send_on_worker(lr_worker *w, void *arg)
{
    command *c = arg;
    const lr_slice arguments[] = {LR_LIT("GET"), lr_slice_of(c->name, strlen(c->name))};

    c->status = lr_redis_command(c->p->redis, w, arguments, 2, on_done, c);
}

static lr_status get(play *p, const char *name)
{
    command *c = add(p, name);

    live_on_worker(p->workers, 0, send_on_worker, c);
    return c->status;
}

static void commands_are_pipelined_and_answered_in_their_order(void **state)
{
    lr_redis_options options = {0};
    lr_redis_counts counts;
    play p;

    play_open(&p, state, &options);
    assert_int_equal(get(&p, "a"), LR_OK);
    assert_int_equal(get(&p, "b"), LR_OK);
    assert_int_equal(get(&p, "c"), LR_OK);
    assert_int_equal(get(&p, "d"), LR_OK);
    hear_get(&p, "a");
    hear_get(&p, "b");
    hear_get(&p, "c");
    hear_get(&p, "d"); /* all of them before any reply */
    live_expect(&p.events, "");
    say_text(&p, "+one\r\n-ERR tw");
    assert_true(live_await(&p.events, "a=+one"));
    say_text(&p, "o\r\n$5\r\nth\r");
    assert_true(live_await(&p.events, "b=-ERR two"));
    say_text(&p, "\nr\r\n:4\r\n");
    assert_true(live_await(&p.events, "d=:4"));
    live_expect(&p.events, "a=+one b=-ERR two c=$th\r\nr d=:4 ");
    counts = play_close(&p);
    assert_int_equal(counts.replies, 4);
    assert_int_equal(counts.errors, 1);
    assert_int_equal(counts.connects, 1);
    assert_int_equal(counts.failures, 0);
}

static void the_password_and_the_database_come_first(void **state)
{
    lr_redis_options options = {.username = "me", .password = "a secret", .database = 12};
    play p;

    play_open_down(&p, state, &options);
    listen_now(&p);
    assert_int_equal(get(&p, "a"), LR_OK); /* waits, and is what begins */
    accept_one(&p);
    hear_exactly(&p, "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$8\r\na secret\r\n"
                     "*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n*1\r\n$4\r\nPING\r\n");
    say_text(&p, "+OK\r\n+OK\r\n");
    live_expect(&p.events, "");
    say_text(&p, "+PONG\r\n");
    hear_get(&p, "a");
    say_text(&p, "$-1\r\n");
    assert_true(live_await(&p.events, "a=0"));
    live_expect(&p.events, "up a=0 ");
    (void)play_close(&p);
}

static void a_server_that_refuses_the_password_is_down(void **state)
{
    lr_redis_options options = {
        .password = "wrong", .reconnect_min_ms = 100000, .reconnect_max_ms = 100000};
    lr_redis_counts counts;
    play p;

    play_open_down(&p, state, &options);
    listen_now(&p);
    assert_int_equal(get(&p, "a"), LR_OK);
    accept_one(&p);
    hear_exactly(&p, "*2\r\n$4\r\nAUTH\r\n$5\r\nwrong\r\n*1\r\n$4\r\nPING\r\n");
    say_text(&p, "-WRONGPASS \x1b invalid\r\n-NOAUTH\r\n");
    assert_true(live_await(&p.events, "inside=LR_ECLOSED"));
    live_expect(&p.events, "a=LR_ECLOSED down:LR_ECONNECT redis: WRONGPASS ? invalid "
                           "inside=LR_ECLOSED ");
    hear_end(&p);
    assert_int_equal(get(&p, "b"), LR_ECLOSED);
    counts = play_close(&p);
    assert_int_equal(counts.connects, 0);
    assert_int_equal(counts.refused, 2);
}

/* Inside the callback of what was not answered: the next one, on the same worker. */
static void send_second(command *c, lr_worker *w)
{
    send_on_worker(w, &c->p->commands[1]);
}

static void a_late_reply_is_thrown_away(void **state)
{
    lr_redis_options options = {.command_timeout_ms = 1000};
    lr_redis_counts counts;
    command *first;
    play p;

    play_open(&p, state, &options);
    first = add(&p, "a");
    (void)add(&p, "b");
    first->then = send_second;
    live_on_worker(p.workers, 0, send_on_worker, first);
    hear_get(&p, "a");
    hear_get(&p, "b"); /* a's time is over */
    say_text(&p, "+late\r\n+second\r\n");
    assert_true(live_await(&p.events, "b=+second"));
    live_expect(&p.events, "a=LR_EANSWER_TIMEOUT b=+second ");
    counts = play_close(&p);
    assert_int_equal(counts.timeouts, 1);
    assert_int_equal(counts.late, 1);
    assert_int_equal(counts.replies, 1);
}

static void what_timed_out_before_the_server_was_up_is_not_sent(void **state)
{
    lr_redis_options options = {.command_timeout_ms = 1000};
    command *first;
    play p;

    play_open_down(&p, state, &options);
    listen_now(&p);
    first = add(&p, "a");
    (void)add(&p, "b");
    first->then = send_second;
    live_on_worker(p.workers, 0, send_on_worker, first);
    accept_one(&p);
    hear_exactly(&p, ping);
    assert_true(live_await(&p.events, "a=LR_EANSWER_TIMEOUT"));
    say_text(&p, "+PONG\r\n");
    hear_get(&p, "b");
    say_text(&p, ":1\r\n");
    assert_true(live_await(&p.events, "b=:1"));
    live_expect(&p.events, "a=LR_EANSWER_TIMEOUT up b=:1 ");
    (void)play_close(&p);
}

static void a_lost_connection_fails_what_was_under_way_and_is_made_again(void **state)
{
    lr_redis_options options = {0};
    lr_redis_counts counts;
    play p;

    play_open(&p, state, &options);
    assert_int_equal(get(&p, "a"), LR_OK);
    assert_int_equal(get(&p, "b"), LR_OK);
    hear_get(&p, "a");
    say_text(&p, "+one\r\n$3\r\nha");
    assert_true(live_await(&p.events, "a=+one"));
    (void)shutdown(p.sock, SHUT_WR);
    assert_true(live_await(&p.events, "inside=LR_ECLOSED"));
    live_expect(&p.events, "a=+one b=LR_ECLOSED down:LR_ECLOSED redis: the server has closed the "
                           "connection inside=LR_ECLOSED ");
    assert_int_equal(get(&p, "c"), LR_OK); /* it was of use: what comes now waits */
    live_events_clear(&p.events);
    accept_one(&p);
    hear_exactly(&p, ping);
    say_text(&p, "+PONG\r\n");
    hear_get(&p, "c"); /* b is not sent again */
    say_text(&p, "+three\r\n");
    assert_true(live_await(&p.events, "c=+three"));
    live_expect(&p.events, "up c=+three ");
    tcp_reset(p.sock);
    p.sock = -1;
    assert_true(live_await(&p.events, "down:LR_ERESET"));
    counts = play_close(&p);
    assert_int_equal(counts.connects, 2);
    assert_int_equal(counts.lost, 1);
}

static void while_the_server_is_down_commands_are_refused_at_once(void **state)
{
    lr_redis_options options = {0};
    lr_redis_counts counts;
    play p;

    play_open_down(&p, state, &options);
    assert_int_equal(get(&p, "a"), LR_OK); /* nothing is known yet */
    assert_true(live_await(&p.events, "inside=LR_ECLOSED"));
    assert_true(live_has(&p.events, "a=LR_ECLOSED down:LR_ECONNECT"));
    assert_int_equal(get(&p, "b"), LR_ECLOSED);
    listen_now(&p);
    come_up(&p); /* by itself */
    assert_int_equal(get(&p, "c"), LR_OK);
    hear_get(&p, "c");
    say_text(&p, "+back\r\n");
    assert_true(live_await(&p.events, "c=+back"));
    counts = play_close(&p);
    assert_int_equal(counts.connects, 1);
    assert_true(counts.failures >= 1);
}

static void a_server_that_is_of_no_use_is_not_asked_without_pause(void **state)
{
    lr_redis_options options = {.reconnect_min_ms = 100000, .reconnect_max_ms = 100000};
    play p;

    play_open(&p, state, &options);
    (void)shutdown(p.sock, SHUT_RDWR); /* nothing was answered on it */
    assert_true(live_await(&p.events, "inside=LR_ECLOSED"));
    assert_int_equal(get(&p, "a"), LR_ECLOSED);
    (void)play_close(&p);
}

static void the_queue_has_an_end(void **state)
{
    lr_redis_options options = {.command_count_max = 3};
    lr_redis_counts counts;
    play p;

    play_open(&p, state, &options);
    assert_int_equal(get(&p, "a"), LR_OK);
    assert_int_equal(get(&p, "b"), LR_OK);
    assert_int_equal(get(&p, "c"), LR_OK);
    assert_int_equal(get(&p, "d"), LR_EAGAIN);
    hear_get(&p, "a");
    say_text(&p, ":1\r\n");
    assert_true(live_await(&p.events, "a=:1"));
    assert_int_equal(get(&p, "e"), LR_OK);
    hear_get(&p, "b");
    hear_get(&p, "c");
    hear_get(&p, "e");
    say_text(&p, ":2\r\n:3\r\n:4\r\n");
    assert_true(live_await(&p.events, "e=:4"));
    live_expect(&p.events, "a=:1 b=:2 c=:3 e=:4 ");
    counts = play_close(&p);
    assert_int_equal(counts.refused, 1);
}

static void waiting_commands_have_an_end_in_bytes(void **state)
{
    lr_redis_options options = {.queue_bytes_max = 50};
    play p;

    play_open_down(&p, state, &options);
    listen_now(&p);
    assert_int_equal(get(&p, "a"), LR_OK); /* 20 bytes each */
    assert_int_equal(get(&p, "b"), LR_OK);
    assert_int_equal(get(&p, "c"), LR_EAGAIN);
    assert_int_equal(get(&p, "name_of_15bytes"), LR_EAGAIN);
    come_up(&p);
    hear_get(&p, "a");
    hear_get(&p, "b");
    say_text(&p, "+x\r\n+y\r\n");
    assert_true(live_await(&p.events, "b=+y"));
    (void)play_close(&p);
}

typedef struct sizes {
    play *p;
    lr_status none, large;
} sizes;

static void send_sizes(lr_worker *w, void *arg)
{
    static const uint8_t bytes[1000];
    sizes *s = arg;
    const lr_slice large = lr_slice_of(bytes, sizeof(bytes));

    s->none = lr_redis_command(s->p->redis, w, NULL, 0, NULL, NULL);
    s->large = lr_redis_command(s->p->redis, w, &large, 1, NULL, NULL);
}

static void commands_that_are_none_or_too_large_are_told(void **state)
{
    lr_redis_options options = {.queue_bytes_max = 1000};
    sizes s;
    play p;

    play_open(&p, state, &options);
    s.p = &p;
    live_on_worker(p.workers, 0, send_sizes, &s);
    assert_int_equal(s.none, LR_EINVAL);
    assert_int_equal(s.large, LR_EINVAL);
    (void)play_close(&p);
}

static void garbage_ends_the_connection_and_is_reported(void **state)
{
    static const struct {
        const char *said, *word;
        bool unasked;
    } cases[] = {
        {"HTTP/1.1 400 Bad Request\r\n", "redis: this is no reply of RESP2", false},
        {"+OK\n", "redis: a line ends without CR", false},
        {"$2000\r\n", "redis: the reply is larger than the limit", false},
        {"+OK\r\n", "redis: a reply that nobody asked for", true},
    };
    lr_redis_options options = {.reply_size_max = 1000};
    play p;

    for (size_t i = 0; i < LIVE_COUNT_OF(cases); i++) {
        play_open(&p, state, &options);
        if (!cases[i].unasked)
            assert_int_equal(get(&p, "a"), LR_OK);
        say_text(&p, cases[i].said);
        assert_true(live_await(&p.events, "inside=LR_ECLOSED"));
        assert_true(live_has(&p.events, cases[i].word));
        assert_int_equal(live_has(&p.events, "a=LR_ECLOSED"), !cases[i].unasked);
        (void)play_close(&p);
    }
}

static void a_server_that_has_stopped_counts_as_down(void **state)
{
    lr_redis_options options = {.command_timeout_ms = 20,
                                .stall_timeout_ms = 40,
                                .connect_timeout_ms = 40,
                                .reconnect_min_ms = 100000,
                                .reconnect_max_ms = 100000};
    play p;

    play_open(&p, state, &options);
    assert_int_equal(get(&p, "a"), LR_OK);
    assert_true(live_await(&p.events, "inside=LR_ECLOSED"));
    live_expect(&p.events, "a=LR_EANSWER_TIMEOUT down:LR_EANSWER_TIMEOUT redis: the server has "
                           "stopped answering inside=LR_ECLOSED ");
    assert_int_equal(get(&p, "b"), LR_ECLOSED);
    (void)play_close(&p);
}

static void a_server_that_takes_connections_and_says_nothing_is_down(void **state)
{
    lr_redis_options options = {.connect_timeout_ms = 20};
    lr_redis_counts counts;
    play p;

    play_open_down(&p, state, &options);
    listen_now(&p); /* the kernel accepts, nobody answers */
    assert_int_equal(get(&p, "a"), LR_OK);
    assert_true(live_await(&p.events, "inside=LR_ECLOSED"));
    assert_true(live_has(&p.events, "a=LR_ECLOSED down:LR_ECONNECT_TIMEOUT"));
    counts = play_close(&p);
    assert_int_equal(counts.connects, 0);
}

static void close_inside(command *c, lr_worker *w)
{
    lr_redis_close(c->p->redis, w);
    lr_redis_close(c->p->redis, w);
    live_note(&c->p->events, "closed");
}

static void a_close_inside_a_callback_fails_the_others(void **state)
{
    lr_redis_options options = {0};
    command *first;
    play p;

    play_open(&p, state, &options);
    first = add(&p, "a");
    first->then = close_inside;
    live_on_worker(p.workers, 0, send_on_worker, first);
    assert_int_equal(get(&p, "b"), LR_OK);
    assert_int_equal(get(&p, "c"), LR_OK);
    hear_get(&p, "a");
    say_text(&p, "+one\r\n+two\r\n+three\r\n");
    assert_true(live_await(&p.events, "closed"));
    live_expect(&p.events, "a=+one b=LR_ECLOSED c=LR_ECLOSED closed ");
    hear_get(&p, "b");
    hear_get(&p, "c");
    hear_end(&p);
    live_events_clear(&p.events);
    assert_int_equal(get(&p, "d"), LR_OK); /* begins anew */
    accept_one(&p);
    hear_exactly(&p, ping);
    say_text(&p, "+PONG\r\n");
    hear_get(&p, "d");
    say_text(&p, "+four\r\n");
    assert_true(live_await(&p.events, "d=+four"));
    live_expect(&p.events, "up d=+four ");
    (void)play_close(&p);
}

static void a_close_inside_on_down_ends_it(void **state)
{
    lr_redis_options options = {0};
    command *first;
    play p;

    play_open(&p, state, &options);
    p.close_when_down = true;
    first = add(&p, "a");
    first->then = close_inside; /* and inside the callbacks of a loss */
    live_on_worker(p.workers, 0, send_on_worker, first);
    assert_int_equal(get(&p, "b"), LR_OK);
    hear_get(&p, "a");
    say_text(&p, "?");
    assert_true(live_await(&p.events, "inside=LR_ECLOSED"));
    live_expect(&p.events, "a=LR_ECLOSED closed b=LR_ECLOSED down:LR_ECLOSED redis: this is no "
                           "reply of RESP2 inside=LR_ECLOSED ");
    (void)play_close(&p);
}

static void a_timeout_may_close_too(void **state)
{
    lr_redis_options options = {.command_timeout_ms = 20};
    command *first;
    play p;

    play_open(&p, state, &options);
    first = add(&p, "a");
    first->then = close_inside;
    live_on_worker(p.workers, 0, send_on_worker, first);
    assert_true(live_await(&p.events, "closed"));
    live_expect(&p.events, "a=LR_EANSWER_TIMEOUT closed ");
    (void)play_close(&p);
}

/* A drain waits for what is under way, and takes what comes on a connection of its own. */
static void a_drain_ends_the_connection_when_it_is_idle(void **state)
{
    lr_redis_options options = {0};
    command *first;
    play p;

    play_open(&p, state, &options);
    first = add(&p, "a");
    (void)add(&p, "b");
    first->then = send_second;
    live_on_worker(p.workers, 0, send_on_worker, first);
    hear_get(&p, "a");
    lr_workers_stop(p.workers, LR_NONE);
    say_text(&p, "+one\r\n");
    hear_get(&p, "b"); /* it was sent before the connection was idle */
    say_text(&p, "+two\r\n");
    hear_end(&p);
    (void)close(p.sock);
    p.sock = -1;
    lr_workers_join(p.workers);
    live_expect(&p.events, "a=+one b=+two ");
    (void)play_close(&p);
}

static void a_stop_while_the_server_is_down_does_not_wait_for_it(void **state)
{
    lr_redis_options options = {.reconnect_min_ms = 100000, .reconnect_max_ms = 100000};
    play p;

    play_open_down(&p, state, &options);
    assert_int_equal(get(&p, "a"), LR_OK);
    assert_true(live_await(&p.events, "inside=LR_ECLOSED"));
    (void)play_close(&p);
}

static void each_bad_option_is_named(void **state)
{
    const struct {
        lr_redis_options options;
        lr_status status;
        const char *word;
    } cases[] = {
        {{.size = 8}, LR_EOPTION, "size"},
        {{LR_REDIS_OPTIONS, .host = "localhost"}, LR_EADDRESS, "numeric"},
        {{LR_REDIS_OPTIONS, .path = ""}, LR_EADDRESS, "path"},
        {{LR_REDIS_OPTIONS, .path = "@"}, LR_EADDRESS, "path"},
        {{LR_REDIS_OPTIONS, .path = "@a", .port = 1}, LR_EOPTION, "path"},
        {{LR_REDIS_OPTIONS, .username = "me"}, LR_EOPTION, "username"},
        {{LR_REDIS_OPTIONS, .stall_timeout_ms = 10}, LR_EOPTION, "stall_timeout_ms"},
        {{LR_REDIS_OPTIONS, .reconnect_max_ms = 10}, LR_EOPTION, "reconnect_max_ms"},
        {{LR_REDIS_OPTIONS, .command_count_max = 65537}, LR_EOPTION, "command_count_max"},
        {{LR_REDIS_OPTIONS, .queue_bytes_max = 1 << 20}, LR_EOPTION, "queue_bytes_max"},
    };
    live_plan plan = {.ring = live_ring(state)};
    lr_workers *workers = live_workers(&plan);
    lr_redis *redis;
    lr_error err;

    for (size_t i = 0; i < LIVE_COUNT_OF(cases); i++) {
        assert_int_equal(lr_redis_new(workers, &cases[i].options, &redis, &err), cases[i].status);
        assert_null(redis);
        if (!strstr(err.text, cases[i].word))
            fail_msg("'%s' does not name %s", err.text, cases[i].word);
    }
    assert_int_equal(lr_redis_new(workers, NULL, &redis, NULL), LR_EOPTION);
    lr_redis_free(NULL);
    lr_workers_free(workers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(commands_are_pipelined_and_answered_in_their_order),
        LIVE_TEST(the_password_and_the_database_come_first),
        LIVE_TEST(a_server_that_refuses_the_password_is_down),
        LIVE_TEST(a_late_reply_is_thrown_away),
        LIVE_TEST(what_timed_out_before_the_server_was_up_is_not_sent),
        LIVE_TEST(a_lost_connection_fails_what_was_under_way_and_is_made_again),
        LIVE_TEST(while_the_server_is_down_commands_are_refused_at_once),
        LIVE_TEST(a_server_that_is_of_no_use_is_not_asked_without_pause),
        LIVE_TEST(the_queue_has_an_end),
        LIVE_TEST(waiting_commands_have_an_end_in_bytes),
        LIVE_TEST(commands_that_are_none_or_too_large_are_told),
        LIVE_TEST(garbage_ends_the_connection_and_is_reported),
        LIVE_TEST(a_server_that_has_stopped_counts_as_down),
        LIVE_TEST(a_server_that_takes_connections_and_says_nothing_is_down),
        LIVE_TEST(a_close_inside_a_callback_fails_the_others),
        LIVE_TEST(a_close_inside_on_down_ends_it),
        LIVE_TEST(a_timeout_may_close_too),
        LIVE_TEST(a_drain_ends_the_connection_when_it_is_idle),
        LIVE_TEST(a_stop_while_the_server_is_down_does_not_wait_for_it),
        LIVE_TEST(each_bad_option_is_named),
    };

    return LIVE_MAIN(tests);
}
