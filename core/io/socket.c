/* SPDX-License-Identifier: MIT */
#include "core/io/socket.h"

#include "core/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { SUN_PATH_SIZE = sizeof(((struct sockaddr_un *)0)->sun_path) };

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
    if (ret == 0 && options->share_port && is_ip(family)) /* AF_UNIX: -EOPNOTSUPP from 6.13 on */
        ret = set_int(sock, SOL_SOCKET, SO_REUSEPORT, 1);
    if (ret == 0 && options->incoming_cpu >= 0 && is_ip(family))
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

/* The path of an AF_UNIX address that names a file, terminated; false: it does not. */
static bool file_of(const struct sockaddr *address, socklen_t len, char path[SUN_PATH_SIZE + 1])
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)address;
    size_t room = len > offsetof(struct sockaddr_un, sun_path)
                      ? len - offsetof(struct sockaddr_un, sun_path)
                      : 0;

    if (address->sa_family != AF_UNIX || room == 0 || un->sun_path[0] == '\0')
        return false;
    room = room < SUN_PATH_SIZE ? room : SUN_PATH_SIZE;
    memcpy(path, un->sun_path, room);
    path[room] = '\0';
    return true;
}

/* What a connection to it would meet: 0, or -errno. A full queue is -EAGAIN, not a wait. */
static int knock(const struct sockaddr *address, socklen_t len)
{
    int sock = lr__socket_open(address->sa_family, true);
    int ret = 0;

    if (sock < 0)
        return sock;
    if (connect(sock, address, len) != 0)
        ret = -errno;
    (void)close(sock);
    return ret;
}

/* A socket file on which nobody listens. */
static bool is_stale(const struct sockaddr *address, socklen_t len, const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISSOCK(status.st_mode) &&
           knock(address, len) == -ECONNREFUSED;
}

void lr__socket_unlink(const struct sockaddr *address, socklen_t len)
{
    char path[SUN_PATH_SIZE + 1];

    if (file_of(address, len, path) && is_stale(address, len, path))
        (void)unlink(path);
}

static int open_unix(const lr__listen_options *options)
{
    int ret = open_listener(options, false);

    if (ret != -EADDRINUSE)
        return ret;
    lr__socket_unlink(options->address, options->address_len);
    return open_listener(options, false);
}

int lr__socket_probe(const struct sockaddr *address, socklen_t len)
{
    lr__listen_options options = {.address = address, .address_len = len, .incoming_cpu = -1};
    char path[SUN_PATH_SIZE + 1];
    struct stat status;

    if (!file_of(address, len, path))
        return open_any(&options, true);
    if (lstat(path, &status) != 0) /* a bind would leave its file behind */
        return errno == ENOENT ? 0 : -errno;
    return is_stale(address, len, path) ? 0 : -EADDRINUSE;
}

int lr__socket_listen(const lr__listen_options *options)
{
    LR_DCHECK(options->address != NULL);
    if (options->address->sa_family == AF_UNIX)
        return open_unix(options);
    if (options->share_port && options->exclusive) {
        int ret = lr__socket_probe(options->address, options->address_len);

        if (ret != 0)
            return ret;
    }
    return open_any(options, false);
}

int lr__socket_open(int family, bool nonblocking)
{
    int sock = socket(family, SOCK_STREAM | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), 0);
    int ret;

    if (sock < 0)
        return -errno;
    ret = is_ip(family) ? set_int(sock, IPPROTO_TCP, TCP_NODELAY, 1) : 0;
    if (ret == 0)
        return sock;
    (void)close(sock);
    return ret;
}

int lr__socket_connect(int sock, const struct sockaddr *address, socklen_t len)
{
    int flags = fcntl(sock, F_GETFL), ret;

    if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(sock, F_SETFL, flags | O_NONBLOCK) != 0))
        return -errno;
    ret = connect(sock, address, len) == 0 ? 0 : -errno;
    if (!(flags & O_NONBLOCK))
        (void)fcntl(sock, F_SETFL, flags);
    return ret;
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

uint64_t lr__real_clock(lr__ring *ring)
{
    (void)ring;
    return lr__clock_now();
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

int lr__real_listen_dup(void *world, int listener)
{
    int copy = fcntl(listener, F_DUPFD_CLOEXEC, 0);

    (void)world;
    return copy >= 0 ? copy : -errno;
}

void lr__real_listen_close(void *world, int listener)
{
    (void)world;
    (void)close(listener);
}

int lr__real_adopt(void *world, int sock)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer), size = sizeof(int);
    int type = 0, flags = fcntl(sock, F_GETFL), now_or_later = fcntl(sock, F_GETFD);

    (void)world;
    if (flags < 0 || now_or_later < 0 || getsockopt(sock, SOL_SOCKET, SO_TYPE, &type, &size) != 0)
        return -errno;
    if (type != SOCK_STREAM)
        return -EINVAL;
    if (getpeername(sock, (struct sockaddr *)&peer, &len) != 0 ||
        fcntl(sock, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(sock, F_SETFD, now_or_later | FD_CLOEXEC) != 0)
        return -errno;
    return is_ip(peer.ss_family) ? set_int(sock, IPPROTO_TCP, TCP_NODELAY, 1) : 0;
}

void lr__real_abandon(void *world, int sock)
{
    (void)world;
    lr__socket_linger_none(sock);
    (void)close(sock);
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
