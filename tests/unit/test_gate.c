/* SPDX-License-Identifier: MIT */
/* What the gate decides from a ClientHello: version, protocol, preference. */
#include "support.h"

#include "core/tls/engine.h"
#include "hello_maker.h"
#include "hello_reader.h"

#include <stdio.h>

enum { EXT_VERSIONS = 43 };

static lr_context context;
static lr__gate_choice choice;
static char alpn_text[128];
static const lr__suite_rules rules = {"ciphers", false, false};

/* As lr_context_new() leaves them. */
static void offer(lr_tls_version min, lr_tls_version max, const char *alpn, bool required)
{
    memset(&context, 0, sizeof(context));
    context.version_min = min;
    context.version_max = max;
    context.groups[0] = LR__GROUP_X25519;
    context.groups[1] = LR__GROUP_SECP256R1;
    context.group_count = 2;
    context.identity_count = 1; /* of a key that fits everything */
    assert_int_equal(lr__suites_parse(NULL, &rules, context.suites, &context.suite_count, NULL),
                     LR_OK);
    context.alpn_required = required;
    (void)snprintf(alpn_text, sizeof(alpn_text), "%s", alpn);
    for (const char *word = alpn_text; *word != '\0'; word += strspn(word, ",")) {
        size_t len = strcspn(word, ",");

        context.alpn[context.alpn_count++] = lr_slice_of(word, len);
        word += len;
    }
}

static lr_status decide(const hello_plan *p)
{
    assert_parsed(p);
    memset(&choice, 0x5a, sizeof(choice));
    memset(&fault, 0x5a, sizeof(fault));
    return lr__gate_decide(&hello, &context, &choice, &fault);
}

static void assert_refuses(const hello_plan *p, lr_status status, int alert)
{
    assert_int_equal(decide(p), status);
    assert_int_equal(fault.status, status);
    assert_int_equal(fault.alert, alert);
    assert_true(fault.what != NULL && fault.what[0] != '\0');
}

static void assert_version(unsigned flags, lr_tls_version min, lr_tls_version max,
                           lr_tls_version chosen)
{
    offer(min, max, "", true);
    if (chosen == LR_TLS_DEFAULT) {
        assert_refuses(plan_of(flags), LR_EVERSION, LR__ALERT_PROTOCOL_VERSION);
        return;
    }
    assert_int_equal(decide(plan_of(flags)), LR_OK);
    assert_int_equal(choice.version, chosen);
}

static void the_highest_common_version_is_chosen(void **state)
{
    (void)state;
    assert_version(HELLO_TLS13, LR_TLS_1_2, LR_TLS_1_3, LR_TLS_1_3);
    assert_version(HELLO_TLS13 | HELLO_GREASE, LR_TLS_1_2, LR_TLS_1_3, LR_TLS_1_3);
    assert_version(HELLO_TLS13, LR_TLS_1_2, LR_TLS_1_2, LR_TLS_1_2);
    assert_version(HELLO_TLS13, LR_TLS_1_3, LR_TLS_1_3, LR_TLS_1_3);
    assert_version(HELLO_TLS12, LR_TLS_1_2, LR_TLS_1_3, LR_TLS_1_2);
    assert_version(HELLO_TLS12, LR_TLS_1_2, LR_TLS_1_2, LR_TLS_1_2);
    assert_version(HELLO_TLS12, LR_TLS_1_3, LR_TLS_1_3, LR_TLS_DEFAULT);
}

