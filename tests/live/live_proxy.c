/* SPDX-License-Identifier: MIT */
/* live_proxy.c: the PROXY protocol in front of TLS and plain listeners: what is believed, refused
 * and left alone, at every cut, and that no byte in clear reaches a handler as a secure one. */
#include "client.h"
#include "proxy_maker.h"

#include "proto/proxy.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { HELLO_MAX = 2048 };

typedef struct play {
    live_recorder recorder;
    live l;
    lr_proxy *proxy;
    bool plain;
    SSL_CTX *ctx;
} play;

static live_recorder *recorder_of(lr_conn *c)
{
    return lr_server_user(lr_conn_server(c));
}

static lr_status on_preface(lr_conn *c, lr_slice bytes, size_t *used, const char **reason)
{
    const play *p = recorder_of(c)->arg;

    return lr_proxy_preface(p->proxy, c, bytes, used, reason);
}

/* Where it comes from and goes to, once it is secure. */
static void note_addresses(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    char remote[64], local[64], raw_remote[64], raw_local[64];

    if (hook == LIVE_SECURE) {
        bool all = lr_conn_remote(c, remote, sizeof(remote)) &&
                   lr_conn_local(c, local, sizeof(local)) &&
                   lr_conn_remote_raw(c, raw_remote, sizeof(raw_remote)) &&
                   lr_conn_local_raw(c, raw_local, sizeof(raw_local));

        if (!all || strncmp(raw_remote, "127.0.0.1:", 10) != 0 ||
            strncmp(raw_local, "127.0.0.1:", 10) != 0)
            live_note(&recorder->events, "raw:%s,%s", raw_remote, raw_local);
        else if (strcmp(remote, raw_remote) == 0 && strcmp(local, raw_local) == 0)
            live_note(&recorder->events, "direct");
        else
            live_note(&recorder->events, "%s>%s", remote, local);
    }
    live_echo(c, hook, bytes);
}

static void note_header(lr_conn *c, const lr_proxy_header *header)
{
    lr_slice name = {NULL, 0};

    (void)lr_proxy_tlv_find(header->tlvs, LR_PROXY_AUTHORITY, &name);
    live_note(&recorder_of(c)->events, "header:%u,%.*s", header->version, (int)name.len,
              name.len > 0 ? (const char *)name.bytes : "");
}

typedef struct play_plan {
    bool plain, quiet;                /* quiet: no addresses are noted */
    const char *sender, *host, *path; /* host: 127.0.0.1; path: of a unix socket instead */
    void (*tune)(lr_server_options *options);
} play_plan;

static void play_open_with(play *p, void **state, const play_plan *given)
{
    lr_proxy_options proxy = {LR_PROXY_OPTIONS, .senders = &given->sender, .sender_count = 1,
                              .on_header = note_header};
    lr_handlers handlers = live_recorder_handlers;
    live_plan plan = {.ring = live_ring(state),
                      .user = &p->recorder,
                      .worker_count = 1,
                      .handlers = &handlers,
                      .handshake_timeout_ms = 60000,
                      .tune = given->tune};
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .path = given->path, .plain = given->plain,
                                .preface = true};
    static const tls_plan to;

    if (!given->path)
        listen.host = given->host ? given->host : "127.0.0.1";
    memset(p, 0, sizeof(*p));
    live_recorder_init(&p->recorder);
    p->recorder.act = given->quiet ? NULL : note_addresses;
    p->recorder.arg = p;
    p->plain = given->plain;
    handlers.on_preface = on_preface;
    assert_int_equal(lr_proxy_new(&proxy, &p->proxy, NULL), LR_OK);
    p->l.workers = live_workers(&plan);
    p->l.context = given->plain ? NULL : live_context(&plan);
    p->l.server = live_server(p->l.workers, p->l.context, &plan);
    p->l.port = lr_server_port(p->l.server, live_listen_with(p->l.server, &listen));
    live_run(p->l.workers);
    p->ctx = tls_ctx_new(&to);
}

static void play_open(play *p, void **state, bool plain, const char *sender)
{
    play_open_with(p, state, &(play_plan){.plain = plain, .sender = sender});
}

