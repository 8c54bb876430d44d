/* SPDX-License-Identifier: MIT */
/* proto/redis.c: one link per worker: a connection to the server, and the commands under way on it.
 *
 * The commands are a queue of slots in the order in which they were sent, and so of their replies.
 * All have the same time, so that those whose time is over are always the first ones of the queue:
 * they stay there until their replies have come, to keep the order. Before the link is up no slot
 * is sent; the bytes of all of them wait in out. From then on every command is sent at once.
 *
 * State    OFF      nothing is there; the next command begins
 *          WAITING  a timer is set for the next try
 *          TRYING   the connection is made, or was, and PING is not yet answered
 *          UP
 *          FALLING  inside the callbacks of a loss or a close: nothing new is taken
 * A connection that is given up (lose, finish) is not the link's any more from that moment on: its
 * hooks find that link->conn is another one and do nothing.
 *
 * All of a link belongs to its worker, but for the counters. */
#include "proto/redis_queue.h"

#include <lockring/client.h>

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum {
    SLOTS_MAX = 65536,
    QUEUE_BYTES_MAX = 512 * 1024, /* one write of all that waits must fit into a queue of 1 MB */
    SHIFT_MAX = 16                /* of the wait between two tries */
};

typedef enum link_state { OFF, WAITING, TRYING, UP, FALLING } link_state;

/* Written by the worker alone, load and store; read by any thread. Nothing depends on them. */
typedef struct counters {
    _Atomic uint64_t commands, replies, errors, timeouts, lost;
    _Atomic uint64_t refused, late, connects, failures;
} counters;

typedef struct link {
    lr_redis *redis;
    lr_worker *worker;
    link_state state;
    bool failed;       /* the last try did: what comes is refused, and does not wait for the next */
    bool served;       /* this connection has answered a command */
    bool draining;     /* the workers stop */
    bool close_wanted; /* lr_redis_close() was called inside FALLING */
    uint32_t tries;    /* that failed, one behind the other */
    uint32_t hello_due; /* replies to AUTH, SELECT and PING that are to come */
    lr_conn *conn;
    lr_timer *step_timer;     /* WAITING: the next try; TRYING: its end */
    lr_timer *deadline_timer; /* never later than the next deadline */
    lr__redis_queue queue;    /* commands under way */
    uint32_t expired;         /* the first ones of them, whose time is over */
    lr_redis_parser parser;
    lr__redis_buffer in;  /* a reply that is not yet complete */
    lr__redis_buffer out; /* commands that wait; UP: empty between two calls */
    counters counters;
} link;

struct lr_redis {
    lr_redis_options options; /* defaults in place of zeros; without its strings */
    lr_client *client;
    lr_connect_options to;
    char host[INET6_ADDRSTRLEN];
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
    lr__redis_buffer hello; /* AUTH, SELECT, PING */
    uint32_t hello_count;
    uint32_t link_count;
    link links[];
};

static void count_up(_Atomic uint64_t *counter)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, value + 1, memory_order_relaxed);
}

static link *link_of(const lr_redis *r, const lr_worker *w)
{
    return (link *)&r->links[lr_worker_index(w)];
}

static link *link_of_conn(const lr_conn *c)
{
    return link_of(lr_client_user(lr_conn_client(c)), lr_conn_worker(c));
}

static void tell(link *l, const lr__redis_slot *s, lr_status status, const lr_redis_reply *reply)
{
    if (s->done)
        s->done(l->worker, status, reply, s->arg);
}

/* Deadlines. */

static uint64_t ns_of(uint32_t ms)
{
    return (uint64_t)ms * 1000000;
}

