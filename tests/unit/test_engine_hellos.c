/* SPDX-License-Identifier: MIT */
/* ClientHellos that the gate's parser lets pass and that core/tls/engine.h must still refuse, or
 * must not be confused by. They are made by hand, so the answer is read by hand. */
#include "support.h"

#include "core/tls/names.h"
#include "fixtures.h"
#include "hello_maker.h"
#include "tls_server.h"

enum { EXT_GROUPS = 10, EXT_SIGALGS = 13, EXT_SHARES = 51 };

static tls_pair pair;
static hello_plan plan;

static hello_plan *plan_of(unsigned flags)
{
    memset(&plan, 0, sizeof(plan));
    plan.flags = flags;
    plan.session_id_len = 32;
    return &plan;
}

static void put_u16(uint8_t *to, size_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

/* key_share with one entry of len bytes of key. */
static void add_share(unsigned group, const uint8_t *key, size_t len)
{
    static uint8_t body[6 + 4096];

    put_u16(body, 4 + len);
    put_u16(body + 2, group);
    put_u16(body + 4, len);
    if (len > 0)
        memcpy(body + 6, key, len);
    hello_add(&plan, EXT_SHARES, body, 6 + len);
}

/* An extension that is one list of one 16-bit value. */
static void add_list(unsigned type, unsigned value)
{
    uint8_t body[4] = {0, 2, (uint8_t)(value >> 8), (uint8_t)value};

    hello_add(&plan, type, body, sizeof(body));
}

/* The answer to the plan of a server with that certificate. */
static void answer_with(const char *cert, const char *key, const char *groups)
{
    static uint8_t message[HELLO_ROOM], wire[HELLO_ROOM + 64];
    lr_context_options options = tls_identity(cert, key);
    tls_client_plan unused = {0};
    lr_slice in;

    options.groups = groups;
    tls_pair_begin(&pair, &options, &unused);
    in = lr_slice_of(wire, hello_cut(message, hello_make(&plan, message), 16384, wire));
    while (in.len > 0 && pair.server.status == LR_EAGAIN)
        tls_server_step(&pair.server, &in);
}

static void answer(void)
{
    answer_with(fixture_ecdsa, fixture_ecdsa_key, NULL);
}

static void assert_refused(const char *what, int alert)
{
    const uint8_t expected[] = {21, 3, 3, 0, 2, 2, (uint8_t)alert};
    lr_slice out = lr__buf_slice(&pair.server.out);

    if (pair.server.status != LR_ETLS)
        fail_msg("%s: %s", what, lr_status_name(pair.server.status));
    if (out.len == 0)
        fail_msg("%s: no alert (%s)", what, pair.server.why.text);
    /* A ServerHello may stand in front of it, but no key: the alert is in clear. */
    if (out.len < sizeof(expected) ||
        memcmp(out.bytes + out.len - sizeof(expected), expected, sizeof(expected)) != 0)
        fail_msg("%s: %zu bytes, alert %u in place of %d (%s)", what, out.len,
                 out.bytes[out.len - 1], alert, pair.server.why.text);
    assert_int_equal(pair.server.why.tls_alert, alert);
    tls_pair_end(&pair);
}

/* The ServerHello and more. */
static void assert_answered(const char *what)
{
    lr_slice out = lr__buf_slice(&pair.server.out);

    if (pair.server.status != LR_EAGAIN)
        fail_msg("%s: %s (%s)", what, lr_status_name(pair.server.status), pair.server.why.text);
    assert_true(out.len > lr_context_certificate(pair.context).len);
    assert_int_equal(out.bytes[0], 22);
    assert_int_equal(out.bytes[5], 2);
    tls_pair_end(&pair);
}

static void plain_hellos_are_answered(void **state)
{
    static const unsigned hellos[] = {HELLO_TLS13,
                                      HELLO_TLS12,
                                      HELLO_TLS13 | HELLO_GREASE,
                                      HELLO_TLS13 | HELLO_MLKEM,
                                      HELLO_TLS13 | HELLO_STATUS_REQUEST | HELLO_PHA |
                                          HELLO_RENEG_INFO | HELLO_EMS,
                                      HELLO_TLS12 | HELLO_GREASE | HELLO_STATUS_REQUEST,
                                      HELLO_TLS13 | HELLO_RECORD_SIZE_LIMIT};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(hellos); i++) {
        (void)plan_of(hellos[i]);
        answer();
        assert_answered("a plain hello");
    }
}

