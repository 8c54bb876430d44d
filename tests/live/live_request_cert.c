/* SPDX-License-Identifier: MIT */
/* live_request_cert.c: an established client is asked for its certificate (rows S84 and B19): by
 * post-handshake authentication of TLS 1.3, by a renegotiation of TLS 1.2; and new keys on request.
 * OpenSSL is the client; attacks stand in tests/unit/test_engine_request.c. */
#include "client.h"
#include "pki.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include <stdio.h>
#include <string.h>

enum { DELUGE = 400000 };

/* Names of files; null: none. */
typedef struct visitor {
    const char *cert, *more, *key;
} visitor;

static const visitor nobody,
    known = {"client.pem", NULL, "client.key"}, deep = {"deep.pem", "inter.pem", "client.key"},
    rsa = {"rsa.pem", NULL, "rsa.key"}, revoked = {"revoked.pem", NULL, "client.key"},
    stranger = {"stranger.pem", "other_root.pem", "client.key"};

static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};

/* The server asks where the client says '?', with reject_unauthorized off, and '!', on; '=' asks
 * for new keys. Everything else it says back. */
static lr_status ask(lr_conn *c, lr_toggle reject)
{
    const lr_cert_request_options options = {LR_CERT_REQUEST_OPTIONS,
                                             .reject_unauthorized = reject};

    return lr_conn_request_cert(c, &options);
}

static void note_status(live_recorder *recorder, const char *what, lr_status status)
{
    live_note(&recorder->events, "%s:%s", what, lr_status_name(status));
}

static void tell(lr_conn *c, live_recorder *recorder)
{
    live_note(&recorder->events, "%s:%s:%u",
              lr_conn_is_authorized(c) ? "authorized" : "unauthorized",
              lr_conn_authorization_error(c), lr_conn_peer_certificate_count(c));
}

static void say(lr_conn *c, const char *word)
{
    if (lr_conn_write(c, lr_slice_of(word, strlen(word))) != LR_OK)
        lr_conn_abort(c, LR_EINVAL);
}

static void act(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    if (hook == LIVE_SECURE)
        tell(c, recorder);
    if (hook == LIVE_PEER_CERT) {
        tell(c, recorder);
        say(c, "done");
    } else if (hook == LIVE_DATA && bytes.bytes[0] == '?') {
        note_status(recorder, "asked", ask(c, LR_OFF));
    } else if (hook == LIVE_DATA && bytes.bytes[0] == '!') {
        note_status(recorder, "asked", ask(c, LR_ON));
    } else if (hook == LIVE_DATA && bytes.bytes[0] == '=') {
        note_status(recorder, "keys", lr_conn_key_update(c));
    } else {
        live_echo(c, hook, bytes);
    }
}

static lr_context_options asking(void)
{
    return (lr_context_options){
        .request_cert_later = LR_ON, .renegotiation_count = 3, .ca_file = pki_path("root.pem")};
}

static void start_within(live *l, live_recorder *recorder, void **state,
                         const lr_context_options *context, uint32_t handshake_timeout_ms)
{
    live_plan plan = {.ring = live_ring(state),
                      .user = recorder,
                      .worker_count = 1,
                      .context = *context,
                      .handshake_timeout_ms = handshake_timeout_ms};

    live_recorder_init(recorder);
    recorder->act = act;
    live_start(l, &plan);
}

static void start(live *l, live_recorder *recorder, void **state, const lr_context_options *context)
{
    start_within(l, recorder, state, context, 0);
}

static void stop(live *l, live_recorder *recorder)
{
    live_stop(l, LR_NONE);
    live_recorder_fini(recorder);
}

static SSL_CTX *ctx_of(const visitor *v, int version, bool offers)
{
    tls_plan plan = {.version = version};
    SSL_CTX *ctx = tls_ctx_new(&plan);

    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_post_handshake_auth(ctx, offers);
    if (v->cert) {
        assert_int_equal(SSL_CTX_use_certificate_file(ctx, pki_path(v->cert), SSL_FILETYPE_PEM), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, pki_path(v->key), SSL_FILETYPE_PEM), 1);
    }
    if (v->cert && v->more) {
        BIO *bio = BIO_new_file(pki_path(v->more), "r");
        X509 *more = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        assert_int_equal(SSL_CTX_add_extra_chain_cert(ctx, more), 1);
        BIO_free(bio);
    }
    return ctx;
}

