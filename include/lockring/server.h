/* SPDX-License-Identifier: MIT */
/* lockring/server.h: TLS servers on a set of workers.
 *
 * Threads  as tagged; hooks run on the worker that owns the connection (LR_WORKER).
 * Memory   options and handlers are copied; slices given to hooks are borrowed: they end with the
 *          hook.
 * Errors   err may be null; its text names what and where in one line. */
#ifndef LOCKRING_SERVER_H
#define LOCKRING_SERVER_H

#include <lockring/base.h>    /* lr_status, lr_error, lr_slice */
#include <lockring/conn.h>    /* lr_conn */
#include <lockring/context.h> /* lr_context */
#include <lockring/hello.h>   /* lr_hello, asks */
#include <lockring/names.h>   /* lr_names */
#include <lockring/workers.h> /* lr_workers, lr_worker */

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lr_server lr_server;

enum { LR_PREFACE_MAX = 1000 }; /* bytes that on_preface may ask for; more is LR_EPREFACE */

/* The hooks of one connection in the order of its life; docs/lifecycle.md has every other path.
 * Each on_open is matched by one on_close. A null hook behaves as noted in brackets. */
typedef struct lr_handlers {
    size_t size;                                              /* LR_HANDLERS */
    void (*on_worker_start)(lr_worker *w, lr_server *s);      /* before its first on_open [none] */
    void (*on_worker_stop)(lr_worker *w, lr_server *s);       /* after its last on_close [none] */
    void (*on_open)(lr_conn *c);                              /* accepted [go on] */
    void (*on_client_error)(lr_conn *c, const lr_error *why); /* failed before secure [none] */
    void (*on_secure)(lr_conn *c);                            /* handshake done [go on] */
    void (*on_data)(lr_conn *c, lr_slice bytes);              /* plaintext [discard] */
    void (*on_drain)(lr_conn *c);                             /* queue below 64 KB again [none] */
    void (*on_end)(lr_conn *c);                        /* peer's close_notify [lr_conn_end] */
    void (*on_server_drain)(lr_conn *c);               /* secure, server drains [go on] */
    void (*on_close)(lr_conn *c, const lr_error *why); /* why is null if clean [none] */

    /* The hello gate, between on_open and on_secure, in this order; lockring/hello.h. */
    void (*on_hello)(lr_conn *c, const lr_hello *hello, lr_hello_ask ask); /* [on_sni and so on] */
    void (*on_sni)(lr_conn *c, lr_slice servername, lr_sni_ask ask);       /* [table of names] */
    /* The client wants a staple (S25): of this leaf, by this issuer (empty: not known); DER. */
    void (*on_ocsp_request)(lr_conn *c, lr_slice certificate, lr_slice issuer, lr_ocsp_ask ask);
    /* The connection ended before the answer: nobody waits any more [none] */
    void (*on_ask_cancelled)(lr_conn *c, lr_ask ask);

    /* Right behind on_open, on listeners whose options say preface: what comes before the first
     * byte of TLS, or of a plain connection, such as a header of the PROXY protocol (proto/proxy.h,
     * B13). bytes: all that has come, at most LR_PREFACE_MAX; in the first call none, so that a
     * client without a preface need not speak first. LR_OK: *used bytes of them, 0 at first, were
     * the preface; what follows is the handshake's, or data. LR_EAGAIN: call again with more.
     * LR_ENOMEM: ends the connection with that reason. Any other: refused, the reason is
     * LR_EPREFACE, and its text *reason if that is set (static, one clause). */
    lr_status (*on_preface)(lr_conn *c, lr_slice bytes, size_t *used, const char **reason);

    /* Sessions in the program's own store, for both versions (S22..S24, S32..S37, B3). An id has 32
     * bytes, a value at most LR_SESSION_VALUE_MAX; the value is sealed under the ticket keys of the
     * workers and bound to the id and to the context's policy, so that the store can neither read
     * nor forge it. A value that is deleted, or given only once, cannot be resumed any more.
     *
     * The client presents an id that may be one of the store's; between on_sni and on_ocsp_request,
     * which is not called where the session is resumed. [not resumed] */
    void (*on_resume)(lr_conn *c, lr_slice id, lr_resume_ask ask);
    /* A new session, right before on_secure, and once for each of lr_context_options.ticket_count
     * in TLS 1.3; what was agreed is known already. Until all of them are answered no byte moves in
     * either direction, and on_secure waits (S23). [lr_context_options.tickets decides] */
    void (*on_new_session)(lr_conn *c, lr_slice id, lr_slice value, lr_store_ask ask);

    /* A lr_conn_request_cert() was answered: lr_conn_is_authorized() and so on tell [none] */
    void (*on_peer_cert)(lr_conn *c);
} lr_handlers; /* appended to, never reordered */
#define LR_HANDLERS .size = sizeof(lr_handlers)

