/* SPDX-License-Identifier: MIT */
/* live_renegotiation.c: renegotiations that OpenSSL begins over TLS 1.2. The edges of the window
 * stand in tests/unit/test_engine_renegotiation.c, where the test turns the clock. */
#include "client.h"
#include "pki.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <stdio.h>
#include <string.h>

enum { LIMIT = 3, DELUGE = 400000 };

/* Of tests/unit/fixtures.c, whose header is not for live tests. */
extern const char fixture_ecdsa[], fixture_ecdsa_key[], fixture_leaf[], fixture_rsa[],
    fixture_rsa_key[];

static const tls_plan plan_1_2 = {.version = TLS1_2_VERSION};

static void start(live *l, live_recorder *recorder, void **state, lr_context_options context)
{
    live_plan plan = {.ring = live_ring(state),
                      .user = recorder,
                      .worker_count = 1,
                      .context = context,
                      .handshake_timeout_ms = context.renegotiation_count == 1 ? 1000 : 0};

    live_recorder_init(recorder);
    live_start(l, &plan);
}

static void stop(live *l, live_recorder *recorder)
{
    live_stop(l, LR_NONE);
    live_recorder_fini(recorder);
}

static void echo(tls_client *t)
{
    char got[4];

    TLS_MUST(t, tls_write(t, "ping", 4));
    TLS_MUST(t, tls_read(t, got, 4));
    assert_memory_equal(got, "ping", 4);
}

/* One renegotiation to its end. */
static bool renegotiate(tls_client *t)
{
    ERR_clear_error();
    if (SSL_renegotiate(t->ssl) != 1)
        return false;
    return tls_handshake(t);
}

/* Its alert is where the client's handshake ended. */
static void expect_refused(tls_client *t, int alert)
{
    assert_false(renegotiate(t));
    if (tls_alert_of(t) != alert)
        fail_msg("not alert %d: %s", alert, t->why);
}

static void live_S3_three_pass_and_the_fourth_is_refused(void **state)
{
    lr_context_options context = {.renegotiation_count = LIMIT};
    live_recorder recorder;
    tls_client t;
    live l;

    start(&l, &recorder, state, context);
    TLS_MUST(&t, tls_open(&t, l.port, &plan_1_2));
    for (int i = 0; i < LIMIT; i++) {
        echo(&t);
        TLS_MUST(&t, renegotiate(&t));
    }
    echo(&t);
    expect_refused(&t, SSL_AD_HANDSHAKE_FAILURE);
    tls_close(&t, false);
    assert_true(live_await(&recorder.events, "close:LR_ERENEGOTIATION"));
    live_expect(&recorder.events,
                "open secure data:4 data:4 data:4 data:4 close:LR_ERENEGOTIATION ");
    stop(&l, &recorder);
}

static void live_S3_the_profile_of_node4_allows_three(void **state)
{
    lr_context_options context = {.profile = LR_PROFILE_NODE4, .cert = {0}};
    live_recorder recorder;
    tls_client t;
    live l;

    context.cert = lr_slice_of(fixture_rsa, strlen(fixture_rsa));
    context.key = lr_slice_of(fixture_rsa_key, strlen(fixture_rsa_key));
    start(&l, &recorder, state, context);
    TLS_MUST(&t, tls_open(&t, l.port, &plan_1_2));
    for (int i = 0; i < LIMIT; i++)
        TLS_MUST(&t, renegotiate(&t));
    expect_refused(&t, SSL_AD_HANDSHAKE_FAILURE);
    tls_close(&t, false);
    assert_true(live_await(&recorder.events, "close:LR_ERENEGOTIATION"));
    stop(&l, &recorder);
}

/* OpenSSL ends a connection whose renegotiation is refused; that others do not is tested in
 * tests/unit/test_engine_records.c. */
static void live_S3_by_default_it_is_refused_by_a_warning(void **state)
{
    live_recorder recorder;
    tls_client t;
    live l;

    start(&l, &recorder, state, (lr_context_options){0});
    TLS_MUST(&t, tls_open(&t, l.port, &plan_1_2));
    echo(&t);
    assert_false(renegotiate(&t));
    assert_non_null(strstr(t.why, "no renegotiation"));
    tls_close(&t, false);
    assert_true(live_await(&recorder.events, "close:LR_EALERT")); /* the client's own */
    stop(&l, &recorder);
}

