/* SPDX-License-Identifier: MIT */
/* Contexts: profiles, lists of suites, Diffie-Hellman, and forms of certificates and keys. */
#include "support.h"

#include "core/base/mem.h"
#include "core/base/secret.h"
#include "core/tls/context.h"
#include "tests/live/pki.h"
#include "tls_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static tls_world world;
static lr_error err;

static int enter(void **state)
{
    (void)state;
    tls_world_enter(&world, 5);
    (void)unsetenv("LOCKRING_CIPHERS");
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

static void assert_suites(const lr_context_options *options, const uint16_t *expected, uint32_t n)
{
    lr_context *context = made(options);

    if (context->suite_count != n || memcmp(context->suites, expected, n * sizeof(*expected)) != 0)
        fail_msg("%u suites: %s", context->suite_count, context->suites_text);
    lr_context_release(context);
}

static void s8_node4_has_the_suites_of_the_reference_in_their_order(void **state)
{
    static const uint16_t without[] = {0x1301, 0x1302, 0x1303, 0xc02f, 0xc02b,
                                       0xc030, 0xc02c, 0xcca9, 0xcca8};
    static const uint16_t with[] = {0x1301, 0x1302, 0x1303, 0xc02f, 0xc02b, 0xc030,
                                    0xc02c, 0x009e, 0xcca9, 0xcca8, 0x009f, 0xccaa};
    lr_context_options options = rsa();
    lr_context *context;

    (void)state;
    options.profile = LR_PROFILE_NODE4;
    assert_suites(&options, without, LR_ARRAY_COUNT(without));
    options.dhparam_file = pki_path("dh2048.pem");
    assert_suites(&options, with, LR_ARRAY_COUNT(with));
    context = made(&options);
    assert_int_equal(context->group_count, 1);
    assert_int_equal(context->groups[0], LR__GROUP_SECP256R1);
    assert_false(context->alpn_required);
    assert_true(context->suites_ordered);
    assert_false(context->client_order);
    lr_context_release(context);
    options.groups = "X25519";
    options.alpn_required = LR_ON;
    context = made(&options);
    assert_int_equal(context->groups[0], LR__GROUP_X25519);
    assert_true(context->alpn_required);
    lr_context_release(context);
    options.profile = (lr_profile)2;
    assert_refused(&options, LR_EOPTION, "profile", "2");
}

static void s9_the_list_of_the_process_stands_in_for_the_default(void **state)
{
    static const uint16_t set[] = {0x1301, 0x1302, 0x1303, 0xcca8};
    static const uint16_t told[] = {0x1302, 0xc030};
    static const uint16_t own[] = {0x1301, 0x1302, 0x1303, 0xc02f};
    lr_context_options options = rsa();

    (void)state;
    assert_int_equal(setenv("LOCKRING_CIPHERS", "TLS_AES_256_GCM_SHA384:AES256+kECDHE+aRSA", 1), 0);
    assert_suites(&options, told, LR_ARRAY_COUNT(told));
    assert_int_equal(lr_ciphers_default_set("CHACHA20:!ECDSA:AES128-SHA", &err), LR_OK);
    assert_suites(&options, set, LR_ARRAY_COUNT(set));
    options.profile = LR_PROFILE_NODE4;
    assert_suites(&options, set, LR_ARRAY_COUNT(set));
    options.profile = LR_PROFILE_MODERN;
    assert_int_equal(lr_ciphers_default_set("NONSUCH", &err), LR_EOPTION);
    assert_non_null(strstr(err.text, "lr_ciphers_default_set: 'NONSUCH'"));
    assert_suites(&options, set, LR_ARRAY_COUNT(set));
    options.ciphers = "ECDHE-RSA-AES128-GCM-SHA256"; /* S10 */
    assert_suites(&options, own, LR_ARRAY_COUNT(own));
    options.ciphers = NULL;
    assert_int_equal(lr_ciphers_default_set(NULL, NULL), LR_OK);
    assert_suites(&options, told, LR_ARRAY_COUNT(told));
    assert_int_equal(setenv("LOCKRING_CIPHERS", "HIGH:NONSUCH", 1), 0);
    assert_refused(&options, LR_EOPTION, "LOCKRING_CIPHERS", "'NONSUCH'");
    assert_int_equal(unsetenv("LOCKRING_CIPHERS"), 0);
}

static void s121_the_clients_order_may_decide(void **state)
{
    lr_context_options options = rsa();
    lr_context *context;

    (void)state;
    options.honor_cipher_order = LR_OFF;
    context = made(&options);
    assert_true(context->client_order);
    lr_context_release(context);
    options.honor_cipher_order = LR_ON;
    context = made(&options);
    assert_false(context->client_order);
    lr_context_release(context);
}

static void a_list_that_leaves_nothing_of_a_version_does_without_it(void **state)
{
    lr_context_options options = rsa();
    lr_context *context;

    (void)state;
    options.ciphers = "kECDHE:!TLS_AES_128_GCM_SHA256:!TLS_AES_256_GCM_SHA384:"
                      "!TLS_CHACHA20_POLY1305_SHA256";
    context = made(&options);
    assert_int_equal(context->version_max, LR_TLS_1_2);
    lr_context_release(context);
    options.version_max = LR_TLS_1_3;
    assert_refused(&options, LR_EOPTION, "ciphers", "no suite of TLS 1.3");
}

static void s119_diffie_hellman_parameters_are_checked(void **state)
{
    lr_context_options options = rsa();
    char text[2048];

    (void)state;
    options.dhparam_file = pki_path("dh2048.pem");
    lr_context_release(made(&options));
    options.dhparam_file = pki_path("dh2048.der");
    lr_context_release(made(&options));
    options.dhparam = pki_file("dh2048.pem");
    assert_refused(&options, LR_EOPTION, "dhparam", "dhparam_file too");
    options.dhparam_file = NULL;
    lr_context_release(made(&options));
    options.dhparam = pki_file("dh_composite.pem");
    assert_refused(&options, LR_EOPTION, "dhparam", "prime");
    options.dhparam = pki_file("dh1024.pem");
    assert_refused(&options, LR_EOPTION, "dhparam", "1024 bits");
    options.profile = LR_PROFILE_NODE4;
    lr_context_release(made(&options));
    options.dhparam = pki_file("dh512.pem");
    assert_refused(&options, LR_EOPTION, "dhparam", "512 bits");
    options.dhparam = pki_file("server.pem");
    assert_refused(&options, LR_EOPTION, "dhparam", "no DH parameters");
    options.dhparam = pki_file("server.der");
    assert_refused(&options, LR_EOPTION, "dhparam", "PKCS#3");
    (void)snprintf(text, sizeof(text),
                   "a\nb\n-----BEGIN DH PARAMETERS-----\n!!\n"
                   "-----END DH PARAMETERS-----\n");
    options.dhparam = lr_slice_of(text, strlen(text));
    assert_refused(&options, LR_EOPTION, "dhparam", "line 3");
    options.dhparam = lr_slice_of(NULL, 0);
    options.dhparam_file = "/nonexistent/dh.pem";
    assert_refused(&options, LR_EFILE, "/nonexistent/dh.pem", "ENOENT");
}

static void s2_every_form_of_a_key_is_taken_in_der_too(void **state)
{
    static const char *const keys[] = {"rsa_pkcs1.der", "rsa_pkcs8.der", "rsa_encrypted.der",
                                       "rsa.key"};
    lr_context_options options = {LR_CONTEXT_OPTIONS, .cert = pki_file("server.der"),
                                  .passphrase = "secret"};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(keys); i++) {
        options.key = pki_file(keys[i]);
        lr_context_release(made(&options));
    }
    options.passphrase = "wrong";
    options.key = pki_file("rsa_encrypted.der");
    assert_refused(&options, LR_EKEY, "key", "wrong passphrase");
    options.passphrase = NULL;
    assert_refused(&options, LR_EKEY, "key", "needs a passphrase");
    options.key = pki_file("server.der");
    assert_refused(&options, LR_EKEY, "key", "no private key");
    options.key = pki_file("client_sec1.der");
    assert_refused(&options, LR_EKEY, "private key", "");
    options.cert = pki_file("plain.pem");
    lr_context_release(made(&options));
    options.cert = pki_file("client_sec1.der");
    assert_refused(&options, LR_ECERTIFICATE, "cert", "");
}

