/* SPDX-License-Identifier: MIT */
/* live_redis.c: proto/redis against a server that the test plays by hand. */
#include "redis_play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void commands_are_pipelined_and_answered_in_their_order(void **state)
{
    lr_redis_options options = {0};
    lr_redis_counts counts;
    play p;

    play_open(&p, state, &options);
    assert_int_equal(play_get(&p, "a"), LR_OK);
    assert_int_equal(play_get(&p, "b"), LR_OK);
    assert_int_equal(play_get(&p, "c"), LR_OK);
    assert_int_equal(play_get(&p, "d"), LR_OK);
    play_hear_get(&p, "a");
    play_hear_get(&p, "b");
    play_hear_get(&p, "c");
    play_hear_get(&p, "d"); /* all of them before any reply */
    live_expect(&p.events, "");
    play_say(&p, "+one\r\n-ERR tw");
    assert_true(live_await(&p.events, "a=+one"));
    play_say(&p, "o\r\n$5\r\nth\r");
    assert_true(live_await(&p.events, "b=-ERR two"));
    play_say(&p, "\nr\r\n:4\r\n");
    assert_true(live_await(&p.events, "d=:4"));
    live_expect(&p.events, "a=+one b=-ERR two c=$th\r\nr d=:4 ");
    counts = play_close(&p);
    assert_int_equal(counts.replies, 4);
    assert_int_equal(counts.errors, 1);
    assert_int_equal(counts.connects, 1);
    assert_int_equal(counts.failures, 0);
}

enum { MANY = 1000, LARGE = 300000 };

/* One of many: each slot is another one. */
typedef struct numbered {
    play *p;
    int64_t number;
} numbered;

static void on_next(lr_worker *w, lr_status status, const lr_redis_reply *reply, void *arg)
{
    numbered *n = arg;
    play *p = n->p;

    (void)w;
    if (status != LR_OK || reply->integer != n->number || (int64_t)p->next != n->number)
        live_note(&p->events, "disorder");
    if (++p->next == MANY)
        live_note(&p->events, "all");
}

static void send_many(lr_worker *w, void *arg)
{
    const lr_slice incr[] = {LR_LIT("INCR"), LR_LIT("n")};
    static numbered all[MANY];
    play *p = arg;

    for (int i = 0; i < MANY; i++) {
        all[i] = (numbered){p, i};
        if (lr_redis_command(p->redis, w, incr, 2, on_next, &all[i]) != LR_OK)
            abort();
    }
}

static void many_commands_keep_their_order(void **state)
{
    static char replies[MANY * 8];
    lr_redis_options options = {0};
    size_t len = 0;
    play p;

    play_open(&p, state, &options);
    assert_int_equal(play_get(&p, "a"),
                     LR_OK); /* so that the ring of slots turns before it grows */
    play_hear_get(&p, "a");
    play_say(&p, "+one\r\n");
    for (int i = 0; i < MANY; i++)
        len += (size_t)snprintf(replies + len, sizeof(replies) - len, ":%d\r\n", i);
    live_on_worker(p.workers, 0, send_many, &p);
    for (int i = 0; i < MANY; i++)
        play_hear(&p, "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n");
    for (size_t at = 0; at < len; at += 777)
        assert_true(tcp_send(p.sock, replies + at, len - at < 777 ? len - at : 777));
    assert_true(live_await(&p.events, "all"));
    live_expect(&p.events, "a=+one all ");
    assert_int_equal(play_close(&p).replies, MANY + 1);
}

static void a_large_reply_comes_in_any_pieces(void **state)
{
    static char reply[LARGE + 16];
    lr_redis_options options = {0};
    size_t len;
    play p;

    len = (size_t)snprintf(reply, sizeof(reply), "$%d\r\n", LARGE);
    memset(reply + len, 'x', LARGE);
    memcpy(reply + len + LARGE, "\r\n", 2);
    play_open(&p, state, &options);
    assert_int_equal(play_get(&p, "a"), LR_OK);
    assert_int_equal(play_get(&p, "b"), LR_OK);
    play_hear_get(&p, "a");
    play_hear_get(&p, "b");
    assert_true(tcp_send(p.sock, reply, len + LARGE + 2));
    play_say(&p, ":2\r\n");
    assert_true(live_await(&p.events, "b=:2"));
    live_expect(&p.events, "a=$xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx b=:2 ");
    (void)play_close(&p);
}

