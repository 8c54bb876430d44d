/* SPDX-License-Identifier: MIT */
/* live_transfer.c: bytes through a server, both ways. */
#include "client.h"

#include <stdio.h>
#include <string.h>

enum { MILLION = 1000 * 1000 };

typedef struct transfer_arg {
    uint16_t port;
    int version; /* 0: both, in turn */
    size_t total;
} transfer_arg;

/* Connects, moves its bytes, ends in order and sees the server do so. */
static bool transfer_one(uint32_t index, void *arg, char *why, size_t cap)
{
    const transfer_arg *given = arg;
    tls_plan plan = {.version = given->version};
    tls_client t;
    bool ok;

    if (plan.version == 0)
        plan.version = index % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
    ok = tls_open(&t, given->port, &plan) && tls_transfer(&t, index + 1, given->total) &&
         tls_end_write(&t) && tls_read_end(&t) == TLS_END_NOTIFY;
    (void)snprintf(why, cap, "%s", t.why);
    tls_close(&t, false);
    return ok;
}

static void live_S58_sixty_four_connections_get_a_million_bytes_back(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .worker_count = 2, .user = &recorder};
    transfer_arg arg = {.total = MILLION};
    char why[240];
    live l;

    live_recorder_init(&recorder);
    recorder.quiet = true;
    live_start(&l, &plan);
    arg.port = l.port;
    if (!clients_run(64, transfer_one, &arg, why, sizeof(why)))
        fail_msg("%s", why);
    assert_true(live_await_counts(&recorder.events, 64, 64, 64));
    live_stop(&l, LR_NONE);
    assert_int_equal(recorder.events.opened, 64);
    assert_int_equal(recorder.events.closed, 64);
    assert_int_equal(recorder.workers_started, 2);
    assert_int_equal(recorder.workers_stopped, 2);
    live_recorder_fini(&recorder);
}

static void a_transfer_in_records_of_512_bytes_arrives(void **state)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .fragment_size_max = 512};
    transfer_arg arg = {.total = MILLION / 4};
    char why[240];
    live l;

    live_recorder_init(&recorder);
    recorder.quiet = true;
    live_start(&l, &plan);
    arg.port = l.port;
    if (!clients_run(2, transfer_one, &arg, why, sizeof(why)))
        fail_msg("%s", why);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

/* Notes what was agreed, then behaves as an echo. */
static void note_facts(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    if (hook == LIVE_OPEN || hook == LIVE_SECURE || hook == LIVE_CLOSE)
        live_note(&recorder->events, "%04x:%s:%s", (unsigned)lr_conn_version(c), lr_conn_cipher(c),
                  lr_conn_group(c));
    live_echo(c, hook, bytes);
}

/* Counts of the wire and of what is inside, as they stand at the end. */
static void note_bytes(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    if (hook == LIVE_CLOSE) {
        lr_conn_bytes count = lr_conn_byte_counts(c);

        live_note(&recorder->events, "app:%llu:%llu wire:%llu:%llu",
                  (unsigned long long)count.app_in, (unsigned long long)count.app_out,
                  (unsigned long long)count.wire_in, (unsigned long long)count.wire_out);
    }
    live_echo(c, hook, bytes);
}

/* What a client of that version that says len bytes and hears them has sent and got. */
typedef struct wire {
    unsigned long long sent, got;
} wire;

static wire play_case(void **state, live_recorder *recorder, const tls_plan *to, size_t len)
{
    live_plan plan = {.ring = live_ring(state), .user = recorder, .worker_count = 1};
    tls_client t;
    wire w;
    live l;

    live_start(&l, &plan);
    TLS_MUST(&t, tls_open(&t, l.port, to));
    TLS_MUST(&t, tls_transfer(&t, 1, len));
    TLS_MUST(&t, tls_end_write(&t));
    assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
    w.sent = (unsigned long long)BIO_number_written(SSL_get_wbio(t.ssl));
    w.got = (unsigned long long)BIO_number_read(SSL_get_rbio(t.ssl));
    tls_close(&t, false);
    assert_true(live_await_counts(&recorder->events, 1, 1, 1));
    live_stop(&l, LR_NONE);
    return w;
}

static void live_S16_bytes_are_counted_on_the_wire_and_inside(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_plan to = {.version = versions[i]};
        live_recorder recorder;
        char expected[160];
        wire w;

        live_recorder_init(&recorder);
        recorder.act = note_bytes;
        w = play_case(state, &recorder, &to, 5);
        (void)snprintf(expected, sizeof(expected), "app:5:5 wire:%llu:%llu ", w.sent, w.got);
        assert_non_null(strstr(recorder.events.text, expected));
        live_recorder_fini(&recorder);
    }
}

static void facts_case(void **state, int version, const char *facts)
{
    tls_plan to = {.version = version, .groups = "P-256"};
    live_recorder recorder;
    char expected[400];

    live_recorder_init(&recorder);
    recorder.act = note_facts;
    (void)play_case(state, &recorder, &to, 1);
    (void)snprintf(expected, sizeof(expected),
                   "open 0000:: secure %s:P-256 data:1 end close:clean %s:P-256 ", facts, facts);
    live_expect(&recorder.events, expected);
    live_recorder_fini(&recorder);
}

static void live_S79_what_was_agreed_is_told_in_tls_1_3(void **state)
{
    facts_case(state, TLS1_3_VERSION, "0304:TLS_AES_128_GCM_SHA256");
}

static void live_S79_what_was_agreed_is_told_in_tls_1_2(void **state)
{
    facts_case(state, TLS1_2_VERSION, "0303:TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S58_sixty_four_connections_get_a_million_bytes_back),
        LIVE_TEST(a_transfer_in_records_of_512_bytes_arrives),
        LIVE_TEST(live_S16_bytes_are_counted_on_the_wire_and_inside),
        LIVE_TEST(live_S79_what_was_agreed_is_told_in_tls_1_3),
        LIVE_TEST(live_S79_what_was_agreed_is_told_in_tls_1_2),
    };

    return LIVE_MAIN(tests);
}
