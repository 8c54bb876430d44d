/* SPDX-License-Identifier: MIT */
#include "core/tls/names.h"

#include "core/base/check.h"
#include "core/base/status.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

/* In the order of the server's default list. Where openssl is null, OpenSSL's name is IANA's. */
static const struct {
    uint16_t suite;
    char auth; /* 'e': ECDSA and EdDSA, 'r': RSA, 0: any, of TLS 1.3 */
    bool chacha;
    const char *name, *openssl, *wolf;
} suites[] = {
    {0x1301, 0, false, "TLS_AES_128_GCM_SHA256", NULL, "TLS13-AES128-GCM-SHA256"},
    {0x1302, 0, false, "TLS_AES_256_GCM_SHA384", NULL, "TLS13-AES256-GCM-SHA384"},
    {0x1303, 0, true, "TLS_CHACHA20_POLY1305_SHA256", NULL, "TLS13-CHACHA20-POLY1305-SHA256"},
    {0xc02b, 'e', false, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256",
     "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {0xc02f, 'r', false, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
     "ECDHE-RSA-AES128-GCM-SHA256"},
    {0xc02c, 'e', false, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384",
     "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {0xc030, 'r', false, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
     "ECDHE-RSA-AES256-GCM-SHA384"},
    {0xcca9, 'e', true, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
     "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {0xcca8, 'r', true, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
     "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"},
};
static_assert(LR_ARRAY_COUNT(suites) <= LR__SUITE_LIST_MAX, "a list may name them all");
static_assert(LR_ARRAY_COUNT(suites) * 32 <= LR__SUITE_TEXT_MAX, "each name and its colon");

/* The first name of a group is its canonical one; wolf is what wolfSSL 5.9.2 calls it. */
static const struct {
    uint16_t group;
    const char *name, *wolf, *alias[3];
} groups[] = {
    {LR__GROUP_X25519MLKEM768, "X25519MLKEM768", "X25519MLKEM768", {"X25519_MLKEM768"}},
    {LR__GROUP_SECP256R1MLKEM768, "SecP256r1MLKEM768", "SecP256r1MLKEM768", {"P256_MLKEM768"}},
    {LR__GROUP_X25519, "X25519", "X25519", {"ecdh_x25519"}},
    {LR__GROUP_SECP256R1, "P-256", "SECP256R1", {"prime256v1", "secp256r1", "P256"}},
    {LR__GROUP_SECP384R1, "P-384", "SECP384R1", {"secp384r1", "P384"}},
    {LR__GROUP_SECP521R1, "P-521", "SECP521R1", {"secp521r1", "P521"}},
};

/* LR_ARRAY_COUNT(suites): unknown. */
static size_t find_suite(uint16_t suite)
{
    size_t i = 0;

    while (i < LR_ARRAY_COUNT(suites) && suites[i].suite != suite)
        i++;
    return i;
}

const char *lr__suite_name(uint16_t suite)
{
    size_t i = find_suite(suite);

    return i < LR_ARRAY_COUNT(suites) ? suites[i].name : "";
}

lr_tls_version lr__suite_version(uint16_t suite)
{
    size_t i = find_suite(suite);

    if (i == LR_ARRAY_COUNT(suites))
        return LR_TLS_DEFAULT;
    return suites[i].auth == 0 ? LR_TLS_1_3 : LR_TLS_1_2;
}

bool lr__suite_is_chacha(uint16_t suite)
{
    size_t i = find_suite(suite);

    return i < LR_ARRAY_COUNT(suites) && suites[i].chacha;
}

bool lr__suite_fits_key(uint16_t suite, lr__key_kind kind)
{
    size_t i = find_suite(suite);

    if (i == LR_ARRAY_COUNT(suites))
        return false;
    return suites[i].auth == 0 || kind == LR__KEY_OTHER ||
           (suites[i].auth == 'r') == (kind == LR__KEY_RSA);
}

const char *lr__group_name(uint16_t group)
{
    for (size_t i = 0; i < LR_ARRAY_COUNT(groups); i++) {
        if (groups[i].group == group)
            return groups[i].name;
    }
    return "";
}

bool lr__group_is_hybrid(uint16_t group)
{
    return group == LR__GROUP_X25519MLKEM768 || group == LR__GROUP_SECP256R1MLKEM768;
}

