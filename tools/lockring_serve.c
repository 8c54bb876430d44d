/* SPDX-License-Identifier: MIT */
/* tools/lockring_serve.c: the server program; --help and docs/man/lockring-serve.1 tell its use.
 *
 * SIGTERM, SIGINT and SIGHUP are blocked before any thread is made and taken by one thread that
 * waits for them, so no code runs in a signal handler and a signal that comes early is not lost.
 * The main thread makes everything, says that it listens, and waits for the workers' end. */
#include "proto/echo.h"
#include "proto/http_demo.h"
#include "tools/access_log.h"
#include "tools/serve_context.h"
#include "tools/serve_options.h"
#include "tools/serve_proxy.h"
#include "tools/serve_say.h"
#include "tools/serve_staples.h"
#include "tools/serve_stats.h"
#include "tools/serve_tickets.h"

#include <lockring/lockring.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct signals {
    sigset_t set;
    const serve_options *options;
    lr_workers *workers;
    lr_server *server;
    access_log *log;
    serve_stats *stats;
    serve_tickets *tickets;
    serve_staples *staples;
    _Atomic bool over; /* set by the main thread when the workers have ended */
} signals;

static void say_reload(const signals *from, const lr_error *failed)
{
    const serve_options *options = from->options;

    if (failed)
        serve_say(options, true, "reload_failed kept=old why=\"%s\"", failed->text);
    else if (from->tickets)
        serve_say(options, false, "reload_done certificates=%u ticket_keys=%u", options->cert_count,
                  serve_tickets_count(from->tickets));
    else
        serve_say(options, false, "reload_done certificates=%u", options->cert_count);
}

/* Reads the files again. What is wrong leaves the old state as it was: only what is published last
 * can fail behind ticket keys that have been given, for want of memory. */
static void reload(const signals *from)
{
    bool from_files = from->options->cert_count != 0 || from->options->pkcs12_file;
    staple_table *staples = NULL;
    serve_identity identity;
    lr_error err;
    lr_status status;

    access_log_reopen(from->log);
    status = serve_identity_make(from->options, &identity, &err);
    if (status == LR_OK)
        status = serve_staples_load(from->staples, &staples, &err);
    if (status == LR_OK)
        status = serve_tickets_refresh(from->tickets, &err);
    if (status == LR_OK) /* a certificate made in memory stays */
        status = lr_server_publish(from->server, from_files ? identity.context : NULL,
                                   identity.names, &err);
    serve_identity_drop(&identity);
    if (status == LR_OK)
        serve_staples_swap(from->staples, staples);
    else
        serve_staples_drop(staples);
    say_reload(from, status == LR_OK ? NULL : &err);
}

static void *take_signals(void *arg)
{
    signals *from = arg;
    bool draining = false;
    int number;

    while (sigwait(&from->set, &number) == 0 && !atomic_load(&from->over)) {
        if (number == SIGHUP) {
            reload(from);
            continue;
        }
        lr_workers_stop(from->workers, draining ? 0 : from->options->drain_timeout_ms);
        draining = true;
    }
    return NULL;
}

/* A wrong option or file is 2, no ring 3, what the system refuses 1. */
static int exit_code(lr_status status)
{
    if (status == LR_ERING)
        return SERVE_EXIT_NO_RING;
    if (status == LR_EOPTION || status == LR_EFILE || status == LR_ECERTIFICATE ||
        status == LR_EKEY || status == LR_EADDRESS || status == LR_EOCSP)
        return SERVE_EXIT_OPTION;
    return SERVE_EXIT_FAILED;
}

/* Everything that has been made, in the order of making. */
typedef struct program {
    const serve_options *options;
    serve_identity identity;
    serve_tickets *tickets;
    access_log *log;
    lr_http_demo *demo;
    lr_proxy *proxy;
    serve_staples *staples;
    lr_workers *workers;
    lr_server *server;
    serve_stats *stats;
} program;

/* A key opens for as long as the last ticket that it sealed lives, and five minutes more. */
static uint32_t ticket_keep_s(const serve_options *options)
{
    uint64_t keep_s = (uint64_t)options->ticket_lifetime_s + 300, most_s;

    if (options->ticket_lifetime_s == 0)
        return 0;
    if (options->ticket_keys || options->ticket_rotation_s == LR_NONE)
        return (uint32_t)keep_s;
    most_s = 13 * (uint64_t)(options->ticket_rotation_s ? options->ticket_rotation_s : 43200);
    return (uint32_t)(keep_s < most_s ? keep_s : most_s);
}