static void come_in(tls_client *t, const live *l, const visitor *v, int version, bool offers)
{
    SSL_CTX *ctx = ctx_of(v, version, offers);

    TLS_MUST(t, tls_connect(t, ctx, NULL, l->port, "localhost"));
    TLS_MUST(t, tls_handshake(t));
    SSL_CTX_free(ctx);
}

static void go(tls_client *t)
{
    TLS_MUST(t, tls_end_write(t));
    assert_int_equal(tls_read_end(t), TLS_END_NOTIFY);
    tls_close(t, false);
}

static void echo(tls_client *t, const char *word)
{
    char got[8];

    TLS_MUST(t, tls_write(t, word, 4));
    TLS_MUST(t, tls_read(t, got, 4));
    assert_memory_equal(got, word, 4);
}

/* Asked by '?' or '!', and the server's word that it was answered. */
static void be_asked(tls_client *t, const char *how)
{
    char got[4];

    TLS_MUST(t, tls_write(t, how, 1));
    TLS_MUST(t, tls_read(t, got, 4));
    assert_memory_equal(got, "done", 4);
}

/* Both versions, each with a new server. */
static void expect_answer(void **state, const lr_context_options *context, const visitor *v,
                          const char *how, const char *told)
{
    char text[240];

    (void)snprintf(text, sizeof(text),
                   "open secure unauthorized::0 data:4 data:1 asked:LR_OK peer_cert %s data:4 end "
                   "close:clean ",
                   told);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        live_recorder recorder;
        tls_client t;
        live l;

        start(&l, &recorder, state, context);
        come_in(&t, &l, v, versions[i], true);
        echo(&t, "ping");
        be_asked(&t, how);
        echo(&t, "pong");
        go(&t);
        assert_true(live_await_counts(&recorder.events, 1, 1, 1));
        live_expect(&recorder.events, text);
        stop(&l, &recorder);
    }
}

static void expect_refusal(void **state, const lr_context_options *context, const visitor *v,
                           const char *how, int alert13, int alert12)
{
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        live_recorder recorder;
        tls_client t;
        live l;
        char got[4];

        start(&l, &recorder, state, context);
        come_in(&t, &l, v, versions[i], true);
        ERR_clear_error();
        TLS_MUST(&t, tls_write(&t, how, 1));
        assert_false(tls_read(&t, got, 4));
        if (tls_alert_of(&t) != (versions[i] == TLS1_3_VERSION ? alert13 : alert12))
            fail_msg("another alert: %s", t.why);
        tls_close(&t, false);
        assert_true(live_await_counts(&recorder.events, 1, 1, 1));
        live_expect(&recorder.events,
                    "open secure unauthorized::0 data:1 asked:LR_OK close:LR_EPEERCERT ");
        stop(&l, &recorder);
    }
}

static void live_S84_a_client_is_asked_later_and_authorized(void **state)
{
    lr_context_options options = asking();

    expect_answer(state, &options, &known, "!", "authorized::1");
    expect_answer(state, &options, &deep, "!", "authorized::2");
    expect_answer(state, &options, &rsa, "!", "authorized::1");
    options.request_cert = LR_OFF;
    options.alpn_required = LR_OFF;
    expect_answer(state, &options, &known, "?", "authorized::1");
}

static void live_S84_what_it_has_to_show_is_told_where_that_is_wanted(void **state)
{
    const char *files[] = {pki_path("root.crl")};
    lr_context_options options = asking();

    expect_answer(state, &options, &nobody, "?", "unauthorized:UNABLE_TO_GET_ISSUER_CERT:0");
    expect_answer(state, &options, &stranger, "?", "unauthorized:SELF_SIGNED_CERT_IN_CHAIN:2");
    options.crl_files = files;
    options.crl_file_count = 1;
    expect_answer(state, &options, &known, "?", "authorized::1");
    expect_answer(state, &options, &revoked, "?", "unauthorized:CERT_REVOKED:1");
}

