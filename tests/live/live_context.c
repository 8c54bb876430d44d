/* SPDX-License-Identifier: MIT */
/* live_context.c: what the options of a context do to a handshake with OpenSSL: suites, their
 * order, versions, groups, Diffie-Hellman, forms of keys; the rows S2, S8 to S11, S15, S102, S106,
 * S108, S112 to S114, S117 to S119, S121, S132, S133 of the reference. */
#include "client.h"
#include "pki.h"

#include <openssl/err.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a client offers. */
typedef struct offer {
    int version;
    const char *ciphers, *groups; /* OpenSSL's defaults */
} offer;

static SSL_CTX *ctx_of(const offer *o)
{
    tls_plan plan = {.version = o->version, .groups = o->groups};
    SSL_CTX *ctx = tls_ctx_new(&plan);

    assert_non_null(ctx);
    SSL_CTX_set_security_level(ctx, 0);
    if (o->ciphers)
        assert_int_equal(SSL_CTX_set_cipher_list(ctx, o->ciphers), 1);
    return ctx;
}

/* One handshake with a server of these options. The suite by OpenSSL's name, "" if there is none.
 */
static void shake_hands(void **state, const lr_context_options *context, const offer *o, char *out,
                        size_t cap)
{
    live_recorder recorder;
    live_plan plan = {
        .ring = live_ring(state), .user = &recorder, .worker_count = 1, .context = *context};
    SSL_CTX *ctx = ctx_of(o);
    bool secure;
    tls_client t;
    live l;

    live_recorder_init(&recorder);
    live_start(&l, &plan);
    TLS_MUST(&t, tls_connect(&t, ctx, NULL, l.port, "localhost"));
    secure = tls_handshake(&t);
    (void)snprintf(out, cap, "%s", secure ? SSL_get_cipher_name(t.ssl) : "");
    tls_close(&t, false);
    assert_true(live_await_counts(&recorder.events, 1, secure, 1));
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
    SSL_CTX_free(ctx);
}

static void expect_suite(void **state, const lr_context_options *context, const offer *o,
                         const char *suite)
{
    char got[80];

    shake_hands(state, context, o, got, sizeof(got));
    assert_string_equal(got, suite);
}

static lr_context_options rsa(void)
{
    return (lr_context_options){.cert_file = pki_path("server.pem"),
                                .key_file = pki_path("rsa.key")};
}

static void expect_refused(lr_context_options *options, const char *what)
{
    lr_context *context;
    lr_error err;

    options->size = sizeof(*options);
    assert_int_not_equal(lr_context_new(options, &context, &err), LR_OK);
    if (!strstr(err.text, what))
        fail_msg("'%s' does not name %s", err.text, what);
}

static void live_S2_artefacts_of_the_references_recipes_serve(void **state)
{
    /* The commands of the reference, but for questions and the path. */
    static const char recipe[] =
        "cd '%s' && exec 2>log && openssl genrsa -out key.pem 2048 && "
        "openssl req -new -sha256 -key key.pem -out csr.pem -subj /CN=localhost && "
        "openssl x509 -req -in csr.pem -signkey key.pem -out cert.pem && "
        "openssl pkcs12 -export -in cert.pem -inkey key.pem -certfile '%s' -out server.pfx "
        "-passout pass:secret && rm -f csr.pem log";
    const offer tls13 = {.version = TLS1_3_VERSION}, tls12 = {.version = TLS1_2_VERSION};
    char folder[] = "/tmp/lockring_recipe_XXXXXX", command[2048], cert[64], key[64], pfx[64];
    lr_context_options pair = {.cert_file = cert, .key_file = key};
    lr_context_options both = {.pkcs12_file = pfx, .passphrase = "secret"};

    assert_non_null(mkdtemp(folder));
    (void)snprintf(command, sizeof(command), recipe, folder, pki_path("root.pem"));
    assert_int_equal(system(command), 0);
    (void)snprintf(cert, sizeof(cert), "%s/cert.pem", folder);
    (void)snprintf(key, sizeof(key), "%s/key.pem", folder);
    (void)snprintf(pfx, sizeof(pfx), "%s/server.pfx", folder);
    expect_suite(state, &pair, &tls13, "TLS_AES_128_GCM_SHA256");
    expect_suite(state, &pair, &tls12, "ECDHE-RSA-AES128-GCM-SHA256");
    expect_suite(state, &both, &tls13, "TLS_AES_128_GCM_SHA256");
    assert_int_equal(unlink(cert) | unlink(key) | unlink(pfx) | rmdir(folder), 0);
}

