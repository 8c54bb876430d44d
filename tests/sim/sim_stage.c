/* SPDX-License-Identifier: MIT */
/* tests/sim/sim_stage.c: see the header. One thread; the workers' turns and the clients' steps
 * alternate, and the clock moves only when a whole round changed nothing. */
#include "tests/sim/sim_stage.h"

#include "tests/unit/fixtures.h"

#include <stdarg.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

enum { CHUNK = 4000, QUIET_ROUNDS = 12, ROUNDS_MAX = 400000 };

static stage *stage_of(const lr_conn *c)
{
    return lr_server_user(lr_conn_server(c));
}

static void on_open(lr_conn *c)
{
    uint8_t *seen = lr_conn_user(c);

    assert_int_equal(seen[0], 0); /* zeroed, and the first hook */
    seen[0] = 1;
    stage_of(c)->opened++;
}

static void on_client_error(lr_conn *c, const lr_error *why)
{
    uint8_t *seen = lr_conn_user(c);

    assert_int_equal(seen[0], 1); /* once, and not after on_secure */
    seen[0] = 2;
    stage_of(c)->errors++;
    stage_of(c)->timeouts += why->status == LR_EHANDSHAKE_TIMEOUT;
}

static void on_secure(lr_conn *c)
{
    uint8_t *seen = lr_conn_user(c);

    assert_int_equal(seen[0], 1);
    seen[0] = 3;
    assert_true(lr_conn_version(c) != LR_TLS_DEFAULT);
    assert_true(*lr_conn_cipher(c) != '\0');
    if (stage_of(c)->plan.look)
        stage_of(c)->plan.look(stage_of(c), c);
    stage_of(c)->secured++;
}

static void on_data(lr_conn *c, lr_slice bytes)
{
    uint8_t *seen = lr_conn_user(c);

    stage *s = stage_of(c);

    assert_int_equal(seen[0], 3);
    assert_int_equal(lr_conn_write(c, bytes), LR_OK);
    s->written += bytes.len;
    s->read_stopped |= c->above_high;
    if (s->plan.server_ends_after != 0 &&
        lr_conn_byte_counts(c).app_in >= s->plan.server_ends_after)
        lr_conn_end(c);
}

static void on_close(lr_conn *c, const lr_error *why)
{
    uint8_t *seen = lr_conn_user(c);

    (void)why;
    assert_true(seen[0] != 0 && seen[0] != 9);
    seen[0] = 9;
    stage_of(c)->ended++;
}

static void client_open(stage *s, uint32_t i)
{
    static const uint16_t groups[] = {LR__GROUP_X25519, LR__GROUP_SECP256R1, 0};
    stage_client *c = &s->clients[i];
    tls_client_plan plan = {.name = "sim.example", .groups = groups};

    if (i % 2 == 1)
        plan.version_max = LR_TLS_1_2;
    tls_client_init(&c->tls, &plan);
    c->peer = sim_connect(s->world, lr_server_port(s->server, 0));
    assert_true(c->peer >= 0);
    c->pattern = (uint8_t)sim_draw(s->world);
    c->reset_after =
        s->plan.aborts && i % 3 == 2 ? sim_draw(s->world) % (s->plan.bytes + 1000) : UINT64_MAX;
    if (s->plan.begin)
        s->plan.begin(s, i);
    tls_client_step(&c->tls);
}

