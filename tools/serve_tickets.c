/* SPDX-License-Identifier: MIT */
/* tools/serve_tickets.c: one thread waits for changes of the file; a reload comes from the thread
 * of signals. Both read without a lock and give under one, so that the list that is compared with
 * is the one that the workers have.
 *
 * The workers take a key into use before any of them seals with it. Between servers the file does
 * that: it has the key that will seal after the next change, as next. */
#include "tools/serve_tickets.h"

#include "tools/path_watch.h"
#include "tools/serve_say.h"
#include "tools/ticket_files.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { NAME_SIZE = 16 };

struct serve_tickets {
    const serve_options *options;
    lr_workers *workers;  /* from the start on */
    lr_ticket_keys *keys; /* what the workers have; under the lock */
    pthread_mutex_t lock; /* held while keys are given: a few times a day */
    int stop_fd;          /* readable: the thread shall end */
    pthread_t thread;
    bool has_thread;
    char said[sizeof(((lr_error *)0)->text)]; /* the thread's last complaint; empty: none */
};

static lr_status read_keys(const serve_options *options, lr_ticket_keys **out, lr_error *err)
{
    char text[sizeof(err->text)];
    lr_status status =
        ticket_files_read(options->ticket_keys, options->ticket_keys_haproxy, out, err);

    if (status == LR_OK)
        return LR_OK;
    memcpy(text, err->text, sizeof(text));
    (void)snprintf(err->text, sizeof(err->text), "--ticket-keys: %.140s", text);
    return status;
}

static bool are_equal(const lr_ticket_keys *a, const lr_ticket_keys *b)
{
    uint8_t one[LR_TICKET_KEY_SIZE], other[LR_TICKET_KEY_SIZE];
    uint32_t count = lr_ticket_keys_count(a);
    bool equal = count == lr_ticket_keys_count(b) &&
                 lr_ticket_keys_has_next(a) == lr_ticket_keys_has_next(b);

    for (uint32_t i = 0; equal && i < count; i++)
        equal = lr_ticket_keys_get(a, i, one) && lr_ticket_keys_get(b, i, other) &&
                memcmp(one, other, sizeof(one)) == 0;
    explicit_bzero(one, sizeof(one));
    explicit_bzero(other, sizeof(other));
    return equal;
}

static lr_status fail_system(lr_error *err, const char *what)
{
    *err = (lr_error){.status = LR_ESYSTEM, .sys = errno, .tls_alert = -1};
    (void)snprintf(err->text, sizeof(err->text), "--ticket-keys: %s: %s", what, strerror(err->sys));
    return LR_ESYSTEM;
}

lr_status serve_tickets_open(const serve_options *options, serve_tickets **out, lr_error *err)
{
    serve_tickets *tickets;
    lr_status status;

    *out = NULL;
    if (!options->ticket_keys)
        return LR_OK;
    tickets = calloc(1, sizeof(*tickets));
    if (!tickets)
        return fail_system(err, "memory");
    tickets->options = options;
    tickets->stop_fd = eventfd(0, EFD_CLOEXEC);
    (void)pthread_mutex_init(&tickets->lock, NULL);
    status = tickets->stop_fd < 0 ? fail_system(err, "eventfd")
                                  : read_keys(options, &tickets->keys, err);
    if (status == LR_OK)
        *out = tickets;
    else
        serve_tickets_close(tickets);
    return status;
}

uint32_t serve_tickets_count(serve_tickets *tickets)
{
    uint32_t count;

    (void)pthread_mutex_lock(&tickets->lock);
    count = lr_ticket_keys_count(tickets->keys);
    (void)pthread_mutex_unlock(&tickets->lock);
    return count;
}

