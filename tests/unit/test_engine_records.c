/* SPDX-License-Identifier: MIT */
/* Records after the handshake: data both ways, key updates, refused renegotiation, short fragments,
 * and the end of a connection. tls_server.c checks at each call that one record is the most that
 * was taken. */
#include "support.h"

#include "core/tls/names.h"
#include "fixtures.h"
#include "tls_server.h"

enum { RECORD_HANDSHAKE = 22, RECORD_DATA = 23, NO_RENEGOTIATION = 100 };

static tls_pair pair;
static uint8_t room[16384];
static const uint8_t second_hello[4 + 300] = {1 /* client_hello */, 0, 300 >> 8, 300 & 0xff, 3, 3};

static void begin_plan(const tls_client_plan *plan)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);

    tls_pair_begin(&pair, &options, plan);
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_int_equal(pair.server.status, LR_OK);
    assert_true(pair.client.done);
    pair.server.records = 0;
}

static void begin(lr_tls_version version)
{
    tls_client_plan plan = {.version_min = version, .version_max = version, .name = "localhost"};

    begin_plan(&plan);
}

static void end(void)
{
    tls_pair_end(&pair);
}

static void fill(uint8_t *bytes, size_t len, size_t salt)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 31 + (i >> 8) + salt);
}

static void assert_client_gets(const uint8_t *bytes, size_t len)
{
    static uint8_t got[16384];
    size_t at = 0;

    while (at < len) {
        size_t part = tls_client_read(&pair.client, got, sizeof(got));

        assert_true(part > 0 && part <= len - at);
        assert_memory_equal(got, bytes + at, part);
        at += part;
    }
    assert_int_equal(tls_client_read(&pair.client, got, sizeof(got)), 0);
    assert_int_equal(pair.client.failure, 0);
}

/* Data still goes both ways. */
static void assert_alive(void)
{
    tls_bytes got = {0};

    assert_int_equal(tls_server_write(&pair.server, "pong", 4), LR_OK);
    (void)tls_server_flush(&pair.server, &pair.client);
    assert_client_gets((const uint8_t *)"pong", 4);
    tls_client_write(&pair.client, "ping", 4);
    assert_int_equal(tls_server_read_all(&pair.server, &pair.client, &got), LR_EAGAIN);
    assert_int_equal(got.len, 4);
    assert_memory_equal(got.bytes, "ping", 4);
    tls_bytes_free(&got);
}

static const size_t sizes[] = {1,    2,    15,   16,   17,    255,   256,   257,  1399,
                               1400, 4095, 4096, 4097, 16367, 16368, 16383, 16384};

static void assert_sizes_out(void)
{
    static uint8_t sent[16384];

    for (size_t i = 0; i < LR_ARRAY_COUNT(sizes); i++) {
        fill(sent, sizes[i], i);
        assert_int_equal(tls_server_write(&pair.server, sent, sizes[i]), LR_OK);
        (void)tls_server_flush(&pair.server, &pair.client);
        assert_int_equal(tls_record_count(&pair.client.in), 1);
        assert_client_gets(sent, sizes[i]);
    }
}

static void assert_sizes_in(void)
{
    static uint8_t sent[16384];

    for (size_t i = 0; i < LR_ARRAY_COUNT(sizes); i++) {
        lr_slice in;
        size_t len;

        fill(sent, sizes[i], i);
        tls_client_write(&pair.client, sent, sizes[i]);
        in = lr_slice_of(pair.client.out.bytes, pair.client.out.len);
        assert_int_equal(tls_server_read(&pair.server, &in, room, sizeof(room), &len), LR_OK);
        assert_int_equal(in.len, 0);
        assert_int_equal(len, sizes[i]);
        assert_memory_equal(room, sent, len);
        tls_bytes_drop(&pair.client.out, pair.client.out.len);
    }
}

static void data_of_any_size_goes_both_ways(void **state)
{
    static const char *const suites[] = {
        "TLS13-AES128-GCM-SHA256",        "TLS13-AES256-GCM-SHA384",
        "TLS13-CHACHA20-POLY1305-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",  "ECDHE-ECDSA-CHACHA20-POLY1305"};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(suites); i++) {
        tls_client_plan plan = {.version_max = i < 3 ? LR_TLS_1_3 : LR_TLS_1_2,
                                .suites = suites[i]};

        begin_plan(&plan);
        assert_sizes_out();
        assert_sizes_in();
        end();
    }
}

