/* SPDX-License-Identifier: MIT */
/* The parser of core/tls/hello.h: what it tells of whole hellos, and hellos that are broken outside
 * of their extensions (those: test_hello_extensions.c). */
#include "core/base/compiler.h"
#include "hello_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Sets the message's length fields to what they must be for len bytes. */
static void set_message_len(uint8_t *bytes, size_t len)
{
    bytes[1] = (uint8_t)((len - 4) >> 16);
    bytes[2] = (uint8_t)((len - 4) >> 8);
    bytes[3] = (uint8_t)(len - 4);
}

static void a_tls13_hello_is_described(void **state)
{
    (void)state;
    assert_parsed(plan_of(HELLO_TLS13));
    assert_int_equal(hello.message.len, hello_make(&plan, message));
    assert_int_equal(hello.legacy_version, 0x0303);
    assert_int_equal(hello.random.len, 32);
    assert_int_equal(hello.session_id.len, 32);
    assert_int_equal(hello.cipher_suites.len, 10);
    assert_slice(hello.servername, "www.example.org");
    assert_string_equal(hello.name, "www.example.org");
    assert_slice(hello.alpn, "\x02h2\x08http/1.1");
    assert_slice(hello.sigalgs, "\x04\x03\x08\x04\x04\x01");
    assert_int_equal(hello.version_count, 2);
    assert_int_equal(hello.versions[0], 0x0304);
    assert_int_equal(hello.group_count, 3);
    assert_int_equal(hello.groups[0], 0x001d);
    assert_int_equal(hello.share_count, 1);
    assert_int_equal(hello.shares[0], 0x001d);
    assert_true(hello.has_supported_versions && hello.has_key_share && hello.has_psk_modes);
    assert_true(hello.has_psk_dhe_ke);
    assert_false(hello.has_psk || hello.has_early_data || hello.has_session_ticket);
    assert_false(hello.has_status_request || hello.has_cookie || hello.has_renegotiation_info);
    assert_false(hello.has_extended_master_secret || hello.has_post_handshake_auth);
}

static void a_tls12_hello_is_described(void **state)
{
    (void)state;
    assert_parsed(plan_of(HELLO_TLS12 | HELLO_STATUS_REQUEST | HELLO_MAX_FRAGMENT));
    assert_int_equal(hello.version_count, 1);
    assert_int_equal(hello.versions[0], 0x0303);
    assert_int_equal(hello.session_ticket.len, 16);
    assert_true(hello.has_session_ticket && hello.has_extended_master_secret);
    assert_true(hello.has_status_request && hello.has_renegotiation_info);
    assert_int_equal(hello.max_fragment, 2);
    assert_int_equal(hello.record_size_limit, 0);
    assert_false(hello.has_supported_versions || hello.has_key_share || hello.has_psk_modes);
}

static void every_extension_is_seen(void **state)
{
    (void)state;
    assert_parsed(plan_of(HELLO_TLS13 | HELLO_TLS12 | HELLO_STATUS_REQUEST | HELLO_COOKIE |
                          HELLO_RECORD_SIZE_LIMIT | HELLO_EARLY_DATA | HELLO_PHA | HELLO_PSK |
                          HELLO_RENEG_INFO | HELLO_MLKEM));
    assert_true(hello.has_cookie && hello.has_early_data && hello.has_post_handshake_auth);
    assert_true(hello.has_psk && hello.has_renegotiation_info);
    assert_int_equal(hello.record_size_limit, 16385);
    assert_int_equal(hello.shares[0], 0x11ec);
    assert_int_equal(hello.groups[0], 0x11ec);
}

static void a_hello_without_extensions_is_legal(void **state)
{
    (void)state;
    assert_parsed(plan_of(HELLO_NO_EXTENSIONS));
    assert_string_equal(hello.name, "");
    assert_int_equal(hello.versions[0], 0x0303);
    assert_parsed(plan_of(0)); /* An empty list of them. */
    assert_false(lr__hello_offers_version(&hello, 0x0304));
    plan_of(HELLO_NO_EXTENSIONS)->session_id_len = 0;
    assert_parsed(&plan);
    assert_int_equal(hello.session_id.len, 0);
}

