/* SPDX-License-Identifier: MIT */
/* fixtures.h: certificates and private keys for tests, as PEM texts (made by fixtures.sh).
 *
 * All are valid from 2020 to 2126 but where the name says otherwise. Leaves are for localhost,
 * www.example.org and 127.0.0.1. */
#ifndef LR_TESTS_UNIT_FIXTURES_H
#define LR_TESTS_UNIT_FIXTURES_H

extern const char fixture_root[];         /* issuer of all that follow, but for leaf */
extern const char fixture_intermediate[]; /* issuer of leaf */
extern const char fixture_leaf[];         /* of fixture_ecdsa_key */
extern const char fixture_ecdsa[];        /* P-256 */
extern const char fixture_p384[];         /* ECDSA P-384 */
extern const char fixture_rsa[];          /* RSA-2048 */
extern const char fixture_ed25519[];
extern const char fixture_expired[]; /* 2 January 2020; of fixture_ecdsa_key */
extern const char fixture_not_yet[]; /* before 2125; of fixture_ecdsa_key */

extern const char fixture_ecdsa_key[];       /* SEC 1, behind a block of EC parameters */
extern const char fixture_ecdsa_pkcs8_key[]; /* the same key */
extern const char fixture_p384_key[];
extern const char fixture_rsa_key[]; /* PKCS#1 */
extern const char fixture_ed25519_key[];
extern const char fixture_encrypted_pkcs8_key[]; /* fixture_ecdsa_key, "secret" */
extern const char fixture_encrypted_sec1_key[];  /* the same, with Proc-Type and DEK-Info */
extern const char fixture_other_key[];           /* P-256, nobody's */

/* More that are encrypted with "secret". */
extern const char fixture_encrypted_pkcs1_key[];   /* fixture_rsa_key, DES-EDE3-CBC in DEK-Info */
extern const char fixture_encrypted_ed25519_key[]; /* PBKDF2 with SHA-1, AES-128-CBC */
extern const char fixture_encrypted_des3_key[];    /* fixture_ecdsa_key, PBKDF2, triple DES */
extern const char fixture_encrypted_scrypt_key[];  /* fixture_ecdsa_key; wolfSSL knows no scrypt */

#endif