static void play_close(play *p)
{
    live_stop(&p->l, LR_NONE);
    live_recorder_fini(&p->recorder);
    lr_proxy_free(p->proxy);
    SSL_CTX_free(p->ctx);
}

/* Waits for the n-th connection's end, and looks at what happened since the last one. */
static void expect(play *p, uint64_t n, const char *events)
{
    assert_true(live_await_counts(&p->recorder.events, n, 0, n));
    live_expect(&p->recorder.events, events);
    live_events_clear(&p->recorder.events);
}

/* The bytes in two segments, the first of cut bytes (0: one segment), then an honest life: the
 * client's hello, or "ping" in clear, follows in the same segment as the last byte. */
static void visit(const play *p, const proxy_bytes *header, size_t cut)
{
    proxy_bytes all = *header;
    tls_client t = {0};
    uint8_t hello[HELLO_MAX];
    char got[4];
    size_t len;

    if (p->plain) {
        t.sock = tcp_connect(NULL, p->l.port);
        assert_true(t.sock >= 0);
        proxy_add(&all, "ping", 4);
    } else {
        TLS_MUST(&t, tls_connect(&t, p->ctx, NULL, p->l.port, NULL));
        len = tls_first_flight(&t, hello, sizeof(hello));
        assert_int_not_equal(len, 0);
        assert_true(len + all.len <= sizeof(all.bytes));
        proxy_add(&all, hello, len);
    }
    if (cut > 0) {
        assert_true(tcp_send(t.sock, all.bytes, cut));
        assert_true(tcp_wait_taken(t.sock));
    }
    assert_true(tcp_send(t.sock, all.bytes + cut, all.len - cut));
    if (p->plain) {
        assert_true(tcp_read(t.sock, got, 4));
        assert_memory_equal(got, "ping", 4);
        (void)close(t.sock);
        return;
    }
    TLS_MUST(&t, tls_handshake(&t));
    TLS_MUST(&t, tls_write(&t, "ping", 4));
    TLS_MUST(&t, tls_read(&t, got, 4));
    assert_memory_equal(got, "ping", 4);
    TLS_MUST(&t, tls_end_write(&t));
    assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
    tls_close(&t, false);
}

/* Sends bytes to a connection that will not live. */
static void knock(const play *p, const void *bytes, size_t len, bool end)
{
    int sock = tcp_connect(NULL, p->l.port);
    char rest[64];
    size_t got;

    assert_true(sock >= 0);
    (void)tcp_send(sock, bytes, len);
    if (end)
        (void)shutdown(sock, SHUT_WR);
    (void)tcp_read_to_end(sock, rest, sizeof(rest), &got);
    (void)close(sock);
}

static void make_v1(proxy_bytes *out)
{
    proxy_v1(out, "PROXY TCP4 192.0.2.7 198.51.100.1 1234 443");
}

static void make_v2(proxy_bytes *out)
{
    proxy_v2_from(out, "2001:db8::7", 1234, "2001:db8::1", 443);
    proxy_tlv(out, LR_PROXY_AUTHORITY, "example.org", 11);
    proxy_crc(out);
}

static void cut_everywhere(void **state, bool plain)
{
    proxy_bytes v1, v2;
    uint64_t n = 0;
    play p;

    make_v1(&v1);
    make_v2(&v2);
    play_open(&p, state, plain, "127.0.0.1");
    for (size_t cut = 0; cut <= v1.len; cut++) {
        visit(&p, &v1, cut);
        expect(&p, ++n,
               "open header:1, secure 192.0.2.7:1234>198.51.100.1:443 data:4 end "
               "close:clean ");
    }
    for (size_t cut = 0; cut <= v2.len; cut++) {
        visit(&p, &v2, cut);
        expect(&p, ++n,
               "open header:2,example.org secure [2001:db8::7]:1234>[2001:db8::1]:443 "
               "data:4 end close:clean ");
    }
    play_close(&p);
}

static void live_B13_a_header_in_front_of_tls_may_be_cut_at_every_byte(void **state)
{
    cut_everywhere(state, false);
}

static void live_B13_a_header_in_front_of_plain_data_may_be_cut_at_every_byte(void **state)
{
    cut_everywhere(state, true);
}

