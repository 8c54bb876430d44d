/* SPDX-License-Identifier: MIT */
#include "core/io/socket.h"

#include "core/base/check.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static int set_int(int sock, int level, int name, int value)
{
    return setsockopt(sock, level, name, &value, sizeof(value)) == 0 ? 0 : -errno;
}

static bool is_ip(int family)
{
    return family == AF_INET || family == AF_INET6;
}

static int prepare(int sock, const lr__listen_options *options)
{
    int family = options->address->sa_family;
    int ret = 0;

    if (is_ip(family))
        ret = set_int(sock, SOL_SOCKET, SO_REUSEADDR, 1);
    if (ret == 0 && family == AF_INET6)
        ret = set_int(sock, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (ret == 0 && is_ip(family))
        ret = set_int(sock, IPPROTO_TCP, TCP_NODELAY, 1);
    if (ret == 0 && options->share_port)
        ret = set_int(sock, SOL_SOCKET, SO_REUSEPORT, 1);
    if (ret == 0 && options->incoming_cpu >= 0)
        ret = set_int(sock, SOL_SOCKET, SO_INCOMING_CPU, options->incoming_cpu);
    return ret;
}

/* One attempt with exactly this address. */
static int open_listener(const lr__listen_options *options, bool only_bind)
{
    int sock = socket(options->address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int ret;

    if (sock < 0)
        return -errno;
    ret = prepare(sock, options);
    if (ret == 0 && bind(sock, options->address, options->address_len) != 0)
        ret = -errno;
    if (ret == 0 && !only_bind && listen(sock, options->backlog) != 0)
        ret = -errno;
    if (ret == 0 && !only_bind)
        return sock;
    (void)close(sock);
    return ret;
}

static bool is_any_ipv6(const lr__listen_options *options)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)options->address;

    return options->address->sa_family == AF_INET6 && options->address_len >= sizeof(*in6) &&
           IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
}

/* With the way back to IPv4 where the kernel was built or told to be without IPv6. */
static int open_any(const lr__listen_options *options, bool only_bind)
{
    int ret = open_listener(options, only_bind);
    lr__listen_options again = *options;
    struct sockaddr_in in = {.sin_family = AF_INET};

    if ((ret != -EAFNOSUPPORT && ret != -EADDRNOTAVAIL) || !is_any_ipv6(options))
        return ret;
    in.sin_port = ((const struct sockaddr_in6 *)(const void *)options->address)->sin6_port;
    again.address = (const struct sockaddr *)(const void *)&in;
    again.address_len = sizeof(in);
    return open_listener(&again, only_bind);
}

int lr__socket_probe(const struct sockaddr *address, socklen_t len)
{
    lr__listen_options options = {.address = address, .address_len = len, .incoming_cpu = -1};

    return open_any(&options, true);
}

int lr__socket_listen(const lr__listen_options *options)
{
    LR_DCHECK(options->address != NULL);
    if (options->share_port && options->exclusive) {
        int ret = lr__socket_probe(options->address, options->address_len);

        if (ret != 0)
            return ret;
    }
    return open_any(options, false);
}

int lr__socket_accept(int listener, bool nonblocking)
{
    int sock;

    do {
        sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0));
    } while (sock < 0 && errno != EAGAIN && lr__socket_accept_is_transient(errno));
    return sock >= 0 ? sock : -errno;
}

bool lr__socket_accept_is_transient(int error)
{
    switch (error) { /* accept(2): errors that were pending on the new connection */
    case EAGAIN:
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
        return true;
    default:
        return false;
    }
}

void lr__socket_linger_none(int sock)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(sock, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

uint64_t lr__clock_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int64_t lr__real_wall_ms(lr__ring *ring)
{
    struct timespec now;

    (void)ring;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool lr__real_random(lr__ring *ring, void *out, size_t size)
{
    uint8_t *at = out;

    (void)ring;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

int lr__real_listen(void *world, const lr__listen_options *options)
{
    (void)world;
    return lr__socket_listen(options);
}

void lr__real_listen_close(void *world, int listener)
{
    (void)world;
    (void)close(listener);
}

int lr__real_shutdown_write(lr__ring *ring, int sock)
{
    (void)ring;
    return shutdown(sock, SHUT_WR) == 0 ? 0 : -errno;
}

int lr__real_sock_name(void *world, int sock, bool peer, struct sockaddr_storage *out,
                       socklen_t *len)
{
    struct sockaddr *address = (struct sockaddr *)(void *)out;

    (void)world;
    memset(out, 0, sizeof(*out));
    *len = sizeof(*out);
    if ((peer ? getpeername(sock, address, len) : getsockname(sock, address, len)) != 0)
        return -errno;
    return 0;
}