static void versions_that_are_listed_count_and_legacy_ones_do_not(void **state)
{
    static const uint8_t only_13[] = {2, 3, 4}, only_12[] = {2, 3, 3}, future[] = {2, 3, 5},
                         old[] = {4, 3, 2, 3, 1}, mixed[] = {6, 3, 5, 3, 3, 3, 1};
    const unsigned base = HELLO_TLS13 & ~(unsigned)HELLO_VERSIONS;
    static const struct {
        const uint8_t *list;
        size_t len;
        lr_tls_version chosen;
    } cases[] = {
        {only_13, sizeof(only_13), LR_TLS_1_3},   {only_12, sizeof(only_12), LR_TLS_1_2},
        {future, sizeof(future), LR_TLS_DEFAULT}, {old, sizeof(old), LR_TLS_DEFAULT},
        {mixed, sizeof(mixed), LR_TLS_1_2},
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(cases); i++) {
        hello_plan *p = plan_of(base);

        hello_add(p, EXT_VERSIONS, cases[i].list, cases[i].len);
        offer(LR_TLS_1_2, LR_TLS_1_3, "", true);
        if (cases[i].chosen == LR_TLS_DEFAULT) {
            assert_refuses(p, LR_EVERSION, LR__ALERT_PROTOCOL_VERSION);
        } else {
            assert_int_equal(decide(p), LR_OK);
            assert_int_equal(choice.version, cases[i].chosen);
        }
    }
}

static void a_client_of_tls_1_0_or_1_1_is_refused(void **state)
{
    (void)state;
    offer(LR_TLS_1_2, LR_TLS_1_3, "", true);
    for (unsigned version = 0x0301; version <= 0x0302; version++) {
        hello_plan *p = plan_of(HELLO_TLS12);

        p->legacy_version = version;
        assert_refuses(p, LR_EVERSION, LR__ALERT_PROTOCOL_VERSION);
    }
}

static void assert_alpn(const char *ours, bool required, const char *theirs, const char *chosen)
{
    hello_plan *p = plan_of(theirs ? HELLO_TLS13 : HELLO_TLS13 & ~(unsigned)HELLO_ALPN);

    p->alpn = theirs;
    offer(LR_TLS_1_2, LR_TLS_1_3, ours, required);
    if (!chosen) {
        assert_refuses(p, LR_EALPN, LR__ALERT_NO_APPLICATION_PROTOCOL);
        return;
    }
    assert_int_equal(decide(p), LR_OK);
    assert_slice(choice.alpn, chosen);
    if (choice.alpn.len > 0) /* in the context's memory: the hello's does not last */
        assert_true((const char *)choice.alpn.bytes >= alpn_text &&
                    (const char *)choice.alpn.bytes < alpn_text + sizeof(alpn_text));
}

static void the_order_of_the_server_decides_about_the_protocol(void **state)
{
    (void)state;
    assert_alpn("h2,http/1.1", true, "http/1.1,h2", "h2");
    assert_alpn("http/1.1,h2", true, "h2,http/1.1", "http/1.1");
    assert_alpn("a,b,c", true, "x,y,c", "c");
    assert_alpn("h2", true, "h2", "h2");
}

static void names_of_protocols_are_whole(void **state)
{
    (void)state;
    assert_alpn("h2", false, "h2c", "");
    assert_alpn("h2c", false, "h2", "");
    assert_alpn("h2", false, "H2", "");
    assert_alpn("http/1.1", true, "http/1.0,http/1.1", "http/1.1");
}

static void no_list_on_either_side_is_no_protocol(void **state)
{
    (void)state;
    assert_alpn("", true, NULL, "");
    assert_alpn("", true, "h2", "");
    assert_alpn("h2", true, NULL, "");
    assert_alpn("h2", false, NULL, "");
}

static void no_common_protocol_is_fatal_unless_it_may_be_missing(void **state)
{
    (void)state;
    assert_alpn("h2,http/1.1", true, "spdy/3,foo", NULL);
    assert_alpn("h2,http/1.1", false, "spdy/3,foo", "");
}

static void assert_no_suite(unsigned flags, lr_slice suites)
{
    hello_plan *p = plan_of(flags);

    p->suites = suites;
    offer(LR_TLS_1_2, LR_TLS_1_3, "", true);
    assert_refuses(p, LR_ETLS, LR__ALERT_HANDSHAKE_FAILURE);
    assert_string_equal(fault.what, "no common cipher suite");
}

