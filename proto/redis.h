/* SPDX-License-Identifier: MIT */
/* proto/redis.h: a client of Redis for handlers: commands from hooks, answers by callbacks, on the
 * ring of the worker. RESP2 over TCP or a unix socket, without TLS.
 *
 * One lr_redis serves all workers; each has a connection of its own that is kept open, and made
 * again when it is lost. Any number of commands may be under way on it; they are sent at once, one
 * behind the other, and answered in their order.
 *
 *     static void on_count(lr_worker *w, lr_status status, const lr_redis_reply *reply, void *arg)
 *     {
 *         if (status == LR_OK && reply->type == LR_REDIS_INTEGER) ...
 *     }
 *
 *     const lr_slice incr[] = {LR_LIT("INCR"), LR_LIT("visits")};
 *
 *     if (lr_redis_command(redis, lr_conn_worker(c), incr, 2, on_count, arg) != LR_OK)
 *         ... not taken: on_count will not be called
 *
 * No command waits for long. One that is not answered within command_timeout_ms is told so, and its
 * late reply is thrown away; whether it was carried out is not known then. While the server is down
 * commands are refused at once. A server that owes an answer for stall_timeout_ms counts as down:
 * its connection is reset. It is up again when it has answered a PING behind AUTH and SELECT.
 *
 * While the first connection is made, and while one is made again right after it was lost, commands
 * wait for it, within their time. They are never sent twice: those under way on a connection that
 * is lost fail. Commands that a connection does not answer one by one (SUBSCRIBE, MONITOR, CLIENT
 * REPLY OFF), or that block it for the others (BLPOP), are not for this client.
 *
 * Draining: when the workers stop a connection ends as soon as nothing is under way; a command that
 * comes later makes another one for itself.
 *
 * Threads  as tagged; callbacks run on the worker of their command.
 * Memory   options and arguments are copied; what callbacks get is borrowed until they return. */
#ifndef LR_PROTO_REDIS_H
#define LR_PROTO_REDIS_H

#include "proto/redis_parse.h"

#include <lockring/workers.h>

typedef struct lr_redis lr_redis;

/* Zero selects the default. */
typedef struct lr_redis_options {
    size_t size;          /* LR_REDIS_OPTIONS */
    const char *host;     /* a numeric address; default 127.0.0.1 */
    uint16_t port;        /* default 6379 */
    const char *path;     /* instead of host and port: a unix socket, "@name" for an abstract one */
    const char *username; /* of Redis 6 and later, with password */
    const char *password; /* AUTH; kept until lr_redis_free(), then wiped */
    uint32_t database;    /* SELECT */
    uint32_t command_timeout_ms; /* from the call to the callback; default 1 s */
    uint32_t stall_timeout_ms;   /* at least command_timeout_ms; default 5 s, or that */
    uint32_t connect_timeout_ms; /* until PING is answered; default 1 s */
    uint32_t reconnect_min_ms;   /* the wait before the second try, doubled each time; default 50 */
    uint32_t reconnect_max_ms;   /* default 2 s */
    uint32_t command_count_max;  /* under way on one worker, those whose time is over counted in
                                  * until their replies come; up to 65536; default 4096 */
    uint32_t queue_bytes_max; /* of commands that wait to be sent; up to 512 KB; default 256 KB */
    uint32_t reply_size_max;  /* a larger one ends the connection; default LR_REDIS_REPLY_MAX */
    /* The connection of this worker is usable [none]. */
    void (*on_up)(lr_redis *r, lr_worker *w);
    /* It is not any more, or could not be made: once for each try. Commands are refused inside it
     * [none]. */
    void (*on_down)(lr_redis *r, lr_worker *w, const lr_error *why);
    void *user; /* lr_redis_user() */
} lr_redis_options;
#define LR_REDIS_OPTIONS .size = sizeof(lr_redis_options)

/* Before lr_workers_start(). LR_EOPTION, LR_ENOMEM. err may be null. */
LR_SETUP LR_NODISCARD lr_status lr_redis_new(lr_workers *on, const lr_redis_options *options,
                                             lr_redis **out, lr_error *err);
/* After lr_workers_join(), or before lr_workers_start(). Null is allowed. */
LR_SETUP void lr_redis_free(lr_redis *r);

LR_ANY void *lr_redis_user(const lr_redis *r);

/* Makes this worker's connection now, in on_worker_start for example, and not at the first command.
 * LR_ENOMEM; LR_ESTATE: the worker ends, or this is inside a callback that a loss has called. What
 * fails later is told by on_down. */
LR_WORKER lr_status lr_redis_open(lr_redis *r, lr_worker *w);

/* Ends this worker's connection and its timers; commands under way are told LR_ECLOSED inside the
 * call. Due in on_worker_stop. A command that comes later opens it again. */
LR_WORKER void lr_redis_close(lr_redis *r, lr_worker *w);

/* LR_OK: the server's reply, which may be an LR_REDIS_ERROR. Otherwise reply is null:
 * LR_EANSWER_TIMEOUT: not answered in time; LR_ECLOSED: the connection ended before. */
typedef void (*lr_redis_done)(lr_worker *w, lr_status status, const lr_redis_reply *reply,
                              void *arg);

/* Sends a command, its name first. LR_OK: done is called exactly once, in a later turn or inside
 * lr_redis_close(); it may be null. Anything else: nothing was taken, and done is not called.
 * LR_ECLOSED: the server is down; LR_EAGAIN: too much is under way; LR_EINVAL: no argument, or more
 * than queue_bytes_max; LR_ENOMEM; LR_ESTATE: the worker ends. */
LR_WORKER LR_NODISCARD lr_status lr_redis_command(lr_redis *r, lr_worker *w,
                                                  const lr_slice *arguments, size_t count,
                                                  lr_redis_done done, void *arg);

LR_WORKER bool lr_redis_is_up(const lr_redis *r, const lr_worker *w);

/* Since the start, over all workers. */
typedef struct lr_redis_counts {
    uint64_t commands; /* taken */
    uint64_t replies;  /* of them answered in time */
    uint64_t errors;   /* of these by an LR_REDIS_ERROR */
    uint64_t timeouts; /* of the commands not answered in time */
    uint64_t lost;     /* of the commands LR_ECLOSED */
    uint64_t refused;  /* not taken, because the server was down or too much under way */
    uint64_t late;     /* replies that were thrown away */
    uint64_t connects; /* connections that were usable */
    uint64_t failures; /* connections that were lost, or could not be made */
} lr_redis_counts;
LR_ANY lr_redis_counts lr_redis_read_counts(const lr_redis *r);

#endif
