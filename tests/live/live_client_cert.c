/* SPDX-License-Identifier: MIT */
/* live_client_cert.c: certificates of clients: asked for, judged, told; the rows S39 to S41, S76,
 * S77, S80, S107, S109, S115, S116, S122, S123 of the reference, each in TLS 1.2 and 1.3. */
#include "client.h"
#include "pki.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names of files; null: none. */
typedef struct visitor {
    const char *cert, *more, *key;
} visitor;

static const visitor nobody, known = {"client.pem", NULL, "client.key"},
                             stranger = {"stranger.pem", "other_root.pem", "client.key"};

static _Thread_local int alert_seen; /* the last one that OpenSSL read, -1: none */

static void on_info(const SSL *ssl, int where, int value)
{
    (void)ssl;
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
        alert_seen = value & 0xff;
}

static SSL_CTX *ctx_of(const visitor *v, int version)
{
    tls_plan plan = {.version = version};
    SSL_CTX *ctx = tls_ctx_new(&plan);

    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_info_callback(ctx, on_info);
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
    alert_seen = -1;
    return ctx;
}

static void tell(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    if (hook == LIVE_SECURE)
        live_note(&recorder->events, "%s:%s:%u",
                  lr_conn_is_authorized(c) ? "authorized" : "unauthorized",
                  lr_conn_authorization_error(c), lr_conn_peer_certificate_count(c));
    live_echo(c, hook, bytes);
}

/* The client comes, says a word, hears it back and goes; what the server saw is in the events. */
static void visit_and_talk(const live *l, const visitor *v, int version)
{
    SSL_CTX *ctx = ctx_of(v, version);
    char got[4];
    tls_client t;

    TLS_MUST(&t, tls_connect(&t, ctx, NULL, l->port, "localhost"));
    TLS_MUST(&t, tls_handshake(&t));
    TLS_MUST(&t, tls_write(&t, "ping", 4));
    TLS_MUST(&t, tls_read(&t, got, 4));
    TLS_MUST(&t, tls_end_write(&t));
    assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
    tls_close(&t, false);
    SSL_CTX_free(ctx);
}

/* The client comes and is sent away with that alert. */
static void visit_and_be_refused(const live *l, const visitor *v, int version, int alert)
{
    SSL_CTX *ctx = ctx_of(v, version);
    tls_client t;

    TLS_MUST(&t, tls_connect(&t, ctx, NULL, l->port, "localhost"));
    if (tls_handshake(&t)) /* TLS 1.3: the client is done before the server has judged */
        assert_int_equal(tls_read_end(&t), TLS_END_OTHER);
    assert_int_equal(alert_seen, alert);
    tls_close(&t, false);
    SSL_CTX_free(ctx);
}

static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};

/* Both versions, each with a new server. */
static void expect_welcome(void **state, const lr_context_options *context, const visitor *v,
                           const char *told)
{
    char text[160];

    (void)snprintf(text, sizeof(text), "open secure %s data:4 end close:clean ", told);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        live_recorder recorder;
        live_plan plan = {
            .ring = live_ring(state), .user = &recorder, .worker_count = 1, .context = *context};
        live l;

        live_recorder_init(&recorder);
        recorder.act = tell;
        live_start(&l, &plan);
        visit_and_talk(&l, v, versions[i]);
        assert_true(live_await_counts(&recorder.events, 1, 1, 1));
        live_expect(&recorder.events, text);
        live_stop(&l, LR_NONE);
        live_recorder_fini(&recorder);
    }
}

static void expect_refusal(void **state, const lr_context_options *context, const visitor *v,
                           int alert13, int alert12)
{
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        live_recorder recorder;
        live_plan plan = {
            .ring = live_ring(state), .user = &recorder, .worker_count = 1, .context = *context};
        int alert = versions[i] == TLS1_3_VERSION ? alert13 : alert12;
        char text[160];
        live l;

        live_recorder_init(&recorder);
        recorder.act = tell;
        live_start(&l, &plan);
        visit_and_be_refused(&l, v, versions[i], alert);
        assert_true(live_await_counts(&recorder.events, 1, 0, 1));
        (void)snprintf(text, sizeof(text), "open client_error:LR_EPEERCERT:%d close:LR_EPEERCERT ",
                       alert);
        live_expect(&recorder.events, text);
        live_stop(&l, LR_NONE);
        live_recorder_fini(&recorder);
    }
}

static lr_context_options asking(lr_toggle reject)
{
    return (lr_context_options){
        .request_cert = LR_ON, .reject_unauthorized = reject, .ca_file = pki_path("root.pem")};
}