static void live_S84_whoever_has_none_that_holds_is_refused(void **state)
{
    const char *files[] = {pki_path("root.crl")};
    lr_context_options options = asking();

    expect_refusal(state, &options, &nobody, "!", 116, 40);
    expect_refusal(state, &options, &stranger, "!", 48, 48);
    options.crl_files = files;
    options.crl_file_count = 1;
    expect_refusal(state, &options, &revoked, "!", 44, 44);
}

static void live_S84_a_client_that_cannot_be_asked_is_told_and_lives_on(void **state)
{
    lr_context_options options = asking();
    live_recorder recorder;
    tls_client t;
    live l;

    start(&l, &recorder, state, &options);
    come_in(&t, &l, &known, TLS1_3_VERSION, false);
    TLS_MUST(&t, tls_write(&t, "!", 1));
    echo(&t, "ping");
    go(&t);
    assert_true(live_await_counts(&recorder.events, 1, 1, 1));
    live_expect(&recorder.events, "open secure unauthorized::0 data:1 asked:LR_ENOTOFFERED data:4 "
                                  "end close:clean ");
    stop(&l, &recorder);
    options.renegotiation_count = 0;
    start(&l, &recorder, state, &options);
    come_in(&t, &l, &known, TLS1_2_VERSION, true);
    TLS_MUST(&t, tls_write(&t, "!", 1));
    echo(&t, "ping");
    go(&t);
    assert_true(live_await_counts(&recorder.events, 1, 1, 1));
    come_in(&t, &l, &known, TLS1_3_VERSION, true);
    be_asked(&t, "!"); /* what TLS 1.2 lacks there does not count */
    go(&t);
    assert_true(live_await_counts(&recorder.events, 2, 2, 2));
    live_expect(&recorder.events,
                "open secure unauthorized::0 data:1 asked:LR_EOPTION data:4 end close:clean "
                "open secure unauthorized::0 data:1 asked:LR_OK peer_cert authorized::1 end "
                "close:clean ");
    stop(&l, &recorder);
}

static void live_S84_nobody_can_be_asked_unless_the_context_says_so(void **state)
{
    lr_context_options options = {.renegotiation_count = 3, .ca_file = pki_path("root.pem")};

    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        live_recorder recorder;
        tls_client t;
        live l;

        start(&l, &recorder, state, &options);
        come_in(&t, &l, &known, versions[i], true);
        TLS_MUST(&t, tls_write(&t, "!", 1));
        echo(&t, "ping");
        go(&t);
        assert_true(live_await_counts(&recorder.events, 1, 1, 1));
        live_expect(&recorder.events,
                    "open secure unauthorized::0 data:1 asked:LR_EOPTION data:4 end close:clean ");
        stop(&l, &recorder);
    }
}

/* Its data still comes; nobody waits for longer than for a handshake. */
static void live_S84_whoever_does_not_answer_is_cut_off(void **state)
{
    lr_context_options options = asking();

    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        live_recorder recorder;
        tls_client t;
        live l;

        start_within(&l, &recorder, state, &options, 1000);
        come_in(&t, &l, &known, versions[i], true);
        TLS_MUST(&t, tls_write(&t, "?", 1)); /* it never reads, so that it does not hear of it */
        TLS_MUST(&t, tls_write(&t, "more", 4));
        assert_true(live_await_counts(&recorder.events, 1, 1, 1));
        live_expect(&recorder.events, "open secure unauthorized::0 data:1 asked:LR_OK data:4 "
                                      "close:LR_EHANDSHAKE_TIMEOUT ");
        tls_close(&t, false);
        stop(&l, &recorder);
    }
}

static void live_S84_a_client_of_1_2_that_does_not_renegotiate_is_cut_off(void **state)
{
    lr_context_options options = asking();
    live_recorder recorder;
    tls_client t;
    char got[4];
    live l;

    start(&l, &recorder, state, &options);
    come_in(&t, &l, &known, TLS1_2_VERSION, true);
    SSL_set_options(t.ssl, SSL_OP_NO_RENEGOTIATION);
    TLS_MUST(&t, tls_write(&t, "?", 1));
    assert_false(tls_read(&t, got, 4));
    tls_close(&t, false);
    assert_true(live_await_counts(&recorder.events, 1, 1, 1));
    live_expect(&recorder.events,
                "open secure unauthorized::0 data:1 asked:LR_OK close:LR_EALERT ");
    stop(&l, &recorder);
}

