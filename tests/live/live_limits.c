/* SPDX-License-Identifier: MIT */
/* live_limits.c: no descriptor is left. Accepting pauses without spinning, what is established goes
 * on, and accepting goes on when descriptors are free again. */
#include "client.h"
#include "process.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    DESCRIPTORS = 64,
    CLIENTS_MAX = 100,
    WAITING = 10,     /* clients that find no descriptor */
    PAUSE_MS = 1000,  /* how long nothing must happen */
    CPU_PER_CENT = 20 /* of the pause at most; a loop that spins takes 100 */
};

typedef struct crowd {
    int parent;
    uint16_t port;
    SSL_CTX *ctx;
    tls_client t[CLIENTS_MAX];
    uint32_t served, count;
} crowd;

static bool ping(tls_client *t)
{
    char got[4];

    return tls_write(t, "ping", 4) && tls_read(t, got, 4) && memcmp(got, "ping", 4) == 0;
}

/* Connects and sends a hello. */
static bool knock(crowd *all)
{
    tls_client *t = &all->t[all->count++];
    uint8_t hello[2048];
    size_t len;

    return tls_connect(t, all->ctx, NULL, all->port, "localhost") &&
           (len = tls_first_flight(t, hello, sizeof(hello))) != 0 && tcp_send(t->sock, hello, len);
}

static bool serve_last(crowd *all)
{
    all->served++;
    return tls_handshake(&all->t[all->count - 1]) && ping(&all->t[all->count - 1]);
}

/* Clients come until the parent says that the server pauses, and how many it has accepted: the last
 * one may be among them. */
static bool fill(crowd *all)
{
    uint64_t accepted = 0;

    while (accepted == 0 && all->count < CLIENTS_MAX - WAITING) {
        struct pollfd either[2] = {{all->parent, POLLIN, 0}, {0, POLLIN, 0}};

        if (!knock(all))
            return false;
        either[1].fd = all->t[all->count - 1].sock;
        if (poll(either, 2, LIVE_GUARD_S * 1000) <= 0)
            return false;
        if (either[0].revents != 0 && !hear(all->parent, &accepted))
            return false;
        if ((accepted == 0 || accepted == all->count) && !serve_last(all))
            return false;
    }
    if (accepted != all->served)
        return false;
    while (all->count < all->served + WAITING) {
        if (!knock(all))
            return false;
    }
    return true;
}

/* The established ones are served, and from nobody who waits comes anything. */
static bool live_through_pause(crowd *all)
{
    struct pollfd waiting[WAITING];

    for (uint32_t i = 0; i < all->served; i++) {
        if (!ping(&all->t[i]))
            return false;
    }
    for (uint32_t i = 0; i < WAITING; i++)
        waiting[i] = (struct pollfd){all->t[all->served + i].sock, POLLIN, 0};
    return poll(waiting, WAITING, PAUSE_MS) == 0;
}

/* Half of those that were served go; everybody who waited is served. */
static bool make_room(crowd *all)
{
    for (uint32_t i = 0; i < all->served / 2; i++)
        tls_close(&all->t[i], i % 2 == 0);
    for (uint32_t i = all->served; i < all->count; i++) {
        if (!tls_handshake(&all->t[i]) || !ping(&all->t[i]))
            return false;
    }
    return true;
}

static int clients(int sock, void *arg)
{
    static crowd all;
    tls_plan plan = {.version = TLS1_3_VERSION};
    uint64_t number;

    (void)arg;
    all.parent = sock;
    all.ctx = tls_ctx_new(&plan);
    if (!hear(sock, &number))
        return 1;
    all.port = (uint16_t)number;
    if (!fill(&all))
        return 2;
    if (!say(sock, all.count) || !hear(sock, &number))
        return 3;
    if (!live_through_pause(&all) || !say(sock, all.served))
        return 4;
    if (!hear(sock, &number) || !make_room(&all))
        return 5;
    for (uint32_t i = 0; i < all.count; i++)
        tls_close(&all.t[i], false);
    SSL_CTX_free(all.ctx);
    return 0;
}

static void note_pause(lr_log_level level, const char *line, void *user)
{
    (void)level;
    if (strncmp(line, "accept_paused ", 14) == 0 && strstr(line, "error=EMFILE"))
        live_note(user, "paused");
}

static uint64_t cpu_ms(void)
{
    struct rusage used;

    (void)getrusage(RUSAGE_SELF, &used);
    return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
           (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
}

static void accepting_pauses_while_there_is_no_descriptor(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state),
                      .user = &recorder,
                      .worker_count = 1,
                      .handshake_timeout_ms = LR_NONE,
                      .log = note_pause,
                      .log_user = &recorder.events};
    struct rlimit before, low;
    uint64_t count, served, cpu, wall;
    process p;
    live l;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    live_recorder_init(&recorder);
    recorder.quiet = true;
    process_fork(&p, clients, NULL);
    low = (struct rlimit){DESCRIPTORS, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    live_start(&l, &plan);
    assert_true(say(p.sock, l.port));
    assert_true(live_await(&recorder.events, "paused"));
    assert_true(say(p.sock, recorder.events.opened)); /* no more until the retry, which fails */
    assert_true(hear(p.sock, &count));
    cpu = cpu_ms();
    wall = live_now_ms();
    assert_true(say(p.sock, 0));
    assert_true(hear(p.sock, &served));
    cpu = cpu_ms() - cpu;
    wall = live_now_ms() - wall;
    print_message("%llu served, %llu wait, %llu ms of CPU in %llu ms\n", (unsigned long long)served,
                  (unsigned long long)(count - served), (unsigned long long)cpu,
                  (unsigned long long)wall);
    assert_true(wall >= PAUSE_MS);
    assert_true(cpu * 100 <= wall * CPU_PER_CENT);
    assert_true(say(p.sock, 0));
    assert_int_equal(process_wait(&p), 0);
    assert_true(live_await_counts(&recorder.events, count, count, count));
    live_stop(&l, LR_NONE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    live_recorder_fini(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(accepting_pauses_while_there_is_no_descriptor),
    };

    return LIVE_MAIN(tests);
}
