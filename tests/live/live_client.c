/* SPDX-License-Identifier: MIT */
/* live_client.c: connections that the program makes. */
#include "client.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* A plain server and a client on the same workers; made is what the client's hooks saw. */
typedef struct play {
    live_recorder recorder, made;
    lr_workers *workers;
    lr_server *server;
    lr_client *client;
    uint16_t port;
    int raw; /* a listener of the test's */
} play;

/* A made connection asks; a plain server echoes. */
static void ask(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    (void)bytes;
    if (hook == LIVE_SECURE && lr_conn_write(c, LR_LIT("ping")) != LR_OK)
        live_note(&recorder->events, "refused");
    if (hook == LIVE_DATA || hook == LIVE_END)
        lr_conn_end(c);
}

typedef struct play_plan {
    void (*act)(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder);
    uint32_t worker_count, connect_timeout_ms, idle_timeout_ms, conn_user_size;
} play_plan;

static void play_open(play *p, void **state, const play_plan *given)
{
    live_plan plan = {.ring = live_ring(state),
                      .user = &p->recorder,
                      .worker_count = given->worker_count ? given->worker_count : 1};
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .host = "127.0.0.1", .plain = true};
    lr_client_options options = {LR_CLIENT_OPTIONS,
                                 .handlers = &live_recorder_handlers,
                                 .user = &p->made,
                                 .connect_timeout_ms = given->connect_timeout_ms,
                                 .idle_timeout_ms = given->idle_timeout_ms,
                                 .conn_user_size = given->conn_user_size};
    lr_error err;

    memset(p, 0, sizeof(*p));
    live_recorder_init(&p->recorder);
    live_recorder_init(&p->made);
    p->made.act = given->act ? given->act : ask;
    p->made.arg = p;
    p->workers = live_workers(&plan);
    p->server = live_server(p->workers, NULL, &plan);
    p->port = lr_server_port(p->server, live_listen_with(p->server, &listen));
    assert_int_equal(lr_client_new(p->workers, &options, &p->client, &err), LR_OK);
    p->raw = -1;
    live_run(p->workers);
}

static void play_close(play *p)
{
    lr_workers_stop(p->workers, LR_NONE);
    lr_workers_join(p->workers);
    assert_int_equal(p->made.workers_started + p->made.workers_stopped, 0);
    assert_int_equal(lr_server_connection_count(p->server), 0);
    assert_int_equal(lr_client_connection_count(p->client), 0);
    assert_ptr_equal(lr_client_user(p->client), &p->made);
    lr_client_free(p->client);
    lr_server_free(p->server);
    lr_workers_free(p->workers);
    live_recorder_fini(&p->recorder);
    live_recorder_fini(&p->made);
    if (p->raw >= 0)
        (void)close(p->raw);
}

typedef struct attempt {
    play *p;
    const lr_connect_options *options;
    lr_status status;
    lr_error err;
    bool gave, abort, end;
    uint32_t times; /* 0: once */
} attempt;

static void make_one(lr_worker *w, void *arg)
{
    attempt *a = arg;
    lr_conn *c = NULL;

    do {
        a->status = lr_client_connect(a->p->client, w, a->options, &c, &a->err);
        a->gave = c != NULL;
        if (c && a->abort)
            lr_conn_abort(c, LR_OK);
        if (c && a->end)
            lr_conn_end(c);
    } while (a->status == LR_OK && a->times-- > 1);
}

static void make(play *p, uint32_t worker, attempt *a)
{
    a->p = p;
    live_on_worker(p->workers, worker, make_one, a);
}

static void make_to(play *p, uint32_t worker, uint16_t port)
{
    lr_connect_options to = {LR_CONNECT_OPTIONS, .host = "127.0.0.1", .port = port};
    attempt a = {.options = &to};

    make(p, worker, &a);
    if (a.status != LR_OK)
        fail_msg("%s", a.err.text);
    assert_true(a.gave);
}

/* A listener of plain sockets that accepts only when the test says so; a backlog below 0: none,
 * but the port is taken, so that nobody else answers there. */
