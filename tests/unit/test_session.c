/* SPDX-License-Identifier: MIT */
/* Sessions sealed, opened and judged: what opens is what was sealed, for the same policy, name,
 * protocol, version and id, not too late, and for a client that would be let in today. */
#include "support.h"

#include "core/base/compiler.h"
#include "core/base/mem.h"
#include "core/tls/library.h"
#include "sealer.h"
#include "tests/live/pki.h"
#include "tls_client.h"

enum { WOLF = 150, FAR_TOO_MANY = 5000, LIFETIME = 1000, NAME_LAST = 15, SALT_LAST = 31 };

static tls_world world;
static lr__key_set keys;
static lr_error err;
static const uint8_t id[LR__SESSION_ID] = "the id of a session in the store";
static uint8_t wolf_bytes[LR__SESSION_WOLF_MAX];
static lr_slice wolf;
static const lr_tls_version versions[] = {LR_TLS_1_2, LR_TLS_1_3};
static uint64_t live;

static int enter(void **state)
{
    (void)state;
    tls_world_enter(&world, 7);
    assert_int_equal(lr__tls_init(&err), LR_OK);
    for (size_t i = 0; i < sizeof(wolf_bytes); i++)
        wolf_bytes[i] = (uint8_t)(i * 7);
    wolf = lr_slice_of(wolf_bytes, WOLF);
    live = lr__mem_read().live;
    sealer_keys(&keys, 1, 3);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    sealer_keys_free(&keys);
    assert_int_equal(lr__mem_read().live, live);
    tls_world_leave(&world);
    return 0;
}

static lr_context *made(lr_context_options options)
{
    lr_context *context = NULL;

    options.size = sizeof(options);
    options.cert = pki_file("server.pem");
    options.key = pki_file("rsa.key");
    if (options.session_lifetime_s == 0)
        options.session_lifetime_s = LIFETIME;
    if (lr_context_new(&options, &context, &err) != LR_OK)
        fail_msg("%s", err.text);
    return context;
}

static lr__session_verdict open_ticket(const lr__sessions *sessions, lr_tls_version version,
                                       const uint8_t *wire, size_t len)
{
    lr__session *session = NULL;
    lr__session_verdict verdict =
        lr__session_open_ticket(sessions, version, lr_slice_of(wire, len), 1, &session);

    assert_int_equal(session != NULL, verdict == LR__SESSION_GOOD);
    lr__session_free(session);
    return verdict;
}

static lr__session_verdict open_value(const lr__sessions *sessions, lr__replica *replica,
                                      lr_tls_version version, const uint8_t *of,
                                      const uint8_t *value, size_t len)
{
    lr__session *session = NULL;
    lr__session_verdict verdict =
        lr__session_open_stored(sessions, replica, version, lr_slice_of(of, LR__SESSION_ID),
                                lr_slice_of(value, len), 1, &session);

    assert_int_equal(session != NULL, verdict == LR__SESSION_GOOD);
    lr__session_free(session);
    return verdict;
}

