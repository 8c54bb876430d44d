/* SPDX-License-Identifier: MIT */
/* tls-forward: takes TLS off and forwards to a plain server; each side may end first, and a slow
 * one slows the other. Usage: tls-forward PORT BACKEND-ADDRESS BACKEND-PORT */
#include <lockring/lockring.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { QUEUE_HIGH = 256 * 1024 };

/* lr_conn_user() of both kinds of connection. Both are on one worker. */
struct side {
    lr_conn *other; /* null: gone, or not there yet */
};

static lr_client *backend;
static lr_connect_options backend_at = {LR_CONNECT_OPTIONS};

static lr_conn *other_of(lr_conn *c)
{
    return ((struct side *)lr_conn_user(c))->other;
}

static void join(lr_conn *c, lr_conn *other)
{
    ((struct side *)lr_conn_user(c))->other = other;
}

static void on_front_secure(lr_conn *front)
{
    lr_conn *back;
    lr_error err;

    if (lr_client_connect(backend, lr_conn_worker(front), &backend_at, &back, &err) != LR_OK) {
        lr_conn_abort(front, err.status);
        return;
    }
    join(front, back);
    join(back, front);
    lr_conn_pause(front); /* until there is somebody to forward to */
}

static void on_back_secure(lr_conn *back)
{
    if (other_of(back))
        lr_conn_resume(other_of(back));
}

static void on_data(lr_conn *c, lr_slice bytes)
{
    lr_conn *other = other_of(c);

    if (!other)
        return;
    if (lr_conn_write(other, bytes) != LR_OK)
        lr_conn_abort(c, LR_OK);
    else if (lr_conn_queued(other) > QUEUE_HIGH)
        lr_conn_pause(c); /* until the other side's on_drain */
}

static void on_drain(lr_conn *c)
{
    if (other_of(c))
        lr_conn_resume(other_of(c));
}

/* One direction is over; the other one goes on. */
static void on_end(lr_conn *c)
{
    if (other_of(c))
        lr_conn_end_write(other_of(c));
    else
        lr_conn_end(c);
}

/* What failed on one side must not look whole on the other. A backend that refuses ends here too.
 */
static void on_close(lr_conn *c, const lr_error *why)
{
    lr_conn *other = other_of(c);

    if (!other)
        return;
    join(other, NULL);
    if (why)
        lr_conn_abort(other, why->status);
    else
        lr_conn_end(other);
}

static const lr_handlers front_handlers = {LR_HANDLERS,        .on_secure = on_front_secure,
                                           .on_data = on_data, .on_drain = on_drain,
                                           .on_end = on_end,   .on_close = on_close};
static const lr_handlers back_handlers = {LR_HANDLERS,        .on_secure = on_back_secure,
                                          .on_data = on_data, .on_drain = on_drain,
                                          .on_end = on_end,   .on_close = on_close};

/* True: it served until a signal came, and drained. */
static bool serve(uint16_t port, const sigset_t *signals, lr_error *err)
{
    lr_context_options own = {LR_CONTEXT_OPTIONS, .self_signed = "localhost"};
    lr_server_options in = {LR_SERVER_OPTIONS, .handlers = &front_handlers,
                            .conn_user_size = sizeof(struct side)};
    lr_client_options out = {LR_CLIENT_OPTIONS, .handlers = &back_handlers,
                             .conn_user_size = sizeof(struct side)};
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .port = port};
    lr_workers *workers = NULL;
    lr_context *context = NULL;
    lr_server *server = NULL;
    bool served = false;
    int number;

    if (lr_workers_new(NULL, &workers, err) == LR_OK &&
        lr_context_new(&own, &context, err) == LR_OK &&
        (in.context = context, lr_server_new(workers, &in, &server, err)) == LR_OK &&
        lr_client_new(workers, &out, &backend, err) == LR_OK &&
        lr_server_listen(server, &listen, NULL, err) == LR_OK &&
        lr_workers_start(workers, err) == LR_OK) {
        printf("listening on port %u\n", lr_server_port(server, 0));
        fflush(stdout);
        served = sigwait(signals, &number) == 0;
        lr_workers_stop(workers, 10000);
        lr_workers_join(workers);
    }
    lr_client_free(backend);
    lr_server_free(server);
    lr_workers_free(workers);
    lr_context_release(context);
    return served;
}

int main(int argc, char **argv)
{
    lr_error err = {0};
    sigset_t signals;

    if (argc != 4) {
        fprintf(stderr, "usage: tls-forward PORT BACKEND-ADDRESS BACKEND-PORT\n");
        return EXIT_FAILURE;
    }
    backend_at.host = argv[2];
    backend_at.port = (uint16_t)atoi(argv[3]);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* the workers inherit it */
    if (serve((uint16_t)atoi(argv[1]), &signals, &err))
        return EXIT_SUCCESS;
    fprintf(stderr, "tls-forward: %s\n", err.text);
    return EXIT_FAILURE;
}
