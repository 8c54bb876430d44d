/* SPDX-License-Identifier: MIT */
/* core/tls/proof.h: a client of TLS 1.3 that was asked behind the handshake (RFC 8446 4.6.2): has
 * it shown that the key is its own, and was its Finished taken?
 *
 * wolfSSL 5.9.2 tells neither, and where the session was resumed it takes a Finished without a
 * CertificateVerify before it (src/tls13.c, SanityCheckTls13MsgReceived()). Both are seen where it
 * asks for work to be done: a signature of the peer's to be verified, which is done here, and the
 * resumption secret, which it derives from the transcript behind a Finished that it has taken. */
#ifndef LR_CORE_TLS_PROOF_H
#define LR_CORE_TLS_PROOF_H

#include <stdbool.h>

typedef struct lr__proof {
    bool judged;   /* the whole Certificate message was; set by whoever judges it */
    bool verified; /* and then a signature by its key */
    bool finished; /* the Finished was taken */
    bool proven;   /* and the signature stood before it */
} lr__proof;

struct WOLFSSL_CTX;
/* For every connection of a context that may ask later. */
void lr__proof_set_up(struct WOLFSSL_CTX *ctx);
/* What this thread's calls of wolfSSL show is noted in proof from here on; null: nowhere. */
void lr__proof_watch(lr__proof *proof);

#endif
