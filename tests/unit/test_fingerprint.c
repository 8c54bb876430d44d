/* SPDX-License-Identifier: MIT */
/* JA3 and JA4 against published values: the examples of their authors (github.com/salesforce/ja3,
 * github.com/FoxIO-LLC/ja4) and of a browser as a public test page shows it. */
#include "support.h"

#include "core/tls/fingerprint.h"
#include "hello_maker.h"

#include <stdio.h>

/* A body that the parser accepts for each type that it looks into; nothing for the others. */
static void add(hello_plan *plan, unsigned type)
{
    static const uint8_t name[] = {0, 8, 0, 0, 5, 'l', 'o', 'c', 'a', 'l'};
    static const uint8_t alpn[] = {0, 12, 2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    static const uint8_t status[] = {1, 0, 0, 0, 0}, formats[] = {1, 0}, reneg[] = {0};
    static const uint8_t groups[] = {0,    10,   0x3a, 0x3a, 0x11, 0xec,
                                     0x00, 0x1d, 0x00, 0x17, 0x00, 0x18};
    static const uint8_t sigalgs[] = {0,    16,   0x04, 0x03, 0x08, 0x04, 0x04, 0x01, 0x05,
                                      0x03, 0x08, 0x05, 0x05, 0x01, 0x08, 0x06, 0x06, 0x01};
    static const uint8_t versions[] = {6, 0xba, 0xba, 0x03, 0x04, 0x03, 0x03};
    static const uint8_t modes[] = {1, 1};
    static const uint8_t shares[2 + 5 + 36] = {0, 41, 0x3a, 0x3a, 0, 1, 0, 0, 0x1d, 0, 32};

    switch (type) {
    case 0x0000:
        hello_add(plan, type, name, sizeof(name));
        break;
    case 0x0005:
        hello_add(plan, type, status, sizeof(status));
        break;
    case 0x000a:
        hello_add(plan, type, groups, sizeof(groups));
        break;
    case 0x000b:
        hello_add(plan, type, formats, sizeof(formats));
        break;
    case 0x000d:
        hello_add(plan, type, sigalgs, sizeof(sigalgs));
        break;
    case 0x0010:
        hello_add(plan, type, alpn, sizeof(alpn));
        break;
    case 0x002b:
        hello_add(plan, type, versions, sizeof(versions));
        break;
    case 0x002d:
        hello_add(plan, type, modes, sizeof(modes));
        break;
    case 0x0033:
        hello_add(plan, type, shares, sizeof(shares));
        break;
    case 0xff01:
        hello_add(plan, type, reneg, sizeof(reneg));
        break;
    default:
        hello_add(plan, type, "", 0);
    }
}

static void parse(const hello_plan *plan, lr__hello *hello)
{
    static uint8_t message[HELLO_ROOM];
    size_t len = hello_make(plan, message);
    lr__hello_fault fault;

    if (lr__hello_parse(lr_slice_of(message, len), hello, &fault) != LR_OK)
        fail_msg("%s", fault.what);
}

static const uint8_t chrome_suites[] = {
    0x0a, 0x0a, 0x13, 0x01, 0x13, 0x02, 0x13, 0x03, 0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x2c, 0xc0, 0x30,
    0xcc, 0xa9, 0xcc, 0xa8, 0xc0, 0x13, 0xc0, 0x14, 0x00, 0x9c, 0x00, 0x9d, 0x00, 0x2f, 0x00, 0x35};

static void of_extensions(const uint16_t *types, size_t count, lr__hello *hello)
{
    static hello_plan plan;

    memset(&plan, 0, sizeof(plan));
    plan.suites = lr_slice_of(chrome_suites, sizeof(chrome_suites));
    for (size_t i = 0; i < count; i++)
        add(&plan, types[i]);
    parse(&plan, hello);
}

static void expect(const lr__hello *hello, const char *ja3, const char *ja4)
{
    char got3[LR__JA3_SIZE], got4[LR__JA4_SIZE];

    assert_true(lr__ja3(hello, got3));
    assert_true(lr__ja4(hello, got4));
    if (ja3)
        assert_string_equal(got3, ja3);
    if (ja4)
        assert_string_equal(got4, ja4);
}

/* Chrome 143, with GREASE first and last. */
static void B1_a_browser_has_the_fingerprints_that_test_pages_show(void **state)
{
    static const uint16_t types[] = {0xfafa, 45, 51,    16, 65037, 23, 17613, 0,  11,
                                     10,     43, 65281, 35, 18,    5,  13,    27, 0x1a1a};
    lr__hello hello;

    (void)state;
    of_extensions(types, sizeof(types) / sizeof(types[0]), &hello);
    expect(&hello, "98487aa16281980e7d1120d399efb6a4", "t13d1516h2_8daaf6152771_d8a2da3f94cd");
}

/* The worked example of JA4's description; and in any order of extensions. */
static void B1_ja4_is_as_its_authors_compute_it(void **state)
{
    uint16_t types[] = {0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d,
                        0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015};
    size_t count = sizeof(types) / sizeof(types[0]);
    uint64_t seed = 1;

    (void)state;
    for (int turn = 0; turn < 20; turn++) {
        lr__hello hello;

        of_extensions(types, count, &hello);
        expect(&hello, NULL, "t13d1516h2_8daaf6152771_e5627efa2ab1");
        for (size_t i = count - 1; i > 0; i--) {
            size_t other = support_random_below(&seed, i + 1);
            uint16_t moved = types[i];

            types[i] = types[other];
            types[other] = moved;
        }
    }
}

static void old_hello(const uint16_t *suites, size_t count, bool extensions, lr__hello *hello)
{
    static const uint8_t groups[] = {0, 6, 0, 23, 0, 24, 0, 25};
    static hello_plan plan;
    static uint8_t list[64];

    memset(&plan, 0, sizeof(plan));
    for (size_t i = 0; i < count; i++) {
        list[2 * i] = (uint8_t)(suites[i] >> 8);
        list[2 * i + 1] = (uint8_t)suites[i];
    }
    plan.suites = lr_slice_of(list, 2 * count);
    plan.legacy_version = 0x0301;
    if (extensions) {
        add(&plan, 0);
        hello_add(&plan, 10, groups, sizeof(groups));
        add(&plan, 11);
    } else {
        plan.flags = HELLO_NO_EXTENSIONS;
    }
    parse(&plan, hello);
}

static void B1_ja3_is_as_its_authors_compute_it(void **state)
{
    static const uint16_t with[] = {47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4};
    static const uint16_t without[] = {4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99};
    lr__hello hello;

    (void)state;
    old_hello(with, sizeof(with) / sizeof(with[0]), true, &hello);
    expect(&hello, "ada70206e40642a3e4461f35503241d5", NULL);
    old_hello(without, sizeof(without) / sizeof(without[0]), false, &hello);
    expect(&hello, "de350869b8c85de67a350c8d186f11e6", NULL);
}

/* Without extensions there is nothing to hash. */
static void B1_ja4_of_a_hello_without_extensions_ends_in_zeros(void **state)
{
    static const uint16_t suites[] = {0x002f};
    lr__hello hello;
    char got[LR__JA4_SIZE];

    (void)state;
    old_hello(suites, 1, false, &hello);
    assert_true(lr__ja4(&hello, got));
    assert_memory_equal(got, "t10i010000_", 11);
    assert_string_equal(got + 23, "_000000000000");
}

static void B1_ja4_writes_odd_protocols_in_hexadecimal(void **state)
{
    static const struct {
        const char *list;
        size_t len;
        const char *text;
    } rows[] = {{"\2h2", 3, "h2"},
                {"\1h", 2, "hh"},
                {"\10http/1.1\2h2", 12, "h1"},
                {"\1\xab", 2, "ab"},
                {"\2\xab\xcd", 3, "ad"},
                {"\2\x30\xab", 3, "3b"},
                {"\3\x30\x31\xab", 4, "3b"},
                {"\3\xab\xcd\x30", 4, "a0"},
                {"\2\n\n", 3, "0a"},
                {"\2h-", 3, "6d"},
                {"\2-2", 3, "22"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static hello_plan plan;
        uint8_t body[32] = {0, (uint8_t)rows[i].len};
        char got[LR__JA4_SIZE];
        lr__hello hello;

        memset(&plan, 0, sizeof(plan));
        memcpy(body + 2, rows[i].list, rows[i].len);
        hello_add(&plan, 16, body, 2 + rows[i].len);
        parse(&plan, &hello);
        assert_true(lr__ja4(&hello, got));
        assert_memory_equal(got + 8, rows[i].text, 2);
    }
}

/* As many suites and extensions as a hello can hold. */
static void B1_ja4_counts_to_99(void **state)
{
    static uint8_t suites[12000];
    static hello_plan plan;
    char got3[LR__JA3_SIZE], got[LR__JA4_SIZE];
    lr__hello hello;

    (void)state;
    memset(&plan, 0, sizeof(plan));
    for (size_t i = 0; i < sizeof(suites); i += 2) {
        suites[i] = (uint8_t)(0xd0 + i / 2 / 256 % 32);
        suites[i + 1] = (uint8_t)(i / 2);
    }
    plan.suites = lr_slice_of(suites, sizeof(suites));
    for (unsigned type = 0x8000; type < 0x8000 + 500; type++)
        hello_add(&plan, type, "", 0);
    parse(&plan, &hello);
    assert_true(lr__ja4(&hello, got) && lr__ja3(&hello, got3));
    assert_memory_equal(got, "t12i999900_", 11);
    assert_int_equal(strlen(got), LR__JA4_SIZE - 1);
    assert_int_equal(strlen(got3), LR__JA3_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(B1_a_browser_has_the_fingerprints_that_test_pages_show),
        cmocka_unit_test(B1_ja4_is_as_its_authors_compute_it),
        cmocka_unit_test(B1_ja3_is_as_its_authors_compute_it),
        cmocka_unit_test(B1_ja4_of_a_hello_without_extensions_ends_in_zeros),
        cmocka_unit_test(B1_ja4_writes_odd_protocols_in_hexadecimal),
        cmocka_unit_test(B1_ja4_counts_to_99),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
