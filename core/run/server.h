/* SPDX-License-Identifier: MIT */
/* core/run/server.h: a server, and its part on each worker.
 *
 * lr_server is written while nothing runs and read by all workers; its drain flags are atomic. A
 * part belongs to its worker; only its counts are read by others. */
#ifndef LR_CORE_RUN_SERVER_H
#define LR_CORE_RUN_SERVER_H

#include "core/base/list.h"
#include "core/base/slab.h"
#include "core/base/timer.h"
#include "core/run/limits.h"
#include "core/run/publish.h"

#include <lockring/server.h>

#include <stdatomic.h>
#include <sys/socket.h>

struct lr_worker;

typedef struct lr__part {
    lr_server *server;
    struct lr_worker *worker;
    lr__slab users;             /* lr_conn_user() bytes */
    lr__list conns;             /* lr_conn.node */
    void *worker_user;          /* lr_server_worker_user() */
    _Atomic(lr__table *) table; /* in use; written by the worker (setup before it starts), read by
                                 * publishers */
    bool started;               /* on_worker_start has run */
    bool draining;
    bool cut; /* what is left was aborted, and what still comes will be */
    lr__timer drain_deadline;
    lr__list half_open; /* lr_conn.half_open, the oldest first */
    uint32_t half_open_count;
    lr__source *sources; /* LR__SOURCE_SETS sets, or null where no rate is set */
    uint64_t source_secret;
    _Atomic uint64_t conn_count; /* written by the worker, read by any thread (relaxed) */
} lr__part;

typedef struct lr__bound {
    char text[128]; /* "127.0.0.1:8443", "unix:/path" */
    uint16_t port;
    struct sockaddr_storage address;
    socklen_t address_len;
} lr__bound;

enum { LR__DRAIN_NO = 0, LR__DRAIN_YES = 1, LR__DRAIN_CUT = 2 };

/* A client's half of an lr_client too. */
struct lr_server {
    lr_workers *workers;
    lr_handlers handlers;
    lr__publication publication;
    void *user;
    bool is_client, has_context, keep_ja4;
    uint32_t conn_user_size, worker_user_size;
    uint32_t connection_count_max; /* LR_NONE: none */
    void (*on_refused)(lr_worker *w, lr_server *s, lr_status why);
    uint32_t handshake_timeout_ms, idle_timeout_ms; /* LR_NONE: none */
    uint32_t write_timeout_ms, lifetime_ms;         /* the same */
    uint32_t half_open_max;
    lr__source_rates rates;
    uint32_t fragment_size_max;
    uint32_t index;   /* in workers->servers */
    lr__part *parts;  /* [workers->count] */
    lr__bound *bound; /* [bound_count] */
    uint32_t bound_count;
    _Atomic uint32_t places;   /* taken of connection_count_max, if there is one; workers add and
                                * subtract, one per accepted connection */
    _Atomic uint32_t drain_ms; /* of the first lr_server_drain(); set before drain */
    _Atomic int drain;         /* LR__DRAIN_*; only rises; any thread writes, workers read */
};

/* Fills a zeroed server and joins it to the workers; fini undoes both. name: of the struct, for
 * errors. */
lr_status lr__server_init(lr_server *s, lr_workers *on, const lr_server_options *options,
                          const char *name, lr_error *err);
void lr__server_fini(lr_server *s);

/* A place among connection_count_max; false: there is none. */
bool lr__part_take_place(lr__part *part);
void lr__part_give_place(lr__part *part);

/* Worker thread, at its start: on_worker_start, listeners armed. */
void lr__part_start(lr__part *part);
/* Looks at the server's drain flags. */
void lr__part_control(lr__part *part);
/* Nothing of the server is left on this worker and nothing will come. */
bool lr__part_is_over(const lr__part *part);
/* on_worker_stop. */
void lr__part_stop(lr__part *part);

#endif
