/* SPDX-License-Identifier: MIT */
/* core/tls/peer.h: the certificates that a peer sent and what became of them, in one heap block;
 * and how a handshake gets there. Belongs to one worker. */
#ifndef LR_CORE_TLS_PEER_H
#define LR_CORE_TLS_PEER_H

#include "core/tls/context.h"
#include "core/tls/proof.h"
#include "core/tls/verify.h"

typedef struct lr__peer {
    lr__verify_code code; /* LR__VERIFY_OK: authorized */
    int64_t until;        /* OK: it holds so long, in seconds since 1970 */
    bool has_digest;      /* there is a certificate, also where only this is known of it */
    uint8_t digest[32];   /* SHA-256 of the leaf */
    uint32_t count;
    lr_slice certificates[]; /* into this block, the leaf first */
} lr__peer;

/* Judges, copies. Null: no memory. */
lr__peer *lr__peer_judge(const lr__replica *replica, const lr_slice *chain, uint32_t count);
lr__peer *lr__peer_new(lr__verify_code code, const lr_slice *chain, uint32_t count);
void lr__peer_free(lr__peer *peer); /* null is allowed */

/* One handshake that asks for a certificate. wolfSSL is told to verify, or it would not ask; but
 * its own judgement is not heard: see core/tls/verify.h. While it reads a Certificate message its
 * verification is switched off, from the first call of the callback to the last, so that it trusts
 * nobody new, and so that the alert is ours. */
typedef struct lr__asking {
    lr__replica *replica;
    struct WOLFSSL *ssl;
    lr__peer *peer; /* null: not judged yet */
    bool off;       /* wolfSSL's verification is switched off */
    bool reject;    /* whoever has none that holds is refused */
    bool later;     /* asked on an established connection */
    bool refused;   /* the handshake must not go on */
    bool no_memory;
    int alert;       /* that was sent, where it is refused */
    lr__proof proof; /* later, in TLS 1.3 */
} lr__asking;

struct WOLFSSL;
struct WOLFSSL_CTX;
/* For every connection of a context that asks. */
void lr__asking_set_up(struct WOLFSSL_CTX *ctx);
/* Before the handshake; asking must outlive it. */
void lr__asking_begin(lr__asking *asking, struct WOLFSSL *ssl);
/* The same on an established connection, by a WOLFSSL that did not ask so far. */
void lr__asking_begin_later(lr__asking *asking, struct WOLFSSL *ssl);
/* A handshake without a question, by a WOLFSSL of a context that asks. */
void lr__asking_skip(struct WOLFSSL *ssl);
/* After it: was the question put, and is wolfSSL's verification on, so that the proof of the key
 * (CertificateVerify) was demanded? */
bool lr__asking_is_sound(const lr__asking *asking);
/* The same for a question of TLS 1.3 behind the handshake: was the proof there too? */
bool lr__asking_is_proven(const lr__asking *asking);

#endif
