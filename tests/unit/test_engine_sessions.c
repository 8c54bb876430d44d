/* SPDX-License-Identifier: MIT */
/* No session outlives its connection yet: core/tls/engine.h gives out neither tickets nor sessions,
 * resumes none. The sessions that clients offer here come from a server of
 * plain wolfSSL with the same certificate, so they are as good as sessions can be. */
#include "support.h"

#include "core/tls/names.h"
#include "fixtures.h"
#include "hello_maker.h"
#include "tls_server.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_of_tls_1_3_leads_to_a_full_handshake),
        cmocka_unit_test(a_ticket_of_tls_1_2_leads_to_a_full_handshake),
        cmocka_unit_test(a_session_id_leads_to_a_full_handshake),
        cmocka_unit_test(no_ticket_is_given_out),
        cmocka_unit_test(tickets_that_nobody_gave_out_lead_to_a_full_handshake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
