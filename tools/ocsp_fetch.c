/* SPDX-License-Identifier: MIT */
/* tools/ocsp_fetch.c: one question to an OCSP responder, with one deadline for all of it.
 *
 * Names are looked up on a thread of their own, because getaddrinfo() knows no deadline. That
 * thread and the one that waits for it share a lookup; the one that leaves it last frees it.
 * Sockets do not block: each wait is a poll() of the socket and of stop_fd until the deadline. */
#include "tools/ocsp_fetch.h"

#include "tools/ocsp_http.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_SIZE = 2048 };

typedef struct lookup {
    char host[256], port[6];
    struct addrinfo *found; /* this and error: written before is_done */
    int error;              /* of getaddrinfo() */
    _Atomic bool is_done;   /* by the thread that looks up, before it raises done_fd */
    int done_fd;
    _Atomic int holders; /* of the two threads; the last one frees it */
} lookup;

/* What the steps of one fetch share. */
typedef struct fetch {
    const char *authority; /* for messages */
    int64_t deadline_ms;
    int stop_fd;
    int fd; /* the socket, -1: none */
    lr_error *err;
} fetch;

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static lr_status fail(const fetch *f, lr_status status, int sys, const char *what)
{
    *f->err = (lr_error){.status = status, .sys = sys, .tls_alert = -1};
    (void)snprintf(f->err->text, sizeof(f->err->text), "responder %.70s: %.70s", f->authority,
                   what);
    return status;
}

/* Until fd is ready for that. */
static lr_status wait_for(const fetch *f, int fd, short events, const char *what)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = fd, .events = events}, {.fd = f->stop_fd, .events = POLLIN}};
        int64_t left = f->deadline_ms - now_ms();
        int ready = left > 0 ? poll(fds, 2, (int)left) : 0;

        if (ready < 0 && errno == EINTR)
            continue;
        if (ready < 0)
            return fail(f, LR_ESYSTEM, errno, strerror(errno));
        if (fds[1].revents != 0)
            return fail(f, LR_EABORTED, 0, "not asked to the end, because the program ends");
        if (ready == 0)
            return fail(f, LR_ECONNECT, ETIMEDOUT, what);
        return LR_OK;
    }
}

static void leave_lookup(lookup *l)
{
    if (atomic_fetch_sub(&l->holders, 1) != 1)
        return;
    if (l->found)
        freeaddrinfo(l->found);
    (void)close(l->done_fd);
    free(l);
}

static void *look_up(void *arg)
{
    static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    lookup *l = arg;

    l->error = getaddrinfo(l->host, l->port, &hints, &l->found);
    if (l->error == EAI_ADDRFAMILY || l->error == EAI_NONAME) /* ::1 where nothing else is IPv6 */
        l->error = getaddrinfo(l->host, l->port, &(struct addrinfo){.ai_socktype = SOCK_STREAM},
                               &l->found);
    atomic_store_explicit(&l->is_done, true, memory_order_release);
    (void)eventfd_write(l->done_fd, 1);
    leave_lookup(l);
    return NULL;
}

/* The caller leaves *out. */
static lr_status start_lookup(const fetch *f, const ocsp_url *url, lookup **out)
{
    lookup *l = calloc(1, sizeof(*l));
    pthread_attr_t attributes;
    pthread_t thread;
    int error;

    if (!l)
        return fail(f, LR_ENOMEM, 0, "out of memory");
    memcpy(l->host, url->host, sizeof(l->host));
    memcpy(l->port, url->port, sizeof(l->port));
    l->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_init(&l->holders, 2);
    if (l->done_fd < 0) {
        free(l);
        return fail(f, LR_ESYSTEM, errno, strerror(errno));
    }
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    error = pthread_create(&thread, &attributes, look_up, l);
    (void)pthread_attr_destroy(&attributes);
    *out = l;
    if (error == 0)
        return LR_OK;
    leave_lookup(l); /* for the thread that is not */
    leave_lookup(l);
    return fail(f, LR_ESYSTEM, error, "no thread to look up its name");
}