static void the_password_and_the_database_come_first(void **state)
{
    lr_redis_options options = {.username = "me", .password = "a secret", .database = 12};
    play p;

    play_open_down(&p, state, &options);
    play_listen(&p);
    assert_int_equal(play_get(&p, "a"), LR_OK); /* waits, and is what begins */
    play_accept(&p);
    play_hear(&p, "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$8\r\na secret\r\n"
                  "*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n*1\r\n$4\r\nPING\r\n");
    play_say(&p, "+OK\r\n+OK\r\n");
    live_expect(&p.events, "");
    play_say(&p, "+PONG\r\n");
    play_hear_get(&p, "a");
    play_say(&p, "$-1\r\n");
    assert_true(live_await(&p.events, "a=0"));
    live_expect(&p.events, "up a=0 ");
    (void)play_close(&p);
}

static void a_server_that_refuses_the_password_is_down(void **state)
{
    lr_redis_options options = {
        .password = "wrong", .reconnect_min_ms = 100000, .reconnect_max_ms = 100000};
    lr_redis_counts counts;
    play p;

    play_open_down(&p, state, &options);
    play_listen(&p);
    assert_int_equal(play_get(&p, "a"), LR_OK);
    play_accept(&p);
    play_hear(&p, "*2\r\n$4\r\nAUTH\r\n$5\r\nwrong\r\n*1\r\n$4\r\nPING\r\n");
    play_say(&p, "-WRONGPASS \x1b invalid\r\n-NOAUTH\r\n");
    assert_true(live_await(&p.events, "inside=LR_ECLOSED"));
    live_expect(&p.events, "a=LR_ECLOSED down:LR_ECONNECT redis: WRONGPASS ? invalid "
                           "inside=LR_ECLOSED ");
    play_hear_end(&p);
    assert_int_equal(play_get(&p, "b"), LR_ECLOSED);
    counts = play_close(&p);
    assert_int_equal(counts.connects, 0);
    assert_int_equal(counts.refused, 2);
}

static void a_late_reply_is_thrown_away(void **state)
{
    lr_redis_options options = {.command_timeout_ms = 1000};
    lr_redis_counts counts;
    command *first;
    play p;

    play_open(&p, state, &options);
    first = play_add(&p, "a");
    (void)play_add(&p, "b");
    first->then = play_send_second;
    live_on_worker(p.workers, 0, play_send, first);
    play_hear_get(&p, "a");
    play_hear_get(&p, "b"); /* a's time is over */
    play_say(&p, "+late\r\n+second\r\n");
    assert_true(live_await(&p.events, "b=+second"));
    live_expect(&p.events, "a=LR_EANSWER_TIMEOUT b=+second ");
    counts = play_close(&p);
    assert_int_equal(counts.timeouts, 1);
    assert_int_equal(counts.late, 1);
    assert_int_equal(counts.replies, 1);
}

static void what_timed_out_before_the_server_was_up_is_not_sent(void **state)
{
    lr_redis_options options = {.command_timeout_ms = 1000};
    command *first;
    play p;

    play_open_down(&p, state, &options);
    play_listen(&p);
    first = play_add(&p, "a");
    (void)play_add(&p, "b");
    first->then = play_send_second;
    live_on_worker(p.workers, 0, play_send, first);
    play_accept(&p);
    play_hear(&p, PLAY_PING);
    assert_true(live_await(&p.events, "a=LR_EANSWER_TIMEOUT"));
    play_say(&p, "+PONG\r\n");
    play_hear_get(&p, "b");
    play_say(&p, ":1\r\n");
    assert_true(live_await(&p.events, "b=:1"));
    live_expect(&p.events, "a=LR_EANSWER_TIMEOUT up b=:1 ");
    (void)play_close(&p);
}

