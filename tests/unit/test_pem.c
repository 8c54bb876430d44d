/* SPDX-License-Identifier: MIT */
/* PEM texts into DER. Every text is parsed from memory of exactly its size. */
#include "support.h"

#include "core/base/mem.h"
#include "core/base/secret.h"
#include "core/tls/pem.h"
#include "fixtures.h"
#include "tls_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MAX = 4 };

#define BEGIN_CERT "-----BEGIN CERTIFICATE-----\n"
#define END_CERT "-----END CERTIFICATE-----\n"
/* A SEQUENCE of one INTEGER, in base 64. */
#define TINY "MAMCAQU=\n"

static tls_world world;
static lr_error err;
static uint64_t live;

static int enter(void **state)
{
    (void)state;
    tls_world_enter(&world, 1);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    tls_world_leave(&world);
    return 0;
}

static int count_live(void **state)
{
    (void)state;
    live = lr__mem_read().live;
    return 0;
}

static int check_live(void **state)
{
    (void)state;
    return lr__mem_read().live == live ? 0 : -1;
}

static char *copy_of(const char *text, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);

    assert_non_null(copy);
    memcpy(copy, text, len);
    return copy;
}

/* How many certificates are in the text, each of which must begin as DER does. */
static uint32_t certificates_in(const char *text, size_t len)
{
    char *copy = copy_of(text, len);
    lr_slice out[MAX];
    uint8_t *chain = NULL;
    uint32_t count = 0;
    lr_status status =
        lr__pem_certificates(lr_slice_of(copy, len), "here", &chain, out, MAX, &count, &err);

    free(copy);
    if (status != LR_OK) {
        assert_non_null(strstr(err.text, "here"));
        assert_int_equal(err.status, status);
        return 0;
    }
    assert_in_range(count, 1, MAX);
    assert_ptr_equal(out[0].bytes, chain);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(out[i].bytes[0], 0x30);
        if (i > 0)
            assert_ptr_equal(out[i].bytes, out[i - 1].bytes + out[i - 1].len);
    }
    lr__free(chain);
    return count;
}

static const char *passphrase; /* that key_of() gives */

static lr_status key_of(const char *text, size_t len, uint32_t *size)
{
    char *copy = copy_of(text, len);
    uint8_t *der = NULL;
    lr_status status = lr__pem_key(lr_slice_of(copy, len), "there", passphrase, &der, size, &err);

    free(copy);
    if (status == LR_OK) {
        assert_int_equal(der[0], 0x30);
        lr__secret_free(der);
    } else {
        assert_null(der);
        assert_non_null(strstr(err.text, "there"));
    }
    return status;
}

static void blocks_are_found_among_other_text(void **state)
{
    char text[8192];
    int len;

    (void)state;
    len = snprintf(text, sizeof(text), "\n# chain\n%s\n%sfoo\n%s%s-----BEGIN", fixture_leaf,
                   fixture_ecdsa_key, fixture_intermediate, fixture_root);
    assert_int_equal(certificates_in(text, (size_t)len), 3);
}

static void the_old_label_is_taken_and_others_are_skipped(void **state)
{
    static const char old[] =
        "-----BEGIN X509 CERTIFICATE-----\n" TINY "-----END X509 CERTIFICATE-----\n";
    static const char request[] =
        "-----BEGIN CERTIFICATE REQUEST-----\n" TINY "-----END CERTIFICATE REQUEST-----\n";
    char text[4096];

    (void)state;
    assert_int_equal(certificates_in(request, strlen(request)), 0);
    (void)snprintf(text, sizeof(text), "%s%s", request, fixture_ecdsa);
    assert_int_equal(certificates_in(text, strlen(text)), 1);
    /* wolfSSL decides about the old label; it must not be taken for nothing. */
    if (certificates_in(old, strlen(old)) == 0)
        assert_non_null(strstr(err.text, "certificate 1"));
}

static void add_text(char *to, size_t cap, const char *text)
{
    size_t len = strlen(to);

    (void)snprintf(to + len, cap - len, "%s", text);
}

static void there_may_be_as_many_as_there_is_room_for(void **state)
{
    char text[8192] = "";

    (void)state;
    for (uint32_t i = 1; i <= MAX; i++) {
        add_text(text, sizeof(text), fixture_ecdsa);
        assert_int_equal(certificates_in(text, strlen(text)), i);
    }
    add_text(text, sizeof(text), fixture_ecdsa);
    assert_int_equal(certificates_in(text, strlen(text)), 0);
    assert_non_null(strstr(err.text, "more than 4"));
}

