/* SPDX-License-Identifier: MIT */
/* Contexts with several identities, and with suites of the program's own choice: which certificate
 * and which suite each client gets. */
#include "support.h"

#include "core/tls/names.h"
#include "fixtures.h"
#include "tls_server.h"

enum { OF_RSA, OF_ECDSA, OF_ED25519, COUNT };

#define PSS_SHA256 "\x08\x04"
#define PKCS1_SHA256 "\x04\x01"
#define ECDSA_SHA256 "\x04\x03"
#define ECDSA_SHA384 "\x05\x03"
#define EDDSA "\x08\x07"

static tls_pair pair;

static const char *const certs[COUNT] = {fixture_rsa, fixture_ecdsa, fixture_ed25519};
static const char *const keys[COUNT] = {fixture_rsa_key, fixture_ecdsa_key, fixture_ed25519_key};

/* A server with those identities; the client has begun. */
static void begin(const int *order, uint32_t count, const char *ciphers,
                  const tls_client_plan *plan)
{
    static lr_identity identities[COUNT];
    lr_context_options options = {LR_CONTEXT_OPTIONS, .identities = identities,
                                  .identity_count = count, .ciphers = ciphers};

    for (uint32_t i = 0; i < count; i++)
        identities[i] = (lr_identity){LR_IDENTITY,
                                      .cert = lr_slice_of(certs[order[i]], strlen(certs[order[i]])),
                                      .key = lr_slice_of(keys[order[i]], strlen(keys[order[i]]))};
    tls_pair_begin(&pair, &options, plan);
    tls_shake_hands(&pair.server, &pair.client, 0);
}

/* The client checks the signature and the chain up to the root; the certificate on the wire is told
 * by the gate's choice, which the handshake could not have been made with otherwise. */
static void assert_identity(const int *order, uint32_t count, lr_tls_version version,
                            const char *suites, lr_slice sigalgs, int expected)
{
    tls_client_plan plan = {.version_min = version,
                            .version_max = version,
                            .name = "localhost",
                            .trust = fixture_root,
                            .verify_name = "localhost",
                            .suites = suites,
                            .sigalgs = sigalgs};
    lr__engine_facts facts;

    begin(order, count, NULL, &plan);
    if (pair.server.status != LR_OK)
        fail_msg("%s: %s; client %d", lr_status_name(pair.server.status), pair.server.why.text,
                 pair.client.failure);
    assert_true(pair.client.done);
    assert_int_equal(order[pair.server.choice.identity], expected);
    lr__engine_read_facts(pair.server.engine, &facts);
    assert_int_equal(facts.version, version);
    if (version == LR_TLS_1_2)
        assert_int_equal(facts.suite, expected == OF_RSA ? 0xc02f : 0xc02b);
    tls_pair_end(&pair);
}

static void assert_refused(const int *order, uint32_t count, lr_tls_version version,
                           const char *suites, lr_slice sigalgs)
{
    tls_client_plan plan = {
        .version_min = version, .version_max = version, .suites = suites, .sigalgs = sigalgs};

    begin(order, count, NULL, &plan);
    assert_int_equal(pair.server.status, LR_ETLS);
    assert_int_equal(pair.server.why.tls_alert, LR__ALERT_HANDSHAKE_FAILURE);
    assert_null(pair.server.engine); /* the gate saw it */
    assert_int_equal(tls_client_alert_seen(&pair.client), LR__ALERT_HANDSHAKE_FAILURE);
    tls_pair_end(&pair);
}

static const int ecdsa_first[] = {OF_ECDSA, OF_RSA, OF_ED25519},
                 rsa_first[] = {OF_RSA, OF_ED25519, OF_ECDSA};

