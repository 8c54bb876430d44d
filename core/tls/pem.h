/* SPDX-License-Identifier: MIT */
/* core/tls/pem.h: PEM files and texts (RFC 7468) into DER. Any thread. */
#ifndef LR_CORE_TLS_PEM_H
#define LR_CORE_TLS_PEM_H

#include <lockring/base.h>

enum {
    LR__PEM_FILE_MAX = 1 << 20,
    LR__PASSPHRASE_MAX = 79 /* wolfSSL 5.9.2 cuts longer ones (NAME_SZ, wolfcrypt/src/asn.c) */
};

/* Reads a whole regular file of at most LR__PEM_FILE_MAX bytes; *block is the caller's. */
lr_status lr__pem_read(const char *path, uint8_t **block, lr_slice *out, lr_error *err);

/* Every CERTIFICATE block of the text, in order, into one heap block *chain that the caller owns;
 * out[i] point into it. name stands for the source in messages. */
lr_status lr__pem_certificates(lr_slice pem, const char *name, uint8_t **chain, lr_slice *out,
                               uint32_t max, uint32_t *count, lr_error *err);

/* The first private key of the text (PKCS#8, PKCS#1, SEC 1) as DER in a heap block of the caller's,
 * to be wiped. An encrypted one (PKCS#8 by RFC 8018, or "Proc-Type: 4,ENCRYPTED") needs the
 * passphrase, which may be null and is not looked at for others. */
lr_status lr__pem_key(lr_slice pem, const char *name, const char *passphrase, uint8_t **der,
                      uint32_t *size, lr_error *err);

#endif