static void live_S5_the_one_above_the_limit_ends_its_connection_and_no_other(void **state)
{
    lr_context_options context = {.renegotiation_count = LIMIT};
    live_recorder recorder;
    tls_client t, others[3];
    live l;

    start(&l, &recorder, state, context);
    TLS_MUST(&t, tls_open(&t, l.port, &plan_1_2));
    for (int i = 0; i < 3; i++) {
        tls_plan plan = {.version = i == 2 ? TLS1_3_VERSION : TLS1_2_VERSION};

        TLS_MUST(&others[i], tls_open(&others[i], l.port, &plan));
    }
    for (int i = 0; i < LIMIT; i++)
        TLS_MUST(&t, renegotiate(&t));
    TLS_MUST(&others[0], renegotiate(&others[0])); /* each has its own window */
    expect_refused(&t, SSL_AD_HANDSHAKE_FAILURE);
    tls_close(&t, false);
    assert_true(live_await_counts(&recorder.events, 4, 4, 1));
    assert_true(live_has(&recorder.events, "close:LR_ERENEGOTIATION"));
    for (int i = 0; i < 3; i++) {
        echo(&others[i]);
        tls_close(&others[i], true);
    }
    stop(&l, &recorder);
}

static void live_S6_the_limit_of_the_process_is_that_of_contexts_without_one(void **state)
{
    lr_context_options own = {.renegotiation_count = 2};
    live_recorder recorder;
    lr_error err;
    live l;

    assert_int_equal(lr_renegotiation_default_set(5, 60, &err), LR_OK);
    for (int with = 0; with <= 1; with++) {
        tls_client t;

        start(&l, &recorder, state, with ? own : (lr_context_options){0});
        TLS_MUST(&t, tls_open(&t, l.port, &plan_1_2));
        for (int i = 0; i < (with ? 2 : 5); i++)
            TLS_MUST(&t, renegotiate(&t));
        expect_refused(&t, SSL_AD_HANDSHAKE_FAILURE);
        tls_close(&t, false);
        stop(&l, &recorder);
    }
    assert_int_equal(lr_renegotiation_default_set(0, 0, &err), LR_OK);
}

/* The worker's clock goes on by itself: whoever has waited for the window may begin one more. */
static void live_S4_after_the_window_one_more_may_begin(void **state)
{
    lr_context_options context = {.renegotiation_count = 2, .renegotiation_window_s = 1};
    live_recorder recorder;
    tls_client t;
    live l;

    start(&l, &recorder, state, context);
    recorder.quiet = true;
    TLS_MUST(&t, tls_open(&t, l.port, &plan_1_2));
    for (int round = 0; round < 2; round++) {
        uint64_t until;

        TLS_MUST(&t, renegotiate(&t));
        TLS_MUST(&t, renegotiate(&t));
        until = live_now_ms() + 1001;
        while (live_now_ms() < until)
            echo(&t);
    }
    tls_close(&t, true);
    stop(&l, &recorder);
}

static void deluge(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    static uint8_t block[DELUGE];

    (void)bytes;
    (void)recorder;
    if (hook != LIVE_DATA)
        return;
    pattern_fill(1, 0, block, sizeof(block));
    if (lr_conn_write(c, lr_slice_of(block, sizeof(block))) != LR_OK)
        lr_conn_abort(c, LR_EINVAL);
}

/* The server is in the middle of a long answer when the client begins. */
static void live_S3_data_goes_on_in_the_middle_of_it(void **state)
{
    lr_context_options context = {.renegotiation_count = LIMIT};
    live_recorder recorder;
    static uint8_t got[DELUGE];
    tls_client t;
    live l;

    start(&l, &recorder, state, context);
    recorder.act = deluge;
    TLS_MUST(&t, tls_open(&t, l.port, &plan_1_2));
    for (int i = 0; i < LIMIT; i++) {
        TLS_MUST(&t, tls_write(&t, "go", 2));
        TLS_MUST(&t, tls_read(&t, got, 1000));
        assert_int_equal(SSL_renegotiate(t.ssl), 1);
        TLS_MUST(&t, tls_read(&t, got + 1000, sizeof(got) - 1000));
        assert_true(pattern_fits(1, 0, got, sizeof(got)));
        TLS_MUST(&t, tls_handshake(&t));
        assert_int_equal(SSL_renegotiate_pending(t.ssl), 0);
    }
    tls_close(&t, true);
    assert_true(live_await_counts(&recorder.events, 1, 1, 1));
    stop(&l, &recorder);
}

