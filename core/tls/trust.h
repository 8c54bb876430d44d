/* SPDX-License-Identifier: MIT */
/* core/tls/trust.h: whom a context trusts: certificates of authorities and revocation lists, read
 * once, looked up by every worker, written by nobody after that. */
#ifndef LR_CORE_TLS_TRUST_H
#define LR_CORE_TLS_TRUST_H

#include "core/tls/crl.h"
#include "core/tls/pem.h"
#include "core/tls/x509.h"

#include <lockring/context.h>

/* Slices point into the certificate. */
typedef struct lr__authority {
    lr_slice der;
    lr__x509 x509;
    lr_slice key_id;
    uint8_t digest[32]; /* SHA-256 of der */
} lr__authority;

/* All zero: nobody. The caller may have put certificates there before it is loaded. */
typedef struct lr__trust {
    lr__der_list certificates, lists;
    lr__authority *authorities;
    uint32_t authority_count;
    lr__crl *crls;
    uint32_t crl_count;
    uint8_t digest[32];       /* of the authorities, whatever their order; not of the lists */
    uint8_t lists_digest[32]; /* of the lists, in their order; zero: there are none */
} lr__trust;

/* Reads what the options name: ca_file, ca, crl_files, crls, and with system the public bundle.
 * LR_EFILE, LR_ECERTIFICATE, LR_EOPTION; after a failure what was read is still there. */
lr_status lr__trust_load(lr__trust *trust, const lr_context_options *options, bool system,
                         lr_error *err);
void lr__trust_fini(lr__trust *trust);

/* The authority that may have issued the certificate, from *at on (0 to begin); null: no more. */
const lr__authority *lr__trust_issuer(const lr__trust *trust, const lr__x509 *of,
                                      lr_slice issuer_key_id, uint32_t *at);

#endif
