/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

lr_ring_choice live_uring = LR_RING_URING, live_epoll = LR_RING_EPOLL;

void live_events_init(live_events *events)
{
    pthread_condattr_t attr;

    memset(events, 0, sizeof(*events));
    (void)pthread_mutex_init(&events->mutex, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&events->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
}

void live_events_fini(live_events *events)
{
    (void)pthread_cond_destroy(&events->changed);
    (void)pthread_mutex_destroy(&events->mutex);
}

/* The mutex is held. */
static void append(live_events *events, const char *format, va_list args)
{
    size_t room = sizeof(events->text) - events->len;
    int len = vsnprintf(events->text + events->len, room, format, args);

    if (len < 0 || (size_t)len + 2 > room) {
        (void)fprintf(stderr, "too many events: %s\n", events->text);
        abort();
    }
    events->len += (size_t)len;
    events->text[events->len++] = ' ';
    events->text[events->len] = '\0';
}

void live_note(live_events *events, const char *format, ...)
{
    va_list args;

    (void)pthread_mutex_lock(&events->mutex);
    va_start(args, format);
    append(events, format, args);
    va_end(args);
    (void)pthread_cond_broadcast(&events->changed);
    (void)pthread_mutex_unlock(&events->mutex);
}

void live_events_clear(live_events *events)
{
    (void)pthread_mutex_lock(&events->mutex);
    events->len = 0;
    events->text[0] = '\0';
    (void)pthread_mutex_unlock(&events->mutex);
}

static bool has_word(const live_events *events, const char *word)
{
    size_t len = strlen(word);
    const char *at = events->text;

    while ((at = strstr(at, word)) != NULL) {
        if ((at == events->text || at[-1] == ' ') && at[len] == ' ')
            return true;
        at++;
    }
    return false;
}

typedef struct wanted {
    const char *word; /* null: the counts */
    uint64_t opened, secured, closed;
} wanted;

static bool is_there(const live_events *events, const wanted *what)
{
    if (what->word)
        return has_word(events, what->word);
    return events->opened >= what->opened && events->secured >= what->secured &&
           events->closed >= what->closed;
}

static bool wait_for(live_events *events, const wanted *what)
{
    struct timespec until;
    int error = 0;
    bool found;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LIVE_GUARD_S;
    (void)pthread_mutex_lock(&events->mutex);
    while (!(found = is_there(events, what)) && error == 0)
        error = pthread_cond_timedwait(&events->changed, &events->mutex, &until);
    if (!found)
        (void)fprintf(stderr, "waited for '%s' %llu/%llu/%llu, there is '%s' %llu/%llu/%llu\n",
                      what->word ? what->word : "", (unsigned long long)what->opened,
                      (unsigned long long)what->secured, (unsigned long long)what->closed,
                      events->text, (unsigned long long)events->opened,
                      (unsigned long long)events->secured, (unsigned long long)events->closed);
    (void)pthread_mutex_unlock(&events->mutex);
    return found;
}

bool live_await(live_events *events, const char *word)
{
    return wait_for(events, &(wanted){.word = word});
}

bool live_await_counts(live_events *events, uint64_t opened, uint64_t secured, uint64_t closed)
{
    return wait_for(events, &(wanted){NULL, opened, secured, closed});
}

bool live_has(live_events *events, const char *word)
{
    bool has;

    (void)pthread_mutex_lock(&events->mutex);
    has = has_word(events, word);
    (void)pthread_mutex_unlock(&events->mutex);
    return has;
}

bool live_await_quiet(live_events *events, uint32_t ms)
{
    uint64_t until = live_now_ms() + LIVE_GUARD_S * 1000;
    size_t len = SIZE_MAX;

    (void)pthread_mutex_lock(&events->mutex);
    while (len != events->len && live_now_ms() < until) {
        struct timespec end;
        int error = 0;

        len = events->len;
        (void)clock_gettime(CLOCK_MONOTONIC, &end);
        end.tv_sec += ms / 1000;
        end.tv_nsec += (long)(ms % 1000) * 1000000;
        end.tv_sec += end.tv_nsec / 1000000000;
        end.tv_nsec %= 1000000000;
        while (len == events->len && error == 0)
            error = pthread_cond_timedwait(&events->changed, &events->mutex, &end);
    }
    (void)pthread_mutex_unlock(&events->mutex);
    return live_now_ms() < until;
}

void live_expect(live_events *events, const char *text)
{
    char now[sizeof(events->text)];

    (void)pthread_mutex_lock(&events->mutex);
    memcpy(now, events->text, sizeof(now));
    (void)pthread_mutex_unlock(&events->mutex);
    assert_string_equal(now, text);
}

/* The recorder. */

void live_recorder_init(live_recorder *recorder)
{
    memset(recorder, 0, sizeof(*recorder));
    live_events_init(&recorder->events);
}

void live_recorder_fini(live_recorder *recorder)
{
    live_events_fini(&recorder->events);
}

void live_echo(lr_conn *c, live_hook hook, lr_slice bytes)
{
    if (hook == LIVE_DATA) {
        lr_status status = lr_conn_write(c, bytes);

        if (status != LR_OK)
            lr_conn_abort(c, status);
    } else if (hook == LIVE_END) {
        lr_conn_end(c);
    }
}

static live_recorder *recorder_of(lr_conn *c)
{
    lr_server *server = lr_conn_server(c);

    return server ? lr_server_user(server) : lr_client_user(lr_conn_client(c));
}

/* Notes before it acts: what an act causes stands behind it. The count of closed connections rises
 * last, so that who waited for it finds everything noted. */
__attribute__((format(printf, 4, 5))) static void record(lr_conn *c, live_hook hook, lr_slice bytes,
                                                         const char *format, ...)
{
    void (*act)(lr_conn *, live_hook, lr_slice, live_recorder *);
    live_recorder *recorder = recorder_of(c);
    live_events *events = &recorder->events;
    va_list args;

    (void)pthread_mutex_lock(&events->mutex);
    if (!recorder->quiet) {
        va_start(args, format);
        append(events, format, args);
        va_end(args);
    }
    events->opened += hook == LIVE_OPEN;
    events->secured += hook == LIVE_SECURE;
    (void)pthread_cond_broadcast(&events->changed);
    (void)pthread_mutex_unlock(&events->mutex);
    act = recorder->act;
    if (act)
        act(c, hook, bytes, recorder);
    else
        live_echo(c, hook, bytes);
    if (hook != LIVE_CLOSE)
        return;
    (void)pthread_mutex_lock(&events->mutex);
    events->closed++;
    (void)pthread_cond_broadcast(&events->changed);
    (void)pthread_mutex_unlock(&events->mutex);
}

static const lr_slice nothing = {NULL, 0};

static void on_worker_start(lr_worker *w, lr_server *s)
{
    live_recorder *recorder = lr_server_user(s);

    (void)w;
    recorder->workers_started++;
}

static void on_worker_stop(lr_worker *w, lr_server *s)
{
    live_recorder *recorder = lr_server_user(s);

    (void)w;
    recorder->workers_stopped++;
}

static void on_open(lr_conn *c)
{
    record(c, LIVE_OPEN, nothing, "open");
}

static void on_client_error(lr_conn *c, const lr_error *why)
{
    record(c, LIVE_CLIENT_ERROR, nothing, "client_error:%s:%d", lr_status_name(why->status),
           why->tls_alert);
}

static void on_secure(lr_conn *c)
{
    record(c, LIVE_SECURE, nothing, "secure");
}

static void on_data(lr_conn *c, lr_slice bytes)
{
    record(c, LIVE_DATA, bytes, "data:%zu", bytes.len);
}

static void on_drain(lr_conn *c)
{
    record(c, LIVE_DRAIN, nothing, "drain");
}

static void on_end(lr_conn *c)
{
    record(c, LIVE_END, nothing, "end");
}

static void on_server_drain(lr_conn *c)
{
    record(c, LIVE_SERVER_DRAIN, nothing, "server_drain");
}

static void on_close(lr_conn *c, const lr_error *why)
{
    record(c, LIVE_CLOSE, nothing, "close:%s", why ? lr_status_name(why->status) : "clean");
}

static void on_peer_cert(lr_conn *c)
{
    record(c, LIVE_PEER_CERT, nothing, "peer_cert");
}

const lr_handlers live_recorder_handlers = {LR_HANDLERS,
                                            .on_worker_start = on_worker_start,
                                            .on_worker_stop = on_worker_stop,
                                            .on_open = on_open,
                                            .on_client_error = on_client_error,
                                            .on_secure = on_secure,
                                            .on_data = on_data,
                                            .on_drain = on_drain,
                                            .on_end = on_end,
                                            .on_server_drain = on_server_drain,
                                            .on_close = on_close,
                                            .on_peer_cert = on_peer_cert};

/* Servers. */

static void must(lr_status status, const lr_error *err)
{
    if (status != LR_OK)
        fail_msg("%s: %s", lr_status_name(status), err->text);
}

lr_workers *live_workers(const live_plan *plan)
{
    lr_workers_options options = {LR_WORKERS_OPTIONS,
                                  .worker_count = plan->worker_count ? plan->worker_count : 2,
                                  .pin = plan->steer == LR_ON ? LR_ON : LR_OFF,
                                  .steer = plan->steer,
                                  .ring = plan->ring,
                                  .log = plan->log,
                                  .log_user = plan->log_user,
                                  .ticket_keep_s = plan->ticket_keep_s};
    lr_workers *workers = NULL;
    lr_error err;
    lr_status status = lr_workers_new(&options, &workers, &err);

    if (status == LR_ERING && plan->ring == LR_RING_URING) {
        print_message("%s\n", err.text);
        skip();
    }
    must(status, &err);
    return workers;
}

lr_context *live_context(const live_plan *plan)
{
    lr_context_options options = plan->context;
    lr_context *context = NULL;
    lr_error err;

    options.size = sizeof(options);
    if (!options.cert_file && options.cert.len == 0 && !options.self_signed &&
        !options.identities && !options.pkcs12_file && options.pkcs12.len == 0)
        options.self_signed = "localhost,127.0.0.1,::1";
    must(lr_context_new(&options, &context, &err), &err);
    return context;
}

lr_server *live_server(lr_workers *workers, lr_context *context, const live_plan *plan)
{
    lr_server_options options = {LR_SERVER_OPTIONS,
                                 .handlers =
                                     plan->handlers ? plan->handlers : &live_recorder_handlers,
                                 .context = context,
                                 .user = plan->user,
                                 .conn_user_size = plan->conn_user_size,
                                 .handshake_timeout_ms = plan->handshake_timeout_ms,
                                 .idle_timeout_ms = plan->idle_timeout_ms,
                                 .fragment_size_max = plan->fragment_size_max,
                                 .worker_user_size = plan->worker_user_size,
                                 .connection_count_max = plan->connection_count_max,
                                 .on_refused = plan->on_refused};
    lr_server *server = NULL;
    lr_error err;

    if (plan->tune)
        plan->tune(&options);
    must(lr_server_new(workers, &options, &server, &err), &err);
    return server;
}

uint32_t live_listen_with(lr_server *server, const lr_listen_options *options)
{
    uint32_t index = 0;
    lr_error err;

    must(lr_server_listen(server, options, &index, &err), &err);
    return index;
}

static uint16_t listen_on(lr_server *server, const char *host, bool plain)
{
    lr_listen_options options = {LR_LISTEN_OPTIONS, .host = host ? host : "127.0.0.1",
                                 .plain = plain};
    uint16_t port = lr_server_port(server, live_listen_with(server, &options));

    assert_int_not_equal(port, 0);
    return port;
}

uint16_t live_listen(lr_server *server, const char *host)
{
    return listen_on(server, host, false);
}

void live_run(lr_workers *workers)
{
    lr_error err;

    must(lr_workers_start(workers, &err), &err);
}

void live_start(live *l, const live_plan *plan)
{
    memset(l, 0, sizeof(*l));
    l->workers = live_workers(plan);
    l->context = plan->plain ? NULL : live_context(plan);
    l->server = live_server(l->workers, l->context, plan);
    l->port = listen_on(l->server, plan->host, plan->plain);
    live_run(l->workers);
}

typedef struct visit {
    void (*fn)(lr_worker *w, void *arg);
    void *arg;
    live_events over; /* its mutex, condition and text */
} visit;

static void on_visit(lr_worker *w, void *arg)
{
    visit *v = arg;

    v->fn(w, v->arg);
    live_note(&v->over, "over");
}

void live_on_worker(lr_workers *workers, uint32_t index, void (*fn)(lr_worker *w, void *arg),
                    void *arg)
{
    visit v = {.fn = fn, .arg = arg};

    live_events_init(&v.over);
    assert_int_equal(lr_worker_post(lr_workers_worker(workers, index), on_visit, &v), LR_OK);
    assert_true(live_await(&v.over, "over"));
    live_events_fini(&v.over);
}

void live_stop(live *l, uint32_t deadline_ms)
{
    lr_workers_stop(l->workers, deadline_ms);
    lr_workers_join(l->workers);
    assert_int_equal(lr_server_connection_count(l->server), 0);
    lr_server_free(l->server);
    lr_workers_free(l->workers);
    lr_context_release(l->context);
    memset(l, 0, sizeof(*l));
}

uint64_t live_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t live_rss_kb(pid_t pid)
{
    char path[64];
    unsigned long size = 0, resident = 0;
    FILE *file;
    int got;

    (void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return 0;
    got = fscanf(file, "%lu %lu", &size, &resident);
    (void)fclose(file);
    return got == 2 ? resident * ((uint64_t)sysconf(_SC_PAGESIZE) / 1024) : 0;
}

int live_main(const char *name, const struct CMUnitTest *tests, size_t count)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    return _cmocka_run_group_tests(name, tests, count, NULL, NULL);
}
