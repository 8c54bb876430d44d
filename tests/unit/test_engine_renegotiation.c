/* SPDX-License-Identifier: MIT */
/* Renegotiations that a client of TLS 1.2 begins, where the context allows some: how many, in which
 * span of a clock that the test turns, and what must not change. wolfSSL is the client here;
 * OpenSSL is in tests/live/live_renegotiation.c. */
#include "support.h"

#include "core/tls/names.h"
#include "core/tls/peer.h"
#include "fixtures.h"
#include "tls_server.h"

#include <wolfssl/internal.h>

enum { RECORD_HANDSHAKE = 22, RECORD_DATA = 23, MS = 1000000, MOST = 50 };
#define WINDOW_NS (600 * UINT64_C(1000000000))
#define START_NS (UINT64_C(1) << 40)

static tls_pair pair;
static uint64_t now_ns;

static void begin_named(uint32_t count, const char *name)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.version_max = LR_TLS_1_2, .renegotiation = true, .name = name};

    options.renegotiation_count = count;
    tls_pair_begin(&pair, &options, &plan);
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_int_equal(pair.server.status, LR_OK);
    now_ns = START_NS;
    lr__engine_set_clock(pair.server.engine, &now_ns);
}

static void begin(uint32_t count)
{
    begin_named(count, "localhost");
}

static void end(void)
{
    tls_pair_end(&pair);
}

/* What run/conn_renegotiate.c does behind each record. */
static lr_status read_all(tls_bytes *plain)
{
    lr_status status = tls_server_read_all(&pair.server, &pair.client, plain);
    lr__peer *peer = NULL;

    if (status == LR_EAGAIN &&
        lr__engine_renegotiation(pair.server.engine) == LR__RENEGOTIATION_DONE) {
        lr_error err;

        status = lr__engine_end_renegotiation(pair.server.engine, &peer, &err);
        assert_null(peer);
        status = status == LR_OK ? LR_EAGAIN : status;
    }
    return status;
}

/* The rest of a renegotiation whose hello has been sent. */
static lr_status go_on(void)
{
    lr_status status = LR_EAGAIN;

    for (int i = 0; status == LR_EAGAIN && i < MOST; i++) {
        status = read_all(NULL);
        (void)tls_server_flush(&pair.server, &pair.client);
        if (wolfSSL_is_init_finished(pair.client.ssl))
            return status;
        (void)wolfSSL_connect(pair.client.ssl);
    }
    return status;
}

static lr_status renegotiate(void)
{
    (void)wolfSSL_Rehandshake(pair.client.ssl);
    return go_on();
}

static void assert_alive(void)
{
    tls_bytes got = {0};
    uint8_t room[64];

    assert_int_equal(tls_server_write(&pair.server, "pong", 4), LR_OK);
    (void)tls_server_flush(&pair.server, &pair.client);
    assert_int_equal(tls_client_read(&pair.client, room, sizeof(room)), 4);
    tls_client_write(&pair.client, "ping", 4);
    assert_int_equal(read_all(&got), LR_EAGAIN);
    assert_int_equal(got.len, 4);
    assert_memory_equal(got.bytes, "ping", 4);
    tls_bytes_free(&got);
}

/* Refused in clear: nothing is taken, nothing answered but an alert. */
static void assert_refused(void)
{
    size_t sent;

    (void)wolfSSL_Rehandshake(pair.client.ssl);
    sent = pair.client.out.len;
    assert_true(sent > 100);
    assert_int_equal(read_all(NULL), LR_ERENEGOTIATION);
    assert_true(pair.client.out.len == sent || pair.client.out.len == 0);
    assert_int_equal(pair.server.why.tls_alert, LR__ALERT_HANDSHAKE_FAILURE);
    assert_int_equal(tls_server_flush(&pair.server, &pair.client), 5 + 8 + 2 + 16);
    assert_int_equal(tls_client_alert_seen(&pair.client), LR__ALERT_HANDSHAKE_FAILURE);
}