static void grease_is_in_no_list(void **state)
{
    size_t at = 0;
    lr_slice name;

    (void)state;
    assert_parsed(plan_of(HELLO_TLS13 | HELLO_GREASE | HELLO_MLKEM));
    assert_int_equal(hello.versions[0], 0x0304);
    assert_int_equal(hello.version_count, 2);
    assert_int_equal(hello.groups[0], 0x11ec);
    assert_int_equal(hello.group_count, 4);
    assert_int_equal(hello.shares[0], 0x11ec);
    assert_int_equal(hello.share_count, 2);
    assert_false(lr__hello_offers_version(&hello, 0x5a5a));
    assert_false(lr__hello_offers_group(&hello, 0x2a2a));
    assert_false(lr__hello_has_share(&hello, 0x2a2a));
    assert_false(lr__hello_offers_suite(&hello, 0x1a1a));
    assert_true(lr__hello_alpn_next(&hello, &at, &name));
    assert_slice(name, "h2");
    assert_true(lr__hello_alpn_next(&hello, &at, &name));
    assert_slice(name, "http/1.1");
    assert_false(lr__hello_alpn_next(&hello, &at, &name));
    assert_false(lr__hello_alpn_next(&hello, &at, &name));
}

static void what_looks_like_grease_but_is_not_is_kept(void **state)
{
    static const uint8_t groups[] = {0, 8, 0x0a, 0x1a, 0x1a, 0x0a, 0x0b, 0x0b, 0x00, 0x1d};

    (void)state;
    hello_add(plan_of(0), 10, groups, sizeof(groups));
    assert_parsed(&plan);
    assert_int_equal(hello.group_count, 4);
    assert_true(lr__hello_offers_group(&hello, 0x0a1a));
    assert_true(lr__hello_offers_group(&hello, 0x0b0b));
}

static void questions_about_versions_groups_and_suites_are_answered(void **state)
{
    (void)state;
    assert_parsed(plan_of(HELLO_TLS13));
    assert_true(lr__hello_offers_version(&hello, 0x0304));
    assert_true(lr__hello_offers_version(&hello, 0x0303));
    assert_false(lr__hello_offers_version(&hello, 0x0302));
    assert_true(lr__hello_offers_group(&hello, 0x0018));
    assert_false(lr__hello_offers_group(&hello, 0x11ec));
    assert_true(lr__hello_has_share(&hello, 0x001d));
    assert_false(lr__hello_has_share(&hello, 0x0017));
    assert_true(lr__hello_offers_suite(&hello, 0xc02f));
    assert_false(lr__hello_offers_suite(&hello, 0xc030));
    assert_false(lr__hello_offers_suite(&hello, 0x0113)); /* Across two suites. */
}

static void without_supported_versions_the_legacy_version_counts(void **state)
{
    (void)state;
    plan_of(HELLO_TLS12)->legacy_version = 0x0302;
    assert_parsed(&plan);
    assert_int_equal(hello.versions[0], 0x0302);
    assert_true(lr__hello_offers_version(&hello, 0x0301));
    assert_true(lr__hello_offers_version(&hello, 0x0302));
    assert_false(lr__hello_offers_version(&hello, 0x0303));
    plan_of(HELLO_TLS12)->legacy_version = 0x0304; /* RFC 8446 4.2.1: TLS 1.2 is meant. */
    assert_parsed(&plan);
    assert_int_equal(hello.versions[0], 0x0303);
    assert_false(lr__hello_offers_version(&hello, 0x0304));
    assert_false(lr__hello_offers_version(&hello, 0x0300));
    plan_of(HELLO_TLS12)->legacy_version = 0xffff;
    assert_parsed(&plan);
    assert_true(lr__hello_offers_version(&hello, 0x0303));
}

