/* SPDX-License-Identifier: MIT */
/* sim_queue: copied, borrowed and streamed output of accepted and of made connections, over short
 * sends, late cancels, resets and refusals. LOCKRING_SEED=N runs one seed; LOCKRING_FULL=1 many. */
#include "core/run/worker.h"
#include "core/run/workers.h"
#include "tests/sim/sim.h"

#include <lockring/lockring.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { PEERS = 8, MADE = 6, ROUNDS_MAX = 400000, QUIET_ROUNDS = 12, CHUNK = 20000 };

/* The other end of a connection: reads, and perhaps resets somewhere. */
typedef struct reader {
    int peer;     /* -1: not there yet */
    uint8_t name; /* where its pattern begins */
    size_t got, reset_after;
    bool over, whole;
} reader;

typedef struct play {
    sim *world;
    lr_workers *workers;
    lr_server *server;
    lr_client *client;
    bool going[3];
    uint32_t worker_count;
    reader readers[PEERS], stands[MADE];
    uint32_t stand_count;
    int stand;
    uint16_t nobody; /* a port on which nobody listens */
    size_t total;
    int lent; /* pieces and streams that were handed over and not given back */
    uint32_t opened, closed, made_opened, made_closed, made_failed, secured;
} play;

/* lr_conn_user(). */
typedef struct writer {
    lr_timer *timer;
    size_t at;
    uint8_t name;
    bool named;
} writer;

/* A borrowed block or a stream. */
typedef struct piece {
    play *p;
    writer *w;
    size_t at, left;
    uint8_t bytes[];
} piece;

static play *play_of(const lr_conn *c)
{
    lr_server *server = lr_conn_server(c);

    return server ? lr_server_user(server) : lr_client_user(lr_conn_client(c));
}

static uint8_t pattern_at(uint8_t name, size_t at)
{
    return (uint8_t)(name + at * 7 + (at >> 8));
}

static void fill(uint8_t *out, uint8_t name, size_t at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = pattern_at(name, at + i);
}

static piece *piece_new(play *p, writer *w, size_t len, bool with_bytes)
{
    piece *one = malloc(sizeof(*one) + (with_bytes ? len : 0));

    assert_non_null(one);
    *one = (piece){p, w, w->at, len};
    if (with_bytes)
        fill(one->bytes, w->name, w->at, len);
    p->lent++;
    return one;
}

static void give_back(void *arg)
{
    piece *one = arg;

    one->p->lent--;
    free(one);
}

static void on_done(lr_conn *c, lr_status status, void *arg)
{
    const piece *one = arg;

    (void)c;
    assert_true(status == LR_OK ? one->left == 0 : status == LR_ECLOSED);
    give_back(arg);
}

static int64_t on_pull(lr_conn *c, void *out, size_t cap, void *arg)
{
    piece *one = arg;
    uint64_t dice = sim_draw(one->p->world);
    size_t len = 1 + (size_t)(dice >> 8) % cap;

    assert_in_range(cap, 1, 16384);
    if (dice % 8 == 0) {
        lr_timer_set(one->w->timer, (uint32_t)(dice >> 32) % 50);
        return LR_EAGAIN;
    }
    if (dice % 64 == 1)
        lr_conn_source_ready(c);
    len = len < one->left ? len : one->left;
    fill(out, one->w->name, one->at, len);
    one->at += len;
    one->left -= len;
    return (int64_t)len;
}

static lr_status give(lr_conn *c, play *p, writer *w, size_t len)
{
    piece *one = piece_new(p, w, len, true);
    lr_source source = {on_pull, on_done, one};
    lr_status status;

    switch (sim_draw(p->world) % 4) {
    case 0:
        status = lr_conn_write_take(c, lr_slice_of(one->bytes, len), give_back, one);
        break;
    case 1:
        status = lr_conn_write_source(c, &source);
        break;
    default:
        status = lr_conn_write(c, lr_slice_of(one->bytes, len));
        give_back(one);
        return status;
    }
    if (status != LR_OK)
        give_back(one);
    return status;
}

