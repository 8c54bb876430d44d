/* SPDX-License-Identifier: MIT */
/* core/tls/context.h: the immutable, counted description behind lr_context, and its replica: what
 * one worker makes of it on first use, a WOLFSSL_CTX for each identity.
 *
 * A context is read by every worker and written by nobody after lr_context_new(); only its count
 * crosses threads. A replica belongs to one worker. */
#ifndef LR_CORE_TLS_CONTEXT_H
#define LR_CORE_TLS_CONTEXT_H

#include "core/base/list.h"
#include "core/tls/dh.h"
#include "core/tls/identity.h"
#include "core/tls/names.h"
#include "core/tls/renegotiation.h"
#include "core/tls/verify.h"

#include <lockring/context.h>

#include <stdatomic.h>

enum {
    LR__IDENTITY_MAX = 8,
    LR__ALPN_MAX = 16,
    LR__FRAGMENT_MIN = 512,
    LR__FRAGMENT_MAX = 16384,
    LR__SESSIONS_MAX = 4, /* new ones in one handshake */
    LR__TICKETS_USUAL = 2,
    LR__SESSION_LIFETIME_S = 7200,
    LR__SESSION_LIFETIME_NODE4_S = 300,
    LR__SESSION_AGE_MAX = 7 * 86400 /* seconds since the full handshake (RFC 8446 4.6.1) */
};

struct lr_context {
    _Atomic uint32_t references;               /* any thread; relaxed up, acquire-release down */
    lr__identity identities[LR__IDENTITY_MAX]; /* in the order of preference */
    uint32_t identity_count;
    lr_tls_version version_min, version_max;
    uint16_t suites[LR__SUITE_LIST_MAX]; /* in the order of preference */
    uint32_t suite_count;
    bool suites_ordered; /* somebody named them: no client that likes ChaCha20 changes the order */
    bool client_order;   /* every client chooses by its own order */
    lr__dh dh;           /* none: no DHE */
    char suites_text[LR__SUITE_TEXT_MAX];         /* in wolfSSL's words */
    char suites_chacha_first[LR__SUITE_TEXT_MAX]; /* for clients that like it best */
    uint16_t groups[LR__GROUP_LIST_MAX];
    uint32_t group_count;
    char *alpn_text; /* the protocols' bytes */
    lr_slice alpn[LR__ALPN_MAX];
    uint32_t alpn_count;
    bool alpn_required;
    uint32_t fragment_size_max; /* 0: the server's */
    bool node4;                 /* LR_PROFILE_NODE4, for defaults that are no context's own */
    bool request_cert, request_cert_later, reject_unauthorized;
    uint32_t verify_depth, rsa_bits_min;
    lr__trust trust;
    lr__renegotiation_limit renegotiations;
    lr_toggle tickets; /* LR_DEFAULT: where the server does not store sessions */
    uint32_t ticket_count, session_lifetime_s;
    uint8_t policy[32]; /* lr__policy_digest() */
};

/* Tickets and stored sessions are sealed to it: SHA-256 over the content, and only the content,
 * that decides who may connect: versions, suites, whether and how certificates of clients are asked
 * for, who is trusted for them, and the operator's label (session_id_context). Equal on every
 * machine with the same options. Revocation lists are not in it: they are asked anew each time. 32
 * bytes; lives as long as the context. */
const uint8_t *lr__context_policy(const lr_context *context);
/* Computes it (core/tls/policy.c); the context is complete but for that. */
lr_status lr__policy_digest(lr_context *context, const char *label, lr_error *err);

/* The leaf that the choice serves, and its issuer: empty if the leaf is self-signed or its issuer
 * is not known (S29). */
struct lr__gate_choice;
void lr__context_chain_of(const lr_context *context, const struct lr__gate_choice *choice,
                          lr_slice *certificate, lr_slice *issuer);

typedef struct lr__replica {
    lr__list node;               /* in the worker's table of replicas */
    lr__list idle;               /* in the worker's list of those that no connection uses */
    uint32_t conn_count;         /* that use it */
    bool stale;                  /* no new connection gets it */
    lr_context *context;         /* a reference */
    bool stores;                 /* for a server that stores sessions */
    uint32_t session_lifetime_s; /* that clients are told: the context's, or what keys allow */
    int64_t not_after;           /* lr_context_not_after(); by the worker */
    struct WOLFSSL_CTX *ctx[LR__IDENTITY_MAX]; /* one for each identity */
    lr__crl_proof *crl_proofs;                 /* one for each list of the context's trust */
} lr__replica;

/* keep_s: what is sealed opens at least so long; 0: nobody says. */
lr_status lr__replica_new(lr_context *context, bool stores, uint32_t keep_s, lr__replica **out,
                          lr_error *err);
void lr__replica_free(lr__replica *replica);

/* Makes an ECDSA P-256 key and a certificate for the names (core/tls/selfsign.c), both in DER, heap
 * blocks that the caller owns. */
lr_status lr__self_signed(const char *names, uint8_t **cert, uint32_t *cert_size, uint8_t **key,
                          uint32_t *key_size, lr_error *err);

#endif
