/* SPDX-License-Identifier: MIT */
/* live_unix.c: listeners and connections by paths and abstract names, shared by three workers. */
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { WORKERS = 3, CLIENTS = 12 };

typedef struct play {
    live_recorder recorder;
    live l;
    char directory[64], path[100];
} play;

static void note_who(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    char remote[200], local[200];

    if (hook == LIVE_SECURE)
        live_note(&recorder->events, "%s<%s>",
                  lr_conn_remote(c, remote, sizeof(remote)) ? remote : "?",
                  lr_conn_local(c, local, sizeof(local)) ? local : "?");
    live_echo(c, hook, bytes);
}

static void make_directory(play *p)
{
    memset(p, 0, sizeof(*p));
    live_recorder_init(&p->recorder);
    (void)snprintf(p->directory, sizeof(p->directory), "/tmp/lockring_unix_XXXXXX");
    assert_non_null(mkdtemp(p->directory));
    (void)snprintf(p->path, sizeof(p->path), "%s/socket", p->directory);
}

static void play_start(play *p, void **state, const char *path, bool plain)
{
    live_plan plan = {.ring = live_ring(state), .user = &p->recorder, .worker_count = WORKERS};
    lr_listen_options options = {LR_LISTEN_OPTIONS, .path = path, .plain = plain};

    p->l.workers = live_workers(&plan);
    p->l.context = plain ? NULL : live_context(&plan);
    p->l.server = live_server(p->l.workers, p->l.context, &plan);
    assert_int_equal(live_listen_with(p->l.server, &options), 0);
    live_run(p->l.workers);
}

static void play_close(play *p)
{
    if (p->l.workers)
        live_stop(&p->l, LR_NONE);
    assert_int_not_equal(access(p->path, F_OK), 0);
    assert_int_equal(rmdir(p->directory), 0);
    live_recorder_fini(&p->recorder);
}

static void be_served(const char *path, bool plain)
{
    char got[4];
    peer p;

    PEER_MUST(&p, peer_open_path(&p, path, plain));
    PEER_MUST(&p, peer_write(&p, "ping", 4));
    PEER_MUST(&p, peer_read(&p, got, 4));
    assert_memory_equal(got, "ping", 4);
    PEER_MUST(&p, peer_end_write(&p));
    assert_int_equal(peer_read_end(&p), TLS_END_NOTIFY);
    peer_close(&p, false);
}

static void a_path_is_served_with_tls_and_without(void **state)
{
    for (int plain = 0; plain < 2; plain++) {
        char expected[300], address[200];
        struct stat status;
        play p;

        make_directory(&p);
        p.recorder.act = note_who;
        play_start(&p, state, p.path, plain != 0);
        assert_int_equal(stat(p.path, &status), 0);
        assert_true(S_ISSOCK(status.st_mode));
        (void)snprintf(expected, sizeof(expected), "unix:%s", p.path);
        assert_true(lr_server_address(p.l.server, 0, address, sizeof(address)));
        assert_string_equal(address, expected);
        assert_int_equal(lr_server_port(p.l.server, 0), 0);
        be_served(p.path, plain != 0);
        assert_true(live_await_counts(&p.recorder.events, 1, 1, 1));
        (void)snprintf(expected, sizeof(expected),
                       "open secure unix:<unix:%s> data:4 end close:clean ", p.path);
        live_expect(&p.recorder.events, expected);
        play_close(&p);
    }
}

static void an_abstract_name_is_served(void **state)
{
    for (int plain = 0; plain < 2; plain++) {
        char name[64], expected[80], address[80];
        play p;

        make_directory(&p);
        (void)snprintf(name, sizeof(name), "@lockring-test-%d", (int)getpid());
        play_start(&p, state, name, plain != 0);
        (void)snprintf(expected, sizeof(expected), "unix:%s", name);
        assert_true(lr_server_address(p.l.server, 0, address, sizeof(address)));
        assert_string_equal(address, expected);
        be_served(name, plain != 0);
        assert_true(live_await_counts(&p.recorder.events, 1, 1, 1));
        play_close(&p);
    }
}