static uint16_t listen_raw(play *p, int backlog)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);

    p->raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(p->raw >= 0);
    assert_int_equal(bind(p->raw, (const struct sockaddr *)&in, sizeof(in)), 0);
    if (backlog >= 0)
        assert_int_equal(listen(p->raw, backlog), 0);
    assert_int_equal(getsockname(p->raw, (struct sockaddr *)&in, &len), 0);
    return ntohs(in.sin_port);
}

/* A listener whose queue is full: the kernel answers no further SYN. */
static uint16_t listen_full(play *p, int fill[2])
{
    uint16_t port = listen_raw(p, 0);

    fill[0] = tcp_connect(NULL, port);
    fill[1] = -1;
    assert_true(fill[0] >= 0);
    return port;
}

static void note_facts(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    play *p = recorder->arg;
    char remote[64], local[64], expected[64];

    ask(c, hook, bytes, recorder);
    if (hook != LIVE_SECURE)
        return;
    (void)snprintf(expected, sizeof(expected), "127.0.0.1:%u", p->port);
    live_note(&recorder->events, "tls=%d server=%d client=%d", lr_conn_is_tls(c),
              lr_conn_server(c) != NULL, lr_conn_client(c) == p->client);
    live_note(&recorder->events, "remote=%d local=%d",
              lr_conn_remote(c, remote, sizeof(remote)) && strcmp(remote, expected) == 0,
              lr_conn_local(c, local, sizeof(local)) && strncmp(local, "127.0.0.1:", 10) == 0);
    live_note(&recorder->events, "user=%u", *(uint32_t *)lr_conn_user(c));
    memset(lr_conn_user(c), 0xff, 24);
}

static void live_S105_a_made_connection_has_the_hooks_of_an_accepted_one(void **state)
{
    play p;

    play_open(&p, state, &(play_plan){.act = note_facts, .worker_count = 2, .conn_user_size = 24});
    for (uint32_t i = 0; i < 4; i++) {
        make_to(&p, i % 2, p.port);
        assert_true(live_await_counts(&p.made.events, i + 1, i + 1, i + 1));
        assert_true(live_await_counts(&p.recorder.events, i + 1, i + 1, i + 1));
        live_expect(&p.made.events,
                    "open secure tls=0 server=0 client=1 remote=1 local=1 user=0 data:4 "
                    "close:clean ");
        live_expect(&p.recorder.events, "open secure data:4 end close:clean ");
        live_events_clear(&p.made.events);
        live_events_clear(&p.recorder.events);
    }
    play_close(&p);
}

static void tell_side(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    const play *p = recorder->arg;

    if (hook == LIVE_OPEN && lr_conn_server(c) == p->server && !lr_conn_client(c))
        live_note(&recorder->events, "servers");
    if (hook == LIVE_OPEN && lr_conn_client(c) == p->client && !lr_conn_server(c))
        live_note(&recorder->events, "clients");
    if (recorder == &p->made)
        ask(c, hook, bytes, recorder);
    else
        live_echo(c, hook, bytes);
}

/* The two ends of one connection. */
static void live_S63_a_connection_is_a_servers_or_a_clients(void **state)
{
    play p;

    play_open(&p, state, &(play_plan){.act = tell_side});
    p.recorder.arg = &p;
    p.recorder.act = tell_side;
    make_to(&p, 0, p.port);
    assert_true(live_await_counts(&p.made.events, 1, 1, 1));
    assert_true(live_await_counts(&p.recorder.events, 1, 1, 1));
    live_expect(&p.made.events, "open clients secure data:4 close:clean ");
    live_expect(&p.recorder.events, "open servers secure data:4 end close:clean ");
    play_close(&p);
}

