/* SPDX-License-Identifier: MIT */
/* What a peer can do wrong to core/tls/engine.h, and what it is told: no failure found here ends
 * without a fatal alert, and the client must be able to read it. */
#include "support.h"

#include "core/tls/names.h"
#include "fixtures.h"
#include "hello_maker.h"
#include "tls_server.h"

enum { CCS = 20, ALERT = 21, HANDSHAKE = 22, APPLICATION = 23 };
enum {
    BAD_RECORD_MAC = 20,
    UNKNOWN_CA = 48,
    BAD_FINISHED = 51,
    USER_CANCELED = 90,
    ANY_ALERT = -2,
    NO_ALERT = -3
};

static tls_pair pair;

static void begin_plan(const tls_client_plan *plan)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);

    tls_pair_begin(&pair, &options, plan);
}

/* Up to the server's flight. */
static void begin_halfway(lr_tls_version version)
{
    tls_client_plan plan = {.version_min = version, .version_max = version, .name = "localhost"};

    begin_plan(&plan);
    tls_client_step(&pair.client);
    tls_server_feed(&pair.server, &pair.client, 0);
    assert_int_equal(pair.server.status, LR_EAGAIN);
}

static void begin_secure(lr_tls_version version)
{
    begin_halfway(version);
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_int_equal(pair.server.status, LR_OK);
}

/* The server has failed and said so, in its last record. */
static void assert_told(const char *what, int alert)
{
    lr_slice out;
    size_t at = 0, size = 0;

    if (alert == NO_ALERT && pair.server.status == LR_EAGAIN)
        return;
    if (pair.server.status == LR_EAGAIN || pair.server.status == LR_OK ||
        pair.server.status == LR_ECLOSED || pair.server.status == LR_EALERT)
        fail_msg("%s: %s", what, lr_status_name(pair.server.status));
    out = lr__buf_slice(&pair.server.out);
    while (at < out.len) {
        size = tls_record_size(out.bytes + at, out.len - at);
        assert_true(size > 0);
        at += size;
    }
    if (out.len == 0)
        fail_msg("%s: no alert (%s)", what, pair.server.why.text);
    at -= size;
    if (out.bytes[at] != ALERT && out.bytes[at] != APPLICATION)
        fail_msg("%s: the last record is of type %u", what, out.bytes[at]);
    (void)tls_server_flush(&pair.server, &pair.client);
    if (tls_client_alert_seen(&pair.client) != pair.server.why.tls_alert)
        fail_msg("%s: told %d, but the client saw %d", what, pair.server.why.tls_alert,
                 tls_client_alert_seen(&pair.client));
    if (alert != ANY_ALERT && pair.server.why.tls_alert != alert)
        fail_msg("%s: alert %d in place of %d (%s)", what, pair.server.why.tls_alert, alert,
                 pair.server.why.text);
}

/* Gives bytes to the server as if the client had sent them. */
static void inject(const void *bytes, size_t len)
{
    tls_bytes_drop(&pair.client.out, pair.client.out.len);
    tls_bytes_add(&pair.client.out, bytes, len);
    if (pair.server.status == LR_OK)
        (void)tls_server_read_all(&pair.server, &pair.client, NULL);
    else
        tls_server_feed(&pair.server, &pair.client, 0);
}

static void inject_record(uint8_t type, const void *body, size_t len)
{
    static uint8_t record[5 + 20000];

    record[0] = type;
    record[1] = record[2] = 3;
    record[3] = (uint8_t)(len >> 8);
    record[4] = (uint8_t)len;
    memcpy(record + 5, body, len);
    inject(record, 5 + len);
}

/* Seals under the client's keys and reads. */
static void inject_sealed(uint8_t type, const void *body, size_t len)
{
    tls_bytes_drop(&pair.client.out, pair.client.out.len);
    tls_client_seal(&pair.client, type, body, len);
    (void)tls_server_read_all(&pair.server, &pair.client, NULL);
}

static void a_record_that_was_changed_is_a_bad_mac(void **state)
{
    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        for (size_t at = 5; at < 40; at += 7) {
            begin_secure((lr_tls_version)v);
            tls_client_write(&pair.client, "sixteen or more bytes", 21);
            pair.client.out.bytes[at] ^= 0x10;
            assert_int_equal(tls_server_read_all(&pair.server, &pair.client, NULL), LR_ETLS);
            assert_told("changed record", BAD_RECORD_MAC);
            tls_pair_end(&pair);
        }
    }
}

