/* SPDX-License-Identifier: MIT */
/* tls-redis-sessions: sessions of both versions of TLS in a Redis that any number of processes
 * share. Each is used once: GETDEL takes it away (Redis 6.2 or later). A handshake waits for Redis
 * at most 50 ms each time, and not at all while it is down: then it is a full one, and its session
 * is not kept. Redis sees sealed values only; whoever shall open them needs the same keys.
 *
 * Usage: tls-redis-sessions PORT REDIS-PORT|REDIS-PATH TICKET-KEYS [WAIT-MS]
 * The keys are a file as lockring-keys makes it. Each client is told "worker N full" or "worker N
 * resumed"; at the end come the numbers. */
#include "proto/redis.h" /* of the source tree */

#include <lockring/lockring.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIFETIME_S "7200" /* the default of session_lifetime_s: later nobody would resume it */

enum { WAIT_MS = 50, STALL_MS = 1000, KEY_SIZE = 6 + 32 };

static lr_redis *redis;
static _Atomic unsigned long kept, not_kept, found, not_found, not_asked;

/* "tls-s:" and the id. */
static lr_slice key_of(lr_slice id, uint8_t out[KEY_SIZE])
{
    memcpy(out, "tls-s:", 6);
    memcpy(out + 6, id.bytes, id.len < 32 ? id.len : 32);
    return lr_slice_of(out, KEY_SIZE);
}

/* Whatever came of it, the connection goes on. */
static void on_kept(lr_worker *w, lr_status status, const lr_redis_reply *reply, void *arg)
{
    lr_store_ask *ask = arg;

    (void)w;
    if (status == LR_OK && reply->type == LR_REDIS_SIMPLE)
        kept++;
    else
        not_kept++;
    (void)lr_store_answer(*ask, LR_OK); /* LR_EGONE: the client did not wait */
    free(ask);
}

static void on_new_session(lr_conn *c, lr_slice id, lr_slice value, lr_store_ask ask)
{
    lr_store_ask *later = malloc(sizeof(*later));
    uint8_t key[KEY_SIZE];
    lr_slice set[] = {LR_LIT("SET"), key_of(id, key), value, LR_LIT("EX"), LR_LIT(LIFETIME_S)};

    if (later) {
        *later = ask;
        if (lr_redis_command(redis, lr_conn_worker(c), set, 5, on_kept, later) == LR_OK)
            return;
    }
    free(later);
    not_kept++;
    (void)lr_store_answer(ask, LR_OK);
}

static void on_found(lr_worker *w, lr_status status, const lr_redis_reply *reply, void *arg)
{
    lr_resume_ask *ask = arg;
    lr_bytes *value = NULL;

    (void)w;
    /* A longer one would be refused, and the ask stay open. */
    if (status == LR_OK && reply->bytes.len <= LR_SESSION_VALUE_MAX && reply->type == LR_REDIS_BULK)
        value = lr_bytes_new(reply->bytes);
    if (value)
        found++;
    else if (status == LR_OK)
        not_found++;
    else
        not_asked++;
    (void)lr_resume_answer(*ask, LR_OK, value); /* without a value: a full handshake */
    lr_bytes_release(value);
    free(ask);
}

static void on_resume(lr_conn *c, lr_slice id, lr_resume_ask ask)
{
    lr_resume_ask *later = malloc(sizeof(*later));
    uint8_t key[KEY_SIZE];
    lr_slice get[] = {LR_LIT("GETDEL"), key_of(id, key)};

    if (later) {
        *later = ask;
        if (lr_redis_command(redis, lr_conn_worker(c), get, 2, on_found, later) == LR_OK)
            return;
    }
    free(later);
    not_asked++;
    (void)lr_resume_answer(ask, LR_OK, NULL);
}

static void on_secure(lr_conn *c)
{
    char line[64];
    int len = snprintf(line, sizeof(line), "worker %u %s\n", lr_worker_index(lr_conn_worker(c)),
                       lr_conn_is_resumed(c) ? "resumed" : "full");

    if (lr_conn_write(c, lr_slice_of(line, (size_t)len)) == LR_OK)
        lr_conn_end(c);
    else
        lr_conn_abort(c, LR_OK);
}

static void on_worker_start(lr_worker *w, lr_server *s)
{
    (void)s;
    (void)lr_redis_open(redis, w); /* else the first command does */
}

static void on_worker_stop(lr_worker *w, lr_server *s)
{
    (void)s;
    lr_redis_close(redis, w);
}

static void on_up(lr_redis *r, lr_worker *w)
{
    (void)r;
    printf("worker %u: redis is up\n", lr_worker_index(w));
    fflush(stdout);
}

