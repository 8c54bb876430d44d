/* SPDX-License-Identifier: MIT */
/* live_abort.c: a thousand clients that go away at once, at every stage of a connection. No hook is
 * missed, none comes twice, nothing leaks. */
#include "client.h"
#include "process.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CLIENTS = LIVE_SANITIZED ? 100 : 1000,
    HELLO_MAX = 2048,
    MEMORY_KB = 2 * 1024, /* what the process may hold more than before */
    RETURN_MS = 10 * 1000
};

typedef enum stage {
    AFTER_CONNECT,
    IN_HELLO,
    AFTER_HELLO,
    AFTER_RETRY_REQUEST,
    AFTER_SERVER_HELLO,
    AFTER_SECURE,
    IN_TRANSFER,
    STAGE_COUNT
} stage;

/* The first flight of a client; one for all that do not go beyond it. */
typedef struct hello {
    uint8_t bytes[HELLO_MAX];
    size_t len;
} hello;

static bool make_hello(hello *h, const char *groups)
{
    tls_plan plan = {.version = TLS1_3_VERSION, .groups = groups};
    SSL_CTX *ctx = tls_ctx_new(&plan);
    tls_client t = {.ctx = ctx, .ssl = SSL_new(ctx), .sock = -1};

    h->len = t.ssl ? tls_first_flight(&t, h->bytes, sizeof(h->bytes)) : 0;
    SSL_free(t.ssl);
    SSL_CTX_free(ctx);
    return h->len != 0;
}

static bool go_to_hello(tls_client *t, uint16_t port, stage at, const hello *h)
{
    uint8_t first;

    t->sock = tcp_connect(NULL, port);
    if (t->sock < 0)
        return false;
    if (at == AFTER_CONNECT)
        return true;
    if (!tcp_send(t->sock, h->bytes, at == IN_HELLO ? h->len / 2 : h->len))
        return false;
    if (at == AFTER_RETRY_REQUEST || at == AFTER_SERVER_HELLO)
        return tcp_read(t->sock, &first, 1);
    return tcp_wait_taken(t->sock);
}

static bool go_to_secure(tls_client *t, uint16_t port, stage at, SSL_CTX *ctx)
{
    static const uint8_t bytes[20000], header[] = {23, 3, 3, 0x40};

    if (!tls_connect(t, ctx, NULL, port, "localhost") || !tls_handshake(t))
        return false;
    if (at == IN_TRANSFER &&
        !(tls_write(t, bytes, sizeof(bytes)) && tcp_send(t->sock, header, sizeof(header))))
        return false;
    return tcp_wait_taken(t->sock);
}

/* All of them go to a stage, then away: every second one with an RST, the others with a FIN. */
static bool one_stage(uint16_t port, stage at, SSL_CTX *const *ctx)
{
    tls_client *t = calloc(CLIENTS, sizeof(*t));
    uint32_t started = 0;
    hello h;
    bool ok = t && make_hello(&h, at == AFTER_RETRY_REQUEST ? "P-521:X25519" : "X25519");

    while (ok && started < CLIENTS) {
        t[started].sock = -1;
        ok = at < AFTER_SECURE ? go_to_hello(&t[started], port, at, &h)
                               : go_to_secure(&t[started], port, at, ctx[started % 2]);
        started++;
    }
    if (t && !ok && started > 0)
        (void)fprintf(stderr, "stage %d, client %u: %s\n", (int)at, started - 1,
                      t[started - 1].why);
    for (uint32_t i = 0; i < started; i++) {
        if (i % 2 == 0)
            (void)shutdown(t[i].sock, SHUT_WR);
        tls_close(&t[i], i % 2 == 1);
    }
    free(t);
    return ok;
}

