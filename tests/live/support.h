/* SPDX-License-Identifier: MIT */
/* support.h: what the live tests need on the side of the server: one in this process, on a port
 * that the kernel chooses, and a record of the hooks that it called.
 *
 * Each test runs once per ring: LIVE_TEST() makes two entries of it, and live_ring() tells which
 * one this is. A ring that the system refuses skips the test. live_stop() ends everything; the
 * library itself aborts the process if a pool is not empty then.
 *
 * Only the thread that runs the tests may call functions of cmocka. Hooks note what they see in
 * live_events, client threads say false. */
#ifndef LR_TESTS_LIVE_SUPPORT_H
#define LR_TESTS_LIVE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lockring/lockring.h>

#include <pthread.h>
#include <sys/types.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIVE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LIVE_SANITIZED 1
#endif
#endif
#ifndef LIVE_SANITIZED
#define LIVE_SANITIZED 0 /* what the process uses of memory says nothing under a sanitizer */
#endif

#define LIVE_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum { LIVE_GUARD_S = 60 }; /* a wait that is longer than this is a failure, not a wait */

extern lr_ring_choice live_uring, live_epoll;

#define LIVE_TEST(fn)                                                                              \
    {#fn " on uring", fn, NULL, NULL, &live_uring},                                                \
    {                                                                                              \
#fn " on epoll", fn, NULL, NULL, &live_epoll                                               \
    }

static inline lr_ring_choice live_ring(void **state)
{
    return *(const lr_ring_choice *)*state;
}

/* What happened, in order, as words with a blank behind each: "open secure data:5 ". */
typedef struct live_events {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    char text[65536];
    size_t len;
    _Atomic uint64_t opened, secured, closed; /* counted by the recorder */
} live_events;

void live_events_init(live_events *events);
void live_events_fini(live_events *events);
__attribute__((format(printf, 2, 3))) void live_note(live_events *events, const char *format, ...);
/* Forgets the text; the counts stay. */
void live_events_clear(live_events *events);
/* Waits until the text has the word. False after LIVE_GUARD_S, with the text on standard error. */
bool live_await(live_events *events, const char *word);
/* Waits until at least so many connections were opened, secured and closed. */
bool live_await_counts(live_events *events, uint64_t opened, uint64_t secured, uint64_t closed);
/* Does it have the word now? */
bool live_has(live_events *events, const char *word);
/* Waits until nothing was noted for so long. */
bool live_await_quiet(live_events *events, uint32_t ms);
/* Is the text this one now? Asserts it. */
void live_expect(live_events *events, const char *text);

/* A hook, as the recorder's act sees it. */
typedef enum live_hook {
    LIVE_OPEN,
    LIVE_CLIENT_ERROR,
    LIVE_SECURE,
    LIVE_DATA,
    LIVE_DRAIN,
    LIVE_END,
    LIVE_SERVER_DRAIN,
    LIVE_CLOSE,
    LIVE_PEER_CERT
} live_hook;

/* Handlers that note each hook in events, then let act do what it likes. Where act is null, data is
 * echoed and the end of the peer answered by lr_conn_end(). The server's user must be the
 * recorder; so must be a client's. */
typedef struct live_recorder {
    live_events events;
    _Atomic bool quiet; /* only counts */
    /* May be set while the server runs, before the client that needs it comes. */
    void (*_Atomic act)(lr_conn *c, live_hook hook, lr_slice bytes, struct live_recorder *recorder);
    void *_Atomic arg; /* of the test */
    _Atomic uint64_t workers_started, workers_stopped;
} live_recorder;

extern const lr_handlers live_recorder_handlers;

void live_recorder_init(live_recorder *recorder);
void live_recorder_fini(live_recorder *recorder);
/* What the recorder does without act. */
void live_echo(lr_conn *c, live_hook hook, lr_slice bytes);

/* A server to be made. Zero is a default everywhere. */
typedef struct live_plan {
    lr_ring_choice ring;
    uint32_t worker_count; /* 2 */
    lr_toggle steer;
    const char *host; /* "127.0.0.1" */
    lr_log_fn log;    /* the library's: warnings go to standard error */
    void *log_user;
    const lr_handlers *handlers; /* live_recorder_handlers */
    void *user;
    uint32_t conn_user_size, handshake_timeout_ms, idle_timeout_ms, fragment_size_max;
    uint32_t worker_user_size, connection_count_max;
    uint32_t ticket_keep_s;
    void (*on_refused)(lr_worker *w, lr_server *s, lr_status why);
    lr_context_options context;               /* size may stay 0; self-signed for localhost */
    bool plain;                               /* no context, and the listener is plain */
    void (*tune)(lr_server_options *options); /* sets what has no field here */
} live_plan;

typedef struct live {
    lr_workers *workers;
    lr_context *context;
    lr_server *server;
    uint16_t port;
} live;

/* Makes and starts it, or skips the test if the ring is refused. */
void live_start(live *l, const live_plan *plan);
/* Drains with the deadline, joins, frees. */
void live_stop(live *l, uint32_t deadline_ms);

/* The pieces, for tests with several servers. */
lr_workers *live_workers(const live_plan *plan);
lr_context *live_context(const live_plan *plan);
lr_server *live_server(lr_workers *workers, lr_context *context, const live_plan *plan);
uint16_t live_listen(lr_server *server, const char *host);
uint32_t live_listen_with(lr_server *server, const lr_listen_options *options); /* its index */
void live_run(lr_workers *workers);                                             /* starts them */

/* Runs fn on a worker and waits until it has returned. */
void live_on_worker(lr_workers *workers, uint32_t index, void (*fn)(lr_worker *w, void *arg),
                    void *arg);

uint64_t live_now_ms(void);      /* monotonic */
uint64_t live_rss_kb(pid_t pid); /* resident memory of a process */
int live_main(const char *name, const struct CMUnitTest *tests, size_t count);

#define LIVE_MAIN(tests) live_main(#tests, tests, LIVE_COUNT_OF(tests))

#endif