static void on_down(lr_redis *r, lr_worker *w, const lr_error *why)
{
    (void)r;
    fprintf(stderr, "worker %u: redis is down: %s\n", lr_worker_index(w), why->text);
}

static const lr_handlers handlers = {LR_HANDLERS,
                                     .on_worker_start = on_worker_start,
                                     .on_worker_stop = on_worker_stop,
                                     .on_resume = on_resume,
                                     .on_new_session = on_new_session,
                                     .on_secure = on_secure};

/* What this process seals every other one opens that has the same file. */
static lr_status use_keys(lr_workers *workers, const char *path, lr_error *err)
{
    uint8_t bytes[LR_TICKET_KEYS_FILE_MAX];
    lr_ticket_keys *keys = lr_ticket_keys_new();
    FILE *file = fopen(path, "rb");
    lr_status status = LR_EFILE;

    snprintf(err->text, sizeof(err->text), "cannot read %s", path);
    if (file && keys) {
        lr_slice all = lr_slice_of(bytes, fread(bytes, 1, sizeof(bytes), file));

        status = lr_ticket_keys_import(keys, all, false, err);
        if (status == LR_OK)
            status = lr_workers_set_ticket_keys(workers, keys, err);
    }
    if (file)
        fclose(file);
    lr_ticket_keys_free(keys);
    return status;
}

static void tell_numbers(void)
{
    lr_redis_counts c = lr_redis_read_counts(redis);

    printf("sessions: kept=%lu not_kept=%lu found=%lu not_found=%lu not_asked=%lu\n", kept,
           not_kept, found, not_found, not_asked);
    printf("redis: commands=%lu replies=%lu timeouts=%lu late=%lu lost=%lu refused=%lu "
           "connects=%lu failures=%lu\n",
           (unsigned long)c.commands, (unsigned long)c.replies, (unsigned long)c.timeouts,
           (unsigned long)c.late, (unsigned long)c.lost, (unsigned long)c.refused,
           (unsigned long)c.connects, (unsigned long)c.failures);
}

/* True: it served until a signal came, and drained. */
static bool serve(char **argv, uint32_t wait_ms, const sigset_t *signals, lr_error *err)
{
    lr_context_options own = {LR_CONTEXT_OPTIONS, .self_signed = "localhost"};
    lr_redis_options store = {LR_REDIS_OPTIONS, .command_timeout_ms = wait_ms,
                              .stall_timeout_ms = wait_ms > STALL_MS ? wait_ms : STALL_MS,
                              .on_up = on_up, .on_down = on_down};
    lr_server_options options = {LR_SERVER_OPTIONS, .handlers = &handlers};
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .port = (uint16_t)atoi(argv[1])};
    lr_workers *workers = NULL;
    lr_context *context = NULL;
    lr_server *server = NULL;
    bool served = false;
    int number;

    store.port = (uint16_t)atoi(argv[2]);
    if (store.port == 0)
        store.path = argv[2];
    if (lr_workers_new(NULL, &workers, err) == LR_OK && use_keys(workers, argv[3], err) == LR_OK &&
        lr_context_new(&own, &context, err) == LR_OK &&
        (options.context = context, lr_server_new(workers, &options, &server, err)) == LR_OK &&
        lr_redis_new(workers, &store, &redis, err) == LR_OK &&
        lr_server_listen(server, &listen, NULL, err) == LR_OK &&
        lr_workers_start(workers, err) == LR_OK) {
        printf("listening on port %u with %u workers\n", lr_server_port(server, 0),
               lr_workers_count(workers));
        fflush(stdout);
        served = sigwait(signals, &number) == 0;
        lr_workers_stop(workers, 10000);
        lr_workers_join(workers);
        tell_numbers();
    }
    lr_redis_free(redis);
    lr_server_free(server);
    lr_workers_free(workers);
    lr_context_release(context);
    return served;
}

int main(int argc, char **argv)
{
    lr_error err = {0};
    sigset_t signals;

    if (argc != 4 && argc != 5) {
        fprintf(stderr,
                "usage: tls-redis-sessions PORT REDIS-PORT|REDIS-PATH TICKET-KEYS [WAIT-MS]\n");
        return EXIT_FAILURE;
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* the workers inherit it */
    if (serve(argv, argc == 5 ? (uint32_t)atoi(argv[4]) : WAIT_MS, &signals, &err))
        return EXIT_SUCCESS;
    fprintf(stderr, "tls-redis-sessions: %s\n", err.text);
    return EXIT_FAILURE;
}
