/* SPDX-License-Identifier: MIT */
/* sealer.h: sessions sealed and opened without a handshake, for tests and fuzzers. What a full
 * handshake would have found out of its client is put into a session that was "resumed". */
#ifndef LR_TESTS_UNIT_SEALER_H
#define LR_TESTS_UNIT_SEALER_H

#include "core/tls/session.h"

#include <lockring/hello.h>

enum { SEALER_ROOM = LR_SESSION_VALUE_MAX + 64 };

/* Keys that are not random: seed, seed + 1, ... The first is the current one. */
void sealer_keys(lr__key_set *set, uint8_t seed, uint32_t count);
void sealer_keys_free(lr__key_set *set);

/* Of a client that was never asked; bound to nothing. */
lr__sessions *sealer_new(const lr_context *context, const lr__key_set *keys);
/* As if the handshake were a resumption of one with that peer; born_s 0: now. */
void sealer_set_peer(lr__sessions *sessions, lr__session_peer peer, int64_t born_s,
                     int64_t until_s);

/* Ticket and value as a client and a store have them. wolf: what stands for wolfSSL's part. The
 * length; 0: failed. */
size_t sealer_ticket(lr__sessions *sessions, lr_tls_version version, lr_slice wolf,
                     uint8_t out[SEALER_ROOM]);
size_t sealer_value(lr__sessions *sessions, lr_tls_version version, const uint8_t *id,
                    lr_slice wolf, uint8_t out[SEALER_ROOM]);

#endif
