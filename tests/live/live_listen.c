/* SPDX-License-Identifier: MIT */
/* live_listen.c: ports, addresses, several servers and several sets of workers. */
#include "client.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A client that is heard: one message there and back, both ends in order. */
static void be_served(const char *host, uint16_t port)
{
    static const tls_plan none;
    SSL_CTX *ctx = tls_ctx_new(&none);
    char got[4];
    tls_client t;

    assert_non_null(ctx);
    TLS_MUST(&t, tls_connect(&t, ctx, host, port, "localhost"));
    TLS_MUST(&t, tls_handshake(&t));
    TLS_MUST(&t, tls_write(&t, "ping", 4));
    TLS_MUST(&t, tls_read(&t, got, 4));
    assert_memory_equal(got, "ping", 4);
    TLS_MUST(&t, tls_end_write(&t));
    assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
    tls_close(&t, false);
    SSL_CTX_free(ctx);
}

static void stop_all(lr_workers *workers, lr_server *const *servers, size_t count)
{
    lr_workers_stop(workers, LR_NONE);
    lr_workers_join(workers);
    for (size_t i = 0; i < count; i++)
        lr_server_free(servers[i]);
    lr_workers_free(workers);
}

static void live_S53_port_0_is_a_port_of_the_kernels_choice(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder};
    char expected[64], address[64], cut[4];
    live l;

    live_recorder_init(&recorder);
    live_start(&l, &plan);
    (void)snprintf(expected, sizeof(expected), "127.0.0.1:%u", l.port);
    assert_true(lr_server_address(l.server, 0, address, sizeof(address)));
    assert_string_equal(address, expected);
    assert_true(lr_server_address(l.server, 0, cut, sizeof(cut)));
    assert_string_equal(cut, "127");
    assert_false(lr_server_address(l.server, 1, address, sizeof(address)));
    assert_int_equal(lr_server_port(l.server, 1), 0);
    be_served(NULL, l.port);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

static void note_addresses(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    char remote[64], local[64];

    if (hook == LIVE_SECURE && lr_conn_remote(c, remote, sizeof(remote)) &&
        lr_conn_local(c, local, sizeof(local)))
        live_note(&recorder->events, "%s-%s", remote, local);
    live_echo(c, hook, bytes);
}

static void addresses_case(void **state, const char *host, const char *format)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .host = host};
    char address[64], expected[64], ends[140];
    struct sockaddr_storage name;
    socklen_t len = sizeof(name);
    tls_client t;
    live l;
    SSL_CTX *ctx;
    tls_plan none = {0};
    uint16_t port;

    live_recorder_init(&recorder);
    recorder.act = note_addresses;
    live_start(&l, &plan);
    (void)snprintf(expected, sizeof(expected), format, l.port);
    assert_true(lr_server_address(l.server, 0, address, sizeof(address)));
    assert_string_equal(address, expected);
    ctx = tls_ctx_new(&none);
    TLS_MUST(&t, tls_connect(&t, ctx, host, l.port, NULL));
    TLS_MUST(&t, tls_handshake(&t));
    assert_int_equal(getsockname(t.sock, (struct sockaddr *)&name, &len), 0);
    memcpy(&port, (const char *)&name + 2, sizeof(port)); /* the same place in both families */
    (void)snprintf(expected, sizeof(expected), format, (unsigned)(uint16_t)(port << 8 | port >> 8));
    (void)snprintf(ends, sizeof(ends), "%s-%s", expected, address);
    assert_true(live_await(&recorder.events, ends));
    tls_close(&t, true);
    SSL_CTX_free(ctx);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

static void live_S83_both_ends_are_told_in_ipv4(void **state)
{
    addresses_case(state, "127.0.0.1", "127.0.0.1:%u");
}

static bool has_ipv6(void)
{
    int sock = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (sock >= 0)
        (void)close(sock);
    return sock >= 0;
}

static void live_S83_both_ends_are_told_in_ipv6(void **state)
{
    if (!has_ipv6())
        skip();
    addresses_case(state, "::1", "[::1]:%u");
}

