/* SPDX-License-Identifier: MIT */
#include "tests/unit/ring_contract.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* With as many pumps as here everything that can happen without our doing has happened. */
static void settle(rig *g)
{
    for (int i = 0; i < 50; i++)
        rig_pump(g);
}

/* Polling */

static void a_poll_tells_news(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    int fd = w->pipe_new(w->world);
    rig_conn *c = rig_poll(g, fd, POLLIN);

    settle(g);
    assert_int_equal(c->told_count, 0);
    for (uint32_t i = 1; i <= 20; i++) { /* read in between, or not: each write is news */
        uint32_t before = c->told_count;

        w->pipe_write(w->world, fd);
        RIG_UNTIL(g, c->told_count > before);
        settle(g);
        assert_int_equal(c->told_count, before + 1); /* of edges, not of levels */
        if (i % 3 == 0)
            w->pipe_empty(w->world, fd);
    }
    assert_int_equal(c->told, POLLIN);
    rig_stop_poll(g, c);
    w->pipe_close(w->world, fd);
    RIG_UNTIL(g, !c->on);
    assert_int_equal(c->poll_last, -ECANCELED);
    rig_free(g);
}

static void a_poll_begins_with_what_is_ready(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    int fd = w->pipe_new(w->world);
    rig_conn *c, *again;

    w->pipe_write(w->world, fd);
    c = rig_poll(g, fd, POLLIN);
    RIG_UNTIL(g, c->told == POLLIN);
    rig_stop_poll(g, c);
    again = rig_poll(g, fd, POLLIN); /* at once: the first is over but for its completion */
    RIG_UNTIL(g, again->told == POLLIN && !c->on);
    rig_stop_poll(g, again);
    rig_stop_poll(g, again); /* twice is once */
    RIG_UNTIL(g, !again->on);
    rig_stop_poll(g, again); /* and late is never */
    settle(g);
    w->pipe_close(w->world, fd);
    rig_free(g);
}

/* Its number belongs to another one before the ring knows. */
static void a_polled_descriptor_is_closed_after_the_stop(const rig_world *w)
{
    rig *g = rig_new(w, NULL);

    for (int i = 0; i < 8; i++) {
        int fd = w->pipe_new(w->world), other;
        rig_conn *c = rig_poll(g, fd, POLLIN);

        if (i & 1)
            settle(g);
        if (i & 2)
            w->pipe_write(w->world, fd);
        if (i & 4)
            (void)rig_turn(g, 0);
        rig_stop_poll(g, c);
        w->pipe_close(w->world, fd);
        other = w->pipe_new(w->world);
        w->pipe_write(w->world, other);
        RIG_UNTIL(g, !c->on);
        assert_int_equal(c->poll_last, -ECANCELED);
        c = rig_poll(g, other, POLLIN);
        RIG_UNTIL(g, c->told == POLLIN);
        rig_stop_poll(g, c);
        w->pipe_close(w->world, other);
        RIG_UNTIL(g, !c->on);
    }
    rig_free(g);
}

