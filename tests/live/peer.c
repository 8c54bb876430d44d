/* SPDX-License-Identifier: MIT */
#include "peer.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static bool fail_peer(peer *p, const char *what)
{
    (void)snprintf(p->tls.why, sizeof(p->tls.why), "%s: %s", what, strerror(errno));
    return false;
}

static int connect_path(const char *path)
{
    struct timeval guard = {LIVE_GUARD_S, 0};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    sigset_t pipe_only;
    int sock;

    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_only, NULL);
    if (size >= sizeof(un.sun_path))
        return -1;
    memcpy(un.sun_path, path, size);
    if (path[0] == '@')
        un.sun_path[0] = '\0';
    sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock >= 0 && connect(sock, (const struct sockaddr *)&un, len) != 0) {
        int error = errno;

        (void)close(sock);
        errno = error;
        return -1;
    }
    (void)setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof(guard));
    (void)setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &guard, sizeof(guard));
    return sock;
}

static bool secure(peer *p)
{
    static const tls_plan none;

    p->tls.ctx = tls_ctx_new(&none);
    p->tls.ssl = p->tls.ctx ? SSL_new(p->tls.ctx) : NULL;
    if (!p->tls.ssl || SSL_set_fd(p->tls.ssl, p->tls.sock) != 1)
        return fail_peer(p, "SSL_new");
    return tls_handshake(&p->tls);
}

bool peer_open(peer *p, uint16_t port, bool plain)
{
    memset(p, 0, sizeof(*p));
    p->plain = plain;
    p->tls.sock = tcp_connect(NULL, port);
    if (p->tls.sock < 0)
        return fail_peer(p, "connect");
    return plain || secure(p);
}

bool peer_open_path(peer *p, const char *path, bool plain)
{
    memset(p, 0, sizeof(*p));
    p->plain = plain;
    p->tls.sock = connect_path(path);
    if (p->tls.sock < 0)
        return fail_peer(p, "connect");
    return plain || secure(p);
}

bool peer_write(peer *p, const void *bytes, size_t len)
{
    if (!p->plain)
        return tls_write(&p->tls, bytes, len);
    return tcp_send(p->tls.sock, bytes, len) || fail_peer(p, "send");
}

bool peer_read(peer *p, void *out, size_t len)
{
    if (!p->plain)
        return tls_read(&p->tls, out, len);
    errno = 0; /* stays so at the end of the stream */
    return tcp_read(p->tls.sock, out, len) || fail_peer(p, "recv");
}

bool peer_end_write(peer *p)
{
    if (!p->plain)
        return tls_end_write(&p->tls);
    return shutdown(p->tls.sock, SHUT_WR) == 0 || fail_peer(p, "shutdown");
}

tls_end peer_skip_to_end(peer *p, size_t *len)
{
    uint8_t bytes[4096];
    ssize_t got;

    if (!p->plain)
        return tls_skip_to_end(&p->tls, len);
    *len = 0;
    while ((got = recv(p->tls.sock, bytes, sizeof(bytes), 0)) > 0 || (got < 0 && errno == EINTR))
        *len += got > 0 ? (size_t)got : 0;
    if (got == 0)
        return TLS_END_NOTIFY;
    (void)fail_peer(p, "recv");
    return errno == ECONNRESET ? TLS_END_RESET : TLS_END_OTHER;
}

tls_end peer_read_end(peer *p)
{
    size_t len;
    tls_end end = peer_skip_to_end(p, &len);

    if (len == 0)
        return end;
    (void)snprintf(p->tls.why, sizeof(p->tls.why), "%zu bytes where the end should be", len);
    return TLS_END_OTHER;
}

void peer_close(peer *p, bool reset)
{
    tls_close(&p->tls, reset);
}
