/* SPDX-License-Identifier: MIT */
/* The parser of core/tls/hello.h: each extension that it reads, and what binds them together. */
#include "core/base/compiler.h"
#include "hello_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void more_shares_than_their_array_are_all_checked(void **state)
{
    static uint8_t groups[2 + 80], shares[2 + 200];

    (void)state;
    groups[1] = 80;
    shares[1] = 200;
    for (size_t i = 0; i < 40; i++) {
        groups[2 + 2 * i] = 0x40;
        groups[3 + 2 * i] = (uint8_t)i;
        memcpy(shares + 2 + 5 * i, "\x40\x00\x00\x01\x00", 5);
        shares[3 + 5 * i] = (uint8_t)i;
    }
    hello_add(plan_of(HELLO_SIGALGS | HELLO_VERSIONS), 10, groups, sizeof(groups));
    hello_add(&plan, 51, shares, sizeof(shares));
    assert_parsed(&plan);
    assert_int_equal(hello.share_count, LR__HELLO_GROUPS_MAX);
    assert_true(lr__hello_has_share(&hello, 0x4027));
    shares[3 + 5 * 39] = 38;
    hello_add(plan_of(HELLO_SIGALGS | HELLO_VERSIONS), 10, groups, sizeof(groups));
    hello_add(&plan, 51, shares, sizeof(shares));
    assert_refused(&plan, LR_EHELLO, LR__ALERT_ILLEGAL_PARAMETER);
}

static void names_are_kept_raw_and_canonical(void **state)
{
    (void)state;
    plan_of(HELLO_TLS13)->name = "WWW.Example.ORG.";
    assert_parsed(&plan);
    assert_slice(hello.servername, "WWW.Example.ORG.");
    assert_string_equal(hello.name, "www.example.org");
}

static void an_ip_literal_is_no_name(void **state)
{
    static const char *const literals[] = {"127.0.0.1", "10.0.0.255.", "::1", "2001:db8::7",
                                           "::ffff:192.0.2.1"};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(literals); i++) {
        plan_of(HELLO_TLS13)->name = literals[i];
        assert_parsed(&plan);
        assert_int_equal(hello.servername.len, 0);
        assert_string_equal(hello.name, "");
    }
}

static void what_is_no_host_name_is_refused(void **state)
{
    static const char *const names[] = {
        ".",        "a..b",  ".a",        "a b",         "a\tb",   "a\n",       "a/b",
        "a:443",    "[::1]", "::1%eth0",  "-a.org",      "a-.org", "a*b.org",   "*.example.org",
        "\xc3\xa9", "a\x7f", "a\x01.org", "1.2.3.4.5..", "a..",    "999.1.1.1",
    };
    char name[300];

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(names); i++) {
        plan_of(HELLO_TLS13)->name = names[i];
        assert_refused(&plan, LR_EHELLO, LR__ALERT_ILLEGAL_PARAMETER);
    }
    memset(name, 'a', sizeof(name));
    for (size_t i = 50; i < sizeof(name); i += 50)
        name[i] = '.';
    name[253] = '\0';
    plan_of(HELLO_TLS13)->name = name;
    assert_parsed(&plan);
    assert_int_equal(strlen(hello.name), 253);
    name[253] = 'a';
    name[254] = '\0';
    assert_refused(&plan, LR_EHELLO, LR__ALERT_ILLEGAL_PARAMETER);
    hello_add(plan_of(0), 0, "\x00\x08\x00\x00\x05www\0a", 10); /* A NUL inside. */
    assert_refused(&plan, LR_EHELLO, LR__ALERT_ILLEGAL_PARAMETER);
    hello_add(plan_of(0), 0,
              "\x00\x0c\x00\x00\x09"
              "127.0.0.\0",
              14);
    assert_refused(&plan, LR_EHELLO, LR__ALERT_ILLEGAL_PARAMETER);
}

static void names_of_other_types_are_skipped(void **state)
{
    (void)state;
    hello_add(plan_of(0), 0, "\x00\x08\x01\x00\x01x\x00\x00\x01y", 10);
    assert_parsed(&plan);
    assert_string_equal(hello.name, "y");
    hello_add(plan_of(0), 0, "\x00\x04\x07\x00\x01x", 6);
    assert_parsed(&plan);
    assert_string_equal(hello.name, "");
}