static void live_S39_a_client_whose_certificate_holds_is_authorized(void **state)
{
    const visitor deep = {"deep.pem", "inter.pem", "client.key"},
                  rsa = {"rsa.pem", NULL, "rsa.key"};
    lr_context_options options = asking(LR_ON);

    expect_welcome(state, &options, &known, "authorized::1");
    expect_welcome(state, &options, &deep, "authorized::2");
    expect_welcome(state, &options, &rsa, "authorized::1");
}

static void live_S40_the_reason_why_not_is_told(void **state)
{
    static const struct {
        visitor v;
        const char *told;
    } cases[] = {
        {{"self.pem", NULL, "client.key"}, "unauthorized:DEPTH_ZERO_SELF_SIGNED_CERT:1"},
        {{"stranger.pem", NULL, "client.key"}, "unauthorized:UNABLE_TO_VERIFY_LEAF_SIGNATURE:1"},
        {{"stranger.pem", "other_root.pem", "client.key"},
         "unauthorized:SELF_SIGNED_CERT_IN_CHAIN:2"},
        {{"too_deep.pem", "under_short.pem", "client.key"},
         "unauthorized:UNABLE_TO_GET_ISSUER_CERT_LOCALLY:2"},
        {{"expired.pem", NULL, "client.key"}, "unauthorized:CERT_HAS_EXPIRED:1"},
        {{"not_yet.pem", NULL, "client.key"}, "unauthorized:CERT_NOT_YET_VALID:1"},
        {{"server_only.pem", NULL, "client.key"}, "unauthorized:INVALID_PURPOSE:1"},
        {{"sha1.pem", NULL, "client.key"}, "unauthorized:CA_MD_TOO_WEAK:1"},
        {{"by_noca.pem", "noca.pem", "client.key"}, "unauthorized:INVALID_CA:2"},
    };
    lr_context_options options = asking(LR_OFF);

    for (size_t i = 0; i < LIVE_COUNT_OF(cases); i++)
        expect_welcome(state, &options, &cases[i].v, cases[i].told);
}

static void live_S41_unauthorized_clients_come_in_where_that_is_wanted(void **state)
{
    lr_context_options options = asking(LR_OFF);

    expect_welcome(state, &options, &nobody, "unauthorized:UNABLE_TO_GET_ISSUER_CERT:0");
    expect_welcome(state, &options, &stranger, "unauthorized:SELF_SIGNED_CERT_IN_CHAIN:2");
}

static void tell_throughout(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    if (hook == LIVE_OPEN || hook == LIVE_SECURE || hook == LIVE_CLOSE)
        live_note(&recorder->events, "%d:%s", lr_conn_is_authorized(c),
                  lr_conn_authorization_error(c));
    live_echo(c, hook, bytes);
}

/* What the connection says at its open, when it is secure, and at its end. */
static void expect_told(void **state, const visitor *v, lr_toggle asked, const char *events)
{
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        live_recorder recorder;
        live_plan plan = {.ring = live_ring(state),
                          .user = &recorder,
                          .worker_count = 1,
                          .context = asking(LR_OFF)};
        live l;

        plan.context.request_cert = asked;
        live_recorder_init(&recorder);
        recorder.act = tell_throughout;
        live_start(&l, &plan);
        visit_and_talk(&l, v, versions[i]);
        assert_true(live_await_counts(&recorder.events, 1, 1, 1));
        live_expect(&recorder.events, events);
        live_stop(&l, LR_NONE);
        live_recorder_fini(&recorder);
    }
}

static void live_S76_authorized_is_whose_certificate_holds_and_nobody_else(void **state)
{
    expect_told(state, &known, LR_ON, "open 0: secure 1: data:4 end close:clean 1: ");
    expect_told(state, &known, LR_OFF, "open 0: secure 0: data:4 end close:clean 0: ");
}

static void live_S77_the_error_is_there_only_where_it_is_not_authorized(void **state)
{
    const visitor expired = {"expired.pem", NULL, "client.key"};

    expect_told(state, &expired, LR_ON,
                "open 0: secure 0:CERT_HAS_EXPIRED data:4 end close:clean 0:CERT_HAS_EXPIRED ");
    expect_told(state, &known, LR_ON, "open 0: secure 1: data:4 end close:clean 1: ");
    expect_told(state, &expired, LR_OFF, "open 0: secure 0: data:4 end close:clean 0: ");
}

static void expect_no_context(lr_context_options *options, const char *what)
{
    lr_context *context;
    lr_error err;

    options->size = sizeof(*options);
    options->self_signed = "localhost";
    assert_int_not_equal(lr_context_new(options, &context, &err), LR_OK);
    if (!strstr(err.text, what))
        fail_msg("'%s' does not name %s", err.text, what);
}

