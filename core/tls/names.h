/* SPDX-License-Identifier: MIT */
/* core/tls/names.h: versions, groups and suites between their numbers (IANA), their names and
 * wolfSSL's words. Constant tables, any thread. */
#ifndef LR_CORE_TLS_NAMES_H
#define LR_CORE_TLS_NAMES_H

#include "core/tls/x509.h"

#include <lockring/context.h>

enum {
    LR__GROUP_SECP256R1 = 23,
    LR__GROUP_SECP384R1 = 24,
    LR__GROUP_SECP521R1 = 25,
    LR__GROUP_X25519 = 29,
    LR__GROUP_SECP256R1MLKEM768 = 4587,
    LR__GROUP_X25519MLKEM768 = 4588,
    LR__GROUP_LIST_MAX = 8,
    LR__SUITE_LIST_MAX = 16,
    LR__SUITE_TEXT_MAX = 512
};

enum { LR__SUITE_AES_128_GCM_SHA256 = 0x1301, LR__SUITE_CHACHA20_POLY1305_SHA256 = 0x1303 };

const char *lr__suite_name(uint16_t suite);        /* IANA; "" if unknown */
lr_tls_version lr__suite_version(uint16_t suite);  /* LR_TLS_DEFAULT if unknown */
bool lr__suite_is_chacha(uint16_t suite);          /* ChaCha20-Poly1305 */
const char *lr__group_name(uint16_t group);        /* "X25519"; "" if unknown */
bool lr__group_is_hybrid(uint16_t group);          /* with ML-KEM; of TLS 1.3 only */
uint16_t lr__group_of_wolf_name(const char *name); /* as wolfSSL_get_curve_name() says; 0 */

/* "X25519:P-256" (OpenSSL's and the RFCs' spellings, any case) into numbers; LR_EOPTION with err
 * naming the word that is not known, twice there, or one too many. */
lr_status lr__groups_parse(const char *list, uint16_t *out, uint32_t *count, lr_error *err);

/* May a server with such a key use the suite? One of TLS 1.3: always. */
bool lr__suite_fits_key(uint16_t suite, lr__key_kind kind);

/* "ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256" (IANA's and OpenSSL's names, any case) into
 * numbers; null is the default list. A list without a suite of TLS 1.3 gets the default ones in
 * front: wolfSSL would refuse every client of 1.3. LR_EOPTION as above. */
lr_status lr__suites_parse(const char *list, uint16_t *out, uint32_t *count, lr_error *err);

/* The list in wolfSSL's words; with chacha_first those with ChaCha20-Poly1305 come first, else in
 * the same order. out has LR__SUITE_TEXT_MAX bytes, enough for every suite there is. */
void lr__suites_write(const uint16_t *suites, uint32_t count, bool chacha_first, char *out);

#endif