static void a_stream_fed_byte_by_byte_gives_the_same_data(void **state)
{
    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        static uint8_t sent[3000];
        tls_bytes got = {0};

        begin((lr_tls_version)v);
        fill(sent, sizeof(sent), v);
        tls_client_write(&pair.client, sent, 1);
        tls_client_write(&pair.client, sent + 1, 2000);
        tls_client_write(&pair.client, sent + 2001, 999);
        for (size_t i = 0; i < pair.client.out.len; i++) {
            lr_slice in = lr_slice_of(pair.client.out.bytes + i, 1);
            size_t len;
            lr_status status = tls_server_read(&pair.server, &in, room, sizeof(room), &len);

            assert_true(status == LR_OK || status == LR_EAGAIN);
            assert_int_equal(in.len, 0);
            tls_bytes_add(&got, room, len);
        }
        assert_int_equal(pair.server.records, 3);
        assert_int_equal(got.len, sizeof(sent));
        assert_memory_equal(got.bytes, sent, sizeof(sent));
        tls_bytes_free(&got);
        end();
    }
}

static void each_call_opens_one_record_however_many_there_are(void **state)
{
    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        lr_slice in;
        size_t len;

        begin((lr_tls_version)v);
        for (int i = 0; i < 50; i++)
            tls_client_write(&pair.client, "one record", 10);
        in = lr_slice_of(pair.client.out.bytes, pair.client.out.len);
        for (uint32_t i = 1; i <= 50; i++) {
            assert_int_equal(tls_server_read(&pair.server, &in, room, sizeof(room), &len), LR_OK);
            assert_int_equal(len, 10);
            assert_int_equal(pair.server.records, i);
        }
        assert_int_equal(in.len, 0);
        assert_int_equal(tls_server_read(&pair.server, &in, room, sizeof(room), &len), LR_EAGAIN);
        end();
    }
}

static void no_input_is_no_record(void **state)
{
    lr_slice in = lr_slice_of(NULL, 0);
    size_t len = 1;

    (void)state;
    begin(LR_TLS_1_3);
    assert_int_equal(tls_server_read(&pair.server, &in, room, sizeof(room), &len), LR_EAGAIN);
    assert_int_equal(len, 0);
    assert_int_equal(lr__buf_len(&pair.server.out), 0);
    end();
}

/* Half a record is never an error: more may come. */
static void a_truncated_record_waits_for_its_rest(void **state)
{
    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        begin((lr_tls_version)v);
        tls_client_write(&pair.client, "never whole", 11);
        for (size_t i = 0; i + 1 < pair.client.out.len; i++) {
            lr_slice in = lr_slice_of(pair.client.out.bytes + i, 1);
            size_t len;

            assert_int_equal(tls_server_read(&pair.server, &in, room, sizeof(room), &len),
                             LR_EAGAIN);
        }
        assert_int_equal(pair.server.records, 0);
        assert_int_equal(lr__buf_len(&pair.server.out), 0);
        end();
    }
}

static void a_record_without_data_is_a_record(void **state)
{
    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        lr_slice in;
        size_t len;

        begin((lr_tls_version)v);
        tls_client_seal(&pair.client, RECORD_DATA, "", 0);
        in = lr_slice_of(pair.client.out.bytes, pair.client.out.len);
        assert_int_equal(tls_server_read(&pair.server, &in, room, sizeof(room), &len), LR_OK);
        assert_int_equal(len, 0);
        assert_int_equal(in.len, 0);
        assert_int_equal(pair.server.records, 1);
        tls_bytes_drop(&pair.client.out, pair.client.out.len);
        assert_alive();
        end();
    }
}

/* An answer to a key update is a record of 5 + 4 + 1 + 1 + 16 bytes, as was the question. */
static void key_updates_cost_one_call_each_and_never_grow_the_output(void **state)
{
    enum { COUNT = 100, RECORD = 5 + 4 + 1 + 1 + 16 };
    lr_slice in;
    size_t len;

    (void)state;
    begin(LR_TLS_1_3);
    for (int i = 0; i < COUNT; i++)
        tls_client_update_keys(&pair.client, true);
    assert_int_equal(pair.client.out.len, COUNT * RECORD);
    in = lr_slice_of(pair.client.out.bytes, pair.client.out.len);
    for (uint32_t i = 1; i <= COUNT; i++) {
        assert_int_equal(tls_server_read(&pair.server, &in, room, sizeof(room), &len), LR_OK);
        assert_int_equal(len, 0);
        assert_int_equal(pair.server.records, i);
        assert_true(lr__buf_len(&pair.server.out) <= i * RECORD);
    }
    assert_int_equal(in.len, 0);
    tls_bytes_drop(&pair.client.out, pair.client.out.len);
    (void)tls_server_flush(&pair.server, &pair.client);
    assert_int_equal(tls_client_read(&pair.client, room, sizeof(room)), 0);
    assert_int_equal(pair.client.failure, 0);
    assert_alive();
    end();
}

