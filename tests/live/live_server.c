/* SPDX-License-Identifier: MIT */
/* live_server.c: what a server tells of its connections, and when: the rows S1, S19, S20, S21, S38,
 * S49, S60, S111 of the reference. What support.h includes of lockring is lockring.h alone. */
#include "client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HELLO_MAX = 2048 };

static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};

typedef struct play {
    live_recorder recorder;
    live l;
} play;

static void play_open(play *p, void **state, const live_plan *given,
                      void (*act)(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *r))
{
    live_plan plan = *given;

    live_recorder_init(&p->recorder);
    p->recorder.act = act;
    plan.ring = live_ring(state);
    plan.user = &p->recorder;
    if (plan.worker_count == 0)
        plan.worker_count = 1;
    live_start(&p->l, &plan);
}

static void play_close(play *p)
{
    live_stop(&p->l, LR_NONE);
    live_recorder_fini(&p->recorder);
}

/* Waits for the n-th end, and looks at what happened since the last one. */
static void expect(play *p, uint64_t n, const char *events)
{
    assert_true(live_await_counts(&p->recorder.events, n, 0, n));
    live_expect(&p->recorder.events, events);
    live_events_clear(&p->recorder.events);
}

static void ping(tls_client *t)
{
    char got[4];

    TLS_MUST(t, tls_write(t, "ping", 4));
    TLS_MUST(t, tls_read(t, got, 4));
    assert_memory_equal(got, "ping", 4);
}

static void end(tls_client *t)
{
    TLS_MUST(t, tls_end_write(t));
    assert_int_equal(tls_read_end(t), TLS_END_NOTIFY);
    tls_close(t, false);
}

/* The address of this end of a socket of IPv4, as the library writes it. */
static void name_of(int sock, char out[64])
{
    struct sockaddr_in in;
    socklen_t len = sizeof(in);

    assert_int_equal(getsockname(sock, (struct sockaddr *)&in, &len), 0);
    (void)snprintf(out, 64, "127.0.0.1:%u", ntohs(in.sin_port));
}

/* A row of this table does not compile where lockring.h leaves out its header. */
static void live_S1_one_header_has_the_whole_interface(void **state)
{
    typedef void (*call)(void);
    const call calls[] = {
        (call)lr_version,        (call)lr_bytes_new,   (call)lr_certificate_parse,
        (call)lr_client_connect, (call)lr_conn_write,  (call)lr_context_new,
        (call)lr_file_open,      (call)lr_hello_ja4,   (call)lr_names_new,
        (call)lr_ocsp_check,     (call)lr_run,         (call)lr_server_new,
        (call)lr_stats_read,     (call)lr_workers_new, (call)lr_ticket_keys_new,
    };
    play p;
    tls_client t;

    for (size_t i = 0; i < LIVE_COUNT_OF(calls); i++)
        assert_true(calls[i] != NULL);
    play_open(&p, state, &(live_plan){0}, NULL);
    TLS_MUST(&t, tls_open(&t, p.l.port, NULL));
    ping(&t);
    end(&t);
    expect(&p, 1, "open secure data:4 end close:clean ");
    play_close(&p);
}

/* net.Server's listen, address, getConnections and close; what close leaves alone. */
static void live_S19_a_server_listens_counts_and_closes(void **state)
{
    lr_listen_options another = {LR_LISTEN_OPTIONS, .host = "127.0.0.1"};
    live_plan plan = {.ring = live_ring(state), .worker_count = 1};
    live_recorder recorder;
    tls_client t[2];
    uint16_t ports[2];
    char address[64], expected[64];
    live l = {0};

    live_recorder_init(&recorder);
    plan.user = &recorder;
    l.workers = live_workers(&plan);
    l.context = live_context(&plan);
    l.server = live_server(l.workers, l.context, &plan);
    ports[0] = live_listen(l.server, NULL);
    ports[1] = lr_server_port(l.server, live_listen_with(l.server, &another));
    live_run(l.workers);
    for (uint32_t i = 0; i < 2; i++) {
        (void)snprintf(expected, sizeof(expected), "127.0.0.1:%u", ports[i]);
        assert_true(lr_server_address(l.server, i, address, sizeof(address)));
        assert_string_equal(address, expected);
        TLS_MUST(&t[i], tls_open(&t[i], ports[i], NULL));
    }
    assert_true(live_await_counts(&recorder.events, 2, 2, 0));
    assert_int_equal(lr_server_connection_count(l.server), 2);
    lr_server_drain(l.server, LR_NONE);
    assert_true(live_await(&recorder.events, "server_drain"));
    for (size_t i = 0; i < 2; i++) {
        ping(&t[i]); /* close() leaves them alone */
        end(&t[i]);
    }
    assert_true(live_await_counts(&recorder.events, 2, 2, 2));
    live_stop(&l, LR_NONE);
    assert_int_equal(recorder.workers_stopped, 1);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(tcp_connect(NULL, ports[i]), -1);
    live_recorder_fini(&recorder);
}

