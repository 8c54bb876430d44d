/* SPDX-License-Identifier: MIT */
/* Contexts: PKCS#12, authorities, revocation lists, completed chains, and the policy's digest. */
#include "support.h"

#include "core/base/mem.h"
#include "core/tls/context.h"
#include "core/tls/engine.h"
#include "tests/live/pki.h"
#include "tls_client.h"

#include <stdio.h>
#include <stdlib.h>

static tls_world world;
static lr_error err;

static int enter(void **state)
{
    (void)state;
    tls_world_enter(&world, 9);
    (void)unsetenv("SSL_CERT_FILE");
    return 0;
}

static int leave(void **state)
{
    (void)state;
    tls_world_leave(&world);
    return 0;
}

static lr_context_options rsa(void)
{
    return (lr_context_options){LR_CONTEXT_OPTIONS, .cert_file = pki_path("server.pem"),
                                .key_file = pki_path("rsa.key")};
}

static lr_context_options pfx(const char *name, const char *passphrase)
{
    return (lr_context_options){LR_CONTEXT_OPTIONS, .pkcs12_file = pki_path(name),
                                .passphrase = passphrase};
}

static lr_context *made(const lr_context_options *options)
{
    lr_context *context = NULL;

    if (lr_context_new(options, &context, &err) != LR_OK)
        fail_msg("%s", err.text);
    return context;
}

static void assert_refused(const lr_context_options *options, lr_status status, const char *where,
                           const char *what)
{
    uint64_t live = lr__mem_read().live;
    lr_context *context;

    assert_int_equal(lr_context_new(options, &context, &err), status);
    assert_null(context);
    if (!strstr(err.text, where) || !strstr(err.text, what))
        fail_msg("'%s' names neither '%s' nor '%s'", err.text, where, what);
    assert_int_equal(lr__mem_read().live, live);
}

static void s2_pkcs12_files_new_and_old_are_taken(void **state)
{
    static const char *const names[] = {"modern.p12", "des3.p12", "rc2.p12"};
    lr_context_options options;
    lr_context *context;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(names); i++) {
        options = pfx(names[i], "secret");
        context = made(&options);
        assert_int_equal(context->identities[0].certificate_count, 3);
        assert_int_equal(context->identities[0].kind, LR__KEY_RSA);
        assert_true(lr__same_bytes(lr_context_certificate(context), pki_file("server.der")));
        assert_int_equal(context->trust.authority_count, 2);
        lr_context_release(context);
    }
    options = pfx("open.p12", NULL);
    context = made(&options);
    assert_int_equal(context->identities[0].certificate_count, 1);
    lr_context_release(context);
    options = (lr_context_options){LR_CONTEXT_OPTIONS, .pkcs12 = pki_file("modern.p12"),
                                   .passphrase = "secret", .request_cert = LR_ON};
    lr_context_release(made(&options)); /* its authorities are who is trusted */
}

static void pkcs12_files_that_do_not_open_are_refused_by_name(void **state)
{
    lr_context_options options = pfx("modern.p12", "wrong");

    (void)state;
    assert_refused(&options, LR_EKEY, "modern.p12", "wrong passphrase");
    options.passphrase = NULL;
    assert_refused(&options, LR_EKEY, "modern.p12", "wrong passphrase");
    options = pfx("nokey.p12", "secret");
    assert_refused(&options, LR_EKEY, "nokey.p12", "");
    options = pfx("server.pem", "secret");
    assert_refused(&options, LR_EKEY, "server.pem", "no PKCS#12");
    options = pfx("server.der", "secret");
    assert_refused(&options, LR_EKEY, "server.der", "no PKCS#12");
    options.pkcs12_file = "/nonexistent/file.p12";
    assert_refused(&options, LR_EFILE, "/nonexistent/file.p12", "ENOENT");
}