static void a_replayed_or_dropped_record_is_a_bad_mac(void **state)
{
    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        tls_bytes twice = {0};

        begin_secure((lr_tls_version)v);
        tls_client_write(&pair.client, "again", 5);
        tls_bytes_add(&twice, pair.client.out.bytes, pair.client.out.len);
        tls_bytes_add(&twice, pair.client.out.bytes, pair.client.out.len);
        inject(twice.bytes, twice.len);
        assert_told("replayed record", BAD_RECORD_MAC);
        tls_bytes_free(&twice);
        tls_pair_end(&pair);

        begin_secure((lr_tls_version)v);
        tls_client_write(&pair.client, "lost", 4);
        tls_bytes_drop(&pair.client.out, pair.client.out.len);
        tls_client_write(&pair.client, "found", 5);
        assert_int_equal(tls_server_read_all(&pair.server, &pair.client, NULL), LR_ETLS);
        assert_told("dropped record", BAD_RECORD_MAC);
        tls_pair_end(&pair);
    }
}

static void a_changed_finished_record_is_a_bad_mac(void **state)
{
    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        begin_halfway((lr_tls_version)v);
        (void)tls_server_flush(&pair.server, &pair.client);
        tls_client_step(&pair.client);
        pair.client.out.bytes[pair.client.out.len - 1] ^= 1;
        tls_server_feed(&pair.server, &pair.client, 0);
        assert_told("changed Finished", BAD_RECORD_MAC);
        tls_pair_end(&pair);
    }
}

static void a_wrong_finished_is_a_decrypt_error(void **state)
{
    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        tls_client_plan plan = {.version_max = (lr_tls_version)v, .spoil_finished = true};

        begin_plan(&plan);
        tls_client_step(&pair.client);
        tls_server_feed(&pair.server, &pair.client, 0);
        (void)tls_server_flush(&pair.server, &pair.client);
        tls_client_step(&pair.client);
        assert_false(pair.client.spoil_finished);
        tls_server_feed(&pair.server, &pair.client, 0);
        assert_told("wrong Finished", BAD_FINISHED);
        tls_pair_end(&pair);
    }
}

static void garbage_behind_the_hello_is_answered(void **state)
{
    static const struct {
        const char *what;
        uint8_t type;
        uint8_t body[8];
        size_t len;
        int alert_12, alert_13;
    } cases[] = {
        {"an unknown type", 99, {1}, 1, 10, 10},
        {"type 0", 0, {1}, 1, 10, 10},
        {"heartbeat", 24, {1, 0, 0}, 3, 10, 10},
        {"a change_cipher_spec of 2", CCS, {2}, 1, ANY_ALERT, 10},
        {"a long change_cipher_spec", CCS, {1, 1}, 2, ANY_ALERT, 10},
        {"an early change_cipher_spec", CCS, {1}, 1, 10, NO_ALERT},
        {"a second hello", HANDSHAKE, {1, 0, 0, 0}, 4, 10, 10},
        {"a HelloRequest", HANDSHAKE, {0, 0, 0, 0}, 4, 10, 10},
        {"a ServerHello", HANDSHAKE, {2, 0, 0, 1, 0}, 5, ANY_ALERT, 10},
        {"a message that does not exist", HANDSHAKE, {77, 0, 0, 1, 0}, 5, 10, 10},
        {"a Finished in clear", HANDSHAKE, {20, 0, 0, 1, 0}, 5, 10, 10},
        {"data in clear", APPLICATION, {'h', 'e', 'l', 'l', 'o'}, 5, 10, BAD_RECORD_MAC},
        {"an empty message", HANDSHAKE, {0}, 0, ANY_ALERT, ANY_ALERT},
        {"half an alert", ALERT, {2}, 1, ANY_ALERT, ANY_ALERT},
        {"an empty alert", ALERT, {0}, 0, ANY_ALERT, ANY_ALERT},
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(cases); i++) {
        begin_halfway(LR_TLS_1_3);
        inject_record(cases[i].type, cases[i].body, cases[i].len);
        assert_told(cases[i].what, cases[i].alert_13);
        tls_pair_end(&pair);
        begin_halfway(LR_TLS_1_2);
        inject_record(cases[i].type, cases[i].body, cases[i].len);
        assert_told(cases[i].what, cases[i].alert_12);
        tls_pair_end(&pair);
    }
}