/* Who seals now and who will: names stand in front of each ticket, and are no secret. */
static void say_keys(const serve_options *options, const lr_ticket_keys *keys)
{
    uint32_t has_next = lr_ticket_keys_has_next(keys);
    char names[2][2 * NAME_SIZE + 1] = {"none", "none"};
    uint8_t key[LR_TICKET_KEY_SIZE];

    for (uint32_t i = 0; i <= has_next && lr_ticket_keys_get(keys, i, key); i++) {
        char *name = names[i == has_next ? 0 : 1];

        for (size_t byte = 0; byte < NAME_SIZE; byte++)
            (void)snprintf(name + 2 * byte, 3, "%02x", key[byte]);
    }
    explicit_bzero(key, sizeof(key));
    serve_say(options, false, "ticket_keys_read current=%s next=%s keys=%u", names[0], names[1],
              lr_ticket_keys_count(keys));
}

/* Takes fresh. Under the lock. */
static lr_status give(serve_tickets *tickets, lr_ticket_keys *fresh, lr_error *err)
{
    lr_status status = lr_workers_set_ticket_keys(tickets->workers, fresh, err);

    if (status == LR_OK) {
        say_keys(tickets->options, fresh);
        lr_ticket_keys_free(tickets->keys);
        tickets->keys = fresh;
    } else {
        char text[sizeof(err->text)];

        memcpy(text, err->text, sizeof(text));
        (void)snprintf(err->text, sizeof(err->text), "--ticket-keys: %.140s", text);
        lr_ticket_keys_free(fresh);
    }
    return status;
}

lr_status serve_tickets_refresh(serve_tickets *tickets, lr_error *err)
{
    lr_ticket_keys *fresh;
    lr_status status;

    if (!tickets)
        return LR_OK;
    (void)pthread_mutex_lock(&tickets->lock); /* from the reading on: who reads later gives later */
    status = read_keys(tickets->options, &fresh, err);
    if (status == LR_OK && !are_equal(tickets->keys, fresh))
        status = give(tickets, fresh, err);
    else if (status == LR_OK)
        lr_ticket_keys_free(fresh);
    (void)pthread_mutex_unlock(&tickets->lock);
    return status;
}

/* What has been said is not said again: a file may stay wrong while its directory changes. */
static void complain(serve_tickets *tickets, const char *why)
{
    if (strcmp(tickets->said, why) == 0)
        return;
    (void)snprintf(tickets->said, sizeof(tickets->said), "%s", why);
    serve_say(tickets->options, true, "ticket_keys_failed kept=old why=\"%s\"", why);
}

static void *watch(void *arg)
{
    serve_tickets *tickets = arg;
    path_watch_end end;
    int fd;

    do {
        lr_error err;

        fd = path_watch_open(tickets->options->ticket_keys); /* first, so that nothing is missed */
        if (fd < 0)
            serve_say(tickets->options, true, "ticket_keys_unwatched why=\"inotify: %s\"",
                      strerror(errno));
        if (serve_tickets_refresh(tickets, &err) == LR_OK)
            tickets->said[0] = '\0';
        else
            complain(tickets, err.text);
        end = path_watch_wait(fd, tickets->stop_fd);
        if (fd >= 0)
            (void)close(fd);
    } while (end == PATH_WATCH_CHANGED);
    return NULL;
}

lr_status serve_tickets_start(serve_tickets *tickets, lr_workers *workers, lr_error *err)
{
    lr_status status = lr_workers_set_ticket_keys(workers, tickets->keys, err);

    tickets->workers = workers;
    if (status != LR_OK)
        return status;
    errno = pthread_create(&tickets->thread, NULL, watch, tickets);
    if (errno != 0)
        return fail_system(err, "no thread");
    tickets->has_thread = true;
    return LR_OK;
}

void serve_tickets_close(serve_tickets *tickets)
{
    if (!tickets)
        return;
    if (tickets->has_thread && eventfd_write(tickets->stop_fd, 1) == 0)
        (void)pthread_join(tickets->thread, NULL);
    if (tickets->stop_fd >= 0)
        (void)close(tickets->stop_fd);
    (void)pthread_mutex_destroy(&tickets->lock);
    lr_ticket_keys_free(tickets->keys);
    free(tickets);
}
