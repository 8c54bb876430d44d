/* SPDX-License-Identifier: MIT */
/* core/tls/suites.h: the cipher suites that are built, and lists of them in OpenSSL's grammar.
 * Constant tables, any thread. */
#ifndef LR_CORE_TLS_SUITES_H
#define LR_CORE_TLS_SUITES_H

#include "core/tls/x509.h"

#include <lockring/context.h>

enum { LR__SUITE_LIST_MAX = 16, LR__SUITE_TEXT_MAX = 512 };

enum { LR__SUITE_AES_128_GCM_SHA256 = 0x1301, LR__SUITE_CHACHA20_POLY1305_SHA256 = 0x1303 };

const char *lr__suite_name(uint16_t suite);       /* IANA; "" if unknown */
lr_tls_version lr__suite_version(uint16_t suite); /* LR_TLS_DEFAULT if unknown */
bool lr__suite_is_chacha(uint16_t suite);         /* ChaCha20-Poly1305 */
bool lr__suite_is_dhe(uint16_t suite);            /* over a finite field; TLS 1.2 */

/* May a server with such a key use the suite? One of TLS 1.3: always. */
bool lr__suite_fits_key(uint16_t suite, lr__key_kind kind);

/* What a list may do. */
typedef struct lr__suite_rules {
    const char *name; /* of the option, for messages */
    bool dhe;         /* suites with DHE stay; else they are taken out at the end */
    bool lenient;     /* suites and groups of them that exist, but not here, add nothing; else they
                       * are refused by name */
} lr__suite_rules;

/* A list in the grammar of OpenSSL's ciphers(1): names (OpenSSL's and IANA's), groups of suites
 * (HIGH, ECDHE+AESGCM, aRSA ...), '!', '-', '+', @STRENGTH, @SECLEVEL=n, DEFAULT; null is DEFAULT.
 * Groups speak of TLS 1.2. Suites of TLS 1.3 are named, or all three are there, in front of the
 * others. LR_EOPTION names the word. */
lr_status lr__suites_parse(const char *list, const lr__suite_rules *rules, uint16_t *out,
                           uint32_t *count, lr_error *err);

/* The list in wolfSSL's words; with chacha_first those with ChaCha20-Poly1305 come first, else in
 * the same order. out has LR__SUITE_TEXT_MAX bytes, enough for every suite there is. */
void lr__suites_write(const uint16_t *numbers, uint32_t count, bool chacha_first, char *out);

/* The list of the process, lr_ciphers_default_set() or LOCKRING_CIPHERS, in a heap block of the
 * caller's; null: there is none. *name says where it came from. */
lr_status lr__suites_process_default(char **list, const char **name, lr_error *err);

#endif
