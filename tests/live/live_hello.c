/* SPDX-License-Identifier: MIT */
/* live_hello.c: how a connection begins: hellos in every cut, wrong ones, second ones, late ones.
 */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HELLO_MAX = 2048, KB = 1024 };

/* A client whose ClientHello lies in bytes and was not sent yet. */
typedef struct started {
    tls_client t;
    uint8_t bytes[HELLO_MAX];
    size_t len;
} started;

static void start(started *s, SSL_CTX *ctx, uint16_t port, const char *name)
{
    TLS_MUST(&s->t, tls_connect(&s->t, ctx, NULL, port, name));
    s->len = tls_first_flight(&s->t, s->bytes, sizeof(s->bytes));
    assert_int_not_equal(s->len, 0);
}

/* The rest of an honest life. */
static void finish(started *s)
{
    char got[4];

    TLS_MUST(&s->t, tls_handshake(&s->t));
    TLS_MUST(&s->t, tls_write(&s->t, "ping", 4));
    TLS_MUST(&s->t, tls_read(&s->t, got, 4));
    assert_memory_equal(got, "ping", 4);
    TLS_MUST(&s->t, tls_end_write(&s->t));
    assert_int_equal(tls_read_end(&s->t), TLS_END_NOTIFY);
    tls_close(&s->t, false);
}

static void hello_in_two_segments(void **state, int version)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .worker_count = 1};
    tls_plan to = {.version = version, .groups = "X25519:P-256"};
    SSL_CTX *ctx = tls_ctx_new(&to);
    size_t cut = 1;
    live l;

    live_recorder_init(&recorder);
    recorder.quiet = true;
    live_start(&l, &plan);
    for (started s; cut == 1 || cut < s.len; cut++) {
        start(&s, ctx, l.port, "localhost");
        assert_true(tcp_send(s.t.sock, s.bytes, cut));
        assert_true(tcp_wait_taken(s.t.sock));
        assert_true(tcp_send(s.t.sock, s.bytes + cut, s.len - cut));
        finish(&s);
    }
    assert_true(live_await_counts(&recorder.events, cut - 1, cut - 1, cut - 1));
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
    SSL_CTX_free(ctx);
}

static void a_tls_1_3_hello_may_be_cut_at_every_byte(void **state)
{
    hello_in_two_segments(state, TLS1_3_VERSION);
}

static void a_tls_1_2_hello_may_be_cut_at_every_byte(void **state)
{
    hello_in_two_segments(state, TLS1_2_VERSION);
}

/* Cuts the one record of a hello into records of size bytes; the wire length. */
static size_t cut_records(const uint8_t *hello, size_t len, size_t size, uint8_t *out)
{
    size_t at = 5, to = 0;

    while (at < len) {
        size_t part = len - at < size ? len - at : size;
        uint8_t header[5] = {22, 3, 1, (uint8_t)(part >> 8), (uint8_t)part};

        memcpy(out + to, header, 5);
        memcpy(out + to + 5, hello + at, part);
        to += 5 + part;
        at += part;
    }
    return to;
}

static void a_hello_may_come_in_records_of_one_byte(void **state)
{
    static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .worker_count = 1};
    uint8_t wire[6 * HELLO_MAX];
    live l;

    live_recorder_init(&recorder);
    live_start(&l, &plan);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_plan to = {.version = versions[i]};
        SSL_CTX *ctx = tls_ctx_new(&to);
        started s;

        start(&s, ctx, l.port, "localhost");
        assert_true(tcp_send(s.t.sock, wire, cut_records(s.bytes, s.len, 1, wire)));
        finish(&s);
        assert_true(live_await_counts(&recorder.events, i + 1, i + 1, i + 1));
        live_expect(&recorder.events, "open secure data:4 end close:clean ");
        live_events_clear(&recorder.events);
        SSL_CTX_free(ctx);
    }
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

