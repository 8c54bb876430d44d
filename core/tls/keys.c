/* SPDX-License-Identifier: MIT */
#include "core/tls/keys.h"

#include "core/base/check.h"
#include "core/base/current.h"
#include "core/base/mem.h"
#include "core/base/secret.h"
#include "core/base/status.h"
#include "core/tls/rand.h"
#include "core/tls/wolf.h"

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/hmac.h>

#include <string.h>

enum { GCM_KEY = 16, GCM_NONCE = 12, GCM_TAG = 16, COMMITMENT = 16 };

/* What is derived for one ticket. */
typedef struct derived {
    uint8_t key[GCM_KEY];
    uint8_t nonce[GCM_NONCE];
    uint8_t commitment[COMMITMENT];
} derived;

lr_ticket_keys *lr_ticket_keys_new(void)
{
    lr_ticket_keys *keys = lr__alloc_zero(1, sizeof(*keys));

    if (!keys)
        return NULL;
    keys->keys = lr__secret_alloc(sizeof(*keys->keys) * LR_TICKET_KEYS_MAX);
    if (keys->keys)
        return keys;
    lr__free(keys);
    return NULL;
}

void lr_ticket_keys_free(lr_ticket_keys *keys)
{
    if (!keys)
        return;
    lr__secret_free(keys->keys);
    lr__free(keys);
}

static uint32_t count_different(const uint8_t *bytes, size_t len)
{
    bool seen[256] = {false};
    uint32_t different = 0;

    for (size_t i = 0; i < len; i++) {
        different += !seen[bytes[i]];
        seen[bytes[i]] = true;
    }
    return different;
}

const char *lr__keys_weakness(const uint8_t *key, size_t len)
{
    static const uint8_t nameless[LR__KEY_NAME];

    if (count_different(key, len) == 1)
        return "all of its bytes are equal";
    /* wolfSSL 5.9.2 fails a handshake whose ticket has that name (src/internal.c, CreateTicket()).
     */
    if (memcmp(key, nameless, sizeof(nameless)) == 0)
        return "its name is all zeros";
    if (count_different(key + LR__KEY_NAME, len - LR__KEY_NAME) < 16)
        return "its secret part has fewer than 16 different bytes";
    if (memcmp(key + LR__KEY_NAME, key + LR__KEY_NAME + 16, 16) == 0)
        return "the halves of its secret part are equal";
    return NULL;
}

lr_status lr__keys_append(lr_ticket_keys *keys, const uint8_t *key, const char *where,
                          uint32_t rank, lr_error *err)
{
    const char *weak = lr__keys_weakness(key, LR_TICKET_KEY_SIZE);

    if (weak)
        return lr__fail(err, LR_EKEY, "ticket %s %u: %s", where, rank, weak);
    for (uint32_t i = 0; i < keys->count; i++) {
        if (memcmp(keys->keys[i], key, LR__KEY_NAME) == 0)
            return lr__fail(err, LR_EKEY, "ticket %s %u: its name is that of key %u", where, rank,
                            i + 1);
    }
    if (keys->count == LR_TICKET_KEYS_MAX)
        return lr__fail(err, LR_EINVAL, "ticket %s %u: there may be %d keys", where, rank,
                        LR_TICKET_KEYS_MAX);
    memcpy(keys->keys[keys->count++], key, LR_TICKET_KEY_SIZE);
    return LR_OK;
}

lr_status lr_ticket_keys_add(lr_ticket_keys *keys, lr_slice key, lr_error *err)
{
    LR_BUG_IF(!keys || (!key.bytes && key.len != 0), LR_EINVAL);
    if (key.len != LR_TICKET_KEY_SIZE)
        return lr__fail(err, LR_EKEY, "ticket key %u: %zu bytes, it must have %d", keys->count + 1,
                        key.len, LR_TICKET_KEY_SIZE);
    return lr__keys_append(keys, key.bytes, "key", keys->count + 1, err);
}