static void what_ends_too_early_is_no_block(void **state)
{
    size_t whole = strlen(fixture_ecdsa);

    (void)state;
    for (size_t len = 0; len + 1 < whole; len++)
        assert_int_equal(certificates_in(fixture_ecdsa, len), 0);
    assert_int_equal(certificates_in(fixture_ecdsa, whole - 1), 1); /* without its last line end */
}

static void what_is_cut_in_the_middle_is_no_key(void **state)
{
    size_t whole = strlen(fixture_ecdsa_pkcs8_key);
    uint32_t size;

    (void)state;
    for (size_t len = 0; len + 1 < whole; len++)
        assert_int_equal(key_of(fixture_ecdsa_pkcs8_key, len, &size), LR_EKEY);
    assert_int_equal(key_of(fixture_ecdsa_pkcs8_key, whole - 1, &size), LR_OK);
}

static void odd_texts_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "-----BEGIN ",
        "-----BEGIN -----",
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN CERTIFICATE----------END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE----------END ",
        BEGIN_CERT END_CERT,
        BEGIN_CERT "\n\n\n" END_CERT,
        BEGIN_CERT "====\n" END_CERT,
        BEGIN_CERT "\x80\x81\xff\n" END_CERT,
        BEGIN_CERT "M\n" END_CERT,
        BEGIN_CERT TINY "-----END PRIVATE KEY-----\n",
        BEGIN_CERT TINY "-----END CERTIFICATF-----\n",
        "-----BEGIN CERTIFICATE\n-----" TINY END_CERT,
        "-----END CERTIFICATE-----\n" TINY BEGIN_CERT,
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(texts); i++) {
        if (certificates_in(texts[i], strlen(texts[i])) != 0)
            fail_msg("text %zu was taken", i);
    }
}

static void a_block_inside_a_block_is_not_read_past_its_end(void **state)
{
    char text[8192];

    (void)state;
    (void)snprintf(text, sizeof(text), "%s%s", BEGIN_CERT, fixture_ecdsa);
    assert_int_equal(certificates_in(text, strlen(text)), 0);
}

static void a_zero_byte_is_just_not_base_64(void **state)
{
    char text[2048];
    size_t len = strlen(fixture_ecdsa);

    (void)state;
    memcpy(text, fixture_ecdsa, len);
    text[100] = '\0';
    assert_int_equal(certificates_in(text, len), 0);
}

static void each_form_of_key_is_taken(void **state)
{
    static const char *const keys[] = {fixture_ecdsa_key,   fixture_ecdsa_pkcs8_key,
                                       fixture_p384_key,    fixture_rsa_key,
                                       fixture_ed25519_key, fixture_other_key};
    uint32_t size;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(keys); i++) {
        if (key_of(keys[i], strlen(keys[i]), &size) != LR_OK)
            fail_msg("key %zu: %s", i, err.text);
        assert_in_range(size, 32, strlen(keys[i]));
    }
}

static void the_first_key_counts(void **state)
{
    char text[8192];
    uint32_t first, second, both;

    (void)state;
    assert_int_equal(key_of(fixture_rsa_key, strlen(fixture_rsa_key), &first), LR_OK);
    assert_int_equal(key_of(fixture_ecdsa_key, strlen(fixture_ecdsa_key), &second), LR_OK);
    assert_int_not_equal(first, second);
    (void)snprintf(text, sizeof(text), "%s%s%s", fixture_ecdsa, fixture_rsa_key, fixture_ecdsa_key);
    assert_int_equal(key_of(text, strlen(text), &both), LR_OK);
    assert_int_equal(both, first);
    /* An encrypted one is not passed over in silence. */
    (void)snprintf(text, sizeof(text), "%s%s", fixture_encrypted_pkcs8_key, fixture_ecdsa_key);
    assert_int_equal(key_of(text, strlen(text), &both), LR_EKEY);
    assert_non_null(strstr(err.text, "encrypted"));
}

static void an_encrypted_key_is_called_that(void **state)
{
    uint32_t size;

    (void)state;
    assert_int_equal(
        key_of(fixture_encrypted_pkcs8_key, strlen(fixture_encrypted_pkcs8_key), &size), LR_EKEY);
    assert_non_null(strstr(err.text, "encrypted"));
    assert_int_equal(key_of(fixture_encrypted_sec1_key, strlen(fixture_encrypted_sec1_key), &size),
                     LR_EKEY);
    assert_non_null(strstr(err.text, "encrypted"));
}

