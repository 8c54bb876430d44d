/* SPDX-License-Identifier: MIT */
/* core/tls/session.c: how sessions are sealed, opened and judged; wolfSSL's side of it is in
 * session_wolf.c. */
#include "core/tls/session.h"

#include "core/base/check.h"
#include "core/base/current.h"
#include "core/base/mem.h"
#include "core/tls/wolf.h"

#include <lockring/hello.h>

#include <assert.h>
#include <string.h>
#include <wolfssl/wolfcrypt/hash.h>

enum {
    FORMAT = 1,
    NOTE_SIZE = 1 + 1 + 1 + 2 + 3 * 8 + 32 + 16 + 16,
    LISTS_DIGEST = 16,
    TICKET_HEADER = LR__KEY_NAME + LR__SEAL_SALT + 2,
    STORED_HEADER = LR__KEY_NAME + LR__SEAL_SALT,
    CLOCK_SKEW_S = 60 /* of another machine of the fleet, ahead of ours */
};

static_assert(STORED_HEADER + NOTE_SIZE + 2 + LR__SESSION_WOLF_MAX + LR__SESSION_CHAIN_MAX +
                      LR__SEAL_MAC <=
                  LR_SESSION_VALUE_MAX,
              "the longest value fits");

/* What lockring puts beside wolfSSL's session. */
typedef struct note {
    uint8_t peer;
    uint8_t resumptions; /* since the full handshake */
    lr_tls_version version;
    int64_t born_s, issued_s, until_s;
    uint8_t leaf[32], lists[LISTS_DIGEST], binding[16];
} note;

/* Everything that is sealed under one key is told apart by this. */
typedef struct bound {
    uint8_t bytes[LR__SEAL_BOUND_MAX];
    size_t len;
} bound;

static uint8_t *put_number(uint8_t *at, uint64_t number, uint32_t size)
{
    for (uint32_t i = size; i-- > 0;)
        *at++ = (uint8_t)(number >> (8 * i));
    return at;
}

static uint64_t take_number(const uint8_t **at, uint32_t size)
{
    uint64_t number = 0;

    for (uint32_t i = 0; i < size; i++)
        number = number << 8 | *(*at)++;
    return number;
}

static void put_note(uint8_t out[NOTE_SIZE], const note *from)
{
    uint8_t *at = out;

    *at++ = FORMAT;
    *at++ = from->peer;
    *at++ = from->resumptions;
    at = put_number(at, (uint64_t)from->version, 2);
    at = put_number(at, (uint64_t)from->born_s, 8);
    at = put_number(at, (uint64_t)from->issued_s, 8);
    at = put_number(at, (uint64_t)from->until_s, 8);
    memcpy(at, from->leaf, sizeof(from->leaf));
    at += sizeof(from->leaf);
    memcpy(at, from->lists, sizeof(from->lists));
    at += sizeof(from->lists);
    memcpy(at, from->binding, sizeof(from->binding));
    at += sizeof(from->binding);
    LR_CHECK(at == out + NOTE_SIZE);
}

static bool take_note(const uint8_t in[NOTE_SIZE], note *out)
{
    const uint8_t *at = in;

    if (*at++ != FORMAT)
        return false;
    out->peer = *at++;
    out->resumptions = *at++;
    out->version = (lr_tls_version)take_number(&at, 2);
    out->born_s = (int64_t)take_number(&at, 8);
    out->issued_s = (int64_t)take_number(&at, 8);
    out->until_s = (int64_t)take_number(&at, 8);
    memcpy(out->leaf, at, sizeof(out->leaf));
    at += sizeof(out->leaf);
    memcpy(out->lists, at, sizeof(out->lists));
    at += sizeof(out->lists);
    memcpy(out->binding, at, sizeof(out->binding));
    return out->peer <= LR__PEER_UNAUTHORIZED && out->born_s >= 0 && out->issued_s >= 0;
}

/* id: of a stored session; null: a ticket. */
static bound bind_to(const lr_context *context, const uint8_t *id)
{
    bound b;
    uint8_t *at = b.bytes;

    *at++ = id ? LR__SESSION_STORED : LR__SESSION_TICKET;
    at = put_number(at, LIBWOLFSSL_VERSION_HEX, 4);
    memcpy(at, lr__context_policy(context), 32);
    at += 32;
    if (id) {
        memcpy(at, id, LR__SESSION_ID);
        at += LR__SESSION_ID;
    }
    b.len = (size_t)(at - b.bytes);
    return b;
}

lr__sessions *lr__sessions_new(const lr_context *context, const lr__key_set *keys)
{
    lr__sessions *sessions = lr__alloc_zero(1, sizeof(*sessions));

    if (!sessions)
        return NULL;
    sessions->context = context;
    sessions->keys = keys;
    return sessions;
}

