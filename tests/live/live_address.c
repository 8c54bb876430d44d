/* SPDX-License-Identifier: MIT */
/* live_address.c: where a server listens and where its connections come from and go to: the rows
 * S47, S51, S54, S75, S83 of the reference; live_listen.c has S52 and S53. */
#include "client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void ping(int sock)
{
    char got[4];

    assert_true(sock >= 0);
    assert_true(tcp_send(sock, "ping", 4));
    assert_true(tcp_read(sock, got, 4));
    assert_memory_equal(got, "ping", 4);
}

/* The family, port and bytes of one end of a socket. */
static lr_address address_of(int sock, bool peer)
{
    struct sockaddr_storage name;
    struct sockaddr *any = (struct sockaddr *)&name;
    socklen_t len = sizeof(name);
    lr_address out = {0};

    assert_int_equal(peer ? getpeername(sock, any, &len) : getsockname(sock, any, &len), 0);
    if (name.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)any;

        out = (lr_address){.family = LR_FAMILY_IPV4, .port = ntohs(in->sin_port)};
        memcpy(out.bytes, &in->sin_addr, 4);
    } else {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)any;

        out = (lr_address){.family = LR_FAMILY_IPV6, .port = ntohs(in->sin6_port)};
        memcpy(out.bytes, &in->sin6_addr, 16);
    }
    return out;
}

static bool has_ipv6(void)
{
    int sock = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (sock >= 0)
        (void)close(sock);
    return sock >= 0;
}

/* A server with listeners on hosts, plain, and everything that belongs to it. */
typedef struct play {
    live_recorder recorder;
    lr_workers *workers;
    lr_server *server;
} play;

static void play_open(play *p, void **state)
{
    live_plan plan = {.ring = live_ring(state), .user = &p->recorder, .worker_count = 2};

    live_recorder_init(&p->recorder);
    p->workers = live_workers(&plan);
    p->server = live_server(p->workers, NULL, &plan);
}

static uint32_t play_listen(const play *p, const char *host, uint16_t port)
{
    lr_listen_options options = {LR_LISTEN_OPTIONS, .host = host, .port = port, .plain = true};

    return live_listen_with(p->server, &options);
}

static void play_close(play *p)
{
    lr_workers_stop(p->workers, LR_NONE);
    lr_workers_join(p->workers);
    lr_server_free(p->server);
    lr_workers_free(p->workers);
    live_recorder_fini(&p->recorder);
}

static void live_S47_the_bound_address_is_told(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "127.0.0.2", "localhost", "::1", NULL};
    play p;

    play_open(&p, state);
    for (size_t i = 0; i < LIVE_COUNT_OF(hosts); i++) {
        char address[64], family = '4', host[64] = "";
        unsigned port = 0;
        uint32_t index;

        if (hosts[i] && strchr(hosts[i], ':') && !has_ipv6())
            continue;
        index = play_listen(&p, hosts[i], 0);
        assert_true(lr_server_address(p.server, index, address, sizeof(address)));
        family = address[0] == '[' ? '6' : '4';
        assert_int_equal(
            sscanf(address, family == '6' ? "[%63[^]]]:%u" : "%63[^:]:%u", host, &port), 2);
        assert_int_equal(port, lr_server_port(p.server, index));
        assert_int_not_equal(port, 0);
        if (!hosts[i])
            assert_string_equal(host, has_ipv6() ? "::" : "0.0.0.0");
        else if (hosts[i][0] != 'l')
            assert_string_equal(host, hosts[i]);
        else
            assert_true(strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0);
    }
    play_close(&p);
}

/* The same port of two addresses, two servers, and of a third address nobody's. */
static void live_S51_host_and_port_are_what_is_bound(void **state)
{
    char address[64], expected[64];
    uint16_t port;
    int socks[2];
    play p[2];

    play_open(&p[0], state);
    port = lr_server_port(p[0].server, play_listen(&p[0], "127.0.0.2", 0));
    play_open(&p[1], state);
    (void)play_listen(&p[1], "127.0.0.3", port);
    assert_int_equal(lr_server_port(p[1].server, 0), port);
    (void)snprintf(expected, sizeof(expected), "127.0.0.3:%u", port);
    assert_true(lr_server_address(p[1].server, 0, address, sizeof(address)));
    assert_string_equal(address, expected);
    live_run(p[0].workers);
    live_run(p[1].workers);
    socks[0] = tcp_connect("127.0.0.2", port);
    ping(socks[0]);
    socks[1] = tcp_connect("127.0.0.3", port);
    ping(socks[1]);
    assert_int_equal(tcp_connect("127.0.0.4", port), -1);
    for (size_t i = 0; i < 2; i++) {
        (void)close(socks[i]);
        assert_true(live_await_counts(&p[i].recorder.events, 1, 1, 1));
        assert_int_equal(p[i].recorder.events.opened, 1);
        play_close(&p[i]);
    }
}