static bool chacha_first(unsigned flags, lr_slice suites)
{
    hello_plan *p = plan_of(flags);

    p->suites = suites;
    offer(LR_TLS_1_2, LR_TLS_1_3, "", true);
    assert_int_equal(decide(p), LR_OK);
    return choice.chacha_first;
}

static void the_first_suite_that_we_know_tells_what_the_client_likes(void **state)
{
    (void)state;
    assert_true(chacha_first(HELLO_TLS13, LR_LIT("\x13\x03\x13\x01\x13\x02")));
    assert_false(chacha_first(HELLO_TLS13, LR_LIT("\x13\x01\x13\x03\x13\x02")));
    assert_false(chacha_first(HELLO_TLS13, LR_LIT("\x13\x02\x13\x03\x13\x01")));
    assert_true(chacha_first(HELLO_TLS12, LR_LIT("\xcc\xa9\xc0\x2b")));
    assert_true(chacha_first(HELLO_TLS12, LR_LIT("\xcc\xa8\xc0\x2f")));
    assert_false(chacha_first(HELLO_TLS12, LR_LIT("\xc0\x2f\xcc\xa8")));
    /* Suites that we do not have, and GREASE, say nothing. */
    assert_true(chacha_first(HELLO_TLS13, LR_LIT("\x0a\x0a\x13\x04\x00\x2f\x13\x03\x13\x01")));
    assert_false(chacha_first(HELLO_TLS13, LR_LIT("\x0a\x0a\x13\x04\x00\x2f\x13\x01\x13\x03")));
}

static void a_client_without_a_suite_of_ours_is_refused(void **state)
{
    (void)state;
    assert_no_suite(HELLO_TLS12, LR_LIT("\x00\x2f\x00\x35"));
    assert_no_suite(HELLO_TLS12, LR_LIT("\x13\x01\x13\x03"));
    assert_no_suite(HELLO_TLS13, LR_LIT("\xcc\xa9\xc0\x2f"));
    assert_no_suite(HELLO_TLS13, LR_LIT("\x13\x04\x13\x05"));
}

/* A client lists suites of both versions; those of the other one are not about this connection. */
static void suites_of_another_version_say_nothing(void **state)
{
    (void)state;
    assert_false(chacha_first(HELLO_TLS13, LR_LIT("\xcc\xa9\xcc\xa8\x13\x01\x13\x03")));
    assert_true(chacha_first(HELLO_TLS13, LR_LIT("\xc0\x2b\xc0\x2f\x13\x03\x13\x01")));
    assert_false(chacha_first(HELLO_TLS12, LR_LIT("\x13\x03\x13\x01\xc0\x2b\xcc\xa9")));
    assert_true(chacha_first(HELLO_TLS12, LR_LIT("\x13\x01\x13\x03\xcc\xa9\xc0\x2b")));
}

static void suites_that_we_could_not_use_say_nothing(void **state)
{
    hello_plan *p = plan_of(HELLO_TLS12);

    (void)state;
    p->suites = LR_LIT("\xcc\xa9\xc0\x2f\xcc\xa8"); /* ECDSA, RSA, RSA */
    offer(LR_TLS_1_2, LR_TLS_1_3, "", true);
    context.identities[0].kind = LR__KEY_RSA;
    assert_int_equal(decide(p), LR_OK);
    assert_false(choice.chacha_first);
    context.identities[0].kind = LR__KEY_P256;
    assert_int_equal(decide(p), LR_OK);
    assert_true(choice.chacha_first);
    /* The options named the order: it stays. */
    context.suites_ordered = true;
    assert_int_equal(decide(p), LR_OK);
    assert_false(choice.chacha_first);
}