void lr__sessions_free(lr__sessions *sessions)
{
    if (!sessions)
        return;
    lr__session_free(sessions->offered);
    for (uint32_t i = 0; i < sessions->made_count; i++)
        lr_bytes_release(sessions->made[i].value);
    lr__free(sessions);
}

bool lr__session_bind(lr_slice name, lr_slice alpn, uint8_t binding[16])
{
    uint8_t text[2 + 255 + 255], digest[WC_SHA256_DIGEST_SIZE];

    LR_CHECK(name.len <= 255 && alpn.len <= 255);
    text[0] = (uint8_t)name.len;
    text[1] = (uint8_t)alpn.len;
    if (name.len != 0)
        memcpy(text + 2, name.bytes, name.len);
    if (alpn.len != 0)
        memcpy(text + 2 + name.len, alpn.bytes, alpn.len);
    if (wc_Sha256Hash(text, (word32)(2 + name.len + alpn.len), digest) != 0)
        return false;
    memcpy(binding, digest, 16);
    return true;
}

/* False: the peer was asked and has not answered soundly, which nobody must be able to resume. */
static bool describe(const lr__sessions *sessions, lr_tls_version version, note *out)
{
    const lr_context *context = sessions->context;
    int64_t now = lr__current_wall_ms() / 1000;

    memset(out, 0, sizeof(*out));
    out->version = version;
    out->issued_s = out->born_s = now;
    memcpy(out->lists, context->trust.lists_digest, sizeof(out->lists));
    memcpy(out->binding, sessions->binding, sizeof(out->binding));
    if (sessions->resumed) {
        const lr__session *from = sessions->offered;

        out->peer = (uint8_t)from->peer;
        out->resumptions = (uint8_t)(from->resumptions + 1);
        out->born_s = from->born_s;
        out->until_s = from->until_s;
        memcpy(out->leaf, from->leaf, sizeof(out->leaf));
    } else if (sessions->asking) {
        const lr__peer *peer = sessions->asking->peer;

        if (!lr__asking_is_sound(sessions->asking))
            return false;
        if (!peer->has_digest)
            out->peer = LR__PEER_NONE;
        else
            out->peer = peer->code == LR__VERIFY_OK ? LR__PEER_AUTHORIZED : LR__PEER_UNAUTHORIZED;
        out->until_s = peer->until;
        memcpy(out->leaf, peer->digest, sizeof(out->leaf));
    }
    return true;
}

size_t lr__session_seal_ticket(lr__sessions *sessions, lr_tls_version version, uint8_t *bytes,
                               size_t len, size_t cap, uint8_t name[LR__KEY_NAME],
                               uint8_t salt[LR__SEAL_SALT], uint8_t mac[LR__SEAL_MAC])
{
    const uint8_t *key = lr__keys_current(sessions->keys->keys);
    bound b = bind_to(sessions->context, NULL);
    note of;

    if (!key || cap < NOTE_SIZE || len > cap - NOTE_SIZE || !describe(sessions, version, &of))
        return 0;
    put_note(bytes + len, &of);
    len += NOTE_SIZE;
    return lr__seal(key, lr_slice_of(b.bytes, b.len), bytes, len, name, salt, mac) ? len : 0;
}

static size_t chain_size(const lr__peer *peer)
{
    size_t size = 0;

    for (uint32_t i = 0; peer && i < peer->count; i++)
        size += 3 + peer->certificates[i].len;
    return size <= LR__SESSION_CHAIN_MAX ? size : 0;
}

static uint8_t *put_chain(uint8_t *at, const lr__peer *peer)
{
    for (uint32_t i = 0; i < peer->count; i++) {
        at = put_number(at, peer->certificates[i].len, 3);
        memcpy(at, peer->certificates[i].bytes, peer->certificates[i].len);
        at += peer->certificates[i].len;
    }
    return at;
}

lr_bytes *lr__session_seal_stored(lr__sessions *sessions, lr_tls_version version,
                                  const uint8_t id[LR__SESSION_ID], lr_slice wolf)
{
    const uint8_t *key = lr__keys_current(sessions->keys->keys);
    bound b = bind_to(sessions->context, id);
    const lr__peer *peer = NULL;
    lr_bytes *value = NULL;
    uint8_t *block, *at;
    size_t chain, len;
    note of;

    if (sessions->resumed)
        peer = sessions->offered->judged;
    else if (sessions->asking)
        peer = sessions->asking->peer;
    chain = chain_size(peer);
    len = NOTE_SIZE + 2 + wolf.len + chain;
    LR_CHECK(wolf.len <= LR__SESSION_WOLF_MAX);
    if (!key || !describe(sessions, version, &of))
        return NULL;
    block = lr__alloc(STORED_HEADER + len + LR__SEAL_MAC);
    if (!block)
        return NULL;
    at = block + STORED_HEADER;
    put_note(at, &of);
    at = put_number(at + NOTE_SIZE, wolf.len, 2);
    memcpy(at, wolf.bytes, wolf.len);
    if (chain != 0)
        (void)put_chain(at + wolf.len, peer);
    at = block + STORED_HEADER;
    if (lr__seal(key, lr_slice_of(b.bytes, b.len), at, len, block, block + LR__KEY_NAME, at + len))
        value = lr_bytes_new(lr_slice_of(block, STORED_HEADER + len + LR__SEAL_MAC));
    lr__free_wiped(block, STORED_HEADER + len + LR__SEAL_MAC);
    return value;
}