static void live_S3_the_server_name_must_stay(void **state)
{
    lr_context_options context = {.renegotiation_count = LIMIT};
    live_recorder recorder;
    tls_client t;
    live l;

    start(&l, &recorder, state, context);
    TLS_MUST(&t, tls_open(&t, l.port, &plan_1_2));
    TLS_MUST(&t, renegotiate(&t));
    assert_int_equal(SSL_set_tlsext_host_name(t.ssl, "other.test"), 1);
    expect_refused(&t, SSL_AD_UNRECOGNIZED_NAME);
    tls_close(&t, false);
    assert_true(live_await(&recorder.events, "close:LR_ENAME"));
    stop(&l, &recorder);
}

static void use_certificate(tls_client *t, const char *cert, const char *key)
{
    BIO *bio = BIO_new_mem_buf(cert, -1), *key_bio = BIO_new_mem_buf(key, -1);
    X509 *x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);

    assert_int_equal(SSL_use_certificate(t->ssl, x509), 1);
    assert_int_equal(SSL_use_PrivateKey(t->ssl, pkey), 1);
    X509_free(x509);
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    BIO_free(key_bio);
}

static void open_with(tls_client *t, uint16_t port, const char *cert, const char *key)
{
    SSL_CTX *ctx = tls_ctx_new(&plan_1_2);

    TLS_MUST(t, tls_connect(t, ctx, NULL, port, "localhost"));
    if (cert)
        use_certificate(t, cert, key);
    TLS_MUST(t, tls_handshake(t));
    SSL_CTX_free(ctx);
}

static void live_S3_the_certificate_of_the_client_must_stay(void **state)
{
    /* wolfSSL 5.9.2 checks a key of another kind against the first one's and calls it a wrong
     * signature; what it would let pass is found behind it. */
    static const struct {
        const char *first, *first_key, *second, *second_key;
        const char *event; /* null: it passes */
    } rows[] = {
        {fixture_ecdsa, fixture_ecdsa_key, fixture_ecdsa, fixture_ecdsa_key, NULL},
        {fixture_ecdsa, fixture_ecdsa_key, fixture_leaf, fixture_ecdsa_key, "close:LR_EPEERCERT"},
        {fixture_ecdsa, fixture_ecdsa_key, fixture_rsa, fixture_rsa_key, "close:LR_ETLS"},
        {NULL, NULL, fixture_rsa, fixture_rsa_key, "close:LR_EPEERCERT"},
        {NULL, NULL, NULL, NULL, NULL},
    };
    lr_context_options context = {
        .renegotiation_count = LIMIT, .request_cert = LR_ON, .reject_unauthorized = LR_OFF};
    live_recorder recorder;
    live l;

    context.ca = lr_slice_of(fixture_ecdsa, strlen(fixture_ecdsa));
    start(&l, &recorder, state, context);
    for (size_t i = 0; i < LIVE_COUNT_OF(rows); i++) {
        tls_client t;

        live_events_clear(&recorder.events);
        open_with(&t, l.port, rows[i].first, rows[i].first_key);
        echo(&t);
        if (rows[i].second)
            use_certificate(&t, rows[i].second, rows[i].second_key);
        if (!rows[i].event) {
            TLS_MUST(&t, renegotiate(&t));
            echo(&t);
            tls_close(&t, true);
            assert_true(live_await_counts(&recorder.events, i + 1, i + 1, i + 1));
            continue;
        }
        (void)renegotiate(&t); /* true if the server's Finished comes before its alert */
        tls_close(&t, false);
        assert_true(live_await(&recorder.events, rows[i].event));
    }
    stop(&l, &recorder);
}