static void a_refused_connection_is_told_by_hooks(void **state)
{
    lr_connect_options none = {LR_CONNECT_OPTIONS, .path = "/nonexistent/lockring-test"};
    attempt a = {.options = &none};
    uint16_t port;
    play p;

    play_open(&p, state, &(play_plan){0});
    port = listen_raw(&p, -1);
    make_to(&p, 0, port);
    assert_true(live_await_counts(&p.made.events, 1, 0, 1));
    make(&p, 0, &a);
    assert_int_equal(a.status, LR_OK);
    assert_true(live_await_counts(&p.made.events, 2, 0, 2));
    live_expect(&p.made.events, "open client_error:LR_ECONNECT:-1 close:LR_ECONNECT "
                                "open client_error:LR_ECONNECT:-1 close:LR_ECONNECT ");
    play_close(&p);
}

static void a_connection_that_nobody_answers_times_out(void **state)
{
    int fill[2];
    play p;

    play_open(&p, state, &(play_plan){.connect_timeout_ms = 100});
    make_to(&p, 0, listen_full(&p, fill));
    make_to(&p, 0, p.port); /* others are not kept waiting */
    assert_true(live_await_counts(&p.recorder.events, 1, 1, 1));
    assert_true(live_await(&p.made.events, "close:LR_ECONNECT_TIMEOUT"));
    assert_true(live_has(&p.made.events, "client_error:LR_ECONNECT_TIMEOUT:-1"));
    assert_true(live_await_counts(&p.made.events, 2, 1, 2));
    (void)close(fill[0]);
    play_close(&p);
}

static void a_connection_may_be_given_up_while_it_is_made(void **state)
{
    lr_connect_options to = {LR_CONNECT_OPTIONS, .host = "127.0.0.1"};
    int fill[2];
    play p;

    play_open(&p, state, &(play_plan){0});
    to.port = listen_full(&p, fill);
    for (int i = 0; i < 4; i++) { /* at once, and to one that would have been made */
        attempt a = {.options = &to, .abort = i % 2 == 0, .end = i % 2 != 0};

        if (i == 2)
            to.port = p.port;
        make(&p, 0, &a);
        assert_int_equal(a.status, LR_OK);
        assert_true(live_await_counts(&p.made.events, (uint64_t)i + 1, 0, (uint64_t)i + 1));
        live_expect(&p.made.events, "open close:LR_EABORTED ");
        live_events_clear(&p.made.events);
    }
    (void)close(fill[0]);
    play_close(&p);
}

static void abort_in_open(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    (void)recorder;
    (void)bytes;
    if (hook == LIVE_OPEN)
        lr_conn_abort(c, LR_ENAME);
}

static void an_abort_inside_on_open_is_inside_the_call_that_makes_it(void **state)
{
    play p;

    play_open(&p, state, &(play_plan){.act = abort_in_open});
    make_to(&p, 0, p.port);
    assert_true(live_await_counts(&p.made.events, 1, 0, 1));
    live_expect(&p.made.events, "open close:LR_ENAME ");
    play_close(&p);
}

static void say_and_end(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    (void)bytes;
    if (hook != LIVE_SECURE)
        return;
    if (lr_conn_write(c, LR_LIT("hello")) != LR_OK)
        live_note(&recorder->events, "refused");
    lr_conn_end(c);
}

static void what_is_written_before_an_end_in_on_secure_arrives(void **state)
{
    char got[16];
    size_t len;
    int sock;
    play p;

    play_open(&p, state, &(play_plan){.act = say_and_end});
    make_to(&p, 0, listen_raw(&p, 5));
    sock = accept(p.raw, NULL, NULL);
    assert_true(sock >= 0);
    assert_int_equal(tcp_read_to_end(sock, got, sizeof(got), &len), 0);
    assert_int_equal(len, 5);
    assert_memory_equal(got, "hello", 5);
    (void)close(sock);
    assert_true(live_await_counts(&p.made.events, 1, 1, 1));
    live_expect(&p.made.events, "open secure close:clean ");
    play_close(&p);
}

static void wait_for_more(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    (void)c;
    (void)hook;
    (void)bytes;
    (void)recorder;
}

