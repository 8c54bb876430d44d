/* SPDX-License-Identifier: MIT */
/* Names of suites and groups, both ways. */
#include "support.h"

#include "core/base/compiler.h"
#include "core/tls/names.h"

static lr_error err;
static const lr__suite_rules rules = {"ciphers", false, false};

static void suites_have_their_iana_names(void **state)
{
    (void)state;
    assert_string_equal(lr__suite_name(0x1301), "TLS_AES_128_GCM_SHA256");
    assert_string_equal(lr__suite_name(0x1302), "TLS_AES_256_GCM_SHA384");
    assert_string_equal(lr__suite_name(0x1303), "TLS_CHACHA20_POLY1305_SHA256");
    assert_string_equal(lr__suite_name(0xc02b), "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
    assert_string_equal(lr__suite_name(0xc02c), "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
    assert_string_equal(lr__suite_name(0xc02f), "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    assert_string_equal(lr__suite_name(0xc030), "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
    assert_string_equal(lr__suite_name(0xcca8), "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256");
    assert_string_equal(lr__suite_name(0xcca9), "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
}

static void suites_that_are_not_ours_have_no_name(void **state)
{
    static const uint16_t suites[] = {0, 0x0005, 0x002f, 0xc013, 0x1304, 0x0a0a, 0x00ff, 0xffff};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(suites); i++)
        assert_string_equal(lr__suite_name(suites[i]), "");
}

static const struct {
    uint16_t group;
    const char *name;
    const char *others[3];
} groups[] = {
    {23, "P-256", {"prime256v1", "secp256r1", "P256"}},
    {24, "P-384", {"secp384r1", "P384"}},
    {25, "P-521", {"secp521r1", "P521"}},
    {29, "X25519", {"ecdh_x25519", "x25519"}},
    {4587, "SecP256r1MLKEM768", {"P256_MLKEM768"}},
    {4588, "X25519MLKEM768", {"X25519_MLKEM768"}},
};

static void each_name_of_a_group_means_its_number(void **state)
{
    uint16_t out[LR__GROUP_LIST_MAX];
    uint32_t count;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(groups); i++) {
        assert_string_equal(lr__group_name(groups[i].group), groups[i].name);
        assert_int_equal(lr__groups_parse(groups[i].name, out, &count, &err), LR_OK);
        assert_int_equal(count, 1);
        assert_int_equal(out[0], groups[i].group);
        for (size_t j = 0; j < 3 && groups[i].others[j]; j++) {
            assert_int_equal(lr__groups_parse(groups[i].others[j], out, &count, &err), LR_OK);
            assert_int_equal(out[0], groups[i].group);
        }
    }
    assert_string_equal(lr__group_name(0), "");
    assert_string_equal(lr__group_name(256), "");
    assert_string_equal(lr__group_name(0x0a0a), "");
}

static void hybrids_are_the_groups_with_ml_kem(void **state)
{
    static const uint16_t plain[] = {0, 23, 24, 25, 29, 30, 256, 0x0a0a, 4586, 4590};

    (void)state;
    assert_true(lr__group_is_hybrid(LR__GROUP_X25519MLKEM768));
    assert_true(lr__group_is_hybrid(LR__GROUP_SECP256R1MLKEM768));
    for (size_t i = 0; i < LR_ARRAY_COUNT(plain); i++)
        assert_false(lr__group_is_hybrid(plain[i]));
}

static void the_names_of_wolfssl_are_known_in_any_case(void **state)
{
    (void)state;
    assert_int_equal(lr__group_of_wolf_name("SECP256R1"), 23);
    assert_int_equal(lr__group_of_wolf_name("secp384r1"), 24);
    assert_int_equal(lr__group_of_wolf_name("SECP521R1"), 25);
    assert_int_equal(lr__group_of_wolf_name("X25519"), 29);
    assert_int_equal(lr__group_of_wolf_name("SecP256r1MLKEM768"), 4587);
    assert_int_equal(lr__group_of_wolf_name("X25519MLKEM768"), 4588);
    assert_int_equal(lr__group_of_wolf_name("X448"), 0);
    assert_int_equal(lr__group_of_wolf_name(""), 0);
    assert_int_equal(lr__group_of_wolf_name(NULL), 0);
}

static void a_list_keeps_its_order_and_ignores_case(void **state)
{
    uint16_t out[LR__GROUP_LIST_MAX];
    uint32_t count;

    (void)state;
    assert_int_equal(lr__groups_parse("p-384:X25519mlkem768:PRIME256V1:x25519", out, &count, &err),
                     LR_OK);
    assert_int_equal(count, 4);
    assert_int_equal(out[0], 24);
    assert_int_equal(out[1], 4588);
    assert_int_equal(out[2], 23);
    assert_int_equal(out[3], 29);
}

static void assert_refused(const char *list, const char *what)
{
    uint16_t out[LR__GROUP_LIST_MAX];
    uint32_t count;

    assert_int_equal(lr__groups_parse(list, out, &count, &err), LR_EOPTION);
    assert_non_null(strstr(err.text, "groups"));
    assert_non_null(strstr(err.text, what));
    assert_int_equal(lr__groups_parse(list, out, &count, NULL), LR_EOPTION);
}

static void a_word_that_is_no_group_is_named(void **state)
{
    (void)state;
    assert_refused("", "''");
    assert_refused(":", "''");
    assert_refused("X25519:", "''");
    assert_refused(":X25519", "''");
    assert_refused("X25519::P-256", "''");
    assert_refused("X2551", "'X2551'");
    assert_refused("X255199", "'X255199'");
    assert_refused("X25519: P-256", "' P-256'");
    assert_refused("X25519:ffdhe2048", "'ffdhe2048'");
}

static void a_group_that_comes_twice_is_named(void **state)
{
    (void)state;
    assert_refused("X25519:X25519", "'X25519' is there twice");
    assert_refused("P-256:X25519:secp256r1", "'secp256r1' is there twice");
}

/* The numbers that a list means. */
static void assert_suites(const char *list, const uint16_t *expected, uint32_t len)
{
    uint16_t out[LR__SUITE_LIST_MAX];
    uint32_t count = 99;

    memset(out, 0x5a, sizeof(out));
    assert_int_equal(lr__suites_parse(list, &rules, out, &count, &err), LR_OK);
    assert_int_equal(count, len);
    assert_memory_equal(out, expected, len * sizeof(*out));
}

static void the_default_suites_are_all_of_them(void **state)
{
    static const uint16_t all[] = {0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f,
                                   0xc02c, 0xc030, 0xcca9, 0xcca8};

    (void)state;
    assert_suites(NULL, all, LR_ARRAY_COUNT(all));
}

static void a_list_of_suites_keeps_its_order_in_either_spelling(void **state)
{
    static const uint16_t mixed[] = {0x1303, 0x1301, 0xcca8, 0xc02b};
    static const uint16_t one[] = {0x1302};

    (void)state;
    assert_suites("ECDHE-RSA-CHACHA20-POLY1305:TLS_CHACHA20_POLY1305_SHA256:"
                  "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:TLS_AES_128_GCM_SHA256",
                  mixed, LR_ARRAY_COUNT(mixed));
    assert_suites("ecdhe-rsa-chacha20-poly1305:tls_chacha20_poly1305_sha256:"
                  "ecdhe-ecdsa-aes128-gcm-sha256:tls_aes_128_gcm_sha256",
                  mixed, LR_ARRAY_COUNT(mixed));
    assert_suites("TLS_AES_256_GCM_SHA384", one, 1);
}

static void without_a_suite_of_tls_1_3_its_default_ones_stay(void **state)
{
    static const uint16_t kept[] = {0x1301, 0x1302, 0x1303, 0xc030, 0xc02f};
    static const uint16_t all[] = {0x1301, 0x1302, 0x1303, 0xcca8, 0xcca9,
                                   0xc030, 0xc02c, 0xc02f, 0xc02b};

    (void)state;
    assert_suites("ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256", kept,
                  LR_ARRAY_COUNT(kept));
    assert_suites("ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-CHACHA20-POLY1305:"
                  "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384:"
                  "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256",
                  all, LR_ARRAY_COUNT(all));
}

static void a_word_that_is_no_suite_is_named(void **state)
{
    static const char *const cases[][2] = {
        {"", "''"},
        {":", "':'"},
        {"!RC4", "'!RC4' selects no suite"},
        {"HIGH:!ALL", "'HIGH:!ALL' selects no suite"},
        {"HIGH:NONSUCH", "'NONSUCH'"},
        {"HIGH:!NONSUCH", "'!NONSUCH'"},
        {"HIGH:-NONSUCH", "'-NONSUCH'"},
        {"ECDHE+NONSUCH", "'ECDHE+NONSUCH'"},
        {"ECDHE+", "'ECDHE+'"},
        {"HIGH:!", "'!'"},
        {"HIGH:@STRONG", "'@STRONG'"},
        {"HIGH:@SECLEVEL=6", "'@SECLEVEL=6'"},
        {"HIGH:@SECLEVEL=", "'@SECLEVEL='"},
        {"HIGH:RC4", "'RC4': no such suite is built here"},
        {"kRSA+AESGCM", "'kRSA+AESGCM': no such suite is built here"},
        {"TLS_AES_128_GCM_SHA25", "'TLS_AES_128_GCM_SHA25'"},
        {"AES128-SHA", "'AES128-SHA': no such suite is built here"},
        {"ECDHE-RSA-AES128-SHA256", "'ECDHE-RSA-AES128-SHA256': no such suite is built here"},
        {"TLS_RSA_WITH_AES_128_CBC_SHA", "'TLS_RSA_WITH_AES_128_CBC_SHA': no such suite"},
        {"ECDHE-RSA-", "'ECDHE-RSA-'"},
        {"TLS_AES_128_CCM_SHA256", "'TLS_AES_128_CCM_SHA256'"},
    };
    uint16_t out[LR__SUITE_LIST_MAX];
    uint32_t count;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(cases); i++) {
        assert_int_equal(lr__suites_parse(cases[i][0], &rules, out, &count, &err), LR_EOPTION);
        assert_non_null(strstr(err.text, "ciphers"));
        if (!strstr(err.text, cases[i][1]))
            fail_msg("'%s' does not name %s", err.text, cases[i][1]);
        assert_int_equal(lr__suites_parse(cases[i][0], &rules, out, &count, NULL), LR_EOPTION);
    }
}

/* What OpenSSL 3.0 makes of these lists (openssl ciphers -v LIST), but for the suites that are not
 * built here. */
static void groups_and_operations_do_what_openssl_does(void **state)
{
    static const struct {
        const char *list;
        uint16_t suites[10]; /* of TLS 1.2 */
    } cases[] = {
        {"HIGH", {0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0x009e, 0x009f, 0xccaa}},
        {"HIGH:!DHE", {0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8}},
        {"ECDHE+AESGCM:DHE+AESGCM", {0xc02b, 0xc02f, 0xc02c, 0xc030, 0x009e, 0x009f}},
        {"ECDHE+aRSA+AESGCM", {0xc02f, 0xc030}},
        {"ECDSA:ALL:!kEDH", {0xc02b, 0xc02c, 0xcca9, 0xc02f, 0xc030, 0xcca8}},
        {"ALL:!DH:+aECDSA", {0xc02f, 0xc030, 0xcca8, 0xc02b, 0xc02c, 0xcca9}},
        {"CHACHA20:-aRSA:ECDHE-RSA-CHACHA20-POLY1305", {0xcca9, 0xcca8}},
        {"CHACHA20:!aRSA:ECDHE-RSA-CHACHA20-POLY1305", {0xcca9}},
        {"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256", {0xc02f}},
        {"kEECDH+AES128:kEECDH+AES256 @STRENGTH", {0xc02c, 0xc030, 0xc02b, 0xc02f}},
        {"AES, EECDH;-kEDH", {0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8}},
        {"DEFAULT:!DHE:@SECLEVEL=2", {0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8}},
        {"EECDH+aRSA:!aNULL:!eNULL:!NULL:!EXPORT:!DES:!3DES:!RC4:!MD5:!PSK:!SRP:!CAMELLIA:!kRSA:"
         "!SHA1:!SEED:!IDEA:!ARIA:!AESCCM:!DSS:!ECDHE-RSA-AES128-SHA:-LOW:+MEDIUM",
         {0xc02f, 0xc030, 0xcca8}},
    };
    static const lr__suite_rules with_dhe = {"ciphers", true, false};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(cases); i++) {
        uint16_t out[LR__SUITE_LIST_MAX] = {0};
        uint32_t count, expected = 3;

        if (lr__suites_parse(cases[i].list, &with_dhe, out, &count, &err) != LR_OK)
            fail_msg("%s: %s", cases[i].list, err.text);
        while (expected - 3 < 10 && cases[i].suites[expected - 3] != 0)
            expected++;
        if (count != expected || memcmp(out + 3, cases[i].suites, (count - 3) * 2) != 0)
            fail_msg("%s: %u suites, the first 0x%04x", cases[i].list, count, out[3]);
        assert_int_equal(out[0], 0x1301);
    }
}