/* They are ready, but the caller's array had no room for them. */
static void what_was_not_seen_is_not_told_after_the_stop(const rig_world *w)
{
    enum { COUNT = 10 };
    rig *g = rig_new(w, NULL);
    int fds[COUNT];
    uint32_t told = 0;

    for (int i = 0; i < COUNT; i++) {
        fds[i] = w->pipe_new(w->world);
        (void)rig_poll(g, fds[i], POLLIN);
    }
    settle(g);
    for (int i = 0; i < COUNT; i++)
        w->pipe_write(w->world, fds[i]);
    g->cap = 1;
    while (rig_turn(g, 0) == 0)
        w->progress(w->world);
    g->cap = RIG_CAP;
    for (int i = 0; i < COUNT; i++) {
        rig_stop_poll(g, &g->conns[i]);
        w->pipe_close(w->world, fds[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        RIG_UNTIL(g, !g->conns[i].on);
        told += g->conns[i].told_count;
    }
    assert_int_equal(told, 1);
    rig_free(g);
}

static void a_poll_tells_the_end(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    int fd = w->pipe_new(w->world), bad = w->pipe_new(w->world);
    rig_conn *c = rig_poll(g, fd, POLLIN);

    settle(g);
    w->pipe_hang_up(w->world, fd);
    RIG_UNTIL(g, c->told & POLLHUP);
    rig_stop_poll(g, c);
    w->pipe_close(w->world, fd);
    RIG_UNTIL(g, !c->on);
    w->pipe_close(w->world, bad);
    c = rig_poll(g, bad, POLLIN);
    RIG_UNTIL(g, !c->on);
    assert_int_equal(c->poll_last, -EBADF);
    assert_int_equal(c->told, 0);
    rig_free(g);
}

/* More news than the completion queue and the caller's array hold. */
static void news_of_many_polls_is_not_lost(const rig_world *w)
{
    enum { COUNT = 150, ROUNDS = 5 };
    lr__ring_config tiny = {.sq_entries = 16, .cq_entries = 32};
    rig *g = rig_new(w, &tiny);
    int fds[COUNT];

    g->cap = 3;
    for (int i = 0; i < COUNT; i++) {
        fds[i] = w->pipe_new(w->world);
        (void)rig_poll(g, fds[i], POLLIN);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < COUNT; i++) {
            g->conns[i].told = 0;
            w->pipe_empty(w->world, fds[i]);
            w->pipe_write(w->world, fds[i]);
        }
        for (int i = 0; i < COUNT; i++)
            RIG_UNTIL(g, g->conns[i].told == POLLIN);
    }
    for (int i = 0; i < COUNT; i++) {
        rig_stop_poll(g, &g->conns[i]);
        w->pipe_close(w->world, fds[i]);
    }
    for (int i = 0; i < COUNT; i++)
        RIG_UNTIL(g, !g->conns[i].on);
    rig_free(g);
}

static void what_is_always_ready_is_not_polled(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    int fds[2] = {open("/proc/self/exe", O_RDONLY | O_CLOEXEC), open("/", O_RDONLY | O_CLOEXEC)};

    for (int i = 0; i < 2; i++) {
        rig_conn *c = rig_poll(g, fds[i], POLLIN);

        RIG_UNTIL(g, !c->on);
        assert_int_equal(c->poll_last, -EPERM);
        assert_int_equal(c->told_count, 0);
        close(fds[i]);
    }
    rig_free(g);
}

/* Files */

enum { FILE_SIZE = 100000 };

typedef struct folder {
    rig *g;
    char path[64], name[80];
    int fd; /* of the ring's back end */
} folder;

static int open_in(rig *g, int dir_fd, const char *path, uint64_t flags, uint64_t resolve)
{
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
    lr__file_op op = {.kind = LR__FILE_OPEN, .fd = dir_fd, .path = path, .how = &how};

    return rig_file_now(g, &op);
}

static void close_file(rig *g, int fd)
{
    lr__file_op op = {.kind = LR__FILE_CLOSE, .fd = fd};

    assert_int_equal(rig_file_now(g, &op), 0);
}

/* A directory of its own with one file, "file", of the pattern of key 7. */
static folder folder_new(const rig_world *w)
{
    folder f = {.g = rig_new(w, NULL), .path = "/tmp/lockring-ring-XXXXXX"};
    FILE *out;

    assert_non_null(mkdtemp(f.path));
    (void)snprintf(f.name, sizeof(f.name), "%s/file", f.path);
    out = fopen(f.name, "w");
    assert_non_null(out);
    for (uint64_t i = 0; i < FILE_SIZE; i++)
        assert_int_not_equal(fputc(rig_pattern(7, false, i), out), EOF);
    assert_int_equal(fclose(out), 0);
    f.fd = open_in(f.g, AT_FDCWD, f.path, O_PATH | O_DIRECTORY, 0);
    assert_true(f.fd >= 0);
    return f;
}

static void folder_free(folder *f)
{
    close_file(f->g, f->fd);
    rig_free(f->g);
    assert_int_equal(unlink(f->name), 0);
    assert_int_equal(rmdir(f->path), 0);
}

static void assert_bytes(const uint8_t *bytes, int len, uint64_t offset)
{
    for (int i = 0; i < len; i++)
        assert_int_equal(bytes[i], rig_pattern(7, false, offset + (uint64_t)i));
}

static void a_file_is_read_at_its_offsets(const rig_world *w)
{
    static uint8_t bytes[FILE_SIZE + 10];
    folder f = folder_new(w);
    struct statx status = {0};
    int fd = open_in(f.g, f.fd, "file", O_RDONLY, RESOLVE_BENEATH);
    lr__file_op stat = {.kind = LR__FILE_STAT, .fd = fd, .statx = &status};
    lr__file_op read = {.kind = LR__FILE_READ, .fd = fd, .buf = bytes, .len = sizeof(bytes)};

    assert_true(fd >= 0);
    assert_int_equal(rig_file_now(f.g, &stat), 0);
    assert_true(S_ISREG(status.stx_mode));
    assert_int_equal(status.stx_size, FILE_SIZE);
    assert_int_equal(rig_file_now(f.g, &read), FILE_SIZE);
    assert_bytes(bytes, FILE_SIZE, 0);
    for (uint32_t i = 0; i < 50; i++) { /* back and forth: there is no position */
        read.offset = i * 7919 * 31 % (FILE_SIZE - 100);
        read.len = 1 + i;
        assert_int_equal(rig_file_now(f.g, &read), 1 + i);
        assert_bytes(bytes, (int)read.len, read.offset);
    }
    read.offset = FILE_SIZE - 3;
    read.len = 10;
    assert_int_equal(rig_file_now(f.g, &read), 3);
    read.offset = FILE_SIZE;
    assert_int_equal(rig_file_now(f.g, &read), 0);
    read.offset = FILE_SIZE * UINT64_C(10);
    assert_int_equal(rig_file_now(f.g, &read), 0);
    close_file(f.g, fd);
    folder_free(&f);
}

static void what_is_not_there_or_not_allowed(const rig_world *w)
{
    folder f = folder_new(w);
    char absolute[100];
    int fd;

    (void)snprintf(absolute, sizeof(absolute), "%s/file", f.path);
    assert_int_equal(open_in(f.g, f.fd, "missing", O_RDONLY, RESOLVE_BENEATH), -ENOENT);
    assert_int_equal(open_in(f.g, f.fd, "file/x", O_RDONLY, RESOLVE_BENEATH), -ENOTDIR);
    assert_int_equal(open_in(f.g, f.fd, "../x", O_RDONLY, RESOLVE_BENEATH), -EXDEV);
    assert_int_equal(open_in(f.g, f.fd, absolute, O_RDONLY, RESOLVE_BENEATH), -EXDEV);
    fd = open_in(f.g, f.fd, absolute, O_RDONLY, 0);
    assert_true(fd >= 0);
    close_file(f.g, fd);
    folder_free(&f);
}

/* As a path that a peer has chosen is opened: a FIFO does not stop it, a file is read as ever. */
static void nonblocking_opens_wait_for_nobody(const rig_world *w)
{
    folder f = folder_new(w);
    uint8_t bytes[100];
    lr__file_op read = {.kind = LR__FILE_READ, .buf = bytes, .len = sizeof(bytes), .offset = 50};
    char fifo[100];
    int fd;

    (void)snprintf(fifo, sizeof(fifo), "%s/fifo", f.path);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    fd = open_in(f.g, f.fd, "fifo", O_RDONLY | O_NONBLOCK, RESOLVE_BENEATH);
    assert_true(fd >= 0);
    close_file(f.g, fd);
    read.fd = fd = open_in(f.g, f.fd, "file", O_RDONLY | O_NONBLOCK, RESOLVE_BENEATH);
    assert_int_equal(rig_file_now(f.g, &read), sizeof(bytes));
    assert_bytes(bytes, sizeof(bytes), 50);
    close_file(f.g, fd);
    read.fd = fd = open_in(f.g, AT_FDCWD, "/proc/self/status", O_RDONLY | O_NONBLOCK, 0);
    read.offset = 0;
    assert_int_equal(rig_file_now(f.g, &read), sizeof(bytes));
    assert_memory_equal(bytes, "Name:", 5);
    close_file(f.g, fd);
    assert_int_equal(unlink(fifo), 0);
    folder_free(&f);
}

static void many_files_at_once(const rig_world *w)
{
    enum { COUNT = 200, LEN = 400 };
    static uint8_t bytes[COUNT][LEN];
    static lr__file_op opens[COUNT], reads[COUNT], closes[COUNT];
    folder f = folder_new(w);
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_BENEATH};
    uint32_t first = f.g->conn_count;

    for (uint32_t i = 0; i < COUNT; i++) {
        opens[i] = (lr__file_op){.kind = LR__FILE_OPEN, .fd = f.fd, .path = "file", .how = &how};
        (void)rig_file(f.g, &opens[i]);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        RIG_UNTIL(f.g, !f.g->conns[first + i].on);
        assert_true(f.g->conns[first + i].file_last >= 0);
        reads[i] = (lr__file_op){.kind = LR__FILE_READ,
                                 .fd = f.g->conns[first + i].file_last,
                                 .buf = bytes[i],
                                 .offset = i * 100,
                                 .len = LEN};
        (void)rig_file(f.g, &reads[i]);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        RIG_UNTIL(f.g, !f.g->conns[first + COUNT + i].on);
        assert_int_equal(f.g->conns[first + COUNT + i].file_last, LEN);
        assert_bytes(bytes[i], LEN, i * 100);
        closes[i] = (lr__file_op){.kind = LR__FILE_CLOSE, .fd = reads[i].fd};
        (void)rig_file(f.g, &closes[i]);
    }
    for (uint32_t i = 0; i < 3 * COUNT; i++)
        RIG_UNTIL(f.g, !f.g->conns[first + i].on);
    folder_free(&f);
}

