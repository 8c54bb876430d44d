/* SPDX-License-Identifier: MIT */
/* A client that is asked for its certificate behind the handshake: what it must show before it is
 * believed, and what it may not do. wolfSSL is the client, and is told to leave things out; OpenSSL
 * is in tests/live/live_request_cert.c. */
#include "support.h"

#include "../live/pki.h"
#include "core/base/mem.h"
#include "core/tls/engine_state.h"
#include "core/tls/names.h"
#include "fixtures.h"
#include "tls_server.h"

#include <wolfssl/internal.h>

enum { HANDSHAKE = 22, UNEXPECTED_MESSAGE = 10, BAD_PROOF = 51, CERTIFICATE_REQUIRED = 116 };

typedef struct identity {
    const char *cert, *key; /* PEM */
} identity;

static tls_pair pair;
static uint64_t now_ns;
static uint32_t sent; /* records of the client's, from the request on */

static identity known(void)
{
    const identity all = {pki_text("client.pem"), pki_text("client.key")};

    return all;
}

static void use(identity who)
{
    WOLFSSL *ssl = pair.client.ssl;

    if (!who.cert)
        return;
    assert_int_equal(wolfSSL_use_certificate_chain_buffer(ssl, (const uint8_t *)who.cert,
                                                          (long)strlen(who.cert)),
                     WOLFSSL_SUCCESS);
    assert_int_equal(wolfSSL_use_PrivateKey_buffer(ssl, (const uint8_t *)who.key,
                                                   (long)strlen(who.key), WOLFSSL_FILETYPE_PEM),
                     WOLFSSL_SUCCESS);
}

static void begin_with(identity who, lr_tls_version version, const char *ca)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.version_max = version, .renegotiation = version == LR_TLS_1_2};

    options.request_cert_later = LR_ON;
    options.renegotiation_count = 3;
    options.ca = lr_slice_of(ca, strlen(ca));
    tls_pair_begin(&pair, &options, &plan);
    if (version != LR_TLS_1_2)
        assert_int_equal(wolfSSL_allow_post_handshake_auth(pair.client.ssl), 0);
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_int_equal(pair.server.status, LR_OK);
    use(who); /* at the end of a handshake wolfSSL forgets those of a WOLFSSL */
    now_ns = UINT64_C(1) << 40;
    lr__engine_set_clock(pair.server.engine, &now_ns);
    sent = 0;
}

static void begin(identity who)
{
    begin_with(who, LR_TLS_1_3, pki_text("root.pem"));
}

static void end(void)
{
    tls_pair_end(&pair);
}

static lr_status request(bool reject)
{
    return lr__engine_request_cert(pair.server.engine, reject, &pair.server.why);
}

/* The client hears of the request, and has said what it has to say. */
static void let_it_answer(void)
{
    uint8_t room[64];

    (void)tls_server_flush(&pair.server, &pair.client);
    (void)tls_client_read(&pair.client, room, sizeof(room));
}

/* What run/conn_renegotiate.c does behind each record. */
static lr_status take(lr__peer **peer)
{
    lr_status status = tls_server_read_all(&pair.server, &pair.client, NULL);

    *peer = NULL;
    if (status != LR_EAGAIN ||
        lr__engine_renegotiation(pair.server.engine) != LR__RENEGOTIATION_DONE)
        return status;
    status = lr__engine_end_renegotiation(pair.server.engine, peer, &pair.server.why);
    return status;
}

static void expect_failure(lr_status wanted, int alert)
{
    lr__peer *peer;

    assert_int_equal(take(&peer), wanted);
    assert_int_equal(pair.server.why.tls_alert, alert);
    lr__peer_free(peer);
}

static void expect_welcome(lr__verify_code code)
{
    lr__peer *peer;

    assert_int_equal(take(&peer), LR_OK);
    assert_non_null(peer);
    assert_int_equal(peer->code, code);
    lr__peer_free(peer);
}

