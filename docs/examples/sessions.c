/* SPDX-License-Identifier: MIT */
/* tls-sessions: an echo server that keeps the sessions of its clients in a table of its own, which
 * its workers share, and gives each of them only once. It says of each connection whether it was
 * resumed, and where. Usage: tls-sessions PORT */
#include <lockring/lockring.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ID_SIZE = 32, ROWS = 4096 };

struct row {
    uint8_t id[ID_SIZE];
    lr_bytes *value; /* null: the row is free */
};

/* A new session takes the row that its id leads to, whoever had it before: the table never grows,
 * and what is lost costs its client one full handshake. A mutex is fine here, because nobody holds
 * it for longer than a copy. Where the store is elsewhere, keep the ask and answer it later. */
static struct row rows[ROWS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Ids are random: any part of one is as good as a hash. */
static struct row *row_of(lr_slice id)
{
    return &rows[(id.bytes[0] << 8 | id.bytes[1]) % ROWS];
}

/* Stored before the client hears of it. */
static void on_new_session(lr_conn *c, lr_slice id, lr_slice value, lr_store_ask ask)
{
    lr_bytes *kept = lr_bytes_new(value), *before = NULL; /* null: then it is not stored */

    (void)c;
    pthread_mutex_lock(&lock);
    if (kept) {
        before = row_of(id)->value;
        memcpy(row_of(id)->id, id.bytes, ID_SIZE);
        row_of(id)->value = kept;
    }
    pthread_mutex_unlock(&lock);
    lr_bytes_release(before);
    (void)lr_store_answer(ask, LR_OK);
}

/* Whoever copied a session from the wire, or from the client, comes too late: it is given once. */
static void on_resume(lr_conn *c, lr_slice id, lr_resume_ask ask)
{
    lr_bytes *found = NULL;

    (void)c;
    pthread_mutex_lock(&lock);
    if (row_of(id)->value && memcmp(row_of(id)->id, id.bytes, ID_SIZE) == 0) {
        found = row_of(id)->value;
        row_of(id)->value = NULL;
    }
    pthread_mutex_unlock(&lock);
    (void)lr_resume_answer(ask, LR_OK, found); /* null: a full handshake */
    lr_bytes_release(found);
}

static void on_secure(lr_conn *c)
{
    char text[64];
    int len =
        snprintf(text, sizeof(text), "%s on worker %u\n",
                 lr_conn_is_resumed(c) ? "resumed" : "full", lr_worker_index(lr_conn_worker(c)));

    if (lr_conn_write(c, lr_slice_of(text, (size_t)len)) != LR_OK)
        lr_conn_abort(c, LR_OK);
}

static void on_data(lr_conn *c, lr_slice bytes)
{
    if (lr_conn_write(c, bytes) != LR_OK)
        lr_conn_abort(c, LR_OK);
}

static const lr_handlers handlers = {
    LR_HANDLERS,
    .on_secure = on_secure,
    .on_data = on_data,
    .on_server_drain = lr_conn_end,
    .on_resume = on_resume,
    .on_new_session = on_new_session, /* with it there are no tickets, unless a context says so */
};

static void on_listening(const char *address, void *user)
{
    (void)user;
    printf("listening on %s\n", address);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    lr_run_options run = {LR_RUN_OPTIONS, .handlers = &handlers, .on_listening = on_listening,
                          .worker_count = 2};
    lr_error err;

    if (argc != 2) {
        fprintf(stderr, "usage: tls-sessions PORT\n");
        return EXIT_FAILURE;
    }
    run.port = (uint16_t)atoi(argv[1]);
    if (lr_run(&run, &err) != LR_OK) {
        fprintf(stderr, "tls-sessions: %s\n", err.text);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < ROWS; i++)
        lr_bytes_release(rows[i].value);
    return EXIT_SUCCESS;
}
