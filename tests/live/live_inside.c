/* SPDX-License-Identifier: MIT */
/* live_inside.c: a handler writes, ends, aborts and pauses inside every hook, on accepted TLS and
 * plain connections and on made ones; the hooks come as docs/lifecycle.md says. */
#include "peer.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BULK = 300 * 1024 }; /* above the high mark, so that on_drain fires */

#define ACTIONS(X) X(NOTHING) X(WRITE) X(END) X(ABORT) X(WRITE_END) X(WRITE_ABORT) X(PAUSE)
#define MODES(X) X(TLS) X(PLAIN) X(MADE)
#define ACTION_ENUM(name) ACT_##name,
#define MODE_ENUM(name) MODE_##name,
#define NAME_TEXT(name) #name,
typedef enum action { ACTIONS(ACTION_ENUM) ACT_COUNT } action;
typedef enum mode { MODES(MODE_ENUM) MODE_COUNT } mode;
static const char *const action_names[] = {ACTIONS(NAME_TEXT)};
static const char *const mode_names[] = {MODES(NAME_TEXT)};
static const char *const hook_names[] = {"open",  "client_error", "secure",       "data",
                                         "drain", "end",          "server_drain", "close"};

typedef struct play {
    live_recorder recorder;
    lr_workers *workers;
    lr_server *server;
    lr_client *client;
    int listener; /* of the test's, for a made connection */
    uint16_t port;
    mode mode;
    live_hook at;
    action action;
    bool fails; /* before secure */
    uint8_t *bulk;
    char expected[400];
} play;

static void resume(lr_conn *c, void *arg)
{
    (void)arg;
    if (c)
        lr_conn_resume(c);
}

static void act_inside(lr_conn *c, play *p)
{
    live_events *events = &p->recorder.events;

    if (p->action == ACT_WRITE || p->action == ACT_WRITE_END || p->action == ACT_WRITE_ABORT)
        live_note(events, "%s", lr_status_name(lr_conn_write(c, LR_LIT("inside"))));
    if (p->action == ACT_END || p->action == ACT_WRITE_END)
        lr_conn_end(c);
    if (p->action == ACT_ABORT || p->action == ACT_WRITE_ABORT)
        lr_conn_abort(c, LR_OK);
    if (p->action == ACT_PAUSE) {
        lr_conn_pause(c);
        if (lr_conn_post(lr_conn_id_of(c), resume, NULL) != LR_OK)
            live_note(events, "not_posted");
    }
}

static bool over_at(const play *p, live_hook hook)
{
    return hook == p->at && p->action != ACT_NOTHING && p->action != ACT_WRITE &&
           p->action != ACT_PAUSE;
}

/* Drives the connection through all its hooks; acts in one of them. */
static void act(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    play *p = recorder->arg;

    (void)bytes;
    if (hook == LIVE_SECURE && lr_conn_write(c, lr_slice_of(p->bulk, BULK)) != LR_OK)
        live_note(&recorder->events, "no_bulk");
    if (hook == p->at)
        act_inside(c, p);
    if (hook == LIVE_DATA)
        lr_workers_stop(p->workers, LR_NONE); /* on_server_drain comes in this turn */
    if (hook == LIVE_SERVER_DRAIN && lr_conn_write(c, LR_LIT("drain")) != LR_OK &&
        !over_at(p, hook))
        live_note(&recorder->events, "no_drain");
    if (hook == LIVE_END)
        lr_conn_end(c);
}

static const char *write_status(live_hook hook)
{
    if (hook == LIVE_OPEN || hook == LIVE_CLIENT_ERROR)
        return "LR_ESTATE";
    return hook == LIVE_CLOSE ? "LR_ECLOSED" : "LR_OK";
}

static void expect(play *p, const char *format, const char *word)
{
    size_t len = strlen(p->expected);

    (void)snprintf(p->expected + len, sizeof(p->expected) - len, format, word);
}

static void expect_hook(play *p, live_hook hook, const char *word)
{
    expect(p, "%s ", word);
    if (hook == p->at &&
        (p->action == ACT_WRITE || p->action == ACT_WRITE_END || p->action == ACT_WRITE_ABORT))
        expect(p, "%s ", write_status(hook));
}

/* What docs/lifecycle.md says of this play. */
static void foretell(play *p, const char *error)
{
    static const live_hook good[] = {LIVE_OPEN, LIVE_SECURE,       LIVE_DRAIN,
                                     LIVE_DATA, LIVE_SERVER_DRAIN, LIVE_END};
    bool aborts = p->action == ACT_ABORT || p->action == ACT_WRITE_ABORT;
    bool over = false;
    char word[100];

    for (size_t i = 0; !over && !p->fails && i < LIVE_COUNT_OF(good); i++) {
        (void)snprintf(word, sizeof(word), "%s%s", hook_names[good[i]],
                       good[i] == LIVE_DATA ? ":1" : "");
        expect_hook(p, good[i], word);
        over = over_at(p, good[i]);
    }
    if (p->fails) {
        expect_hook(p, LIVE_OPEN, "open");
        over = over_at(p, LIVE_OPEN);
        (void)snprintf(word, sizeof(word), "client_error:%s", error);
        if (!over)
            expect_hook(p, LIVE_CLIENT_ERROR, word);
    }
    if (over && p->at != LIVE_CLIENT_ERROR && (aborts || p->at == LIVE_OPEN))
        expect_hook(p, LIVE_CLOSE, "close:LR_EABORTED");
    else if (p->fails) {
        (void)snprintf(word, sizeof(word), "close:%.*s", (int)strcspn(error, ":"), error);
        expect_hook(p, LIVE_CLOSE, word);
    } else {
        expect_hook(p, LIVE_CLOSE, "close:clean");
    }
}