static void a_key_update_that_asks_for_none_is_not_answered(void **state)
{
    (void)state;
    begin(LR_TLS_1_3);
    for (int i = 0; i < 3; i++) {
        tls_client_update_keys(&pair.client, false);
        tls_client_write(&pair.client, "under new keys", 14);
    }
    assert_int_equal(tls_server_read_all(&pair.server, &pair.client, NULL), LR_EAGAIN);
    assert_int_equal(pair.server.records, 6);
    assert_int_equal(lr__buf_len(&pair.server.out), 0);
    assert_alive();
    end();
}

/* RFC 5246 7.2.2: no_renegotiation is a warning; both go on as before. */
/* RFC 8446 5.1: a change of keys ends its record; what follows would be under the old ones. */
static void assert_key_updates_refused(uint8_t ask_back, size_t count)
{
    static uint8_t updates[16380];

    for (size_t i = 0; i < count; i++) {
        memcpy(updates + i * 5, "\x18\0\0\1", 4);
        updates[i * 5 + 4] = ask_back;
    }
    begin(LR_TLS_1_3);
    tls_client_seal(&pair.client, RECORD_HANDSHAKE, updates, count * 5);
    assert_int_equal(tls_server_read_all(&pair.server, &pair.client, NULL), LR_ETLS);
    assert_int_equal(pair.server.why.tls_alert, LR__ALERT_UNEXPECTED_MESSAGE);
    assert_true(lr__buf_len(&pair.server.out) < 128);
    end();
}

static void key_updates_in_one_record_are_refused(void **state)
{
    (void)state;
    for (uint8_t ask_back = 0; ask_back <= 1; ask_back++) {
        assert_key_updates_refused(ask_back, 2);
        assert_key_updates_refused(ask_back, 3276);
    }
}

static void key_updates_between_our_own_writes_are_none_too_many(void **state)
{
    (void)state;
    begin(LR_TLS_1_3);
    for (int i = 0; i < 20; i++) {
        tls_client_update_keys(&pair.client, i % 2 == 0);
        tls_client_write(&pair.client, "x", 1);
        assert_int_equal(tls_server_read_all(&pair.server, &pair.client, NULL), LR_EAGAIN);
        assert_int_equal(tls_server_write(&pair.server, "y", 1), LR_OK);
        (void)tls_server_flush(&pair.server, &pair.client);
        assert_client_gets((const uint8_t *)"y", 1);
    }
    end();
}

static void renegotiation_is_refused_and_data_still_flows(void **state)
{
    tls_client_plan plan = {.version_max = LR_TLS_1_2, .renegotiation = true};

    (void)state;
    begin_plan(&plan);
    for (int i = 0; i < 3; i++) {
        tls_client_seal(&pair.client, RECORD_HANDSHAKE, second_hello, sizeof(second_hello));
        assert_int_equal(tls_server_read_all(&pair.server, &pair.client, NULL), LR_EAGAIN);
        assert_true(lr__buf_len(&pair.server.out) < 64);
        (void)tls_server_flush(&pair.server, &pair.client);
        assert_int_equal(tls_record_count(&pair.client.in), 1);
        assert_int_equal(tls_client_alert_seen(&pair.client), NO_RENEGOTIATION);
        pair.client.failure = 0;
        assert_alive();
    }
    end();
}

/* A client that does not know RFC 5746 could be tricked by it, so there nothing goes on. */
static void renegotiation_of_old_clients_ends_the_connection(void **state)
{
    (void)state;
    begin(LR_TLS_1_2);
    tls_client_seal(&pair.client, RECORD_HANDSHAKE, second_hello, sizeof(second_hello));
    assert_int_equal(tls_server_read_all(&pair.server, &pair.client, NULL), LR_ETLS);
    (void)tls_server_flush(&pair.server, &pair.client);
    assert_int_equal(tls_client_alert_seen(&pair.client), LR__ALERT_UNEXPECTED_MESSAGE);
    end();
}

