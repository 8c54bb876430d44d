/* SPDX-License-Identifier: MIT */
/* core/tls/identity.h: a certificate chain and its key, read, checked and kept in DER. */
#ifndef LR_CORE_TLS_IDENTITY_H
#define LR_CORE_TLS_IDENTITY_H

#include "core/tls/x509.h"

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

/* A certificate made in memory (core/tls/selfsign.c). */
lr_status lr__identity_make(lr__identity *identity, const char *names, lr_error *err);
void lr__identity_fini(lr__identity *identity);

#endif