static void give_on(lr_conn *c)
{
    play *p = play_of(c);
    writer *w = lr_conn_user(c);

    while (w->at < p->total) {
        size_t len = 1 + (size_t)(sim_draw(p->world) % CHUNK);
        lr_status status;

        len = len < p->total - w->at ? len : p->total - w->at;
        status = give(c, p, w, len);
        if (status == LR_EAGAIN)
            return; /* on_drain */
        assert_int_equal(status, LR_OK);
        w->at += len;
    }
    lr_conn_end(c);
}

static void on_ready(lr_timer *timer, void *user)
{
    (void)timer;
    lr_conn_source_ready(user);
}

static void on_open(lr_conn *c)
{
    writer *w = lr_conn_user(c);
    play *p = play_of(c);

    assert_int_equal(lr_timer_new(lr_conn_worker(c), on_ready, c, &w->timer), LR_OK);
    if (lr_conn_server(c))
        p->opened++;
    else
        p->made_opened++;
}

static void on_data(lr_conn *c, lr_slice bytes)
{
    writer *w = lr_conn_user(c);

    assert_false(w->named);
    assert_int_equal(bytes.len, 1);
    w->named = true;
    w->name = bytes.bytes[0];
    give_on(c);
}

static void on_made(lr_conn *c)
{
    writer *w = lr_conn_user(c);

    play_of(c)->secured++;
    w->named = true;
    w->name = 99;
    give_on(c);
}

static void on_drain(lr_conn *c)
{
    if (((writer *)lr_conn_user(c))->named)
        give_on(c);
}

static void on_failed(lr_conn *c, const lr_error *why)
{
    assert_true(why->status == LR_ECONNECT || why->status == LR_ECONNECT_TIMEOUT);
    play_of(c)->made_failed++;
}

static void on_close(lr_conn *c, const lr_error *why)
{
    play *p = play_of(c);

    (void)why;
    lr_timer_free(((writer *)lr_conn_user(c))->timer);
    if (lr_conn_server(c))
        p->closed++;
    else
        p->made_closed++;
}

static void make_connections(lr_worker *w, void *arg)
{
    play *p = arg;
    lr_connect_options to = {LR_CONNECT_OPTIONS, .host = "127.0.0.1"};
    lr_conn *c;

    for (int i = 0; i < MADE; i++) {
        to.port = i == 0 ? p->nobody : sim_peer_port(p->world, p->stand);
        assert_int_equal(lr_client_connect(p->client, w, &to, &c, NULL), LR_OK);
        if (i == 1)
            lr_conn_abort(c, LR_OK);
    }
}

static void make_objects(play *p)
{
    static const lr_handlers serving = {LR_HANDLERS, .on_open = on_open, .on_data = on_data,
                                        .on_drain = on_drain, .on_close = on_close};
    static const lr_handlers making = {
        LR_HANDLERS,          .on_open = on_open,   .on_client_error = on_failed,
        .on_secure = on_made, .on_drain = on_drain, .on_close = on_close};
    lr_workers_options on = {LR_WORKERS_OPTIONS, .worker_count = p->worker_count, .pin = LR_OFF,
                             .log_level = LR_LOG_OFF};
    lr_server_options in = {LR_SERVER_OPTIONS, .handlers = &serving, .user = p,
                            .conn_user_size = sizeof(writer)};
    lr_client_options out = {LR_CLIENT_OPTIONS, .handlers = &making, .user = p,
                             .conn_user_size = sizeof(writer)};
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .host = "127.0.0.1", .plain = true};
    lr_error err;

    assert_int_equal(lr__workers_new_on(&on, &sim_backend, p->world, &p->workers, &err), LR_OK);
    assert_int_equal(lr_server_new(p->workers, &in, &p->server, &err), LR_OK);
    assert_int_equal(lr_client_new(p->workers, &out, &p->client, &err), LR_OK);
    assert_int_equal(lr_server_listen(p->server, &listen, NULL, &err), LR_OK);
    for (uint32_t i = 0; i < p->worker_count; i++) {
        assert_int_equal(lr__worker_open(p->workers->list[i], &err), LR_OK);
        p->going[i] = true;
    }
}