static void a_record_full_of_hellos_does_not_multiply_into_alerts(void **state)
{
    static uint8_t hellos[16384];
    tls_client_plan plan = {.version_max = LR_TLS_1_2, .renegotiation = true};

    (void)state;
    for (size_t i = 0; i < sizeof(hellos); i += 4)
        hellos[i] = 1;
    begin_plan(&plan);
    tls_client_seal(&pair.client, RECORD_HANDSHAKE, hellos, sizeof(hellos));
    (void)tls_server_read_all(&pair.server, &pair.client, NULL);
    assert_true(lr__buf_len(&pair.server.out) <= sizeof(hellos));
    end();
}

static void a_renegotiating_client_is_refused(void **state)
{
    tls_client_plan plan = {.version_max = LR_TLS_1_2, .renegotiation = true};

    (void)state;
    begin_plan(&plan);
    (void)wolfSSL_Rehandshake(pair.client.ssl);
    assert_true(pair.client.out.len > 100);
    assert_int_equal(tls_server_read_all(&pair.server, &pair.client, NULL), LR_EAGAIN);
    assert_int_equal(lr__buf_slice(&pair.server.out).bytes[0], 21);
    assert_int_equal(tls_server_write(&pair.server, "still here", 10), LR_OK);
    (void)tls_server_flush(&pair.server, &pair.client);
    assert_int_equal(tls_record_count(&pair.client.in), 2);
    assert_int_equal(tls_client_alert_seen(&pair.client), NO_RENEGOTIATION);
    end();
}

static void a_short_fragment_that_the_client_asks_for_is_kept(void **state)
{
    static const uint32_t limits[] = {512, 1024, 2048, 4096};

    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        for (uint8_t code = 1; code <= 4; code++) {
            static uint8_t sent[4096];
            uint32_t limit = limits[code - 1];
            tls_client_plan plan = {.version_min = (lr_tls_version)v,
                                    .version_max = (lr_tls_version)v,
                                    .max_fragment = code};
            tls_bytes got = {0};

            begin_plan(&plan);
            assert_int_equal(lr__engine_fragment_max(pair.server.engine), limit);
            fill(sent, limit, code);
            assert_int_equal(tls_server_write(&pair.server, sent, limit), LR_OK);
            (void)tls_server_flush(&pair.server, &pair.client);
            assert_int_equal(tls_record_count(&pair.client.in), 1);
            assert_client_gets(sent, limit);
            tls_client_write(&pair.client, sent, limit);
            assert_int_equal(tls_server_read_all(&pair.server, &pair.client, &got), LR_EAGAIN);
            assert_int_equal(got.len, limit);
            assert_memory_equal(got.bytes, sent, limit);
            tls_bytes_free(&got);
            end();
        }
    }
}

static void without_a_wish_of_the_client_fragments_are_whole(void **state)
{
    (void)state;
    begin(LR_TLS_1_3);
    assert_int_equal(lr__engine_fragment_max(pair.server.engine), 16384);
    end();
    begin(LR_TLS_1_2);
    assert_int_equal(lr__engine_fragment_max(pair.server.engine), 16384);
    end();
}

/* RFC 6066 4: from the answer to the extension on, handshake messages obey it too. */
static void the_handshake_obeys_a_short_fragment_too(void **state)
{
    char chain[4096];
    lr_context_options options;

    (void)state;
    (void)snprintf(chain, sizeof(chain), "%s%s", fixture_leaf, fixture_intermediate);
    options = tls_identity(chain, fixture_ecdsa_key);
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        tls_client_plan plan = {.version_max = (lr_tls_version)v, .max_fragment = 1};
        size_t at = 0;
        lr_slice flight;

        tls_pair_begin(&pair, &options, &plan);
        tls_client_step(&pair.client);
        tls_server_feed(&pair.server, &pair.client, 0);
        flight = lr__buf_slice(&pair.server.out);
        assert_true(flight.len > 800);
        while (at < flight.len) {
            size_t size = tls_record_size(flight.bytes + at, flight.len - at);

            assert_true(size > 0);
            assert_true(size <= 5 + 512 + 1 + 16);
            at += size;
        }
        tls_shake_hands(&pair.server, &pair.client, 0);
        assert_int_equal(pair.server.status, LR_OK);
        end();
    }
}

