/* SPDX-License-Identifier: MIT */
/* tls-lines: sends each client a line of a file every 100 ms; nothing in it stops the worker.
 * Usage: tls-lines PORT FILE */
#include <lockring/lockring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVERY_MS = 100, LINE_MAX_BYTES = 4096 };

/* lr_conn_user(): it lives as long as the connection. */
struct reader {
    lr_conn *c;
    lr_file *file;
    lr_timer *timer;
    uint64_t at; /* where the next line begins */
};

static void on_got(lr_file *file, lr_status status, int sys, lr_slice bytes, void *user)
{
    struct reader *r = user;
    const uint8_t *end = bytes.len ? memchr(bytes.bytes, '\n', bytes.len) : NULL;
    lr_slice line = lr_slice_of(bytes.bytes, end ? (size_t)(end - bytes.bytes) + 1 : bytes.len);

    (void)file;
    (void)sys;
    if (status != LR_OK) {
        lr_conn_abort(r->c, status);
    } else if (line.len == 0) { /* the end of the file */
        lr_conn_end(r->c);
    } else {
        if (lr_conn_write(r->c, line) == LR_OK) /* else the same line again, later */
            r->at += line.len;
        lr_timer_set(r->timer, EVERY_MS);
    }
}

static void on_time(lr_timer *timer, void *user)
{
    struct reader *r = user;

    (void)timer;
    if (lr_file_read(r->file, r->at, LINE_MAX_BYTES, on_got) != LR_OK)
        lr_conn_abort(r->c, LR_OK);
}

static void on_opened(lr_file *file, lr_status status, int sys, const lr_file_info *info,
                      void *user)
{
    struct reader *r = user;

    (void)file;
    (void)sys;
    if (status == LR_OK && info->is_regular)
        lr_timer_set(r->timer, 0);
    else
        lr_conn_abort(r->c, LR_EFILE);
}

static void on_secure(lr_conn *c)
{
    struct reader *r = lr_conn_user(c);
    lr_file_options options = {LR_FILE_OPTIONS, .path = lr_server_user(lr_conn_server(c))};

    r->c = c;
    if (lr_timer_new(lr_conn_worker(c), on_time, r, &r->timer) != LR_OK ||
        lr_file_open(lr_conn_worker(c), &options, on_opened, r, &r->file) != LR_OK)
        lr_conn_abort(c, LR_ENOMEM);
}

/* No callback follows. What was never made is null, and that is allowed. */
static void on_close(lr_conn *c, const lr_error *why)
{
    struct reader *r = lr_conn_user(c);

    (void)why;
    lr_timer_free(r->timer);
    lr_file_close(r->file);
}

static const lr_handlers handlers = {LR_HANDLERS, .on_secure = on_secure,
                                     .on_server_drain = lr_conn_end, .on_close = on_close};

static void on_listening(const char *address, void *user)
{
    (void)user;
    printf("listening on %s\n", address);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    lr_run_options run = {LR_RUN_OPTIONS, .handlers = &handlers, .on_listening = on_listening,
                          .conn_user_size = sizeof(struct reader)};
    lr_error err;

    if (argc != 3) {
        fprintf(stderr, "usage: tls-lines PORT FILE\n");
        return EXIT_FAILURE;
    }
    run.port = (uint16_t)atoi(argv[1]);
    run.user = argv[2];
    if (lr_run(&run, &err) == LR_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "tls-lines: %s\n", err.text);
    return EXIT_FAILURE;
}