static void live_S52_without_a_host_every_address_is_served(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder};
    lr_listen_options any = {LR_LISTEN_OPTIONS};
    lr_context *context;
    lr_workers *workers;
    lr_server *server;
    lr_error err;

    live_recorder_init(&recorder);
    workers = live_workers(&plan);
    context = live_context(&plan);
    server = live_server(workers, context, &plan);
    assert_int_equal(lr_server_listen(server, &any, NULL, &err), LR_OK);
    assert_int_equal(lr_workers_start(workers, &err), LR_OK);
    be_served("127.0.0.1", lr_server_port(server, 0));
    if (has_ipv6())
        be_served("::1", lr_server_port(server, 0));
    stop_all(workers, &server, 1);
    lr_context_release(context);
    live_recorder_fini(&recorder);
}

static void a_port_in_use_is_refused(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder};
    lr_listen_options same = {LR_LISTEN_OPTIONS, .host = "127.0.0.1"};
    char expected[64];
    lr_workers *workers;
    lr_context *context;
    lr_server *server;
    lr_error err;
    live l;

    live_recorder_init(&recorder);
    live_start(&l, &plan);
    workers = live_workers(&plan);
    context = live_context(&plan);
    server = live_server(workers, context, &plan);
    same.port = l.port;
    assert_int_equal(lr_server_listen(server, &same, NULL, &err), LR_EADDRINUSE);
    assert_int_equal(err.status, LR_EADDRINUSE);
    assert_int_equal(err.sys, EADDRINUSE);
    (void)snprintf(expected, sizeof(expected), "127.0.0.1:%u", l.port);
    assert_non_null(strstr(err.text, expected));
    be_served(NULL, l.port); /* the owner was not disturbed */
    same.port = live_listen(server, NULL);
    assert_int_equal(lr_workers_start(workers, &err), LR_OK);
    be_served(NULL, same.port);
    stop_all(workers, &server, 1);
    lr_context_release(context);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

static void a_port_may_be_shared_by_those_who_say_so(void **state)
{
    live_recorder recorders[2];
    lr_listen_options shared = {LR_LISTEN_OPTIONS, .host = "127.0.0.1", .share_port = true};
    live_plan plan = {.ring = live_ring(state)};
    lr_workers *workers[2];
    lr_context *context;
    lr_server *servers[2];
    lr_error err;

    for (size_t i = 0; i < 2; i++) {
        live_recorder_init(&recorders[i]);
        recorders[i].quiet = true;
        plan.user = &recorders[i];
        workers[i] = live_workers(&plan);
        context = live_context(&plan);
        servers[i] = live_server(workers[i], context, &plan);
        assert_int_equal(lr_server_listen(servers[i], &shared, NULL, &err), LR_OK);
        shared.port = lr_server_port(servers[i], 0);
        lr_context_release(context);
    }
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(lr_workers_start(workers[i], &err), LR_OK);
    for (size_t i = 0; i < 64; i++) /* the kernel spreads them by their ports */
        be_served(NULL, shared.port);
    for (size_t i = 0; i < 2; i++)
        stop_all(workers[i], &servers[i], 1);
    assert_int_equal(recorders[0].events.secured + recorders[1].events.secured, 64);
    for (size_t i = 0; i < 2; i++) {
        assert_int_not_equal(recorders[i].events.secured, 0);
        live_recorder_fini(&recorders[i]);
    }
}

static void an_address_that_is_not_ours_is_refused(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder};
    lr_listen_options foreign = {LR_LISTEN_OPTIONS, .host = "192.0.2.1"}; /* RFC 5737 */
    lr_workers *workers = live_workers(&plan);
    lr_context *context = live_context(&plan);
    lr_server *server = live_server(workers, context, &plan);
    lr_error err;

    assert_int_equal(lr_server_listen(server, &foreign, NULL, &err), LR_EADDRESS);
    assert_non_null(strstr(err.text, "192.0.2.1"));
    lr_server_free(server);
    lr_workers_free(workers);
    lr_context_release(context);
}