static void assert_alive(void)
{
    tls_bytes got = {0};
    uint8_t room[64];

    assert_int_equal(tls_server_write(&pair.server, "pong", 4), LR_OK);
    (void)tls_server_flush(&pair.server, &pair.client);
    assert_int_equal(tls_client_read(&pair.client, room, sizeof(room)), 4);
    tls_client_write(&pair.client, "ping", 4);
    assert_int_equal(tls_server_read_all(&pair.server, &pair.client, &got), LR_EAGAIN);
    assert_int_equal(got.len, 4);
    tls_bytes_free(&got);
}

/* A resumed session, as wolfSSL's server keeps that in mind: it asks for less then. */
static void pretend_resumption(void)
{
    pair.server.engine->ssl->options.pskNegotiated = 1;
    pair.server.engine->ssl->options.resuming = 1;
}

static void whoever_shows_all_of_it_is_believed_behind_the_last_record(void **state)
{
    const identity all[] = {
        known(),
        {pki_text("rsa.pem"), pki_text("rsa.key")},
        {fixture_ed25519, fixture_ed25519_key},
        {fixture_p384, fixture_p384_key},
    };
    const char *root = pki_text("root.pem");

    (void)state;
    for (size_t i = 0; i < 2 * LR_ARRAY_COUNT(all); i++) {
        const identity *who = &all[i / 2];
        uint8_t room[16384];
        size_t used = 0;

        begin_with(*who, LR_TLS_1_3, i / 2 < 2 ? root : fixture_root);
        if (i % 2 == 1)
            pretend_resumption();
        assert_int_equal(request(i / 2 < 2), LR_OK);
        let_it_answer();
        assert_int_equal(tls_record_count(&pair.client.out), 3);
        while (used < pair.client.out.len) {
            lr_slice in = {pair.client.out.bytes + used, pair.client.out.len - used};
            size_t len;

            assert_int_equal(lr__engine_renegotiation(pair.server.engine), LR__RENEGOTIATION_BEGUN);
            assert_int_equal(tls_server_read(&pair.server, &in, room, sizeof(room), &len), LR_OK);
            assert_int_equal(len, 0);
            used = pair.client.out.len - in.len;
        }
        tls_bytes_drop(&pair.client.out, used);
        expect_welcome(i / 2 < 2 ? LR__VERIFY_OK : LR__VERIFY_INVALID_PURPOSE);
        assert_alive();
        end();
    }
}

static void whoever_has_none_says_so(void **state)
{
    (void)state;
    for (int resumed = 0; resumed <= 1; resumed++) {
        begin((identity){0});
        if (resumed)
            pretend_resumption();
        assert_int_equal(request(false), LR_OK);
        let_it_answer();
        expect_welcome(LR__VERIFY_UNABLE_TO_GET_ISSUER_CERT);
        assert_alive();
        end();
        begin((identity){0});
        if (resumed)
            pretend_resumption();
        assert_int_equal(request(true), LR_OK);
        let_it_answer();
        expect_failure(LR_EPEERCERT, CERTIFICATE_REQUIRED);
        end();
    }
}

/* wolfSSL's client leaves out what it has no wish to send any more. */
static void leave_out_verify(tls_client *client)
{
    if (++sent == 1)
        client->ssl->options.sendVerify = 0;
}

static void a_certificate_without_proof_of_its_key_is_nobodys(void **state)
{
    (void)state;
    for (int resumed = 0; resumed <= 1; resumed++) {
        begin(known());
        if (resumed)
            pretend_resumption();
        assert_int_equal(request(true), LR_OK);
        pair.client.before_send = leave_out_verify;
        let_it_answer();
        assert_int_equal(tls_record_count(&pair.client.out), 2);
        expect_failure(LR_ETLS, UNEXPECTED_MESSAGE);
        end();
    }
}

static void a_finished_alone_is_no_answer(void **state)
{
    (void)state;
    for (int resumed = 0; resumed <= 1; resumed++) {
        begin(known());
        if (resumed)
            pretend_resumption();
        assert_int_equal(request(false), LR_OK);
        pair.client.ssl->options.resuming = 1; /* then it sends nothing else */
        let_it_answer();
        assert_int_equal(tls_record_count(&pair.client.out), 1);
        expect_failure(LR_ETLS, UNEXPECTED_MESSAGE);
        end();
    }
}