static void with_supported_versions_the_legacy_version_does_not_count(void **state)
{
    (void)state;
    plan_of(HELLO_TLS13)->legacy_version = 0x0301;
    assert_parsed(&plan);
    assert_true(lr__hello_offers_version(&hello, 0x0304));
    assert_false(lr__hello_offers_version(&hello, 0x0301));
    assert_int_equal(hello.legacy_version, 0x0301);
}

static void ssl3_and_older_are_refused_whatever_else_is_offered(void **state)
{
    static const unsigned versions[] = {0x0300, 0x02ff, 0x0200, 0x0001};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(versions); i++) {
        plan_of(HELLO_TLS13)->legacy_version = versions[i];
        assert_refused(&plan, LR_EVERSION, LR__ALERT_PROTOCOL_VERSION);
        plan_of(HELLO_NO_EXTENSIONS)->legacy_version = versions[i];
        assert_refused(&plan, LR_EVERSION, LR__ALERT_PROTOCOL_VERSION);
    }
}

static void a_list_longer_than_its_array_is_still_searched_whole(void **state)
{
    static uint8_t groups[2 + 200], versions[1 + 200];

    (void)state;
    groups[1] = 200;
    versions[0] = 200;
    for (size_t i = 0; i < 100; i++) {
        groups[2 + 2 * i] = 0x40;
        groups[3 + 2 * i] = (uint8_t)i;
        versions[1 + 2 * i] = 0x03;
        versions[2 + 2 * i] = (uint8_t)(0x80 + i);
    }
    versions[199] = 0x03;
    versions[200] = 0x04;
    hello_add(plan_of(HELLO_SIGALGS), 10, groups, sizeof(groups));
    hello_add(&plan, 43, versions, sizeof(versions));
    hello_add(&plan, 51, "\x00\x05\x40\x63\x00\x01\x00", 7);
    assert_parsed(&plan);
    assert_int_equal(hello.group_count, LR__HELLO_GROUPS_MAX);
    assert_int_equal(hello.version_count, LR__HELLO_VERSIONS_MAX);
    assert_true(lr__hello_offers_group(&hello, 0x4063));
    assert_true(lr__hello_offers_version(&hello, 0x0304));
    /* What TLS 1.3 demands is demanded although the array was full before it. */
    hello_add(plan_of(0), 43, versions, sizeof(versions));
    assert_refused(&plan, LR_EHELLO, LR__ALERT_MISSING_EXTENSION);
}

static void compression_other_than_null_is_refused_where_it_must_be(void **state)
{
    (void)state;
    plan_of(HELLO_TLS12)->compression = LR_LIT("\x01");
    assert_refused(&plan, LR_EHELLO, LR__ALERT_ILLEGAL_PARAMETER);
    plan_of(HELLO_TLS12)->compression = LR_LIT("");
    assert_refused(&plan, LR_EHELLO, LR__ALERT_DECODE_ERROR);
    plan_of(HELLO_TLS12)->compression = LR_LIT("\x01\x00\x40");
    assert_parsed(&plan);
    plan_of(HELLO_TLS13)->compression = LR_LIT("\x01\x00");
    assert_refused(&plan, LR_EHELLO, LR__ALERT_ILLEGAL_PARAMETER);
    plan_of(HELLO_TLS13)->compression = LR_LIT("\x00\x00");
    assert_refused(&plan, LR_EHELLO, LR__ALERT_ILLEGAL_PARAMETER);
    plan_of(HELLO_TLS13)->compression = LR_LIT("\x01");
    assert_refused(&plan, LR_EHELLO, LR__ALERT_ILLEGAL_PARAMETER);
}