static const struct {
    const char *text, *plain;
} encrypted[] = {
    {fixture_encrypted_pkcs8_key, fixture_ecdsa_pkcs8_key},
    {fixture_encrypted_sec1_key, NULL},
    {fixture_encrypted_pkcs1_key, fixture_rsa_key},
    {fixture_encrypted_ed25519_key, fixture_ed25519_key},
    {fixture_encrypted_des3_key, fixture_ecdsa_pkcs8_key},
};

/* What comes out is the key, byte by byte, as from a file that was never encrypted. */
static void a_passphrase_opens_its_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(encrypted); i++) {
        const char *text = encrypted[i].text, *plain = encrypted[i].plain;
        uint8_t *der, *expected;
        uint32_t size, expected_size;

        if (lr__pem_key(lr_slice_of(text, strlen(text)), "x", "secret", &der, &size, &err) != LR_OK)
            fail_msg("%zu: %s", i, err.text);
        assert_int_equal(der[0], 0x30);
        if (plain) {
            assert_int_equal(lr__pem_key(lr_slice_of(plain, strlen(plain)), "x", NULL, &expected,
                                         &expected_size, &err),
                             LR_OK);
            assert_int_equal(size, expected_size);
            assert_memory_equal(der, expected, size);
            lr__secret_free(expected);
        }
        lr__secret_free(der);
    }
}

static void assert_not_opened(const char *text, const char *with, const char *what)
{
    uint32_t size;

    passphrase = with;
    assert_int_equal(key_of(text, strlen(text), &size), LR_EKEY);
    if (!strstr(err.text, what))
        fail_msg("'%s' does not say '%s'", err.text, what);
    passphrase = NULL;
}

static void a_wrong_passphrase_is_called_that(void **state)
{
    static const char *const wrong[] = {"Secret", "secre", "secret ", "s", "geheim", "\xff"};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(encrypted); i++) {
        for (size_t j = 0; j < LR_ARRAY_COUNT(wrong); j++)
            assert_not_opened(encrypted[i].text, wrong[j], "wrong passphrase");
        assert_not_opened(encrypted[i].text, NULL, "needs a passphrase");
        assert_not_opened(encrypted[i].text, "", "needs a passphrase");
    }
    assert_not_opened(fixture_encrypted_scrypt_key, "secret", "in a way that is not known here");
}

/* Noise that a wrong passphrase makes of a key must not be taken for one, however often one is
 * tried: the padding alone fits by chance once in 256 times. */
static void noise_is_not_a_key(void **state)
{
    char guess[16];

    (void)state;
    for (unsigned n = 0; n < 3000; n++) {
        (void)snprintf(guess, sizeof(guess), "guess %u", n);
        assert_not_opened(fixture_encrypted_sec1_key, guess, "wrong passphrase");
        assert_not_opened(fixture_encrypted_pkcs1_key, guess, "wrong passphrase");
    }
}

static void a_passphrase_has_a_highest_length(void **state)
{
    char text[128];

    (void)state;
    memset(text, 's', sizeof(text));
    text[80] = '\0';
    assert_not_opened(fixture_encrypted_pkcs8_key, text, "more than 79 bytes");
    text[79] = '\0';
    assert_not_opened(fixture_encrypted_pkcs8_key, text, "wrong passphrase");
}