/* Sets the timer for whatever comes first. */
static void arm(link *l)
{
    const lr_redis_options *o = &l->redis->options;
    uint64_t now = lr_worker_now_ns(l->worker), at = UINT64_MAX;

    if (l->queue.count == 0)
        return;
    if (l->expired < l->queue.count)
        at = lr__redis_slot_at(&l->queue, l->expired)->since_ns + ns_of(o->command_timeout_ms);
    if (l->state == UP &&
        lr__redis_slot_at(&l->queue, 0)->since_ns + ns_of(o->stall_timeout_ms) < at)
        at = lr__redis_slot_at(&l->queue, 0)->since_ns + ns_of(o->stall_timeout_ms);
    if (at != UINT64_MAX)
        lr_timer_set(l->deadline_timer, at > now ? (uint32_t)((at - now + 999999) / 1000000) : 0);
}

/* Ends and beginnings of a link. */

static void begin_waiting(link *l, uint32_t delay_ms)
{
    l->state = WAITING;
    lr_timer_set(l->step_timer, delay_ms);
}

/* Nothing of the old connection is left; the slots are. */
static lr_conn *let_go(link *l)
{
    lr_conn *c = l->conn;

    l->conn = NULL;
    l->hello_due = 0;
    l->in.len = l->out.len = 0;
    memset(&l->parser, 0, sizeof(l->parser));
    lr_timer_cancel(l->step_timer);
    lr_timer_cancel(l->deadline_timer);
    return c;
}

/* In FALLING, so that the queue gets no new ones. */
static void fail_all(link *l)
{
    while (l->queue.count > 0) {
        lr__redis_slot s = lr__redis_queue_pop(&l->queue);

        if (l->expired > 0) {
            l->expired--;
            continue;
        }
        count_up(&l->counters.lost);
        tell(l, &s, LR_ECLOSED, NULL);
    }
}

static void close_now(link *l)
{
    lr_conn *c = let_go(l);

    l->state = FALLING;
    if (c)
        lr_conn_end(c);
    fail_all(l);
    lr_timer_free(l->step_timer);
    lr_timer_free(l->deadline_timer);
    l->step_timer = l->deadline_timer = NULL;
    l->state = OFF;
    l->failed = l->close_wanted = false;
    l->tries = 0;
}

/* The time until the next try. At once, and commands may wait for it, only where the connection was
 * of some use: a server that takes connections and drops them would be asked without end. */
static uint32_t next_delay(link *l)
{
    const lr_redis_options *o = &l->redis->options;
    uint64_t delay;

    l->failed = !l->served;
    if (!l->failed) {
        l->tries = 0;
        return 0;
    }
    delay = (uint64_t)o->reconnect_min_ms << (l->tries < SHIFT_MAX ? l->tries : SHIFT_MAX);
    l->tries++;
    return delay < o->reconnect_max_ms ? (uint32_t)delay : o->reconnect_max_ms;
}

/* The connection is lost, or was not made. */
static void lose(link *l, const lr_error *why)
{
    lr_redis *r = l->redis;
    lr_conn *c = let_go(l);
    uint32_t delay_ms = next_delay(l);

    l->state = FALLING;
    l->served = false;
    count_up(&l->counters.failures);
    if (c)
        lr_conn_abort(c, LR_OK);
    fail_all(l);
    if (r->options.on_down)
        r->options.on_down(r, l->worker, why);
    if (l->close_wanted)
        close_now(l);
    else if (l->draining)
        l->state = OFF;
    else
        begin_waiting(l, delay_ms);
}

static void lose_for(link *l, lr_status status, const char *reason)
{
    lr_error why = {.status = status, .tls_alert = -1};

    (void)snprintf(why.text, sizeof(why.text), "redis: %s", reason);
    lose(l, &why);
}

/* Draining, and nothing is under way. */
static void finish(link *l)
{
    lr_conn *c = let_go(l);

    l->state = OFF;
    lr_conn_end(c);
}

static void try_now(link *l)
{
    lr_redis *r = l->redis;
    lr_status status;
    lr_error err;

    l->state = TRYING;
    l->served = false;
    status = lr_client_connect(r->client, l->worker, &r->to, &l->conn, &err);
    if (status == LR_OK) {
        lr_timer_set(l->step_timer, r->options.connect_timeout_ms);
        return;
    }
    if (status == LR_ESTATE) /* the worker ends: there is no next time */
        l->draining = true;
    l->conn = NULL;
    lose(l, &err);
}

