/* SPDX-License-Identifier: MIT */
/* live_preface.c: on_preface with hooks that are no PROXY protocol: what they may do, and when they
 * are asked. */
#include "client.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef lr_status preface_hook(lr_conn *c, lr_slice bytes, size_t *used, const char **reason);

typedef struct play {
    live_recorder recorder;
    live l;
    char why[160]; /* the text of the last on_client_error */
} play;

static live_recorder *recorder_of(lr_conn *c)
{
    return lr_server_user(lr_conn_server(c));
}

static void on_client_error(lr_conn *c, const lr_error *why)
{
    play *p = recorder_of(c)->arg;

    (void)snprintf(p->why, sizeof(p->why), "%s", why->text);
    live_recorder_handlers.on_client_error(c, why);
}

static void play_open_as(play *p, void **state, bool plain, preface_hook *hook, uint32_t timeout_ms,
                         void (*act)(lr_conn *c, live_hook hook, lr_slice bytes,
                                     live_recorder *recorder))
{
    lr_handlers handlers = live_recorder_handlers;
    live_plan plan = {.ring = live_ring(state),
                      .user = &p->recorder,
                      .worker_count = 1,
                      .handlers = &handlers,
                      .handshake_timeout_ms = timeout_ms};
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .host = "127.0.0.1", .plain = plain,
                                .preface = true};

    memset(p, 0, sizeof(*p));
    live_recorder_init(&p->recorder);
    p->recorder.arg = p;
    p->recorder.act = act;
    handlers.on_preface = hook;
    handlers.on_client_error = on_client_error;
    p->l.workers = live_workers(&plan);
    p->l.context = live_context(&plan);
    p->l.server = live_server(p->l.workers, p->l.context, &plan);
    p->l.port = lr_server_port(p->l.server, live_listen_with(p->l.server, &listen));
    live_run(p->l.workers);
}

static void play_open(play *p, void **state, bool plain, preface_hook *hook, uint32_t timeout_ms)
{
    play_open_as(p, state, plain, hook, timeout_ms, NULL);
}

static void play_close(play *p)
{
    live_stop(&p->l, LR_NONE);
    live_recorder_fini(&p->recorder);
}

static void expect(play *p, uint64_t n, const char *events)
{
    assert_true(live_await_counts(&p->recorder.events, n, 0, n));
    live_expect(&p->recorder.events, events);
    live_events_clear(&p->recorder.events);
}

static int knock(const play *p, const void *bytes, size_t len)
{
    int sock = tcp_connect(NULL, p->l.port);

    assert_true(sock >= 0);
    assert_true(tcp_send(sock, bytes, len));
    return sock;
}

static void read_to_end(int sock)
{
    char rest[64];
    size_t got;

    (void)tcp_read_to_end(sock, rest, sizeof(rest), &got);
    (void)close(sock);
}

/* Wants eight bytes and takes as many as the first says, a digit. */
static lr_status take_some(lr_conn *c, lr_slice bytes, size_t *used, const char **reason)
{
    (void)c;
    (void)reason;
    if (bytes.len < 8)
        return LR_EAGAIN;
    *used = (size_t)(bytes.bytes[0] - '0');
    return LR_OK;
}

static void what_the_hook_has_seen_and_not_taken_is_the_handlers_first_input(void **state)
{
    char sent[] = "?bcdefgh and more of it", got[sizeof(sent)];
    const size_t len = sizeof(sent) - 1;
    uint64_t n = 0;
    play p;

    play_open(&p, state, true, take_some, 60000);
    p.recorder.quiet = true;
    for (size_t taken = 0; taken <= 8; taken++) {
        sent[0] = (char)('0' + taken);
        for (size_t cut = 0; cut <= len; cut++) {
            int sock = knock(&p, sent, cut);

            assert_true(tcp_wait_taken(sock));
            assert_true(tcp_send(sock, sent + cut, len - cut));
            assert_true(tcp_read(sock, got, len - taken));
            assert_memory_equal(got, sent + taken, len - taken);
            (void)close(sock);
            n++;
        }
    }
    assert_true(live_await_counts(&p.recorder.events, n, n, n));
    play_close(&p);
}