static void live_S84_one_request_at_a_time(void **state)
{
    lr_context_options options = asking();

    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        bool is_1_3 = versions[i] == TLS1_3_VERSION;
        live_recorder recorder;
        tls_client t;
        live l;

        start(&l, &recorder, state, &options);
        come_in(&t, &l, &known, versions[i], true);
        TLS_MUST(&t, tls_write(&t, "?", 1));
        TLS_MUST(&t, tls_write(&t, "!", 1));
        be_asked(&t, "?"); /* all three are there before it reads */
        assert_true(live_has(&recorder.events, "asked:LR_OK data:1 asked:LR_EAGAIN data:1 "
                                               "asked:LR_EAGAIN peer_cert authorized::1"));
        live_events_clear(&recorder.events);
        if (is_1_3) { /* wolfSSL's transcript serves for one */
            TLS_MUST(&t, tls_write(&t, "!", 1));
            echo(&t, "ping");
        } else {
            be_asked(&t, "!");
        }
        go(&t);
        assert_true(live_await_counts(&recorder.events, 1, 1, 1));
        live_expect(&recorder.events,
                    is_1_3 ? "data:1 asked:LR_ESTATE data:4 end close:clean "
                           : "data:1 asked:LR_OK peer_cert authorized::1 end close:clean ");
        stop(&l, &recorder);
    }
}

/* Asked once, a client of TLS 1.2 is asked in the renegotiations that it begins itself. */
static void live_S84_what_a_client_has_shown_must_stay(void **state)
{
    lr_context_options options = asking();

    for (int swaps = 0; swaps <= 1; swaps++) {
        live_recorder recorder;
        tls_client t;
        live l;

        start(&l, &recorder, state, &options);
        come_in(&t, &l, &known, TLS1_2_VERSION, true);
        be_asked(&t, "!");
        if (swaps)
            SSL_certs_clear(t.ssl);
        ERR_clear_error();
        assert_int_equal(SSL_renegotiate(t.ssl), 1);
        if (swaps) {
            assert_false(tls_handshake(&t) && tls_read_end(&t) == TLS_END_NOTIFY);
        } else {
            TLS_MUST(&t, tls_handshake(&t));
            echo(&t, "ping");
        }
        tls_close(&t, true);
        assert_true(live_await_counts(&recorder.events, 1, 1, 1));
        assert_int_equal(live_has(&recorder.events, "close:LR_EPEERCERT"), swaps);
        stop(&l, &recorder);
    }
}

/* A session shows nobody: the client comes back without a certificate, and is asked again. The one
 * of TLS 1.2 has a ticket that it would answer with. */
static void live_S84_a_resumed_client_is_asked_like_any_other(void **state)
{
    lr_context_options options = asking();

    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        live_recorder recorder;
        SSL_SESSION *session;
        tls_client t;
        SSL_CTX *ctx;
        live l;

        start(&l, &recorder, state, &options);
        come_in(&t, &l, &known, versions[i], true);
        echo(&t, "ping");
        session = SSL_get1_session(t.ssl);
        assert_true(SSL_SESSION_is_resumable(session));
        go(&t);
        assert_true(live_await_counts(&recorder.events, 1, 1, 1));
        live_events_clear(&recorder.events);
        ctx = ctx_of(&known, versions[i], true);
        TLS_MUST(&t, tls_connect(&t, ctx, NULL, l.port, "localhost"));
        assert_int_equal(SSL_set_session(t.ssl, session), 1);
        TLS_MUST(&t, tls_handshake(&t));
        assert_true(SSL_session_reused(t.ssl));
        be_asked(&t, "!");
        echo(&t, "ping");
        go(&t);
        assert_true(live_await_counts(&recorder.events, 2, 2, 2));
        live_expect(&recorder.events, "open secure unauthorized::0 data:1 asked:LR_OK peer_cert "
                                      "authorized::1 data:4 end close:clean ");
        SSL_SESSION_free(session);
        SSL_CTX_free(ctx);
        stop(&l, &recorder);
    }
}

/* From wherever a program may call. */
static void ask_in_secure(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    if (hook == LIVE_OPEN)
        note_status(recorder, "asked", ask(c, LR_ON));
    if (hook == LIVE_SECURE)
        note_status(recorder, "asked", ask(c, LR_ON));
    if (hook != LIVE_SECURE)
        act(c, hook, bytes, recorder);
}

