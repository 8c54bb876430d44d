/* SPDX-License-Identifier: MIT */
/* tls-chat: what one client says goes to all, whichever worker they are on.
 * Usage: tls-chat PORT [CERT KEY] */
#include <lockring/lockring.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS = 1000 };

/* Workers share this list of names, and nothing else: a name may be kept by anybody. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static lr_conn_id members[MEMBERS];
static size_t member_count;

/* One copy for everybody; whoever has it last frees it. */
struct word {
    atomic_size_t left;
    size_t len;
    char bytes[];
};

static void let_go(struct word *word, size_t count)
{
    if (atomic_fetch_sub(&word->left, count) == count)
        free(word);
}

/* On the worker of the one who hears it; null: gone meanwhile. */
static void hear(lr_conn *c, void *arg)
{
    struct word *word = arg;

    if (c && lr_conn_write(c, lr_slice_of(word->bytes, word->len)) == LR_EAGAIN)
        lr_conn_abort(c, LR_OK); /* has not read for a megabyte */
    let_go(word, 1);
}

static void on_data(lr_conn *c, lr_slice bytes)
{
    struct word *word = malloc(sizeof(*word) + bytes.len);
    size_t unsent = 0;

    if (!word) {
        lr_conn_abort(c, LR_ENOMEM);
        return;
    }
    word->len = bytes.len;
    memcpy(word->bytes, bytes.bytes, bytes.len);
    pthread_mutex_lock(&lock);
    atomic_init(&word->left, member_count + 1);
    for (size_t i = 0; i < member_count; i++)
        unsent += lr_conn_post(members[i], hear, word) != LR_OK;
    pthread_mutex_unlock(&lock);
    let_go(word, unsent + 1);
}

static void on_secure(lr_conn *c)
{
    pthread_mutex_lock(&lock);
    if (member_count < MEMBERS)
        members[member_count++] = lr_conn_id_of(c);
    else
        lr_conn_end(c);
    pthread_mutex_unlock(&lock);
}

static void on_close(lr_conn *c, const lr_error *why)
{
    lr_conn_id id = lr_conn_id_of(c);

    (void)why;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < member_count; i++) {
        if (members[i].worker == id.worker && members[i].slot == id.slot &&
            members[i].generation == id.generation)
            members[i--] = members[--member_count];
    }
    pthread_mutex_unlock(&lock);
}

static const lr_handlers handlers = {LR_HANDLERS, .on_secure = on_secure, .on_data = on_data,
                                     .on_server_drain = lr_conn_end, .on_close = on_close};

static void on_listening(const char *address, void *user)
{
    (void)user;
    printf("listening on %s\n", address);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    lr_run_options run = {LR_RUN_OPTIONS, .handlers = &handlers, .on_listening = on_listening};
    lr_error err;

    if (argc != 2 && argc != 4) {
        fprintf(stderr, "usage: tls-chat PORT [CERT KEY]\n");
        return EXIT_FAILURE;
    }
    run.port = (uint16_t)atoi(argv[1]);
    run.cert_file = argc == 4 ? argv[2] : NULL;
    run.key_file = argc == 4 ? argv[3] : NULL;
    if (lr_run(&run, &err) == LR_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "tls-chat: %s\n", err.text);
    return EXIT_FAILURE;
}