static void a_record_beyond_all_lengths_is_an_overflow(void **state)
{
    static const uint8_t zeros[5 + 16384 + 256 + 1];

    (void)state;
    begin_halfway(LR_TLS_1_3);
    inject_record(APPLICATION, zeros, 16384 + 256 + 1);
    assert_told("1.3, in the handshake", ANY_ALERT);
    tls_pair_end(&pair);
    begin_secure(LR_TLS_1_3);
    inject_record(APPLICATION, zeros, 16384 + 256 + 1);
    assert_told("1.3", LR__ALERT_RECORD_OVERFLOW);
    tls_pair_end(&pair);
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        begin_secure((lr_tls_version)v);
        inject("\x17\x03\x03\xff\xff", 5);
        assert_told("65535", LR__ALERT_RECORD_OVERFLOW);
        tls_pair_end(&pair);
    }
}

static void more_plaintext_than_a_record_may_hold_is_an_overflow(void **state)
{
    static const uint8_t bytes[16385];

    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        begin_secure((lr_tls_version)v);
        inject_sealed(APPLICATION, bytes, sizeof(bytes));
        assert_told("16385", LR__ALERT_RECORD_OVERFLOW);
        tls_pair_end(&pair);
    }
}

static void records_behind_the_handshake_that_do_not_belong_there_are_refused(void **state)
{
    static const struct {
        const char *what;
        uint8_t type;
        uint8_t body[12];
        size_t len;
        int alert;
    } cases[] = {
        {"a KeyUpdate of 2", HANDSHAKE, {24, 0, 0, 1, 2}, 5, LR__ALERT_ILLEGAL_PARAMETER},
        {"a long KeyUpdate", HANDSHAKE, {24, 0, 0, 2, 0, 0}, 6, LR__ALERT_DECODE_ERROR},
        {"an empty KeyUpdate", HANDSHAKE, {24, 0, 0, 0}, 4, LR__ALERT_DECODE_ERROR},
        {"an unknown message", HANDSHAKE, {77, 0, 0, 1, 0}, 5, 10},
        {"a ClientHello", HANDSHAKE, {1, 0, 0, 2, 3, 3}, 6, 10},
        {"a Certificate", HANDSHAKE, {11, 0, 0, 4, 0, 0, 0, 0}, 8, 10},
        {"a ticket", HANDSHAKE, {4, 0, 0, 2, 3, 3}, 6, 10},
        {"EndOfEarlyData", HANDSHAKE, {5, 0, 0, 0}, 4, 10},
        {"a CertificateRequest", HANDSHAKE, {13, 0, 0, 3, 0, 0, 0}, 7, 10},
        {"a CertificateVerify", HANDSHAKE, {15, 0, 0, 4, 4, 3, 0, 0}, 8, 10},
        {"a Finished", HANDSHAKE, {20, 0, 0, 4, 1, 2, 3, 4}, 8, 10},
        {"an empty handshake record", HANDSHAKE, {0}, 0, ANY_ALERT},
        {"an empty alert", ALERT, {0}, 0, ANY_ALERT},
        {"half an alert", ALERT, {1}, 1, ANY_ALERT},
        {"a sealed change_cipher_spec", CCS, {1}, 1, 10},
        {"heartbeat", 24, {1, 0, 0}, 3, 10},
        {"no type at all", 0, {0}, 8, 10},
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(cases); i++) {
        begin_secure(LR_TLS_1_3);
        inject_sealed(cases[i].type, cases[i].body, cases[i].len);
        assert_told(cases[i].what, cases[i].alert);
        tls_pair_end(&pair);
    }
}

static void records_of_tls_1_2_that_do_not_belong_there_are_refused(void **state)
{
    static const struct {
        const char *what;
        uint8_t type;
        uint8_t body[12];
        size_t len;
        int alert;
    } cases[] = {
        {"an unknown message", HANDSHAKE, {77, 0, 0, 1, 0}, 5, 10},
        {"a Finished", HANDSHAKE, {20, 0, 0, 4, 1, 2, 3, 4}, 8, 10},
        {"a ClientKeyExchange", HANDSHAKE, {16, 0, 0, 2, 1, 0}, 6, 10},
        {"a Certificate", HANDSHAKE, {11, 0, 0, 3, 0, 0, 0}, 7, 10},
        {"a change_cipher_spec", CCS, {1}, 1, 10},
        {"an empty handshake record", HANDSHAKE, {0}, 0, ANY_ALERT},
        {"half an alert", ALERT, {1}, 1, ANY_ALERT},
        {"heartbeat", 24, {1, 0, 0}, 3, 10},
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(cases); i++) {
        begin_secure(LR_TLS_1_2);
        inject_sealed(cases[i].type, cases[i].body, cases[i].len);
        assert_told(cases[i].what, cases[i].alert);
        tls_pair_end(&pair);
    }
}