/* Node calls back when it is bound; here the call returns then, before there is any thread. */
static void live_S54_who_comes_behind_the_call_is_served(void **state)
{
    enum { EARLY = 16 };
    int socks[EARLY];
    uint16_t port;
    play p;

    play_open(&p, state);
    port = lr_server_port(p.server, play_listen(&p, "127.0.0.1", 0));
    for (size_t i = 0; i < EARLY; i++) {
        socks[i] = tcp_connect(NULL, port);
        assert_true(socks[i] >= 0);
    }
    live_expect(&p.recorder.events, "");
    live_run(p.workers);
    for (size_t i = 0; i < EARLY; i++) {
        ping(socks[i]);
        (void)close(socks[i]);
    }
    assert_true(live_await_counts(&p.recorder.events, EARLY, EARLY, EARLY));
    play_close(&p);
}

/* Both ends as the server and as the client see them, and the server's as text. */
typedef struct ends {
    lr_address remote, local, mine, theirs;
    char text[64], raw[64];
} ends;

static void keep_ends(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    ends *e = recorder->arg;

    if (hook == LIVE_SECURE) {
        e->remote = lr_conn_remote_address(c);
        e->local = lr_conn_local_address(c);
        if (!lr_conn_local(c, e->text, sizeof(e->text)) ||
            !lr_conn_local_raw(c, e->raw, sizeof(e->raw)))
            live_note(&recorder->events, "nothing");
    }
    live_echo(c, hook, bytes);
}

/* A client of a listener on host that is reached at to. */
static void ends_case(void **state, const char *host, const char *to, ends *e)
{
    int sock;
    uint16_t port;
    play p;

    memset(e, 0, sizeof(*e));
    play_open(&p, state);
    p.recorder.act = keep_ends;
    p.recorder.arg = e;
    port = lr_server_port(p.server, play_listen(&p, host, 0));
    live_run(p.workers);
    sock = tcp_connect(to, port);
    ping(sock);
    e->mine = address_of(sock, false);
    e->theirs = address_of(sock, true);
    (void)close(sock);
    assert_true(live_await_counts(&p.recorder.events, 1, 1, 1));
    live_expect(&p.recorder.events, "open secure data:4 end close:clean ");
    play_close(&p);
}

static void expect_address(const lr_address *got, const lr_address *want)
{
    assert_int_equal(got->family, want->family);
    assert_int_equal(got->port, want->port);
    assert_memory_equal(got->bytes, want->bytes, sizeof(got->bytes));
}

/* The address that the client called, where the listener has every one. */
static void live_S75_the_address_of_the_socket_is_the_one_that_was_called(void **state)
{
    ends e;

    ends_case(state, "0.0.0.0", "127.0.0.5", &e);
    assert_int_equal(strncmp(e.text, "127.0.0.5:", 10), 0);
    assert_string_equal(e.text, e.raw);
    assert_int_equal(e.local.family, LR_FAMILY_IPV4);
    assert_memory_equal(e.local.bytes, "\177\0\0\5\0\0\0\0\0\0\0\0\0\0\0", 16);
}

static void live_S83_both_ends_are_told_as_values(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "::1"};

    for (size_t i = 0; i < LIVE_COUNT_OF(hosts); i++) {
        ends e;

        if (i == 1 && !has_ipv6())
            break;
        ends_case(state, hosts[i], hosts[i], &e);
        expect_address(&e.remote, &e.mine);
        expect_address(&e.local, &e.theirs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S47_the_bound_address_is_told),
        LIVE_TEST(live_S51_host_and_port_are_what_is_bound),
        LIVE_TEST(live_S54_who_comes_behind_the_call_is_served),
        LIVE_TEST(live_S75_the_address_of_the_socket_is_the_one_that_was_called),
        LIVE_TEST(live_S83_both_ends_are_told_as_values),
    };

    return LIVE_MAIN(tests);
}
