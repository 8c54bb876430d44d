/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <openssl/err.h>

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK_MAX = 40000 };

/* A peer that is gone is an error of the call. Only this thread: the library must not raise
 * SIGPIPE, and would be killed by it. */
static void block_sigpipe(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* Patterns. */

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t random_next(uint64_t *seed)
{
    return mix(*seed += UINT64_C(0x9e3779b97f4a7c15));
}

uint64_t random_below(uint64_t *seed, uint64_t limit)
{
    return random_next(seed) % limit;
}

static uint8_t pattern_byte(uint64_t seed, uint64_t at)
{
    return (uint8_t)(mix(seed * UINT64_C(0x9e3779b97f4a7c15) + at / 8) >> (at % 8 * 8));
}

void pattern_fill(uint64_t seed, uint64_t at, void *out, size_t len)
{
    uint8_t *bytes = out;

    for (size_t i = 0; i < len; i++)
        bytes[i] = pattern_byte(seed, at + i);
}

bool pattern_fits(uint64_t seed, uint64_t at, const void *bytes, size_t len)
{
    const uint8_t *given = bytes;

    for (size_t i = 0; i < len; i++) {
        if (given[i] != pattern_byte(seed, at + i))
            return false;
    }
    return true;
}

/* TCP. */

int tcp_connect(const char *host, uint16_t port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *found = NULL;
    struct timeval guard = {LIVE_GUARD_S, 0};
    char service[8];
    int sock, on = 1;

    block_sigpipe();
    (void)snprintf(service, sizeof(service), "%u", port);
    if (getaddrinfo(host ? host : "127.0.0.1", service, &hints, &found) != 0)
        return -1;
    sock = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock >= 0 && connect(sock, found->ai_addr, found->ai_addrlen) != 0) {
        int error = errno;

        (void)close(sock);
        errno = error;
        sock = -1;
    }
    freeaddrinfo(found);
    if (sock < 0)
        return -1;
    (void)setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof(guard));
    (void)setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &guard, sizeof(guard));
    return sock;
}

