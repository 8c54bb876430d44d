/* SPDX-License-Identifier: MIT */
/* core/tls/pem.h: PEM files and texts (RFC 7468) into DER; what is DER already is taken too, told
 * from PEM by its content. Any thread. */
#ifndef LR_CORE_TLS_PEM_H
#define LR_CORE_TLS_PEM_H

#include <lockring/base.h>

enum {
    LR__PEM_FILE_MAX = 1 << 20,
    LR__PASSPHRASE_MAX = 79 /* wolfSSL 5.9.2 cuts longer ones (NAME_SZ, wolfcrypt/src/asn.c) */
};

/* Reads a whole regular file of at most max bytes; *block is the caller's, also where it is of no
 * bytes. */
lr_status lr__pem_read(const char *path, size_t max, uint8_t **block, lr_slice *out, lr_error *err);

/* The bytes of an option: of a file, or the caller's from memory. */
typedef struct lr__input {
    const char *name; /* the path, or the name of the option */
    lr_slice bytes;
    uint8_t *block; /* of a file */
} lr__input;

/* file may be null: then it is the slice. */
lr_status lr__input_open(lr__input *source, const char *option, const char *file, lr_slice bytes,
                         size_t max, lr_error *err);
void lr__input_close(lr__input *source, bool secret); /* secret: wipes what was read */

/* What is looked for: the word for it in messages, the labels of its PEM blocks, the status of what
 * is no such thing. */
typedef struct lr__pem_kind {
    const char *noun, *labels[2];
    lr_status status;
} lr__pem_kind;

typedef struct lr__der {
    uint8_t *bytes; /* a heap block */
    uint32_t size;
    uint32_t line; /* of its PEM block in the source; 0: the source was DER */
} lr__der;

typedef struct lr__der_list {
    lr__der *items;
    uint32_t count, room;
} lr__der_list;

/* Adds all objects of that kind, PEM blocks or one in DER, to the list. A source without one is
 * refused. After a failure what was added is still there. */
lr_status lr__der_list_add(lr__der_list *list, const lr__input *source, const lr__pem_kind *kind,
                           lr_error *err);
/* Adds a copy of one object. False: no memory. */
bool lr__der_list_put(lr__der_list *list, lr_slice der);
void lr__der_list_fini(lr__der_list *list);

/* Every CERTIFICATE block of the text (or the one certificate in DER), in order, into one heap
 * block *chain that the caller owns; out[i] point into it. name stands for the source in messages.
 */
lr_status lr__pem_certificates(lr_slice pem, const char *name, uint8_t **chain, lr_slice *out,
                               uint32_t max, uint32_t *count, lr_error *err);

/* The first private key of the text, or that in DER (PKCS#8, PKCS#1, SEC 1), as DER in a secret
 * block (core/base/secret.h) of the caller's. An encrypted one (PKCS#8 by RFC 8018, or "Proc-Type:
 * 4,ENCRYPTED") needs the passphrase, which may be null and is not looked at for others. */
lr_status lr__pem_key(lr_slice pem, const char *name, const char *passphrase, uint8_t **der,
                      uint32_t *size, lr_error *err);

#endif
