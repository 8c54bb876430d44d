/* SPDX-License-Identifier: MIT */
/* live_watchdog.c: a hook that keeps its worker is named while it does, and once. The hooks here
 * block on a pipe until the line about them has been logged. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THRESHOLD_MS = 30, STALLS = 2 };

typedef struct scene {
    live_events lines;
    int go[STALLS][2]; /* what the hook of each worker waits for */
} scene;

static void on_line(lr_log_level level, const char *line, void *user)
{
    scene *s = user;

    if (level == LR_LOG_WARN && strncmp(line, "hook_stalled ", 13) == 0)
        live_note(&s->lines, "%s", line);
}

static void block(lr_conn *c, lr_slice bytes)
{
    const scene *s = lr_server_user(lr_conn_server(c));
    char byte;

    (void)bytes;
    if (read(s->go[bytes.bytes[0] - '0'][0], &byte, 1) != 1)
        abort();
}

static void block_worker(lr_worker *worker, void *arg)
{
    const scene *s = arg;
    char byte;

    if (read(s->go[lr_worker_index(worker)][0], &byte, 1) != 1)
        abort();
}

static uint64_t stalls_of(const lr_workers *workers)
{
    lr_stats stats = {LR_STATS};

    assert_int_equal(lr_stats_read(workers, &stats), LR_OK);
    return stats.hooks_stalled;
}

static lr_workers *workers_watched(void **state, scene *s, uint32_t threshold_ms)
{
    lr_workers_options options = {LR_WORKERS_OPTIONS,
                                  .worker_count = STALLS,
                                  .pin = LR_OFF,
                                  .ring = live_ring(state),
                                  .log = on_line,
                                  .log_user = s,
                                  .stall_threshold_ms = threshold_ms};
    lr_workers *workers = NULL;
    lr_error err;
    lr_status status = lr_workers_new(&options, &workers, &err);

    if (status == LR_ERING && live_ring(state) == LR_RING_URING)
        skip();
    assert_int_equal(status, LR_OK);
    live_events_init(&s->lines);
    for (uint32_t i = 0; i < STALLS; i++)
        assert_int_equal(pipe(s->go[i]), 0);
    return workers;
}

static void leave(scene *s, lr_workers *workers)
{
    lr_workers_free(workers);
    for (uint32_t i = 0; i < STALLS; i++) {
        (void)close(s->go[i][0]);
        (void)close(s->go[i][1]);
    }
    live_events_fini(&s->lines);
}

/* At least the threshold, and nothing behind it. */
static void expect_line(const char *line, const char *begin)
{
    char *end;

    assert_true(strncmp(line, begin, strlen(begin)) == 0);
    assert_true(strtoul(line + strlen(begin), &end, 10) >= THRESHOLD_MS);
    assert_string_equal(end, " ");
}

static void a_hook_that_blocks_is_named_while_it_does(void **state)
{
    static const lr_handlers handlers = {LR_HANDLERS, .on_data = block};
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .host = "127.0.0.1", .plain = true};
    scene s;
    lr_workers *workers = workers_watched(state, &s, THRESHOLD_MS);
    lr_server_options options = {LR_SERVER_OPTIONS, .handlers = &handlers, .user = &s};
    lr_stats of = {LR_STATS};
    lr_server *server;
    char begin[64];
    uint32_t worker = 0;
    lr_error err;
    int sock;

    assert_int_equal(lr_server_new(workers, &options, &server, &err), LR_OK);
    assert_int_equal(lr_server_listen(server, &listen, NULL, &err), LR_OK);
    assert_int_equal(lr_workers_start(workers, &err), LR_OK);
    sock = tcp_connect(NULL, lr_server_port(server, 0));
    assert_true(sock >= 0);
    assert_true(tcp_send(sock, "0", 1));
    assert_true(live_await(&s.lines, "hook=on_data"));
    assert_int_equal(stalls_of(workers), 1);
    assert_int_equal(write(s.go[0][1], "", 1), 1);
    (void)close(sock);
    lr_workers_stop(workers, 0);
    lr_workers_join(workers);
    assert_int_equal(stalls_of(workers), 1);
    assert_int_equal(lr_stats_read_worker(workers, 0, &of), LR_OK);
    if (of.hooks_stalled == 0)
        worker = 1;
    (void)snprintf(begin, sizeof(begin), "hook_stalled worker=%u hook=on_data ms>=", worker);
    expect_line(s.lines.text, begin);
    lr_server_free(server);
    leave(&s, workers);
}

/* The first goes on being stalled until the second has been seen, one threshold later. */
static void a_stall_is_told_once_however_long_it_lasts(void **state)
{
    scene s;
    lr_workers *workers = workers_watched(state, &s, THRESHOLD_MS);
    lr_error err;

    assert_int_equal(lr_workers_start(workers, &err), LR_OK);
    assert_int_equal(lr_worker_post(lr_workers_worker(workers, 0), block_worker, &s), LR_OK);
    assert_true(live_await(&s.lines, "worker=0"));
    expect_line(s.lines.text, "hook_stalled worker=0 hook=post ms>=");
    live_events_clear(&s.lines);
    assert_int_equal(lr_worker_post(lr_workers_worker(workers, 1), block_worker, &s), LR_OK);
    assert_true(live_await(&s.lines, "worker=1"));
    for (uint32_t i = 0; i < STALLS; i++)
        assert_int_equal(write(s.go[i][1], "", 1), 1);
    lr_workers_stop(workers, 0);
    lr_workers_join(workers);
    expect_line(s.lines.text, "hook_stalled worker=1 hook=post ms>=");
    assert_int_equal(stalls_of(workers), STALLS);
    leave(&s, workers);
}

static void without_a_threshold_nobody_looks(void **state)
{
    scene s;
    lr_workers *workers = workers_watched(state, &s, LR_NONE);
    lr_error err;

    assert_int_equal(write(s.go[0][1], "", 1), 1);
    assert_int_equal(lr_workers_start(workers, &err), LR_OK);
    assert_int_equal(lr_worker_post(lr_workers_worker(workers, 0), block_worker, &s), LR_OK);
    lr_workers_stop(workers, 0);
    lr_workers_join(workers);
    assert_int_equal(stalls_of(workers), 0);
    assert_string_equal(s.lines.text, "");
    leave(&s, workers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(a_hook_that_blocks_is_named_while_it_does),
        LIVE_TEST(a_stall_is_told_once_however_long_it_lasts),
        LIVE_TEST(without_a_threshold_nobody_looks),
    };

    return LIVE_MAIN(tests);
}