static void what_is_sealed_opens(void **state)
{
    static const size_t sizes[] = {0, 1, WOLF, LR__SESSION_WOLF_MAX};
    lr_context *context = made((lr_context_options){0});
    lr__sessions *s = sealer_new(context, &keys);
    uint8_t out[SEALER_ROOM];

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(sizes) * 2; i++) {
        lr_slice part = lr_slice_of(wolf_bytes, sizes[i / 2]);
        lr_tls_version v = versions[i % 2];
        lr__session *session;
        size_t len = sealer_ticket(s, v, part, out);

        assert_int_equal(lr__session_open_ticket(s, v, lr_slice_of(out, len), 1, &session),
                         LR__SESSION_GOOD);
        assert_int_equal(session->kind, LR__SESSION_TICKET);
        assert_memory_equal(session->handle, out + len - LR__SEAL_MAC, LR__SEAL_MAC);
        assert_true(session->is_key_current);
        assert_int_equal(session->peer, LR__PEER_NOT_ASKED);
        assert_int_equal(session->born_s, world.wall_ms / 1000);
        assert_int_equal(session->wolf.len, part.len);
        assert_memory_equal(session->wolf.bytes, wolf_bytes, part.len);
        lr__session_free(session);
        len = sealer_value(s, v, id, part, out);
        assert_int_equal(lr__session_open_stored(s, NULL, v, lr_slice_of(id, sizeof(id)),
                                                 lr_slice_of(out, len), 1, &session),
                         LR__SESSION_GOOD);
        assert_int_equal(session->kind, LR__SESSION_STORED);
        assert_memory_equal(session->handle, id, sizeof(id));
        assert_int_equal(session->wolf.len, part.len);
        assert_memory_equal(session->wolf.bytes, wolf_bytes, part.len);
        lr__session_free(session);
    }
    lr__sessions_free(s);
    lr_context_release(context);
}

