/* SPDX-License-Identifier: MIT */
/* status_page_server ADDRESS: a TLS echo server of two workers on a port of its own, and its
 * numbers at ADDRESS. Says both addresses, one a line, and serves until its input ends. With a
 * wrong address it says why and ends with 2. */
#include "proto/echo.h"
#include "tools/serve_stats.h"

#include <lockring/lockring.h>

#include <stdio.h>
#include <stdlib.h>

static void must(lr_status status, const lr_error *err)
{
    if (status == LR_OK)
        return;
    fprintf(stderr, "%s: %s\n", lr_status_name(status), err->text);
    exit(2);
}

int main(int argc, char **argv)
{
    lr_workers_options options = {LR_WORKERS_OPTIONS, .worker_count = 2, .pin = LR_OFF};
    lr_context_options identity = {LR_CONTEXT_OPTIONS, .self_signed = "localhost"};
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .host = "127.0.0.1"};
    char at[128] = "", stats_at[128] = "";
    serve_stats *stats;
    lr_workers *workers;
    lr_context *context;
    lr_server *server;
    lr_error err;

    if (argc != 2)
        return 2;
    must(lr_workers_new(&options, &workers, &err), &err);
    must(lr_context_new(&identity, &context, &err), &err);
    must(lr_server_new(workers,
                       &(lr_server_options){LR_SERVER_OPTIONS, .handlers = lr_echo_handlers(),
                                            .context = context},
                       &server, &err),
         &err);
    must(lr_server_listen(server, &listen, NULL, &err), &err);
    must(serve_stats_open(workers, argv[1], &stats, &err), &err);
    must(lr_workers_start(workers, &err), &err);
    (void)lr_server_address(server, 0, at, sizeof(at));
    (void)serve_stats_address(stats, stats_at, sizeof(stats_at));
    printf("%s\n%s\n", at, stats_at);
    (void)fflush(stdout);
    while (getchar() != EOF)
        continue;
    lr_workers_stop(workers, 0);
    lr_workers_join(workers);
    serve_stats_close(stats);
    lr_server_free(server);
    lr_workers_free(workers);
    lr_context_release(context);
    return 0;
}