static lr_status connect_to(fetch *f, const struct addrinfo *to)
{
    socklen_t size = sizeof(int);
    lr_status status;
    int error = 0;

    f->fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (f->fd < 0)
        return fail(f, LR_ECONNECT, errno, strerror(errno));
    if (connect(f->fd, to->ai_addr, to->ai_addrlen) == 0)
        return LR_OK;
    if (errno != EINPROGRESS)
        return fail(f, LR_ECONNECT, errno, strerror(errno));
    status = wait_for(f, f->fd, POLLOUT, "no connection in time");
    if (status != LR_OK)
        return status;
    if (getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    return error == 0 ? LR_OK : fail(f, LR_ECONNECT, error, strerror(error));
}

/* Each address of the name in turn, until one answers; each has its share of the time that is left,
 * so that one that says nothing keeps no other from its turn. */
static lr_status connect_any(fetch *f, const lookup *l)
{
    int64_t deadline_ms = f->deadline_ms;
    lr_status status = LR_ECONNECT;
    int64_t turns = 0;

    if (l->error != 0)
        return fail(f, LR_ECONNECT, 0, gai_strerror(l->error));
    for (const struct addrinfo *at = l->found; at; at = at->ai_next)
        turns++;
    for (const struct addrinfo *at = l->found; at; at = at->ai_next) {
        int64_t now = now_ms();

        f->deadline_ms = now + (deadline_ms - now) / turns--;
        status = connect_to(f, at);
        f->deadline_ms = deadline_ms;
        if (status == LR_OK || status == LR_EABORTED)
            return status;
        if (f->fd >= 0)
            (void)close(f->fd);
        f->fd = -1;
    }
    return status;
}

static lr_status reach(fetch *f, const ocsp_url *url)
{
    lookup *l = NULL;
    lr_status status = start_lookup(f, url, &l);

    if (status != LR_OK)
        return status;
    status = wait_for(f, l->done_fd, POLLIN, "its name was not found in time");
    if (status == LR_OK && atomic_load_explicit(&l->is_done, memory_order_acquire))
        status = connect_any(f, l);
    leave_lookup(l);
    return status;
}

static lr_status send_all(const fetch *f, lr_slice bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(f->fd, bytes.bytes, bytes.len, MSG_NOSIGNAL);

        if (sent > 0) {
            bytes = lr_slice_of(bytes.bytes + sent, bytes.len - (size_t)sent);
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return fail(f, LR_ECONNECT, errno, strerror(errno));
        if (wait_for(f, f->fd, POLLOUT, "it did not take the request in time") != LR_OK)
            return f->err->status;
    }
    return LR_OK;
}

static lr_status receive(const fetch *f, uint8_t *room, size_t cap, lr_slice *body)
{
    char reason[96];
    size_t len = 0;

    for (;;) {
        ssize_t got = len < cap ? recv(f->fd, room + len, cap - len, 0) : 0;

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN) {
            if (wait_for(f, f->fd, POLLIN, "no answer in time") != LR_OK)
                return f->err->status;
            continue;
        }
        if (got < 0)
            return fail(f, LR_ECONNECT, errno, strerror(errno));
        len += (size_t)got;
        switch (ocsp_http_read(lr_slice_of(room, len), got == 0, LR_STAPLE_MAX, body, reason)) {
        case OCSP_HTTP_DONE:
            return LR_OK;
        case OCSP_HTTP_BAD:
            return fail(f, LR_EOCSP, 0, reason);
        case OCSP_HTTP_MORE:
            break;
        }
    }
}

static lr_status exchange(fetch *f, const ocsp_url *url, lr_slice request, uint8_t *out,
                          size_t *len)
{
    size_t cap = OCSP_HTTP_HEAD_MAX + LR_STAPLE_MAX + 1; /* the last one tells that it is longer */
    char head[HEAD_SIZE];
    size_t head_len = ocsp_http_request(url, request.len, head, sizeof(head));
    uint8_t *room = malloc(cap);
    lr_slice body = {NULL, 0};
    lr_status status;

    if (!room)
        return fail(f, LR_ENOMEM, 0, "out of memory");
    status = send_all(f, lr_slice_of(head, head_len));
    if (status == LR_OK)
        status = send_all(f, request);
    if (status == LR_OK)
        status = receive(f, room, cap, &body);
    if (status == LR_OK && body.len != 0)
        memcpy(out, body.bytes, body.len);
    *len = body.len;
    free(room);
    return status;
}

lr_status ocsp_fetch(lr_slice url, lr_slice request, uint32_t timeout_ms, int stop_fd,
                     uint8_t out[LR_STAPLE_MAX], size_t *len, lr_error *err)
{
    ocsp_url where;
    fetch f = {.authority = where.authority,
               .deadline_ms = now_ms() + timeout_ms,
               .stop_fd = stop_fd,
               .fd = -1,
               .err = err};
    const char *reason;
    lr_status status;

    if (!ocsp_url_read(url, &where, &reason)) {
        *err = (lr_error){.status = LR_EOPTION, .tls_alert = -1};
        (void)snprintf(err->text, sizeof(err->text), "responder '%.*s': %s",
                       url.len < 70 ? (int)url.len : 70, (const char *)url.bytes, reason);
        return LR_EOPTION;
    }
    status = reach(&f, &where);
    if (status == LR_OK)
        status = exchange(&f, &where, request, out, len);
    if (f.fd >= 0)
        (void)close(f.fd);
    return status;
}