/* Zero selects the default, LR_NONE none or unlimited. */
typedef struct lr_server_options {
    size_t size;                   /* LR_SERVER_OPTIONS */
    const lr_handlers *handlers;   /* copied; required */
    lr_context *context;           /* the server adds a reference; null: plain listeners only */
    void *user;                    /* lr_server_user() */
    uint32_t conn_user_size;       /* zeroed bytes behind lr_conn_user(), at most 64 KB; default
                                    * 0 */
    uint32_t handshake_timeout_ms; /* absolute, from accept to on_secure; default 10 s, where the
                                    * context has LR_PROFILE_NODE4 120 s (S120) */
    uint32_t idle_timeout_ms;      /* no byte either way; default: none */
    uint32_t fragment_size_max;    /* 512..16384, where the context has none; default 16384 (S85) */
    uint32_t worker_user_size;     /* zeroed bytes behind lr_server_worker_user(), at most 1 MB */
    uint32_t connection_count_max; /* over all workers; above it a client is accepted and reset, and
                                    * counted; default: none (S55) */
    /* A connection was accepted and reset: LR_ECONNECTIONS, LR_ESOURCE, LR_ENOMEM
     * [none]. */
    void (*on_refused)(lr_worker *w, lr_server *s, lr_status why);
    lr_toggle refuse_unknown_name; /* a name that no pattern matches ends the handshake with
                                    * unrecognized_name (a client without a name gets the server's
                                    * context); default: on as soon as a name's context demands
                                    * certificates of its clients, else off */
    uint32_t write_timeout_ms;     /* the peer takes nothing of what is being sent: reset; default:
                                    * none */
    uint32_t lifetime_ms;          /* from accept on, then it is ended; default: none */
    uint32_t half_open_max; /* connections with TLS or a preface on one worker that are not yet
                             * secure; above it the oldest of them fails with LR_EHALFOPEN; default
                             * 16384 */
    uint32_t source_connections_per_s; /* of one IPv4 address or IPv6 /64, over all workers; above
                                        * it a connection is reset, on_refused(LR_ESOURCE); default:
                                        * none. With a preface: of the client that it has told,
                                        * which fails with LR_ESOURCE then */
    uint32_t source_connections_burst; /* so many at once; default: one second's worth */
    uint32_t source_handshakes_per_s; /* the same for complete ClientHellos: above it the connection
                                       * fails with LR_ESOURCE before any cryptography; default:
                                       * none */
    uint32_t source_handshakes_burst;
    lr_toggle keep_ja4; /* each client's JA4 is computed at its gate and kept for lr_conn_ja4(),
                         * which costs a few microseconds a handshake; default off (B1) */
} lr_server_options;
#define LR_SERVER_OPTIONS .size = sizeof(lr_server_options)

/* Before lr_workers_start(). */
LR_API LR_SETUP LR_NODISCARD lr_status lr_server_new(lr_workers *on,
                                                     const lr_server_options *options,
                                                     lr_server **out, lr_error *err);

typedef struct lr_listen_options {
    size_t size;      /* LR_LISTEN_OPTIONS */
    const char *host; /* an address, or a name; default: "::", or 0.0.0.0 without IPv6 (S52) */
    uint16_t port;    /* 0: the kernel chooses (S53); lr_server_address() tells */
    bool share_port;  /* let another process with the same setting bind the port too; without it a
                       * port in use is LR_EADDRINUSE */
    uint32_t backlog; /* per worker; default 4096, cut by net.core.somaxconn */
    const char *path; /* instead of host and port: a unix socket, "@name" for an abstract one; what
                       * a dead process left there is replaced, and it is removed at the end */
    bool plain;       /* connections without TLS, with the same hooks */
    bool preface;     /* on_preface is asked first; required then */
} lr_listen_options;
#define LR_LISTEN_OPTIONS .size = sizeof(lr_listen_options)

