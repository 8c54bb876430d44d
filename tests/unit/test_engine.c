/* SPDX-License-Identifier: MIT */
/* Handshakes of core/tls/engine.h behind the gate, with a client in the same process. */
#include "support.h"

#include "core/base/mem.h"
#include "core/tls/names.h"
#include "fixtures.h"
#include "tls_server.h"

static tls_pair pair;

static const struct {
    const char *cert, *key;
    bool rsa;
} identities[] = {
    {fixture_ecdsa, fixture_ecdsa_key, false},
    {fixture_p384, fixture_p384_key, false},
    {fixture_rsa, fixture_rsa_key, true},
    {fixture_ed25519, fixture_ed25519_key, false},
};

static void begin(const lr_context_options *options, const tls_client_plan *plan)
{
    tls_pair_begin(&pair, options, plan);
}

static void assert_secure(void)
{
    if (pair.server.status != LR_OK)
        fail_msg("server: %s: %s; client %d", lr_status_name(pair.server.status),
                 pair.server.why.text, pair.client.failure);
    assert_int_equal(pair.client.failure, 0);
    assert_true(pair.client.done);
    assert_int_equal(lr__buf_len(&pair.server.out), 0);
}

static lr_slice raw_name(void)
{
    return pair.server.hello.servername;
}

/* What both sides say of one connection must be the same thing. */
static lr__engine_facts assert_agreed(void)
{
    lr__engine_facts facts;

    assert_secure();
    lr__engine_read_facts(pair.server.engine, &facts);
    assert_int_equal(facts.version, wolfSSL_version(pair.client.ssl));
    assert_int_equal(facts.version, pair.server.choice.version);
    assert_int_equal(facts.suite, wolfSSL_get_current_cipher_suite(pair.client.ssl));
    assert_int_equal(facts.group, lr__group_of_wolf_name(wolfSSL_get_curve_name(pair.client.ssl)));
    assert_string_not_equal(lr__suite_name(facts.suite), "");
    assert_string_not_equal(lr__group_name(facts.group), "");
    assert_false(facts.resumed);
    assert_false(wolfSSL_session_reused(pair.client.ssl));
    assert_true(lr__engine_agrees(pair.server.engine, &pair.server.choice, raw_name()));
    return facts;
}

static void assert_data_flows(void)
{
    static const char question[] = "what is sealed here", answer[] = "is opened there";
    tls_bytes got = {0};
    uint8_t plain[64];

    tls_client_write(&pair.client, question, sizeof(question));
    assert_int_equal(tls_server_read_all(&pair.server, &pair.client, &got), LR_EAGAIN);
    assert_int_equal(got.len, sizeof(question));
    assert_memory_equal(got.bytes, question, sizeof(question));
    tls_bytes_free(&got);
    assert_int_equal(tls_server_write(&pair.server, answer, sizeof(answer)), LR_OK);
    assert_true(tls_server_flush(&pair.server, &pair.client) > sizeof(answer));
    assert_int_equal(tls_client_read(&pair.client, plain, sizeof(plain)), sizeof(answer));
    assert_memory_equal(plain, answer, sizeof(answer));
}

