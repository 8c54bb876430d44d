/* SPDX-License-Identifier: MIT */
/* The DER walk over certificates. Every certificate is parsed from memory of exactly its size, and
 * what comes out must lie inside it. */
#include "support.h"

#include "core/base/mem.h"
#include "core/tls/context.h"
#include "core/tls/pem.h"
#include "core/tls/x509.h"
#include "fixtures.h"
#include "tls_client.h"

#include <stdlib.h>
#include <time.h>

static tls_world world;
static uint8_t bytes[4096];
static size_t len;

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

static void load(const char *pem)
{
    uint8_t *chain;
    lr_slice out;
    uint32_t count;

    assert_int_equal(
        lr__pem_certificates(lr_slice_of(pem, strlen(pem)), "x", &chain, &out, 1, &count, NULL),
        LR_OK);
    assert_true(out.len < sizeof(bytes));
    memcpy(bytes, out.bytes, out.len);
    len = out.len;
    lr__free(chain);
}

static void assert_inside(lr_slice part, const uint8_t *in, size_t size)
{
    assert_true(part.bytes >= in && part.bytes + part.len <= in + size);
}

/* Parses a copy; the slices are gone afterwards. */
static bool parses(const uint8_t *from, size_t size, lr__x509 *out)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    bool good;

    assert_non_null(copy);
    memcpy(copy, from, size);
    good = lr__x509_parse(lr_slice_of(copy, size), out);
    if (good) {
        assert_inside(out->serial, copy, size);
        assert_inside(out->issuer, copy, size);
        assert_inside(out->subject, copy, size);
        assert_inside(out->public_key_info, copy, size);
    }
    free(copy);
    return good;
}

static int64_t seconds_of(int year, int month, int day, int hour, int minute, int second)
{
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_sec = second};

    return timegm(&tm);
}

static void the_fields_are_found(void **state)
{
    lr__x509 x509;

    (void)state;
    load(fixture_ecdsa);
    assert_true(lr__x509_parse(lr_slice_of(bytes, len), &x509));
    assert_int_equal(x509.not_before, seconds_of(2020, 1, 1, 0, 0, 0));
    assert_int_equal(x509.not_after, seconds_of(2126, 1, 1, 0, 0, 0));
    assert_int_equal(x509.issuer.bytes[0], 0x30);
    assert_int_equal(x509.subject.bytes[0], 0x30);
    assert_non_null(memmem(x509.issuer.bytes, x509.issuer.len, "lockring test root", 18));
    assert_non_null(memmem(x509.subject.bytes, x509.subject.len, "localhost", 9));
    assert_int_equal(x509.serial.len, 2);
    assert_true(x509.public_key_info.len > 65);
}

static void names_of_issuers_fit_their_subjects(void **state)
{
    uint8_t issuer[256];
    size_t issuer_len;
    lr__x509 x509;

    (void)state;
    load(fixture_leaf);
    assert_true(lr__x509_parse(lr_slice_of(bytes, len), &x509));
    issuer_len = x509.issuer.len;
    memcpy(issuer, x509.issuer.bytes, issuer_len);
    load(fixture_intermediate);
    assert_true(lr__x509_parse(lr_slice_of(bytes, len), &x509));
    assert_int_equal(x509.subject.len, issuer_len);
    assert_memory_equal(x509.subject.bytes, issuer, issuer_len);
}

static void every_kind_of_key_is_walked_over(void **state)
{
    static const char *const all[] = {fixture_root,    fixture_p384,    fixture_rsa,
                                      fixture_ed25519, fixture_expired, fixture_not_yet};
    lr__x509 x509;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(all); i++) {
        load(all[i]);
        assert_true(parses(bytes, len, &x509));
        assert_true(x509.not_before < x509.not_after);
    }
}

