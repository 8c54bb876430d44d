/* SPDX-License-Identifier: MIT */
/* An engine without sessions of its own (lr__gate_choice.sessions is null), such as that of a
 * context without tickets: it gives out neither tickets nor sessions and resumes none, and skips
 * early data. The sessions that clients offer here come from a server of plain wolfSSL with the
 * same certificate, so they are as good as sessions can be. Ours: test_engine_resumption.c. */
#include "support.h"

#include "core/tls/names.h"
#include "fixtures.h"
#include "hello_maker.h"
#include "tls_server.h"

enum { RECORD_DATA = 23, BAD_RECORD_MAC = 20 };

static tls_pair pair;

/* The other server. */
typedef struct donor {
    WOLFSSL_CTX *ctx;
    WOLFSSL *ssl;
    tls_bytes in, out;
} donor;

static int donor_recv(WOLFSSL *ssl, char *to, int size, void *arg)
{
    tls_bytes *in = &((donor *)arg)->in;
    size_t len = in->len < (size_t)size ? in->len : (size_t)size;

    (void)ssl;
    if (len == 0)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    memcpy(to, in->bytes, len);
    tls_bytes_drop(in, len);
    return (int)len;
}

static int donor_send(WOLFSSL *ssl, char *from, int size, void *arg)
{
    (void)ssl;
    tls_bytes_add(&((donor *)arg)->out, from, (size_t)size);
    return size;
}

/* A ticket that hides nothing. */
static int donor_ticket(WOLFSSL *ssl, unsigned char name[WOLFSSL_TICKET_NAME_SZ],
                        unsigned char iv[WOLFSSL_TICKET_IV_SZ],
                        unsigned char mac[WOLFSSL_TICKET_MAC_SZ], int enc, unsigned char *ticket,
                        int in_size, int *out_size, void *arg)
{
    (void)ssl, (void)enc, (void)arg;
    for (int i = 0; i < in_size; i++)
        ticket[i] ^= 0x5a;
    memset(name, 1, WOLFSSL_TICKET_NAME_SZ);
    memset(iv, 2, WOLFSSL_TICKET_IV_SZ);
    memset(mac, 3, WOLFSSL_TICKET_MAC_SZ);
    *out_size = in_size;
    return WOLFSSL_TICKET_RET_OK;
}

static void donor_init(donor *d, bool tickets)
{
    memset(d, 0, sizeof(*d));
    d->ctx = wolfSSL_CTX_new(wolfSSLv23_server_method());
    assert_non_null(d->ctx);
    wolfSSL_CTX_SetIORecv(d->ctx, donor_recv);
    wolfSSL_CTX_SetIOSend(d->ctx, donor_send);
    assert_int_equal(
        wolfSSL_CTX_use_certificate_buffer(d->ctx, (const unsigned char *)fixture_ecdsa,
                                           (long)strlen(fixture_ecdsa), WOLFSSL_FILETYPE_PEM),
        WOLFSSL_SUCCESS);
    assert_int_equal(
        wolfSSL_CTX_use_PrivateKey_buffer(d->ctx, (const unsigned char *)fixture_ecdsa_key,
                                          (long)strlen(fixture_ecdsa_key), WOLFSSL_FILETYPE_PEM),
        WOLFSSL_SUCCESS);
    if (tickets)
        assert_int_equal(wolfSSL_CTX_set_TicketEncCb(d->ctx, donor_ticket), WOLFSSL_SUCCESS);
    assert_int_equal(wolfSSL_CTX_set_max_early_data(d->ctx, 16384), 0);
    d->ssl = wolfSSL_new(d->ctx);
    assert_non_null(d->ssl);
    wolfSSL_SetIOReadCtx(d->ssl, d);
    wolfSSL_SetIOWriteCtx(d->ssl, d);
}

static void donor_fini(donor *d)
{
    wolfSSL_free(d->ssl);
    wolfSSL_CTX_free(d->ctx);
    tls_bytes_free(&d->in);
    tls_bytes_free(&d->out);
}