static void suites_that_the_options_do_not_name_are_not_common(void **state)
{
    hello_plan *p = plan_of(HELLO_TLS13);

    (void)state;
    offer(LR_TLS_1_2, LR_TLS_1_3, "", true);
    assert_int_equal(lr__suites_parse("TLS_AES_256_GCM_SHA384", &rules, context.suites,
                                      &context.suite_count, NULL),
                     LR_OK);
    p->suites = LR_LIT("\x13\x01\x13\x03");
    assert_refuses(p, LR_ETLS, LR__ALERT_HANDSHAKE_FAILURE);
    p->suites = LR_LIT("\x13\x01\x13\x02");
    assert_int_equal(decide(p), LR_OK);
}

enum { NONE = 99, EXT_GROUPS = 10, EXT_SIGALGS = 13 };

/* Which identity of an RSA key, a P-256, a P-384 and an Ed25519 key, in that order, does a client
 * get that knows these schemes, and lists these groups (null: the usual ones)? */
static uint32_t identity_of(lr_tls_version version, lr_slice suites, lr_slice schemes,
                            lr_slice groups)
{
    static const lr__key_kind kinds[] = {LR__KEY_RSA, LR__KEY_P256, LR__KEY_P384, LR__KEY_ED25519};
    unsigned flags = version == LR_TLS_1_3 ? HELLO_TLS13 : HELLO_TLS12;
    uint8_t body[64] = {0, (uint8_t)schemes.len};
    hello_plan *p = plan_of(flags & ~(unsigned)(HELLO_SIGALGS | (groups.len ? HELLO_GROUPS : 0)));

    p->suites = suites;
    memcpy(body + 2, schemes.bytes, schemes.len);
    if (schemes.len > 0)
        hello_add(p, EXT_SIGALGS, body, 2 + schemes.len);
    if (groups.len > 0) {
        body[1] = (uint8_t)groups.len;
        memcpy(body + 2, groups.bytes, groups.len);
        hello_add(p, EXT_GROUPS, body, 2 + groups.len);
    }
    offer(LR_TLS_1_2, LR_TLS_1_3, "", true);
    for (context.identity_count = 0; context.identity_count < 4; context.identity_count++)
        context.identities[context.identity_count].kind = kinds[context.identity_count];
    if (decide(p) == LR_OK)
        return choice.identity;
    assert_int_equal(fault.status, LR_ETLS);
    assert_int_equal(fault.alert, LR__ALERT_HANDSHAKE_FAILURE);
    return NONE;
}

#define SCHEMES_13(text) identity_of(LR_TLS_1_3, LR_LIT("\x13\x01"), LR_LIT(text), usual)
#define SCHEMES_12(text) identity_of(LR_TLS_1_2, LR_LIT("\xc0\x2b\xc0\x2f"), LR_LIT(text), usual)
static const lr_slice usual = {NULL, 0};

static void in_tls_1_3_the_schemes_of_the_client_choose_the_identity(void **state)
{
    (void)state;
    assert_int_equal(SCHEMES_13("\x08\x04"), 0);
    assert_int_equal(SCHEMES_13("\x08\x06"), 0);
    assert_int_equal(SCHEMES_13("\x04\x03"), 1);
    assert_int_equal(SCHEMES_13("\x05\x03"), 2);
    assert_int_equal(SCHEMES_13("\x08\x07"), 3);
    /* The server's order decides. */
    assert_int_equal(SCHEMES_13("\x08\x07\x05\x03\x04\x03\x08\x05"), 0);
    assert_int_equal(SCHEMES_13("\x08\x07\x05\x03\x04\x03"), 1);
    /* PKCS#1 v1.5 and SHA-1 are no signatures of TLS 1.3, P-521 is not there. */
    assert_int_equal(SCHEMES_13("\x04\x01\x05\x01\x08\x07"), 3);
    assert_int_equal(SCHEMES_13("\x04\x01\x06\x01"), NONE);
    assert_int_equal(SCHEMES_13("\x02\x03\x02\x01"), NONE);
    assert_int_equal(SCHEMES_13("\x06\x03"), NONE);
    assert_int_equal(SCHEMES_13("\x08\x08\x08\x09"), NONE);
    assert_int_equal(SCHEMES_13("\x0a\x0a\xff\xff"), NONE);
}

