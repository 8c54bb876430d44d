/* SPDX-License-Identifier: MIT */
/* live_idle.c: very many connections that do nothing, then all of them gone at once: what each
 * takes of memory is told, and all of it must come back. */
#include "client.h"
#include "process.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTIONS = LIVE_SANITIZED ? 1000 : 19000,
    WARM_UP = LIVE_SANITIZED ? 100 : 4000,
    THREADS = 2,
    OTHER_DESCRIPTORS = 200,
    MEMORY_KB = 2 * 1024, /* what the process may hold more than before */
    RETURN_MS = 20 * 1000
};

typedef struct round {
    uint16_t port;
    uint32_t count;
    int *socks; /* [count] */
} round;

/* A secure connection of which the client keeps the socket alone. */
static bool open_idle(SSL_CTX *ctx, uint16_t port, int *sock, char *why, size_t cap)
{
    tls_client t;
    bool ok = tls_connect(&t, ctx, NULL, port, NULL) && tls_handshake(&t);

    if (!ok)
        (void)snprintf(why, cap, "%s", t.why);
    *sock = t.sock;
    t.sock = -1;
    tls_close(&t, false);
    return ok;
}

static bool open_share(uint32_t index, void *arg, char *why, size_t cap)
{
    tls_plan plan = {.version = TLS1_3_VERSION, .groups = "X25519"};
    SSL_CTX *ctx = tls_ctx_new(&plan);
    const round *r = arg;
    bool ok = ctx != NULL;

    for (uint32_t i = index; ok && i < r->count; i += THREADS)
        ok = open_idle(ctx, r->port, &r->socks[i], why, cap);
    SSL_CTX_free(ctx);
    return ok;
}

/* The child: is told the port, then how many to open; opens them, says so, and resets them when it
 * hears again. */
static int clients(int sock, void *arg)
{
    uint64_t port, count;

    (void)arg;
    if (!hear(sock, &port))
        return 1;
    while (hear(sock, &count)) {
        round r = {(uint16_t)port, (uint32_t)count, malloc(count * sizeof(int))};
        char why[240];

        if (!r.socks || !clients_run(THREADS, open_share, &r, why, sizeof(why))) {
            (void)fprintf(stderr, "%s\n", why);
            return 2;
        }
        if (!say(sock, count) || !hear(sock, &count))
            return 3;
        for (uint32_t i = 0; i < r.count; i++)
            tcp_reset(r.socks[i]);
        free(r.socks);
    }
    return 0;
}

/* Once all have gone, until the process holds as little as it did, or RETURN_MS. */
static uint64_t await_memory(uint64_t at_most)
{
    uint64_t until = live_now_ms() + RETURN_MS, now;

    while ((now = live_rss_kb(getpid())) > at_most && live_now_ms() < until)
        (void)poll(NULL, 0, 10);
    return now;
}

/* Opens and ends so many. What the process held with all of them open. */
static uint64_t run_round(process *p, live_recorder *recorder, uint64_t count)
{
    uint64_t number, open_kb;

    recorder->events.opened = recorder->events.secured = recorder->events.closed = 0;
    assert_true(say(p->sock, count));
    assert_true(hear(p->sock, &number));
    assert_true(live_await_counts(&recorder->events, count, count, 0));
    open_kb = live_rss_kb(getpid());
    assert_true(say(p->sock, 0));
    assert_true(live_await_counts(&recorder->events, count, count, count));
    return open_kb;
}

static void memory_of_idle_connections_comes_back(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state),
                      .user = &recorder,
                      .worker_count = 2,
                      .handshake_timeout_ms = LR_NONE};
    struct rlimit limit;
    uint64_t before, open_kb, after, started;
    process p;
    live l;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < CONNECTIONS + OTHER_DESCRIPTORS) {
        print_message("needs %d descriptors\n", CONNECTIONS + OTHER_DESCRIPTORS);
        skip();
    }
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    live_recorder_init(&recorder);
    recorder.quiet = true;
    process_fork(&p, clients, NULL);
    live_start(&l, &plan);
    assert_true(say(p.sock, l.port));
    started = live_rss_kb(getpid());
    (void)run_round(&p, &recorder, WARM_UP);
    before = LIVE_SANITIZED ? 0 : await_memory(started + MEMORY_KB);
    open_kb = run_round(&p, &recorder, CONNECTIONS);
    after = LIVE_SANITIZED ? 0 : await_memory(before + MEMORY_KB);
    print_message(
        "%s: %d idle connections: %llu KB at the start, %llu KB before, %llu bytes per connection, "
        "%llu KB after\n",
        lr_workers_ring(l.workers), CONNECTIONS, (unsigned long long)started,
        (unsigned long long)before, (unsigned long long)((open_kb - before) * 1024 / CONNECTIONS),
        (unsigned long long)after);
    if (!LIVE_SANITIZED)
        assert_true(after <= before + MEMORY_KB);
    (void)shutdown(p.sock, SHUT_WR);
    assert_int_equal(process_wait(&p), 0);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(memory_of_idle_connections_comes_back),
    };

    return LIVE_MAIN(tests);
}