/* A handshake with the donor; the client's session, or null where it wants none of it. */
static WOLFSSL_SESSION *fetch_session(const tls_client_plan *plan, bool tickets, bool *reused)
{
    WOLFSSL_SESSION *session;
    tls_client client;
    uint8_t plain[16];
    donor d;

    donor_init(&d, tickets);
    tls_client_init(&client, plan);
    for (int turn = 0; turn < 8; turn++) {
        tls_client_step(&client);
        tls_bytes_add(&d.in, client.out.bytes, client.out.len);
        tls_bytes_drop(&client.out, client.out.len);
        (void)wolfSSL_accept(d.ssl);
        tls_bytes_add(&client.in, d.out.bytes, d.out.len);
        tls_bytes_drop(&d.out, d.out.len);
    }
    assert_true(client.done);
    assert_int_equal(wolfSSL_write(d.ssl, "x", 1), 1);
    tls_bytes_add(&client.in, d.out.bytes, d.out.len);
    assert_int_equal(tls_client_read(&client, plain, sizeof(plain)), 1);
    *reused = wolfSSL_session_reused(client.ssl) != 0;
    session = wolfSSL_get1_session(client.ssl);
    assert_non_null(session);
    tls_client_fini(&client);
    donor_fini(&d);
    return session;
}

/* A handshake of ours with a client that offers the session. It is good: the donor takes it. */
static void assert_not_resumed(lr_tls_version version, bool ticket)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.version_min = version,
                            .version_max = version,
                            .name = "localhost",
                            .ticket = ticket && version == LR_TLS_1_2};
    tls_world world;
    lr__engine_facts facts;
    WOLFSSL_SESSION *again;
    bool reused;

    tls_world_enter(&world, 7);
    plan.session = fetch_session(&plan, ticket, &reused);
    assert_false(reused);
    again = fetch_session(&plan, ticket, &reused);
    assert_true(reused);
    wolfSSL_SESSION_free(plan.session);
    plan.session = again;
    tls_world_leave(&world);

    tls_pair_begin(&pair, &options, &plan);
    pair.world.wall_ms += 1000;
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_int_equal(pair.server.status, LR_OK);
    assert_true(pair.client.done);
    if (version == LR_TLS_1_3)
        assert_true(pair.server.hello.has_psk);
    else if (ticket)
        assert_true(pair.server.hello.session_ticket.len > 0);
    else
        assert_int_equal(pair.server.hello.session_id.len, 32);
    lr__engine_read_facts(pair.server.engine, &facts);
    assert_false(facts.resumed);
    assert_false(wolfSSL_session_reused(pair.client.ssl));
    tls_pair_end(&pair);
    wolfSSL_SESSION_free(plan.session);
}

static void a_ticket_of_tls_1_3_leads_to_a_full_handshake(void **state)
{
    (void)state;
    assert_not_resumed(LR_TLS_1_3, true);
}

static void a_ticket_of_tls_1_2_leads_to_a_full_handshake(void **state)
{
    (void)state;
    assert_not_resumed(LR_TLS_1_2, true);
}

/* wolfSSL's cache is one for the process, and the session lies in it. */
static void a_session_id_leads_to_a_full_handshake(void **state)
{
    (void)state;
    assert_not_resumed(LR_TLS_1_2, false);
}

static void assert_no_ticket(lr_tls_version version)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {
        .version_min = version, .version_max = version, .ticket = version == LR_TLS_1_2};
    uint8_t ticket[2048];
    unsigned size = sizeof(ticket);

    tls_pair_begin(&pair, &options, &plan);
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_int_equal(pair.server.status, LR_OK);
    assert_int_equal(lr__buf_len(&pair.server.out), 0);
    assert_int_equal(tls_server_write(&pair.server, "x", 1), LR_OK);
    (void)tls_server_flush(&pair.server, &pair.client);
    assert_int_equal(tls_record_count(&pair.client.in), 1);
    assert_int_equal(tls_client_read(&pair.client, ticket, sizeof(ticket)), 1);
    assert_int_equal(wolfSSL_get_SessionTicket(pair.client.ssl, ticket, &size), WOLFSSL_SUCCESS);
    assert_int_equal(size, 0);
    tls_pair_end(&pair);
}

