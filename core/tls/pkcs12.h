/* SPDX-License-Identifier: MIT */
/* core/tls/pkcs12.h: a key and its certificates out of a PKCS#12 file (RFC 7292), old ones with
 * triple DES and RC2-40 too. */
#ifndef LR_CORE_TLS_PKCS12_H
#define LR_CORE_TLS_PKCS12_H

#include "core/tls/identity.h"
#include "core/tls/pem.h"

/* The key, its certificate, and behind it those of the others that continue the chain. All the
 * others are added to the list. The passphrase may be null. LR_EKEY, LR_ECERTIFICATE. */
lr_status lr__pkcs12_load(lr__identity *identity, const lr__input *input, const char *passphrase,
                          lr__der_list *others, lr_error *err);

#endif