static void a_key_file_that_others_may_write_is_refused(void **state)
{
    static const struct {
        mode_t mode;
        bool good;
    } cases[] = {{0600, true},  {0400, true},  {0640, true}, {0444, true},
                 {0660, false}, {0606, false}, {0622, false}};
    char path[] = "/tmp/lockring_test_key_XXXXXX";
    lr_context_options options = rsa();
    lr_slice key = pki_file("rsa.key");
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, key.bytes, key.len), key.len);
    options.key_file = path;
    for (size_t i = 0; i < LR_ARRAY_COUNT(cases); i++) {
        assert_int_equal(fchmod(fd, cases[i].mode), 0);
        if (cases[i].good)
            lr_context_release(made(&options));
        else
            assert_refused(&options, LR_EKEY, path, "may write this key");
    }
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
}

/* The line of /proc/self/smaps with the flags of the mapping that holds the byte. */
static bool is_left_out_of_dumps(const void *byte)
{
    unsigned long at = (unsigned long)(uintptr_t)byte, from, to;
    FILE *maps = fopen("/proc/self/smaps", "r");
    bool here = false, found = false;
    char line[512];

    assert_non_null(maps);
    while (!found && fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            here = from <= at && at < to;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            found = strstr(line, " dd") != NULL;
    }
    (void)fclose(maps);
    return found;
}