static void three_servers_share_the_workers(void **state)
{
    static const char *const alpn[3] = {"one", "two", "three"};
    static const char *const wire[3] = {"\3one", "\3two", "\5three"};
    live_recorder recorders[3];
    live_plan plan = {.ring = live_ring(state)};
    lr_workers *workers = live_workers(&plan);
    lr_server *servers[3];
    uint16_t ports[3];
    lr_error err;

    for (size_t i = 0; i < 3; i++) {
        lr_context *context;

        live_recorder_init(&recorders[i]);
        recorders[i].quiet = true;
        plan.user = &recorders[i];
        plan.context.alpn = alpn[i];
        context = live_context(&plan);
        servers[i] = live_server(workers, context, &plan);
        ports[i] = live_listen(servers[i], NULL);
        lr_context_release(context);
    }
    assert_int_equal(lr_workers_start(workers, &err), LR_OK);
    for (size_t i = 0; i < 9; i++) {
        tls_plan to = {.alpn = wire[i / 3]};
        tls_client t;
        bool fits = i / 3 == i % 3;

        assert_int_equal(tls_open(&t, ports[i % 3], &to), fits);
        tls_close(&t, false);
    }
    for (size_t i = 0; i < 3; i++)
        assert_true(live_await_counts(&recorders[i].events, 3, 1, 3));
    lr_server_drain(servers[1], LR_NONE); /* the two others go on */
    be_served(NULL, ports[0]);
    be_served(NULL, ports[2]);
    stop_all(workers, servers, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(recorders[i].workers_started, 2);
        assert_int_equal(recorders[i].workers_stopped, 2);
        live_recorder_fini(&recorders[i]);
    }
}

static void two_sets_of_workers_live_in_one_process(void **state)
{
    live_recorder recorders[2];
    live sets[2];

    for (size_t i = 0; i < 2; i++) {
        live_plan plan = {.ring = live_ring(state), .user = &recorders[i], .worker_count = 2};

        live_recorder_init(&recorders[i]);
        live_start(&sets[i], &plan);
    }
    be_served(NULL, sets[0].port);
    be_served(NULL, sets[1].port);
    live_stop(&sets[0], LR_NONE);
    be_served(NULL, sets[1].port);
    live_stop(&sets[1], LR_NONE);
    for (size_t i = 0; i < 2; i++)
        live_recorder_fini(&recorders[i]);
}

static void note_worker(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    if (hook == LIVE_SECURE)
        live_note(&recorder->events, "worker:%u", lr_worker_index(lr_conn_worker(c)));
    live_echo(c, hook, bytes);
}

static void connections_are_spread_over_the_workers(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .worker_count = 2};
    live l;

    live_recorder_init(&recorder);
    recorder.act = note_worker;
    recorder.quiet = true;
    live_start(&l, &plan);
    for (size_t i = 0; i < 64; i++)
        be_served(NULL, l.port);
    assert_true(live_has(&recorder.events, "worker:0"));
    assert_true(live_has(&recorder.events, "worker:1"));
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

/* On loopback a packet arrives on the CPU that sends it. */
static void steering_sends_a_client_to_the_worker_on_its_cpu(void **state)
{
    live_recorder recorder;
    live_plan plan = {
        .ring = live_ring(state), .user = &recorder, .worker_count = 2, .steer = LR_ON};
    cpu_set_t before;
    uint32_t worker = 0;
    live l;

    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    if (CPU_COUNT(&before) < 2)
        skip();
    live_recorder_init(&recorder);
    recorder.act = note_worker;
    recorder.quiet = true;
    live_start(&l, &plan);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && worker < 2; cpu++) {
        char expected[12 * 10 + 1] = "";
        cpu_set_t one;

        if (!CPU_ISSET(cpu, &before))
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
        for (size_t i = 0; i < 12; i++) {
            be_served(NULL, l.port);
            (void)snprintf(expected + strlen(expected), 10, "worker:%u ", worker);
        }
        live_expect(&recorder.events, expected);
        live_events_clear(&recorder.events);
        worker++;
    }
    assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S53_port_0_is_a_port_of_the_kernels_choice),
        LIVE_TEST(live_S83_both_ends_are_told_in_ipv4),
        LIVE_TEST(live_S83_both_ends_are_told_in_ipv6),
        LIVE_TEST(live_S52_without_a_host_every_address_is_served),
        LIVE_TEST(a_port_in_use_is_refused),
        LIVE_TEST(a_port_may_be_shared_by_those_who_say_so),
        LIVE_TEST(an_address_that_is_not_ours_is_refused),
        LIVE_TEST(three_servers_share_the_workers),
        LIVE_TEST(two_sets_of_workers_live_in_one_process),
        LIVE_TEST(connections_are_spread_over_the_workers),
        LIVE_TEST(steering_sends_a_client_to_the_worker_on_its_cpu),
    };

    return LIVE_MAIN(tests);
}