static void posted(lr_conn *c, void *arg)
{
    note_status(arg, "asked", c ? ask(c, LR_ON) : LR_EGONE);
}

static void ask_in_post(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    if (hook == LIVE_SECURE) {
        if (lr_conn_post(lr_conn_id_of(c), posted, recorder) != LR_OK)
            lr_conn_abort(c, LR_EINVAL);
        return;
    }
    act(c, hook, bytes, recorder);
}

static int64_t pull(lr_conn *c, void *out, size_t cap, void *arg)
{
    live_recorder *recorder = arg;

    (void)cap;
    if (live_has(&recorder->events, "asked:LR_OK"))
        return 0;
    note_status(recorder, "asked", ask(c, LR_ON));
    memcpy(out, "pull", 4);
    return 4;
}

static void ask_in_source(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    const lr_source source = {pull, NULL, recorder};

    if (hook == LIVE_SECURE && lr_conn_write_source(c, &source) != LR_OK)
        lr_conn_abort(c, LR_EINVAL);
    if (hook != LIVE_SECURE)
        act(c, hook, bytes, recorder);
}

static void live_S84_it_may_be_asked_from_anywhere(void **state)
{
    static const struct {
        void (*act)(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder);
        const char *first, *text;
    } rows[] = {
        {ask_in_secure, "done",
         "open asked:LR_ESTATE secure asked:LR_OK peer_cert authorized::1 end close:clean "},
        {ask_in_post, "done", "open secure asked:LR_OK peer_cert authorized::1 end close:clean "},
        {ask_in_source, "pulldone",
         "open secure asked:LR_OK peer_cert authorized::1 end close:clean "},
    };
    lr_context_options options = asking();

    for (size_t i = 0; i < 2 * LIVE_COUNT_OF(rows); i++) {
        size_t len = strlen(rows[i / 2].first);
        live_recorder recorder;
        tls_client t;
        char got[8];
        live l;

        start(&l, &recorder, state, &options);
        recorder.act = rows[i / 2].act;
        come_in(&t, &l, &known, versions[i % 2], true);
        TLS_MUST(&t, tls_read(&t, got, len));
        assert_memory_equal(got, rows[i / 2].first, len);
        go(&t);
        assert_true(live_await_counts(&recorder.events, 1, 1, 1));
        live_expect(&recorder.events, rows[i / 2].text);
        stop(&l, &recorder);
    }
}

static void end_in_hook(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    if (hook == LIVE_PEER_CERT) {
        tell(c, recorder);
        lr_conn_end(c);
        note_status(recorder, "asked", ask(c, LR_ON));
        note_status(recorder, "keys", lr_conn_key_update(c));
        return;
    }
    act(c, hook, bytes, recorder);
}

static void abort_in_hook(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    if (hook == LIVE_PEER_CERT) {
        tell(c, recorder);
        lr_conn_abort(c, LR_OK);
        note_status(recorder, "asked", ask(c, LR_ON));
        return;
    }
    act(c, hook, bytes, recorder);
}

/* In the same turn as the call: nobody hears of the answer. */
static void end_while_asking(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    act(c, hook, bytes, recorder);
    if (hook == LIVE_DATA && bytes.bytes[0] == '!')
        lr_conn_end(c);
}

/* TLS 1.2 cannot renegotiate behind a close_notify; an answer of TLS 1.3 comes all the same. */
static void end_write_while_asking(lr_conn *c, live_hook hook, lr_slice bytes,
                                   live_recorder *recorder)
{
    if (hook == LIVE_PEER_CERT) {
        tell(c, recorder);
        return;
    }
    act(c, hook, bytes, recorder);
    if (hook == LIVE_DATA && bytes.bytes[0] == '!')
        lr_conn_end_write(c);
}