/* Nothing else happens that could end the wait. */
static void no_wait_sleeps_on_what_is_done(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC};
    lr__file_op op = {.kind = LR__FILE_OPEN, .fd = AT_FDCWD, .path = "/", .how = &how};
    rig_conn *c = rig_file(g, &op), *p;
    int fd = w->pipe_new(w->world);

    while (c->on)
        (void)rig_turn(g, UINT64_MAX);
    assert_true(c->file_last >= 0);
    close_file(g, c->file_last);
    p = rig_poll(g, fd, POLLIN);
    w->pipe_write(w->world, fd);
    while (!p->told)
        (void)rig_turn(g, UINT64_MAX);
    rig_stop_poll(g, p);
    while (p->on)
        (void)rig_turn(g, UINT64_MAX);
    w->pipe_close(w->world, fd);
    p = rig_poll(g, fd, POLLIN);
    while (p->on)
        (void)rig_turn(g, UINT64_MAX);
    assert_int_equal(p->poll_last, -EBADF);
    c = rig_reach(g, &g->address, g->address_len);
    while (rig_on(c, LR__OP_CONNECT) || g->accepted_count == 0)
        (void)rig_turn(g, UINT64_MAX);
    assert_int_equal(c->connect_last, 0);
    w->backend->listen_close(w->world, g->accepted[--g->accepted_count]);
    rig_free(g);
}

