/* SPDX-License-Identifier: MIT */
/* Clients that come back, without sockets and on a clock of the test's: sessions as tickets and in
 * a store, in both versions, through gate, session and engine as core/run joins them. */
#include "support.h"

#include "core/base/mem.h"
#include "fixtures.h"
#include "sealer.h"
#include "tls_server.h"

enum { LIFETIME = 100, ROWS = 8, FAR_TOO_MANY = 2000 };

static tls_pair pair;
static lr__key_set keys;

/* One server's sessions; a store that keeps everything. */
static struct {
    bool stores;
    uint32_t lifetime_s;    /* 0: LIFETIME */
    lr__sessions *sessions; /* of this handshake */
    uint32_t visits;
    uint32_t offers; /* that the client made in it */
    lr__session_verdict verdict;
    uint8_t ids[ROWS][LR__SESSION_ID];
    lr_bytes *values[ROWS];
    uint32_t count;
} site;

static lr_slice stored(lr_slice id)
{
    for (uint32_t i = 0; i < site.count; i++) {
        if (memcmp(site.ids[i], id.bytes, LR__SESSION_ID) == 0)
            return lr_bytes_slice(site.values[i]);
    }
    return lr_slice_of(NULL, 0);
}

static void open_offer(tls_server *server, lr_slice offer)
{
    lr__sessions *s = site.sessions;

    if (offer.len == 0 || s->offered)
        return;
    site.offers++;
    if (site.stores)
        site.verdict = lr__session_open_stored(s, server->replica, server->choice.version, offer,
                                               stored(offer), 1, &s->offered);
    else
        site.verdict = lr__session_open_ticket(s, server->choice.version, offer, 1, &s->offered);
}

static void decide(tls_server *server)
{
    const lr__hello *hello = &server->hello;
    lr__sessions *s = site.sessions = sealer_new(server->context, &keys);
    size_t at = 0;
    lr_slice offer;
    uint32_t age;

    s->stored = site.stores;
    s->tickets = !site.stores;
    site.offers = 0;
    server->choice.sessions = s;
    if (server->choice.version == LR_TLS_1_2)
        open_offer(server, site.stores && hello->session_id.len == LR__SESSION_ID
                               ? hello->session_id
                               : hello->session_ticket);
    while (server->choice.version == LR_TLS_1_3 && hello->has_psk &&
           lr__hello_psk_next(hello, &at, &offer, &age))
        open_offer(server, offer);
}

static void keep_new(void)
{
    for (uint32_t i = 0; i < site.sessions->made_count; i++) {
        assert_true(site.count < ROWS);
        memcpy(site.ids[site.count], site.sessions->made[i].id, LR__SESSION_ID);
        site.values[site.count++] = lr_bytes_retain(site.sessions->made[i].value);
    }
}

static void forget(void)
{
    while (site.count > 0)
        lr_bytes_release(site.values[--site.count]);
}

static void begin(lr_tls_version version, WOLFSSL_SESSION *session, int64_t after_s)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.version_min = version,
                            .version_max = version,
                            .name = "localhost",
                            .ticket = version == LR_TLS_1_2 && !site.stores,
                            .session = session};
    uint8_t used[64];
    lr_error err;

    options.session_lifetime_s = site.lifetime_s ? site.lifetime_s : LIFETIME;
    tls_pair_begin(&pair, &options, &plan);
    pair.world.wall_ms += after_s * 1000;
    pair.server.decide = decide;
    site.visits++;
    for (uint32_t i = 0; i < site.visits; i++) /* or each visit would see the same ids */
        assert_int_equal(lr__rand_block(used, sizeof(used)), 0);
    lr__replica_free(pair.server.replica);
    assert_int_equal(lr__replica_new(pair.context, site.stores, 0, &pair.server.replica, &err),
                     LR_OK);
}

/* A handshake at this time, and what the client takes along. */
static WOLFSSL_SESSION *visit(lr_tls_version version, WOLFSSL_SESSION *session, int64_t after_s,
                              bool resumed)
{
    WOLFSSL_SESSION *next;
    lr__engine_facts facts;
    uint8_t plain[16];

    begin(version, session, after_s);
    tls_shake_hands(&pair.server, &pair.client, 0);
    if (pair.server.status != LR_OK)
        fail_msg("%s (client %d, stores %d, version %x, after %d)", pair.server.why.text,
                 pair.client.failure, site.stores, version, (int)after_s);
    assert_true(pair.client.done);
    lr__engine_read_facts(pair.server.engine, &facts);
    assert_int_equal(facts.resumed, resumed);
    assert_int_equal(wolfSSL_session_reused(pair.client.ssl), resumed);
    if (site.stores)
        keep_new();
    lr__engine_end_sessions(pair.server.engine);
    lr__sessions_free(site.sessions);
    assert_int_equal(tls_server_write(&pair.server, "x", 1), LR_OK);
    (void)tls_server_flush(&pair.server, &pair.client);
    assert_int_equal(tls_client_read(&pair.client, plain, sizeof(plain)), 1);
    next = wolfSSL_get1_session(pair.client.ssl);
    assert_non_null(next);
    /* What the client thinks of its age is not what is tested. */
    assert_int_equal(wolfSSL_SSL_SESSION_set_timeout(next, 1000000), WOLFSSL_SUCCESS);
    return next;
}