static void a_client_of_tls_1_3_gets_the_first_that_it_can_check(void **state)
{
    const lr_slice all = LR_LIT(PSS_SHA256 EDDSA ECDSA_SHA256);

    (void)state;
    assert_identity(ecdsa_first, 3, LR_TLS_1_3, NULL, all, OF_ECDSA);
    assert_identity(rsa_first, 3, LR_TLS_1_3, NULL, all, OF_RSA);
    assert_identity(ecdsa_first, 3, LR_TLS_1_3, NULL, LR_LIT(PSS_SHA256 EDDSA), OF_RSA);
    assert_identity(ecdsa_first, 3, LR_TLS_1_3, NULL, LR_LIT(EDDSA), OF_ED25519);
    assert_identity(rsa_first, 3, LR_TLS_1_3, NULL, LR_LIT(ECDSA_SHA256), OF_ECDSA);
    assert_identity(rsa_first, 3, LR_TLS_1_3, NULL, LR_LIT(ECDSA_SHA384 EDDSA), OF_ED25519);
}

static void a_client_of_tls_1_2_gets_what_its_suites_and_schemes_allow(void **state)
{
    const char *rsa = "ECDHE-RSA-AES128-GCM-SHA256", *ecdsa = "ECDHE-ECDSA-AES128-GCM-SHA256";
    const char *both = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256";
    const lr_slice all = LR_LIT(PSS_SHA256 EDDSA ECDSA_SHA256 PKCS1_SHA256);

    (void)state;
    assert_identity(ecdsa_first, 3, LR_TLS_1_2, both, all, OF_ECDSA);
    assert_identity(rsa_first, 3, LR_TLS_1_2, both, all, OF_RSA);
    assert_identity(ecdsa_first, 3, LR_TLS_1_2, rsa, all, OF_RSA);
    assert_identity(rsa_first, 3, LR_TLS_1_2, ecdsa, all, OF_ED25519);
    assert_identity(ecdsa_first, 3, LR_TLS_1_2, both, LR_LIT(PKCS1_SHA256), OF_RSA);
    assert_identity(rsa_first, 3, LR_TLS_1_2, both, LR_LIT(ECDSA_SHA256), OF_ECDSA);
    assert_identity(rsa_first, 3, LR_TLS_1_2, both, LR_LIT(ECDSA_SHA384), OF_ECDSA);
}

static void a_client_that_can_check_none_is_refused_at_the_gate(void **state)
{
    const char *rsa = "ECDHE-RSA-AES128-GCM-SHA256";

    (void)state;
    assert_refused(ecdsa_first, 1, LR_TLS_1_3, NULL, LR_LIT(PSS_SHA256 EDDSA));
    assert_refused(ecdsa_first, 3, LR_TLS_1_3, NULL, LR_LIT(ECDSA_SHA384));
    assert_refused(rsa_first, 2, LR_TLS_1_3, NULL, LR_LIT(ECDSA_SHA256));
    assert_refused(rsa_first, 3, LR_TLS_1_3, NULL, LR_LIT(PKCS1_SHA256));
    assert_refused(ecdsa_first, 1, LR_TLS_1_2, rsa, LR_LIT(PSS_SHA256));
    assert_refused(ecdsa_first, 3, LR_TLS_1_2, rsa, LR_LIT(ECDSA_SHA256));
}

/* One replica serves them all, side by side. */
static void clients_of_one_replica_get_different_certificates(void **state)
{
    tls_client_plan plans[2] = {{.trust = fixture_root, .sigalgs = LR_LIT(PSS_SHA256)},
                                {.trust = fixture_root, .sigalgs = LR_LIT(ECDSA_SHA256)}};
    tls_client other;
    lr__engine *engine;

    (void)state;
    begin(ecdsa_first, 2, NULL, &plans[0]);
    assert_int_equal(pair.server.status, LR_OK);
    engine = pair.server.engine;
    pair.server.engine = NULL;
    pair.server.status = LR_EAGAIN;
    memset(&pair.server.gather, 0, sizeof(pair.server.gather));
    tls_client_init(&other, &plans[1]);
    tls_shake_hands(&pair.server, &other, 0);
    assert_int_equal(pair.server.status, LR_OK);
    assert_true(pair.client.done && other.done);
    assert_int_equal(pair.server.choice.identity, 0);
    tls_client_fini(&other);
    lr__engine_free(engine);
    tls_pair_end(&pair);
}

