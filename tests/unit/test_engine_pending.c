/* SPDX-License-Identifier: MIT */
/* Cases of the engine's tests that core/tls does not hold yet. This file is not in the list of
 * tests; each case moves to the file that it belongs to when it holds. */
#include "support.h"

#include "core/tls/names.h"
#include "fixtures.h"
#include "hello_maker.h"
#include "tls_server.h"

enum { RECORD_HANDSHAKE = 22, EXT_SHARES = 51, FAR_TOO_MANY = 1000 };

static tls_pair pair;

static void begin(lr_tls_version version)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.version_min = version, .version_max = version};

    tls_pair_begin(&pair, &options, &plan);
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_int_equal(pair.server.status, LR_OK);
}

/* test_context.c, test_engine.c: wolfSSL_CTX_no_ticket_TLSv13() refuses a context of TLS 1.2. */
static void a_server_may_speak_tls_1_2_alone(void **state)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {0};
    lr__engine_facts facts;

    (void)state;
    options.version_max = LR_TLS_1_2;
    tls_pair_begin(&pair, &options, &plan);
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_int_equal(pair.server.status, LR_OK);
    lr__engine_read_facts(pair.server.engine, &facts);
    assert_int_equal(facts.version, LR_TLS_1_2);
    tls_pair_end(&pair);
}

static void assert_group(const char *ours, const uint16_t *theirs, uint16_t chosen)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.version_max = LR_TLS_1_2, .groups = theirs};
    lr__engine_facts facts;

    options.groups = ours;
    tls_pair_begin(&pair, &options, &plan);
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_int_equal(pair.server.status, LR_OK);
    lr__engine_read_facts(pair.server.engine, &facts);
    assert_int_equal(facts.group, chosen);
    tls_pair_end(&pair);
}

/* test_engine.c: in TLS 1.2 wolfSSL takes what it likes of the client's groups. */
static void in_tls_1_2_the_first_of_our_groups_that_the_client_knows_is_used(void **state)
{
    static const uint16_t theirs[] = {LR__GROUP_SECP521R1, LR__GROUP_SECP384R1, LR__GROUP_SECP256R1,
                                      LR__GROUP_X25519, 0};
    static const uint16_t x25519_last[] = {LR__GROUP_SECP256R1, LR__GROUP_SECP384R1,
                                           LR__GROUP_X25519, 0};

    (void)state;
    assert_group("X25519", theirs, LR__GROUP_X25519);
    assert_group("P-384", theirs, LR__GROUP_SECP384R1);
    assert_group("X25519:P-256", x25519_last, LR__GROUP_X25519);
    assert_group("P-384:X25519", x25519_last, LR__GROUP_SECP384R1);
    assert_group("X25519MLKEM768:P-256:X25519", x25519_last, LR__GROUP_SECP256R1);
}

/* test_engine_records.c. RFC 8446 5.1: a key change ends its record; what follows would be under
 * the old key. */
static void key_updates_in_one_record_are_refused(void **state)
{
    static uint8_t updates[16380];

    (void)state;
    for (size_t i = 0; i < sizeof(updates); i += 5)
        memcpy(updates + i, "\x18\0\0\1\1", 5);
    begin(LR_TLS_1_3);
    tls_client_seal(&pair.client, RECORD_HANDSHAKE, updates, 10);
    assert_int_equal(tls_server_read_all(&pair.server, &pair.client, NULL), LR_ETLS);
    assert_int_equal(pair.server.why.tls_alert, LR__ALERT_UNEXPECTED_MESSAGE);
    tls_pair_end(&pair);
    begin(LR_TLS_1_3);
    tls_client_seal(&pair.client, RECORD_HANDSHAKE, updates, sizeof(updates));
    assert_int_equal(tls_server_read_all(&pair.server, &pair.client, NULL), LR_ETLS);
    assert_true(lr__buf_len(&pair.server.out) < 128);
    tls_pair_end(&pair);
}