static void a_hello_as_large_as_the_gate_allows_is_answered(void **state)
{
    (void)state;
    plan_of(HELLO_TLS13)->message_len = LR__HELLO_MESSAGE_MAX;
    answer();
    assert_answered("16384 bytes");
}

static void key_shares_that_are_none_are_illegal(void **state)
{
    static const uint8_t zeros[1216], off_curve[65] = {4, 1, 2, 3};
    static const struct {
        const char *what;
        unsigned group;
        const uint8_t *key;
        size_t len;
    } cases[] = {
        {"X25519 of order 1", LR__GROUP_X25519, zeros, 32},
        {"short X25519", LR__GROUP_X25519, zeros, 31},
        {"long X25519", LR__GROUP_X25519, zeros, 33},
        {"P-256 off the curve", LR__GROUP_SECP256R1, off_curve, 65},
        {"P-256 of zeros", LR__GROUP_SECP256R1, zeros, 65},
        {"short P-256", LR__GROUP_SECP256R1, off_curve, 64},
        {"long P-256", LR__GROUP_SECP256R1, zeros, 66},
        {"short P-384", LR__GROUP_SECP384R1, off_curve, 65},
        {"P-384 of zeros", LR__GROUP_SECP384R1, zeros, 97},
        {"X25519MLKEM768 cut short", LR__GROUP_X25519MLKEM768, zeros, 32},
        {"X25519MLKEM768 without its last byte", LR__GROUP_X25519MLKEM768, zeros, 1215},
        {"X25519 of order 1 in X25519MLKEM768", LR__GROUP_X25519MLKEM768, zeros, 1216},
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(cases); i++) {
        (void)plan_of((HELLO_TLS13 | HELLO_MLKEM) & ~(unsigned)HELLO_SHARES);
        add_share(cases[i].group, cases[i].key, cases[i].len);
        answer();
        assert_refused(cases[i].what, LR__ALERT_ILLEGAL_PARAMETER);
    }
}

static void without_a_common_group_there_is_no_handshake(void **state)
{
    static const uint8_t key[133] = {4};

    (void)state;
    (void)plan_of(HELLO_TLS13 & ~(unsigned)(HELLO_SHARES | HELLO_GROUPS));
    add_list(EXT_GROUPS, LR__GROUP_SECP521R1);
    add_share(LR__GROUP_SECP521R1, key, sizeof(key));
    answer();
    assert_refused("P-521 only, 1.3", LR__ALERT_HANDSHAKE_FAILURE);
    (void)plan_of(HELLO_TLS12 & ~(unsigned)HELLO_GROUPS);
    add_list(EXT_GROUPS, LR__GROUP_SECP521R1);
    answer();
    assert_refused("P-521 only, 1.2", LR__ALERT_HANDSHAKE_FAILURE);
}

static void without_a_common_suite_there_is_no_handshake(void **state)
{
    (void)state;
    plan_of(HELLO_TLS13)->suites = LR_LIT("\xc0\x2f\xc0\x30"); /* none of TLS 1.3 */
    answer();
    assert_refused("no suite of 1.3", LR__ALERT_HANDSHAKE_FAILURE);
    plan_of(HELLO_TLS12)->suites = LR_LIT("\x00\x2f\x00\x35"); /* static RSA, CBC */
    answer();
    assert_refused("only old suites", LR__ALERT_HANDSHAKE_FAILURE);
    plan_of(HELLO_TLS12)->suites = LR_LIT("\xc0\x2f\xc0\x30"); /* of an RSA certificate */
    answer();
    assert_refused("only RSA suites", LR__ALERT_HANDSHAKE_FAILURE);
    plan_of(HELLO_TLS12)->suites = LR_LIT("\x13\x01\x13\x02"); /* of TLS 1.3 */
    answer();
    assert_refused("suites of 1.3 in 1.2", LR__ALERT_HANDSHAKE_FAILURE);
}