static int open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* What was opened and not seen does not stay open; what was to be closed is closed. */
static void a_ring_is_closed_with_files_in_flight(const rig_world *w)
{
    int before = open_descriptors();
    rig *g = rig_new(w, NULL);
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC};
    lr__file_op root = {.kind = LR__FILE_OPEN, .fd = AT_FDCWD, .path = "/", .how = &how};
    lr__file_op gone = {.kind = LR__FILE_CLOSE, .fd = rig_file_now(g, &root)};
    int fd = w->pipe_new(w->world);

    assert_true(gone.fd >= 0);
    (void)rig_poll(g, fd, POLLIN);
    (void)rig_turn(g, 0);
    for (int i = 0; i < 5; i++)
        (void)rig_file(g, &root);
    (void)rig_file(g, &gone);
    w->backend->listen_close(w->world, g->listener);
    rig_drop(g);
    w->pipe_close(w->world, fd);
    assert_int_equal(open_descriptors(), before);
}

const ring_contract_test ring_contract_files[] = {
    {"a_poll_tells_news", a_poll_tells_news, false},
    {"a_poll_begins_with_what_is_ready", a_poll_begins_with_what_is_ready, false},
    {"a_polled_descriptor_is_closed_after_the_stop", a_polled_descriptor_is_closed_after_the_stop,
     false},
    {"what_was_not_seen_is_not_told_after_the_stop", what_was_not_seen_is_not_told_after_the_stop,
     false},
    {"a_poll_tells_the_end", a_poll_tells_the_end, false},
    {"news_of_many_polls_is_not_lost", news_of_many_polls_is_not_lost, false},
    {"what_is_always_ready_is_not_polled", what_is_always_ready_is_not_polled, true},
    {"a_file_is_read_at_its_offsets", a_file_is_read_at_its_offsets, false},
    {"what_is_not_there_or_not_allowed", what_is_not_there_or_not_allowed, false},
    {"nonblocking_opens_wait_for_nobody", nonblocking_opens_wait_for_nobody, false},
    {"many_files_at_once", many_files_at_once, false},
    {"no_wait_sleeps_on_what_is_done", no_wait_sleeps_on_what_is_done, false},
    {"a_ring_is_closed_with_files_in_flight", a_ring_is_closed_with_files_in_flight, false},
    {NULL, NULL, false},
};