static void a_header_may_come_byte_by_byte(void **state)
{
    proxy_bytes v2;
    char got[4];
    int sock;
    play p;

    make_v2(&v2);
    proxy_add(&v2, "ping", 4);
    play_open(&p, state, true, "127.0.0.0/8");
    sock = tcp_connect(NULL, p.l.port);
    assert_true(sock >= 0);
    for (size_t i = 0; i < v2.len; i++) {
        assert_true(tcp_send(sock, v2.bytes + i, 1));
        assert_true(tcp_wait_taken(sock));
    }
    assert_true(tcp_read(sock, got, 4));
    assert_memory_equal(got, "ping", 4);
    (void)close(sock);
    assert_true(live_await_counts(&p.recorder.events, 1, 1, 1));
    play_close(&p);
}

static void live_B13_local_unknown_and_unspec_keep_the_addresses_of_the_socket(void **state)
{
    static const uint8_t block[12] = {192, 0, 2, 7, 198, 51, 100, 1, 4, 210, 1, 187};
    proxy_bytes in[4];
    play p;

    for (int plain = 0; plain < 2; plain++) {
        proxy_v2(&in[0], PROXY_LOCAL, PROXY_UNSPEC, NULL, 0);
        proxy_v2(&in[3], PROXY_LOCAL, PROXY_TCP4, block, sizeof(block)); /* and says one */
        proxy_v2(&in[1], PROXY_PROXY, PROXY_UNSPEC, NULL, 0);
        proxy_v1(&in[2], "PROXY UNKNOWN 192.0.2.7 198.51.100.1 1234 443");
        play_open(&p, state, plain == 1, "127.0.0.1");
        for (uint64_t i = 0; i < LIVE_COUNT_OF(in); i++) {
            visit(&p, &in[i], 0);
            expect(&p, i + 1,
                   i != 2 ? "open header:2, secure direct data:4 end close:clean "
                          : "open header:1, secure direct data:4 end close:clean ");
        }
        play_close(&p);
    }
}

static uint64_t failures(const play *p, lr_status status)
{
    lr_stats stats = {LR_STATS};

    assert_int_equal(lr_stats_read(p->l.workers, &stats), LR_OK);
    for (uint32_t i = 0; i < stats.status_count; i++) {
        if (stats.failures[i].status == status)
            return stats.failures[i].count;
    }
    return UINT64_MAX;
}