static void a_lost_connection_fails_what_was_under_way_and_is_made_again(void **state)
{
    lr_redis_options options = {0};
    lr_redis_counts counts;
    play p;

    play_open(&p, state, &options);
    assert_int_equal(play_get(&p, "a"), LR_OK);
    assert_int_equal(play_get(&p, "b"), LR_OK);
    play_hear_get(&p, "a");
    play_say(&p, "+one\r\n$3\r\nha");
    assert_true(live_await(&p.events, "a=+one"));
    (void)shutdown(p.sock, SHUT_WR);
    assert_true(live_await(&p.events, "inside=LR_ECLOSED"));
    live_expect(&p.events, "a=+one b=LR_ECLOSED down:LR_ECLOSED redis: the server has closed the "
                           "connection inside=LR_ECLOSED ");
    assert_int_equal(play_get(&p, "c"), LR_OK); /* it was of use: what comes now waits */
    live_events_clear(&p.events);
    play_accept(&p);
    play_hear(&p, PLAY_PING);
    play_say(&p, "+PONG\r\n");
    play_hear_get(&p, "c"); /* b is not sent again */
    play_say(&p, "+three\r\n");
    assert_true(live_await(&p.events, "c=+three"));
    live_expect(&p.events, "up c=+three ");
    tcp_reset(p.sock);
    p.sock = -1;
    assert_true(live_await(&p.events, "down:LR_ERESET"));
    counts = play_close(&p);
    assert_int_equal(counts.connects, 2);
    assert_int_equal(counts.lost, 1);
}

static void while_the_server_is_down_commands_are_refused_at_once(void **state)
{
    lr_redis_options options = {0};
    lr_redis_counts counts;
    play p;

    play_open_down(&p, state, &options);
    assert_int_equal(play_get(&p, "a"), LR_OK); /* nothing is known yet */
    assert_true(live_await(&p.events, "inside=LR_ECLOSED"));
    assert_true(live_has(&p.events, "a=LR_ECLOSED down:LR_ECONNECT"));
    assert_int_equal(play_get(&p, "b"), LR_ECLOSED);
    play_listen(&p);
    play_come_up(&p); /* by itself */
    assert_int_equal(play_get(&p, "c"), LR_OK);
    play_hear_get(&p, "c");
    play_say(&p, "+back\r\n");
    assert_true(live_await(&p.events, "c=+back"));
    counts = play_close(&p);
    assert_int_equal(counts.connects, 1);
    assert_true(counts.failures >= 1);
}

static void a_server_that_is_of_no_use_is_not_asked_without_pause(void **state)
{
    lr_redis_options options = {.reconnect_min_ms = 100000, .reconnect_max_ms = 100000};
    play p;

    play_open(&p, state, &options);
    (void)shutdown(p.sock, SHUT_RDWR); /* nothing was answered on it */
    assert_true(live_await(&p.events, "inside=LR_ECLOSED"));
    assert_int_equal(play_get(&p, "a"), LR_ECLOSED);
    (void)play_close(&p);
}

static void the_queue_has_an_end(void **state)
{
    lr_redis_options options = {.command_count_max = 3};
    lr_redis_counts counts;
    play p;

    play_open(&p, state, &options);
    assert_int_equal(play_get(&p, "a"), LR_OK);
    assert_int_equal(play_get(&p, "b"), LR_OK);
    assert_int_equal(play_get(&p, "c"), LR_OK);
    assert_int_equal(play_get(&p, "d"), LR_EAGAIN);
    play_hear_get(&p, "a");
    play_say(&p, ":1\r\n");
    assert_true(live_await(&p.events, "a=:1"));
    assert_int_equal(play_get(&p, "e"), LR_OK);
    play_hear_get(&p, "b");
    play_hear_get(&p, "c");
    play_hear_get(&p, "e");
    play_say(&p, ":2\r\n:3\r\n:4\r\n");
    assert_true(live_await(&p.events, "e=:4"));
    live_expect(&p.events, "a=:1 b=:2 c=:3 e=:4 ");
    counts = play_close(&p);
    assert_int_equal(counts.refused, 1);
}