static void s112_pkcs12_excludes_key_and_cert_and_ca(void **state)
{
    const lr_identity identities[] = {{LR_IDENTITY, .cert_file = "x", .key_file = "y"}};
    lr_context_options options = pfx("modern.p12", "secret");
    const lr_context_options alone = options;

    (void)state;
    options.cert_file = pki_path("server.pem");
    assert_refused(&options, LR_EOPTION, "pkcs12_file", "there is cert_file too");
    options = alone;
    options.cert = pki_file("server.pem");
    assert_refused(&options, LR_EOPTION, "pkcs12_file", "there is cert too");
    options = alone;
    options.key_file = pki_path("rsa.key");
    assert_refused(&options, LR_EOPTION, "pkcs12_file", "there is key_file too");
    options = alone;
    options.key = pki_file("rsa.key");
    assert_refused(&options, LR_EOPTION, "pkcs12_file", "there is key too");
    options = alone;
    options.ca_file = pki_path("root.pem");
    assert_refused(&options, LR_EOPTION, "pkcs12_file", "there is ca_file too");
    options = alone;
    options.ca = pki_file("root.pem");
    assert_refused(&options, LR_EOPTION, "pkcs12_file", "there is ca too");
    options = alone;
    options.self_signed = "localhost";
    assert_refused(&options, LR_EOPTION, "pkcs12_file", "there is self_signed too");
    options = alone;
    options.identities = identities;
    assert_refused(&options, LR_EOPTION, "pkcs12_file", "there is identities too");
    options = alone;
    options.pkcs12 = pki_file("modern.p12");
    assert_refused(&options, LR_EOPTION, "pkcs12_file", "there is pkcs12 too");
}

static void want_of_memory_in_pkcs12_leaves_nothing(void **state)
{
    const lr_context_options options = pfx("rc2.p12", "secret");
    lr_status status = LR_ENOMEM;

    (void)state;
    lr_context_release(made(&options));
    for (uint64_t n = 1; status != LR_OK && n < 60; n++) {
        uint64_t live = lr__mem_read().live;
        lr_context *context;

        (void)lr__mem_fail_at(n, true);
        status = lr_context_new(&options, &context, &err);
        (void)lr__mem_fail_at(0, false);
        assert_int_not_equal(status, LR_OK);
        assert_int_equal(lr__mem_read().live, live);
    }
}

static void s29_ca_completes_the_chain_and_tells_the_issuer(void **state)
{
    const lr__gate_choice choice = {.identity = 0};
    lr_context_options options = rsa();
    char both[8192];
    lr_slice certificate, issuer;
    lr_context *context = made(&options);

    (void)state;
    assert_int_equal(context->identities[0].certificate_count, 1);
    lr__context_chain_of(context, &choice, &certificate, &issuer);
    assert_int_equal(issuer.len, 0);
    lr_context_release(context);
    (void)snprintf(both, sizeof(both), "%s%s", pki_text("root.pem"), pki_text("inter.pem"));
    options.ca = lr_slice_of(both, strlen(both));
    context = made(&options);
    assert_int_equal(context->identities[0].certificate_count, 2); /* without the root */
    lr__context_chain_of(context, &choice, &certificate, &issuer);
    assert_true(lr__same_bytes(certificate, pki_file("server.der")));
    assert_true(lr__same_bytes(issuer, context->identities[0].certificates[1]));
    lr_context_release(context);
    /* A root is not sent, but it is the issuer. */
    options =
        (lr_context_options){LR_CONTEXT_OPTIONS, .cert_file = pki_path("plain.pem"),
                             .key_file = pki_path("client.key"), .ca_file = pki_path("root.pem")};
    context = made(&options);
    assert_int_equal(context->identities[0].certificate_count, 1);
    lr__context_chain_of(context, &choice, &certificate, &issuer);
    assert_true(lr__same_bytes(issuer, context->trust.authorities[0].der));
    lr_context_release(context);
}

static void authorities_and_lists_that_are_none_are_refused_by_name(void **state)
{
    static const char bad[] = "x\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    const char *missing[] = {"/nonexistent/list.crl"}, *wrong[] = {pki_path("root.pem")};
    lr_slice lists[] = {pki_file("server.der")};
    lr_context_options options = rsa();

    (void)state;
    options.ca_file = "/nonexistent/ca.pem";
    assert_refused(&options, LR_EFILE, "/nonexistent/ca.pem", "ENOENT");
    options.ca_file = pki_path("rsa.key");
    assert_refused(&options, LR_ECERTIFICATE, "rsa.key", "no certificate");
    options.ca_file = NULL;
    options.ca = lr_slice_of(bad, strlen(bad));
    assert_refused(&options, LR_ECERTIFICATE, "ca: line 2", "malformed");
    options.ca = lr_slice_of(NULL, 0);
    options.crl_file_count = 1;
    assert_refused(&options, LR_EOPTION, "crl_files", "null");
    options.crl_files = missing;
    assert_refused(&options, LR_EFILE, "/nonexistent/list.crl", "ENOENT");
    options.crl_files = wrong;
    assert_refused(&options, LR_EOPTION, "root.pem", "no revocation list");
    options.crl_file_count = 0;
    options.crls = lists;
    options.crl_count = 1;
    assert_refused(&options, LR_EOPTION, "crls", "no certificate revocation list");
    options.crl_count = 0;
    options.ca_system = LR_ON;
    assert_int_equal(setenv("SSL_CERT_FILE", "/nonexistent/bundle.pem", 1), 0);
    assert_refused(&options, LR_EFILE, "/nonexistent/bundle.pem", "ENOENT");
    assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
}

