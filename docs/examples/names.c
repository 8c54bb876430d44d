/* SPDX-License-Identifier: MIT */
/* tls-names: a certificate for each name: one is in the table, one is looked up by a thread that
 * may take its time, one is refused. Usage: tls-names PORT */
#include <lockring/lockring.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAITING = 64 };

static lr_context *slow; /* what the thread comes up with */

/* Asks are values: they may wait anywhere, and be answered by anybody. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static lr_sni_ask waiting[WAITING];
static size_t waiting_count;
static bool over;

/* True: the thread will answer. */
static bool leave_to_thread(lr_sni_ask ask)
{
    bool has_room;

    pthread_mutex_lock(&lock);
    has_room = waiting_count < WAITING;
    if (has_room)
        waiting[waiting_count++] = ask;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    return has_room;
}

static bool is(lr_slice name, const char *text)
{
    return name.len == strlen(text) && memcmp(name.bytes, text, name.len) == 0;
}

/* Nothing is received or sent until there is an answer, here or later. */
static void on_sni(lr_conn *c, lr_slice name, lr_sni_ask ask)
{
    (void)c;
    if (is(name, "slow.example") && leave_to_thread(ask))
        return;
    if (is(name, "nobody.example"))
        (void)lr_sni_answer(ask, LR_ENAME, NULL); /* the client gets unrecognized_name */
    else
        (void)lr_sni_answer(ask, LR_OK, NULL); /* the table of names, then the server's own */
}

static void *look_up(void *arg)
{
    pthread_mutex_lock(&lock);
    while (!over) {
        if (waiting_count == 0) {
            pthread_cond_wait(&changed, &lock);
            continue;
        }
        lr_sni_ask ask = waiting[--waiting_count];

        pthread_mutex_unlock(&lock);
        (void)lr_sni_answer(ask, LR_OK, slow); /* LR_EGONE: the client did not wait */
        pthread_mutex_lock(&lock);
    }
    pthread_mutex_unlock(&lock);
    return arg;
}

static lr_context *context_for(const char *name)
{
    lr_context_options options = {LR_CONTEXT_OPTIONS, .self_signed = name};
    lr_context *context = NULL;
    lr_error err;

    if (lr_context_new(&options, &context, &err) != LR_OK)
        fprintf(stderr, "tls-names: %s\n", err.text);
    return context;
}

/* The server takes a copy of the table and its own references; this may be done again at any time,
 * by any thread, while it serves. */
static lr_status publish(lr_server *server, lr_error *err)
{
    lr_context *known = context_for("*.known.example");
    lr_names *names = lr_names_new();
    lr_status status = LR_ENOMEM;

    if (known && names && (status = lr_names_add(names, "*.known.example", known, err)) == LR_OK)
        status = lr_server_publish(server, NULL, names, err); /* null: its own context stays */
    lr_names_free(names);
    lr_context_release(known);
    return status;
}

static const lr_handlers handlers = {LR_HANDLERS, .on_sni = on_sni, .on_server_drain = lr_conn_end};

static bool serve(uint16_t port, const sigset_t *signals, lr_error *err)
{
    lr_server_options options = {LR_SERVER_OPTIONS, .handlers = &handlers};
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .port = port};
    lr_context *own = context_for("localhost");
    lr_workers *workers = NULL;
    lr_server *server = NULL;
    bool served = false;
    int number;

    options.context = own;
    if (own && lr_workers_new(NULL, &workers, err) == LR_OK &&
        lr_server_new(workers, &options, &server, err) == LR_OK && publish(server, err) == LR_OK &&
        lr_server_listen(server, &listen, NULL, err) == LR_OK &&
        lr_workers_start(workers, err) == LR_OK) {
        printf("listening on port %u\n", lr_server_port(server, 0));
        fflush(stdout);
        served = sigwait(signals, &number) == 0;
        lr_workers_stop(workers, 10000);
        lr_workers_join(workers);
    }
    lr_server_free(server);
    lr_workers_free(workers);
    lr_context_release(own);
    return served;
}

int main(int argc, char **argv)
{
    lr_error err = {0};
    pthread_t thread;
    sigset_t signals;
    bool served;

    if (argc != 2) {
        fprintf(stderr, "usage: tls-names PORT\n");
        return EXIT_FAILURE;
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* all threads inherit it */
    slow = context_for("slow.example");
    if (!slow || pthread_create(&thread, NULL, look_up, NULL) != 0)
        return EXIT_FAILURE;
    served = serve((uint16_t)atoi(argv[1]), &signals, &err);
    pthread_mutex_lock(&lock);
    over = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    lr_context_release(slow);
    if (!served)
        fprintf(stderr, "tls-names: %s\n", err.text);
    return served ? EXIT_SUCCESS : EXIT_FAILURE;
}
