/* SPDX-License-Identifier: MIT */
/* matrix_pki.h: certificates of clients and revocation lists for the matrix of resumption, made
 * when it begins, because some of them end an hour after that. */
#ifndef LR_TESTS_MATRIX_MATRIX_PKI_H
#define LR_TESTS_MATRIX_MATRIX_PKI_H

#include <lockring/base.h>

#include <openssl/ssl.h>

/* The clients. */
typedef enum matrix_who {
    WHO_NOBODY,   /* without a certificate */
    WHO_KNOWN,    /* of authority A */
    WHO_STRANGER, /* of authority B */
    WHO_DEEP,     /* of an intermediate of A */
    WHO_SMALL,    /* of A, with an RSA key of 1024 bits */
    WHO_BRIEF,    /* of A; its certificate ends MATRIX_BRIEF_S after the beginning */
    WHO_COUNT
} matrix_who;

enum { MATRIX_BRIEF_S = 3600 };

extern const char *const matrix_who_names[WHO_COUNT];

/* Of authority A. */
typedef enum matrix_crl {
    CRL_NONE,
    CRL_EMPTY,
    CRL_REVOKING, /* WHO_KNOWN */
    CRL_BRIEF,    /* empty; its next update is MATRIX_BRIEF_S after the beginning */
    CRL_COUNT
} matrix_crl;

typedef enum matrix_trust { TRUST_A, TRUST_B, TRUST_AB, TRUST_COUNT } matrix_trust;

void matrix_pki_make(void); /* at the first call */
lr_slice matrix_pki_trust(matrix_trust trust);
lr_slice matrix_pki_crl(matrix_crl crl);
bool matrix_pki_use(SSL_CTX *ctx, matrix_who who);
void matrix_pki_free(void);

#endif
