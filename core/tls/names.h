/* SPDX-License-Identifier: MIT */
/* core/tls/names.h: groups between their numbers (IANA), their names and wolfSSL's words. Constant
 * tables, any thread. */
#ifndef LR_CORE_TLS_NAMES_H
#define LR_CORE_TLS_NAMES_H

#include "core/tls/suites.h"

#include <lockring/context.h>

enum {
    LR__GROUP_SECP256R1 = 23,
    LR__GROUP_SECP384R1 = 24,
    LR__GROUP_SECP521R1 = 25,
    LR__GROUP_X25519 = 29,
    LR__GROUP_SECP256R1MLKEM768 = 4587,
    LR__GROUP_X25519MLKEM768 = 4588,
    LR__GROUP_LIST_MAX = 8
};

const char *lr__group_name(uint16_t group);        /* "X25519"; "" if unknown */
bool lr__group_is_hybrid(uint16_t group);          /* with ML-KEM; of TLS 1.3 only */
uint16_t lr__group_of_wolf_name(const char *name); /* as wolfSSL_get_curve_name() says; 0 */

/* "X25519:P-256" (OpenSSL's and the RFCs' spellings, any case) into numbers; LR_EOPTION with err
 * naming the word that is not known, twice there, or one too many. */
lr_status lr__groups_parse(const char *list, uint16_t *out, uint32_t *count, lr_error *err);

#endif
