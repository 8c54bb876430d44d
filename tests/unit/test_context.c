/* SPDX-License-Identifier: MIT */
/* Contexts: what lr_context_new() takes, and how it says what is wrong with the rest. */
#include "support.h"

#include "core/base/mem.h"
#include "core/tls/context.h"
#include "fixtures.h"
#include "tls_client.h"
#include "tls_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static tls_world world;
static char folder[64];
static lr_error err;

static int enter(void **state)
{
    (void)state;
    tls_world_enter(&world, 3);
    (void)snprintf(folder, sizeof(folder), "/tmp/lockring_test_context_XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static int leave(void **state)
{
    (void)state;
    assert_int_equal(rmdir(folder), 0);
    tls_world_leave(&world);
    return 0;
}

/* The path of a file of that name with that content. Two paths may be in use at once. */
static const char *path_of(const char *name, const char *content)
{
    static char paths[2][128];
    static unsigned turn;
    char *path = paths[turn++ % 2];
    FILE *file;

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    if (content) {
        file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(content, 1, strlen(content), file), strlen(content));
        assert_int_equal(fclose(file), 0);
    }
    return path;
}

static void assert_made(const lr_context_options *options)
{
    lr_context *context = NULL;
    lr_status status = lr_context_new(options, &context, &err);

    if (status != LR_OK)
        fail_msg("%s: %s", lr_status_name(status), err.text);
    assert_non_null(context);
    lr_context_release(context);
}

/* The text of the refusal holds both words. */
static void assert_refused(const lr_context_options *options, lr_status status, const char *where,
                           const char *what)
{
    static lr_context *const poison = (lr_context *)&world;
    uint64_t live = lr__mem_read().live;
    lr_context *context = poison;
    lr_status got;

    memset(&err, 0x5a, sizeof(err));
    got = lr_context_new(options, &context, &err);
    if (got != status)
        fail_msg("%s in place of %s: %s", lr_status_name(got), lr_status_name(status),
                 got == LR_OK ? "" : err.text);
    assert_null(context);
    assert_int_equal(err.status, status);
    if (!strstr(err.text, where) || !strstr(err.text, what))
        fail_msg("'%s' names neither '%s' nor '%s'", err.text, where, what);
    assert_int_equal(lr_context_new(options, &context, NULL), status);
    assert_int_equal(lr__mem_read().live, live);
}

static void assert_pem_refused(const char *cert, const char *key, lr_status status,
                               const char *where, const char *what)
{
    lr_context_options options = tls_identity(cert, key);

    assert_refused(&options, status, where, what);
}

static void every_kind_of_key_and_form_is_taken(void **state)
{
    static const char *const pairs[][2] = {
        {fixture_ecdsa, fixture_ecdsa_key}, {fixture_ecdsa, fixture_ecdsa_pkcs8_key},
        {fixture_p384, fixture_p384_key},   {fixture_rsa, fixture_rsa_key},
        {fixture_leaf, fixture_ecdsa_key},  {fixture_ed25519, fixture_ed25519_key}};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(pairs); i++) {
        lr_context_options options = tls_identity(pairs[i][0], pairs[i][1]);

        assert_made(&options);
    }
}

static void files_are_read_and_may_go_then(void **state)
{
    const char *cert = path_of("cert.pem", fixture_ecdsa);
    const char *key = path_of("key.pem", fixture_ecdsa_key);
    lr_context_options options = {LR_CONTEXT_OPTIONS, .cert_file = cert, .key_file = key};
    lr_context *context;

    (void)state;
    assert_int_equal(lr_context_new(&options, &context, &err), LR_OK);
    assert_int_equal(unlink(cert), 0);
    assert_int_equal(unlink(key), 0);
    assert_true(lr_context_certificate(context).len > 0);
    lr_context_release(context);
}

static void one_file_may_hold_both_and_text_around_them(void **state)
{
    char both[8192];
    const char *path;

    (void)state;
    (void)snprintf(both, sizeof(both), "a comment\n%ssubject=/CN=x\n%s%strailing\n",
                   fixture_ecdsa_key, fixture_leaf, fixture_intermediate);
    path = path_of("both.pem", both);
    lr_context_options options = {LR_CONTEXT_OPTIONS, .cert_file = path, .key_file = path};

    assert_made(&options);
    assert_int_equal(unlink(path), 0);
}