static void a_proof_with_another_key_is_none(void **state)
{
    const identity liars[] = {{known().cert, fixture_other_key},
                              {pki_text("rsa.pem"), fixture_rsa_key},
                              {fixture_ed25519, fixture_ed25519_key}};

    (void)state;
    for (size_t i = 0; i < 2 * LR_ARRAY_COUNT(liars); i++) {
        bool bends = liars[i / 2].cert == fixture_ed25519;

        begin(liars[i / 2]);
        if (i % 2 == 1)
            pretend_resumption();
        assert_int_equal(request(false), LR_OK);
        if (bends) /* the transcript that the client signs is another one */
            pair.client.ssl->hsHashes->hashSha256.digest[0] ^= 1;
        let_it_answer();
        expect_failure(LR_ETLS, BAD_PROOF);
        end();
    }
}

static void spoil_finished(tls_client *client)
{
    if (++sent == 2) /* the proof of the key is on its way */
        client->ssl->clientSecret[0] ^= 1;
}

static void a_wrong_finished_ends_it(void **state)
{
    (void)state;
    begin(known());
    assert_int_equal(request(true), LR_OK);
    pair.client.before_send = spoil_finished;
    let_it_answer();
    expect_failure(LR_ETLS, BAD_PROOF);
    end();
}

/* A Certificate message for that request, with the known client's. */
static size_t make_certificate(uint8_t *out, uint8_t context)
{
    lr_slice der = pki_file("client.der");
    size_t entry = 3 + der.len + 2, body = 1 + 1 + 3 + entry;
    const uint8_t head[] = {11,
                            (uint8_t)(body >> 16),
                            (uint8_t)(body >> 8),
                            (uint8_t)body,
                            1,
                            context,
                            0,
                            (uint8_t)(entry >> 8),
                            (uint8_t)entry,
                            0,
                            (uint8_t)(der.len >> 8),
                            (uint8_t)der.len};

    memcpy(out, head, sizeof(head));
    memcpy(out + sizeof(head), der.bytes, der.len);
    memset(out + sizeof(head) + der.len, 0, 2);
    return sizeof(head) + der.len + 2;
}

static void send_certificate(uint8_t context)
{
    static uint8_t message[4096];

    tls_client_seal(&pair.client, HANDSHAKE, message, make_certificate(message, context));
}

static void nothing_stands_between_the_messages(void **state)
{
    lr__peer *peer;

    (void)state;
    for (int keys = 0; keys <= 1; keys++) {
        begin(known());
        assert_int_equal(request(true), LR_OK);
        send_certificate(0);
        assert_int_equal(take(&peer), LR_EAGAIN); /* so far it is a good one */
        assert_int_equal(lr__engine_renegotiation(pair.server.engine), LR__RENEGOTIATION_BEGUN);
        if (keys)
            tls_client_update_keys(&pair.client, false);
        else
            tls_client_write(&pair.client, "amid", 4);
        expect_failure(LR_ETLS, UNEXPECTED_MESSAGE);
        end();
    }
}

static void a_certificate_that_nobody_asked_for_ends_it(void **state)
{
    (void)state;
    begin(known());
    send_certificate(0);
    expect_failure(LR_ETLS, UNEXPECTED_MESSAGE);
    end();
    begin(known());
    assert_int_equal(request(true), LR_OK);
    send_certificate(1); /* to another request */
    expect_failure(LR_ETLS, UNEXPECTED_MESSAGE);
    end();
    begin(known());
    assert_int_equal(request(true), LR_OK);
    let_it_answer();
    expect_welcome(LR__VERIFY_OK);
    send_certificate(0); /* once more */
    expect_failure(LR_ETLS, UNEXPECTED_MESSAGE);
    end();
}

/* The client has not heard of the request yet. */
static void data_and_new_keys_may_come_before_the_answer(void **state)
{
    tls_bytes got = {0};

    (void)state;
    begin(known());
    assert_int_equal(request(true), LR_OK);
    tls_client_write(&pair.client, "before", 6);
    tls_client_update_keys(&pair.client, false);
    tls_client_write(&pair.client, "later", 5);
    assert_int_equal(tls_server_read_all(&pair.server, &pair.client, &got), LR_EAGAIN);
    assert_int_equal(got.len, 11);
    assert_memory_equal(got.bytes, "beforelater", 11);
    tls_bytes_free(&got);
    let_it_answer();
    expect_welcome(LR__VERIFY_OK);
    assert_alive();
    end();
}