static void a_security_level_above_128_bits_takes_aes_128_out(void **state)
{
    static const uint16_t left[] = {0x1302, 0x1303, 0xc02c, 0xc030, 0xcca9, 0xcca8};

    (void)state;
    assert_suites("EECDH:@SECLEVEL=4", left, LR_ARRAY_COUNT(left));
}

static void without_parameters_there_is_no_dhe(void **state)
{
    static const uint16_t kept[] = {0x1301, 0x1302, 0x1303, 0xc02f};
    static const uint16_t none[] = {0x1301, 0x1302, 0x1303};

    (void)state;
    assert_suites("DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256", kept, 4);
    assert_suites("DHE", none, 3);
}

static void suites_of_tls_1_3_are_taken_out_by_name(void **state)
{
    static const uint16_t left[] = {0x1301, 0x1303, 0xc02f};
    static const uint16_t none[] = {0xc02f};

    (void)state;
    assert_suites("ECDHE-RSA-AES128-GCM-SHA256:!TLS_AES_256_GCM_SHA384", left, 3);
    assert_suites("ECDHE-RSA-AES128-GCM-SHA256:!TLS_AES_256_GCM_SHA384:!TLS_AES_128_GCM_SHA256:"
                  "!TLS_CHACHA20_POLY1305_SHA256",
                  none, 1);
}