static void an_idle_made_connection_is_ended(void **state)
{
    play p;

    play_open(&p, state, &(play_plan){.act = wait_for_more, .idle_timeout_ms = 50});
    make_to(&p, 0, p.port);
    assert_true(live_await_counts(&p.recorder.events, 1, 1, 1));
    assert_true(live_await_counts(&p.made.events, 1, 1, 1));
    live_expect(&p.made.events, "open secure close:LR_EIDLE_TIMEOUT ");
    live_expect(&p.recorder.events, "open secure end close:clean ");
    play_close(&p);
}

static void a_peer_that_resets_is_told(void **state)
{
    int sock;
    play p;

    play_open(&p, state, &(play_plan){.act = wait_for_more});
    make_to(&p, 0, listen_raw(&p, 5));
    sock = accept(p.raw, NULL, NULL);
    assert_true(live_await(&p.made.events, "secure"));
    tcp_reset(sock);
    assert_true(live_await_counts(&p.made.events, 1, 1, 1));
    live_expect(&p.made.events, "open secure close:LR_ERESET ");
    play_close(&p);
}

static void expect_refusal(play *p, const lr_connect_options *options, lr_status status,
                           const char *word)
{
    attempt a = {.options = options};

    make(p, 0, &a);
    assert_int_equal(a.status, status);
    assert_int_equal(a.err.status, status);
    assert_false(a.gave);
    if (!strstr(a.err.text, word))
        fail_msg("'%s' does not name %s", a.err.text, word);
}

static void each_bad_option_of_a_connect_is_named(void **state)
{
    char path[200];
    const struct {
        lr_connect_options options;
        lr_status status;
        const char *word;
    } cases[] = {
        {{.size = 1}, LR_EOPTION, "lr_connect_options"},
        {{LR_CONNECT_OPTIONS}, LR_EOPTION, "neither host nor path"},
        {{LR_CONNECT_OPTIONS, .host = "127.0.0.1", .path = "/x"}, LR_EOPTION, "path"},
        {{LR_CONNECT_OPTIONS, .port = 1, .path = "/x"}, LR_EOPTION, "path"},
        {{LR_CONNECT_OPTIONS, .host = "localhost", .port = 1}, LR_EADDRESS, "localhost"},
        {{LR_CONNECT_OPTIONS, .host = "", .port = 1}, LR_EADDRESS, ""},
        {{LR_CONNECT_OPTIONS, .host = "127.0.0.1.5", .port = 1}, LR_EADDRESS, "127.0.0.1.5"},
        {{LR_CONNECT_OPTIONS, .path = ""}, LR_EADDRESS, "path"},
        {{LR_CONNECT_OPTIONS, .path = "@"}, LR_EADDRESS, "path"},
        {{LR_CONNECT_OPTIONS, .path = path}, LR_EADDRESS, "path"},
    };
    play p;

    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    play_open(&p, state, &(play_plan){0});
    for (size_t i = 0; i < LIVE_COUNT_OF(cases); i++)
        expect_refusal(&p, &cases[i].options, cases[i].status, cases[i].word);
    expect_refusal(&p, NULL, LR_EOPTION, "lr_connect_options");
    live_expect(&p.made.events, "");
    play_close(&p);
}

static void each_bad_option_of_a_client_is_named(void **state)
{
    const struct {
        lr_client_options options;
        const char *word;
    } cases[] = {
        {{.size = 3}, "lr_client_options"},
        {{LR_CLIENT_OPTIONS}, "handlers"},
        {{LR_CLIENT_OPTIONS, .handlers = &(lr_handlers){.size = 1}}, "lr_handlers"},
        {{LR_CLIENT_OPTIONS, .handlers = &live_recorder_handlers, .conn_user_size = 65537},
         "conn_user_size"},
    };
    lr_client_options good = {LR_CLIENT_OPTIONS, .handlers = &live_recorder_handlers};
    live_plan plan = {.ring = live_ring(state)};
    lr_workers *workers = live_workers(&plan);
    lr_client *client = NULL;
    lr_error err;

    for (size_t i = 0; i < LIVE_COUNT_OF(cases); i++) {
        assert_int_equal(lr_client_new(workers, &cases[i].options, &client, &err), LR_EOPTION);
        assert_null(client);
        if (!strstr(err.text, cases[i].word))
            fail_msg("'%s' does not name %s", err.text, cases[i].word);
    }
    assert_int_equal(lr_client_new(workers, NULL, &client, NULL), LR_EOPTION);
    assert_int_equal(lr_client_new(workers, &good, &client, &err), LR_OK);
    lr_client_free(client);
    lr_client_free(NULL);
    live_run(workers);
    assert_int_equal(lr_client_new(workers, &good, &client, &err), LR_ESTATE);
    assert_null(client);
    lr_workers_stop(workers, LR_NONE);
    lr_workers_join(workers);
    lr_workers_free(workers);
}