static void broken_suites_and_session_ids_are_refused(void **state)
{
    (void)state;
    plan_of(HELLO_TLS13)->suites = LR_LIT("");
    assert_refused(&plan, LR_EHELLO, LR__ALERT_ILLEGAL_PARAMETER);
    plan_of(HELLO_TLS13)->suites = LR_LIT("\x13");
    assert_refused(&plan, LR_EHELLO, LR__ALERT_DECODE_ERROR);
    plan_of(HELLO_TLS13)->suites = LR_LIT("\x13\x01\x13");
    assert_refused(&plan, LR_EHELLO, LR__ALERT_DECODE_ERROR);
    plan_of(HELLO_TLS13)->session_id_len = 33;
    assert_refused(&plan, LR_EHELLO, LR__ALERT_DECODE_ERROR);
    plan_of(HELLO_TLS13)->session_id_len = 255;
    assert_refused(&plan, LR_EHELLO, LR__ALERT_DECODE_ERROR);
    plan_of(HELLO_TLS13)->session_id_len = 31;
    assert_parsed(&plan);
}

static void a_message_of_another_type_or_length_is_refused(void **state)
{
    size_t len = hello_make(plan_of(HELLO_TLS13), message);

    (void)state;
    message[0] = 2;
    assert_int_equal(parse(message, len), LR_EHELLO);
    assert_int_equal(fault.alert, LR__ALERT_UNEXPECTED_MESSAGE);
    message[0] = 1;
    message[3]++;
    assert_int_equal(parse(message, len), LR_EHELLO);
    assert_int_equal(fault.alert, LR__ALERT_DECODE_ERROR);
    message[3]--;
    message[len] = 0;
    assert_int_equal(parse(message, len + 1), LR_EHELLO);
    set_message_len(message, len + 1); /* A byte behind the extensions. */
    assert_int_equal(parse(message, len + 1), LR_EHELLO);
    assert_int_equal(fault.alert, LR__ALERT_DECODE_ERROR);
}

static void a_hello_cut_short_anywhere_is_refused(void **state)
{
    static const unsigned kinds[] = {HELLO_TLS13 | HELLO_GREASE | HELLO_PSK | HELLO_STATUS_REQUEST,
                                     HELLO_TLS12 | HELLO_RENEG_INFO};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(kinds); i++) {
        size_t len = hello_make(plan_of(kinds[i]), message);
        size_t suites = 4 + 2 + 32 + 1 + 32;
        size_t base = suites + 2 + (size_t)(message[suites] << 8 | message[suites + 1]) + 2;

        for (size_t cut = 0; cut < len; cut++) {
            assert_int_equal(parse(message, cut), LR_EHELLO);
            assert_int_equal(fault.alert, LR__ALERT_DECODE_ERROR);
        }
        /* With the message's length corrected only the end of the old hello is one. */
        for (size_t cut = len - 1; cut >= 4; cut--) {
            set_message_len(message, cut);
            assert_int_equal(parse(message, cut), cut == base ? LR_OK : LR_EHELLO);
        }
        /* With that of the extensions corrected too, only what ends between two of them may pass.
         */
        for (size_t cut = len - 1; cut >= base + 2; cut--) {
            set_message_len(message, cut);
            message[base] = (uint8_t)((cut - base - 2) >> 8);
            message[base + 1] = (uint8_t)(cut - base - 2);
            (void)parse(message, cut);
        }
    }
}

static void a_hello_with_any_byte_changed_is_read_within_its_bounds(void **state)
{
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    size_t len = hello_make(plan_of(HELLO_TLS13 | HELLO_TLS12 | HELLO_GREASE | HELLO_PSK |
                                    HELLO_STATUS_REQUEST | HELLO_COOKIE),
                            message);
    size_t refused = 0;

    (void)state;
    for (size_t at = 0; at < len; at++) {
        uint8_t was = message[at];

        for (size_t i = 0; i < LR_ARRAY_COUNT(values) + 2; i++) {
            message[at] = i < LR_ARRAY_COUNT(values) ? values[i] : (uint8_t)(was + 2 * (i & 1) - 1);
            refused += parse(message, len) != LR_OK;
        }
        message[at] = was;
    }
    assert_true(refused > len);
    assert_int_equal(parse(message, len), LR_OK);
}