static void the_kind_of_a_key_is_told(void **state)
{
    static const struct {
        const char *pem, *name;
        lr__key_kind kind;
    } all[] = {{fixture_ecdsa, "ECDSA P-256", LR__KEY_P256},
               {fixture_p384, "ECDSA P-384", LR__KEY_P384},
               {fixture_rsa, "RSA", LR__KEY_RSA},
               {fixture_ed25519, "Ed25519", LR__KEY_ED25519}};
    lr__x509 x509;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(all); i++) {
        load(all[i].pem);
        assert_true(parses(bytes, len, &x509));
        assert_int_equal(x509.key_kind, all[i].kind);
        assert_string_equal(lr__key_kind_name(x509.key_kind), all[i].name);
    }
    assert_string_equal(lr__key_kind_name(LR__KEY_P521), "ECDSA P-521");
    assert_string_equal(lr__key_kind_name(LR__KEY_OTHER), "another algorithm");
}

/* What is not in the table is not taken for its neighbour. */
static void keys_of_other_algorithms_are_just_that(void **state)
{
    static const char *const oids[] = {"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01",
                                       "\x2a\x86\x48\xce\x3d\x03\x01\x07", "\x2b\x65\x70"};
    static const char *const pems[] = {fixture_rsa, fixture_ecdsa, fixture_ed25519};
    lr__x509 x509;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(oids); i++) {
        uint8_t *at;

        load(pems[i]);
        at = memmem(bytes, len, oids[i], strlen(oids[i]));
        assert_non_null(at);
        at[strlen(oids[i]) - 1] ^= 0x40;
        assert_true(parses(bytes, len, &x509));
        assert_int_equal(x509.key_kind, LR__KEY_OTHER);
    }
}

static void a_certificate_cut_anywhere_is_none(void **state)
{
    lr__x509 x509;

    (void)state;
    load(fixture_rsa);
    for (size_t cut = 0; cut < len; cut++)
        assert_false(parses(bytes, cut, &x509));
    bytes[len] = 0;
    assert_false(parses(bytes, len + 1, &x509));
}

static void a_changed_byte_never_leads_outside(void **state)
{
    lr__x509 x509;

    (void)state;
    load(fixture_ecdsa);
    for (size_t at = 0; at < len; at++) {
        uint8_t before = bytes[at];

        for (unsigned value = 0; value < 256; value++) {
            bytes[at] = (uint8_t)value;
            (void)parses(bytes, len, &x509);
        }
        bytes[at] = before;
    }
}

/* Both dates of fixture_expired are UTCTime of 13 bytes. */
static bool parses_with_date(const char *text, lr__x509 *x509)
{
    uint8_t *at;

    load(fixture_expired);
    at = memmem(bytes, len, "200101000000Z", 13);
    assert_non_null(at);
    assert_int_equal(strlen(text), 13);
    memcpy(at, text, 13);
    return parses(bytes, len, x509);
}

static void short_dates_reach_from_1950_to_2049(void **state)
{
    lr__x509 x509;

    (void)state;
    assert_true(parses_with_date("491231235959Z", &x509));
    assert_int_equal(x509.not_before, seconds_of(2049, 12, 31, 23, 59, 59));
    assert_true(parses_with_date("500101000000Z", &x509));
    assert_int_equal(x509.not_before, seconds_of(1950, 1, 1, 0, 0, 0));
    assert_true(parses_with_date("991231235959Z", &x509));
    assert_int_equal(x509.not_before, seconds_of(1999, 12, 31, 23, 59, 59));
    assert_true(parses_with_date("000229120000Z", &x509));
    assert_int_equal(x509.not_before, seconds_of(2000, 2, 29, 12, 0, 0));
    assert_true(parses_with_date("240301000000Z", &x509));
    assert_int_equal(x509.not_before, seconds_of(2024, 3, 1, 0, 0, 0));
}

static void dates_that_are_none_are_refused(void **state)
{
    static const char *const dates[] = {"201301000000Z", "200001000000Z", "200100000000Z",
                                        "200132000000Z", "200101240000Z", "200101006000Z",
                                        "200101000061Z", "2001010000000", "20010100000ZZ",
                                        "2001010000-1Z", " 00101000000Z", "20010100000aZ"};
    lr__x509 x509;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(dates); i++) {
        if (parses_with_date(dates[i], &x509))
            fail_msg("%s was taken", dates[i]);
    }
}