/* Nobody but the peer may end or disturb the stream: it takes keys to do so. */
static void records_in_clear_behind_the_handshake_are_refused(void **state)
{
    static const uint8_t types[] = {CCS, ALERT, HANDSHAKE, APPLICATION};

    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        for (size_t i = 0; i < LR_ARRAY_COUNT(types); i++) {
            static const uint8_t body[2] = {1, 0}, fatal[2] = {2, 40};

            begin_secure((lr_tls_version)v);
            inject_record(types[i], body, types[i] == CCS ? 1 : 2);
            if (types[i] == ALERT) {
                assert_told("an alert in clear", ANY_ALERT);
                tls_pair_end(&pair);
                begin_secure((lr_tls_version)v);
                inject_record(ALERT, fatal, sizeof(fatal));
            }
            assert_told("in clear", ANY_ALERT);
            assert_true(pair.server.why.tls_alert == 10 ||
                        pair.server.why.tls_alert == BAD_RECORD_MAC ||
                        pair.server.why.tls_alert == LR__ALERT_DECODE_ERROR);
            tls_pair_end(&pair);
        }
    }
}

static void a_fatal_alert_is_told_with_its_number(void **state)
{
    static const uint8_t alerts[] = {10, 20, 40, 42, 46, 48, 49, 51, 80, 112, 120};

    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        for (size_t i = 0; i < LR_ARRAY_COUNT(alerts); i++) {
            begin_secure((lr_tls_version)v);
            tls_client_alert(&pair.client, alert_fatal, alerts[i]);
            assert_int_equal(tls_server_read_all(&pair.server, &pair.client, NULL), LR_EALERT);
            assert_int_equal(pair.server.why.tls_alert, alerts[i]);
            assert_int_equal(lr__buf_len(&pair.server.out), 0);
            tls_pair_end(&pair);
        }
    }
}

static void an_alert_in_the_handshake_is_told_with_its_number(void **state)
{
    uint32_t len;

    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        begin_halfway((lr_tls_version)v);
        (void)tls_server_flush(&pair.server, &pair.client);
        inject_record(ALERT, "\x02\x30", 2);
        assert_int_equal(pair.server.status, LR_EALERT);
        assert_int_equal(pair.server.why.tls_alert, UNKNOWN_CA);
        assert_int_equal(lr__buf_len(&pair.server.out), 0);
        tls_pair_end(&pair);
        /* What was not yet sent stays. */
        begin_halfway((lr_tls_version)v);
        len = lr__buf_len(&pair.server.out);
        inject_record(ALERT, "\x02\x30", 2);
        assert_int_equal(pair.server.status, LR_EALERT);
        assert_int_equal(lr__buf_len(&pair.server.out), len);
        tls_pair_end(&pair);
    }
}

/* RFC 8446 6: a fatal alert is answered by nothing, however many warnings came before it. */
static void a_fatal_alert_behind_warnings_is_not_answered(void **state)
{
    (void)state;
    for (int warnings = 1; warnings <= 4; warnings++) {
        begin_halfway(LR_TLS_1_2);
        (void)tls_server_flush(&pair.server, &pair.client);
        for (int i = 0; i < warnings; i++) {
            inject_record(ALERT, "\x01\x5a", 2);
            assert_int_equal(pair.server.status, LR_EAGAIN);
        }
        inject_record(ALERT, "\x02\x28", 2);
        assert_int_equal(pair.server.status, LR_EALERT);
        assert_int_equal(pair.server.why.tls_alert, LR__ALERT_HANDSHAKE_FAILURE);
        assert_int_equal(lr__buf_len(&pair.server.out), 0);
        tls_pair_end(&pair);
    }
}