lr_status lr_ticket_keys_draw(lr_ticket_keys *keys, bool as_next, lr_error *err)
{
    uint8_t drawn[LR_TICKET_KEY_SIZE];

    LR_BUG_IF(!keys || (as_next && keys->count == 0), LR_EINVAL);
    if (keys->has_next)
        return lr__fail(err, LR_ESTATE, "ticket keys: there is a next key already");
    do {
        if (!lr__current_random(drawn, sizeof(drawn))) /* no generator of ours in between */
            return lr__fail(err, LR_ERANDOM, "ticket keys: no random bytes");
    } while (lr__keys_weakness(drawn, sizeof(drawn)));
    if (keys->count == LR_TICKET_KEYS_MAX)
        keys->count--;
    memmove(keys->keys[1], keys->keys[0], keys->count * sizeof(*keys->keys));
    memcpy(keys->keys[0], drawn, sizeof(drawn));
    lr__wipe(drawn, sizeof(drawn));
    keys->count++;
    keys->has_next = as_next;
    return LR_OK;
}

bool lr_ticket_keys_advance(lr_ticket_keys *keys)
{
    LR_BUG_IF(!keys, false);
    if (!keys->has_next)
        return false;
    keys->has_next = false;
    return true;
}

void lr_ticket_keys_keep(lr_ticket_keys *keys, uint32_t count)
{
    uint32_t kept;

    if (!keys)
        return;
    kept = count < LR_TICKET_KEYS_MAX ? count + keys->has_next : LR_TICKET_KEYS_MAX;
    while (keys->count > kept)
        lr__wipe(keys->keys[--keys->count], LR_TICKET_KEY_SIZE);
}

uint32_t lr_ticket_keys_count(const lr_ticket_keys *keys)
{
    LR_BUG_IF(!keys, 0);
    return keys->count;
}

bool lr_ticket_keys_has_next(const lr_ticket_keys *keys)
{
    LR_BUG_IF(!keys, false);
    return keys->has_next;
}

bool lr_ticket_keys_get(const lr_ticket_keys *keys, uint32_t index, uint8_t out[LR_TICKET_KEY_SIZE])
{
    LR_BUG_IF(!keys || !out, false);
    if (index >= keys->count)
        return false;
    memcpy(out, keys->keys[index], LR_TICKET_KEY_SIZE);
    return true;
}

const uint8_t *lr__keys_current(const lr_ticket_keys *keys)
{
    return keys->count > keys->has_next ? keys->keys[keys->has_next] : NULL;
}

/* Names are no secret. */
const uint8_t *lr__keys_find(const lr_ticket_keys *keys, const uint8_t name[LR__KEY_NAME],
                             uint32_t *index)
{
    for (uint32_t i = 0; i < keys->count; i++) {
        if (memcmp(keys->keys[i], name, LR__KEY_NAME) != 0)
            continue;
        *index = i > keys->has_next ? i - keys->has_next : 0;
        return keys->keys[i];
    }
    return NULL;
}

const uint8_t *lr__key_set_find(const lr__key_set *set, const uint8_t name[LR__KEY_NAME],
                                uint64_t now_ns, bool *is_current)
{
    uint32_t rank;
    const uint8_t *key = lr__keys_find(set->keys, name, &rank);

    if (!key)
        return NULL;
    if (now_ns >= set->accept_until_ns[(size_t)(key - set->keys->keys[0]) / LR_TICKET_KEY_SIZE])
        return NULL;
    *is_current = rank == 0;
    return key;
}

static bool derive(const uint8_t key[LR_TICKET_KEY_SIZE], const uint8_t salt[LR__SEAL_SALT],
                   derived *out)
{
    static const char info[] = "lockring seal 1";

    return wc_HKDF(WC_SHA256, key + LR__KEY_NAME, LR_TICKET_KEY_SIZE - LR__KEY_NAME, salt,
                   LR__SEAL_SALT, (const uint8_t *)info, sizeof(info) - 1, (uint8_t *)out,
                   sizeof(*out)) == 0;
}

