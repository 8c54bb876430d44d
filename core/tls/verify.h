/* SPDX-License-Identifier: MIT */
/* core/tls/verify.h: does a peer's certificate hold?
 *
 * lockring finds the path from the certificate to somebody trusted itself, and wolfSSL judges that
 * path, from the top down, in a certificate manager of its own that lives for one judgement. The
 * manager of a WOLFSSL_CTX stays empty, because whatever wolfSSL 5.9.2 accepts there while it reads
 * a Certificate message it trusts from then on, for every connection (src/internal.c,
 * ProcessPeerCerts()): also what a verify callback let pass. */
#ifndef LR_CORE_TLS_VERIFY_H
#define LR_CORE_TLS_VERIFY_H

#include "core/tls/trust.h"

enum { LR__PEER_CHAIN_MAX = 9 /* certificates in a message, MAX_CHAIN_DEPTH of wolfSSL 5.9.2 */ };

/* The codes are OpenSSL's, by the names that Node.js gives to authorizationError, and stay as they
 * are; alert: what a peer is told that is refused for it (RFC 8446 6.2). */
#define LR__VERIFY_CODES(X)                                                                        \
    X(UNABLE_TO_GET_ISSUER_CERT, 116) /* no certificate at all */                                  \
    X(UNABLE_TO_GET_CRL, 46)                                                                       \
    X(CERT_SIGNATURE_FAILURE, 42)                                                                  \
    X(CRL_SIGNATURE_FAILURE, 46)                                                                   \
    X(CERT_NOT_YET_VALID, 45)                                                                      \
    X(CERT_HAS_EXPIRED, 45)                                                                        \
    X(CRL_NOT_YET_VALID, 46)                                                                       \
    X(CRL_HAS_EXPIRED, 46)                                                                         \
    X(OUT_OF_MEM, 80)                                                                              \
    X(DEPTH_ZERO_SELF_SIGNED_CERT, 48)                                                             \
    X(SELF_SIGNED_CERT_IN_CHAIN, 48)                                                               \
    X(UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 48)                                                       \
    X(UNABLE_TO_VERIFY_LEAF_SIGNATURE, 48)                                                         \
    X(CERT_CHAIN_TOO_LONG, 48)                                                                     \
    X(CERT_REVOKED, 44)                                                                            \
    X(INVALID_CA, 48)                                                                              \
    X(PATH_LENGTH_EXCEEDED, 48)                                                                    \
    X(INVALID_PURPOSE, 43)                                                                         \
    X(CERT_UNTRUSTED, 48)                                                                          \
    X(CERT_REJECTED, 42)                                                                           \
    X(KEYUSAGE_NO_CRL_SIGN, 46)                                                                    \
    X(UNHANDLED_CRITICAL_EXTENSION, 43)                                                            \
    X(PERMITTED_VIOLATION, 42)                                                                     \
    X(UNSUPPORTED_CONSTRAINT_TYPE, 43)                                                             \
    X(EE_KEY_TOO_SMALL, 42)                                                                        \
    X(CA_KEY_TOO_SMALL, 42)                                                                        \
    X(CA_MD_TOO_WEAK, 42)

#define LR__VERIFY_ENUM(name, alert) LR__VERIFY_##name,
typedef enum lr__verify_code {
    LR__VERIFY_OK,
    LR__VERIFY_CODES(LR__VERIFY_ENUM) LR__VERIFY_CODE_COUNT
} lr__verify_code;
#undef LR__VERIFY_ENUM

const char *lr__verify_name(lr__verify_code code); /* "" for OK; static */
int lr__verify_alert(lr__verify_code code, lr_tls_version version);

/* That a list was signed by this issuer; one for each list of the trust, with whoever judges: a
 * worker's replica. */
typedef struct lr__crl_proof {
    bool proven;
    uint8_t issuer[32]; /* SHA-256 of its certificate */
} lr__crl_proof;

typedef struct lr__verify_rules {
    uint32_t depth;        /* intermediates, at most */
    uint32_t rsa_bits_min; /* of each key below the trusted one */
    int64_t now;           /* seconds since 1970 */
} lr__verify_rules;

/* Judges a client's certificates, the leaf first, then others in any order. *until: if they hold,
 * until when, by the certificates of the path and the lists that were asked, in seconds since 1970;
 * else INT64_MIN. */
lr__verify_code lr__verify_client(const lr__trust *trust, const lr__verify_rules *rules,
                                  lr__crl_proof *proofs, const lr_slice *chain, uint32_t count,
                                  int64_t *until);

#endif