static void thousands_of_extensions_and_shares_cost_no_more_than_their_bytes(void **state)
{
    static uint8_t shares[2 + 15000];
    size_t len;

    (void)state;
    plan_of(HELLO_TLS13);
    for (unsigned i = 0; i < 3900; i++)
        hello_add(&plan, 0x4000 + i, "", 0);
    len = hello_make(&plan, message);
    assert_in_range(len, 15000, LR__HELLO_MESSAGE_MAX);
    for (unsigned i = 0; i < 100; i++) /* All pairs would be 760 million comparisons. */
        assert_int_equal(parse(message, len), LR_OK);
    shares[0] = (uint8_t)(15000 >> 8);
    shares[1] = (uint8_t)15000;
    for (size_t i = 0; i < 3000; i++)
        memcpy(shares + 2 + 5 * i, "\x1a\x1a\x00\x01\x00", 5);
    hello_add(plan_of(HELLO_TLS13 & ~(unsigned)HELLO_SHARES), 51, shares, sizeof(shares));
    assert_parsed(&plan);
    memcpy(shares + 2 + 5 * 2999, "\x1a\x1b", 2);
    hello_add(plan_of(HELLO_TLS13 & ~(unsigned)HELLO_SHARES), 51, shares, sizeof(shares));
    assert_refused(&plan, LR_EHELLO, LR__ALERT_ILLEGAL_PARAMETER);
}

static bool same_identity(const char *name, const char *alpn, const char *name2, const char *alpn2)
{
    static uint8_t first_message[HELLO_ROOM];
    static lr__hello first;
    size_t len;

    plan_of(HELLO_TLS13)->name = name;
    plan.alpn = alpn;
    if (name == NULL)
        plan.flags &= ~(unsigned)HELLO_SNI;
    if (alpn == NULL)
        plan.flags &= ~(unsigned)HELLO_ALPN;
    len = hello_make(&plan, first_message);
    assert_int_equal(lr__hello_parse(lr_slice_of(first_message, len), &first, &fault), LR_OK);
    plan_of(HELLO_TLS13 | HELLO_COOKIE)->name = name2;
    plan.alpn = alpn2;
    if (name2 == NULL)
        plan.flags &= ~(unsigned)HELLO_SNI;
    if (alpn2 == NULL)
        plan.flags &= ~(unsigned)HELLO_ALPN;
    assert_parsed(&plan);
    return lr__hello_same_identity(&first, &hello);
}

static void a_second_hello_must_carry_the_same_name_and_protocols(void **state)
{
    (void)state;
    assert_true(same_identity("a.org", "h2,http/1.1", "a.org", "h2,http/1.1"));
    assert_true(same_identity(NULL, NULL, NULL, NULL));
    assert_true(same_identity("a.org", NULL, "a.org", NULL));
    assert_false(same_identity("a.org", "h2", "b.org", "h2"));
    assert_false(same_identity("a.org", "h2", "A.org", "h2")); /* RFC 8446 4.1.2: unchanged. */
    assert_false(same_identity("a.org", "h2", "a.org.", "h2"));
    assert_false(same_identity("a.org", "h2", NULL, "h2"));
    assert_false(same_identity(NULL, "h2", "a.org", "h2"));
    assert_false(same_identity("a.org", "h2,http/1.1", "a.org", "http/1.1,h2"));
    assert_false(same_identity("a.org", "h2,http/1.1", "a.org", "h2"));
    assert_false(same_identity("a.org", "h2", "a.org", NULL));
    assert_false(same_identity("a.org", NULL, "a.org", "h2"));
}