/* Name, salt and the policy. */
static size_t associate(uint8_t *out, const uint8_t *name, const uint8_t *salt, lr_slice bound)
{
    memcpy(out, name, LR__KEY_NAME);
    memcpy(out + LR__KEY_NAME, salt, LR__SEAL_SALT);
    if (bound.len != 0)
        memcpy(out + LR__KEY_NAME + LR__SEAL_SALT, bound.bytes, bound.len);
    return LR__KEY_NAME + LR__SEAL_SALT + bound.len;
}

/* One AEAD operation under a derived key. */
static bool run_aead(const derived *keys, bool seal, uint8_t *bytes, size_t len,
                     uint8_t tag[GCM_TAG], const uint8_t *associated, size_t associated_len)
{
    Aes aes;
    int ret = wc_AesInit(&aes, NULL, INVALID_DEVID);

    if (ret != 0)
        return false;
    ret = wc_AesGcmSetKey(&aes, keys->key, GCM_KEY);
    if (ret == 0 && seal)
        ret = wc_AesGcmEncrypt(&aes, bytes, bytes, (word32)len, keys->nonce, GCM_NONCE, tag,
                               GCM_TAG, associated, (word32)associated_len);
    else if (ret == 0)
        ret = wc_AesGcmDecrypt(&aes, bytes, bytes, (word32)len, keys->nonce, GCM_NONCE, tag,
                               GCM_TAG, associated, (word32)associated_len);
    wc_AesFree(&aes);
    return ret == 0;
}

bool lr__seal(const uint8_t key[LR_TICKET_KEY_SIZE], lr_slice bound, uint8_t *bytes, size_t len,
              uint8_t name[LR__KEY_NAME], uint8_t salt[LR__SEAL_SALT], uint8_t mac[LR__SEAL_MAC])
{
    uint8_t associated[LR__KEY_NAME + LR__SEAL_SALT + LR__SEAL_BOUND_MAX];
    size_t associated_len;
    derived keys;
    bool ok;

    LR_CHECK(bound.len <= LR__SEAL_BOUND_MAX);
    memcpy(name, key, LR__KEY_NAME);
    if (lr__rand_block(salt, LR__SEAL_SALT) != 0 || !derive(key, salt, &keys))
        return false;
    associated_len = associate(associated, name, salt, bound);
    ok = run_aead(&keys, true, bytes, len, mac, associated, associated_len);
    memcpy(mac + GCM_TAG, keys.commitment, COMMITMENT);
    lr__wipe(&keys, sizeof(keys));
    return ok;
}

bool lr__unseal(const uint8_t key[LR_TICKET_KEY_SIZE], lr_slice bound, uint8_t *bytes, size_t len,
                const uint8_t salt[LR__SEAL_SALT], const uint8_t mac[LR__SEAL_MAC])
{
    uint8_t associated[LR__KEY_NAME + LR__SEAL_SALT + LR__SEAL_BOUND_MAX], tag[GCM_TAG];
    uint8_t difference = 0;
    size_t associated_len;
    derived keys;
    bool ok;

    LR_CHECK(bound.len <= LR__SEAL_BOUND_MAX);
    if (!derive(key, salt, &keys)) {
        lr__wipe(bytes, len);
        return false;
    }
    for (size_t i = 0; i < COMMITMENT; i++) /* in constant time */
        difference |= (uint8_t)(keys.commitment[i] ^ mac[GCM_TAG + i]);
    memcpy(tag, mac, GCM_TAG);
    associated_len = associate(associated, key, salt, bound);
    ok = run_aead(&keys, false, bytes, len, tag, associated, associated_len) && difference == 0;
    lr__wipe(&keys, sizeof(keys));
    if (!ok)
        lr__wipe(bytes, len);
    return ok;
}