static void a_certificate_without_a_version_is_read(void **state)
{
    uint8_t old[sizeof(bytes)];
    lr__x509 x509;

    (void)state;
    load(fixture_ecdsa);
    /* SEQUENCE, SEQUENCE, then [0] { INTEGER 2 }: five bytes to take out of both lengths. */
    assert_memory_equal(bytes + 8, "\xa0\x03\x02\x01\x02", 5);
    memcpy(old, bytes, 8);
    memcpy(old + 8, bytes + 13, len - 13);
    for (size_t at = 2; at <= 6; at += 4) {
        unsigned size = ((unsigned)old[at] << 8 | old[at + 1]) - 5;

        old[at] = (uint8_t)(size >> 8);
        old[at + 1] = (uint8_t)size;
    }
    assert_true(parses(old, len - 5, &x509));
    assert_int_equal(x509.not_before, seconds_of(2020, 1, 1, 0, 0, 0));
}

static void lengths_that_lie_are_refused(void **state)
{
    static const struct {
        uint8_t head[8];
        size_t size;
    } cases[] = {
        {{0}, 0},
        {{0x30}, 1},
        {{0x30, 0x00}, 2},
        {{0x30, 0x80, 0, 0}, 4},             /* without an end: BER */
        {{0x30, 0x84, 0, 0, 0, 1, 0}, 7},    /* four bytes of length */
        {{0x30, 0x83, 0xff, 0xff, 0xff}, 5}, /* sixteen megabytes that are not there */
        {{0x30, 0x82, 0, 0}, 4},
        {{0x3f, 0x03, 1, 2, 3}, 5}, /* a tag of many bytes */
        {{0x31, 0x00}, 2},
        {{0x30, 0x02, 0x30, 0x01}, 4},
    };
    lr__x509 x509;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(cases); i++)
        assert_false(parses(cases[i].head, cases[i].size, &x509));
}

static void a_context_ends_with_the_first_of_its_certificates(void **state)
{
    static const char *const pems[] = {fixture_leaf, fixture_expired, fixture_rsa};
    uint8_t *chains[3] = {NULL};
    lr_context context = {.identity_count = 2};
    lr_slice *places[] = {&context.identities[0].certificates[0],
                          &context.identities[0].certificates[1],
                          &context.identities[1].certificates[0]};
    uint32_t count;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(pems); i++)
        assert_int_equal(lr__pem_certificates(lr_slice_of(pems[i], strlen(pems[i])), "x",
                                              &chains[i], places[i], 1, &count, NULL),
                         LR_OK);
    context.identities[0].certificate_count = context.identities[1].certificate_count = 1;
    assert_int_equal(lr_context_not_after(&context), seconds_of(2126, 1, 1, 0, 0, 0));
    context.identities[0].certificate_count = 2; /* behind the leaf, it ends first */
    assert_int_equal(lr_context_not_after(&context), seconds_of(2020, 1, 2, 0, 0, 0));
    context.identities[0].certificate_count = 1;
    *places[2] = *places[1]; /* so does one of another identity */
    assert_int_equal(lr_context_not_after(&context), seconds_of(2020, 1, 2, 0, 0, 0));
    for (size_t i = 0; i < LR_ARRAY_COUNT(pems); i++)
        lr__free(chains[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fields_are_found),
        cmocka_unit_test(names_of_issuers_fit_their_subjects),
        cmocka_unit_test(every_kind_of_key_is_walked_over),
        cmocka_unit_test(the_kind_of_a_key_is_told),
        cmocka_unit_test(keys_of_other_algorithms_are_just_that),
        cmocka_unit_test(a_certificate_cut_anywhere_is_none),
        cmocka_unit_test(a_changed_byte_never_leads_outside),
        cmocka_unit_test(short_dates_reach_from_1950_to_2049),
        cmocka_unit_test(dates_that_are_none_are_refused),
        cmocka_unit_test(a_certificate_without_a_version_is_read),
        cmocka_unit_test(lengths_that_lie_are_refused),
        cmocka_unit_test(a_context_ends_with_the_first_of_its_certificates),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