static bool come_again(uint32_t index, void *arg, char *why, size_t cap)
{
    const play *p = arg;
    uint8_t bytes[40000], got[40000];

    for (int i = 0; i < 10; i++) {
        bool ok;
        peer one;

        pattern_fill(index, 0, bytes, sizeof(bytes));
        ok = peer_open_path(&one, p->path, true) && peer_write(&one, bytes, sizeof(bytes)) &&
             peer_read(&one, got, sizeof(got)) && memcmp(bytes, got, sizeof(got)) == 0 &&
             peer_end_write(&one) && peer_read_end(&one) == TLS_END_NOTIFY;
        if (!ok)
            (void)snprintf(why, cap, "%s", one.tls.why);
        peer_close(&one, false);
        if (!ok)
            return false;
    }
    return true;
}

/* One queue, three workers: nobody is lost between them, and none hangs in an accept. */
static void many_clients_of_one_queue_are_all_served(void **state)
{
    char why[240];
    play p;

    make_directory(&p);
    p.recorder.quiet = true;
    play_start(&p, state, p.path, true);
    if (!clients_run(CLIENTS, come_again, &p, why, sizeof(why)))
        fail_msg("%s", why);
    assert_true(live_await_counts(&p.recorder.events, 10 * CLIENTS, 10 * CLIENTS, 10 * CLIENTS));
    play_close(&p);
}

/* A socket file whose listener died. */
static void leave_stale(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    assert_int_equal(bind(sock, (const struct sockaddr *)&un, sizeof(un)), 0);
    assert_int_equal(listen(sock, 1), 0);
    (void)close(sock);
}

static void what_a_dead_process_left_is_replaced(void **state)
{
    play p;

    make_directory(&p);
    leave_stale(p.path);
    play_start(&p, state, p.path, true);
    be_served(p.path, true);
    assert_true(live_await_counts(&p.recorder.events, 1, 1, 1));
    play_close(&p);
}

static void expect_refusal(play *p, void **state, const char *path, lr_status status)
{
    live_plan plan = {.ring = live_ring(state), .user = &p->recorder, .worker_count = WORKERS};
    lr_listen_options options = {LR_LISTEN_OPTIONS, .path = path, .plain = true};
    lr_workers *workers = live_workers(&plan);
    lr_server *server = live_server(workers, NULL, &plan);
    lr_error err;

    assert_int_equal(lr_server_listen(server, &options, NULL, &err), status);
    assert_int_equal(err.status, status);
    lr_server_free(server);
    lr_workers_free(workers);
}

static void a_path_that_is_served_is_not_taken_away(void **state)
{
    play p;

    make_directory(&p);
    play_start(&p, state, p.path, true);
    expect_refusal(&p, state, p.path, LR_EADDRINUSE);
    be_served(p.path, true); /* the first one still has it */
    assert_true(live_await(&p.recorder.events, "close:clean"));
    play_close(&p);
}

static void a_file_that_is_no_socket_is_not_replaced(void **state)
{
    play p;
    FILE *file;

    make_directory(&p);
    file = fopen(p.path, "we");
    assert_non_null(file);
    (void)fclose(file);
    expect_refusal(&p, state, p.path, LR_EADDRINUSE);
    assert_int_equal(access(p.path, F_OK), 0);
    assert_int_equal(unlink(p.path), 0);
    play_close(&p);
}

static void bad_paths_are_named(void **state)
{
    char path[200];
    lr_listen_options both = {LR_LISTEN_OPTIONS, .path = "/x", .host = "127.0.0.1", .plain = true};
    live_plan plan = {.ring = live_ring(state)};
    lr_workers *workers;
    lr_server *server;
    lr_error err;
    play p;

    make_directory(&p);
    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    expect_refusal(&p, state, path, LR_EADDRESS);
    expect_refusal(&p, state, "", LR_EADDRESS);
    expect_refusal(&p, state, "@", LR_EADDRESS);
    expect_refusal(&p, state, "/nonexistent/lockring/socket", LR_EADDRESS);
    workers = live_workers(&plan);
    server = live_server(workers, NULL, &plan);
    assert_int_equal(lr_server_listen(server, &both, NULL, &err), LR_EOPTION);
    assert_non_null(strstr(err.text, "path"));
    both.host = NULL;
    both.port = 1;
    assert_int_equal(lr_server_listen(server, &both, NULL, &err), LR_EOPTION);
    both.port = 0;
    both.share_port = true;
    assert_int_equal(lr_server_listen(server, &both, NULL, &err), LR_EOPTION);
    lr_server_free(server);
    lr_workers_free(workers);
    play_close(&p);
}