static void live_S84_whoever_ends_writing_still_hears_the_answer(void **state)
{
    lr_context_options options = asking();

    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        live_recorder recorder;
        tls_client t;
        char got;
        live l;

        start(&l, &recorder, state, &options);
        recorder.act = end_write_while_asking;
        come_in(&t, &l, &known, versions[i], true);
        TLS_MUST(&t, tls_write(&t, "!", 1));
        assert_false(tls_read(&t, &got, 1));
        if (versions[i] == TLS1_3_VERSION)
            assert_true(live_await(&recorder.events, "authorized::1"));
        tls_close(&t, true);
        assert_true(live_await_counts(&recorder.events, 1, 1, 1));
        live_expect(&recorder.events,
                    versions[i] == TLS1_3_VERSION
                        ? "open secure unauthorized::0 data:1 asked:LR_OK peer_cert authorized::1 "
                          "close:LR_ERESET "
                        : "open secure unauthorized::0 data:1 asked:LR_OK close:LR_ERESET ");
        stop(&l, &recorder);
    }
}

static void live_S84_the_connection_may_end_at_any_point_of_it(void **state)
{
    static const struct {
        void (*act)(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder);
        const char *text;
    } rows[] = {
        {end_in_hook, "data:1 asked:LR_OK peer_cert authorized::1 asked:LR_ECLOSED "
                      "keys:LR_ECLOSED close:clean "},
        {abort_in_hook,
         "data:1 asked:LR_OK peer_cert authorized::1 asked:LR_ECLOSED close:LR_EABORTED "},
        {end_while_asking, "data:1 asked:LR_OK close:clean "},
    };
    lr_context_options options = asking();

    for (size_t i = 0; i < 2 * LIVE_COUNT_OF(rows); i++) {
        live_recorder recorder;
        char text[240], got;
        tls_client t;
        live l;

        start(&l, &recorder, state, &options);
        recorder.act = rows[i / 2].act;
        come_in(&t, &l, &known, versions[i % 2], true);
        TLS_MUST(&t, tls_write(&t, "!", 1));
        assert_false(tls_read(&t, &got, 1));
        tls_close(&t, false);
        assert_true(live_await_counts(&recorder.events, 1, 1, 1));
        (void)snprintf(text, sizeof(text), "open secure unauthorized::0 %s", rows[i / 2].text);
        live_expect(&recorder.events, text);
        stop(&l, &recorder);
    }
}

/* A client that ends has not answered, and is not asked any more. */
static void live_S84_a_client_that_has_ended_is_not_asked(void **state)
{
    lr_context_options options = asking();
    live_recorder recorder;
    live l;

    start(&l, &recorder, state, &options);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        uint8_t unread[4096]; /* the request among it */
        tls_client t;
        size_t len;

        come_in(&t, &l, &known, versions[i], true);
        TLS_MUST(&t, tls_write(&t, "?", 1));
        TLS_MUST(&t, tls_end_write(&t));
        assert_int_equal(tcp_read_to_end(t.sock, unread, sizeof(unread), &len), 0);
        tls_close(&t, false);
        assert_true(live_await_counts(&recorder.events, i + 1, i + 1, i + 1));
    }
    live_expect(&recorder.events,
                "open secure unauthorized::0 data:1 asked:LR_OK end close:clean "
                "open secure unauthorized::0 data:1 asked:LR_OK end close:clean ");
    stop(&l, &recorder);
}

/* Behind the first data: the rest is echoed. */
static void ask_amid(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    if (hook == LIVE_DATA && !live_has(&recorder->events, "asked:LR_OK")) {
        note_status(recorder, "asked", ask(c, LR_ON));
        note_status(recorder, "keys", lr_conn_key_update(c));
    }
    if (hook == LIVE_PEER_CERT)
        tell(c, recorder);
    else
        live_echo(c, hook, bytes);
}

/* Both sides are in the middle of a long transfer when the request comes, and new keys. */
static void live_B19_data_goes_on_while_a_client_is_asked(void **state)
{
    enum { TOTAL = 3000000 };
    lr_context_options options = asking();
    live_recorder recorder;
    tls_client t;
    live l;

    start(&l, &recorder, state, &options);
    recorder.act = ask_amid;
    recorder.quiet = true;
    come_in(&t, &l, &known, TLS1_3_VERSION, true);
    TLS_MUST(&t, tls_transfer(&t, 7, TOTAL));
    tls_close(&t, true);
    assert_true(live_await_counts(&recorder.events, 1, 1, 1));
    live_expect(&recorder.events, "asked:LR_OK keys:LR_OK authorized::1 ");
    stop(&l, &recorder);
}