/* The same in front of TLS: the gate gets what was seen and not taken. */
static lr_status look_at_all(lr_conn *c, lr_slice bytes, size_t *used, const char **reason)
{
    (void)c;
    (void)used;
    (void)reason;
    return bytes.len > 100 ? LR_OK : LR_EAGAIN;
}

static void a_hook_that_takes_nothing_leaves_the_whole_hello(void **state)
{
    static const tls_plan to;
    uint8_t hello[2048];
    play p;

    play_open(&p, state, false, look_at_all, 60000);
    for (size_t cut = 0; cut < 120; cut += 17) {
        SSL_CTX *ctx = tls_ctx_new(&to);
        tls_client t;
        size_t len;

        TLS_MUST(&t, tls_connect(&t, ctx, NULL, p.l.port, NULL));
        len = tls_first_flight(&t, hello, sizeof(hello));
        assert_true(len > 120);
        assert_true(tcp_send(t.sock, hello, cut));
        assert_true(tcp_wait_taken(t.sock));
        assert_true(tcp_send(t.sock, hello + cut, len - cut));
        TLS_MUST(&t, tls_handshake(&t));
        TLS_MUST(&t, tls_end_write(&t));
        assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
        tls_close(&t, false);
        SSL_CTX_free(ctx);
        expect(&p, cut / 17 + 1, "open secure end close:clean ");
    }
    play_close(&p);
}

static lr_status never_enough(lr_conn *c, lr_slice bytes, size_t *used, const char **reason)
{
    (void)used;
    (void)reason;
    live_note(&recorder_of(c)->events, "%zu", bytes.len);
    return LR_EAGAIN;
}

static void more_than_1000_bytes_are_never_gathered(void **state)
{
    uint8_t bytes[LR_PREFACE_MAX + 500];
    play p;
    int sock;

    memset(bytes, 'x', sizeof(bytes));
    play_open(&p, state, false, never_enough, 60000);
    sock = knock(&p, bytes, LR_PREFACE_MAX - 1);
    assert_true(live_await(&p.recorder.events, "999"));
    live_events_clear(&p.recorder.events);
    assert_true(tcp_send(sock, bytes, 500));
    read_to_end(sock);
    expect(&p, 1, "1000 client_error:LR_EPREFACE:-1 close:LR_EPREFACE ");
    assert_string_equal(p.why, "the preface is too long");
    play_close(&p);
}

static lr_status refuse_at_once(lr_conn *c, lr_slice bytes, size_t *used, const char **reason)
{
    (void)c;
    (void)used;
    if (bytes.len == 0 && lr_conn_listener(c) == 0)
        *reason = "not today";
    return LR_EINVAL;
}

static void a_refusal_needs_no_byte_and_has_its_own_text(void **state)
{
    play p;

    for (int plain = 0; plain < 2; plain++) {
        play_open(&p, state, plain == 1, refuse_at_once, 60000);
        read_to_end(knock(&p, "", 0));
        expect(&p, 1, "open client_error:LR_EPREFACE:-1 close:LR_EPREFACE ");
        assert_string_equal(p.why, "not today");
        play_close(&p);
    }
}

static lr_status abort_there(lr_conn *c, lr_slice bytes, size_t *used, const char **reason)
{
    (void)reason;
    if (bytes.len == 0)
        return LR_EAGAIN;
    if (bytes.bytes[0] == 'a')
        lr_conn_abort(c, LR_EALPN);
    else
        lr_conn_end(c);
    *used = bytes.len;
    return bytes.bytes[0] == 'a' ? LR_OK : LR_EAGAIN;
}

static void abort_and_end_inside_the_hook_are_no_failure(void **state)
{
    play p;

    play_open(&p, state, false, abort_there, 60000);
    read_to_end(knock(&p, "a", 1));
    expect(&p, 1, "open close:LR_EALPN ");
    read_to_end(knock(&p, "e", 1));
    expect(&p, 2, "open close:LR_EABORTED ");
    play_close(&p);
}