static void line_ends_of_other_systems_are_taken(void **state)
{
    static char dos[4096];
    size_t len = 0;

    (void)state;
    for (const char *at = fixture_ecdsa; *at; at++) {
        if (*at == '\n')
            dos[len++] = '\r';
        dos[len++] = *at;
    }
    lr_context_options options = tls_identity(dos, fixture_ecdsa_key);

    assert_made(&options);
}

static void memory_need_not_end_in_a_zero(void **state)
{
    size_t cert_len = strlen(fixture_ecdsa), key_len = strlen(fixture_ecdsa_key);
    char *cert = malloc(cert_len), *key = malloc(key_len);

    (void)state;
    assert_true(cert && key);
    memcpy(cert, fixture_ecdsa, cert_len);
    memcpy(key, fixture_ecdsa_key, key_len);
    lr_context_options options = {LR_CONTEXT_OPTIONS, .cert = lr_slice_of(cert, cert_len),
                                  .key = lr_slice_of(key, key_len)};

    assert_made(&options);
    free(cert);
    free(key);
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    const char *good = path_of("good.pem", fixture_ecdsa);
    const char *bad = path_of("none.pem", NULL);
    lr_context_options options = {LR_CONTEXT_OPTIONS, .cert_file = bad, .key_file = good};

    (void)state;
    assert_refused(&options, LR_EFILE, bad, "ENOENT");
    assert_int_equal(err.sys, ENOENT);
    options.cert_file = good;
    options.key_file = bad;
    assert_refused(&options, LR_EFILE, bad, "ENOENT");
    options.key_file = folder;
    assert_refused(&options, LR_EFILE, folder, "not a regular file");
    options.key_file = "";
    assert_refused(&options, LR_EFILE, "", "ENOENT");
    assert_int_equal(unlink(good), 0);
}

static void a_pipe_is_refused_and_does_not_hang(void **state)
{
    const char *pipe_path = path_of("pipe", NULL);
    lr_context_options options = {LR_CONTEXT_OPTIONS, .cert_file = pipe_path,
                                  .key_file = pipe_path};

    (void)state;
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_refused(&options, LR_EFILE, pipe_path, "not a regular file");
    assert_int_equal(unlink(pipe_path), 0);
}

static void a_file_of_more_than_a_megabyte_is_refused(void **state)
{
    const char *path = path_of("huge.pem", fixture_ecdsa);
    lr_context_options options = {LR_CONTEXT_OPTIONS, .cert_file = path, .key_file = path};

    (void)state;
    assert_int_equal(truncate(path, (1 << 20) + 1), 0);
    assert_refused(&options, LR_EFILE, path, "at most 1 MB");
    assert_int_equal(truncate(path, 1 << 20), 0);
    assert_refused(&options, LR_EKEY, path, "no private key");
    assert_int_equal(truncate(path, 0), 0);
    assert_refused(&options, LR_ECERTIFICATE, path, "no certificate");
    assert_int_equal(unlink(path), 0);
}

static void what_is_no_certificate_is_refused(void **state)
{
    static const char garbage[] = "-----BEGIN CERTIFICATE-----\n!!!! not base64 !!!!\n"
                                  "-----END CERTIFICATE-----\n";
    static const char other_der[] = "-----BEGIN CERTIFICATE-----\nMAMCAQU=\n"
                                    "-----END CERTIFICATE-----\n";
    static const char unfinished[] = "-----BEGIN CERTIFICATE-----\nMAMCAQU=\n";
    char cut[4096];

    (void)state;
    assert_pem_refused("nothing of the kind", fixture_ecdsa_key, LR_ECERTIFICATE, "cert",
                       "no certificate");
    assert_pem_refused(fixture_ecdsa_key, fixture_ecdsa_key, LR_ECERTIFICATE, "cert",
                       "no certificate");
    assert_pem_refused(unfinished, fixture_ecdsa_key, LR_ECERTIFICATE, "cert", "no certificate");
    assert_pem_refused(garbage, fixture_ecdsa_key, LR_ECERTIFICATE, "cert", "certificate 1");
    assert_pem_refused(other_der, fixture_ecdsa_key, LR_ECERTIFICATE, "cert", "certificate 1");
    /* The second of two is the bad one. */
    (void)snprintf(cut, sizeof(cut), "%s%s", fixture_leaf, garbage);
    assert_pem_refused(cut, fixture_ecdsa_key, LR_ECERTIFICATE, "cert", "certificate 2");
    (void)snprintf(cut, sizeof(cut), "%s%s", fixture_leaf, other_der);
    assert_pem_refused(cut, fixture_ecdsa_key, LR_ECERTIFICATE, "cert", "certificate 2");
}