/* One extension with a body that is not right, in a hello that is. */
typedef struct bad_body {
    unsigned type;
    int alert;
    const char *body;
    size_t len;
} bad_body;

#define DECODE(type, literal)                                                                      \
    {                                                                                              \
        type, LR__ALERT_DECODE_ERROR, literal, sizeof(literal) - 1                                 \
    }
#define ILLEGAL(type, literal)                                                                     \
    {                                                                                              \
        type, LR__ALERT_ILLEGAL_PARAMETER, literal, sizeof(literal) - 1                            \
    }

static const bad_body bad_bodies[] = {
    /* server_name: empty body, empty list, empty name, short and long lengths, two host names. */
    DECODE(0, ""),
    DECODE(0, "\x00"),
    DECODE(0, "\x00\x00"),
    DECODE(0, "\x00\x03\x00\x00\x00"),
    DECODE(0, "\x00\x04\x00\x00\x02x"),
    DECODE(0, "\x00\x05\x00\x00\x01x"),
    DECODE(0, "\x00\x04\x00\x00\x01xy"),
    DECODE(0, "\x00\x05\x00\x00\x01x\x00"),
    DECODE(0, "\x00\x04\x01\x00\x00\x00"),
    ILLEGAL(0, "\x00\x08\x00\x00\x01x\x00\x00\x01x"),
    ILLEGAL(0, "\x00\x08\x00\x00\x01x\x00\x00\x01y"),
    /* max_fragment_length. */
    DECODE(1, ""),
    DECODE(1, "\x01\x01"),
    ILLEGAL(1, "\x00"),
    ILLEGAL(1, "\x05"),
    /* status_request. */
    DECODE(5, ""),
    DECODE(5, "\x01"),
    DECODE(5, "\x01\x00\x00"),
    DECODE(5, "\x01\x00\x00\x00\x00\x00"),
    DECODE(5, "\x01\x00\x02\x00\x00\x00\x00"),
    DECODE(5, "\x01\x00\x03\x00\x02x\x00\x00"),
    /* supported_groups. */
    DECODE(10, ""),
    DECODE(10, "\x00\x00"),
    DECODE(10, "\x00\x01\x00"),
    DECODE(10, "\x00\x03\x00\x1d\x00"),
    DECODE(10, "\x00\x04\x00\x1d"),
    DECODE(10, "\x00\x02\x00\x1d\x00"),
    /* signature_algorithms. */
    DECODE(13, ""),
    DECODE(13, "\x00\x00"),
    DECODE(13, "\x00\x03\x04\x03\x08"),
    DECODE(13, "\x00\x04\x04\x03"),
    DECODE(13, "\x00\x02\x04\x03\x08"),
    /* application_layer_protocol_negotiation. */
    DECODE(16, ""),
    DECODE(16, "\x00\x00"),
    DECODE(16, "\x00\x01\x00"),
    DECODE(16, "\x00\x04\x02h2\x00"),
    DECODE(16, "\x00\x03\x03h2"),
    DECODE(16, "\x00\x03\x01h2"),
    DECODE(16, "\x00\x04\x02h2"),
    DECODE(16, "\x00\x02\x02h2"),
    /* extended_master_secret, record_size_limit. */
    DECODE(23, "\x00"),
    DECODE(28, ""),
    DECODE(28, "\x40"),
    DECODE(28, "\x40\x00\x00"),
    ILLEGAL(28, "\x00\x3f"),
    ILLEGAL(28, "\x00\x00"),
    /* early_data, supported_versions. */
    DECODE(42, "\x00"),
    DECODE(43, ""),
    DECODE(43, "\x00"),
    DECODE(43, "\x01\x03"),
    DECODE(43, "\x03\x03\x04\x03"),
    DECODE(43, "\x04\x03\x04"),
    DECODE(43, "\x02\x03\x04\x00"),
    /* cookie, psk_key_exchange_modes, post_handshake_auth. */
    DECODE(44, ""),
    DECODE(44, "\x00\x00"),
    DECODE(44, "\x00\x02x"),
    DECODE(44, "\x00\x01xy"),
    DECODE(45, ""),
    DECODE(45, "\x00"),
    DECODE(45, "\x02\x01"),
    DECODE(45, "\x01\x01\x00"),
    DECODE(49, "\x00"),
    /* key_share. */
    DECODE(51, ""),
    DECODE(51, "\x00"),
    DECODE(51, "\x00\x01\x00"),
    DECODE(51, "\x00\x04\x00\x1d\x00\x00"),
    DECODE(51, "\x00\x05\x00\x1d\x00\x02x"),
    DECODE(51, "\x00\x05\x00\x1d\x00\x01"),
    DECODE(51, "\x00\x05\x00\x1d\x00\x01xy"),
    /* renegotiation_info. */
    DECODE(0xff01, ""),
    DECODE(0xff01, "\x01"),
    DECODE(0xff01, "\x00\x00"),
    {0xff01, LR__ALERT_HANDSHAKE_FAILURE, "\x01x", 2},
};