/* Sends what is no hello and expects a fatal alert in clear, FIN, and the hooks' word for it. */
static void expect_refusal(const live *l, live_recorder *recorder, const void *bytes, size_t len,
                           int alert, const char *status)
{
    uint8_t expected[7] = {21, 3, 3, 0, 2, 2, (uint8_t)alert}, got[64];
    uint64_t closed = recorder->events.closed;
    int sock = tcp_connect(NULL, l->port);
    char text[160];
    size_t got_len;

    assert_true(sock >= 0);
    assert_true(tcp_send(sock, bytes, len));
    assert_int_equal(tcp_read_to_end(sock, got, sizeof(got), &got_len), 0);
    assert_int_equal(got_len, sizeof(expected));
    assert_memory_equal(got, expected, sizeof(expected));
    (void)close(sock);
    assert_true(live_await_counts(&recorder->events, closed + 1, 0, closed + 1));
    (void)snprintf(text, sizeof(text), "open client_error:%s:%d close:%s ", status, alert, status);
    live_expect(&recorder->events, text);
    live_events_clear(&recorder->events);
}

static void refusal_case(void **state, const void *bytes, size_t len, int alert, const char *status)
{
    live_recorder recorder;
    live_plan plan = {
        .ring = live_ring(state), .user = &recorder, .worker_count = 1, .context = {.alpn = "h2"}};
    live l;

    live_recorder_init(&recorder);
    live_start(&l, &plan);
    expect_refusal(&l, &recorder, bytes, len, alert, status);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

static void garbage_gets_unexpected_message(void **state)
{
    uint8_t garbage[3000];

    pattern_fill(7, 0, garbage, sizeof(garbage));
    garbage[0] = 0x00;
    refusal_case(state, garbage, sizeof(garbage), 10, "LR_ENOTTLS");
}

static void plain_http_gets_unexpected_message(void **state)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

    refusal_case(state, request, sizeof(request) - 1, 10, "LR_ENOTTLS");
}

static void live_S131_an_sslv2_hello_gets_protocol_version(void **state)
{
    static const uint8_t hello[] = {0x80, 0x1c, 0x01, 0x03, 0x01, 0x00, 0x03, 0x00, 0x00, 0x00,
                                    0x10, 0x00, 0x00, 0x2f, 1,    2,    3,    4,    5,    6,
                                    7,    8,    9,    10,   11,   12,   13,   14,   15,   16};

    refusal_case(state, hello, sizeof(hello), 70, "LR_EVERSION");
}

/* A hello as OpenSSL writes it. */
static size_t openssl_hello(const tls_plan *plan, uint8_t out[HELLO_MAX])
{
    SSL_CTX *ctx = tls_ctx_new(plan);
    tls_client t = {.ctx = ctx, .ssl = SSL_new(ctx), .sock = -1};
    size_t len;

    assert_non_null(t.ssl);
    len = tls_first_flight(&t, out, HELLO_MAX);
    assert_int_not_equal(len, 0);
    SSL_free(t.ssl);
    SSL_CTX_free(ctx);
    return len;
}

static void live_S131_hellos_for_what_is_older_than_tls_1_2_get_protocol_version(void **state)
{
    static const int versions[] = {TLS1_1_VERSION, TLS1_VERSION, SSL3_VERSION};

    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_plan old = {.version = versions[i] == SSL3_VERSION ? TLS1_VERSION : versions[i]};
        uint8_t hello[HELLO_MAX];
        size_t len = openssl_hello(&old, hello);

        hello[10] = (uint8_t)versions[i]; /* OpenSSL itself does not speak SSLv3 any more */
        refusal_case(state, hello, len, 70, "LR_EVERSION");
    }
}

static void a_hello_without_a_common_protocol_gets_no_application_protocol(void **state)
{
    tls_plan other = {.alpn = "\4spdy"};
    uint8_t hello[HELLO_MAX];
    size_t len = openssl_hello(&other, hello);

    refusal_case(state, hello, len, 120, "LR_EALPN");
}

static void a_hello_of_65_kb_gets_illegal_parameter(void **state)
{
    size_t len = 65 * KB, at = 0;
    uint8_t *message = calloc(1, 5 + len), *wire = malloc(len + 5 * 5);

    assert_true(message && wire);
    message[5] = 1; /* ClientHello, and the length of its body */
    message[6] = (uint8_t)((len - 4) >> 16);
    message[7] = (uint8_t)((len - 4) >> 8);
    message[8] = (uint8_t)(len - 4);
    at = cut_records(message, 5 + len, 16 * KB, wire);
    refusal_case(state, wire, at, 47, "LR_EHELLO_SIZE");
    free(message);
    free(wire);
}