static void a_passphrase_that_is_not_needed_is_not_looked_at(void **state)
{
    char text[128];
    uint32_t size;

    (void)state;
    memset(text, 's', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    passphrase = text;
    assert_int_equal(key_of(fixture_ecdsa_key, strlen(fixture_ecdsa_key), &size), LR_OK);
    passphrase = NULL;
}

static void an_encrypted_key_that_is_cut_or_changed_leads_nowhere(void **state)
{
    char text[2048];
    size_t len = strlen(fixture_encrypted_sec1_key);
    uint32_t size;

    (void)state;
    passphrase = "secret";
    for (size_t at = 0; at < len; at++) {
        memcpy(text, fixture_encrypted_sec1_key, len + 1);
        text[at] = text[at] == 'A' ? 'B' : 'A';
        (void)key_of(text, len, &size); /* opened or not: only its form is looked at */
    }
    for (size_t cut = 0; cut < len - 1; cut++)
        assert_int_equal(key_of(fixture_encrypted_sec1_key, cut, &size), LR_EKEY);
    passphrase = NULL;
}

static void without_memory_nothing_is_taken(void **state)
{
    lr_slice out[MAX];
    uint8_t *block = NULL;
    uint32_t count;

    (void)state;
    (void)lr__mem_fail_at(1, false);
    assert_int_equal(lr__pem_certificates(lr_slice_of(fixture_ecdsa, strlen(fixture_ecdsa)), "x",
                                          &block, out, MAX, &count, &err),
                     LR_ENOMEM);
    (void)lr__mem_fail_at(1, false);
    assert_int_equal(lr__pem_key(lr_slice_of(fixture_ecdsa_key, strlen(fixture_ecdsa_key)), "x",
                                 NULL, &block, &count, &err),
                     LR_ENOMEM);
    for (uint64_t n = 1; n <= 2; n++) { /* ours, and wolfSSL's first */
        (void)lr__mem_fail_at(n, false);
        assert_int_equal(lr__pem_key(lr_slice_of(fixture_encrypted_pkcs8_key,
                                                 strlen(fixture_encrypted_pkcs8_key)),
                                     "x", "secret", &block, &count, &err),
                         LR_ENOMEM);
    }
    (void)lr__mem_fail_at(0, false);
    assert_null(block);
}

static void a_file_is_read_whole(void **state)
{
    char path[] = "/tmp/lockring_test_pem_XXXXXX";
    int fd = mkstemp(path);
    uint8_t *block;
    lr_slice out;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(lr__pem_read(path, LR__PEM_FILE_MAX, &block, &out, &err), LR_OK);
    assert_int_equal(out.len, 0);
    lr__free(block);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    assert_int_equal(lr__pem_read(path, LR__PEM_FILE_MAX, &block, &out, &err), LR_OK);
    assert_int_equal(out.len, 10);
    assert_memory_equal(out.bytes, "0123456789", 10);
    lr__free(block);
    assert_int_equal(ftruncate(fd, LR__PEM_FILE_MAX), 0);
    assert_int_equal(lr__pem_read(path, LR__PEM_FILE_MAX, &block, &out, &err), LR_OK);
    assert_int_equal(out.len, LR__PEM_FILE_MAX);
    lr__free(block);
    assert_int_equal(ftruncate(fd, LR__PEM_FILE_MAX + 1), 0);
    assert_int_equal(lr__pem_read(path, LR__PEM_FILE_MAX, &block, &out, &err), LR_EFILE);
    assert_null(block);
    assert_int_equal(lr__pem_read("/dev/zero", LR__PEM_FILE_MAX, &block, &out, &err), LR_EFILE);
    (void)lr__mem_fail_at(1, false);
    assert_int_equal(ftruncate(fd, 10), 0);
    assert_int_not_equal(lr__pem_read(path, LR__PEM_FILE_MAX, &block, &out, &err), LR_OK);
    (void)lr__mem_fail_at(0, false);
    assert_null(block);
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
#define PEM_TEST(name) cmocka_unit_test_setup_teardown(name, count_live, check_live)
    const struct CMUnitTest tests[] = {
        PEM_TEST(blocks_are_found_among_other_text),
        PEM_TEST(the_old_label_is_taken_and_others_are_skipped),
        PEM_TEST(there_may_be_as_many_as_there_is_room_for),
        PEM_TEST(what_ends_too_early_is_no_block),
        PEM_TEST(what_is_cut_in_the_middle_is_no_key),
        PEM_TEST(odd_texts_are_refused),
        PEM_TEST(a_block_inside_a_block_is_not_read_past_its_end),
        PEM_TEST(a_zero_byte_is_just_not_base_64),
        PEM_TEST(each_form_of_key_is_taken),
        PEM_TEST(the_first_key_counts),
        PEM_TEST(an_encrypted_key_is_called_that),
        PEM_TEST(a_passphrase_opens_its_key),
        PEM_TEST(a_wrong_passphrase_is_called_that),
        PEM_TEST(noise_is_not_a_key),
        PEM_TEST(a_passphrase_has_a_highest_length),
        PEM_TEST(a_passphrase_that_is_not_needed_is_not_looked_at),
        PEM_TEST(an_encrypted_key_that_is_cut_or_changed_leads_nowhere),
        PEM_TEST(without_memory_nothing_is_taken),
        PEM_TEST(a_file_is_read_whole),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