static void play_open(play *p, uint64_t seed, const sim_faults *faults, size_t total, bool resets)
{
    int unused;

    memset(p, 0, sizeof(*p));
    p->world = sim_new(seed, faults);
    p->worker_count = 1 + (uint32_t)(seed % 3);
    p->total = total;
    make_objects(p);
    p->stand = sim_peer_listen(p->world, 0, 2);
    unused = sim_peer_listen(p->world, 0, 1);
    p->nobody = sim_peer_port(p->world, unused);
    sim_peer_unlisten(p->world, unused);
    for (int i = 0; i < PEERS; i++) {
        reader *r = &p->readers[i];

        *r = (reader){.peer = sim_connect(p->world, lr_server_port(p->server, 0)),
                      .name = (uint8_t)sim_draw(p->world),
                      .reset_after = SIZE_MAX};
        assert_true(r->peer >= 0);
        if (resets && i % 3 == 2)
            r->reset_after = sim_draw(p->world) % (total + 1);
        assert_int_equal(sim_peer_write(p->world, r->peer, &r->name, 1), 1);
    }
    assert_int_equal(lr_worker_post(p->workers->list[0], make_connections, p), LR_OK);
}

static void read_some(play *p, reader *r)
{
    uint8_t bytes[8192];
    size_t len;

    if (r->over || r->peer < 0 || sim_draw(p->world) % 4 == 0) /* some are slow */
        return;
    while ((len = sim_peer_read(p->world, r->peer, bytes, sizeof(bytes))) > 0) {
        for (size_t i = 0; i < len; i++)
            assert_int_equal(bytes[i], pattern_at(r->name, r->got + i));
        r->got += len;
    }
    if (sim_peer_was_reset(p->world, r->peer)) {
        r->over = true;
    } else if (r->got >= r->reset_after) {
        sim_peer_reset(p->world, r->peer);
        r->over = true;
    } else if (sim_peer_at_eof(p->world, r->peer)) {
        sim_peer_end(p->world, r->peer);
        r->over = r->whole = true;
    }
}

static bool play_round(play *p)
{
    bool going = false;
    int peer;

    for (int i = 0; i < PEERS; i++)
        read_some(p, &p->readers[i]);
    for (uint32_t i = 0; i < p->stand_count; i++)
        read_some(p, &p->stands[i]);
    if (sim_draw(p->world) % 3 == 0 && (peer = sim_peer_accept(p->world, p->stand)) >= 0)
        p->stands[p->stand_count++] = (reader){.peer = peer, .name = 99, .reset_after = SIZE_MAX};
    for (uint32_t i = 0; i < p->worker_count; i++) {
        if (p->going[i])
            p->going[i] = lr__worker_turn(p->workers->list[i]);
        going |= p->going[i];
    }
    return going;
}

/* What the network holds comes after the workers have ended. */
static bool read_on(play *p)
{
    bool reading = false;

    for (int i = 0; i < PEERS; i++)
        reading |= !p->readers[i].over;
    for (uint32_t i = 0; i < p->stand_count; i++)
        reading |= !p->stands[i].over;
    return reading;
}

static void play_all(play *p)
{
    uint32_t quiet = 0, rounds = 0;
    bool stopped = false, going;

    do {
        uint64_t before = sim_count(p->world).steps; /* what arrives is to be read first */
        uint32_t closed = p->closed + p->made_closed;

        going = play_round(p);
        assert_true(++rounds < ROUNDS_MAX);
        if (!stopped && p->closed == PEERS && p->made_closed == MADE) {
            lr_workers_stop(p->workers, LR_NONE);
            stopped = true;
        }
        if (before != sim_count(p->world).steps || closed != p->closed + p->made_closed) {
            quiet = 0;
        } else if (++quiet >= QUIET_ROUNDS) {
            quiet = 0;
            if (going)
                (void)sim_advance(p->world);
            else
                (void)sim_step(p->world); /* no ring waits any more */
        }
    } while (going || read_on(p));
}