/* test_engine_faults.c: a Certificate that nobody asked for is an unexpected_message. */
static void a_certificate_behind_the_handshake_is_unexpected(void **state)
{
    (void)state;
    begin(LR_TLS_1_3);
    tls_client_seal(&pair.client, RECORD_HANDSHAKE, "\x0b\0\0\4\0\0\0\0", 8);
    assert_int_equal(tls_server_read_all(&pair.server, &pair.client, NULL), LR_ETLS);
    assert_int_equal(pair.server.why.tls_alert, LR__ALERT_UNEXPECTED_MESSAGE);
    tls_pair_end(&pair);
}

static void feed_hello(const hello_plan *plan)
{
    static uint8_t message[HELLO_ROOM], wire[HELLO_ROOM + 64];
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan unused = {0};
    lr_slice in;

    tls_pair_begin(&pair, &options, &unused);
    in = lr_slice_of(wire, hello_cut(message, hello_make(plan, message), 16384, wire));
    while (in.len > 0 && pair.server.status == LR_EAGAIN)
        tls_server_step(&pair.server, &in);
}

/* test_engine_hellos.c */
static void a_hybrid_key_share_cut_short_is_illegal(void **state)
{
    static hello_plan plan;
    static const uint8_t share[] = {0, 36, 0x11, 0xec, 0, 32, 1, 2, 3};
    uint8_t body[6 + 32] = {0};

    (void)state;
    memcpy(body, share, sizeof(share));
    plan.flags = (HELLO_TLS13 | HELLO_MLKEM) & ~(unsigned)HELLO_SHARES;
    hello_add(&plan, EXT_SHARES, body, sizeof(body));
    feed_hello(&plan);
    assert_int_equal(pair.server.status, LR_ETLS);
    assert_int_equal(pair.server.why.tls_alert, LR__ALERT_ILLEGAL_PARAMETER);
    tls_pair_end(&pair);
}

/* test_engine_sessions.c. RFC 8446 4.2.10: what cannot be decrypted is skipped where early data was
 * refused. */
static void refused_early_data_is_skipped(void **state)
{
    static const uint8_t early[5 + 32] = {0x17, 3, 3, 0, 32, 1, 2, 3, 4, 5, 6, 7, 8};
    static hello_plan plan;
    lr_slice in = lr_slice_of(early, sizeof(early));

    (void)state;
    plan.flags = HELLO_TLS13 | HELLO_PSK | HELLO_EARLY_DATA;
    plan.session_id_len = 32;
    feed_hello(&plan);
    assert_int_equal(pair.server.status, LR_EAGAIN);
    tls_server_step(&pair.server, &in);
    assert_int_equal(pair.server.status, LR_EAGAIN);
    tls_pair_end(&pair);
}

/* test_engine_memory.c: where wolfSSL says that memory is missing, so do we. */
static void missing_memory_is_called_that(void **state)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.alpn = "h2"};
    bool hit = true;

    (void)state;
    options.alpn = "h2";
    for (uint64_t n = 1; hit; n++) {
        int native;

        tls_pair_begin(&pair, &options, &plan);
        pair.server.fail_at = n;
        tls_shake_hands(&pair.server, &pair.client, 0);
        hit = pair.server.tried >= n;
        native = pair.server.why.tls_native;
        if (pair.server.status == LR_ETLS && (native == MEMORY_E || native == MEMORY_ERROR))
            fail_msg("allocation %u: %s", (unsigned)n, pair.server.why.text);
        assert_true(n < FAR_TOO_MANY);
        tls_pair_end(&pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_tls_1_2_the_first_of_our_groups_that_the_client_knows_is_used),
        cmocka_unit_test(key_updates_in_one_record_are_refused),
        cmocka_unit_test(a_certificate_behind_the_handshake_is_unexpected),
        cmocka_unit_test(a_hybrid_key_share_cut_short_is_illegal),
        cmocka_unit_test(refused_early_data_is_skipped),
        cmocka_unit_test(missing_memory_is_called_that),
        cmocka_unit_test(a_server_may_speak_tls_1_2_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