static void a_chain_out_of_order_is_refused(void **state)
{
    char chain[8192];

    (void)state;
    (void)snprintf(chain, sizeof(chain), "%s%s%s", fixture_leaf, fixture_intermediate,
                   fixture_root);
    lr_context_options options = tls_identity(chain, fixture_ecdsa_key);

    assert_made(&options);
    (void)snprintf(chain, sizeof(chain), "%s%s", fixture_intermediate, fixture_leaf);
    assert_pem_refused(chain, fixture_ecdsa_key, LR_ECERTIFICATE, "cert",
                       "certificate 2 is not the issuer of certificate 1");
    (void)snprintf(chain, sizeof(chain), "%s%s%s", fixture_leaf, fixture_root,
                   fixture_intermediate);
    assert_pem_refused(chain, fixture_ecdsa_key, LR_ECERTIFICATE, "cert",
                       "certificate 2 is not the issuer of certificate 1");
    (void)snprintf(chain, sizeof(chain), "%s%s", fixture_leaf, fixture_leaf);
    assert_pem_refused(chain, fixture_ecdsa_key, LR_ECERTIFICATE, "cert", "not the issuer");
}

static void more_certificates_than_a_chain_has_are_refused(void **state)
{
    static char chain[16384];
    size_t len = 0;

    (void)state;
    len += (size_t)snprintf(chain, sizeof(chain), "%s%s", fixture_leaf, fixture_intermediate);
    for (int i = 0; i < LR__CHAIN_MAX - 2; i++)
        len += (size_t)snprintf(chain + len, sizeof(chain) - len, "%s", fixture_root);
    lr_context_options options = tls_identity(chain, fixture_ecdsa_key);

    assert_made(&options);
    (void)snprintf(chain + len, sizeof(chain) - len, "%s", fixture_root);
    assert_pem_refused(chain, fixture_ecdsa_key, LR_ECERTIFICATE, "cert", "more than 10");
}

static void a_certificate_of_another_time_is_refused(void **state)
{
    int64_t now = world.wall_ms;
    lr_context_options options = tls_identity(fixture_expired, fixture_ecdsa_key);

    (void)state;
    assert_refused(&options, LR_ECERTIFICATE, "certificate 1", "expired 2020-01-02 00:00:00 UTC");
    world.wall_ms = INT64_C(1577880000000); /* 1 January 2020, 12:00 */
    assert_made(&options);
    world.wall_ms = INT64_C(1577923200000); /* its last second */
    assert_made(&options);
    world.wall_ms += 1000;
    assert_refused(&options, LR_ECERTIFICATE, "certificate 1", "expired");
    world.wall_ms = now;
    assert_pem_refused(fixture_not_yet, fixture_ecdsa_key, LR_ECERTIFICATE, "certificate 1",
                       "valid only from 2125-01-01 00:00:00 UTC");
}

static void what_is_no_key_is_refused(void **state)
{
    static const char garbage[] = "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n";
    static const char other_der[] =
        "-----BEGIN PRIVATE KEY-----\nMAMCAQU=\n-----END PRIVATE KEY-----\n";

    (void)state;
    assert_pem_refused(fixture_ecdsa, "no key", LR_EKEY, "key", "no private key");
    assert_pem_refused(fixture_ecdsa, fixture_ecdsa, LR_EKEY, "key", "no private key");
    assert_pem_refused(fixture_ecdsa, garbage, LR_EKEY, "key", "not valid PEM");
    assert_pem_refused(fixture_ecdsa, other_der, LR_EKEY, "key", "");
    assert_pem_refused(fixture_ecdsa, fixture_encrypted_pkcs8_key, LR_EKEY, "key", "encrypted");
    assert_pem_refused(fixture_ecdsa, fixture_encrypted_sec1_key, LR_EKEY, "key", "passphrase");
}