static void a_handshake_succeeds_with_each_certificate_in_each_version(void **state)
{
    static const lr_tls_version versions[] = {LR_TLS_1_2, LR_TLS_1_3};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(identities); i++) {
        for (size_t v = 0; v < LR_ARRAY_COUNT(versions); v++) {
            lr_context_options options = tls_identity(identities[i].cert, identities[i].key);
            tls_client_plan plan = {.version_min = versions[v],
                                    .version_max = versions[v],
                                    .name = "localhost",
                                    .trust = fixture_root,
                                    .verify_name = "localhost"};
            lr__engine_facts facts;

            begin(&options, &plan);
            tls_shake_hands(&pair.server, &pair.client, 0);
            facts = assert_agreed();
            assert_int_equal(facts.version, versions[v]);
            if (versions[v] == LR_TLS_1_3)
                assert_string_equal(lr__suite_name(facts.suite), "TLS_AES_128_GCM_SHA256");
            else if (identities[i].rsa)
                assert_string_equal(lr__suite_name(facts.suite),
                                    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
            else
                assert_string_equal(lr__suite_name(facts.suite),
                                    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
            assert_data_flows();
            tls_pair_end(&pair);
        }
    }
}

static void a_chain_is_sent_whole_and_in_order(void **state)
{
    char chain[4096];
    lr_context_options options;
    tls_client_plan plan = {.trust = fixture_root, .verify_name = "www.example.org"};

    (void)state;
    (void)snprintf(chain, sizeof(chain), "%s%s", fixture_leaf, fixture_intermediate);
    options = tls_identity(chain, fixture_ecdsa_key);
    begin(&options, &plan);
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_agreed();
    tls_pair_end(&pair);

    options = tls_identity(fixture_leaf, fixture_ecdsa_key);
    begin(&options, &plan);
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_int_equal(pair.client.failure, ASN_NO_SIGNER_E);
    assert_int_equal(pair.server.status, LR_EALERT);
    tls_pair_end(&pair);
}

static void each_group_is_used_where_it_is_the_only_one(void **state)
{
    static const uint16_t groups[] = {LR__GROUP_X25519MLKEM768, LR__GROUP_SECP256R1MLKEM768,
                                      LR__GROUP_X25519,         LR__GROUP_SECP256R1,
                                      LR__GROUP_SECP384R1,      LR__GROUP_SECP521R1};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(groups); i++) {
        const uint16_t only[] = {groups[i], 0};
        lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
        tls_client_plan plan = {.groups = only};

        options.groups = lr__group_name(groups[i]);
        begin(&options, &plan);
        tls_shake_hands(&pair.server, &pair.client, 0);
        assert_int_equal(assert_agreed().group, groups[i]);
        assert_int_equal(pair.server.hello_count, 1);
        assert_data_flows();
        tls_pair_end(&pair);
        if (groups[i] >= LR__GROUP_SECP256R1MLKEM768)
            continue; /* none of TLS 1.2 */
        plan.version_max = LR_TLS_1_2;
        begin(&options, &plan);
        tls_shake_hands(&pair.server, &pair.client, 0);
        assert_int_equal(assert_agreed().group, groups[i]);
        tls_pair_end(&pair);
    }
}

static void assert_group(const char *ours, const uint16_t *theirs, const uint16_t *shares,
                         uint16_t chosen, uint32_t hello_count)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.name = "localhost", .groups = theirs, .shares = shares};

    options.groups = ours;
    begin(&options, &plan);
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_int_equal(assert_agreed().group, chosen);
    assert_int_equal(pair.server.hello_count, hello_count);
    assert_data_flows();
    tls_pair_end(&pair);
}

static void the_first_of_our_groups_with_a_key_share_is_used(void **state)
{
    static const uint16_t both[] = {LR__GROUP_X25519, LR__GROUP_SECP256R1, 0};
    static const uint16_t p256[] = {LR__GROUP_SECP256R1, 0};
    static const uint16_t browser[] = {LR__GROUP_X25519MLKEM768, LR__GROUP_X25519,
                                       LR__GROUP_SECP256R1, LR__GROUP_SECP384R1, 0};
    static const uint16_t sent[] = {LR__GROUP_X25519MLKEM768, LR__GROUP_X25519, 0};

    (void)state;
    assert_group("P-256:X25519", both, both, LR__GROUP_SECP256R1, 1);
    assert_group("X25519:P-256", both, both, LR__GROUP_X25519, 1);
    /* A share of a later group beats a round trip for an earlier one. */
    assert_group("X25519:P-256", both, p256, LR__GROUP_SECP256R1, 1);
    assert_group("X25519MLKEM768:X25519:P-256:P-384", both, p256, LR__GROUP_SECP256R1, 1);
    assert_group(NULL, browser, sent, LR__GROUP_X25519MLKEM768, 1);
    assert_group("X25519:X25519MLKEM768", browser, sent, LR__GROUP_X25519, 1);
}

static void without_a_key_share_that_fits_the_hello_is_asked_for_again(void **state)
{
    static const uint16_t theirs[] = {LR__GROUP_SECP521R1, LR__GROUP_X25519, LR__GROUP_SECP384R1,
                                      0};
    static const uint16_t p521[] = {LR__GROUP_SECP521R1, 0};
    static const uint16_t none[] = {0};
    static const uint16_t hybrid[] = {LR__GROUP_X25519, LR__GROUP_X25519MLKEM768, 0};

    (void)state;
    assert_group("X25519:P-256", theirs, p521, LR__GROUP_X25519, 2);
    assert_group("P-384:X25519", theirs, p521, LR__GROUP_SECP384R1, 2);
    assert_group("P-256:P-384:X25519", theirs, none, LR__GROUP_SECP384R1, 2);
    assert_group("X25519MLKEM768:X25519", hybrid, none, LR__GROUP_X25519MLKEM768, 2);
}