static void listen_raw(play *p)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);

    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listener, (const struct sockaddr *)&in, sizeof(in)), 0);
    if (!p->fails) /* else it keeps the port, so that nobody else answers there */
        assert_int_equal(listen(p->listener, 5), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&in, &len), 0);
    p->port = ntohs(in.sin_port);
}

static void make(lr_worker *w, void *arg)
{
    play *p = arg;
    lr_connect_options to = {LR_CONNECT_OPTIONS, .host = "127.0.0.1", .port = p->port};
    lr_conn *c;

    if (lr_client_connect(p->client, w, &to, &c, NULL) != LR_OK)
        live_note(&p->recorder.events, "not_made");
}

static void play_open(play *p, void **state, lr_context *context)
{
    live_plan plan = {.ring = live_ring(state), .user = &p->recorder, .worker_count = 1};
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .host = "127.0.0.1",
                                .plain = p->mode == MODE_PLAIN};
    lr_client_options options = {LR_CLIENT_OPTIONS, .handlers = &live_recorder_handlers,
                                 .user = &p->recorder};

    live_recorder_init(&p->recorder);
    p->recorder.act = act;
    p->recorder.arg = p;
    p->bulk = calloc(1, BULK);
    assert_non_null(p->bulk);
    p->workers = live_workers(&plan);
    p->listener = -1;
    if (p->mode == MODE_MADE) {
        listen_raw(p);
        assert_int_equal(lr_client_new(p->workers, &options, &p->client, NULL), LR_OK);
    } else {
        p->server = live_server(p->workers, context, &plan);
        p->port = lr_server_port(p->server, live_listen_with(p->server, &listen));
    }
    live_run(p->workers);
    if (p->mode == MODE_MADE)
        live_on_worker(p->workers, 0, make, p);
}

/* The other side: goes as far as it is let, and always to its own end. */
static void play_peer(play *p)
{
    peer other = {.plain = p->mode != MODE_TLS, .tls.sock = -1};
    uint8_t *got = malloc(BULK);
    char word[5];
    size_t len;

    assert_non_null(got);
    if (p->mode == MODE_MADE && !p->fails)
        other.tls.sock = accept(p->listener, NULL, NULL);
    else if (p->mode != MODE_MADE && !p->fails)
        (void)peer_open(&other, p->port, p->mode == MODE_PLAIN);
    else if (p->mode == MODE_TLS)
        other.tls.sock = tcp_connect(NULL, p->port);
    if (p->fails) {
        if (other.tls.sock >= 0)
            (void)tcp_send(other.tls.sock, "GET / HTTP/1.1\r\n\r\n", 18);
    } else if (peer_read(&other, got, BULK) && peer_write(&other, "x", 1)) {
        bool there = peer_read(&other, word, 5);

        if (there && memcmp(word, "insid", 5) == 0)
            there = peer_read(&other, word, 1) && peer_read(&other, word, 5);
        (void)peer_end_write(&other);
        (void)peer_skip_to_end(&other, &len);
    }
    peer_close(&other, false);
    free(got);
}

static void play_one(void **state, lr_context *context, play *p, const char *error)
{
    const char *now = p->recorder.events.text; /* nobody writes it any more, in the end */

    p->expected[0] = '\0';
    foretell(p, error);
    play_open(p, state, context);
    play_peer(p);
    assert_true(live_await_counts(&p->recorder.events, 1, 0, 1));
    lr_workers_stop(p->workers, LR_NONE);
    lr_workers_join(p->workers);
    lr_client_free(p->client);
    lr_server_free(p->server);
    lr_workers_free(p->workers);
    if (strcmp(now, p->expected) != 0)
        fail_msg("%s, %s in on_%s: '%s' instead of '%s'", mode_names[p->mode],
                 action_names[p->action], hook_names[p->at], now, p->expected);
    live_recorder_fini(&p->recorder);
    free(p->bulk);
    if (p->listener >= 0)
        (void)close(p->listener);
}

static void product(void **state, mode how, bool fails, const char *error)
{
    live_plan plan = {.ring = live_ring(state)};
    lr_context *context = live_context(&plan);

    for (live_hook at = LIVE_OPEN; at <= LIVE_CLOSE; at++) {
        for (action what = ACT_NOTHING; what < ACT_COUNT; what++) {
            play p = {.mode = how, .at = at, .action = what, .fails = fails};

            play_one(state, context, &p, error);
        }
    }
    lr_context_release(context);
}

static void everything_is_allowed_inside_the_hooks_of_tls(void **state)
{
    product(state, MODE_TLS, false, "");
}

static void everything_is_allowed_inside_the_hooks_of_plain_connections(void **state)
{
    product(state, MODE_PLAIN, false, "");
}

static void everything_is_allowed_inside_the_hooks_of_made_connections(void **state)
{
    product(state, MODE_MADE, false, "");
}

static void everything_is_allowed_where_the_handshake_fails(void **state)
{
    product(state, MODE_TLS, true, "LR_ENOTTLS:10");
}

static void everything_is_allowed_where_nobody_answers(void **state)
{
    product(state, MODE_MADE, true, "LR_ECONNECT:-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(everything_is_allowed_inside_the_hooks_of_tls),
        LIVE_TEST(everything_is_allowed_inside_the_hooks_of_plain_connections),
        LIVE_TEST(everything_is_allowed_inside_the_hooks_of_made_connections),
        LIVE_TEST(everything_is_allowed_where_the_handshake_fails),
        LIVE_TEST(everything_is_allowed_where_nobody_answers),
    };

    return LIVE_MAIN(tests);
}
