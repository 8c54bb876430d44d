/* SPDX-License-Identifier: MIT */
/* lockring/workers.h: the threads that serve.
 *
 * An lr_workers owns one thread per worker; each worker owns a ring, a replica of every context it
 * uses, its own listening sockets, connections, buffers, timers and counters. Servers attach to it,
 * any number of them. Life: new, attach servers, start, (serve,) stop, join, free the servers,
 * free.
 *
 * Threads  as tagged; lr_workers_stop() may also be called from a signal handler. A worker is a
 *          thread of the library's (lr_workers_start) or of the caller's (lr_workers_run).
 * Memory   options are copied.
 * Errors   err may be null; its text names what and where in one line. */
#ifndef LOCKRING_WORKERS_H
#define LOCKRING_WORKERS_H

#include <lockring/base.h> /* lr_status, lr_error, lr_toggle, lr_log_fn */
#include <lockring/ticket_keys.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lr_workers lr_workers;
typedef struct lr_worker lr_worker;

/* What drives the sockets. LR_RING_AUTO takes io_uring, else epoll, and logs (LR_LOG_WARN) which
 * setting refused io_uring. */
typedef enum lr_ring_choice {
    LR_RING_DEFAULT = 0, /* LR_RING_AUTO */
    LR_RING_AUTO = 1,
    LR_RING_URING = 2,
    LR_RING_EPOLL = 3
} lr_ring_choice;

typedef struct lr_workers_options {
    size_t size;            /* LR_WORKERS_OPTIONS */
    uint32_t worker_count;  /* 1..256; default: one per CPU that this process may use */
    lr_toggle pin;          /* each worker to one CPU; default: on if there are CPUs enough */
    lr_ring_choice ring;    /* default: LR_RING_AUTO */
    lr_toggle steer;        /* SO_INCOMING_CPU: connections go to the worker on the CPU that their
                             * packets arrive on; default: on where every CPU has a pinned worker
                             * and a network card has as many receive queues, never on loopback */
    lr_log_level log_level; /* default: LR_LOG_WARN */
    lr_log_fn log;          /* default: standard error */
    void *log_user;         /* handed to log */
    uint32_t stall_threshold_ms; /* a hook that keeps its worker for longer is logged while it does,
                                  * with its name, and counted (lr_stats); default: none. A thread
                                  * that lr_workers_start() makes looks, so not for those of
                                  * lr_workers_run() */
    uint32_t ticket_rotation_s;  /* the workers' own ticket keys are replaced so often; default:
                                  * 43200; LR_NONE: never */
    uint32_t ticket_keep_s;      /* how long a replaced key still opens tickets; at most 8 days and
                                  * 13 times ticket_rotation_s; default: 7500, or what that allows;
                                  * LR_NONE: not at all, as in Node */
} lr_workers_options;
#define LR_WORKERS_OPTIONS .size = sizeof(lr_workers_options)

/* Chooses the ring and makes the workers, without a thread yet. options may be null. LR_ERING: no
 * usable ring, and err says what refuses it. Call it after dropping privileges: a ring keeps the
 * credentials of its creator. */
LR_API LR_SETUP LR_NODISCARD lr_status lr_workers_new(const lr_workers_options *options,
                                                      lr_workers **out, lr_error *err);

/* Starts the threads and returns as soon as each has its ring, or all have ended because one had
 * none (LR_ERING, LR_ENOMEM, LR_ESYSTEM). */
LR_API LR_SETUP LR_NODISCARD lr_status lr_workers_start(lr_workers *workers, lr_error *err);

/* Instead of lr_workers_start(): the calling thread is worker index until the workers are stopped
 * and its last connection has ended. Every worker needs a thread that does so; pinning is the
 * caller's. Join those threads before lr_workers_free(). LR_ERING, LR_ENOMEM: it could not begin;
 * LR_ESTATE: that worker runs or ran already. */
LR_API LR_ANY LR_NODISCARD lr_status lr_workers_run(lr_workers *workers, uint32_t index,
                                                    lr_error *err);

/* Drains every server as lr_server_drain() does and ends the threads when the last connection has
 * ended. Only the first call's deadline counts, except that 0 cuts what is left at once. Async-
 * signal-safe. */
LR_API LR_ANY void lr_workers_stop(lr_workers *workers, uint32_t deadline_ms);

/* Waits until all threads have ended. */
LR_API LR_SETUP void lr_workers_join(lr_workers *workers);

/* All servers must be freed before. Null is allowed. */
LR_API LR_SETUP void lr_workers_free(lr_workers *workers);

LR_API LR_ANY uint32_t lr_workers_count(const lr_workers *workers);
LR_API LR_ANY const char *lr_workers_ring(const lr_workers *workers); /* "uring", "epoll"; static */

