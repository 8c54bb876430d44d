/* SPDX-License-Identifier: MIT */
#include "sealer.h"

#include "core/base/check.h"
#include "core/base/current.h"
#include "core/base/mem.h"

#include <string.h>

void sealer_keys(lr__key_set *set, uint8_t seed, uint32_t count)
{
    memset(set, 0, sizeof(*set));
    set->keys = lr_ticket_keys_new();
    LR_CHECK(set->keys != NULL);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t key[LR_TICKET_KEY_SIZE];

        for (uint32_t j = 0; j < sizeof(key); j++)
            key[j] = (uint8_t)(seed + i + j * 37);
        LR_CHECK(lr_ticket_keys_add(set->keys, lr_slice_of(key, sizeof(key)), NULL) == LR_OK);
        set->accept_until_ns[i] = UINT64_MAX;
    }
}

void sealer_keys_free(lr__key_set *set)
{
    lr_ticket_keys_free(set->keys);
}

lr__sessions *sealer_new(const lr_context *context, const lr__key_set *keys)
{
    lr__sessions *sessions = lr__sessions_new(context, keys);

    LR_CHECK(sessions != NULL);
    LR_CHECK(lr__session_bind(lr_slice_of(NULL, 0), lr_slice_of(NULL, 0), sessions->binding));
    return sessions;
}

void sealer_set_peer(lr__sessions *sessions, lr__session_peer peer, int64_t born_s, int64_t until_s)
{
    lr__session *offered = lr__alloc_zero(1, sizeof(*offered));

    LR_CHECK(offered != NULL);
    offered->peer = peer;
    offered->born_s = born_s ? born_s : lr__current_wall_ms() / 1000;
    offered->until_s = until_s;
    memset(offered->leaf, 'l', sizeof(offered->leaf));
    lr__session_free(sessions->offered);
    sessions->offered = offered;
    sessions->resumed = true;
}

/* In the places that wolfSSL has for it (core/tls/session.h). */
size_t sealer_ticket(lr__sessions *sessions, lr_tls_version version, lr_slice wolf,
                     uint8_t out[SEALER_ROOM])
{
    uint8_t *at = out + LR__KEY_NAME + LR__SEAL_SALT + 2, mac[LR__SEAL_MAC];
    size_t len;

    if (wolf.len != 0)
        memcpy(at, wolf.bytes, wolf.len);
    len = lr__session_seal_ticket(sessions, version, at, wolf.len, wolf.len + 160, out,
                                  out + LR__KEY_NAME, mac);
    if (len == 0)
        return 0;
    at[-2] = (uint8_t)(len >> 8);
    at[-1] = (uint8_t)len;
    memcpy(at + len, mac, sizeof(mac));
    return (size_t)(at + len + sizeof(mac) - out);
}

size_t sealer_value(lr__sessions *sessions, lr_tls_version version, const uint8_t *id,
                    lr_slice wolf, uint8_t out[SEALER_ROOM])
{
    lr_bytes *value = lr__session_seal_stored(sessions, version, id, wolf);
    size_t len = lr_bytes_slice(value).len;

    if (len != 0)
        memcpy(out, lr_bytes_slice(value).bytes, len);
    lr_bytes_release(value);
    return len;
}