static void a_group_that_is_not_ours_is_never_used(void **state)
{
    static const uint16_t theirs[] = {LR__GROUP_SECP521R1, LR__GROUP_SECP384R1, 0};

    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
        tls_client_plan plan = {.version_max = (lr_tls_version)v, .groups = theirs};

        options.groups = "X25519:P-256";
        begin(&options, &plan);
        tls_shake_hands(&pair.server, &pair.client, 0);
        assert_int_equal(pair.server.status, LR_ETLS);
        assert_int_equal(pair.server.hello_count, 1);
        assert_int_equal(tls_client_alert_seen(&pair.client), LR__ALERT_HANDSHAKE_FAILURE);
        tls_pair_end(&pair);
    }
}

static void assert_group_of_tls_1_2(const char *ours, const uint16_t *theirs, uint16_t chosen)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.version_max = LR_TLS_1_2, .groups = theirs};

    options.groups = ours;
    begin(&options, &plan);
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_int_equal(assert_agreed().group, chosen);
    tls_pair_end(&pair);
}

/* Left alone, wolfSSL takes what it likes of the client's groups, ours or not. */
static void in_tls_1_2_the_first_of_our_groups_that_the_client_knows_is_used(void **state)
{
    static const uint16_t theirs[] = {LR__GROUP_SECP521R1, LR__GROUP_SECP384R1, LR__GROUP_SECP256R1,
                                      LR__GROUP_X25519, 0};
    static const uint16_t x25519_last[] = {LR__GROUP_SECP256R1, LR__GROUP_SECP384R1,
                                           LR__GROUP_X25519, 0};

    (void)state;
    assert_group_of_tls_1_2("X25519", theirs, LR__GROUP_X25519);
    assert_group_of_tls_1_2("P-384", theirs, LR__GROUP_SECP384R1);
    assert_group_of_tls_1_2("X25519:P-256", x25519_last, LR__GROUP_X25519);
    assert_group_of_tls_1_2("P-384:X25519", x25519_last, LR__GROUP_SECP384R1);
    assert_group_of_tls_1_2("X25519MLKEM768:P-256:X25519", x25519_last, LR__GROUP_SECP256R1);
}

/* The one group of the key exchange says nothing about the curve of the certificate's key. */
static void a_certificate_may_be_of_another_curve_than_the_key_exchange(void **state)
{
    static const uint16_t theirs[] = {LR__GROUP_X25519, LR__GROUP_SECP256R1, LR__GROUP_SECP384R1,
                                      0};

    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        lr_context_options options = tls_identity(fixture_p384, fixture_p384_key);
        tls_client_plan plan = {.version_max = (lr_tls_version)v, .groups = theirs};

        options.groups = "X25519";
        begin(&options, &plan);
        tls_shake_hands(&pair.server, &pair.client, 0);
        assert_int_equal(assert_agreed().group, LR__GROUP_X25519);
        tls_pair_end(&pair);
    }
}

static void a_hello_retry_works_byte_by_byte_and_asks_the_gate_again(void **state)
{
    static const uint16_t theirs[] = {LR__GROUP_SECP521R1, LR__GROUP_X25519, 0};
    static const uint16_t p521[] = {LR__GROUP_SECP521R1, 0};
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.name = "localhost", .alpn = "h2", .groups = theirs, .shares = p521};

    (void)state;
    options.alpn = "h2";
    begin(&options, &plan);
    tls_client_step(&pair.client);
    tls_server_feed(&pair.server, &pair.client, 1);
    assert_int_equal(pair.server.status, LR_EAGAIN);
    assert_true(lr__engine_wants_hello(pair.server.engine));
    assert_int_equal(pair.server.hello_count, 1);
    tls_shake_hands(&pair.server, &pair.client, 1);
    assert_agreed();
    assert_false(lr__engine_wants_hello(pair.server.engine));
    assert_int_equal(pair.server.hello_count, 2);
    tls_pair_end(&pair);
}

static void any_cut_of_the_stream_gives_the_same_handshake(void **state)
{
    static const size_t pieces[] = {1, 2, 3, 5, 7, 64, 100, 1000};
    static const lr_tls_version versions[] = {LR_TLS_1_2, LR_TLS_1_3};

    (void)state;
    for (size_t v = 0; v < LR_ARRAY_COUNT(versions); v++) {
        for (size_t i = 0; i < LR_ARRAY_COUNT(pieces); i++) {
            lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
            tls_client_plan plan = {.version_max = versions[v], .name = "localhost"};

            begin(&options, &plan);
            tls_shake_hands(&pair.server, &pair.client, pieces[i]);
            assert_agreed();
            assert_data_flows();
            tls_pair_end(&pair);
        }
    }
}