static void abort_in_open(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    (void)bytes;
    (void)recorder;
    if (hook == LIVE_OPEN)
        lr_conn_abort(c, LR_OK);
}

/* What comes before secure is told by on_client_error, and by on_close: everything but what the
 * program did itself. */
static void live_S20_each_failure_before_secure_is_told(void **state)
{
    tls_plan old = {.version = TLS1_1_VERSION}, suspicious = {.verify = true},
             group = {.version = TLS1_3_VERSION, .groups = "X448"};
    tls_client t;
    int sock;
    play p;

    play_open(&p, state, &(live_plan){0}, NULL);
    sock = tcp_connect(NULL, p.l.port);
    assert_true(tcp_send(sock, "garbage", 7));
    expect(&p, 1, "open client_error:LR_ENOTTLS:10 close:LR_ENOTTLS ");
    (void)close(sock);
    sock = tcp_connect(NULL, p.l.port);
    (void)close(sock);
    expect(&p, 2, "open client_error:LR_ETRUNCATED:-1 close:LR_ETRUNCATED ");
    assert_false(tls_open(&t, p.l.port, &old));
    tls_close(&t, false);
    expect(&p, 3, "open client_error:LR_EVERSION:70 close:LR_EVERSION ");
    assert_false(tls_open(&t, p.l.port, &group));
    tls_close(&t, false);
    expect(&p, 4, "open client_error:LR_ETLS:40 close:LR_ETLS ");
    assert_false(tls_open(&t, p.l.port, &suspicious));
    assert_true(live_await(&p.recorder.events, "client_error:LR_EALERT:48")); /* before the end */
    tls_close(&t, false);
    expect(&p, 5, "open client_error:LR_EALERT:48 close:LR_EALERT ");
    p.recorder.act = abort_in_open;
    assert_false(tls_open(&t, p.l.port, NULL));
    tls_close(&t, false);
    expect(&p, 6, "open close:LR_EABORTED ");
    play_close(&p);
}

/* The same failures are no client errors once it is secure. */
static void live_S20_behind_secure_nothing_is_a_client_error(void **state)
{
    static const uint8_t broken[] = {23, 3,  3,  0,  32, 1,  2,  3,  4,  5,  6,  7,  8,
                                     9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                     22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32};
    tls_client t;
    play p;

    play_open(&p, state, &(live_plan){0}, NULL);
    TLS_MUST(&t, tls_open(&t, p.l.port, NULL));
    ping(&t);
    assert_true(tcp_send(t.sock, broken, sizeof(broken)));
    expect(&p, 1, "open secure data:4 close:LR_ETLS ");
    tls_close(&t, false);
    TLS_MUST(&t, tls_open(&t, p.l.port, NULL));
    ping(&t);
    tls_close(&t, true);
    expect(&p, 2, "open secure data:4 close:LR_ERESET ");
    play_close(&p);
}

static void tell_who_failed(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    lr_slice name = lr_conn_servername(c);
    char remote[64];

    if (hook == LIVE_CLIENT_ERROR && lr_conn_remote(c, remote, sizeof(remote)))
        live_note(&recorder->events, "%s,%.*s", remote, (int)name.len, (const char *)name.bytes);
    live_echo(c, hook, bytes);
}