static void the_key_of_another_certificate_is_refused(void **state)
{
    (void)state;
    assert_pem_refused(fixture_ecdsa, fixture_other_key, LR_EKEY, "private key",
                       "does not belong to the certificate");
    assert_pem_refused(fixture_rsa, fixture_ecdsa_key, LR_EKEY, "private key", "");
    assert_pem_refused(fixture_ecdsa, fixture_rsa_key, LR_EKEY, "private key", "");
    assert_pem_refused(fixture_ecdsa, fixture_p384_key, LR_EKEY, "private key", "");
    assert_pem_refused(fixture_ed25519, fixture_ecdsa_key, LR_EKEY, "private key", "");
    assert_pem_refused(fixture_ecdsa, fixture_ed25519_key, LR_EKEY, "private key", "");
    assert_pem_refused(fixture_rsa, fixture_ed25519_key, LR_EKEY, "private key", "");
}

static void an_identity_has_exactly_one_source(void **state)
{
    static const char names[] = "lr_context_options";
    lr_context_options options = {LR_CONTEXT_OPTIONS};

    (void)state;
    assert_refused(&options, LR_EOPTION, names, "self_signed");
    options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    options.self_signed = "localhost";
    assert_refused(&options, LR_EOPTION, names, "exactly one");
    options.self_signed = NULL;
    options.cert_file = "x";
    assert_refused(&options, LR_EOPTION, names, "exactly one");
    options = (lr_context_options){LR_CONTEXT_OPTIONS, .cert_file = "x", .self_signed = "y"};
    assert_refused(&options, LR_EOPTION, names, "exactly one");
    options = (lr_context_options){LR_CONTEXT_OPTIONS, .cert_file = "x"};
    assert_refused(&options, LR_EOPTION, names, "cert_file and key_file");
    options = (lr_context_options){LR_CONTEXT_OPTIONS, .key_file = "x"};
    assert_refused(&options, LR_EOPTION, names, "cert_file and key_file");
    options = (lr_context_options){LR_CONTEXT_OPTIONS, .cert = LR_LIT("x")};
    assert_refused(&options, LR_EOPTION, names, "cert and key");
    options = (lr_context_options){LR_CONTEXT_OPTIONS, .key = LR_LIT("x")};
    assert_refused(&options, LR_EOPTION, names, "cert and key");
}

static lr_context_options good(void)
{
    return tls_identity(fixture_ecdsa, fixture_ecdsa_key);
}

static void an_encrypted_key_is_opened_by_its_passphrase(void **state)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_encrypted_pkcs8_key);
    lr_context_options files = {LR_CONTEXT_OPTIONS, .cert_file = path_of("cert.pem", fixture_rsa),
                                .key_file = path_of("key.pem", fixture_encrypted_pkcs1_key)};

    (void)state;
    options.passphrase = "secret";
    assert_made(&options);
    options.passphrase = "geheim";
    assert_refused(&options, LR_EKEY, "key: ", "wrong passphrase");
    files.passphrase = "secret";
    assert_made(&files);
    files.passphrase = "Secret";
    assert_refused(&files, LR_EKEY, files.key_file, "wrong passphrase");
    files.passphrase = NULL;
    assert_refused(&files, LR_EKEY, files.key_file, "needs a passphrase");
    /* It is the key of another certificate all the same. */
    options = tls_identity(fixture_ecdsa, fixture_encrypted_ed25519_key);
    options.passphrase = "secret";
    assert_refused(&options, LR_EKEY, "private key", "");
    options = (lr_context_options){LR_CONTEXT_OPTIONS, .self_signed = "localhost",
                                   .passphrase = "secret"};
    assert_refused(&options, LR_EOPTION, "passphrase", "key_file");
    assert_int_equal(unlink(files.cert_file), 0);
    assert_int_equal(unlink(files.key_file), 0);
}

static lr_identity identity_of(const char *cert, const char *key)
{
    lr_identity identity = {LR_IDENTITY, .cert = lr_slice_of(cert, strlen(cert)),
                            .key = lr_slice_of(key, strlen(key))};

    return identity;
}

static lr_context_options options_of(const lr_identity *identities, uint32_t count)
{
    lr_context_options options = {LR_CONTEXT_OPTIONS, .identities = identities,
                                  .identity_count = count};

    return options;
}