static void as_many_as_are_allowed_pass_and_the_next_ends_it(void **state)
{
    static const uint32_t counts[] = {1, 3, 64};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(counts); i++) {
        begin(counts[i]);
        for (uint32_t n = 0; n < counts[i]; n++) {
            assert_int_equal(renegotiate(), LR_EAGAIN);
            assert_alive();
        }
        assert_refused();
        end();
    }
}

/* The window slides with the first of those that it has, to the millisecond; the wall clock has no
 * part in it. */
static void the_window_ends_for_each_on_its_own(void **state)
{
    (void)state;
    for (int early = 0; early <= 1; early++) {
        begin(3);
        for (int n = 0; n < 3; n++) {
            assert_int_equal(renegotiate(), LR_EAGAIN);
            now_ns += UINT64_C(10000) * MS;
        }
        pair.world.wall_ms += early ? INT64_C(86400000) : INT64_C(-86400000);
        now_ns = START_NS + WINDOW_NS - (early ? MS : 0);
        if (early) {
            assert_refused();
        } else {
            assert_int_equal(renegotiate(), LR_EAGAIN);
            assert_alive();
            now_ns = START_NS + WINDOW_NS + UINT64_C(9999) * MS; /* the second one is still in it */
            assert_refused();
        }
        end();
    }
}

/* What the client has to say to what came, and the data in it. wolfSSL's client stops for data and
 * wants to be asked again, at once: its next handshake call would use freed memory. */
static size_t client_goes_on(uint8_t *room, size_t cap)
{
    size_t len = tls_client_read(&pair.client, room, cap);

    if (len == 0)
        len = tls_client_read(&pair.client, room, cap);
    pair.client.failure = 0;
    return len;
}

static void data_flows_both_ways_in_a_renegotiation(void **state)
{
    tls_bytes got = {0};
    uint8_t room[64];
    size_t len = 0;

    (void)state;
    begin(3);
    (void)wolfSSL_Rehandshake(pair.client.ssl);
    for (int step = 0; step < MOST && !wolfSSL_is_init_finished(pair.client.ssl); step++) {
        assert_int_equal(read_all(&got), LR_EAGAIN);
        if (step == 0) { /* the hello is in, and the client has not heard of our flight */
            assert_int_equal(lr__engine_renegotiation(pair.server.engine), LR__RENEGOTIATION_BEGUN);
            assert_int_equal(tls_server_write(&pair.server, "between", 7), LR_OK);
            tls_client_write(&pair.client, "amid", 4);
        }
        (void)tls_server_flush(&pair.server, &pair.client);
        len += client_goes_on(room, sizeof(room));
    }
    assert_true(wolfSSL_is_init_finished(pair.client.ssl));
    assert_int_equal(len, 7);
    assert_int_equal(got.len, 4);
    assert_memory_equal(got.bytes, "amid", 4);
    tls_bytes_free(&got);
    assert_int_equal(lr__engine_renegotiation(pair.server.engine), LR__RENEGOTIATION_NONE);
    assert_alive();
    end();
}

static void another_server_name_ends_it(void **state)
{
    (void)state;
    begin(3);
    assert_int_equal(wolfSSL_UseSNI(pair.client.ssl, WOLFSSL_SNI_HOST_NAME, "other.test", 10),
                     WOLFSSL_SUCCESS);
    assert_int_equal(renegotiate(), LR_ENAME);
    assert_int_equal(pair.server.why.tls_alert, LR__ALERT_UNRECOGNIZED_NAME);
    end();
}

