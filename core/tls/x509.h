/* SPDX-License-Identifier: MIT */
/* core/tls/x509.h: a small DER walk over a certificate (RFC 5280 4.1), enough to check a chain's
 * order and dates without an object of wolfSSL. Pure. */
#ifndef LR_CORE_TLS_X509_H
#define LR_CORE_TLS_X509_H

#include <lockring/base.h>

typedef enum lr__key_kind {
    LR__KEY_OTHER,
    LR__KEY_RSA, /* rsaEncryption */
    LR__KEY_P256,
    LR__KEY_P384,
    LR__KEY_P521,
    LR__KEY_ED25519
} lr__key_kind;

/* Slices point into the certificate; names with their SEQUENCE header. */
typedef struct lr__x509 {
    lr_slice serial, issuer, subject, public_key_info;
    int64_t not_before, not_after; /* seconds since 1970 */
    lr__key_kind key_kind;
} lr__x509;

/* False: not a certificate as RFC 5280 has it. */
bool lr__x509_parse(lr_slice der, lr__x509 *out);

const char *lr__key_kind_name(lr__key_kind kind); /* "RSA", "ECDSA P-256"; static */

/* Takes the element at the front of *in: its tag, its content, and (whole, if not null) the element
 * itself. False: *in does not begin with a whole element. */
bool lr__der_take(lr_slice *in, uint8_t *tag, lr_slice *content, lr_slice *whole);

#endif