static void live_S8_node4_has_the_references_suites_in_their_order(void **state)
{
    const offer two = {TLS1_2_VERSION,
                       "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384:"
                       "ECDHE-RSA-AES128-GCM-SHA256",
                       NULL};
    const offer cbc = {TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA256:AES128-SHA", NULL};
    const offer wrong_group = {TLS1_2_VERSION, NULL, "X25519"};
    lr_context_options options = rsa();

    options.profile = LR_PROFILE_NODE4;
    expect_suite(state, &options, &two, "ECDHE-RSA-AES128-GCM-SHA256");
    expect_suite(state, &options, &cbc, "");
    expect_suite(state, &options, &wrong_group, ""); /* S118: prime256v1 alone */
}

static void live_S9_the_processs_list_is_the_default(void **state)
{
    const offer any = {TLS1_2_VERSION, NULL, NULL};
    lr_context_options options = rsa();
    lr_error err;

    assert_int_equal(lr_ciphers_default_set("ECDHE-RSA-CHACHA20-POLY1305", &err), LR_OK);
    expect_suite(state, &options, &any, "ECDHE-RSA-CHACHA20-POLY1305");
    options.ciphers = "ECDHE+AES256+aRSA";
    expect_suite(state, &options, &any, "ECDHE-RSA-AES256-GCM-SHA384");
    assert_int_equal(lr_ciphers_default_set(NULL, &err), LR_OK);
    options.ciphers = NULL;
    expect_suite(state, &options, &any, "ECDHE-RSA-AES128-GCM-SHA256");
    assert_int_equal(setenv("LOCKRING_CIPHERS", "CHACHA20+ECDHE", 1), 0);
    expect_suite(state, &options, &any, "ECDHE-RSA-CHACHA20-POLY1305");
    assert_int_equal(unsetenv("LOCKRING_CIPHERS"), 0);
}

static void live_S10_a_context_has_its_own_suites(void **state)
{
    const offer tls12 = {TLS1_2_VERSION, NULL, NULL}, tls13 = {TLS1_3_VERSION, NULL, NULL};
    const offer other = {TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", NULL};
    lr_context_options options = rsa();

    options.ciphers = "TLS_AES_256_GCM_SHA384:ECDHE-RSA-AES256-GCM-SHA384";
    expect_suite(state, &options, &tls12, "ECDHE-RSA-AES256-GCM-SHA384");
    expect_suite(state, &options, &tls13, "TLS_AES_256_GCM_SHA384");
    expect_suite(state, &options, &other, "");
}

static void live_S11_the_grammar_of_openssls_lists_is_spoken(void **state)
{
    const offer tls12 = {TLS1_2_VERSION, NULL, NULL}, tls13 = {TLS1_3_VERSION, NULL, NULL};
    lr_context_options options = rsa();

    options.ciphers = "HIGH:!aNULL:!eNULL:!EXPORT:!DES:!RC4:!MD5:!PSK:!SRP:!CAMELLIA";
    expect_suite(state, &options, &tls12, "ECDHE-RSA-AES128-GCM-SHA256");
    options.ciphers = "ECDHE+AESGCM:@STRENGTH:+ECDSA";
    expect_suite(state, &options, &tls12, "ECDHE-RSA-AES256-GCM-SHA384");
    expect_suite(state, &options, &tls13, "TLS_AES_128_GCM_SHA256"); /* always there */
    options.ciphers = "ALL:-AES:!DHE";
    expect_suite(state, &options, &tls12, "ECDHE-RSA-CHACHA20-POLY1305");
    options.ciphers = "HIGH:RC4";
    expect_refused(&options, "'RC4'");
    options.ciphers = "HIGH:!NONSUCH";
    expect_refused(&options, "'!NONSUCH'");
}

static void live_S15_dhe_is_there_with_parameters_only(void **state)
{
    const offer dhe = {TLS1_2_VERSION, "DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256", NULL};
    const offer no_curve = {TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256",
                            "X448"};
    const offer any = {TLS1_2_VERSION, NULL, NULL};
    lr_context_options options = rsa();

    expect_suite(state, &options, &dhe, "");
    expect_suite(state, &options, &no_curve, "");
    options.dhparam_file = pki_path("dh2048.pem");
    expect_suite(state, &options, &dhe, "DHE-RSA-AES128-GCM-SHA256");
    expect_suite(state, &options, &no_curve, "DHE-RSA-AES128-GCM-SHA256");
    expect_suite(state, &options, &any, "ECDHE-RSA-AES128-GCM-SHA256");
    options.ciphers = "DHE-RSA-CHACHA20-POLY1305";
    expect_suite(state, &options, &any, "DHE-RSA-CHACHA20-POLY1305");
}

static void live_S119_weak_parameters_are_refused(void **state)
{
    lr_context_options options = rsa();

    (void)state;
    options.dhparam_file = pki_path("dh1024.pem");
    expect_refused(&options, "1024 bits");
    options.profile = LR_PROFILE_NODE4;
    options.dhparam_file = pki_path("dh512.pem");
    expect_refused(&options, "512 bits");
    options.dhparam_file = pki_path("dh_composite.pem");
    expect_refused(&options, "prime");
}

static void live_S106_every_form_of_key_and_certificate_serves(void **state)
{
    static const char *const keys[] = {"rsa_pkcs1.der", "rsa_pkcs8.der", "rsa_encrypted.der",
                                       "rsa.key"};
    static const char *const files[] = {"modern.p12", "des3.p12", "rc2.p12"};
    const offer any = {TLS1_2_VERSION, NULL, NULL};

    for (size_t i = 0; i < LIVE_COUNT_OF(keys); i++) {
        lr_context_options options = {
            .cert = pki_file("server.der"), .key = pki_file(keys[i]), .passphrase = "secret"};

        expect_suite(state, &options, &any, "ECDHE-RSA-AES128-GCM-SHA256");
    }
    for (size_t i = 0; i < LIVE_COUNT_OF(files); i++) {
        lr_context_options options = {.pkcs12 = pki_file(files[i]), .passphrase = "secret"};

        expect_suite(state, &options, &any, "ECDHE-RSA-AES128-GCM-SHA256");
    }
}

/* Likes the second of ours best. */
static const offer other_way_round = {
    TLS1_2_VERSION, "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256", NULL};

static void live_S108_the_order_of_the_client_decides_where_that_is_wanted(void **state)
{
    lr_context_options options = rsa();

    options.honor_cipher_order = LR_OFF;
    expect_suite(state, &options, &other_way_round, "ECDHE-RSA-AES256-GCM-SHA384");
    options.honor_cipher_order = LR_ON;
    expect_suite(state, &options, &other_way_round, "ECDHE-RSA-AES128-GCM-SHA256");
}

static void live_S121_the_order_of_the_server_decides_by_default(void **state)
{
    lr_context_options options = rsa();

    expect_suite(state, &options, &other_way_round, "ECDHE-RSA-AES128-GCM-SHA256");
    options.ciphers = "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256";
    expect_suite(state, &options, &other_way_round, "ECDHE-RSA-AES256-GCM-SHA384");
    options.ciphers = NULL;
    options.profile = LR_PROFILE_NODE4;
    expect_suite(state, &options, &other_way_round, "ECDHE-RSA-AES128-GCM-SHA256");
}

static void live_S117_without_a_list_the_suites_are_modern_ones(void **state)
{
    const offer any = {TLS1_2_VERSION, "ALL", NULL};
    const offer large = {TLS1_2_VERSION, "ECDHE-RSA-AES256-GCM-SHA384", NULL};
    const offer chacha = {TLS1_2_VERSION, "ECDHE-RSA-CHACHA20-POLY1305", NULL};
    const offer old = {TLS1_2_VERSION,
                       "ECDHE-RSA-AES128-SHA256:AES128-GCM-SHA256:AES128-SHA:"
                       "DHE-RSA-AES128-GCM-SHA256:AECDH-AES128-SHA:NULL-SHA256",
                       NULL};
    const offer tls13 = {TLS1_3_VERSION, NULL, NULL};
    lr_context_options options = rsa();

    expect_suite(state, &options, &tls13, "TLS_AES_128_GCM_SHA256");
    expect_suite(state, &options, &any, "ECDHE-RSA-AES128-GCM-SHA256");
    expect_suite(state, &options, &large, "ECDHE-RSA-AES256-GCM-SHA384");
    expect_suite(state, &options, &chacha, "ECDHE-RSA-CHACHA20-POLY1305");
    expect_suite(state, &options, &old, "");
}

static void live_S102_versions_have_a_lowest_and_a_highest(void **state)
{
    const offer tls12 = {TLS1_2_VERSION, NULL, NULL}, tls13 = {TLS1_3_VERSION, NULL, NULL};
    const offer both = {0, NULL, NULL};
    lr_context_options options = rsa();

    expect_suite(state, &options, &both, "TLS_AES_128_GCM_SHA256");
    options.version_max = LR_TLS_1_2;
    expect_suite(state, &options, &both, "ECDHE-RSA-AES128-GCM-SHA256");
    expect_suite(state, &options, &tls13, "");
    options.version_max = LR_TLS_DEFAULT;
    options.version_min = LR_TLS_1_3;
    expect_suite(state, &options, &both, "TLS_AES_128_GCM_SHA256");
    expect_suite(state, &options, &tls12, "");
    options.version_min = (lr_tls_version)0x0302; /* nothing older is spoken, whoever asks */
    expect_refused(&options, "version");
}

/* What the server of these options shows: how many certificates, and if the leaf is this one. */
static void expect_shown(void **state, const lr_context_options *context, int count, lr_slice leaf)
{
    live_recorder recorder;
    live_plan plan = {
        .ring = live_ring(state), .user = &recorder, .worker_count = 1, .context = *context};
    unsigned char *der = NULL;
    tls_client t;
    live l;
    int len;

    live_recorder_init(&recorder);
    live_start(&l, &plan);
    TLS_MUST(&t, tls_open(&t, l.port, NULL));
    assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(t.ssl)), count);
    len = i2d_X509(sk_X509_value(SSL_get_peer_cert_chain(t.ssl), 0), &der);
    assert_int_equal(len, leaf.len);
    assert_memory_equal(der, leaf.bytes, leaf.len);
    OPENSSL_free(der);
    tls_close(&t, false);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

static void live_S113_the_key_comes_from_a_file_or_from_memory_and_must_fit(void **state)
{
    const offer any = {TLS1_2_VERSION, NULL, NULL};
    lr_identity one = {LR_IDENTITY, .cert = pki_file("server.pem"), .key = pki_file("rsa.key")};
    lr_context_options options = rsa();
    lr_context_options memory = {.cert = pki_file("server.pem"), .key = pki_file("rsa.key")};
    lr_context_options several = {.identities = &one, .identity_count = 1};

    expect_suite(state, &options, &any, "ECDHE-RSA-AES128-GCM-SHA256");
    expect_suite(state, &memory, &any, "ECDHE-RSA-AES128-GCM-SHA256");
    expect_suite(state, &several, &any, "ECDHE-RSA-AES128-GCM-SHA256");
    options.key_file = pki_path("small.key"); /* another RSA key */
    expect_refused(&options, "does not belong");
    options.key_file = NULL;
    expect_refused(&options, "key");
    memory.key = pki_file("rsa_encrypted.der");
    memory.passphrase = "another";
    expect_refused(&memory, "passphrase");
    memory.passphrase = "secret";
    expect_suite(state, &memory, &any, "ECDHE-RSA-AES128-GCM-SHA256");
}

static void live_S114_the_certificate_is_shown_with_its_chain(void **state)
{
    char both[8192];
    lr_context_options options = rsa();
    lr_context_options chain = {.key = pki_file("client.key")};
    int len = snprintf(both, sizeof(both), "%s%s", pki_text("plain.pem"), pki_text("root.pem"));
    BIO *bio = BIO_new_mem_buf(both, len);
    X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    unsigned char *der = NULL;
    int der_len = i2d_X509(leaf, &der);

    assert_true(len > 0 && (size_t)len < sizeof(both) && der_len > 0);
    chain.cert = lr_slice_of(both, (size_t)len);
    expect_shown(state, &options, 1, pki_file("server.der"));
    expect_shown(state, &chain, 2, lr_slice_of(der, (size_t)der_len));
    chain.cert = pki_file("root.key");
    expect_refused(&chain, "cert");
    chain.cert = lr_slice_of(NULL, 0);
    expect_refused(&chain, "cert");
    OPENSSL_free(der);
    X509_free(leaf);
    BIO_free(bio);
}

static void live_S112_pfx_excludes_key_and_cert_and_ca(void **state)
{
    lr_context_options options = {
        .pkcs12 = pki_file("modern.p12"), .passphrase = "secret", .ca_file = pki_path("root.pem")};

    (void)state;
    expect_refused(&options, "there is ca_file too");
    options.ca_file = NULL;
    options.key_file = pki_path("rsa.key");
    expect_refused(&options, "there is key_file too");
}

static void live_S118_groups_go_by_all_their_names(void **state)
{
    static const char *const names[] = {"prime256v1", "secp256r1", "P-256"};
    const offer x25519 = {TLS1_3_VERSION, NULL, "X25519"}, p256 = {TLS1_3_VERSION, NULL, "P-256"};
    lr_context_options options = rsa();

    for (size_t i = 0; i < LIVE_COUNT_OF(names); i++) {
        options.groups = names[i];
        expect_suite(state, &options, &p256, "TLS_AES_128_GCM_SHA256");
        expect_suite(state, &options, &x25519, "");
    }
}

static void live_S132_each_suite_that_is_told_can_be_had(void **state)
{
    const char *const *names = lr_ciphers();
    size_t count = 0;

    for (; names[count]; count++) {
        const offer any = {0, "ALL", NULL};
        lr_context_options options = rsa();
        char got[80];

        if (strstr(names[count], "ECDSA")) {
            options.cert_file = pki_path("plain.pem");
            options.key_file = pki_path("client.key");
        }
        options.ciphers = names[count];
        options.dhparam_file = pki_path("dh2048.pem");
        options.version_max = strstr(names[count], "WITH") ? LR_TLS_1_2 : LR_TLS_1_3;
        shake_hands(state, &options, &any, got, sizeof(got));
        assert_string_not_equal(got, "");
    }
    assert_int_equal(count, 12);
}

static void note_authorized(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    if (hook == LIVE_SECURE)
        live_note(&recorder->events, "authorized:%d", lr_conn_is_authorized(c));
    live_echo(c, hook, bytes);
}

/* The second of the reference's echo servers: a PFX, and the client shows a certificate. */
static void live_S133_a_pfx_server_asks_its_clients(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state),
                      .user = &recorder,
                      .worker_count = 1,
                      .context = {.pkcs12 = pki_file("modern.p12"),
                                  .passphrase = "secret",
                                  .request_cert = LR_ON}};
    const offer any = {0};
    SSL_CTX *ctx = ctx_of(&any);
    char got[4];
    tls_client t;
    live l;

    live_recorder_init(&recorder);
    recorder.act = note_authorized;
    live_start(&l, &plan);
    assert_int_equal(SSL_CTX_use_certificate_file(ctx, pki_path("client.pem"), SSL_FILETYPE_PEM),
                     1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, pki_path("client.key"), SSL_FILETYPE_PEM), 1);
    TLS_MUST(&t, tls_connect(&t, ctx, NULL, l.port, "localhost"));
    TLS_MUST(&t, tls_handshake(&t));
    TLS_MUST(&t, tls_write(&t, "ping", 4));
    TLS_MUST(&t, tls_read(&t, got, 4));
    TLS_MUST(&t, tls_end_write(&t));
    assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
    tls_close(&t, false);
    assert_true(live_await_counts(&recorder.events, 1, 1, 1));
    live_expect(&recorder.events, "open secure authorized:1 data:4 end close:clean ");
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
    SSL_CTX_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S2_artefacts_of_the_references_recipes_serve),
        LIVE_TEST(live_S8_node4_has_the_references_suites_in_their_order),
        LIVE_TEST(live_S9_the_processs_list_is_the_default),
        LIVE_TEST(live_S10_a_context_has_its_own_suites),
        LIVE_TEST(live_S11_the_grammar_of_openssls_lists_is_spoken),
        LIVE_TEST(live_S15_dhe_is_there_with_parameters_only),
        LIVE_TEST(live_S102_versions_have_a_lowest_and_a_highest),
        LIVE_TEST(live_S106_every_form_of_key_and_certificate_serves),
        LIVE_TEST(live_S108_the_order_of_the_client_decides_where_that_is_wanted),
        LIVE_TEST(live_S112_pfx_excludes_key_and_cert_and_ca),
        LIVE_TEST(live_S113_the_key_comes_from_a_file_or_from_memory_and_must_fit),
        LIVE_TEST(live_S114_the_certificate_is_shown_with_its_chain),
        LIVE_TEST(live_S117_without_a_list_the_suites_are_modern_ones),
        LIVE_TEST(live_S118_groups_go_by_all_their_names),
        LIVE_TEST(live_S119_weak_parameters_are_refused),
        LIVE_TEST(live_S121_the_order_of_the_server_decides_by_default),
        LIVE_TEST(live_S132_each_suite_that_is_told_can_be_had),
        LIVE_TEST(live_S133_a_pfx_server_asks_its_clients),
    };

    return LIVE_MAIN(tests);
}