static void live_B13_what_is_no_header_is_refused_from_a_listed_sender(void **state)
{
    static const char refused[] = "open client_error:LR_EPREFACE:-1 close:LR_EPREFACE ";
    proxy_bytes wrong[6];
    uint64_t n = 0;
    play p;

    make_v2(&wrong[0]);
    wrong[0].bytes[20] ^= 1; /* the sum is wrong now */
    make_v2(&wrong[1]);
    wrong[1].bytes[14] = 0xff; /* too long to be waited for */
    proxy_v1(&wrong[2], "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535 ");
    proxy_v1(&wrong[3], "GET / HTTP/1.1");
    wrong[4].len = 0;
    proxy_add(&wrong[4], "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
    make_v1(&wrong[5]);
    wrong[5].bytes[6] = 'U';
    for (int plain = 0; plain < 2; plain++) {
        play_open(&p, state, plain == 1, "127.0.0.1");
        for (n = 0; n < LIVE_COUNT_OF(wrong); n++) {
            knock(&p, wrong[n].bytes, wrong[n].len, false);
            expect(&p, n + 1, refused);
        }
        assert_int_equal(failures(&p, LR_EPREFACE), LIVE_COUNT_OF(wrong));
        play_close(&p);
    }
}

static void live_B13_an_unlisted_sender_is_an_ordinary_client(void **state)
{
    proxy_bytes header, nothing = {.len = 0};
    char got[64];
    int sock;
    play p;

    make_v1(&header);
    play_open(&p, state, false, "10.0.0.0/8");
    visit(&p, &nothing, 0);
    expect(&p, 1, "open secure direct data:4 end close:clean ");
    knock(&p, header.bytes, header.len, false);
    expect(&p, 2, "open client_error:LR_ENOTTLS:10 close:LR_ENOTTLS ");
    play_close(&p);
    play_open(&p, state, true, "10.0.0.0/8");
    sock = tcp_connect(NULL, p.l.port);
    assert_true(sock >= 0);
    assert_true(live_await(&p.recorder.events, "direct")); /* it need not speak first */
    assert_true(tcp_send(sock, header.bytes, header.len));
    assert_true(tcp_read(sock, got, header.len));
    assert_memory_equal(got, header.bytes, header.len);
    (void)close(sock);
    assert_true(live_await_counts(&p.recorder.events, 1, 1, 1));
    play_close(&p);
}

/* T-INJ: what an attacker puts between header and hello, in every cut. */
static void live_B13_plaintext_behind_the_header_never_reaches_the_handler(void **state)
{
    static const char command[] = "POST /echo HTTP/1.1\r\n\r\n";
    proxy_bytes in;
    uint64_t n = 0;
    play p;

    make_v1(&in);
    proxy_add(&in, command, sizeof(command) - 1);
    play_open(&p, state, false, "127.0.0.1");
    for (size_t cut = 0; cut < in.len; cut++) {
        int sock = tcp_connect(NULL, p.l.port);
        char rest[64];
        size_t got;

        assert_true(sock >= 0);
        assert_true(tcp_send(sock, in.bytes, cut));
        assert_true(tcp_wait_taken(sock));
        (void)tcp_send(sock, in.bytes + cut, in.len - cut);
        (void)tcp_read_to_end(sock, rest, sizeof(rest), &got);
        (void)close(sock);
        expect(&p, ++n, "open header:1, client_error:LR_ENOTTLS:10 close:LR_ENOTTLS ");
    }
    play_close(&p);
}

static void an_end_in_the_header_is_told(void **state)
{
    proxy_bytes in;
    play p;

    make_v2(&in);
    for (int plain = 0; plain < 2; plain++) {
        play_open(&p, state, plain == 1, "127.0.0.1");
        knock(&p, in.bytes, in.len - 1, true);
        expect(&p, 1, "open client_error:LR_ETRUNCATED:-1 close:LR_ETRUNCATED ");
        knock(&p, in.bytes, 0, true);
        expect(&p, 2, "open client_error:LR_ETRUNCATED:-1 close:LR_ETRUNCATED ");
        play_close(&p);
    }
}

static void headers_of_unix_sockets_are_told_as_such(void **state)
{
    uint8_t block[216] = "/run/a";
    proxy_bytes in;
    play p;

    proxy_v2(&in, PROXY_PROXY, PROXY_UNIX, block, sizeof(block));
    play_open(&p, state, true, "127.0.0.1");
    visit(&p, &in, 0);
    expect(&p, 1, "open header:2, secure unix:>unix: data:4 end close:clean ");
    play_close(&p);
}

static void short_handshakes(lr_server_options *options)
{
    options->handshake_timeout_ms = 200;
}

static void one_connection_per_second(lr_server_options *options)
{
    options->source_connections_per_s = 1;
}

static void a_reset_in_the_header_is_told(void **state)
{
    proxy_bytes in;
    play p;
    int sock;

    make_v1(&in);
    play_open(&p, state, false, "127.0.0.1");
    sock = tcp_connect(NULL, p.l.port);
    assert_true(sock >= 0);
    assert_true(tcp_send(sock, in.bytes, in.len - 2));
    assert_true(tcp_wait_taken(sock));
    tcp_reset(sock);
    expect(&p, 1, "open client_error:LR_ERESET:-1 close:LR_ERESET ");
    play_close(&p);
}

static void a_silent_sender_is_cut_at_the_handshake_deadline(void **state)
{
    play p;

    for (int plain = 0; plain < 2; plain++) {
        proxy_bytes in;

        make_v1(&in);
        play_open_with(
            &p, state,
            &(play_plan){.plain = plain == 1, .sender = "127.0.0.1", .tune = short_handshakes});
        knock(&p, in.bytes, in.len - 1, false);
        expect(&p, 1, "open client_error:LR_EHANDSHAKE_TIMEOUT:-1 close:LR_EHANDSHAKE_TIMEOUT ");
        play_close(&p);
    }
}

/* A listener for both families sees IPv4 in IPv6. */
static void a_sender_of_ipv4_is_known_on_a_listener_for_both_families(void **state)
{
    proxy_bytes in;
    play p;

    make_v1(&in);
    play_open_with(&p, state, &(play_plan){.quiet = true, .sender = "127.0.0.0/8", .host = "::"});
    visit(&p, &in, 0);
    expect(&p, 1, "open header:1, secure data:4 end close:clean ");
    play_close(&p);
}

static void a_sender_on_a_unix_socket_is_known_by_that(void **state)
{
    static const char path[] = "@lockring-live-proxy";
    const play_plan plan = {.plain = true, .quiet = true, .sender = "unix:", .path = path};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    proxy_bytes in;
    char got[4];
    play p;
    int sock;

    make_v2(&in);
    proxy_add(&in, "ping", 4);
    memcpy(un.sun_path + 1, path + 1, sizeof(path) - 2);
    play_open_with(&p, state, &plan);
    sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(
        connect(sock, (const struct sockaddr *)&un,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(path) - 1)),
        0);
    assert_true(tcp_send(sock, in.bytes, in.len));
    assert_true(tcp_read(sock, got, 4));
    assert_memory_equal(got, "ping", 4);
    (void)close(sock);
    expect(&p, 1, "open header:2,example.org secure data:4 end close:clean ");
    play_close(&p);
}