static void deluge(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    static uint8_t block[DELUGE];

    if (hook == LIVE_DATA && bytes.len == 2) {
        pattern_fill(1, 0, block, sizeof(block));
        if (lr_conn_write(c, lr_slice_of(block, sizeof(block))) != LR_OK)
            lr_conn_abort(c, LR_EINVAL);
        note_status(recorder, "asked", ask(c, LR_ON));
    }
    if (hook == LIVE_PEER_CERT)
        act(c, hook, bytes, recorder);
}

/* OpenSSL does not write in a renegotiation in which it is sent data (SSL_ERROR_SYSCALL), so that
 * this one only reads. */
static void live_S84_a_long_answer_goes_on_while_a_client_is_asked(void **state)
{
    lr_context_options options = asking();

    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        static uint8_t got[DELUGE + 4];
        live_recorder recorder;
        tls_client t;
        live l;

        start(&l, &recorder, state, &options);
        recorder.act = deluge;
        come_in(&t, &l, &known, versions[i], true);
        TLS_MUST(&t, tls_write(&t, "go", 2));
        TLS_MUST(&t, tls_read(&t, got, sizeof(got)));
        assert_true(pattern_fits(1, 0, got, DELUGE));
        assert_memory_equal(got + DELUGE, "done", 4);
        tls_close(&t, true);
        assert_true(live_await_counts(&recorder.events, 1, 1, 1));
        assert_true(live_has(&recorder.events, "peer_cert authorized::1"));
        stop(&l, &recorder);
    }
}

static void live_B19_new_keys_on_request(void **state)
{
    enum { TIMES = 200 }; /* more than a client may send unasked */
    lr_context_options options = {0};
    live_recorder recorder;
    tls_client t;
    live l;

    start(&l, &recorder, state, &options);
    recorder.quiet = true;
    come_in(&t, &l, &nobody, TLS1_3_VERSION, false);
    for (int i = 0; i < TIMES; i++) {
        TLS_MUST(&t, tls_write(&t, "=", 1));
        echo(&t, "ping");
    }
    recorder.quiet = false;
    TLS_MUST(&t, tls_write(&t, "=", 1));
    TLS_MUST(&t, tls_write(&t, "=", 1));
    echo(&t, "pong");
    go(&t);
    assert_true(live_await_counts(&recorder.events, 1, 1, 1));
    live_events_clear(&recorder.events);
    come_in(&t, &l, &nobody, TLS1_2_VERSION, false);
    TLS_MUST(&t, tls_write(&t, "=", 1));
    echo(&t, "pong");
    go(&t);
    assert_true(live_await_counts(&recorder.events, 2, 2, 2));
    live_expect(&recorder.events,
                "open secure unauthorized::0 data:1 keys:LR_ESTATE data:4 end close:clean ");
    stop(&l, &recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S84_a_client_is_asked_later_and_authorized),
        LIVE_TEST(live_S84_what_it_has_to_show_is_told_where_that_is_wanted),
        LIVE_TEST(live_S84_whoever_has_none_that_holds_is_refused),
        LIVE_TEST(live_S84_a_client_that_cannot_be_asked_is_told_and_lives_on),
        LIVE_TEST(live_S84_nobody_can_be_asked_unless_the_context_says_so),
        LIVE_TEST(live_S84_whoever_does_not_answer_is_cut_off),
        LIVE_TEST(live_S84_a_client_of_1_2_that_does_not_renegotiate_is_cut_off),
        LIVE_TEST(live_S84_one_request_at_a_time),
        LIVE_TEST(live_S84_what_a_client_has_shown_must_stay),
        LIVE_TEST(live_S84_a_resumed_client_is_asked_like_any_other),
        LIVE_TEST(live_S84_it_may_be_asked_from_anywhere),
        LIVE_TEST(live_S84_whoever_ends_writing_still_hears_the_answer),
        LIVE_TEST(live_S84_the_connection_may_end_at_any_point_of_it),
        LIVE_TEST(live_S84_a_client_that_has_ended_is_not_asked),
        LIVE_TEST(live_S84_a_long_answer_goes_on_while_a_client_is_asked),
        LIVE_TEST(live_B19_data_goes_on_while_a_client_is_asked),
        LIVE_TEST(live_B19_new_keys_on_request),
    };

    return LIVE_MAIN(tests);
}