static void a_hello_of_65_kb_on_the_wire_gets_illegal_parameter(void **state)
{
    size_t len = 65 * KB / 6; /* and each byte in a record of its own */
    uint8_t *message = calloc(1, 5 + len), *wire = malloc(6 * len);

    assert_true(message && wire);
    message[5] = 1;
    message[7] = (uint8_t)((len - 4) >> 8);
    message[8] = (uint8_t)(len - 4);
    refusal_case(state, wire, cut_records(message, 5 + len, 1, wire), 47, "LR_EHELLO_SIZE");
    free(message);
    free(wire);
}

static void bytes_behind_the_hello_in_its_record_get_unexpected_message(void **state)
{
    tls_plan any = {.version = TLS1_3_VERSION};
    uint8_t hello[HELLO_MAX];
    size_t len = openssl_hello(&any, hello) + 1;

    hello[3] = (uint8_t)((len - 5) >> 8);
    hello[4] = (uint8_t)(len - 5);
    hello[len - 1] = 20;
    refusal_case(state, hello, len, 10, "LR_EHELLO");
}

/* What the server sends, counted on the client's side. */
static void count_server_hellos(int sent, int version, int type, const void *bytes, size_t len,
                                SSL *ssl, void *arg)
{
    (void)version;
    (void)ssl;
    if (sent == 0 && type == SSL3_RT_HANDSHAKE && len > 0 && *(const uint8_t *)bytes == 2)
        ++*(int *)arg;
}

/* The client's first group is the one it sends a share of. */
static void retry_case(void **state, const char *server_groups, const char *client_groups,
                       const char *agreed)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state),
                      .user = &recorder,
                      .worker_count = 1,
                      .context = {.groups = server_groups}};
    tls_plan to = {.version = TLS1_3_VERSION, .groups = client_groups};
    SSL_CTX *ctx = tls_ctx_new(&to);
    int server_hellos = 0;
    char got[4];
    tls_client t;
    live l;

    live_recorder_init(&recorder);
    live_start(&l, &plan);
    SSL_CTX_set_msg_callback(ctx, count_server_hellos);
    SSL_CTX_set_msg_callback_arg(ctx, &server_hellos);
    TLS_MUST(&t, tls_connect(&t, ctx, NULL, l.port, "localhost"));
    TLS_MUST(&t, tls_handshake(&t));
    assert_int_equal(server_hellos, 2);
    assert_string_equal(OBJ_nid2sn((int)SSL_get_negotiated_group(t.ssl)), agreed);
    TLS_MUST(&t, tls_write(&t, "ping", 4));
    TLS_MUST(&t, tls_read(&t, got, 4));
    TLS_MUST(&t, tls_end_write(&t));
    assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
    tls_close(&t, false);
    assert_true(live_await_counts(&recorder.events, 1, 1, 1));
    live_expect(&recorder.events, "open secure data:4 end close:clean ");
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
    SSL_CTX_free(ctx);
}

static void a_client_with_the_wrong_share_is_asked_again(void **state)
{
    retry_case(state, NULL, "P-521:P-256", "prime256v1");
}

static void a_client_without_a_share_of_the_only_group_is_asked_again(void **state)
{
    retry_case(state, "X25519", "P-384:X25519", "X25519");
}

/* Finds a piece of a message; it must be there. */
static uint8_t *find(uint8_t *bytes, size_t len, const char *piece)
{
    uint8_t *at = memmem(bytes, len, piece, strlen(piece));

    assert_non_null(at);
    return at;
}