uint16_t lr__group_of_wolf_name(const char *name)
{
    if (!name)
        return 0;
    for (size_t i = 0; i < LR_ARRAY_COUNT(groups); i++) {
        if (strcasecmp(groups[i].wolf, name) == 0)
            return groups[i].group;
    }
    return 0;
}

static bool word_is(const char *word, size_t len, const char *name)
{
    return name && strlen(name) == len && strncasecmp(word, name, len) == 0;
}

static uint16_t group_of_word(const char *word, size_t len)
{
    for (size_t i = 0; i < LR_ARRAY_COUNT(groups); i++) {
        if (word_is(word, len, groups[i].name))
            return groups[i].group;
        for (size_t j = 0; j < LR_ARRAY_COUNT(groups[i].alias); j++) {
            if (word_is(word, len, groups[i].alias[j]))
                return groups[i].group;
        }
    }
    return 0;
}

lr_status lr__groups_parse(const char *list, uint16_t *out, uint32_t *count, lr_error *err)
{
    uint32_t n = 0;

    LR_DCHECK(list != NULL);
    for (const char *word = list;; word++) {
        size_t len = strcspn(word, ":");
        uint16_t group = group_of_word(word, len);

        if (group == 0)
            return lr__fail(err, LR_EOPTION, "groups: '%.*s' is not a group known here", (int)len,
                            word);
        for (uint32_t i = 0; i < n; i++) {
            if (out[i] == group)
                return lr__fail(err, LR_EOPTION, "groups: '%.*s' is there twice", (int)len, word);
        }
        if (n == LR__GROUP_LIST_MAX)
            return lr__fail(err, LR_EOPTION, "groups: more than %d", LR__GROUP_LIST_MAX);
        out[n++] = group;
        word += len;
        if (*word == '\0')
            break;
    }
    *count = n;
    return LR_OK;
}

static uint16_t suite_of_word(const char *word, size_t len)
{
    for (size_t i = 0; i < LR_ARRAY_COUNT(suites); i++) {
        if (word_is(word, len, suites[i].name) || word_is(word, len, suites[i].openssl))
            return suites[i].suite;
    }
    return 0;
}

static bool is_among(uint16_t suite, const uint16_t *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (list[i] == suite)
            return true;
    }
    return false;
}

/* Puts the default suites in front of the list: those of 1.3, or all. */
static void put_default(bool all, uint16_t *list, uint32_t *count)
{
    uint32_t n = 0;

    for (size_t i = 0; i < LR_ARRAY_COUNT(suites); i++) {
        if (!all && suites[i].auth != 0)
            continue;
        memmove(list + n + 1, list + n, (*count - n) * sizeof(*list));
        list[n++] = suites[i].suite;
        (*count)++;
    }
}

lr_status lr__suites_parse(const char *list, uint16_t *out, uint32_t *count, lr_error *err)
{
    bool has_13 = false;

    *count = 0;
    for (const char *word = list; word; word++) {
        size_t len = strcspn(word, ":");
        uint16_t suite = suite_of_word(word, len);

        if (suite == 0)
            return lr__fail(err, LR_EOPTION, "ciphers: '%.*s' is not a suite known here", (int)len,
                            word);
        if (is_among(suite, out, *count))
            return lr__fail(err, LR_EOPTION, "ciphers: '%.*s' is there twice", (int)len, word);
        out[(*count)++] = suite;
        has_13 |= lr__suite_version(suite) == LR_TLS_1_3;
        word += len;
        if (*word == '\0')
            break;
    }
    if (!has_13)
        put_default(list == NULL, out, count);
    return LR_OK;
}

void lr__suites_write(const uint16_t *list, uint32_t count, bool chacha_first, char *out)
{
    size_t used = 0;

    LR_DCHECK(count <= LR_ARRAY_COUNT(suites));
    for (int turn = chacha_first ? 0 : 1; turn < 2; turn++) {
        for (uint32_t i = 0; i < count; i++) {
            size_t at = find_suite(list[i]), len;

            LR_DCHECK(at < LR_ARRAY_COUNT(suites));
            if (chacha_first && suites[at].chacha != (turn == 0))
                continue;
            len = strlen(suites[at].wolf);
            LR_CHECK(used + len + 1 <= LR__SUITE_TEXT_MAX);
            memcpy(out + used, suites[at].wolf, len);
            out[used + len] = ':';
            used += len + 1;
        }
    }
    LR_CHECK(used > 0);
    out[used - 1] = '\0';
}