/* Binds and listens at once, one socket per worker (SO_REUSEPORT), before lr_workers_start(); what
 * arrives before then waits in the backlog. *index, if not null, gets the listener's number, from
 * 0. A unix socket is one queue for all workers. At most 64 per lr_workers. LR_EADDRESS,
 * LR_EADDRINUSE, LR_ESYSTEM, LR_EOPTION. */
LR_API LR_SETUP LR_NODISCARD lr_status lr_server_listen(lr_server *s,
                                                        const lr_listen_options *options,
                                                        uint32_t *index, lr_error *err);

typedef struct lr_adopt_options {
    size_t size;   /* LR_ADOPT_OPTIONS */
    lr_slice head; /* what was read from it already, at most 64 KB, with preface LR_PREFACE_MAX;
                    * copied: it comes before what the socket still has */
    lr_context *context; /* in place of the server's own (S62); hooks and names are asked first as
                          * ever; a reference is added */
    bool plain;          /* without TLS */
    bool preface;        /* on_preface is asked first; required then */
} lr_adopt_options;
#define LR_ADOPT_OPTIONS .size = sizeof(lr_adopt_options)

/* Makes a connected stream socket of the program's, inherited, handed over, or accepted by itself,
 * a connection of this server on this worker, with all its hooks (S61..S69); on_open runs inside
 * the call. *out (may be null) lives until on_close. sock is the library's from LR_OK on, and the
 * caller's after a failure. options may be null. LR_EINVAL: no connected stream socket, or the
 * options contradict; LR_ESTATE: the server drains, or has no context; LR_ECONNECTIONS, LR_ESOURCE:
 * the server's limits; LR_ENOMEM. */
LR_API LR_WORKER LR_NODISCARD lr_status lr_server_adopt(lr_server *s, lr_worker *w, int sock,
                                                        const lr_adopt_options *options,
                                                        lr_conn **out, lr_error *err);

/* Replaces the server's context (null: it stays) and all of its names (null: none) at once: each
 * handshake sees either the old or the new ones, and the new ones where it looks after this call
 * has returned. Connections that have their context, established or parked, keep it. LR_ENOMEM,
 * LR_ESTATE (the server has no context): the old ones stay. (B7) */
LR_API LR_ANY LR_NODISCARD lr_status lr_server_publish(lr_server *s, lr_context *context,
                                                       const lr_names *names, lr_error *err);
/* The same with one name added, replaced or removed (S45). Cost: a copy of the table; for many
 * names publish once. LR_EINVAL: no pattern; LR_ENAME: there is no such name to remove. */
LR_API LR_ANY LR_NODISCARD lr_status lr_server_add_context(lr_server *s, const char *pattern,
                                                           lr_context *context, lr_error *err);
LR_API LR_ANY LR_NODISCARD lr_status lr_server_remove_context(lr_server *s, const char *pattern,
                                                              lr_error *err);

/* The bound address of a listener as the system reports it, "127.0.0.1:8443" or "unix:/path"
 * (S47). */
LR_API LR_ANY bool lr_server_address(const lr_server *s, uint32_t index, char *out, size_t cap);
LR_API LR_ANY uint16_t lr_server_port(const lr_server *s, uint32_t index); /* 0: no such listener */

/* Stops accepting without losing a connection that the kernel has already accepted, calls
 * on_server_drain for every secure connection, lets them end by themselves, and aborts what is left
 * deadline_ms later (LR_NONE: never). Only the first call's deadline counts, except that 0 cuts
 * what is left at once. Async-signal-safe. (S48) */
LR_API LR_ANY void lr_server_drain(lr_server *s, uint32_t deadline_ms);

LR_API LR_ANY uint64_t lr_server_connection_count(const lr_server *s); /* now open (S49) */
LR_API LR_ANY void *lr_server_user(const lr_server *s);
/* The server's own zeroed bytes on that worker; null if worker_user_size is 0. They live from
 * on_worker_start to lr_server_free(). */
LR_API LR_WORKER void *lr_server_worker_user(const lr_server *s, const lr_worker *w);

/* After lr_workers_join(), or before lr_workers_start(). Null is allowed. */
LR_API LR_SETUP void lr_server_free(lr_server *s);

#ifdef __cplusplus
}
#endif

#endif