static void on_step(lr_timer *timer, void *user)
{
    link *l = user;

    (void)timer;
    if (l->state == WAITING)
        try_now(l);
    else if (l->state == TRYING)
        lose_for(l, LR_ECONNECT_TIMEOUT, "the server does not answer a new connection");
}

static void on_deadline(lr_timer *timer, void *user)
{
    link *l = user;
    const lr_redis_options *o = &l->redis->options;
    uint64_t now = lr_worker_now_ns(l->worker);

    (void)timer;
    while (l->expired < l->queue.count) {
        lr__redis_slot *s = lr__redis_slot_at(&l->queue, l->expired), told;

        if (s->since_ns + ns_of(o->command_timeout_ms) > now)
            break;
        told = *s;
        l->expired++;
        count_up(&l->counters.timeouts);
        tell(l, &told, LR_EANSWER_TIMEOUT, NULL); /* which may do anything to the link */
    }
    if (l->state == UP && l->queue.count > 0 &&
        lr__redis_slot_at(&l->queue, 0)->since_ns + ns_of(o->stall_timeout_ms) <= now)
        lose_for(l, LR_EANSWER_TIMEOUT, "the server has stopped answering");
    else if (l->state != OFF)
        arm(l);
}

/* Hooks of the connection. */

static void on_secure(lr_conn *c)
{
    link *l = link_of_conn(c);

    if (l->conn != c)
        return;
    l->hello_due = l->redis->hello_count;
    if (lr_conn_write(c, lr_slice_of(l->redis->hello.bytes, l->redis->hello.len)) != LR_OK)
        lose_for(l, LR_ENOMEM, "no memory to begin");
}

/* What waited goes out, but for what nobody waits for any more. */
static bool send_waiting(link *l)
{
    size_t skipped = 0;
    lr_status status = LR_OK;

    for (; l->expired > 0; l->expired--)
        skipped += lr__redis_queue_pop(&l->queue).size;
    if (l->out.len > skipped)
        status = lr_conn_write(l->conn, lr_slice_of(l->out.bytes + skipped, l->out.len - skipped));
    l->out.len = 0;
    return status == LR_OK;
}

static void go_up(link *l)
{
    lr_redis *r = l->redis;

    lr_timer_cancel(l->step_timer);
    if (!send_waiting(l)) {
        lose_for(l, LR_ENOMEM, "no memory to send what waited");
        return;
    }
    l->state = UP;
    l->failed = false;
    l->tries = 0;
    count_up(&l->counters.connects);
    arm(l);
    if (r->options.on_up)
        r->options.on_up(r, l->worker);
}

static void take_hello(link *l, const lr_redis_reply *reply)
{
    char text[100];
    size_t len = 0;

    if (reply->type != LR_REDIS_ERROR) {
        if (--l->hello_due == 0)
            go_up(l);
        return;
    }
    for (; len < reply->bytes.len && len < sizeof(text) - 1; len++) {
        char byte = (char)reply->bytes.bytes[len];

        text[len] = byte >= ' ' && byte <= '~' ? byte : '?';
    }
    text[len] = '\0';
    lose_for(l, LR_ECONNECT, text);
}

static void take_reply(link *l, const lr_redis_reply *reply)
{
    lr__redis_slot s;

    if (l->hello_due > 0) {
        take_hello(l, reply);
        return;
    }
    if (l->queue.count == 0) {
        lose_for(l, LR_ECLOSED, "a reply that nobody asked for");
        return;
    }
    l->served = true;
    s = lr__redis_queue_pop(&l->queue);
    if (l->expired > 0) {
        l->expired--;
        count_up(&l->counters.late);
        return;
    }
    count_up(&l->counters.replies);
    if (reply->type == LR_REDIS_ERROR)
        count_up(&l->counters.errors);
    tell(l, &s, LR_OK, reply);
}

