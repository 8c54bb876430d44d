/* SPDX-License-Identifier: MIT */
#include "core/base/hostname.h"

#include "core/base/compiler.h"
#include "support.h"

#define LABEL_63 "a23456789012345678901234567890123456789012345678901234567890123"
#define LABEL_61 "a234567890123456789012345678901234567890123456789012345678901"

static char out[LR__HOSTNAME_MAX + 1];
static size_t out_len;

static bool is_name(const char *text)
{
    memset(out, 'z', sizeof out);
    out_len = 9999;
    return lr__hostname_canonical(lr_slice_of(text, strlen(text)), out, &out_len);
}

static void assert_canonical(const char *text, const char *expected)
{
    assert_true(is_name(text));
    assert_string_equal(out, expected);
    assert_int_equal(out_len, strlen(expected));
}

static void assert_no_name(const char *text)
{
    assert_false(is_name(text));
    assert_int_equal(out_len, 9999);
}

static void names_become_lower_case(void **state)
{
    static const char *const rows[][2] = {
        {"example.com", "example.com"},
        {"EXAMPLE.Com", "example.com"},
        {"localhost", "localhost"},
        {"a", "a"},
        {"A-B.c--D", "a-b.c--d"},
        {"xn--Mnchen-3ya.de", "xn--mnchen-3ya.de"},
        {"_dmarc.Example.com", "_dmarc.example.com"},
        {"a_.b_c._", "a_.b_c._"},
        {"3com.com", "3com.com"},
        {"server.1", "server.1"},
        {"42", "42"},
        {"0x7f.example", "0x7f.example"},
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(rows); i++)
        assert_canonical(rows[i][0], rows[i][1]);
}

static void one_trailing_dot_is_stripped(void **state)
{
    (void)state;
    assert_canonical("example.com.", "example.com");
    assert_canonical("A.", "a");
    assert_no_name("example.com..");
    assert_no_name(".");
    assert_no_name("..");
}

static void empty_labels_are_refused(void **state)
{
    (void)state;
    assert_no_name("");
    assert_no_name(".example.com");
    assert_no_name("example..com");
    assert_no_name("..example");
    assert_false(lr__hostname_canonical(lr_slice_of(NULL, 0), out, &out_len));
}

static void hyphen_at_the_end_of_a_label_is_refused(void **state)
{
    static const char *const rows[] = {"-a.com", "a-.com", "-.com", "a.-com",
                                       "a.com-", "a.-",    "-",     "a.com-."};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(rows); i++)
        assert_no_name(rows[i]);
}

static void every_byte_but_letters_digits_hyphen_underscore_is_refused(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        bool is_wanted =
            is_letter || (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.';
        char name[5] = {'a', 'b', 'b', 'c', 0};

        name[2] = (char)byte;
        assert_int_equal(lr__hostname_canonical(lr_slice_of(name, 4), out, &out_len), is_wanted);
    }
}

static void zero_inside_or_behind_a_name_is_refused(void **state)
{
    (void)state;
    assert_false(lr__hostname_canonical(LR_LIT("bank.com\0.evil.com"), out, &out_len));
    assert_false(lr__hostname_canonical(LR_LIT("bank.com\0"), out, &out_len));
    assert_false(lr__hostname_canonical(LR_LIT("\0"), out, &out_len));
}

static void labels_may_have_63_bytes(void **state)
{
    (void)state;
    assert_canonical(LABEL_63, LABEL_63);
    assert_canonical(LABEL_63 ".com", LABEL_63 ".com");
    assert_no_name(LABEL_63 "x");
    assert_no_name(LABEL_63 "x.com");
    assert_no_name("a." LABEL_63 "x");
}

static void names_may_have_253_bytes(void **state)
{
    static const char longest[] = LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_61;

    (void)state;
    assert_int_equal(strlen(longest), LR__HOSTNAME_MAX);
    assert_canonical(longest, longest);
    assert_canonical(LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_61 ".", longest);
    assert_no_name(LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_61 "x");
    assert_no_name(LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_61 "x.");
    assert_no_name(LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63);
}

static void address_literals_are_no_names(void **state)
{
    static const char *const rows[] = {
        "127.0.0.1",       "127.0.0.1.", "255.255.255.255", "0.0.0.0",   "999.1.1.1",
        "010.000.000.001", "::1",        "[::1]",           "fe80::1%0", "::ffff:1.2.3.4",
        "2001:db8::1",
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(rows); i++)
        assert_no_name(rows[i]);
}

static void what_only_looks_like_an_address_is_a_name(void **state)
{
    static const char *const rows[] = {"1.2.3",      "1.2.3.4.5", "1.2.3.4a",
                                       "1234.1.1.1", "1.2.3._",   "1.2.3.4.example"};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(rows); i++)
        assert_canonical(rows[i], rows[i]);
}

static void wildcards_are_no_names(void **state)
{
    (void)state;
    assert_no_name("*.example.com");
    assert_no_name("*");
    assert_no_name("a*.example.com");
}

/* Names at random: the canonical form is its own canonical form. */
static void canonical_form_is_stable(void **state)
{
    static const char alphabet[] = "abYZ09-_..";
    uint64_t seed = 5;
    uint32_t names = 0;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        char text[300], again[LR__HOSTNAME_MAX + 1];
        size_t len = support_random_below(&seed, i % 100 == 0 ? sizeof text : 20), again_len;

        for (size_t j = 0; j < len; j++)
            text[j] = alphabet[support_random_below(&seed, sizeof alphabet - 1)];
        if (!lr__hostname_canonical(lr_slice_of(text, len), out, &out_len))
            continue;
        names++;
        assert_int_equal(strlen(out), out_len);
        assert_true(lr__hostname_canonical(lr_slice_of(out, out_len), again, &again_len));
        assert_string_equal(again, out);
    }
    assert_true(names > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_become_lower_case),
        cmocka_unit_test(one_trailing_dot_is_stripped),
        cmocka_unit_test(empty_labels_are_refused),
        cmocka_unit_test(hyphen_at_the_end_of_a_label_is_refused),
        cmocka_unit_test(every_byte_but_letters_digits_hyphen_underscore_is_refused),
        cmocka_unit_test(zero_inside_or_behind_a_name_is_refused),
        cmocka_unit_test(labels_may_have_63_bytes),
        cmocka_unit_test(names_may_have_253_bytes),
        cmocka_unit_test(address_literals_are_no_names),
        cmocka_unit_test(what_only_looks_like_an_address_is_a_name),
        cmocka_unit_test(wildcards_are_no_names),
        cmocka_unit_test(canonical_form_is_stable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