/* A real second hello in which one name was exchanged for another of the same length. */
static void changed_hello_case(void **state, const char *was, const char *becomes)
{
    static const uint8_t alert[7] = {21, 3, 3, 0, 2, 2, 47};
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state),
                      .user = &recorder,
                      .worker_count = 1,
                      .context = {.groups = "X25519", .alpn = "http/1.1,http/1.2"}};
    tls_plan to = {.version = TLS1_3_VERSION, .groups = "P-384:X25519", .alpn = "\10http/1.1"};
    SSL_CTX *ctx = tls_ctx_new(&to);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    uint8_t bytes[HELLO_MAX];
    size_t len;
    int got;
    started s;
    live l;

    live_recorder_init(&recorder);
    live_start(&l, &plan);
    start(&s, ctx, l.port, "first.example");
    assert_true(tcp_send(s.t.sock, s.bytes, s.len));
    (void)BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(s.t.ssl, in, out);
    while (BIO_pending(out) == 0) { /* the HelloRetryRequest, and CCS behind it */
        assert_true(tcp_read(s.t.sock, bytes, 1));
        assert_int_equal(BIO_write(in, bytes, 1), 1);
        assert_int_equal(SSL_get_error(s.t.ssl, SSL_connect(s.t.ssl)), SSL_ERROR_WANT_READ);
    }
    got = BIO_read(out, bytes, sizeof(bytes));
    assert_true(got > 0 && (size_t)got < sizeof(bytes));
    memcpy(find(bytes, (size_t)got, was), becomes, strlen(becomes));
    assert_true(tcp_send(s.t.sock, bytes, (size_t)got));
    assert_int_equal(tcp_read_to_end(s.t.sock, bytes, sizeof(bytes), &len), 0);
    assert_true(len >= sizeof(alert));
    assert_memory_equal(bytes + len - sizeof(alert), alert, sizeof(alert));
    tls_close(&s.t, false);
    assert_true(live_await_counts(&recorder.events, 1, 0, 1));
    live_expect(&recorder.events, "open client_error:LR_EHELLOCHANGED:47 close:LR_EHELLOCHANGED ");
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
    SSL_CTX_free(ctx);
}

static void a_second_hello_with_another_name_gets_illegal_parameter(void **state)
{
    changed_hello_case(state, "first.example", "other.example");
}

static void a_second_hello_with_another_protocol_gets_illegal_parameter(void **state)
{
    changed_hello_case(state, "http/1.1", "http/1.2");
}

static void a_client_without_a_common_group_gets_handshake_failure(void **state)
{
    static const uint8_t alert[7] = {21, 3, 3, 0, 2, 2, 40};
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .worker_count = 1};
    tls_plan to = {.version = TLS1_3_VERSION, .groups = "P-521"};
    SSL_CTX *ctx = tls_ctx_new(&to);
    uint8_t got[64];
    size_t len;
    started s;
    live l;

    live_recorder_init(&recorder);
    live_start(&l, &plan);
    start(&s, ctx, l.port, NULL);
    assert_true(tcp_send(s.t.sock, s.bytes, s.len));
    assert_int_equal(tcp_read_to_end(s.t.sock, got, sizeof(got), &len), 0);
    assert_int_equal(len, sizeof(alert));
    assert_memory_equal(got, alert, sizeof(alert));
    tls_close(&s.t, false);
    assert_true(live_await_counts(&recorder.events, 1, 0, 1));
    assert_non_null(strstr(recorder.events.text, ":40 close:"));
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
    SSL_CTX_free(ctx);
}

/* RFC 8701 in every place where a client may put it. The lengths are filled in. */
static const char grease_hello[] =
    "\x16\x03\x01\x00\x00"                                             /* record */
    "\x01\x00\x00\x00\x03\x03"                                         /* ClientHello */
    "\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08" /* random */
    "\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"
    "\x00"                                             /* session id */
    "\x00\x06\x1a\x1a\x13\x01\x13\x02"                 /* suites */
    "\x01\x00"                                         /* compression */
    "\x00\x00"                                         /* length of the extensions */
    "\x6a\x6a\x00\x00"                                 /* first: empty */
    "\x00\x0a\x00\x08\x00\x06\x2a\x2a\x00\x1d\x00\x17" /* groups */
    "\x00\x0d\x00\x08\x00\x06\x3a\x3a\x04\x03\x08\x04" /* signature algorithms */
    "\x00\x10\x00\x08\x00\x06\x02\x4a\x4a\x02\x68\x32" /* ALPN */
    "\x00\x2b\x00\x07\x06\x5a\x5a\x03\x04\x03\x03"     /* versions */
    "\x00\x2d\x00\x03\x02\x0b\x01"                     /* PSK modes */
    "\x00\x33\x00\x2b\x00\x29\x2a\x2a\x00\x01\x00"     /* shares: of one byte, */
    "\x00\x1d\x00\x20"                                 /* of 32, for X25519 */
    "\x77\x77\x77\x77\x77\x77\x77\x77\x77\x77\x77\x77\x77\x77\x77\x77"
    "\x77\x77\x77\x77\x77\x77\x77\x77\x77\x77\x77\x77\x77\x77\x77\x77"
    "\x00\x00\x00\x0e\x00\x0c\x00\x00\x09\x6c\x6f\x63\x61\x6c\x68\x6f\x73\x74" /* name */
    "\x00\x17\x00\x00"                     /* extended master secret */
    "\x8a\x8a\x00\x05\x01\x02\x03\x04\x05" /* in between, with bytes */
    "\x7a\x7a\x00\x01\x00";                /* last: one byte */