/* Names that come or go pass wolfSSL; what the engine tells of them does not agree any more. */
static void a_server_name_that_comes_or_goes_is_told(void **state)
{
    lr__gate_choice choice;

    (void)state;
    begin_named(3, NULL);
    choice = pair.server.choice;
    assert_true(lr__engine_agrees(pair.server.engine, &choice, lr_slice_of(NULL, 0)));
    assert_int_equal(renegotiate(), LR_EAGAIN);
    assert_true(lr__engine_agrees(pair.server.engine, &choice, lr_slice_of(NULL, 0)));
    assert_int_equal(wolfSSL_UseSNI(pair.client.ssl, WOLFSSL_SNI_HOST_NAME, "other.test", 10),
                     WOLFSSL_SUCCESS);
    assert_int_equal(renegotiate(), LR_EAGAIN);
    assert_false(lr__engine_agrees(pair.server.engine, &choice, lr_slice_of(NULL, 0)));
    end();
    begin(3);
    choice = pair.server.choice;
    assert_int_equal(renegotiate(), LR_EAGAIN);
    assert_true(lr__engine_agrees(pair.server.engine, &choice, LR_LIT("localhost")));
    TLSX_Remove(&pair.client.ssl->extensions, TLSX_SERVER_NAME, NULL);
    (void)wolfSSL_Rehandshake(pair.client.ssl);
    /* Or it would not hear of the answer to a name that it has not sent. */
    assert_int_equal(wolfSSL_UseSNI(pair.client.ssl, WOLFSSL_SNI_HOST_NAME, "localhost", 9),
                     WOLFSSL_SUCCESS);
    assert_int_equal(go_on(), LR_EAGAIN);
    assert_false(lr__engine_agrees(pair.server.engine, &choice, LR_LIT("localhost")));
    end();
}

/* A ClientHello of TLS 1.2 with the client's proof of the connection (RFC 5746 3.5). */
static size_t make_hello(uint8_t out[128])
{
    static const uint8_t extensions[] = {
        0x00, 0x0a, 0,   4,   0,   2,   0x00, 0x1d,    /* X25519 */
        0x00, 0x0b, 0,   2,   1,   0,                  /* uncompressed points */
        0x00, 0x0d, 0,   4,   0,   2,   0x04, 0x03,    /* ECDSA with SHA-256 */
        0x00, 0x17, 0,   0,                            /* extended master secret */
        0x00, 0x00, 0,   14,  0,   12,  0,    0,    9, /* localhost */
        'l',  'o',  'c', 'a', 'l', 'h', 'o',  's',  't', 0xff, 0x01, 0, 13, 12};
    const uint8_t *proof = pair.client.ssl->secure_renegotiation->client_verify_data;
    size_t at = 0, total = sizeof(extensions) + 12;

    memset(out, 0, 128);
    out[at++] = 1;
    at += 3;
    out[at++] = 3;
    out[at++] = 3;
    at += 32 + 1;                            /* random, no session */
    memcpy(out + at, "\0\2\xc0\x2b\1\0", 6); /* ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 */
    at += 6;
    out[at++] = 0;
    out[at++] = (uint8_t)total;
    memcpy(out + at, extensions, sizeof(extensions));
    at += sizeof(extensions);
    memcpy(out + at, proof, 12);
    at += 12;
    out[3] = (uint8_t)(at - 4);
    return at;
}

/* A hello inside a renegotiation would be one more, uncounted. */
static void a_second_hello_in_a_renegotiation_ends_it(void **state)
{
    uint8_t hello[128];
    size_t len;

    (void)state;
    begin(3);
    len = make_hello(hello);
    tls_client_seal(&pair.client, RECORD_HANDSHAKE, hello, len);
    assert_int_equal(read_all(NULL), LR_EAGAIN);
    assert_true(lr__buf_len(&pair.server.out) > 500); /* it was a good one */
    (void)tls_server_flush(&pair.server, &pair.client);
    tls_client_seal(&pair.client, RECORD_HANDSHAKE, hello, len);
    assert_int_equal(read_all(NULL), LR_ERENEGOTIATION);
    end();
}

static void a_hello_without_proof_of_the_connection_ends_it(void **state)
{
    uint8_t hello[128];
    size_t len;

    (void)state;
    begin(3);
    len = make_hello(hello);
    hello[len - 1] ^= 1;
    tls_client_seal(&pair.client, RECORD_HANDSHAKE, hello, len);
    assert_int_equal(read_all(NULL), LR_ETLS);
    assert_int_equal(pair.server.why.tls_alert, LR__ALERT_HANDSHAKE_FAILURE);
    end();
}

static void without_a_clock_the_first_is_one_too_many(void **state)
{
    (void)state;
    begin(3);
    lr__engine_set_clock(pair.server.engine, NULL);
    assert_refused();
    end();
}