static void in_tls_1_2_suites_and_schemes_choose_the_identity(void **state)
{
    const lr_slice all = LR_LIT("\x08\x04\x04\x03\x05\x03\x08\x07");

    (void)state;
    assert_int_equal(SCHEMES_12("\x04\x01"), 0);
    assert_int_equal(SCHEMES_12("\x08\x05"), 0);
    assert_int_equal(SCHEMES_12("\x04\x03"), 1);
    assert_int_equal(SCHEMES_12("\x05\x03"), 1); /* the hash is not of the curve */
    assert_int_equal(SCHEMES_12("\x06\x03"), 1);
    assert_int_equal(SCHEMES_12("\x08\x07"), 3);
    assert_int_equal(SCHEMES_12("\x02\x01\x02\x03"), NONE);
    assert_int_equal(SCHEMES_12(""), 0); /* none sent */
    /* A suite of RSA is not for another key, and none of ECDSA is for RSA. */
    assert_int_equal(identity_of(LR_TLS_1_2, LR_LIT("\xc0\x2b"), all, usual), 1);
    assert_int_equal(identity_of(LR_TLS_1_2, LR_LIT("\xc0\x2f"), all, usual), 0);
    assert_int_equal(identity_of(LR_TLS_1_2, LR_LIT("\xc0\x2b"), LR_LIT("\x08\x04"), usual), NONE);
    assert_int_equal(identity_of(LR_TLS_1_2, LR_LIT("\xc0\x2f"), LR_LIT("\x04\x03"), usual), NONE);
}

static void in_tls_1_2_the_groups_speak_of_certificates_too(void **state)
{
    const lr_slice ecdsa = LR_LIT("\xc0\x2b\xc0\x2c"), any = LR_LIT("\x04\x03\x05\x03");

    (void)state;
    assert_int_equal(identity_of(LR_TLS_1_2, ecdsa, any, LR_LIT("\0\x1d\0\x17\0\x18")), 1);
    assert_int_equal(identity_of(LR_TLS_1_2, ecdsa, any, LR_LIT("\0\x1d\0\x18")), 2);
    /* Without any of them the first may still do. */
    assert_int_equal(identity_of(LR_TLS_1_2, ecdsa, any, LR_LIT("\0\x1d")), 1);
    assert_int_equal(identity_of(LR_TLS_1_3, LR_LIT("\x13\x01"), any, LR_LIT("\0\x1d\0\x18")), 1);
}

static uint16_t group_of(unsigned flags, uint16_t first, uint16_t second)
{
    offer(LR_TLS_1_2, LR_TLS_1_3, "", true);
    context.groups[0] = first;
    context.groups[1] = second;
    assert_int_equal(decide(plan_of(flags)), LR_OK);
    return choice.group;
}

/* The clients know X25519, P-256 and P-384, and send a key share for the first. */
static void one_group_is_chosen_for_each_client(void **state)
{
    const unsigned mlkem = HELLO_TLS13 | HELLO_MLKEM, any = HELLO_TLS12 & ~(unsigned)HELLO_GROUPS;

    (void)state;
    assert_int_equal(group_of(HELLO_TLS13, LR__GROUP_X25519, LR__GROUP_SECP256R1), 0x1d);
    assert_int_equal(group_of(HELLO_TLS13, LR__GROUP_SECP256R1, LR__GROUP_X25519), 0x1d);
    assert_int_equal(group_of(HELLO_TLS13, LR__GROUP_SECP384R1, LR__GROUP_SECP256R1), 0x18);
    assert_int_equal(group_of(HELLO_TLS13, LR__GROUP_SECP521R1, LR__GROUP_SECP256R1), 0x17);
    assert_int_equal(group_of(mlkem, LR__GROUP_X25519MLKEM768, LR__GROUP_X25519), 0x11ec);
    assert_int_equal(group_of(mlkem, LR__GROUP_X25519, LR__GROUP_X25519MLKEM768), 0x1d);
    assert_int_equal(group_of(HELLO_TLS12, LR__GROUP_SECP256R1, LR__GROUP_X25519), 0x17);
    assert_int_equal(group_of(HELLO_TLS12, LR__GROUP_X25519, LR__GROUP_SECP256R1), 0x1d);
    assert_int_equal(group_of(any, LR__GROUP_SECP384R1, LR__GROUP_X25519), 0x18);
    assert_int_equal(group_of(any, LR__GROUP_X25519MLKEM768, LR__GROUP_X25519), 0x1d);
}