/* Each bit of it counts. */
static void what_was_altered_does_not_open(void **state)
{
    lr_context *context = made((lr_context_options){0});
    lr__sessions *s = sealer_new(context, &keys);
    uint8_t out[SEALER_ROOM];
    size_t len = sealer_ticket(s, LR_TLS_1_3, wolf, out);

    (void)state;
    for (size_t bit = 0; bit < len * 8; bit++) {
        lr__session_verdict verdict;

        out[bit / 8] ^= (uint8_t)(1 << bit % 8);
        verdict = open_ticket(s, LR_TLS_1_3, out, len);
        assert_int_equal(verdict, bit / 8 <= NAME_LAST ? LR__SESSION_UNKNOWN_KEY
                                  : bit / 8 == SALT_LAST + 1 || bit / 8 == SALT_LAST + 2
                                      ? LR__SESSION_FOREIGN
                                      : LR__SESSION_FORGED);
        out[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(open_ticket(s, LR_TLS_1_3, out, len), LR__SESSION_GOOD);
    len = sealer_value(s, LR_TLS_1_3, id, wolf, out);
    for (size_t bit = 0; bit < len * 8; bit++) {
        out[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(open_value(s, NULL, LR_TLS_1_3, id, out, len),
                         bit / 8 <= NAME_LAST ? LR__SESSION_UNKNOWN_KEY : LR__SESSION_FORGED);
        out[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(open_value(s, NULL, LR_TLS_1_3, id, out, len), LR__SESSION_GOOD);
    lr__sessions_free(s);
    lr_context_release(context);
}

static void another_length_does_not_open(void **state)
{
    lr_context *context = made((lr_context_options){0});
    lr__sessions *s = sealer_new(context, &keys);
    uint8_t out[SEALER_ROOM + 1] = {0};
    size_t len = sealer_ticket(s, LR_TLS_1_2, wolf, out);

    (void)state;
    for (size_t i = 0; i <= LR__TICKET_MAX + 1; i++)
        assert_int_equal(open_ticket(s, LR_TLS_1_2, out, i),
                         i == len ? LR__SESSION_GOOD : LR__SESSION_FOREIGN);
    for (size_t i = 0; i < len; i++) { /* with a length that fits */
        uint8_t cut[SEALER_ROOM];
        size_t sealed = i >= 66 ? i - 66 : 0;

        memcpy(cut, out, i);
        cut[32] = (uint8_t)(sealed >> 8);
        cut[33] = (uint8_t)sealed;
        assert_int_not_equal(open_ticket(s, LR_TLS_1_2, cut, i), LR__SESSION_GOOD);
    }
    len = sealer_value(s, LR_TLS_1_2, id, wolf, out);
    for (size_t i = 0; i <= SEALER_ROOM; i++) {
        if (i != len)
            assert_int_not_equal(open_value(s, NULL, LR_TLS_1_2, id, out, i), LR__SESSION_GOOD);
    }
    assert_int_equal(open_value(s, NULL, LR_TLS_1_2, id, out, LR_SESSION_VALUE_MAX + 1),
                     LR__SESSION_FOREIGN);
    lr__sessions_free(s);
    lr_context_release(context);
}

/* Without room for the note there is no ticket, rather than one that is cut. */
static void a_ticket_has_room_or_is_none(void **state)
{
    lr_context *context = made((lr_context_options){0});
    lr__sessions *s = sealer_new(context, &keys);
    uint8_t bytes[512], name[LR__KEY_NAME], salt[LR__SEAL_SALT], mac[LR__SEAL_MAC];
    bool fits = false;

    (void)state;
    for (size_t cap = 0; cap <= 400; cap++) {
        size_t len = lr__session_seal_ticket(s, LR_TLS_1_3, bytes, WOLF, cap, name, salt, mac);

        assert_true(len == 0 || (len > WOLF && len <= cap));
        assert_true(!fits || len != 0);
        fits = len != 0;
    }
    assert_true(fits);
    lr__sessions_free(s);
    lr_context_release(context);
}

/* A store cannot give one session for another, nor a ticket for one, nor a client a value as a
 * ticket. */
static void kind_and_id_are_bound(void **state)
{
    lr_context *context = made((lr_context_options){0});
    lr__sessions *s = sealer_new(context, &keys);
    uint8_t out[SEALER_ROOM], as[SEALER_ROOM], other[LR__SESSION_ID];
    size_t len = sealer_value(s, LR_TLS_1_3, id, wolf, out), sealed;

    (void)state;
    for (size_t i = 0; i < sizeof(id) * 8; i++) {
        memcpy(other, id, sizeof(id));
        other[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_equal(open_value(s, NULL, LR_TLS_1_3, other, out, len), LR__SESSION_FORGED);
    }
    sealed = len - 32;
    memcpy(as, out, 32);
    as[32] = (uint8_t)((sealed - LR__SEAL_MAC) >> 8);
    as[33] = (uint8_t)(sealed - LR__SEAL_MAC);
    memcpy(as + 34, out + 32, sealed);
    assert_int_equal(open_ticket(s, LR_TLS_1_3, as, len + 2), LR__SESSION_FORGED);
    len = sealer_ticket(s, LR_TLS_1_3, wolf, out);
    memcpy(as, out, 32);
    memcpy(as + 32, out + 34, len - 34);
    assert_int_equal(open_value(s, NULL, LR_TLS_1_3, id, as, len - 2), LR__SESSION_FORGED);
    lr__sessions_free(s);
    lr_context_release(context);
}

static void another_policy_opens_nothing(void **state)
{
    lr_context_options others[] = {
        {.session_id_context = "other"},
        {.version_min = LR_TLS_1_3},
        {.ciphers = "TLS_AES_256_GCM_SHA384"},
        {.request_cert = LR_ON, .ca = pki_file("root.pem")},
        {.request_cert = LR_ON, .ca = pki_file("root.pem"), .reject_unauthorized = LR_OFF},
    };
    lr_context *context = made((lr_context_options){0});
    lr_context *same = made((lr_context_options){.alpn = "h2", .session_lifetime_s = 7});
    lr__sessions *s = sealer_new(context, &keys);
    uint8_t ticket[SEALER_ROOM], value[SEALER_ROOM];
    size_t len = sealer_ticket(s, LR_TLS_1_3, wolf, ticket);
    size_t value_len = sealer_value(s, LR_TLS_1_3, id, wolf, value);

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(others); i++) {
        lr_context *other = made(others[i]);
        lr__sessions *o = sealer_new(other, &keys);

        assert_int_equal(open_ticket(o, LR_TLS_1_3, ticket, len), LR__SESSION_FORGED);
        assert_int_equal(open_value(o, NULL, LR_TLS_1_3, id, value, value_len), LR__SESSION_FORGED);
        lr__sessions_free(o);
        lr_context_release(other);
    }
    s->context = same; /* what does not decide who may come in */
    assert_int_equal(open_ticket(s, LR_TLS_1_3, ticket, len), LR__SESSION_GOOD);
    assert_int_equal(open_value(s, NULL, LR_TLS_1_3, id, value, value_len), LR__SESSION_GOOD);
    lr__sessions_free(s);
    lr_context_release(same);
    lr_context_release(context);
}

static void keys_open_as_their_set_says(void **state)
{
    lr_context *context = made((lr_context_options){0});
    lr__key_set newer, strange;
    lr__sessions *s, *n, *o;
    uint8_t out[SEALER_ROOM];
    lr__session *session;
    size_t len;

    (void)state;
    sealer_keys(&newer, 0, 3); /* the first of keys is its second */
    sealer_keys(&strange, 100, 1);
    s = sealer_new(context, &keys);
    n = sealer_new(context, &newer);
    o = sealer_new(context, &strange);
    len = sealer_ticket(s, LR_TLS_1_3, wolf, out);
    assert_int_equal(lr__session_open_ticket(n, LR_TLS_1_3, lr_slice_of(out, len), 1, &session),
                     LR__SESSION_GOOD);
    assert_false(session->is_key_current); /* so it is renewed */
    lr__session_free(session);
    assert_int_equal(open_ticket(o, LR_TLS_1_3, out, len), LR__SESSION_UNKNOWN_KEY);
    newer.accept_until_ns[1] = 0;
    assert_int_equal(open_ticket(n, LR_TLS_1_3, out, len), LR__SESSION_UNKNOWN_KEY);
    newer.accept_until_ns[1] = UINT64_MAX;
    memcpy(newer.keys->keys[1] + 16, newer.keys->keys[0] + 16, 16); /* the name alone */
    assert_int_equal(open_ticket(n, LR_TLS_1_3, out, len), LR__SESSION_FORGED);
    lr__sessions_free(s);
    lr__sessions_free(n);
    lr__sessions_free(o);
    sealer_keys_free(&newer);
    sealer_keys_free(&strange);
    lr_context_release(context);
}

static void without_a_key_nothing_is_sealed(void **state)
{
    lr_context *context = made((lr_context_options){0});
    lr__key_set none;
    lr__sessions *s;
    uint8_t out[SEALER_ROOM];

    (void)state;
    sealer_keys(&none, 1, 0);
    s = sealer_new(context, &none);
    assert_int_equal(sealer_ticket(s, LR_TLS_1_3, wolf, out), 0);
    assert_int_equal(sealer_value(s, LR_TLS_1_3, id, wolf, out), 0);
    lr__sessions_free(s);
    sealer_keys_free(&none);
    lr_context_release(context);
}

static void bind_to(lr__sessions *s, const char *name, const char *alpn)
{
    assert_true(lr__session_bind(lr_slice_of(name, strlen(name)), lr_slice_of(alpn, strlen(alpn)),
                                 s->binding));
}

static void name_protocol_and_version_must_be_the_same(void **state)
{
    static const char *const bindings[][2] = {{"", ""},   {"a", ""},        {"", "a"},
                                              {"a", "b"}, {"ab", ""},       {"", "ab"},
                                              {"b", "a"}, {"a.test", "h2"}, {"a.tes", "th2"}};
    lr_context *context = made((lr_context_options){0});
    lr__sessions *s = sealer_new(context, &keys);
    uint8_t ticket[SEALER_ROOM], value[SEALER_ROOM];

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(bindings); i++) {
        size_t len, value_len;

        bind_to(s, bindings[i][0], bindings[i][1]);
        len = sealer_ticket(s, LR_TLS_1_2, wolf, ticket);
        value_len = sealer_value(s, LR_TLS_1_2, id, wolf, value);
        for (size_t j = 0; j < LR_ARRAY_COUNT(bindings); j++) {
            bind_to(s, bindings[j][0], bindings[j][1]);
            assert_int_equal(open_ticket(s, LR_TLS_1_2, ticket, len),
                             i == j ? LR__SESSION_GOOD : LR__SESSION_UNFIT);
            assert_int_equal(open_value(s, NULL, LR_TLS_1_2, id, value, value_len),
                             i == j ? LR__SESSION_GOOD : LR__SESSION_UNFIT);
            assert_int_equal(open_ticket(s, LR_TLS_1_3, ticket, len), LR__SESSION_UNFIT);
            assert_int_equal(open_value(s, NULL, LR_TLS_1_3, id, value, value_len),
                             LR__SESSION_UNFIT);
        }
    }
    lr__sessions_free(s);
    lr_context_release(context);
}

/* S127: to the second, in both versions; the clock of another machine may be a minute ahead. */
static void a_session_lives_as_long_as_its_context_says(void **state)
{
    static const struct {
        int after_s;
        lr__session_verdict verdict;
    } times[] = {{0, LR__SESSION_GOOD},
                 {LIFETIME, LR__SESSION_GOOD},
                 {LIFETIME + 1, LR__SESSION_UNFIT},
                 {100 * LIFETIME, LR__SESSION_UNFIT},
                 {-60, LR__SESSION_GOOD},
                 {-61, LR__SESSION_UNFIT}};
    lr_context *context = made((lr_context_options){0});
    lr__sessions *s = sealer_new(context, &keys);
    int64_t begun = world.wall_ms;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(times) * 2; i++) {
        uint8_t ticket[SEALER_ROOM], value[SEALER_ROOM];
        lr_tls_version v = versions[i % 2];
        size_t len = sealer_ticket(s, v, wolf, ticket);
        size_t value_len = sealer_value(s, v, id, wolf, value);

        world.wall_ms = begun + times[i / 2].after_s * INT64_C(1000);
        assert_int_equal(open_ticket(s, v, ticket, len), times[i / 2].verdict);
        assert_int_equal(open_value(s, NULL, v, id, value, value_len), times[i / 2].verdict);
        world.wall_ms = begun;
    }
    lr__sessions_free(s);
    lr_context_release(context);
}

/* However often it was resumed since (RFC 8446 4.6.1). */
static void no_session_outlives_seven_days(void **state)
{
    lr_context *context = made((lr_context_options){.session_lifetime_s = LR__SESSION_AGE_MAX});
    int64_t now = world.wall_ms / 1000;

    (void)state;
    for (int64_t age = LR__SESSION_AGE_MAX - 2; age <= LR__SESSION_AGE_MAX + 2; age++) {
        lr__sessions *s = sealer_new(context, &keys);
        uint8_t out[SEALER_ROOM];
        size_t len;

        sealer_set_peer(s, LR__PEER_NOT_ASKED, now - age, 0);
        len = sealer_ticket(s, LR_TLS_1_3, wolf, out);
        assert_int_equal(open_ticket(s, LR_TLS_1_3, out, len),
                         age <= LR__SESSION_AGE_MAX ? LR__SESSION_GOOD : LR__SESSION_UNFIT);
        len = sealer_value(s, LR_TLS_1_3, id, wolf, out);
        assert_int_equal(open_value(s, NULL, LR_TLS_1_3, id, out, len),
                         age <= LR__SESSION_AGE_MAX ? LR__SESSION_GOOD : LR__SESSION_UNFIT);
        lr__sessions_free(s);
    }
    lr_context_release(context);
}

static bool may_come_in(lr__session_peer peer, bool asks, bool rejects)
{
    switch (peer) {
    case LR__PEER_NOT_ASKED:
        return !asks;
    case LR__PEER_NONE:
        return asks && !rejects;
    case LR__PEER_AUTHORIZED:
        return asks;
    case LR__PEER_UNAUTHORIZED:
        return false; /* why it did not hold is not in a digest: it is judged by a full handshake */
    }
    return false;
}

/* Of a ticket the digest alone is known. */
static void a_client_comes_back_only_as_what_would_be_let_in(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        bool asks = way != 0, rejects = way != 2;
        lr_context *context =
            made((lr_context_options){.request_cert = asks ? LR_ON : LR_OFF,
                                      .reject_unauthorized = rejects ? LR_ON : LR_OFF,
                                      .ca = asks ? pki_file("root.pem") : lr_slice_of(NULL, 0)});

        for (int peer = LR__PEER_NOT_ASKED; peer <= LR__PEER_UNAUTHORIZED; peer++) {
            lr__sessions *s = sealer_new(context, &keys);
            bool in = may_come_in((lr__session_peer)peer, asks, rejects);
            uint8_t out[SEALER_ROOM];
            lr__session *session;
            size_t len;

            sealer_set_peer(s, (lr__session_peer)peer, 0, INT64_MAX);
            len = sealer_ticket(s, LR_TLS_1_3, wolf, out);
            assert_int_equal(
                lr__session_open_ticket(s, LR_TLS_1_3, lr_slice_of(out, len), 1, &session),
                in ? LR__SESSION_GOOD : LR__SESSION_UNFIT);
            if (in && peer != LR__PEER_NOT_ASKED) {
                lr__peer *known = lr__session_take_peer(session);

                assert_int_equal(known->code == LR__VERIFY_OK, peer == LR__PEER_AUTHORIZED);
                assert_int_equal(known->has_digest, peer == LR__PEER_AUTHORIZED);
                assert_int_equal(known->count, 0);
                if (known->has_digest)
                    assert_memory_equal(known->digest, s->offered->leaf, sizeof(known->digest));
                lr__peer_free(known);
            }
            lr__session_free(session);
            lr__sessions_free(s);
        }
        lr_context_release(context);
    }
}

static lr_context *asking(const char *crl, lr_toggle reject)
{
    lr_slice list = crl ? pki_file(crl) : lr_slice_of(NULL, 0);

    return made((lr_context_options){.request_cert = LR_ON,
                                     .ca = pki_file("root.pem"),
                                     .reject_unauthorized = reject,
                                     .crls = &list,
                                     .crl_count = crl != NULL});
}

static void a_digest_counts_until_its_certificate_ends_or_lists_change(void **state)
{
    lr_context *context = asking("root_nothing.crl", LR_ON), *newer = asking("root.crl", LR_ON);
    lr__sessions *s = sealer_new(context, &keys);
    int64_t now = world.wall_ms / 1000;
    uint8_t out[SEALER_ROOM];
    size_t len = 0;

    (void)state;
    for (int64_t until = now - 2; until <= now + 2; until++) {
        sealer_set_peer(s, LR__PEER_AUTHORIZED, 0, until);
        len = sealer_ticket(s, LR_TLS_1_3, wolf, out);
        assert_int_equal(open_ticket(s, LR_TLS_1_3, out, len),
                         until >= now ? LR__SESSION_GOOD : LR__SESSION_UNFIT);
    }
    s->context = newer; /* the same policy, with another list */
    assert_int_equal(open_ticket(s, LR_TLS_1_3, out, len), LR__SESSION_UNFIT);
    lr__sessions_free(s);
    lr_context_release(context);
    lr_context_release(newer);
}

/* A store's value has the certificates, which are judged as of today. */
static size_t value_of(lr_context *context, const char *file, uint8_t out[SEALER_ROOM])
{
    lr__sessions *s = sealer_new(context, &keys);
    lr__replica *replica = NULL;
    static const lr__pem_kind kind = {"certificate", {"CERTIFICATE"}, LR_ECERTIFICATE};
    lr__input source = {.name = file, .bytes = pki_file(file)};
    lr__der_list list = {0};
    lr_slice chain;
    size_t len;

    assert_int_equal(lr__der_list_add(&list, &source, &kind, &err), LR_OK);
    chain = lr_slice_of(list.items[0].bytes, list.items[0].size);
    assert_int_equal(lr__replica_new(context, true, 0, &replica, &err), LR_OK);
    sealer_set_peer(s, LR__PEER_AUTHORIZED, 0, INT64_MAX);
    s->offered->judged = lr__peer_judge(replica, &chain, 1);
    assert_non_null(s->offered->judged);
    len = sealer_value(s, LR_TLS_1_3, id, wolf, out);
    assert_true(len > chain.len);
    lr__der_list_fini(&list);
    lr__sessions_free(s);
    lr__replica_free(replica);
    return len;
}

static lr__session_verdict judge_today(lr_context *context, const uint8_t *value, size_t len,
                                       bool authorized)
{
    lr__sessions *s = sealer_new(context, &keys);
    lr__replica *replica = NULL;
    lr__session *session;
    lr__session_verdict verdict;

    assert_int_equal(lr__replica_new(context, true, 0, &replica, &err), LR_OK);
    verdict = lr__session_open_stored(s, replica, LR_TLS_1_3, lr_slice_of(id, sizeof(id)),
                                      lr_slice_of(value, len), 1, &session);
    if (verdict == LR__SESSION_GOOD) {
        lr__peer *peer = lr__session_take_peer(session);

        assert_int_equal(session->peer, authorized ? LR__PEER_AUTHORIZED : LR__PEER_UNAUTHORIZED);
        assert_int_equal(peer->code == LR__VERIFY_OK, authorized);
        assert_int_equal(peer->count, 1);
        lr__peer_free(peer);
        lr__session_free(session);
    }
    lr__sessions_free(s);
    lr__replica_free(replica);
    return verdict;
}

static void certificates_in_a_store_are_judged_today(void **state)
{
    for (int rejects = 0; rejects <= 1; rejects++) {
        lr_toggle reject = rejects ? LR_ON : LR_OFF;
        lr_context *none = asking("root_nothing.crl", reject),
                   *revokes = asking("root.crl", reject);
        int64_t begun = world.wall_ms;
        uint8_t out[SEALER_ROOM];
        size_t len = value_of(none, "client.der", out);
        lr__session_verdict refused = rejects ? LR__SESSION_UNFIT : LR__SESSION_GOOD;

        (void)state;
        assert_int_equal(judge_today(none, out, len, true), LR__SESSION_GOOD);
        assert_int_equal(judge_today(revokes, out, len, true), LR__SESSION_GOOD);
        world.wall_ms = begun + INT64_C(100) * 365 * 86400 * 1000; /* expired, and too old anyway */
        assert_int_equal(judge_today(none, out, len, false), LR__SESSION_UNFIT);
        world.wall_ms = begun;
        len = value_of(none, "revoked.pem", out);
        assert_int_equal(judge_today(none, out, len, true), LR__SESSION_GOOD);
        assert_int_equal(judge_today(revokes, out, len, false), refused);
        lr_context_release(none);
        lr_context_release(revokes);
    }
}

/* Where it is longer than a value may be, only its digest goes along. */
static void a_long_chain_is_left_out(void **state)
{
    static uint8_t block[LR__SESSION_CHAIN_MAX];
    lr_context *context = asking(NULL, LR_ON);
    lr__sessions *s = sealer_new(context, &keys);
    uint8_t out[SEALER_ROOM];
    size_t bare;

    (void)state;
    sealer_set_peer(s, LR__PEER_AUTHORIZED, 0, INT64_MAX);
    bare = sealer_value(s, LR_TLS_1_3, id, wolf, out);
    for (size_t size = LR__SESSION_CHAIN_MAX - 4; size <= LR__SESSION_CHAIN_MAX; size++) {
        lr_slice chain = lr_slice_of(block, size);
        size_t len;

        lr__peer_free(s->offered->judged);
        s->offered->judged = lr__peer_new(LR__VERIFY_OK, &chain, 1);
        assert_non_null(s->offered->judged);
        len = sealer_value(s, LR_TLS_1_3, id, wolf, out);
        assert_int_equal(len, size + 3 <= LR__SESSION_CHAIN_MAX ? bare + size + 3 : bare);
        assert_true(len <= LR_SESSION_VALUE_MAX);
    }
    lr__sessions_free(s);
    lr_context_release(context);
}

/* Without memory there is no session; nothing is half a one, and nothing leaks. */
static void any_allocation_may_fail(void **state)
{
    lr_context *context = asking(NULL, LR_ON);
    uint8_t value[SEALER_ROOM], ticket[SEALER_ROOM], out[SEALER_ROOM];
    size_t value_len = value_of(context, "client.der", value), ticket_len;
    lr__sessions *s = sealer_new(context, &keys);
    lr__replica *replica = NULL;

    (void)state;
    assert_int_equal(lr__replica_new(context, true, 0, &replica, &err), LR_OK);
    sealer_set_peer(s, LR__PEER_AUTHORIZED, 0, INT64_MAX);
    ticket_len = sealer_ticket(s, LR_TLS_1_3, wolf, ticket);
    for (int what = 0; what < 4; what++) {
        uint64_t n = 0, tried;
        bool good;

        do {
            lr__session *session = NULL;

            assert_true(++n < FAR_TOO_MANY);
            (void)lr__mem_fail_at(n, false);
            if (what == 0)
                good = sealer_value(s, LR_TLS_1_3, id, wolf, out) != 0;
            else if (what == 1)
                good = lr__session_open_ticket(s, LR_TLS_1_3, lr_slice_of(ticket, ticket_len), 1,
                                               &session) == LR__SESSION_GOOD;
            else if (what == 2)
                good = lr__session_open_stored(s, replica, LR_TLS_1_3, lr_slice_of(id, sizeof(id)),
                                               lr_slice_of(value, value_len), 1,
                                               &session) == LR__SESSION_GOOD;
            else
                good = sealer_ticket(s, LR_TLS_1_3, wolf, out) != 0;
            tried = lr__mem_fail_at(0, false);
            assert_int_equal(session != NULL, good && (what == 1 || what == 2));
            assert_true(good || tried >= n);
            lr__session_free(session);
        } while (tried >= n);
        assert_true(good);
        assert_true(n > 1 || what == 3); /* a ticket is sealed in its place */
    }
    lr__replica_free(replica);
    lr__sessions_free(s);
    lr_context_release(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_sealed_opens, enter, leave),
        cmocka_unit_test_setup_teardown(what_was_altered_does_not_open, enter, leave),
        cmocka_unit_test_setup_teardown(another_length_does_not_open, enter, leave),
        cmocka_unit_test_setup_teardown(a_ticket_has_room_or_is_none, enter, leave),
        cmocka_unit_test_setup_teardown(kind_and_id_are_bound, enter, leave),
        cmocka_unit_test_setup_teardown(another_policy_opens_nothing, enter, leave),
        cmocka_unit_test_setup_teardown(keys_open_as_their_set_says, enter, leave),
        cmocka_unit_test_setup_teardown(without_a_key_nothing_is_sealed, enter, leave),
        cmocka_unit_test_setup_teardown(name_protocol_and_version_must_be_the_same, enter, leave),
        cmocka_unit_test_setup_teardown(a_session_lives_as_long_as_its_context_says, enter, leave),
        cmocka_unit_test_setup_teardown(no_session_outlives_seven_days, enter, leave),
        cmocka_unit_test_setup_teardown(a_client_comes_back_only_as_what_would_be_let_in, enter,
                                        leave),
        cmocka_unit_test_setup_teardown(a_digest_counts_until_its_certificate_ends_or_lists_change,
                                        enter, leave),
        cmocka_unit_test_setup_teardown(certificates_in_a_store_are_judged_today, enter, leave),
        cmocka_unit_test_setup_teardown(a_long_chain_is_left_out, enter, leave),
        cmocka_unit_test_setup_teardown(any_allocation_may_fail, enter, leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