enum {
    GREASE_HELLO_SIZE = sizeof(grease_hello) - 1,
    GREASE_EXTENSIONS_AT = 5 + 6 + 32 + 1 + 8 + 2
};

static void put_u16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void grease_values_pass(void **state)
{
    live_recorder recorder;
    live_plan plan = {
        .ring = live_ring(state), .user = &recorder, .worker_count = 1, .context = {.alpn = "h2"}};
    uint8_t hello[GREASE_HELLO_SIZE], got[6];
    int sock;
    live l;

    memcpy(hello, grease_hello, sizeof(hello));
    put_u16(hello + 3, sizeof(hello) - 5);
    put_u16(hello + 7, sizeof(hello) - 9);
    put_u16(hello + GREASE_EXTENSIONS_AT, sizeof(hello) - GREASE_EXTENSIONS_AT - 2);
    live_recorder_init(&recorder);
    live_start(&l, &plan);
    sock = tcp_connect(NULL, l.port);
    assert_true(sock >= 0);
    assert_true(tcp_send(sock, hello, sizeof(hello)));
    assert_true(tcp_read(sock, got, sizeof(got)));
    assert_int_equal(got[0], 22); /* handshake */
    assert_int_equal(got[5], 2);  /* ServerHello */
    tcp_reset(sock);
    assert_true(live_await_counts(&recorder.events, 1, 0, 1));
    live_expect(&recorder.events, "open client_error:LR_ERESET:-1 close:LR_ERESET ");
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

/* sent: how many bytes of the hello; all of them: the handshake stops at the server's flight. */
static void timeout_case(void **state, size_t sent)
{
    enum { TIMEOUT_MS = 200 };
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state),
                      .user = &recorder,
                      .worker_count = 1,
                      .handshake_timeout_ms = TIMEOUT_MS};
    tls_plan to = {.version = TLS1_3_VERSION, .groups = "X25519"};
    SSL_CTX *ctx = tls_ctx_new(&to);
    uint64_t begin = live_now_ms();
    uint8_t got[8 * KB];
    size_t len;
    started s;
    live l;

    live_recorder_init(&recorder);
    live_start(&l, &plan);
    start(&s, ctx, l.port, NULL);
    assert_true(tcp_send(s.t.sock, s.bytes, sent < s.len ? sent : s.len));
    assert_int_equal(tcp_read_to_end(s.t.sock, got, sizeof(got), &len), 0);
    assert_true(live_now_ms() - begin >= TIMEOUT_MS);
    assert_int_equal(len != 0, sent >= s.len);
    tls_close(&s.t, false);
    assert_true(live_await_counts(&recorder.events, 1, 0, 1));
    live_expect(&recorder.events,
                "open client_error:LR_EHANDSHAKE_TIMEOUT:-1 close:LR_EHANDSHAKE_TIMEOUT ");
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
    SSL_CTX_free(ctx);
}

static void live_S120_a_silent_client_is_cut_after_the_handshake_timeout(void **state)
{
    timeout_case(state, 0);
}

static void
live_S120_a_client_that_stops_in_its_hello_is_cut_after_the_handshake_timeout(void **state)
{
    timeout_case(state, 100);
}

static void
live_S120_a_client_that_stops_after_its_hello_is_cut_after_the_handshake_timeout(void **state)
{
    timeout_case(state, HELLO_MAX);
}