static uint16_t suite_of(const char *cert, const char *key, lr_tls_version version,
                         const char *suites)
{
    lr_context_options options = tls_identity(cert, key);
    tls_client_plan plan = {.version_max = version, .suites = suites};
    uint16_t suite;

    begin(&options, &plan);
    tls_shake_hands(&pair.server, &pair.client, 0);
    suite = assert_agreed().suite;
    assert_data_flows();
    tls_pair_end(&pair);
    return suite;
}

static void a_client_with_chacha20_first_gets_it(void **state)
{
    (void)state;
    assert_int_equal(suite_of(fixture_ecdsa, fixture_ecdsa_key, LR_TLS_1_3,
                              "TLS13-CHACHA20-POLY1305-SHA256:TLS13-AES128-GCM-SHA256:"
                              "TLS13-AES256-GCM-SHA384"),
                     0x1303);
    assert_int_equal(suite_of(fixture_ecdsa, fixture_ecdsa_key, LR_TLS_1_2,
                              "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256"),
                     0xcca9);
    assert_int_equal(suite_of(fixture_rsa, fixture_rsa_key, LR_TLS_1_2,
                              "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256"),
                     0xcca8);
}

static void otherwise_our_order_of_suites_holds(void **state)
{
    (void)state;
    assert_int_equal(suite_of(fixture_ecdsa, fixture_ecdsa_key, LR_TLS_1_3,
                              "TLS13-AES256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256:"
                              "TLS13-AES128-GCM-SHA256"),
                     0x1301);
    assert_int_equal(suite_of(fixture_ecdsa, fixture_ecdsa_key, LR_TLS_1_3,
                              "TLS13-AES256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256"),
                     0x1302);
    assert_int_equal(suite_of(fixture_ecdsa, fixture_ecdsa_key, LR_TLS_1_2,
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
                              "ECDHE-ECDSA-AES128-GCM-SHA256"),
                     0xc02b);
    assert_int_equal(suite_of(fixture_rsa, fixture_rsa_key, LR_TLS_1_2,
                              "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305"),
                     0xc030);
}

static void assert_version(lr_tls_version our_min, lr_tls_version our_max, lr_tls_version their_min,
                           lr_tls_version their_max, lr_tls_version chosen)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.version_min = their_min, .version_max = their_max};

    options.version_min = our_min;
    options.version_max = our_max;
    begin(&options, &plan);
    tls_shake_hands(&pair.server, &pair.client, 0);
    if (chosen != LR_TLS_DEFAULT) {
        assert_int_equal(assert_agreed().version, chosen);
    } else {
        assert_int_equal(pair.server.status, LR_EVERSION);
        assert_int_equal(tls_client_alert_seen(&pair.client), LR__ALERT_PROTOCOL_VERSION);
    }
    tls_pair_end(&pair);
}

static void the_highest_common_version_is_used(void **state)
{
    (void)state;
    assert_version(0, 0, 0, 0, LR_TLS_1_3);
    assert_version(0, 0, LR_TLS_1_2, LR_TLS_1_2, LR_TLS_1_2);
    assert_version(0, LR_TLS_1_2, 0, 0, LR_TLS_1_2);
    assert_version(LR_TLS_1_3, 0, 0, 0, LR_TLS_1_3);
    assert_version(LR_TLS_1_3, LR_TLS_1_3, LR_TLS_1_2, LR_TLS_1_2, LR_TLS_DEFAULT);
    assert_version(LR_TLS_1_2, LR_TLS_1_2, LR_TLS_1_3, LR_TLS_1_3, LR_TLS_DEFAULT);
}

static void assert_alpn(const char *ours, lr_toggle required, const char *theirs,
                        lr_tls_version version, const char *chosen)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.version_max = version, .alpn = theirs};
    char *protocol = NULL;
    unsigned short len = 0;

    options.alpn = ours;
    options.alpn_required = required;
    begin(&options, &plan);
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_agreed();
    if (wolfSSL_ALPN_GetProtocol(pair.client.ssl, &protocol, &len) != WOLFSSL_SUCCESS)
        len = 0;
    assert_int_equal(len, strlen(chosen));
    assert_memory_equal(len ? protocol : "", chosen, len);
    assert_int_equal(pair.server.choice.alpn.len, len);
    tls_pair_end(&pair);
}