static void every_broken_extension_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(bad_bodies); i++) {
        const bad_body *bad = &bad_bodies[i];

        hello_add(plan_of(0), bad->type, bad->body, bad->len);
        if (parse(message, hello_make(&plan, message)) != LR_EHELLO || fault.alert != bad->alert)
            fail_msg("row %zu, extension %u: alert %d", i, bad->type, fault.alert);
    }
}

static void shapes_at_the_edge_are_legal(void **state)
{
    static const bad_body edges[] = {
        {1, 0, "\x04", 1},
        {5, 0, "\x02", 1},
        {5, 0, "\x01\x00\x03\x00\x01x\x00\x01y", 9},
        {28, 0, "\x00\x40", 2},
        {35, 0, "", 0},
        {44, 0, "\x00\x01x", 3},
        {45, 0, "\x01\x00", 2},
        {51, 0, "\x00\x00", 2},
        {0xff01, 0, "\x00", 1},
        {16, 0, "\x00\x02\x01x", 4},
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(edges); i++) {
        hello_add(plan_of(0), edges[i].type, edges[i].body, edges[i].len);
        assert_parsed(&plan);
        assert_false(hello.has_status_request != (i == 2));
        assert_false(hello.has_psk_dhe_ke);
    }
    assert_parsed(plan_of(HELLO_TLS13 & ~(unsigned)HELLO_SNI));
    hello_add(plan_of(HELLO_TLS13 & ~(unsigned)HELLO_SHARES), 51, "\x00\x00", 2);
    assert_parsed(&plan); /* RFC 8446 4.2.8: asks for a HelloRetryRequest. */
    assert_int_equal(hello.share_count, 0);
    assert_true(hello.has_key_share);
}

static void an_extension_that_comes_twice_is_refused(void **state)
{
    static const unsigned known[] = {0, 10, 13, 16, 23, 35, 43, 45, 51};
    static const unsigned unknown[] = {21, 0x0a0a, 0x1234, 0xffff};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(known); i++) {
        hello_add(plan_of(HELLO_TLS13 | HELLO_TLS12), 0x4444, "", 0);
        hello_add(&plan, known[i], "", 0);
        assert_refused(&plan, LR_EHELLO, LR__ALERT_ILLEGAL_PARAMETER);
        assert_non_null(strstr(fault.what, "twice"));
    }
    for (size_t i = 0; i < LR_ARRAY_COUNT(unknown); i++) {
        hello_add(plan_of(HELLO_TLS13), unknown[i], "x", 1);
        hello_add(&plan, unknown[i] ^ 1, "", 0);
        assert_parsed(&plan);
        hello_add(&plan, unknown[i], "", 0);
        assert_refused(&plan, LR_EHELLO, LR__ALERT_ILLEGAL_PARAMETER);
    }
}