static void waiting_commands_have_an_end_in_bytes(void **state)
{
    lr_redis_options options = {.queue_bytes_max = 50};
    play p;

    play_open_down(&p, state, &options);
    play_listen(&p);
    assert_int_equal(play_get(&p, "a"), LR_OK); /* 20 bytes each */
    assert_int_equal(play_get(&p, "b"), LR_OK);
    assert_int_equal(play_get(&p, "c"), LR_EAGAIN);
    assert_int_equal(play_get(&p, "name_of_15bytes"), LR_EAGAIN);
    play_come_up(&p);
    play_hear_get(&p, "a");
    play_hear_get(&p, "b");
    play_say(&p, "+x\r\n+y\r\n");
    assert_true(live_await(&p.events, "b=+y"));
    (void)play_close(&p);
}

typedef struct sizes {
    play *p;
    lr_status none, large;
} sizes;

static void send_sizes(lr_worker *w, void *arg)
{
    static const uint8_t bytes[1000];
    sizes *s = arg;
    const lr_slice large = lr_slice_of(bytes, sizeof(bytes));

    s->none = lr_redis_command(s->p->redis, w, NULL, 0, NULL, NULL);
    s->large = lr_redis_command(s->p->redis, w, &large, 1, NULL, NULL);
}

static void commands_that_are_none_or_too_large_are_told(void **state)
{
    lr_redis_options options = {.queue_bytes_max = 1000};
    sizes s;
    play p;

    play_open(&p, state, &options);
    s.p = &p;
    live_on_worker(p.workers, 0, send_sizes, &s);
    assert_int_equal(s.none, LR_EINVAL);
    assert_int_equal(s.large, LR_EINVAL);
    (void)play_close(&p);
}

static void garbage_ends_the_connection_and_is_reported(void **state)
{
    static const struct {
        const char *said, *word;
        bool unasked;
    } cases[] = {
        {"HTTP/1.1 400 Bad Request\r\n", "redis: this is no reply of RESP2", false},
        {"+OK\n", "redis: a line ends without CR", false},
        {"$2000\r\n", "redis: the reply is larger than the limit", false},
        {"+OK\r\n", "redis: a reply that nobody asked for", true},
    };
    lr_redis_options options = {.reply_size_max = 1000};
    play p;

    for (size_t i = 0; i < LIVE_COUNT_OF(cases); i++) {
        play_open(&p, state, &options);
        if (!cases[i].unasked)
            assert_int_equal(play_get(&p, "a"), LR_OK);
        play_say(&p, cases[i].said);
        assert_true(live_await(&p.events, "inside=LR_ECLOSED"));
        assert_true(live_has(&p.events, cases[i].word));
        assert_int_equal(live_has(&p.events, "a=LR_ECLOSED"), !cases[i].unasked);
        (void)play_close(&p);
    }
}

static void a_server_that_has_stopped_counts_as_down(void **state)
{
    lr_redis_options options = {.command_timeout_ms = 20,
                                .stall_timeout_ms = 40,
                                .connect_timeout_ms = 40,
                                .reconnect_min_ms = 100000,
                                .reconnect_max_ms = 100000};
    play p;

    play_open(&p, state, &options);
    assert_int_equal(play_get(&p, "a"), LR_OK);
    assert_true(live_await(&p.events, "inside=LR_ECLOSED"));
    live_expect(&p.events, "a=LR_EANSWER_TIMEOUT down:LR_EANSWER_TIMEOUT redis: the server has "
                           "stopped answering inside=LR_ECLOSED ");
    assert_int_equal(play_get(&p, "b"), LR_ECLOSED);
    (void)play_close(&p);
}

static void a_server_that_takes_connections_and_says_nothing_is_down(void **state)
{
    lr_redis_options options = {.connect_timeout_ms = 20};
    lr_redis_counts counts;
    play p;

    play_open_down(&p, state, &options);
    play_listen(&p); /* the kernel accepts, nobody answers */
    assert_int_equal(play_get(&p, "a"), LR_OK);
    assert_true(live_await(&p.events, "inside=LR_ECLOSED"));
    assert_true(live_has(&p.events, "a=LR_ECLOSED down:LR_ECONNECT_TIMEOUT"));
    counts = play_close(&p);
    assert_int_equal(counts.connects, 0);
}