static lr_status make_workers(program *p, lr_error *err)
{
    const serve_options *options = p->options;
    lr_workers_options workers = {LR_WORKERS_OPTIONS,
                                  .worker_count = options->worker_count,
                                  .pin = options->pin,
                                  .ring = options->ring,
                                  .log_level = options->log_level,
                                  .stall_threshold_ms = options->stall_threshold_ms,
                                  .ticket_rotation_s =
                                      options->ticket_keys ? LR_NONE : options->ticket_rotation_s,
                                  .ticket_keep_s = ticket_keep_s(options)};

    return lr_workers_new(&workers, &p->workers, err);
}

static void on_log(lr_conn *c, const lr_http_log_entry *entry)
{
    access_log_add(lr_http_demo_user(c), lr_worker_wall_ms(lr_conn_worker(c)), entry);
}

/* The site of the http handler, and its log. */
static lr_status make_site(program *p, lr_error *err)
{
    const serve_options *options = p->options;
    lr_http_demo_options demo = {LR_HTTP_DEMO_OPTIONS, .root = options->root};
    lr_status status = LR_OK;

    if (options->handler != SERVE_HTTP)
        return LR_OK;
    if (options->access_log && !options->check_config)
        status = access_log_open(options->access_log, &p->log, err);
    if (p->log) {
        demo.user = p->log;
        demo.on_log = on_log;
    }
    if (status != LR_OK)
        return status;
    status = lr_http_demo_new(&demo, &p->demo, err);
    if (status == LR_EFILE) {
        char text[sizeof(err->text)];

        memcpy(text, err->text, sizeof(text));
        (void)snprintf(err->text, sizeof(err->text), "--root: %.150s", text);
    }
    return status;
}

static lr_status make_server(program *p, lr_error *err)
{
    static const lr_handlers discard = {LR_HANDLERS};
    const serve_options *options = p->options;
    lr_server_options server = {LR_SERVER_OPTIONS,
                                .handlers = options->handler == SERVE_DISCARD ? &discard
                                                                              : lr_echo_handlers(),
                                .context = p->identity.context,
                                .handshake_timeout_ms = options->handshake_timeout_ms,
                                .idle_timeout_ms = options->idle_timeout_ms,
                                .fragment_size_max = options->fragment_size_max,
                                .connection_count_max = options->connection_count_max,
                                .half_open_max = options->half_open_max,
                                .write_timeout_ms = options->write_timeout_ms,
                                .lifetime_ms = options->lifetime_ms,
                                .source_connections_per_s = options->source_connections_per_s,
                                .source_connections_burst = options->source_connections_burst,
                                .source_handshakes_per_s = options->source_handshakes_per_s,
                                .source_handshakes_burst = options->source_handshakes_burst};
    lr_handlers with_preface, with_staples;
    lr_status status;

    if (p->demo)
        lr_http_demo_serve(p->demo, &server);
    if (p->proxy)
        serve_proxy_use(&server, &with_preface);
    if (p->staples)
        serve_staples_use(p->staples, &server, &with_staples);
    status = lr_server_new(p->workers, &server, &p->server, err);
    for (uint32_t i = 0; status == LR_OK && i < options->listen_count; i++) {
        const serve_listen *at = &options->listen[i];
        lr_listen_options listen = {LR_LISTEN_OPTIONS,
                                    .host = *at->host ? at->host : NULL,
                                    .port = at->port,
                                    .path = at->path,
                                    .share_port = options->share_port && !at->path,
                                    .preface = p->proxy != NULL};

        status = lr_server_listen(p->server, &listen, NULL, err);
    }
    return status;
}

static void say_listening(const signals *from)
{
    char address[128];

    for (uint32_t i = 0; i < from->options->listen_count; i++) {
        if (lr_server_address(from->server, i, address, sizeof(address)))
            printf("listening on %s workers=%u ring=%s\n", address, lr_workers_count(from->workers),
                   lr_workers_ring(from->workers));
    }
    if (from->stats && serve_stats_address(from->stats, address, sizeof(address)))
        printf("stats on %s\n", address);
    (void)fflush(stdout);
}