/* A server that was never started leaves no file either. */
static void a_server_that_never_ran_removes_its_file(void **state)
{
    live_plan plan = {.ring = live_ring(state), .worker_count = WORKERS};
    lr_listen_options options = {LR_LISTEN_OPTIONS, .plain = true};
    lr_workers *workers = live_workers(&plan);
    lr_server *server = live_server(workers, NULL, &plan);
    play p;

    make_directory(&p);
    options.path = p.path;
    assert_int_equal(live_listen_with(server, &options), 0);
    assert_int_equal(access(p.path, F_OK), 0);
    lr_server_free(server);
    lr_workers_free(workers);
    play_close(&p);
}

typedef struct maker {
    lr_client *client;
    lr_connect_options to;
    lr_status status;
} maker;

static void make_all(lr_worker *w, void *arg)
{
    maker *m = arg;
    lr_conn *c;

    for (int i = 0; i < 50 && m->status == LR_OK; i++)
        m->status = lr_client_connect(m->client, w, &m->to, &c, NULL);
}

static void ask_path(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    char remote[200];

    (void)bytes;
    if (hook == LIVE_SECURE && lr_conn_write(c, LR_LIT("ping")) != LR_OK)
        live_note(&recorder->events, "refused");
    if (hook == LIVE_SECURE && lr_conn_remote(c, remote, sizeof(remote)) &&
        strcmp(remote, recorder->arg) != 0)
        live_note(&recorder->events, "remote=%s", remote);
    if (hook == LIVE_DATA)
        lr_conn_end(c);
}

static void live_S90_connections_are_made_to_paths_and_names(void **state)
{
    char name[64], expected[120];

    for (int i = 0; i < 2; i++) {
        live_plan plan = {.ring = live_ring(state), .worker_count = WORKERS};
        lr_client_options options = {LR_CLIENT_OPTIONS, .handlers = &live_recorder_handlers};
        lr_listen_options listen = {LR_LISTEN_OPTIONS, .plain = true};
        maker m = {.to = {LR_CONNECT_OPTIONS}};
        live_recorder made;
        play p;

        make_directory(&p);
        live_recorder_init(&made);
        (void)snprintf(name, sizeof(name), "@lockring-made-%d", (int)getpid());
        listen.path = m.to.path = i == 0 ? p.path : name;
        (void)snprintf(expected, sizeof(expected), "unix:%s", m.to.path);
        made.arg = expected;
        made.act = ask_path;
        plan.user = &p.recorder;
        options.user = &made;
        p.l.workers = live_workers(&plan);
        p.l.server = live_server(p.l.workers, NULL, &plan);
        assert_int_equal(live_listen_with(p.l.server, &listen), 0);
        assert_int_equal(lr_client_new(p.l.workers, &options, &m.client, NULL), LR_OK);
        live_run(p.l.workers);
        live_on_worker(p.l.workers, 1, make_all, &m);
        assert_int_equal(m.status, LR_OK);
        assert_true(live_await_counts(&made.events, 50, 50, 50));
        assert_true(live_await_counts(&p.recorder.events, 50, 50, 50));
        assert_null(strstr(made.events.text, "remote="));
        lr_workers_stop(p.l.workers, LR_NONE);
        lr_workers_join(p.l.workers);
        lr_client_free(m.client);
        play_close(&p);
        live_recorder_fini(&made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(a_path_is_served_with_tls_and_without),
        LIVE_TEST(an_abstract_name_is_served),
        LIVE_TEST(many_clients_of_one_queue_are_all_served),
        LIVE_TEST(what_a_dead_process_left_is_replaced),
        LIVE_TEST(a_path_that_is_served_is_not_taken_away),
        LIVE_TEST(a_file_that_is_no_socket_is_not_replaced),
        LIVE_TEST(bad_paths_are_named),
        LIVE_TEST(a_server_that_never_ran_removes_its_file),
        LIVE_TEST(live_S90_connections_are_made_to_paths_and_names),
    };

    return LIVE_MAIN(tests);
}
