/* SPDX-License-Identifier: MIT */
/* lockring/ticket_keys.h: the keys that seal session tickets and stored sessions (S50, S56, S128).
 *
 * A key is 48 bytes as in Node and nginx: 16 of name, 16 of HMAC and 16 of AES. Here they are the
 * input of an AEAD key that is derived for each ticket, so tickets are lockring's own: nginx and
 * HAProxy cannot read them, nor lockring theirs, also where they share a file of keys.
 *
 * An lr_ticket_keys is a list in the order of use: the first is the current one, which seals; all
 * of them open. One that is marked next opens and does not seal yet, so that every server of a
 * fleet can open what the first of them seals after the change.
 *
 * Threads  one at a time.
 * Memory   the keys lie in blocks that core dumps leave out, and are wiped at the end.
 * Errors   err names the key by its rank and what is wrong with it; the list is unchanged then. */
#ifndef LOCKRING_TICKET_KEYS_H
#define LOCKRING_TICKET_KEYS_H

#include <lockring/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { LR_TICKET_KEY_SIZE = 48, LR_TICKET_KEYS_MAX = 16 };

typedef struct lr_ticket_keys lr_ticket_keys;

LR_API LR_ANY LR_NODISCARD lr_ticket_keys *lr_ticket_keys_new(void); /* empty; null: no memory */
LR_API LR_ANY void lr_ticket_keys_free(lr_ticket_keys *keys);        /* wipes; null is allowed */

/* Appends a key of the caller's: exactly 48 bytes. LR_EKEY: another length, or weak material (all
 * bytes equal; a name of zeros; a secret part with fewer than 16 different bytes, or with equal
 * halves), or a name that the list has; LR_EINVAL: the list is full. (S56) */
LR_API LR_ANY LR_NODISCARD lr_status lr_ticket_keys_add(lr_ticket_keys *keys, lr_slice key,
                                                        lr_error *err);
/* Puts a key from the system's generator in front: it is the current one, or, if as_next, the next
 * one. The oldest goes where the list is full. LR_ERANDOM. */
LR_API LR_ANY LR_NODISCARD lr_status lr_ticket_keys_draw(lr_ticket_keys *keys, bool as_next,
                                                         lr_error *err);
/* The next key becomes the current one. False: there is none. */
LR_API LR_ANY bool lr_ticket_keys_advance(lr_ticket_keys *keys);
/* Forgets the oldest ones beyond count; the next key does not count. */
LR_API LR_ANY void lr_ticket_keys_keep(lr_ticket_keys *keys, uint32_t count);

/* Reads the text or bytes of a file of keys and appends them: raw keys of 48 bytes one behind the
 * other (ours, Node's, nginx's of 48), one raw key of 80 bytes (nginx, AES-256: its secret part is
 * folded into 48), or lines of base64, 48 or 80 bytes each, blank lines and # comments left out:
 * HAProxy's tls-ticket-keys, whose last line but one is the current one and whose last line is the
 * next one (is_haproxy), or lockring's own, where each line begins with the role of its key,
 * "next", "current" or "previous", in this order. These two are whole lists, for an empty one.
 * LR_EKEY names the line or rank. */
LR_API LR_ANY LR_NODISCARD lr_status lr_ticket_keys_import(lr_ticket_keys *keys, lr_slice file,
                                                           bool is_haproxy, lr_error *err);

typedef enum lr_ticket_keys_form {
    LR_TICKET_KEYS_ROLES = 1,  /* lockring's own text */
    LR_TICKET_KEYS_RAW = 2,    /* 48 bytes each, the current one first, the next one behind it */
    LR_TICKET_KEYS_HAPROXY = 3 /* base64, the oldest first; without a next key LR_EKEY */
} lr_ticket_keys_form;

enum { LR_TICKET_KEYS_FILE_MAX = 2048 }; /* bytes; as a text no zero ends it */

/* Writes the list as a file for lr_ticket_keys_import() and others; the caller wipes it. LR_EKEY:
 * there is no key. */
LR_API LR_ANY LR_NODISCARD lr_status lr_ticket_keys_export(const lr_ticket_keys *keys,
                                                           lr_ticket_keys_form form,
                                                           uint8_t out[LR_TICKET_KEYS_FILE_MAX],
                                                           size_t *len, lr_error *err);

LR_API LR_ANY uint32_t lr_ticket_keys_count(const lr_ticket_keys *keys);
LR_API LR_ANY bool lr_ticket_keys_has_next(const lr_ticket_keys *keys); /* then it is number 0 */
/* The 48 bytes of a key, copied to out; the caller wipes them. False: there is no such key. */
LR_API LR_ANY bool lr_ticket_keys_get(const lr_ticket_keys *keys, uint32_t index,
                                      uint8_t out[LR_TICKET_KEY_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