static void key_shares_must_fit_the_groups(void **state)
{
    const unsigned rest = HELLO_TLS13 & ~(unsigned)HELLO_SHARES;

    (void)state;
    hello_add(plan_of(rest), 51, "\x00\x0a\x00\x1d\x00\x01x\x00\x1d\x00\x01x", 12);
    assert_refused(&plan, LR_EHELLO, LR__ALERT_ILLEGAL_PARAMETER);
    assert_non_null(strstr(fault.what, "two shares"));
    hello_add(plan_of(rest), 51, "\x00\x05\x00\x19\x00\x01x", 7);
    assert_refused(&plan, LR_EHELLO, LR__ALERT_ILLEGAL_PARAMETER);
    assert_non_null(strstr(fault.what, "not offered"));
    hello_add(plan_of(rest), 51, "\x00\x0a\x00\x18\x00\x01x\x00\x1d\x00\x01x", 12);
    assert_parsed(&plan);
    assert_int_equal(hello.shares[0], 0x0018);
    /* A GREASE share is of no group and may come where it likes. */
    hello_add(plan_of(rest), 51, "\x00\x0a\x8a\x8a\x00\x01x\x00\x1d\x00\x01x", 12);
    assert_parsed(&plan);
    assert_int_equal(hello.share_count, 1);
}

static void tls13_extensions_do_not_bind_an_older_hello(void **state)
{
    (void)state;
    assert_parsed(plan_of(HELLO_SHARES)); /* No groups, but no TLS 1.3 either. */
    hello_add(plan_of(HELLO_GROUPS), 43, "\x02\x03\x03", 3);
    assert_parsed(&plan);
    assert_false(lr__hello_offers_version(&hello, 0x0304));
}

static void each_extension_that_tls13_demands_is_missed(void **state)
{
    static const unsigned demanded[] = {HELLO_GROUPS, HELLO_SHARES, HELLO_SIGALGS,
                                        HELLO_GROUPS | HELLO_SHARES,
                                        HELLO_GROUPS | HELLO_SHARES | HELLO_SIGALGS};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(demanded); i++)
        assert_refused(plan_of(HELLO_TLS13 & ~demanded[i]), LR_EHELLO, LR__ALERT_MISSING_EXTENSION);
}

static void a_psk_replaces_what_a_certificate_needs(void **state)
{
    (void)state;
    assert_parsed(plan_of((HELLO_TLS13 | HELLO_PSK) & ~(unsigned)HELLO_SIGALGS));
    assert_parsed(plan_of(HELLO_VERSIONS | HELLO_PSK | HELLO_PSK_MODES));
    /* But groups and shares come both or not at all (RFC 8446 9.2). */
    assert_refused(plan_of((HELLO_TLS13 | HELLO_PSK) & ~(unsigned)HELLO_GROUPS), LR_EHELLO,
                   LR__ALERT_MISSING_EXTENSION);
    assert_refused(plan_of((HELLO_TLS13 | HELLO_PSK) & ~(unsigned)HELLO_SHARES), LR_EHELLO,
                   LR__ALERT_MISSING_EXTENSION);
}

static void a_psk_without_its_modes_is_refused(void **state)
{
    (void)state;
    assert_refused(plan_of((HELLO_TLS13 | HELLO_PSK) & ~(unsigned)HELLO_PSK_MODES), LR_EHELLO,
                   LR__ALERT_MISSING_EXTENSION);
    assert_refused(plan_of(HELLO_PSK), LR_EHELLO, LR__ALERT_MISSING_EXTENSION);
}

/* A pre_shared_key body of one identity and one binder, of any lengths. */
static size_t make_psk(uint8_t *out, size_t identity_len, size_t binder_len)
{
    size_t len = 0;

    memset(out, 0x5a, 512);
    out[len++] = 0;
    out[len++] = (uint8_t)(2 + identity_len + 4);
    out[len++] = 0;
    out[len++] = (uint8_t)identity_len;
    len += identity_len + 4;
    out[len++] = (uint8_t)((1 + binder_len) >> 8);
    out[len++] = (uint8_t)(1 + binder_len);
    out[len++] = (uint8_t)binder_len;
    return len + binder_len;
}

static void assert_psk(const uint8_t *body, size_t len, int alert)
{
    hello_add(plan_of(HELLO_TLS13), 41, body, len);
    if (alert == 0)
        assert_parsed(&plan);
    else
        assert_refused(&plan, LR_EHELLO, alert);
}