/* wolfSSL waits for the ClientHello, and takes data instead for as long as that comes. */
static void data_may_come_before_the_answer_in_1_2(void **state)
{
    lr__peer *peer = NULL;
    tls_bytes got = {0};
    uint8_t room[64];

    (void)state;
    begin_with(known(), LR_TLS_1_2, pki_text("root.pem"));
    assert_int_equal(request(true), LR_OK);
    for (int i = 0; i < 5; i++) {
        tls_client_write(&pair.client, "ping", 4);
        assert_int_equal(tls_server_read_all(&pair.server, &pair.client, &got), LR_EAGAIN);
        assert_int_equal(got.len, 8 * i + 4);
        tls_client_write(&pair.client, "pi", 2);
        tls_client_write(&pair.client, "ng", 2);
        assert_int_equal(tls_server_read_all(&pair.server, &pair.client, &got), LR_EAGAIN);
        assert_int_equal(got.len, 8 * i + 8);
        assert_int_equal(tls_server_write(&pair.server, "pong", 4), LR_OK);
    }
    tls_bytes_free(&got);
    for (int i = 0; i < 50; i++) {
        lr_status status;

        (void)tls_server_flush(&pair.server, &pair.client);
        (void)tls_client_read(&pair.client, room, sizeof(room));
        pair.client.failure = 0;
        if (i >= 10 && !wolfSSL_is_init_finished(pair.client.ssl))
            (void)wolfSSL_connect(pair.client.ssl);
        status = take(&peer);
        if (status == LR_OK)
            break;
        assert_int_equal(status, LR_EAGAIN);
    }
    assert_non_null(peer);
    assert_int_equal(peer->code, LR__VERIFY_OK);
    lr__peer_free(peer);
    assert_alive();
    end();
}

/* The same without a pause in which wolfSSL would see that there is nothing more. */
static void data_and_the_answer_may_come_at_once_in_1_2(void **state)
{
    static uint8_t big[16384];
    size_t sizes[] = {14488, 16384}, used = 0, len;

    (void)state;
    begin_with(known(), LR_TLS_1_2, pki_text("root.pem"));
    assert_int_equal(request(true), LR_OK);
    for (size_t i = 0; i < LR_ARRAY_COUNT(sizes); i++)
        tls_client_write(&pair.client, big, sizes[i]);
    let_it_answer();
    assert_int_equal(tls_record_count(&pair.client.out), 3);
    for (size_t i = 0; i < 3; i++) {
        lr_slice in = {pair.client.out.bytes + used, pair.client.out.len - used};

        assert_int_equal(tls_server_read(&pair.server, &in, big, sizeof(big), &len), LR_OK);
        used = pair.client.out.len - in.len;
        if (i < 2) {
            assert_int_equal(len, sizes[i]);
            assert_int_equal(tls_server_write(&pair.server, big, len), LR_OK);
        }
    }
    assert_true(lr__buf_len(&pair.server.out) > 14488 + 16384 + 500);
    end();
}

static void new_keys_on_request_are_answered_once(void **state)
{
    uint8_t room[64];
    lr_slice in;
    size_t len;

    (void)state;
    begin(known());
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lr__engine_update_keys(pair.server.engine, &pair.server.why), LR_OK);
        assert_int_equal(tls_server_write(&pair.server, "pong", 4), LR_OK);
        (void)tls_server_flush(&pair.server, &pair.client);
        assert_int_equal(tls_client_read(&pair.client, room, sizeof(room)), 4);
        assert_int_equal(tls_record_count(&pair.client.out), 1);
        tls_client_update_keys(&pair.client, false);
        for (int j = 0; j < 2; j++) { /* the answer, and one that was not asked for */
            static uint8_t big[16384];

            in = lr_slice_of(pair.client.out.bytes, pair.client.out.len);
            assert_int_equal(tls_server_read(&pair.server, &in, big, sizeof(big), &len), LR_OK);
            assert_true(lr__engine_saw_key_update(pair.server.engine));
            assert_int_equal(lr__engine_saw_key_answer(pair.server.engine), j == 0);
            tls_bytes_drop(&pair.client.out, pair.client.out.len - in.len);
        }
        assert_alive();
    }
    /* Asked for before the request, answered behind it. */
    assert_int_equal(lr__engine_update_keys(pair.server.engine, &pair.server.why), LR_OK);
    assert_int_equal(request(true), LR_OK);
    let_it_answer();
    expect_welcome(LR__VERIFY_OK);
    assert_alive();
    end();
}