static void several_identities_are_kept_in_order(void **state)
{
    const lr_identity identities[] = {identity_of(fixture_rsa, fixture_rsa_key),
                                      {LR_IDENTITY, .cert_file = path_of("cert.pem", fixture_p384),
                                       .key_file = path_of("key.pem", fixture_p384_key)},
                                      identity_of(fixture_ed25519, fixture_ed25519_key),
                                      {LR_IDENTITY, .cert = LR_LIT(""), .key = LR_LIT("")}};
    lr_context_options options = options_of(identities, 3);
    static const lr__key_kind kinds[] = {LR__KEY_RSA, LR__KEY_P384, LR__KEY_ED25519};
    lr_context *context, *first;

    (void)state;
    assert_int_equal(lr_context_new(&options, &context, &err), LR_OK);
    assert_int_equal(context->identity_count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(context->identities[i].kind, kinds[i]);
    options = tls_identity(fixture_rsa, fixture_rsa_key);
    assert_int_equal(lr_context_new(&options, &first, &err), LR_OK);
    assert_int_equal(lr_context_certificate(context).len, lr_context_certificate(first).len);
    assert_memory_equal(lr_context_certificate(context).bytes, lr_context_certificate(first).bytes,
                        lr_context_certificate(first).len);
    lr_context_release(context);
    lr_context_release(first);
    options = options_of(identities + 1, 1);
    assert_made(&options);
    assert_int_equal(unlink(identities[1].cert_file), 0);
    assert_int_equal(unlink(identities[1].key_file), 0);
}

static void what_is_wrong_with_one_of_several_is_named(void **state)
{
    lr_identity two[] = {identity_of(fixture_ecdsa, fixture_ecdsa_key),
                         identity_of(fixture_rsa, fixture_rsa_key)};
    lr_context_options options = options_of(two, 2);

    (void)state;
    two[1] = identity_of(fixture_expired, fixture_ecdsa_key);
    assert_refused(&options, LR_ECERTIFICATE, "identities[1]: cert", "expired");
    two[1] = identity_of(fixture_rsa, "no key");
    assert_refused(&options, LR_EKEY, "identities[1]: key", "no private key");
    two[1] = identity_of(fixture_rsa, fixture_ed25519_key);
    assert_refused(&options, LR_EKEY, "identities[1]: ", "private key");
    two[1] = identity_of(fixture_p384, fixture_other_key);
    assert_refused(&options, LR_EKEY, "identities[1]: ", "private key");
    two[1] = identity_of(fixture_rsa, fixture_encrypted_pkcs1_key);
    assert_refused(&options, LR_EKEY, "identities[1]: key", "needs a passphrase");
    two[1].passphrase = "public";
    assert_refused(&options, LR_EKEY, "identities[1]: key", "wrong passphrase");
    two[1].passphrase = "secret";
    assert_made(&options);
    two[1].cert_file = "x";
    assert_refused(&options, LR_EOPTION, "identities[1]: ", "exactly one");
    two[1] = (lr_identity){LR_IDENTITY};
    assert_refused(&options, LR_EOPTION, "identities[1]: ", "exactly one");
    two[1] = (lr_identity){LR_IDENTITY, .cert_file = "x"};
    assert_refused(&options, LR_EOPTION, "identities[1]: ", "cert_file and key_file");
    two[1] = (lr_identity){LR_IDENTITY, .key = LR_LIT("x")};
    assert_refused(&options, LR_EOPTION, "identities[1]: ", "cert and key");
    two[1] = (lr_identity){LR_IDENTITY, .cert_file = "/nowhere/cert", .key_file = "x"};
    assert_refused(&options, LR_EFILE, "/nowhere/cert", "");
}

static void identities_of_one_key_algorithm_are_refused(void **state)
{
    lr_identity three[] = {identity_of(fixture_ecdsa, fixture_ecdsa_key),
                           identity_of(fixture_rsa, fixture_rsa_key),
                           identity_of(fixture_leaf, fixture_ecdsa_key)};
    lr_context_options options = options_of(three, 3);

    (void)state;
    assert_refused(&options, LR_EOPTION, "identities[2]", "ECDSA P-256 as that of identities[0]");
    three[2] = identity_of(fixture_p384, fixture_p384_key);
    assert_made(&options);
}

static void arrays_of_identities_that_are_none_are_refused(void **state)
{
    lr_identity nine[9] = {identity_of(fixture_ecdsa, fixture_ecdsa_key)};
    struct {
        lr_identity known;
        uint64_t later;
    } longer[2] = {{nine[0], 0}, {identity_of(fixture_rsa, fixture_rsa_key), 0}};
    lr_context_options options = options_of(nine, 9);

    (void)state;
    assert_refused(&options, LR_EOPTION, "identity_count", "9");
    options = options_of(nine, 0);
    assert_refused(&options, LR_EOPTION, "identity_count", "0");
    options = options_of(NULL, 2);
    assert_refused(&options, LR_EOPTION, "identities", "null");
    options = options_of(nine, 2); /* the second has no size */
    assert_refused(&options, LR_EOPTION, "identities[1]", "size");
    options = options_of(nine, 1);
    options.self_signed = "localhost";
    assert_refused(&options, LR_EOPTION, "lr_context_options", "exactly one");
    options = options_of(nine, 1);
    options.cert = LR_LIT("x");
    assert_refused(&options, LR_EOPTION, "lr_context_options", "exactly one");
    options = options_of(nine, 1);
    options.passphrase = "secret";
    assert_refused(&options, LR_EOPTION, "passphrase", "");
    /* A newer program has a longer struct, and the array steps by that. */
    longer[0].known.size = longer[1].known.size = sizeof(longer[0]);
    options = options_of(&longer[0].known, 2);
    assert_made(&options);
    longer[1].later = 1;
    assert_refused(&options, LR_EOPTION, "lr_identity", "");
}

static void assert_ciphers_refused(const char *list, const char *what)
{
    lr_context_options options = good();

    options.ciphers = list;
    assert_refused(&options, LR_EOPTION, "ciphers", what);
}

static void lists_of_suites_are_checked(void **state)
{
    static const char rsa[] = "ECDHE-RSA-AES128-GCM-SHA256";
    lr_context_options options = good();

    (void)state;
    assert_ciphers_refused("", "''");
    assert_ciphers_refused("TLS_AES_128_GCM_SHA256:NULL-SHA", "'NULL-SHA'");
    assert_ciphers_refused("HIGH:NONSUCH", "'NONSUCH'");
    assert_ciphers_refused(rsa, "fits the key");
    options.ciphers = rsa;
    options.version_min = LR_TLS_1_3; /* then those of 1.2 are not about anything */
    assert_made(&options);
    options = tls_identity(fixture_rsa, fixture_rsa_key);
    options.ciphers = rsa;
    assert_made(&options);
    options.version_max = LR_TLS_1_2;
    assert_made(&options);
}

static void without_suites_of_tls_1_2_it_is_not_spoken(void **state)
{
    lr_context_options options = good();
    lr_context *context;

    (void)state;
    options.ciphers = "TLS_CHACHA20_POLY1305_SHA256";
    assert_int_equal(lr_context_new(&options, &context, &err), LR_OK);
    assert_int_equal(context->version_min, LR_TLS_1_3);
    lr_context_release(context);
    options.version_min = LR_TLS_1_2;
    assert_refused(&options, LR_EOPTION, "ciphers", "leaves no suite of TLS 1.2");
    options.version_min = LR_TLS_DEFAULT;
    options.version_max = LR_TLS_1_2;
    assert_refused(&options, LR_EOPTION, "ciphers", "leaves no suite of TLS 1.2");
}

static void versions_that_are_none_are_refused(void **state)
{
    lr_context_options options = good();

    (void)state;
    options.version_min = (lr_tls_version)0x0301;
    assert_refused(&options, LR_EOPTION, "version_min", "0x0301");
    options.version_min = LR_TLS_DEFAULT;
    options.version_max = (lr_tls_version)0x0305;
    assert_refused(&options, LR_EOPTION, "version_max", "0x0305");
    options.version_min = LR_TLS_1_3;
    options.version_max = LR_TLS_1_2;
    assert_refused(&options, LR_EOPTION, "version_min", "above version_max");
    for (unsigned min = LR_TLS_1_2; min <= LR_TLS_1_3; min++) {
        for (unsigned max = min; max <= LR_TLS_1_3; max++) {
            options.version_min = (lr_tls_version)min;
            options.version_max = (lr_tls_version)max;
            assert_made(&options);
        }
    }
}

static void lists_of_groups_are_checked(void **state)
{
    static const char *const taken[] = {
        "X25519", "x25519:p-256:secp384r1:P521", "X25519MLKEM768:SecP256r1MLKEM768",
        "X25519MLKEM768:SecP256r1MLKEM768:X25519:P-256:P-384:P-521"};
    lr_context_options options = good();

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(taken); i++) {
        options.groups = taken[i];
        assert_made(&options);
    }
    options.groups = "X25519:P-257";
    assert_refused(&options, LR_EOPTION, "groups", "'P-257'");
    options.groups = "X25519:P-256:prime256v1";
    assert_refused(&options, LR_EOPTION, "groups", "'prime256v1' is there twice");
    options.groups = "";
    assert_refused(&options, LR_EOPTION, "groups", "''");
    options.groups = "X25519:";
    assert_refused(&options, LR_EOPTION, "groups", "''");
    options.groups = "X25519,P-256";
    assert_refused(&options, LR_EOPTION, "groups", "'X25519,P-256'");
}

