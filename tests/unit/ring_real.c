/* SPDX-License-Identifier: MIT */
#include "tests/unit/ring_real.h"

#include <errno.h>
#include <fcntl.h>
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

#define REAL_WORLD(table)                                                                          \
    {                                                                                              \
        .backend = &(table), .is_real = true, .connect = real_connect, .peer_write = real_write,   \
        .peer_read = real_read, .peer_end = real_end, .peer_close = real_close,                    \
        .peer_reset = real_reset, .progress = real_progress                                        \
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