/* From the start of the workers to their end. */
static lr_status run(signals *from, lr_error *err)
{
    lr_workers *workers = from->workers;
    lr_status status;
    pthread_t thread;
    int error = pthread_create(&thread, NULL, take_signals, from);

    if (error != 0) {
        err->status = LR_ESYSTEM;
        (void)snprintf(err->text, sizeof(err->text), "no thread for signals: %s", strerror(error));
        return LR_ESYSTEM;
    }
    status = serve_staples_start(from->staples, err);
    if (status == LR_OK)
        status = lr_workers_start(workers, err);
    if (status == LR_OK) {
        say_listening(from);
        lr_workers_join(workers);
    }
    atomic_store(&from->over, true);
    (void)pthread_kill(thread, SIGTERM);
    (void)pthread_join(thread, NULL);
    serve_staples_stop(from->staples);
    return status;
}

static void block_signals(sigset_t *set)
{
    (void)signal(SIGPIPE, SIG_IGN); /* nobody reads our output any more: no reason to end */
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, set, NULL);
}

static lr_status make_stats(program *p, lr_error *err)
{
    lr_status status = serve_stats_open(p->workers, p->options->stats, &p->stats, err);
    char text[sizeof(err->text)];

    if (status == LR_OK)
        return LR_OK;
    memcpy(text, err->text, sizeof(text));
    (void)snprintf(err->text, sizeof(err->text), "--stats: %.150s", text);
    return status;
}

static void say_right(const program *p)
{
    printf("the configuration is right: listeners=%u certificates=%u workers=%u ring=%s",
           p->options->listen_count, p->options->cert_count, lr_workers_count(p->workers),
           lr_workers_ring(p->workers));
    if (p->tickets)
        printf(" ticket_keys=%u", serve_tickets_count(p->tickets));
    (void)putchar('\n');
}

static lr_status make_and_run(program *p, signals *from, lr_error *err)
{
    lr_status status = serve_identity_make(p->options, &p->identity, err);

    if (status == LR_OK)
        status = serve_tickets_open(p->options, &p->tickets, err);
    if (status == LR_OK)
        status = serve_staples_make(p->options, &p->staples, err);
    if (status == LR_OK)
        status = make_site(p, err);
    if (status == LR_OK)
        status = serve_proxy_make(p->options, &p->proxy, err);
    if (status == LR_OK)
        status = make_workers(p, err);
    if (status != LR_OK)
        return status;
    if (p->options->check_config) {
        say_right(p);
        return LR_OK;
    }
    status = make_server(p, err);
    if (status == LR_OK && p->identity.names)
        status = lr_server_publish(p->server, NULL, p->identity.names, err);
    if (status == LR_OK && p->options->stats)
        status = make_stats(p, err);
    if (status == LR_OK && p->tickets)
        status = serve_tickets_start(p->tickets, p->workers, err);
    from->tickets = p->tickets;
    from->stats = p->stats;
    from->staples = p->staples;
    from->workers = p->workers;
    from->server = p->server;
    from->log = p->log;
    return status == LR_OK ? run(from, err) : status;
}

static int serve(const serve_options *options)
{
    signals from = {.options = options};
    program p = {.options = options};
    lr_error err = {LR_OK, 0, 0, 0, ""};
    lr_status status;

    block_signals(&from.set);
    status = make_and_run(&p, &from, &err);
    lr_server_free(p.server);
    serve_stats_close(p.stats);
    serve_tickets_close(p.tickets);
    lr_workers_free(p.workers);
    serve_staples_free(p.staples);
    serve_proxy_free(p.proxy);
    lr_http_demo_free(p.demo);
    access_log_close(p.log);
    serve_identity_drop(&p.identity);
    if (status == LR_OK)
        return SERVE_EXIT_OK;
    (void)fprintf(stderr, "lockring-serve: %s\n", err.text);
    return exit_code(status);
}

int main(int argc, char **argv)
{
    static serve_options options; /* large */
    int verdict = serve_options_parse(&options, argc, argv);

    if (verdict == SERVE_GO_ON)
        verdict = serve(&options);
    serve_options_fini(&options);
    return verdict;
}
