/* SPDX-License-Identifier: MIT */
#include "tests/unit/ring_real.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

static int real_connect(void *world, const struct sockaddr_storage *address, socklen_t len)
{
    int sock = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)world;
    if (sock < 0)
        return -errno;
    /* On loopback the handshake is over when this returns, accepted or not. */
    if (connect(sock, (const struct sockaddr *)address, len) != 0) {
        int error = errno;

        close(sock);
        return -error;
    }
    return sock;
}

static long real_write(void *world, int peer, const void *bytes, size_t len)
{
    ssize_t wrote = send(peer, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

    (void)world;
    return wrote >= 0 ? wrote : -errno;
}

static long real_read(void *world, int peer, void *bytes, size_t cap)
{
    ssize_t got = recv(peer, bytes, cap, MSG_DONTWAIT);

    (void)world;
    return got >= 0 ? got : -errno;
}

static void real_end(void *world, int peer)
{
    (void)world;
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
}

static void real_close(void *world, int peer)
{
    (void)world;
    close(peer);
}

static void real_reset(void *world, int peer)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};

    (void)world;
    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
    close(peer);
}

static void real_progress(void *world)
{
    (void)world;
    sched_yield();
}

static int real_listen(void *world, int backlog, struct sockaddr_storage *out, socklen_t *len)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)world;
    assert_true(sock >= 0);
    assert_int_equal(bind(sock, (const struct sockaddr *)(const void *)&in, sizeof(in)), 0);
    assert_int_equal(listen(sock, backlog), 0);
    *len = sizeof(*out);
    assert_int_equal(getsockname(sock, (struct sockaddr *)(void *)out, len), 0);
    return sock;
}

static int real_accept(void *world, int stand)
{
    int sock = accept4(stand, NULL, NULL, SOCK_CLOEXEC);

    (void)world;
    return sock >= 0 ? sock : -errno;
}

static void real_unlisten(void *world, int stand)
{
    (void)world;
    close(stand);
}

/* The writing end of each pipe, by its reading end; 0: it has hung up. */
enum { PIPE_MAX = 65536 };
static int writing_ends[PIPE_MAX];

static int pipe_new(void *world)
{
    int ends[2];

    (void)world;
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    assert_true(ends[0] < PIPE_MAX);
    writing_ends[ends[0]] = ends[1];
    return ends[0];
}

static void pipe_write(void *world, int fd)
{
    (void)world;
    assert_int_equal(write(writing_ends[fd], "x", 1), 1);
}

static void pipe_empty(void *world, int fd)
{
    char bytes[64];

    (void)world;
    while (read(fd, bytes, sizeof(bytes)) > 0)
        ;
}

static void pipe_hang_up(void *world, int fd)
{
    (void)world;
    close(writing_ends[fd]);
    writing_ends[fd] = 0;
}

static void pipe_close(void *world, int fd)
{
    if (writing_ends[fd])
        pipe_hang_up(world, fd);
    close(fd);
}

#define REAL_WORLD(table)                                                                          \
    {                                                                                              \
        .backend = &(table), .is_real = true, .connect = real_connect, .peer_write = real_write,   \
        .peer_read = real_read, .peer_end = real_end, .peer_close = real_close,                    \
        .peer_reset = real_reset, .progress = real_progress, .peer_listen = real_listen,           \
        .peer_accept = real_accept, .peer_unlisten = real_unlisten, .pipe_new = pipe_new,          \
        .pipe_write = pipe_write, .pipe_empty = pipe_empty, .pipe_hang_up = pipe_hang_up,          \
        .pipe_close = pipe_close                                                                   \
    }

const rig_world rig_real_uring = REAL_WORLD(lr__backend_uring);
const rig_world rig_real_epoll = REAL_WORLD(lr__backend_epoll);

uint64_t rig_real_raise_files(void)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit.rlim_cur;
}