static void keep_it(lr_server_options *options)
{
    options->keep_ja4 = LR_ON;
}

static void compare_ja4(lr_conn *c, const lr_hello *hello, lr_hello_ask ask)
{
    live_recorder *recorder = lr_server_user(lr_conn_server(c));
    char own[37];

    live_note(&recorder->events, "%s", lr_hello_ja4(hello, own) ? own : "none");
    (void)lr_hello_answer(ask, LR_OK, NULL);
}

static void note_ja4(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    if (hook == LIVE_SECURE)
        live_note(&recorder->events, "%s", lr_conn_ja4(c));
    live_echo(c, hook, bytes);
}

/* The same as lr_hello_ja4() tells at the gate; "" where it is not kept. */
static void live_B1_the_ja4_of_a_client_is_kept_where_that_is_wanted(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    lr_handlers handlers = live_recorder_handlers;

    handlers.on_hello = compare_ja4;
    for (size_t i = 0; i < 4; i++) {
        bool kept = i < 2;
        live_recorder recorder;
        live_plan plan = {.ring = live_ring(state),
                          .user = &recorder,
                          .handlers = &handlers,
                          .tune = kept ? keep_it : NULL};
        tls_plan to = {.version = versions[i % 2]};
        char text[120];
        const char *end;
        tls_client t;
        live l;

        live_recorder_init(&recorder);
        recorder.act = note_ja4;
        live_start(&l, &plan);
        TLS_MUST(&t, tls_open(&t, l.port, &to));
        TLS_MUST(&t, tls_write(&t, "ping", 4));
        assert_true(live_await(&recorder.events, "data:4"));
        assert_int_equal(strncmp(recorder.events.text, "open t1", 7), 0);
        end = strchr(recorder.events.text + 5, ' ');
        assert_int_equal(end - (recorder.events.text + 5), 36);
        (void)snprintf(text, sizeof(text), "open %.36s secure %.*s data:4 ",
                       recorder.events.text + 5, kept ? 36 : 0, recorder.events.text + 5);
        live_expect(&recorder.events, text);
        tls_close(&t, false);
        live_stop(&l, 0);
        live_recorder_fini(&recorder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(a_tls_1_3_hello_may_be_cut_at_every_byte),
        LIVE_TEST(a_tls_1_2_hello_may_be_cut_at_every_byte),
        LIVE_TEST(a_hello_may_come_in_records_of_one_byte),
        LIVE_TEST(garbage_gets_unexpected_message),
        LIVE_TEST(plain_http_gets_unexpected_message),
        LIVE_TEST(live_S131_an_sslv2_hello_gets_protocol_version),
        LIVE_TEST(live_S131_hellos_for_what_is_older_than_tls_1_2_get_protocol_version),
        LIVE_TEST(a_hello_without_a_common_protocol_gets_no_application_protocol),
        LIVE_TEST(a_hello_of_65_kb_gets_illegal_parameter),
        LIVE_TEST(a_hello_of_65_kb_on_the_wire_gets_illegal_parameter),
        LIVE_TEST(bytes_behind_the_hello_in_its_record_get_unexpected_message),
        LIVE_TEST(a_client_with_the_wrong_share_is_asked_again),
        LIVE_TEST(a_client_without_a_share_of_the_only_group_is_asked_again),
        LIVE_TEST(a_second_hello_with_another_name_gets_illegal_parameter),
        LIVE_TEST(a_second_hello_with_another_protocol_gets_illegal_parameter),
        LIVE_TEST(a_client_without_a_common_group_gets_handshake_failure),
        LIVE_TEST(grease_values_pass),
        LIVE_TEST(live_B1_the_ja4_of_a_client_is_kept_where_that_is_wanted),
        LIVE_TEST(live_S120_a_silent_client_is_cut_after_the_handshake_timeout),
        LIVE_TEST(live_S120_a_client_that_stops_in_its_hello_is_cut_after_the_handshake_timeout),
        LIVE_TEST(live_S120_a_client_that_stops_after_its_hello_is_cut_after_the_handshake_timeout),
    };

    return LIVE_MAIN(tests);
}