static void live_S115_who_is_trusted_comes_from_a_file_from_memory_or_both(void **state)
{
    static const char untrusted[] = "unauthorized:SELF_SIGNED_CERT_IN_CHAIN:2";
    lr_context_options options = asking(LR_OFF), memory = options, both = options;

    expect_welcome(state, &options, &known, "authorized::1");
    expect_welcome(state, &options, &stranger, untrusted);
    memory.ca_file = NULL;
    memory.ca = pki_file("other_root.pem");
    expect_welcome(state, &memory, &known, "unauthorized:UNABLE_TO_VERIFY_LEAF_SIGNATURE:1");
    expect_welcome(state, &memory, &stranger, "authorized::2");
    both.ca = pki_file("other_root.pem");
    expect_welcome(state, &both, &known, "authorized::1");
    expect_welcome(state, &both, &stranger, "authorized::2");
    both.ca_file = pki_path("root.key"); /* there is no certificate in it */
    expect_no_context(&both, "root.key");
}

static void live_S116_lists_come_from_files_and_from_memory(void **state)
{
    const visitor revoked = {"revoked.pem", NULL, "client.key"};
    const char *files[] = {pki_path("root.crl"), pki_path("inter.crl")};
    const lr_slice lists[] = {pki_file("root_crl.der")};
    lr_context_options options = asking(LR_OFF);

    expect_welcome(state, &options, &revoked, "authorized::1"); /* nobody told */
    options.crl_files = files;
    options.crl_file_count = 2;
    expect_welcome(state, &options, &revoked, "unauthorized:CERT_REVOKED:1");
    expect_welcome(state, &options, &known, "authorized::1");
    options.crl_file_count = 0;
    options.crls = lists;
    options.crl_count = 1;
    expect_welcome(state, &options, &revoked, "unauthorized:CERT_REVOKED:1");
    expect_welcome(state, &options, &known, "authorized::1");
    files[0] = pki_path("root.pem"); /* no list */
    options.crl_file_count = 1;
    expect_no_context(&options, "root.pem");
}

static void live_S107_crl_tells_revoked_and_missing_apart(void **state)
{
    const visitor revoked = {"revoked.pem", NULL, "client.key"};
    const visitor deep = {"deep.pem", "inter.pem", "client.key"};
    const char *files[] = {pki_path("root.crl")};
    const lr_slice lists[] = {pki_file("inter.crl")};
    lr_context_options options = asking(LR_OFF);

    options.crl_files = files;
    options.crl_file_count = 1;
    expect_welcome(state, &options, &known, "authorized::1");
    expect_welcome(state, &options, &revoked, "unauthorized:CERT_REVOKED:1");
    expect_welcome(state, &options, &deep, "unauthorized:UNABLE_TO_GET_CRL:2");
    options.crls = lists;
    options.crl_count = 1;
    expect_welcome(state, &options, &deep, "authorized::2");
    options.reject_unauthorized = LR_ON;
    expect_refusal(state, &options, &revoked, 44, 44);
    options.crl_count = 0;
    expect_refusal(state, &options, &deep, 46, 46);
}

static void live_S109_without_ca_the_public_ones_are_trusted(void **state)
{
    lr_context_options options = {.request_cert = LR_ON, .reject_unauthorized = LR_OFF};

    assert_int_equal(setenv("SSL_CERT_FILE", pki_path("root.pem"), 1), 0);
    expect_welcome(state, &options, &known, "authorized::1");
    options.ca_system = LR_OFF;
    expect_welcome(state, &options, &known, "unauthorized:UNABLE_TO_VERIFY_LEAF_SIGNATURE:1");
    options.ca_system = LR_DEFAULT;
    options.ca_file = pki_path("other_root.pem");
    expect_welcome(state, &options, &known, "unauthorized:UNABLE_TO_VERIFY_LEAF_SIGNATURE:1");
    options.ca_system = LR_ON;
    expect_welcome(state, &options, &known, "authorized::1");
    assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
}

static void live_S122_nobody_is_asked_by_default(void **state)
{
    lr_context_options options = {.ca_file = pki_path("root.pem")};

    expect_welcome(state, &options, &known, "unauthorized::0");
    expect_welcome(state, &options, &nobody, "unauthorized::0");
}

static void live_S123_whoever_has_no_certificate_that_holds_is_refused(void **state)
{
    static const struct {
        visitor v;
        int alert;
    } cases[] = {
        {{"self.pem", NULL, "client.key"}, 48},
        {{"stranger.pem", "other_root.pem", "client.key"}, 48},
        {{"too_deep.pem", "under_short.pem", "client.key"}, 48},
        {{"expired.pem", NULL, "client.key"}, 45},
        {{"not_yet.pem", NULL, "client.key"}, 45},
        {{"server_only.pem", NULL, "client.key"}, 43},
        {{"by_noca.pem", "noca.pem", "client.key"}, 48},
    };
    lr_context_options options = asking(LR_DEFAULT);

    for (size_t i = 0; i < LIVE_COUNT_OF(cases); i++)
        expect_refusal(state, &options, &cases[i].v, cases[i].alert, cases[i].alert);
    expect_refusal(state, &options, &nobody, 116, 40);
    options.profile = LR_PROFILE_NODE4;
    expect_welcome(state, &options, &nobody, "unauthorized:UNABLE_TO_GET_ISSUER_CERT:0");
    options.reject_unauthorized = LR_ON;
    expect_refusal(state, &options, &nobody, 116, 40);
}