static void lists_of_protocols_are_checked(void **state)
{
    char list[600];
    lr_context_options options = good();

    (void)state;
    options.alpn = "";
    assert_made(&options);
    options.alpn = "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p";
    assert_made(&options);
    options.alpn = "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q";
    assert_refused(&options, LR_EOPTION, "alpn", "more than 16");
    options.alpn = "h2,,http/1.1";
    assert_refused(&options, LR_EOPTION, "alpn", "h2,,http/1.1");
    options.alpn = "h2,";
    assert_refused(&options, LR_EOPTION, "alpn", "name of 0 bytes");
    options.alpn = ",h2";
    assert_refused(&options, LR_EOPTION, "alpn", "name of 0 bytes");
    options.alpn = "h2,http/1.1,h2";
    assert_refused(&options, LR_EOPTION, "alpn", "'h2' is there twice");
    memset(list, 'x', sizeof(list));
    list[255] = '\0';
    options.alpn = list;
    assert_made(&options);
    list[255] = 'x';
    list[256] = '\0';
    assert_refused(&options, LR_EOPTION, "alpn", "256 bytes");
}

static void a_count_keeps_the_context(void **state)
{
    lr_context_options options = good();
    lr_context *context;
    lr_slice der;

    (void)state;
    lr_context_release(NULL);
    assert_int_equal(lr_context_new(&options, &context, NULL), LR_OK);
    assert_ptr_equal(lr_context_retain(context), context);
    der = lr_context_certificate(context);
    lr_context_release(context);
    assert_memory_equal(lr_context_certificate(context).bytes, der.bytes, der.len);
    assert_int_equal(der.bytes[0], 0x30);
    assert_int_equal(4 + (der.bytes[2] << 8 | der.bytes[3]), der.len);
    lr_context_release(context);
}