/* Opens what lies between salt and mac into a new session. */
static lr__session_verdict open_sealed(const lr__sessions *sessions, const bound *b,
                                       const uint8_t *name, const uint8_t *salt, lr_slice sealed,
                                       const uint8_t *mac, uint64_t now_ns, lr__session **out)
{
    bool is_current = false;
    const uint8_t *key = lr__key_set_find(sessions->keys, name, now_ns, &is_current);
    lr__session *session;

    if (!key)
        return LR__SESSION_UNKNOWN_KEY;
    session = lr__alloc(sizeof(*session) + sealed.len);
    if (!session)
        return LR__SESSION_NO_MEMORY;
    memset(session, 0, sizeof(*session));
    session->size = sealed.len;
    session->is_key_current = is_current;
    memcpy(session->bytes, sealed.bytes, sealed.len);
    if (!lr__unseal(key, lr_slice_of(b->bytes, b->len), session->bytes, sealed.len, salt, mac)) {
        lr__session_free(session);
        return LR__SESSION_FORGED;
    }
    *out = session;
    return LR__SESSION_GOOD;
}

/* Takes the note's facts into the session; false: this handshake, or this day, is another. */
static bool fits(const lr__sessions *sessions, lr_tls_version version, const note *of,
                 lr__session *session)
{
    int64_t now = lr__current_wall_ms() / 1000;

    session->peer = (lr__session_peer)of->peer;
    session->resumptions = of->resumptions;
    session->born_s = of->born_s;
    session->until_s = of->until_s;
    memcpy(session->leaf, of->leaf, sizeof(session->leaf));
    return of->version == version &&
           memcmp(of->binding, sessions->binding, sizeof(of->binding)) == 0 &&
           of->issued_s <= now + CLOCK_SKEW_S &&
           now - of->issued_s <= (int64_t)sessions->context->session_lifetime_s &&
           now - of->born_s <= LR__SESSION_AGE_MAX && of->resumptions < LR__RESUMPTIONS_MAX;
}

/* Would a full handshake with this client be let in now, and as whom? What is known of its chain is
 * judged anew; where only a digest is known, whatever could change the judgement ends it. */
static bool may_come_in(const lr_context *context, const note *of, const lr__session *session)
{
    int64_t now = lr__current_wall_ms() / 1000;

    if ((session->peer == LR__PEER_NOT_ASKED) == context->request_cert)
        return false;
    switch (session->peer) {
    case LR__PEER_NOT_ASKED:
        return true;
    case LR__PEER_NONE:
        return !context->reject_unauthorized;
    case LR__PEER_AUTHORIZED:
        if (session->judged)
            break;
        return session->until_s >= now &&
               memcmp(of->lists, context->trust.lists_digest, sizeof(of->lists)) == 0;
    case LR__PEER_UNAUTHORIZED:
        if (session->judged)
            break;
        return false;
    }
    return session->judged->code == LR__VERIFY_OK || !context->reject_unauthorized;
}

static lr__session_verdict judge(const lr__sessions *sessions, lr_tls_version version,
                                 const uint8_t *noted, lr__session *session)
{
    note of;

    if (!take_note(noted, &of) || !fits(sessions, version, &of, session) ||
        !may_come_in(sessions->context, &of, session))
        return LR__SESSION_UNFIT;
    if (session->judged) { /* it goes on as what it is today */
        bool holds = session->judged->code == LR__VERIFY_OK;

        session->peer = holds ? LR__PEER_AUTHORIZED : LR__PEER_UNAUTHORIZED;
        session->until_s = session->judged->until;
    }
    return LR__SESSION_GOOD;
}