/* Without the check of tls_pair_end(): the store has grown meanwhile. */
static void leave(void)
{
    tls_server_fini(&pair.server);
    tls_client_fini(&pair.client);
    lr_context_release(pair.context);
    tls_world_leave(&pair.world);
}

static WOLFSSL_SESSION *come(lr_tls_version version, WOLFSSL_SESSION *session, int64_t after_s,
                             bool resumed)
{
    WOLFSSL_SESSION *next = visit(version, session, after_s, resumed);

    leave();
    return next;
}

static void all_ways(void (*play)(lr_tls_version version))
{
    sealer_keys(&keys, 1, 2);
    for (int way = 0; way < 4; way++) {
        memset(&site, 0, sizeof(site));
        site.stores = way >= 2;
        play(way % 2 == 0 ? LR_TLS_1_2 : LR_TLS_1_3);
        forget();
    }
    sealer_keys_free(&keys);
}

static void come_back_thrice(lr_tls_version version)
{
    WOLFSSL_SESSION *session = come(version, NULL, 0, false), *next;

    for (int turn = 0; turn < 3; turn++) {
        next = come(version, session, 1, true);
        assert_int_equal(site.offers, 1);
        wolfSSL_SESSION_free(session);
        session = next;
    }
    wolfSSL_SESSION_free(session);
}

static void clients_come_back(void **state)
{
    (void)state;
    all_ways(come_back_thrice);
}

/* S127: the server's own clock decides, whatever the client thinks. */
static void come_back_late(lr_tls_version version)
{
    static const struct {
        int64_t after_s;
        bool resumed;
    } times[] = {{0, true}, {LIFETIME, true}, {LIFETIME + 1, false}, {5000, false}};

    for (size_t i = 0; i < LR_ARRAY_COUNT(times); i++) {
        WOLFSSL_SESSION *session = come(version, NULL, 0, false);
        WOLFSSL_SESSION *next = come(version, session, times[i].after_s, times[i].resumed);

        assert_int_equal(site.offers, 1);
        assert_int_equal(site.verdict, times[i].resumed ? LR__SESSION_GOOD : LR__SESSION_UNFIT);
        wolfSSL_SESSION_free(session);
        wolfSSL_SESSION_free(next);
        forget();
    }
}

static void the_lifetime_counts_for_ids_and_tickets_in_both_versions(void **state)
{
    (void)state;
    all_ways(come_back_late);
}

/* Ages are told modulo 2^32 ms, about 50 days, behind a random number (RFC 8446 4.2.11.1). */
static void come_back_after_days(lr_tls_version version)
{
    site.lifetime_s = LR__SESSION_AGE_MAX;
    for (int i = 0; i < 40; i++) { /* at six days one of eight passes the modulus */
        WOLFSSL_SESSION *session = come(version, NULL, 0, false);
        WOLFSSL_SESSION *next = come(version, session, 6 * 86400, true);

        wolfSSL_SESSION_free(session);
        wolfSSL_SESSION_free(next);
        forget();
    }
}

static void clients_come_back_after_days(void **state)
{
    (void)state;
    all_ways(come_back_after_days);
}

/* Each gets a new one with its full handshake, which is good. */
static void come_back_under_other_keys(lr_tls_version version)
{
    WOLFSSL_SESSION *session = come(version, NULL, 0, false), *next, *last;

    sealer_keys_free(&keys);
    sealer_keys(&keys, 200, 1);
    next = come(version, session, 1, false);
    assert_int_equal(site.verdict, LR__SESSION_UNKNOWN_KEY);
    last = come(version, next, 2, true);
    wolfSSL_SESSION_free(session);
    wolfSSL_SESSION_free(next);
    wolfSSL_SESSION_free(last);
    sealer_keys_free(&keys);
    sealer_keys(&keys, 1, 2);
}

static void other_keys_mean_a_full_handshake_and_a_new_session(void **state)
{
    (void)state;
    all_ways(come_back_under_other_keys);
}

/* The engine's, with the n-th allocation failing. What is resumed then is whole, or the handshake
 * has failed, or it was a full one. */
static void lack_memory(lr_tls_version version)
{
    WOLFSSL_SESSION *session = come(version, NULL, 0, false);
    uint32_t failures = 0;
    uint64_t n = 0;
    bool hit;

    do {
        uint64_t live;

        assert_true(++n < FAR_TOO_MANY);
        begin(version, session, 1);
        live = pair.live;
        pair.server.fail_at = n;
        tls_shake_hands(&pair.server, &pair.client, 0);
        hit = pair.server.tried >= n;
        assert_true(hit || pair.server.status == LR_OK);
        failures += pair.server.status != LR_OK;
        if (pair.server.engine)
            lr__engine_end_sessions(pair.server.engine);
        lr__sessions_free(site.sessions);
        leave();
        assert_int_equal(lr__mem_read().live, live);
    } while (hit);
    assert_true(failures > 5);
    wolfSSL_SESSION_free(session);
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    all_ways(lack_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_come_back),
        cmocka_unit_test(the_lifetime_counts_for_ids_and_tickets_in_both_versions),
        cmocka_unit_test(clients_come_back_after_days),
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(other_keys_mean_a_full_handshake_and_a_new_session),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