static void a_broken_psk_is_refused(void **state)
{
    uint8_t body[512];
    size_t len;

    (void)state;
    assert_psk(body, make_psk(body, 1, 32), 0);
    assert_psk(body, make_psk(body, 1, 255), 0);
    assert_psk(body, make_psk(body, 0, 32), LR__ALERT_DECODE_ERROR);
    assert_psk(body, make_psk(body, 1, 31), LR__ALERT_DECODE_ERROR);
    assert_psk(body, make_psk(body, 1, 0), LR__ALERT_DECODE_ERROR);
    len = make_psk(body, 8, 32);
    assert_psk(body, len + 1, LR__ALERT_DECODE_ERROR);
    for (size_t cut = 0; cut < len; cut++)
        assert_psk(body, cut, LR__ALERT_DECODE_ERROR);
    assert_psk((const uint8_t *)"\x00\x00\x00\x00", 4, LR__ALERT_DECODE_ERROR);
    body[len] = 32; /* A second binder for the one identity. */
    body[17] = 66;
    assert_psk(body, len + 33, LR__ALERT_ILLEGAL_PARAMETER);
    body[3] = 1; /* Two identities, the second 1 byte long, for one binder. */
    body[1] = 14;
    memcpy(body + 9, "\x00\x01", 2);
    body[17] = 33;
    assert_psk(body, len, LR__ALERT_ILLEGAL_PARAMETER);
}

static void a_psk_that_is_not_last_is_refused(void **state)
{
    uint8_t body[512];
    size_t len = make_psk(body, 16, 32);

    (void)state;
    hello_add(plan_of(HELLO_TLS13), 41, body, len);
    hello_add(&plan, 0x1234, "", 0);
    assert_refused(&plan, LR_EHELLO, LR__ALERT_ILLEGAL_PARAMETER);
    hello_add(plan_of(HELLO_TLS13 | HELLO_PSK), 41, body, len);
    assert_refused(&plan, LR_EHELLO, LR__ALERT_ILLEGAL_PARAMETER);
}

static void the_identities_of_a_psk_can_be_walked(void **state)
{
    size_t at = 0;
    lr_slice identity;
    uint32_t age;

    (void)state;
    assert_parsed(plan_of(HELLO_TLS13 | HELLO_PSK | HELLO_GREASE));
    assert_true(lr__hello_psk_next(&hello, &at, &identity, &age));
    assert_int_equal(identity.len, 32);
    assert_int_equal(identity.bytes[31], 0x11);
    assert_int_equal(age, 0x01020304);
    assert_true(lr__hello_psk_next(&hello, &at, &identity, &age));
    assert_int_equal(identity.len, 100);
    assert_true(age == 0xfffefdfc);
    assert_false(lr__hello_psk_next(&hello, &at, &identity, &age));
    assert_false(lr__hello_psk_next(&hello, &at, &identity, &age));
    assert_parsed(plan_of(HELLO_TLS13));
    at = 0;
    assert_false(lr__hello_psk_next(&hello, &at, &identity, &age));
    assert_false(lr__hello_alpn_next(&(lr__hello){0}, &at, &identity));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_shares_than_their_array_are_all_checked),
        cmocka_unit_test(names_are_kept_raw_and_canonical),
        cmocka_unit_test(an_ip_literal_is_no_name),
        cmocka_unit_test(what_is_no_host_name_is_refused),
        cmocka_unit_test(names_of_other_types_are_skipped),
        cmocka_unit_test(every_broken_extension_is_refused),
        cmocka_unit_test(shapes_at_the_edge_are_legal),
        cmocka_unit_test(an_extension_that_comes_twice_is_refused),
        cmocka_unit_test(key_shares_must_fit_the_groups),
        cmocka_unit_test(tls13_extensions_do_not_bind_an_older_hello),
        cmocka_unit_test(each_extension_that_tls13_demands_is_missed),
        cmocka_unit_test(a_psk_replaces_what_a_certificate_needs),
        cmocka_unit_test(a_psk_without_its_modes_is_refused),
        cmocka_unit_test(a_broken_psk_is_refused),
        cmocka_unit_test(a_psk_that_is_not_last_is_refused),
        cmocka_unit_test(the_identities_of_a_psk_can_be_walked),
    };

    return cmocka_run_group_tests(tests, NULL, release);
}