static void the_certificate_is_the_leaf(void **state)
{
    char chain[4096];
    lr_context *leaf, *whole;

    (void)state;
    (void)snprintf(chain, sizeof(chain), "%s%s", fixture_leaf, fixture_intermediate);
    lr_context_options options = tls_identity(fixture_leaf, fixture_ecdsa_key);

    assert_int_equal(lr_context_new(&options, &leaf, NULL), LR_OK);
    options = tls_identity(chain, fixture_ecdsa_key);
    assert_int_equal(lr_context_new(&options, &whole, NULL), LR_OK);
    assert_int_equal(lr_context_certificate(leaf).len, lr_context_certificate(whole).len);
    assert_memory_equal(lr_context_certificate(leaf).bytes, lr_context_certificate(whole).bytes,
                        lr_context_certificate(leaf).len);
    lr_context_release(leaf);
    lr_context_release(whole);
}

static void assert_works(lr_context *context)
{
    static tls_server server;
    tls_client_plan plan = {.name = "localhost"};
    tls_client client;

    tls_server_init(&server, context);
    tls_client_init(&client, &plan);
    tls_shake_hands(&server, &client, 0);
    assert_int_equal(server.status, LR_OK);
    assert_true(client.done);
    tls_client_fini(&client);
    tls_server_fini(&server);
}

