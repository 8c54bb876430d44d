/* SPDX-License-Identifier: MIT */
/* core/tls/keys.h: ticket keys, and sealing with them.
 *
 * What is sealed looks like this, in the places that wolfSSL has for it:
 *
 *     name 16 | salt 16 | ciphertext, as long as the plaintext | tag 16 | commitment 16
 *
 * From the key's 32 secret bytes and the salt HKDF-SHA256 (RFC 5869) makes an AES-128-GCM key, a
 * nonce and the commitment, so no nonce is ever used twice under one key, and what opens under one
 * key opens under no other. The associated data is name, salt and the caller's: the policy to which
 * the ticket is bound. Pure but for the salt; no clock. */
#ifndef LR_CORE_TLS_KEYS_H
#define LR_CORE_TLS_KEYS_H

#include <lockring/ticket_keys.h>

enum {
    LR__KEY_NAME = 16,
    LR__SEAL_SALT = 16,
    LR__SEAL_MAC = 32,       /* tag and commitment */
    LR__SEAL_BOUND_MAX = 96, /* of the associated data of the caller */
    LR__SEAL_OVERHEAD = LR__KEY_NAME + LR__SEAL_SALT + LR__SEAL_MAC
};

struct lr_ticket_keys {
    uint8_t (*keys)[LR_TICKET_KEY_SIZE]; /* [LR_TICKET_KEYS_MAX], a secret block */
    uint32_t count;
    bool has_next; /* keys[0] opens only */
};

/* Null: the material is good. A key is random, or it is somebody's mistake. Static. */
const char *lr__keys_weakness(const uint8_t *key, size_t len);
/* Appends a key of 48 bytes; where and rank name it in err: "key on line", 3. */
lr_status lr__keys_append(lr_ticket_keys *keys, const uint8_t *key, const char *where,
                          uint32_t rank, lr_error *err);

/* The key that seals; null: there is none, and then there is no ticket. */
const uint8_t *lr__keys_current(const lr_ticket_keys *keys);
/* The key of that name; *index its rank behind the current one (0: the current or the next). */
const uint8_t *lr__keys_find(const lr_ticket_keys *keys, const uint8_t name[LR__KEY_NAME],
                             uint32_t *index);

/* A list as workers use it: immutable, and with the times until which retired keys still open
 * (monotonic ns; UINT64_MAX: the key is not retired). */
typedef struct lr__key_set {
    lr_ticket_keys *keys;
    uint64_t accept_until_ns[LR_TICKET_KEYS_MAX]; /* by index into keys */
} lr__key_set;

/* The key of that name, unless it is retired and its time is over. *is_current: what it sealed
 * needs no new ticket, because it is the current key or already the next one. */
const uint8_t *lr__key_set_find(const lr__key_set *set, const uint8_t name[LR__KEY_NAME],
                                uint64_t now_ns, bool *is_current);

/* In place. Writes name, salt and mac. False: no randomness, or wolfCrypt failed. */
bool lr__seal(const uint8_t key[LR_TICKET_KEY_SIZE], lr_slice bound, uint8_t *bytes, size_t len,
              uint8_t name[LR__KEY_NAME], uint8_t salt[LR__SEAL_SALT], uint8_t mac[LR__SEAL_MAC]);
/* In place. False: it is not what that key sealed for that policy; the bytes are wiped then. */
bool lr__unseal(const uint8_t key[LR_TICKET_KEY_SIZE], lr_slice bound, uint8_t *bytes, size_t len,
                const uint8_t salt[LR__SEAL_SALT], const uint8_t mac[LR__SEAL_MAC]);

#endif