static void no_ticket_is_given_out(void **state)
{
    (void)state;
    assert_no_ticket(LR_TLS_1_2);
    assert_no_ticket(LR_TLS_1_3);
}

/* Feeds a hello that hello_maker made. */
static void feed_hello(unsigned flags)
{
    static hello_plan plan;
    static uint8_t message[HELLO_ROOM], wire[HELLO_ROOM + 64];
    lr_slice in;

    memset(&plan, 0, sizeof(plan));
    plan.flags = flags;
    plan.session_id_len = 32;
    in = lr_slice_of(wire, hello_cut(message, hello_make(&plan, message), 16384, wire));
    while (in.len > 0 && pair.server.status == LR_EAGAIN)
        tls_server_step(&pair.server, &in);
}

static void tickets_that_nobody_gave_out_lead_to_a_full_handshake(void **state)
{
    static const unsigned hellos[] = {HELLO_TLS13 | HELLO_PSK, HELLO_TLS12 | HELLO_TICKET,
                                      HELLO_TLS13 | HELLO_PSK | HELLO_TICKET};
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {0};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(hellos); i++) {
        tls_pair_begin(&pair, &options, &plan);
        feed_hello(hellos[i]);
        assert_int_equal(pair.server.status, LR_EAGAIN);
        /* The certificate is in it. */
        assert_true(lr__buf_len(&pair.server.out) > lr_context_certificate(pair.context).len);
        tls_pair_end(&pair);
    }
}

/* RFC 8446 4.2.10: what a client sends as early data without leave is skipped. The client has a
 * ticket of the donor, which allows it 16384 bytes; the server of ours that it meets knows nothing
 * of that ticket. */
static WOLFSSL_SESSION *early_session(void)
{
    tls_client_plan plan = {
        .version_min = LR_TLS_1_3, .version_max = LR_TLS_1_3, .name = "localhost"};
    WOLFSSL_SESSION *session;
    tls_world world;
    bool reused;

    tls_world_enter(&world, 7);
    session = fetch_session(&plan, true, &reused);
    tls_world_leave(&world);
    return session;
}

/* The client's first flight with len bytes of early data in records of part bytes. */
static void begin_early(const char *groups, const uint16_t *theirs, WOLFSSL_SESSION *session,
                        size_t len, size_t part)
{
    static uint8_t early[16384];
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.version_min = LR_TLS_1_3,
                            .version_max = LR_TLS_1_3,
                            .name = "localhost",
                            .groups = theirs,
                            .session = session};
    int done;

    options.groups = groups;
    tls_pair_begin(&pair, &options, &plan);
    pair.world.wall_ms += 1000;
    memset(early, 'e', sizeof(early));
    for (size_t at = 0; at < len; at += part) {
        size_t now = len - at < part ? len - at : part;

        assert_int_equal(wolfSSL_write_early_data(pair.client.ssl, early, (int)now, &done), now);
    }
}

static void assert_early_skipped(uint32_t hellos)
{
    tls_bytes got = {0};
    uint8_t plain[64];

    if (pair.server.status != LR_OK)
        fail_msg("%s: %s", lr_status_name(pair.server.status), pair.server.why.text);
    assert_true(pair.client.done);
    assert_int_equal(pair.client.failure, 0);
    assert_int_equal(pair.server.hello_count, hellos);
    assert_int_equal(wolfSSL_get_early_data_status(pair.client.ssl), WOLFSSL_EARLY_DATA_REJECTED);
    assert_true(
        lr__engine_agrees(pair.server.engine, &pair.server.choice, pair.server.hello.servername));
    assert_int_equal(tls_server_read_all(&pair.server, &pair.client, &got), LR_EAGAIN);
    assert_int_equal(got.len, 0);
    tls_client_write(&pair.client, "late", 4);
    assert_int_equal(tls_server_read_all(&pair.server, &pair.client, &got), LR_EAGAIN);
    assert_int_equal(got.len, 4);
    assert_memory_equal(got.bytes, "late", 4);
    tls_bytes_free(&got);
    assert_int_equal(tls_server_write(&pair.server, "answer", 6), LR_OK);
    (void)tls_server_flush(&pair.server, &pair.client);
    assert_int_equal(tls_client_read(&pair.client, plain, sizeof(plain)), 6);
}