/* The child: is told the port, then answers each number by a round through all stages. */
static int clients(int sock, void *arg)
{
    tls_plan plans[2] = {{.version = TLS1_3_VERSION}, {.version = TLS1_2_VERSION}};
    SSL_CTX *ctx[2] = {tls_ctx_new(&plans[0]), tls_ctx_new(&plans[1])};
    uint64_t port, round;

    (void)arg;
    if (!hear(sock, &port))
        return 1;
    while (hear(sock, &round)) {
        for (int at = AFTER_CONNECT; at < STAGE_COUNT; at++) {
            if (!one_stage((uint16_t)port, (stage)at, ctx))
                return 1;
        }
        if (!say(sock, round))
            return 1;
    }
    return 0;
}

/* What a connection has seen; its lr_conn_user(). */
typedef struct seen {
    bool open, error, secure;
} seen;

static void demand(bool fact, const char *what)
{
    if (fact)
        return;
    (void)fprintf(stderr, "out of order: %s\n", what);
    abort();
}

static void check_order(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    seen *s = lr_conn_user(c);

    (void)recorder;
    switch (hook) {
    case LIVE_OPEN:
        demand(!s->open, "on_open twice, or bytes that are not zero");
        s->open = true;
        break;
    case LIVE_CLIENT_ERROR:
        demand(s->open && !s->error && !s->secure, "on_client_error");
        s->error = true;
        break;
    case LIVE_SECURE:
        demand(s->open && !s->error && !s->secure, "on_secure");
        s->secure = true;
        break;
    case LIVE_DATA:
    case LIVE_DRAIN:
    case LIVE_END:
    case LIVE_SERVER_DRAIN:
    case LIVE_PEER_CERT:
        demand(s->secure, "a hook of an open connection");
        break;
    case LIVE_CLOSE:
        demand(s->open && s->error != s->secure, "on_close");
        memset(s, 0xff, sizeof(*s)); /* whoever has the place next must find zeroes */
        break;
    }
    live_echo(c, hook, bytes);
}

/* The least that the process held within a second: what is freed goes back to the system a little
 * after it has become quiet. */
static uint64_t settled_kb(void)
{
    uint64_t until = live_now_ms() + 1000, least = UINT64_MAX;

    while (live_now_ms() < until) {
        uint64_t now = live_rss_kb(getpid());

        least = now < least ? now : least;
        (void)poll(NULL, 0, 10);
    }
    return least;
}

static void await_memory(uint64_t before)
{
    uint64_t until = live_now_ms() + RETURN_MS, now;

    if (LIVE_SANITIZED)
        return;
    while ((now = live_rss_kb(getpid())) > before + MEMORY_KB && live_now_ms() < until)
        (void)poll(NULL, 0, 10);
    print_message("%llu KB before, %llu KB after\n", (unsigned long long)before,
                  (unsigned long long)now);
    assert_true(now <= before + MEMORY_KB);
}

static void clients_may_go_away_at_every_stage(void **state)
{
    enum { EACH_ROUND = STAGE_COUNT * CLIENTS, SECURED = 2 * CLIENTS };
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state),
                      .user = &recorder,
                      .worker_count = 2,
                      .conn_user_size = sizeof(seen),
                      .handshake_timeout_ms = LR_NONE};
    uint64_t before = 0, round;
    process p;
    live l;

    live_recorder_init(&recorder);
    recorder.quiet = true;
    recorder.act = check_order;
    process_fork(&p, clients, NULL);
    live_start(&l, &plan);
    assert_true(say(p.sock, l.port));
    for (round = 1; round <= 2; round++) {
        assert_true(say(p.sock, round));
        assert_true(hear(p.sock, &(uint64_t){0}));
        assert_true(live_await_counts(&recorder.events, round * EACH_ROUND, round * SECURED,
                                      round * EACH_ROUND));
        if (round == 1)
            before = settled_kb();
    }
    await_memory(before);
    (void)shutdown(p.sock, SHUT_WR);
    assert_int_equal(process_wait(&p), 0);
    live_stop(&l, LR_NONE);
    assert_int_equal(recorder.events.opened, 2 * EACH_ROUND);
    assert_int_equal(recorder.events.closed, 2 * EACH_ROUND);
    live_recorder_fini(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(clients_may_go_away_at_every_stage),
    };

    return LIVE_MAIN(tests);
}