static void a_renegotiation_survives_any_failing_allocation(void **state)
{
    uint32_t failures = 0;
    uint64_t n = 0;
    bool hit = true;

    (void)state;
    while (hit) {
        lr_status status;

        begin(3);
        pair.server.tried = 0;
        pair.server.fail_at = ++n;
        status = renegotiate();
        hit = pair.server.tried >= n;
        failures += status != LR_EAGAIN;
        assert_true(hit || status == LR_EAGAIN);
        assert_true(n < 1000);
        end();
    }
    assert_true(failures > 10);
}

static lr_context *context_with(lr_profile profile, uint32_t count, uint32_t window_s)
{
    lr_context_options options = tls_identity(fixture_rsa, fixture_rsa_key);
    lr_context *context = NULL;

    options.profile = profile;
    options.renegotiation_count = count;
    options.renegotiation_window_s = window_s;
    if (lr_context_new(&options, &context, NULL) != LR_OK)
        return NULL;
    return context;
}

static void assert_limit(lr_profile profile, uint32_t count, uint32_t window_s, uint32_t is_count,
                         uint32_t is_window_s)
{
    lr_context *context = context_with(profile, count, window_s);

    assert_non_null(context);
    assert_int_equal(context->renegotiations.count, is_count);
    assert_int_equal(context->renegotiations.window_s, is_window_s);
    lr_context_release(context);
}

static void the_limit_is_the_contexts_then_the_processs_then_the_profiles(void **state)
{
    tls_world world;
    lr_error err;

    (void)state;
    tls_world_enter(&world, 7);
    assert_limit(LR_PROFILE_MODERN, 0, 0, 0, 600);
    assert_limit(LR_PROFILE_NODE4, 0, 0, 3, 600);
    assert_limit(LR_PROFILE_NODE4, LR_NONE, 0, 0, 600);
    assert_limit(LR_PROFILE_MODERN, 64, 604800, 64, 604800);
    assert_int_equal(lr_renegotiation_default_set(5, 60, &err), LR_OK);
    assert_limit(LR_PROFILE_MODERN, 0, 0, 5, 60);
    assert_limit(LR_PROFILE_NODE4, 0, 7, 5, 7);
    assert_limit(LR_PROFILE_NODE4, 1, 0, 1, 60);
    assert_limit(LR_PROFILE_MODERN, LR_NONE, 0, 0, 60);
    assert_int_equal(lr_renegotiation_default_set(LR_NONE, 0, &err), LR_OK);
    assert_limit(LR_PROFILE_NODE4, 0, 0, 0, 600);
    assert_int_equal(lr_renegotiation_default_set(65, 0, &err), LR_EOPTION);
    assert_int_equal(lr_renegotiation_default_set(0, 604801, &err), LR_EOPTION);
    assert_limit(LR_PROFILE_NODE4, 0, 0, 0, 600); /* what is refused changes nothing */
    assert_int_equal(lr_renegotiation_default_set(0, 0, &err), LR_OK);
    assert_limit(LR_PROFILE_NODE4, 0, 0, 3, 600);
    assert_null(context_with(LR_PROFILE_MODERN, 65, 0));
    assert_null(context_with(LR_PROFILE_MODERN, 3, 604801));
    tls_world_leave(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_as_are_allowed_pass_and_the_next_ends_it),
        cmocka_unit_test(the_window_ends_for_each_on_its_own),
        cmocka_unit_test(data_flows_both_ways_in_a_renegotiation),
        cmocka_unit_test(another_server_name_ends_it),
        cmocka_unit_test(a_server_name_that_comes_or_goes_is_told),
        cmocka_unit_test(a_second_hello_in_a_renegotiation_ends_it),
        cmocka_unit_test(a_hello_without_proof_of_the_connection_ends_it),
        cmocka_unit_test(without_a_clock_the_first_is_one_too_many),
        cmocka_unit_test(a_renegotiation_survives_any_failing_allocation),
        cmocka_unit_test(the_limit_is_the_contexts_then_the_processs_then_the_profiles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