static void a_lenient_list_drops_what_is_not_here(void **state)
{
    static const lr__suite_rules lenient = {"ciphers", true, true};
    uint16_t out[LR__SUITE_LIST_MAX];
    uint32_t count;

    (void)state;
    assert_int_equal(lr__suites_parse("RC4:AES128-SHA:ECDHE-RSA-AES128-SHA256:AES256+aRSA",
                                      &lenient, out, &count, &err),
                     LR_OK);
    assert_int_equal(count, 5);
    assert_int_equal(out[3], 0xc030);
    assert_int_equal(out[4], 0x009f);
    assert_int_equal(lr__suites_parse("RC4:NONSUCH", &lenient, out, &count, &err), LR_EOPTION);
}

static void the_names_of_all_suites_are_told(void **state)
{
    static const uint16_t all[] = {0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c,
                                   0xc030, 0xcca9, 0xcca8, 0x009e, 0x009f, 0xccaa};
    const char *const *names = lr_ciphers();

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(all); i++)
        assert_string_equal(names[i], lr__suite_name(all[i]));
    assert_null(names[LR_ARRAY_COUNT(all)]);
}

static void a_suite_has_a_version_and_a_kind_of_key(void **state)
{
    (void)state;
    assert_int_equal(lr__suite_version(0x1301), LR_TLS_1_3);
    assert_int_equal(lr__suite_version(0xc02f), LR_TLS_1_2);
    assert_int_equal(lr__suite_version(0x002f), LR_TLS_DEFAULT);
    assert_true(lr__suite_is_chacha(0x1303) && lr__suite_is_chacha(0xcca8));
    assert_false(lr__suite_is_chacha(0x1301) || lr__suite_is_chacha(0xc02b) ||
                 lr__suite_is_chacha(0x1304));
    for (int kind = LR__KEY_OTHER; kind <= LR__KEY_ED25519; kind++) {
        bool rsa = kind == LR__KEY_RSA, other = kind == LR__KEY_OTHER;

        assert_true(lr__suite_fits_key(0x1302, (lr__key_kind)kind));
        assert_int_equal(lr__suite_fits_key(0xc02f, (lr__key_kind)kind), rsa || other);
        assert_int_equal(lr__suite_fits_key(0xcca9, (lr__key_kind)kind), !rsa);
        assert_false(lr__suite_fits_key(0x002f, (lr__key_kind)kind));
    }
}