/* Keeps the beginning of a reply. rest may lie in the buffer already. */
static bool keep_rest(link *l, lr_slice rest)
{
    if (l->in.len == 0)
        return rest.len == 0 || lr__redis_buffer_append(&l->in, rest);
    if (rest.bytes != l->in.bytes)
        memmove(l->in.bytes, rest.bytes, rest.len);
    l->in.len = rest.len;
    return true;
}

static void on_data(lr_conn *c, lr_slice bytes)
{
    link *l = link_of_conn(c);
    lr_redis_result result = LR_REDIS_DONE;

    if (l->conn != c)
        return;
    if (l->in.len > 0) {
        if (!lr__redis_buffer_append(&l->in, bytes)) {
            lose_for(l, LR_ENOMEM, "no memory for a reply");
            return;
        }
        bytes = lr_slice_of(l->in.bytes, l->in.len);
    }
    while (bytes.len > 0 && result == LR_REDIS_DONE) {
        lr_redis_reply reply;
        const char *reason;

        result = lr_redis_reply_parse(&l->parser, l->redis->options.reply_size_max, bytes, &reply,
                                      &reason);
        if (result == LR_REDIS_REFUSED) {
            lose_for(l, LR_ECLOSED, reason);
            return;
        }
        if (result == LR_REDIS_DONE) {
            bytes = lr_slice_of(bytes.bytes + reply.size, bytes.len - reply.size);
            take_reply(l, &reply);
            if (l->conn != c)
                return;
        }
    }
    if (!keep_rest(l, bytes))
        lose_for(l, LR_ENOMEM, "no memory for a reply");
    else if (l->draining && l->queue.count == 0)
        finish(l);
}

static void on_end(lr_conn *c)
{
    link *l = link_of_conn(c);

    if (l->conn == c)
        lose_for(l, LR_ECLOSED, "the server has closed the connection");
}

static void on_server_drain(lr_conn *c)
{
    link *l = link_of_conn(c);

    l->draining = true;
    if (l->conn == c && l->queue.count == 0)
        finish(l);
}

static void on_close(lr_conn *c, const lr_error *why)
{
    link *l = link_of_conn(c);

    if (l->conn != c)
        return;
    l->conn = NULL; /* there is nothing to abort */
    if (why)
        lose(l, why);
    else
        lose_for(l, LR_ECLOSED, "the connection has ended");
}

static const lr_handlers link_handlers = {LR_HANDLERS,
                                          .on_secure = on_secure,
                                          .on_data = on_data,
                                          .on_end = on_end,
                                          .on_server_drain = on_server_drain,
                                          .on_close = on_close};

/* What the program calls. */

lr_status lr_redis_open(lr_redis *r, lr_worker *w)
{
    link *l = link_of(r, w);
    lr_status status = LR_OK;

    if (l->state == FALLING)
        return LR_ESTATE;
    if (l->state != OFF)
        return LR_OK;
    l->redis = r;
    l->worker = w;
    if (!l->step_timer)
        status = lr_timer_new(w, on_step, l, &l->step_timer);
    if (status == LR_OK && !l->deadline_timer)
        status = lr_timer_new(w, on_deadline, l, &l->deadline_timer);
    if (status == LR_OK)
        begin_waiting(l, 0);
    return status;
}

void lr_redis_close(lr_redis *r, lr_worker *w)
{
    link *l = link_of(r, w);

    if (l->state == FALLING)
        l->close_wanted = true;
    else if (l->step_timer)
        close_now(l);
}

/* May a command be taken now? */
static lr_status admit(link *l, size_t size)
{
    const lr_redis_options *o = &l->redis->options;
    size_t queued = l->state == UP ? lr_conn_queued(l->conn) : l->out.len;

    if (l->state == FALLING || (l->state != UP && l->failed))
        return LR_ECLOSED;
    if (l->queue.count >= o->command_count_max || queued + size > o->queue_bytes_max)
        return LR_EAGAIN;
    return lr__redis_queue_reserve(&l->queue) && lr__redis_buffer_reserve(&l->out, size)
               ? LR_OK
               : LR_ENOMEM;
}

