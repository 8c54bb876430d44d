/* SPDX-License-Identifier: MIT */
/* Every allocation of a connection fails once: nothing crashes, nothing leaks (tls_pair_end()
 * checks), and nothing succeeds that is not whole. Only the server's allocations fail. */
#include "support.h"

#include "core/tls/names.h"
#include "fixtures.h"
#include "tls_server.h"

enum { FAR_TOO_MANY = 1000 };

static tls_pair pair;

static void assert_told_or_done(uint64_t n)
{
    int native = pair.server.why.tls_native;

    if (pair.server.status == LR_OK) {
        assert_true(pair.client.done);
        return;
    }
    /* Where wolfSSL says that memory is missing, so do we. */
    if (pair.server.status != LR_ENOMEM &&
        (pair.server.status != LR_ETLS || native == MEMORY_E || native == MEMORY_ERROR))
        fail_msg("allocation %u: %s (%s)", (unsigned)n, lr_status_name(pair.server.status),
                 pair.server.why.text);
}

/* Runs the handshake with the n-th allocation failing; true as long as there is an n-th. */
static bool shake_hands(const lr_context_options *options, const tls_client_plan *plan, uint64_t n,
                        bool from, lr_status *status)
{
    bool hit;

    tls_pair_begin(&pair, options, plan);
    pair.server.fail_at = n;
    pair.server.fail_from = from;
    tls_shake_hands(&pair.server, &pair.client, 0);
    hit = pair.server.tried >= n;
    assert_true(hit || pair.server.status == LR_OK);
    assert_told_or_done(n);
    *status = pair.server.status;
    tls_pair_end(&pair);
    return hit;
}

static void assert_survives(const lr_context_options *options, const tls_client_plan *plan)
{
    uint32_t failures = 0;
    uint64_t n = 1;
    lr_status status;

    while (shake_hands(options, plan, n, false, &status)) {
        failures += status != LR_OK;
        assert_true(n++ < FAR_TOO_MANY);
    }
    assert_true(failures > 10);
    for (uint64_t m = 1; m < n; m++) {
        assert_true(shake_hands(options, plan, m, true, &status));
        assert_int_not_equal(status, LR_OK);
    }
}

static void a_handshake_survives_any_failing_allocation(void **state)
{
    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
        tls_client_plan plan = {
            .version_max = (lr_tls_version)v, .name = "localhost", .alpn = "h2"};

        options.alpn = "h2";
        assert_survives(&options, &plan);
        options = tls_identity(fixture_rsa, fixture_rsa_key);
        assert_survives(&options, &plan);
    }
}

static void a_hello_retry_survives_any_failing_allocation(void **state)
{
    static const uint16_t theirs[] = {LR__GROUP_SECP521R1, LR__GROUP_X25519MLKEM768, 0};
    static const uint16_t p521[] = {LR__GROUP_SECP521R1, 0};
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.groups = theirs,
                            .shares = p521,
                            .suites = "TLS13-CHACHA20-POLY1305-SHA256:TLS13-AES128-GCM-SHA256"};

    (void)state;
    assert_survives(&options, &plan);
}

typedef void (*step)(void);

static void read_data(void)
{
    tls_client_write(&pair.client, "some bytes", 10);
    (void)tls_server_read_all(&pair.server, &pair.client, NULL);
}

static void read_key_update(void)
{
    tls_client_update_keys(&pair.client, true);
    (void)tls_server_read_all(&pair.server, &pair.client, NULL);
}

static void read_end(void)
{
    tls_client_close(&pair.client);
    (void)tls_server_read_all(&pair.server, &pair.client, NULL);
}

static void read_bad_mac(void)
{
    tls_client_write(&pair.client, "some bytes", 10);
    pair.client.out.bytes[12] ^= 1;
    assert_int_not_equal(tls_server_read_all(&pair.server, &pair.client, NULL), LR_EAGAIN);
}

static void write_data(void)
{
    static uint8_t bytes[16384];

    if (tls_server_write(&pair.server, bytes, sizeof(bytes)) == LR_OK)
        assert_true(lr__buf_len(&pair.server.out) > sizeof(bytes));
    else
        pair.server.status = pair.server.why.status;
}

static void write_end(void)
{
    tls_server_end(&pair.server);
}

static void assert_step_survives(step fn, lr_tls_version version)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.version_max = version};
    bool hit = true;

    for (uint64_t n = 1; hit; n++) {
        tls_pair_begin(&pair, &options, &plan);
        tls_shake_hands(&pair.server, &pair.client, 0);
        assert_int_equal(pair.server.status, LR_OK);
        pair.server.tried = 0;
        pair.server.fail_at = n;
        fn();
        hit = pair.server.tried >= n;
        assert_true(n < FAR_TOO_MANY);
        tls_pair_end(&pair);
    }
}

static void records_survive_any_failing_allocation(void **state)
{
    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        assert_step_survives(read_data, (lr_tls_version)v);
        assert_step_survives(read_end, (lr_tls_version)v);
        assert_step_survives(read_bad_mac, (lr_tls_version)v);
        assert_step_survives(write_data, (lr_tls_version)v);
        assert_step_survives(write_end, (lr_tls_version)v);
    }
    assert_step_survives(read_key_update, LR_TLS_1_3);
}

static void output_that_finds_no_memory_is_an_error(void **state)
{
    static uint8_t bytes[16384];
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {0};

    (void)state;
    tls_pair_begin(&pair, &options, &plan);
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_int_equal(pair.server.status, LR_OK);
    pair.server.fail_at = 1;
    pair.server.fail_from = true;
    assert_int_equal(tls_server_write(&pair.server, bytes, sizeof(bytes)), LR_ENOMEM);
    assert_int_equal(pair.server.why.status, LR_ENOMEM);
    tls_pair_end(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_survives_any_failing_allocation),
        cmocka_unit_test(a_hello_retry_survives_any_failing_allocation),
        cmocka_unit_test(records_survive_any_failing_allocation),
        cmocka_unit_test(output_that_finds_no_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