LR_API LR_ANY lr_worker *lr_workers_worker(lr_workers *workers, uint32_t index); /* null: none */
LR_API LR_ANY uint32_t lr_worker_index(const lr_worker *worker);                 /* from 0 */
LR_API LR_ANY lr_workers *lr_worker_workers(const lr_worker *worker);            /* its owner */

/* The ticket keys, which all workers share. They draw a current and a next one at the start and, as
 * the options say, replace them: the next one becomes the current one, so that each key opens on
 * every worker before any seals with it, and the one before opens for ticket_keep_s. Handshakes
 * under way go on with the keys that they began with. (S50, S56, S57, S129) */

/* From now on these, copied: those that open do so at once, and the current one seals when every
 * worker has taken it into use, or after a second. The keys before open for ticket_keep_s, as far
 * as LR_TICKET_KEYS_MAX allows. This ends the schedule: keys that are given may be those of many
 * servers, and whoever gave them gives the next. LR_EKEY: none of them seals, or a name is that of
 * another key in use; LR_ENOMEM. Nothing has changed then. */
LR_API LR_ANY LR_NODISCARD lr_status lr_workers_set_ticket_keys(lr_workers *workers,
                                                                const lr_ticket_keys *keys,
                                                                lr_error *err);
/* The same with one key of exactly 48 bytes, refused as lr_ticket_keys_add() refuses it. */
LR_API LR_ANY LR_NODISCARD lr_status lr_workers_set_ticket_key(lr_workers *workers, lr_slice key,
                                                               lr_error *err);
/* Copies the key that seals, or the one set that is about to; the caller wipes it. False: the
 * system gives no random bytes or no memory for the first keys. */
LR_API LR_ANY bool lr_workers_get_ticket_key(const lr_workers *workers,
                                             uint8_t out[LR_TICKET_KEY_SIZE]);
/* Puts all of them, also those that only open, in place of what the list had. LR_ERANDOM,
 * LR_ENOMEM: it is as before. */
LR_API LR_ANY LR_NODISCARD lr_status lr_workers_get_ticket_keys(const lr_workers *workers,
                                                                lr_ticket_keys *out, lr_error *err);
/* Replaces the current key now, and begins the period anew. If one of the last change is not yet
 * in use on every worker, then as soon as it is, or a second after that change; until then more
 * calls are this one. LR_ESTATE: the keys were given; LR_ERANDOM, LR_ENOMEM: they are as before. */
LR_API LR_ANY LR_NODISCARD lr_status lr_workers_rotate_ticket_keys(lr_workers *workers,
                                                                   lr_error *err);

/* Calls fn on the worker, in a later turn. Posts of one thread to one worker keep their order.
 * LR_ENOMEM, LR_EGONE (the worker has ended): fn is not called then. */
LR_API LR_ANY LR_NODISCARD lr_status lr_worker_post(lr_worker *worker,
                                                    void (*fn)(lr_worker *worker, void *arg),
                                                    void *arg);

/* The clocks of this turn: monotonic nanoseconds, and milliseconds since 1970. */
LR_API LR_WORKER uint64_t lr_worker_now_ns(const lr_worker *worker);
LR_API LR_WORKER int64_t lr_worker_wall_ms(const lr_worker *worker);

/* A timer of one worker, on a wheel of 1 ms. */
typedef struct lr_timer lr_timer;
LR_API LR_WORKER LR_NODISCARD lr_status lr_timer_new(lr_worker *worker,
                                                     void (*fire)(lr_timer *timer, void *user),
                                                     void *user, lr_timer **out);
/* Fires once, not before delay_ms from now; set again, it moves. */
LR_API LR_WORKER void lr_timer_set(lr_timer *timer, uint32_t delay_ms);
LR_API LR_WORKER void lr_timer_cancel(lr_timer *timer);
LR_API LR_WORKER lr_worker *lr_timer_worker(const lr_timer *timer);
/* Also inside fire; null is allowed. Timers must be freed before their worker ends (a server's
 * on_worker_stop is the last chance). */
LR_API LR_WORKER void lr_timer_free(lr_timer *timer);

enum { LR_READABLE = 1, LR_WRITABLE = 2, LR_HANGUP = 4 };

/* A descriptor of the program's on the worker's ring. fn is told of edges: at once if it is ready,
 * and then of news, so read or write until EAGAIN. LR_HANGUP is told unasked. The descriptor stays
 * the caller's. A descriptor that cannot be waited for (a file) is told as 0 events, once. */
typedef struct lr_watch lr_watch;
LR_API LR_WORKER LR_NODISCARD lr_status lr_worker_watch_fd(
    lr_worker *worker, int fd, unsigned events,
    void (*fn)(lr_watch *watch, int fd, unsigned events, void *user), void *user, lr_watch **out);
/* fn is not called any more and the descriptor may be closed. Also inside fn; null is allowed.
 * Watches must be closed before their worker ends (on_worker_stop is the last chance). */
LR_API LR_WORKER void lr_watch_close(lr_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