/* Of a client that was resumed by a ticket the server knows its certificate's digest alone. */
static void live_S3_the_certificate_of_a_resumed_client_must_stay_too(void **state)
{
    const char *key = pki_text("client.key");
    const struct {
        const char *second, *event; /* event null: it passes */
    } rows[] = {
        {pki_text("client.pem"), NULL},
        {pki_text("stranger.pem"), "close:LR_EPEERCERT"},
        {NULL, "close:LR_EPEERCERT"},
    };
    lr_context_options context = {
        .renegotiation_count = LIMIT, .request_cert = LR_ON, .reject_unauthorized = LR_OFF};
    SSL_CTX *ctx = tls_ctx_new(&plan_1_2);
    SSL_SESSION *session;
    live_recorder recorder;
    tls_client t;
    live l;

    context.ca = pki_file("root.pem");
    start(&l, &recorder, state, context);
    open_with(&t, l.port, pki_text("client.pem"), key);
    echo(&t);
    session = SSL_get1_session(t.ssl);
    SSL_set_shutdown(t.ssl, SSL_SENT_SHUTDOWN); /* or it would be a bad session */
    tls_close(&t, true);
    for (size_t i = 0; i < LIVE_COUNT_OF(rows); i++) {
        live_events_clear(&recorder.events);
        TLS_MUST(&t, tls_connect(&t, ctx, NULL, l.port, "localhost"));
        assert_int_equal(SSL_set_session(t.ssl, session), 1);
        TLS_MUST(&t, tls_handshake(&t));
        assert_int_equal(SSL_session_reused(t.ssl), 1);
        echo(&t);
        if (rows[i].second)
            use_certificate(&t, rows[i].second, key);
        if (rows[i].event) {
            (void)renegotiate(&t); /* true if the server's Finished comes before its alert */
            assert_true(live_await(&recorder.events, rows[i].event));
        } else {
            TLS_MUST(&t, renegotiate(&t));
            echo(&t);
        }
        SSL_set_shutdown(t.ssl, SSL_SENT_SHUTDOWN);
        tls_close(&t, true);
        assert_true(live_await_counts(&recorder.events, i + 2, i + 2, i + 2));
    }
    SSL_SESSION_free(session);
    SSL_CTX_free(ctx);
    stop(&l, &recorder);
}

/* Whoever begins one and goes silent does not hold what it costs for ever. */
static void live_S3_one_that_takes_too_long_ends_its_connection(void **state)
{
    lr_context_options context = {.renegotiation_count = 1};
    live_recorder recorder;
    uint8_t hello[4096];
    tls_client t;
    size_t len;
    live l;

    start(&l, &recorder, state, context);
    TLS_MUST(&t, tls_open(&t, l.port, &plan_1_2));
    assert_int_equal(SSL_renegotiate(t.ssl), 1);
    len = tls_first_flight(&t, hello, sizeof(hello));
    assert_int_not_equal(len, 0);
    assert_true(tcp_send(t.sock, hello, len));
    assert_true(live_await(&recorder.events, "close:LR_EHANDSHAKE_TIMEOUT"));
    tls_close(&t, false);
    stop(&l, &recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S3_three_pass_and_the_fourth_is_refused),
        LIVE_TEST(live_S3_the_profile_of_node4_allows_three),
        LIVE_TEST(live_S3_by_default_it_is_refused_by_a_warning),
        LIVE_TEST(live_S5_the_one_above_the_limit_ends_its_connection_and_no_other),
        LIVE_TEST(live_S6_the_limit_of_the_process_is_that_of_contexts_without_one),
        LIVE_TEST(live_S4_after_the_window_one_more_may_begin),
        LIVE_TEST(live_S3_the_certificate_of_a_resumed_client_must_stay_too),
        LIVE_TEST(live_S3_data_goes_on_in_the_middle_of_it),
        LIVE_TEST(live_S3_the_server_name_must_stay),
        LIVE_TEST(live_S3_the_certificate_of_the_client_must_stay),
        LIVE_TEST(live_S3_one_that_takes_too_long_ends_its_connection),
    };

    return LIVE_MAIN(tests);
}
