/* SPDX-License-Identifier: MIT */
/* live_transfer.c: bytes through a server, both ways. */
#include "client.h"

#include <stdio.h>

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

static void sixty_four_connections_get_a_million_bytes_back(void **state)
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

/* Notes the facts of a connection, then behaves as an echo. */
static void note_facts(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    if (hook == LIVE_DATA) {
        lr_slice name = lr_conn_servername(c), alpn = lr_conn_alpn(c);

        live_note(&recorder->events, "%04x:%s:%s:%.*s:%.*s", (unsigned)lr_conn_version(c),
                  lr_conn_cipher(c), lr_conn_group(c), (int)name.len, (const char *)name.bytes,
                  (int)alpn.len, (const char *)alpn.bytes);
    }
    if (hook == LIVE_CLOSE) {
        lr_conn_bytes count = lr_conn_byte_counts(c);

        live_note(&recorder->events, "app:%llu:%llu wire:%llu:%llu",
                  (unsigned long long)count.app_in, (unsigned long long)count.app_out,
                  (unsigned long long)count.wire_in, (unsigned long long)count.wire_out);
    }
    live_echo(c, hook, bytes);
}

static void facts_case(void **state, int version, const char *facts)
{
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state),
                      .user = &recorder,
                      .worker_count = 1,
                      .context = {.alpn = "h2,http/1.1"}};
    tls_plan to = {.version = version, .groups = "P-256", .alpn = "\10http/1.1\2h2"};
    char expected[400], got[5];
    tls_client t;
    live l;

    live_recorder_init(&recorder);
    recorder.act = note_facts;
    live_start(&l, &plan);
    TLS_MUST(&t, tls_open(&t, l.port, &to));
    TLS_MUST(&t, tls_write(&t, "hello", 5));
    TLS_MUST(&t, tls_read(&t, got, 5));
    assert_memory_equal(got, "hello", 5);
    TLS_MUST(&t, tls_end_write(&t));
    assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
    (void)snprintf(expected, sizeof(expected),
                   "open secure data:5 %s:P-256:localhost:h2 end close:clean app:5:5 "
                   "wire:%llu:%llu ",
                   facts, (unsigned long long)BIO_number_written(SSL_get_wbio(t.ssl)),
                   (unsigned long long)BIO_number_read(SSL_get_rbio(t.ssl)));
    tls_close(&t, false);
    assert_true(live_await_counts(&recorder.events, 1, 1, 1));
    live_expect(&recorder.events, expected);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

static void a_handler_sees_what_was_agreed_in_tls_1_3(void **state)
{
    facts_case(state, TLS1_3_VERSION, "0304:TLS_AES_128_GCM_SHA256");
}

static void a_handler_sees_what_was_agreed_in_tls_1_2(void **state)
{
    facts_case(state, TLS1_2_VERSION, "0303:TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(sixty_four_connections_get_a_million_bytes_back),
        LIVE_TEST(a_transfer_in_records_of_512_bytes_arrives),
        LIVE_TEST(a_handler_sees_what_was_agreed_in_tls_1_3),
        LIVE_TEST(a_handler_sees_what_was_agreed_in_tls_1_2),
    };

    return LIVE_MAIN(tests);
}