static void close_inside(command *c, lr_worker *w)
{
    lr_redis_close(c->p->redis, w);
    lr_redis_close(c->p->redis, w);
    live_note(&c->p->events, "closed");
}

static void a_close_inside_a_callback_fails_the_others(void **state)
{
    lr_redis_options options = {0};
    command *first;
    play p;

    play_open(&p, state, &options);
    first = play_add(&p, "a");
    first->then = close_inside;
    live_on_worker(p.workers, 0, play_send, first);
    assert_int_equal(play_get(&p, "b"), LR_OK);
    assert_int_equal(play_get(&p, "c"), LR_OK);
    play_hear_get(&p, "a");
    play_say(&p, "+one\r\n+two\r\n+three\r\n");
    assert_true(live_await(&p.events, "closed"));
    live_expect(&p.events, "a=+one b=LR_ECLOSED c=LR_ECLOSED closed ");
    play_hear_get(&p, "b");
    play_hear_get(&p, "c");
    play_hear_end(&p);
    live_events_clear(&p.events);
    assert_int_equal(play_get(&p, "d"), LR_OK); /* begins anew */
    play_accept(&p);
    play_hear(&p, PLAY_PING);
    play_say(&p, "+PONG\r\n");
    play_hear_get(&p, "d");
    play_say(&p, "+four\r\n");
    assert_true(live_await(&p.events, "d=+four"));
    live_expect(&p.events, "up d=+four ");
    (void)play_close(&p);
}

static void a_close_inside_on_down_ends_it(void **state)
{
    lr_redis_options options = {.reconnect_min_ms = 100000, .reconnect_max_ms = 100000};
    command *first;
    play p;

    play_open(&p, state, &options);
    p.close_when_down = true;
    first = play_add(&p, "a");
    first->then = close_inside; /* and inside the callbacks of a loss */
    live_on_worker(p.workers, 0, play_send, first);
    assert_int_equal(play_get(&p, "b"), LR_OK);
    play_hear_get(&p, "a");
    play_say(&p, "?");
    assert_true(live_await(&p.events, "inside=LR_ECLOSED"));
    live_expect(&p.events, "a=LR_ECLOSED closed b=LR_ECLOSED down:LR_ECLOSED redis: this is no "
                           "reply of RESP2 inside=LR_ECLOSED ");
    assert_int_equal(play_get(&p, "c"), LR_OK); /* begins anew: it does not wait for the next try */
    play_hear_get(&p, "b");
    play_hear_end(&p);
    live_events_clear(&p.events);
    play_come_up(&p);
    play_hear_get(&p, "c");
    play_say(&p, "+three\r\n");
    assert_true(live_await(&p.events, "c=+three"));
    (void)play_close(&p);
}

static void a_timeout_may_close_too(void **state)
{
    lr_redis_options options = {.command_timeout_ms = 20};
    command *first;
    play p;

    play_open(&p, state, &options);
    first = play_add(&p, "a");
    first->then = close_inside;
    live_on_worker(p.workers, 0, play_send, first);
    assert_true(live_await(&p.events, "closed"));
    live_expect(&p.events, "a=LR_EANSWER_TIMEOUT closed ");
    (void)play_close(&p);
}

/* A drain waits for what is under way, and takes what comes on a connection of its own. */
static void a_drain_ends_the_connection_when_it_is_idle(void **state)
{
    lr_redis_options options = {0};
    command *first;
    play p;

    play_open(&p, state, &options);
    first = play_add(&p, "a");
    (void)play_add(&p, "b");
    first->then = play_send_second;
    live_on_worker(p.workers, 0, play_send, first);
    play_hear_get(&p, "a");
    lr_workers_stop(p.workers, LR_NONE);
    play_say(&p, "+one\r\n");
    play_hear_get(&p, "b"); /* it was sent before the connection was idle */
    play_say(&p, "+two\r\n");
    play_hear_end(&p);
    (void)close(p.sock);
    p.sock = -1;
    lr_workers_join(p.workers);
    live_expect(&p.events, "a=+one b=+two ");
    (void)play_close(&p);
}