/* Limits of sources count the clients behind a proxy, not the proxy. */
static void a_source_is_the_client_that_the_header_tells(void **state)
{
    static const char *const told[] = {"192.0.2.%d", "::ffff:198.51.100.%d"};
    proxy_bytes in;
    char from[32];
    uint64_t n = 0;
    play p;

    play_open_with(&p, state,
                   &(play_plan){.plain = true,
                                .quiet = true,
                                .sender = "127.0.0.1",
                                .tune = one_connection_per_second});
    for (int i = 0; i < 40; i++) {
        const char *to = i % 2 == 0 ? "198.51.100.1" : "::1";

        (void)snprintf(from, sizeof(from), told[i % 2], i);
        proxy_v2_from(&in, from, 1234, to, 443);
        visit(&p, &in, 0);
        expect(&p, ++n, "open header:2, secure data:4 end close:clean ");
    }
    proxy_v2_from(&in, "203.0.113.1", 1234, "198.51.100.1", 443);
    do { /* on a slow machine it earns one more meanwhile */
        live_events_clear(&p.recorder.events);
        knock(&p, in.bytes, in.len, true);
        assert_true(live_await_counts(&p.recorder.events, n + 1, 0, n + 1));
        n++;
    } while (n < 1000 && !live_has(&p.recorder.events, "close:LR_ESOURCE"));
    live_expect(&p.recorder.events, "open header:2, client_error:LR_ESOURCE:-1 close:LR_ESOURCE ");
    play_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_B13_a_header_in_front_of_tls_may_be_cut_at_every_byte),
        LIVE_TEST(live_B13_a_header_in_front_of_plain_data_may_be_cut_at_every_byte),
        LIVE_TEST(a_header_may_come_byte_by_byte),
        LIVE_TEST(live_B13_local_unknown_and_unspec_keep_the_addresses_of_the_socket),
        LIVE_TEST(live_B13_what_is_no_header_is_refused_from_a_listed_sender),
        LIVE_TEST(live_B13_an_unlisted_sender_is_an_ordinary_client),
        LIVE_TEST(live_B13_plaintext_behind_the_header_never_reaches_the_handler),
        LIVE_TEST(an_end_in_the_header_is_told),
        LIVE_TEST(headers_of_unix_sockets_are_told_as_such),
        LIVE_TEST(a_reset_in_the_header_is_told),
        LIVE_TEST(a_silent_sender_is_cut_at_the_handshake_deadline),
        LIVE_TEST(a_sender_of_ipv4_is_known_on_a_listener_for_both_families),
        LIVE_TEST(a_sender_on_a_unix_socket_is_known_by_that),
        LIVE_TEST(a_source_is_the_client_that_the_header_tells),
    };

    return LIVE_MAIN(tests);
}