static void without_a_common_signature_there_is_no_handshake(void **state)
{
    (void)state;
    (void)plan_of(HELLO_TLS13 & ~(unsigned)HELLO_SIGALGS);
    add_list(EXT_SIGALGS, 0x0804); /* rsa_pss_rsae_sha256 */
    answer();
    assert_refused("RSA for ECDSA, 1.3", LR__ALERT_HANDSHAKE_FAILURE);
    (void)plan_of(HELLO_TLS12 & ~(unsigned)HELLO_SIGALGS);
    add_list(EXT_SIGALGS, 0x0401); /* rsa_pkcs1_sha256 */
    answer();
    assert_refused("RSA for ECDSA, 1.2", LR__ALERT_HANDSHAKE_FAILURE);
    (void)plan_of(HELLO_TLS13 & ~(unsigned)HELLO_SIGALGS);
    add_list(EXT_SIGALGS, 0x0403); /* ecdsa_secp256r1_sha256 */
    answer_with(fixture_rsa, fixture_rsa_key, NULL);
    assert_refused("ECDSA for RSA, 1.3", LR__ALERT_HANDSHAKE_FAILURE);
    (void)plan_of(HELLO_TLS13 & ~(unsigned)HELLO_SIGALGS);
    add_list(EXT_SIGALGS, 0x0401); /* rsa_pkcs1_sha256 is no signature of TLS 1.3 */
    answer_with(fixture_rsa, fixture_rsa_key, NULL);
    assert_refused("PKCS#1 in 1.3", LR__ALERT_HANDSHAKE_FAILURE);
}

/* RFC 5246 7.4.1.4.1: without the extension SHA-1 would be what the client knows; we sign nothing
 * with it. RFC 8422 4: without groups any may be used. */
static void a_hello_without_extensions_is_refused_or_answered_safely(void **state)
{
    (void)state;
    plan_of(HELLO_NO_EXTENSIONS)->suites = LR_LIT("\xc0\x2b\xc0\x2f");
    answer();
    if (pair.server.status != LR_EAGAIN)
        assert_refused("no extensions", LR__ALERT_HANDSHAKE_FAILURE);
    else
        tls_pair_end(&pair);
}

static void an_unknown_protocol_list_is_no_reason_to_fail(void **state)
{
    (void)state;
    plan_of(HELLO_TLS13)->alpn = "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z";
    answer();
    assert_answered("protocols that nobody knows");
}

static void a_downgrade_is_marked(void **state)
{
    lr_slice out;

    (void)state;
    (void)plan_of(HELLO_TLS12);
    answer();
    out = lr__buf_slice(&pair.server.out);
    assert_true(out.len > 5 + 4 + 2 + 32);
    /* RFC 8446 4.1.3: the end of the random of a server that could have spoken TLS 1.3. */
    assert_memory_equal(out.bytes + 5 + 4 + 2 + 24, "DOWNGRD\x01", 8);
    assert_answered("downgrade");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_hellos_are_answered),
        cmocka_unit_test(a_hello_as_large_as_the_gate_allows_is_answered),
        cmocka_unit_test(key_shares_that_are_none_are_illegal),
        cmocka_unit_test(without_a_common_group_there_is_no_handshake),
        cmocka_unit_test(without_a_common_suite_there_is_no_handshake),
        cmocka_unit_test(without_a_common_signature_there_is_no_handshake),
        cmocka_unit_test(a_hello_without_extensions_is_refused_or_answered_safely),
        cmocka_unit_test(an_unknown_protocol_list_is_no_reason_to_fail),
        cmocka_unit_test(a_downgrade_is_marked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