static void keys_are_left_out_of_core_dumps(void **state)
{
    lr_context_options options = rsa();
    lr_context *context = made(&options);
    char *plain = malloc(100), *secret = lr__secret_alloc(100);

    (void)state;
    assert_true(plain && secret);
    assert_true(is_left_out_of_dumps(context->identities[0].key));
    assert_true(is_left_out_of_dumps(secret));
    assert_false(is_left_out_of_dumps(plain));
    assert_true(lr__secret_is(secret));
    assert_false(lr__secret_is(plain) || lr__secret_is(secret + 4096) || lr__secret_is(NULL));
    for (size_t i = 0; i < 4096; i++)
        assert_int_equal(secret[i], 0);
    lr__secret_free(secret);
    lr__secret_free(NULL);
    assert_false(lr__secret_is(secret));
    free(plain);
    lr_context_release(context);
}

/* A sanitizer keeps copies of its own and forbids to look at what is freed: nothing is told there.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

/* How often the bytes lie in what a core dump would hold of the heap. wolfSSL 5.9.2 leaves numbers
 * on the stack when it has signed: that cannot be seen to from here. */
static uint32_t count_dumped(const uint8_t *bytes, size_t len)
{
    unsigned long from = 0, to = 0;
    FILE *maps = fopen("/proc/self/smaps", "r");
    uint32_t count = 0;
    char line[512], mode[8];

    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps)) {
        const uint8_t *at, *end;

        unsigned long begin, stop;

        if (sscanf(line, "%lx-%lx %7s ", &begin, &stop, mode) == 3) {
            from = begin;
            to = stop;
            continue;
        }
        if (strncmp(line, "VmFlags:", 8) != 0 || mode[0] != 'r' || mode[1] != 'w' ||
            strstr(line, " dd") || strstr(line, " io") || strstr(line, " gd"))
            continue;
        at = (const uint8_t *)from;
        for (end = (const uint8_t *)to; at && (size_t)(end - at) >= len; at++) {
            at = memmem(at, (size_t)(end - at), bytes, len);
            if (!at)
                break;
            count += at != bytes;
        }
    }
    (void)fclose(maps);
    return count;
}

/* An EC key's secret number: 32 bytes in both forms. wolfSSL has a copy of its own in the replica,
 * and has decoded and used it in the trial handshake. */
static void no_copy_of_a_key_is_left_where_it_would_be_dumped(void **state)
{
    lr_context_options options = {LR_CONTEXT_OPTIONS, .cert_file = pki_path("plain.pem"),
                                  .key_file = pki_path("client.key")};
    lr_context *context = made(&options);
    const lr__identity *identity = &context->identities[0];
    lr__replica *replica;
    uint8_t turned[32];
    size_t at = 0;

    (void)state;
    if (SANITIZED) {
        lr_context_release(context);
        skip();
    }
    assert_int_equal(lr__replica_new(context, false, 0, &replica, &err), LR_OK);
    while (identity->key[at] != 0x04 || identity->key[at + 1] != 32) /* OCTET STRING of 32 */
        at++;
    assert_true(at + 34 <= identity->key_size);
    assert_int_equal(count_dumped(identity->key + at + 2, 32), 0);
    for (size_t i = 0; i < sizeof(turned); i++) /* as numbers lie in memory */
        turned[i] = identity->key[at + 2 + 31 - i];
    assert_int_equal(count_dumped(turned, sizeof(turned)), 0);
    lr__wipe(turned, sizeof(turned));
    lr__replica_free(replica);
    lr_context_release(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: later ones read the same key from a file, which stays where it is. */
        cmocka_unit_test(no_copy_of_a_key_is_left_where_it_would_be_dumped),
        cmocka_unit_test(s8_node4_has_the_suites_of_the_reference_in_their_order),
        cmocka_unit_test(s9_the_list_of_the_process_stands_in_for_the_default),
        cmocka_unit_test(s121_the_clients_order_may_decide),
        cmocka_unit_test(a_list_that_leaves_nothing_of_a_version_does_without_it),
        cmocka_unit_test(s119_diffie_hellman_parameters_are_checked),
        cmocka_unit_test(s2_every_form_of_a_key_is_taken_in_der_too),
        cmocka_unit_test(a_key_file_that_others_may_write_is_refused),
        cmocka_unit_test(keys_are_left_out_of_core_dumps),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
