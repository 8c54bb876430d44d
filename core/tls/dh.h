/* SPDX-License-Identifier: MIT */
/* core/tls/dh.h: parameters of finite-field Diffie-Hellman (PKCS#3), for TLS 1.2. */
#ifndef LR_CORE_TLS_DH_H
#define LR_CORE_TLS_DH_H

#include <lockring/base.h>

enum {
    LR__DH_BITS_MODERN = 2048,
    LR__DH_BITS_LEAST = 1024, /* S119 */
    LR__DH_BITS_MOST = 8192   /* a larger prime costs more than a handshake may */
};

/* All zero: none. p and g without leading zeros, in one heap block. */
typedef struct lr__dh {
    uint8_t *block;
    lr_slice p, g;
} lr__dh;

/* From the file or the slice, at most one of them; neither: none. That p is a prime is for wolfSSL
 * to say. LR_EFILE, LR_EOPTION. */
lr_status lr__dh_load(lr__dh *dh, const char *file, lr_slice bytes, uint32_t bits_least,
                      lr_error *err);
void lr__dh_fini(lr__dh *dh);

#endif
