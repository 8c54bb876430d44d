/* SPDX-License-Identifier: MIT */
/* core/run/run.c: lr_run(), the whole life in one call.
 *
 * SIGINT and SIGTERM reach the workers through one atomic pointer; the handler calls only what is
 * async-signal-safe. The first signal drains, the second cuts. */
#include "core/base/check.h"
#include "core/base/status.h"

#include <lockring/run.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

enum { DRAIN_TIMEOUT_MS = 10000 };

static _Atomic(lr_workers *) running; /* written by lr_run(), read by the signal handler */
static _Atomic uint32_t running_drain_ms;
static _Atomic int signals_seen, signals_running;
static atomic_flag busy = ATOMIC_FLAG_INIT;

static void on_signal(int number)
{
    int saved = errno;
    lr_workers *workers;

    (void)number;
    atomic_fetch_add(&signals_running, 1); /* lr_run() frees nothing while one is in here */
    workers = atomic_load(&running);
    if (workers)
        lr_workers_stop(
            workers, atomic_fetch_add(&signals_seen, 1) == 0 ? atomic_load(&running_drain_ms) : 0);
    atomic_fetch_sub(&signals_running, 1);
    errno = saved;
}

static lr_status make_context(const lr_run_options *options, lr_context **out, lr_error *err)
{
    lr_context_options context = {LR_CONTEXT_OPTIONS, .cert_file = options->cert_file,
                                  .key_file = options->key_file};

    if (!options->cert_file && !options->key_file)
        context.self_signed = "localhost,127.0.0.1,::1";
    return lr_context_new(&context, out, err);
}

static lr_status make_server(const lr_run_options *options, lr_workers *workers,
                             lr_context *context, lr_server **out, lr_error *err)
{
    lr_server_options server = {LR_SERVER_OPTIONS, .handlers = options->handlers,
                                .context = context, .user = options->user,
                                .conn_user_size = options->conn_user_size};
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .host = options->host, .port = options->port};
    char address[64];
    uint32_t index;

    LR_TRY(lr_server_new(workers, &server, out, err));
    LR_TRY(lr_server_listen(*out, &listen, &index, err));
    if (options->on_listening && lr_server_address(*out, index, address, sizeof(address)))
        options->on_listening(address, options->user);
    return LR_OK;
}

static lr_status serve(const lr_run_options *options, lr_workers *workers, lr_error *err)
{
    struct sigaction act = {0}, old_int, old_term;
    lr_status status;

    act.sa_handler = on_signal;
    (void)sigemptyset(&act.sa_mask);
    act.sa_flags = SA_RESTART;
    atomic_store(&running_drain_ms,
                 options->drain_timeout_ms ? options->drain_timeout_ms : DRAIN_TIMEOUT_MS);
    atomic_store(&signals_seen, 0);
    atomic_store(&running, workers);
    (void)sigaction(SIGINT, &act, &old_int);
    (void)sigaction(SIGTERM, &act, &old_term);
    status = lr_workers_start(workers, err);
    if (status == LR_OK)
        lr_workers_join(workers);
    (void)sigaction(SIGINT, &old_int, NULL);
    (void)sigaction(SIGTERM, &old_term, NULL);
    atomic_store(&running, NULL);
    while (atomic_load(&signals_running) != 0)
        (void)sched_yield();
    return status;
}

static lr_status run(const lr_run_options *options, lr_error *err)
{
    lr_workers_options on = {LR_WORKERS_OPTIONS, .worker_count = options->worker_count};
    lr_workers *workers = NULL;
    lr_context *context = NULL;
    lr_server *server = NULL;
    lr_status status = make_context(options, &context, err);

    if (status == LR_OK)
        status = lr_workers_new(&on, &workers, err);
    if (status == LR_OK)
        status = make_server(options, workers, context, &server, err);
    if (status == LR_OK)
        status = serve(options, workers, err);
    lr_server_free(server);
    lr_workers_free(workers);
    lr_context_release(context);
    return status;
}

lr_status lr_run(const lr_run_options *given, lr_error *err)
{
    lr_run_options options;
    lr_status status;

    LR_TRY(lr__options_adopt(&options, sizeof(options), given, "lr_run_options", err));
    if (atomic_flag_test_and_set(&busy))
        return lr__fail(err, LR_ESTATE, "lr_run: another one is under way in this process");
    status = run(&options, err);
    atomic_flag_clear(&busy);
    return status;
}