static void play_check(const play *p)
{
    uint32_t whole = 0;

    assert_int_equal(p->lent, 0);
    assert_int_equal(p->opened, PEERS);
    assert_int_equal(p->made_opened, MADE);
    assert_true(p->made_failed >= 1); /* nobody listened for the first */
    assert_int_equal(p->secured + p->made_failed + 1, MADE);
    for (int i = 0; i < PEERS; i++) {
        const reader *r = &p->readers[i];

        assert_true(r->over);
        assert_int_equal(r->whole, r->reset_after == SIZE_MAX);
        if (r->whole)
            assert_int_equal(r->got, p->total);
    }
    for (uint32_t i = 0; i < p->stand_count; i++) {
        whole += p->stands[i].whole && p->stands[i].got == p->total;
        assert_true(!p->stands[i].whole || p->stands[i].got == p->total || p->stands[i].got == 0);
    }
    if (p->total != 0)
        assert_int_equal(whole, p->secured);
}

static void play_close(play *p)
{
    for (uint32_t i = 0; i < p->worker_count; i++)
        lr__worker_close(p->workers->list[i]); /* aborts if anything is left in a pool */
    lr_client_free(p->client);
    lr_server_free(p->server);
    lr_workers_free(p->workers);
    sim_peer_unlisten(p->world, p->stand);
    sim_free(p->world);
}

static uint64_t run(uint64_t seed, const sim_faults *faults, size_t total, bool resets)
{
    uint64_t transcript;
    play p;

    play_open(&p, seed, faults, total, resets);
    play_all(&p);
    play_check(&p);
    transcript = sim_transcript(p.world);
    play_close(&p);
    return transcript;
}

static const sim_faults no_faults = {0};
static const sim_faults all_faults = {.delay = 200,
                                      .late_cancel = 300,
                                      .accept_no_files = 50,
                                      .recv_piece_max = 3000,
                                      .send_piece_max = 5000,
                                      .no_buffers = 20,
                                      .small_pipe = 200,
                                      .net_ns = 3000000,
                                      .work_ns = 1000000,
                                      .connect_fails = 200};

static void everything_arrives_without_faults(void **state)
{
    (void)state;
    (void)run(1, &no_faults, 200000, false);
    (void)run(2, &no_faults, 0, false);
    (void)run(3, &no_faults, 1, false);
}

static void everything_arrives_over_every_fault_or_is_given_back(void **state)
{
    const char *one = getenv("LOCKRING_SEED");
    uint64_t first = one ? strtoull(one, NULL, 0) : 500;
    uint64_t count = one ? 1 : getenv("LOCKRING_FULL") ? 1000 : 30;

    (void)state;
    for (uint64_t seed = first; seed < first + count; seed++) {
        printf("LOCKRING_SEED=%llu\n", (unsigned long long)seed);
        (void)run(seed, &all_faults, 60000, true);
    }
}

static void more_than_the_queue_takes_goes_on_at_each_drain(void **state)
{
    (void)state;
    for (uint64_t seed = 70; seed < 72; seed++)
        (void)run(seed, &no_faults, 3000000, seed % 2 != 0);
}

static void one_seed_gives_the_same_bytes_twice(void **state)
{
    uint64_t first = run(9, &all_faults, 50000, true);

    (void)state;
    assert_true(first == run(9, &all_faults, 50000, true));
    assert_true(first != run(10, &all_faults, 50000, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_arrives_without_faults),
        cmocka_unit_test(everything_arrives_over_every_fault_or_is_given_back),
        cmocka_unit_test(more_than_the_queue_takes_goes_on_at_each_drain),
        cmocka_unit_test(one_seed_gives_the_same_bytes_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