/* What wolfSSL would trust after it let somebody pass: the next one must not profit from it. */
static void nobody_is_trusted_for_having_been_let_in(void **state)
{
    const visitor alone = {"stranger.pem", NULL, "client.key"};
    const visitor deep = {"deep.pem", "inter.pem", "client.key"};
    const visitor deep_alone = {"deep.pem", NULL, "client.key"};
    lr_context_options options = asking(LR_OFF);

    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        live_recorder recorder;
        live_plan plan = {
            .ring = live_ring(state), .user = &recorder, .worker_count = 1, .context = options};
        const visitor *const guests[] = {&stranger, &stranger, &alone, &deep, &deep_alone};
        const char *const told[] = {
            "unauthorized:SELF_SIGNED_CERT_IN_CHAIN:2", "unauthorized:SELF_SIGNED_CERT_IN_CHAIN:2",
            "unauthorized:UNABLE_TO_VERIFY_LEAF_SIGNATURE:1", "authorized::2",
            "unauthorized:UNABLE_TO_VERIFY_LEAF_SIGNATURE:1"};
        live l;

        live_recorder_init(&recorder);
        recorder.act = tell;
        live_start(&l, &plan);
        for (size_t j = 0; j < LIVE_COUNT_OF(guests); j++) {
            char text[160];

            visit_and_talk(&l, guests[j], versions[i]);
            assert_true(live_await_counts(&recorder.events, j + 1, j + 1, j + 1));
            (void)snprintf(text, sizeof(text), "open secure %s data:4 end close:clean ", told[j]);
            live_expect(&recorder.events, text);
            live_events_clear(&recorder.events);
        }
        live_stop(&l, LR_NONE);
        live_recorder_fini(&recorder);
    }
}

static void look_at_certificates(lr_conn *c, live_hook hook, lr_slice bytes,
                                 live_recorder *recorder)
{
    lr_slice leaf = lr_conn_peer_certificate(c, 0), none = lr_conn_peer_certificate(c, 2);

    if (hook == LIVE_SECURE || hook == LIVE_CLOSE)
        live_note(&recorder->events, "%zu:%zu:%d", leaf.len, none.len,
                  leaf.len == pki_file("client.der").len &&
                      memcmp(leaf.bytes, pki_file("client.der").bytes, leaf.len) == 0);
    live_echo(c, hook, bytes);
}

static void live_S80_the_certificates_are_there_byte_by_byte_to_the_end(void **state)
{
    live_recorder recorder;
    live_plan plan = {
        .ring = live_ring(state), .user = &recorder, .worker_count = 1, .context = asking(LR_ON)};
    char text[200];
    size_t len = pki_file("client.der").len;
    live l;

    live_recorder_init(&recorder);
    recorder.act = look_at_certificates;
    live_start(&l, &plan);
    visit_and_talk(&l, &known, TLS1_3_VERSION);
    assert_true(live_await_counts(&recorder.events, 1, 1, 1));
    (void)snprintf(text, sizeof(text), "open secure %zu:0:1 data:4 end close:clean %zu:0:1 ", len,
                   len);
    live_expect(&recorder.events, text);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S39_a_client_whose_certificate_holds_is_authorized),
        LIVE_TEST(live_S40_the_reason_why_not_is_told),
        LIVE_TEST(live_S41_unauthorized_clients_come_in_where_that_is_wanted),
        LIVE_TEST(live_S76_authorized_is_whose_certificate_holds_and_nobody_else),
        LIVE_TEST(live_S77_the_error_is_there_only_where_it_is_not_authorized),
        LIVE_TEST(live_S80_the_certificates_are_there_byte_by_byte_to_the_end),
        LIVE_TEST(live_S107_crl_tells_revoked_and_missing_apart),
        LIVE_TEST(live_S109_without_ca_the_public_ones_are_trusted),
        LIVE_TEST(live_S115_who_is_trusted_comes_from_a_file_from_memory_or_both),
        LIVE_TEST(live_S116_lists_come_from_files_and_from_memory),
        LIVE_TEST(live_S122_nobody_is_asked_by_default),
        LIVE_TEST(live_S123_whoever_has_no_certificate_that_holds_is_refused),
        LIVE_TEST(nobody_is_trusted_for_having_been_let_in),
    };

    return LIVE_MAIN(tests);
}