bool tcp_send(int sock, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    while (len > 0) {
        ssize_t sent = send(sock, at, len, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        at += sent;
        len -= (size_t)sent;
    }
    return true;
}

bool tcp_read(int sock, void *out, size_t len)
{
    uint8_t *at = out;

    while (len > 0) {
        ssize_t got = recv(sock, at, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        len -= (size_t)got;
    }
    return true;
}

bool tcp_peek(int sock, uint8_t *first)
{
    ssize_t got;

    do {
        got = recv(sock, first, 1, MSG_PEEK);
    } while (got < 0 && errno == EINTR);
    return got == 1;
}

int tcp_read_to_end(int sock, void *out, size_t cap, size_t *len)
{
    uint8_t *at = out;

    *len = 0;
    for (;;) {
        uint8_t beyond;
        bool room = *len < cap;
        ssize_t got = recv(sock, room ? at + *len : &beyond, room ? cap - *len : 1, 0);

        if (got == 0)
            return 0;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (!room)
            return EMSGSIZE;
        *len += (size_t)got;
    }
}

bool tcp_is_reset(uint16_t port)
{
    int sock = tcp_connect(NULL, port), error = errno;
    uint8_t none;
    size_t len;

    if (sock >= 0) {
        error = tcp_read_to_end(sock, &none, 0, &len);
        (void)close(sock);
    }
    return error == ECONNRESET;
}

void tcp_reset(int sock)
{
    struct linger at_once = {1, 0};

    (void)setsockopt(sock, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    (void)close(sock);
}

/* TLS. */

static bool tls_fail(tls_client *t, const char *what, int ret)
{
    int saved = errno, code = SSL_get_error(t->ssl, ret);
    unsigned long error = ERR_get_error();
    char text[120] = "";

    if (code == SSL_ERROR_SYSCALL && (saved == ECONNRESET || saved == EPIPE))
        t->reset = true;
    if (error != 0)
        ERR_error_string_n(error, text, sizeof(text));
    (void)snprintf(t->why, sizeof(t->why), "%s: %s (SSL error %d, errno %d)", what, text, code,
                   saved);
    ERR_clear_error();
    return false;
}

/* A ring that this thread made and closed ends in the kernel a little later, which interrupts one
 * call of the thread where a socket has a time limit (Linux 6.18: io_ring_exit_work). */
static bool interrupted(tls_client *t, int ret)
{
    int saved = errno, code;

    if (ret > 0)
        return false;
    code = SSL_get_error(t->ssl, ret);
    errno = saved;
    return saved == EINTR && (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE);
}

void tls_keeper_clear(tls_keeper *keeper)
{
    for (uint32_t i = 0; i < keeper->count; i++)
        SSL_SESSION_free(keeper->sessions[i]);
    keeper->count = keeper->certificates = 0;
}

/* 1: the reference is ours now. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    tls_keeper *keeper = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    if (keeper->count == sizeof(keeper->sessions) / sizeof(keeper->sessions[0]))
        return 0;
    keeper->sessions[keeper->count++] = session;
    return 1;
}

static void on_message(int is_written, int version, int type, const void *bytes, size_t len,
                       SSL *ssl, void *arg)
{
    tls_keeper *keeper = arg;

    (void)version;
    (void)ssl;
    if (is_written == 0 && type == SSL3_RT_HANDSHAKE && len != 0 &&
        *(const uint8_t *)bytes == SSL3_MT_CERTIFICATE)
        keeper->certificates++;
}

static void keep_sessions(SSL_CTX *ctx, tls_keeper *keeper)
{
    (void)SSL_CTX_set_session_cache_mode(ctx,
                                         SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    (void)SSL_CTX_set_app_data(ctx, keeper);
    SSL_CTX_set_msg_callback(ctx, on_message);
    (void)SSL_CTX_set_msg_callback_arg(ctx, keeper);
}

SSL_CTX *tls_ctx_new(const tls_plan *plan)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (!ctx)
        return NULL;
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (plan->no_ticket)
        (void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    if (plan->keep)
        keep_sessions(ctx, plan->keep);
    if (plan->verify)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (plan->ocsp)
        (void)SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp);
    if ((plan->version != 0 && (SSL_CTX_set_min_proto_version(ctx, plan->version) != 1 ||
                                SSL_CTX_set_max_proto_version(ctx, plan->version) != 1)) ||
        (plan->version != 0 && plan->version < TLS1_2_VERSION &&
         SSL_CTX_set_cipher_list(ctx, "DEFAULT@SECLEVEL=0") != 1) ||
        (plan->sigalgs && SSL_CTX_set1_sigalgs_list(ctx, plan->sigalgs) != 1) ||
        (plan->groups && SSL_CTX_set1_groups_list(ctx, plan->groups) != 1) ||
        (plan->alpn && SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)plan->alpn,
                                               (unsigned)strlen(plan->alpn)) != 0)) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

/* A copy: OpenSSL offers a session of TLS 1.3 only once. */
static bool offer_session(SSL *ssl, SSL_SESSION *session)
{
    SSL_SESSION *copy = SSL_SESSION_dup(session);
    bool ok = copy && SSL_set_session(ssl, copy) == 1;

    SSL_SESSION_free(copy);
    return ok;
}

bool tls_connect(tls_client *t, SSL_CTX *ctx, const char *host, uint16_t port, const char *name)
{
    const tls_keeper *keeper = SSL_CTX_get_app_data(ctx);

    memset(t, 0, sizeof(*t));
    t->sock = tcp_connect(host, port);
    if (t->sock < 0) {
        (void)snprintf(t->why, sizeof(t->why), "connect: %s", strerror(errno));
        return false;
    }
    if (SSL_CTX_up_ref(ctx) != 1)
        return false;
    t->ctx = ctx;
    t->ssl = SSL_new(ctx);
    if (!t->ssl || SSL_set_fd(t->ssl, t->sock) != 1 ||
        (keeper && keeper->offer && !offer_session(t->ssl, keeper->offer)) ||
        (name && SSL_set_tlsext_host_name(t->ssl, name) != 1)) {
        (void)snprintf(t->why, sizeof(t->why), "SSL_new failed");
        return false;
    }
    return true;
}

bool tls_handshake(tls_client *t)
{
    int ret;

    ERR_clear_error();
    do {
        ret = SSL_connect(t->ssl);
    } while (interrupted(t, ret));
    return ret == 1 ? true : tls_fail(t, "handshake", ret);
}

int tls_handshake_step(tls_client *t, int wait_ms)
{
    struct pollfd wait = {t->sock, POLLIN, 0};
    int nonblocking = 1, blocking = 0, ret, code;

    (void)ioctl(t->sock, FIONBIO, &nonblocking);
    do {
        ERR_clear_error();
        ret = SSL_connect(t->ssl);
        code = SSL_get_error(t->ssl, ret);
    } while (code == SSL_ERROR_WANT_READ && poll(&wait, 1, wait_ms) == 1);
    if (ret != 1 && code != SSL_ERROR_WANT_READ)
        (void)tls_fail(t, "handshake", ret);
    (void)ioctl(t->sock, FIONBIO, &blocking);
    return ret == 1 ? 1 : code == SSL_ERROR_WANT_READ ? 0 : -1;
}

/* OpenSSL's reason of an alert is 1000 and its number; why has it in hexadecimal. */
int tls_alert_of(const tls_client *t)
{
    const char *error = strstr(t->why, "error:");
    unsigned long reason = error ? strtoul(error + 6, NULL, 16) & 0x7fffff : 0;

    return reason >= 1000 && reason < 1256 ? (int)(reason - 1000) : -1;
}

size_t tls_first_flight(tls_client *t, uint8_t *out, size_t cap)
{
    BIO *in = BIO_new(BIO_s_mem()), *to = BIO_new(BIO_s_mem());
    int len = -1;

    if (!in || !to) {
        BIO_free(in);
        BIO_free(to);
        return 0;
    }
    (void)BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(t->ssl, in, to);
    ERR_clear_error();
    if (SSL_get_error(t->ssl, SSL_connect(t->ssl)) == SSL_ERROR_WANT_READ)
        len = BIO_read(to, out, (int)cap);
    if (len <= 0 || (size_t)len == cap || SSL_set_fd(t->ssl, t->sock) != 1)
        return 0;
    return (size_t)len;
}

bool tls_open(tls_client *t, uint16_t port, const tls_plan *plan)
{
    static const tls_plan none;
    SSL_CTX *ctx = tls_ctx_new(plan ? plan : &none);
    bool ok;

    memset(t, 0, sizeof(*t));
    t->sock = -1;
    if (!ctx) {
        (void)snprintf(t->why, sizeof(t->why), "SSL_CTX_new failed");
        return false;
    }
    ok = tls_connect(t, ctx, NULL, port, "localhost") && tls_handshake(t);
    SSL_CTX_free(ctx);
    return ok;
}

bool tls_write(tls_client *t, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    ERR_clear_error();
    while (len > 0) {
        int ret = SSL_write(t->ssl, at, len < INT32_MAX ? (int)len : INT32_MAX);

        if (interrupted(t, ret))
            continue;
        if (ret <= 0)
            return tls_fail(t, "write", ret);
        at += ret;
        len -= (size_t)ret;
    }
    return true;
}

bool tls_read(tls_client *t, void *out, size_t len)
{
    uint8_t *at = out;

    ERR_clear_error();
    while (len > 0) {
        int ret = SSL_read(t->ssl, at, len < INT32_MAX ? (int)len : INT32_MAX);

        if (interrupted(t, ret))
            continue;
        if (ret <= 0)
            return tls_fail(t, "read", ret);
        at += ret;
        len -= (size_t)ret;
    }
    return true;
}

tls_end tls_skip_to_end(tls_client *t, size_t *len)
{
    uint8_t bytes[4096];
    int ret, code, saved;

    *len = 0;
    do {
        ERR_clear_error();
        errno = 0;
        ret = SSL_read(t->ssl, bytes, sizeof(bytes));
        if (ret > 0)
            *len += (size_t)ret;
    } while (ret > 0 || interrupted(t, ret));
    saved = errno;
    code = SSL_get_error(t->ssl, ret);
    if (code == SSL_ERROR_ZERO_RETURN)
        return TLS_END_NOTIFY;
    if (code == SSL_ERROR_SSL &&
        ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return TLS_END_TRUNCATED;
    errno = saved;
    (void)tls_fail(t, "end", ret);
    return t->reset ? TLS_END_RESET : TLS_END_OTHER;
}

tls_end tls_read_end(tls_client *t)
{
    size_t len;
    tls_end end = tls_skip_to_end(t, &len);

    if (len == 0)
        return end;
    (void)snprintf(t->why, sizeof(t->why), "%zu bytes where the end should be", len);
    return TLS_END_OTHER;
}

bool tls_end_write(tls_client *t)
{
    int ret = SSL_shutdown(t->ssl);

    return ret >= 0 ? true : tls_fail(t, "close_notify", ret);
}

/* One direction at a time as far as it goes. 1: moved, 0: would block, -1: failed. */
static int moved(tls_client *t, int ret, const char *what)
{
    int code;

    if (ret > 0)
        return 1;
    code = SSL_get_error(t->ssl, ret);
    if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE)
        return 0;
    (void)tls_fail(t, what, ret);
    return -1;
}

typedef struct transfer {
    uint64_t seed, sizes; /* of the pattern, of the chunks */
    size_t total, sent, got, chunk, chunk_at;
    uint8_t out[CHUNK_MAX], in[CHUNK_MAX];
} transfer;

static int push(tls_client *t, transfer *x)
{
    int ret;

    if (x->chunk_at == x->chunk) {
        x->chunk = 1 + random_below(&x->sizes, CHUNK_MAX);
        x->chunk = x->chunk < x->total - x->sent ? x->chunk : x->total - x->sent;
        x->chunk_at = 0;
        pattern_fill(x->seed, x->sent, x->out, x->chunk);
    }
    ERR_clear_error();
    ret = SSL_write(t->ssl, x->out + x->chunk_at, (int)(x->chunk - x->chunk_at));
    if (ret > 0) {
        x->sent += (size_t)ret;
        x->chunk_at += (size_t)ret;
    }
    return moved(t, ret, "transfer: write");
}

static int pull(tls_client *t, transfer *x)
{
    int ret;

    ERR_clear_error();
    ret = SSL_read(t->ssl, x->in, sizeof(x->in));
    if (ret > 0 &&
        (x->got + (size_t)ret > x->sent || !pattern_fits(x->seed, x->got, x->in, (size_t)ret))) {
        (void)snprintf(t->why, sizeof(t->why), "transfer: wrong bytes at %zu", x->got);
        return -1;
    }
    if (ret > 0)
        x->got += (size_t)ret;
    return moved(t, ret, "transfer: read");
}

static bool transfer_both(tls_client *t, transfer *x)
{
    while (x->got < x->total) {
        int out = x->sent < x->total ? push(t, x) : 0;
        int in = out >= 0 ? pull(t, x) : 0;
        struct pollfd wait = {t->sock, POLLIN, 0};

        if (out < 0 || in < 0)
            return false;
        if (out > 0 || in > 0)
            continue;
        if (x->sent < x->total)
            wait.events |= POLLOUT;
        if (poll(&wait, 1, LIVE_GUARD_S * 1000) != 1) {
            (void)snprintf(t->why, sizeof(t->why), "transfer: stuck at %zu of %zu sent, %zu read",
                           x->sent, x->total, x->got);
            return false;
        }
    }
    return true;
}

bool tls_transfer(tls_client *t, uint64_t seed, size_t total)
{
    transfer *x = calloc(1, sizeof(*x));
    int nonblocking = 1, blocking = 0;
    bool ok;

    if (!x)
        return false;
    x->seed = x->sizes = seed;
    x->total = total;
    (void)ioctl(t->sock, FIONBIO, &nonblocking);
    ok = transfer_both(t, x);
    (void)ioctl(t->sock, FIONBIO, &blocking);
    free(x);
    return ok;
}

void tls_close(tls_client *t, bool reset)
{
    SSL_free(t->ssl);
    SSL_CTX_free(t->ctx);
    if (t->sock >= 0 && reset)
        tcp_reset(t->sock);
    else if (t->sock >= 0)
        (void)close(t->sock);
    t->ssl = NULL;
    t->ctx = NULL;
    t->sock = -1;
}

/* Threads. */

typedef struct client_thread {
    pthread_t thread;
    client_fn fn;
    void *arg;
    uint32_t index;
    bool ok;
    char why[240];
} client_thread;

static void *client_main(void *arg)
{
    client_thread *self = arg;

    block_sigpipe();
    self->ok = self->fn(self->index, self->arg, self->why, sizeof(self->why));
    OPENSSL_thread_stop();
    return NULL;
}

bool clients_run(uint32_t count, client_fn fn, void *arg, char *why, size_t cap)
{
    client_thread *threads = calloc(count, sizeof(*threads));
    bool ok = threads != NULL;
    uint32_t started = 0;

    if (cap > 0)
        why[0] = '\0';
    while (ok && started < count) {
        client_thread *one = &threads[started];

        one->fn = fn;
        one->arg = arg;
        one->index = started;
        ok = pthread_create(&one->thread, NULL, client_main, one) == 0;
        started += ok;
    }
    for (uint32_t i = 0; i < started; i++) {
        (void)pthread_join(threads[i].thread, NULL);
        if (ok && !threads[i].ok)
            (void)snprintf(why, cap, "client %u: %s", i, threads[i].why);
        ok = ok && threads[i].ok;
    }
    free(threads);
    return ok;
}