static void make_without_descriptors(lr_worker *w, void *arg)
{
    struct rlimit limit, none;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        abort();
    none = limit;
    none.rlim_cur = 0;
    (void)setrlimit(RLIMIT_NOFILE, &none);
    make_one(w, arg);
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void without_a_descriptor_nothing_is_made(void **state)
{
    lr_connect_options to = {LR_CONNECT_OPTIONS, .host = "127.0.0.1", .port = 1};
    attempt a = {.options = &to};
    play p;

    play_open(&p, state, &(play_plan){0});
    a.p = &p;
    live_on_worker(p.workers, 0, make_without_descriptors, &a);
    assert_int_equal(a.status, LR_ESYSTEM);
    assert_non_null(strstr(a.err.text, "EMFILE"));
    assert_false(a.gave);
    live_expect(&p.made.events, "");
    play_close(&p);
}

static void live_S88_many_are_made_to_a_host_and_port_at_once(void **state)
{
    enum { PER_WORKER = 150, WORKERS = 3 };
    lr_connect_options to = {LR_CONNECT_OPTIONS, .host = "127.0.0.1"};
    uint64_t all = (uint64_t)PER_WORKER * WORKERS;
    play p;

    play_open(&p, state, &(play_plan){.worker_count = WORKERS});
    p.made.quiet = p.recorder.quiet = true;
    to.port = p.port;
    for (uint32_t i = 0; i < WORKERS; i++) {
        attempt a = {.options = &to, .times = PER_WORKER};

        make(&p, i, &a);
        assert_int_equal(a.status, LR_OK);
    }
    assert_true(live_await_counts(&p.made.events, all, all, all));
    assert_true(live_await_counts(&p.recorder.events, all, all, all));
    play_close(&p);
}

static void end_at_drain(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    (void)recorder;
    (void)bytes;
    if (hook == LIVE_SERVER_DRAIN)
        lr_conn_end(c);
}

static void stop_and_expect(void **state, const play_plan *plan, uint32_t deadline_ms,
                            const char *expected)
{
    int sock;
    play p;

    play_open(&p, state, plan);
    make_to(&p, 0, listen_raw(&p, 5));
    sock = accept(p.raw, NULL, NULL);
    assert_true(live_await(&p.made.events, "secure"));
    lr_workers_stop(p.workers, deadline_ms);
    if (deadline_ms == LR_NONE) {
        char none;
        size_t len;

        assert_int_equal(tcp_read_to_end(sock, &none, 0, &len), 0);
        (void)close(sock);
    }
    assert_true(live_await_counts(&p.made.events, 1, 1, 1));
    live_expect(&p.made.events, expected);
    if (deadline_ms != LR_NONE)
        (void)close(sock);
    play_close(&p);
}

static void made_connections_are_drained_and_cut_as_accepted_ones(void **state)
{
    stop_and_expect(state, &(play_plan){.act = end_at_drain}, LR_NONE,
                    "open secure server_drain close:clean ");
    stop_and_expect(state, &(play_plan){.act = wait_for_more}, 50,
                    "open secure server_drain close:LR_EDRAIN_TIMEOUT ");
    stop_and_expect(state, &(play_plan){.act = wait_for_more}, 0,
                    "open secure server_drain close:LR_EDRAIN_TIMEOUT ");
}

/* One that is being made sees no drain, but the cut; and after that none is made. */
static void try_again_at_close(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    play *p = recorder->arg;
    lr_connect_options to = {LR_CONNECT_OPTIONS, .host = "127.0.0.1", .port = p->port};
    lr_conn *again = NULL;

    (void)bytes;
    if (hook == LIVE_CLOSE)
        live_note(
            &recorder->events, "again=%s",
            lr_status_name(lr_client_connect(p->client, lr_conn_worker(c), &to, &again, NULL)));
}

static void a_connection_that_is_being_made_is_cut_and_none_is_made_after_it(void **state)
{
    int fill[2];
    play p;

    play_open(&p, state, &(play_plan){.act = try_again_at_close});
    make_to(&p, 0, listen_full(&p, fill));
    lr_workers_stop(p.workers, 50);
    assert_true(live_await(&p.made.events, "again=LR_ESTATE"));
    live_expect(&p.made.events, "open close:LR_EDRAIN_TIMEOUT again=LR_ESTATE ");
    (void)close(fill[0]);
    play_close(&p);
}

static void never(lr_timer *timer, void *user)
{
    (void)timer;
    (void)user;
}

static void make_at_worker_stop(lr_worker *w, lr_server *s)
{
    live_recorder *recorder = lr_server_user(s);
    play *p = recorder->arg;
    lr_connect_options to = {LR_CONNECT_OPTIONS, .host = "127.0.0.1", .port = p->port};
    lr_timer *timer = NULL;
    lr_conn *c = NULL;

    live_note(&recorder->events, "connect=%s timer=%s",
              lr_status_name(lr_client_connect(p->client, w, &to, &c, NULL)),
              lr_status_name(lr_timer_new(w, never, NULL, &timer)));
}

/* Nothing begins on a worker that ends. */
static void in_on_worker_stop_nothing_is_made(void **state)
{
    static const lr_handlers handlers = {LR_HANDLERS, .on_worker_stop = make_at_worker_stop};
    live_plan plan = {.ring = live_ring(state), .worker_count = 1};
    lr_client_options options = {LR_CLIENT_OPTIONS, .handlers = &live_recorder_handlers};
    play p = {.port = 1};

    live_recorder_init(&p.recorder);
    live_recorder_init(&p.made);
    p.recorder.arg = &p;
    plan.user = &p.recorder;
    plan.handlers = &handlers;
    options.user = &p.made;
    p.workers = live_workers(&plan);
    p.server = live_server(p.workers, NULL, &plan);
    p.raw = -1;
    assert_int_equal(lr_client_new(p.workers, &options, &p.client, NULL), LR_OK);
    live_run(p.workers);
    lr_workers_stop(p.workers, LR_NONE);
    assert_true(live_await(&p.recorder.events, "connect=LR_ESTATE"));
    play_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S105_a_made_connection_has_the_hooks_of_an_accepted_one),
        LIVE_TEST(live_S63_a_connection_is_a_servers_or_a_clients),
        LIVE_TEST(a_refused_connection_is_told_by_hooks),
        LIVE_TEST(a_connection_that_nobody_answers_times_out),
        LIVE_TEST(a_connection_may_be_given_up_while_it_is_made),
        LIVE_TEST(an_abort_inside_on_open_is_inside_the_call_that_makes_it),
        LIVE_TEST(what_is_written_before_an_end_in_on_secure_arrives),
        LIVE_TEST(an_idle_made_connection_is_ended),
        LIVE_TEST(a_peer_that_resets_is_told),
        LIVE_TEST(each_bad_option_of_a_connect_is_named),
        LIVE_TEST(each_bad_option_of_a_client_is_named),
        LIVE_TEST(without_a_descriptor_nothing_is_made),
        LIVE_TEST(live_S88_many_are_made_to_a_host_and_port_at_once),
        LIVE_TEST(made_connections_are_drained_and_cut_as_accepted_ones),
        LIVE_TEST(a_connection_that_is_being_made_is_cut_and_none_is_made_after_it),
        LIVE_TEST(in_on_worker_stop_nothing_is_made),
    };

    return LIVE_MAIN(tests);
}
