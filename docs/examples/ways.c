/* SPDX-License-Identifier: MIT */
/* tls-ways: five ways to write. Each byte of the client's is answered in the way that it names: c,
 * p, b, s or t. Usage: tls-ways PORT */
#include <lockring/lockring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { BIG = 4 * 1024 * 1024, NUMBERS = 100000, TICKS = 3, TICK_NS = 10000000 };

/* c: a copy. What it was made from may go when the call returns. */
static lr_status by_copy(lr_conn *c)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "from worker %u\n", lr_worker_index(lr_conn_worker(c)));

    return lr_conn_write(c, lr_slice_of(text, (size_t)len));
}

/* p: pieces, copied too: all of them or none. */
static lr_status by_pieces(lr_conn *c)
{
    const lr_slice pieces[] = {LR_LIT("hello, "), lr_conn_servername(c), LR_LIT("\n")};

    return lr_conn_writev(c, pieces, 3);
}

/* b: borrowed, of any length and without a copy, until free() is called for it. */
static lr_status by_borrowing(lr_conn *c)
{
    char *bytes = malloc(BIG);
    lr_status status;

    if (!bytes)
        return LR_ENOMEM;
    memset(bytes, 'b', BIG);
    status = lr_conn_write_take(c, lr_slice_of(bytes, BIG), free, bytes);
    if (status != LR_OK)
        free(bytes); /* nothing was taken */
    return status;
}

/* s: a stream, which is asked for bytes when there is room to send them. */
static int64_t pull_numbers(lr_conn *c, void *out, size_t cap, void *arg)
{
    uint32_t *next = arg;
    size_t len = 0;

    (void)c;
    while (*next <= NUMBERS && cap - len > sizeof("4294967295\n"))
        len += (size_t)snprintf((char *)out + len, cap - len, "%u\n", (*next)++);
    return (int64_t)len; /* 0: it has ended */
}

static void forget_numbers(lr_conn *c, lr_status status, void *arg)
{
    (void)c;
    (void)status; /* LR_OK, or LR_ECLOSED: the connection went first */
    free(arg);
}

static lr_status by_stream(lr_conn *c)
{
    uint32_t *next = malloc(sizeof(*next));
    lr_source source = {pull_numbers, forget_numbers, next};
    lr_status status;

    if (!next)
        return LR_ENOMEM;
    *next = 1;
    status = lr_conn_write_source(c, &source);
    if (status != LR_OK)
        free(next); /* done is not called for what was not taken */
    return status;
}

/* t: a stream that waits for something, here for a descriptor of the program's. */
struct ticks {
    lr_conn *c;
    lr_watch *watch;
    int fd;
    uint64_t due, said;
};

static void on_tick(lr_watch *watch, int fd, unsigned events, void *user)
{
    struct ticks *t = user;
    uint64_t more;

    (void)watch;
    (void)events;
    while (read(fd, &more, sizeof(more)) == sizeof(more)) /* edges: read until EAGAIN */
        t->due += more;
    lr_conn_source_ready(t->c);
}

static int64_t pull_ticks(lr_conn *c, void *out, size_t cap, void *arg)
{
    struct ticks *t = arg;

    (void)c;
    if (t->said == TICKS)
        return 0;
    if (t->said == t->due)
        return LR_EAGAIN; /* until lr_conn_source_ready() */
    t->said++;
    return snprintf(out, cap, "tick\n");
}

static void end_ticks(lr_conn *c, lr_status status, void *arg)
{
    struct ticks *t = arg;

    (void)c;
    (void)status;
    lr_watch_close(t->watch);
    if (t->fd >= 0)
        (void)close(t->fd);
    free(t);
}

static lr_status by_ticks(lr_conn *c)
{
    const struct itimerspec every = {{0, TICK_NS}, {0, TICK_NS}};
    struct ticks *t = calloc(1, sizeof(*t));
    lr_source source = {pull_ticks, end_ticks, t};
    lr_status status;

    if (!t)
        return LR_ENOMEM;
    t->c = c;
    t->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (t->fd < 0 || timerfd_settime(t->fd, 0, &every, NULL) != 0)
        status = LR_ESYSTEM;
    else
        status = lr_worker_watch_fd(lr_conn_worker(c), t->fd, LR_READABLE, on_tick, t, &t->watch);
    if (status == LR_OK)
        status = lr_conn_write_source(c, &source);
    if (status != LR_OK)
        end_ticks(c, status, t);
    return status;
}

static lr_status answer(lr_conn *c, uint8_t letter)
{
    switch (letter) {
    case 'c':
        return by_copy(c);
    case 'p':
        return by_pieces(c);
    case 'b':
        return by_borrowing(c);
    case 's':
        return by_stream(c);
    case 't':
        return by_ticks(c);
    default:
        return LR_OK;
    }
}

static void on_data(lr_conn *c, lr_slice bytes)
{
    lr_status status = LR_OK;

    for (size_t i = 0; i < bytes.len && status == LR_OK; i++)
        status = answer(c, bytes.bytes[i]);
    if (status != LR_OK) /* LR_EAGAIN: it asks for more than it reads */
        lr_conn_abort(c, status);
}

static const lr_handlers handlers = {LR_HANDLERS, .on_data = on_data,
                                     .on_server_drain = lr_conn_end};

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

    if (argc != 2) {
        fprintf(stderr, "usage: tls-ways PORT\n");
        return EXIT_FAILURE;
    }
    run.port = (uint16_t)atoi(argv[1]);
    if (lr_run(&run, &err) == LR_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "tls-ways: %s\n", err.text);
    return EXIT_FAILURE;
}