static void a_stop_while_the_server_is_down_does_not_wait_for_it(void **state)
{
    lr_redis_options options = {.reconnect_min_ms = 100000, .reconnect_max_ms = 100000};
    play p;

    play_open_down(&p, state, &options);
    assert_int_equal(play_get(&p, "a"), LR_OK);
    assert_true(live_await(&p.events, "inside=LR_ECLOSED"));
    (void)play_close(&p);
}

static void each_bad_option_is_named(void **state)
{
    const struct {
        lr_redis_options options;
        lr_status status;
        const char *word;
    } cases[] = {
        {{.size = 8}, LR_EOPTION, "size"},
        {{LR_REDIS_OPTIONS, .host = "localhost"}, LR_EADDRESS, "numeric"},
        {{LR_REDIS_OPTIONS, .path = ""}, LR_EADDRESS, "path"},
        {{LR_REDIS_OPTIONS, .path = "@"}, LR_EADDRESS, "path"},
        {{LR_REDIS_OPTIONS, .path = "@a", .port = 1}, LR_EOPTION, "path"},
        {{LR_REDIS_OPTIONS, .username = "me"}, LR_EOPTION, "username"},
        {{LR_REDIS_OPTIONS, .stall_timeout_ms = 10}, LR_EOPTION, "stall_timeout_ms"},
        {{LR_REDIS_OPTIONS, .reconnect_max_ms = 10}, LR_EOPTION, "reconnect_max_ms"},
        {{LR_REDIS_OPTIONS, .command_count_max = 65537}, LR_EOPTION, "command_count_max"},
        {{LR_REDIS_OPTIONS, .queue_bytes_max = 1 << 20}, LR_EOPTION, "queue_bytes_max"},
    };
    live_plan plan = {.ring = live_ring(state)};
    lr_workers *workers = live_workers(&plan);
    lr_redis *redis;
    lr_error err;

    for (size_t i = 0; i < LIVE_COUNT_OF(cases); i++) {
        assert_int_equal(lr_redis_new(workers, &cases[i].options, &redis, &err), cases[i].status);
        assert_null(redis);
        if (!strstr(err.text, cases[i].word))
            fail_msg("'%s' does not name %s", err.text, cases[i].word);
    }
    assert_int_equal(lr_redis_new(workers, NULL, &redis, NULL), LR_EOPTION);
    lr_redis_free(NULL);
    lr_workers_free(workers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(commands_are_pipelined_and_answered_in_their_order),
        LIVE_TEST(many_commands_keep_their_order),
        LIVE_TEST(a_large_reply_comes_in_any_pieces),
        LIVE_TEST(the_password_and_the_database_come_first),
        LIVE_TEST(a_server_that_refuses_the_password_is_down),
        LIVE_TEST(a_late_reply_is_thrown_away),
        LIVE_TEST(what_timed_out_before_the_server_was_up_is_not_sent),
        LIVE_TEST(a_lost_connection_fails_what_was_under_way_and_is_made_again),
        LIVE_TEST(while_the_server_is_down_commands_are_refused_at_once),
        LIVE_TEST(a_server_that_is_of_no_use_is_not_asked_without_pause),
        LIVE_TEST(the_queue_has_an_end),
        LIVE_TEST(waiting_commands_have_an_end_in_bytes),
        LIVE_TEST(commands_that_are_none_or_too_large_are_told),
        LIVE_TEST(garbage_ends_the_connection_and_is_reported),
        LIVE_TEST(a_server_that_has_stopped_counts_as_down),
        LIVE_TEST(a_server_that_takes_connections_and_says_nothing_is_down),
        LIVE_TEST(a_close_inside_a_callback_fails_the_others),
        LIVE_TEST(a_close_inside_on_down_ends_it),
        LIVE_TEST(a_timeout_may_close_too),
        LIVE_TEST(a_drain_ends_the_connection_when_it_is_idle),
        LIVE_TEST(a_stop_while_the_server_is_down_does_not_wait_for_it),
        LIVE_TEST(each_bad_option_is_named),
    };

    return LIVE_MAIN(tests);
}