static void without_a_group_in_common_there_is_nothing_to_choose(void **state)
{
    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        offer(LR_TLS_1_2, LR_TLS_1_3, "", true);
        context.groups[0] = LR__GROUP_SECP521R1;
        context.groups[1] = LR__GROUP_SECP256R1MLKEM768;
        assert_refuses(plan_of(v == LR_TLS_1_2 ? HELLO_TLS12 : HELLO_TLS13), LR_ETLS,
                       LR__ALERT_HANDSHAKE_FAILURE);
    }
    /* A hybrid is no group of TLS 1.2, whatever the client lists. */
    offer(LR_TLS_1_2, LR_TLS_1_3, "", true);
    context.groups[0] = LR__GROUP_X25519MLKEM768;
    context.group_count = 1;
    assert_refuses(plan_of(HELLO_TLS12 | HELLO_MLKEM), LR_ETLS, LR__ALERT_HANDSHAKE_FAILURE);
}

static void a_refusal_in_clear_is_one_fatal_alert(void **state)
{
    lr__buf_pool pool;
    lr__buf out = {0};

    (void)state;
    lr__buf_pool_init(&pool);
    assert_true(lr__alert_plain(&out, &pool, LR__ALERT_NO_APPLICATION_PROTOCOL));
    assert_int_equal(lr__buf_len(&out), 7);
    assert_memory_equal(lr__buf_slice(&out).bytes, "\x15\x03\x03\x00\x02\x02\x78", 7);
    lr__buf_drop(&out, &pool);
    lr__buf_pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_highest_common_version_is_chosen),
        cmocka_unit_test(versions_that_are_listed_count_and_legacy_ones_do_not),
        cmocka_unit_test(a_client_of_tls_1_0_or_1_1_is_refused),
        cmocka_unit_test(the_order_of_the_server_decides_about_the_protocol),
        cmocka_unit_test(names_of_protocols_are_whole),
        cmocka_unit_test(no_list_on_either_side_is_no_protocol),
        cmocka_unit_test(no_common_protocol_is_fatal_unless_it_may_be_missing),
        cmocka_unit_test(the_first_suite_that_we_know_tells_what_the_client_likes),
        cmocka_unit_test(a_client_without_a_suite_of_ours_is_refused),
        cmocka_unit_test(suites_of_another_version_say_nothing),
        cmocka_unit_test(suites_that_we_could_not_use_say_nothing),
        cmocka_unit_test(suites_that_the_options_do_not_name_are_not_common),
        cmocka_unit_test(in_tls_1_3_the_schemes_of_the_client_choose_the_identity),
        cmocka_unit_test(in_tls_1_2_suites_and_schemes_choose_the_identity),
        cmocka_unit_test(in_tls_1_2_the_groups_speak_of_certificates_too),
        cmocka_unit_test(one_group_is_chosen_for_each_client),
        cmocka_unit_test(without_a_group_in_common_there_is_nothing_to_choose),
        cmocka_unit_test(a_refusal_in_clear_is_one_fatal_alert),
    };

    return cmocka_run_group_tests(tests, NULL, release);
}