static void the_protocol_that_the_gate_chose_is_what_the_client_gets(void **state)
{
    static const lr_tls_version versions[] = {LR_TLS_1_2, LR_TLS_1_3};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(versions); i++) {
        assert_alpn("h2,http/1.1", LR_DEFAULT, "http/1.1,h2", versions[i], "h2");
        assert_alpn("http/1.1,h2", LR_DEFAULT, "h2,http/1.1", versions[i], "http/1.1");
        assert_alpn("h2,http/1.1", LR_DEFAULT, "foo,http/1.1", versions[i], "http/1.1");
        assert_alpn("h2", LR_DEFAULT, NULL, versions[i], "");
        assert_alpn(NULL, LR_DEFAULT, "h2,http/1.1", versions[i], "");
        assert_alpn("h2", LR_OFF, "http/1.1,spdy/3", versions[i], "");
    }
}

static void a_protocol_of_255_bytes_is_agreed_on(void **state)
{
    char longest[256];

    (void)state;
    memset(longest, 'p', 255);
    longest[255] = '\0';
    assert_alpn(longest, LR_DEFAULT, longest, LR_TLS_1_3, longest);
}

static void no_common_protocol_is_refused_before_any_tls_object_is_made(void **state)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.alpn = "spdy/3"};

    (void)state;
    options.alpn = "h2";
    begin(&options, &plan);
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_int_equal(pair.server.status, LR_EALPN);
    assert_null(pair.server.engine);
    assert_int_equal(tls_client_alert_seen(&pair.client), LR__ALERT_NO_APPLICATION_PROTOCOL);
    tls_pair_end(&pair);
}

static void a_difference_between_gate_and_library_is_seen(void **state)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.name = "localhost", .alpn = "h2,http/1.1"};
    lr__gate_choice choice;
    lr__engine *engine;

    (void)state;
    options.alpn = "h2,http/1.1";
    begin(&options, &plan);
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_agreed();
    engine = pair.server.engine;
    choice = pair.server.choice;
    assert_true(lr__engine_agrees(engine, &choice, LR_LIT("localhost")));
    assert_false(lr__engine_agrees(engine, &choice, LR_LIT("localhosu")));
    assert_false(lr__engine_agrees(engine, &choice, LR_LIT("localhost.")));
    assert_false(lr__engine_agrees(engine, &choice, lr_slice_of(NULL, 0)));
    choice.alpn = LR_LIT("http/1.1");
    assert_false(lr__engine_agrees(engine, &choice, LR_LIT("localhost")));
    choice.alpn = lr_slice_of(NULL, 0);
    assert_false(lr__engine_agrees(engine, &choice, LR_LIT("localhost")));
    choice = pair.server.choice;
    choice.version = LR_TLS_1_2;
    assert_false(lr__engine_agrees(engine, &choice, LR_LIT("localhost")));
    tls_pair_end(&pair);
}

static void a_server_name_is_agreed_on_whatever_its_spelling(void **state)
{
    static const char *const names[] = {NULL,        "LocalHost",
                                        "a.example", "xn--bcher-kva.example",
                                        "127.0.0.1", "under_score.example"};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(names); i++) {
        for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
            lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
            tls_client_plan plan = {.version_max = (lr_tls_version)v, .name = names[i]};

            begin(&options, &plan);
            tls_shake_hands(&pair.server, &pair.client, 0);
            assert_agreed();
            tls_pair_end(&pair);
        }
    }
}

/* RFC 8446 D.4: a client that sends a session id gets a change_cipher_spec behind the first
 * handshake message of the server. */
static void the_compatibility_record_follows_the_server_hello(void **state)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.version_min = LR_TLS_1_3};
    lr_slice flight;
    size_t size;

    (void)state;
    begin(&options, &plan);
    tls_client_step(&pair.client);
    tls_server_feed(&pair.server, &pair.client, 0);
    assert_int_equal(pair.server.hello.session_id.len, 32);
    flight = lr__buf_slice(&pair.server.out);
    size = tls_record_size(flight.bytes, flight.len);
    assert_true(size > 0 && size + 6 < flight.len);
    assert_memory_equal(flight.bytes + size, "\x14\x03\x03\x00\x01\x01", 6);
    tls_pair_end(&pair);
}