static void a_question_that_nobody_could_answer_is_refused(void **state)
{
    lr_context_options options = rsa();

    (void)state;
    options.request_cert = LR_ON;
    options.ca_system = LR_OFF;
    assert_refused(&options, LR_EOPTION, "request_cert", "nobody is trusted");
    options.request_cert_later = LR_ON;
    assert_refused(&options, LR_EOPTION, "request_cert_later", "in the handshake already");
    options.request_cert = LR_OFF;
    assert_refused(&options, LR_EOPTION, "request_cert", "nobody is trusted");
    options.request_cert_later = LR_OFF;
    options.request_cert = LR_ON;
    options.reject_unauthorized = LR_OFF;
    lr_context_release(made(&options));
    options.verify_depth = 10;
    assert_refused(&options, LR_EOPTION, "verify_depth", "10");
    options.verify_depth = LR_NONE;
    lr_context_release(made(&options));
    options.session_id_context = "";
    assert_refused(&options, LR_EOPTION, "session_id_context", "0 bytes");
}

static bool same_policy(const lr_context_options *a, const lr_context_options *b)
{
    lr_context *left = made(a), *right = made(b);
    bool same = memcmp(lr__context_policy(left), lr__context_policy(right), 32) == 0;

    lr_context_release(left);
    lr_context_release(right);
    return same;
}

static void s130_the_policy_is_content_and_only_content(void **state)
{
    const char *lists[] = {pki_path("root.crl")}, *empty[] = {pki_path("root_nothing.crl")};
    char ab[8192], ba[8192];
    lr_context_options first = rsa(), second, third;

    (void)state;
    (void)snprintf(ab, sizeof(ab), "%s%s", pki_text("root.pem"), pki_text("other_root.pem"));
    (void)snprintf(ba, sizeof(ba), "# twice\n%s%s%s", pki_text("other_root.pem"),
                   pki_text("root.pem"), pki_text("other_root.pem"));
    first.request_cert = LR_ON;
    first.ca = lr_slice_of(ab, strlen(ab));
    first.session_id_context = "shop";
    second = first;
    assert_true(same_policy(&first, &second));
    second.ca = lr_slice_of(ba, strlen(ba)); /* another order, one twice */
    assert_true(same_policy(&first, &second));
    second.groups = "P-256";
    second.alpn = "h2";
    assert_true(same_policy(&first, &second));
    second = first;
    second.cert_file = pki_path("server.pem");
    assert_true(same_policy(&first, &second));
    second = first;
    second.session_id_context = "blog";
    assert_false(same_policy(&first, &second));
    second.session_id_context = NULL;
    assert_false(same_policy(&first, &second));
    second = first;
    second.ca = pki_file("root.pem");
    assert_false(same_policy(&first, &second));
    second = first;
    second.request_cert = LR_OFF;
    assert_false(same_policy(&first, &second));
    third = second;
    third.request_cert_later = LR_ON; /* one more policy, neither of the two */
    assert_false(same_policy(&first, &third));
    assert_false(same_policy(&second, &third));
    second = first;
    second.reject_unauthorized = LR_OFF;
    assert_false(same_policy(&first, &second));
    second = first;
    second.verify_depth = 2;
    assert_false(same_policy(&first, &second));
    second = first;
    second.version_min = LR_TLS_1_3;
    assert_false(same_policy(&first, &second));
    second = first;
    second.ciphers = "TLS_AES_256_GCM_SHA384";
    assert_false(same_policy(&first, &second));
    second = first;
    second.crl_files = lists;
    second.crl_file_count = 1;
    assert_false(same_policy(&first, &second));
    first = second;
    second.crl_files = empty; /* what they say is asked anew each time */
    assert_true(same_policy(&first, &second));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s2_pkcs12_files_new_and_old_are_taken),
        cmocka_unit_test(pkcs12_files_that_do_not_open_are_refused_by_name),
        cmocka_unit_test(s112_pkcs12_excludes_key_and_cert_and_ca),
        cmocka_unit_test(want_of_memory_in_pkcs12_leaves_nothing),
        cmocka_unit_test(s29_ca_completes_the_chain_and_tells_the_issuer),
        cmocka_unit_test(authorities_and_lists_that_are_none_are_refused_by_name),
        cmocka_unit_test(a_question_that_nobody_could_answer_is_refused),
        cmocka_unit_test(s130_the_policy_is_content_and_only_content),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
