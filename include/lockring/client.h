/* SPDX-License-Identifier: MIT */
/* lockring/client.h: connections that the program makes, on the rings of its workers.
 *
 * A client is to made connections what a server is to accepted ones: hooks, limits and user bytes.
 * They are plain in this version; TLS comes with a context.
 *
 * Threads  as tagged; hooks run on the worker that made the connection (LR_WORKER).
 * Memory   options and handlers are copied.
 * Errors   err may be null. What happens after lr_client_connect() is told by hooks: a connection
 *          that cannot be made gets on_client_error and on_close. */
#ifndef LOCKRING_CLIENT_H
#define LOCKRING_CLIENT_H

#include <lockring/base.h>
#include <lockring/conn.h>
#include <lockring/server.h> /* lr_handlers */
#include <lockring/workers.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lr_client lr_client;

/* Zero selects the default, LR_NONE none or unlimited. */
typedef struct lr_client_options {
    size_t size;                 /* LR_CLIENT_OPTIONS */
    const lr_handlers *handlers; /* copied; required; on_worker_start and on_worker_stop do not fire
                                  * for a client, on_secure fires when the connection is made */
    void *user;                  /* lr_client_user() */
    uint32_t conn_user_size;     /* zeroed bytes behind lr_conn_user(), at most 64 KB */
    uint32_t connect_timeout_ms; /* default 10 s */
    uint32_t idle_timeout_ms;    /* no byte either way; default: none */
} lr_client_options;
#define LR_CLIENT_OPTIONS .size = sizeof(lr_client_options)

/* Before lr_workers_start(). */
LR_API LR_SETUP LR_NODISCARD lr_status lr_client_new(lr_workers *on,
                                                     const lr_client_options *options,
                                                     lr_client **out, lr_error *err);

typedef struct lr_connect_options {
    size_t size;      /* LR_CONNECT_OPTIONS */
    const char *host; /* a numeric address: a name would block the worker; resolve it before */
    uint16_t port;
    const char *path; /* instead of host and port: a unix socket, "@name" for an abstract one */
} lr_connect_options;
#define LR_CONNECT_OPTIONS .size = sizeof(lr_connect_options)

/* Begins a connection on this worker. on_open runs inside the call; on_secure, when it is made, or
 * on_client_error and on_close come in a later turn. LR_EADDRESS, LR_EOPTION, LR_ESYSTEM (no
 * descriptor), LR_ENOMEM; LR_ESTATE: the workers were told to stop and their deadline has passed.
 * Connections that are still open when the workers stop are ended as a server's are:
 * on_server_drain, then the deadline. */
LR_API LR_WORKER LR_NODISCARD lr_status lr_client_connect(lr_client *client, lr_worker *worker,
                                                          const lr_connect_options *options,
                                                          lr_conn **out, lr_error *err);

LR_API LR_ANY uint64_t lr_client_connection_count(const lr_client *client); /* now open */
LR_API LR_ANY void *lr_client_user(const lr_client *client);

/* After lr_workers_join(), or before lr_workers_start(). Null is allowed. */
LR_API LR_SETUP void lr_client_free(lr_client *client);

#ifdef __cplusplus
}
#endif

#endif