static const uint16_t x25519_then_p256[] = {LR__GROUP_X25519, LR__GROUP_SECP256R1, 0};

static void refused_early_data_is_skipped(void **state)
{
    static const struct {
        size_t len, part, piece;
    } cases[] = {{1, 1, 0}, {100, 100, 1}, {16384, 16384, 0}, {16384, 100, 0}, {5000, 1000, 7}};
    WOLFSSL_SESSION *session = early_session();

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(cases); i++) {
        begin_early(NULL, NULL, session, cases[i].len, cases[i].part);
        assert_true(pair.client.out.len > cases[i].len);
        tls_shake_hands(&pair.server, &pair.client, cases[i].piece);
        assert_true(pair.server.hello.has_early_data);
        assert_early_skipped(1);
        tls_pair_end(&pair);
    }
    wolfSSL_SESSION_free(session);
}

static void early_data_before_a_second_hello_is_skipped(void **state)
{
    static const struct {
        size_t len, part, piece;
    } cases[] = {{1, 1, 0}, {100, 100, 1}, {16384, 16384, 0}, {16384, 100, 3}};
    WOLFSSL_SESSION *session = early_session();

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(cases); i++) {
        begin_early("P-256", x25519_then_p256, session, cases[i].len, cases[i].part);
        tls_shake_hands(&pair.server, &pair.client, cases[i].piece);
        assert_true(pair.server.first.has_early_data);
        assert_false(pair.server.hello.has_early_data);
        assert_early_skipped(2);
        tls_pair_end(&pair);
    }
    wolfSSL_SESSION_free(session);
}

/* After a HelloRetryRequest a client leaves out a ticket whose hash is not that of the chosen suite
 * (RFC 8446 4.1.4). */
static void a_ticket_may_be_gone_from_the_second_hello(void **state)
{
    static hello_plan plan;
    static uint8_t message[HELLO_ROOM], wire[HELLO_ROOM + 64];
    static const uint8_t share[6 + 65] = {0, 69, 0, 0x17, 0, 65, 4};
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan unused = {0};
    lr_slice in;

    (void)state;
    options.groups = "P-256";
    tls_pair_begin(&pair, &options, &unused);
    feed_hello(HELLO_TLS13 | HELLO_PSK | HELLO_EARLY_DATA);
    assert_true(lr__engine_wants_hello(pair.server.engine));
    plan.flags = HELLO_TLS13 & ~(unsigned)HELLO_SHARES;
    plan.session_id_len = 32;
    hello_add(&plan, 51, share, sizeof(share));
    in = lr_slice_of(wire, hello_cut(message, hello_make(&plan, message), 16384, wire));
    while (in.len > 0 && pair.server.status == LR_EAGAIN)
        tls_server_step(&pair.server, &in);
    /* The key share is no point of the curve: that is what ends it, not the ticket. */
    assert_int_equal(pair.server.status, LR_ETLS);
    assert_int_equal(pair.server.hello_count, 2);
    assert_int_equal(pair.server.why.tls_native, ECC_PEERKEY_ERROR);
    tls_pair_end(&pair);
}