/* A close_notify is no way to end a handshake. */
static void close_notify_in_the_handshake_is_no_success(void **state)
{
    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        begin_halfway((lr_tls_version)v);
        (void)tls_server_flush(&pair.server, &pair.client);
        inject_record(ALERT, "\x01\x00", 2);
        assert_int_equal(pair.server.status, LR_EALERT);
        assert_int_equal(pair.server.why.tls_alert, LR__ALERT_CLOSE_NOTIFY);
        assert_non_null(strstr(pair.server.why.text, "close_notify"));
        assert_int_equal(lr__buf_len(&pair.server.out), 0);
        tls_pair_end(&pair);
    }
}

/* RFC 8446 6: the level means nothing; only user_canceled is not the end. */
static void a_warning_of_tls_1_3_is_fatal_but_for_user_canceled(void **state)
{
    (void)state;
    begin_secure(LR_TLS_1_3);
    tls_client_alert(&pair.client, alert_warning, 40);
    assert_int_equal(tls_server_read_all(&pair.server, &pair.client, NULL), LR_EALERT);
    assert_int_equal(pair.server.why.tls_alert, 40);
    tls_pair_end(&pair);

    begin_secure(LR_TLS_1_3);
    tls_client_alert(&pair.client, alert_warning, USER_CANCELED);
    tls_client_write(&pair.client, "still here", 10);
    assert_int_equal(tls_server_read_all(&pair.server, &pair.client, NULL), LR_EAGAIN);
    tls_client_close(&pair.client);
    assert_int_equal(tls_server_read_all(&pair.server, &pair.client, NULL), LR_ECLOSED);
    tls_pair_end(&pair);
}

static void a_warning_of_tls_1_2_goes_by_but_a_flood_does_not(void **state)
{
    int count = 0;

    (void)state;
    begin_secure(LR_TLS_1_2);
    tls_client_alert(&pair.client, alert_warning, USER_CANCELED);
    tls_client_write(&pair.client, "still here", 10);
    assert_int_equal(tls_server_read_all(&pair.server, &pair.client, NULL), LR_EAGAIN);
    do {
        tls_client_alert(&pair.client, alert_warning, USER_CANCELED);
        count++;
    } while (count < 100 && tls_server_read_all(&pair.server, &pair.client, NULL) == LR_EAGAIN);
    assert_true(count < 100);
    assert_told("flood", ANY_ALERT);
    tls_pair_end(&pair);
}

static void longer_fragments_than_agreed_are_an_overflow(void **state)
{
    static const uint8_t bytes[768]; /* wolfSSL lets a few more than 512 pass */

    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        tls_client_plan plan = {.version_max = (lr_tls_version)v, .max_fragment = 1};

        begin_plan(&plan);
        tls_shake_hands(&pair.server, &pair.client, 0);
        assert_int_equal(pair.server.status, LR_OK);
        inject_sealed(APPLICATION, bytes, sizeof(bytes));
        assert_told("768 of 512", LR__ALERT_RECORD_OVERFLOW);
        tls_pair_end(&pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_that_was_changed_is_a_bad_mac),
        cmocka_unit_test(a_replayed_or_dropped_record_is_a_bad_mac),
        cmocka_unit_test(a_changed_finished_record_is_a_bad_mac),
        cmocka_unit_test(a_wrong_finished_is_a_decrypt_error),
        cmocka_unit_test(garbage_behind_the_hello_is_answered),
        cmocka_unit_test(a_record_beyond_all_lengths_is_an_overflow),
        cmocka_unit_test(more_plaintext_than_a_record_may_hold_is_an_overflow),
        cmocka_unit_test(records_behind_the_handshake_that_do_not_belong_there_are_refused),
        cmocka_unit_test(records_of_tls_1_2_that_do_not_belong_there_are_refused),
        cmocka_unit_test(records_in_clear_behind_the_handshake_are_refused),
        cmocka_unit_test(a_fatal_alert_is_told_with_its_number),
        cmocka_unit_test(an_alert_in_the_handshake_is_told_with_its_number),
        cmocka_unit_test(a_fatal_alert_behind_warnings_is_not_answered),
        cmocka_unit_test(close_notify_in_the_handshake_is_no_success),
        cmocka_unit_test(a_warning_of_tls_1_3_is_fatal_but_for_user_canceled),
        cmocka_unit_test(a_warning_of_tls_1_2_goes_by_but_a_flood_does_not),
        cmocka_unit_test(longer_fragments_than_agreed_are_an_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