static void the_handshake_deadline_covers_the_preface(void **state)
{
    play p;

    for (int plain = 0; plain < 2; plain++) {
        play_open(&p, state, plain == 1, take_some, 200);
        read_to_end(knock(&p, "3bc", 3));
        expect(&p, 1, "open client_error:LR_EHANDSHAKE_TIMEOUT:-1 close:LR_EHANDSHAKE_TIMEOUT ");
        read_to_end(knock(&p, "", 0));
        expect(&p, 2, "open client_error:LR_EHANDSHAKE_TIMEOUT:-1 close:LR_EHANDSHAKE_TIMEOUT ");
        play_close(&p);
    }
    play_open(&p, state, false, take_some,
              200); /* it is one deadline, for the hello behind it too */
    read_to_end(knock(&p, "8bcdefgh", 8));
    expect(&p, 1, "open client_error:LR_EHANDSHAKE_TIMEOUT:-1 close:LR_EHANDSHAKE_TIMEOUT ");
    play_close(&p);
}

static lr_status set_addresses(lr_conn *c, lr_slice bytes, size_t *used, const char **reason)
{
    static const lr_address remote = {LR_FAMILY_IPV4, 77, {192, 0, 2, 1}};
    live_events *events = &recorder_of(c)->events;

    (void)reason;
    if (bytes.len == 0)
        return LR_EAGAIN;
    *used = 1;
    live_note(events, "set:%d", lr_conn_set_addresses(c, &remote, NULL));
    if (bytes.bytes[0] == '0')
        live_note(events, "reset:%d", lr_conn_set_addresses(c, NULL, NULL));
    return LR_OK;
}

static void tell_address(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    if (hook == LIVE_SECURE) {
        lr_address remote = lr_conn_remote_address(c), local = lr_conn_local_address(c);

        live_note(&recorder->events, "late:%s",
                  lr_status_name(lr_conn_set_addresses(c, NULL, NULL)));
        live_note(&recorder->events, "%d:%d.%d:%d local:%d:%d.%d:%d", remote.family,
                  remote.bytes[0], remote.bytes[3], remote.port == 77, local.family, local.bytes[0],
                  local.bytes[3], local.port == lr_server_port(lr_conn_server(c), 0));
    }
    live_echo(c, hook, bytes);
}

static void addresses_are_set_in_the_hook_and_nowhere_else(void **state)
{
    play p;
    int sock;

    play_open_as(&p, state, true, set_addresses, 60000, tell_address);
    for (uint64_t i = 0; i < 2; i++) {
        sock = knock(&p, i == 0 ? "1" : "0", 1);
        assert_int_equal(shutdown(sock, SHUT_WR), 0);
        read_to_end(sock);
        expect(&p, i + 1,
               i == 0 ? "open set:0 secure late:LR_ESTATE 4:192.1:1 local:4:127.1:1 end "
                        "close:clean "
                      : "open set:0 reset:0 secure late:LR_ESTATE 4:127.1:0 local:4:127.1:1 end "
                        "close:clean ");
    }
    play_close(&p);
}

static void a_listener_with_preface_needs_the_hook(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .worker_count = 1};
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .host = "127.0.0.1", .plain = true,
                                .preface = true};
    lr_workers *workers = live_workers(&plan);
    lr_server *server = live_server(workers, NULL, &plan);
    lr_error err;

    assert_int_equal(lr_server_listen(server, &listen, NULL, &err), LR_EOPTION);
    assert_non_null(strstr(err.text, "on_preface"));
    lr_server_free(server);
    lr_workers_free(workers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(what_the_hook_has_seen_and_not_taken_is_the_handlers_first_input),
        LIVE_TEST(a_hook_that_takes_nothing_leaves_the_whole_hello),
        LIVE_TEST(more_than_1000_bytes_are_never_gathered),
        LIVE_TEST(a_refusal_needs_no_byte_and_has_its_own_text),
        LIVE_TEST(abort_and_end_inside_the_hook_are_no_failure),
        LIVE_TEST(the_handshake_deadline_covers_the_preface),
        LIVE_TEST(addresses_are_set_in_the_hook_and_nowhere_else),
        LIVE_TEST(a_listener_with_preface_needs_the_hook),
    };

    return LIVE_MAIN(tests);
}