static void close_notify_ends_the_stream(void **state)
{
    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        tls_bytes got = {0};

        begin((lr_tls_version)v);
        tls_client_write(&pair.client, "last words", 10);
        tls_client_close(&pair.client);
        assert_int_equal(tls_server_read_all(&pair.server, &pair.client, &got), LR_ECLOSED);
        assert_int_equal(got.len, 10);
        tls_bytes_free(&got);
        tls_server_end(&pair.server);
        (void)tls_server_flush(&pair.server, &pair.client);
        assert_int_equal(tls_client_read(&pair.client, room, sizeof(room)), 0);
        assert_int_equal(wolfSSL_get_shutdown(pair.client.ssl),
                         WOLFSSL_SENT_SHUTDOWN | WOLFSSL_RECEIVED_SHUTDOWN);
        end();
    }
}

/* RFC 8446 6.1: each side ends its own direction. */
static void after_the_client_has_ended_the_server_may_still_write(void **state)
{
    (void)state;
    begin(LR_TLS_1_3);
    tls_client_close(&pair.client);
    assert_int_equal(tls_server_read_all(&pair.server, &pair.client, NULL), LR_ECLOSED);
    assert_int_equal(lr__engine_write(pair.server.engine, LR_LIT("goodbye"), &pair.server.why),
                     LR_OK);
    (void)tls_server_flush(&pair.server, &pair.client);
    assert_client_gets((const uint8_t *)"goodbye", 7);
    end();
}

static void our_own_end_is_said_once(void **state)
{
    (void)state;
    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        begin((lr_tls_version)v);
        tls_server_end(&pair.server);
        tls_server_end(&pair.server);
        (void)tls_server_flush(&pair.server, &pair.client);
        assert_int_equal(tls_record_count(&pair.client.in), 1);
        assert_int_equal(tls_client_alert_seen(&pair.client), LR__ALERT_CLOSE_NOTIFY);
        assert_int_equal(pair.client.failure, 0);
        end();
    }
}

static void after_our_own_end_what_the_client_still_sends_is_read(void **state)
{
    tls_bytes got = {0};

    (void)state;
    begin(LR_TLS_1_3);
    tls_client_write(&pair.client, "crossed", 7);
    tls_server_end(&pair.server);
    assert_int_equal(tls_server_read_all(&pair.server, &pair.client, &got), LR_EAGAIN);
    assert_int_equal(got.len, 7);
    tls_bytes_free(&got);
    end();
}

static void before_the_handshake_is_done_there_is_no_end_to_say(void **state)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {0};

    (void)state;
    tls_pair_begin(&pair, &options, &plan);
    tls_client_step(&pair.client);
    tls_server_feed(&pair.server, &pair.client, 0);
    (void)tls_server_flush(&pair.server, &pair.client);
    tls_server_end(&pair.server);
    assert_int_equal(lr__buf_len(&pair.server.out), 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_of_any_size_goes_both_ways),
        cmocka_unit_test(a_stream_fed_byte_by_byte_gives_the_same_data),
        cmocka_unit_test(each_call_opens_one_record_however_many_there_are),
        cmocka_unit_test(no_input_is_no_record),
        cmocka_unit_test(a_truncated_record_waits_for_its_rest),
        cmocka_unit_test(a_record_without_data_is_a_record),
        cmocka_unit_test(key_updates_cost_one_call_each_and_never_grow_the_output),
        cmocka_unit_test(a_key_update_that_asks_for_none_is_not_answered),
        cmocka_unit_test(key_updates_in_one_record_are_refused),
        cmocka_unit_test(key_updates_between_our_own_writes_are_none_too_many),
        cmocka_unit_test(renegotiation_is_refused_and_data_still_flows),
        cmocka_unit_test(a_renegotiating_client_is_refused),
        cmocka_unit_test(renegotiation_of_old_clients_ends_the_connection),
        cmocka_unit_test(a_record_full_of_hellos_does_not_multiply_into_alerts),
        cmocka_unit_test(a_short_fragment_that_the_client_asks_for_is_kept),
        cmocka_unit_test(without_a_wish_of_the_client_fragments_are_whole),
        cmocka_unit_test(the_handshake_obeys_a_short_fragment_too),
        cmocka_unit_test(close_notify_ends_the_stream),
        cmocka_unit_test(after_the_client_has_ended_the_server_may_still_write),
        cmocka_unit_test(our_own_end_is_said_once),
        cmocka_unit_test(after_our_own_end_what_the_client_still_sends_is_read),
        cmocka_unit_test(before_the_handshake_is_done_there_is_no_end_to_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