void stage_open(stage *s, uint64_t seed, const sim_faults *faults, const stage_plan *plan)
{
    lr_handlers handlers = {LR_HANDLERS,
                            .on_open = on_open,
                            .on_client_error = on_client_error,
                            .on_secure = on_secure,
                            .on_data = on_data,
                            .on_preface = plan->on_preface,
                            .on_close = on_close};
    lr_workers_options on = {LR_WORKERS_OPTIONS, .worker_count = plan->workers, .pin = LR_OFF,
                             .log_level = LR_LOG_OFF};
    lr_context_options who = {LR_CONTEXT_OPTIONS,
                              .cert = lr_slice_of(fixture_ecdsa, strlen(fixture_ecdsa)),
                              .key = lr_slice_of(fixture_ecdsa_key, strlen(fixture_ecdsa_key))};
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .host = "127.0.0.1",
                                .preface = plan->on_preface != NULL};
    lr_error err;

    memset(s, 0, sizeof(*s));
    s->plan = *plan;
    if (plan->tune)
        plan->tune(&handlers);
    s->world = sim_new(seed, faults);
    tls_world_enter(&s->client_world, seed);
    assert_int_equal(lr_context_new(&who, &s->context, &err), LR_OK);
    assert_int_equal(lr__workers_new_on(&on, &sim_backend, s->world, &s->workers, &err), LR_OK);
    lr_server_options options = {
        LR_SERVER_OPTIONS,
        .handlers = &handlers,
        .context = s->context,
        .user = s,
        .conn_user_size = 16,
        .handshake_timeout_ms = plan->handshake_ms ? plan->handshake_ms : LR_NONE};
    assert_int_equal(lr_server_new(s->workers, &options, &s->server, &err), LR_OK);
    assert_int_equal(lr_server_listen(s->server, &listen, NULL, &err), LR_OK);
    for (uint32_t i = 0; i < plan->workers; i++) {
        assert_int_equal(lr__worker_open(s->workers->list[i], &err), LR_OK);
        s->going[i] = true;
    }
    for (uint32_t i = 0; i < plan->clients; i++)
        client_open(s, i);
}

static uint8_t pattern_at(const stage_client *c, size_t at)
{
    return (uint8_t)(c->pattern + at * 7 + (at >> 8));
}

static void client_check_data(stage *s, stage_client *c)
{
    uint8_t bytes[LR__PLAINTEXT_SIZE];
    size_t len;

    while ((len = tls_client_read(&c->tls, bytes, sizeof(bytes))) > 0) {
        for (size_t i = 0; i < len; i++)
            assert_int_equal(bytes[i], pattern_at(c, c->received + i));
        c->received += len;
        assert_true(c->received <= c->sent);
    }
    (void)s;
}

static void client_produce(stage *s, stage_client *c)
{
    uint8_t bytes[CHUNK];
    size_t len;

    if (c->sent < s->plan.bytes && c->tls.out.len < 2 * CHUNK) {
        len = 1 + sim_draw(s->world) % CHUNK;
        if (len > s->plan.bytes - c->sent)
            len = s->plan.bytes - c->sent;
        for (size_t i = 0; i < len; i++)
            bytes[i] = pattern_at(c, c->sent + i);
        tls_client_write(&c->tls, bytes, len);
        c->sent += len;
    } else if (c->received == s->plan.bytes && !c->closed) {
        c->closed = true;
        tls_client_close(&c->tls);
    }
}

static void client_send(stage *s, stage_client *c)
{
    size_t len = c->tls.out.len, put;

    if (c->holding)
        len = len > c->held_back ? len - c->held_back : 0;
    put = len ? sim_peer_write(s->world, c->peer, c->tls.out.bytes, len) : 0;
    if (put != 0)
        c->stuck = 0;
    tls_bytes_drop(&c->tls.out, put);
    c->wire_sent += put;
    if (c->wire_sent >= c->reset_after) {
        sim_peer_reset(s->world, c->peer);
        c->reset = c->over = true;
    }
}

static void client_step(stage *s, stage_client *c)
{
    uint8_t bytes[8192];
    size_t got;

    if (c->over)
        return;
    c->stuck = c->tls.out.len != 0 ? c->stuck + 1 : 0;
    if (s->plan.slow_readers && c->tls.done && c->sent < s->plan.bytes && c->stuck < 200) {
        client_produce(s, c);
        client_send(s, c);
        return;
    }
    while ((got = sim_peer_read(s->world, c->peer, bytes, sizeof(bytes))) > 0)
        tls_bytes_add(&c->tls.in, bytes, got);
    if (sim_peer_was_reset(s->world, c->peer)) {
        c->refused = c->over = true;
        return;
    }
    tls_client_step(&c->tls);
    if (c->tls.done) {
        client_check_data(s, c);
        client_produce(s, c);
    }
    client_send(s, c);
    if (!c->over && sim_peer_at_eof(s->world, c->peer)) {
        sim_peer_end(s->world, c->peer);
        c->refused = !c->closed;
        c->over = true;
    }
}