lr_status lr_redis_command(lr_redis *r, lr_worker *w, const lr_slice *arguments, size_t count,
                           lr_redis_done done, void *arg)
{
    link *l = link_of(r, w);
    size_t size = lr_redis_command_size(arguments, count);
    lr_status status = LR_OK;

    if (size == 0 || size > r->options.queue_bytes_max)
        return LR_EINVAL;
    if (l->state == OFF)
        status = lr_redis_open(r, w);
    if (status == LR_OK)
        status = admit(l, size);
    if (status == LR_OK) {
        (void)lr__redis_buffer_command(&l->out, arguments, count);
        if (l->state == UP) {
            status = lr_conn_write(l->conn, lr_slice_of(l->out.bytes, size));
            l->out.len = 0;
        }
    }
    if (status != LR_OK) {
        count_up(&l->counters.refused);
        return status;
    }
    count_up(&l->counters.commands);
    lr__redis_queue_push(&l->queue, (lr__redis_slot){lr_worker_now_ns(w), done, arg, size});
    if (l->expired == l->queue.count - 1) /* nobody else's deadline comes first */
        arm(l);
    return LR_OK;
}

bool lr_redis_is_up(const lr_redis *r, const lr_worker *w)
{
    return link_of(r, w)->state == UP;
}

void *lr_redis_user(const lr_redis *r)
{
    return r->options.user;
}