/* Reads a file of the fuzzer's corpus; its length. */
static size_t read_recorded(const char *name, uint8_t *out, size_t room)
{
    char path[4096];
    FILE *file;
    size_t len;

    snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/hello/%s", getenv("LOCKRING_SOURCE_DIR"),
             name);
    file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    len = fread(out, 1, room, file);
    fclose(file);
    return len;
}

static void what_real_clients_send_is_taken_and_read(void **state)
{
    static const char *const names[] = {
        "curl_default",
        "curl_http1",
        "gnutls_alpn_recordsize",
        "gnutls_default",
        "gnutls_ip",
        "gnutls_tls12",
        "gnutls_tls13_shares",
        "node_default",
        "node_tls12",
        "openssl_alpn_status",
        "openssl_default",
        "openssl_pha",
        "openssl_psk",
        "openssl_psk_early",
        "openssl_sessionid12",
        "openssl_ticket12",
        "openssl_tls10",
        "openssl_tls12",
        "openssl_tls12_maxfrag",
        "openssl_tls13_noname",
        "openssl_tls13_p384",
        "python_default",
        "second_node",
        "second_openssl",
        "second_openssl_early",
    };
    static uint8_t wire[4096], gathered[LR__HELLO_MESSAGE_MAX];

    (void)state;
    if (getenv("LOCKRING_SOURCE_DIR") == NULL)
        skip();
    for (size_t i = 0; i < LR_ARRAY_COUNT(names); i++) {
        bool second = strncmp(names[i], "second", 6) == 0;
        lr__hello_gather gather = {.second = second, .early_left = second ? 1000 : 0};
        lr_slice in = lr_slice_of(wire, read_recorded(names[i], wire, sizeof(wire)));

        if (lr__hello_take(&gather, &in, gathered, &fault) != LR_OK)
            fail_msg("%s not taken: %s", names[i], fault.what);
        if (parse(gathered, gather.message_len) != LR_OK)
            fail_msg("%s refused: %s", names[i], fault.what);
        if (second)
            assert_true(lr__hello_offers_version(&hello, 0x0304) && hello.share_count == 1);
        if (strstr(names[i], "psk") != NULL)
            assert_true(hello.has_psk && hello.has_psk_dhe_ke);
        if (strstr(names[i], "tls10") != NULL)
            assert_false(lr__hello_offers_version(&hello, 0x0302));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tls13_hello_is_described),
        cmocka_unit_test(a_tls12_hello_is_described),
        cmocka_unit_test(every_extension_is_seen),
        cmocka_unit_test(a_hello_without_extensions_is_legal),
        cmocka_unit_test(grease_is_in_no_list),
        cmocka_unit_test(what_looks_like_grease_but_is_not_is_kept),
        cmocka_unit_test(questions_about_versions_groups_and_suites_are_answered),
        cmocka_unit_test(without_supported_versions_the_legacy_version_counts),
        cmocka_unit_test(with_supported_versions_the_legacy_version_does_not_count),
        cmocka_unit_test(ssl3_and_older_are_refused_whatever_else_is_offered),
        cmocka_unit_test(a_list_longer_than_its_array_is_still_searched_whole),
        cmocka_unit_test(compression_other_than_null_is_refused_where_it_must_be),
        cmocka_unit_test(broken_suites_and_session_ids_are_refused),
        cmocka_unit_test(a_message_of_another_type_or_length_is_refused),
        cmocka_unit_test(a_hello_cut_short_anywhere_is_refused),
        cmocka_unit_test(a_hello_with_any_byte_changed_is_read_within_its_bounds),
        cmocka_unit_test(thousands_of_extensions_and_shares_cost_no_more_than_their_bytes),
        cmocka_unit_test(a_second_hello_must_carry_the_same_name_and_protocols),
        cmocka_unit_test(what_real_clients_send_is_taken_and_read),
    };

    return cmocka_run_group_tests(tests, NULL, release);
}
