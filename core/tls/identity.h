/* SPDX-License-Identifier: MIT */
/* core/tls/identity.h: a certificate chain and its key, read, checked and kept in DER. */
#ifndef LR_CORE_TLS_IDENTITY_H
#define LR_CORE_TLS_IDENTITY_H

#include "core/tls/x509.h"

struct lr__trust;

#include <lockring/context.h>

enum { LR__CHAIN_MAX = 10 };

/* All zero is none. Read by every worker, written by nobody once it is loaded. */
typedef struct lr__identity {
    uint8_t *chain; /* the certificates in DER, one behind the other, leaf first */
    lr_slice certificates[LR__CHAIN_MAX];
    uint32_t certificate_count;
    uint8_t *key; /* DER; wiped at the end */
    uint32_t key_size;
    lr__key_kind kind; /* of the leaf's public key */
} lr__identity;

/* where stands before the names of the options in messages: "" or "identities[2]: ". After a
 * failure what was loaded is still there, for lr__identity_fini(). */
lr_status lr__identity_load(lr__identity *identity, const lr_identity *from, const char *where,
                            lr_error *err);

/* A PKCS#12 file, or the same from memory. What certificates it has beside the leaf are added to
 * others. */
struct lr__der_list;
lr_status lr__identity_load_pkcs12(lr__identity *identity, const char *file, lr_slice bytes,
                                   const char *passphrase, struct lr__der_list *others,
                                   lr_error *err);

/* Where the chain does not end in a root: appends issuers that are trusted, but no root. */
lr_status lr__identity_complete(lr__identity *identity, const struct lr__trust *trust,
                                lr_error *err);

/* A certificate made in memory (core/tls/selfsign.c). */
lr_status lr__identity_make(lr__identity *identity, const char *names, lr_error *err);
void lr__identity_fini(lr__identity *identity);

#endif