static void what_cannot_be_asked_is_refused_and_nothing_happens(void **state)
{
    (void)state;
    begin(known());
    assert_int_equal(request(true), LR_OK);
    assert_int_equal(request(true), LR_EAGAIN);
    let_it_answer();
    expect_welcome(LR__VERIFY_OK);
    assert_int_equal(request(true), LR_ESTATE);
    assert_alive();
    end();
    begin_with(known(), LR_TLS_1_2, pki_text("root.pem"));
    pair.server.engine->ssl->secure_renegotiation->enabled = 0;
    assert_int_equal(request(true), LR_ENOTOFFERED);
    assert_int_equal(lr__engine_update_keys(pair.server.engine, &pair.server.why), LR_ESTATE);
    assert_alive();
    end();
}

static void a_client_of_1_2_that_turns_it_down_is_gone(void **state)
{
    (void)state;
    begin_with(known(), LR_TLS_1_2, pki_text("root.pem"));
    assert_int_equal(request(false), LR_OK);
    tls_client_alert(&pair.client, alert_warning, LR__ALERT_NO_RENEGOTIATION);
    expect_failure(LR_EALERT, LR__ALERT_NO_RENEGOTIATION);
    end();
}

static void a_request_survives_any_failing_allocation(void **state)
{
    uint32_t failures = 0;
    uint64_t n = 0;
    bool hit = true;

    (void)state;
    while (hit) {
        lr__peer *peer = NULL;
        lr_status status;

        begin(known());
        (void)lr__mem_fail_at(++n, false);
        status = request(true);
        hit = lr__mem_fail_at(0, false) >= n;
        assert_int_equal(status, hit ? LR_ENOMEM : LR_OK);
        failures += hit;
        end();
        assert_true(n < 100);
        lr__peer_free(peer);
    }
    assert_true(failures > 2);
    for (n = 1, hit = true; hit; n++) {
        lr__peer *peer = NULL;
        lr_status status;

        begin(known());
        assert_int_equal(request(true), LR_OK);
        let_it_answer();
        pair.server.tried = 0;
        pair.server.fail_at = n;
        status = take(&peer);
        hit = pair.server.tried >= n;
        assert_true(status == LR_OK || !peer);
        assert_true(hit || status == LR_OK);
        assert_true(n < 1000);
        lr__peer_free(peer);
        end();
    }
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_shows_all_of_it_is_believed_behind_the_last_record),
        cmocka_unit_test(whoever_has_none_says_so),
        cmocka_unit_test(a_certificate_without_proof_of_its_key_is_nobodys),
        cmocka_unit_test(a_finished_alone_is_no_answer),
        cmocka_unit_test(a_proof_with_another_key_is_none),
        cmocka_unit_test(a_wrong_finished_ends_it),
        cmocka_unit_test(nothing_stands_between_the_messages),
        cmocka_unit_test(a_certificate_that_nobody_asked_for_ends_it),
        cmocka_unit_test(data_and_new_keys_may_come_before_the_answer),
        cmocka_unit_test(data_may_come_before_the_answer_in_1_2),
        cmocka_unit_test(data_and_the_answer_may_come_at_once_in_1_2),
        cmocka_unit_test(new_keys_on_request_are_answered_once),
        cmocka_unit_test(what_cannot_be_asked_is_refused_and_nothing_happens),
        cmocka_unit_test(a_client_of_1_2_that_turns_it_down_is_gone),
        cmocka_unit_test(a_request_survives_any_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
