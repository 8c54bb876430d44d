/* SPDX-License-Identifier: MIT */
/* core/tls/crl.h: certificate revocation lists (RFC 5280 5), read once and looked up by every
 * worker. What is here was not proven to be signed by anybody: core/tls/verify.c does that. */
#ifndef LR_CORE_TLS_CRL_H
#define LR_CORE_TLS_CRL_H

#include <lockring/base.h>

#include <stdint.h>

/* Slices point into der. */
typedef struct lr__crl {
    lr_slice der, issuer;             /* the issuer with its SEQUENCE header */
    int64_t this_update, next_update; /* seconds since 1970; INT64_MAX: does not say */
    lr_slice *serials;                /* revoked, in their order; a heap block */
    uint32_t serial_count;
} lr__crl;

/* Borrows der, which must outlive it. False with a clause in *what: malformed, or a kind that is
 * not known here (a delta, or for a part of the certificates only), or (what is null) no memory. */
bool lr__crl_parse(lr_slice der, lr__crl *out, const char **what);
void lr__crl_fini(lr__crl *crl);
bool lr__crl_has(const lr__crl *crl, lr_slice serial);

#endif