static void assert_suite(const char *ours, const char *theirs, lr_tls_version version,
                         uint16_t expected)
{
    static const int both[] = {OF_ECDSA, OF_RSA};
    tls_client_plan plan = {.version_min = version, .version_max = version, .suites = theirs};
    lr__engine_facts facts;

    begin(both, 2, ours, &plan);
    if (expected == 0) {
        assert_int_equal(pair.server.status, LR_ETLS);
        assert_int_equal(pair.server.why.tls_alert, LR__ALERT_HANDSHAKE_FAILURE);
        tls_pair_end(&pair);
        return;
    }
    if (pair.server.status != LR_OK)
        fail_msg("%s: %s", lr_status_name(pair.server.status), pair.server.why.text);
    lr__engine_read_facts(pair.server.engine, &facts);
    if (facts.suite != expected)
        fail_msg("%s in place of %s", lr__suite_name(facts.suite), lr__suite_name(expected));
    tls_pair_end(&pair);
}

static void the_order_of_the_program_decides_about_the_suite(void **state)
{
    const char *chacha = "TLS13-CHACHA20-POLY1305-SHA256:TLS13-AES128-GCM-SHA256:"
                         "TLS13-AES256-GCM-SHA384";

    (void)state;
    assert_suite("TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256", NULL, LR_TLS_1_3, 0x1302);
    assert_suite("TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384", NULL, LR_TLS_1_3, 0x1301);
    /* Not even a client that likes ChaCha20 best changes it. */
    assert_suite("TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256", chacha, LR_TLS_1_3, 0x1302);
    assert_suite(NULL, chacha, LR_TLS_1_3, 0x1303);
    assert_suite("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256", NULL, LR_TLS_1_2,
                 0xc02c);
    assert_suite("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256",
                 NULL, LR_TLS_1_2, 0xcca9);
}

/* The suites of TLS 1.2 that are named may need another identity than the first. */
static void a_named_suite_may_need_another_identity(void **state)
{
    (void)state;
    assert_suite("ECDHE-RSA-AES256-GCM-SHA384", NULL, LR_TLS_1_2, 0xc030);
    assert_suite("ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256", NULL, LR_TLS_1_2,
                 0xc02b);
}

static void with_suites_of_tls_1_2_alone_clients_of_1_3_are_still_served(void **state)
{
    (void)state;
    assert_suite("ECDHE-ECDSA-AES128-GCM-SHA256", NULL, LR_TLS_1_3, 0x1301);
    assert_suite("ECDHE-ECDSA-AES128-GCM-SHA256", NULL, LR_TLS_1_2, 0xc02b);
}

static void a_suite_that_is_not_named_is_not_used(void **state)
{
    (void)state;
    assert_suite("TLS_AES_256_GCM_SHA384:ECDHE-RSA-AES256-GCM-SHA384", "TLS13-AES128-GCM-SHA256",
                 LR_TLS_1_3, 0);
    assert_suite("TLS_AES_256_GCM_SHA384:ECDHE-RSA-AES256-GCM-SHA384",
                 "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384", LR_TLS_1_2, 0);
}

static void with_suites_of_tls_1_3_alone_a_client_of_1_2_has_no_version(void **state)
{
    static const int one[] = {OF_ECDSA};
    tls_client_plan plan = {.version_max = LR_TLS_1_2};

    (void)state;
    begin(one, 1, "TLS_AES_128_GCM_SHA256", &plan);
    assert_int_equal(pair.server.status, LR_EVERSION);
    assert_int_equal(tls_client_alert_seen(&pair.client), LR__ALERT_PROTOCOL_VERSION);
    tls_pair_end(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_of_tls_1_3_gets_the_first_that_it_can_check),
        cmocka_unit_test(a_client_of_tls_1_2_gets_what_its_suites_and_schemes_allow),
        cmocka_unit_test(a_client_that_can_check_none_is_refused_at_the_gate),
        cmocka_unit_test(clients_of_one_replica_get_different_certificates),
        cmocka_unit_test(the_order_of_the_program_decides_about_the_suite),
        cmocka_unit_test(a_named_suite_may_need_another_identity),
        cmocka_unit_test(with_suites_of_tls_1_2_alone_clients_of_1_3_are_still_served),
        cmocka_unit_test(a_suite_that_is_not_named_is_not_used),
        cmocka_unit_test(with_suites_of_tls_1_3_alone_a_client_of_1_2_has_no_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