static uint64_t read_count(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

lr_redis_counts lr_redis_read_counts(const lr_redis *r)
{
    lr_redis_counts sum = {0};

    for (uint32_t i = 0; i < r->link_count; i++) {
        const counters *c = &r->links[i].counters;

        sum.commands += read_count(&c->commands);
        sum.replies += read_count(&c->replies);
        sum.errors += read_count(&c->errors);
        sum.timeouts += read_count(&c->timeouts);
        sum.lost += read_count(&c->lost);
        sum.refused += read_count(&c->refused);
        sum.late += read_count(&c->late);
        sum.connects += read_count(&c->connects);
        sum.failures += read_count(&c->failures);
    }
    return sum;
}

/* Making and freeing. */

static lr_status fail(lr_error *err, lr_status status, const char *what)
{
    if (err) {
        *err = (lr_error){.status = status, .tls_alert = -1};
        (void)snprintf(err->text, sizeof(err->text), "lr_redis_options: %s", what);
    }
    return status;
}

static void set_default(uint32_t *value, uint32_t to)
{
    if (*value == 0)
        *value = to;
}

static void set_defaults(lr_redis_options *o)
{
    set_default(&o->command_timeout_ms, 1000);
    set_default(&o->stall_timeout_ms, o->command_timeout_ms > 5000 ? o->command_timeout_ms : 5000);
    set_default(&o->connect_timeout_ms, 1000);
    set_default(&o->reconnect_min_ms, 50);
    set_default(&o->reconnect_max_ms, o->reconnect_min_ms > 2000 ? o->reconnect_min_ms : 2000);
    set_default(&o->command_count_max, 4096);
    set_default(&o->queue_bytes_max, 256 * 1024);
    set_default(&o->reply_size_max, LR_REDIS_REPLY_MAX);
}

static const char *check_options(const lr_redis_options *o)
{
    if (o->path && (o->host || o->port))
        return "path stands instead of host and port";
    if (o->username && !o->password)
        return "username needs a password";
    if (o->stall_timeout_ms < o->command_timeout_ms)
        return "stall_timeout_ms is below command_timeout_ms";
    if (o->reconnect_max_ms < o->reconnect_min_ms)
        return "reconnect_max_ms is below reconnect_min_ms";
    if (o->command_count_max > SLOTS_MAX)
        return "command_count_max is above 65536";
    if (o->queue_bytes_max > QUEUE_BYTES_MAX)
        return "queue_bytes_max is above 512 KB";
    return NULL;
}

/* Copies the address. False: it is none. */
static bool set_address(lr_redis *r, const lr_redis_options *o)
{
    const char *host = o->host ? o->host : "127.0.0.1";
    uint8_t bytes[16];

    r->to = (lr_connect_options){LR_CONNECT_OPTIONS};
    if (o->path) {
        if (strlen(o->path) >= sizeof(r->path) || *o->path == '\0' || strcmp(o->path, "@") == 0)
            return false;
        memcpy(r->path, o->path, strlen(o->path) + 1);
        r->to.path = r->path;
        return true;
    }
    if (strlen(host) >= sizeof(r->host) ||
        (inet_pton(AF_INET, host, bytes) != 1 && inet_pton(AF_INET6, host, bytes) != 1))
        return false;
    memcpy(r->host, host, strlen(host) + 1);
    r->to.host = r->host;
    r->to.port = o->port ? o->port : 6379;
    return true;
}

/* What each connection begins with. */
static bool make_hello(lr_redis *r, const lr_redis_options *o)
{
    lr_slice auth[3] = {LR_LIT("AUTH")}, select[2] = {LR_LIT("SELECT")}, ping = LR_LIT("PING");
    size_t auth_count = 1;
    char database[16];

    /* Nothing of it moves, so that no copy of the password is left behind. */
    if (!lr__redis_buffer_reserve(&r->hello, (o->username ? strlen(o->username) : 0) +
                                                 (o->password ? strlen(o->password) : 0) + 256))
        return false;
    if (o->username)
        auth[auth_count++] = lr_slice_of(o->username, strlen(o->username));
    if (o->password) {
        auth[auth_count++] = lr_slice_of(o->password, strlen(o->password));
        if (!lr__redis_buffer_command(&r->hello, auth, auth_count))
            return false;
        r->hello_count++;
    }
    if (o->database) {
        select[1] =
            lr_slice_of(database, (size_t)snprintf(database, sizeof(database), "%u", o->database));
        if (!lr__redis_buffer_command(&r->hello, select, 2))
            return false;
        r->hello_count++;
    }
    r->hello_count++;
    return lr__redis_buffer_command(&r->hello, &ping, 1);
}

lr_status lr_redis_new(lr_workers *on, const lr_redis_options *options, lr_redis **out,
                       lr_error *err)
{
    lr_client_options client = {LR_CLIENT_OPTIONS, .handlers = &link_handlers};
    uint32_t count = lr_workers_count(on);
    const char *wrong;
    lr_status status;
    lr_redis *r;

    *out = NULL;
    if (!options || options->size != sizeof(*options))
        return fail(err, LR_EOPTION, "the size is not this version's");
    r = calloc(1, sizeof(*r) + count * sizeof(r->links[0]));
    if (!r)
        return fail(err, LR_ENOMEM, "out of memory");
    r->options = *options;
    r->link_count = count;
    set_defaults(&r->options);
    wrong = check_options(&r->options);
    r->options.host = r->options.path = r->options.username = r->options.password = NULL;
    client.user = r;
    client.connect_timeout_ms = r->options.connect_timeout_ms;
    if (wrong)
        status = fail(err, LR_EOPTION, wrong);
    else if (!set_address(r, options))
        status = fail(err, LR_EADDRESS, "neither a numeric address nor the path of a socket");
    else if (!make_hello(r, options))
        status = fail(err, LR_ENOMEM, "out of memory");
    else
        status = lr_client_new(on, &client, &r->client, err);
    if (status != LR_OK) {
        lr_redis_free(r);
        return status;
    }
    *out = r;
    return LR_OK;
}

/* Where a password was. The pointer to volatile keeps the compiler from leaving it out. */
static void wipe(lr__redis_buffer *b)
{
    volatile uint8_t *bytes = b->bytes;

    for (size_t i = 0; i < b->cap; i++)
        bytes[i] = 0;
}

void lr_redis_free(lr_redis *r)
{
    if (!r)
        return;
    lr_client_free(r->client);
    for (uint32_t i = 0; i < r->link_count; i++) {
        lr__redis_queue_free(&r->links[i].queue);
        lr__redis_buffer_free(&r->links[i].in);
        lr__redis_buffer_free(&r->links[i].out);
    }
    wipe(&r->hello);
    lr__redis_buffer_free(&r->hello);
    free(r);
}