/* wolfSSL's own words: that it knows them all is tested in test_context.c. */
static void a_list_is_written_in_either_order(void **state)
{
    static const uint16_t list[] = {0xc02b, 0x1301, 0xcca9, 0x1303};
    uint16_t all[LR__SUITE_LIST_MAX];
    char plain[LR__SUITE_TEXT_MAX], chacha[LR__SUITE_TEXT_MAX];
    uint32_t count;

    (void)state;
    lr__suites_write(list, 4, false, plain);
    assert_string_equal(plain, "ECDHE-ECDSA-AES128-GCM-SHA256:TLS13-AES128-GCM-SHA256:"
                               "ECDHE-ECDSA-CHACHA20-POLY1305:TLS13-CHACHA20-POLY1305-SHA256");
    lr__suites_write(list, 4, true, plain);
    assert_string_equal(plain, "ECDHE-ECDSA-CHACHA20-POLY1305:TLS13-CHACHA20-POLY1305-SHA256:"
                               "ECDHE-ECDSA-AES128-GCM-SHA256:TLS13-AES128-GCM-SHA256");
    lr__suites_write(list, 1, true, plain);
    assert_string_equal(plain, "ECDHE-ECDSA-AES128-GCM-SHA256");
    assert_int_equal(lr__suites_parse(NULL, &rules, all, &count, NULL), LR_OK);
    lr__suites_write(all, count, false, plain);
    lr__suites_write(all, count, true, chacha);
    assert_int_equal(strlen(plain), strlen(chacha));
    assert_int_equal(strncmp(plain, "TLS13-AES128-GCM-SHA256:", 24), 0);
    assert_int_equal(strncmp(chacha, "TLS13-CHACHA20-", 15), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suites_have_their_iana_names),
        cmocka_unit_test(suites_that_are_not_ours_have_no_name),
        cmocka_unit_test(each_name_of_a_group_means_its_number),
        cmocka_unit_test(hybrids_are_the_groups_with_ml_kem),
        cmocka_unit_test(the_names_of_wolfssl_are_known_in_any_case),
        cmocka_unit_test(a_list_keeps_its_order_and_ignores_case),
        cmocka_unit_test(a_word_that_is_no_group_is_named),
        cmocka_unit_test(a_group_that_comes_twice_is_named),
        cmocka_unit_test(the_default_suites_are_all_of_them),
        cmocka_unit_test(a_list_of_suites_keeps_its_order_in_either_spelling),
        cmocka_unit_test(without_a_suite_of_tls_1_3_its_default_ones_stay),
        cmocka_unit_test(a_word_that_is_no_suite_is_named),
        cmocka_unit_test(groups_and_operations_do_what_openssl_does),
        cmocka_unit_test(a_security_level_above_128_bits_takes_aes_128_out),
        cmocka_unit_test(without_parameters_there_is_no_dhe),
        cmocka_unit_test(suites_of_tls_1_3_are_taken_out_by_name),
        cmocka_unit_test(a_lenient_list_drops_what_is_not_here),
        cmocka_unit_test(the_names_of_all_suites_are_told),
        cmocka_unit_test(a_suite_has_a_version_and_a_kind_of_key),
        cmocka_unit_test(a_list_is_written_in_either_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