/* Every allocation fails once. What comes out is either nothing or a context that works: wolfSSL
 * makes do without some, for names that nobody reads. */
static void assert_survives(const lr_context_options *options)
{
    uint64_t live = lr__mem_read().live, n = 0, tried;
    lr_context *context;
    lr_status status;

    do {
        n++;
        context = NULL;
        (void)lr__mem_fail_at(n, false);
        status = lr_context_new(options, &context, &err);
        tried = lr__mem_fail_at(0, false);
        if (tried >= n && status == LR_OK) {
            assert_works(context);
        } else if (status != LR_OK) {
            assert_null(context);
            assert_int_equal(err.status, status);
        }
        lr_context_release(context);
        assert_int_equal(lr__mem_read().live, live);
        assert_true(n < 1000);
    } while (tried >= n);
    assert_int_equal(status, LR_OK);
    assert_true(n > 10);
    for (uint64_t m = 1; m < n; m++) {
        (void)lr__mem_fail_at(m, true);
        status = lr_context_new(options, &context, NULL);
        (void)lr__mem_fail_at(0, false);
        assert_int_not_equal(status, LR_OK);
        assert_int_equal(lr__mem_read().live, live);
    }
}

static void no_failing_allocation_makes_half_a_context(void **state)
{
    const char *cert = path_of("cert.pem", fixture_leaf);
    const char *key = path_of("key.pem", fixture_ecdsa_pkcs8_key);
    lr_context_options options = {LR_CONTEXT_OPTIONS, .cert_file = cert, .key_file = key,
                                  .alpn = "h2,http/1.1"};
    lr_identity two[] = {identity_of(fixture_ecdsa, fixture_encrypted_sec1_key),
                         identity_of(fixture_rsa, fixture_rsa_key)};

    (void)state;
    two[0].passphrase = "secret";
    assert_survives(&options);
    assert_int_equal(unlink(cert), 0);
    assert_int_equal(unlink(key), 0);
    options = tls_identity(fixture_rsa, fixture_rsa_key);
    assert_survives(&options);
    options = tls_identity(fixture_ed25519, fixture_ed25519_key);
    assert_survives(&options);
    options = (lr_context_options){LR_CONTEXT_OPTIONS, .self_signed = "localhost,::1"};
    assert_survives(&options);
    options = options_of(two, 2);
    options.ciphers = "ECDHE-RSA-AES128-GCM-SHA256";
    assert_survives(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_key_and_form_is_taken),
        cmocka_unit_test(files_are_read_and_may_go_then),
        cmocka_unit_test(one_file_may_hold_both_and_text_around_them),
        cmocka_unit_test(line_ends_of_other_systems_are_taken),
        cmocka_unit_test(memory_need_not_end_in_a_zero),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(a_pipe_is_refused_and_does_not_hang),
        cmocka_unit_test(a_file_of_more_than_a_megabyte_is_refused),
        cmocka_unit_test(what_is_no_certificate_is_refused),
        cmocka_unit_test(a_chain_out_of_order_is_refused),
        cmocka_unit_test(more_certificates_than_a_chain_has_are_refused),
        cmocka_unit_test(a_certificate_of_another_time_is_refused),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(the_key_of_another_certificate_is_refused),
        cmocka_unit_test(an_identity_has_exactly_one_source),
        cmocka_unit_test(an_encrypted_key_is_opened_by_its_passphrase),
        cmocka_unit_test(several_identities_are_kept_in_order),
        cmocka_unit_test(what_is_wrong_with_one_of_several_is_named),
        cmocka_unit_test(identities_of_one_key_algorithm_are_refused),
        cmocka_unit_test(arrays_of_identities_that_are_none_are_refused),
        cmocka_unit_test(lists_of_suites_are_checked),
        cmocka_unit_test(without_suites_of_tls_1_2_it_is_not_spoken),
        cmocka_unit_test(versions_that_are_none_are_refused),
        cmocka_unit_test(lists_of_groups_are_checked),
        cmocka_unit_test(lists_of_protocols_are_checked),
        cmocka_unit_test(a_count_keeps_the_context),
        cmocka_unit_test(the_certificate_is_the_leaf),
        cmocka_unit_test(no_failing_allocation_makes_half_a_context),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