/* Nobody is let send for ever: the bound is that of all of it together. */
static void more_early_data_than_is_skipped_ends_the_connection(void **state)
{
    WOLFSSL_SESSION *session = early_session();

    (void)state;
    begin_early(NULL, NULL, session, 2 * LR__EARLY_SKIP_MAX, 16384);
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_int_equal(pair.server.status, LR_ETLS);
    assert_int_equal(pair.server.why.tls_alert, LR__ALERT_UNEXPECTED_MESSAGE);
    tls_pair_end(&pair);
    begin_early("P-256", x25519_then_p256, session, 2 * LR__EARLY_SKIP_MAX, 16384);
    tls_shake_hands(&pair.server, &pair.client, 0);
    assert_int_equal(pair.server.status, LR_EHELLO);
    assert_int_equal(pair.server.why.tls_alert, LR__ALERT_UNEXPECTED_MESSAGE);
    tls_pair_end(&pair);
    wolfSSL_SESSION_free(session);
}

/* Records that the server cannot open are skipped for those only who have said that they would
 * send some. */
static void without_the_offer_nothing_is_skipped(void **state)
{
    static const uint8_t early[5 + 32] = {RECORD_DATA, 3, 3, 0, 32, 1, 2, 3, 4, 5, 6, 7, 8};
    WOLFSSL_SESSION *session = early_session();

    (void)state;
    for (int retry = 0; retry <= 1; retry++) {
        begin_early(retry ? "P-256" : NULL, retry ? x25519_then_p256 : NULL, session, 0, 1);
        tls_client_step(&pair.client);
        tls_bytes_add(&pair.client.out, early, sizeof(early));
        tls_server_feed(&pair.server, &pair.client, 0);
        assert_true(pair.server.status == LR_ETLS || pair.server.status == LR_EHELLO);
        assert_int_equal(pair.server.why.tls_alert,
                         retry ? LR__ALERT_UNEXPECTED_MESSAGE : BAD_RECORD_MAC);
        tls_pair_end(&pair);
    }
    wolfSSL_SESSION_free(session);
}

/* Data that does open is no early data: it is under the keys of the handshake. Were it taken, it
 * would be read as if the client had proved who it is. */
static void data_under_the_keys_of_the_handshake_is_never_read(void **state)
{
    WOLFSSL_SESSION *session = early_session();
    size_t at = 0;

    (void)state;
    begin_early(NULL, NULL, session, 10, 10);
    tls_server_feed(&pair.server, &pair.client, 0);
    assert_int_equal(pair.server.status, LR_EAGAIN);
    /* ServerHello, change_cipher_spec and EncryptedExtensions: the client has its keys and is not
     * yet done. */
    for (int i = 0; i < 3; i++)
        at += tls_record_size(lr__buf_slice(&pair.server.out).bytes + at,
                              lr__buf_len(&pair.server.out) - at);
    tls_bytes_add(&pair.client.in, lr__buf_slice(&pair.server.out).bytes, at);
    tls_client_step(&pair.client);
    assert_false(pair.client.done);
    tls_client_seal(&pair.client, RECORD_DATA, "not yet", 7);
    tls_server_feed(&pair.server, &pair.client, 0);
    assert_int_equal(pair.server.status, LR_ETLS);
    assert_int_equal(pair.server.why.tls_alert, LR__ALERT_UNEXPECTED_MESSAGE);
    tls_pair_end(&pair);
    wolfSSL_SESSION_free(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_of_tls_1_3_leads_to_a_full_handshake),
        cmocka_unit_test(a_ticket_of_tls_1_2_leads_to_a_full_handshake),
        cmocka_unit_test(a_session_id_leads_to_a_full_handshake),
        cmocka_unit_test(no_ticket_is_given_out),
        cmocka_unit_test(tickets_that_nobody_gave_out_lead_to_a_full_handshake),
        cmocka_unit_test(refused_early_data_is_skipped),
        cmocka_unit_test(early_data_before_a_second_hello_is_skipped),
        cmocka_unit_test(a_ticket_may_be_gone_from_the_second_hello),
        cmocka_unit_test(more_early_data_than_is_skipped_ends_the_connection),
        cmocka_unit_test(without_the_offer_nothing_is_skipped),
        cmocka_unit_test(data_under_the_keys_of_the_handshake_is_never_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
