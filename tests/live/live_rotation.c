/* SPDX-License-Identifier: MIT */
/* live_rotation.c: ticket keys are replaced ten thousand times while clients resume without a
 * pause, and a worker stands still for a part of it: no ticket that is used within a few rotations
 * is missed, none is taken once its key has gone (T-ROT). */
#include "client.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum {
    CLIENTS = 3,
    WORKERS = 2,
    ROTATIONS = LIVE_SANITIZED ? 1500 : 10000,
    STALLED_AT = 200,  /* the rotation at which a worker stands still */
    STALLED_FOR = 2,   /* rotations; each waits a second for it */
    RESUMPTIONS = 200, /* of one session in a row, then there is a full handshake */
    AGE_MAX = 8,       /* a client's ticket may be older by so many rotations; 14 keys are behind
                        * the current one */
    NOTHING_HELD = 0x7fffffff
};

typedef struct storm {
    live l;
    _Atomic uint32_t rotations; /* keys that were seen to seal */
    _Atomic uint32_t held[CLIENTS];
    _Atomic uint32_t resumed, full;
    _Atomic uint32_t clients_left;
    _Atomic bool over, stands, may_go;
} storm;

/* One connection, resuming *session if there is one, and giving the next. */
static bool visit(storm *s, SSL_CTX *ctx, SSL_SESSION **session, bool *resumed, tls_client *c)
{
    char got[4];
    bool ok = tls_connect(c, ctx, NULL, s->l.port, "localhost");

    if (ok && *session)
        ok = SSL_set_session(c->ssl, *session) == 1;
    ok = ok && tls_handshake(c) && tls_write(c, "ping", 4) && tls_read(c, got, 4);
    if (ok) {
        *resumed = SSL_session_reused(c->ssl) == 1;
        SSL_SESSION_free(*session);
        *session = SSL_get1_session(c->ssl);
        SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN); /* or its session would be a bad one */
    }
    tls_close(c, ok);
    return ok;
}

static bool resume_until_it_is_over(uint32_t index, storm *s, char *why, size_t cap)
{
    tls_plan plan = {.version = index % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION};
    SSL_CTX *ctx = tls_ctx_new(&plan);
    SSL_SESSION *session = NULL;
    uint32_t in_a_row = 0;
    bool ok = ctx != NULL;

    while (ok && !s->over) {
        bool offered = session != NULL && in_a_row < RESUMPTIONS, resumed = false;
        uint32_t now = s->rotations;
        tls_client c;

        ok = visit(s, ctx, &session, &resumed, &c);
        (void)snprintf(why, cap, "%.200s", c.why);
        if (ok && offered && !resumed) {
            (void)snprintf(why, cap, "client %u: a ticket of rotation %u was missed at %u", index,
                           s->held[index], s->rotations);
            ok = false;
        }
        s->held[index] = now; /* the next ticket is at most as old as this */
        in_a_row = resumed ? in_a_row + 1 : 0;
        if (resumed)
            s->resumed++;
        else
            s->full++;
    }
    s->held[index] = NOTHING_HELD;
    SSL_SESSION_free(session);
    SSL_CTX_free(ctx);
    s->clients_left--;
    return ok;
}

static void stand_still(lr_worker *w, void *arg)
{
    storm *s = arg;

    (void)w;
    s->stands = true;
    while (!s->may_go)
        (void)sched_yield();
}

static bool is_somebody_far_behind(const storm *s)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        if (s->rotations >= s->held[i] + AGE_MAX)
            return true;
    }
    return false;
}

/* Until another key is to seal. While the last change is not in use everywhere, a call is that one
 * again. */
static bool rotate(storm *s)
{
    uint8_t before[LR_TICKET_KEY_SIZE], now[LR_TICKET_KEY_SIZE];
    bool ok = lr_workers_get_ticket_key(s->l.workers, before);

    do {
        ok = ok && lr_workers_rotate_ticket_keys(s->l.workers, NULL) == LR_OK &&
             lr_workers_get_ticket_key(s->l.workers, now);
    } while (ok && memcmp(before, now, sizeof(now)) == 0 && sched_yield() == 0);
    s->rotations++;
    return ok;
}

static bool rotate_often(storm *s, char *why, size_t cap)
{
    bool ok = true;

    for (uint32_t n = 1; ok && n <= ROTATIONS; n++) {
        if (n == STALLED_AT) {
            ok = lr_worker_post(lr_workers_worker(s->l.workers, 1), stand_still, s) == LR_OK;
            while (ok && !s->stands)
                (void)sched_yield();
        }
        if (n == STALLED_AT + STALLED_FOR)
            s->may_go = true;
        ok = ok && rotate(s);
        if (!ok)
            (void)snprintf(why, cap, "rotation %u went wrong", n);
        while (ok && s->clients_left == CLIENTS && is_somebody_far_behind(s) &&
               (!s->stands || s->may_go))
            (void)sched_yield();
    }
    s->may_go = true;
    s->over = true;
    return ok;
}

static bool take_part(uint32_t index, void *arg, char *why, size_t cap)
{
    return index < CLIENTS ? resume_until_it_is_over(index, arg, why, cap)
                           : rotate_often(arg, why, cap);
}

static SSL_SESSION *session_of(storm *s, SSL_CTX *ctx)
{
    SSL_SESSION *session = NULL;
    tls_client c;
    bool resumed;

    TLS_MUST(&c, visit(s, ctx, &session, &resumed, &c));
    return session;
}

static void
live_B4_a_storm_of_rotations_misses_no_ticket_and_takes_none_of_a_retired_key(void **state)
{
    static storm s;
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .worker_count = WORKERS};
    tls_plan client = {.version = TLS1_3_VERSION};
    SSL_CTX *ctx = tls_ctx_new(&client);
    SSL_SESSION *old;
    lr_stats stats = {LR_STATS};
    bool resumed;
    tls_client c;
    char why[240];

    memset(&s, 0, sizeof(s));
    live_recorder_init(&recorder);
    recorder.quiet = true;
    live_start(&s.l, &plan);
    old = session_of(&s, ctx);
    s.clients_left = CLIENTS;
    if (!clients_run(CLIENTS + 1, take_part, &s, why, sizeof(why))) {
        assert_int_equal(lr_stats_read(s.l.workers, &stats), LR_OK);
        fail_msg("%s (unknown keys %llu, refused %llu)", why,
                 (unsigned long long)stats.tickets_unknown_key,
                 (unsigned long long)stats.sessions_refused);
    }
    print_message("%u rotations, %u resumed, %u full\n", s.rotations, s.resumed, s.full);
    assert_true(s.full >= CLIENTS && s.full <= CLIENTS + s.resumed / RESUMPTIONS);
    assert_true(s.resumed > CLIENTS);
    assert_int_equal(lr_stats_read(s.l.workers, &stats), LR_OK);
    assert_int_equal(stats.tickets_unknown_key, 0);
    TLS_MUST(&c, visit(&s, ctx, &old, &resumed, &c));
    assert_false(resumed);
    TLS_MUST(&c, visit(&s, ctx, &old, &resumed, &c)); /* the one that it got instead */
    assert_true(resumed);
    SSL_SESSION_free(old);
    SSL_CTX_free(ctx);
    live_stop(&s.l, LR_NONE);
    live_recorder_fini(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_B4_a_storm_of_rotations_misses_no_ticket_and_takes_none_of_a_retired_key),
    };

    return LIVE_MAIN(tests);
}