static void live_S21_a_client_error_has_its_connection(void **state)
{
    tls_plan suspicious = {.verify = true};
    char name[64], expected[200];
    tls_client t;
    int sock;
    play p;

    play_open(&p, state, &(live_plan){0}, tell_who_failed);
    assert_false(tls_open(&t, p.l.port, &suspicious));
    name_of(t.sock, name);
    assert_true(live_await(&p.recorder.events, "client_error:LR_EALERT:48"));
    tls_close(&t, false);
    (void)snprintf(expected, sizeof(expected),
                   "open client_error:LR_EALERT:48 %s,localhost close:LR_EALERT ", name);
    expect(&p, 1, expected);
    sock = tcp_connect(NULL, p.l.port);
    name_of(sock, name);
    assert_true(live_await(&p.recorder.events, "open"));
    tcp_reset(sock); /* the system knows nothing of it any more */
    (void)snprintf(expected, sizeof(expected),
                   "open client_error:LR_ERESET:-1 %s, close:LR_ERESET ", name);
    expect(&p, 2, expected);
    play_close(&p);
}

static void pass(lr_worker *w, void *arg)
{
    (void)w;
    (void)arg;
}

/* The server has sent its flight and waits for the client's: not yet. */
static void live_S38_secure_comes_with_the_end_of_the_handshake(void **state)
{
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_plan to = {.version = versions[i]};
        SSL_CTX *ctx = tls_ctx_new(&to);
        uint8_t hello[HELLO_MAX], first;
        tls_client t;
        size_t len;
        play p;

        play_open(&p, state, &(live_plan){0}, NULL);
        TLS_MUST(&t, tls_connect(&t, ctx, NULL, p.l.port, "localhost"));
        len = tls_first_flight(&t, hello, sizeof(hello));
        assert_true(len > 0 && tcp_send(t.sock, hello, len));
        assert_true(tcp_peek(t.sock, &first));
        live_on_worker(p.l.workers, 0, pass, NULL); /* a turn behind the one that sent it */
        live_expect(&p.recorder.events, "open ");
        TLS_MUST(&t, tls_handshake(&t));
        assert_true(live_await_counts(&p.recorder.events, 1, 1, 0));
        live_expect(&p.recorder.events, "open secure ");
        ping(&t);
        end(&t);
        expect(&p, 1, "open secure data:4 end close:clean ");
        play_close(&p);
        SSL_CTX_free(ctx);
    }
}

static void note_worker(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    if (hook == LIVE_SECURE)
        live_note(&recorder->events, "worker:%u", lr_worker_index(lr_conn_worker(c)));
    live_echo(c, hook, bytes);
}

/* Each worker publishes its number at the end of a turn. */
static uint64_t count_of(const live *l)
{
    for (uint32_t i = 0; i < lr_workers_count(l->workers); i++)
        live_on_worker(l->workers, i, pass, NULL);
    return lr_server_connection_count(l->server);
}

static void live_S49_connections_are_counted_over_all_workers(void **state)
{
    enum { CLIENTS = 64 };
    int socks[CLIENTS];
    play p;

    play_open(&p, state, &(live_plan){.worker_count = 2, .plain = true}, note_worker);
    assert_int_equal(count_of(&p.l), 0);
    for (uint64_t i = 0; i < CLIENTS; i++) {
        socks[i] = tcp_connect(NULL, p.l.port);
        assert_true(live_await_counts(&p.recorder.events, i + 1, i + 1, 0));
        assert_int_equal(count_of(&p.l), i + 1);
    }
    assert_true(live_has(&p.recorder.events, "worker:0"));
    assert_true(live_has(&p.recorder.events, "worker:1"));
    for (uint64_t i = 0; i < CLIENTS; i++) {
        (void)close(socks[i]);
        assert_true(live_await_counts(&p.recorder.events, CLIENTS, CLIENTS, i + 1));
        assert_int_equal(count_of(&p.l), CLIENTS - i - 1);
    }
    play_close(&p);
}

/* What the getters tell, without blanks. */
typedef struct facts {
    lr_conn_id id;
    char secure[300];
} facts;

static void tell_facts(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    lr_slice name = lr_conn_servername(c), alpn = lr_conn_alpn(c);
    facts *f = recorder->arg;
    char text[300], remote[64] = "", local[64] = "";

    if (hook == LIVE_SECURE || hook == LIVE_CLOSE) {
        (void)lr_conn_remote(c, remote, sizeof(remote));
        (void)snprintf(text, sizeof(text), "%x,%s,%s,%.*s,%.*s,%s", (unsigned)lr_conn_version(c),
                       lr_conn_cipher(c), lr_conn_group(c), (int)name.len, (const char *)name.bytes,
                       (int)alpn.len, (const char *)alpn.bytes, remote);
    }
    if (hook == LIVE_SECURE) {
        memcpy(f->secure, text, sizeof(text));
        f->id = lr_conn_id_of(c);
    }
    if (hook == LIVE_CLOSE)
        live_note(&recorder->events, "%s,%s", strcmp(text, f->secure) == 0 ? "same" : text,
                  lr_conn_local(c, local, sizeof(local)) ? "local" : "gone");
    live_echo(c, hook, bytes);
}

