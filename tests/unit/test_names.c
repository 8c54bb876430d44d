/* SPDX-License-Identifier: MIT */
/* Names of suites and groups, both ways. */
#include "support.h"

#include "core/base/compiler.h"
#include "core/tls/names.h"

static lr_error err;

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

/* Every list of suites must be of names that the library knows, or no context could be made; that
 * is tested in test_context.c. Here: the two differ in order only. */
static void both_orders_hold_the_same_suites(void **state)
{
    char word[64];
    uint32_t count = 0;

    (void)state;
    assert_int_equal(strlen(lr__suites_default), strlen(lr__suites_chacha_first));
    for (const char *at = lr__suites_default; *at; at += strspn(at, ":")) {
        size_t len = strcspn(at, ":");

        assert_true(len < sizeof(word));
        memcpy(word, at, len);
        word[len] = '\0';
        assert_non_null(strstr(lr__suites_chacha_first, word));
        count++;
        at += len;
    }
    assert_int_equal(count, 9);
    assert_int_equal(strncmp(lr__suites_default, "TLS13-AES128-GCM-SHA256:", 24), 0);
    assert_int_equal(strncmp(lr__suites_chacha_first, "TLS13-CHACHA20-", 15), 0);
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
        cmocka_unit_test(both_orders_hold_the_same_suites),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
