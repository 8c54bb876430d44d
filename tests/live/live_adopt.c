/* SPDX-License-Identifier: MIT */
/* live_adopt.c: sockets that the program accepted itself, as connections of a server: the rows S61
 * to S66, S68 and S69 of the reference, as far as they are a server's. */
#include "client.h"
#include "pki.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct stage {
    live l;
    live_recorder recorder;
    int listener; /* the program's own */
    uint16_t port;
} stage;

/* One call on a worker. */
typedef struct adoption {
    lr_server *server;
    int sock;
    const lr_adopt_options *options;
    bool served; /* by that server, on no listener */
    lr_status status;
    lr_error err;
} adoption;

static int listen_own(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(sock >= 0);
    assert_int_equal(bind(sock, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(sock, 16), 0);
    assert_int_equal(getsockname(sock, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return sock;
}

static void set(stage *s, void **state, live_plan plan)
{
    memset(s, 0, sizeof(*s));
    live_recorder_init(&s->recorder);
    plan.ring = live_ring(state);
    plan.user = &s->recorder;
    live_start(&s->l, &plan);
    s->listener = listen_own(&s->port);
}

static void strike(stage *s)
{
    (void)close(s->listener);
    live_stop(&s->l, LR_NONE);
    live_recorder_fini(&s->recorder);
}

static void adopt_it(lr_worker *w, void *arg)
{
    adoption *a = arg;
    lr_conn *c = NULL;

    a->status = lr_server_adopt(a->server, w, a->sock, a->options, &c, &a->err);
    a->served = a->status == LR_OK && lr_conn_server(c) == a->server && lr_conn_worker(c) == w &&
                lr_conn_listener(c) == LR_NONE;
}

static lr_status adopt(stage *s, int sock, const lr_adopt_options *options, lr_error *err)
{
    adoption a = {.server = s->l.server, .sock = sock, .options = options};

    live_on_worker(s->l.workers, 1, adopt_it, &a);
    assert_int_equal(a.served, a.status == LR_OK);
    *err = a.err;
    return a.status;
}

static int take(stage *s)
{
    int sock = accept(s->listener, NULL, NULL);

    assert_true(sock >= 0);
    return sock;
}

/* A client has connected to the program's own listener, and head_len bytes of its first flight were
 * read by the program. */
static void bring(stage *s, tls_client *t, SSL_CTX *ctx, const char *name, size_t head_len,
                  lr_adopt_options options)
{
    static uint8_t flight[4096];
    size_t len;
    lr_error err;

    TLS_MUST(t, tls_connect(t, ctx, NULL, s->port, name));
    len = tls_first_flight(t, flight, sizeof(flight));
    assert_true(len != 0);
    if (head_len > len)
        head_len = len;
    options.head = lr_slice_of(flight, head_len);
    assert_int_equal(adopt(s, take(s), &options, &err), LR_OK);
    assert_true(tcp_send(t->sock, flight + head_len, len - head_len));
    TLS_MUST(t, tls_handshake(t));
}

static void talk_and_go(stage *s, tls_client *t, uint64_t count)
{
    char got[4];

    TLS_MUST(t, tls_write(t, "ping", 4));
    TLS_MUST(t, tls_read(t, got, 4));
    assert_memory_equal(got, "ping", 4);
    TLS_MUST(t, tls_end_write(t));
    assert_int_equal(tls_read_end(t), TLS_END_NOTIFY);
    tls_close(t, false);
    assert_true(live_await_counts(&s->recorder.events, count, count, count));
}

static SSL_CTX *ctx_new(const tls_plan *plan)
{
    SSL_CTX *ctx = tls_ctx_new(plan);

    assert_non_null(ctx);
    return ctx;
}

/* However much of it was read before. */
static void live_S61_a_socket_that_exists_already_and_what_was_read_of_it(void **state)
{
    static const size_t heads[] = {0, 1, 4, 5, 6, 9, 100, 4096};
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    uint64_t count = 0;
    stage s;

    set(&s, state, (live_plan){0});
    for (size_t v = 0; v < 2; v++) {
        SSL_CTX *ctx = ctx_new(&(tls_plan){.version = versions[v]});

        for (size_t i = 0; i < LIVE_COUNT_OF(heads); i++) {
            tls_client t;

            live_events_clear(&s.recorder.events);
            bring(&s, &t, ctx, "localhost", heads[i], (lr_adopt_options){LR_ADOPT_OPTIONS});
            talk_and_go(&s, &t, ++count);
            live_expect(&s.recorder.events, "open secure data:4 end close:clean ");
        }
        SSL_CTX_free(ctx);
    }
    strike(&s);
}

static void live_S61_a_plain_one_too_with_its_first_bytes_in_front(void **state)
{
    lr_adopt_options options = {LR_ADOPT_OPTIONS, .head = LR_LIT("first "), .plain = true};
    char got[12];
    int pair[2], sock;
    lr_error err;
    stage s;

    set(&s, state, (live_plan){0});
    sock = tcp_connect(NULL, s.port);
    assert_true(tcp_send(sock, "second", 6));
    assert_int_equal(adopt(&s, take(&s), &options, &err), LR_OK);
    assert_true(tcp_read(sock, got, sizeof(got)));
    assert_memory_equal(got, "first second", 12);
    (void)close(sock);
    assert_true(live_await_counts(&s.recorder.events, 1, 1, 1));

    options.head = lr_slice_of(NULL, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(adopt(&s, pair[1], &options, &err), LR_OK);
    assert_true(tcp_send(pair[0], "over unix", 9));
    assert_true(tcp_read(pair[0], got, 9));
    assert_memory_equal(got, "over unix", 9);
    (void)close(pair[0]);
    assert_true(live_await_counts(&s.recorder.events, 2, 2, 2));
    strike(&s);
}

/* "HEADER" and no less. */
static lr_status six_bytes(lr_conn *c, lr_slice bytes, size_t *used, const char **reason)
{
    (void)c;
    (void)reason;
    if (bytes.len < 6)
        return LR_EAGAIN;
    *used = 6;
    return LR_OK;
}

static void live_S61_what_was_read_is_the_prefaces_first(void **state)
{
    lr_handlers handlers = live_recorder_handlers;
    char got[4];
    lr_error err;
    stage s;

    handlers.on_preface = six_bytes;
    set(&s, state, (live_plan){.handlers = &handlers});
    for (size_t head = 0; head <= 10; head++) {
        static const char sent[] = "HEADERping";
        lr_adopt_options options = {LR_ADOPT_OPTIONS, .head = lr_slice_of(sent, head),
                                    .plain = true, .preface = true};
        int sock = tcp_connect(NULL, s.port);

        assert_int_equal(adopt(&s, take(&s), &options, &err), LR_OK);
        assert_true(tcp_send(sock, sent + head, 10 - head));
        assert_true(tcp_read(sock, got, 4));
        assert_memory_equal(got, "ping", 4);
        (void)close(sock);
        assert_true(live_await_counts(&s.recorder.events, head + 1, head + 1, head + 1));
    }
    strike(&s);
}

static lr_context *context_for(const char *name)
{
    lr_context_options options = {LR_CONTEXT_OPTIONS, .self_signed = name};
    lr_context *context;
    lr_error err;

    assert_int_equal(lr_context_new(&options, &context, &err), LR_OK);
    return context;
}

static bool is_shown(const tls_client *t, const char *name)
{
    X509 *shown = SSL_get1_peer_certificate(t->ssl);
    bool is = X509_check_host(shown, name, 0, 0, NULL) == 1;

    X509_free(shown);
    return is;
}

/* In place of the server's own; the table of names is asked first as ever (S69). */
static void live_S62_a_context_of_its_own(void **state)
{
    lr_context *own = context_for("own.test"), *named = context_for("named.test");
    SSL_CTX *ctx = ctx_new(&(tls_plan){0});
    tls_client t;
    lr_error err;
    stage s;

    set(&s, state, (live_plan){0});
    assert_int_equal(lr_server_add_context(s.l.server, "named.test", named, &err), LR_OK);
    bring(&s, &t, ctx, "other.test", 0, (lr_adopt_options){LR_ADOPT_OPTIONS, .context = own});
    assert_true(is_shown(&t, "own.test"));
    talk_and_go(&s, &t, 1);
    bring(&s, &t, ctx, "other.test", 0, (lr_adopt_options){LR_ADOPT_OPTIONS});
    assert_true(is_shown(&t, "localhost"));
    talk_and_go(&s, &t, 2);
    bring(&s, &t, ctx, "named.test", 0, (lr_adopt_options){LR_ADOPT_OPTIONS, .context = own});
    assert_true(is_shown(&t, "named.test"));
    talk_and_go(&s, &t, 3);
    lr_context_release(own);
    lr_context_release(named);
    SSL_CTX_free(ctx);
    strike(&s);
}

static void live_S64_it_counts_as_the_servers(void **state)
{
    lr_adopt_options plain = {LR_ADOPT_OPTIONS, .plain = true};
    int first, second;
    lr_error err;
    int refused;
    stage s;

    set(&s, state, (live_plan){.connection_count_max = 1});
    first = tcp_connect(NULL, s.port);
    assert_int_equal(adopt(&s, take(&s), &plain, &err), LR_OK);
    assert_int_equal(lr_server_connection_count(s.l.server), 1);
    second = tcp_connect(NULL, s.port);
    refused = take(&s);
    assert_int_equal(adopt(&s, refused, &plain, &err), LR_ECONNECTIONS);
    assert_true(tcp_send(refused, "mine", 4)); /* it is still the caller's */
    (void)close(refused);
    (void)close(second);
    (void)close(first);
    assert_true(live_await_counts(&s.recorder.events, 1, 1, 1));
    strike(&s);
}

static void tell(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    if (hook == LIVE_SECURE)
        live_note(&recorder->events, "%s:%.*s",
                  lr_conn_is_authorized(c) ? "authorized" : lr_conn_authorization_error(c),
                  (int)lr_conn_alpn(c).len, (const char *)lr_conn_alpn(c).bytes);
    live_echo(c, hook, bytes);
}

/* S65, S66 and S68 are the context's. */
static void play_asking(void **state, lr_toggle reject, const char *expected)
{
    lr_context_options asking = {LR_CONTEXT_OPTIONS,    .self_signed = "own.test",
                                 .alpn = "echo",        .ca = pki_file("root.pem"),
                                 .request_cert = LR_ON, .reject_unauthorized = reject};
    SSL_CTX *ctx = ctx_new(&(tls_plan){.version = TLS1_2_VERSION, .alpn = "\4echo"});
    lr_adopt_options options = {LR_ADOPT_OPTIONS};
    lr_error err;
    tls_client t;
    stage s;

    assert_int_equal(lr_context_new(&asking, &options.context, &err), LR_OK);
    set(&s, state, (live_plan){0});
    s.recorder.act = tell;
    TLS_MUST(&t, tls_connect(&t, ctx, NULL, s.port, "localhost"));
    assert_int_equal(adopt(&s, take(&s), &options, &err), LR_OK);
    assert_int_equal(tls_handshake(&t), reject == LR_OFF);
    assert_true(live_await(&s.recorder.events, expected));
    tls_close(&t, false);
    assert_true(live_await_counts(&s.recorder.events, 1, reject == LR_OFF, 1));
    lr_context_release(options.context);
    SSL_CTX_free(ctx);
    strike(&s);
}

static void live_S65_a_certificate_is_asked_for_by_its_context(void **state)
{
    play_asking(state, LR_OFF, "UNABLE_TO_GET_ISSUER_CERT:echo");
}

static void live_S66_and_demanded(void **state)
{
    play_asking(state, LR_ON, "client_error:LR_EPEERCERT:40");
}

static void live_S68_protocols_are_those_of_its_context(void **state)
{
    play_asking(state, LR_OFF, "UNABLE_TO_GET_ISSUER_CERT:echo");
}

static int take_npn(SSL *ssl, unsigned char **out, unsigned char *out_len, const unsigned char *in,
                    unsigned in_len, void *arg)
{
    (void)ssl;
    (void)arg;
    (void)in_len;
    *out = (unsigned char *)in + 1; /* the first that the server has told */
    *out_len = in[0];
    return SSL_TLSEXT_ERR_OK;
}

/* NPN is not answered on an adopted socket either: ALPN, or nothing. */
static void live_S67_npn_is_not_spoken_on_it(void **state)
{
    static const char *const offers[] = {NULL, "\4echo"};

    for (size_t i = 0; i < LIVE_COUNT_OF(offers); i++) {
        SSL_CTX *ctx = ctx_new(&(tls_plan){.version = TLS1_2_VERSION, .alpn = offers[i]});
        const unsigned char *npn, *alpn;
        unsigned npn_len, alpn_len;
        tls_client t;
        stage s;

        SSL_CTX_set_next_proto_select_cb(ctx, take_npn, NULL);
        set(&s, state, (live_plan){.context = {.alpn = "echo"}});
        bring(&s, &t, ctx, "localhost", 0, (lr_adopt_options){LR_ADOPT_OPTIONS});
        SSL_get0_next_proto_negotiated(t.ssl, &npn, &npn_len);
        SSL_get0_alpn_selected(t.ssl, &alpn, &alpn_len);
        assert_int_equal(npn_len, 0);
        assert_int_equal(alpn_len, offers[i] ? 4 : 0);
        talk_and_go(&s, &t, 1);
        SSL_CTX_free(ctx);
        strike(&s);
    }
}

static lr_context *answer_of_sni; /* what on_sni gives */

static void on_sni(lr_conn *c, lr_slice name, lr_sni_ask ask)
{
    live_recorder *recorder = lr_server_user(lr_conn_server(c));

    live_note(&recorder->events, "sni:%.*s", (int)name.len, (const char *)name.bytes);
    if (lr_sni_answer(ask, LR_OK, answer_of_sni) != LR_OK)
        live_note(&recorder->events, "late");
}

static void live_S69_on_sni_is_asked_about_it(void **state)
{
    lr_handlers handlers = live_recorder_handlers;
    SSL_CTX *ctx = ctx_new(&(tls_plan){0});
    tls_client t;
    stage s;

    handlers.on_sni = on_sni;
    answer_of_sni = context_for("chosen.test");
    set(&s, state, (live_plan){.handlers = &handlers});
    bring(&s, &t, ctx, "any.test", 0, (lr_adopt_options){LR_ADOPT_OPTIONS});
    assert_true(is_shown(&t, "chosen.test"));
    talk_and_go(&s, &t, 1);
    live_expect(&s.recorder.events, "open sni:any.test secure data:4 end close:clean ");
    SSL_CTX_free(ctx);
    strike(&s);
    lr_context_release(answer_of_sni);
}

static void expect_refused(stage *s, int sock, const lr_adopt_options *options, lr_status status)
{
    lr_error err;

    assert_int_equal(adopt(s, sock, options, &err), status);
    assert_int_equal(err.status, status);
    assert_int_equal(strncmp(err.text, "lr_", 3), 0);
}

static void live_S61_what_is_no_connected_stream_socket_is_refused(void **state)
{
    static const uint8_t much[65537];
    lr_adopt_options plain = {LR_ADOPT_OPTIONS, .plain = true}, both = plain, large = plain,
                     preface = plain, null = plain;
    int pipes[2], udp, alone, sock;
    lr_error err;
    stage s;

    set(&s, state, (live_plan){0});
    assert_int_equal(pipe(pipes), 0);
    udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    alone = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    expect_refused(&s, pipes[0], &plain, LR_EINVAL);
    expect_refused(&s, udp, &plain, LR_EINVAL);
    expect_refused(&s, alone, &plain, LR_EINVAL);
    expect_refused(&s, -1, &plain, LR_EINVAL);
    sock = tcp_connect(NULL, s.port);
    both.context = s.l.context;
    large.head = lr_slice_of(much, sizeof(much));
    null.head.len = 1;
    preface.preface = true; /* there is no on_preface */
    expect_refused(&s, sock, &both, LR_EINVAL);
    expect_refused(&s, sock, &large, LR_EINVAL);
    expect_refused(&s, sock, &null, LR_EINVAL);
    expect_refused(&s, sock, &preface, LR_EINVAL);
    live_expect(&s.recorder.events, ""); /* no hook has heard of it */
    assert_int_equal(adopt(&s, sock, &plain, &err), LR_OK);
    (void)close(take(&s));
    assert_true(live_await_counts(&s.recorder.events, 1, 1, 1));
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    (void)close(udp);
    (void)close(alone);
    strike(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S61_a_socket_that_exists_already_and_what_was_read_of_it),
        LIVE_TEST(live_S61_a_plain_one_too_with_its_first_bytes_in_front),
        LIVE_TEST(live_S61_what_was_read_is_the_prefaces_first),
        LIVE_TEST(live_S61_what_is_no_connected_stream_socket_is_refused),
        LIVE_TEST(live_S62_a_context_of_its_own),
        LIVE_TEST(live_S64_it_counts_as_the_servers),
        LIVE_TEST(live_S65_a_certificate_is_asked_for_by_its_context),
        LIVE_TEST(live_S66_and_demanded),
        LIVE_TEST(live_S67_npn_is_not_spoken_on_it),
        LIVE_TEST(live_S68_protocols_are_those_of_its_context),
        LIVE_TEST(live_S69_on_sni_is_asked_about_it),
    };

    return LIVE_MAIN(tests);
}