static void find(lr_worker *w, void *arg)
{
    facts *f = arg;

    (void)w;
    f->secure[0] = lr_conn_find(f->id) ? 'y' : 'n';
}

/* Also where the client is gone long before on_close. */
static void live_S60_getters_answer_to_the_end_and_not_beyond(void **state)
{
    for (int i = 0; i < 4; i++) {
        tls_plan to = {.version = versions[i % 2], .alpn = "\2h2", .groups = "P-256"};
        tls_client t;
        facts f;
        play p;

        play_open(&p, state, &(live_plan){.context = {.alpn = "h2"}}, tell_facts);
        p.recorder.arg = &f;
        TLS_MUST(&t, tls_open(&t, p.l.port, &to));
        ping(&t);
        if (i < 2)
            end(&t);
        else
            tls_close(&t, true);
        expect(&p, 1,
               i < 2 ? "open secure data:4 end close:clean same,gone "
                     : "open secure data:4 close:LR_ERESET same,gone ");
        live_on_worker(p.l.workers, 0, find, &f);
        assert_int_equal(f.secure[0], 'n');
        play_close(&p);
    }
}

static void note_one(lr_conn *c)
{
    live_recorder *recorder = lr_server_user(lr_conn_server(c));

    live_note(&recorder->events, "one");
    lr_conn_end(c);
}

static void note_two(lr_conn *c)
{
    live_recorder *recorder = lr_server_user(lr_conn_server(c));

    live_note(&recorder->events, "two");
    lr_conn_end(c);
}

/* Two servers on the same workers; what they were given is changed behind their back. */
static void live_S111_each_server_has_the_listener_it_was_made_with(void **state)
{
    lr_handlers handlers = {LR_HANDLERS, .on_secure = note_one};
    live_plan plan = {.ring = live_ring(state), .worker_count = 1, .handlers = &handlers};
    live_recorder recorder;
    lr_server *servers[2];
    uint16_t ports[2];
    lr_workers *workers;
    lr_context *context;

    live_recorder_init(&recorder);
    plan.user = &recorder;
    workers = live_workers(&plan);
    context = live_context(&plan);
    servers[0] = live_server(workers, context, &plan);
    handlers.on_secure = note_two;
    servers[1] = live_server(workers, context, &plan);
    memset(&handlers, 0, sizeof(handlers));
    for (size_t i = 0; i < 2; i++)
        ports[i] = live_listen(servers[i], NULL);
    live_run(workers);
    for (size_t i = 0; i < 2; i++) {
        tls_client t;

        live_events_clear(&recorder.events);
        TLS_MUST(&t, tls_open(&t, ports[i], NULL));
        assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
        tls_close(&t, false);
        live_expect(&recorder.events, i == 0 ? "one " : "two ");
    }
    lr_workers_stop(workers, LR_NONE);
    lr_workers_join(workers);
    for (size_t i = 0; i < 2; i++)
        lr_server_free(servers[i]);
    lr_workers_free(workers);
    lr_context_release(context);
    live_recorder_fini(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S1_one_header_has_the_whole_interface),
        LIVE_TEST(live_S19_a_server_listens_counts_and_closes),
        LIVE_TEST(live_S20_each_failure_before_secure_is_told),
        LIVE_TEST(live_S20_behind_secure_nothing_is_a_client_error),
        LIVE_TEST(live_S21_a_client_error_has_its_connection),
        LIVE_TEST(live_S38_secure_comes_with_the_end_of_the_handshake),
        LIVE_TEST(live_S49_connections_are_counted_over_all_workers),
        LIVE_TEST(live_S60_getters_answer_to_the_end_and_not_beyond),
        LIVE_TEST(live_S111_each_server_has_the_listener_it_was_made_with),
    };

    return LIVE_MAIN(tests);
}