static void the_flight_of_the_server_is_one_output(void **state)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.version_min = LR_TLS_1_3};

    (void)state;
    begin(&options, &plan);
    tls_client_step(&pair.client);
    assert_int_equal(tls_record_count(&pair.client.out), 1);
    tls_server_feed(&pair.server, &pair.client, 0);
    assert_int_equal(pair.server.status, LR_EAGAIN);
    tls_server_flush(&pair.server, &pair.client);
    tls_client_step(&pair.client);
    assert_true(pair.client.done);
    tls_server_feed(&pair.server, &pair.client, 0);
    assert_agreed();
    tls_pair_end(&pair);
}

static void one_seed_gives_one_handshake(void **state)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.name = "localhost"};
    tls_bytes first = {0};

    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        begin(&options, &plan);
        tls_client_step(&pair.client);
        tls_server_feed(&pair.server, &pair.client, 0);
        if (turn == 0)
            tls_bytes_add(&first, lr__buf_slice(&pair.server.out).bytes,
                          lr__buf_len(&pair.server.out));
        assert_int_equal(lr__buf_len(&pair.server.out), first.len);
        assert_memory_equal(lr__buf_slice(&pair.server.out).bytes, first.bytes, first.len);
        tls_pair_end(&pair);
    }
    tls_bytes_free(&first);
}

static void two_connections_share_nothing_but_their_replica(void **state)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.name = "localhost", .alpn = "h2"};
    static tls_server second;
    tls_client other;
    lr__replica *own;

    (void)state;
    options.alpn = "h2,http/1.1";
    begin(&options, &plan);
    tls_server_init(&second, pair.context);
    own = second.replica;
    second.replica = pair.server.replica;
    plan.alpn = "http/1.1";
    plan.name = "www.example.org";
    tls_client_init(&other, &plan);
    tls_client_step(&pair.client);
    tls_client_step(&other);
    tls_server_feed(&pair.server, &pair.client, 0);
    tls_server_feed(&second, &other, 0);
    tls_shake_hands(&second, &other, 0);
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_agreed();
    assert_int_equal(second.status, LR_OK);
    assert_true(lr__engine_agrees(second.engine, &second.choice, LR_LIT("www.example.org")));
    assert_int_equal(second.choice.alpn.len, 8);
    second.replica = own;
    tls_server_fini(&second);
    tls_client_fini(&other);
    assert_data_flows();
    tls_pair_end(&pair);
}

static void a_free_engine_is_nothing(void **state)
{
    (void)state;
    lr__engine_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_succeeds_with_each_certificate_in_each_version),
        cmocka_unit_test(a_chain_is_sent_whole_and_in_order),
        cmocka_unit_test(each_group_is_used_where_it_is_the_only_one),
        cmocka_unit_test(the_first_of_our_groups_with_a_key_share_is_used),
        cmocka_unit_test(without_a_key_share_that_fits_the_hello_is_asked_for_again),
        cmocka_unit_test(a_group_that_is_not_ours_is_never_used),
        cmocka_unit_test(in_tls_1_2_the_first_of_our_groups_that_the_client_knows_is_used),
        cmocka_unit_test(a_certificate_may_be_of_another_curve_than_the_key_exchange),
        cmocka_unit_test(a_hello_retry_works_byte_by_byte_and_asks_the_gate_again),
        cmocka_unit_test(any_cut_of_the_stream_gives_the_same_handshake),
        cmocka_unit_test(a_client_with_chacha20_first_gets_it),
        cmocka_unit_test(otherwise_our_order_of_suites_holds),
        cmocka_unit_test(the_highest_common_version_is_used),
        cmocka_unit_test(the_protocol_that_the_gate_chose_is_what_the_client_gets),
        cmocka_unit_test(a_protocol_of_255_bytes_is_agreed_on),
        cmocka_unit_test(no_common_protocol_is_refused_before_any_tls_object_is_made),
        cmocka_unit_test(a_difference_between_gate_and_library_is_seen),
        cmocka_unit_test(a_server_name_is_agreed_on_whatever_its_spelling),
        cmocka_unit_test(the_compatibility_record_follows_the_server_hello),
        cmocka_unit_test(the_flight_of_the_server_is_one_output),
        cmocka_unit_test(one_seed_gives_one_handshake),
        cmocka_unit_test(two_connections_share_nothing_but_their_replica),
        cmocka_unit_test(a_free_engine_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
