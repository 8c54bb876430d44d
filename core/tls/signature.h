/* SPDX-License-Identifier: MIT */
/* core/tls/signature.h: signatures of what X.509 calls SIGNED: certificates and OCSP responses, by
 * wolfCrypt and without a certificate manager. Any thread, behind lr__tls_init(). */
#ifndef LR_CORE_TLS_SIGNATURE_H
#define LR_CORE_TLS_SIGNATURE_H

#include <lockring/base.h>

/* SEQUENCE { what is signed, AlgorithmIdentifier, BIT STRING, ... } (RFC 5280 4.1). */
typedef struct lr__signed {
    lr_slice body;      /* what is signed, with its header */
    lr_slice algorithm; /* content of the AlgorithmIdentifier */
    lr_slice signature; /* the bytes of the BIT STRING */
    lr_slice rest;      /* what follows inside the SEQUENCE */
} lr__signed;

/* False: it has another shape. */
bool lr__signed_parse(lr_slice der, lr__signed *out);

/* Null: the key has signed it. Else a clause; static. public_key: SubjectPublicKeyInfo. MD5, SHA-1
 * and RSASSA-PSS are not taken. */
const char *lr__signed_check(const lr__signed *what, lr_slice public_key);

#endif