lr__session_verdict lr__session_open_ticket(const lr__sessions *sessions, lr_tls_version version,
                                            lr_slice wire, uint64_t now_ns, lr__session **out)
{
    bound b = bind_to(sessions->context, NULL);
    lr__session *session;
    lr__session_verdict verdict;
    const uint8_t *mac;
    size_t sealed;

    *out = NULL;
    if (wire.len < TICKET_HEADER + NOTE_SIZE + LR__SEAL_MAC || wire.len > LR__TICKET_MAX)
        return LR__SESSION_FOREIGN;
    sealed = (size_t)wire.bytes[TICKET_HEADER - 2] << 8 | wire.bytes[TICKET_HEADER - 1];
    if (sealed != wire.len - TICKET_HEADER - LR__SEAL_MAC)
        return LR__SESSION_FOREIGN;
    mac = wire.bytes + wire.len - LR__SEAL_MAC;
    verdict = open_sealed(sessions, &b, wire.bytes, wire.bytes + LR__KEY_NAME,
                          lr_slice_of(wire.bytes + TICKET_HEADER, sealed), mac, now_ns, &session);
    if (verdict != LR__SESSION_GOOD)
        return verdict;
    session->kind = LR__SESSION_TICKET;
    memcpy(session->handle, mac, sizeof(session->handle));
    session->wolf = lr_slice_of(session->bytes, sealed - NOTE_SIZE);
    verdict = judge(sessions, version, session->bytes + sealed - NOTE_SIZE, session);
    if (verdict == LR__SESSION_GOOD)
        *out = session;
    else
        lr__session_free(session);
    return verdict;
}

/* The certificates behind wolfSSL's part, judged now. They are our own words, sealed. */
static bool read_chain(lr__replica *replica, const uint8_t *at, size_t len, lr__session *session)
{
    lr_slice chain[LR__PEER_CHAIN_MAX];
    uint32_t count = 0;

    for (const uint8_t *end = at + len; at < end; count++) {
        size_t one;

        if (count == LR__PEER_CHAIN_MAX || end - at < 3)
            return false;
        one = (size_t)take_number(&at, 3);
        if (one > (size_t)(end - at))
            return false;
        chain[count] = lr_slice_of(at, one);
        at += one;
    }
    if (count == 0)
        return true;
    session->judged = lr__peer_judge(replica, chain, count);
    return session->judged != NULL;
}

lr__session_verdict lr__session_open_stored(const lr__sessions *sessions, lr__replica *replica,
                                            lr_tls_version version, lr_slice id, lr_slice value,
                                            uint64_t now_ns, lr__session **out)
{
    bound b = bind_to(sessions->context, id.bytes);
    lr__session_verdict verdict;
    lr__session *session;
    size_t sealed, wolf;

    *out = NULL;
    LR_CHECK(id.len == LR__SESSION_ID);
    if (value.len < STORED_HEADER + NOTE_SIZE + 2 + LR__SEAL_MAC ||
        value.len > LR_SESSION_VALUE_MAX)
        return LR__SESSION_FOREIGN;
    sealed = value.len - STORED_HEADER - LR__SEAL_MAC;
    verdict = open_sealed(sessions, &b, value.bytes, value.bytes + LR__KEY_NAME,
                          lr_slice_of(value.bytes + STORED_HEADER, sealed),
                          value.bytes + STORED_HEADER + sealed, now_ns, &session);
    if (verdict != LR__SESSION_GOOD)
        return verdict;
    session->kind = LR__SESSION_STORED;
    memcpy(session->handle, id.bytes, LR__SESSION_ID);
    wolf = (size_t)session->bytes[NOTE_SIZE] << 8 | session->bytes[NOTE_SIZE + 1];
    verdict = LR__SESSION_UNFIT;
    if (wolf <= sealed - NOTE_SIZE - 2) {
        session->wolf = lr_slice_of(session->bytes + NOTE_SIZE + 2, wolf);
        if (read_chain(replica, session->wolf.bytes + wolf, sealed - NOTE_SIZE - 2 - wolf, session))
            verdict = judge(sessions, version, session->bytes, session);
    }
    if (verdict == LR__SESSION_GOOD)
        *out = session;
    else
        lr__session_free(session);
    return verdict;
}

void lr__session_free(lr__session *session)
{
    if (!session)
        return;
    lr__peer_free(session->judged);
    lr__free_wiped(session, sizeof(*session) + session->size);
}

lr__peer *lr__session_take_peer(lr__session *session)
{
    lr__verify_code code = LR__VERIFY_OK;
    lr__peer *peer = session->judged;

    LR_CHECK(session->peer != LR__PEER_NOT_ASKED);
    session->judged = NULL;
    if (peer)
        return peer;
    if (session->peer == LR__PEER_NONE)
        code = LR__VERIFY_UNABLE_TO_GET_ISSUER_CERT;
    peer = lr__peer_new(code, NULL, 0);
    if (!peer)
        return NULL;
    peer->until = session->until_s;
    peer->has_digest = session->peer == LR__PEER_AUTHORIZED;
    memcpy(peer->digest, session->leaf, sizeof(peer->digest));
    return peer;
}