static void stop(stage *s)
{
    if (s->stopped)
        return;
    s->stopped = true;
    lr_workers_stop(s->workers, LR_NONE);
}

void stage_round(stage *s)
{
    uint64_t before = sim_transcript(s->world);
    uint32_t ended = s->ended;

    for (uint32_t i = 0; i < s->plan.clients; i++)
        client_step(s, &s->clients[i]);
    if (s->plan.drain_at_round != 0 && s->rounds == s->plan.drain_at_round)
        stop(s);
    if (s->plan.between)
        s->plan.between(s);
    for (uint32_t i = 0; i < s->plan.workers; i++) {
        if (s->going[i])
            s->going[i] = lr__worker_turn(s->workers->list[i]);
    }
    s->rounds++;
    assert_true(s->rounds < ROUNDS_MAX);
    if (before != sim_transcript(s->world) || ended != s->ended) {
        s->quiet = 0;
    } else if (++s->quiet >= QUIET_ROUNDS) {
        s->quiet = 0;
        (void)sim_advance(s->world);
    }
}

static bool all_clients_over(const stage *s)
{
    for (uint32_t i = 0; i < s->plan.clients; i++) {
        if (!s->clients[i].over)
            return false;
    }
    return true;
}

static bool any_worker_going(const stage *s)
{
    for (uint32_t i = 0; i < s->plan.workers; i++) {
        if (s->going[i])
            return true;
    }
    return false;
}

void stage_play(stage *s)
{
    while (!all_clients_over(s))
        stage_round(s);
    stop(s);
    while (any_worker_going(s))
        stage_round(s);
}

void stage_check(stage *s)
{
    uint32_t resets = 0, wrong = 0;

    for (uint32_t i = 0; i < s->plan.clients; i++) {
        stage_client *c = &s->clients[i];

        resets += c->reset;
        wrong += c->wrong;
        if (c->reset)
            continue;
        if (c->wrong) {
            assert_true(c->refused);
            continue;
        }
        if (s->plan.server_ends_after != 0) {
            assert_false(sim_peer_was_reset(s->world, c->peer)); /* the last answer arrived */
            assert_int_equal(c->received, s->written);
            continue;
        }
        assert_false(c->refused);
        assert_int_equal(c->tls.failure, 0);
        assert_int_equal(c->received, s->plan.bytes);
    }
    assert_true(s->opened <= s->plan.clients);
    assert_true(s->opened + resets >= s->plan.clients); /* one may be reset before its accept */
    assert_int_equal(s->ended, s->opened);
    assert_true(s->secured + resets + wrong >= s->opened);
    assert_int_equal(s->secured + s->errors, s->opened);
    assert_int_equal(lr_server_connection_count(s->server), 0);
}

void stage_close(stage *s)
{
    stop(s);
    while (any_worker_going(s))
        stage_round(s);
    for (uint32_t i = 0; i < s->plan.workers; i++)
        lr__worker_close(s->workers->list[i]); /* aborts if anything is left in a pool */
    lr_server_free(s->server);
    lr_workers_free(s->workers);
    lr_context_release(s->context);
    for (uint32_t i = 0; i < s->plan.clients; i++)
        tls_client_fini(&s->clients[i].tls);
    tls_world_leave(&s->client_world);
    sim_free(s->world);
}

void stage_hold_back(stage *s, uint32_t client, size_t bytes)
{
    s->clients[client].holding = true;
    s->clients[client].held_back = bytes;
}

void stage_let_go(stage *s, uint32_t client)
{
    s->clients[client].holding = false;
}

bool stage_client_is_over(const stage *s, uint32_t client)
{
    return s->clients[client].over;
}

static lr_conn *conn_at(const stage *s, uint32_t slot)
{
    lr_conn *c = lr__slab_at(&s->workers->list[0]->conns, slot);

    assert_non_null(c);
    return c;
}

lr__conn_state stage_conn_state(const stage *s, uint32_t slot)
{
    return conn_at(s, slot)->state;
}

bool stage_conn_has_engine(const stage *s, uint32_t slot)
{
    return conn_at(s, slot)->engine != NULL;
}
