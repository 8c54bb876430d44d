/* SPDX-License-Identifier: MIT */
/* core/tls/x509.h: a small DER walk over a certificate (RFC 5280 4.1), enough to check a chain's
 * order and dates without an object of wolfSSL. Pure. */
#ifndef LR_CORE_TLS_X509_H
#define LR_CORE_TLS_X509_H

#include <lockring/base.h>

/* Slices point into the certificate; names with their SEQUENCE header. */
typedef struct lr__x509 {
    lr_slice serial, issuer, subject, public_key_info;
    int64_t not_before, not_after; /* seconds since 1970 */
} lr__x509;

/* False: not a certificate as RFC 5280 has it. */
bool lr__x509_parse(lr_slice der, lr__x509 *out);

#endif
